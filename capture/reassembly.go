package capture

// payload takes the bytes of a segment of direction d; cut more were not
// captured.
func (s *shard) payload(c *conn, d uint8, at Stamp, seq uint32, data []byte, cut int) {
	h := &c.half[d]
	s.open(c, at)
	if !h.known {
		h.known, h.next = true, seq
	}
	if c.ignored {
		s.st.IgnoredBytes += uint64(len(data))
		if end := seq + uint32(len(data)+cut); seqDiff(end, h.next) > 0 || seqDiff(h.next, end) > farthest {
			h.next = end
		}
		return
	}
	if seq == h.next && h.waiting.first == nil {
		s.deliver(c, d, at, data)
		if cut > 0 {
			s.gap(c, d, at, h.next+uint32(cut))
		}
		s.caughtUp(c, h)
		return
	}
	ahead := seqDiff(seq, h.next)
	if ahead > farthest || ahead < -farthest {
		if seq != h.farNext {
			h.farRun = 0
		}
		h.farRun++
		h.farNext = seq + uint32(len(data)+cut)
		if h.farRun < farRuns {
			s.st.OutOfWindow++
			s.st.OutOfWindowBytes += uint64(len(data))
			return
		}
		s.giveUpAll(c, d, at)
		h.next = seq
		s.gap(c, d, at, seq) // how much was lost is not known
		s.deliver(c, d, at, data)
		if cut > 0 {
			s.gap(c, d, at, h.next+uint32(cut))
		}
		s.caughtUp(c, h)
		return
	}
	h.farRun = 0
	if ahead < 0 {
		old := min(-ahead, len(data))
		if ahead == -1 && len(data) == 1 {
			s.st.Keepalives++
			s.st.RetransmittedBytes++
			return // what the byte is does not matter (RFC 9293, section 3.8.4)
		}
		s.st.RetransmittedBytes += uint64(old)
		if old == len(data) {
			s.st.Retransmitted++
		}
		if h.recent != nil {
			s.conflict(c, d, at, h.recent.differ(seq, data[:old]))
		}
		data = data[old:]
		seq += uint32(old)
		if len(data) == 0 {
			return
		}
		if h.waiting.first == nil {
			s.deliver(c, d, at, data)
			s.caughtUp(c, h)
			return
		}
	}
	if seq != h.next {
		s.st.OutOfOrder++
	}
	before := h.waiting.bytes
	there, differ := h.waiting.insert(&s.pool, seq, data)
	s.held += h.waiting.bytes - before
	s.st.RetransmittedBytes += uint64(there)
	if there == len(data) {
		s.st.Retransmitted++
	}
	s.conflict(c, d, at, differ)
	s.drain(c, d, at)
	for h.waiting.first != nil && (h.waiting.count > s.set.MaxStreamSegments || s.held > s.limits.buffered ||
		c.half[0].waiting.bytes+c.half[1].waiting.bytes > s.set.MaxStreamBytes) {
		s.st.BufferLimit++
		s.giveUp(c, d, at)
	}
	if h.waiting.first == nil {
		s.caughtUp(c, h)
	} else if h.holeDue == 0 {
		h.holeDue = at.Clock + int64(s.set.GapAfter)
		s.setHole(c)
	}
}

// deliver gives the next bytes to the handler.
func (s *shard) deliver(c *conn, d uint8, at Stamp, data []byte) {
	if len(data) == 0 {
		return
	}
	h := &c.half[d]
	if c.ignored { // since the packet began
		s.st.IgnoredBytes += uint64(len(data))
		h.next += uint32(len(data))
		return
	}
	if h.recent == nil {
		h.recent = s.ring(h.next)
	}
	h.recent.keep(h.next, data)
	h.next += uint32(len(data))
	s.st.StreamBytes += uint64(len(data))
	*s.called = true
	s.handler.Stream(&c.Conn, d, at, data)
}

// drain delivers what no longer waits for anything.
func (s *shard) drain(c *conn, d uint8, at Stamp) {
	h := &c.half[d]
	moved := false
	for h.waiting.first != nil && h.waiting.first.seq == h.next {
		g := h.waiting.pop()
		s.held -= cap(g.data)
		s.deliver(c, d, at, g.data)
		s.pool.put(g)
		moved = true
	}
	if moved && h.holeDue != 0 {
		// The hole that the timer was for is filled; the next has its own time.
		h.holeDue = 0
		if h.waiting.first != nil {
			h.holeDue = at.Clock + int64(s.set.GapAfter)
		}
		s.setHole(c)
	}
}

// caughtUp ends the wait for a hole that was filled.
func (s *shard) caughtUp(c *conn, h *half) {
	if h.lost && seqDiff(h.acked, h.next) <= 0 {
		h.lost = false
	}
	if h.holeDue != 0 && h.waiting.first == nil && !h.lost {
		h.holeDue = 0
		s.setHole(c)
	}
}

// gap tells that the bytes up to seq will never come; none if how many is not
// known.
func (s *shard) gap(c *conn, d uint8, at Stamp, seq uint32) {
	h := &c.half[d]
	lost := seqDiff(seq, h.next)
	h.next = seq
	if h.recent != nil {
		h.recent.from = seq
	}
	if c.ignored {
		return
	}
	s.st.Gaps++
	s.st.GapBytes += uint64(lost)
	*s.called = true
	s.handler.Gap(&c.Conn, d, at, lost)
	s.tellWay(StreamGap, at, c, d, lost)
}

// giveUp gives up the first hole of a direction: what was confirmed but never
// seen, or all before what waits.
func (s *shard) giveUp(c *conn, d uint8, at Stamp) {
	h := &c.half[d]
	switch {
	case h.waiting.first != nil:
		s.gap(c, d, at, h.waiting.first.seq)
		s.drain(c, d, at)
	case h.lost && seqDiff(h.acked, h.next) > 0:
		s.gap(c, d, at, h.acked)
	}
	if h.lost && seqDiff(h.acked, h.next) <= 0 {
		h.lost = false
	}
}

// giveUpAll gives up every hole before what waits.
func (s *shard) giveUpAll(c *conn, d uint8, at Stamp) {
	h := &c.half[d]
	for h.waiting.first != nil {
		s.giveUp(c, d, at)
	}
	h.lost, h.holeDue = false, 0
}

// flush gives on all that waits, in both directions, because no more will
// come.
func (s *shard) flush(c *conn, at Stamp) {
	for d := range c.half {
		s.giveUpAll(c, uint8(d), at)
	}
	s.holes.clear(c)
}

// holeDue gives up the holes whose time has come.
func (s *shard) holeDue(c *conn, due int64) {
	at := Stamp{Time: due, Clock: due, Frame: c.frame}
	for d := range c.half {
		h := &c.half[d]
		if h.holeDue == 0 || h.holeDue > due {
			continue
		}
		h.holeDue = 0
		s.giveUp(c, uint8(d), at)
		if h.waiting.first != nil || h.lost {
			wait := s.set.GapAfter
			if h.lost {
				wait = s.set.AckGrace
			}
			h.holeDue = due + int64(wait)
		}
	}
	s.setHole(c)
	if c.half[0].fin && c.half[1].fin {
		s.finished(c, 0, at)
	}
}

// conflict tells of bytes that were sent again as others.
func (s *shard) conflict(c *conn, d uint8, at Stamp, differ int) {
	if differ == 0 {
		return
	}
	s.st.OverlapConflicts++
	s.st.OverlapBytes += uint64(differ)
	s.tellWay(OverlapConflict, at, c, d, differ)
}

// discard lets go what waits, and what was kept to compare.
func (s *shard) discard(h *half) {
	for h.waiting.first != nil {
		g := h.waiting.pop()
		s.held -= cap(g.data)
		s.pool.put(g)
	}
	if h.recent != nil {
		if len(s.rings) < 64 {
			s.rings = append(s.rings, h.recent)
		}
		h.recent = nil
	}
	h.holeDue, h.lost = 0, false
}

// ring returns memory for the last bytes of a stream that begins at seq.
func (s *shard) ring(seq uint32) *recent {
	var r *recent
	if n := len(s.rings); n > 0 {
		r = s.rings[n-1]
		s.rings = s.rings[:n-1]
	} else {
		r = new(recent)
	}
	r.from = seq
	return r
}
