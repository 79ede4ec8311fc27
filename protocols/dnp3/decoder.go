package dnp3

import (
	"bytes"
	"encoding/binary"

	"github.com/weir-ics/weir/protocols"
)

var _ protocols.Decoder = (*Decoder)(nil)

// The bounds that decoders keep to.
const (
	// StandardFragment is the size of fragment that every device must take
	// (4.2.1); longer ones are a violation but are decoded.
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

// Pool is what the decoders of one worker share: the event they fill, spare
// buffers and the counters. One goroutine uses a pool and its decoders.
type Pool struct {
	Stats Stats

	event   protocols.Event
	message Message
	// late and lateMessage are for what is noticed while event is in use.
	late        protocols.Event
	lateMessage Message
	frame       []byte // user data of the frame at hand
	spare       [][]byte
	pending     int
}

// buffer returns an empty buffer for a fragment.
func (p *Pool) buffer() []byte {
	if n := len(p.spare); n > 0 {
		b := p.spare[n-1]
		p.spare = p.spare[:n-1]
		return b[:0]
	}
	return make([]byte, 0, StandardFragment)
}

// give takes a buffer back. Those that grew are left to the garbage collector,
// so that one flood does not pin memory for years.
func (p *Pool) give(b []byte) {
	const most = 64
	if cap(b) <= 2*StandardFragment && len(p.spare) < most {
		p.spare = append(p.spare, b)
	}
}

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

// side is the state of one direction of the stream.
type side struct {
	// buf is an unfinished frame.
	buf []byte
	// skip is how many octets to pass over: the rest of a frame whose middle
	// was lost.
	skip int
	// synced tells that the last octet consumed ended a frame.
	synced bool
	// doubt is for how many octets more, after a loss, the inside of a frame
	// may go on, so that a start of frame must prove itself.
	doubt int
	// skipped counts octets passed over since the last frame, for the notice.
	skipped int64
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
		// Most connections have one: do not keep a flood's memory for them.
		d.associations = append([]*association(nil), d.associations[:fewAssociations]...)
	}
	d.associations = d.associations[:0]
	d.last = nil
	d.deadline = 0
	d.fresh = conversation.OpeningSeen
	d.pending = 0
}

// Probe tells whether data, the beginning of a direction of a conversation, is
// DNP3. The CRC of the header makes it certain.
func Probe(data []byte) protocols.Verdict {
	if len(data) > 0 && data[0] != start0 || len(data) > 1 && data[1] != start1 || len(data) > 2 && data[2] < minLength {
		return protocols.No
	}
	if len(data) < headerSize {
		return protocols.Maybe
	}
	if binary.LittleEndian.Uint16(data[8:]) != crcHeader(data) {
		return protocols.No
	}
	return protocols.Yes
}

// Stream implements protocols.Decoder.
func (d *Decoder) Stream(dir protocols.Direction, at protocols.Stamp, data []byte) {
	d.settle(at)
	s := &d.sides[dir&1]
	d.pool.Stats.Octets += uint64(len(data))
	if s.skip > 0 {
		n := min(s.skip, len(data))
		s.skip -= n
		d.pool.Stats.SkippedOctets += uint64(n)
		data = data[n:]
	}
	for len(s.buf) > 0 && len(data) > 0 {
		n := min(missing(s.buf), len(data))
		s.buf = append(s.buf, data[:n]...)
		data = data[n:]
		used := d.frames(dir, at, s.buf, data)
		s.buf = s.buf[:copy(s.buf, s.buf[used:])]
	}
	if len(data) == 0 {
		return
	}
	used := d.frames(dir, at, data, nil)
	if rest := data[used:]; len(rest) > 0 {
		if cap(s.buf) < maxFrame {
			s.buf = make([]byte, 0, maxFrame)
		}
		s.buf = append(s.buf[:0], rest...)
	}
}

// missing returns how many octets an unfinished frame needs before more of it
// can be judged.
func missing(frame []byte) int {
	if len(frame) < headerSize {
		return headerSize - len(frame)
	}
	return frameSize(frame[2]) - len(frame)
}

// Gap implements protocols.Decoder.
func (d *Decoder) Gap(dir protocols.Direction, at protocols.Stamp, lost int) {
	d.settle(at)
	s := &d.sides[dir&1]
	d.pool.Stats.LostOctets += uint64(max(lost, 0))
	if len(s.buf) >= headerSize && lost > 0 {
		s.skip = max(missing(s.buf)-lost, 0)
	} else {
		s.skip = max(s.skip-lost, 0)
	}
	d.pool.Stats.SkippedOctets += uint64(len(s.buf))
	s.buf = s.buf[:0]
	s.synced, s.doubt, s.skipped = false, maxFrame, 0
	d.fresh = false
	for _, a := range d.associations {
		d.drop(d.halfOf(a, dir))
		a.halves[0].forget()
		a.halves[1].forget()
		a.exchange.forget()
	}
}

// Datagram implements protocols.Decoder.
func (d *Decoder) Datagram(dir protocols.Direction, at protocols.Stamp, data []byte) {
	d.settle(at)
	d.pool.Stats.Octets += uint64(len(data))
	s := &d.sides[dir&1]
	s.synced, s.doubt = true, 0
	used := d.frames(dir, at, data, nil)
	if rest := data[used:]; len(rest) > 0 {
		d.pool.Stats.SkippedOctets += uint64(len(rest))
		d.notice(dir, at, nil, TruncatedFrame, int64(len(rest)), int64(len(rest)+missing(rest)))
	}
	if s.skipped > 0 {
		d.notice(dir, at, nil, SkippedOctets, s.skipped, 0)
		s.skipped = 0
	}
}

// frames decodes the frames in data and returns how many octets it is done
// with; the rest begins an unfinished frame. after is what follows data.
func (d *Decoder) frames(dir protocols.Direction, at protocols.Stamp, data, after []byte) int {
	s := &d.sides[dir&1]
	stats := &d.pool.Stats
	i := 0
	for i < len(data) {
		rest := data[i:]
		if rest[0] != start0 || len(rest) > 1 && rest[1] != start1 {
			n := bytes.IndexByte(rest[1:], start0) + 1
			if n == 0 {
				n = len(rest)
			}
			s.pass(stats, n)
			i += n
			continue
		}
		if len(rest) < headerSize {
			return i
		}
		if found, want := binary.LittleEndian.Uint16(rest[8:]), crcHeader(rest); found != want {
			if s.synced {
				stats.HeaderCRC++
				d.notice(dir, at, nil, HeaderCRC, int64(found), int64(want))
			}
			s.pass(stats, 1)
			i++
			continue
		}
		header := parseHeader(rest)
		if rest[2] < minLength {
			d.notice(dir, at, &header, LinkLength, int64(rest[2]), minLength)
			s.pass(stats, headerSize)
			i += headerSize
			continue
		}
		size := frameSize(rest[2])
		if len(rest) < size {
			return i
		}
		user, found, want, ok := deblock(d.pool.frame[:0], rest[headerSize:size])
		d.pool.frame = user[:0]
		if !ok {
			stats.BlockCRC++
			d.notice(dir, at, &header, BlockCRC, int64(found), int64(want))
			s.doubt = maxFrame
			s.pass(stats, 1)
			i++
			continue
		}
		if s.doubt > 0 && !begins(rest[size:], after) {
			// After a loss this may be the inside of a frame: it must at least
			// end where the data ends or a frame begins.
			s.pass(stats, 1)
			i++
			continue
		}
		if s.skipped > 0 && s.doubt == 0 {
			d.notice(dir, at, nil, SkippedOctets, s.skipped, 0)
		}
		s.synced, s.doubt, s.skipped = true, 0, 0
		stats.Frames++
		d.link(dir, at, header, user, rest[headerSize:size])
		i += size
	}
	return i
}

// pass notes octets that belong to no frame.
func (s *side) pass(stats *Stats, n int) {
	s.synced = false
	s.doubt = max(s.doubt-n, 0)
	s.skipped += int64(n)
	stats.SkippedOctets += uint64(n)
}

// begins tells whether rest and after, one behind the other, are empty or begin
// a frame, as far as they go.
func begins(rest, after []byte) bool {
	if len(rest) == 0 {
		rest, after = after, nil
	}
	if len(rest) >= headerSize && binary.LittleEndian.Uint16(rest[8:]) != crcHeader(rest) {
		return false
	}
	for i, want := range [...]byte{start0, start1} {
		switch {
		case i < len(rest):
			if rest[i] != want {
				return false
			}
		case i-len(rest) < len(after):
			if after[i-len(rest)] != want {
				return false
			}
		}
	}
	return true
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

// associate returns the association of a frame, made if need be. contradicts
// tells that there is one of the same addresses with the roles exchanged.
func (d *Decoder) associate(dir protocols.Direction, h *LinkHeader) (a *association, contradicts bool) {
	master, outstation, side := h.Source, h.Destination, dir
	if !h.Dir {
		master, outstation, side = h.Destination, h.Source, dir.Other()
	}
	d.clock++
	if a = d.last; a != nil && a.master == master && a.outstation == outstation && a.masterSide == side {
		a.used = d.clock
		return a, false
	}
	var found *association
	for _, a := range d.associations {
		if a.master == master && a.outstation == outstation {
			if a.masterSide == side {
				found = a
			} else {
				contradicts = true
			}
		}
	}
	if found == nil {
		found = d.newAssociation()
		found.reset(master, outstation, side, d.fresh)
	}
	found.used = d.clock
	d.last = found
	return found, contradicts
}

// newAssociation returns the memory for one more association; past the bound
// that of the one used longest ago.
func (d *Decoder) newAssociation() *association {
	if n := len(d.associations); n < maxAssociations {
		if n < cap(d.associations) { // left by Reset
			d.associations = d.associations[:n+1]
			if d.associations[n] == nil {
				d.associations[n] = new(association)
			}
			return d.associations[n]
		}
		a := new(association)
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
	ev.Src, ev.Dst = d.conversation.Ends[dir&1], d.conversation.Ends[dir.Other()&1]
	ev.Detail = m
	if h != nil {
		m.Link = *h
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

// digest is a checksum of octets that repeats are known by: eight octets at a
// time, each multiplied into the rest. It is no defence against forgery, and
// need be none: who forges a repeat has only repeated.
func digest(p []byte) uint64 {
	const prime = 0x9E3779B97F4A7C15 // 2^64 by the golden ratio
	h := uint64(len(p)) * prime
	for len(p) >= 8 {
		h = (h ^ binary.LittleEndian.Uint64(p)) * prime
		h ^= h >> 29
		p = p[8:]
	}
	for _, b := range p {
		h = (h ^ uint64(b)) * prime
	}
	return h ^ h>>32
}
