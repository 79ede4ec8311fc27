package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"math"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/weir-ics/weir/detect"
	"github.com/weir-ics/weir/protocols"
)

const seriesColumns = "SELECT id, device, proto, unit, kind, idx, type, name, eu FROM series"

// Series returns the series that q selects, ordered by device, unit, kind and
// index, at most q.Limit (1,000 if that is 0), and how many there are without
// limit and offset.
func (s *Store) Series(ctx context.Context, q detect.SeriesQuery) ([]detect.KeptSeries, int, error) {
	var w where
	w.and("role = ?", roleValue)
	if q.Device.IsValid() {
		w.and("device = ?", address(q.Device))
	}
	if q.Text != "" {
		w.and("instr(search, ?) > 0", strings.ToLower(q.Text))
	}
	if len(q.Points) > 0 {
		var any where
		for _, p := range q.Points[:min(len(q.Points), 100)] {
			any.and("(kind = ? AND idx BETWEEN ? AND ?)", p.Kind.String(), p.First, max(p.First, p.Last))
		}
		w.and("("+strings.Join(any.parts, " OR ")+")", any.args...)
	}
	var total int
	var out []detect.KeptSeries
	err := s.reading(ctx, "series", func(tx *sql.Tx) error {
		if err := tx.QueryRowContext(ctx, "SELECT count(*) FROM series"+w.String(), w.args...).Scan(&total); err != nil {
			return err
		}
		err := each(ctx, tx, seriesColumns+w.String()+" ORDER BY role, sort, id LIMIT ? OFFSET ?", w.page(q.Limit, q.Offset), func(r *sql.Rows) error {
			k, err := scanSeries(r.Scan)
			out = append(out, k)
			return err
		})
		for i := range out {
			if err == nil {
				err = extent(ctx, tx, &out[i])
			}
		}
		return err
	})
	return out, total, err
}

// SeriesByID returns one series; false if there is none with that ID.
func (s *Store) SeriesByID(ctx context.Context, id string) (detect.KeptSeries, bool, error) {
	var out detect.KeptSeries
	found := false
	row, ok := parseID(id)
	if !ok {
		return out, false, nil
	}
	err := s.reading(ctx, "series "+id, func(tx *sql.Tx) error {
		k, err := scanSeries(tx.QueryRowContext(ctx, seriesColumns+" WHERE id = ? AND role = ?", row, roleValue).Scan)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		if err != nil {
			return err
		}
		out, found = k, true
		return extent(ctx, tx, &out)
	})
	return out, found, err
}

func parseID(id string) (int64, bool) {
	n, err := strconv.ParseInt(id, 10, 64)
	return n, err == nil && n > 0
}

func scanSeries(scan func(...any) error) (detect.KeptSeries, error) {
	var k detect.KeptSeries
	var row int64
	var device, proto, kind string
	k.Table, k.Label = new(detect.Table), new(detect.Label)
	err := scan(&row, &device, &proto, &k.Unit, &kind, &k.Index, &k.Type, &k.Name, &k.EngineeringUnit)
	k.ID = id(row)
	k.Device, _ = netip.ParseAddr(device)
	k.Proto = named[protocols.Proto](proto, int(protocols.NumProtos))
	k.Kind = named[protocols.PointKind](kind, int(protocols.NumPointKinds))
	return k, err
}

// named finds a value of a small enumeration by its name, 0 if there is none.
func named[T interface {
	~uint8
	String() string
}](name string, n int) T {
	for i := range n {
		if T(i).String() == name {
			return T(i)
		}
	}
	return 0
}

// extent finds what is kept of a series: from when to when, how much, and the
// newest value.
func extent(ctx context.Context, tx *sql.Tx, k *detect.KeptSeries) error {
	row, _ := parseID(k.ID)
	first, last, err := reach(ctx, tx, row)
	if err != nil || first > last {
		return err
	}
	k.First, k.Last = first, last
	if err := tx.QueryRowContext(ctx, "SELECT ifnull(sum(count), 0) FROM chunk WHERE series = ? AND tier = 0", row).Scan(&k.Samples); err != nil {
		return err
	}
	tier, data := 0, []byte(nil)
	err = tx.QueryRowContext(ctx, "SELECT tier, data FROM chunk WHERE series = ? AND end = ? ORDER BY tier, id DESC LIMIT 1", row, last).Scan(&tier, &data)
	if err != nil {
		return err
	}
	at := int64(math.MinInt64)
	err = decode(tier, data, func(v *sum) {
		if v.time >= at {
			at, k.Value = v.time, v.last
		}
	})
	return err
}

// reach is the time of the oldest and newest thing kept of a series; first is
// after last if there is nothing.
func reach(ctx context.Context, tx *sql.Tx, row int64) (first, last int64, err error) {
	var a, b sql.NullInt64
	if err := tx.QueryRowContext(ctx, "SELECT min(start), max(end) FROM chunk WHERE series = ?", row).Scan(&a, &b); err != nil || !a.Valid {
		return 1, 0, err
	}
	return a.Int64, b.Int64, nil
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

// Samples returns the values of a series from from to to, both included, in
// order of time. If there are more than n they are gathered into at most n
// buckets; otherwise each value is a bucket of its own. Where the raw values are
// no longer kept, or a bucket is wider than a minute anyway, minutes stand for
// them, and then hours. An unknown ID gives nothing.
func (s *Store) Samples(ctx context.Context, id string, from, to int64, n int) ([]detect.Bucket, error) {
	row, ok := parseID(id)
	if !ok {
		return nil, nil
	}
	var out []detect.Bucket
	err := s.reading(ctx, "the values of series "+id, func(tx *sql.Tx) error {
		var err error
		out, err = trend(ctx, tx, row, from, to, n)
		return err
	})
	return out, err
}

// CounterHistory returns what a counter stood at over time, as Samples does for
// a series.
func (s *Store) CounterHistory(ctx context.Context, name string, from, to int64, n int) ([]detect.Bucket, error) {
	var out []detect.Bucket
	err := s.reading(ctx, "the history of counter "+name, func(tx *sql.Tx) error {
		var row int64
		err := tx.QueryRowContext(ctx, "SELECT id FROM series WHERE key = ?", "counter/"+name).Scan(&row)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		if err != nil {
			return err
		}
		out, err = trend(ctx, tx, row, from, to, n)
		return err
	})
	return out, err
}

// maxBuckets bounds what a reader can ask for.
const maxBuckets = 100_000

func trend(ctx context.Context, tx *sql.Tx, row, from, to int64, n int) ([]detect.Bucket, error) {
	n = min(max(n, 1), maxBuckets)
	first, last, err := reach(ctx, tx, row)
	if err != nil || first > last {
		return nil, err
	}
	// An hour's or minute's row has the time of its first value but reaches to
	// its end.
	from, to = max(from, first), min(to, last+hour)
	if from > to {
		return nil, nil
	}
	width := (to-from)/int64(n) + 1
	spans, err := cover(ctx, tx, row, width)
	if err != nil {
		return nil, err
	}
	// All that there is, as long as that is not more than n; then buckets.
	single := make([]sum, 0, min(n, 1024))
	var buckets []sum
	take := func(v *sum) {
		if buckets == nil && len(single) < n {
			single = append(single, *v)
			return
		}
		if buckets == nil {
			buckets = make([]sum, n)
			for i := range single {
				buckets[(single[i].time-from)/width].mergeAnyOrder(&single[i])
			}
		}
		buckets[(v.time-from)/width].mergeAnyOrder(v)
	}
	for tier, span := range spans {
		lo, hi := max(from, span.from), min(to, span.to)
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
					take(v)
				}
			})
		})
		if err != nil {
			return nil, err
		}
	}
	if buckets == nil {
		slices.SortStableFunc(single, byTime)
		buckets = slices.CompactFunc(single, func(a, b sum) bool {
			return a.time == b.time && a.count == 1 && b.count == 1 && math.Float64bits(a.last) == math.Float64bits(b.last)
		})
	}
	var out []detect.Bucket
	for i := range buckets {
		if b := &buckets[i]; b.count > 0 {
			out = append(out, detect.Bucket{Time: b.time, Min: b.min, Max: b.max, Mean: b.mean, Last: b.last, Count: int(b.count),
				Judged: b.judged, Low: float64(b.low), High: float64(b.high), Score: float64(b.score)})
		}
	}
	return out, nil
}

// mergeAnyOrder takes in a stretch that may be earlier than what is there.
func (s *sum) mergeAnyOrder(o *sum) {
	if s.count > 0 && o.time < s.time {
		first := *o
		first.merge(s)
		first.lastTime = s.lastTime
		*s = first
		return
	}
	if s.count > 0 && o.time < s.lastTime {
		last, low, high, wasJudged := s.last, s.low, s.high, s.judged
		s.merge(o)
		s.last = last
		if wasJudged {
			s.low, s.high = low, high
		}
		return
	}
	s.merge(o)
	s.lastTime = o.time
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
	raw := begin(tierRaw, minute, rolled)
	minutes := begin(tierMinute, hour, rolledDay)
	before := func(t int64) int64 {
		if t == math.MinInt64 || t == math.MaxInt64 {
			return t
		}
		return t - 1
	}
	minutes = min(minutes, raw)
	return [3]span{{raw, math.MaxInt64}, {minutes, before(raw)}, {math.MinInt64, before(minutes)}}, nil
}

// Command is a value that a client wrote to, or operated on, a point.
type Command struct {
	Time   int64
	Client netip.Addr
	// Access is the name of the access: "write", "operate" and so on.
	Access string
	Value  float64
}

// Commands returns what clients wrote to a series from from to to, both
// included, the newest limit (1,000 if that is 0) in order of time.
func (s *Store) Commands(ctx context.Context, id string, from, to int64, limit int) ([]Command, error) {
	row, ok := parseID(id)
	if !ok {
		return nil, nil
	}
	var w where
	var out []Command
	err := s.reading(ctx, "the commands to series "+id, func(tx *sql.Tx) error {
		w.and("", row, from, to)
		return each(ctx, tx, "SELECT time, client, access, value FROM command WHERE series = ? AND time BETWEEN ? AND ? ORDER BY time DESC, id DESC LIMIT ? OFFSET ?", w.page(limit, 0), func(r *sql.Rows) error {
			var c Command
			var client string
			var value sql.NullFloat64
			err := r.Scan(&c.Time, &client, &c.Access, &value)
			c.Client, _ = netip.ParseAddr(client)
			if c.Value = value.Float64; !value.Valid {
				c.Value = math.NaN()
			}
			out = append(out, c)
			return err
		})
	})
	slices.Reverse(out)
	return out, err
}

// SetStatus keeps what the sensor is doing.
func (s *Store) SetStatus(ctx context.Context, st detect.Status) error {
	body, err := json.Marshal(st)
	if err != nil {
		return err
	}
	return s.ask(ctx, ask{do: func(ctx context.Context, c *sql.Conn) error { return mark(ctx, c, "status", string(body)) }})
}

// Status returns what the sensor said last that it is doing; the zero Status if
// it never did.
func (s *Store) Status(ctx context.Context) (detect.Status, error) {
	st := detect.Status{Unseen: -1}
	err := s.reading(ctx, "the status", func(tx *sql.Tx) error {
		var body []byte
		err := tx.QueryRowContext(ctx, "SELECT value FROM meta WHERE key = 'status'").Scan(&body)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		if err != nil {
			return err
		}
		return json.Unmarshal(body, &st)
	})
	return st, err
}
