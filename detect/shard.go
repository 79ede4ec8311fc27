package detect

import (
	"net/netip"

	"github.com/weir-ics/weir/protocols"
)

// ShardStats counts what a shard did.
type ShardStats struct {
	// Events is all events observed, Network those of the layers below.
	Events, Network uint64
	// Links is the links learned, LinksRefused the messages on links that found
	// no room to be learned.
	Links, LinksRefused uint64
	// Connections is the connections learned, ConnectionsRefused those without
	// room.
	Connections, ConnectionsRefused uint64
	// Strangers is messages on links that were not learned.
	Strangers uint64
	// Timers is polls whose pace is watched.
	Timers uint64
	// Explained is violations that lost packets explain.
	Explained uint64
}

// Each calls f with every counter by its stable name.
func (s *ShardStats) Each(f func(name string, value uint64)) {
	f("detect.events", s.Events)
	f("detect.network-events", s.Network)
	f("detect.links", s.Links)
	f("detect.links-refused", s.LinksRefused)
	f("detect.connections", s.Connections)
	f("detect.connections-refused", s.ConnectionsRefused)
	f("detect.stranger-events", s.Strangers)
	f("detect.timers", s.Timers)
	f("detect.violations-explained", s.Explained)
}

// connKey is who opens connections to which service.
type connKey struct {
	client, server [16]byte
	port           uint16
}

// pairKey is two hosts, in the direction of who opens.
type pairKey struct{ a, b [16]byte }

type connection struct {
	count    uint64
	most     uint32
	number   int64 // of the window
	inWindow uint32
	flooding bool
}

// Shard holds all learned state of the links whose packets one worker sees. It
// has one user at a time. What crosses links, and what was not learned, it
// tells the site.
type Shard struct {
	settings Settings
	schedule *Schedule
	normal   *normal // what a loaded baseline holds
	links    map[linkKey]*link
	conns    map[connKey]*connection
	ports    map[pairKey]uint16
	gaps     map[pairKey]int64
	gapsKept int // how many gaps make it look for those that are over
	frozen   bool
	// noLinks and noConnections are set while the site has no room for more.
	noLinks, noConnections bool
	admissions             []scope // what approvals let it learn
	// summaries of the links learned, for the site to take when watching begins.
	summaries []summary
	timers    timers
	next      int64
	// deaf tells that nothing can be heard, heardFrom when that was over the last time.
	deaf      bool
	heardFrom int64
	began     int64 // when the first link was learned, 0 if none was

	notes  []note
	events []seen
	stats  ShardStats
}

// normal is what a loaded baseline holds, by key. All shards share it: what comes
// up in the traffic of one is made its own, and only it touches it. links are
// copies, of which only who it is stays once it has come up.
type normal struct {
	links map[linkKey]*LinkBaseline
	list  []*LinkBaseline // in the order of the baseline
	conns map[connKey]*ConnectionBaseline
	ports map[pairKey]uint16 // high ports between two hosts
}

func (b *Baseline) normal() *normal {
	n := &normal{}
	if b == nil {
		return n
	}
	n.links = make(map[linkKey]*LinkBaseline, len(b.Links))
	n.list = make([]*LinkBaseline, len(b.Links))
	for i := range b.Links {
		own := b.Links[i]
		n.list[i] = &own
		n.links[own.key()] = &own
	}
	n.conns = make(map[connKey]*ConnectionBaseline, len(b.Connections))
	n.ports = make(map[pairKey]uint16)
	for i := range b.Connections {
		c := &b.Connections[i]
		key := connKey{c.Client.As16(), c.Server.As16(), c.Port}
		n.conns[key] = c
		if key.port >= 1024 {
			n.ports[pairKey{key.client, key.server}]++
		}
	}
	return n
}

// NewShard makes one shard for all of the traffic. With a baseline it knows what
// that holds; without, it learns as the schedule says. The baseline is only read.
func NewShard(settings Settings, schedule *Schedule, baseline *Baseline) *Shard {
	return NewShards(1, settings, schedule, baseline)[0]
}

// NewShards makes n shards that share the traffic (see NewShard).
func NewShards(n int, settings Settings, schedule *Schedule, baseline *Baseline) []*Shard {
	settings = settings.withDefaults()
	normal := baseline.normal()
	shards := make([]*Shard, n)
	for i := range shards {
		s := &Shard{settings: settings, schedule: schedule, normal: normal, links: map[linkKey]*link{}, conns: map[connKey]*connection{},
			ports: map[pairKey]uint16{}, gaps: map[pairKey]int64{}, gapsKept: leastGaps}
		if baseline != nil {
			s.admissions = admissions(baseline.Decisions)
		}
		shards[i] = s
	}
	if baseline != nil {
		shards[0].stats.Connections = uint64(len(baseline.Connections))
	}
	return shards
}

// burst is how many links, and how many connections, a shard takes at most
// beyond the caps before Bound is called next.
const burst = 1 << 16

// Bound keeps shards that share the traffic within the caps of the site. It is
// to be called between batches of packets, when none of them is in use. What it
// decides rests on the totals, so that it does not matter how the traffic is
// shared out; a batch may overrun the caps by what it brings.
func Bound(shards ...*Shard) {
	links, conns := 0, 0
	for _, s := range shards {
		links += len(s.links)
		conns += len(s.conns)
	}
	for _, s := range shards {
		s.noLinks = links >= s.settings.MaxLinks
		s.noConnections = conns >= s.settings.MaxConnections
	}
}

// Observe takes one event, in packet order. It costs O(1) and, once the link
// and the request are known, no allocation.
func (s *Shard) Observe(e *protocols.Event) {
	s.stats.Events++
	if s.next != 0 && e.Clock >= s.next {
		s.Advance(e.Clock)
	}
	watching := s.schedule.watching(e.Clock)
	if watching && !s.frozen {
		s.freeze()
	}
	if e.Proto == protocols.ProtoNetwork {
		s.stats.Network++
		s.network(e, watching)
		return
	}
	l := s.link(e, watching)
	if l == nil {
		return
	}
	if s.goesBeyond(l, e) {
		s.stranger(e, l.key)
		return
	}
	l.messages++
	l.last = e.Clock
	if e.Clock >= l.win.until || e.Clock < l.win.from {
		s.turnWindow(l, e)
	}
	l.win.messages++
	if l.watching && float64(l.win.messages) > l.flood && !l.flooding {
		s.flood(l, e)
	}
	switch e.Role {
	case protocols.RoleRequest:
		s.request(l, e)
	case protocols.RoleResponse, protocols.RoleException, protocols.RoleUnsolicited:
		s.answer(l, e)
	}
	if len(e.Violations) > 0 {
		s.violations(l, e)
	}
	if len(e.Identity) > 0 {
		s.identify(e, l.key)
	}
}

// link returns the link of a message, nil for a stranger's. The conversation
// remembers it: to make the key and to look it up took 40 of the 135 ns that a
// message costs here.
func (s *Shard) link(e *protocols.Event, watching bool) *link {
	if e.Memo != nil {
		if l, ok := e.Memo.Link.(*link); ok && l.is(e) {
			return l
		}
	}
	key := keyOf(e)
	l := s.links[key]
	if l == nil {
		l = s.meet(e, key, watching)
	}
	if l != nil && e.Memo != nil {
		e.Memo.Link = l
	}
	return l
}

// meet finds or makes the link of a key that has none yet; it returns nil if the
// event is a stranger's.
func (s *Shard) meet(e *protocols.Event, key linkKey, watching bool) *link {
	if b := s.normal.links[key]; b != nil {
		l := b.link()
		b.forget()
		l.since = e.Clock
		s.links[key] = l
		s.stats.Links++
		if watching {
			s.watch(l)
			if s.settings.ArmAtStart {
				s.finding(e, noteFinding, pollResumed(l, e))
			}
		}
		return l
	}
	approved := watching && s.admitted(e)
	if watching && !approved {
		s.stranger(e, key)
		return nil
	}
	if s.noLinks || len(s.links) >= s.settings.MaxLinks+burst {
		s.stats.LinksRefused++
		return nil
	}
	l := &link{key: key, proto: e.Proto, client: *e.Client(), server: *e.Server(), first: e.Clock, known: true, admitted: approved}
	if !e.FromClient && e.Proto == protocols.ProtoModbus && e.RoleGuessed {
		l.client.Port = 0
	}
	s.links[key] = l
	s.stats.Links++
	if s.began == 0 {
		s.began = e.Clock
	}
	return l
}

// Began is the clock of the first message of a link that was learned, 0 if none was.
func (s *Shard) Began() int64 { return s.began }

func (s *Shard) stranger(e *protocols.Event, key linkKey) {
	s.stats.Strangers++
	s.tell(e, noteStranger, s.copyEvent(e, key))
}

func (s *Shard) copyEvent(e *protocols.Event, key linkKey) int32 {
	i := len(s.events)
	if i < cap(s.events) {
		s.events = s.events[:i+1]
	} else {
		s.events = append(s.events, seen{})
	}
	s.events[i].set(e, key)
	return int32(i)
}

func (s *Shard) tell(e *protocols.Event, kind noteKind, event int32) *note {
	s.notes = append(s.notes, note{clock: e.Clock, frame: e.Frame, kind: kind, event: event, seq: int32(len(s.notes))})
	return &s.notes[len(s.notes)-1]
}

// Add takes a finding of others (rules) into the order, so that it takes part
// in folding, alerts and incidents. clock and frame are those of the event that
// it rests on; f must not be changed afterwards.
func (s *Shard) Add(clock int64, frame uint64, f *Finding) {
	s.notes = append(s.notes, note{clock: clock, frame: frame, kind: noteFinding, event: -1, finding: f, added: true, seq: int32(len(s.notes))})
}

// Advance moves the watermark: what is due up to clock is found. It returns the
// clock at which it wants to be called next, 0 if at none.
func (s *Shard) Advance(clock int64) (next int64) {
	if s.frozen && (s.next == 0 || clock < s.next) {
		return s.next // as for nearly every packet
	}
	if !s.frozen && s.schedule.watching(clock) {
		s.freeze()
	}
	for {
		t, ok := s.timers.due(clock)
		if !ok {
			break
		}
		s.fire(t)
	}
	s.next = s.timers.next()
	if from := s.schedule.WatchFrom(); !s.frozen && from != never && (s.next == 0 || from < s.next) {
		s.next = from
	}
	return s.next
}

// Next is where the shard keeps what Advance would return, once it was called.
func (s *Shard) Next() *int64 { return &s.next }

// freeze ends the learning: from here on the links are judged.
func (s *Shard) freeze() {
	s.frozen = true
	for _, l := range s.links {
		if !l.watching {
			s.watch(l)
		}
		if !l.loaded {
			s.summaries = append(s.summaries, l.summary())
		}
	}
}

// Stats returns the shard's counters.
func (s *Shard) Stats() ShardStats { return s.stats }

func (s *Shard) identify(e *protocols.Event, key linkKey) {
	i := s.copyEvent(e, key)
	for _, id := range e.Identity {
		s.events[i].identity = append(s.events[i].identity, identity{id.Key, string(id.Value)})
	}
	s.tell(e, noteIdentity, i)
}

// network takes an event of the layers below.
func (s *Shard) network(e *protocols.Event, watching bool) {
	switch e.Function {
	case protocols.ConnectionTried, protocols.ConnectionOpened, protocols.ConversationSeen:
		s.connect(e, watching)
	case protocols.ConnectionRefused:
		key := connOf(e)
		if s.connection(key) == nil {
			s.tell(e, noteNetwork, s.copyEvent(e, linkKey{}))
		}
	case protocols.StreamGap:
		if len(s.gaps) >= s.gapsKept {
			s.forgetGaps(e.Clock)
		}
		s.gaps[pairOf(e.Src.IP, e.Dst.IP)] = e.Clock
	case protocols.ConnectionClosed:
	default:
		s.tell(e, noteNetwork, s.copyEvent(e, linkKey{}))
	}
}

// leastGaps is below how many gaps none is forgotten. A flood that brings more
// than mostGaps within the time that a gap explains loses them all.
const leastGaps, mostGaps = 4096, 1 << 16

// gapExplains is for how long a gap explains malformed messages, in nanoseconds.
const gapExplains = int64(10e9)

// forgetGaps drops the gaps that explain nothing any more.
func (s *Shard) forgetGaps(clock int64) {
	for k, at := range s.gaps {
		if clock-at > gapExplains {
			delete(s.gaps, k)
		}
	}
	if len(s.gaps) >= mostGaps {
		clear(s.gaps)
	}
	s.gapsKept = min(max(leastGaps, 2*len(s.gaps)), mostGaps)
}

func pairOf(a, b netip.Addr) pairKey {
	if b.Less(a) {
		a, b = b, a
	}
	return pairKey{a.As16(), b.As16()}
}

func connOf(e *protocols.Event) connKey {
	if e.FromClient {
		return connKey{e.Src.IP.As16(), e.Dst.IP.As16(), e.Dst.Port}
	}
	return connKey{e.Dst.IP.As16(), e.Src.IP.As16(), e.Src.Port}
}

// dynamicPorts is how many high ports between two hosts make their ports
// changing ones, of which the next is no news.
const dynamicPorts = 3

func (s *Shard) connect(e *protocols.Event, watching bool) {
	key := connOf(e)
	c := s.connection(key)
	if c == nil && e.Function == protocols.ConversationSeen {
		// Who opened was not seen: the other way round is as good.
		back := connKey{key.server, key.client, e.Src.Port}
		if !e.FromClient {
			back.port = e.Dst.Port
		}
		c = s.connection(back)
	}
	switch {
	case c == nil && !watching:
		if s.noConnections || len(s.conns) >= s.settings.MaxConnections+burst {
			s.stats.ConnectionsRefused++
			return
		}
		c = s.addConnection(key)
	case c == nil:
		if key.port >= 1024 && s.highPorts(pairKey{key.client, key.server}) >= dynamicPorts {
			return
		}
		s.tell(e, noteNetwork, s.copyEvent(e, linkKey{}))
		return
	}
	if e.Function == protocols.ConnectionOpened {
		return
	}
	c.count++
	if w := e.Clock / int64(s.settings.BurstWindow); w != c.number {
		if c.flooding {
			c.flooding = false
			s.finding(e, noteFinding, connectionFlood(e, c, true))
		}
		c.number, c.inWindow = w, 0
	}
	c.inWindow++
	if !watching {
		c.most = max(c.most, c.inWindow)
	} else if c.inWindow >= floodConnections && c.inWindow > 3*c.most && !c.flooding {
		c.flooding = true
		s.finding(e, noteFinding, connectionFlood(e, c, false))
	}
}

func (s *Shard) highPorts(pair pairKey) uint16 { return s.normal.ports[pair] + s.ports[pair] }

// connection returns what was learned of a connection, nil if it is new.
func (s *Shard) connection(key connKey) *connection {
	if c := s.conns[key]; c != nil {
		return c
	}
	if b := s.normal.conns[key]; b != nil {
		c := &connection{count: b.Count, most: b.Most}
		s.conns[key] = c
		return c
	}
	return nil
}

func (s *Shard) addConnection(key connKey) *connection {
	c := &connection{}
	s.conns[key] = c
	s.stats.Connections++
	if key.port >= 1024 {
		s.ports[pairKey{key.client, key.server}]++
	}
	return c
}

func (s *Shard) finding(e *protocols.Event, kind noteKind, f *Finding) *note {
	n := s.tell(e, kind, -1)
	n.finding = f
	return n
}
