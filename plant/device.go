package plant

import (
	"encoding/binary"

	"github.com/weir-ics/weir/plant/water"
	"github.com/weir-ics/weir/plant/wire"
	"github.com/weir-ics/weir/protocols"
)

// identity is what a device says of itself.
type identity struct {
	vendor, product, revision, name string
}

// A device is a Modbus server: a controller, or a gateway with instruments
// behind it. It answers PDUs and knows nothing of how they came.
type device struct {
	host     *host
	identity identity
	process  *water.Plant
	units    map[uint8]*unit
	// gateway tells that a unit that is not there is answered with exception 11,
	// as a gateway does; else any unit is answered by unit 1.
	gateway bool
	// umas tells that it speaks Schneider Electric's function 90.
	umas bool
	// listenOnly tells that it was told not to answer (function 8, sub-function
	// 4); stopped that its program stands and values freeze.
	listenOnly, stopped bool
	// bootUntil is until when it restarts and does not answer.
	bootUntil int64
	// told is set to the attack whose lie the last answer contained, else -1.
	told int

	diagnostics uint16
	messages    uint16
}

// A unit is one Modbus server behind an address: four tables.
type unit struct {
	tags  [4][]Tag // by table
	words [4][]uint16
	stamp int64
}

// The tables of a unit.
const (
	coils = iota
	discreteInputs
	inputRegisters
	holdingRegisters
)

var tableKinds = [4]protocols.PointKind{
	protocols.KindCoil, protocols.KindDiscreteInput, protocols.KindInputRegister, protocols.KindHoldingRegister,
}

// newUnit lays tags out in a unit's tables; each table has room for spare
// addresses behind its last tag.
func newUnit(spare int, tags ...Tag) *unit {
	u := &unit{stamp: -1}
	for _, t := range tags {
		for k, kind := range tableKinds {
			if t.Table == kind {
				t.lieLabel = -1
				u.tags[k] = append(u.tags[k], t)
			}
		}
	}
	for k := range u.tags {
		size := 0
		for i := range u.tags[k] {
			t := &u.tags[k][i]
			size = max(size, int(t.Address)+t.registers())
		}
		if size > 0 {
			u.words[k] = make([]uint16, size+spare)
		}
	}
	return u
}

// refresh brings the tables up to the process' present state. Without a process
// they hold what was put there.
func (u *unit) refresh(p *water.Plant) {
	if p == nil || u.stamp == p.Now {
		return
	}
	u.stamp = p.Now
	for k := range u.tags {
		for i := range u.tags[k] {
			t := &u.tags[k][i]
			if t.get == nil {
				continue
			}
			v := t.get(p)
			if t.lie != nil {
				v = t.lie(p.Now, v)
			}
			if k <= discreteInputs {
				u.words[k][t.Address] = 0
				if v != 0 {
					u.words[k][t.Address] = 1
				}
				continue
			}
			t.put(u.words[k][t.Address:], v)
		}
	}
}

// lying returns the attack whose lie is in a range of a table, or -1.
func (u *unit) lying(k int, first, count int) int {
	for i := range u.tags[k] {
		t := &u.tags[k][i]
		if t.lie != nil && int(t.Address) < first+count && int(t.Address)+t.registers() > first {
			return t.lieLabel
		}
	}
	return -1
}

// store takes what was written to a range of a table into the process.
func (u *unit) store(p *water.Plant, k int, first, count int) {
	for i := range u.tags[k] {
		t := &u.tags[k][i]
		if int(t.Address) >= first+count || int(t.Address)+t.registers() <= first || t.set == nil {
			continue
		}
		if k == coils {
			t.set(p, float64(u.words[k][t.Address]))
		} else {
			t.set(p, t.value(u.words[k][t.Address:]))
		}
	}
}

// tag finds a tag by its name, nil if the device has none.
func (d *device) tag(name string) *Tag {
	for _, u := range d.units {
		for k := range u.tags {
			for i := range u.tags[k] {
				if u.tags[k][i].Name == name {
					return &u.tags[k][i]
				}
			}
		}
	}
	return nil
}

// serve answers a request PDU at time t by appending to dst. It returns dst
// unchanged if the device does not answer.
func (d *device) serve(dst []byte, t int64, unitID uint8, pdu []byte) []byte {
	d.told = -1
	if len(pdu) == 0 || t < d.bootUntil {
		return dst
	}
	function := pdu[0]
	if d.listenOnly {
		// Only Restart Communications Option wakes it, without an answer.
		if function == wire.Diagnostics && len(pdu) >= 3 && binary.BigEndian.Uint16(pdu[1:]) == 1 {
			d.listenOnly = false
		}
		return dst
	}
	if unitID == 0 && !d.gateway && changes(function) {
		// A broadcast is carried out and not answered.
		d.serve(nil, t, 1, pdu)
		return dst
	}
	u := d.units[unitID]
	if u == nil {
		if d.gateway {
			return wire.AppendException(dst, function, wire.GatewayNoResponse)
		}
		u = d.units[1]
	}
	if !d.stopped {
		u.refresh(d.process)
	}
	d.messages++
	switch function {
	case wire.ReadCoils:
		return d.readBits(dst, u, coils, pdu)
	case wire.ReadDiscreteInputs:
		return d.readBits(dst, u, discreteInputs, pdu)
	case wire.ReadHoldingRegisters:
		return d.readWords(dst, u, holdingRegisters, pdu)
	case wire.ReadInputRegisters:
		return d.readWords(dst, u, inputRegisters, pdu)
	case wire.WriteSingleCoil, wire.WriteSingleRegister:
		return d.writeSingle(dst, u, pdu)
	case wire.WriteMultipleCoils, wire.WriteMultipleRegisters:
		return d.writeMultiple(dst, u, pdu)
	case wire.MaskWriteRegister:
		return d.maskWrite(dst, u, pdu)
	case wire.Diagnostics:
		return d.diagnose(dst, t, pdu)
	case wire.ReportServerID:
		id := append([]byte(d.identity.product), 0, 0xff)
		dst = append(dst, function, byte(len(id)))
		return append(dst, id...)
	case wire.ReadDeviceID:
		return d.identify(dst, pdu)
	case wire.UMAS:
		if d.umas {
			return d.serveUMAS(dst, pdu)
		}
	}
	return wire.AppendException(dst, function, wire.IllegalFunction)
}

// changes tells whether a function writes.
func changes(function uint8) bool {
	switch function {
	case wire.WriteSingleCoil, wire.WriteSingleRegister, wire.WriteMultipleCoils, wire.WriteMultipleRegisters, wire.MaskWriteRegister:
		return true
	}
	return false
}

func span(pdu []byte) (first, count int, ok bool) {
	if len(pdu) < 5 {
		return 0, 0, false
	}
	return int(binary.BigEndian.Uint16(pdu[1:])), int(binary.BigEndian.Uint16(pdu[3:])), true
}

func (d *device) readBits(dst []byte, u *unit, k int, pdu []byte) []byte {
	first, count, ok := span(pdu)
	if !ok || count < 1 || count > 2000 {
		return wire.AppendException(dst, pdu[0], wire.IllegalDataValue)
	}
	if first+count > len(u.words[k]) {
		return wire.AppendException(dst, pdu[0], wire.IllegalDataAddress)
	}
	d.told = u.lying(k, first, count)
	dst = append(dst, pdu[0], byte((count+7)/8))
	var b byte
	for i, w := range u.words[k][first : first+count] {
		if w != 0 {
			b |= 1 << (i % 8)
		}
		if i%8 == 7 || i == count-1 {
			dst = append(dst, b)
			b = 0
		}
	}
	return dst
}

func (d *device) readWords(dst []byte, u *unit, k int, pdu []byte) []byte {
	first, count, ok := span(pdu)
	if !ok || count < 1 || count > 125 {
		return wire.AppendException(dst, pdu[0], wire.IllegalDataValue)
	}
	if first+count > len(u.words[k]) {
		return wire.AppendException(dst, pdu[0], wire.IllegalDataAddress)
	}
	d.told = u.lying(k, first, count)
	dst = append(dst, pdu[0], byte(2*count))
	for _, w := range u.words[k][first : first+count] {
		dst = binary.BigEndian.AppendUint16(dst, w)
	}
	return dst
}

func (d *device) writeSingle(dst []byte, u *unit, pdu []byte) []byte {
	address, value, ok := span(pdu)
	k, word := holdingRegisters, uint16(value)
	if pdu[0] == wire.WriteSingleCoil {
		k, word = coils, 0
		if value == 0xff00 {
			word = 1
		} else if value != 0 {
			ok = false
		}
	}
	if !ok {
		return wire.AppendException(dst, pdu[0], wire.IllegalDataValue)
	}
	if address >= len(u.words[k]) {
		return wire.AppendException(dst, pdu[0], wire.IllegalDataAddress)
	}
	u.words[k][address] = word
	u.store(d.process, k, address, 1)
	return append(dst, pdu[:5]...)
}

func (d *device) writeMultiple(dst []byte, u *unit, pdu []byte) []byte {
	first, count, ok := span(pdu)
	k, size := holdingRegisters, 2*count
	if pdu[0] == wire.WriteMultipleCoils {
		k, size = coils, (count+7)/8
	}
	if !ok || count < 1 || size > 246 || len(pdu) != 6+size || int(pdu[5]) != size {
		return wire.AppendException(dst, pdu[0], wire.IllegalDataValue)
	}
	if first+count > len(u.words[k]) {
		return wire.AppendException(dst, pdu[0], wire.IllegalDataAddress)
	}
	for i := range count {
		if k == coils {
			u.words[k][first+i] = uint16(pdu[6+i/8] >> (i % 8) & 1)
		} else {
			u.words[k][first+i] = binary.BigEndian.Uint16(pdu[6+2*i:])
		}
	}
	u.store(d.process, k, first, count)
	return append(dst, pdu[:5]...)
}

func (d *device) maskWrite(dst []byte, u *unit, pdu []byte) []byte {
	if len(pdu) != 7 {
		return wire.AppendException(dst, pdu[0], wire.IllegalDataValue)
	}
	address := int(binary.BigEndian.Uint16(pdu[1:]))
	if address >= len(u.words[holdingRegisters]) {
		return wire.AppendException(dst, pdu[0], wire.IllegalDataAddress)
	}
	and, or := binary.BigEndian.Uint16(pdu[3:]), binary.BigEndian.Uint16(pdu[5:])
	w := &u.words[holdingRegisters][address]
	*w = *w&and | or&^and
	u.store(d.process, holdingRegisters, address, 1)
	return append(dst, pdu...)
}

func (d *device) diagnose(dst []byte, t int64, pdu []byte) []byte {
	sub, _, ok := span(pdu)
	if !ok {
		return wire.AppendException(dst, pdu[0], wire.IllegalDataValue)
	}
	switch sub {
	case 0: // return query data
		return append(dst, pdu...)
	case 1: // restart communications option
		d.bootUntil = t + 8*second
		d.messages = 0
		return append(dst, pdu...)
	case 2: // return diagnostic register
		return wire.AppendAddressValue(dst, pdu[0], 2, d.diagnostics)
	case 4: // force listen only mode: no answer
		d.listenOnly = true
		return dst
	case 10: // clear counters
		d.messages = 0
		return append(dst, pdu...)
	case 11: // return bus message count
		return wire.AppendAddressValue(dst, pdu[0], 11, d.messages)
	}
	return wire.AppendException(dst, pdu[0], wire.IllegalFunction)
}

// identify answers Read Device Identification (function 43, MEI type 14) for
// the basic category.
func (d *device) identify(dst []byte, pdu []byte) []byte {
	if len(pdu) != 4 || pdu[1] != 14 || pdu[2] < 1 || pdu[2] > 4 {
		return wire.AppendException(dst, pdu[0], wire.IllegalDataValue)
	}
	objects := []string{d.identity.vendor, d.identity.product, d.identity.revision}
	dst = append(dst, pdu[0], 14, pdu[2], 0x81, 0, 0, byte(len(objects)))
	for i, o := range objects {
		dst = append(dst, byte(i), byte(len(o)))
		dst = append(dst, o...)
	}
	return dst
}

// UMAS functions as public analyses of Schneider Electric's function 90 name
// them.
const (
	umasReadID     = 0x02
	umasTakePLC    = 0x10
	umasReleasePLC = 0x11
	umasDownInit   = 0x30
	umasDownBlock  = 0x31
	umasDownEnd    = 0x32
	umasStart      = 0x40
	umasStop       = 0x41
	umasOK         = 0xfe
)

func (d *device) serveUMAS(dst []byte, pdu []byte) []byte {
	if len(pdu) < 3 {
		return wire.AppendException(dst, pdu[0], wire.IllegalDataValue)
	}
	dst = append(dst, pdu[0], pdu[1], umasOK)
	switch pdu[2] {
	case umasReadID:
		dst = append(dst, 0x0b, 0x30, 0x03, 0x05, 0, 0, 0, 0, 0x20, 0x03)
		dst = append(dst, byte(len(d.identity.product)))
		dst = append(dst, d.identity.product...)
	case umasTakePLC:
		dst = append(dst, 0x5c)
	case umasStart:
		d.stopped = false
	case umasStop:
		d.stopped = true
	}
	return dst
}
