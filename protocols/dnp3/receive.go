package dnp3

import (
	"encoding/binary"

	"github.com/weir-ics/weir/protocols"
)

// link takes a valid frame: user is its data without CRCs.
func (d *Decoder) link(dir protocols.Direction, at protocols.Stamp, header LinkHeader, user, blocks []byte) {
	a, contradicts := d.associate(dir, &header)
	h := &a.halves[0]
	other := &a.halves[1]
	if !header.Dir {
		h, other = other, h
	}
	f := header.function()
	var found found
	if contradicts {
		found.add(DirectionBit, bit(header.Dir), bit(!header.Dir))
	}
	checkLink(&found, &header, f, len(user))

	if !header.Prm {
		rtt, frame := h.settle(&found, &header, other, at)
		d.linkEvent(dir, at, &header, &found, rtt, frame, len(user))
		return
	}
	repeat := h.count(&found, &header, f, blocks)
	if f.answered {
		h.due, h.dueFrame, h.dueTime = dueAnswer, at.Frame, at.Time
	} else if h.due == dueUnknown {
		h.due = dueNothing
	}
	if repeat {
		d.pool.Stats.Retransmissions++
	}
	if !f.data || len(user) == 0 || repeat {
		d.linkEvent(dir, at, &header, &found, -1, 0, len(user))
		return
	}
	d.segment(dir, at, a, h, &header, &found, user)
}

// found gathers the violations of a frame until the event that they belong to.
type found struct {
	n     int
	items [6]protocols.Violation
}

func (f *found) add(kind *protocols.ViolationKind, observed, expected int64) {
	if f.n < len(f.items) {
		f.items[f.n] = protocols.Violation{Kind: kind, Observed: observed, Expected: expected}
		f.n++
	}
}

func bit(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// checkLink checks the header of a frame (9.2.4.1, 9.2.5).
func checkLink(v *found, h *LinkHeader, f *linkFunction, user int) {
	if f.name == "" {
		v.add(LinkFunction, int64(h.Function), 0)
	} else if h.Prm && h.FCV != f.counted {
		v.add(FrameCountValid, bit(h.FCV), bit(f.counted))
	}
	if !h.Prm && h.FCB {
		v.add(LinkReservedBit, 1, 0)
	}
	if f.name != "" && f.data != (user > 0) {
		v.add(LinkData, int64(user), 0)
	}
	if h.Source >= firstReservedAddress {
		v.add(SourceAddress, int64(h.Source), int64(firstReservedAddress)-1)
	}
	switch dst := h.Destination; {
	case isBroadcast(dst):
		if !h.Dir || !h.Prm || f.answered {
			v.add(BroadcastMisuse, int64(h.Function), int64(LinkUnconfirmedUserData))
		}
	case dst == AddressSelf:
		v.add(SelfAddress, int64(dst), 0)
	case dst >= firstReservedAddress:
		v.add(ReservedAddress, int64(dst), int64(firstReservedAddress)-1)
	case dst == h.Source:
		v.add(SameAddress, int64(dst), 0)
	}
}

// settle takes a secondary frame sent by this half in answer to a primary frame
// of the other.
func (h *half) settle(v *found, header *LinkHeader, other *half, at protocols.Stamp) (rtt int64, frame uint64) {
	rtt = -1
	switch other.due {
	case dueAnswer:
		rtt, frame = max(at.Time-other.dueTime, 0), other.dueFrame
		other.due = dueNothing
	case dueNothing:
		v.add(UnexpectedSecondary, int64(header.Function), 0)
	}
	if header.Function == LinkNack {
		other.countSeen = false
	}
	return rtt, frame
}

// count follows the frame count bit (9.2.4.1.3.3) and tells whether the frame
// is a repeat of the last.
func (h *half) count(v *found, header *LinkHeader, f *linkFunction, blocks []byte) (repeat bool) {
	switch {
	case header.Function == LinkResetLinkStates:
		// The next counted frame has the bit set.
		h.countSeen, h.countBit, h.counted = true, false, 0
	case f.counted && header.FCV:
		sum := digest(blocks)
		if h.countSeen && h.countBit == header.FCB {
			if h.counted == sum && f.data {
				v.add(LinkRetransmission, bit(header.FCB), bit(!header.FCB))
				return true
			}
			v.add(FrameCountBit, bit(header.FCB), bit(!header.FCB))
		}
		h.countSeen, h.countBit, h.counted = true, header.FCB, sum
	}
	return false
}

// linkEvent emits a frame that carries no message.
func (d *Decoder) linkEvent(dir protocols.Direction, at protocols.Stamp, h *LinkHeader, v *found, rtt int64, frame uint64, user int) {
	ev, _ := d.begin(dir, at, h)
	ev.Role = protocols.RoleLink
	ev.Effect = protocols.Session
	ev.Function = h.Function
	ev.Name = h.Name()
	ev.Size = user
	ev.RTT, ev.RequestFrame = rtt, frame
	ev.Violations = append(ev.Violations, v.items[:v.n]...)
	d.send(ev)
}

// segment takes a transport segment (8.2).
func (d *Decoder) segment(dir protocols.Direction, at protocols.Stamp, a *association, h *half, header *LinkHeader, v *found, user []byte) {
	stats := &d.pool.Stats
	stats.Segments++
	octet, data := user[0], user[1:]
	seq := octet & transportSeq
	first, final := octet&transportFIR != 0, octet&transportFIN != 0
	var sum uint64
	if !first || !final {
		sum = digest(user)
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
func (d *Decoder) segmentNotice(dir protocols.Direction, at protocols.Stamp, h *LinkHeader, v *found, kind *protocols.ViolationKind, observed, expected int64) {
	ev, _ := d.begin(dir, at, h)
	ev.Role = protocols.RoleNotice
	ev.Name = "DNP3 notice"
	ev.Violations = append(ev.Violations, v.items[:v.n]...)
	if kind != nil {
		ev.Violate(kind, observed, expected)
	}
	d.send(ev)
}

// fragment takes an application fragment (4.2).
func (d *Decoder) fragment(dir protocols.Direction, at protocols.Stamp, a *association, header *LinkHeader, seq uint8, v *found, body []byte) {
	ev, m := d.begin(dir, at, header)
	ev.Violations = append(ev.Violations, v.items[:v.n]...)
	m.TransportSequence, m.HasTransport = seq, true
	m.Fragment = body
	ev.Size = len(body)
	d.pool.Stats.Fragments++
	if len(body) < 2 {
		ev.Role = protocols.RoleNotice
		ev.Name = "DNP3 notice"
		ev.Violate(FragmentLength, int64(len(body)), 2)
		d.send(ev)
		return
	}
	if len(body) > StandardFragment {
		ev.Violate(FragmentSize, int64(len(body)), StandardFragment)
	}
	m.Control, m.Function, m.HasApplication = parseAppControl(body[0]), body[1], true
	ev.Function, ev.Sequence = m.Function, uint16(m.Control.Seq)
	f := &functions[m.Function]
	ev.Name, ev.Effect, ev.Role = FunctionName(m.Function), f.effect, f.role
	objects := body[2:]
	if isResponse(m.Function) {
		if len(body) < 4 {
			ev.Violate(FragmentLength, int64(len(body)), 4)
			objects = nil
		} else {
			m.IIN, m.HasIIN = binary.LittleEndian.Uint16(body[2:]), true
			ev.IIN, ev.HasIIN = m.IIN, true
			objects = body[4:]
			if m.IIN&iinReserved != 0 {
				ev.Violate(ReservedIIN, int64(m.IIN&iinReserved), 0)
			}
		}
	}
	var r objectsResult
	if f.name == "" {
		ev.Role = protocols.RoleRequest
		if isResponse(m.Function) {
			ev.Role = protocols.RoleResponse
		}
		ev.Violate(ReservedFunction, int64(m.Function), 0)
		m.Unparsed = objects
	} else {
		decodeObjects(m, ev, objects, f, &r)
	}
	d.pool.Stats.Objects += uint64(len(m.Objects))
	d.pool.Stats.Points += uint64(len(ev.Points))
	d.pool.Stats.PointsDropped += r.dropped
	checkControlBits(ev, m)
	if header.Dir && isResponse(m.Function) {
		ev.Violate(ResponseFromMaster, int64(m.Function), 0)
	} else if !header.Dir && !isResponse(m.Function) {
		ev.Violate(RequestFromOutstation, int64(m.Function), 0)
	} else {
		d.relate(a, ev, m, &r, at)
	}
	d.followFiles(a, ev, m)
	m.Files = ev.Files
	d.send(ev)
}

// checkControlBits checks the application control octet (4.2.2.4).
func checkControlBits(ev *protocols.Event, m *Message) {
	c := m.Control
	got := int64(c.octet() &^ appSeq)
	switch {
	case m.Function == FunctionConfirm:
		if want := got&appUNS | appFIR | appFIN; got != want {
			ev.Violate(ControlBits, got, want)
		}
	case m.Function == FunctionUnsolicitedResponse:
		// FIR and FIN are 1; CON asks for the confirm that unsolicited
		// responses need.
		if want := got | appFIR | appFIN | appUNS; got != want {
			ev.Violate(ControlBits, got, want)
		}
	case isResponse(m.Function):
		if c.UNS && m.Function == FunctionResponse {
			ev.Violate(ControlBits, got, got&^appUNS)
		}
	default:
		// Requests are one fragment and ask for no confirm.
		if got != appFIR|appFIN {
			ev.Violate(ControlBits, got, appFIR|appFIN)
		}
	}
}
