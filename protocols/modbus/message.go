package modbus

import (
	"github.com/weir-ics/weir/protocols"
)

// Message is one Modbus message, field by field. Decoders fill one in place and
// hand it out as an Event's Detail: it is valid during that call only, and its
// byte slices alias the packet.
type Message struct {
	Framing Framing
	// Transaction, Protocol and Length are the MBAP header's; Length counts the
	// unit and the PDU.
	Transaction, Protocol, Length uint16
	Unit                          uint8
	// Function is the code without the exception bit.
	Function uint8
	// Response tells a response from a request.
	Response bool
	// IsException tells that the exception bit was set; Exception is its code.
	IsException bool
	Exception   uint8
	// Sub is the sub-function, -1 if there is none. That of a UMAS response is
	// its request's.
	Sub int32
	// Data is what follows the fixed fields.
	Data []byte
	// Signed tells that Sub is the function inside a signed UMAS message.
	Signed bool
	// Extra is what follows where nothing should.
	Extra []byte
	// Body is the whole PDU behind its function code when weir could not take
	// it apart (Free layouts, truncated content).
	Body []byte
	// Paired tells that the fields below come from the request that the
	// response answers.
	Paired bool
	// RequestAddress and RequestQuantity are what a paired read asked for.
	RequestAddress, RequestQuantity uint16
	// CRC is the checksum of an RTU frame, or the LRC of an ASCII one, as sent.
	CRC uint16
	// Missing is how many octets the content promised and did not hold.
	Missing int

	fields [numFields]uint16
	has    uint32
	layout *Layout
	// requestFiles is the sub-requests of the paired file record read.
	requestFiles []byte
}

// Get gives the value of a field and tells whether the message has it.
func (m *Message) Get(f Field) (uint16, bool) { return m.fields[f], m.has&(1<<f) != 0 }

// Set gives a field its value.
func (m *Message) Set(f Field, v uint16) {
	m.fields[f] = v
	m.has |= 1 << f
}

// Info is the table's entry of the message's function.
func (m *Message) Info() *Function { return &functions[m.Function&0x7f] }

// SubInfo is the table's entry of the message's sub-function, nil if it has
// none or weir does not know it.
func (m *Message) SubInfo() *SubFunction {
	if m.Sub < 0 {
		return nil
	}
	return m.Info().Sub(int(m.Sub))
}

// values tells how many bits or registers the message has values of.
func (m *Message) values() int {
	switch m.layout.Tail {
	case TailRegisters:
		return len(m.Data) / 2
	case TailBits:
		n := len(m.Data) * 8
		switch {
		case m.Response && m.Paired && int(m.RequestQuantity) <= n:
			n = int(m.RequestQuantity)
		case !m.Response && int(m.fields[FieldQuantity]) <= n:
			n = int(m.fields[FieldQuantity])
		}
		return n
	}
	return 0
}

// Registers tells how many register values the message holds; Register gives
// them.
func (m *Message) Registers() int {
	if m.layout == nil || m.layout.Tail != TailRegisters {
		return 0
	}
	return len(m.Data) / 2
}

// Register gives register value i of the message.
func (m *Message) Register(i int) uint16 { return uint16(m.Data[2*i])<<8 | uint16(m.Data[2*i+1]) }

// Bit gives coil or input i of the message.
func (m *Message) Bit(i int) bool { return m.Data[i>>3]>>(i&7)&1 != 0 }

// parse takes a PDU apart. What breaks the standard is added to e.
func (m *Message) parse(pdu []byte, response bool, e *protocols.Event) {
	m.Response = response
	m.Sub = -1
	m.has = 0
	m.Missing = 0
	m.Data, m.Extra, m.Body = nil, nil, nil
	m.Paired, m.IsException, m.Exception, m.Signed = false, false, 0, false
	m.requestFiles = nil
	fn := pdu[0]
	f := &functions[fn&0x7f]
	m.Function = fn & 0x7f
	m.layout = f.layout(response)
	if fn&0x80 != 0 {
		m.IsException = true
		m.parseException(pdu, e)
		return
	}
	if f.Class == Invalid || f.Class == Undefined {
		e.Violate(ViolationFunction, int64(fn), -1)
	}
	at := 1
	counted := -1
	for i := 0; i < len(m.layout.Fields); i++ {
		s := &m.layout.Fields[i]
		if len(pdu) < at+int(s.Size) {
			m.truncated(pdu, at+int(s.Size), e)
			return
		}
		v := uint16(pdu[at])
		if s.Size == 2 {
			v = v<<8 | uint16(pdu[at+1])
		}
		at += int(s.Size)
		m.fields[s.Field] = v
		m.has |= 1 << s.Field
		if s.Max != 0 && (v < s.Min || v > s.Max) {
			m.outOfLimits(s, v, e)
		}
		if s.check != checkNone {
			m.check(s, v, e)
		}
		switch s.Field {
		case FieldByteCount:
			counted = at + int(v)
		case FieldSub:
			m.Sub = int32(v)
			if sub := f.Sub(int(v)); sub != nil {
				m.layout = sub.layout(response)
				i = -1
			} else if f.Class == Public {
				e.Violate(ViolationSubFunction, int64(v), -1)
			}
		}
	}
	m.parseTail(pdu, at, counted, e)
	if m.Function == umasFunction && m.Sub == umasSigned {
		if inner, ok := signedUMAS(m.Data); ok {
			m.Sub, m.Signed = int32(inner), true
		}
	}
	if m.has&(1<<FieldAddress|1<<FieldQuantity) == 1<<FieldAddress|1<<FieldQuantity {
		if end := int(m.fields[FieldAddress]) + int(m.fields[FieldQuantity]); end > 1<<16 {
			e.Violate(ViolationAddressRange, int64(end-1), 1<<16-1)
		}
	}
	if m.has&(1<<FieldWriteQuantity) != 0 {
		if end := int(m.fields[FieldWriteAddress]) + int(m.fields[FieldWriteQuantity]); end > 1<<16 {
			e.Violate(ViolationAddressRange, int64(end-1), 1<<16-1)
		}
	}
}

func (m *Message) parseException(pdu []byte, e *protocols.Event) {
	m.layout = &exceptionLayout
	if !m.Response {
		e.Violate(ViolationFunction, int64(pdu[0]), int64(m.Function))
	}
	if len(pdu) < 2 {
		m.truncated(pdu, 2, e)
		return
	}
	m.Exception = pdu[1]
	if exceptions[m.Exception].name == "" && functions[m.Function].Class == Public {
		e.Violate(ViolationExceptionCode, int64(m.Exception), -1)
	}
	if len(pdu) > 2 {
		m.Extra = pdu[2:]
		e.Violate(ViolationLength, int64(len(pdu)), 2)
	}
}

var exceptionLayout = Layout{}

// truncated notes a PDU that ends inside its fixed fields.
func (m *Message) truncated(pdu []byte, need int, e *protocols.Event) {
	m.Missing = need - len(pdu)
	m.Body = pdu[1:]
	e.Violate(ViolationLength, int64(len(pdu)), int64(need))
}

func (m *Message) outOfLimits(s *FieldSpec, v uint16, e *protocols.Event) {
	bound := s.Max
	if v < s.Min {
		bound = s.Min
	}
	e.Violate(ViolationQuantity, int64(v), int64(bound))
}

func (m *Message) check(s *FieldSpec, v uint16, e *protocols.Event) {
	switch s.check {
	case checkCoil:
		if v != 0xFF00 && v != 0 {
			e.Violate(ViolationCoilValue, int64(v), 0xFF00)
		}
	case checkOnOff:
		if v != 0xFF00 && v != 0 {
			e.Violate(ViolationField, int64(v), 0xFF00)
		}
	case checkZero:
		if v != 0 {
			e.Violate(ViolationField, int64(v), 0)
		}
	case checkBool:
		if v != 0 && v != 0xFF {
			e.Violate(ViolationField, int64(v), 0xFF)
		}
	case checkStatus:
		if v != 0 && v != 0xFFFF {
			e.Violate(ViolationField, int64(v), 0xFFFF)
		}
	case checkReadCode:
		if v < 1 || v > 4 {
			e.Violate(ViolationField, int64(v), 1)
		}
	case checkConformity:
		if c := v & 0x7F; c < 1 || c > 3 {
			e.Violate(ViolationField, int64(v), 1)
		}
	case checkFIFO:
		if v > 31 {
			e.Violate(ViolationFIFOCount, int64(v), 31)
		}
	}
}

// parseTail takes what follows the fixed fields, which end at octet at. counted
// is where the byte count says that the PDU ends, -1 without a byte count.
func (m *Message) parseTail(pdu []byte, at, counted int, e *protocols.Event) {
	end := len(pdu)
	if counted >= 0 {
		switch {
		case counted < at:
			// The byte count does not even cover the fixed fields behind it.
			e.Violate(ViolationByteCount, int64(m.fields[FieldByteCount]), int64(len(pdu)-counted+int(m.fields[FieldByteCount])))
			m.Extra = pdu[at:]
			return
		case counted != end:
			e.Violate(ViolationByteCount, int64(m.fields[FieldByteCount]), int64(end-counted+int(m.fields[FieldByteCount])))
			if counted < end {
				m.Extra = pdu[counted:]
				end = counted
			} else {
				m.Missing = counted - end
			}
		}
	}
	m.Data = pdu[at:end]
	switch m.layout.Tail {
	case TailNone:
		if len(m.Data) > 0 {
			e.Violate(ViolationLength, int64(len(pdu)), int64(at))
			m.Extra, m.Data = m.Data, nil
		}
	case TailRegisters:
		m.checkRegisters(e)
	case TailBits:
		m.checkBits(e)
	case TailObjects:
		m.checkObjects(pdu, e)
	case TailFileRequests, TailFileRecords, TailFileWrites:
		m.checkFiles(pdu, e)
	}
}

// miscounted notes a byte count that is wrong, unless that was said already.
func miscounted(e *protocols.Event, observed, expected int) {
	for i := range e.Violations {
		if e.Violations[i].Kind == ViolationByteCount {
			return
		}
	}
	e.Violate(ViolationByteCount, int64(observed), int64(expected))
}

func (m *Message) checkRegisters(e *protocols.Event) {
	bytes := int(m.fields[FieldByteCount])
	switch {
	case m.has&(1<<FieldFIFOCount) != 0:
		if n := int(m.fields[FieldFIFOCount]); bytes != 2*n+2 {
			e.Violate(ViolationFIFOCount, int64(n), int64(bytes/2-1))
		}
		return
	case m.has&(1<<FieldWriteQuantity) != 0:
		if q := int(m.fields[FieldWriteQuantity]); bytes != 2*q&0xFF {
			miscounted(e, bytes, 2*q)
		}
	case m.has&(1<<FieldQuantity) != 0:
		if q := int(m.fields[FieldQuantity]); bytes != 2*q&0xFF {
			miscounted(e, bytes, 2*q)
		}
	case bytes&1 != 0 || bytes == 0 || bytes > 250:
		miscounted(e, bytes, min(bytes&^1, 250))
	}
}

func (m *Message) checkBits(e *protocols.Event) {
	bytes := int(m.fields[FieldByteCount])
	if m.has&(1<<FieldQuantity) == 0 {
		if bytes == 0 || bytes > 250 {
			miscounted(e, bytes, 250)
		}
		return
	}
	q := int(m.fields[FieldQuantity])
	if bytes != (q+7)/8&0xFF {
		miscounted(e, bytes, (q+7)/8)
		return
	}
	m.checkPadding(q, e)
}

// checkPadding looks at the bits behind the last of q coils or inputs, which
// have to be zero.
func (m *Message) checkPadding(q int, e *protocols.Event) {
	if q%8 == 0 || len(m.Data) != (q+7)/8 {
		return
	}
	if rest := m.Data[len(m.Data)-1] >> (q % 8); rest != 0 {
		e.Violate(ViolationPadding, int64(rest), 0)
	}
}

func (m *Message) checkObjects(pdu []byte, e *protocols.Event) {
	data := m.Data
	for n := int(m.fields[FieldObjectCount]); n > 0; n-- {
		if len(data) < 2 || len(data) < 2+int(data[1]) {
			m.Missing = 1
			e.Violate(ViolationLength, int64(len(pdu)), int64(len(pdu)+1))
			return
		}
		data = data[2+int(data[1]):]
	}
	if len(data) > 0 {
		e.Violate(ViolationLength, int64(len(pdu)), int64(len(pdu)-len(data)))
		m.cut(pdu, len(data))
	}
}

// cut takes the last n octets of Data, and what follows them, for Extra.
func (m *Message) cut(pdu []byte, n int) {
	m.Data = m.Data[:len(m.Data)-n]
	m.Extra = pdu[len(pdu)-n-len(m.Extra):]
}

// checkFiles walks the groups of functions 20 and 21.
func (m *Message) checkFiles(pdu []byte, e *protocols.Event) {
	data := m.Data
	for len(data) > 0 {
		g, n := nextGroup(m.layout.Tail, data)
		if n == 0 {
			e.Violate(ViolationLength, int64(len(m.Data)), int64(len(m.Data)-len(data)))
			m.cut(pdu, len(data))
			return
		}
		if g.Reference != 6 {
			e.Violate(ViolationFileReference, int64(g.Reference), 6)
		}
		if g.Record > 9999 {
			e.Violate(ViolationFileReference, int64(g.Record), 9999)
		}
		data = data[n:]
	}
}

// Group is one group of a file record message (AP 6.14, 6.15).
type Group struct {
	// Reference is the reference type, always 6.
	Reference uint8
	// File and Record are where it begins; a read's response has neither.
	File, Record uint16
	// Length is in registers.
	Length uint16
	// Data is the registers, nil in a read's request.
	Data []byte
}

// nextGroup takes the first group off data and tells how long it is, 0 if it is
// not whole.
func nextGroup(t Tail, data []byte) (g Group, n int) {
	switch t {
	case TailFileRecords:
		if len(data) < 2 {
			return g, 0
		}
		size := int(data[0])
		if size < 1 || len(data) < 1+size {
			return g, 0
		}
		g.Reference = data[1]
		g.Data = data[2 : 1+size]
		g.Length = uint16(len(g.Data) / 2)
		return g, 1 + size
	case TailFileRequests, TailFileWrites:
		if len(data) < 7 {
			return g, 0
		}
		g.Reference = data[0]
		g.File = uint16(data[1])<<8 | uint16(data[2])
		g.Record = uint16(data[3])<<8 | uint16(data[4])
		g.Length = uint16(data[5])<<8 | uint16(data[6])
		if t == TailFileRequests {
			return g, 7
		}
		size := 2 * int(g.Length)
		if len(data) < 7+size {
			return g, 0
		}
		g.Data = data[7 : 7+size]
		return g, 7 + size
	}
	return g, 0
}
