package process

import (
	"fmt"
	"math"
	"slices"

	"github.com/weir-ics/weir/protocols"
)

// rule is something that always held between a state and a measurement: the
// state is value whenever the measurement is below (or above) a bound. Control
// logic looks like that, and so do interlocks.
type rule struct {
	state, measure *point
	value          float64
	above          bool
	bound          float64
	// rows and visits are in how many rows, on how many separate occasions, the
	// measurement was beyond the bound.
	rows, visits int
	broken       int
	c            condition
	active       bool
}

const (
	// enoughVisits is how often a state must have been come to for its longest
	// stay to mean something; by the rule of three (Hanley and Lippman-Hand 1983)
	// what never happened then happens in less than 3/enoughVisits of all.
	enoughVisits = 12
	// enoughOccasions is the same for a rule; by it a rule is broken on less than
	// an eighth of all occasions.
	enoughOccasions = 24
	// rulesPerState and maxRules bound the rules.
	rulesPerState = 4
	maxRules      = 4096
	// brokenRows is for how many rows a rule must be broken: the state may be
	// polled just before it follows.
	brokenRows = 2
)

// findRules looks for rules among the points of each relation of t.
func (e *Engine) findRules(t *ticker) {
	for _, r := range t.relations {
		for i := range r.members {
			state := r.members[i].point
			if state.profile.nature != natureState || len(state.profile.states) < 2 {
				continue
			}
			var found []*rule
			for j := range r.members {
				m := r.members[j].point
				if m.profile.nature != natureContinuous {
					continue
				}
				for _, visit := range state.profile.states {
					v := visit.value
					for _, above := range [...]bool{false, true} {
						if x := findRule(&t.history, state, m, v, above); x != nil {
							found = append(found, x)
						}
					}
				}
			}
			slices.SortStableFunc(found, func(a, b *rule) int { return b.rows - a.rows })
			for _, x := range found[:min(len(found), rulesPerState)] {
				if e.nRules < maxRules {
					e.nRules++
					t.rules = append(t.rules, x)
				}
			}
		}
	}
}

// findRule finds the bound beyond which the state was always v. The bound is set
// back from where the state first differed by twice as much as that place
// differs between the halves of learning.
func findRule(h *history, state, measure *point, v float64, above bool) *rule {
	sc, mc := &h.columns[state.column], &h.columns[measure.column]
	sign := 1.0
	if above {
		sign = -1
	}
	n := len(h.times)
	ends := [2]float64{math.Inf(1), math.Inf(1)}
	others, other := 0, false
	for i := range n {
		s := sc.at(i)
		differs := !near(s, float64(float32(v))) && !math.IsNaN(s)
		if differs {
			k := i * 2 / n
			ends[k] = math.Min(ends[k], sign*mc.at(i))
			if !other {
				others++
			}
		}
		other = differs
	}
	if others < enoughOccasions {
		return nil // the bound would be chance
	}
	if math.IsInf(ends[0], 0) || math.IsInf(ends[1], 0) {
		return nil
	}
	f := measure.profile
	bound := math.Min(ends[0], ends[1]) - 2*math.Abs(ends[0]-ends[1]) - accuracy*math.Max(math.Abs(f.seenLow), math.Abs(f.seenHigh))
	x := &rule{state: state, measure: measure, value: v, above: above, bound: sign * bound}
	// Only when the state has differed in between is it another occasion: noise about
	// the bound is none.
	fresh := true
	for i := range n {
		if s := sc.at(i); !near(s, float64(float32(v))) && !math.IsNaN(s) {
			fresh = true
		}
		if sign*mc.at(i) < bound {
			x.rows++
			if fresh {
				x.visits++
			}
			fresh = false
		}
	}
	if x.visits < enoughOccasions || x.rows < 2*enoughOccasions {
		return nil
	}
	return x
}

// String writes the rule as an operator would say it.
func (r *rule) String() string {
	side := "below"
	if r.above {
		side = "above"
	}
	return fmt.Sprintf("%s is %s whenever %s is %s %s", r.state.name(), r.state.quantity(r.value), r.measure.name(), side, r.measure.quantity(r.bound))
}

// Rules returns what always held in learning between states and measurements,
// as sentences with the evidence.
func (e *Engine) Rules() []string {
	var out []string
	for _, t := range e.tickers {
		for _, r := range t.rules {
			out = append(out, fmt.Sprintf("%s (%d rows on %d occasions)", r, r.rows, r.visits))
		}
	}
	slices.Sort(out)
	return out
}

// judgeRule holds the row of t against r.
func (e *Engine) judgeRule(r *rule, t *ticker) {
	if !r.state.has() || !r.measure.has() || r.state.absent() || r.measure.absent() {
		return
	}
	sign := 1.0
	if r.above {
		sign = -1
	}
	bad := sign*r.measure.value < sign*r.bound && !near(r.state.value, r.value)
	at := e.clock
	_, frame := r.state.lastSeen()
	_, other := r.measure.lastSeen()
	frame = max(frame, other)
	if !bad {
		if r.active {
			f := e.finding(r.state, &r.c, at, frame)
			f.Key, f.Clear = r.id(), true
			f.Title = "It holds again that " + r.String()
			e.findings = append(e.findings, f)
		}
		r.broken, r.active = 0, false
		return
	}
	r.broken++
	if r.broken == 1 {
		r.c = condition{kind: KindInvariant, since: t.start, firstFrame: frame}
		r.c.points = nil
	}
	if r.broken < brokenRows || r.broken&(r.broken-1) != 0 {
		return
	}
	r.active = true
	f := e.finding(r.state, &r.c, at, frame)
	f.Key = r.id()
	f.Points = append(f.Points, r.measure.ref())
	f.Score = math.Log10(float64(r.visits))
	if r.visits < 2*enoughOccasions {
		f.Severity = protocols.Low
	}
	f.Title = r.state.name() + " breaks a rule of the control logic"
	f.Observed = fmt.Sprintf("%s is %s while %s is %s.", r.state.name(), r.state.quantity(r.state.value), r.measure.name(), r.measure.quantity(r.measure.value))
	f.Expected = fmt.Sprintf("%s, as in %d rows on %d occasions.", r, r.rows, r.visits)
	f.Explanation = fmt.Sprintf("In learning %s, on each of %d occasions; now %s is %s while %s is %s.",
		r, r.visits, r.state.name(), r.state.quantity(r.state.value), r.measure.name(), r.measure.quantity(r.measure.value))
	e.findings = append(e.findings, f)
}

// id names the rule for the key of its alert, without the bound, which differs
// from learning to learning.
func (r *rule) id() string {
	side := "<"
	if r.above {
		side = ">"
	}
	return fmt.Sprintf("%s=%s|%s%s", r.state.id(), number(r.value), r.measure.id(), side)
}
