package identify

import (
	"github.com/weir-ics/weir/protocols"
	"github.com/weir-ics/weir/protocols/dnp3"
	"github.com/weir-ics/weir/protocols/modbus"
)

// Router owns the decoders of one worker. One goroutine uses it.
type Router struct {
	emit   protocols.Emit
	stats  Stats
	modbus modbus.Worker
	dnp3   dnp3.Pool

	timers timers
	next   int64 // when the first of them is due, 0 if there is none
	serial uint64
	free   [numVerdicts][]protocols.Decoder
	idle   []*Flow
}

// NewRouter makes a router whose decoders hand their Events to emit.
func NewRouter(emit protocols.Emit) *Router { return &Router{emit: emit} }

// NoReports makes the decoders leave out the values that devices report, which
// nobody wants then: to make Points of them is a tenth of the time of a message
// of many. What clients write is there as ever. It is to be called before Open.
func (r *Router) NoReports() { r.modbus.NoReports, r.dnp3.NoReports = true, true }

// Stats counts what the conversations of a router were.
type Stats struct {
	// Flows by what they were found to be. Undecided are those that ended, or
	// are still going on, before they could be told.
	Modbus, ModbusRTU, ModbusASCII, DNP3, TLS, Other, Opened uint64
	// OtherBytes are payload bytes of conversations that are not ours, as far
	// as they were looked at.
	OtherBytes uint64
}

// Each calls f with each counter by its stable name, the decoders' included.
func (r *Router) Each(f func(name string, v uint64)) {
	s := &r.stats
	decided := s.Modbus + s.ModbusRTU + s.ModbusASCII + s.DNP3 + s.TLS + s.Other
	f("conversations", s.Opened)
	f("conversations.modbus", s.Modbus)
	f("conversations.modbus-rtu", s.ModbusRTU)
	f("conversations.modbus-ascii", s.ModbusASCII)
	f("conversations.dnp3", s.DNP3)
	f("conversations.modbus-tls", s.TLS)
	f("conversations.other", s.Other)
	f("conversations.undecided", s.Opened-decided)
	f("conversations.other-bytes", s.OtherBytes)
	r.modbus.Stats.Each(f)
	r.dnp3.Stats.Each(f)
}

// Open begins a conversation.
func (r *Router) Open(conv protocols.Conversation) *Flow {
	r.stats.Opened++
	var f *Flow
	if n := len(r.idle); n > 0 {
		f, r.idle = r.idle[n-1], r.idle[:n-1]
		*f = Flow{held: f.held[:0]}
	} else {
		f = &Flow{}
	}
	r.serial++
	f.router, f.conv, f.serial = r, conv, r.serial
	f.conv.Memo = &f.memo
	f.patient = known(conv.Ends[0].Port) || known(conv.Ends[1].Port)
	f.secure = conv.Ends[0].Port == modbus.PortTLS || conv.Ends[1].Port == modbus.PortTLS
	return f
}

// dnp3Port is the port assigned to DNP3.
const dnp3Port = 20000

func known(port uint16) bool {
	return port == modbus.Port || port == modbus.PortTLS || port == dnp3Port
}

// decoder gives a decoder for a verdict, a used one if there is one.
func (r *Router) decoder(v verdict, conv protocols.Conversation) protocols.Decoder {
	if n := len(r.free[v]); n > 0 {
		d := r.free[v][n-1]
		r.free[v] = r.free[v][:n-1]
		d.(interface{ Reset(protocols.Conversation) }).Reset(conv)
		return d
	}
	switch v {
	case isDNP3:
		return dnp3.NewDecoder(conv, r.emit, &r.dnp3)
	case isRTU:
		return modbus.Config{Worker: &r.modbus, Framing: modbus.RTU}.NewDecoder(conv, r.emit)
	case isASCII:
		return modbus.Config{Worker: &r.modbus, Framing: modbus.ASCII}.NewDecoder(conv, r.emit)
	}
	return modbus.Config{Worker: &r.modbus}.NewDecoder(conv, r.emit)
}

// Advance fires the decoders' time-outs up to clock, in the order of their
// deadlines, and returns the next deadline, or 0 if there is none.
func (r *Router) Advance(clock int64) (next int64) {
	for len(r.timers) > 0 && r.timers[0].at <= clock {
		t := r.timers.pop()
		if t.flow.serial != t.serial || t.flow.decoder == nil {
			continue // the conversation ended
		}
		t.flow.scheduled = false
		t.flow.schedule(t.at)
	}
	r.next = r.timers.first()
	return r.next
}

// Next is where the router keeps what Advance would return.
func (r *Router) Next() *int64 { return &r.next }

// maxIdle bounds the flows and decoders kept for use again.
const maxIdle = 4096

func (r *Router) release(f *Flow) {
	if f.decoder != nil && len(r.free[f.verdict]) < maxIdle {
		r.free[f.verdict] = append(r.free[f.verdict], f.decoder)
	}
	f.decoder, f.serial = nil, 0
	if len(r.idle) < maxIdle {
		r.idle = append(r.idle, f)
	}
}
