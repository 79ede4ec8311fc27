package detect

import (
	"math"
	"time"

	"github.com/weir-ics/weir/protocols"
)

const hoursOfWeek = 7 * 24

// hourOfWeek is the hour of the week in UTC, 0 for Monday 0 h to 1 h.
func hourOfWeek(ns int64) int {
	const hour = int64(time.Hour)
	h := ns / hour
	if ns < 0 {
		h = (ns - hour + 1) / hour
	}
	// The epoch was a Thursday.
	return int(((h+3*24)%hoursOfWeek + hoursOfWeek) % hoursOfWeek)
}

// hour judges when a command comes: see KindHours.
func (s *Shard) hour(l *link, e *protocols.Event) {
	const weeks4 = 28 * 24 * int64(time.Hour)
	if l.changes < 50 || l.last-l.firstChange < weeks4 || l.firstChange == 0 {
		return
	}
	h := hourOfWeek(e.Clock)
	around := l.hours[h] + l.hours[(h+1)%hoursOfWeek] + l.hours[(h+hoursOfWeek-1)%hoursOfWeek]
	if around == 0 {
		s.finding(e, noteFinding, oddHour(l, e, h))
	}
}

// paceSlack is half the shift, in standard deviations, that the CUSUM is made to
// find.
const paceSlack = 0.5

// paceLimit is the CUSUM's limit at which chance raises no more than the budget
// allows: by Siegmund (1985), the mean time between false alarms of a one-sided
// CUSUM with slack k and limit h is (exp(2k(h+1.166)) - 2k(h+1.166) - 1)/2k².
func paceLimit(p *pattern, alarmsPerDay float64) float64 {
	perDay := 86400 / math.Max(p.mean, 1e-6)
	between := 2 * perDay / alarmsPerDay
	b := math.Log(2*paceSlack*paceSlack*between + 1)
	for i := 0; i < 8; i++ {
		b = math.Log(2*paceSlack*paceSlack*between + b + 1)
	}
	// Intervals are neither normal nor independent, so the limit is doubled,
	// which squares the time between false alarms and leaves room for the
	// thousands of polls that share the budget.
	return 2 * math.Max(5, b/(2*paceSlack)-1.166)
}

// judgePace takes an interval while watching.
func (s *Shard) judgePace(l *link, p *pattern, e *protocols.Event) {
	x := float64(e.Clock-p.last) / 1e9
	// One lost or doubled poll is no change of pace.
	z := max(-3, min(3, (x-p.mean)*p.perScale))
	p.slow = max(0, p.slow+z-paceSlack)
	p.fast = max(0, p.fast-z-paceSlack)
	if p.slow > p.limit || p.fast > p.limit {
		f := paceChanged(l, p, e, x, p.fast > p.slow)
		f.Score = max(p.slow, p.fast)
		s.finding(e, noteFinding, f)
		p.slow, p.fast = 0, 0
		return
	}
	if z > -3 && z < 3 {
		// Slow drift is followed.
		p.mean += (x - p.mean) / 1000
	}
}

// turnWindow goes on to the burst window of a message.
func (s *Shard) turnWindow(l *link, e *protocols.Event) {
	length := int64(s.settings.BurstWindow)
	if number := e.Clock / length; number != l.win.number {
		s.closeWindow(l, e)
		l.win = window{number: number}
	}
	l.win.from, l.win.until = l.win.number*length, (l.win.number+1)*length
}

// closeWindow judges how many messages of a link were in its burst window.
func (s *Shard) closeWindow(l *link, e *protocols.Event) {
	if l.win.messages > 0 {
		n := float64(l.win.messages)
		if l.flooding {
			if n <= l.flood {
				l.flooding = false
				s.finding(e, noteFinding, flooded(l, e, true))
			}
		} else if !l.watching || n <= l.flood {
			l.load.Observe(n)
		}
	}
}

// floodLimit is how many messages in a window are a flood: see
// KindFloodMessages.
func floodLimit(l *link, settings Settings) float64 {
	limit := math.Max(100, 3*l.load.Max())
	if fit, ok := l.load.Fit(); ok {
		windows := 86400e9 / float64(settings.BurstWindow)
		limit = math.Max(limit, fit.Quantile(settings.AlarmsPerDay/windows))
	}
	return limit
}

func (s *Shard) flood(l *link, e *protocols.Event) {
	l.flooding = true
	s.finding(e, noteFinding, flooded(l, e, false))
}
