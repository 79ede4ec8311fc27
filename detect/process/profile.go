package process

import (
	"math"
	"slices"

	"github.com/weir-ics/weir/detect"
)

// nature is what kind of quantity a point is.
type nature uint8

const (
	// natureUnknown has shown too little.
	natureUnknown nature = iota
	natureConstant
	natureState
	natureCounter
	natureContinuous
	// natureDrifting is continuous and wanders: its range says nothing.
	natureDrifting
)

var natureNames = [...]string{"unknown", "constant", "state", "counter", "continuous", "drifting"}

func (n nature) String() string { return natureNames[n] }

// profile is the model of one point by itself. Constants of the same value may
// share one (see sharing), so what it says itself is not changed in place.
type profile struct {
	nature nature
	// flags are the combinations of quality flags that are normal, nFlags how
	// many.
	nFlags uint8
	flags  [maxFlags]uint8
	moves  bool
	// n is how many values, seconds how much time it rests on.
	n       uint32
	seconds float32
	// states are the values of a constant or state.
	states []visited
	// shape is what there is of other points; never nil.
	*shape
	// transitions has bit from*8+to for each change of a state that was seen, if
	// moves tells that it has several values.
	transitions uint64
}

const maxFlags = 8

// visited is a value of a state, how often it was come to, and the longest time
// that it lasted.
type visited struct {
	value  float64
	dwell  int64
	visits uint32
}

// shape is the model of a quantity. Points that have none share noShape.
type shape struct {
	// What each value is held against comes first.
	//
	// limitLow and limitHigh come from the tag list.
	limitLow, limitHigh float64
	// low and high are the range; infinite if it is not judged.
	low, high float64
	// center and spread are the learned mean and deviation, drift how far the
	// level has wandered from there, pace how far it may in one row.
	center, spread, drift, pace float64
	// step is the largest move that is normal, 0 if that is not judged.
	step float64
	// rest is how long it may stand still, in nanoseconds, 0 if that is not
	// judged.
	rest int64
	// lattice is the decimal step that a value must leave to show that it is not
	// rounded more coarsely than grain, 0 when one has.
	lattice float64
	// noiseLow and noiseHigh bound the logarithm of the mean square of second
	// differences; equal if that is not judged. noise gathers those of now.
	noiseLow, noiseHigh float64
	noise               noise
	// surprise is that of a value just outside of the range.
	surprise float64
	// seenLow and seenHigh are the extremes that were seen.
	seenLow, seenHigh float64
	// grain is the median move. A live value that is rounded more coarsely than
	// that is no longer what was learned.
	grain float64
}

// round gives the estimates the precision with which they are saved, so that a
// model judges the same before and after. The grain is rounded up: what moves by
// exactly so much must not be finer than it.
func (s *shape) round() {
	if s == noShape {
		return
	}
	for _, v := range [...]*float64{&s.low, &s.high, &s.surprise, &s.center, &s.spread, &s.drift, &s.pace, &s.seenLow, &s.seenHigh, &s.step, &s.noiseLow, &s.noiseHigh} {
		*v = short(*v)
	}
	if g := short(s.grain); g < s.grain {
		s.grain = float64(math.Nextafter32(float32(g), math.MaxFloat32))
	} else {
		s.grain = g
	}
}

// noShape judges nothing. It is never written.
var noShape = &shape{low: math.Inf(-1), high: math.Inf(1), limitLow: math.Inf(-1), limitHigh: math.Inf(1)}

// unrest is how far a value at rest moves by its noise, at most.
func (s *shape) unrest() float64 {
	if s.noiseLow >= s.noiseHigh {
		return 0
	}
	return 3 * noiseDeviation(s.noiseHigh)
}

// noiseDeviation turns the logarithm of a mean square of second differences into
// the deviation of the noise: independent values make it six times as large.
func noiseDeviation(l float64) float64 { return math.Exp(l/2) / math.Sqrt(6) }

// bounds returns the range, wider on the side to which the level has wandered.
func (s *shape) bounds() (low, high float64) {
	return s.low + math.Min(0, s.drift), s.high + math.Max(0, s.drift)
}

// seen returns the extremes of what was seen.
func (f *profile) seen() (low, high float64) {
	if len(f.states) == 0 {
		return f.seenLow, f.seenHigh
	}
	low, high = math.Inf(1), math.Inf(-1)
	for _, s := range f.states {
		low, high = math.Min(low, s.value), math.Max(high, s.value)
	}
	return low, high
}

// knows tells whether a value is one of those of a constant or state.
func (f *profile) knows(v float64) bool {
	if f == nil {
		return false
	}
	for i := range f.states {
		if near(f.states[i].value, v) {
			return true
		}
	}
	return false
}

// noiseLength is over how many values noise is measured.
const noiseLength = 32

// noise gathers second differences.
type noise struct {
	sum  float64
	n    int
	prev [2]float64
}

// add takes a value; it gives the mean square of length second differences when
// it has them.
func (z *noise) add(v float64, length int) (float64, bool) {
	if z.n >= 2 {
		d := v - 2*z.prev[1] + z.prev[0]
		z.sum += d * d
	}
	z.prev[0], z.prev[1] = z.prev[1], v
	z.n++
	if z.n < length+2 {
		return 0, false
	}
	mean := z.sum / float64(z.n-2)
	z.sum, z.n = 0, 2
	return mean, true
}

// repeat takes a value n more times. From the third on it is no second difference: as
// far as no stretch ends, they need only be counted.
func (z *noise) repeat(v float64, n uint32) {
	for ; n > 0 && (z.n < 2 || z.prev != [...]float64{v, v} || z.n+int(n) >= noiseLength+2); n-- {
		z.add(v, noiseLength)
	}
	z.n += int(n)
}

// judge holds a report against the profile.
func (e *Engine) judge(p *point, s *detect.Sample) {
	f := p.profile
	v := s.Value
	if s.HasFlags && f.nFlags > 0 {
		e.judgeFlags(p, s)
	}
	if bad := v < f.limitLow || v > f.limitHigh; bad || p.alarming(KindLimit) {
		e.hold(p, s, KindLimit, bad, 1, func() words { return limitWords(p, f, v) })
	}
	switch f.nature {
	case natureConstant, natureState:
		e.judgeState(p, s)
	case natureCounter:
		e.judgeCounter(p, s)
	case natureContinuous, natureDrifting:
		e.judgeContinuous(p, s)
	}
}

func (e *Engine) judgeState(p *point, s *detect.Sample) {
	f := p.profile
	bad := true
	at := 0
	for i := range f.states {
		if near(f.states[i].value, s.Value) {
			bad, at = false, i
			break
		}
	}
	if bad && !p.alarming(KindState) && len(f.states) < maxStates && e.explained(p, s.Time) {
		// The command that did it was judged; its effect is normal from now on.
		own := *f
		own.states = append(slices.Clip(f.states), visited{value: s.Value, visits: 1})
		own.transitions = allMoves
		own.nature = natureState
		p.profile = &own
		return
	}
	if bad || p.alarming(KindState) {
		e.hold(p, s, KindState, bad, 1, func() words { return stateWords(p, f, s.Value) })
	}
	if f.moves && !bad {
		e.judgeMoves(p, s, at)
	}
}

const (
	// allMoves is what transitions are when nothing is known of them.
	allMoves = ^uint64(0)
	// longDwell is how many times the longest stay of learning is too long.
	longDwell = 3
)

// judgeMoves holds a change of state, and the stay in one, against what was seen.
func (e *Engine) judgeMoves(p *point, s *detect.Sample, at int) {
	f := p.profile
	if p.has() && p.value != s.Value {
		for from := range f.states {
			if near(f.states[from].value, p.value) && f.transitions>>(from*8+at)&1 == 0 && !e.explained(p, s.Time) {
				bad := true
				e.hold(p, s, KindTransition, bad, 1, func() words { return transitionWords(p, f, s.Value) })
				return
			}
		}
	}
	if p.alarming(KindTransition) {
		e.hold(p, s, KindTransition, false, 1, nil)
	}
	limit := longDwell*f.states[at].dwell + 10*p.interval
	bad := f.states[at].visits >= enoughVisits && f.states[at].dwell > 0 && p.value == s.Value && s.Time-p.changed > limit
	if bad || p.alarming(KindDwell) {
		e.holdSince(p, s, KindDwell, bad, 1, p.changed, func() words { return dwellWords(p, f, s, f.states[at].dwell) })
	}
}

// near tells whether two values are the same but for rounding.
func near(a, b float64) bool {
	return a == b || math.Abs(a-b) <= 1e-6*math.Max(math.Abs(a), math.Abs(b))
}

func (e *Engine) judgeCounter(p *point, s *detect.Sample) {
	f := p.profile
	if !p.has() {
		return
	}
	d := s.Value - p.value
	back := d < 0 && !wraps(p.value, s.Value)
	if back || p.alarming(KindCounterBack) {
		e.hold(p, s, KindCounterBack, back, 1, func() words { return counterBackWords(p, f, s.Value) })
	}
	fast := f.step > 0 && d > f.step
	still := f.rest > 0 && d == 0 && s.Time-p.changed > f.rest
	if fast || still || p.alarming(KindCounter) {
		e.hold(p, s, KindCounter, fast || still, 1, func() words { return counterWords(p, f, s, d) })
	}
}

func (e *Engine) judgeContinuous(p *point, s *detect.Sample) {
	f := p.profile
	v := s.Value
	if f.lattice > 0 && !onLattice(v, f.lattice) {
		f.lattice = 0
	}
	if p.replay != nil {
		e.judgeReplay(p, s)
	}
	if f.pace > 0 && !p.alarming(KindRange) && (p.relation == nil || !p.relation.alarm.active) {
		f.drift += f.pace * cut((v-f.center-f.drift)/f.spread, 1)
	}
	low, high := f.bounds()
	if bad := v < low || v > high; bad || p.alarming(KindRange) {
		e.hold(p, s, KindRange, bad, holdRows, func() words { return rangeWords(p, f, v) })
		if bad && p.followed(KindRange) {
			slack := (f.seenHigh-f.seenLow)/4 + f.unrest()
			f.low, f.high = math.Min(f.low, v-slack), math.Max(f.high, v+slack)
		}
	}
	if !p.has() {
		return
	}
	if f.step > 0 {
		moved := math.Abs(v-p.value) > f.step && (p.interval == 0 || s.Time-p.time < 5*p.interval/2)
		driven := moved && e.explained(p, s.Time)
		// Where a command moved it out of its range, that says it all.
		bad := moved && !(driven && (v < low || v > high))
		if bad || p.alarming(KindRate) {
			e.hold(p, s, KindRate, bad, holdRows, func() words { return rateWords(p, f, v) })
		}
		if driven {
			// It is being moved: that is no noise.
			f.noise = noise{}
		}
	}
	if f.rest > 0 {
		bad := v == p.value && s.Time-p.changed > f.rest && f.lattice == 0
		if bad || p.alarming(KindStuck) {
			e.holdSince(p, s, KindStuck, bad, 1, p.changed, func() words { return stuckWords(p, f, s) })
		}
	}
	if f.noiseLow < f.noiseHigh {
		if r := p.relation; r != nil && r.alarm.active && !p.alarming(KindNoise) {
			// What disturbs it is told already.
			f.noise = noise{}
			return
		}
		length := noiseLength
		if p.alarming(KindNoise) {
			// Whether it is over is seen from fewer values.
			length = noiseLength / 4
		}
		if ms, ok := f.noise.add(v, length); ok {
			l := logNoise(ms, f)
			bad := f.lattice == 0 && (l < f.noiseLow || l > f.noiseHigh)
			if bad || p.alarming(KindNoise) {
				e.hold(p, s, KindNoise, bad, 1, func() words { return noiseWords(p, f, l) })
			}
		}
	}
}

// latticeOf is the largest decimal step under ten times as large as twice a grain.
func latticeOf(grain float64) float64 {
	if !(grain > 0) || math.IsInf(grain, 0) {
		return 0
	}
	return math.Pow(10, math.Floor(math.Log10(2*grain))+1)
}

// onLattice tells whether v is a multiple of step, but for what single precision
// leaves open.
func onLattice(v, step float64) bool {
	x := v / step
	return math.Abs(x-math.Round(x)) <= 1e-6*math.Max(1, math.Abs(x))
}

// logNoise is the logarithm of a mean square, bounded where nothing moved.
func logNoise(ms float64, f *profile) float64 {
	floor := accuracy * (f.seenHigh - f.seenLow) / 100
	return math.Log(ms + floor*floor + 1e-300)
}

func (e *Engine) judgeFlags(p *point, s *detect.Sample) {
	f := p.profile
	q := quality(p.series.Kind, s.Flags)
	bad := true
	for _, known := range f.flags[:f.nFlags] {
		if known == q {
			bad = false
		}
	}
	if bad || p.alarming(KindQuality) {
		e.hold(p, s, KindQuality, bad, 1, func() words { return flagWords(p, f, q) })
	}
}
