package process

import (
	"math"
	"slices"
	"strings"

	"github.com/weir-ics/weir/detect/extreme"
)

// fit makes all models from what was learned, and lets go of the history.
func (e *Engine) fit() {
	e.retired = e.order.len()
	for range e.each() {
		e.retired--
	}
	for _, p := range e.each() {
		if p.tally != nil && p.tally.nStates > maxStates {
			e.continuous++
		}
	}
	budget := e.budget()
	e.fitProfiles(budget)
	for _, t := range e.tickers {
		t.away, t.invited = nil, nil
	}
	for _, t := range e.tickers {
		e.relate(t, budget)
		e.findRules(t)
	}
	e.fitConsequences()
	for _, p := range e.each() {
		if p.tally != nil {
			p.own().tally = nil
			p.shed()
		}
	}
	for _, t := range e.tickers {
		e.fitReplays(t, budget) // last: it lets go of the history as it goes
		t.history = history{}
	}
}

// fitProfiles makes the profiles of all points, some at a time: of those that say the
// same, all but one are let go of soon.
func (e *Engine) fitProfiles(budget float64) {
	const batch = 4096
	var same sharing
	var made [batch]*profile
	some := make([]*point, 0, batch)
	take := func() {
		sideBySide(len(some), func(i int) {
			if made[i] = nil; some[i].tally != nil {
				made[i] = e.profileOf(some[i], budget)
				made[i].shape.round()
			}
		})
		for i, p := range some {
			if made[i] != nil {
				p.profile = same.find(made[i])
			}
		}
		some = some[:0]
	}
	for _, p := range e.each() {
		if some = append(some, p); len(some) == batch {
			take()
		}
	}
	take()
}

// profileOf makes the profile of a point, from what is known of it alone. budget is how many false alarms a
// second each test may give.
func (e *Engine) profileOf(p *point, budget float64) *profile {
	t := p.tally
	if t.motion == still {
		own := *t
		own.motion = motionFrom(p.value, t.first)
		t = &own
	}
	f := &profile{n: t.n, seconds: threeDigits(float64(t.last-t.first) / 1e9), nFlags: t.nFlags, flags: t.flags, shape: noShape}
	e.limit(p, f)
	changes := t.ups + t.downs + t.wraps
	switch {
	case t.n < probes:
		f.ownShape(t)
		return f
	case t.nStates == 1:
		f.nature = natureConstant
	case t.whole && t.ups >= probes && t.downs == 0:
		f.nature = natureCounter
	case t.countsSlowly() && p.commands == nil:
		f.nature = natureCounter
		f.ownShape(t)
		f.step = slowCount
		return f
	case t.nStates >= 3 && t.nStates <= maxStates && changes > t.looked/5:
		// It flickers between neighbouring steps: noise, not states.
		f.nature = natureContinuous
	case t.nStates <= maxStates && settled(t):
		f.nature = natureState
	case t.nStates <= maxStates || strings.HasPrefix(p.series.Type, "bits"):
		// Few values that are no states, or single bits, which are no quantity:
		// only what was seen is kept.
		f.ownShape(t)
		return f
	default:
		f.nature = natureContinuous
	}
	if f.nature == natureConstant || f.nature == natureState {
		visits := uint32(0)
		for i, v := range t.states[:t.nStates] {
			f.states = append(f.states, visited{value: v, visits: t.visits[i]})
			visits += t.visits[i]
		}
		if f.nature == natureState {
			f.moves, f.transitions = true, t.transitions
			for i := range f.states {
				f.states[i].dwell = t.dwell[i]
			}
			if visits < 50 || t.nStates < 3 {
				f.transitions = allMoves
			}
			f.states[t.state].dwell = max(t.dwell[t.state], t.last-t.entered)
		}
		return f
	}
	f.ownShape(t)
	values, interval := p.valuesOf()
	if changes < probes || len(values) < settleRows {
		f.nature = natureUnknown
		return f
	}
	even := values
	if p.ticker != nil {
		even = p.ticker.history.even(values)
	}
	f.fitTails(even, interval, budget, t)
	p.profile = f
	p.fitDigits(values, budget*float64(interval)/1e9)
	return f
}

const (
	// fewCounts is how many steps up by one, and none down, show a counter of
	// rare events, such as the starts of a pump.
	fewCounts = 3
	// slowCount is by how many such a counter may go on at once: several polls
	// may be lost.
	slowCount = 4
)

// countsSlowly tells whether a point went up by one now and then, and never
// moved otherwise.
func (t *tally) countsSlowly() bool {
	return t.whole && t.ups >= fewCounts && t.downs == 0 && t.wraps == 0 && t.step == 1
}

// ownShape gives the profile a shape with the extremes that were seen.
func (f *profile) ownShape(t *tally) {
	own := *f.shape
	f.shape = &own
	f.seenLow, f.seenHigh = t.low, t.high
}

// limit takes over the engineering limits of p.
func (e *Engine) limit(p *point, f *profile) {
	if e.settings.Limits == nil {
		return
	}
	low, high := e.settings.Limits(p.series)
	if math.IsInf(low, -1) && math.IsInf(high, 1) {
		return
	}
	own := *f.shape
	own.limitLow, own.limitHigh = low, high
	f.shape = &own
}

// settled tells whether a point with few values is a state that has shown them.
// Values that are not whole numbers have to come back to be believed: a pump's
// flow that was seen on three days is no state.
func settled(t *tally) bool {
	if t.whole {
		return t.n >= 4*uint32(t.nStates)
	}
	for _, v := range t.visits[:t.nStates] {
		if v < 3 {
			return false
		}
	}
	return true
}

// series returns the values of a column, oldest first.
func (c *column) series() []float64 {
	if c.moved == nil {
		return nil
	}
	n := c.moved.len()
	out := make([]float64, 0, n)
	for i := int(c.from); i < n; i++ {
		out = append(out, c.moved.at(i))
	}
	return out
}

// fitTails finds range, step, rest and noise from a series of rows.
func (f *profile) fitTails(x []float64, interval int64, budget float64, t *tally) {
	row := budget * float64(interval) / 1e9 // false alarms a row
	f.surprise = -math.Log10(math.Max(row, 1e-300))
	tau := correlationRows(x)
	effective := float64(len(x)) / tau
	margin := math.Max(t.resolution, accuracy*math.Max(math.Abs(t.low), math.Abs(t.high)))
	if f.nature == natureContinuous {
		if effective < enoughIndependent {
			f.nature = natureDrifting
		} else {
			block := max(1, int(math.Ceil(tau)))
			f.center, f.spread = middle(x)
			if f.spread > 0 {
				f.pace = wander * f.spread / float64(len(x))
			}
			f.high = math.Max(tail(x, block, row, 1), t.high) + margin
			f.low = -math.Max(tail(x, block, row, -1), -t.low) - margin
			if len(x) < enoughForTails {
				k := studentQuantile(row/2, effective)
				f.high, f.low = math.Max(f.high, f.center+k*f.spread), math.Min(f.low, f.center-k*f.spread)
			}
			if effective < 200 {
				// Too few independent values to know the tails: leave room.
				f.high += (t.high - t.low) / 2
				f.low -= (t.high - t.low) / 2
			}
		}
	}
	steps := make([]float64, 0, len(x))
	rests := make([]float64, 0, 64)
	rest := 0
	for i := 1; i < len(x); i++ {
		d := x[i] - x[i-1]
		if f.nature != natureCounter {
			d = math.Abs(d)
		}
		steps = append(steps, d)
		if d == 0 {
			rest++
			continue
		}
		rests = append(rests, float64(rest))
		rest = 0
	}
	f.step = math.Max(tail(steps, 1, row, 1), t.step) + margin
	if len(steps) < enoughForTails {
		_, sd := meanDeviation(steps)
		f.step = math.Max(f.step, studentQuantile(row/2, effective)*sd)
	}
	f.grain = medianMove(steps)
	f.lattice = latticeOf(f.grain)
	longest := float64(rest)
	for _, r := range rests {
		longest = math.Max(longest, r)
	}
	if changes := float64(len(rests)); changes > 0.1*float64(len(x)) && longest < 0.01*float64(len(x)) {
		limit := math.Max(2*longest, tail(rests, 1, row*float64(len(x))/changes, 1)) + 2*probes
		f.rest = max(int64(limit)*interval, 2*t.longestRest)
	}
	if f.nature != natureCounter {
		f.fitNoise(x, row*noiseLength)
	}
}

// medianMove is the median of the steps that moved, 0 if none did.
func medianMove(steps []float64) float64 {
	moves := slices.DeleteFunc(slices.Clone(steps), func(d float64) bool { return d == 0 })
	if len(moves) == 0 {
		return 0
	}
	slices.Sort(moves)
	return moves[len(moves)/2]
}

// fitNoise finds the normal noise.
func (f *profile) fitNoise(x []float64, p float64) {
	var z noise
	var logs []float64
	for _, v := range x {
		if ms, ok := z.add(v, noiseLength); ok {
			logs = append(logs, logNoise(ms, f))
		}
	}
	if len(logs) < 20 {
		return
	}
	mean, sd := meanDeviation(logs)
	// The mean square of n normal values has a logarithm that spreads by
	// sqrt(2/n); correlated differences by some more.
	sd = math.Max(sd, math.Sqrt(4.0/noiseLength))
	width := studentQuantile(p/2, float64(len(logs)-1)) * sd * math.Sqrt(1+1/float64(len(logs)))
	lo, hi := logs[0], logs[0]
	for _, l := range logs {
		lo, hi = math.Min(lo, l), math.Max(hi, l)
	}
	f.noiseLow, f.noiseHigh = math.Min(mean-width, lo-sd), math.Max(mean+width, hi+sd)
}

// tail returns the value that sign*x exceeds with probability p a row, by peaks
// over threshold on the maxima of blocks of rows, which are as good as
// independent. It does not reach further beyond what was seen than ten times as
// many rows would, because a tail fitted to so few peaks says nothing of it.
func tail(x []float64, block int, p, sign float64) float64 {
	var t extreme.Tail
	largest := math.Inf(-1)
	for i, v := range x {
		largest = math.Max(largest, sign*v)
		if (i+1)%block == 0 {
			t.Observe(largest)
			largest = math.Inf(-1)
		}
	}
	if !math.IsInf(largest, -1) {
		t.Observe(largest)
	}
	fit, ok := t.Fit()
	if !ok {
		return t.Max()
	}
	return fit.Quantile(math.Max(p*float64(block), reach/float64(t.N)))
}

// enoughForTails is how many values show a tail; with fewer, it is also held to
// be as long as Student's t makes it.
const enoughForTails = 2000

// reach is how far a tail may go beyond what was seen.
const reach = 0.1

// enoughIndependent is how many independent values learning must hold for the
// level of a point to be judged. With fewer the level is still wandering, and
// only its changes are judged.
const enoughIndependent = 20

// correlationRows returns over how many rows a series is correlated with itself:
// the integrated autocorrelation time, summed until the autocorrelation falls
// below 0.05 (Sokal 1989).
func correlationRows(x []float64) float64 {
	n := len(x)
	mean, sd := meanDeviation(x)
	if sd == 0 {
		return 1
	}
	variance := sd * sd * float64(n)
	tau := 1.0
	for lag := 1; lag < n/2; lag++ {
		c := 0.0
		for i := lag; i < n; i++ {
			c += (x[i] - mean) * (x[i-lag] - mean)
		}
		c /= variance
		if c < 0.05 {
			break
		}
		tau += 2 * c
		if float64(n)/tau < enoughIndependent {
			break
		}
	}
	return tau
}

// middle returns the deviation of x and the place about which its parts on either
// side, cut off at one deviation, balance (Huber 1964).
func middle(x []float64) (center, sd float64) {
	center, sd = meanDeviation(x)
	if sd == 0 {
		return center, 0
	}
	for range 20 {
		sum := 0.0
		for _, v := range x {
			sum += cut((v-center)/sd, 1)
		}
		center += sd * sum / float64(len(x))
	}
	return center, sd
}

func meanDeviation(x []float64) (mean, sd float64) {
	for _, v := range x {
		mean += v
	}
	mean /= float64(len(x))
	for _, v := range x {
		sd += (v - mean) * (v - mean)
	}
	return mean, math.Sqrt(sd / float64(len(x)))
}
