package dnp3

import "github.com/weir-ics/weir/protocols"

// segment takes a transport segment (8.2).
func (d *Decoder) segment(dir protocols.Direction, at protocols.Stamp, a *association, h *half, header *LinkHeader, v *frameViolations, user []byte) {
	stats := &d.pool.Stats
	stats.Segments++
	octet, data := user[0], user[1:]
	seq := octet & transportSeq
	first, final := octet&transportFIR != 0, octet&transportFIN != 0
	var sum uint64
	if !first || !final {
		sum = protocols.Digest(user)
	}
	switch {
	case first:
		if h.buf != nil {
			v.add(TransportUnfinished, int64(len(h.buf)), 0)
			stats.SegmentsDropped++
			d.drop(h)
		}
		if final {
			h.lastSeen = false
			d.fragment(dir, at, a, header, seq, v, data)
			return
		}
		h.buf = d.pool.buffer()
	case h.buf == nil:
		stats.SegmentsDropped++
		if h.lastSeen && h.lastSeq == seq && h.last == sum {
			d.segmentNotice(dir, at, header, v, TransportDuplicate, int64(seq), int64(h.next))
			return
		}
		d.segmentNotice(dir, at, header, v, TransportNoFirst, int64(seq), 0)
		return
	case seq != h.next:
		stats.SegmentsDropped++
		if h.lastSeen && h.lastSeq == seq && h.last == sum {
			d.segmentNotice(dir, at, header, v, TransportDuplicate, int64(seq), int64(h.next))
			return
		}
		expected := h.next
		d.drop(h)
		d.segmentNotice(dir, at, header, v, TransportSequence, int64(seq), int64(expected))
		return
	}

	if len(h.buf)+len(data) > MaxFragment {
		observed := len(h.buf) + len(data)
		stats.SegmentsDropped++
		stats.ReassemblyDropped++
		d.drop(h)
		d.segmentNotice(dir, at, header, v, FragmentTooLong, int64(observed), MaxFragment)
		return
	}
	if d.pending+len(data) > maxPending || d.pool.pending+len(data) > maxPoolPending {
		stats.SegmentsDropped++
		stats.ReassemblyDropped++
		observed := d.pending + len(data)
		d.drop(h)
		d.segmentNotice(dir, at, header, v, FragmentTooLong, int64(observed), maxPending)
		return
	}
	h.buf = append(h.buf, data...)
	d.pending += len(data)
	d.pool.pending += len(data)
	h.next = (seq + 1) & transportSeq
	h.last, h.lastSeq, h.lastSeen = sum, seq, true
	if !final {
		if v.n > 0 {
			d.segmentNotice(dir, at, header, v, nil, 0, 0)
		}
		return
	}
	whole := h.buf
	d.fragment(dir, at, a, header, seq, v, whole)
	d.release(h)
}

// segmentNotice emits what is wrong with a frame whose segment completes no
// message.
func (d *Decoder) segmentNotice(dir protocols.Direction, at protocols.Stamp, h *LinkHeader, v *frameViolations, kind *protocols.ViolationKind, observed, expected int64) {
	ev, _ := d.begin(dir, at, h)
	ev.Role = protocols.RoleNotice
	ev.Name = "DNP3 notice"
	ev.Violations = append(ev.Violations, v.items[:v.n]...)
	if kind != nil {
		ev.Violate(kind, observed, expected)
	}
	d.send(ev)
}
