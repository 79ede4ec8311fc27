package store

import (
	"encoding/binary"
	"math"
	"math/bits"
)

// chunkCap is the most samples that were in a chunk.
const chunkCap = 1024

// append encodes v at the end of dst.
func (c *chunkState) append(dst []byte, v *sample) []byte {
	at := len(dst)
	dst = append(dst, 0)
	var ctl byte
	step := v.time - c.time
	if step == c.step {
		ctl |= sameStep
	} else {
		dst = binary.AppendVarint(dst, step-c.step)
	}
	c.time, c.step = v.time, step
	b := math.Float64bits(v.value)
	if b == c.value {
		ctl |= sameValue
	} else {
		dst = binary.AppendUvarint(dst, bits.Reverse64(b^c.value))
	}
	c.value = b
	if v.hasFlags {
		ctl |= hasFlags
	}
	if v.flags != c.flags {
		ctl |= newFlags
		dst = append(dst, v.flags)
		c.flags = v.flags
	}
	if v.deviceTime != 0 {
		ctl |= hasDeviceTime
		dst = binary.AppendVarint(dst, v.deviceTime-v.time)
	}
	if v.judged {
		ctl |= judged
		dst = binary.LittleEndian.AppendUint32(dst, math.Float32bits(v.score))
		if c.band && v.low == c.low && v.high == c.high {
			ctl |= sameBand
		} else {
			dst = binary.LittleEndian.AppendUint32(dst, math.Float32bits(v.low))
			dst = binary.LittleEndian.AppendUint32(dst, math.Float32bits(v.high))
			c.low, c.high, c.band = v.low, v.high, true
		}
	}
	dst[at] = ctl
	return dst
}

// encodeSamples encodes samples as chunks of at most chunkCap and hands each to
// put.
func encodeSamples(samples []sample, put func(start, end int64, count int, data []byte) error) error {
	for len(samples) > 0 {
		n := min(len(samples), chunkCap)
		var c chunkState
		data := make([]byte, 0, 8*n)
		start, end := samples[0].time, samples[0].time
		for i := range samples[:n] {
			data = c.append(data, &samples[i])
			start, end = min(start, samples[i].time), max(end, samples[i].time)
		}
		if err := put(start, end, n, data); err != nil {
			return err
		}
		samples = samples[n:]
	}
	return nil
}
