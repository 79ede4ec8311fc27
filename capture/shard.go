package capture

import "encoding/binary"

// shard follows the traffic of some host pairs. Everything that is remembered
// from one packet to the next is in a shard, and shards share nothing.
type shard struct {
	set     *Settings
	limits  limits
	st      *Stats
	handler Handler
	called  *bool // set when the handler was given something

	conns table
	idle  timers
	holes timers
	frags fragments
	hosts hosts
	pool  segmentPool
	rings []*recent // for reuse
	held  int       // bytes behind holes

	g      datagram // of the packet
	key    flowKey  // and its conversation's
	notice Notice

	touched byte
}

// limits are a shard's parts.
type limits struct{ conns, buffered int }

func newShard(set *Settings, st *Stats, h Handler, called *bool) *shard {
	s := &shard{set: set, st: st, handler: h, called: called, conns: newTable()}
	s.limits = limits{conns: share(set.MaxConns), buffered: share(set.MaxBuffered)}
	s.holes.which = timeHole
	s.frags.maxBytes, s.frags.maxSets = share(set.MaxFragmentBytes), share(set.MaxDatagrams)
	s.frags.age = int64(set.FragmentAge)
	s.hosts.limit = max(1, share(set.MaxHosts)/2)
	return s
}

// packet takes one routed packet. What was due by its clock has been done.
func (s *shard) packet(p *Packet) {
	st := s.st
	st.Packets++
	st.Bytes += uint64(p.Wire)
	if p.Time < p.Clock {
		st.TimeBackwards++
	} else if p.Time > p.Clock {
		st.TimeAhead++
	}
	g := &s.g
	var v verdict
	switch p.kind {
	case netIPv4:
		v = g.parseIPv4(p.Data[p.net:], int(p.Wire)-int(p.net))
	case netIPv6:
		v = g.parseIPv6(p.Data[p.net:], int(p.Wire)-int(p.net))
	case netARP:
		v = s.arp(p)
		s.class(v, &st.ARP)
		return
	case netTruncated:
		st.Truncated++
		return
	case netBad:
		st.Malformed++
		return
	case netUnsupported:
		st.LinkUnsupported++
		return
	default:
		st.NotIP++
		return
	}
	if v != good {
		s.class(v, nil)
		return
	}
	vlan := p.vlan
	if s.set.IgnoreVLAN {
		vlan = 0
	}
	if g.fragment {
		s.seen(p, nil)
		if g.cut > 0 {
			st.Truncated++
			return
		}
		if !s.frags.add(g, vlan, p.Clock, st) {
			return
		}
		if g.is6 {
			if v := g.extensions(g.proto); v != good || g.fragment {
				st.Malformed++
				return
			}
		}
	}
	switch g.proto {
	case protoTCP:
		s.class(s.tcp(p, vlan), &st.TCP)
	case protoUDP:
		s.class(s.udp(p, vlan), &st.UDP)
	case protoICMP, protoICMPv6:
		st.ICMP++
		s.seen(p, nil)
		s.icmp(p, vlan)
	default:
		st.IPOther++
		s.seen(p, nil)
	}
}

// class counts a packet by what became of it.
func (s *shard) class(v verdict, ok *uint64) {
	switch v {
	case good:
		*ok++
	case truncated:
		s.st.Truncated++
	default:
		s.st.Malformed++
	}
}

// stampOf is when a packet came. A time that is not believed is nobody's.
func stampOf(p *Packet) Stamp {
	return Stamp{Time: min(p.Time, p.Clock), Clock: p.Clock, Frame: p.Frame}
}

// tell gives a notice to the handler.
func (s *shard) tell(kind NoticeKind, at Stamp, c *conn, src, dst *Endpoint) {
	s.notice.Kind, s.notice.Stamp = kind, at
	s.notice.Src, s.notice.Dst = *src, *dst
	s.notice.Conn = nil
	if c != nil {
		s.notice.Conn = &c.Conn
	}
	*s.called = true
	s.handler.Notice(&s.notice)
	s.notice.Size, s.notice.Was, s.notice.FromOpener = 0, 0, false
}

// tellWay gives a notice about something sent in direction d of c.
func (s *shard) tellWay(kind NoticeKind, at Stamp, c *conn, d uint8, size int) {
	s.notice.Size, s.notice.FromOpener = size, d == 0
	s.tell(kind, at, c, &c.Ends[d], &c.Ends[d^1])
}

// senderMAC is the link address of the sender as a number, 0 if there is none.
func (p *Packet) senderMAC() uint64 {
	var a []byte
	switch d := p.Data; p.Link {
	case LinkEthernet:
		a = d[6:14]
	case LinkSLL:
		if d[4] == 0 && d[5] == 6 {
			a = d[6:14]
		}
	case LinkSLL2:
		if d[11] == 6 {
			a = d[12:20]
		}
	}
	if a == nil {
		return 0
	}
	return binary.BigEndian.Uint64(a) >> 16
}

// seen tells of senders that are new and of times to live that moved. h is the
// direction of the conversation, which remembers the last so that the usual
// packet needs no look into the table; nil if there is none.
func (s *shard) seen(p *Packet, h *half) {
	mac := p.senderMAC()
	g := &s.g
	if h != nil {
		if h.told && h.mac == mac && h.ttl == g.ttl {
			return
		}
		h.told, h.mac, h.ttl = true, mac, g.ttl
	}
	if g.src.hi == 0 && g.src.lo&^mapped == 0 || g.src == (address{0, 1}) {
		return // no address yet, or itself
	}
	ttl := g.ttl
	if h == nil || g.proto != protoTCP {
		ttl = 0 // only the segments of connections are expected to keep it
	}
	was, known := s.hosts.see(hostKey{g.src, mac<<12 | uint64(p.vlan)}, ttl, s.st)
	switch {
	case !known:
		s.host(p)
	case was != ttl && was != 0 && ttl != 0:
		src, dst := s.ends(p, 0, 0)
		s.notice.Size, s.notice.Was = int(ttl), int(was)
		s.tell(TTLChanged, stampOf(p), nil, &src, &dst)
	}
}

func (s *shard) host(p *Packet) {
	s.st.Hosts++
	src, dst := s.ends(p, 0, 0)
	s.tell(HostSeen, stampOf(p), nil, &src, &dst)
}

// ends makes the endpoints of a packet.
func (s *shard) ends(p *Packet, sport, dport uint16) (src, dst Endpoint) {
	src.MAC, dst.MAC = p.macs()
	src.VLAN, dst.VLAN = p.vlan, p.vlan
	src.IP, dst.IP = s.g.src.addr(), s.g.dst.addr()
	src.Port, dst.Port = sport, dport
	return src, dst
}

// arp reads an ARP packet for IPv4 over Ethernet (RFC 826).
func (s *shard) arp(p *Packet) verdict {
	b := p.Data[p.net:]
	if len(b) < 28 {
		return shortOf(28, int(p.Wire)-int(p.net))
	}
	if binary.BigEndian.Uint32(b) != 0x00010800 || b[4] != 6 || b[5] != 4 {
		return good // for some other network
	}
	kind := ARPRequest
	switch binary.BigEndian.Uint16(b[6:]) {
	case 1:
	case 2:
		kind = ARPReply
	default:
		return good
	}
	var src, dst Endpoint
	copy(src.MAC[:], b[8:])
	copy(dst.MAC[:], b[18:])
	src.IP, dst.IP = v4(b[14:]).addr(), v4(b[24:]).addr()
	src.VLAN, dst.VLAN = p.vlan, p.vlan
	s.tell(kind, stampOf(p), nil, &src, &dst)
	return good
}

// udp gives a datagram on (RFC 768).
func (s *shard) udp(p *Packet, vlan uint16) verdict {
	g, b := &s.g, s.g.payload
	if len(b) < 8 {
		v := shortOf(8, len(b)+g.cut)
		if v == malformed {
			s.st.UDPBadHeader++
		}
		return v
	}
	n := int(binary.BigEndian.Uint16(b[4:]))
	if n == 0 {
		n = len(b) + g.cut // left to the network card, or a jumbogram
	}
	if n < 8 || n > len(b)+g.cut {
		s.st.UDPBadHeader++
		return malformed
	}
	sport, dport := binary.BigEndian.Uint16(b), binary.BigEndian.Uint16(b[2:])
	k := &s.key
	swapped := k.set(g, sport, dport, vlan)
	hash := s.conns.hash(k)
	c := s.conns.find(k, hash)
	if c == nil {
		c = s.newConn(k, hash, p, swapped, sport, dport)
		c.UDP = true
		c.state = stateOpen
		s.idle.set(c, p.Clock+s.idleFor(c))
	}
	d := c.way(swapped)
	s.touch(c, d, p)
	s.seen(p, &c.half[d])
	s.open(c, stampOf(p))
	if n > len(b) {
		s.st.Cut++
		s.st.CutBytes += uint64(n - len(b))
		s.st.UDPPayloadBytes += uint64(len(b) - 8)
		return good
	}
	s.st.UDPPayloadBytes += uint64(n - 8)
	if !c.ignored {
		*s.called = true
		s.handler.Datagram(&c.Conn, d, stampOf(p), b[8:n])
	}
	return good
}

// icmp looks for the unreachable that refuses a connection.
func (s *shard) icmp(p *Packet, vlan uint16) {
	g, b := s.g, s.g.payload
	if len(b) < 8 {
		return
	}
	in := &s.g
	switch {
	case g.proto == protoICMP && !g.is6 && b[0] == 3:
		if in.parseIPv4(b[8:], 0xffff) != good {
			return
		}
	case g.proto == protoICMPv6 && g.is6 && b[0] == 1:
		if in.parseIPv6(b[8:], 0xffff+40) != good {
			return
		}
	default:
		return
	}
	if in.proto != protoTCP || in.fragment || len(in.payload) < 8 {
		return
	}
	k := &s.key
	swapped := k.set(in, binary.BigEndian.Uint16(in.payload), binary.BigEndian.Uint16(in.payload[2:]), vlan)
	c := s.conns.find(k, s.conns.hash(k))
	if c == nil || c.state != stateTried || c.way(swapped) != 0 || binary.BigEndian.Uint32(in.payload[4:]) != c.half[0].isn {
		return
	}
	s.refused(c, stampOf(p))
}

// newConn makes a conversation whose first end is the sender.
func (s *shard) newConn(k *flowKey, hash uint64, p *Packet, swapped bool, sport, dport uint16) *conn {
	for s.conns.count >= s.limits.conns {
		s.evict(stampOf(p))
	}
	c := s.conns.add(k, hash)
	c.swapped = swapped
	c.Ends[0], c.Ends[1] = s.ends(p, sport, dport)
	return c
}

// way is the direction of a packet.
func (c *conn) way(swapped bool) uint8 {
	if c.swapped == swapped {
		return 0
	}
	return 1
}

// touch notes that a packet came.
func (s *shard) touch(c *conn, d uint8, p *Packet) {
	c.last, c.frame = p.Clock, p.Frame
	c.heard[d] = true
}

// open announces a conversation once.
func (s *shard) open(c *conn, at Stamp) {
	if c.announced {
		return
	}
	c.announced = true
	s.st.Conns++
	s.st.ConnsOpen++
	*s.called = true
	s.handler.Open(&c.Conn, at)
}

// idleFor is how long a conversation may be silent.
func (s *shard) idleFor(c *conn) int64 {
	switch {
	case c.UDP:
		return int64(s.set.UDPIdle)
	case c.state == stateClosed:
		return int64(s.set.TimeWait)
	case c.state != stateOpen:
		return int64(s.set.HalfOpen)
	case c.half[0].fin || c.half[1].fin || !c.OpeningSeen && (!c.heard[0] || !c.heard[1]):
		return int64(s.set.OneSided)
	}
	return int64(s.set.TCPIdle)
}

// due is when the shard has something to do next.
func (s *shard) due() int64 {
	return min(s.idle.next(), s.holes.next(), s.frags.next())
}

// fire does what is due first.
func (s *shard) fire() {
	due := s.due()
	switch {
	case s.frags.next() == due:
		s.frags.expire(due, s.st)
	case s.holes.next() == due:
		s.holeDue(s.holes.heap[0].c, due)
	default:
		c := s.idle.heap[0].c
		// Packets do not move the timer; it moves when it is due.
		if later := c.last + s.idleFor(c); later > due {
			s.idle.set(c, later)
			return
		}
		at := Stamp{Time: due, Clock: due, Frame: c.frame}
		if c.announced {
			s.st.ConnsExpired++
			s.flush(c, at)
			if !c.UDP && c.state == stateOpen {
				s.tellWay(ConnectionClosed, at, c, 0, 0)
			}
		}
		s.forget(c, at)
	}
}

// evict lets the conversation go that would time out first.
func (s *shard) evict(at Stamp) {
	for {
		c := s.idle.heap[0].c
		if later := c.last + s.idleFor(c); later > s.idle.heap[0].due {
			s.idle.set(c, later)
			continue
		}
		s.st.ConnsEvicted++
		s.forget(c, at)
		return
	}
}

// end gives what waits on and tells the handler that the conversation is over.
func (s *shard) end(c *conn, at Stamp) {
	if c.announced {
		s.flush(c, at)
		c.announced = false
		s.st.ConnsOpen--
		*s.called = true
		s.handler.Close(&c.Conn, at)
	}
	for d := range c.half {
		s.discard(&c.half[d])
	}
	s.holes.clear(c)
	c.User = nil
}

// forget ends a conversation and removes it.
func (s *shard) forget(c *conn, at Stamp) {
	s.end(c, at)
	s.idle.clear(c)
	s.conns.remove(c)
}

// finish ends all conversations, oldest first, because the input has ended.
func (s *shard) finish(clock int64) {
	for len(s.idle.heap) > 0 {
		s.forget(s.idle.heap[0].c, Stamp{Time: clock, Clock: clock, Frame: s.idle.heap[0].c.frame})
	}
	s.frags.expire(never, s.st)
}
