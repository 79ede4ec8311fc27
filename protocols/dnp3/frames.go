package dnp3

import "github.com/weir-ics/weir/protocols"

// link takes a valid frame: user is its data without CRCs.
func (d *Decoder) link(dir protocols.Direction, at protocols.Stamp, header *LinkHeader, user, blocks []byte) {
	a := d.associate(dir, header)
	h := &a.halves[0]
	other := &a.halves[1]
	if !header.Dir {
		h, other = other, h
	}
	f := header.function()
	v := &d.pool.frameViolations
	v.n = 0
	if a.contradicts {
		v.add(DirectionBit, bit(header.Dir), bit(!header.Dir))
	}
	checkLink(v, header, f, len(user))

	if !header.Prm {
		rtt, frame := h.settle(v, header, other, at)
		d.linkEvent(dir, at, header, v, rtt, frame, len(user))
		return
	}
	repeat := h.count(v, header, f, blocks)
	if f.answered {
		h.due, h.dueFrame, h.dueTime = dueAnswer, at.Frame, at.Time
	} else if h.due == dueUnknown {
		h.due = dueNothing
	}
	if repeat {
		d.pool.Stats.Retransmissions++
	}
	if !f.data || len(user) == 0 || repeat {
		d.linkEvent(dir, at, header, v, -1, 0, len(user))
		return
	}
	d.segment(dir, at, a, h, header, v, user)
}

// frameViolations gathers the violations of a frame until the event that they
// belong to is begun.
type frameViolations struct {
	n     int
	items [6]protocols.Violation
}

func (f *frameViolations) add(kind *protocols.ViolationKind, observed, expected int64) {
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

// checkLink checks the header of a frame (9.2.4.1, 9.2).
func checkLink(v *frameViolations, h *LinkHeader, f *linkFunction, user int) {
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
func (h *half) settle(v *frameViolations, header *LinkHeader, other *half, at protocols.Stamp) (rtt int64, frame uint64) {
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

// count follows the frame count bit (9.2.4.1.3) and tells whether the frame
// is a repeat of the last.
func (h *half) count(v *frameViolations, header *LinkHeader, f *linkFunction, blocks []byte) (repeat bool) {
	switch {
	case header.Function == LinkResetLinkStates:
		// The next counted frame has the bit set.
		h.countSeen, h.countBit, h.counted = true, false, 0
	case f.counted && header.FCV:
		sum := protocols.Digest(blocks)
		if h.countSeen && h.countBit == header.FCB {
			if h.counted == sum {
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
func (d *Decoder) linkEvent(dir protocols.Direction, at protocols.Stamp, h *LinkHeader, v *frameViolations, rtt int64, frame uint64, user int) {
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
