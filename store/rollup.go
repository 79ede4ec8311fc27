package store

import (
	"context"
	"database/sql"
	"encoding/binary"
	"errors"
	"math"
	"slices"
	"time"
)

const (
	minute = int64(time.Minute)
	hour   = int64(time.Hour)
	day    = 24 * hour
	// month is the unit that hours are kept in.
	month = 32 * day
	// lag is how long, in packet time, an hour is left open for late values.
	lag = 10 * minute
	// rollTime is the longest that one call of rollUp works.
	rollTime = 100 * time.Millisecond
)

// floor rounds t down to a multiple of unit.
func floor(t, unit int64) int64 {
	r := t % unit
	if r < 0 {
		r += unit
	}
	return t - r
}

// sweep is a visit to every bucket, to sum up an hour.
type sweep struct {
	hour int64
	// flush is the last that it takes in.
	flush int64
	// next is the bucket to visit, end that after the last.
	next, end int64
	going     bool
}

// rollUp sums up hours that are over into minutes, and days that are over into
// hours, as far as it comes. It tells whether all is done.
func (s *Store) rollUp(ctx context.Context, begun time.Time) (done bool, err error) {
	w := s.write
	for time.Since(begun) < rollTime {
		if !w.sweep.going {
			found, err := w.nextHour(ctx)
			if err != nil {
				return false, err
			}
			if !found {
				return w.rollDays(ctx, begun)
			}
		}
		if w.sweep.next < w.sweep.end {
			if err := w.rollHour(ctx, w.sweep.next); err != nil {
				return false, err
			}
			w.sweep.next++
			continue
		}
		if _, err := w.c.ExecContext(ctx, "UPDATE flush SET state = 1 WHERE hour = ? AND state = 0 AND id <= ?", w.sweep.hour, w.sweep.flush); err != nil {
			return false, err
		}
		w.sweep.going = false
	}
	return false, nil
}

// nextHour finds an hour that is over, or has values that came late.
func (w *writer) nextHour(ctx context.Context) (bool, error) {
	if w.clock == 0 {
		return false, nil
	}
	var first sql.NullInt64
	err := w.c.QueryRowContext(ctx, "SELECT min(hour) FROM flush WHERE state = 0 AND hour < ?", floor(w.clock-lag, hour)).Scan(&first)
	if err != nil || !first.Valid {
		return false, err
	}
	var last int64
	if err := w.c.QueryRowContext(ctx, "SELECT max(id) FROM series").Scan(&last); err != nil {
		return false, err
	}
	w.sweep = sweep{hour: first.Int64, flush: w.flushes, end: bucketOf(last) + 1, going: true}
	return true, nil
}

const blocksOf = "SELECT b.data FROM flush f JOIN block b ON b.id = (f.id << 24) | ? WHERE f.hour = ? AND f.state < 2 ORDER BY f.id"

// querier is a connection or a transaction.
type querier interface {
	QueryContext(context.Context, string, ...any) (*sql.Rows, error)
	QueryRowContext(context.Context, string, ...any) *sql.Row
}

// blocks hands out the blocks of a bucket and an hour, as often as it is called.
func blocks(ctx context.Context, c querier, bucket, at int64) func(func([]byte)) error {
	return func(f func([]byte)) error {
		return each(ctx, c, blocksOf, []any{bucket, at}, func(r *sql.Rows) error {
			var data sql.RawBytes
			err := r.Scan(&data)
			f(data)
			return err
		})
	}
}

// rollHour makes minutes of what the hour in work holds of a bucket.
func (w *writer) rollHour(ctx context.Context, bucket int64) error {
	t, err := total(blocks(ctx, w.c, bucket, w.sweep.hour))
	if err != nil {
		return err
	}
	var rows, counts []byte
	n := 0
	h, err := readHead(ctx, w.c, bucket)
	if err != nil {
		return err
	}
	for p := range t {
		x := &t[p]
		counts = binary.AppendUvarint(counts, x.count)
		if x.count == 0 {
			continue
		}
		n += len(x.minutes)
		rows = appendColumn(rows, byte(p), x.minutes)
		h.see(p, x.first, x.last, x.value)
	}
	if n == 0 {
		return nil
	}
	if _, err := w.putSums.ExecContext(ctx, tierMinute, bucket, floor(w.sweep.hour, day), n, 0, rows); err != nil {
		return err
	}
	if _, err := w.c.ExecContext(ctx, "INSERT OR REPLACE INTO held VALUES (?, ?, ?)", bucket, w.sweep.hour, counts); err != nil {
		return err
	}
	_, err = w.c.ExecContext(ctx, "INSERT OR REPLACE INTO head VALUES (?, ?)", bucket, h.bytes())
	return err
}

// rollDays makes one row of the minutes of days that are over, and hours of them;
// and one of the hours of months.
func (w *writer) rollDays(ctx context.Context, begun time.Time) (bool, error) {
	over := floor(w.clock-lag, hour)
	for time.Since(begun) < rollTime {
		var tier, bucket, unit int64
		err := w.c.QueryRowContext(ctx, `SELECT tier, bucket, unit FROM sums WHERE done = 0 AND (tier = 1 AND unit <= ? OR tier = 2 AND unit <= ?)
			ORDER BY tier, unit LIMIT 1`, over-day, over-month).Scan(&tier, &bucket, &unit)
		if errors.Is(err, sql.ErrNoRows) {
			return true, nil
		}
		if err == nil {
			err = w.rollUnit(ctx, int(tier), bucket, unit)
		}
		if err != nil {
			return false, err
		}
	}
	return false, nil
}

func (w *writer) rollUnit(ctx context.Context, tier int, bucket, unit int64) error {
	all, err := sumsOf(ctx, w.c, tier, bucket, unit)
	if err != nil {
		return err
	}
	if _, err := w.c.ExecContext(ctx, "DELETE FROM sums WHERE tier = ? AND bucket = ? AND unit = ?", tier, bucket, unit); err != nil {
		return err
	}
	var rows, hours []byte
	n, m := 0, 0
	for p := range all {
		rows = appendColumn(rows, byte(p), all[p])
		n += len(all[p])
		if tier == tierMinute {
			var h []sum
			for i := range all[p] {
				h = gatherSum(h, &all[p][i], hour)
			}
			hours = appendColumn(hours, byte(p), h)
			m += len(h)
		}
	}
	if _, err := w.putSums.ExecContext(ctx, tier, bucket, unit, n, 1, rows); err != nil {
		return err
	}
	if tier == tierMinute {
		_, err = w.putSums.ExecContext(ctx, tierHour, bucket, floor(unit, month), m, 0, hours)
	}
	return err
}

// widths are those of what a tier sums up.
var widths = [...]int64{tierMinute: minute, tierHour: hour}

// sumsOf reads the minutes or hours that a unit holds of a bucket, in order. Of two
// that are the same, because values came late, the one of more values counts.
func sumsOf(ctx context.Context, c querier, tier int, bucket, unit int64) (*[1 << bucketBits][]sum, error) {
	var all [1 << bucketBits][]sum
	err := eachSums(ctx, c, tier, bucket, unit, func(place byte, column []byte) {
		// What is damaged is left out.
		all[place], _ = unpack(all[place], column)
	})
	for p := range all {
		all[p] = settled(all[p], widths[tier])
	}
	return &all, err
}

func eachSums(ctx context.Context, c querier, tier int, bucket, unit int64, f func(place byte, column []byte)) error {
	return each(ctx, c, "SELECT data FROM sums WHERE bucket = ? AND tier = ? AND unit = ? ORDER BY id", []any{bucket, tier, unit}, func(r *sql.Rows) error {
		var data sql.RawBytes
		err := r.Scan(&data)
		columns(data, f)
		return err
	})
}

// settled puts sums in order, and leaves one of each stretch.
func settled(sums []sum, width int64) []sum {
	if !slices.IsSortedFunc(sums, byTime) {
		slices.SortStableFunc(sums, byTime)
	}
	out := sums[:0]
	for i := range sums {
		v := &sums[i]
		if n := len(out); n == 0 || floor(out[n-1].time, width) != floor(v.time, width) {
			out = append(out, *v)
		} else if v.count >= out[n-1].count {
			out[n-1] = *v
		}
	}
	return out
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
