package process

import (
	"cmp"
	"math"
	"net/netip"
	"slices"

	"github.com/weir-ics/weir/detect"
	"github.com/weir-ics/weir/protocols"
)

// Engine learns points and watches them. One goroutine uses it. It is fed with
// the samples of all shards in the order of their frames.
type Engine struct {
	settings Settings
	points   pointIndex
	// order holds the points as they appeared, retired is how many of them are, once
	// learning is over; sources are the series of those that have several.
	order   pieces[point]
	retired int
	sources pieces[source]
	// heard are those that points have by themselves.
	heard   pieces[heard]
	tickers []*ticker
	// clock is the largest watermark seen, start the first.
	clock, start int64
	// watchAt is when watching begins; 0 is not yet known.
	watchAt  int64
	watching bool
	findings []detect.Finding
	stats    Stats
	// pending are points that a command was given to and that have not shown it.
	pending []*point
	// opened are, a device, the points whose last command may have effects yet, while
	// learning. awaited are the effects that are waited for; nConsequences counts all.
	opened        map[netip.Addr][]*point
	awaited       []*consequence
	nConsequences int
	// nPrompts is how many prompts there are.
	nPrompts int
	// echo is what is noted after commands, while learning.
	echo echoes
	// replays is the memory of the replay models.
	replays int
	// nRules is how many rules there are.
	nRules int
	// room is that for the histories of tickers, lateRoom that for the values of
	// points that learn later.
	room, lateRoom room
	// learned is how long learning lasted, continuous how many quantities there are.
	learned    int64
	continuous int
	// visits is how many points were invited to explain those of slower paces.
	visits int
	// commanded is when each device was last given a command.
	commanded map[netip.Addr]int64
	// blocks are what is reported together. seating grows with each change of
	// who has which column of which ticker.
	blocks  []*block
	seating uint64
	sample  detect.Sample // in work
	rounds  []round       // in work
	// readers are the clients that read points, last the last of them.
	readers map[netip.Addr]*reader
	last    *reader
	// first is what was heard of points that were reported for the first time, last.
	first *heard
	// tempos are those of points, lastTempo the last that was found.
	tempos    map[tempo]*tempo
	lastTempo *tempo
	// looked is there so that LookAhead is not left out.
	looked uint32
}

// Stats count what an Engine did.
type Stats struct {
	// Samples is how many reports were taken in, Commands how many commands.
	Samples, Commands uint64
	// Points is how many points there are, Refused how many samples of points
	// beyond the cap were let go, Unlearned how many samples came from points
	// that were not there in learning and have no model yet, Later how many such
	// points have learned one.
	Points, Refused, Unlearned, Later uint64
	// Rows is how many rows of related values were judged, Thinned how often the
	// history was thinned out.
	Rows, Thinned uint64
	// Unrecorded is how many points that move there was no memory for to learn
	// what is more than a tally.
	Unrecorded uint64
	// Unreplayed is how many points there was no memory for to find replays of.
	Unreplayed uint64
	// Unfollowed is how often an effect of a command was let go because there are too
	// many.
	Unfollowed uint64
	// Uninvited is how often there was no room to try a point as explanation of
	// those of a slower pace.
	Uninvited uint64
	// Findings is how many were given out.
	Findings uint64
}

// Each calls f with each counter and its stable name.
func (s *Stats) Each(f func(name string, value uint64)) {
	f("process.samples", s.Samples)
	f("process.commands", s.Commands)
	f("process.points", s.Points)
	f("process.refused", s.Refused)
	f("process.unlearned", s.Unlearned)
	f("process.learned-later", s.Later)
	f("process.rows", s.Rows)
	f("process.thinned", s.Thinned)
	f("process.unrecorded", s.Unrecorded)
	f("process.unreplayed", s.Unreplayed)
	f("process.unfollowed", s.Unfollowed)
	f("process.uninvited", s.Uninvited)
	f("process.findings", s.Findings)
}

// pointKey is what a point is, whatever Series stands for it.
type pointKey struct {
	device netip.Addr
	index  uint32
	unit   uint16
	kind   protocols.PointKind
	proto  protocols.Proto
}

func keyOf(s *detect.Series) pointKey {
	return pointKey{s.Device, s.Index, s.Unit, s.Kind, s.Proto}
}

func (k pointKey) compare(o pointKey) int {
	return cmp.Or(k.device.Compare(o.device), cmp.Compare(k.proto, o.proto), cmp.Compare(k.unit, o.unit), cmp.Compare(k.kind, o.kind), cmp.Compare(k.index, o.index))
}

// NewEngine makes an Engine that learns until Watch.
func NewEngine(s Settings) *Engine {
	s = s.withDefaults()
	e := &Engine{
		settings:  s,
		room:      room{budget: s.HistoryBytes, maxRows: s.MaxRows},
		lateRoom:  room{budget: s.HistoryBytes, maxRows: lateRows},
		commanded: make(map[netip.Addr]int64),
		opened:    make(map[netip.Addr][]*point),
		readers:   make(map[netip.Addr]*reader),
		tempos:    map[tempo]*tempo{{}: noTempo},
	}
	e.points = newPointIndex(&e.order)
	e.last = newReader(netip.Addr{})
	e.first = noneHeard
	return e
}

// Stats returns the counters so far.
func (e *Engine) Stats() Stats {
	s := e.stats
	s.Unrecorded = uint64(e.room.refused + e.lateRoom.refused)
	return s
}

// Watch makes the Engine stop learning at the given packet time: samples with a
// smaller watermark are learned, those from it on are judged.
func (e *Engine) Watch(at int64) {
	e.watchAt = at
	if e.clock >= at {
		e.settle()
	}
}

// Watching tells whether learning is over.
func (e *Engine) Watching() bool { return e.watching }

// Observe takes one sample in, and fills in its judgement: how surprising the
// point was when it was last judged, and the range that was expected. Samples
// have to come in the order of their frames. The cost is O(1), amortised.
func (e *Engine) Observe(s *detect.Sample) {
	e.arrive(s.Clock, s.Time)
	p := e.take(s)
	if p == nil || s.Access != protocols.AccessReport {
		return
	}
	if p.ticker != nil {
		e.update(p.ticker, []run{{p.column, p.column + 1}})
	}
	s.Judged, s.Score, s.Low, s.High = p.judgement()
}

// Judgement fills in the judgement of a sample that was taken in as part of a
// reading.
func (e *Engine) Judgement(s *detect.Sample) {
	if s.Access != protocols.AccessReport {
		return
	}
	if p := e.point(s.Series); p != nil {
		s.Judged, s.Score, s.Low, s.High = p.judgement()
	}
}

// arrive moves the watermark to where a message puts it.
func (e *Engine) arrive(clock, at int64) {
	if clock == 0 {
		clock = at
	}
	clock = max(clock, e.clock)
	if e.start == 0 {
		e.start = clock
	}
	e.advance(clock)
}

// take takes in a value by itself, and returns its point; nil if there is none.
func (e *Engine) take(s *detect.Sample) *point {
	p := e.point(s.Series)
	if p == nil {
		e.stats.Refused++
		return nil
	}
	if s.Access == protocols.AccessWrite || s.Access == protocols.AccessOperate {
		e.stats.Commands++
		e.command(p, s)
		return p
	}
	e.stats.Samples++
	if math.IsNaN(s.Value) || math.IsInf(s.Value, 0) {
		return nil
	}
	e.catchUp(p)
	same := e.report(p, s)
	e.hearAlone(p, s)
	if p.block != nil {
		e.lull(p, p.block.count, same)
	}
	return p
}

// Advance moves the watermark: timers up to clock fire.
func (e *Engine) Advance(clock int64) {
	if clock > e.clock {
		e.advance(clock)
	}
}

// Findings appends what was found since the last call, in the order in which it
// was found, and forgets it.
func (e *Engine) Findings(out []detect.Finding) []detect.Finding {
	out = append(out, e.findings...)
	e.stats.Findings += uint64(len(e.findings))
	e.findings = e.findings[:0]
	return out
}

// point finds or makes the point of a series.
func (e *Engine) point(s *detect.Series) *point {
	if p := e.known(s); p != nil {
		return p
	}
	p, number := e.find(s)
	if p == nil {
		return nil
	}
	if p.series == s {
		s.Model = uint32(number) + 1
	} else {
		e.shareSeries(p, s)
	}
	return p
}

// find searches for the point, or makes it, and tells its number.
func (e *Engine) find(s *detect.Series) (*point, int) {
	key := keyOf(s)
	if n := e.points.number(key); n >= 0 {
		p := e.order.at(n)
		switch {
		case p.series == s:
			return p, n
		case p.series.Type == s.Type:
			if !p.has() && p.series.Model == 0 {
				p.series = s // a point of a loaded baseline meets its series
			}
			return p, n
		}
		// A point that is read as another type is another point.
	}
	n := e.order.len()
	if n-e.retired >= e.settings.MaxPoints {
		return nil, 0
	}
	p := e.newPoint(s)
	e.points.put(key, n)
	e.stats.Points++
	return p, n
}

// advance fires everything that is due up to clock, in the order of time.
func (e *Engine) advance(clock int64) {
	forward := clock > e.clock
	for {
		next, t := e.due(clock)
		if t == nil {
			break
		}
		if !e.watching && e.watchAt != 0 && e.watchAt <= next {
			e.settle()
			continue
		}
		e.clock = max(e.clock, next)
		e.closeRow(t)
	}
	if !e.watching && e.watchAt != 0 && e.watchAt <= clock {
		e.settle()
	}
	e.clock = max(e.clock, clock)
	e.expire(clock)
	if len(e.echo.noting) > 0 && clock >= e.echo.due {
		e.listen(clock)
	}
	if forward && len(e.awaited) > 0 {
		e.expireEffects(clock)
	}
}

// due finds the row that is overdue for longest.
func (e *Engine) due(clock int64) (int64, *ticker) {
	var first *ticker
	for _, t := range e.tickers {
		if t.open && t.deadline <= clock && (first == nil || t.deadline < first.deadline) {
			first = t
		}
	}
	if first == nil {
		return 0, nil
	}
	return first.deadline, first
}

// settle ends learning: models are fitted to what was kept.
func (e *Engine) settle() {
	if e.watching {
		return
	}
	e.watching = true
	if e.start != 0 {
		e.learned = max(e.clock, e.watchAt) - e.start
	}
	e.drop() // what is learned of must be whole
	e.fit()
}

// report takes in what a device says a point is. It tells whether that is what
// it said before.
func (e *Engine) report(p *point, s *detect.Sample) (same bool) {
	was, had := p.value, p.has()
	same = had && s.Value == was && s.Flags == p.flags && s.HasFlags == p.hasFlags()
	if !had {
		// Of the time before, nothing is known: no value has lasted since then.
		p.changed = s.Time
	}
	if p.shared() {
		if x := e.sourceOf(s.Series); x != nil {
			x.value, x.flags, x.hasFlags = s.Value, s.Flags, s.HasFlags
		}
	}
	for i := range p.alarms {
		p.alarms[i].held = false
	}
	if e.watching && p.tally != nil {
		e.learnLate(p, s.Time, s.Value)
	}
	if t := p.tally; t != nil {
		rested := t.motion == still
		t.observe(p, s)
		if rested && t.motion != still && !e.watching {
			e.echo.moved(p)
		}
		if p.lone != nil && had && s.Value != was {
			e.learnLone(p, s, was)
		}
	}
	if p.profile != nil {
		e.judge(p, s)
	} else if e.watching {
		e.stats.Unlearned++
	}
	e.judgeCovert(p, s)
	e.effect(p, s, was, had)
	if s.Value != was || !had {
		p.changed = s.Time
		if p.follows != nil || p.prompted != nil || !e.watching {
			e.changedTo(p, s)
		}
	}
	p.value, p.flags = s.Value, s.Flags
	p.set(markValue, true)
	p.set(markFlags, s.HasFlags)
	e.pace(p, s.Time)
	return same
}

// sorted returns the points in the order of their keys.
func (e *Engine) sorted() []*point {
	out := make([]*point, 0, e.order.len())
	for _, p := range e.each() {
		out = append(out, p)
	}
	inOrder(out)
	return out
}

// inOrder puts points in the order of their keys.
func inOrder(points []*point) {
	slices.SortStableFunc(points, func(a, b *point) int { return keyOf(a.series).compare(keyOf(b.series)) })
}
