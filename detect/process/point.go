package process

import (
	"math"
	"net/netip"

	"github.com/weir-ics/weir/detect"
	"github.com/weir-ics/weir/protocols"
)

// point is one value that a device reports, and what is known of it. There are up to a
// million, most of which never change, so it is one line of the cache, and what few have,
// or many have in common, is behind a pointer.
type point struct {
	// value is the value now, changed when it last became another.
	value   float64
	changed int64
	series  *detect.Series
	// profile is there once there is something to judge by.
	profile *profile
	// These are to be read; who writes goes through keep, own and tie, and heardOf.
	*tempo
	*rare
	*heard
	// column is its place in the ticker, place that in the block.
	column int32
	place  uint16
	marks
	// flags are its quality flags, if there are any.
	flags uint8
}

// marks are what is true of a point.
type marks uint8

const (
	// markValue tells that it has a value, markFlags that this has flags.
	markValue marks = 1 << iota
	markFlags
	// markShared tells that it is reported in several ways.
	markShared
	// markRegister is a register, or several; markRaw one that is read as it is on the
	// wire.
	markRegister
	markRaw
	// markHeard tells that what was heard is its own, and may be written.
	markHeard
)

func (m marks) has() bool      { return m&markValue != 0 }
func (m marks) hasFlags() bool { return m&markFlags != 0 }
func (m marks) shared() bool   { return m&markShared != 0 }
func (m marks) register() bool { return m&markRegister != 0 }
func (m marks) raw() bool      { return m&markRaw != 0 }

// set makes some marks be there or not.
func (m *marks) set(which marks, is bool) {
	*m &^= which
	if is {
		*m |= which
	}
}

// tempo is how often points come, as far as it is known, and the ticker in which they
// are. Those of which it is the same share one; it is never written.
type tempo struct {
	interval       int64
	ticker         *ticker
	paced, regular bool
}

// maxTempos bounds how many are found again.
const maxTempos = 4096

// noTempo is that of points of which nothing is known.
var noTempo = new(tempo)

// keep gives p a tempo.
func (e *Engine) keep(p *point, t tempo) {
	if last := e.lastTempo; last != nil && *last == t {
		p.tempo = last // that of the one before it
		return
	}
	known := e.tempos[t]
	if known == nil {
		if len(e.tempos) >= maxTempos {
			clear(e.tempos) // points keep theirs
		}
		own := t // only what is kept is allocated
		known = &own
		e.tempos[t] = known
	}
	p.tempo, e.lastTempo = known, known
}

// heard is when, in which frame and by whom a point was last reported. Points of a block
// have that of the block, but for those that came by themselves once.
type heard struct {
	time  int64
	frame uint64
	from  *reader
	// block is what the point is reported with, if it is reported in no other way.
	block *block
}

// noneHeard is that of loaded points that were not reported yet, gone that of those whose
// place another point took.
var noneHeard, gone = &newReader(netip.Addr{}).unheard, &newReader(netip.Addr{}).unheard

// retired tells that another point took the place of p.
func (p *point) retired() bool { return p.heard == gone }

// heardOf is what was heard of p, to be written.
func (e *Engine) heardOf(p *point) *heard {
	if p.marks&markHeard == 0 {
		own := e.heard.add()
		*own = *p.heard
		p.heard = own
		p.marks |= markHeard
	}
	return p.heard
}

// hearAlone takes in that p was reported by itself. Those that one message reports for the
// first time share what was heard: most are about to be found in a block.
func (e *Engine) hearAlone(p *point, s *detect.Sample) {
	from := e.reader(s.Client)
	if p.frame == 0 && p.block == nil {
		if h := e.first; h.time != s.Time || h.frame != s.Frame || h.from != from {
			e.first = &heard{time: s.Time, frame: s.Frame, from: from}
		}
		p.heard = e.first
		p.marks &^= markHeard
		return
	}
	h := e.heardOf(p)
	h.time, h.frame, h.from = s.Time, s.Frame, from
}

// hearWith takes in that p was reported as b was, at a time in a frame. What is its own
// stays so: it comes by itself now and then, and would be made anew each time.
func (p *point) hearWith(b *block, at int64, frame uint64) {
	if p.marks&markHeard == 0 {
		p.heard = &b.heard
		return
	}
	h := p.heard
	h.time, h.frame, h.from = at, frame, b.from
}

// reader is a client that reads points of an engine. Points share it.
type reader struct {
	client netip.Addr
	// unheard is that of points that were made when it had read, and not yet reported.
	unheard heard
}

func newReader(client netip.Addr) *reader {
	r := &reader{client: client}
	r.unheard.from = r
	return r
}

// maxReaders bounds how many readers are found again.
const maxReaders = 4096

// reader finds or makes the reader of a client.
func (e *Engine) reader(client netip.Addr) *reader {
	if r := e.last; r.client == client {
		return r
	}
	r := e.readers[client]
	if r == nil {
		if len(e.readers) >= maxReaders {
			clear(e.readers) // points keep theirs
		}
		r = newReader(client)
		e.readers[client] = r
	}
	e.last = r
	return r
}

// rare is what most points do not have: it is noRare until own is asked to make
// it. It is there to be read; what is written goes through own.
type rare struct {
	// tally is there while learning.
	tally   *tally
	replay  *replay
	payload *payload
	*ties
	// relation and member are where it is related to others.
	relation *relation
	member   int16
}

// ties are what points have for a while, for their last digits, or that have to do
// with commands, or came late: it is noTies until tie is asked to make it, because fewer still have any of it.
type ties struct {
	// gaps is there until the pace is known.
	gaps     *gaps
	alarms   []condition
	commands *commands
	digits   *digits
	// follows is the first of what it is the effect of.
	follows *consequence
	// prompted are the values that it only came to after a command.
	prompted *prompt
	// lone is there while learning, if commands are given to its device.
	lone *lone
	// late is there if it was first seen after learning.
	late *late
}

// noTies stands for that of all points that have none. It is never written.
var noTies = new(ties)

// noRare stands for that of all points that have none. It is never written.
var noRare = &rare{ties: noTies}

func (e *Engine) newPoint(s *detect.Series) *point {
	p := e.order.add()
	*p = point{series: s, tempo: noTempo, rare: &rare{tally: newTally(), ties: noTies}, heard: &e.last.unheard}
	p.classify()
	return p
}

// classify keeps what its series tells of it.
func (p *point) classify() {
	k := p.series.Kind
	if k != protocols.KindInputRegister && k != protocols.KindHoldingRegister {
		return
	}
	p.marks |= markRegister
	if raw(p.series.Type) {
		p.marks |= markRaw
	}
}

// own is what p has of the rare, to be written.
func (p *point) own() *rare {
	if p.rare == noRare {
		p.rare = &rare{ties: noTies}
	}
	return p.rare
}

// tie is what p has of the ties, to be written.
func (p *point) tie() *ties {
	if p.own().ties == noTies {
		p.ties = new(ties)
	}
	return p.ties
}

func (x *ties) empty() bool {
	return x.gaps == nil && len(x.alarms) == 0 && x.commands == nil && x.digits == nil && x.follows == nil && x.prompted == nil && x.lone == nil && x.late == nil
}

// shed lets go of the rare if there is nothing in it any more.
func (p *point) shed() {
	r := p.rare
	if r.ties.empty() {
		r.ties = noTies
	}
	if r.tally == nil && r.replay == nil && r.payload == nil && r.relation == nil && r.ties == noTies {
		p.rare = noRare
	}
}

// gaps are the first times between samples.
type gaps struct {
	last int64
	gap  [probes]int64
	n    int
}

// maxStates is how many different values a state can have.
const maxStates = 6

// tally is what is counted of a point while learning, in constant memory.
type tally struct {
	n uint32
	// looked is at how many of the n values were looked, fewer if the history
	// was thinned out before their type was known.
	looked      uint32
	flags       [8]uint8
	nFlags      uint8
	first, last int64
	// What there is of a point that moves; most never do, and are still.
	*motion
}

// motion is what is counted of the changes of a point.
type motion struct {
	low, high   float64
	states      [maxStates]float64
	visits      [maxStates]uint32
	nStates     uint8 // maxStates+1: more than can be kept
	state       uint8
	transitions uint64           // bit from*8+to
	dwell       [maxStates]int64 // the longest time in each state
	entered     int64
	ups, downs  uint32
	wraps       uint32
	whole       bool // every value was a whole number
	step        float64
	resolution  float64
	longestRest int64
	restStarted int64
}

// still stands for the motion of a point that has had one value only. It is
// never written.
var still = &motion{nStates: 1, whole: true, resolution: math.Inf(1)}

func newTally() *tally { return &tally{motion: still} }

// motionFrom is that of a point that has had the value v since a time.
func motionFrom(v float64, since int64) *motion {
	m := &motion{low: v, high: v, nStates: 1, whole: v == math.Trunc(v), resolution: math.Inf(1), entered: since, restStarted: since}
	m.states[0], m.visits[0] = v, 1
	return m
}

func (t *tally) observe(p *point, s *detect.Sample) {
	v := s.Value
	if t.n == 0 {
		t.first = s.Time
	}
	t.n++
	t.looked++
	t.last = s.Time
	if s.HasFlags {
		t.flag(quality(p.series.Kind, s.Flags))
	}
	d := v - p.value
	if t.n == 1 || d == 0 {
		return
	}
	if t.motion == still {
		t.motion = motionFrom(p.value, t.first)
	}
	t.low, t.high = min(t.low, v), max(t.high, v)
	t.whole = t.whole && v == math.Trunc(v)
	switch {
	case d > 0:
		t.ups++
	case wraps(p.value, v):
		t.wraps++
	default:
		t.downs++
	}
	t.step = max(t.step, math.Abs(d))
	t.resolution = min(t.resolution, math.Abs(d))
	t.longestRest = max(t.longestRest, s.Time-t.restStarted)
	t.restStarted = s.Time
	t.visit(v, s.Time)
}

// visit counts that the point came to a value.
func (t *tally) visit(v float64, at int64) {
	if t.nStates > maxStates {
		return
	}
	i := uint8(0)
	for i < t.nStates && t.states[i] != v {
		i++
	}
	if i == t.nStates {
		t.nStates++
		if i == maxStates {
			return
		}
		t.states[i] = v
	}
	t.visits[i]++
	if t.n > 1 {
		t.transitions |= 1 << (t.state*8 + i)
		t.dwell[t.state] = max(t.dwell[t.state], at-t.entered)
	}
	t.state, t.entered = i, at
}

func (t *tally) flag(f uint8) {
	for _, g := range t.flags[:t.nFlags] {
		if g == f {
			return
		}
	}
	if int(t.nFlags) < len(t.flags) {
		t.flags[t.nFlags] = f
		t.nFlags++
	}
}

// wraps tells whether a fall is that of a 16 or 32-bit counter that ran over.
func wraps(was, is float64) bool {
	for _, end := range [...]float64{1 << 16, 1 << 32} {
		if was < end && was > 0.9*end && is < 0.1*end {
			return true
		}
	}
	return false
}

// quality returns the flags that tell of quality: binary points have their state
// among them (IEEE 1815-2012, 11.6).
func quality(k protocols.PointKind, f uint8) uint8 {
	switch k {
	case protocols.KindBinaryInput, protocols.KindBinaryOutput:
		return f &^ 0x80
	case protocols.KindDoubleBitInput:
		return f &^ 0xC0
	}
	return f
}

// judgement returns what a sample of the point is told: how surprising the point
// was when last judged, and what was expected of it.
func (p *point) judgement() (judged bool, score, low, high float64) {
	if r := p.relation; r != nil && r.ready {
		m := &r.members[p.member]
		return true, m.surprise(), m.low, m.high
	}
	if f := p.profile; f != nil && (!math.IsInf(f.low, 0) || !math.IsInf(f.high, 0)) {
		score := 0.0
		low, high := f.bounds()
		if p.value < low || p.value > high {
			score = f.surprise
		}
		return true, score, low, high
	}
	return false, 0, 0, 0
}
