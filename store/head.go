package store

import (
	"context"
	"database/sql"
	"encoding/binary"
	"errors"
	"math"
)

// head is the first and last value of each series of a bucket. It is kept as two
// varints (the first time and how much later the last is) and the value's octets
// for each place, after an octet that tells whether there are any.
type head [1 << bucketBits]struct {
	first, last int64
	value       float64
	known       bool
}

func (h *head) see(place int, first, last int64, value float64) {
	x := &h[place]
	if !x.known || first < x.first {
		x.first = first
	}
	if !x.known || last >= x.last {
		x.last, x.value = last, value
	}
	x.known = true
}

func (h *head) bytes() []byte {
	var dst []byte
	for i := range h {
		x := &h[i]
		if !x.known {
			dst = append(dst, 0)
			continue
		}
		dst = binary.AppendVarint(append(dst, 1), x.first)
		dst = binary.AppendVarint(dst, x.last-x.first)
		dst = binary.LittleEndian.AppendUint64(dst, math.Float64bits(x.value))
	}
	return dst
}

func readHead(ctx context.Context, c querier, bucket int64) (*head, error) {
	h := &head{}
	var data []byte
	err := c.QueryRowContext(ctx, "SELECT data FROM head WHERE bucket = ?", bucket).Scan(&data)
	if errors.Is(err, sql.ErrNoRows) {
		return h, nil
	}
	if err == nil {
		h.parse(data)
	}
	return h, err
}

// parse reads what it can.
func (h *head) parse(data []byte) {
	for i := range h {
		if len(data) == 0 {
			return
		}
		known := data[0] != 0
		data = data[1:]
		if !known {
			continue
		}
		first, n := binary.Varint(data)
		if n <= 0 {
			return
		}
		data = data[n:]
		length, n := binary.Varint(data)
		if n <= 0 || len(data) < n+8 {
			return
		}
		h.see(i, first, first+length, math.Float64frombits(binary.LittleEndian.Uint64(data[n:])))
		data = data[n+8:]
	}
}
