package process

import (
	"fmt"
	"math"

	"github.com/weir-ics/weir/detect"
	"github.com/weir-ics/weir/protocols"
)

// lone is how far a measurement moves while no command is given to its device.
type lone struct {
	travel
	// rise and fall are the farthest it went up and down; fall is negative.
	rise, fall float64
}

const (
	// loneWindow is over how long a lone move is measured, at least; twice as long
	// at most.
	loneWindow = 60e9
	// maxLone bounds the points that are looked at.
	maxLone = 16_384
)

// travel is where a measurement was some time ago: past, from once to twice a
// window before now, and then, at thenAt, since.
type travel struct {
	past, then float64
	thenAt     int64
}

// step takes in that a value became another, and returns how far it is from where
// it was.
func (y *travel) step(was, is float64, at, window int64) float64 {
	switch since := at - y.thenAt; {
	case since >= 2*window:
		*y = travel{was, was, at}
	case since >= window:
		*y = travel{y.then, was, at}
	}
	return is - y.past
}

// learnLone takes in that p became another while learning.
func (e *Engine) learnLone(p *point, s *detect.Sample, was float64) {
	l := p.lone
	d := l.step(was, s.Value, s.Time, loneWindow)
	if o := e.echo.orders[p.series.Device]; o != nil && s.Time-o.last <= effectWindow+2*loneWindow {
		return
	}
	l.rise, l.fall = max(l.rise, d), min(l.fall, d)
}

// never tells that the effect of k, a measurement, has not moved by half as much in
// learning without a command to its device.
func (k *consequence) never() bool {
	l := k.effect.lone
	if l == nil || 2*k.longest > loneWindow || k.effect.series.Device != k.cause.series.Device {
		return false
	}
	if k.by < 0 {
		return l.fall > k.by
	}
	return l.rise < k.by
}

// judgeLone tells if a measurement moves as it never did without a command, and
// there was none. It is called for each value that differs from the one before.
func (e *Engine) judgeLone(p *point, s *detect.Sample) {
	told := false
	for k := p.follows; k != nil; k = k.next {
		if !k.only {
			continue
		}
		if !p.has() || p.regular && s.Time-p.time > missing*p.interval {
			k.travel = travel{s.Value, s.Value, s.Time} // what happened in between was not seen
			continue
		}
		moved := k.step(p.value, s.Value, s.Time, k.longest)
		if moved*k.by < k.by*k.by/leastMove {
			continue
		}
		from := k.past
		k.travel = travel{s.Value, s.Value, s.Time}
		// As long before as it may have begun, and as a command may take.
		if last, ok := e.commanded[p.series.Device]; ok && s.Time-last <= 4*k.longest+2*p.interval || told {
			continue
		}
		told = true
		cond := condition{kind: KindUncommanded, since: s.Time, firstFrame: s.Frame}
		f := e.finding(p, &cond, s.Time, s.Frame)
		f.Score = math.Log10(float64(k.n))
		if k.n < sureConsequences {
			f.Severity = protocols.Low
		}
		went := k.direction("rose", "fell")
		f.Title = fmt.Sprintf("%s %s without a command", p.name(), went)
		f.Observed = fmt.Sprintf("%s went from %s to %s, and no command to its device was seen in %s.", p.name(), p.quantity(from), p.quantity(s.Value), span(4*k.longest))
		f.Expected = fmt.Sprintf("A command before, as on all %d occasions.", k.n)
		f.Explanation = fmt.Sprintf("%s went from %s to %s. In learning it %s by %s or more within %s only when %s was %s, on each of %d occasions; now no command was seen for %s on the network that is watched.",
			p.name(), p.quantity(from), p.quantity(s.Value), went, p.quantity(k.least()), span(k.longest), k.cause.name(), k.order(), k.n, span(4*k.longest))
		e.findings = append(e.findings, f)
	}
}
