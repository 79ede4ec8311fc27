package process

import (
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
	// commanded tells that it began right after a command to a device of the
	// relation.
	commanded bool
	// doubt is since when some member has been past the release level, with the
	// frame; 0 if none is.
	doubt      int64
	doubtFrame uint64
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

// judgeRow holds the row of t against r, and raises or ends its alarm.
func (e *Engine) judgeRow(r *relation, t *ticker) {
	if !r.step(t) {
		if r.quiet > 0 && !r.stirred {
			r.stirred = e.relationExplained(r, t.start)
		}
		return
	}
	worst, lead := 0.0, 0
	for j := range r.members {
		if r.members[j].ratio > worst {
			worst, lead = r.members[j].ratio, j
		}
	}
	a := &r.alarm
	if worst <= release {
		a.doubt = 0
	} else if a.doubt == 0 {
		a.doubt = t.start
		_, a.doubtFrame = r.members[lead].point.lastSeen()
	}
	frame := uint64(0)
	for j := range r.members {
		_, seen := r.members[j].point.lastSeen()
		frame = max(frame, seen)
	}
	at := e.clock
	if !a.active {
		if worst <= 1 {
			if r.calm++; worst > release {
				r.calm = 0
			} else if r.calm >= holdRows {
				r.stirred = false
			}
			return
		}
		e.rouseAll(r)
		*a = relationAlarm{active: true, lead: lead, doubt: a.doubt, doubtFrame: a.doubtFrame}
		a.commanded = r.stirred || e.relationExplained(r, a.doubt)
		r.stirred, r.calm = false, 0
		a.c = condition{kind: KindCorrelation, since: a.doubt, firstFrame: a.doubtFrame, next: 1}
	}
	if worst <= release {
		a.c.good++
		if a.c.good < holdRows {
			return
		}
		f := e.finding(r.members[a.lead].point, &a.c, at, frame)
		f.Clear = true
		f.Title = "The values of " + r.members[a.lead].point.name() + " and its neighbours agree again"
		e.findings = append(e.findings, f)
		e.rouseAll(r)
		a.active = false
		return
	}
	a.c.good = 0
	a.c.times++
	grown := worst > 1.5*a.peak
	a.peak = math.Max(a.peak, worst)
	for j := range r.members {
		a.far = math.Max(a.far, r.members[j].far)
	}
	if a.c.times < a.c.next && !grown {
		return
	}
	if a.c.times >= a.c.next {
		a.c.next *= 2
	}
	e.findings = append(e.findings, e.deviation(r, at, frame))
}

// relationExplained tells whether what began at a time may be the effect of a
// command to a device of r.
func (e *Engine) relationExplained(r *relation, at int64) bool {
	for j := range r.members {
		if e.explained(r.members[j].point, at) {
			return true
		}
	}
	return false
}

// deviation says what is wrong in a relation.
func (e *Engine) deviation(r *relation, at int64, frame uint64) detect.Finding {
	a := &r.alarm
	var ranked []int
	for j := range r.members {
		if r.members[j].ratio > release {
			ranked = append(ranked, j)
		}
	}
	slices.SortStableFunc(ranked, func(x, y int) int {
		switch rx, ry := r.members[x].ratio, r.members[y].ratio; {
		case rx > ry:
			return -1
		case rx < ry:
			return 1
		}
		return 0
	})
	ranked = ranked[:min(len(ranked), blamed)]
	a.c.points = nil
	total := 0.0
	for _, j := range ranked {
		a.c.points = append(a.c.points, r.members[j].point.ref())
		total += r.members[j].ratio * r.members[j].ratio
	}
	lead := &r.members[a.lead]
	top := lead
	if len(ranked) > 0 {
		top = &r.members[ranked[0]]
	}
	f := e.finding(lead.point, &a.c, at, frame)
	f.Server = top.point.server()
	f.Score = top.surprise
	switch {
	case a.c.times >= 2 && a.c.times < lastingRows && a.far >= farAway:
		// No switch came after it that would explain it.
		f.Severity = protocols.Medium
	case a.c.times < briefRows, a.c.times < lastingRows && top.ratio < 1:
		// What is only past the release level may be the echo of one odd row.
		f.Severity = protocols.Low
	case a.c.times < lastingRows || top.ratio < 1.5:
		f.Severity = protocols.Medium
	}
	after := ""
	if a.commanded {
		f.Severity = protocols.Low
		after = afterCommand
	}
	p := top.point
	f.Title = p.name() + " does not agree with its neighbours"
	f.Observed = fmt.Sprintf("%s is %s.", p.name(), p.quantity(p.value))
	f.Expected = fmt.Sprintf("About %s (%s to %s) by the other %d points and the last %d values, from %d rows over %s.",
		p.quantity(top.expected), p.quantity(top.low), p.quantity(top.high), len(r.members)-1, lags, r.rows, span(int64(r.seconds*1e9)))
	var others []string
	for _, j := range ranked {
		m := &r.members[j]
		others = append(others, fmt.Sprintf("%s %.0f %%", m.point.name(), 100*m.ratio*m.ratio/total))
	}
	f.Explanation = fmt.Sprintf("Since %s ago values no longer fit together as they did in learning; %s is %s where %s was expected. What contributes most: %s.",
		span(max(0, at-a.c.since)), p.name(), p.quantity(p.value), p.quantity(top.expected), strings.Join(others, ", ")) + after
	return f
}
