package process

import (
	"math"

	"gonum.org/v1/gonum/mat"
)

// A habit is what the time alone makes expected of a member: the time of day, and
// whether it is a day of rest. It tells that all points which belong together go
// like another hour or another day, when nothing disagrees. It is an anchor whose
// explaining values are those of a season, and 1.

// habitSpan is how long learning must have been for habits to be believed: with less, a
// weekend may be all there was of weekends.
const habitSpan = weekly

const (
	// habitual is up to what part of the member's own deviation the residual of a
	// habit says anything.
	habitual = 0.7
	// habitRoom is how much wider than by learning the thresholds of habits are: one
	// season is not like another. At 1, S of BATADAL is 0.004 less.
	habitRoom = 1.5
)

// fitHabits finds the habits of the members of r.
func (r *relation) fitHabits(h *history, data learned, settled []bool, given terms) {
	if !r.daily || r.lone() || r.seconds < habitSpan.Seconds() {
		return
	}
	times := make([]int64, data.rows)
	for i, from := range data.from {
		times[i] = h.times[from]
	}
	days, _ := fitSeason(season{daily: true}, times, data.z)
	rest := season{daily: true}
	rest.rest, rest.shift = findRest(h.times, data.from, days)
	residuals, weights := fitSeason(rest, times, data.z)
	if residuals == nil {
		return
	}
	for j := range r.members {
		m := &r.members[j]
		if m.drifting || !m.measured() || m.point.commands != nil || math.Sqrt(square(residuals[j])/float64(data.rows)) > habitual {
			continue
		}
		calm := make([]float64, 0, data.rows)
		for i, v := range residuals[j] {
			if settled[i] {
				calm = append(calm, v)
			}
		}
		if float64(len(calm))/correlationRows(calm) < enoughForAnchor {
			continue
		}
		m.habit = &anchor{weights: single(weights[j])}
		m.habit.calibrate(calm, given)
		m.habit.limit *= habitRoom
		m.habit.sums.limit *= habitRoom
		r.habits = rest
	}
}

// fitSeason predicts members by a season, and returns what is left of parts that
// were not fitted, and the weights; nil if the times do not show the season.
func fitSeason(s season, times []int64, z [][]float64) (residuals, weights [][]float64) {
	n, d, f := len(times), len(z[0]), s.columns()+1
	x := newMatrix(n, f)
	for i, at := range times {
		s.into(x.row(i), at)
		x.row(i)[f-1] = 1
	}
	residuals, weights = make([][]float64, d), make([][]float64, d)
	for j := range d {
		residuals[j] = make([]float64, n)
	}
	for k := range folds + 1 {
		lo, hi := k*n/folds, (k+1)*n/folds
		if k == folds {
			lo, hi = 0, 0 // all of it
		}
		a := x.gram(0, lo)
		a.AddSym(a, x.gram(hi, n))
		var c mat.Cholesky
		for i := range f {
			a.SetSym(i, i, a.At(i, i)+1e-3*float64(n))
		}
		if !c.Factorize(a) {
			return nil, nil
		}
		b := mat.NewDense(f, d, nil)
		for i := range n {
			if i >= lo && i < hi {
				continue
			}
			for p, v := range x.row(i) {
				sums := b.RawRowView(p)
				for j, z := range z[i] {
					sums[j] += v * z
				}
			}
		}
		var w mat.Dense
		if c.SolveTo(&w, b) != nil {
			return nil, nil
		}
		for j := range d {
			weights[j] = mat.Col(nil, j, &w)
			for i := lo; i < hi; i++ {
				residuals[j][i] = z[i][j] - dot(weights[j], x.row(i))
			}
		}
	}
	return residuals, weights
}

// tellTime puts the explaining values of habits together.
func (r *relation) tellTime(at int64) {
	if r.habits.daily {
		r.habits.into(r.clock, at)
		r.clock[len(r.clock)-1] = 1
	}
}
