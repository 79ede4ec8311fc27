package process

import (
	"math"
	"net/netip"

	"github.com/weir-ics/weir/detect"
	"github.com/weir-ics/weir/protocols"
)

// point is one value that a device reports, and what is known of it.
type point struct {
	series *detect.Series

	// The value now: has tells that there was one; changed is when it last
	// became another.
	has           bool
	value         float64
	time, changed int64
	frame         uint64
	client        netip.Addr
	// Pace: gaps is there until it is known.
	gaps           *gaps
	paced, regular bool
	interval       int64
	ticker         *ticker
	column         int
	epoch          uint32
	missed         uint8
	required       bool
	// retired tells that another point took its place.
	retired bool
	// engine is whose point it is: a Series remembers its point.
	engine *Engine
	// tally is there while learning, profile once there is something to judge
	// by.
	tally   *tally
	profile *profile
	// relation and member are where it is related to others.
	relation *relation
	member   int
	commands *commands
	replay   *replay
	covert   *covert
	// obeying is in how many more rows the point is what it was commanded to be.
	obeying uint8
	alarms  []condition
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
	flags       [8]uint8
	nFlags      uint8
	first, last int64
	longestRest int64
	restStarted int64
}

func (t *tally) observe(p *point, s *detect.Sample) {
	v := s.Value
	if t.n == 0 {
		t.low, t.high, t.whole = v, v, true
		t.first, t.restStarted, t.entered = s.Time, s.Time, s.Time
		t.resolution = math.Inf(1)
	}
	t.n++
	t.looked++
	t.last = s.Time
	t.low, t.high = min(t.low, v), max(t.high, v)
	t.whole = t.whole && v == math.Trunc(v)
	if s.HasFlags {
		t.flag(quality(p.series.Kind, s.Flags))
	}
	if t.n > 1 {
		d := v - p.value
		switch {
		case d > 0:
			t.ups++
		case d < 0:
			if wraps(p.value, v) {
				t.wraps++
			} else {
				t.downs++
			}
		}
		if d != 0 {
			t.step = max(t.step, math.Abs(d))
			t.resolution = min(t.resolution, math.Abs(d))
			t.longestRest = max(t.longestRest, s.Time-t.restStarted)
			t.restStarted = s.Time
		}
		if d == 0 {
			return
		}
	}
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
		return true, m.surprise, m.low, m.high
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
