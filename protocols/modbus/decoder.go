package modbus

import (
	"time"

	"github.com/weir-ics/weir/protocols"
)

// DefaultTimeout is how long, in packet time, a request may stay unanswered
// before that is reported.
const DefaultTimeout = 10 * time.Second

// Port is the port assigned to Modbus/TCP, and PortTLS that of Modbus/TCP
// Security.
const (
	Port    = 502
	PortTLS = 802
)

// Worker is what the decoders that one goroutine uses share: their counts, and
// the memory of the message in work.
type Worker struct {
	Stats Stats
	// NoReports tells that nobody wants the values that devices report: Events of
	// responses name the addresses and have no Points for them.
	NoReports bool

	event   protocols.Event
	message Message
	// frame is an ASCII frame's octets.
	frame [maxRTU]byte
}

// Config says how a decoder works. The zero Config is right for Modbus/TCP.
type Config struct {
	Framing Framing
	// Timeout is how long a request may stay unanswered, in packet time; 0 is
	// DefaultTimeout.
	Timeout time.Duration
	// Worker is shared by the decoders of one goroutine; nil gives the decoder
	// its own.
	Worker *Worker
}

// NewDecoder makes a decoder of Modbus/TCP (or UDP) for one conversation.
func NewDecoder(conv protocols.Conversation, emit protocols.Emit) *Decoder {
	return Config{}.NewDecoder(conv, emit)
}

// NewDecoder makes a decoder for one conversation.
func (c Config) NewDecoder(conv protocols.Conversation, emit protocols.Emit) *Decoder {
	d := &Decoder{emit: emit, framing: c.Framing, timeout: int64(c.Timeout), worker: c.Worker}
	if d.timeout <= 0 {
		d.timeout = int64(DefaultTimeout)
	}
	if d.worker == nil {
		d.worker = new(Worker)
	}
	d.Reset(conv)
	return d
}

// Decoder decodes the Modbus messages of one conversation and pairs requests
// and responses. It implements protocols.Decoder.
type Decoder struct {
	conv    protocols.Conversation
	emit    protocols.Emit
	worker  *Worker
	timeout int64
	// next is when the oldest open request is due, 0 if none is open.
	next    int64
	ways    [2]way
	tracker tracker
	roles   roles
	framing Framing
	// blindUntil is until when a response may answer a request that went by
	// unseen, before the capture began or in a gap; until then a response
	// without a request is no violation. justBegun tells that the capture of
	// this conversation began in its midst and no time is known yet.
	blindUntil int64
	justBegun  bool
}

// way is the state of one direction.
type way struct {
	// held is the beginning of a message whose rest is to come.
	held []byte
	// lost tells that the next message is still to be found. skipped is how
	// many bytes were passed over for it, of which those after a gap are not
	// the sender's fault.
	lost, gap bool
	skipped   int
	// foreign is a protocol identifier that was the reason to get lost.
	foreign uint16
}

// Reset makes the decoder ready for another conversation. It keeps its memory.
func (d *Decoder) Reset(conv protocols.Conversation) {
	d.conv = conv
	d.next = 0
	for i := range d.ways {
		held := d.ways[i].held[:0]
		if cap(held) > maxWindow {
			// One long message is no reason to keep so much for ever.
			held = nil
		}
		d.ways[i] = way{held: held, lost: !conv.OpeningSeen && conv.Transport == protocols.TCP}
		d.ways[i].gap = d.ways[i].lost
	}
	d.tracker.reset()
	d.roles = newRoles(&conv)
	d.blindUntil, d.justBegun = 0, !conv.OpeningSeen
}

// Stats gives the counts of the decoder's Worker.
func (d *Decoder) Stats() *Stats { return &d.worker.Stats }

// Stream implements protocols.Decoder.
func (d *Decoder) Stream(dir protocols.Direction, at protocols.Stamp, data []byte) {
	d.arrive(at)
	switch d.framing {
	case RTU:
		d.streamRTU(dir, at, data)
	case ASCII:
		d.streamASCII(dir, at, data)
	default:
		d.streamMBAP(dir, at, data)
	}
}

// arrive moves the watermark before bytes are taken.
func (d *Decoder) arrive(at protocols.Stamp) {
	if d.justBegun {
		d.justBegun = false
		d.blind(at)
	}
	d.expire(at.Clock)
}

// blind notes that requests may have gone by unseen up to now.
func (d *Decoder) blind(at protocols.Stamp) { d.blindUntil = at.Clock + d.timeout }

// Gap implements protocols.Decoder.
func (d *Decoder) Gap(dir protocols.Direction, at protocols.Stamp, lost int) {
	w := &d.ways[dir]
	d.worker.Stats.count(CountGaps, 1)
	d.worker.Stats.count(CountUnfinishedBytes, uint64(len(w.held)))
	d.skippedNotice(dir, at)
	w.held = w.held[:0]
	w.lost, w.gap = true, true
	// What was lost may have held requests, or the answers to those that wait.
	d.blind(at)
	if d.roles.client != dir {
		d.worker.Stats.count(CountPendingLost, uint64(d.tracker.forget()))
		d.next = 0
	}
}

// Datagram implements protocols.Decoder.
func (d *Decoder) Datagram(dir protocols.Direction, at protocols.Stamp, data []byte) {
	d.arrive(at)
	w := &d.ways[dir]
	w.lost, w.gap = false, false
	switch d.framing {
	case RTU:
		d.streamRTU(dir, at, data)
	case ASCII:
		d.streamASCII(dir, at, data)
	default:
		d.streamMBAP(dir, at, data)
	}
	// A datagram stands alone: what is left over belongs to no message.
	if n := len(w.held); n > 0 {
		w.held = w.held[:0]
		w.skipped += n
		d.worker.Stats.count(CountSkippedBytes, uint64(n))
	}
	d.skippedNotice(dir, at)
}

// Advance implements protocols.Decoder.
func (d *Decoder) Advance(clock int64) int64 {
	d.expire(clock)
	return d.next
}

// Close implements protocols.Decoder.
func (d *Decoder) Close(at protocols.Stamp) {
	for dir := range protocols.Direction(2) {
		w := &d.ways[dir]
		d.worker.Stats.count(CountUnfinishedBytes, uint64(len(w.held)))
		w.held = w.held[:0]
		d.skippedNotice(dir, at)
	}
	d.worker.Stats.count(CountPendingClosed, uint64(d.tracker.forget()))
	d.next = 0
}

// hold keeps the beginning of a message.
func (w *way) hold(data []byte) { w.held = append(w.held, data...) }

// deliver hands out one message whose PDU is given. size is that of the whole
// application data unit.
func (d *Decoder) deliver(dir protocols.Direction, at protocols.Stamp, pdu []byte, size int) {
	was := d.roles.client
	response := d.roles.response(dir, pdu)
	if d.roles.client != was && was != unknownDirection {
		// What was paired so far was paired the wrong way round.
		d.worker.Stats.count(CountRoleChanges, 1)
		d.worker.Stats.count(CountPendingLost, uint64(d.tracker.forget()))
		if d.tracker.n > 0 {
			d.blind(at)
		}
		d.tracker.reset()
		d.next = 0
	}
	e, m := d.take(dir, at, pdu, size, response)
	if response {
		d.answer(e, m, at, pdu)
	} else {
		d.ask(e, m, at, pdu)
	}
	d.send(e)
}

// damaged hands out a message whose checksum is wrong. No device acts on it (SL
// 2.5.1.2), so it asks and answers nothing and has no addresses and values; its
// fields can be seen in the Detail.
func (d *Decoder) damaged(dir protocols.Direction, at protocols.Stamp, pdu []byte, size int) {
	d.worker.Stats.count(CountChecksumErrors, 1)
	response := d.roles.client == dir.Other()
	e, m := d.take(dir, at, pdu, size, response)
	describe(e, m)
	switch {
	case !response:
		e.Role = protocols.RoleRequest
	case m.IsException:
		e.Role, e.Exception = protocols.RoleException, m.Exception
	default:
		e.Role = protocols.RoleResponse
	}
	d.send(e)
}

// take fills the Event and the Message from a PDU.
func (d *Decoder) take(dir protocols.Direction, at protocols.Stamp, pdu []byte, size int, response bool) (*protocols.Event, *Message) {
	e, m := &d.worker.event, &d.worker.message
	m.parse(pdu, response, e)
	e.Time, e.Clock, e.Frame = at.Time, at.Clock, at.Frame
	e.Size = size
	d.address(e, dir)
	return e, m
}

// address fills in who sent the message.
func (d *Decoder) address(e *protocols.Event, dir protocols.Direction) {
	e.Transport = d.conv.Transport
	e.Src = d.conv.Ends[dir]
	e.Dst = d.conv.Ends[dir.Other()]
	e.Memo = d.conv.Memo
	e.FromClient = d.roles.client == dir
	e.RoleGuessed = d.roles.guessed()
}

func (d *Decoder) send(e *protocols.Event) {
	d.worker.Stats.count(CountViolations, uint64(len(e.Violations)))
	d.emit(e)
}

// begin empties the shared Event and Message for a new message.
func (d *Decoder) begin() (*protocols.Event, *Message) {
	e, m := &d.worker.event, &d.worker.message
	e.Reset()
	m.Framing = d.framing
	m.Transaction, m.Protocol, m.Length, m.CRC = 0, 0, 0, 0
	return e, m
}

// skippedNotice tells of bytes that belong to no message, unless a gap explains
// them.
func (d *Decoder) skippedNotice(dir protocols.Direction, at protocols.Stamp) {
	w := &d.ways[dir]
	if w.skipped > 0 && !w.gap {
		e, m := d.begin()
		*m = Message{Framing: d.framing, Sub: -1}
		d.address(e, dir)
		e.Time, e.Clock, e.Frame = at.Time, at.Clock, at.Frame
		e.Proto, e.Role, e.Detail = protocols.ProtoModbus, protocols.RoleNotice, m
		e.Name = "Skipped Octets"
		e.Size = w.skipped
		if w.foreign != 0 {
			e.Violate(ViolationProtocolID, int64(w.foreign), 0)
		}
		e.Violate(ViolationSkipped, int64(w.skipped), 0)
		d.send(e)
	}
	w.skipped, w.foreign = 0, 0
}
