package dnp3

import (
	"github.com/weir-ics/weir/protocols"
)

var _ protocols.Decoder = (*Decoder)(nil)

// The bounds that decoders keep to.
const (
	// StandardFragment is the size of fragment that every device must take
	// (4.3); longer ones are a violation but are decoded.
	StandardFragment = 2048
	// MaxFragment is the longest fragment that is put together.
	MaxFragment = 65536
	// maxAssociations is how many pairs of addresses of a connection are
	// followed; the one used longest ago is let go for another.
	maxAssociations = 256
	// fewAssociations is how many of them a decoder keeps the memory of for
	// its next conversation.
	fewAssociations = 4
	// maxPending is how many octets of unfinished fragments a connection may
	// hold, and maxPoolPending all connections of a pool together.
	maxPending     = 4 * MaxFragment
	maxPoolPending = 1024 * MaxFragment
	// responseTimeout is how long a request waits for its response before it
	// counts as unanswered, in nanoseconds of packet time.
	responseTimeout = 30_000_000_000
)

// Decoder decodes the DNP3 of one conversation. It implements
// [protocols.Decoder].
type Decoder struct {
	conversation protocols.Conversation
	emit         protocols.Emit
	pool         *Pool
	sides        [2]side
	associations []*association
	last         *association
	clock        uint64 // counts uses, for eviction
	pending      int    // octets of unfinished fragments
	deadline     int64  // the earliest of the associations', or 0
	// fresh tells that new associations begin here: the connection was seen
	// from its opening, without a loss.
	fresh bool
}

// NewDecoder returns a decoder for a conversation that calls emit for each
// message. pool may be nil for a decoder that shares nothing.
func NewDecoder(conversation protocols.Conversation, emit protocols.Emit, pool *Pool) *Decoder {
	if pool == nil {
		pool = new(Pool)
	}
	d := &Decoder{emit: emit, pool: pool}
	d.Reset(conversation)
	return d
}

// Reset makes the decoder ready for another conversation and keeps its memory.
func (d *Decoder) Reset(conversation protocols.Conversation) {
	for _, a := range d.associations {
		d.drop(&a.halves[0])
		d.drop(&a.halves[1])
	}
	for i := range d.sides {
		d.sides[i] = side{buf: d.sides[i].buf[:0], synced: conversation.OpeningSeen}
		if !conversation.OpeningSeen {
			d.sides[i].doubt = maxFrame
		}
	}
	d.conversation = conversation
	if len(d.associations) > fewAssociations {
		// Most connections have one: leave a flood's memory to who needs it.
		d.pool.keep(d.associations[fewAssociations:])
		d.associations = append([]*association(nil), d.associations[:fewAssociations]...)
	}
	d.associations = d.associations[:0]
	d.last = nil
	d.deadline = 0
	d.fresh = conversation.OpeningSeen
	d.pending = 0
}

// settle lets time-outs fire that were due before the input at hand, so that
// what is decoded does not depend on how often Advance is called.
func (d *Decoder) settle(at protocols.Stamp) {
	if d.deadline != 0 && at.Clock >= d.deadline {
		d.Advance(at.Clock)
	}
}

// Advance implements protocols.Decoder.
func (d *Decoder) Advance(clock int64) (next int64) {
	if d.deadline == 0 || clock < d.deadline {
		return d.deadline
	}
	d.deadline = 0
	for _, a := range d.associations {
		if a.deadline != 0 && a.deadline <= clock {
			d.unanswered(a, protocols.Stamp{Time: a.deadline, Clock: a.deadline, Frame: a.requestFrame})
		}
		if a.deadline != 0 && (d.deadline == 0 || a.deadline < d.deadline) {
			d.deadline = a.deadline
		}
	}
	return d.deadline
}

// Close implements protocols.Decoder.
func (d *Decoder) Close(protocols.Stamp) {
	for i := range d.sides {
		d.pool.Stats.SkippedOctets += uint64(len(d.sides[i].buf))
	}
	for _, a := range d.associations {
		if a.deadline != 0 {
			d.pool.Stats.Unanswered++
		}
	}
	d.Reset(d.conversation)
}

// halfOf returns the half of a that direction dir carries.
func (d *Decoder) halfOf(a *association, dir protocols.Direction) *half {
	if dir == a.masterSide {
		return &a.halves[0]
	}
	return &a.halves[1]
}

// drop lets go of an unfinished fragment, if there is one.
func (d *Decoder) drop(h *half) {
	if h.buf != nil {
		d.pool.Stats.Unfinished++
		d.release(h)
	}
}

// release gives back the memory of a fragment.
func (d *Decoder) release(h *half) {
	d.pending -= len(h.buf)
	d.pool.pending -= len(h.buf)
	d.pool.give(h.buf)
	h.buf = nil
}

// associate returns the association of a frame, made if need be.
func (d *Decoder) associate(dir protocols.Direction, h *LinkHeader) *association {
	master, outstation, side := h.Source, h.Destination, dir
	if !h.Dir {
		master, outstation, side = h.Destination, h.Source, dir.Other()
	}
	d.clock++
	a := d.last
	if a == nil || a.master != master || a.outstation != outstation || a.masterSide != side {
		a = d.find(master, outstation, side)
		d.last = a
	}
	a.used = d.clock
	return a
}

// find looks an association up among all, or makes it.
func (d *Decoder) find(master, outstation uint16, side protocols.Direction) *association {
	contradicts := false
	for _, a := range d.associations {
		if a.master == master && a.outstation == outstation {
			if a.masterSide == side {
				return a
			}
			contradicts = true
		}
	}
	a := d.newAssociation()
	a.reset(master, outstation, side, d.fresh)
	a.contradicts = contradicts
	return a
}

// newAssociation returns the memory for one more association; past the bound
// that of the one used longest ago.
func (d *Decoder) newAssociation() *association {
	if n := len(d.associations); n < maxAssociations {
		if n < cap(d.associations) { // left by Reset
			d.associations = d.associations[:n+1]
			if d.associations[n] == nil {
				d.associations[n] = d.pool.association()
			}
			return d.associations[n]
		}
		a := d.pool.association()
		d.associations = append(d.associations, a)
		return a
	}
	oldest := d.associations[0]
	for _, a := range d.associations {
		if a.used < oldest.used {
			oldest = a
		}
	}
	d.drop(&oldest.halves[0])
	d.drop(&oldest.halves[1])
	d.pool.Stats.AssociationsEvicted++
	d.fresh = false
	return oldest
}

// begin empties the pool's event and message and fills in what is known of the
// frame.
func (d *Decoder) begin(dir protocols.Direction, at protocols.Stamp, h *LinkHeader) (*protocols.Event, *Message) {
	ev, m := &d.pool.event, &d.pool.message
	ev.Reset()
	m.reset()
	ev.Time, ev.Clock, ev.Frame = at.Time, at.Clock, at.Frame
	ev.Proto, ev.Transport = protocols.ProtoDNP3, d.conversation.Transport
	ev.Src = d.conversation.Ends[dir&1]
	ev.Dst = d.conversation.Ends[dir.Other()&1]
	ev.Detail, ev.Memo = m, d.conversation.Memo
	if h != nil {
		m.Link, m.HasLink = *h, true
		ev.FromClient = h.Dir
		ev.Source, ev.Destination = h.Source, h.Destination
		ev.Broadcast = isBroadcast(h.Destination)
	}
	return ev, m
}

// send counts and emits the pool's event.
func (d *Decoder) send(ev *protocols.Event) {
	d.pool.Stats.Violations += uint64(len(ev.Violations))
	d.emit(ev)
}

// notice emits a violation that belongs to no message.
func (d *Decoder) notice(dir protocols.Direction, at protocols.Stamp, h *LinkHeader, kind *protocols.ViolationKind, observed, expected int64) {
	ev, _ := d.begin(dir, at, h)
	if h == nil {
		// Nothing tells who is master; the opener of the connection is, as a
		// rule.
		ev.FromClient, ev.RoleGuessed = dir == 0, true
	}
	ev.Role = protocols.RoleNotice
	ev.Name = "DNP3 notice"
	ev.Violate(kind, observed, expected)
	d.send(ev)
}
