package process

import (
	"math"
	"net/netip"

	"github.com/weir-ics/weir/detect"
	"github.com/weir-ics/weir/protocols"
)

// While learning, what points do after a command is noted: their values when it
// is given and at each of the delays after it. Nothing is done for a report. What
// follows is found in the notes when learning ends (see reaction.go).

// delays are how long after a command the movers are looked at, in nanoseconds.
var delays = [...]int64{10e9, 30e9, 120e9, 600e9}

// looks is how many values are noted of each mover.
const looks = 1 + len(delays)

const (
	// ownMovers and otherMovers bound the points that are noted after a command:
	// those of the same device, and those of all others together, of which each
	// device has moversEach at most. The first that move are taken.
	ownMovers   = 192
	otherMovers = 256
	moversEach  = 64
	// maxOccasions is how many commands of one kind are kept; then every second of
	// them is let go, and every second one kept from then on.
	maxOccasions = 32
	// maxNoting bounds the commands whose effects are looked at at once.
	maxNoting = 256
	// echoShare is the part of the room for histories that notes may take.
	echoShare = 1.0 / 12
	// sameCommand is how soon after a command another of the same kind is the
	// same.
	sameCommand = 10e9
)

// echoes is what is noted while learning.
type echoes struct {
	// own are, a device, the first points of it that moved, others the first of
	// all devices.
	own    map[netip.Addr][]*point
	others []*point
	groups map[netip.Addr]*echoGroup
	// noting are the occasions that are not over, due when the next is looked at.
	noting []*occasion
	due    int64
	// size is how many values are noted.
	size    int
	retyped []retyped
	// lone is how many points have a lone.
	lone int
	// orders are what each device was commanded.
	orders map[netip.Addr]*orders
}

// retyped is a point that took the place of others when learning ended.
type retyped struct {
	point  *point
	parts  []*point
	decode func([]uint16) float64
}

// echoGroup is what the commands to a device share: the points that are noted.
// Points are only ever added, from own[:nOwn] and others[:nOthers].
type echoGroup struct {
	movers        []*point
	nOwn, nOthers int
}

// echo is what was noted after commands of one kind to a point: of one value, or
// those that raised or lowered it.
type echo struct {
	value float64
	// turn is 1 if the commands raised the point, -1 if they lowered it, 0 if they
	// are those of the value.
	turn int8
	// n is how many commands there were, of which each every-th was kept.
	n, every  uint32
	occasions []*occasion
}

// occasion is a command, and the values of the group's movers, looks of each one.
type occasion struct {
	group  *echoGroup
	device netip.Addr
	at     int64
	done   int // delays that were looked at
	values []float32
}

// moved takes in that p has moved for the first time.
func (x *echoes) moved(p *point) {
	if x.own == nil {
		x.own, x.groups = make(map[netip.Addr][]*point), make(map[netip.Addr]*echoGroup)
	}
	d := p.series.Device
	list := x.own[d]
	if len(list) < moversEach && len(x.others) < otherMovers {
		x.others = append(x.others, p)
	}
	if len(list) < ownMovers {
		x.own[d] = append(list, p)
	}
}

// groupOf is the group of a device, with all that has moved up to now.
func (x *echoes) groupOf(d netip.Addr) *echoGroup {
	g := x.groups[d]
	if g == nil {
		if len(x.groups) >= maxCommanded || x.own == nil {
			return nil
		}
		g = new(echoGroup)
		x.groups[d] = g
	}
	for _, p := range x.own[d][g.nOwn:] {
		g.movers = append(g.movers, p)
		if x.lone < maxLone {
			x.lone++
			p.tie().lone = new(lone)
		}
	}
	g.nOwn = len(x.own[d])
	for _, p := range x.others[g.nOthers:] {
		if p.series.Device != d {
			g.movers = append(g.movers, p)
		}
	}
	g.nOthers = len(x.others)
	return g
}

// turnOf tells which way a command moves p: 1 up, -1 down, 0 if that is not to be
// said.
func turnOf(p *point, want float64, lasting bool) int8 {
	switch {
	case !lasting || !p.has() || !p.quantitative() || near(p.value, want):
		return 0
	case want > p.value:
		return 1
	}
	return -1
}

// hear begins to note what follows a command, given that it may change something.
func (e *Engine) hear(p *point, c *commands, s *detect.Sample, want float64, lasting bool) {
	if c.nStates <= maxStates {
		e.hearEcho(p, c, s, echo{value: s.Value, every: 1})
	} else {
		c.echoes = deleteValues(c.echoes)
	}
	if turn := turnOf(p, want, lasting); turn != 0 {
		e.hearEcho(p, c, s, echo{turn: turn, every: 1})
	}
}

// deleteValues leaves the echoes of raising and lowering.
func deleteValues(list []*echo) []*echo {
	out := list[:0]
	for _, x := range list {
		if x.turn != 0 {
			out = append(out, x)
		}
	}
	return out
}

func (e *Engine) hearEcho(p *point, c *commands, s *detect.Sample, kind echo) {
	var x *echo
	for _, y := range c.echoes {
		if y.turn == kind.turn && (kind.turn != 0 || near(y.value, kind.value)) {
			x = y
		}
	}
	if x == nil {
		x = &kind
		c.echoes = append(c.echoes, x)
	}
	if n := len(x.occasions); n > 0 && s.Time-x.occasions[n-1].at < sameCommand {
		return
	}
	x.n++
	if (x.n-1)%x.every != 0 {
		return
	}
	g := e.echo.groupOf(p.series.Device)
	if g == nil || len(g.movers) == 0 {
		return
	}
	size := looks * len(g.movers)
	if len(x.occasions) == maxOccasions {
		for i := range maxOccasions / 2 {
			x.occasions[i] = x.occasions[2*i]
			e.echo.size -= len(x.occasions[2*i+1].values)
		}
		clear(x.occasions[maxOccasions/2:])
		x.occasions = x.occasions[:maxOccasions/2]
		x.every *= 2
		if (x.n-1)%x.every != 0 {
			return
		}
	}
	if len(e.echo.noting) >= maxNoting || 4*(e.echo.size+size) > int(echoShare*float64(e.settings.HistoryBytes)) {
		e.stats.Unfollowed++
		return
	}
	o := &occasion{group: g, device: p.series.Device, at: s.Time}
	o.grow(g)
	for i, q := range g.movers {
		o.values[looks*i] = float32(math.NaN())
		if seen, _ := q.lastSeen(); q.has() && !(q.regular && s.Time-seen > missing*q.interval) {
			o.values[looks*i] = float32(q.value)
		}
	}
	e.echo.size += size
	x.occasions = append(x.occasions, o)
	if len(e.echo.noting) == 0 || o.at+delays[0] < e.echo.due {
		e.echo.due = o.at + delays[0]
	}
	e.echo.noting = append(e.echo.noting, o)
}

// listen looks at the movers for all delays that are over. It is called before
// what a message says is taken in.
func (e *Engine) listen(clock int64) {
	x := &e.echo
	open := x.noting[:0]
	x.due = math.MaxInt64
	for _, o := range x.noting {
		for o.done < len(delays) && o.at+delays[o.done] <= clock {
			o.done++
			x.size += o.grow(x.groupOf(o.device))
			o.look()
		}
		if o.done < len(delays) {
			open = append(open, o)
			x.due = min(x.due, o.at+delays[o.done])
		}
	}
	clear(x.noting[len(open):])
	x.noting = open
}

// grow makes room for movers that are new: at the command they were what they had
// ever been. It returns how many values that are.
func (o *occasion) grow(g *echoGroup) int {
	from := len(o.values) / looks
	for _, q := range g.movers[from:] {
		o.values = append(o.values, float32(q.tally.states[0]))
		for range delays {
			o.values = append(o.values, float32(math.NaN()))
		}
	}
	return looks * (len(g.movers) - from)
}

// look notes the values after a delay, of what was reported since the command or
// reports only changes.
func (o *occasion) look() {
	for i := range len(o.values) / looks {
		q := o.group.movers[i]
		if seen, _ := q.lastSeen(); q.has() && (seen > o.at || q.paced && !q.regular) {
			o.values[looks*i+o.done] = float32(q.value)
		}
	}
}

// follower is a point that may follow commands to a device: a mover of the
// group, or what was made of some.
type follower struct {
	point *point
	// slots are the places among the movers of what it is made of, -1 for a part
	// that is none.
	slots  []int
	parts  []*point
	decode func([]uint16) float64 // nil if it is a mover itself
}

// followers returns all points that may follow, in the order of the movers.
func (x *echoes) followers(g *echoGroup) []follower {
	place := make(map[*point]int, len(g.movers))
	var out []follower
	for i, p := range g.movers {
		place[p] = i
		if !p.retired() {
			out = append(out, follower{point: p, slots: []int{i}, parts: []*point{p}})
		}
	}
	for _, r := range x.retyped {
		c := follower{point: r.point, parts: r.parts, decode: r.decode}
		found := false
		for _, p := range r.parts {
			at, ok := place[p]
			if !ok {
				at = -1
			}
			found = found || ok
			c.slots = append(c.slots, at)
		}
		if found && !r.point.retired() {
			out = append(out, c)
		}
	}
	return out
}

// value is what a follower was on an occasion, at look k, NaN if that is not
// known. A mover that had not moved by then was what it had ever been.
func (c *follower) value(o *occasion, k int) float64 {
	var raw [4]uint16
	for i, at := range c.slots {
		var v float64
		switch {
		case at >= 0 && looks*at < len(o.values):
			v = float64(o.values[looks*at+k])
		case c.parts[i].tally.motion == still:
			v = c.parts[i].value
		default:
			v = c.parts[i].tally.states[0]
		}
		if c.decode == nil || math.IsNaN(v) {
			return v
		}
		raw[i] = uint16(v)
	}
	v := c.decode(raw[:len(c.slots)])
	if math.IsInf(v, 0) {
		return math.NaN()
	}
	return float64(float32(v))
}

// quantitative tells whether p can be raised and lowered.
func (p *point) quantitative() bool {
	return p.register() || p.series.Kind == protocols.KindAnalogOutput
}
