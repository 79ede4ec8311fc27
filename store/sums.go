package store

import (
	"encoding/binary"
	"math"
	"math/bits"
)

// Minutes, and hours, of a bucket are kept as columns: an octet of the place in the
// bucket, a varint of the column's length, and the column, a row for each. A row is
// an octet that tells which parts there are, and
//
//	time    zigzag varint: how much the step from the row before differs from the
//	        step before that
//	count   varint, and varint of how many of them are no numbers, with otherCount
//	values  least, greatest, mean and last as varints of the bit-reversed XOR of the
//	        row's least, and that of the row's before, with otherValues; the least
//	        only with flat
//	judgement  score, low and high as varints of the bit-reversed XOR of those of the
//	        row before, with otherJudgement
const (
	otherCount = 1 << iota
	otherValues
	flat // all values are the same
	otherJudgement
	isJudged
)

// meanBits are those of a mean that are not kept: it is for the eye.
const meanBits = 16

// packer is what the encoding of a row depends on.
type packer struct {
	time, step int64
	row        sum
}

func appendColumn(dst []byte, place byte, rows []sum) []byte {
	if len(rows) == 0 {
		return dst
	}
	var c packer
	data := make([]byte, 0, 8*len(rows))
	for i := range rows {
		data = c.append(data, &rows[i])
	}
	dst = binary.AppendUvarint(append(dst, place), uint64(len(data)))
	return append(dst, data...)
}

// columns hands out the columns of a bucket; a damaged one ends them.
func columns(data []byte, f func(place byte, column []byte)) {
	for len(data) > 1 {
		place := data[0]
		n, k := binary.Uvarint(data[1:])
		if k <= 0 || n > uint64(len(data)-1-k) || place >= 1<<bucketBits {
			return
		}
		f(place, data[1+k:][:n])
		data = data[1+k+int(n):]
	}
}

func (c *packer) append(dst []byte, s *sum) []byte {
	at := len(dst)
	dst = append(dst, 0)
	var parts byte
	step := s.time - c.time
	dst = binary.AppendVarint(dst, step-c.step)
	c.time, c.step = s.time, step
	p := &c.row
	if s.count != p.count || s.numbers != p.numbers {
		parts |= otherCount
		dst = binary.AppendUvarint(binary.AppendUvarint(dst, uint64(s.count)), uint64(s.count-s.numbers))
	}
	v, was := valuesOf(s), valuesOf(p)
	if v != was {
		parts |= otherValues
		dst = binary.AppendUvarint(dst, bits.Reverse64(v[0]^was[0]))
		if v[1] == v[0] && v[2] == v[0] && v[3] == v[0] {
			parts |= flat
		} else {
			for _, b := range v[1:] {
				dst = binary.AppendUvarint(dst, bits.Reverse64(b^v[0]))
			}
		}
	}
	if s.judged {
		parts |= isJudged
		j, was := judgementOf(s), judgementOf(p)
		if j != was {
			parts |= otherJudgement
			for i := range j {
				dst = binary.AppendUvarint(dst, uint64(bits.Reverse32(j[i]^was[i])))
			}
			p.score, p.low, p.high = s.score, s.low, s.high
		}
	}
	p.count, p.numbers = s.count, s.numbers
	p.setValues(v)
	dst[at] = parts
	return dst
}

// valuesOf are the bits of the values of a row as they are kept.
func valuesOf(s *sum) [4]uint64 {
	mean := math.Float64bits(s.mean)
	if s.min != s.max {
		mean &^= 1<<meanBits - 1
	}
	return [4]uint64{math.Float64bits(s.min), math.Float64bits(s.max), mean, math.Float64bits(s.last)}
}

func (s *sum) setValues(v [4]uint64) {
	s.min, s.max, s.mean, s.last = math.Float64frombits(v[0]), math.Float64frombits(v[1]), math.Float64frombits(v[2]), math.Float64frombits(v[3])
}

func judgementOf(s *sum) [3]uint32 {
	return [3]uint32{math.Float32bits(s.score), math.Float32bits(s.low), math.Float32bits(s.high)}
}

// unpack decodes a column at the end of dst.
func unpack(dst []sum, src []byte) ([]sum, error) {
	var c packer
	for len(src) > 0 {
		parts := src[0]
		src = src[1:]
		d, k := binary.Varint(src)
		if k <= 0 {
			return dst, errChunk
		}
		src = src[k:]
		c.step += d
		c.time += c.step
		p := &c.row
		uvarints := func(n int) (u [4]uint64, ok bool) {
			for i := range n {
				x, k := binary.Uvarint(src)
				if k <= 0 {
					return u, false
				}
				u[i], src = x, src[k:]
			}
			return u, true
		}
		if parts&otherCount != 0 {
			u, ok := uvarints(2)
			if !ok || u[0] > math.MaxUint32 || u[1] > u[0] {
				return dst, errChunk
			}
			p.count, p.numbers = uint32(u[0]), uint32(u[0]-u[1])
		}
		if parts&otherValues != 0 {
			n := 4
			if parts&flat != 0 {
				n = 1
			}
			u, ok := uvarints(n)
			if !ok {
				return dst, errChunk
			}
			least := math.Float64bits(p.min) ^ bits.Reverse64(u[0])
			for i := range u {
				u[i] = least ^ bits.Reverse64(u[i])
			}
			if n == 1 {
				u = [4]uint64{}
				for i := range u {
					u[i] = least
				}
			}
			u[0] = least
			p.setValues(u)
		}
		if parts&otherJudgement != 0 {
			u, ok := uvarints(3)
			if !ok {
				return dst, errChunk
			}
			for i, f := range [...]*float32{&p.score, &p.low, &p.high} {
				*f = math.Float32frombits(math.Float32bits(*f) ^ bits.Reverse32(uint32(u[i])))
			}
		}
		s := c.row
		s.time, s.judged = c.time, parts&isJudged != 0
		if !s.judged {
			s.score, s.low, s.high = 0, 0, 0
		}
		dst = append(dst, s)
	}
	return dst, nil
}
