package store

import (
	"context"
	"database/sql"
	"math"
	"slices"
	"time"
)

const (
	minute = int64(time.Minute)
	hour   = int64(time.Hour)
	day    = 24 * hour
	// lag is how long, in packet time, an hour is left open for late values.
	lag = 10 * minute
	// rollTime is the longest that one call of rollUp works.
	rollTime = 100 * time.Millisecond
	// rollAtOnce is about how many values or sums are held in memory.
	rollAtOnce = 100_000
)

// floor rounds t down to a multiple of unit.
func floor(t, unit int64) int64 {
	r := t % unit
	if r < 0 {
		r += unit
	}
	return t - r
}

// sweep is one visit to every series, to sum up what is before target.
type sweep struct {
	target int64 // a full hour
	cursor int64 // the last series visited
	going  bool
}

// rollUp goes on with the sweep, or begins one when a further hour is over.
func (s *Store) rollUp(ctx context.Context, begun time.Time) error {
	w := s.write
	if !w.sweep.going {
		target := floor(w.clock-lag, hour)
		if w.clock == 0 || target <= w.sweep.target {
			return nil
		}
		w.sweep = sweep{target: target, going: true}
	}
	for w.sweep.going && time.Since(begun) < rollTime {
		var row int64
		var rolled, rolledDay sql.NullInt64
		err := w.c.QueryRowContext(ctx, "SELECT id, rolled, rolled_day FROM series WHERE id > ? ORDER BY id LIMIT 1", w.sweep.cursor).Scan(&row, &rolled, &rolledDay)
		if err == sql.ErrNoRows {
			w.sweep.going = false
			return nil
		}
		if err != nil {
			return err
		}
		if err := w.rollSeries(ctx, row, orMin(rolled), orMin(rolledDay)); err != nil {
			return err
		}
		w.sweep.cursor = row
	}
	return nil
}

func orMin(n sql.NullInt64) int64 {
	if n.Valid {
		return n.Int64
	}
	return math.MinInt64
}

// rollSeries sums up what a series holds from rolled, and rolledDay, on.
func (w *writer) rollSeries(ctx context.Context, row, rolled, rolledDay int64) error {
	for rolled < w.sweep.target {
		cut, err := w.rollMinutes(ctx, row, rolled, w.sweep.target)
		if err != nil {
			return err
		}
		rolled = cut
	}
	for target := floor(rolled, day); rolledDay < target; {
		cut, err := w.rollHours(ctx, row, rolledDay, target)
		if err != nil {
			return err
		}
		rolledDay = cut
	}
	_, err := w.c.ExecContext(ctx, "UPDATE series SET rolled = ?, rolled_day = ? WHERE id = ?", rolled, rolledDay, row)
	return err
}

// late has the minutes and hours of a chunk summed up again that comes after
// they were.
func (w *writer) late(ctx context.Context, c *pendingChunk) error {
	sb := c.series
	if c.start >= max(sb.rolled, w.sweep.target) {
		return nil
	}
	sb.rolled = floor(c.start, hour)
	_, err := w.c.ExecContext(ctx, "UPDATE series SET rolled = min(rolled, ?), rolled_day = min(rolled_day, ?) WHERE id = ?",
		sb.rolled, floor(c.start, day), sb.id)
	return err
}

// kept is a chunk as it is in the table.
type kept struct {
	id, start, end int64
	count          int
	data           []byte
}

// gather reads the chunks of a tier that have something from from to before
// target: all of it, or about rollAtOnce of whole units. It returns the time
// before which it has all.
func (w *writer) gather(ctx context.Context, row int64, tier int, from, target, unit int64) (chunks []kept, cut int64, err error) {
	rows, err := w.c.QueryContext(ctx, "SELECT id, start, end, count, data FROM chunk WHERE series = ? AND tier = ? AND start < ? AND end >= ? ORDER BY start", row, tier, target, from)
	if err != nil {
		return nil, 0, err
	}
	defer rows.Close()
	n := 0
	for rows.Next() {
		var k kept
		if err := rows.Scan(&k.id, &k.start, &k.end, &k.count, &k.data); err != nil {
			return nil, 0, err
		}
		if unit > 0 && n >= rollAtOnce {
			if at := floor(k.start, unit); at > chunks[0].start {
				return chunks, at, nil
			}
		}
		chunks = append(chunks, k)
		n += k.count
	}
	return chunks, target, rows.Err()
}

// rollMinutes makes minutes of the raw values from from to before target, and
// fewer chunks of the values. It returns how far it came.
func (w *writer) rollMinutes(ctx context.Context, row, from, target int64) (int64, error) {
	chunks, cut, err := w.gather(ctx, row, tierRaw, from, target, hour)
	if err != nil || len(chunks) == 0 {
		return cut, err
	}
	var values []sample
	for i := range chunks {
		// What is damaged is left out; the rest of the series goes on.
		values, _ = appendSamples(values, chunks[i].data)
	}
	values = tidy(values)
	if len(chunks) > 1 {
		if err := w.replace(ctx, row, tierRaw, chunks, func(put func(start, end int64, count int, data []byte) error) error {
			return encodeSamples(values, put)
		}); err != nil {
			return cut, err
		}
	}
	var sums []sum
	for i := range values {
		if t := values[i].time; t >= from && t < cut {
			var one sum
			one.add(&values[i])
			sums = gatherSum(sums, &one, minute)
		}
	}
	return cut, w.mergeSums(ctx, row, tierMinute, sums, minute)
}

// rollHours makes hours of the minutes from from to before target, and one chunk
// a day of the minutes. It returns how far it came.
func (w *writer) rollHours(ctx context.Context, row, from, target int64) (int64, error) {
	chunks, cut, err := w.gather(ctx, row, tierMinute, from, target, day)
	if err != nil || len(chunks) == 0 {
		return cut, err
	}
	var minutes []sum
	for i := range chunks {
		minutes, _ = appendSums(minutes, chunks[i].data)
	}
	slices.SortStableFunc(minutes, byTime)
	if len(chunks) > 1 {
		if err := w.replace(ctx, row, tierMinute, chunks, func(put func(start, end int64, count int, data []byte) error) error {
			return putSums(minutes, put)
		}); err != nil {
			return cut, err
		}
	}
	var hours []sum
	for i := range minutes {
		if t := minutes[i].time; t >= from && t < cut {
			hours = gatherSum(hours, &minutes[i], hour)
		}
	}
	return cut, w.mergeSums(ctx, row, tierHour, hours, hour)
}

// tidy sorts values by time and leaves out what is there twice.
func tidy(values []sample) []sample {
	byTime := func(a, b sample) int {
		switch {
		case a.time < b.time:
			return -1
		case a.time > b.time:
			return 1
		}
		return 0
	}
	if !slices.IsSortedFunc(values, byTime) {
		slices.SortStableFunc(values, byTime)
	}
	return slices.CompactFunc(values, func(a, b sample) bool {
		return a.time == b.time && math.Float64bits(a.value) == math.Float64bits(b.value)
	})
}

func byTime(a, b sum) int {
	switch {
	case a.time < b.time:
		return -1
	case a.time > b.time:
		return 1
	}
	return 0
}

// gatherSum adds one to the last of sums, or as a new one if another unit of
// time begins.
func gatherSum(sums []sum, one *sum, unit int64) []sum {
	if n := len(sums); n > 0 && floor(sums[n-1].time, unit) == floor(one.time, unit) {
		sums[n-1].merge(one)
		return sums
	}
	return append(sums, *one)
}

// putSums encodes sums, a day a chunk.
func putSums(sums []sum, put func(start, end int64, count int, data []byte) error) error {
	for len(sums) > 0 {
		n := 1
		for n < len(sums) && floor(sums[n].time, day) == floor(sums[0].time, day) {
			n++
		}
		if err := put(sums[0].time, sums[n-1].time, n, encodeSums(sums[:n])); err != nil {
			return err
		}
		sums = sums[n:]
	}
	return nil
}

// mergeSums puts sums in a tier. Where there is one of the same time already,
// because values came late, the one that stands for more values stays.
func (w *writer) mergeSums(ctx context.Context, row int64, tier int, sums []sum, unit int64) error {
	if len(sums) == 0 {
		return nil
	}
	first, last := floor(sums[0].time, unit), floor(sums[len(sums)-1].time, unit)+unit
	chunks, _, err := w.gather(ctx, row, tier, first, last, 0)
	if err != nil {
		return err
	}
	if len(chunks) > 0 {
		n := len(sums)
		for i := range chunks {
			sums, _ = appendSums(sums, chunks[i].data)
		}
		if len(sums) > n {
			slices.SortStableFunc(sums, byTime)
			out := sums[:1]
			for i := range sums[1:] {
				v := &sums[1+i]
				if l := &out[len(out)-1]; floor(l.time, unit) != floor(v.time, unit) {
					out = append(out, *v)
				} else if v.count > l.count {
					*l = *v
				}
			}
			sums = out
		}
	}
	return w.replace(ctx, row, tier, chunks, func(put func(start, end int64, count int, data []byte) error) error {
		return putSums(sums, put)
	})
}

// replace puts chunks in the place of others.
func (w *writer) replace(ctx context.Context, row int64, tier int, old []kept, make func(put func(start, end int64, count int, data []byte) error) error) error {
	for i := range old {
		if _, err := w.c.ExecContext(ctx, "DELETE FROM chunk WHERE id = ?", old[i].id); err != nil {
			return err
		}
	}
	return make(func(start, end int64, count int, data []byte) error {
		_, err := w.putChunk.ExecContext(ctx, row, tier, start, end, count, data)
		return err
	})
}
