package store

import (
	"context"
	"database/sql"
	"math"

	"github.com/weir-ics/weir/detect"
)

// Before schema version 2 the values of each series were in chunks of its own.
// What is left of them is read until it is too old; nothing is added.

// oldExtent is what is kept of a series in chunks.
func oldExtent(ctx context.Context, tx *sql.Tx, row int64) (extent, error) {
	var a, b sql.NullInt64
	x := none
	if err := tx.QueryRowContext(ctx, "SELECT min(start), max(end) FROM chunk WHERE series = ?", row).Scan(&a, &b); err != nil || !a.Valid {
		return x, err
	}
	x.first, x.last = a.Int64, b.Int64
	if err := tx.QueryRowContext(ctx, "SELECT ifnull(sum(count), 0) FROM chunk WHERE series = ? AND tier = 0", row).Scan(&x.samples); err != nil {
		return x, err
	}
	tier, data := 0, []byte(nil)
	err := tx.QueryRowContext(ctx, "SELECT tier, data FROM chunk WHERE series = ? AND end = ? ORDER BY tier, id DESC LIMIT 1", row, x.last).Scan(&tier, &data)
	if err != nil {
		return x, err
	}
	at := int64(math.MinInt64)
	err = decode(tier, data, func(v *sum) {
		if v.time >= at {
			at, x.value = v.time, v.last
		}
	})
	return x, err
}

// decode hands out what a chunk of any tier holds, values as sums of one.
func decode(tier int, data []byte, f func(*sum)) error {
	if tier == tierRaw {
		var c chunkState
		var v sample
		for len(data) > 0 {
			var err error
			if data, err = c.next(data, &v); err != nil {
				return err
			}
			var one sum
			one.add(&v)
			f(&one)
		}
		return nil
	}
	sums, err := appendSums(nil, data)
	for i := range sums {
		f(&sums[i])
	}
	return err
}

// oldTrend takes in what chunks hold of a series.
func oldTrend(ctx context.Context, tx *sql.Tx, row int64, c *chart) error {
	var there bool
	if err := tx.QueryRowContext(ctx, "SELECT EXISTS (SELECT 1 FROM chunk WHERE series = ?)", row).Scan(&there); err != nil || !there {
		return err
	}
	spans, err := cover(ctx, tx, row, c.width)
	if err != nil {
		return err
	}
	for tier, span := range spans {
		lo, hi := max(c.from, span.from), min(c.to, span.to)
		if lo > hi {
			continue
		}
		err := each(ctx, tx, "SELECT data FROM chunk WHERE series = ? AND tier = ? AND start <= ? AND end >= ? ORDER BY start, id", []any{row, tier, hi, lo}, func(r *sql.Rows) error {
			var data sql.RawBytes
			if err := r.Scan(&data); err != nil {
				return err
			}
			return decode(tier, data, func(v *sum) {
				if v.time >= lo && v.time <= hi {
					c.take(v)
				}
			})
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// span is a stretch of time, ends included.
type span struct{ from, to int64 }

// cover settles which tier tells which stretch: raw values as far back as they
// go, minutes before them, hours before those; but the coarser one also where a
// bucket is wider than its unit.
func cover(ctx context.Context, tx *sql.Tx, row, width int64) ([3]span, error) {
	var rolled, rolledDay sql.NullInt64
	if err := tx.QueryRowContext(ctx, "SELECT rolled, rolled_day FROM series WHERE id = ?", row).Scan(&rolled, &rolledDay); err != nil {
		return [3]span{}, err
	}
	var start [3]sql.NullInt64
	for tier := range start {
		if err := tx.QueryRowContext(ctx, "SELECT min(start) FROM chunk WHERE series = ? AND tier = ?", row, tier).Scan(&start[tier]); err != nil {
			return [3]span{}, err
		}
	}
	// begin is from when on a tier is used rather than the next coarser one, which
	// is complete up to done. It is never in the middle of a unit that the coarser
	// one tells as a whole.
	begin := func(tier int, unit int64, done sql.NullInt64) int64 {
		fine, coarse := start[tier], start[tier+1]
		switch {
		case !fine.Valid:
			return math.MaxInt64
		case !coarse.Valid || !done.Valid:
			return math.MinInt64
		case width >= unit:
			return done.Int64
		case floor(coarse.Int64, unit) >= floor(fine.Int64, unit):
			return math.MinInt64
		}
		if up := floor(fine.Int64+unit-1, unit); up <= done.Int64 {
			return up
		}
		return fine.Int64
	}
	// What was not summed up then is in blocks.
	end := int64(math.MaxInt64)
	if rolled.Valid {
		end = rolled.Int64
	}
	raw := begin(tierRaw, minute, rolled)
	minutes := begin(tierMinute, hour, rolledDay)
	before := func(t int64) int64 {
		if t == math.MinInt64 || t == math.MaxInt64 {
			return t
		}
		return t - 1
	}
	minutes = min(minutes, raw)
	return [3]span{{raw, before(end)}, {minutes, before(raw)}, {math.MinInt64, before(minutes)}}, nil
}

// convertChunks brings what was not summed up yet into the form of now, and makes
// hours of the minutes of the day that was not over.
func convertChunks(ctx context.Context, c *sql.Conn) error {
	type series struct {
		id                int64
		rolled, rolledDay sql.NullInt64
	}
	var all []series
	err := each(ctx, c, "SELECT id, rolled, rolled_day FROM series ORDER BY id", nil, func(r *sql.Rows) error {
		var x series
		err := r.Scan(&x.id, &x.rolled, &x.rolledDay)
		all = append(all, x)
		return err
	})
	if err != nil {
		return err
	}
	type key struct{ hour, bucket int64 }
	made := map[key][]byte{}
	counts := map[int64]int{}
	for i := range all {
		x := &all[i]
		rolled, rolledDay := int64(math.MinInt64), int64(math.MinInt64)
		if x.rolled.Valid {
			rolled = x.rolled.Int64
		}
		if x.rolledDay.Valid {
			rolledDay = x.rolledDay.Int64
		}
		var values []sample
		cut := map[int64]int{} // chunks that begin before rolled, and how much of them is
		err := each(ctx, c, "SELECT id, start, data FROM chunk WHERE series = ? AND tier = 0 AND end >= ? ORDER BY start, id", []any{x.id, rolled}, func(r *sql.Rows) error {
			var id, start int64
			var data sql.RawBytes
			err := r.Scan(&id, &start, &data)
			n := len(values)
			values, _ = appendSamples(values, data)
			if start < rolled {
				for _, v := range values[n:] {
					if v.time < rolled {
						cut[id]++
					}
				}
			}
			return err
		})
		if err != nil {
			return err
		}
		for id, n := range cut {
			if _, err := c.ExecContext(ctx, "UPDATE chunk SET end = ?, count = ? WHERE id = ?", rolled-1, n, id); err != nil {
				return err
			}
		}
		values = tidy(values)
		for len(values) > 0 && values[0].time < rolled {
			values = values[1:]
		}
		for len(values) > 0 {
			at := floor(values[0].time, hour)
			n := 1
			for n < len(values) && floor(values[n].time, hour) == at {
				n++
			}
			k := key{at, bucketOf(x.id)}
			made[k] = appendLone(made[k], x.id, values[:n])
			counts[at] += n
			values = values[n:]
		}
		if _, err := c.ExecContext(ctx, "DELETE FROM chunk WHERE series = ? AND tier = 0 AND start >= ?", x.id, rolled); err != nil {
			return err
		}
		if !x.rolled.Valid || rolled == math.MinInt64 {
			continue
		}
		var minutes, hours []sum
		err = each(ctx, c, "SELECT data FROM chunk WHERE series = ? AND tier = 1 AND end >= ? ORDER BY start, id", []any{x.id, rolledDay}, func(r *sql.Rows) error {
			var data sql.RawBytes
			err := r.Scan(&data)
			minutes, _ = appendSums(minutes, data)
			return err
		})
		if err != nil {
			return err
		}
		minutes = settled(minutes, minute)
		for j := range minutes {
			if t := minutes[j].time; t >= rolledDay && t < rolled {
				hours = gatherSum(hours, &minutes[j], hour)
			}
		}
		if len(hours) > 0 {
			_, err = c.ExecContext(ctx, "INSERT INTO chunk (series, tier, start, end, count, data) VALUES (?, 2, ?, ?, ?, ?)",
				x.id, hours[0].time, hours[len(hours)-1].time, len(hours), encodeSums(hours))
		}
		if err == nil {
			_, err = c.ExecContext(ctx, "UPDATE series SET rolled_day = rolled WHERE id = ?", x.id)
		}
		if err != nil {
			return err
		}
	}
	number := map[int64]int64{}
	for at, n := range counts {
		number[at] = int64(len(number) + 1)
		if _, err := c.ExecContext(ctx, "INSERT INTO flush (id, hour, fresh, count, state) VALUES (?, ?, 1, ?, 0)", number[at], at, n); err != nil {
			return err
		}
	}
	for k, data := range made {
		if _, err := c.ExecContext(ctx, "INSERT INTO block VALUES (?, ?)", number[k.hour]<<blockBits|k.bucket, data); err != nil {
			return err
		}
	}
	return nil
}

// appendLone appends the section of a series by itself.
func appendLone(dst []byte, id int64, values []sample) []byte {
	g := group{unit: 1, fresh: true, number: uint64(id), members: []*seriesBuf{{id: id}}, last: make([]seen, 1), states: make([]state, 1)}
	for i := range values {
		v := &values[i]
		g.append([]detect.Sample{{Time: v.time, DeviceTime: v.deviceTime, Value: v.value, Flags: v.flags, HasFlags: v.hasFlags,
			Judged: v.judged, Score: float64(v.score), Low: float64(v.low), High: float64(v.high)}})
	}
	return appendSection(dst, &segment{group: &g, unit: 1, fresh: true, readings: g.readings}, g.log)
}
