package dnp3

import (
	"errors"
	"fmt"
	"math"

	"github.com/weir-ics/weir/protocols"
)

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

func appendBCD(dst []byte, v uint64, size int) []byte {
	for range size {
		dst = append(dst, byte(v%10|v/10%10<<4))
		v /= 100
	}
	return dst
}
