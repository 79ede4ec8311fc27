package process

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/weir-ics/weir/detect"
	"github.com/weir-ics/weir/protocols"
)

// relationAlarm is the alarm of a relation, while it lasts.
type relationAlarm struct {
	active bool
	// lead is the member that broke the relation first.
	lead int
	c    condition
	peak float64
	// far is the largest part of its threshold that a single residual reached.
	far float64
	// sharpRows is for how many rows a mean has been past the release level, calm
	// for how many none has.
	sharpRows, calm int
	// commanded tells that it began right after a command to a device of the
	// relation.
	commanded bool
	// together tells that only all members together say it, none by itself.
	together bool
	// anchored tells that lead is off its anchor, habitual that it is off its habit.
	anchored, habitual bool
	// doubt is since when some member has been past the release level, with the
	// frame; 0 if none is.
	doubt      int64
	doubtFrame uint64
	// low is for how many rows no member has been past its threshold.
	low int
}

const (
	// briefRows is for how many rows values may disagree before it is more than
	// the moment after a switch, lastingRows before it is severe. Findings are
	// told again at powers of two.
	briefRows   = 4
	lastingRows = 8
	// farAway is how many thresholds a single residual must reach for a brief
	// disagreement to be more than that.
	farAway = 5
)

// blamed is how many members an alarm names at most.
const blamed = 6

// judgeRow judges the row of t that r has taken in, and raises or ends its alarm.
func (e *Engine) judgeRow(r *relation, t *ticker) {
	if !r.judged {
		if r.quiet > 0 && !r.stirred {
			r.stirred = e.relationExplained(r, t.start)
		}
		return
	}
	worst, lead := r.worst, r.lead
	a := &r.alarm
	if worst <= release {
		a.doubt = 0
	} else if a.doubt == 0 {
		a.doubt = t.start
		_, a.doubtFrame = r.members[lead].point.lastSeen()
	}
	if a.active {
		if fresh, is := r.another(worst, lead); is {
			e.agree(r, a)
			lead = fresh
			a.doubt = t.start
			_, a.doubtFrame = r.members[lead].point.lastSeen()
		}
	}
	if !a.active {
		if worst <= 1 {
			if r.calm++; worst > release {
				r.calm = 0
			} else if r.calm >= holdRows {
				r.stirred = false
			}
			e.judgeSlow(r, t)
			return
		}
		if r.slow.active {
			// One of them tells it by itself now.
			e.agree(r, &r.slow)
		}
		e.rouseAll(r)
		*a = relationAlarm{active: true, lead: lead, doubt: a.doubt, doubtFrame: a.doubtFrame}
		a.commanded = r.stirred || e.relationExplained(r, a.doubt)
		r.stirred, r.calm = false, 0
		a.c = condition{kind: KindCorrelation, since: a.doubt, firstFrame: a.doubtFrame, next: 1}
	}
	sharp := 0.0
	for j := range r.members {
		a.far = max(a.far, r.members[j].far())
		sharp = max(sharp, r.members[j].sharp)
	}
	if sharp > release {
		a.sharpRows++
		a.calm = 0
	} else if a.calm++; a.calm >= holdRows {
		a.sharpRows = 0
	}
	e.holdRelation(r, a, worst)
}

// lastFrame is the frame in which a member of r was last reported.
func (r *relation) lastFrame() uint64 {
	last := uint64(0)
	for j := range r.members {
		_, frame := r.members[j].point.lastSeen()
		last = max(last, frame)
	}
	return last
}

// judgeSlow judges all members of r together against what they were, and each
// against its anchor and its habit.
func (e *Engine) judgeSlow(r *relation, t *ticker) {
	worst, lead, together, habitual := r.slowly.worst, r.slowly.lead, r.slowly.together, r.slowly.habitual
	a := &r.slow
	if !a.active {
		if worst <= 1 {
			return
		}
		if together {
			places, _ := r.joint.rank()
			lead = places[0]
		}
		*a = relationAlarm{active: true, lead: lead, together: together, anchored: !together && !habitual, habitual: habitual, commanded: r.stirred || e.relationExplained(r, t.start)}
		a.c = condition{kind: KindCorrelation, since: t.start, firstFrame: r.lastFrame(), next: 1}
	}
	e.holdRelation(r, a, worst)
}

// another tells whether what breaks r now is not what its alarm is about: that had
// been on the decline, and other points lead; or it has lasted for so long that what
// it does to others has been seen, and a point that it does not name joins them. It
// gives the point that leads what is new.
func (r *relation) another(worst float64, lead int) (int, bool) {
	a := &r.alarm
	if worst <= 1 {
		a.low++
		return lead, false
	}
	declined := a.low >= lastingRows
	a.low = 0
	if declined && lead != a.lead && !a.names(r, lead) {
		return lead, true
	}
	if a.c.times < followRows {
		return lead, false
	}
	fresh := -1
	for j := range r.members {
		if q := r.members[j].ratio; q > 1 && (fresh < 0 || q > r.members[fresh].ratio) && !a.names(r, j) {
			fresh = j
		}
	}
	return fresh, fresh >= 0
}

// names tells whether member j of r is among the points that a was told of.
func (a *relationAlarm) names(r *relation, j int) bool {
	return j == a.lead || slices.Contains(a.c.points, r.members[j].point.ref())
}

// holdRelation goes on with an alarm of r, or ends it when it was calm for long
// enough.
func (e *Engine) holdRelation(r *relation, a *relationAlarm, worst float64) {
	if worst <= release {
		if a.c.good++; a.c.good >= holdRows {
			e.agree(r, a)
		}
		return
	}
	a.c.good = 0
	a.c.times++
	grown := worst > 1.5*a.peak
	a.peak = math.Max(a.peak, worst)
	if a.c.times < a.c.next && !grown {
		return
	}
	if a.c.times >= a.c.next {
		a.c.next *= 2
	}
	e.findings = append(e.findings, e.deviation(r, a))
}

// agree ends an alarm of r.
func (e *Engine) agree(r *relation, a *relationAlarm) {
	f := e.finding(r.members[a.lead].point, &a.c, e.clock, r.lastFrame())
	f.Key, f.Clear = a.key(r), true
	f.Title = "The values of " + r.members[a.lead].point.name() + " and its neighbours agree again"
	if r.lone() {
		f.Title = r.members[a.lead].point.name() + " is again what it usually is at such a time"
	}
	e.findings = append(e.findings, f)
	e.rouseAll(r)
	a.active = false
}

// key names an alarm of r by the point that led it.
func (a *relationAlarm) key(r *relation) string {
	id := r.members[a.lead].point.id()
	if a.together {
		id += "|together"
	}
	if a.anchored {
		id += "|anchor"
	}
	if a.habitual {
		id += "|habit"
	}
	return id
}

// relationExplained tells whether what began at a time may be the effect of a
// command to a device of r.
func (e *Engine) relationExplained(r *relation, at int64) bool {
	for j := range r.members {
		if e.explained(r.members[j].point, at) {
			return true
		}
	}
	for i := range r.guests {
		if e.explained(r.guests[i].point, at) {
			return true
		}
	}
	return false
}

// deviation says what is wrong in a relation.
func (e *Engine) deviation(r *relation, a *relationAlarm) detect.Finding {
	ranked, shares := r.rank()
	switch {
	case a.together:
		ranked, shares = r.joint.rank()
	case a.anchored:
		ranked, shares = r.rankAnchors(func(m *member) *anchor { return m.anchor })
	case a.habitual:
		ranked, shares = r.rankAnchors(func(m *member) *anchor { return m.habit })
	}
	ranked = ranked[:min(len(ranked), blamed)]
	a.c.points = nil
	for _, j := range ranked {
		a.c.points = append(a.c.points, r.members[j].point.ref())
	}
	lead := &r.members[a.lead]
	top := lead
	if len(ranked) > 0 {
		top = &r.members[ranked[0]]
	}
	f := e.finding(lead.point, &a.c, e.clock, r.lastFrame())
	f.Key, f.Server = a.key(r), top.point.server()
	f.Score = top.surprise()
	f.Severity = a.severity(r)
	after := ""
	if x := r.breaksUnmet(); x != nil {
		f.Severity = min(f.Severity, protocols.Medium)
		after = r.together(x)
	}
	if a.commanded {
		f.Severity = protocols.Low
		after += afterCommand
	}
	p := top.point
	f.Title = p.name() + " does not agree with its neighbours"
	if r.lone() {
		f.Title = p.name() + " is not what it usually is at such a time"
	}
	f.Observed = fmt.Sprintf("%s is %s.", p.name(), p.quantity(p.value))
	f.Expected = fmt.Sprintf("About %s (%s to %s) by %s and the last %d values, from %d rows over %s.",
		p.quantity(top.expected), p.quantity(top.low), p.quantity(top.high), r.others(), lags, r.rows, span(int64(r.seconds*1e9)))
	var others []string
	for k, j := range ranked {
		others = append(others, fmt.Sprintf("%s %.0f %%", r.members[j].point.name(), 100*shares[k]))
	}
	alone := ""
	switch {
	case a.anchored:
		x := top.anchor
		f.Title = p.name() + " has moved away from where its neighbours put it"
		f.Expected = fmt.Sprintf("About %s by %s alone, from %d rows over %s.", p.quantity(top.natural(x.expected)), r.others(), r.rows, span(int64(r.seconds*1e9)))
		f.Explanation = fmt.Sprintf("%s goes on as it did, but at another level than the other points imply: it is %s, and they have made about %s expected for so long that it is no chance. What contributes most: %s.",
			p.name(), p.quantity(p.value), p.quantity(top.natural(x.expected)), strings.Join(others, ", ")) + after
		if r.lone() {
			f.Title = p.name() + " has moved away from what it usually is at such a time"
			f.Explanation = fmt.Sprintf("%s is %s, and by %s about %s has been expected for so long that it is no chance.",
				p.name(), p.quantity(p.value), r.others(), p.quantity(top.natural(x.expected))) + after
		}
		return f
	case a.habitual:
		x := top.habit
		f.Title = p.name() + " is not what it usually is at such a time"
		f.Expected = fmt.Sprintf("About %s by %s alone, from %d rows over %s.", p.quantity(top.natural(x.expected)), r.habits.time(), r.rows, span(int64(r.seconds*1e9)))
		f.Explanation = fmt.Sprintf("%s agrees with the other points, but it is %s, and by %s about %s is usual. What contributes most: %s.",
			p.name(), p.quantity(p.value), r.habits.time(), p.quantity(top.natural(x.expected)), strings.Join(others, ", ")) + after
		return f
	case a.together:
		f.Title = p.name() + " and its neighbours are all a little off"
		alone = " None of them would tell it alone; all together are further from what they were than chance allows."
	}
	f.Explanation = fmt.Sprintf("Since %s ago values no longer fit together as they did in learning; %s is %s where %s was expected. What contributes most: %s.",
		span(max(0, e.clock-a.c.since)), p.name(), p.quantity(p.value), p.quantity(top.expected), strings.Join(others, ", ")) + alone + after
	return f
}

// slowRows is for how many rows what only shows slowly must last to be more than
// low.
const slowRows = 64

// rankAnchors orders the members that are off their anchors.
func (r *relation) rankAnchors(of func(*member) *anchor) (places []int, shares []float64) {
	total := 0.0
	ratios := make([]float64, len(r.members))
	for j := range r.members {
		if a := of(&r.members[j]); a != nil && a.ratio > release {
			ratios[j] = a.ratio
			places = append(places, j)
			total += a.ratio * a.ratio
		}
	}
	slices.SortStableFunc(places, func(x, y int) int { return cmp.Compare(ratios[y], ratios[x]) })
	for _, j := range places {
		shares = append(shares, ratios[j]*ratios[j]/total)
	}
	return places, shares
}

// natural is a standardised value of m in its own units.
func (m *member) natural(z float64) float64 { return z*m.spread + m.mean }

// severity is how severe an alarm of r is now, by how long and how far the means
// have been off. What only adds up is small.
func (a *relationAlarm) severity(r *relation) protocols.Severity {
	now := 0.0
	for j := range r.members {
		now = math.Max(now, r.members[j].sharp)
	}
	switch {
	case a.habitual:
		return protocols.Low
	case (a.together || a.anchored) && a.c.times >= slowRows:
		return protocols.Medium
	case a.sharpRows >= 2 && a.sharpRows < lastingRows && a.far >= farAway:
		// No switch came after it that would explain it.
		return protocols.Medium
	case a.sharpRows < briefRows, a.sharpRows < lastingRows && now < 1:
		// What is only past the release level may be the echo of one odd row.
		return protocols.Low
	case a.sharpRows < lastingRows || now < 1.5:
		return protocols.Medium
	}
	return protocols.High
}

// rank orders the members that deviate by how far they do, and gives their shares
// in it.
func (r *relation) rank() (places []int, shares []float64) {
	total := 0.0
	for j := range r.members {
		if q := r.members[j].ratio; q > release {
			places = append(places, j)
			b := r.members[j].blame()
			total += b * b
		}
	}
	slices.SortStableFunc(places, func(x, y int) int { return cmp.Compare(r.members[y].blame(), r.members[x].blame()) })
	for _, j := range places {
		q := r.members[j].blame()
		shares = append(shares, q*q/total)
	}
	return places, shares
}
