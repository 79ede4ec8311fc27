package dnp3

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"github.com/weir-ics/weir/protocols"
)

// AppendFrame appends one link frame with user data to dst and returns it. Of
// data only the first MaxUserData octets fit.
func AppendFrame(dst []byte, h LinkHeader, data []byte) []byte {
	data = data[:min(len(data), MaxUserData)]
	at := len(dst)
	dst = append(dst, start0, start1, byte(minLength+len(data)), h.control())
	dst = binary.LittleEndian.AppendUint16(dst, h.Destination)
	dst = binary.LittleEndian.AppendUint16(dst, h.Source)
	dst = binary.LittleEndian.AppendUint16(dst, CRC(dst[at:]))
	for len(data) > 0 {
		block := data[:min(len(data), blockSize)]
		data = data[len(block):]
		dst = append(dst, block...)
		dst = binary.LittleEndian.AppendUint16(dst, CRC(block))
	}
	return dst
}

// Transport header bits (8.2.1).
const (
	transportFIN = 0x80
	transportFIR = 0x40
	transportSeq = 0x3F
)

// maxSegment is how many octets of a fragment one segment carries.
const maxSegment = MaxUserData - 1

// AppendSegments appends a fragment to dst, cut into transport segments, one a
// link frame. The first has the transport sequence number *seq, which is moved
// on past the last. If h has FCV set, its frame count bit toggles from frame to
// frame, beginning with h.FCB.
func AppendSegments(dst []byte, h LinkHeader, seq *uint8, fragment []byte) []byte {
	var segment [MaxUserData]byte
	first := byte(transportFIR)
	for {
		n := copy(segment[1:], fragment)
		fragment = fragment[n:]
		segment[0] = first | *seq&transportSeq
		if len(fragment) == 0 {
			segment[0] |= transportFIN
		}
		dst = AppendFrame(dst, h, segment[:1+n])
		*seq = (*seq + 1) & transportSeq
		if h.FCV {
			h.FCB = !h.FCB
		}
		if len(fragment) == 0 {
			return dst
		}
		first = 0
	}
}

// AppControl is the application control octet (4.2.2.4).
type AppControl struct {
	// FIR and FIN mark the first and the final fragment of a message, CON asks
	// for a confirm, UNS marks the numbering of unsolicited responses.
	FIR, FIN, CON, UNS bool
	// Seq is the sequence number, 0 to 15.
	Seq uint8
}

// Single is the control octet of a message of one fragment.
func Single(seq uint8) AppControl { return AppControl{FIR: true, FIN: true, Seq: seq} }

// Application control bits.
const (
	appFIR = 0x80
	appFIN = 0x40
	appCON = 0x20
	appUNS = 0x10
	appSeq = 0x0F
)

func (c AppControl) octet() byte {
	b := c.Seq & appSeq
	if c.FIR {
		b |= appFIR
	}
	if c.FIN {
		b |= appFIN
	}
	if c.CON {
		b |= appCON
	}
	if c.UNS {
		b |= appUNS
	}
	return b
}

func parseAppControl(b byte) AppControl {
	return AppControl{FIR: b&appFIR != 0, FIN: b&appFIN != 0, CON: b&appCON != 0, UNS: b&appUNS != 0, Seq: b & appSeq}
}

// Qualifier codes (4.2.2.7.3): the high half says what stands before each
// object, the low half what the range field holds.
const (
	QualifierRange8      uint8 = 0x00 // start and stop of 1 octet
	QualifierRange16     uint8 = 0x01
	QualifierRange32     uint8 = 0x02
	QualifierAll         uint8 = 0x06 // no range field
	QualifierCount8      uint8 = 0x07
	QualifierCount16     uint8 = 0x08
	QualifierCount32     uint8 = 0x09
	QualifierIndex8      uint8 = 0x17 // count and index of 1 octet
	QualifierIndex16     uint8 = 0x28
	QualifierIndex32     uint8 = 0x39
	QualifierFreeFormat  uint8 = 0x5B // count of 1 octet, size of 2 octets
	qualifierPrefixShift       = 4
)

// Fragment builds an application fragment. The zero value is an empty fragment;
// Reset makes it one again and keeps its memory. Bytes is what was built.
type Fragment struct {
	buf []byte
}

// Reset empties the fragment.
func (f *Fragment) Reset() { f.buf = f.buf[:0] }

// Bytes returns the fragment built so far; it is valid until the next call.
func (f *Fragment) Bytes() []byte { return f.buf }

// Request begins a request (or a confirm).
func (f *Fragment) Request(c AppControl, function uint8) *Fragment {
	f.buf = append(f.buf[:0], c.octet(), function)
	return f
}

// Response begins a response of any kind with its internal indications.
func (f *Fragment) Response(c AppControl, function uint8, iin uint16) *Fragment {
	f.buf = append(f.buf[:0], c.octet(), function)
	f.buf = binary.LittleEndian.AppendUint16(f.buf, iin)
	return f
}

// All appends a header that names all objects of a group and variation.
func (f *Fragment) All(group, variation uint8) *Fragment {
	f.buf = append(f.buf, group, variation, QualifierAll)
	return f
}

// Class appends a header that names an event class, 1 to 3, or the static data,
// 0.
func (f *Fragment) Class(class uint8) *Fragment { return f.All(60, class+1) }

// Range appends a header with a range of indexes, in the shortest form that
// holds it.
func (f *Fragment) Range(group, variation uint8, start, stop uint32) *Fragment {
	switch {
	case stop <= math.MaxUint8 && start <= math.MaxUint8:
		return f.Header(group, variation, QualifierRange8, start, stop)
	case stop <= math.MaxUint16 && start <= math.MaxUint16:
		return f.Header(group, variation, QualifierRange16, start, stop)
	}
	return f.Header(group, variation, QualifierRange32, start, stop)
}

// Count appends a header with a count, in the shortest form that holds it.
func (f *Fragment) Count(group, variation uint8, count uint32) *Fragment {
	switch {
	case count <= math.MaxUint8:
		return f.Header(group, variation, QualifierCount8, count, 0)
	case count <= math.MaxUint16:
		return f.Header(group, variation, QualifierCount16, count, 0)
	}
	return f.Header(group, variation, QualifierCount32, count, 0)
}

// Header appends an object header with any qualifier. a and b are start and
// stop, or a is the count; what the qualifier has no room for is left out.
func (f *Fragment) Header(group, variation, qualifier uint8, a, b uint32) *Fragment {
	f.buf = append(f.buf, group, variation, qualifier)
	q := &qualifiers[qualifier]
	if q.counted || q.ranged {
		f.buf = appendUint(f.buf, uint64(a), int(q.size))
	}
	if q.ranged {
		f.buf = appendUint(f.buf, uint64(b), int(q.size))
	}
	return f
}

// Prefix appends the index or size that stands before an object by the
// qualifier.
func (f *Fragment) Prefix(qualifier uint8, value uint32) *Fragment {
	f.buf = appendUint(f.buf, uint64(value), int(qualifiers[qualifier].prefix))
	return f
}

// Octets appends octets as they are.
func (f *Fragment) Octets(p ...byte) *Fragment {
	f.buf = append(f.buf, p...)
	return f
}

// Uint appends the low size octets of v, low octet first.
func (f *Fragment) Uint(v uint64, size int) *Fragment {
	f.buf = appendUint(f.buf, v, size)
	return f
}

// Time appends a DNP3 time: milliseconds since the Unix epoch, UTC.
func (f *Fragment) Time(ms int64) *Fragment { return f.Uint(uint64(ms), 6) }

// FreeFormat appends one object of variable length with qualifier 0x5B, as
// files, data sets and authentication have it.
func (f *Fragment) FreeFormat(group, variation uint8, object []byte) *Fragment {
	return f.Header(group, variation, QualifierFreeFormat, 1, 0).Prefix(QualifierFreeFormat, uint32(len(object))).Octets(object...)
}

// CROB is a control relay output block (A.8.1).
type CROB struct {
	// Code is the control code: operation type in bits 0 to 3, queue and clear
	// in bits 4 and 5, trip-close code in bits 6 and 7.
	Code uint8
	// Count is how often, OnTime and OffTime are in milliseconds.
	Count           uint8
	OnTime, OffTime uint32
	// Status is 0 in requests.
	Status uint8
}

// Common control codes (A.8.1).
const (
	ControlPulseOn  uint8 = 0x01
	ControlPulseOff uint8 = 0x02
	ControlLatchOn  uint8 = 0x03
	ControlLatchOff uint8 = 0x04
	ControlClose    uint8 = 0x41
	ControlTrip     uint8 = 0x81
)

// CROB appends a header and one control relay output block for an output.
func (f *Fragment) CROB(index uint16, c CROB) *Fragment {
	return f.Header(12, 1, QualifierIndex16, 1, 0).Prefix(QualifierIndex16, uint32(index)).
		Octets(c.Code, c.Count).Uint(uint64(c.OnTime), 4).Uint(uint64(c.OffTime), 4).Octets(c.Status)
}

// Points appends a header and an object for each point, by the layout of the
// group and variation: static groups of a fixed size or packed, events,
// commands of analog outputs. It takes from each Point what the layout has room
// for: Index, Value, Flags, Status, Time. For qualifiers with a range the
// indexes must follow each other. Values are brought into the range of their
// encoding.
func (f *Fragment) Points(group, variation, qualifier uint8, points []protocols.Point) error {
	g, v := lookup(group, variation)
	switch {
	case v == nil:
		return fmt.Errorf("encode group %d variation %d: the standard has none", group, variation)
	case v.size == 0 && v.bits == 0:
		return fmt.Errorf("encode group %d variation %d: %s has no fixed layout", group, variation, g.name)
	case len(points) == 0:
		return errors.New("encode points: none given")
	}
	first, last := points[0].Index, points[len(points)-1].Index
	if qualifiers[qualifier].ranged {
		if int64(last)-int64(first)+1 != int64(len(points)) {
			return fmt.Errorf("encode group %d variation %d: indexes %d to %d of %d points are not consecutive", group, variation, first, last, len(points))
		}
		f.Header(group, variation, qualifier, first, last)
	} else {
		f.Header(group, variation, qualifier, uint32(len(points)), 0)
	}
	if v.bits > 0 {
		f.packed(v, points)
		return nil
	}
	for i := range points {
		f.Prefix(qualifier, points[i].Index)
		for j := range v.layout {
			f.field(&v.layout[j], &points[i])
		}
	}
	return nil
}

// packed appends one or two bits a point, the first point lowest.
func (f *Fragment) packed(v *variation, points []protocols.Point) {
	var octet, at uint8
	mask := uint8(1)<<v.bits - 1
	for i := range points {
		octet |= uint8(points[i].Value) & mask << at
		if at += v.bits; at == 8 {
			f.buf = append(f.buf, octet)
			octet, at = 0, 0
		}
	}
	if at > 0 {
		f.buf = append(f.buf, octet)
	}
}

// field appends one field of a point's object; what a Point does not hold is
// zero.
func (f *Fragment) field(l *field, p *protocols.Point) {
	switch l.enc {
	case encFlags:
		f.Octets(p.Flags)
	case encState:
		f.Octets(p.Flags&0x7F | uint8(p.Value)&1<<7)
	case encDoubleState:
		f.Octets(p.Flags&0x3F | uint8(p.Value)&3<<6)
	case encStatus:
		f.Octets(p.Status & 0x7F)
	case encCommanded:
		f.Octets(p.Status&0x7F | uint8(p.Value)&1<<7)
	case encTime:
		f.Time(p.Time / nanosecondsPerMillisecond)
	case encF32:
		f.Uint(uint64(math.Float32bits(float32(p.Value))), 4)
	case encF64:
		f.Uint(math.Float64bits(p.Value), 8)
	case encBCD2, encBCD4, encBCD8:
		f.buf = appendBCD(f.buf, uint64(p.Value), int(encodingSizes[l.enc]))
	default:
		v := 0.0
		if l.value {
			v = p.Value
		}
		size := int(encodingSizes[l.enc])
		f.Uint(uint64(clamp(v, l.enc)), size)
	}
}

// clamp brings v into the range of a whole-number encoding.
func clamp(v float64, e encoding) int64 {
	bits := int(encodingSizes[e]) * 8
	low, high := 0.0, math.Ldexp(1, bits)-1
	if e == encI8 || e == encI16 || e == encI32 {
		low, high = -math.Ldexp(1, bits-1), math.Ldexp(1, bits-1)-1
	}
	if !(v >= low) { // also not a number
		return int64(low)
	}
	return int64(min(v, high))
}

const nanosecondsPerMillisecond = 1_000_000

func appendUint(dst []byte, v uint64, size int) []byte {
	for range size {
		dst = append(dst, byte(v))
		v >>= 8
	}
	return dst
}

func appendBCD(dst []byte, v uint64, size int) []byte {
	for range size {
		dst = append(dst, byte(v%10|v/10%10<<4))
		v /= 100
	}
	return dst
}
