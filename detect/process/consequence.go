package process

import (
	"cmp"
	"fmt"
	"math"
	"net/netip"
	"slices"
	"strings"

	"github.com/weir-ics/weir/detect"
	"github.com/weir-ics/weir/protocols"
)

// consequence is that a command to one point is followed by a change of another:
// a pump is started, and reports that it runs, and its flow comes.
type consequence struct {
	cause *point
	// value is what was commanded, as it was on the wire; or turn is 1 if it is any
	// value above the one before, -1 if it is any below it.
	value  float64
	turn   int8
	effect *point
	// to is the state that the effect comes to; or by is how far it moves at least,
	// up or down, until longest after the command, 0 if it is a state.
	to, by float64
	// low and high are where a measurement was when the command was given: from
	// elsewhere it may have no way to go.
	low, high float64
	// gate, if there is one, is a state that must be gateIs when the command is given.
	gate   *point
	gateIs float64
	// next is the next one with the same effect.
	next *consequence
	// n is after how many commands effect became to, of of how many that it was
	// not so before; longest is the longest time it took.
	n, of   uint32
	longest int64
	// alone is, while learning, after how many commands with no other to the device
	// beside them.
	alone uint32

	// armed tells that a command was given, at since, and that the effect is
	// awaited until deadline; from is where a measurement was, again that it is
	// waited for a second time.
	armed, again    bool
	from            float64
	since, deadline int64
	frame           uint64
	client          netip.Addr
	// only tells that a measurement never moved so without a command: then its travel
	// is followed.
	only bool
	travel
	// listed tells that it is among the Engine's awaited, active that its alarm
	// is up.
	listed, active bool
	c              condition
}

// outcome is what follows a value that a point is commanded, or its raising or
// lowering.
type outcome struct {
	value        float64
	turn         int8
	consequences []*consequence
}

const (
	// enoughConsequences is after how many commands an effect must have come, and
	// sureConsequences after how many it is more than a hint: by the rule of three
	// (Hanley and Lippman-Hand 1983) what followed 20 of 20 fails to in less than
	// 3/20 of all cases.
	enoughConsequences = 8
	sureConsequences   = 20
	// alwaysFollows is the part of the commands after which it came.
	alwaysFollows = 0.95
	// chanceFollows is how likely the effect may be to come in that time by
	// itself.
	chanceFollows = 0.25
	// effectWindow is how long after a command its effects are looked for.
	effectWindow = 120e9
	// perCommand bounds the effects of a command, and the commands that an effect
	// is known to follow; maxConsequences those of all.
	perCommand      = 8
	maxConsequences = 16_384
	// maxOpen bounds the points of a device whose last command may still have
	// effects, while learning.
	maxOpen = 8
	// maxSilence is how long after the deadline a point that reports only changes
	// is waited for.
	maxSilence = 1800e9
)

// patience is how long after a command the effect must come. At a measurement
// is looked once more when as much time has gone by again.
func (k *consequence) patience() int64 {
	if k.by != 0 {
		return k.longest
	}
	return max(3*k.longest, k.longest+2*k.effect.interval) + 1e9
}

// came tells that v is what the effect comes to.
func (k *consequence) came(v float64) bool {
	switch {
	case k.by > 0:
		return v-k.from >= k.by
	case k.by < 0:
		return v-k.from <= k.by
	}
	return near(v, k.to)
}

// applies tells whether the effect is to be expected of a command that is given
// now.
func (k *consequence) applies() bool {
	q := k.effect
	if g := k.gate; g != nil && !(g.has() && near(g.value, k.gateIs)) {
		return false
	}
	if k.by != 0 {
		slack := math.Abs(k.by)
		return q.value >= k.low-slack && q.value <= k.high+slack
	}
	return !near(q.value, k.to)
}

// outcomeOf is what follows a value or turn, nil if nothing is known of it.
func (c *commands) outcomeOf(v float64, turn int8) *outcome {
	for i := range c.outcomes {
		if o := &c.outcomes[i]; o.turn == turn && (turn != 0 || near(o.value, v)) {
			return o
		}
	}
	return nil
}

// learnEffects begins to look for what follows a command.
func (e *Engine) learnEffects(p *point, c *commands, s *detect.Sample) {
	o := c.outcomeOf(s.Value, 0)
	if o != nil && c.open == o && s.Time-c.opened < 10e9 {
		return // the same again, before anything can have come of it
	}
	e.endEffects(c)
	if c.nStates > maxStates || o == nil && len(c.outcomes) == maxStates {
		// A quantity: its effects are for the relations.
		for i := range c.outcomes {
			e.nConsequences -= len(c.outcomes[i].consequences)
		}
		c.outcomes = nil
		return
	}
	if o == nil {
		if c.outcomes == nil {
			c.outcomes = make([]outcome, 0, maxStates) // open points into it
		}
		c.outcomes = append(c.outcomes, outcome{value: s.Value})
		o = &c.outcomes[len(c.outcomes)-1]
	}
	d := p.series.Device
	list, known := e.opened[d]
	if !known && len(e.opened) >= maxCommanded {
		e.stats.Unfollowed++
		return
	}
	list = slices.DeleteFunc(list, func(q *point) bool {
		old := q != p && s.Time-q.commands.opened > effectWindow
		if old {
			e.endEffects(q.commands)
		}
		return old || q == p
	})
	if len(list) == maxOpen {
		e.endEffects(list[0].commands)
		list = slices.Delete(list, 0, 1)
	}
	e.opened[d] = append(list, p)
	c.open, c.opened = o, s.Time
	for _, k := range o.consequences {
		k.armed = k.effect.has() && !near(k.effect.value, k.to)
	}
}

// endEffects counts what did not follow the last command.
func (e *Engine) endEffects(c *commands) {
	if c.open == nil {
		return
	}
	for _, k := range c.open.consequences {
		if seen, _ := k.effect.lastSeen(); k.armed && e.clock > c.opened+k.patience() && seen >= c.opened+k.longest {
			k.of++
		}
		k.armed = false
	}
	c.open = nil
}

// changedTo takes in that p has become something else.
func (e *Engine) changedTo(p *point, s *detect.Sample) {
	if e.watching {
		for k := p.follows; k != nil; k = k.next {
			// Whether a measurement has moved is seen at the deadline: one value may
			// be noise. An alarm ends once it is where it came to in learning.
			if k.by == 0 && near(s.Value, k.to) || k.active && k.by != 0 && k.came(k.from+(s.Value-k.from)*leastMove) {
				e.release(k, s.Time, s.Frame)
			}
		}
		e.judgePrompt(p, s)
		e.judgeLone(p, s)
		return
	}
	if p.tally == nil || p.tally.nStates > maxStates || !p.has() {
		return
	}
	e.learnPrompt(p, s)
	own := p.commands != nil && p.commands.recent(p, s.Time)
	list := e.opened[p.series.Device]
	for i, q := range list {
		after := s.Time - q.commands.opened
		if q == p || q.commands.open == nil || after < 0 || after > effectWindow {
			continue
		}
		if k := e.learnEffect(q, q.commands.open, p, s.Value, after, own); k != nil {
			alone := true
			for j, other := range list {
				alone = alone && (j == i || s.Time-other.commands.opened > effectWindow)
			}
			if alone {
				k.alone++
			}
		}
	}
}

// learnEffect counts that p became v so long after the last command to q, and
// returns what that is, nil if it does not count. If it was commanded to itself,
// that is a habit of who gives the commands, and says nothing.
func (e *Engine) learnEffect(q *point, o *outcome, p *point, v float64, after int64, own bool) *consequence {
	for _, k := range o.consequences {
		if k.effect == p && near(k.to, v) {
			counts := k.armed && !own
			k.armed = false
			if !counts {
				return nil
			}
			k.n++
			k.of++
			k.longest = max(k.longest, after)
			return k
		}
	}
	if own {
		return nil
	}
	if len(o.consequences) >= perCommand {
		o.consequences = slices.DeleteFunc(o.consequences, func(k *consequence) bool {
			hopeless := k.effect.retired() || k.effect.tally == nil || k.effect.tally.nStates > maxStates || k.of >= 4 && float64(k.n) < 0.7*float64(k.of)
			if hopeless {
				e.nConsequences--
			}
			return hopeless
		})
	}
	if len(o.consequences) >= perCommand || e.nConsequences >= maxConsequences {
		e.stats.Unfollowed++
		return nil
	}
	e.nConsequences++
	k := &consequence{cause: q, value: o.value, effect: p, to: v, n: 1, of: 1, longest: after}
	o.consequences = append(o.consequences, k)
	return k
}

// fitConsequences keeps the effects that always came, and seldom without a
// command.
func (e *Engine) fitConsequences() {
	e.nConsequences = 0
	causes := make(map[*point][]*consequence)
	for _, p := range e.each() {
		c := p.commands
		if c == nil {
			continue
		}
		e.endEffects(c)
		for i := range c.outcomes {
			o := &c.outcomes[i]
			o.consequences = slices.DeleteFunc(o.consequences, func(k *consequence) bool { return !k.holds() })
			for _, k := range o.consequences {
				causes[k.effect] = append(causes[k.effect], k)
			}
		}
	}
	for _, p := range e.each() {
		c := p.commands
		if c == nil {
			continue
		}
		for i := range c.outcomes {
			o := &c.outcomes[i]
			o.consequences = slices.DeleteFunc(o.consequences, func(k *consequence) bool {
				return slices.ContainsFunc(causes[k.effect], k.within)
			})
			slices.SortStableFunc(o.consequences, func(a, b *consequence) int {
				return cmp.Or(cmp.Compare(a.longest, b.longest), keyOf(a.effect.series).compare(keyOf(b.effect.series)), cmp.Compare(a.to, b.to))
			})
			o.consequences = slices.DeleteFunc(o.consequences, func(k *consequence) bool { return !e.connect(k) })
		}
	}
	e.fitPrompts()
	e.fitEchoes()
	for _, p := range e.each() {
		if p.commands != nil {
			p.commands.tidy()
		}
	}
	e.opened = nil
}

// tidy lets go of values that nothing follows, and puts the others in order.
func (c *commands) tidy() {
	slices.SortStableFunc(c.outcomes, func(a, b outcome) int { return cmp.Or(cmp.Compare(a.turn, b.turn), cmp.Compare(a.value, b.value)) })
	c.outcomes = slices.DeleteFunc(c.outcomes, func(o outcome) bool { return len(o.consequences) == 0 })
	if len(c.outcomes) == 0 {
		c.outcomes = nil
	}
}

// holds tells whether k is no chance.
func (k *consequence) holds() bool {
	f := k.effect.profile
	if k.effect.retired() || f == nil || f.nature != natureState || k.n < enoughConsequences || float64(k.n) < alwaysFollows*float64(k.of) || !(f.seconds > 0) {
		return false
	}
	for _, s := range f.states {
		if near(s.value, k.to) {
			others := math.Max(0, float64(s.visits)-float64(k.n))
			return others*float64(k.longest+k.effect.interval)/1e9 <= chanceFollows*float64(f.seconds)
		}
	}
	return false
}

// within tells that the command of k was only ever given in a sequence with that
// of o, which came first and stands for all of it: a pump is started, and taken
// out of automatic. The second alone need not start it.
func (k *consequence) within(o *consequence) bool {
	return o.cause != k.cause && near(o.to, k.to) && k.alone == 0 && o.alone == 0 &&
		cmp.Or(cmp.Compare(o.longest, k.longest), keyOf(k.cause.series).compare(keyOf(o.cause.series))) > 0
}

// connect makes the effect know of k. It tells whether there was room.
func (e *Engine) connect(k *consequence) bool {
	n, end := 0, &k.effect.tie().follows
	for *end != nil {
		n, end = n+1, &(*end).next
	}
	if n >= perCommand || e.nConsequences >= maxConsequences {
		e.stats.Unfollowed++
		return false
	}
	e.nConsequences++
	*end = k
	return true
}

// awaitEffects begins to wait for what follows a command. What waits for the
// effects of other commands to p, or to the same points, waits no longer.
func (e *Engine) awaitEffects(p *point, c *commands, s *detect.Sample, turn int8) {
	for k := p.follows; k != nil; k = k.next {
		e.release(k, s.Time, s.Frame)
	}
	for i := range c.outcomes {
		o := &c.outcomes[i]
		same := o.turn == 0 && near(o.value, s.Value) || o.turn != 0 && o.turn == turn
		for _, k := range o.consequences {
			if !same {
				e.release(k, s.Time, s.Frame)
				continue
			}
			for other := k.effect.follows; other != nil; other = other.next {
				if other.cause != p {
					e.release(other, s.Time, s.Frame)
				}
			}
			q := k.effect
			seen, _ := q.lastSeen()
			silent := q.regular && s.Time-seen > missing*q.interval
			if k.armed || k.active || !q.has() || silent || !k.applies() {
				continue
			}
			if !k.listed {
				if len(e.awaited) >= maxPending {
					e.stats.Unfollowed++
					continue
				}
				k.listed = true
				e.awaited = append(e.awaited, k)
			}
			k.armed, k.again, k.since, k.frame, k.client = true, false, s.Time, s.Frame, s.Client
			k.from = q.value
			k.deadline = max(e.clock, s.Time) + k.patience()
		}
	}
}

// release tells that k is not awaited any more, and ends its alarm.
func (e *Engine) release(k *consequence, at int64, frame uint64) {
	k.armed = false
	if !k.active {
		return
	}
	k.active = false
	f := e.finding(k.effect, &k.c, at, frame)
	f.Key, f.Clear = k.id(), true
	f.Title = fmt.Sprintf("It is over that %s does not follow %s", k.effect.name(), k.cause.name())
	e.findings = append(e.findings, f)
}

// expireEffects finds effects that have not come in time. It is called before
// what a message says is taken in, so that all of the one before counts.
func (e *Engine) expireEffects(clock int64) {
	e.awaited = slices.DeleteFunc(e.awaited, func(k *consequence) bool {
		if k.armed && clock <= k.deadline {
			return false
		}
		q := k.effect
		seen, frame := q.lastSeen()
		silent := seen < k.since+k.longest
		if k.by != 0 {
			silent = seen <= k.since // the last value is good until the next, as in learning
		}
		if k.armed && silent && !q.regular && q.has() && clock <= k.deadline+maxSilence {
			return false // it reports only changes, or now and then
		}
		if k.armed && !silent && q.has() && !k.came(q.value) {
			if k.by != 0 && (!k.again || e.awaitsState(k.cause, clock)) {
				k.again = true
				k.deadline += k.longest
				return false
			}
			e.tellEffect(k, max(k.deadline, seen), max(frame, k.frame))
		}
		k.armed, k.listed = false, false
		return true
	})
}

// awaitsState tells whether a state of the device of p should have followed a
// command by now: that it does not says more than that a measurement does not.
func (e *Engine) awaitsState(p *point, clock int64) bool {
	return slices.ContainsFunc(e.awaited, func(k *consequence) bool {
		return k != nil && k.armed && k.by == 0 && k.cause.series.Device == p.series.Device && clock-k.since > k.longest
	})
}

func (e *Engine) tellEffect(k *consequence, at int64, frame uint64) {
	// One is enough to say that the command had no effect.
	for _, o := range k.cause.commands.outcomes {
		for _, other := range o.consequences {
			other.armed = false
		}
	}
	p, q := k.cause, k.effect
	k.active = true
	k.c = condition{kind: KindNoEffect, since: k.since, firstFrame: k.frame}
	f := e.finding(q, &k.c, at, frame)
	f.Key = k.id()
	f.Points = append(f.Points, p.ref())
	f.Client.Endpoint.IP = k.client
	f.Score = math.Log10(float64(k.n))
	if k.n < sureConsequences {
		f.Severity = protocols.Low
	}
	occasions := fmt.Sprintf("on each of %d occasions", k.n)
	always := " always"
	if k.n < k.of {
		occasions, always = fmt.Sprintf("on %d of %d occasions", k.n, k.of), ""
	}
	f.Title = fmt.Sprintf("%s does not follow %s", q.name(), p.name())
	if k.by != 0 {
		moved := fmt.Sprintf("went from %s to %s", q.quantity(k.from), q.quantity(q.value))
		became := fmt.Sprintf("%s%s %s by %s or more within %s", q.name(), always, k.direction("rose", "fell"), q.quantity(k.least()), span(k.longest))
		f.Observed = fmt.Sprintf("%s %s in %s after %s was %s.", q.name(), moved, span(at-k.since), p.name(), k.order())
		f.Expected = fmt.Sprintf("%s after such a command, %s%s.", became, occasions, k.condition())
		f.Explanation = fmt.Sprintf("%s was %s by %s. In learning %s after that, %s%s; now it %s in %s.",
			p.name(), k.order(), k.client, became, occasions, k.condition(), moved, span(at-k.since))
	} else {
		became := fmt.Sprintf("%s%s became %s within %s", q.name(), always, q.quantity(k.to), span(k.longest))
		f.Observed = fmt.Sprintf("%s is still %s, %s after %s was %s.", q.name(), q.quantity(q.value), span(at-k.since), p.name(), k.order())
		f.Expected = fmt.Sprintf("%s after such a command, %s.", became, occasions)
		f.Explanation = fmt.Sprintf("%s was %s by %s. In learning %s after that, %s; now it is still %s after %s.",
			p.name(), k.order(), k.client, became, occasions, q.quantity(q.value), span(at-k.since))
	}
	e.findings = append(e.findings, f)
}

// direction is up or down, as the effect moves.
func (k *consequence) direction(up, down string) string {
	if k.by < 0 {
		return down
	}
	return up
}

// least is the least that the effect moved in learning.
func (k *consequence) least() float64 { return math.Abs(k.by) / leastMove }

// condition says which state the cause needs to have an effect.
func (k *consequence) condition() string {
	if k.gate == nil {
		return ""
	}
	return fmt.Sprintf(" while %s was %s", k.gate.name(), k.gate.quantity(k.gateIs))
}

// order says what was done to the cause.
func (k *consequence) order() string {
	switch k.turn {
	case 1:
		return "raised"
	case -1:
		return "lowered"
	}
	v, lasting := commanded(k.cause, k.value)
	if !lasting {
		return fmt.Sprintf("operated with control code 0x%02x", uint8(k.value))
	}
	return "set to " + k.cause.quantity(v)
}

// id names the consequence for the key of its alert.
func (k *consequence) id() string {
	order, effect := "="+number(k.value), "="+number(k.to)
	if k.turn != 0 {
		order = fmt.Sprintf("%+d", k.turn)
	}
	if k.by != 0 {
		effect = k.direction("+", "-")
	}
	return k.cause.id() + order + "|" + k.effect.id() + effect
}

// Consequences returns what always followed a command in learning, as sentences
// with the evidence.
func (e *Engine) Consequences() []string {
	var out []string
	for _, p := range e.each() {
		if p.commands == nil {
			continue
		}
		for _, o := range p.commands.outcomes {
			for _, k := range o.consequences {
				becomes := "becomes " + k.effect.quantity(k.to)
				if k.by != 0 {
					becomes = fmt.Sprintf("%s by %s or more", k.direction("rises", "falls"), k.effect.quantity(k.least()))
				}
				only := ""
				if k.only {
					only = ", and never without a command"
				}
				out = append(out, fmt.Sprintf("%s %s within %s when %s is %s%s (after %d of %d commands%s)",
					k.effect.name(), becomes, span(k.longest), p.name(), k.order(), strings.Replace(k.condition(), " was ", " is ", 1), k.n, k.of, only))
			}
		}
	}
	slices.Sort(out)
	return out
}

// savedEffect is a consequence as part of the commands it follows. The effect is
// named by what it is, not by its place, so that it outlives merging.
type savedEffect struct {
	Value   float64 `json:"value"`
	Proto   string  `json:"proto"`
	Unit    uint16  `json:"unit"`
	Kind    string  `json:"kind"`
	Index   uint32  `json:"index"`
	To      float64 `json:"to"`
	N       uint32  `json:"n"`
	Of      uint32  `json:"of"`
	Longest int64   `json:"longest"`
}

func (c *commands) saveEffects() []savedEffect {
	var out []savedEffect
	for _, o := range c.outcomes {
		for _, k := range o.consequences {
			if k.far() {
				continue
			}
			s := k.effect.series
			out = append(out, savedEffect{Value: o.value, Proto: s.Proto.String(), Unit: s.Unit, Kind: s.Kind.String(), Index: s.Index, To: k.to, N: k.n, Of: k.of, Longest: k.longest})
		}
	}
	return out
}

// pendingEffects are those of a point whose effects may not have been loaded yet.
type pendingEffects struct {
	cause     *point
	saved     []savedEffect
	reactions []savedReaction
}

// connect takes over the consequences, once all points are there. An effect that
// is not there, or is no state any more after merging, is let go.
func (l *loader) connect() error {
	for _, x := range l.effects {
		p, c := x.cause, x.cause.commands
		for i := range x.saved {
			k, err := l.consequence(p, &x.saved[i])
			if err != nil {
				return fmt.Errorf("%s has an effect whose %w", p.id(), err)
			}
			if k == nil {
				continue
			}
			o := c.outcomeOf(k.value, 0)
			if o == nil {
				if len(c.outcomes) == maxStates {
					continue
				}
				c.outcomes = append(c.outcomes, outcome{value: k.value})
				o = &c.outcomes[len(c.outcomes)-1]
			}
			if len(o.consequences) < perCommand && l.engine.connect(k) {
				o.consequences = append(o.consequences, k)
			}
		}
		if err := l.reactions(p, c, x.reactions); err != nil {
			return err
		}
		c.tidy()
	}
	return l.prompt()
}

// consequence makes one of what was saved, nil if its effect is none any more.
func (l *loader) consequence(p *point, s *savedEffect) (*consequence, error) {
	proto, err := parseName(s.Proto, protocols.NumProtos, protocols.Proto.String)
	if err != nil {
		return nil, fmt.Errorf("proto: %w", err)
	}
	kind, err := parseName(s.Kind, protocols.NumPointKinds, protocols.PointKind.String)
	if err != nil {
		return nil, fmt.Errorf("kind: %w", err)
	}
	if s.Longest < 0 || s.Longest > effectWindow || s.N < 1 || s.Of < s.N {
		return nil, fmt.Errorf("numbers are out of their bounds: %d of %d, within %d ns", s.N, s.Of, s.Longest)
	}
	q := l.engine.points.get(pointKey{device: p.series.Device, proto: proto, unit: s.Unit, kind: kind, index: s.Index})
	if q == nil || q == p || q.profile.nature != natureState {
		return nil, nil
	}
	return &consequence{cause: p, value: s.Value, effect: q, to: s.To, n: s.N, of: s.Of, longest: s.Longest}, nil
}

// mergeEffects puts the effects of two learnings of a command together. One that
// only one of them knows is kept if the other saw too few commands to know it.
func mergeEffects(a, b *savedCommand) []savedEffect {
	var out []savedEffect
	find := func(list []savedEffect, s *savedEffect) *savedEffect {
		for i := range list {
			x := list[i]
			x.N, x.Of, x.Longest = s.N, s.Of, s.Longest
			if x == *s {
				return &list[i]
			}
		}
		return nil
	}
	for _, x := range a.Effects {
		if y := find(b.Effects, &x); y != nil {
			x.N, x.Of, x.Longest = x.N+y.N, x.Of+y.Of, max(x.Longest, y.Longest)
		} else if b.N >= enoughConsequences {
			continue
		}
		out = append(out, x)
	}
	for _, y := range b.Effects {
		if find(a.Effects, &y) == nil && a.N < enoughConsequences {
			out = append(out, y)
		}
	}
	return out
}
