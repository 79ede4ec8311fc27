package modbus

import "github.com/weir-ics/weir/protocols"

// badHeader is what mbapLength says of octets that cannot begin a message.
const badHeader = -3

// maxWindow bounds what is held while a boundary is looked for.
const maxWindow = 2 * maxMBAP

// mbapLength gives the length of the application data unit that begins b, or
// needMore, or badHeader (TCP 3.1.3).
func mbapLength(b []byte) int {
	if len(b) >= 6 {
		n := int(b[4])<<8 | int(b[5])
		if b[2]|b[3] != 0 || n < 2 || n > maxLongADU-mbapPrefix {
			return badHeader
		}
		return n + mbapPrefix
	}
	if len(b) > 2 && b[2] != 0 || len(b) > 3 && b[3] != 0 || len(b) > 4 && b[4] > (maxLongADU-mbapPrefix)>>8 {
		return badHeader
	}
	return needMore
}

// streamMBAP takes bytes of a Modbus/TCP stream.
func (d *Decoder) streamMBAP(dir protocols.Direction, at protocols.Stamp, data []byte) {
	w := &d.ways[dir]
	for len(data) > 0 {
		if w.lost {
			data = d.seekMBAP(dir, at, data)
			continue
		}
		if len(w.held) == 0 {
			n := mbapLength(data)
			switch {
			case n == badHeader:
				w.stray(data)
			case n == needMore || n > len(data):
				w.hold(data)
				return
			default:
				d.adu(dir, at, data[:n])
				data = data[n:]
			}
			continue
		}
		// The header is completed first, then what it announces.
		want := mbapLength(w.held)
		if want == needMore {
			want = mbapPrefix
		}
		take := min(want-len(w.held), len(data))
		w.hold(data[:take])
		data = data[take:]
		switch n := mbapLength(w.held); {
		case n == badHeader:
			w.stray(w.held)
			if len(data) == 0 {
				// Nothing more comes with this segment: look at what is held.
				d.seekMBAP(dir, at, nil)
			}
		case n == len(w.held):
			adu := w.held
			w.held = w.held[:0]
			d.adu(dir, at, adu)
		}
	}
}

// stray notes that what comes next is no message.
func (w *way) stray(b []byte) {
	w.lost, w.gap = true, false
	if len(b) >= 6 && b[2]|b[3] != 0 && b[4] == 0 && b[5] >= 2 {
		w.foreign = uint16(b[2])<<8 | uint16(b[3])
	}
}

// seekMBAP looks for the next message in what is held and data, and returns what
// of data is still to be taken.
func (d *Decoder) seekMBAP(dir protocols.Direction, at protocols.Stamp, data []byte) []byte {
	w := &d.ways[dir]
	window := data
	var later []byte
	if len(w.held) > 0 {
		if len(data) > 0 && d.candidate(data, dir, true) == accept {
			// A segment that begins with a message outweighs an older guess.
			d.skip(w, len(w.held))
			w.held = w.held[:0]
		} else {
			take := min(len(data), maxWindow-len(w.held))
			w.hold(data[:take])
			window, later = w.held, data[take:]
		}
	}
	fresh := len(w.held) == 0
	for i := range window {
		switch d.candidate(window[i:], dir, fresh && i == 0) {
		case accept:
			d.skip(w, i)
			d.found(dir, at)
			if fresh {
				return window[i:]
			}
			w.held = w.held[:0]
			d.streamMBAP(dir, at, window[i:])
			return later
		case wait:
			d.skip(w, i)
			w.held = append(w.held[:0], window[i:]...)
			return later
		}
	}
	d.skip(w, len(window))
	w.held = w.held[:0]
	return later
}

func (d *Decoder) skip(w *way, n int) {
	w.skipped += n
	d.worker.Stats.count(CountSkippedBytes, uint64(n))
}

// found ends a search.
func (d *Decoder) found(dir protocols.Direction, at protocols.Stamp) {
	w := &d.ways[dir]
	if w.skipped > 0 {
		d.worker.Stats.count(CountResyncs, 1)
	}
	d.skippedNotice(dir, at)
	w.lost, w.gap = false, false
}

type judgement uint8

const (
	reject judgement = iota
	wait
	accept
)

// candidate judges whether b begins with a message. It is strict, because it is
// asked in the midst of unknown bytes: the header has to be right, and then
// either the message is all that the segment holds, or its content has the
// length that its function asks for and a header (or nothing) follows, or it
// answers an open request.
func (d *Decoder) candidate(b []byte, dir protocols.Direction, segment bool) judgement {
	n := mbapLength(b)
	if n == badHeader || n > maxMBAP {
		return reject
	}
	if n == needMore || len(b) < 8 {
		return wait
	}
	pdu := b[7:min(n, len(b))]
	class := functions[pdu[0]&0x7f].Class
	if class == Invalid {
		return reject
	}
	if len(b) < n {
		if class == Undefined || !d.mayFit(pdu, n-7, dir) {
			return reject
		}
		return wait
	}
	if segment && len(b) == n {
		return accept
	}
	if !d.mayFit(pdu, n-7, dir) {
		return reject
	}
	if mbapLength(b[n:]) != badHeader {
		return accept
	}
	if d.roles.client != dir && d.awaited(b) {
		return accept
	}
	return reject
}

// mayFit tells whether a PDU of size octets that begins with pdu has the shape
// that its function asks for, in the way it goes as far as that is known.
func (d *Decoder) mayFit(pdu []byte, size int, dir protocols.Direction) bool {
	for _, response := range [2]bool{false, true} {
		if d.roles.client != unknownDirection && !d.roles.guessed() && response == (d.roles.client == dir) {
			continue
		}
		n := measure(pdu, response)
		switch {
		case n == size, n == needMore && len(pdu) < size, n == anyLength && pdu[0] < 0x80:
			return true
		}
	}
	return false
}

// awaited tells whether an open request has the transaction and unit of the
// message that begins b.
func (d *Decoder) awaited(b []byte) bool {
	for i := range d.tracker.n {
		x := d.tracker.at(i)
		if x.state == open && x.transaction == uint16(b[0])<<8|uint16(b[1]) && x.unit == b[6] && x.function == b[7]&0x7f {
			return true
		}
	}
	return false
}

// adu hands out one whole Modbus/TCP application data unit.
func (d *Decoder) adu(dir protocols.Direction, at protocols.Stamp, adu []byte) {
	e, m := d.begin()
	m.Transaction = uint16(adu[0])<<8 | uint16(adu[1])
	m.Protocol = uint16(adu[2])<<8 | uint16(adu[3])
	m.Length = uint16(adu[4])<<8 | uint16(adu[5])
	m.Unit = adu[6]
	if len(adu) > maxMBAP && adu[7]&0x7f != umasFunction {
		e.Violate(ViolationSize, int64(len(adu)), maxMBAP)
	}
	d.deliver(dir, at, adu[7:], len(adu))
}
