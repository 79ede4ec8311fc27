package plant

import (
	"bytes"
	"encoding/binary"
	"math"

	"github.com/weir-ics/weir/plant/water"
	"github.com/weir-ics/weir/plant/wire"
	"github.com/weir-ics/weir/protocols"
)

// The point kinds of the outstation, in the order in which it reports them.
const (
	binaryInputs = iota
	doubleBits
	binaryOutputs
	counters
	analogInputs
	analogOutputs
	numPointTypes
)

// pointTypes gives each kind's object group and the variation of its static
// form, of its event group and its event form (IEEE 1815-2012, 11.9), and the
// event class.
var pointTypes = [numPointTypes]struct {
	kind                       protocols.PointKind
	group, variation           uint8
	eventGroup, eventVariation uint8
	class                      uint8
}{
	binaryInputs:  {protocols.KindBinaryInput, 1, 2, 2, 2, 1},
	doubleBits:    {protocols.KindDoubleBitInput, 3, 2, 4, 2, 1},
	binaryOutputs: {protocols.KindBinaryOutput, 10, 2, 0, 0, 0},
	counters:      {protocols.KindCounter, 20, 1, 22, 5, 3},
	analogInputs:  {protocols.KindAnalogInput, 30, 1, 32, 3, 2},
	analogOutputs: {protocols.KindAnalogOutput, 40, 2, 0, 0, 0},
}

// rtuPoint is one point of the outstation.
type rtuPoint struct {
	name      string
	eu        string
	scale     float64
	low, high float64
	deadband  float64
	// float tells that the analog is reported as a single-precision number.
	float bool
	get   func(*water.Plant) float64

	// flags are added to ONLINE.
	flags uint8
	// absent leaves a hole in the numbering.
	absent bool

	value, reported float64
	lie             func(t int64, v float64) float64
	lieLabel        int
}

type rtuEvent struct {
	kind, index int
	value       float64
	time        int64
	sent        bool
}

// Limits of the outstation.
const (
	maxEvents         = 300
	maxEventsResponse = 60
	selectTimeout     = 10 * second
)

// Point flags (11.6).
const (
	online      = 0x01
	localForced = 0x10
)

// An outstation is a DNP3 outstation: it answers application fragments and
// knows nothing of how they came.
type outstation struct {
	process *water.Plant
	points  [numPointTypes][]rtuPoint
	events  []rtuEvent
	// unsolicited tells that the master enabled it.
	unsolicited bool
	restarted   bool
	needTime    bool
	overflow    bool
	stopped     bool
	bootUntil   int64
	// offset is by how much its clock is ahead; drift by how much it gains, as a
	// share; synced when it was last set.
	offset, synced int64
	drift          float64
	scanned        int64
	selected       []byte
	selectSeq      uint8
	selectTime     int64
	seq            uint8 // of unsolicited responses
	file           []byte
	fileOpen       bool
	// told is the attack whose lie the last answer contained, else -1.
	told int
	// row is the table's station whose values it holds, nil for a real process.
	row *csvStation
}

func newOutstation(p *water.Plant) *outstation {
	o := &outstation{process: p, restarted: true, needTime: true, synced: p.Now, told: -1}
	flag := func(name string, get func(*water.Plant) bool) rtuPoint {
		return rtuPoint{name: name, scale: 1, high: 1, lieLabel: -1, get: func(p *water.Plant) float64 {
			if get(p) {
				return 1
			}
			return 0
		}}
	}
	o.points[binaryInputs] = []rtuPoint{
		flag("DOOR_OPEN", func(p *water.Plant) bool { return p.Electric.Door }),
		flag("LOCAL_CONTROL", func(p *water.Plant) bool { return p.Electric.Local }),
		flag("FEEDER_A_ALIVE", func(p *water.Plant) bool { return p.Pumps[water.P1].Powered }),
		flag("FEEDER_B_ALIVE", func(p *water.Plant) bool { return p.Pumps[water.P2].Powered }),
		flag("OIL_HIGH", func(p *water.Plant) bool { return p.Electric.Oil > 80 }),
	}
	for i, name := range []string{"M1_ON", "M2_ON", "M3_ON", "M4_ON", "M5_ON"} {
		o.points[binaryInputs] = append(o.points[binaryInputs], flag(name, running(i)))
	}
	for i, name := range []string{"CB_INCOMER", "CB_FEEDER_A", "CB_FEEDER_B"} {
		o.points[doubleBits] = append(o.points[doubleBits], rtuPoint{name: name, scale: 1, high: 3,
			get: func(p *water.Plant) float64 { return float64(p.Electric.Breaker[i]) }})
		o.points[binaryOutputs] = append(o.points[binaryOutputs], flag(name+"_CLOSE", func(p *water.Plant) bool { return p.Electric.Breaker[i] == water.Closed }))
	}
	for i, name := range []string{"E_INCOMER", "E_FEEDER_A", "E_FEEDER_B"} {
		o.points[counters] = append(o.points[counters], rtuPoint{name: name, eu: "kWh", scale: 1, deadband: 10,
			get: func(p *water.Plant) float64 { return math.Floor(p.Electric.Energy[i]) }})
	}
	analog := func(name, eu string, scale, low, high, deadband float64, float bool, get func(e *water.Electric) float64) {
		o.points[analogInputs] = append(o.points[analogInputs], rtuPoint{name: name, eu: eu, scale: scale, low: low, high: high, deadband: deadband, float: float,
			get: func(p *water.Plant) float64 { return get(&p.Electric) }})
	}
	for i, name := range []string{"U_L1", "U_L2", "U_L3"} {
		analog(name, "kV", 0.001, 9, 11, 0.04, false, func(e *water.Electric) float64 { return e.Voltage[i] })
	}
	analog("FREQUENCY", "Hz", 0.001, 49.5, 50.5, 0.03, false, func(e *water.Electric) float64 { return e.Frequency })
	for i, name := range []string{"I_INCOMER", "I_FEEDER_A", "I_FEEDER_B"} {
		analog(name, "A", 0.01, 0, 40, 0.3, false, func(e *water.Electric) float64 { return e.Current[i] })
	}
	analog("OIL_TEMPERATURE", "degC", 0.1, 0, 110, 0.5, false, func(e *water.Electric) float64 { return e.Oil })
	analog("TAP_POSITION", "", 1, 1, 17, 0.5, false, func(e *water.Electric) float64 { return float64(e.Tap) })
	for i, name := range []string{"P_INCOMER", "P_FEEDER_A", "P_FEEDER_B"} {
		analog(name, "kW", 1, 0, 400, 3, true, func(e *water.Electric) float64 { return e.Active[i] })
	}
	for i, name := range []string{"Q_INCOMER", "Q_FEEDER_A", "Q_FEEDER_B"} {
		analog(name, "kvar", 1, 0, 250, 2, true, func(e *water.Electric) float64 { return e.Reactive[i] })
	}
	o.points[analogOutputs] = []rtuPoint{{name: "SP_TAP", scale: 1, low: 1, high: 17,
		get: func(p *water.Plant) float64 { return float64(p.Electric.TapSet) }}}
	for k := range o.points {
		for i := range o.points[k] {
			pt := &o.points[k][i]
			pt.lieLabel = -1
			pt.value = pt.get(p)
			pt.reported = pt.value
		}
	}
	for i := range 40 {
		o.file = append(o.file, []byte("point "+string(rune('A'+i%26))+" class=2 deadband=0.5 scale=0.001 enabled=1\r\n")...)
	}
	return o
}

func (o *outstation) tags() []Tag {
	var all []Tag
	for k := range o.points {
		for i, pt := range o.points[k] {
			t := Tag{Table: pointTypes[k].kind, Address: uint16(i), Name: pt.name, Type: "number", Order: "ABCD", Scale: pt.scale, EngineeringUnit: pt.eu, Low: pt.low, High: pt.high}
			if k == binaryInputs || k == binaryOutputs {
				t.Type = "bool"
			}
			all = append(all, t)
		}
	}
	return all
}

// point finds a point by its name, nil if there is none.
func (o *outstation) point(name string) *rtuPoint {
	for k := range o.points {
		for i := range o.points[k] {
			if o.points[k][i].name == name {
				return &o.points[k][i]
			}
		}
	}
	return nil
}

// clock is the outstation's own time at t.
func (o *outstation) clock(t int64) int64 {
	return t + o.offset + int64(float64(t-o.synced)*o.drift)
}

// scan takes the process' values at time t and makes events of what changed.
func (o *outstation) scan(t int64) {
	if o.process == nil || o.process.Now == o.scanned || o.stopped || t < o.bootUntil {
		return
	}
	o.scanned = o.process.Now
	if t-o.synced > 3600*second {
		o.needTime = true
	}
	for k := range o.points {
		for i := range o.points[k] {
			pt := &o.points[k][i]
			v := pt.get(o.process)
			if pt.lie != nil {
				v = pt.lie(o.process.Now, v)
			}
			pt.value = v
			if pointTypes[k].class == 0 {
				continue
			}
			if d := math.Abs(v - pt.reported); d == 0 || d < pt.deadband {
				continue
			}
			pt.reported = v
			if len(o.events) == maxEvents {
				o.overflow = true
				copy(o.events, o.events[1:])
				o.events = o.events[:maxEvents-1]
			}
			o.events = append(o.events, rtuEvent{kind: k, index: i, value: v, time: o.clock(t)})
		}
	}
}

// pending tells whether there are events of a class that were not sent.
func (o *outstation) pending(class uint8) bool {
	for i := range o.events {
		if !o.events[i].sent && pointTypes[o.events[i].kind].class == class {
			return true
		}
	}
	return false
}

func (o *outstation) iin() uint16 {
	var v uint16
	for class := uint8(1); class <= 3; class++ {
		if o.pending(class) {
			v |= 1 << class
		}
	}
	if o.needTime {
		v |= wire.IINNeedTime
	}
	if o.restarted {
		v |= wire.IINRestart
	}
	if o.overflow {
		v |= wire.IINEventsLost
	}
	return v
}

// confirmed lets go of the events that the master has confirmed.
func (o *outstation) confirmed() {
	keep := o.events[:0]
	for _, e := range o.events {
		if !e.sent {
			keep = append(keep, e)
		}
	}
	o.events, o.overflow = keep, false
}

// unsolicitedResponse appends an unsolicited response with the events of class
// 1, or an empty one after a restart.
func (o *outstation) unsolicitedResponse(dst []byte) []byte {
	o.told = -1
	o.seq = (o.seq + 1) & 0x0f
	start := len(dst)
	dst = append(dst, wire.AppFIR|wire.AppFIN|wire.AppCON|wire.AppUNS|o.seq, wire.Unsolicited, 0, 0)
	if !o.restarted {
		dst = o.appendEvents(dst, 1<<1)
	}
	binary.LittleEndian.PutUint16(dst[start+2:], o.iin())
	return dst
}

// serve answers one request fragment at time t by appending to dst. It returns
// dst unchanged if there is no answer.
func (o *outstation) serve(dst []byte, t int64, fragment []byte) []byte {
	o.told = -1
	if len(fragment) < 2 || t < o.bootUntil {
		return dst
	}
	o.scan(t)
	seq, function, objects := fragment[0]&0x0f, fragment[1], fragment[2:]
	start := len(dst)
	dst = append(dst, wire.AppFIR|wire.AppFIN|seq, wire.Response, 0, 0)
	var problem uint16
	switch function {
	case wire.Confirm:
		o.confirmed()
		return dst[:start]
	case wire.Read:
		dst, problem = o.read(dst, start, objects)
	case wire.Write:
		problem = o.write(t, objects)
	case wire.Select, wire.Operate, wire.DirectOperate, wire.DirectOperateNR:
		dst, problem = o.command(dst, t, seq, function, objects)
		if function == wire.DirectOperateNR {
			return dst[:start]
		}
	case wire.ImmediateFreeze, wire.FreezeClear, wire.AssignClass, wire.InitializeAppl, wire.RecordTime:
	case wire.StartApplication:
		o.stopped = false
	case wire.StopApplication:
		o.stopped = true
	case wire.ColdRestart, wire.WarmRestart:
		dst = append(dst, 52, 2, wire.Count8, 1)
		dst = binary.LittleEndian.AppendUint16(dst, 12000)
		o.bootUntil = t + 12*second
		o.restarted, o.unsolicited, o.events = true, false, o.events[:0]
	case wire.EnableUnsolicited:
		o.unsolicited = true
	case wire.DisableUnsolicited:
		o.unsolicited = false
	case wire.DelayMeasure:
		dst = append(dst, 52, 2, wire.Count8, 1, 2, 0)
	case wire.OpenFile, wire.CloseFile, wire.DeleteFile:
		dst, problem = o.fileCommand(dst, function, objects)
	default:
		problem = wire.IINNoFunction
	}
	binary.LittleEndian.PutUint16(dst[start+2:], o.iin()|problem)
	return dst
}

func (o *outstation) read(dst []byte, start int, objects []byte) ([]byte, uint16) {
	for len(objects) >= 3 {
		group, variation, qualifier := objects[0], objects[1], objects[2]
		objects = objects[3:]
		first, last := 0, math.MaxInt
		switch qualifier {
		case wire.StartStop8:
			if len(objects) < 2 {
				return dst, wire.IINParameter
			}
			first, last, objects = int(objects[0]), int(objects[1]), objects[2:]
		case wire.StartStop16:
			if len(objects) < 4 {
				return dst, wire.IINParameter
			}
			first, last, objects = int(binary.LittleEndian.Uint16(objects)), int(binary.LittleEndian.Uint16(objects[2:])), objects[4:]
		case wire.Count8:
			if len(objects) < 1 {
				return dst, wire.IINParameter
			}
			objects = objects[1:]
		case wire.All:
		case wire.FreeFormat:
			if group != 70 || variation != 5 {
				return dst, wire.IINNoObject
			}
			return o.readFile(dst, objects)
		default:
			return dst, wire.IINParameter
		}
		switch {
		case group == 60 && variation == 1:
			for k := range o.points {
				dst = o.appendStatic(dst, k, 0, math.MaxInt)
			}
		case group == 60 && variation <= 4:
			dst = o.appendEvents(dst, 1<<(variation-1))
		case group == 0:
			dst = appendAttributes(dst)
		default:
			k := pointType(group)
			if k < 0 {
				return dst, wire.IINNoObject
			}
			if first >= len(o.points[k]) {
				return dst, wire.IINParameter
			}
			dst = o.appendStatic(dst, k, first, last)
		}
	}
	for i := range o.events {
		if o.events[i].sent {
			dst[start] |= wire.AppCON
			break
		}
	}
	return dst, 0
}

func pointType(group uint8) int {
	for k := range pointTypes {
		if pointTypes[k].group == group {
			return k
		}
	}
	return -1
}

// attributes of the device, group 0 by variation.
var attributes = []struct {
	variation uint8
	value     string
}{{242, "3.1.4"}, {243, "B2"}, {248, "0417-2231"}, {250, "SMART-RTU 500"}, {252, "Elkon Grid"}}

func appendAttributes(dst []byte) []byte {
	for _, a := range attributes {
		dst = append(dst, 0, a.variation, wire.StartStop8, 0, 0, 1, byte(len(a.value)))
		dst = append(dst, a.value...)
	}
	return dst
}

// appendStatic appends the present values of the points first to last of a
// kind.
func (o *outstation) appendStatic(dst []byte, k, first, last int) []byte {
	pts := o.points[k]
	last = min(last, len(pts)-1)
	for i := first; i <= last; {
		// Integers and single-precision numbers need a header each.
		end := i
		for end < last && pts[end+1].float == pts[i].float {
			end++
		}
		variation := pointTypes[k].variation
		if pts[i].float {
			variation = 5
		}
		dst = wire.AppendStartStop(dst, pointTypes[k].group, variation, uint16(i), uint16(end))
		for ; i <= end; i++ {
			if pts[i].lie != nil {
				o.told = pts[i].lieLabel
			}
			dst = appendValue(dst, k, &pts[i], pts[i].value)
		}
	}
	return dst
}

func appendValue(dst []byte, k int, pt *rtuPoint, v float64) []byte {
	switch k {
	case binaryInputs, binaryOutputs:
		return append(dst, online|pt.flags|byte(v)<<7)
	case doubleBits:
		return append(dst, online|pt.flags|byte(v)<<6)
	case counters:
		dst = append(dst, online|pt.flags)
		return binary.LittleEndian.AppendUint32(dst, uint32(v))
	case analogOutputs:
		dst = append(dst, online|pt.flags)
		return binary.LittleEndian.AppendUint16(dst, uint16(int16(v)))
	}
	dst = append(dst, online|pt.flags)
	if pt.float {
		return wire.AppendFloat32(dst, v)
	}
	return binary.LittleEndian.AppendUint32(dst, uint32(int32(math.Round(v/pt.scale))))
}

// appendEvents appends the events of a set of classes, with times, and marks
// them as sent.
func (o *outstation) appendEvents(dst []byte, classes uint8) []byte {
	room := maxEventsResponse
	for i := 0; i < len(o.events) && room > 0; i++ {
		if !o.wanted(&o.events[i], classes) {
			continue
		}
		// Events keep their order in time: a run of one kind shares a header.
		e := &o.events[i]
		float := o.points[e.kind][e.index].float
		run := 1
		for j := i + 1; j < len(o.events) && run < room; j++ {
			if f := &o.events[j]; f.kind != e.kind || o.points[f.kind][f.index].float != float {
				break
			}
			run++
		}
		variation := pointTypes[e.kind].eventVariation
		if float {
			variation = 7
		}
		dst = wire.AppendIndexed(dst, pointTypes[e.kind].eventGroup, variation, uint16(run))
		for ; run > 0; run-- {
			e := &o.events[i]
			pt := &o.points[e.kind][e.index]
			if pt.lie != nil {
				o.told = pt.lieLabel
			}
			dst = binary.LittleEndian.AppendUint16(dst, uint16(e.index))
			dst = appendValue(dst, e.kind, pt, e.value)
			dst = wire.AppendDNP3Time(dst, e.time)
			e.sent = true
			room--
			i++
		}
		i--
	}
	return dst
}

func (o *outstation) wanted(e *rtuEvent, classes uint8) bool {
	return classes>>pointTypes[e.kind].class&1 != 0
}

func (o *outstation) write(t int64, objects []byte) uint16 {
	if len(objects) < 4 {
		return wire.IINParameter
	}
	switch {
	case objects[0] == 50 && objects[1] == 1 && objects[2] == wire.Count8 && len(objects) >= 10:
		o.offset, o.synced, o.needTime = wire.DNP3Time(objects[4:])-t, t, false
		return 0
	case objects[0] == 80 && objects[1] == 1:
		o.restarted = false
		return 0
	case objects[0] == 34 && objects[1] == 2 && objects[2] == wire.StartStop8 && len(objects) >= 5:
		values := objects[5:]
		for i := int(objects[3]); i <= int(objects[4]) && i < len(o.points[analogInputs]) && len(values) >= 4; i++ {
			pt := &o.points[analogInputs][i]
			pt.deadband = float64(binary.LittleEndian.Uint32(values)) * pt.scale
			values = values[4:]
		}
		return 0
	}
	return wire.IINNoObject
}

// Control status codes (IEEE 1815-2012, annex A, group 12).
const (
	statusSuccess      = 0
	statusTimeout      = 1
	statusNoSelect     = 2
	statusNotSupported = 4
)

// command answers a select, operate or direct operate with one object header
// of group 12 variation 1 or group 41 variation 2.
func (o *outstation) command(dst []byte, t int64, seq, function uint8, objects []byte) ([]byte, uint16) {
	if len(objects) < 4 {
		return dst, wire.IINParameter
	}
	group, variation, qualifier := objects[0], objects[1], objects[2]
	indexSize, count, at := 1, int(objects[3]), 4
	if qualifier == wire.Index16 && len(objects) >= 5 {
		indexSize, count, at = 2, int(binary.LittleEndian.Uint16(objects[3:])), 5
	}
	size := 0
	switch {
	case group == 12 && variation == 1:
		size = 11
	case group == 41 && variation == 2:
		size = 3
	default:
		return dst, wire.IINNoObject
	}
	if len(objects) < at+count*(indexSize+size) {
		return dst, wire.IINParameter
	}
	status := byte(statusSuccess)
	switch function {
	case wire.Select:
		o.selected, o.selectSeq, o.selectTime = append(o.selected[:0], objects...), seq, t
	case wire.Operate:
		switch {
		case len(o.selected) == 0 || !bytes.Equal(o.selected, objects) || seq != (o.selectSeq+1)&0x0f:
			status = statusNoSelect
		case t-o.selectTime > selectTimeout:
			status = statusTimeout
		}
		o.selected = o.selected[:0]
	}
	dst = append(dst, objects[:at]...)
	for range count {
		index := int(objects[at])
		if indexSize == 2 {
			index = int(binary.LittleEndian.Uint16(objects[at:]))
		}
		body := objects[at+indexSize : at+indexSize+size]
		s := status
		if group == 12 && index >= water.NumBreakers || group == 41 && index >= len(o.points[analogOutputs]) {
			s = statusNotSupported
		}
		if s == statusSuccess && function != wire.Select {
			o.actuate(group, index, body)
		}
		dst = append(dst, objects[at:at+indexSize+size-1]...)
		dst = append(dst, s)
		at += indexSize + size
	}
	return dst, 0
}

func (o *outstation) actuate(group uint8, index int, body []byte) {
	if group == 41 {
		o.process.Electric.TapSet = int(int16(binary.LittleEndian.Uint16(body)))
		return
	}
	switch body[0] {
	case 0x41, 0x03:
		o.process.Electric.Command(index, water.Closed)
	case 0x81, 0x04:
		o.process.Electric.Command(index, water.Open)
	}
}

// appendFileStatus appends a file command status object, group 70 variation 4.
func appendFileStatus(dst []byte, handle, size uint32, status uint8) []byte {
	dst = append(dst, 70, 4, wire.FreeFormat, 1, 13, 0)
	dst = binary.LittleEndian.AppendUint32(dst, handle)
	dst = binary.LittleEndian.AppendUint32(dst, size)
	return append(dst, fileBlock&0xff, fileBlock>>8, 0, 0, status)
}

const fileBlock = 512

func (o *outstation) fileCommand(dst []byte, function uint8, objects []byte) ([]byte, uint16) {
	if len(objects) < 6 || objects[0] != 70 || objects[2] != wire.FreeFormat {
		return dst, wire.IINParameter
	}
	switch function {
	case wire.OpenFile:
		o.fileOpen = true
		return appendFileStatus(dst, 0x11223344, uint32(len(o.file)), 0), 0
	case wire.CloseFile:
		o.fileOpen = false
		return appendFileStatus(dst, 0x11223344, 0, 0), 0
	}
	return appendFileStatus(dst, 0, 0, 0), 0 // deleted
}

// readFile answers a read of one block of the open file, group 70 variation 5.
func (o *outstation) readFile(dst []byte, objects []byte) ([]byte, uint16) {
	if len(objects) < 3+8 || !o.fileOpen {
		return dst, wire.IINParameter
	}
	block := binary.LittleEndian.Uint32(objects[7:]) &^ (1 << 31)
	from := min(int(block)*fileBlock, len(o.file))
	to := min(from+fileBlock, len(o.file))
	size := 8 + to - from
	dst = append(dst, 70, 5, wire.FreeFormat, 1, byte(size), byte(size>>8))
	dst = append(dst, objects[3:7]...)
	if to == len(o.file) {
		block |= 1 << 31
	}
	dst = binary.LittleEndian.AppendUint32(dst, block)
	return append(dst, o.file[from:to]...), 0
}
