package process

import (
	"cmp"
	"math"
	"slices"
)

// A listing is what is known of the candidates to explain the points of a
// ticker, made once for all its groups.
type listing struct {
	candidates []*candidate
	// samples are what each candidate may explain with, standardised, in some rows: its
	// value, its mean, and the change of either.
	samples [][4][]float32
	// rows are those rows, as places in the data of any relation of the ticker.
	rows []int
}

const (
	// sampleRows is in how many rows candidates are compared with what is left
	// unexplained.
	sampleRows = 1024
	// chance is how many deviations of a correlation by chance one must reach to be
	// looked into.
	chance = 4
	// shortlist is how many candidates are fitted together; the maxGuests best stay.
	shortlist = 2 * maxGuests
	// helps is to what part the mean square of what is left of a member must fall for
	// guests to explain it.
	helps = 0.95
)

// eligible tells whether a point has what relations are made of: c is what it was
// in n rows.
func (p *point) eligible(c *column, n int) bool {
	switch {
	case c.moved == nil, c.refused, c.moved.len()-int(c.from) < 3*n/4:
		return false
	case p.profile.nature == natureCounter, p.profile.nature == natureUnknown && p.tally.nStates > maxStates:
		return false
	}
	return p.tally.nStates > maxStates || p.tally.ups+p.tally.downs >= 2
}

// list makes the listing of t, nil if there are no candidates. from are the rows
// of the history that have the rows before them.
func (t *ticker) list(from []int) *listing {
	h := &t.history
	l := new(listing)
	for _, c := range h.candidates {
		if p := c.point; !p.retired() && p.ticker != nil && p.ticker.interval < t.interval && p.profile != nil && p.eligible(&c.last, len(h.times)) {
			l.candidates = append(l.candidates, c)
		}
	}
	if len(l.candidates) == 0 || len(from) < settleRows {
		return nil
	}
	slices.SortStableFunc(l.candidates, func(a, b *candidate) int { return keyOf(a.point.series).compare(keyOf(b.point.series)) })
	n := min(sampleRows, len(from))
	for i := range n {
		l.rows = append(l.rows, i*len(from)/n)
	}
	for _, c := range l.candidates {
		last, mean := c.series(h)
		var s [4][]float32
		x := make([]float64, n)
		for k := range s {
			for i, at := range l.rows {
				row := from[at]
				switch k {
				case 0:
					x[i] = last[row]
				case 1:
					x[i] = mean[row]
				case 2:
					x[i] = last[row] - last[row-1]
				case 3:
					x[i] = mean[row] - mean[row-1]
				}
			}
			center, sd := meanDeviation(x)
			s[k] = make([]float32, n)
			for i := range x {
				if sd > 0 {
					s[k][i] = float32((x[i] - center) / sd)
				}
			}
		}
		l.samples = append(l.samples, s)
	}
	return l
}

// series returns what c was in the rows of a history, without gaps.
func (c *candidate) series(h *history) (last, mean []float64) {
	n := len(h.times)
	last, mean = make([]float64, n), make([]float64, n)
	for i := range n {
		last[i] = c.last.at(max(i, min(int(c.last.from), n-1)))
		if c.coarse {
			mean[i] = (last[i] + last[max(i-1, 0)]) / 2
			continue
		}
		mean[i] = c.mean.at(max(i, min(int(c.mean.from), n-1)))
	}
	return last, mean
}

// promising returns the places of the candidates that what is left unexplained of
// the members goes with most, in turns a member, the best first.
func (l *listing) promising(residuals [][]float64) []int {
	type match struct {
		place int
		like  float64
	}
	n := len(l.rows)
	limit := chance / math.Sqrt(float64(n))
	orders := make([][]match, len(residuals))
	for j, all := range residuals {
		r := make([]float64, n)
		for i, at := range l.rows {
			r[i] = all[at]
		}
		_, sd := meanDeviation(r)
		if sd == 0 {
			continue
		}
		for k := range l.candidates {
			best := 0.0
			for _, s := range l.samples[k] {
				sum := 0.0
				for i, v := range s {
					sum += float64(v) * r[i]
				}
				best = math.Max(best, math.Abs(sum)/(float64(n)*sd))
			}
			if best > limit {
				orders[j] = append(orders[j], match{k, best})
			}
		}
		slices.SortStableFunc(orders[j], func(a, b match) int { return cmp.Compare(b.like, a.like) })
	}
	var out []int
	for rank := 0; rank < len(l.candidates) && len(out) < shortlist; rank++ {
		for _, order := range orders {
			if rank < len(order) && len(out) < shortlist && !slices.Contains(out, order[rank].place) {
				out = append(out, order[rank].place)
			}
		}
	}
	return out
}

// guestOf makes a guest of c, with its explaining values in the rows of h; false
// if it explains nothing.
func (c *candidate) guestOf(h *history, salt int) (g guest, values [][guestColumns]float64, ok bool) {
	last, mean := c.series(h)
	g = guest{visitor: visitor{point: c.point, coarse: c.coarse}}
	n := len(last)
	_, spread := meanDeviation(last)
	if c.point.tally.nStates > 4 {
		// As for members (see standardise).
		sum := square(last)
		floor := math.Sqrt(12) * math.Max(jitterFloor*spread, accuracy*math.Sqrt(sum/float64(n)))
		for i := range last {
			last[i] += floor * dither(salt, i)
			mean[i] += floor * dither(salt+1, i)
		}
	}
	even := h.even(last)
	g.drifting = float64(len(even))/correlationRows(even) < enoughIndependent
	x := last
	if g.drifting {
		x = make([]float64, n)
		for i := 1; i < n; i++ {
			x[i] = last[i] - last[i-1]
		}
	}
	g.mean, g.spread = meanDeviation(x)
	if g.spread == 0 {
		return g, nil, false
	}
	values = make([][guestColumns]float64, n)
	for i := 1; i < n; i++ {
		base := g.mean
		if g.drifting {
			base += last[i-1]
		}
		values[i] = [guestColumns]float64{(last[i] - base) / g.spread, (mean[i] - base) / g.spread, values[i-1][0]}
	}
	return g, values, true
}

// letIn gives r the guests at some places of l, and returns their explaining values
// in the rows of h.
func (r *relation) letIn(l *listing, places []int, h *history) [][]float64 {
	r.guests = nil
	var columns [][][guestColumns]float64
	for _, k := range places {
		// Columns of members have numbers below that.
		if g, values, ok := l.candidates[k].guestOf(h, 1<<30+2*k); ok {
			r.guests = append(r.guests, g)
			columns = append(columns, values)
		}
	}
	visits := make([][]float64, len(h.times))
	flat := make([]float64, len(visits)*guestColumns*len(columns))
	for i := range visits {
		visits[i], flat = flat[:guestColumns*len(columns)], flat[guestColumns*len(columns):]
		for k := range columns {
			copy(visits[i][guestColumns*k:], columns[k][i][:])
		}
	}
	return visits
}

// host lets points of faster paces explain the members of r where that predicts
// what was not fitted better. own is what was fitted without. It
// returns their explaining values too, nil if there are none.
func (r *relation) host(t *ticker, l *listing, z [][]float64, own *fitted) (*fitted, [][]float64) {
	if l == nil {
		return own, nil
	}
	places := l.promising(own.free.best)
	if len(places) == 0 {
		return own, nil
	}
	h := &t.history
	visits := r.letIn(l, places, h)
	if len(places) > maxGuests {
		with := crossValidate(design(r, h, z, visits), len(z))
		// What they explain of all members, as parts of what is left of each.
		shares := make([]float64, len(r.guests))
		first := len(z) * (1 + lags)
		for j := range z {
			for i, w := range with.weights[j][first : first+guestColumns*len(r.guests)] {
				shares[i/guestColumns] += float64(w) * float64(w) / math.Max(with.free.error[j], 1e-9)
			}
		}
		order := make([]int, len(r.guests))
		for k := range order {
			order[k] = k
		}
		slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(shares[b], shares[a]) })
		order = order[:min(len(order), maxGuests)]
		best := make([]int, 0, maxGuests)
		for _, k := range order {
			for _, place := range places {
				if l.candidates[place].point == r.guests[k].point {
					best = append(best, place)
				}
			}
		}
		slices.Sort(best)
		visits = r.letIn(l, best, h)
	}
	with := crossValidate(design(r, h, z, visits), len(z))
	better := false
	for j := range z {
		better = better || with.free.error[j] < helps*own.free.error[j] || with.tied.error[j] < helps*own.tied.error[j]
	}
	if !better {
		r.guests = nil
		return own, nil
	}
	with.keepBetter(own, len(z)*(1+lags), guestColumns*len(r.guests), helps)
	return with, visits
}
