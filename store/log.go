package store

import (
	"encoding/binary"
	"math"
	"math/bits"

	"github.com/weir-ics/weir/detect"
)

// Points that are reported together are kept together: a group has a log of its
// readings, in which only what differs from the reading before is spelled out. A
// reading is
//
//	time     zigzag varint, in the group's unit: how much the step from the
//	         reading before differs from the step before that (both 0 at first)
//	entries  one octet: how many points differ
//
// and for each of these, in the order of the members,
//
//	place        one octet: how many members lie between it and the one before
//	control      one octet: which of the following parts there are
//	value        see appendValue
//	flags        one octet of flags and one that tells whether there are any
//	device time  zigzag varint of its difference from time; of this reading only
//	score        zigzag varint: difference of the upper 17 bits of the float32
//	scale, band  see appendBand
//
// Nothing is lost of times, values and flags. Score and band are for the eye and
// rounded: to a five-hundredth of the score and of the width of the band.
const (
	hasValue = 1 << iota
	hasNewFlags
	hasDevice
	hasScore
	hasBand
	hasScale
	turnsJudged
)

// maxMembers is the most points in a group.
const maxMembers = 64

// state is what is known of a point from the reading before.
type state struct {
	value       uint64 // IEEE 754 bits
	whole       int64  // the value as a whole number, by form
	low, width  int64  // the band in units of 2 to the scale
	lowF, highF float32
	score       float32
	scale       int8
	form, tries uint8
	flags       uint8
	known       bool // the flags hold
	judged      bool
	_           [2]byte
}

// forms are the ways in which a value is made of a whole number: most are what a
// register holds, times or divided by a power of ten. 0 is none.
const numForms = 8

func made(form uint8, m int64) float64 {
	v := float64(m)
	switch form {
	case 2:
		return v * 0.1
	case 3:
		return v / 10
	case 4:
		return v * 0.01
	case 5:
		return v / 100
	case 6:
		return v * 0.001
	case 7:
		return v / 1000
	}
	return v
}

var tens = [numForms]float64{1, 1, 10, 10, 100, 100, 1000, 1000}

// wholeOf finds the number of which a form makes v, to the bit.
func wholeOf(form uint8, v float64) (int64, bool) {
	r := math.RoundToEven(v * tens[form])
	if !(math.Abs(r) < 1<<53) {
		return 0, false
	}
	m := int64(r)
	return m, math.Float64bits(made(form, m)) == math.Float64bits(v)
}

func zigzag(d int64) uint64   { return uint64(d)<<1 ^ uint64(d>>63) }
func unzigzag(u uint64) int64 { return int64(u>>1) ^ -int64(u&1) }

// tryAgain is for how many values no form is looked for when none was found.
const tryAgain = 32

// appendValue encodes a value: a varint whose last bit is 0 is the zigzag
// difference of the whole number; 1 announces the bit-reversed XOR of the IEEE
// 754 bits as a varint; else its upper bits are the number of a new form, and the
// whole number follows as a zigzag varint.
func (s *state) appendValue(dst []byte, b uint64) []byte {
	v := math.Float64frombits(b)
	if s.form != 0 {
		if m, ok := wholeOf(s.form, v); ok {
			dst = binary.AppendUvarint(dst, zigzag(m-s.whole)<<1)
			s.whole, s.value = m, b
			return dst
		}
	}
	if s.tries == 0 {
		for form := uint8(1); form < numForms; form++ {
			if m, ok := wholeOf(form, v); ok {
				s.form, s.whole, s.value = form, m, b
				return binary.AppendVarint(append(dst, form<<1|1), m)
			}
		}
		s.tries = tryAgain
	}
	s.tries--
	dst = binary.AppendUvarint(append(dst, 1), bits.Reverse64(b^s.value))
	s.value = b
	return dst
}

func (s *state) nextValue(src []byte) ([]byte, error) {
	u, n := binary.Uvarint(src)
	if n <= 0 {
		return nil, errChunk
	}
	src = src[n:]
	switch {
	case u&1 == 0:
		s.whole += unzigzag(u >> 1)
	case u == 1:
		x, n := binary.Uvarint(src)
		if n <= 0 {
			return nil, errChunk
		}
		s.value ^= bits.Reverse64(x)
		return src[n:], nil
	case u>>1 < numForms:
		m, n := binary.Varint(src)
		if n <= 0 {
			return nil, errChunk
		}
		src = src[n:]
		s.form, s.whole = uint8(u>>1), m
	default:
		return nil, errChunk
	}
	s.value = math.Float64bits(made(s.form, s.whole))
	return src, nil
}

const (
	scoreBits = 15 // those of a score that are not kept
	// bandBits is how fine a band is kept: its width is at least 2^(bandBits-1)
	// units.
	bandBits = 9
	// plainBand as a scale tells that the band is kept as two float32.
	plainBand = math.MinInt8
)

func roundScore(f float32) uint32 {
	b := math.Float32bits(f)
	// What is infinite, or no number, or as large as can be, stays.
	if r := (b + 1<<(scoreBits-1)) >> scoreBits; r<<scoreBits>>23&0xff != 0xff {
		return r
	}
	return b >> scoreBits
}

// roundBand finds the units in which a band is kept. A scale that was in force
// stays while it is fine enough and not much too fine.
func (s *state) roundBand(low, high float32) (scale int8, lo, width int64) {
	w := float64(high) - float64(low)
	if !(w > 0) || math.IsInf(w, 0) {
		return plainBand, 0, 0
	}
	_, e := math.Frexp(w)
	e -= bandBits
	if s.judged && s.scale != plainBand && e-int(s.scale) >= 0 && e-int(s.scale) <= 2 {
		e = int(s.scale)
	}
	if e < -126 || e > 126 {
		return plainBand, 0, 0
	}
	unit := power(-e)
	l := math.RoundToEven(float64(low) * unit)
	if !(math.Abs(l) < 1<<40) {
		return plainBand, 0, 0
	}
	return int8(e), int64(l), int64(math.RoundToEven(float64(high)*unit)) - int64(l)
}

// power is 2 to the e, which is small.
func power(e int) float64 { return math.Float64frombits(uint64(e+1023) << 52) }

func (s *state) setBand(scale int8, low, width int64) {
	unit := power(int(scale))
	s.scale, s.low, s.width = scale, low, width
	s.lowF, s.highF = float32(float64(low)*unit), float32(float64(low+width)*unit)
}

// appendJudgement encodes what differs in score and band; control has the bits of
// the parts that it appended.
func (s *state) appendJudgement(dst []byte, score, low, high float32) (_ []byte, control byte) {
	if !s.judged {
		control |= turnsJudged
	}
	if now, was := roundScore(score), math.Float32bits(s.score)>>scoreBits; now != was {
		control |= hasScore
		dst = binary.AppendVarint(dst, int64(now)-int64(was))
		s.score = math.Float32frombits(now << scoreBits)
	}
	scale, l, w := s.roundBand(low, high)
	switch {
	case scale == plainBand:
		if s.scale == plainBand && math.Float32bits(s.lowF) == math.Float32bits(low) && math.Float32bits(s.highF) == math.Float32bits(high) {
			break
		}
		control |= hasBand | hasScale
		dst = append(dst, byte(scale))
		dst = binary.LittleEndian.AppendUint32(dst, math.Float32bits(low))
		dst = binary.LittleEndian.AppendUint32(dst, math.Float32bits(high))
		s.scale, s.low, s.width, s.lowF, s.highF = scale, 0, 0, low, high
	case scale != s.scale:
		control |= hasBand | hasScale
		dst = append(dst, byte(scale))
		dst = binary.AppendVarint(binary.AppendVarint(dst, l), w)
		s.setBand(scale, l, w)
	case l != s.low || w != s.width:
		control |= hasBand
		dst = binary.AppendVarint(binary.AppendVarint(dst, l-s.low), w-s.width)
		s.setBand(scale, l, w)
	}
	s.judged = true
	return dst, control
}

func (s *state) nextBand(src []byte, scaled bool) ([]byte, error) {
	scale, low, width := s.scale, s.low, s.width
	if scaled {
		if len(src) == 0 {
			return nil, errChunk
		}
		scale, low, width = int8(src[0]), 0, 0
		src = src[1:]
	}
	if scale == plainBand {
		if len(src) < 8 {
			return nil, errChunk
		}
		s.scale, s.low, s.width = scale, 0, 0
		s.lowF = math.Float32frombits(binary.LittleEndian.Uint32(src))
		s.highF = math.Float32frombits(binary.LittleEndian.Uint32(src[4:]))
		return src[8:], nil
	}
	for _, p := range [...]*int64{&low, &width} {
		d, n := binary.Varint(src)
		if n <= 0 {
			return nil, errChunk
		}
		src = src[n:]
		*p += d
	}
	s.setBand(scale, low, width)
	return src, nil
}

// append encodes how v differs from s, which becomes what v says.
func (s *state) append(dst []byte, v *detect.Sample) []byte {
	at := len(dst)
	dst = append(dst, 0)
	var control byte
	if b := math.Float64bits(v.Value); b != s.value {
		control |= hasValue
		dst = s.appendValue(dst, b)
	}
	if v.Flags != s.flags || v.HasFlags != s.known {
		control |= hasNewFlags
		known := byte(0)
		if v.HasFlags {
			known = 1
		}
		dst = append(dst, v.Flags, known)
		s.flags, s.known = v.Flags, v.HasFlags
	}
	if v.DeviceTime != 0 {
		control |= hasDevice
		dst = binary.AppendVarint(dst, v.DeviceTime-v.Time)
	}
	switch {
	case v.Judged:
		var judgement byte
		dst, judgement = s.appendJudgement(dst, float32(v.Score), float32(v.Low), float32(v.High))
		control |= judgement
	case s.judged:
		control |= turnsJudged
		s.judged = false
	}
	dst[at] = control
	return dst
}

// next decodes an entry of a reading at a time; device is the device's time, 0 if
// it gave none.
func (s *state) next(src []byte, time int64) (rest []byte, device int64, err error) {
	if len(src) == 0 {
		return nil, 0, errChunk
	}
	control := src[0]
	src = src[1:]
	if control&hasValue != 0 {
		if src, err = s.nextValue(src); err != nil {
			return nil, 0, err
		}
	}
	if control&hasNewFlags != 0 {
		if len(src) < 2 {
			return nil, 0, errChunk
		}
		s.flags, s.known = src[0], src[1] != 0
		src = src[2:]
	}
	if control&hasDevice != 0 {
		d, n := binary.Varint(src)
		if n <= 0 {
			return nil, 0, errChunk
		}
		src = src[n:]
		device = time + d
	}
	if control&turnsJudged != 0 {
		s.judged = !s.judged
	}
	if control&hasScore != 0 {
		d, n := binary.Varint(src)
		if n <= 0 {
			return nil, 0, errChunk
		}
		src = src[n:]
		s.score = math.Float32frombits(uint32(int64(math.Float32bits(s.score)>>scoreBits)+d) << scoreBits)
	}
	if control&hasBand != 0 {
		if src, err = s.nextBand(src, control&hasScale != 0); err != nil {
			return nil, 0, err
		}
	}
	return src, device, nil
}

// sample is what the point says at a time.
func (s *state) sample(time, device int64) sample {
	v := sample{time: time, deviceTime: device, value: math.Float64frombits(s.value), flags: s.flags, hasFlags: s.known}
	if s.judged {
		v.judged, v.score, v.low, v.high = true, s.score, s.lowF, s.highF
	}
	return v
}
