package process

import (
	"fmt"
	"math"
	"net/netip"

	"github.com/weir-ics/weir/detect"
	"github.com/weir-ics/weir/protocols"
)

// commands is what is known of the commands given to one point, and of what
// followed them.
type commands struct {
	// n is how many there were; states or low and high are their values.
	n         uint32
	states    [maxStates]float64
	nStates   uint8 // maxStates+1: more than can be kept
	low, high float64
	// shown is how many the point's own report followed, longest the longest
	// time that took.
	shown   uint32
	longest int64
	// changes is how often the reported value changed since the first command,
	// of which own had a command before them.
	changes, own uint32
	// outcomes are what else follows them, by their value; while learning, open is
	// that of the last command, which was given at opened.
	outcomes []outcome
	open     *outcome
	opened   int64
	// echoes are, while learning, what was noted after them.
	echoes []*echo

	// A command that waits to be shown.
	waiting        bool
	want           float64
	since          int64
	frame          uint64
	client         netip.Addr
	deadline       int64
	lastCommand    int64
	lastCommandSet bool
}

const (
	// enoughCommands is how many commands or changes show a habit. By the rule
	// of three (Hanley and Lippman-Hand 1983) what never happened in 5 happens
	// in less than 3/5 of all cases, in 20 in less than 3/20.
	enoughCommands = 5
	// maxPending bounds the commands that are waited for at once.
	maxPending = 4096
	// maxCommanded bounds the devices whose last command is remembered.
	maxCommanded = 65_536
)

// explained tells whether what began at p at a time follows a command to its
// device closely enough to be its effect. The command itself is judged when it
// is given.
func (e *Engine) explained(p *point, at int64) bool {
	t, ok := e.commanded[p.series.Device]
	if !ok {
		return false
	}
	rows := int64(2)
	if r := p.relation; r != nil {
		rows += int64(r.unsettled) + lags
	}
	return at-t <= rows*p.interval+5e9
}

// commanded turns the value of a command into what the point's report should
// then show. A DNP3 control relay output block names an operation: its low four
// bits are pulse on, pulse off, latch on, latch off, its top two close and trip
// (IEEE 1815-2012, A.8.1).
func commanded(p *point, v float64) (float64, bool) {
	if p.series.Proto != protocols.ProtoDNP3 || p.series.Kind != protocols.KindBinaryOutput {
		return v, true
	}
	code := uint8(v)
	switch {
	case code>>6 == 1, code&15 == 3:
		return 1, true
	case code>>6 == 2, code&15 == 4:
		return 0, true
	}
	return 0, false // pulses come back to what was
}

// command takes in that a client commands a value.
func (e *Engine) command(p *point, s *detect.Sample) {
	c := p.commands
	if c == nil {
		c = &commands{low: math.Inf(1), high: math.Inf(-1)}
		p.tie().commands = c
	}
	want, lasting := commanded(p, s.Value)
	if p.tally != nil {
		c.learn(s.Value)
	} else {
		e.judgeCommand(p, c, s, want)
	}
	if e.watching {
		if _, known := e.commanded[p.series.Device]; known || len(e.commanded) < maxCommanded {
			e.commanded[p.series.Device] = s.Time
		}
	}
	if !e.watching {
		e.echo.order(p, s.Time)
	}
	c.lastCommand, c.lastCommandSet = s.Time, true
	repeated := lasting && p.has() && near(p.value, want)
	switch {
	case repeated:
	case e.watching:
		e.awaitEffects(p, c, s, turnOf(p, want, lasting))
	default:
		e.learnEffects(p, c, s)
		e.hear(p, c, s, want, lasting)
	}
	if !lasting || repeated {
		// Nothing is to be seen of it.
		c.waiting = false
		return
	}
	wasWaiting := c.waiting
	c.waiting, c.want, c.since, c.frame, c.client = true, want, s.Time, s.Frame, s.Client
	c.deadline = 0
	if e.watching && c.habitual() && p.has() {
		c.deadline = e.clock + 2*max(c.longest, p.interval) + 2e9
		if !wasWaiting && len(e.pending) < maxPending {
			e.pending = append(e.pending, p)
		}
	}
}

// habitual tells whether commands to the point always showed.
func (c *commands) habitual() bool {
	return c.n >= enoughCommands && c.shown >= enoughCommands && float64(c.shown) >= 0.9*float64(c.shown+c.unshown())
}

// recent tells whether a command to p was given so shortly before that what p
// becomes may be what it was commanded.
func (c *commands) recent(p *point, at int64) bool {
	return c.lastCommandSet && at-c.lastCommand <= 2*max(c.longest, p.interval)+2e9
}

// unshown is how many commands that should have been seen were not.
func (c *commands) unshown() uint32 {
	if c.own > c.shown {
		return c.own - c.shown
	}
	return 0
}

func (c *commands) learn(v float64) {
	c.n++
	c.low, c.high = math.Min(c.low, v), math.Max(c.high, v)
	for i := range min(c.nStates, maxStates) {
		if near(c.states[i], v) {
			return
		}
	}
	if c.nStates < maxStates {
		c.states[c.nStates] = v
	}
	c.nStates = min(c.nStates+1, maxStates+1)
}

// judgeCommand holds a commanded value against what was commanded and reported
// in learning.
func (e *Engine) judgeCommand(p *point, c *commands, s *detect.Sample, want float64) {
	f := p.profile
	low, high := c.low, c.high
	if f != nil && f.n >= probes {
		seenLow, seenHigh := f.seen()
		low, high = math.Min(low, seenLow), math.Max(high, seenHigh)
		if s.Value != want {
			// An operation, not a value: what counts is the state it leads to.
			low, high = seenLow, seenHigh
		}
	}
	if low > high {
		return // nothing was learned of this point
	}
	v := want
	slack := 0.0
	if f == nil || f.nature != natureState && f.nature != natureConstant {
		slack = 0.05 * (high - low)
	}
	if v >= low-slack && v <= high+slack {
		return
	}
	cond := condition{kind: KindCommandValue, since: s.Time, firstFrame: s.Frame}
	x := e.finding(p, &cond, s.Time, s.Frame)
	x.Client.Endpoint.IP = s.Client
	n := c.n
	if f != nil {
		n += f.n
	}
	// How far beyond what was seen, as a part of what was seen.
	far := math.Max(low-v, v-high) / math.Max(high-low, 0.5*math.Max(math.Abs(low), math.Abs(high)))
	x.Severity = min(bySeen(n), protocols.Medium)
	switch {
	case f != nil && (f.nature == natureState || f.nature == natureConstant) && v == math.Trunc(v) && v >= 0 && v <= 1:
	case far < 0.25:
		x.Severity = protocols.Low
	case far >= 1:
		x.Severity = bySeen(n)
	}
	x.Title = fmt.Sprintf("%s is set to %s, which the process never saw", p.name(), p.quantity(v))
	x.Observed = fmt.Sprintf("%s sets %s to %s.", s.Client, p.name(), p.quantity(v))
	was := p.band(low, high)
	x.Expected = fmt.Sprintf("%s, from %d commands and reports.", capital(was), n)
	x.Explanation = fmt.Sprintf("%s commands %s to be %s; in %d commands and reports it was always %s.", s.Client, p.name(), p.quantity(v), n, was)
	e.findings = append(e.findings, x)
}

// bySeen is how severe it is that something is new, by how many values say that
// it is.
func bySeen(n uint32) protocols.Severity {
	switch {
	case n < 100:
		return protocols.Low
	case n < 1000:
		return protocols.Medium
	}
	return protocols.High
}

// effect takes in what a report says of commands before it.
func (e *Engine) effect(p *point, s *detect.Sample, was float64, had bool) {
	c := p.commands
	if c == nil {
		return
	}
	changed := had && !near(was, s.Value)
	if c.waiting && near(s.Value, c.want) {
		c.waiting = false
		if e.watching {
			// This row, those that look back on it, and one more, because what
			// counts of a point that wanders are its changes.
			if r := p.relation; r != nil {
				r.members[p.member].obeying = lags + 2
			}
		}
		if !e.watching {
			c.shown++
			c.longest = max(c.longest, s.Time-c.since)
		}
		if p.alarming(KindNoEffect) {
			e.hold(p, s, KindNoEffect, false, 1, nil)
		}
	}
	if !changed {
		return
	}
	recent := c.recent(p, s.Time)
	if !e.watching {
		c.changes++
		if recent {
			c.own++
		}
		return
	}
	if recent || c.changes < enoughCommands || c.own < c.changes {
		return
	}
	cond := condition{kind: KindUncommanded, since: s.Time, firstFrame: s.Frame}
	x := e.finding(p, &cond, s.Time, s.Frame)
	x.Title = p.name() + " changed without a command"
	x.Observed = fmt.Sprintf("%s went from %s to %s, and no command was seen.", p.name(), p.quantity(was), p.quantity(s.Value))
	x.Expected = fmt.Sprintf("A command before each change, as before all of %d.", c.changes)
	x.Explanation = fmt.Sprintf("%s went from %s to %s. In learning a command came before each of its %d changes; before this one there was none on the network that is watched.",
		p.name(), p.quantity(was), p.quantity(s.Value), c.changes)
	e.findings = append(e.findings, x)
}

// expire finds commands that have waited for too long.
func (e *Engine) expire(clock int64) {
	for i := 0; i < len(e.pending); {
		p := e.pending[i]
		c := p.commands
		if c.waiting && c.deadline > clock {
			i++
			continue
		}
		e.pending = append(e.pending[:i], e.pending[i+1:]...)
		if !c.waiting || c.deadline == 0 {
			continue
		}
		c.waiting = false
		seen, _ := p.lastSeen()
		if p.has() && near(p.value, c.want) || seen < c.since {
			// It was not reported since: that it is not, others tell.
			continue
		}
		s := detect.Sample{Time: c.deadline, Frame: c.frame, Client: c.client}
		e.holdSince(p, &s, KindNoEffect, true, 1, c.since, func() words {
			return words{
				title:    fmt.Sprintf("%s does not follow its command", p.name()),
				observed: fmt.Sprintf("%s is still %s, %s after it was set to %s.", p.name(), p.quantity(p.value), span(c.deadline-c.since), p.quantity(c.want)),
				expected: fmt.Sprintf("A report of the new value within %s, as after %d commands.", span(c.longest), c.shown),
				explanation: fmt.Sprintf("%s set %s to %s and %s still reports %s. In learning %d commands showed within %s.",
					c.client, p.name(), p.quantity(c.want), p.series.Device, p.quantity(p.value), c.shown, span(c.longest)),
			}
		})
	}
}
