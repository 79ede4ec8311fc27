package process

import (
	"fmt"
	"math"
	"net/netip"
	"slices"

	"github.com/weir-ics/weir/detect"
	"github.com/weir-ics/weir/protocols"
)

// prompt is a value that a state only ever came to after a command to its device:
// a standby pump that nobody but the operator starts. It says more than a
// consequence, which may come without its command, and less: which command it
// follows is not asked.
type prompt struct {
	value float64
	// n is how often it came to it, longest the longest time after the last command,
	// cause the point that the last of these commands was given to.
	n       uint32
	longest int64
	cause   *point
	next    *prompt // of the same point
}

// orders are the commands to a device while learning: how many, when the last was
// given, and to which point.
type orders struct {
	n    uint32
	last int64
	to   *point
}

// order takes in that a command is given while learning.
func (x *echoes) order(p *point, at int64) {
	o := x.orders[p.series.Device]
	if o == nil {
		if len(x.orders) >= maxCommanded {
			return
		}
		if x.orders == nil {
			x.orders = make(map[netip.Addr]*orders)
		}
		o = new(orders)
		x.orders[p.series.Device] = o
	}
	o.n++
	o.last, o.to = at, p
}

// learnPrompt counts that p came to a value soon after a command to its device.
func (e *Engine) learnPrompt(p *point, s *detect.Sample) {
	o := e.echo.orders[p.series.Device]
	if o == nil || s.Time-o.last > effectWindow {
		return
	}
	x := p.prompted
	for x != nil && !near(x.value, s.Value) {
		x = x.next
	}
	if x == nil {
		if e.nPrompts >= maxConsequences {
			e.stats.Unfollowed++
			return
		}
		e.nPrompts++
		x = &prompt{value: s.Value, next: p.prompted}
		p.tie().prompted = x
	}
	x.n++
	x.longest, x.cause = max(x.longest, s.Time-o.last), o.to
}

// fitPrompts keeps the values that never came without a command, if commands are
// rare enough for that to say something.
func (e *Engine) fitPrompts() {
	e.nPrompts = 0
	for _, p := range e.each() {
		if p.prompted == nil {
			continue
		}
		var kept *prompt
		for x := p.prompted; x != nil; x = x.next {
			if e.holdsPrompt(p, x) && !x.cause.retired() {
				kept = &prompt{x.value, x.n, x.longest, x.cause, kept}
				e.nPrompts++
			}
		}
		p.tie().prompted = kept
		p.shed()
	}
}

func (e *Engine) holdsPrompt(p *point, x *prompt) bool {
	f, o := p.profile, e.echo.orders[p.series.Device]
	if p.retired() || f == nil || f.nature != natureState || x.n < enoughConsequences || o == nil {
		return false
	}
	if c := p.commands; c != nil && c.changes >= enoughCommands {
		return false // its own commands tell
	}
	for i, s := range f.states {
		if near(s.value, x.value) {
			came := s.visits
			if i == 0 {
				came-- // it was so when it was first seen
			}
			return x.n == came && float64(o.n)*float64(x.longest+p.interval)/1e9 <= chanceFollows*float64(f.seconds)
		}
	}
	return false
}

// judgePrompt tells if p came to a value without a command, though it never did.
func (e *Engine) judgePrompt(p *point, s *detect.Sample) {
	if !p.has() || p.regular && s.Time-p.time > missing*p.interval {
		return // what happened in between was not seen
	}
	for x := p.prompted; x != nil; x = x.next {
		if !near(x.value, s.Value) {
			continue
		}
		patience := max(3*x.longest, x.longest+2*p.interval) + 1e9
		if last, ok := e.commanded[p.series.Device]; ok && s.Time-last <= patience {
			return
		}
		cond := condition{kind: KindUncommanded, since: s.Time, firstFrame: s.Frame}
		f := e.finding(p, &cond, s.Time, s.Frame)
		f.Score = math.Log10(float64(x.n))
		if x.n < sureConsequences {
			f.Severity = protocols.Low
		}
		f.Title = fmt.Sprintf("%s became %s without a command", p.name(), p.quantity(s.Value))
		f.Observed = fmt.Sprintf("%s went from %s to %s, and no command to its device was seen in %s.", p.name(), p.quantity(p.value), p.quantity(s.Value), span(patience))
		f.Expected = fmt.Sprintf("A command within %s before, as on all %d occasions.", span(x.longest), x.n)
		f.Explanation = fmt.Sprintf("%s went from %s to %s. In learning that happened %d times, always within %s after a command to %s, the last time to %s; now there was none for %s on the network that is watched.",
			p.name(), p.quantity(p.value), p.quantity(s.Value), x.n, span(x.longest), p.series.Device, x.cause.name(), span(patience))
		e.findings = append(e.findings, f)
	}
}

// Prompts returns which states only ever came after a command, as sentences with
// the evidence.
func (e *Engine) Prompts() (out []string) {
	for _, p := range e.each() {
		for x := p.prompted; x != nil; x = x.next {
			out = append(out, fmt.Sprintf("%s becomes %s only within %s after a command to %s, as to %s (%d of %d times)",
				p.name(), p.quantity(x.value), span(x.longest), p.series.Device, x.cause.name(), x.n, x.n))
		}
	}
	slices.Sort(out)
	return out
}

// savedPrompt is a prompt as part of its point.
type savedPrompt struct {
	Value   float64    `json:"value"`
	N       uint32     `json:"n"`
	Longest int64      `json:"longest"`
	Cause   savedPlace `json:"cause"`
}

func (p *point) savePrompts() (out []savedPrompt) {
	for x := p.prompted; x != nil; x = x.next {
		out = append(out, savedPrompt{x.value, x.n, x.longest, placeOf(x.cause)})
	}
	return out
}

// pendingPrompts are those of a point whose causes may not have been loaded yet.
type pendingPrompts struct {
	point *point
	saved []savedPrompt
}

// prompt takes over the prompts, once all points are there. One whose cause is
// not, or whose point is no state any more after merging, is let go.
func (l *loader) prompt() error {
	for _, x := range l.prompts {
		p := x.point
		for i := len(x.saved) - 1; i >= 0; i-- { // a list is built from its end
			s := &x.saved[i]
			key, err := s.Cause.key()
			switch {
			case err != nil:
				return fmt.Errorf("%s has a prompt whose cause has a %w", p.id(), err)
			case s.N < 1 || s.Longest < 0 || s.Longest > effectWindow:
				return fmt.Errorf("%s has a prompt that came %d times within %d ns", p.id(), s.N, s.Longest)
			}
			if cause := l.engine.points.get(key); cause != nil && p.profile.nature == natureState && l.engine.nPrompts < maxConsequences {
				l.engine.nPrompts++
				p.tie().prompted = &prompt{s.Value, s.N, s.Longest, cause, p.prompted}
			}
		}
	}
	return nil
}

// mergePrompts keeps what came without a command in neither of two learnings: it
// came only so in one, and so or not at all in the other.
func mergePrompts(a, b *savedPoint) (out []savedPrompt) {
	find := func(p *savedPoint, v float64) *savedPrompt {
		for i := range p.Prompts {
			if near(p.Prompts[i].Value, v) {
				return &p.Prompts[i]
			}
		}
		return nil
	}
	came := func(p *savedPoint, v float64) bool {
		for i, s := range p.States {
			if near(s, v) {
				return p.Visits[i] > 1
			}
		}
		return false
	}
	for _, x := range a.Prompts {
		if y := find(b, x.Value); y != nil {
			x.N, x.Longest = x.N+y.N, max(x.Longest, y.Longest)
		} else if came(b, x.Value) {
			continue
		}
		out = append(out, x)
	}
	for _, y := range b.Prompts {
		if find(a, y.Value) == nil && !came(a, y.Value) {
			out = append(out, y)
		}
	}
	return out
}
