package identify

import (
	"github.com/weir-ics/weir/protocols"
	"github.com/weir-ics/weir/protocols/dnp3"
	"github.com/weir-ics/weir/protocols/modbus"
)

// verdict is what a conversation was found to be.
type verdict uint8

const (
	undecided verdict = iota
	isModbus
	isRTU
	isASCII
	isDNP3
	isTLS
	isOther
	numVerdicts
)

// Flow is one conversation.
type Flow struct {
	router  *Router
	conv    protocols.Conversation
	memo    protocols.Memo
	decoder protocols.Decoder
	verdict verdict
	// patient tells that a port makes a protocol of ours likely, so that what
	// is not understood yet is looked at again and again.
	patient bool
	// secure tells that a port is that of Modbus/TCP Security.
	secure    bool
	scheduled bool
	tries     uint8
	serial    uint64
	// held are the beginnings that could still be one of ours.
	held []chunk
}

// chunk is what one segment brought.
type chunk struct {
	d    protocols.Direction
	at   protocols.Stamp
	data []byte
}

const (
	// maxHeld and maxChunks bound what is held of an undecided conversation, in
	// octets and segments.
	maxHeld   = 1024
	maxChunks = 8
	// maxTries is how many segments of a conversation on an unknown port may
	// make no sense before it is let go.
	maxTries = 12
)

// Wanted tells whether the conversation's bytes are (or may be) for us.
func (f *Flow) Wanted() bool { return f.verdict != isOther && f.verdict != isTLS }

// Stream takes the next bytes of a direction of a TCP connection.
func (f *Flow) Stream(d protocols.Direction, at protocols.Stamp, data []byte) {
	if f.decoder == nil && !f.decide(d, at, data) {
		return
	}
	f.decoder.Stream(d, at, data)
	f.schedule(at.Clock)
}

// Gap tells of bytes that were lost.
func (f *Flow) Gap(d protocols.Direction, at protocols.Stamp, lost int) {
	if f.decoder == nil {
		f.drop(d)
		return
	}
	f.decoder.Gap(d, at, lost)
	f.schedule(at.Clock)
}

// Datagram takes one UDP payload.
func (f *Flow) Datagram(d protocols.Direction, at protocols.Stamp, data []byte) {
	if f.decoder == nil {
		f.drop(d) // datagrams do not continue one another
		if !f.decide(d, at, data) {
			f.drop(d)
			return
		}
	}
	f.decoder.Datagram(d, at, data)
	f.schedule(at.Clock)
}

// Close ends the conversation. The flow must not be used any more.
func (f *Flow) Close(at protocols.Stamp) {
	if f.decoder != nil {
		f.decoder.Close(at)
	}
	f.router.release(f)
}

// schedule puts the flow on the router's timers, once: when that time comes,
// the decoder says whether there is a next.
func (f *Flow) schedule(clock int64) {
	if f.scheduled {
		return
	}
	if next := f.decoder.Advance(clock); next != 0 {
		f.scheduled = true
		f.router.timers.push(timer{max(next, clock+1), f.serial, f})
		f.router.next = f.router.timers.first()
	}
}

// decide looks at the beginning of an undecided conversation. It returns true
// once a decoder is chosen and has been given all that was held.
func (f *Flow) decide(d protocols.Direction, at protocols.Stamp, data []byte) bool {
	if !f.Wanted() || len(data) == 0 {
		if len(data) > 0 {
			f.router.stats.OtherBytes += uint64(len(data))
		}
		return false
	}
	whole := data
	if len(f.held) > 0 {
		whole = f.joined(d, data)
	}
	v, maybe := look(whole)
	if v == undecided && !maybe && len(whole) > len(data) {
		// What was held was no beginning; this segment may be one.
		f.drop(d)
		whole = data
		v, maybe = look(whole)
	}
	if v == undecided && f.patient && framed(whole) {
		v = isModbus
	}
	if v == isTLS && !f.secure {
		v = isOther
	}
	switch {
	case v == undecided && maybe && len(f.held) < maxChunks && len(whole) <= maxHeld:
		f.held = append(f.held, chunk{d, at, append([]byte(nil), data...)})
		return false
	case v == undecided:
		f.drop(d)
		f.router.stats.OtherBytes += uint64(len(whole))
		if f.tries = min(f.tries+1, maxTries); f.tries == maxTries && !f.patient {
			f.settle(isOther)
		}
		return false
	}
	f.settle(v)
	if f.decoder == nil {
		return false
	}
	for i := range f.held {
		f.decoder.Stream(f.held[i].d, f.held[i].at, f.held[i].data)
	}
	f.held = nil
	return true
}

// look asks every protocol. The order settles what two could claim: a DNP3
// header carries a CRC, a Modbus/TCP header agrees with its content.
func look(data []byte) (v verdict, maybe bool) {
	if modbus.IsTLS(data) {
		return isTLS, false
	}
	for _, p := range [...]struct {
		v     verdict
		probe protocols.Prober
	}{{isDNP3, dnp3.Probe}, {isModbus, modbus.Probe}, {isRTU, modbus.ProbeRTU}, {isASCII, modbus.ProbeASCII}} {
		switch p.probe(data) {
		case protocols.Yes:
			return p.v, false
		case protocols.Maybe:
			maybe = true
		}
	}
	return undecided, maybe
}

// framed tells whether data is exactly one Modbus/TCP frame by its header
// (Modbus Messaging on TCP/IP V1.0b, 3.1.3), whatever it holds. On a port of
// ours that is enough: a message that breaks the standard must not be missed.
func framed(data []byte) bool {
	return len(data) >= 8 && data[2] == 0 && data[3] == 0 && int(data[4])<<8|int(data[5]) == len(data)-6
}

func (f *Flow) settle(v verdict) {
	s := &f.router.stats
	f.verdict = v
	switch v {
	case isModbus:
		s.Modbus++
	case isRTU:
		s.ModbusRTU++
	case isASCII:
		s.ModbusASCII++
	case isDNP3:
		s.DNP3++
	case isTLS:
		s.TLS++
		f.held = nil
		return
	default:
		s.Other++
		f.held = nil
		return
	}
	f.decoder = f.router.decoder(v, f.conv)
}

// joined is what is held of a direction followed by data.
func (f *Flow) joined(d protocols.Direction, data []byte) []byte {
	var whole []byte
	for i := range f.held {
		if f.held[i].d == d {
			whole = append(whole, f.held[i].data...)
		}
	}
	if whole == nil {
		return data
	}
	return append(whole, data...)
}

// drop forgets what is held of a direction.
func (f *Flow) drop(d protocols.Direction) {
	kept := f.held[:0]
	for _, c := range f.held {
		if c.d != d {
			kept = append(kept, c)
		}
	}
	f.held = kept
}
