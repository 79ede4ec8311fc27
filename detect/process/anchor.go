package process

import (
	"fmt"
	"math"
)

// anchor predicts a member from the others alone, without its own past. With its
// own past a prediction is sharper, but follows a value that was moved by an
// offset or drifts away slowly; an anchor does not.
type anchor struct {
	// weights are like those of the member, those of its own past 0 too.
	weights []float32
	// scale is the deviation of the residual, lean where it balances, bias and pace
	// as in member.
	scale, lean, bias, pace float64
	// mean is the mean residual over the longest horizon, limit its threshold, clip
	// where a single one is cut off.
	mean, limit, clip float64
	sums              sums
	// expected is what was expected in the last row, standardised; ratio the part
	// of a threshold that was reached.
	expected, ratio float64
}

// anchored is up to what part of the member's own deviation the residual of an
// anchor says anything.
const anchored = 0.7

// enoughForAnchor is how many independent residuals show what an anchor leaves
// open: days of a process that changes over hours do not.
const enoughForAnchor = 500

// anchorWeights takes from the inverse of the Gram matrix the weights of member j
// on all that is not its own past: the inverse is reduced by the rows of what is
// left out (its Schur complement). These are lags = 2; all of the inverse is given.
func anchorWeights(inverse []float64, j, d int, weights []float64) bool {
	f := len(weights)
	row := func(i int) []float64 { return inverse[i*f : (i+1)*f] }
	now, first, second := row(j), row(d+j), row(2*d+j)
	a, b, c := first[d+j], first[2*d+j], second[2*d+j]
	det := a*c - b*b
	if !(det > 0) {
		return false
	}
	u, v := now[d+j], now[2*d+j]
	p, q := (c*u-b*v)/det, (a*v-b*u)/det
	pivot := now[j] - p*u - q*v
	if !(pivot > 0) {
		return false
	}
	for i := range weights {
		weights[i] = -(now[i] - p*first[i] - q*second[i]) / pivot
	}
	weights[j], weights[d+j], weights[2*d+j] = 0, 0, 0
	return true
}

// calibrate finds scale and thresholds from residuals of rows that were not
// fitted.
func (a *anchor) calibrate(residuals []float64, given terms) {
	n := float64(len(residuals))
	a.scale = math.Max(math.Sqrt(square(residuals)/n), 1e-6)
	center, _ := middle(residuals)
	a.lean = center / a.scale
	a.pace = wander * a.scale / float64(max(given.rows, 1))
	length := horizons[sumRows]
	v := longVariance(residuals, a.scale, 2*allowance)
	means := make([]float64, len(residuals))
	average(means, residuals, a.scale, 8, length)
	_, sd := meanDeviation(means)
	limit := given.student(given.row/2, math.Max(3, n/(2*math.Max(length, v)))) * sd
	a.clip = saturation * limit
	average(means, residuals, a.scale, a.clip, length)
	for i, m := range means {
		means[i] = math.Abs(m)
	}
	a.limit = math.Max(limit, tail(means, int(length), given.row, 1))
	a.sums.allowance = allowance
	a.sums.calibrate(residuals, a.scale, a.lean, given)
}

// test holds the standardised value z against s, which is what the others make
// expected.
func (a *anchor) test(s, z float64, follow following) {
	a.expected = s
	residual := (z - s) / a.scale
	switch follow {
	case followCommand:
		a.bias += (z - s) / followRows
	case followAtOnce:
		a.bias += z - s
		residual = a.lean
	case followWander:
		a.bias += a.pace * cut(residual-a.lean, 1)
	}
	a.mean += alphas[sumRows] * (cut(residual, a.clip) - a.mean)
	a.ratio = max(math.Abs(a.mean)/a.limit, a.sums.add(residual-a.lean, a.mean))
}

// tie keeps the anchor of m if it says anything, and if m needs one.
func (m *member) tie(residuals []float64, settled []bool, given terms) {
	a := m.anchor
	if a == nil {
		return
	}
	calm := make([]float64, 0, len(residuals))
	for i, v := range residuals {
		if settled[i] {
			calm = append(calm, v)
		}
	}
	if m.drifting || !m.measured() || m.point.commands != nil || math.Sqrt(square(calm)/float64(len(calm))) > anchored ||
		float64(len(calm))/correlationRows(calm) < enoughForAnchor {
		m.anchor = nil
		return
	}
	a.calibrate(calm, given)
}

// testAnchor holds m against its anchor, which makes s expected.
func (m *member) testAnchor(s, z float64, follow following, there bool) {
	if !there || m.displaced() || m.strange {
		m.anchor.forget()
		return
	}
	m.anchor.test(s, z, follow)
}

// testHabit holds m against its habit.
func (m *member) testHabit(clock []float64, z float64, follow following, there bool) {
	if !there || m.displaced() {
		m.habit.forget()
		return
	}
	s := m.habit.bias
	for i, w := range m.habit.weights {
		s += float64(w) * clock[i]
	}
	m.habit.test(s, z, follow)
}

// forget lets go of what added up.
func (a *anchor) forget() { a.mean, a.ratio, a.sums.up, a.sums.down = 0, 0, 0, 0 }

// savedAnchor is an anchor in the baseline.
type savedAnchor struct {
	Scale float64 `json:"scale"`
	Lean  float64 `json:"lean"`
	Bias  float64 `json:"bias,omitempty"`
	Limit float64 `json:"limit"`
	Clip  float64 `json:"clip"`
	Sum   float64 `json:"sum"`
}

func (a *anchor) save() (*savedAnchor, []float32) {
	if a == nil {
		return nil, nil
	}
	return &savedAnchor{a.scale, a.lean, a.bias, a.limit, a.clip, a.sums.limit}, a.weights
}

func loadAnchor(s *savedAnchor, weights []float32, columns, rows int) (*anchor, error) {
	if s == nil {
		return nil, nil
	}
	if len(weights) != columns || !(s.Scale > 0) || !(s.Limit > 0) || !(s.Clip > 0) || !(s.Sum > 0) {
		return nil, fmt.Errorf("an anchor with %d weights, want %d, and thresholds %g and %g", len(weights), columns, s.Limit, s.Sum)
	}
	a := &anchor{weights: weights, scale: s.Scale, lean: s.Lean, bias: s.Bias, limit: s.Limit, clip: s.Clip}
	a.pace = wander * a.scale / float64(max(rows, 1))
	a.sums.allowance, a.sums.limit = allowance, s.Sum
	return a, nil
}
