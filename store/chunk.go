package store

import (
	"encoding/binary"
	"errors"
	"math"
	"math/bits"
)

// A chunk is how values were kept before schema version 2 (see old.go). It holds samples of one series one after another. Each starts with a
// control octet, then come the parts that the octet announces, in this order:
//
//	time         zigzag varint: how much the step from the previous time differs
//	             from the step before it (both 0 at first), unless sameStep
//	value        varint of the bit-reversed XOR with the previous value's IEEE 754
//	             bits (0 at first), unless sameValue
//	flags        one octet with newFlags; the flags stay in force until changed
//	device time  zigzag varint of its difference from time, with hasDeviceTime
//	score        float32, little endian, with judged
//	low, high    float32 each, with judged, unless sameBand
//
// Two steps that are alike and a value that stays cost one octet.
const (
	sameStep = 1 << iota
	sameValue
	newFlags
	hasFlags
	hasDeviceTime
	judged
	sameBand
)

// sample is one value as a chunk keeps it. Score, low and high are kept as
// float32: they are for the eye.
type sample struct {
	time, deviceTime int64
	value            float64
	score, low, high float32
	flags            uint8
	hasFlags, judged bool
}

var errChunk = errors.New("a run of values is damaged")

// chunkState is what the decoding of the next sample depends on.
type chunkState struct {
	time, step int64
	value      uint64
	low, high  float32
	flags      uint8
	band       bool
}

// next decodes the sample at the start of src into v and returns what follows.
func (c *chunkState) next(src []byte, v *sample) ([]byte, error) {
	ctl := src[0]
	src = src[1:]
	*v = sample{}
	if ctl&sameStep == 0 {
		d, n := binary.Varint(src)
		if n <= 0 {
			return nil, errChunk
		}
		src = src[n:]
		c.step += d
	}
	c.time += c.step
	v.time = c.time
	if ctl&sameValue == 0 {
		x, n := binary.Uvarint(src)
		if n <= 0 {
			return nil, errChunk
		}
		src = src[n:]
		c.value ^= bits.Reverse64(x)
	}
	v.value = math.Float64frombits(c.value)
	if ctl&newFlags != 0 {
		if len(src) < 1 {
			return nil, errChunk
		}
		c.flags = src[0]
		src = src[1:]
	}
	v.flags, v.hasFlags = c.flags, ctl&hasFlags != 0
	if ctl&hasDeviceTime != 0 {
		d, n := binary.Varint(src)
		if n <= 0 {
			return nil, errChunk
		}
		src = src[n:]
		v.deviceTime = v.time + d
	}
	if ctl&judged != 0 {
		v.judged = true
		if len(src) < 4 {
			return nil, errChunk
		}
		v.score = math.Float32frombits(binary.LittleEndian.Uint32(src))
		src = src[4:]
		if ctl&sameBand == 0 {
			if len(src) < 8 {
				return nil, errChunk
			}
			c.low = math.Float32frombits(binary.LittleEndian.Uint32(src))
			c.high = math.Float32frombits(binary.LittleEndian.Uint32(src[4:]))
			src = src[8:]
		}
		v.low, v.high = c.low, c.high
	}
	return src, nil
}

// appendSamples decodes a whole chunk at the end of dst.
func appendSamples(dst []sample, data []byte) ([]sample, error) {
	var c chunkState
	var v sample
	var err error
	for len(data) > 0 {
		if data, err = c.next(data, &v); err != nil {
			return dst, err
		}
		dst = append(dst, v)
	}
	return dst, nil
}

// A chunk of sums is a row of: zigzag varint of time minus previous time; varint
// count<<1 | judged; varint count minus numbers; min, max, mean, last as varints
// of the bit-reversed XOR of the previous row's; with judged: score, low and high
// as float32, little endian.

// encodeSums encodes sums; there is no cap, a chunk spans an hour or a day.
func encodeSums(sums []sum) []byte {
	dst := make([]byte, 0, 16*len(sums))
	var t int64
	var prev [4]uint64
	for i := range sums {
		s := &sums[i]
		dst = binary.AppendVarint(dst, s.time-t)
		t = s.time
		n := uint64(s.count) << 1
		if s.judged {
			n |= 1
		}
		dst = binary.AppendUvarint(dst, n)
		dst = binary.AppendUvarint(dst, uint64(s.count-s.numbers))
		for j, f := range [4]float64{s.min, s.max, s.mean, s.last} {
			b := math.Float64bits(f)
			dst = binary.AppendUvarint(dst, bits.Reverse64(b^prev[j]))
			prev[j] = b
		}
		if s.judged {
			for _, f := range [3]float32{s.score, s.low, s.high} {
				dst = binary.LittleEndian.AppendUint32(dst, math.Float32bits(f))
			}
		}
	}
	return dst
}

// appendSums decodes a chunk of sums at the end of dst.
func appendSums(dst []sum, src []byte) ([]sum, error) {
	var t int64
	var prev [4]uint64
	for len(src) > 0 {
		d, k := binary.Varint(src)
		if k <= 0 {
			return dst, errChunk
		}
		src = src[k:]
		t += d
		var u [6]uint64
		for j := range u {
			x, k := binary.Uvarint(src)
			if k <= 0 {
				return dst, errChunk
			}
			src = src[k:]
			u[j] = x
		}
		if u[0]>>1 > math.MaxUint32 || u[1] > u[0]>>1 {
			return dst, errChunk
		}
		var f [4]float64
		for j := range f {
			prev[j] ^= bits.Reverse64(u[2+j])
			f[j] = math.Float64frombits(prev[j])
		}
		s := sum{time: t, count: uint32(u[0] >> 1), numbers: uint32(u[0]>>1 - u[1]), min: f[0], max: f[1], mean: f[2], last: f[3]}
		if u[0]&1 != 0 {
			if len(src) < 12 {
				return dst, errChunk
			}
			s.judged = true
			s.score = math.Float32frombits(binary.LittleEndian.Uint32(src))
			s.low = math.Float32frombits(binary.LittleEndian.Uint32(src[4:]))
			s.high = math.Float32frombits(binary.LittleEndian.Uint32(src[8:]))
			src = src[12:]
		}
		dst = append(dst, s)
	}
	return dst, nil
}
