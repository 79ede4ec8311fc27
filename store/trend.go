package store

import (
	"context"
	"database/sql"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
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
		var some where
		for _, p := range q.Points[:min(len(q.Points), 100)] {
			at := "(kind = ? AND idx BETWEEN ? AND ?"
			args := []any{p.Kind.String(), p.First, max(p.First, p.Last)}
			if p.Device.IsValid() {
				at += " AND device = ?"
				args = append(args, address(p.Device))
			}
			if p.Unit != 0 { // an alert about all of a device names none
				at += " AND unit = ?"
				args = append(args, p.Unit)
			}
			some.and(at+")", args...)
		}
		w.and("("+strings.Join(some.parts, " OR ")+")", some.args...)
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
		kept := extents{}
		for i := range out {
			if err == nil {
				err = kept.fill(ctx, tx, &out[i])
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
		return extents{}.fill(ctx, tx, &out)
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

// An extent is what is kept of a series: from when to when, how much, and the
// newest value.
type extent struct {
	first, last int64
	samples     uint64
	value       float64
}

// none is first after last.
var none = extent{first: 1}

func (x *extent) empty() bool { return x.first > x.last }

// add takes in what else is kept.
func (x *extent) add(o extent) {
	switch {
	case o.empty():
		return
	case x.empty():
		*x = o
		return
	}
	if o.last >= x.last {
		x.last, x.value = o.last, o.value
	}
	x.first = min(x.first, o.first)
	x.samples += o.samples
}

// extents finds what is kept of series, a bucket at a time.
type extents map[int64]*[1 << bucketBits]extent

func (e extents) fill(ctx context.Context, tx *sql.Tx, k *detect.KeptSeries) error {
	row, _ := parseID(k.ID)
	x, err := e.of(ctx, tx, row)
	if err == nil && !x.empty() {
		k.First, k.Last, k.Value, k.Samples = x.first, x.last, x.value, x.samples
	}
	return err
}

func (e extents) of(ctx context.Context, tx *sql.Tx, row int64) (extent, error) {
	bucket := bucketOf(row)
	all := e[bucket]
	if all == nil {
		var err error
		if all, err = bucketExtents(ctx, tx, bucket); err != nil {
			return none, err
		}
		e[bucket] = all
	}
	x := all[row&(1<<bucketBits-1)]
	old, err := oldExtent(ctx, tx, row)
	x.add(old)
	return x, err
}

func bucketExtents(ctx context.Context, tx *sql.Tx, bucket int64) (*[1 << bucketBits]extent, error) {
	var all [1 << bucketBits]extent
	for p := range all {
		all[p] = none
	}
	// What is summed up: no further back than there is anything.
	var raw, summed sql.NullInt64
	if err := tx.QueryRowContext(ctx, "SELECT (SELECT min(hour) FROM held WHERE bucket = ?1), (SELECT min(unit) FROM sums WHERE bucket = ?1)", bucket).Scan(&raw, &summed); err != nil {
		return nil, err
	}
	oldest := int64(math.MaxInt64)
	for _, n := range []sql.NullInt64{raw, summed} {
		if n.Valid {
			oldest = min(oldest, n.Int64)
		}
	}
	h, err := readHead(ctx, tx, bucket)
	if err != nil {
		return nil, err
	}
	for p := range h {
		if x := &h[p]; x.known && x.last >= oldest {
			all[p] = extent{first: max(x.first, oldest), last: x.last, value: x.value}
		}
	}
	err = each(ctx, tx, "SELECT data FROM held WHERE bucket = ?", []any{bucket}, func(r *sql.Rows) error {
		var data sql.RawBytes
		err := r.Scan(&data)
		for p := 0; p < len(all) && len(data) > 0; p++ {
			n, k := binary.Uvarint(data)
			if k <= 0 {
				break
			}
			data = data[k:]
			all[p].samples += n
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	// And what is not.
	todo, err := hours(ctx, tx, "SELECT DISTINCT hour FROM flush WHERE state = 0")
	if err != nil {
		return nil, err
	}
	for at := range todo {
		t, err := total(blocks(ctx, tx, bucket, at))
		if err != nil {
			return nil, err
		}
		for p := range t {
			x := &t[p]
			if x.count == 0 {
				continue
			}
			n := extent{x.first, x.last, x.count, x.value}
			// An hour that is summed up for the second time is not counted twice.
			var was []byte
			err := tx.QueryRowContext(ctx, "SELECT data FROM held WHERE bucket = ? AND hour = ?", bucket, at).Scan(&was)
			if err != nil && !errors.Is(err, sql.ErrNoRows) {
				return nil, err
			}
			for q := 0; q <= p && len(was) > 0; q++ {
				c, k := binary.Uvarint(was)
				if k <= 0 {
					break
				}
				if was = was[k:]; q == p {
					n.samples -= min(n.samples, c)
				}
			}
			all[p].add(n)
		}
	}
	return &all, nil
}

// hours is the set of hours that a query finds.
func hours(ctx context.Context, tx *sql.Tx, query string, args ...any) (map[int64]bool, error) {
	all := map[int64]bool{}
	err := each(ctx, tx, query, args, func(r *sql.Rows) error {
		var at int64
		err := r.Scan(&at)
		all[at] = true
		return err
	})
	return all, err
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
	x, err := extents{}.of(ctx, tx, row)
	if err != nil || x.empty() {
		return nil, err
	}
	// An hour's or minute's row has the time of its first value but reaches to
	// its end.
	from, to = max(from, x.first), min(to, x.last+hour)
	if from > to {
		return nil, nil
	}
	c := chart{from: from, to: to, width: (to-from)/int64(n) + 1, n: n, single: make([]sum, 0, min(n, 1024))}
	if err := oldTrend(ctx, tx, row, &c); err != nil {
		return nil, err
	}
	if err := c.read(ctx, tx, row); err != nil {
		return nil, err
	}
	return c.out(), nil
}

// chart gathers what a stretch of a series held: all that there is, as long as that
// is not more than n; then buckets.
type chart struct {
	from, to, width int64
	n               int
	single, buckets []sum
}

func (c *chart) take(v *sum) {
	if v.time < c.from || v.time > c.to {
		return
	}
	if c.buckets == nil && len(c.single) < c.n {
		c.single = append(c.single, *v)
		return
	}
	if c.buckets == nil {
		c.buckets = make([]sum, c.n)
		for i := range c.single {
			c.buckets[(c.single[i].time-c.from)/c.width].mergeAnyOrder(&c.single[i])
		}
	}
	c.buckets[(v.time-c.from)/c.width].mergeAnyOrder(v)
}

func (c *chart) out() []detect.Bucket {
	buckets := c.buckets
	if buckets == nil {
		slices.SortStableFunc(c.single, byTime)
		buckets = slices.CompactFunc(c.single, func(a, b sum) bool {
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
	return out
}

// read takes in raw values of the hours that are not summed up yet, and of all
// that there are if a bucket is narrower than a minute; else minutes stand for
// them, and hours for days that are over where a bucket is wider than an hour.
func (c *chart) read(ctx context.Context, tx *sql.Tx, row int64) error {
	bucket, place := bucketOf(row), byte(row&(1<<bucketBits-1))
	state := 0
	if c.width < minute {
		state = 1
	}
	raw, err := hours(ctx, tx, "SELECT DISTINCT hour FROM flush WHERE state <= ? AND hour BETWEEN ? AND ?", state, floor(c.from, hour), c.to)
	if err != nil {
		return err
	}
	for at := range raw {
		values, err := collect(place, blocks(ctx, tx, bucket, at))
		if err != nil {
			return err
		}
		for i := range values {
			var one sum
			one.add(&values[i])
			c.take(&one)
		}
	}
	done := 1
	if c.width >= hour {
		done = 0
	}
	days, err := hours(ctx, tx, "SELECT DISTINCT unit FROM sums WHERE bucket = ? AND tier = 1 AND done <= ? AND unit BETWEEN ? AND ?", bucket, done, floor(c.from, day), c.to)
	if err != nil {
		return err
	}
	for at := range days {
		if err := c.sums(ctx, tx, tierMinute, bucket, at, place, func(t int64) bool { return raw[floor(t, hour)] }); err != nil {
			return err
		}
	}
	months, err := hours(ctx, tx, "SELECT DISTINCT unit FROM sums WHERE bucket = ? AND tier = 2 AND unit BETWEEN ? AND ?", bucket, floor(c.from, month), c.to)
	if err != nil {
		return err
	}
	for at := range months {
		if err := c.sums(ctx, tx, tierHour, bucket, at, place, func(t int64) bool { return raw[floor(t, hour)] || days[floor(t, day)] }); err != nil {
			return err
		}
	}
	return nil
}

// sums takes in the minutes or hours of a unit that nothing finer tells.
func (c *chart) sums(ctx context.Context, tx *sql.Tx, tier int, bucket, unit int64, place byte, told func(int64) bool) error {
	var all []sum
	err := eachSums(ctx, tx, tier, bucket, unit, func(p byte, column []byte) {
		if p == place {
			all, _ = unpack(all, column)
		}
	})
	all = settled(all, widths[tier])
	for i := range all {
		if !told(all[i].time) {
			c.take(&all[i])
		}
	}
	return err
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

// SetStatus keeps what the sensor is doing, with the next commit of values.
func (s *Store) SetStatus(_ context.Context, st detect.Status) error {
	body, err := json.Marshal(st)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return fmt.Errorf("store %s is closed", s.path)
	}
	s.pending.status = string(body)
	return nil
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
