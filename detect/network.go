package detect

import (
	"fmt"

	"github.com/weir-ics/weir/protocols"
)

// unasked counts the ARP answers of a card that nobody asked for.
type unasked struct {
	minute int64
	count  int
}

// network takes what happened below the protocols.
func (s *Site) network(e *seen) {
	switch e.function {
	case protocols.HostSeen:
		s.hostSeen(e, KindMACChanged)
	case protocols.ARPRequest:
		if e.dst.IP.IsValid() {
			if h := s.hosts.all[e.dst.IP]; h != nil {
				h.arpAsked = e.clock
			}
		}
		s.hostSeen(e, KindARPConflict)
		s.arpScan(e)
	case protocols.ARPReply:
		s.hostSeen(e, KindARPConflict)
		s.arpReply(e)
	case protocols.OverlapConflict:
		s.overlap(e)
	case protocols.TTLChanged:
		s.ttl(e)
	case protocols.ConnectionTried, protocols.ConnectionOpened, protocols.ConnectionRefused, protocols.ConversationSeen:
		if s.frozen {
			s.connection(e)
		}
	}
}

// unwatched are addresses that are no hosts.
func (e *seen) nobody() bool {
	ip := e.src.IP
	return !ip.IsValid() || ip.IsUnspecified() || ip.IsMulticast() || ip.IsLoopback()
}

// hostSeen takes a host with the card it sends from.
func (s *Site) hostSeen(e *seen, conflict *Kind) {
	if e.nobody() {
		return
	}
	h := s.hosts.get(e.src.IP, e.clock, !s.frozen)
	h.last = e.clock
	s.announce(e, h)
	if i := h.card(e.src.MAC, e.src.VLAN); i >= 0 {
		// An ARP message that claims the address goes on counting; that a host
		// was seen is told once a worker, so only the first counts.
		if conflict == KindARPConflict && s.frozen && h.known && !h.cards[i].learned && h.learnedCards() > 0 && !h.hasMAC(e.src.MAC) {
			s.manager.take(cardFinding(conflict, e, h), e.clock)
		}
		return
	}
	if len(h.cards) < maxCards {
		h.cards = append(h.cards, card{e.src.MAC, e.src.VLAN, !s.frozen})
		s.hosts.touch(h)
	}
	if s.frozen && h.known && e.src.MAC != ([6]byte{}) && h.learnedCards() > 0 && !h.hasMAC(e.src.MAC) {
		s.manager.take(cardFinding(conflict, e, h), e.clock)
	}
}

func cardFinding(kind *Kind, e *seen, h *host) *Finding {
	f := networkFinding(kind, e)
	f.Server = Party{Unit: -1, Address: -1}
	f.Key = fmt.Sprintf("%s %s", addr(h.ip), formatMAC(e.src.MAC))
	known := ""
	for _, c := range h.cards {
		if c.learned {
			known += " " + formatMAC(c.mac)
		}
	}
	f.Title = fmt.Sprintf("%s is used by another network card, %s", addr(h.ip), formatMAC(e.src.MAC))
	f.Observed = f.Title + "."
	if kind == KindARPConflict {
		f.Title = fmt.Sprintf("an ARP message claims %s for another network card, %s", addr(h.ip), formatMAC(e.src.MAC))
		f.Observed = capital(f.Title) + "."
	}
	f.Expected = fmt.Sprintf("In the learning it had only%s.", known)
	explain(f)
	return f
}

func networkFinding(kind *Kind, e *seen) *Finding {
	f := &Finding{Kind: kind, Severity: kind.Severity, Start: e.time, Time: e.time, FirstFrame: e.frame, LastFrame: e.frame,
		Proto: protocols.ProtoNetwork, Function: -1, Techniques: kind.Techniques}
	f.Client, f.Server = parties(e.client(), e.server(), linkKey{})
	if e.function == protocols.HostSeen || e.function == protocols.ARPReply || e.function == protocols.ARPRequest {
		f.Client.Endpoint = e.src
		f.Server.Endpoint = e.dst
		f.Client.Endpoint.Port, f.Server.Endpoint.Port = 0, 0
	}
	return f
}

// announce takes the first sight of an unknown host, the sender of e.
func (s *Site) announce(e *seen, h *host) {
	if h.known || h.announced || !s.frozen {
		return
	}
	h.announced = true
	if w := e.clock / int64(s.settings.BurstWindow); w != s.hostsIn {
		s.hostsIn, s.newHosts = w, 0
	}
	s.newHosts++
	if s.newHosts > s.settings.FloodHosts {
		if e.clock >= s.floodUntil {
			s.dropUnknown()
		}
		s.floodUntil = e.clock + int64(s.settings.BurstWindow)
		if s.flood != nil {
			again := *s.flood
			again.Start, again.Time, again.FirstFrame, again.LastFrame = e.time, e.time, e.frame, e.frame
			s.manager.take(&again, e.clock)
			return
		}
		f := networkFinding(KindFloodHosts, e)
		f.Client, f.Server = Party{Unit: -1, Address: -1}, Party{Unit: -1, Address: -1}
		f.Key = "site"
		f.Title = "very many unknown hosts appear at once"
		f.Observed = fmt.Sprintf("More than %d addresses that were never seen sent packets within a window, %s among them.", s.settings.FloodHosts, addr(h.ip))
		f.Expected = fmt.Sprintf("In the learning there were %s in all.", plural(uint64(s.knownHosts()), "host", "hosts"))
		explain(f)
		s.flood = f
		s.manager.take(f, e.clock)
		return
	}
	if s.outside.is(h.ip) && e.function == protocols.HostSeen {
		// That an outside host answers says less than who turned to it.
		return
	}
	f := networkFinding(KindAssetNew, e)
	f.Severity = protocols.Low
	f.Key = addr(h.ip)
	f.Server = Party{Unit: -1, Address: -1}
	f.Title = fmt.Sprintf("%s is a new host", addr(h.ip))
	f.Observed = fmt.Sprintf("%s (network card %s) sent its first packet.", addr(h.ip), formatMAC(e.src.MAC))
	f.Expected = "It was never seen in the learning."
	explain(f)
	s.await(&held{until: e.clock + int64(s.settings.FoldConnection), finding: f, network: true}, e.clock)
}

// dropUnknown drops what waits about unknown hosts, now that they are a flood.
func (s *Site) dropUnknown() {
	for i := range s.holds.queue {
		x := s.holds.queue[i].held
		if !x.network || x.gone {
			continue
		}
		if h := s.hosts.all[x.finding.Client.Endpoint.IP]; h == nil || !h.known {
			s.holds.forget(x)
			x.gone = true
		}
	}
}

func (s *Site) knownHosts() int { return len(s.hosts.all) - len(s.hosts.unknown) }

// arpScan counts the addresses a host asks for that are nobody's.
func (s *Site) arpScan(e *seen) {
	if !s.frozen || e.nobody() || !e.dst.IP.IsValid() || e.dst.IP == e.src.IP || s.hosts.all[e.dst.IP] != nil {
		return
	}
	f := networkFinding(KindConnectionNew, e)
	s.probe(f.Client, f.Server, probe{probeHost, hashIP(e.dst.IP)}, f, e.clock)
}

// arpReply counts ARP answers that nobody asked for.
func (s *Site) arpReply(e *seen) {
	if e.nobody() {
		return
	}
	h := s.hosts.all[e.src.IP]
	if h == nil || h.arpAsked != 0 && e.clock-h.arpAsked < 60e9 {
		return
	}
	u := s.arp[e.src.MAC]
	if u == nil {
		if len(s.arp) >= 1024 {
			clear(s.arp)
		}
		u = &unasked{}
		s.arp[e.src.MAC] = u
	}
	if minute := e.clock / 60e9; minute != u.minute {
		u.minute, u.count = minute, 0
	}
	u.count++
	if u.count < 5 || !s.frozen {
		return
	}
	f := networkFinding(KindARPUnasked, e)
	f.Key = formatMAC(e.src.MAC)
	f.Title = fmt.Sprintf("%s answers ARP questions that nobody asked", formatMAC(e.src.MAC))
	f.Observed = fmt.Sprintf("%s sent %d unasked answers within a minute, the last for %s.", formatMAC(e.src.MAC), u.count, addr(e.src.IP))
	f.Expected = "An announcement or two is what hosts send when they start."
	explain(f)
	s.manager.take(f, e.clock)
}

func (s *Site) overlap(e *seen) {
	f := networkFinding(KindOverlap, e)
	f.Client, f.Server = Party{Endpoint: e.src, Unit: -1, Address: -1}, Party{Endpoint: e.dst, Unit: -1, Address: -1}
	f.Key = fmt.Sprintf("%s>%s", addr(e.src.IP), addr(e.dst.IP))
	f.Title = fmt.Sprintf("TCP data from %s to %s came twice with different content", addr(e.src.IP), addr(e.dst.IP))
	f.Observed = fmt.Sprintf("A segment from %s to %s repeats a part of the stream with %s that differ.", addr(e.src.IP), addr(e.dst.IP), plural(uint64(e.size), "octet", "octets"))
	f.Expected = "A retransmission repeats the same octets."
	explain(f)
	s.manager.take(f, e.clock)
}

func (s *Site) ttl(e *seen) {
	if e.nobody() {
		return
	}
	h := s.hosts.get(e.src.IP, e.clock, !s.frozen)
	for _, t := range h.ttls {
		if t == e.size {
			return
		}
	}
	if !s.frozen {
		if len(h.ttls) < 16 {
			h.ttls = append(h.ttls, e.size)
		}
		return
	}
	if !h.known {
		return
	}
	f := networkFinding(KindTTLChanged, e)
	f.Server = Party{Unit: -1, Address: -1}
	f.Client.Endpoint = e.src
	f.Key = addr(e.src.IP)
	f.Title = fmt.Sprintf("packets of %s come over another path or from another system", addr(e.src.IP))
	f.Observed = fmt.Sprintf("The time to live of packets from %s became %d.", addr(e.src.IP), e.size)
	f.Expected = "In the learning it did not."
	explain(f)
	s.manager.take(f, e.clock)
}

// connection takes a connection between hosts and to a port where there was none
// in the learning.
func (s *Site) connection(e *seen) {
	client, server := e.client(), e.server()
	if server.MAC[0]&1 == 1 || server.IP.IsMulticast() || server.IP == client.IP {
		// Announcements to all are no conversation with anybody.
		return
	}
	key := fmt.Sprintf("%s>%s:%d", addr(client.IP), addr(server.IP), server.Port)
	if e.function == protocols.ConnectionTried {
		s.connectionFlood(e, key)
	}
	if waiting := s.holds.connection(key, client.IP, server.IP); waiting != nil {
		waiting.finding.LastFrame, waiting.finding.Time = e.frame, e.time
		switch e.function {
		case protocols.ConnectionOpened:
			outcome(waiting.finding, " The connection was accepted.")
		case protocols.ConnectionRefused:
			outcome(waiting.finding, " It was refused.")
		}
		return
	}
	if e.function == protocols.ConnectionOpened || e.function == protocols.ConnectionRefused {
		return
	}
	if s.outside.usual(client.IP, server.IP, server.Port) {
		return
	}
	c, d := s.hosts.get(client.IP, e.clock, false), s.hosts.get(server.IP, e.clock, false)
	if client.IP == e.src.IP {
		s.announce(e, c)
	}
	if !c.known && e.clock < s.floodUntil {
		// It is part of the flood, which was told.
		return
	}
	f := networkFinding(KindConnectionNew, e)
	f.Key = key
	verb := "tried to open a connection to"
	if e.function == protocols.ConversationSeen {
		verb = "has a conversation with"
	}
	f.Title = fmt.Sprintf("%s %s %s port %d", addr(client.IP), verb, addr(server.IP), server.Port)
	f.Observed = f.Title + "."
	f.Expected = "It never did in the learning."
	switch {
	case c.known && c.server != 0 && c.client == 0:
		f.Severity = protocols.High
		f.Expected = fmt.Sprintf("%s is a device that only ever answered, in %s and %s; it never opened this.", addr(client.IP),
			span(c.answeredUntil-c.answeredFrom), plural(c.answered, "message", "messages"))
	case c.known && s.outside.is(server.IP) && !d.known:
		f.Severity = protocols.Medium
		f.Expected = fmt.Sprintf("%s is an address outside of the site that was never spoken with in the learning.", addr(server.IP))
	case d.server != 0 || d.client != 0:
		f.Severity = protocols.Medium
		f.Expected = fmt.Sprintf("%s takes part in control; this port on it was never used by %s in the learning.", addr(server.IP), addr(client.IP))
	}
	if !c.known && !c.told {
		// That the host is there at all says it as well: one alert for both.
		s.holds.foldHost(client.IP)
		f.Kind, f.Key, f.Techniques = KindAssetNew, addr(client.IP), addNames(append([]string(nil), KindAssetNew.Techniques...), f.Techniques)
		f.Expected = fmt.Sprintf("%s was never seen in the learning.", addr(client.IP))
	}
	explain(f)
	s.probe(f.Client, f.Server, probe{probeHost, hashIP(server.IP)}, f, e.clock)
	s.probe(f.Client, f.Server, probe{probePort, uint64(server.Port)}, f, e.clock)
	s.await(&held{until: e.clock + int64(s.settings.FoldConnection), finding: f, network: true, conn: key}, e.clock)
}

// floodConnections is how many connections in a window are a flood at least.
const floodConnections = 30

// connectionFlood counts the connections of an unknown kind between two hosts.
func (s *Site) connectionFlood(e *seen, key string) {
	c := s.opening[key]
	if c == nil {
		if len(s.opening) >= s.settings.MaxStrangers {
			clear(s.opening)
		}
		c = &connection{}
		s.opening[key] = c
	}
	if w := e.clock / int64(s.settings.BurstWindow); w != c.number {
		c.number, c.inWindow = w, 0
	}
	c.inWindow++
	if c.inWindow != floodConnections {
		return
	}
	ev := protocols.Event{Time: e.time, Frame: e.frame, Src: e.src, Dst: e.dst, FromClient: e.fromClient}
	f := connectionFlood(&ev, c, false)
	f.Expected = "There was no such connection in the learning."
	explain(f)
	s.manager.take(f, e.clock)
}

// identity takes what a device says of itself.
func (s *Site) identity(e *seen) {
	h := s.hosts.get(e.src.IP, e.clock, !s.frozen)
	for _, id := range e.identity {
		var field *string
		switch id.key {
		case protocols.IdentityVendor:
			field = &h.vendor
		case protocols.IdentityProduct:
			field = &h.product
		case protocols.IdentityModel:
			field = &h.model
		case protocols.IdentityVersion:
			field = &h.version
		case protocols.IdentityName:
			field = &h.name
		}
		if field != nil && *field != id.value {
			*field = id.value
			s.hosts.touch(h)
		}
	}
}
