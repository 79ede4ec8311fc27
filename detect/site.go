package detect

import (
	"net/netip"
	"sort"
	"sync/atomic"

	"github.com/weir-ics/weir/protocols"
)

// SiteStats counts what the site did.
type SiteStats struct {
	AlertStats
	// Hosts is the addresses known, HostsEvicted the unknown ones given up for
	// room, HostsRefused those for which there was none.
	Hosts, HostsEvicted, HostsRefused uint64
	// Strangers is the links followed that were not learned, StrangersEvicted
	// those given up.
	Strangers, StrangersEvicted uint64
	// Flooded is messages of unknown hosts that were only counted, because a
	// flood of unknown hosts was under way.
	Flooded uint64
	// Actors is the hosts followed for scans, ActorsEvicted those given up.
	Actors, ActorsEvicted uint64
	// Incidents is the incidents that are open.
	Incidents uint64
	// Streams is what is watched by statistics and shares the budget.
	Streams uint64
}

// Each calls f with every counter by its stable name.
func (s *SiteStats) Each(f func(name string, value uint64)) {
	f("detect.findings", s.Findings)
	f("detect.alerts", s.Raised)
	f("detect.alerts-cleared", s.Cleared)
	f("detect.alerts-folded", s.Folded)
	f("detect.alerts-muted", s.Muted)
	f("detect.alerts-evicted", s.Evicted)
	f("detect.findings-over-budget", s.Budget)
	f("detect.hosts", s.Hosts)
	f("detect.hosts-evicted", s.HostsEvicted)
	f("detect.hosts-refused", s.HostsRefused)
	f("detect.strangers", s.Strangers)
	f("detect.strangers-evicted", s.StrangersEvicted)
	f("detect.flooded", s.Flooded)
	f("detect.scan-actors", s.Actors)
	f("detect.scan-actors-evicted", s.ActorsEvicted)
	f("detect.incidents", s.Incidents)
	f("detect.streams", s.Streams)
}

// pairProto is a client and a server that speak a protocol.
type pairProto struct {
	client, server netip.Addr
	proto          protocols.Proto
}

// Site judges what crosses links, and makes alerts of findings. It works off
// what all shards told, in the order of packet time, so its answers do not
// depend on how packets were shared out or where steps end.
type Site struct {
	settings Settings
	schedule *Schedule
	shards   []*Shard
	frozen   bool

	hosts      hosts
	pairs      map[pairProto]struct{}
	strangers  map[linkKey]*strange
	met        []linkKey // a ring: the strangers in the order they came
	metFirst   int       // where in met the oldest is, once all places are taken
	actors     map[netip.Addr]*actor
	acting     []netip.Addr
	ofScan     Finding // the memory of findings about scans
	manager    *manager
	holds      holds
	techniques map[effectKind][]string // those of findings about strangers
	newHosts   int
	hostsIn    int64 // the window that newHosts counts
	flood      *Finding
	floodUntil int64 // unknown hosts are a flood until then
	arp        map[[6]byte]*unasked
	stopped    map[netip.Addr]*stopped
	opening    map[string]*connection // unknown connections
	outside    outside
	streams    float64
	// busiest is the most messages that a learned link had in a burst window.
	busiest float64
	// learnedMessages is how many messages the learned links rest on.
	learnedMessages uint64
	// baseline is what was loaded, but for its links, which are in normal.
	baseline *Baseline
	normal   []*LinkBaseline
	clock    int64

	notes     []ordered
	added     []note
	names     Names
	armed     bool
	deaf      bool   // nothing can be heard
	deafFrom  int64  // since
	down      string // the interfaces that are down, in words
	awaiting  []awaited
	out       Output
	stats     SiteStats
	gathering gathering
	// needs is the clock from which on a step needs the shards themselves, to see
	// who of those awaited has shown itself. It never becomes earlier.
	needs atomic.Int64
}

// NewSite makes the site over all shards, with the baseline that the shards
// were made with.
func NewSite(settings Settings, schedule *Schedule, baseline *Baseline, shards []*Shard) *Site {
	settings = settings.withDefaults()
	s := &Site{settings: settings, schedule: schedule, shards: shards, strangers: map[linkKey]*strange{}, techniques: map[effectKind][]string{}, actors: map[netip.Addr]*actor{},
		manager: newManager(settings), hosts: hosts{limit: settings.MaxHosts, all: map[netip.Addr]*host{}}, arp: map[[6]byte]*unasked{}, opening: map[string]*connection{}, stopped: map[netip.Addr]*stopped{},
		baseline: baseline, pairs: map[pairProto]struct{}{}, gathering: gathering{free: make(chan *Gathered, 1)}}
	s.manager.name = s.name
	s.needShards()
	if baseline != nil {
		rest := *baseline
		rest.Hosts, rest.Links = nil, nil
		s.baseline = &rest
		if len(shards) > 0 {
			s.normal = shards[0].normal.list
		}
		s.know(baseline)
		s.manager.rule(append([]Decision(nil), baseline.Decisions...))
	}
	return s
}

// know takes in what a baseline says of hosts.
func (s *Site) know(b *Baseline) {
	for i := range b.Hosts {
		hb := &b.Hosts[i]
		h := s.hosts.get(hb.IP, hb.First, true)
		h.known, h.first = true, hb.First
		h.vendor, h.product, h.model, h.version, h.name = hb.Vendor, hb.Product, hb.Model, hb.Version, hb.Name
		h.ttls = append([]int(nil), hb.TTLs...)
		h.cards = h.cards[:0]
		for k, m := range hb.MACs {
			mac, err := parseMAC(m)
			if err != nil {
				continue
			}
			vlan := uint16(0)
			if k < len(hb.VLANs) {
				vlan = hb.VLANs[k]
			}
			h.cards = append(h.cards, card{mac, vlan, true})
		}
	}
	for i := range b.Links {
		s.knowLink(b.Links[i].summary())
	}
	for i := range b.Connections {
		c := &b.Connections[i]
		s.hosts.get(c.Client, b.From, true).known = true
		s.hosts.get(c.Server, b.From, true).known = true
		s.outside.learn(c.Client, c.Server, c.Port)
	}
}

// knowLink takes in what a learned link says of its two hosts.
func (s *Site) knowLink(l summary) {
	bit := protoBit(l.proto)
	client, server := s.hosts.get(l.client, l.first, true), s.hosts.get(l.server, l.first, true)
	client.known, server.known = true, true
	s.outside.control(l.client)
	s.outside.control(l.server)
	s.pairs[pairProto{l.client, l.server, l.proto}] = struct{}{}
	client.client |= bit
	server.server |= bit
	client.effects |= l.effects
	if server.answeredFrom == 0 || l.first < server.answeredFrom {
		server.answeredFrom = l.first
	}
	server.answeredUntil = max(server.answeredUntil, l.last)
	server.answered += l.messages
	s.learnedMessages += l.messages
	server.addUnit(l.unit)
	s.streams += l.streams
	s.busiest = max(s.busiest, l.busiest)
}

func (h *host) addUnit(u uint16) {
	i := sort.Search(len(h.units), func(i int) bool { return h.units[i] >= u })
	if i < len(h.units) && h.units[i] == u || len(h.units) >= 256 {
		return
	}
	h.units = append(h.units, 0)
	copy(h.units[i+1:], h.units[i:])
	h.units[i] = u
}

// freeze ends the learning.
func (s *Site) freeze(g *Gathered) {
	s.frozen = true
	for _, l := range g.learned {
		s.knowLink(l)
	}
	for _, k := range g.conns {
		s.outside.learn(ipOf(k.client), ipOf(k.server), k.port)
	}
	g.learned, g.conns = nil, nil
}

// awaited is a link of the baseline that has to show itself.
type awaited struct {
	link     *LinkBaseline
	function FunctionBaseline
	period   int64
	count    uint64
	until    int64
}

// startGrace is how much longer than usual the first poll after the start may
// take.
const startGrace = int64(60e9)

// arm awaits the regular polls of the baseline from clock on.
func (s *Site) arm(clock int64) {
	s.armed = true
	s.deafFrom = max(s.deafFrom, clock)
	if !s.settings.ArmAtStart || s.baseline == nil {
		return
	}
	for _, l := range s.normal {
		best := awaited{link: l}
		for k := range l.Requested {
			r := &l.Requested[k]
			p := pattern{n: r.N, mean: r.Mean, m2: r.Squares, gaps: r.Gaps, longest: r.Longest}
			if until := clock + p.overdueTime() + startGrace; p.regular() && (best.until == 0 || until < best.until) {
				best.until, best.function, best.period, best.count = until, l.Functions[r.Function], int64(p.mean*1e9), r.Count
			}
		}
		if best.until != 0 {
			s.awaiting = append(s.awaiting, best)
		}
	}
	sort.SliceStable(s.awaiting, func(i, j int) bool { return s.awaiting[i].until < s.awaiting[j].until })
}

// missing tells the links of the baseline that did not show themselves by clock.
func (s *Site) missing(clock int64) {
	for !s.deaf && len(s.awaiting) > 0 && s.awaiting[0].until <= clock {
		w := s.awaiting[0]
		s.awaiting = s.awaiting[1:]
		key := w.link.key()
		seen := false
		for _, sh := range s.shards {
			if l := sh.links[key]; l != nil && l.since <= w.until {
				seen = true
			}
		}
		if !seen {
			f := neverPolled(&w)
			s.halfDeaf(f)
			s.pollStopped(f, w.until)
		}
	}
}

// Add takes a finding of others that cross shards (the process detectors) into
// the order, at the clock and frame it rests on; frame is 0 for what time alone
// brought about. All findings up to a clock must be added before Step is called
// with it. f must not be changed afterwards.
func (s *Site) Add(clock int64, frame uint64, f *Finding) {
	s.added = append(s.added, note{clock: clock, frame: frame, kind: noteFinding, event: -1, finding: f, added: true, seq: int32(len(s.added))})
}

// Step works off what the shards told since the last step, up to the watermark
// clock, which every shard must have advanced to. No shard may be in use. The
// output is valid until the next call.
func (s *Site) Step(clock int64) *Output {
	g, _ := s.Gather(clock)
	return s.StepWith(g)
}

// StepWith is Step with what was gathered before. All that is gathered has to be
// worked off, in that order.
func (s *Site) StepWith(g *Gathered) *Output {
	s.collect(g)
	if !s.armed && len(s.notes) > 0 {
		s.arm(s.notes[0].note.clock)
	}
	for i := range s.notes {
		n := s.notes[i].note
		if !s.frozen && s.schedule.watching(n.clock) {
			s.freeze(g)
		}
		s.missing(n.clock)
		s.due(n.clock)
		var events []seen
		if k := s.notes[i].shard; k < len(g.shards) {
			events = g.shards[k].events
		}
		s.take(n, events)
	}
	if !s.frozen && s.schedule.watching(g.clock) {
		s.freeze(g)
	}
	s.missing(g.clock)
	s.due(g.clock)
	s.manager.expire(g.clock)
	s.clock = max(s.clock, g.clock)
	s.added = s.added[:0]
	s.needShards()
	out := s.output(g)
	s.gathering.done(g)
	return out
}

// Finish ends the input: what was held back is told, and the last count of
// every alert.
func (s *Site) Finish(clock int64) *Output {
	s.Step(clock)
	s.due(never)
	s.manager.finish()
	g := s.gathering.next(len(s.shards))
	s.gatherLinks(g)
	return s.output(g)
}

// collect puts in order what was told.
func (s *Site) collect(g *Gathered) {
	s.notes = s.notes[:0]
	for i := range g.shards {
		notes := g.shards[i].notes
		for j := range notes {
			s.notes = append(s.notes, ordered{&notes[j], i})
		}
	}
	for i := range s.added {
		s.notes = append(s.notes, ordered{&s.added[i], len(g.shards)})
	}
	order(s.notes)
}

// take works off one note.
func (s *Site) take(n *note, events []seen) {
	var e *seen
	if n.event >= 0 {
		e = &events[n.event]
	}
	switch n.kind {
	case noteNetwork:
		s.network(e)
	case noteStranger:
		s.stranger(e)
	case noteIdentity:
		s.identity(e)
	case noteAnswer:
		s.holds.answered(e, s)
	case noteHeld:
		for _, p := range n.probes {
			s.probe(n.finding.Client, n.finding.Server, p, n.finding, n.clock)
		}
		s.refine(n.finding)
		s.hold(n.finding, n.clock, n.frame)
	case noteFinding:
		if n.chance*s.streams > s.settings.AlarmsPerDay {
			s.manager.stats.Budget++
			return
		}
		s.halfDeaf(n.finding)
		if n.finding.Kind == KindPollStopped {
			s.pollStopped(n.finding, n.clock)
			return
		}
		s.manager.take(n.finding, n.clock)
	}
}

// refine judges what only the site can: a client that commands other devices
// but never this one is not a host that only ever read.
func (s *Site) refine(f *Finding) {
	if f.Kind != KindCommandNew {
		return
	}
	h := s.hosts.all[f.Client.Endpoint.IP]
	if h == nil || h.effects&(1<<protocols.Write|1<<protocols.Control) == 0 {
		return
	}
	f.Kind, f.Severity = KindFunctionNew, protocols.Medium
	f.Expected += " It commands other devices."
	explain(f)
}

// output collects what the step gave.
func (s *Site) output(g *Gathered) *Output {
	o := &s.out
	o.Clock = s.clock
	o.Alerts = s.manager.out
	s.manager.out = nil
	o.Incidents = s.manager.inc.take(o.Incidents[:0])
	o.Links = s.links(g, o.Links[:0])
	o.Assets = o.Assets[:0]
	sort.Slice(s.hosts.changed, func(i, j int) bool { return s.hosts.changed[i].ip.Less(s.hosts.changed[j].ip) })
	for _, h := range s.hosts.changed {
		h.dirty = false
		o.Assets = append(o.Assets, h.asset())
	}
	s.hosts.changed = s.hosts.changed[:0]
	return o
}

// links tells the links that carried something since the last report, once a
// minute of packet time, and what they say of their hosts.
func (s *Site) links(g *Gathered, dst []Link) []Link {
	if !g.links {
		return dst
	}
	for i := range g.active {
		s.acted(&g.active[i])
	}
	for i := range g.fresh {
		r := &g.fresh[i]
		if st := s.beyond(r); st != nil {
			approved := *r
			st.approved, st.joined = &approved, true
			continue
		}
		dst = append(dst, *r)
	}
	for _, st := range s.strangers {
		if st.messages == st.told && !st.joined {
			continue
		}
		if st.messages != st.told {
			s.acted(&activity{st.client.IP, st.server.IP, st.proto, st.key.unit, st.messages - st.told, st.last})
		}
		st.told, st.joined = st.messages, false
		dst = append(dst, st.record())
	}
	sort.Slice(dst, func(i, j int) bool { return dst[i].compare(&dst[j]) < 0 })
	return dst
}

// acted takes what a link says of its hosts into the assets.
func (s *Site) acted(a *activity) {
	if h := s.hosts.all[a.client]; h != nil {
		h.playsClient |= protoBit(a.proto)
		h.messages += a.messages
		h.last = max(h.last, a.last)
		s.hosts.touch(h)
	}
	if h := s.hosts.all[a.server]; h != nil {
		h.playsServer |= protoBit(a.proto)
		h.messages += a.messages
		h.last = max(h.last, a.last)
		h.addUnit(a.unit)
		s.hosts.touch(h)
	}
}

// Unseen is the Good-Turing estimate, over all links, of the probability that
// the next request is one never seen.
func (s *Site) Unseen() float64 {
	var once, requests uint64
	for _, sh := range s.shards {
		for _, l := range sh.links {
			once += l.once
			requests += l.requests
		}
	}
	return unseen(once, requests)
}

func (l *Link) compare(o *Link) int {
	if c := l.Client.Compare(o.Client); c != 0 {
		return c
	}
	if c := l.Server.Compare(o.Server); c != 0 {
		return c
	}
	for _, d := range [...]int{int(l.Proto) - int(o.Proto), int(l.Unit) - int(o.Unit), int(l.Outstation) - int(o.Outstation), int(l.Master) - int(o.Master)} {
		if d != 0 {
			return d
		}
	}
	return 0
}

func (l *link) record() Link {
	r := Link{Client: l.client.IP, Server: l.server.IP, Port: l.server.Port, Proto: l.proto, FirstSeen: l.first, LastSeen: l.last,
		Messages: l.messages, Known: l.known, Unseen: unseen(l.once, l.requests)}
	r.units(l.key)
	for i := range l.functions {
		f := &l.functions[i]
		r.Functions = append(r.Functions, LinkFunction{Function: f.function, Name: f.name, Effect: f.effect, Count: f.count})
	}
	return r
}

// beyond returns what was seen of a link beyond what was approved of it, nil if
// nothing was.
func (s *Site) beyond(l *Link) *strange {
	if len(s.strangers) == 0 {
		return nil
	}
	k := linkKey{client: l.Client.As16(), server: l.Server.As16(), unit: l.Unit, proto: uint16(l.Proto)}
	if l.Proto == protocols.ProtoDNP3 {
		k.unit, k.master = l.Outstation, l.Master
	}
	return s.strangers[k]
}

func (l *Link) units(k linkKey) {
	if l.Proto == protocols.ProtoDNP3 {
		l.Master, l.Outstation = k.master, k.unit
		return
	}
	l.Unit = k.unit
}

// Stats returns the site's counters.
func (s *Site) Stats() SiteStats {
	st := s.stats
	st.AlertStats = s.manager.stats
	st.Hosts, st.HostsEvicted, st.HostsRefused = uint64(len(s.hosts.all)), s.hosts.evicted, s.hosts.refused
	st.Strangers, st.Actors, st.Incidents = uint64(len(s.strangers)), uint64(len(s.actors)), uint64(len(s.manager.inc.open))
	st.Streams = uint64(s.streams)
	return st
}

// Baseline returns what was learned so far. No shard may be in use.
func (s *Site) Baseline() *Baseline { return s.BaselineWith(s.Learned()) }

// Learned is what was learned so far of links and connections, for BaselineWith.
// No shard may be in use.
func (s *Site) Learned() *Baseline {
	b := &Baseline{Format: BaselineFormat, Version: BaselineVersion}
	for _, sh := range s.shards {
		for _, l := range sh.links {
			b.addLink(l.baseline())
		}
		for k, c := range sh.conns {
			b.addConnection(ConnectionBaseline{Client: ipOf(k.client), Server: ipOf(k.server), Port: k.port, Count: c.count, Most: c.most})
		}
	}
	if s.baseline != nil {
		b.Connections = append(b.Connections, s.baseline.Connections...)
	}
	b.sort()
	if s.baseline != nil {
		// What of a loaded baseline came up is in one of the shards.
		have := map[linkKey]bool{}
		for i := range b.Links {
			have[b.Links[i].key()] = true
		}
		for _, l := range s.normal {
			if !have[l.key()] {
				b.addLink(*l)
			}
		}
		b.dedupe()
	}
	return b
}

// BaselineWith makes a whole baseline of what was learned of links and
// connections, with what the site knows itself. It must be called between steps;
// the shards may be in use.
func (s *Site) BaselineWith(b *Baseline) *Baseline {
	if s.baseline != nil {
		b.Sections = s.baseline.Sections
	}
	b.Decisions = s.Decisions()
	for _, h := range s.hosts.all {
		if !h.known && s.frozen {
			continue
		}
		hb := HostBaseline{IP: h.ip, TTLs: append([]int(nil), h.ttls...), Vendor: h.vendor, Product: h.product, Model: h.model,
			Version: h.version, Name: h.name, First: h.first}
		for _, c := range h.cards {
			if c.learned {
				hb.MACs = append(hb.MACs, formatMAC(c.mac))
				hb.VLANs = append(hb.VLANs, c.vlan)
			}
		}
		b.Hosts = append(b.Hosts, hb)
	}
	b.sort()
	return b
}

func (b *Baseline) addLink(l LinkBaseline) {
	if b.From == 0 || l.First < b.From {
		b.From = l.First
	}
	b.Until = max(b.Until, l.Last)
	b.Messages += l.Messages
	b.Links = append(b.Links, l)
}

func (b *Baseline) addConnection(c ConnectionBaseline) { b.Connections = append(b.Connections, c) }

// dedupe makes one of equal connections: those that a loaded baseline and a
// shard hold.
func (b *Baseline) dedupe() {
	kept := b.Connections[:0]
	for _, c := range b.Connections {
		if n := len(kept); n > 0 && kept[n-1].compare(&c) == 0 {
			kept[n-1].Count = max(kept[n-1].Count, c.Count)
			kept[n-1].Most = max(kept[n-1].Most, c.Most)
			continue
		}
		kept = append(kept, c)
	}
	b.Connections = kept
}
