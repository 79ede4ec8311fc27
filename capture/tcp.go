package capture

import "encoding/binary"

// The flags of a TCP segment.
const (
	flagFIN = 1 << iota
	flagSYN
	flagRST
	flagPSH
	flagACK
)

// farthest is how far ahead of its stream, or behind it, a segment may be. It
// is as much as tcpdump-era windows, and far more than a controller's; what is
// farther is a forgery or the trace of a long outage of the tap.
const farthest = 1 << 20

// farRuns is how many segments in a row, each where the last ended, move the
// stream to where they are: the tap was blind for long.
const farRuns = 4

// tcp takes a segment (RFC 9293).
func (s *shard) tcp(p *Packet, vlan uint16) verdict {
	g, b := &s.g, s.g.payload
	if len(b) < 20 {
		v := shortOf(20, len(b)+g.cut)
		if v == malformed {
			s.st.TCPBadHeader++
		}
		return v
	}
	head := int(b[12]>>4) * 4
	if head < 20 || head > len(b)+g.cut {
		s.st.TCPBadHeader++
		return malformed
	}
	if head > len(b) {
		return truncated
	}
	sport, dport := binary.BigEndian.Uint16(b), binary.BigEndian.Uint16(b[2:])
	seq, ack, flags := binary.BigEndian.Uint32(b[4:]), binary.BigEndian.Uint32(b[8:]), b[13]
	data := b[head:]
	s.st.TCPPayloadBytes += uint64(len(data))
	if g.cut > 0 {
		s.st.Cut++
		s.st.CutBytes += uint64(g.cut)
	}

	k := &s.key
	swapped := k.set(g, sport, dport, vlan)
	hash := s.conns.hash(k)
	c := s.conns.find(k, hash)
	at := stampOf(p)
	switch {
	case flags&flagSYN != 0 && flags&flagRST == 0:
		c = s.handshake(c, k, hash, p, swapped, seq, ack, flags&flagACK != 0)
		seq++ // the SYN is before the first byte
	case flags&flagRST != 0:
		s.st.IgnoredBytes += uint64(len(data))
		s.seen(p, nil)
		if c != nil {
			s.reset(c, c.way(swapped), at, seq, ack, flags)
		}
		return good
	case c == nil || c.state == stateClosed:
		c = s.pickUp(c, k, hash, p, swapped, seq, len(data))
	}
	if c == nil {
		if flags&flagSYN != 0 {
			s.st.IgnoredBytes += uint64(len(data))
		}
		s.seen(p, nil)
		return good
	}
	d := c.way(swapped)
	if c.again && len(data) > 0 && d == c.againWay && seq == c.againISN+1 {
		// The answer to the SYN was not seen, but here it goes on.
		c = s.reopen(c, k, hash, p, swapped, at)
		d = c.way(swapped)
	}
	s.touch(c, d, p)
	if r := c.half[d].recent; r != nil {
		s.touched += r.touch(c.half[d].next)
	}
	s.seen(p, &c.half[d])

	if flags&flagACK != 0 && flags&flagSYN == 0 {
		s.acknowledge(c, d, at, ack, len(data) > 0)
	}
	if len(data)+g.cut > 0 {
		s.payload(c, d, at, seq, data, g.cut)
	}
	if flags&flagFIN != 0 {
		h := &c.half[d]
		end := seq + uint32(len(data)+g.cut)
		if !h.known {
			h.known, h.next = true, end
		}
		if !h.fin && seqDiff(end, h.next) >= -farthest && seqDiff(end, h.next) <= farthest {
			h.fin, h.finAt = true, end
			s.idle.set(c, p.Clock+s.idleFor(c))
		}
	}
	if c.half[0].fin || c.half[1].fin {
		s.finished(c, d, at)
	}
	return good
}

// handshake takes a SYN or SYN-ACK and returns the connection that it is part
// of, nil if it is of none.
func (s *shard) handshake(c *conn, k *flowKey, hash uint64, p *Packet, swapped bool, seq, ack uint32, answer bool) *conn {
	at := stampOf(p)
	if c != nil && c.state == stateClosed {
		if answer {
			return nil // late
		}
		s.forget(c, at)
		c = nil
	}
	if answer {
		switch {
		case c == nil:
			// The SYN itself was not seen, but who opened is known.
			return s.opening(k, hash, p, !swapped, ack-1, at, seq)
		case c.state == stateTried && c.way(swapped) == 1:
			if ack != c.half[0].isn+1 {
				return nil // an answer to something else
			}
			s.answered(c, 1, seq)
			s.idle.set(c, p.Clock+s.idleFor(c))
		case c.again && c.way(swapped) != c.againWay && ack == c.againISN+1:
			c = s.reopen(c, k, hash, p, !swapped, at)
			s.answered(c, 1, seq)
		}
		return c
	}
	if c == nil {
		return s.tried(k, hash, p, swapped, seq, at)
	}
	d := c.way(swapped)
	h := &c.half[d]
	switch {
	case h.hasISN && h.isn == seq:
		s.st.Retransmitted++
	case c.state == stateOpen:
		// A new connection on the same ports, or a forgery. The answer tells.
		c.again, c.againWay, c.againISN = true, d, seq
		return nil
	case d == 1 && c.state == stateTried:
		s.answered(c, 1, seq) // both opened at once
	default:
		s.st.PortReused++
		s.forget(c, at)
		return s.tried(k, hash, p, swapped, seq, at)
	}
	return c
}

// tried begins a connection with its SYN.
func (s *shard) tried(k *flowKey, hash uint64, p *Packet, swapped bool, seq uint32, at Stamp) *conn {
	c := s.newConn(k, hash, p, swapped, 0, 0)
	s.ports(c)
	return s.begin(c, seq, at)
}

// begin makes c a connection whose SYN had this sequence number.
func (s *shard) begin(c *conn, seq uint32, at Stamp) *conn {
	c.OpeningSeen = true
	c.last, c.frame = at.Clock, at.Frame
	s.answered(c, 0, seq)
	c.state = stateTried
	s.st.SYN++
	s.idle.set(c, at.Clock+s.idleFor(c))
	s.open(c, at)
	s.tellWay(ConnectionTried, at, c, 0, 0)
	return c
}

// opening begins a connection with its SYN-ACK; swapped is that of the opener,
// who did not send this packet.
func (s *shard) opening(k *flowKey, hash uint64, p *Packet, swapped bool, isn uint32, at Stamp, seq uint32) *conn {
	c := s.newConn(k, hash, p, swapped, 0, 0)
	c.Ends[0], c.Ends[1] = c.Ends[1], c.Ends[0]
	s.ports(c)
	s.begin(c, isn, at)
	s.answered(c, 1, seq)
	return c
}

// reopen ends a connection that a new one on the same ports follows. swapped
// is that of the opener.
func (s *shard) reopen(c *conn, k *flowKey, hash uint64, p *Packet, swapped bool, at Stamp) *conn {
	isn, d := c.againISN, c.againWay
	ends := [2]Endpoint{c.Ends[d], c.Ends[d^1]}
	s.st.PortReused++
	s.flush(c, at)
	if c.announced {
		s.tellWay(ConnectionClosed, at, c, d, 0)
	}
	s.forget(c, at)
	c = s.newConn(k, hash, p, swapped, 0, 0)
	c.Ends = ends
	return s.begin(c, isn, at)
}

// ports sets the ports of the ends from the key.
func (s *shard) ports(c *conn) {
	a, b := 0, 1
	if c.swapped {
		a, b = 1, 0
	}
	c.Ends[a].Port, c.Ends[b].Port = c.key.ports()
}

// answered notes the initial sequence number of direction d.
func (s *shard) answered(c *conn, d uint8, seq uint32) {
	h := &c.half[d]
	h.isn, h.hasISN = seq, true
	h.next, h.known = seq+1, true
	c.state = stateAnswered
}

// pickUp returns the connection for a segment without SYN that belongs to no
// open one: c is one that was closed, or nil. It returns nil if there is
// nothing to follow.
func (s *shard) pickUp(c *conn, k *flowKey, hash uint64, p *Packet, swapped bool, seq uint32, size int) *conn {
	if size == 0 {
		return nil
	}
	at := stampOf(p)
	if c == nil {
		c = s.newConn(k, hash, p, swapped, 0, 0)
		s.ports(c)
		c.state = stateOpen
		c.last = at.Clock
		s.idle.set(c, at.Clock+s.idleFor(c))
		return c
	}
	d := c.way(swapped)
	old := c.half[d]
	if old.known {
		ahead := seqDiff(seq+uint32(size), old.next)
		if ahead <= 0 && ahead > -farthest {
			s.st.AfterClose++
			s.st.AfterCloseBytes += uint64(size)
			return nil
		}
	}
	// New bytes: whoever sent the FIN or the RST, the other side does not
	// believe it. It is another conversation to the handler.
	ends, opening, was := c.Ends, c.OpeningSeen, c.swapped
	s.forget(c, at)
	c = s.newConn(k, hash, p, was, 0, 0)
	c.Ends, c.OpeningSeen = ends, opening
	c.state = stateOpen
	c.last = at.Clock
	if h := &c.half[d]; old.known && seqDiff(old.next, seq) > 0 && seqDiff(old.next, seq) < size {
		h.known, h.next = true, old.next
	}
	s.idle.set(c, at.Clock+s.idleFor(c))
	return c
}

// reset takes a RST.
func (s *shard) reset(c *conn, d uint8, at Stamp, seq, ack uint32, flags byte) {
	h := &c.half[d]
	switch c.state {
	case stateClosed:
		return
	case stateTried:
		if d == 1 {
			if flags&flagACK == 0 || ack != c.half[0].isn+1 {
				s.st.BadResets++
				return
			}
			s.refused(c, at)
			return
		}
	}
	if h.known {
		// RFC 5961 asks for the exact number; stacks are more lenient, and
		// what is sent after a RST that nobody believed is followed anyway.
		if diff := seqDiff(seq, h.next); diff < -1 || diff > farthest {
			s.st.BadResets++
			return
		}
	}
	s.closed(c, d, at)
}

// refused ends a connection that was tried.
func (s *shard) refused(c *conn, at Stamp) {
	s.st.Refused++
	s.tellWay(ConnectionRefused, at, c, 1, 0)
	s.forget(c, at)
}

// closed ends a connection by what was sent in direction d, and remembers it
// for a while.
func (s *shard) closed(c *conn, d uint8, at Stamp) {
	s.flush(c, at)
	if c.state == stateOpen && c.announced {
		s.tellWay(ConnectionClosed, at, c, d, 0)
	}
	s.end(c, at)
	c.state = stateClosed
	c.again = false
	c.last = at.Clock
	s.idle.set(c, at.Clock+s.idleFor(c))
}

// finished closes a connection once both sides have sent all that was before
// their FIN.
func (s *shard) finished(c *conn, d uint8, at Stamp) {
	for i := range c.half {
		if h := &c.half[i]; !h.fin || seqDiff(h.next, h.finAt) < 0 {
			return
		}
	}
	s.closed(c, d, at)
}

// acknowledge takes the acknowledgement that direction d carries of what the
// other sent.
func (s *shard) acknowledge(c *conn, d uint8, at Stamp, ack uint32, data bool) {
	h := &c.half[d^1]
	if c.state != stateOpen {
		switch {
		case c.state == stateAnswered && h.known && (d == 0 && seqDiff(ack, h.next) >= 0 || data):
			c.state = stateOpen
			s.st.Opened++
			s.tellWay(ConnectionOpened, at, c, 0, 0)
			s.idle.set(c, at.Clock+s.idleFor(c))
		case c.state == stateTried && data:
			// One direction is hidden from the tap.
			c.state = stateOpen
			s.idle.set(c, at.Clock+s.idleFor(c))
		}
	}
	if !h.known || c.ignored || h.lost && seqDiff(ack, h.acked) <= 0 {
		return
	}
	ahead := seqDiff(ack, h.next)
	if ahead <= 0 || ahead > farthest {
		return
	}
	if ahead == 1 && h.waiting.first == nil {
		return // the FIN, seen or not
	}
	if h.fin && ack == h.finAt+1 {
		ack--
	}
	h.lost, h.acked = true, ack
	due := at.Clock + int64(s.set.AckGrace)
	if h.holeDue == 0 || h.holeDue > due {
		h.holeDue = due
		s.setHole(c)
	}
}

// setHole sets the timer of the holes of c.
func (s *shard) setHole(c *conn) {
	a, b := c.half[0].holeDue, c.half[1].holeDue
	switch {
	case a == 0 && b == 0:
		s.holes.clear(c)
		return
	case a == 0 || b != 0 && b < a:
		a = b
	}
	s.holes.set(c, a)
}
