package process

import (
	"math"
	"net/netip"

	"github.com/weir-ics/weir/detect"
	"github.com/weir-ics/weir/protocols"
)

// point is one value that a device reports, and what is known of it. What each
// report touches comes first, to be in two cache lines.
type point struct {
	// The value now: has tells that there was one; changed is when it last
	// became another. flags are its quality flags, if there are any.
	value         float64
	time, changed int64
	frame         uint64
	has           bool
	flags         uint8
	hasFlags      bool
	wire          wire
	// Pace, as far as it is known.
	paced, regular bool
	// block and place are what it is reported with, if it is reported in no
	// other way; shared tells that it is reported in several.
	shared bool
	// obeying is in how many more rows the point is what it was commanded to be.
	obeying uint8
	block   *block
	// tally is there while learning, profile once there is something to judge
	// by.
	tally   *tally
	profile *profile
	*rare
	// place is that in the block, column that in the ticker.
	place, column int32
	interval      int64
	ticker        *ticker
	series        *detect.Series
	// from is who read it last, and whose point it is: a Series remembers its point.
	from *reader
}

// wire is how a point comes.
type wire uint8

const (
	// wireRegister is a register, or several; wireRaw one that is read as it is on
	// the wire.
	wireRegister wire = 1 << iota
	wireRaw
)

func (w wire) register() bool { return w&wireRegister != 0 }
func (w wire) raw() bool      { return w&wireRaw != 0 }

// reader is a client that reads points of an engine. Points share it: an address
// of their own would make each a sixth larger.
type reader struct{ client netip.Addr }

// gone is that of points whose place another point took.
var gone = new(reader)

// retired tells that another point took the place of p.
func (p *point) retired() bool { return p.from == gone }

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
		r = &reader{client}
		e.readers[client] = r
	}
	e.last = r
	return r
}

// rare is what most points do not have: it is noRare until own is asked to make
// it. It is there to be read; what is written goes through own.
type rare struct {
	// gaps is there until the pace is known.
	gaps     *gaps
	commands *commands
	replay   *replay
	covert   *covert
	// relation and member are where it is related to others.
	relation *relation
	member   int16
	alarms   []condition
	*ties
}

// ties are what points have that have to do with commands, or came late: it is
// noTies until tie is asked to make it, because fewer still have any of it.
type ties struct {
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
	*p = point{series: s, rare: noRare, from: e.last, tally: newTally()}
	p.classify()
	return p
}

// classify keeps what its series tells of it.
func (p *point) classify() {
	k := p.series.Kind
	if k != protocols.KindInputRegister && k != protocols.KindHoldingRegister {
		return
	}
	p.wire = wireRegister
	if raw(p.series.Type) {
		p.wire |= wireRaw
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

// shed lets go of the rare if there is nothing in it any more.
func (p *point) shed() {
	r := p.rare
	if r.ties != noTies && *r.ties == (ties{}) {
		r.ties = noTies
	}
	if r.gaps == nil && r.commands == nil && r.replay == nil && r.covert == nil && r.relation == nil && len(r.alarms) == 0 && r.ties == noTies {
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
