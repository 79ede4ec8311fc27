package process

import (
	"cmp"
	"math"
	"slices"
)

const (
	// perEcho bounds the points that are known to follow commands of one kind,
	// beside the states of the same device.
	perEcho = 4
	// chanceMoves is in which part of all times what follows a command may come
	// without one. Of 8 commands it then follows all by chance in 1 of 2.5e10 cases.
	chanceMoves = 0.05
	// enoughWindows is how many stretches without a choice must show what comes by
	// chance; at about maxWindows is looked.
	enoughWindows = 100
	maxWindows    = 400
	// leastMove is the part of the least move of learning that must come.
	leastMove = 0.5
)

// fitEchoes finds what followed commands beyond chance, in other points than
// those that show the command, and makes consequences of it.
func (e *Engine) fitEchoes() {
	x := &e.echo
	groups := make(map[*echoGroup][]follower)
	for _, p := range e.each() {
		c := p.commands
		if c == nil {
			continue
		}
		for _, h := range c.echoes {
			if len(h.occasions) < enoughConsequences {
				continue
			}
			// Its devices' points may have moved since: the last knows most.
			g := h.occasions[len(h.occasions)-1].group
			list, known := groups[g]
			if !known {
				list = x.followers(g)
				groups[g] = list
			}
			e.fitEcho(p, c, h, list)
		}
		c.echoes = nil
	}
	*x = echoes{}
	for _, p := range e.each() {
		if p.lone != nil {
			p.tie().lone = nil
			p.shed()
		}
	}
}

// fitEcho finds what follows one kind of command.
func (e *Engine) fitEcho(p *point, c *commands, h *echo, list []follower) {
	var found []*consequence
	for i := range list {
		q := list[i].point
		if q == p || q.profile == nil || q.ticker == nil {
			continue
		}
		var k *consequence
		switch q.profile.nature {
		case natureContinuous, natureDrifting:
			k = h.measure(list, i)
		case natureState:
			if q.series.Device != p.series.Device {
				k = h.state(&list[i])
			}
		}
		if k != nil {
			k.cause, k.value, k.turn = p, h.value, h.turn
			k.only = k.by != 0 && k.n == k.of && k.never()
			found = append(found, k)
		}
	}
	if len(found) == 0 {
		return
	}
	far := func(k *consequence) int {
		if k.effect.series.Device != p.series.Device {
			return 1
		}
		return 0
	}
	gated := func(k *consequence) int {
		if k.gate != nil {
			return 1
		}
		return 0
	}
	slices.SortStableFunc(found, func(a, b *consequence) int {
		return cmp.Or(cmp.Compare(gated(a), gated(b)), cmp.Compare(far(a), far(b)), cmp.Compare(a.longest, b.longest), cmp.Compare(b.n, a.n),
			keyOf(a.effect.series).compare(keyOf(b.effect.series)))
	})
	o := c.outcomeOf(h.value, h.turn)
	if o == nil {
		c.outcomes = append(c.outcomes, outcome{value: h.value, turn: h.turn})
		o = &c.outcomes[len(c.outcomes)-1]
	}
	for _, k := range found[:min(len(found), perEcho)] {
		if e.connect(k) {
			o.consequences = append(o.consequences, k)
		}
	}
}

// measure finds how a measurement moves after the commands: a move that came each
// time and seldom comes by itself; or one that does while a state is what it is.
func (h *echo) measure(list []follower, at int) *consequence {
	y := &list[at]
	q := y.point
	var moves [len(delays)][]float64
	low, high := math.Inf(1), math.Inf(-1)
	for _, o := range h.occasions {
		from := y.value(o, 0)
		if !math.IsNaN(from) {
			low, high = math.Min(low, from), math.Max(high, from)
		}
		for k := range delays {
			moves[k] = append(moves[k], y.value(o, k+1)-from)
		}
	}
	var best *consequence
	for k, delay := range delays {
		if delay < q.interval {
			continue
		}
		best = plainer(best, follows(q, delay, moves[k], nil, 0), 2)
	}
	if best != nil {
		best.low, best.high = low, high
	}
	var gated *consequence
	for k, delay := range delays {
		if delay < q.interval || !promising(q, delay, moves[k]) {
			continue
		}
		for g := range list {
			gate := &list[g]
			f := gate.point.profile
			if g == at || f == nil || f.nature != natureState || gate.point.ticker != q.ticker {
				continue
			}
			for _, s := range f.states {
				var d, others []float64
				low, high := math.Inf(1), math.Inf(-1)
				for i, o := range h.occasions {
					if near(gate.value(o, 0), float64(float32(s.value))) {
						d = append(d, moves[k][i])
						if from := y.value(o, 0); !math.IsNaN(from) {
							low, high = math.Min(low, from), math.Max(high, from)
						}
					} else {
						others = append(others, moves[k][i])
					}
				}
				if r := follows(q, delay, d, gate.point, s.value); r != nil && r.opens(others) {
					r.low, r.high = low, high
					gated = plainer(gated, r, 2)
				}
			}
		}
	}
	return plainer(best, gated, 4)
}

// plainer is which of two moves says more: b, which is later or comes less often,
// must be so many times as large. Either may be nil.
func plainer(a, b *consequence, times float64) *consequence {
	if a == nil || b != nil && math.Abs(b.by) >= times*math.Abs(a.by) {
		return b
	}
	return a
}

// opens tells whether the gate of k is one: of the moves while it was shut, most
// did not come.
func (k *consequence) opens(others []float64) bool {
	n, came := 0, 0
	for _, d := range others {
		if !math.IsNaN(d) {
			n++
			if d*k.by >= k.by*k.by {
				came++
			}
		}
	}
	return n > 0 && 2*came < n
}

// promising tells whether enough of the moves d are such as are seldom without a
// command, so that it is worth to look when they come.
func promising(q *point, delay int64, d []float64) bool {
	all := windows(q, delay, nil, 0)
	if len(all) < enoughWindows {
		return false
	}
	slices.Sort(all)
	low, high := all[int(chanceMoves*float64(len(all)))], all[int((1-chanceMoves)*float64(len(all)))]
	up, down := 0, 0
	for _, v := range d {
		if v > high {
			up++
		} else if v < low {
			down++
		}
	}
	return max(up, down) >= enoughConsequences
}

// follows tells whether the moves d of q show that it follows: all, but as few as
// alwaysFollows allows, go one way, and half of the least of them is seldom seen
// without a command. Only what came while gate was is counts, if there is one.
func follows(q *point, delay int64, d []float64, gate *point, is float64) *consequence {
	list := make([]float64, 0, len(d))
	up := 0
	for _, v := range d {
		if math.IsNaN(v) {
			continue
		}
		list = append(list, v)
		if v > 0 {
			up++
		}
	}
	n := len(list)
	if n < enoughConsequences {
		return nil
	}
	sign := 1.0
	if 2*up < n {
		sign = -1
	}
	for i := range list {
		list[i] *= sign
	}
	slices.Sort(list)
	missed := int((1 - alwaysFollows) * float64(n))
	least := list[missed]
	if !(least > 0) || n-missed < enoughConsequences {
		return nil
	}
	by := leastMove * least
	if f := q.profile; by < accuracy*math.Max(math.Abs(f.seenLow), math.Abs(f.seenHigh)) {
		return nil // less than what its instrument tells apart
	}
	all := windows(q, delay, gate, is)
	chance := 0
	for _, v := range all {
		if sign*v >= by {
			chance++
		}
	}
	if len(all) < enoughWindows || float64(chance) > chanceMoves*float64(len(all)) {
		return nil
	}
	for missed > 0 && list[missed-1] >= by {
		missed--
	}
	return &consequence{effect: q, by: short(sign * by), n: uint32(n - missed), of: uint32(n), longest: delay, gate: gate, gateIs: is}
}

// windows returns how far q moved in stretches as long as delay, spread over all of
// learning; those that begin while gate was is, if there is one.
func windows(q *point, delay int64, gate *point, is float64) []float64 {
	var out []float64
	step := 1
	if gate == nil {
		step = max(1, len(q.ticker.history.times)/maxWindows)
	}
	eachWindow(q, delay, step, gate, is, func(from, to float64) { out = append(out, to-from) })
	return out
}

// eachWindow calls f with what q was at the beginning and at the end of stretches
// as long as delay, one in step of them.
func eachWindow(q *point, delay int64, step int, gate *point, is float64, f func(from, to float64)) {
	t := q.ticker
	h := &t.history
	y := &h.columns[q.column]
	rows := int(math.Round(float64(delay) / float64(t.interval)))
	n := len(h.times) - rows
	if rows < 1 || n < 1 || y.moved == nil {
		return
	}
	var g *column
	if gate != nil {
		g = &h.columns[gate.column]
	}
	for i := 0; i < n; i += step {
		j := i + rows
		if h.sequences[j]-h.sequences[i] != int64(rows) || g != nil && !near(g.at(i), float64(float32(is))) {
			continue
		}
		if from, to := y.at(i), y.at(j); !math.IsNaN(from) && !math.IsNaN(to) {
			f(from, to)
		}
	}
}

// state finds which value a state of another device comes to after the commands,
// each time and seldom by itself.
func (h *echo) state(y *follower) *consequence {
	q := y.point
	for k, delay := range delays {
		if delay < q.interval {
			continue
		}
		for _, s := range q.profile.states {
			to := float64(float32(s.value))
			n, of := 0, 0
			for _, o := range h.occasions {
				from, is := y.value(o, 0), y.value(o, k+1)
				if math.IsNaN(from) || math.IsNaN(is) || near(from, to) {
					continue
				}
				of++
				if near(is, to) {
					n++
				}
			}
			if n < enoughConsequences || float64(n) < alwaysFollows*float64(of) {
				continue
			}
			came, all := 0, 0
			eachWindow(q, delay, 1, nil, 0, func(from, is float64) {
				if !near(from, to) {
					all++
					if near(is, to) {
						came++
					}
				}
			})
			if all >= enoughWindows && float64(came) <= chanceMoves*float64(all) {
				return &consequence{effect: q, to: s.value, n: uint32(n), of: uint32(of), longest: delay}
			}
		}
	}
	return nil
}
