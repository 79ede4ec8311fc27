package process

import (
	"math"
	"slices"

	"github.com/weir-ics/weir/detect"
	"github.com/weir-ics/weir/protocols"
)

// Read takes a reading in with its values. It does the same as Observe for each
// value of the reading, those that are not spelled out included, but that all of
// a message count before a row is closed. What did not change costs next to
// nothing: its point sleeps until something would come of it.
func (e *Engine) Read(r *detect.Reading, values []detect.Value) {
	e.arrive(r.Clock, r.Time)
	s := &e.sample
	*s = detect.Sample{Time: r.Time, Clock: r.Clock, Frame: r.Frame, Client: r.Client}
	if r.Span != nil {
		b := e.blockOf(r.Span)
		e.again(b, s, values)
		if !r.More && len(e.rounds) == 0 {
			e.close(b.rounds)
			return
		}
		for i := range b.rounds {
			e.rounds = seatIn(e.rounds, b.rounds[i].ticker, b.rounds[i].columns...)
		}
	} else {
		for i := range values {
			v := &values[i]
			s.Series, s.Value, s.Access, s.Flags, s.HasFlags = v.Series, v.Value, v.Access, v.Flags, v.HasFlags
			if p := e.take(s); p != nil && p.ticker != nil && v.Access == protocols.AccessReport {
				e.rounds = seatIn(e.rounds, p.ticker, run{p.column, p.column + 1})
			}
		}
	}
	if !r.More {
		e.close(e.rounds)
		e.rounds = e.rounds[:0]
	}
}

// close takes in that the points of a message were reported, and closes the rows
// that are complete.
func (e *Engine) close(rounds []round) {
	for i := range rounds {
		e.update(rounds[i].ticker, rounds[i].columns)
	}
}

// A block is what the points of a span have in common: when they were last
// reported. Points that are reported in other ways too are not its own; they are
// taken in at each reading.
type block struct {
	// heard is that of the last reading, for all points that had it; work is when, and in
	// which frame, the one in work is.
	heard
	work struct {
		time  int64
		frame uint64
	}
	series []*detect.Series // each has the number of its point, but for those beyond the cap
	known  uint64           // how many there are
	sleep  []sleep
	// count is how many readings there were.
	count uint32
	// next and until are the earliest wake and until of its points, or before.
	next  uint32
	until int64
	// rounds are the places of its points in the rows of tickers, as they were
	// when the Engine's seating was seated.
	rounds []round
	seated uint64
	// dropped tells that it is no longer in use.
	dropped bool
}

// sleep is for how long a point needs no reading that leaves it as it is.
type sleep struct {
	// done is the number of the last reading that was taken in, wake that of the
	// one that has to be. So has each after the time until.
	done, wake uint32
	// until is in units of 2^30 nanoseconds, about a second, rounded down: a point
	// may wake too early, never too late. A block for each of many points is large.
	until moment
}

// moment is a packet time in units of 2^30 nanoseconds.
type moment uint32

// momentOf rounds a time down; never is the last moment there is.
func momentOf(at int64) moment {
	return moment(min(max(at>>30, 0), math.MaxUint32))
}

// time is the beginning of the moment.
func (m moment) time() int64 {
	if m == math.MaxUint32 {
		return never
	}
	return int64(m) << 30
}

// round is the columns of a block's points in a ticker: points that came together
// stand side by side.
type round struct {
	ticker  *ticker
	columns []run
}

const (
	// longSleep is for how many readings a point sleeps at most.
	longSleep = 1 << 30
	never     = math.MaxInt64
)

// blockOf finds the block of a span, or makes it.
func (e *Engine) blockOf(s *detect.Span) *block {
	if b, ok := s.Model.(*block); ok && !b.dropped {
		return b
	}
	b := &block{series: s.Series, sleep: make([]sleep, len(s.Series)), until: never, seated: math.MaxUint64}
	b.block, b.from = b, noneHeard.from
	var was, is *heard // of the last point: most were reported together
	for i, series := range s.Series {
		p := e.point(series)
		if p == nil {
			continue
		}
		b.known++
		if p.block == nil && !p.shared() && i <= math.MaxUint16 {
			p.place = uint16(i)
			if p.marks&markHeard != 0 {
				p.heard.block = b
				continue
			}
			if p.heard != was {
				own := *p.heard
				own.block = b
				was, is = p.heard, &own
			}
			p.heard = is
		} else {
			e.share(p)
		}
	}
	s.Model = b
	e.blocks = append(e.blocks, b)
	return b
}

// drop forgets what is reported together: the spans that were read up to now
// may not come again.
func (e *Engine) drop() {
	for _, b := range e.blocks {
		for i := range b.series {
			p := e.known(b.series[i])
			if p == nil {
				continue
			}
			if p.block == b {
				e.catchUp(p)
				if p.heard != &b.heard {
					e.heardOf(p).block = nil
				}
			}
			p.set(markShared, e.sourceOf(p.series) != nil)
		}
		b.dropped = true
		// What was heard stays.
		b.block, b.series, b.sleep, b.rounds = nil, nil, nil, nil
	}
	e.blocks = nil
}

// share tells that a point is reported in several ways, and never sleeps.
func (e *Engine) share(p *point) {
	p.set(markShared, true)
	if p.block != nil {
		e.rouse(p)
		at, frame := p.lastSeen()
		h := e.heardOf(p)
		h.time, h.frame, h.block = at, frame, nil
	}
}

// again takes in a reading of b, of which values are those that changed.
func (e *Engine) again(b *block, s *detect.Sample, values []detect.Value) {
	s.Access = protocols.AccessReport
	if b.count >= longSleep {
		e.restart(b)
	}
	if b.from.client != s.Client {
		b.from = e.reader(s.Client)
	}
	e.last, b.work.time, b.work.frame = b.from, s.Time, s.Frame
	e.stats.Samples += b.known
	e.stats.Refused += uint64(len(b.series)) - b.known
	if b.count+1 < b.next && s.Time <= b.until {
		for i := range values {
			e.change(b, s, &values[i])
		}
	} else {
		e.wakeDue(b, s, values)
	}
	b.count++
	b.time, b.frame = s.Time, s.Frame
	if b.seated != e.seating {
		e.gather(b)
		b.seated = e.seating
	}
}

// wakeDue takes in a reading of b for which some points have to be awake.
func (e *Engine) wakeDue(b *block, s *detect.Sample, values []detect.Value) {
	number := b.count + 1
	b.next, b.until = 2*longSleep, never
	for i := range b.sleep {
		z := &b.sleep[i]
		if len(values) > 0 && int(values[0].Place) == i {
			e.change(b, s, &values[0])
			values = values[1:]
			continue
		}
		if until := z.until.time(); z.wake > number && s.Time <= until {
			b.next, b.until = min(b.next, z.wake), min(b.until, until)
			continue
		}
		p := e.known(b.series[i])
		if p == nil || p.frame == 0 {
			z.wake, z.until = 2*longSleep, momentOf(never)
			continue
		}
		s.Series, s.Value, s.Flags, s.HasFlags = b.series[i], p.value, p.flags, p.hasFlags()
		if x := e.sourceOf(s.Series); x != nil {
			s.Value, s.Flags, s.HasFlags = x.value, x.flags, x.hasFlags
		}
		e.takeIn(b, int32(i), s)
	}
}

// change takes in a value that changed.
func (e *Engine) change(b *block, s *detect.Sample, v *detect.Value) {
	if e.known(b.series[v.Place]) == nil {
		return
	}
	s.Series, s.Value, s.Flags, s.HasFlags = v.Series, v.Value, v.Flags, v.HasFlags
	e.takeIn(b, v.Place, s)
}

// takeIn takes in what the reading after the last of b says of the point at a
// place.
func (e *Engine) takeIn(b *block, place int32, s *detect.Sample) {
	p := e.known(b.series[place])
	if p.block == b {
		e.catchUp(p)
	}
	same := e.report(p, s)
	if p.block != b {
		z := &b.sleep[place]
		z.wake, b.next = 0, 0
		e.hearAlone(p, s)
		return
	}
	p.hearWith(b, s.Time, s.Frame)
	e.lull(p, b.count+1, same)
}

// lull puts a point to sleep that has taken in the reading of a number.
func (e *Engine) lull(p *point, number uint32, same bool) {
	n, until := e.rest(p, same)
	b := p.block
	z := &b.sleep[p.place]
	*z = sleep{number, number + 1 + n, momentOf(until)}
	b.next, b.until = min(b.next, number+1+n), min(b.until, z.until.time())
}

// rouse makes a point be awake at the next reading.
func (e *Engine) rouse(p *point) {
	e.catchUp(p)
	if b := p.block; b != nil {
		b.sleep[p.place].wake, b.next = 0, 0
	}
}

// rouseAll makes the members of r be awake at the next reading: how they are
// judged is about to change.
func (e *Engine) rouseAll(r *relation) {
	for j := range r.members {
		e.rouse(r.members[j].point)
	}
}

// catchUp takes in the readings that a point slept through.
func (e *Engine) catchUp(p *point) {
	b := p.block
	if b == nil {
		return
	}
	// It is ahead of the block when it was taken in as part of the reading that
	// is in work.
	z := &b.sleep[p.place]
	if z.done < b.count {
		e.repeat(p, b.count-z.done, b.time)
		p.hearWith(b, b.time, b.frame)
		z.done = b.count
	}
}

// restart makes a block count from 0 again.
func (e *Engine) restart(b *block) {
	for i := range b.series {
		if p := e.known(b.series[i]); p != nil && p.block == b {
			e.catchUp(p)
		}
		b.sleep[i] = sleep{}
	}
	b.count, b.next = 0, 0
}

// gather finds the places that the points of b have in the rows of tickers.
func (e *Engine) gather(b *block) {
	b.rounds = b.rounds[:0]
	for i := range b.series {
		if p := e.known(b.series[i]); p != nil && p.ticker != nil {
			b.rounds = seatIn(b.rounds, p.ticker, run{p.column, p.column + 1})
		}
	}
}

// seatIn adds columns of a ticker.
func seatIn(rounds []round, t *ticker, columns ...run) []round {
	i := 0
	for i < len(rounds) && rounds[i].ticker != t {
		i++
	}
	if i == len(rounds) {
		// What was there before gives its room.
		rounds = slices.Grow(rounds, 1)[:i+1]
		rounds[i].ticker, rounds[i].columns = t, rounds[i].columns[:0]
	}
	to := &rounds[i].columns
	for _, c := range columns {
		if n := len(*to); n > 0 && (*to)[n-1].hi == c.lo {
			(*to)[n-1].hi = c.hi
		} else {
			*to = append(*to, c)
		}
	}
	return rounds
}

// lastSeen is when, and in which frame, a point was last reported.
func (p *point) lastSeen() (at int64, frame uint64) {
	b := p.block
	if b == nil {
		return p.time, p.frame
	}
	switch done := b.sleep[p.place].done; {
	case done < b.count:
		return b.time, b.frame
	case done > b.count:
		return b.work.time, b.work.frame // it is taken in already
	}
	return p.time, p.frame
}
