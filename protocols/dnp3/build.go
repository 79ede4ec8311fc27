package dnp3

import (
	"encoding/binary"
	"math"
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

// CROB appends a header and one control relay output block for an output.
func (f *Fragment) CROB(index uint16, c CROB) *Fragment {
	return f.Header(12, 1, QualifierIndex16, 1, 0).Prefix(QualifierIndex16, uint32(index)).
		Octets(c.Code, c.Count).Uint(uint64(c.OnTime), 4).Uint(uint64(c.OffTime), 4).Octets(c.Status)
}

func appendUint(dst []byte, v uint64, size int) []byte {
	for range size {
		dst = append(dst, byte(v))
		v >>= 8
	}
	return dst
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
