package process

import (
	"math"
	"slices"
)

// A visitor is a point that is polled more often than those that it may explain.
// Between two of their rows it has several of its own.
type visitor struct {
	point *point
	// sum and n add up its values since the last row.
	sum float64
	n   int
	// coarse tells that its values between two rows are not known: their mean is
	// then taken to be that of the two.
	coarse bool
}

// meet takes in a row of the pace that the point keeps itself.
func (v *visitor) meet() {
	v.sum += v.point.value
	v.n++
}

// take gives the value at the end of a slower row, and the mean since the one
// before, in which it was before.
func (v *visitor) take(before float64) (last, mean float64) {
	last = v.point.value
	mean = last
	switch {
	case v.coarse:
		mean = (last + before) / 2
	case v.n > 0:
		mean = v.sum / float64(v.n)
	}
	v.sum, v.n = 0, 0
	return last, mean
}

// candidate is a visitor while learning, with what it was in the rows of the
// history that it visits.
type candidate struct {
	visitor
	before     float64
	last, mean column
}

const (
	// maxCandidates bounds how many points of other paces are tried as explanation of
	// those of one pace, maxVisits how many there are over all paces. Those that move
	// first are taken.
	maxCandidates = 512
	maxVisits     = 1024
)

// visits is how many candidates there is room for: they may take an eighth of it.
func (r *room) visits() int { return min(maxVisits, r.budget/(4*fewestRows)/16) }

// invite looks for points of faster paces that move, as candidates to explain
// those of t.
func (e *Engine) invite(t *ticker) {
	for _, u := range e.tickers {
		if u.interval >= t.interval {
			continue
		}
		for i, p := range u.points {
			if p == nil || p.ticker != u || int(p.column) != i || p.tally == nil || p.tally.nStates < 2 {
				continue
			}
			if _, known := t.invited[p]; known {
				continue
			}
			if len(t.history.candidates) >= maxCandidates || e.visits >= e.room.visits() {
				e.stats.Uninvited++
				if t.invited == nil {
					t.invited = make(map[*point]bool)
				}
				t.invited[p] = false
				continue
			}
			e.welcome(t, p)
		}
	}
}

// welcome makes p a candidate to explain what t holds. Until it moved it was what
// it was first.
func (e *Engine) welcome(t *ticker, p *point) *candidate {
	if t.invited == nil {
		t.invited = make(map[*point]bool)
	}
	t.invited[p] = true
	from := 0
	for from < len(t.history.times) && t.history.times[from] < p.tally.first {
		from++
	}
	first := float32(p.tally.states[0])
	c := &candidate{visitor: visitor{point: p}, before: p.value, last: column{only: first, from: int32(from)}, mean: column{only: first, from: int32(from)}}
	t.history.candidates = append(t.history.candidates, c)
	p.ticker.away = append(p.ticker.away, &c.visitor)
	e.visits++
	return c
}

// add keeps what c was in a row of the history that it visits, if the row is kept.
func (c *candidate) add(h *history, kept bool) {
	last, mean := c.take(c.before)
	c.before = last
	if kept {
		n := len(h.times)
		c.last.put(h.room, n, float32(last))
		if !c.coarse {
			c.mean.put(h.room, n, float32(mean))
		}
	}
}

// guest is a visitor that explains the members of a relation.
type guest struct {
	visitor
	// mean and spread standardise it, of its changes from row to row if drifting.
	mean, spread float64
	drifting     bool
	// before is what it was in the last row.
	before float64
	// values are what it explains with.
	values [guestColumns]float64
}

// guestColumns is how many explaining values a guest has: now, the mean since the
// last row, and at the last row.
const guestColumns = 3

// maxGuests is how many points of other paces explain a relation at most.
const maxGuests = 12

// step takes in that a row ends. It tells whether the guest was there: reported,
// with at least one row of its own pace since the last.
func (g *guest) step() bool {
	there := g.n > 0 && g.point.has() && !g.point.absent()
	last, mean := g.take(g.before)
	base := g.mean
	if g.drifting {
		base += g.before
	}
	now, since := (last-base)/g.spread, (mean-base)/g.spread
	if !g.point.believable(now, g.mean, g.spread, g.drifting) || !g.point.believable(since, g.mean, g.spread, g.drifting) {
		now, since = g.values[0], g.values[1] // as in the row before
	}
	g.values = [guestColumns]float64{now, since, g.values[0]}
	g.before = last
	return there
}

// stepGuests takes a row in, and tells whether enough rows in a row had all
// guests.
func (r *relation) stepGuests() bool {
	if len(r.guests) == 0 {
		return true
	}
	all := true
	for i := range r.guests {
		g := &r.guests[i]
		all = g.step() && all
		copy(r.visits[guestColumns*i:], g.values[:])
	}
	if r.met++; !all {
		r.met = 0
	}
	return r.met > lags
}

// settleGuests lets the guests of r hear of the rows of their own paces.
func (r *relation) settleGuests() {
	for i := range r.guests {
		g := &r.guests[i]
		if t := g.point.ticker; t != nil {
			t.away = append(t.away, &g.visitor)
		}
	}
}

// retypeCandidates puts p in the place of the registers that it is made of where
// these are candidates. Of the time between two rows the registers do not tell
// what p was.
func (e *Engine) retypeCandidates(p *point, parts []*point, decode func([]uint16) float64) {
	for _, t := range e.tickers {
		h := &t.history
		columns := make([]*column, len(parts))
		moved := false
		for k, o := range parts {
			// What was never invited has not moved.
			columns[k] = &column{only: float32(o.value)}
			for _, c := range h.candidates {
				if c.point == o {
					columns[k], moved = &c.last, true
				}
			}
		}
		if !moved {
			continue
		}
		var out column
		decoded := p.ticker != nil && p.ticker != t && p.tally.nStates > 1 && out.decode(h, columns, decode)
		h.candidates = slices.DeleteFunc(h.candidates, func(c *candidate) bool {
			gone := slices.Contains(parts, c.point)
			if gone {
				e.room.release(&c.last)
				e.room.release(&c.mean)
				e.visits--
			}
			return gone
		})
		if decoded && e.room.open(out.moved.width()) {
			c := e.welcome(t, p)
			c.coarse, c.last = true, out
		}
	}
}

// decode makes a column of those of the registers that it is made of. It tells
// whether there was anything to decode.
func (c *column) decode(h *history, parts []*column, decode func([]uint16) float64) bool {
	out := make([]float32, len(h.times))
	var r [4]uint16
	known := false
	for i := range out {
		whole := true
		for k, o := range parts {
			v := o.at(i)
			whole = whole && !math.IsNaN(v)
			r[k] = uint16(v)
		}
		v := decode(r[:len(parts)])
		switch {
		case whole && !math.IsNaN(v) && !math.IsInf(v, 0):
			out[i] = float32(v)
			known = true
		case known:
			out[i] = out[i-1]
		default:
			c.from = int32(i) + 1
		}
	}
	c.moved = valuesOf(out)
	return known
}
