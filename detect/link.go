package detect

import (
	"math"
	"net/netip"

	"github.com/weir-ics/weir/detect/extreme"
	"github.com/weir-ics/weir/detect/interval"
	"github.com/weir-ics/weir/protocols"
)

// linkKey says which link a message belongs to. It has no padding, so that it
// hashes as plain memory.
type linkKey struct {
	client, server [16]byte
	// unit is the Modbus unit or the outstation's DNP3 address.
	unit, master, proto, _ uint16
}

// clientUnits returns the unit (or outstation address) and the master address.
func clientUnits(e *protocols.Event) (unit, master uint16) {
	if e.Proto != protocols.ProtoDNP3 {
		return uint16(e.Unit), 0
	}
	if e.FromClient {
		return e.Destination, e.Source
	}
	return e.Source, e.Destination
}

func keyOf(e *protocols.Event) linkKey {
	unit, master := clientUnits(e)
	k := linkKey{unit: unit, master: master, proto: uint16(e.Proto)}
	if e.FromClient {
		k.client, k.server = e.Src.IP.As16(), e.Dst.IP.As16()
	} else {
		k.client, k.server = e.Dst.IP.As16(), e.Src.IP.As16()
	}
	return k
}

// is tells whether a message belongs to the link, without making a key.
func (l *link) is(e *protocols.Event) bool {
	unit, master := clientUnits(e)
	return l.key.unit == unit && l.key.master == master && l.proto == e.Proto && l.client.IP == e.Client().IP && l.server.IP == e.Server().IP
}

func ipOf(b [16]byte) netip.Addr {
	ip := netip.AddrFrom16(b).Unmap()
	if ip == netip.IPv6Unspecified() {
		return netip.Addr{}
	}
	return ip
}

// function is one function on a link.
type function struct {
	function uint8
	sub      int32
	role     protocols.Role
	effect   protocols.Effect
	name     string
	count    uint64
	// rtt is the upper tail of its response times, in milliseconds.
	rtt extreme.Tail
	// late are the last eight answers, a bit each, set for a late one.
	late uint8
	// longest is the longest request, in octets.
	longest int32
	lateAt  float64
}

// pattern is one distinct request: a function with the addresses it names.
type pattern struct {
	// What each request needs while watching comes first, together.
	hash     uint64
	count    uint64
	function int32
	changes  bool
	timed    bool
	overdue  bool
	// flagged is the finding that the pattern made, so that its repeats need
	// not be judged again.
	flagged    *Finding
	last       int64
	lastFrame  uint64
	mean       float64 // of the intervals, as what follows below
	perScale   float64 // one over the scale of its intervals, in seconds
	fast, slow float64
	limit      float64

	first  int64 // when it was first seen
	ranges []protocols.Range
	// Intervals between two of them, in seconds, winsorised to between a
	// quarter and four times the running median.
	n            uint64
	median       float64
	m2           float64
	gaps         uint64
	longest      float64
	overdueAfter int64
}

// addresses are those of one table (or point type) with one kind of access.
type addresses struct {
	kind   protocols.PointKind
	access protocols.Access
	set    interval.Set
}

// habit counts something by a code.
type habit struct {
	code  uint8
	count uint64
}

// fault counts violations of a kind.
type fault struct {
	name  string
	count uint64
}

// window counts messages in the present burst window, which is from a time until
// another, once that is set.
type window struct {
	number, from, until            int64
	messages, exceptions, failures uint32
}

// link is what is known of one link.
type link struct {
	// What each message needs comes first, together.
	key            linkKey
	client, server protocols.Endpoint
	proto          protocols.Proto
	known          bool
	// loaded tells that it came from a baseline.
	loaded bool
	// admitted tells that a person approved it while weir was watching, so that
	// it learns by itself.
	admitted bool
	// watching tells that the link is judged; until then it learns.
	watching            bool
	broadcasts          bool
	unsolicited         bool
	silentRaised        bool
	flooding            bool
	iin, iinUp          uint16
	silent              uint32
	messages            uint64
	requests, answers   uint64
	last                int64
	held                uint64 // frame of the request that waits for its answer
	flood               float64
	win                 window
	functions           []function
	patterns            []pattern
	hint                int
	tables              []addresses
	index               map[uint64]int32
	overdue, silentMost uint32
	refused             uint64
	told                uint64 // messages when it was last reported
	since               int64  // when it was first seen in this run
	changes, unanswered uint64
	firstChange         int64
	once, changesOnce   uint64
	first               int64
	more                uint64 // requests beyond MaxPatterns
	exceptions          []habit
	faults              []fault
	hours               []uint32 // commands by hour of the week, nil until the first
	load                extreme.Tail
	story               story
}

// story is when a client last restarted a device and set its clock.
type story struct {
	restarted, timed int64
	fresh            bool // something of it was new
}

// tell takes an effect and tells whether it completes a restart followed by a
// clock setting followed by a configuration within an hour, with something new
// in it.
func (x *story) tell(effect protocols.Effect, clock int64, isNew bool) bool {
	const hour = 3600e9
	switch effect {
	case protocols.Restart:
		*x = story{restarted: clock, fresh: isNew}
	case protocols.Time:
		if x.restarted != 0 && clock-x.restarted < hour {
			x.timed = clock
			x.fresh = x.fresh || isNew
		}
	case protocols.Configure:
		done := x.timed != 0 && clock-x.restarted < hour && (x.fresh || isNew)
		if done {
			*x = story{}
		}
		return done
	}
	return false
}

// hashStart and hashStep are a 64-bit multiply-xorshift mix, enough to tell
// apart the few hundred requests of a link.
const hashStart = 0x9E3779B97F4A7C15

func hashStep(h, v uint64) uint64 {
	h = (h ^ v) * 0xD6E8FEB86659FD93
	return h ^ h>>32
}

// requestHash is equal for requests of the same function for the same addresses.
func requestHash(e *protocols.Event) uint64 {
	h := hashStep(hashStart, uint64(e.Function)|uint64(uint32(e.Sub))<<8|uint64(e.Role)<<40)
	if e.Broadcast {
		h = hashStep(h, 1)
	}
	for i := range e.Ranges {
		r := &e.Ranges[i]
		h = hashStep(h, uint64(r.First)<<32|uint64(r.Count))
		h = hashStep(h, uint64(r.Kind)<<8|uint64(r.Access))
	}
	return h
}

// find returns the index of the pattern, -1 if there is none. Polls come in a
// round, so the one after the last is tried first.
func (l *link) find(hash uint64) int {
	n := len(l.patterns)
	if n == 0 {
		return -1
	}
	i := l.hint + 1
	if i >= n {
		i = 0
	}
	if l.patterns[i].hash == hash {
		l.hint = i
		return i
	}
	if l.index != nil {
		if i, ok := l.index[hash]; ok {
			l.hint = int(i)
			return int(i)
		}
		return -1
	}
	for i := range l.patterns {
		if l.patterns[i].hash == hash {
			l.hint = i
			return i
		}
	}
	return -1
}

const indexFrom = 12

// addPattern adds a pattern and returns its index, or -1 if there is no room.
func (l *link) addPattern(e *protocols.Event, hash uint64, function int, limit int) int {
	if len(l.patterns) >= limit {
		l.more++
		return -1
	}
	ranges := e.Ranges
	if len(ranges) > 16 {
		ranges = ranges[:16]
	}
	i := len(l.patterns)
	l.patterns = append(l.patterns, pattern{
		hash: hash, first: e.Clock, function: int32(function), changes: e.Effect.Changes(), ranges: append([]protocols.Range(nil), ranges...),
	})
	l.indexPattern(i)
	l.hint = i
	return i
}

func (l *link) indexPattern(i int) {
	switch {
	case l.index != nil:
		l.index[l.patterns[i].hash] = int32(i)
	case i >= indexFrom:
		l.index = make(map[uint64]int32, 2*indexFrom)
		for j := range l.patterns {
			l.index[l.patterns[j].hash] = int32(j)
		}
	}
}

// findFunction returns the index of the function, -1 if there is none.
func (l *link) findFunction(code uint8, sub int32, role protocols.Role) int {
	for i := range l.functions {
		if f := &l.functions[i]; f.function == code && f.sub == sub && f.role == role {
			return i
		}
	}
	return -1
}

func (l *link) addFunction(e *protocols.Event, role protocols.Role) int {
	l.functions = append(l.functions, function{function: e.Function, sub: e.Sub, role: role, effect: e.Effect, name: e.Name})
	return len(l.functions) - 1
}

// table returns the addresses of a kind and access, nil if there are none.
func (l *link) table(kind protocols.PointKind, access protocols.Access) *addresses {
	for i := range l.tables {
		if t := &l.tables[i]; t.kind == kind && t.access == access {
			return t
		}
	}
	return nil
}

func (l *link) addAddresses(r protocols.Range, limit int) {
	access := accessClass(r.Access)
	t := l.table(r.Kind, access)
	if t == nil {
		l.tables = append(l.tables, addresses{kind: r.Kind, access: access})
		t = &l.tables[len(l.tables)-1]
	}
	run := runOf(r)
	t.set.Add(run.First, run.Last, limit)
}

// accessClass folds what is one thing for a person: to select is to operate.
func accessClass(a protocols.Access) protocols.Access {
	if a == protocols.AccessSelect {
		return protocols.AccessOperate
	}
	return a
}

// hasEffect tells whether a function with the effect was learned.
func (l *link) hasEffect(effect protocols.Effect) bool {
	for i := range l.functions {
		if l.functions[i].effect == effect {
			return true
		}
	}
	return false
}

// hasChanges tells whether a function that changes something was learned.
func (l *link) hasChanges() bool {
	for i := range l.functions {
		if l.functions[i].effect.Changes() {
			return true
		}
	}
	return false
}

// unseen is the Good-Turing estimate (Good 1953) of the probability that the
// next request is one never seen: the share of requests seen exactly once.
func unseen(once, total uint64) float64 {
	if total == 0 {
		return 1
	}
	return float64(once) / float64(total)
}

// unseenBound is an upper bound of that probability that holds with 95 %
// confidence (McAllester and Schapire 2000, theorem 1).
func unseenBound(once, total uint64) float64 {
	if total == 0 {
		return 1
	}
	slack := (2*math.Sqrt2 + math.Sqrt(3)) * math.Sqrt(math.Log(3/0.05)/float64(total))
	return math.Min(1, unseen(once, total)+slack)
}

// takeInterval takes one interval between two equal requests into the model.
func (p *pattern) takeInterval(ns int64) {
	x := float64(ns) / 1e9
	p.n++
	if p.n == 1 {
		p.median = x
	}
	// The running median moves by a step that shrinks to one part in fifty.
	step := p.median * math.Max(0.02, 0.5/float64(p.n))
	switch {
	case x > p.median:
		p.median = math.Min(x, p.median+step)
	case x < p.median:
		p.median = math.Max(x, p.median-step)
	}
	if x > 4*p.median {
		p.gaps++
		p.longest = math.Max(p.longest, x)
	}
	x = math.Max(p.median/4, math.Min(4*p.median, x))
	delta := x - p.mean
	p.mean += delta / float64(p.n)
	p.m2 += delta * (x - p.mean)
}

func (p *pattern) deviation() float64 {
	if p.n < 2 {
		return 0
	}
	return math.Sqrt(p.m2 / float64(p.n-1))
}

// regular tells that the request comes like clockwork: at least ten intervals
// that vary by less than a third, and gaps in at most one of twenty.
func (p *pattern) regular() bool {
	return p.n >= 10 && p.mean > 0 && p.deviation() < p.mean/3 && p.gaps*20 <= p.n
}

// overdueTime is after how long a regular request counts as stopped: see
// KindPollStopped.
func (p *pattern) overdueTime() int64 {
	after := math.Max(4*p.mean, p.mean+8*p.deviation())
	// One gap may be an outage that happened to be learned; three are a habit.
	if p.gaps >= 3 {
		after = math.Max(after, 1.5*p.longest)
	}
	// A TCP retransmission or two must not make a fast poll overdue.
	return int64(math.Max(after, 3) * 1e9)
}
