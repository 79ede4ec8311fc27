package modbus

import "github.com/weir-ics/weir/protocols"

const (
	// minRTU is unit, function and CRC.
	minRTU = 4
	// maxRTUWindow bounds what is held of an RTU stream.
	maxRTUWindow = 2 * maxRTU
)

// streamRTU takes bytes of a stream of RTU frames. A frame does not tell its
// length: that follows from its function and the way it goes, and the CRC
// confirms it.
func (d *Decoder) streamRTU(dir protocols.Direction, at protocols.Stamp, data []byte) {
	w := &d.ways[dir]
	if len(w.held) > 0 && d.rtuAt(data, dir, true) == len(data) && !d.rtuContinues(w.held, data, dir) {
		// The new segment is a right frame, and what is held does not go on
		// with it.
		d.skip(w, len(w.held))
		w.held = w.held[:0]
		w.lost = true
	}
	for len(data) > 0 {
		window, later := data, []byte(nil)
		fresh := len(w.held) == 0
		if !fresh {
			take := min(len(data), maxRTUWindow-len(w.held))
			w.hold(data[:take])
			window, later = w.held, data[take:]
		}
		rest := d.rtuWindow(dir, at, window)
		w.held = append(w.held[:0], rest...)
		data = later
	}
}

// rtuContinues tells whether held and the beginning of data are one frame.
func (d *Decoder) rtuContinues(held, data []byte, dir protocols.Direction) bool {
	var room [2 * maxRTU]byte
	joined := append(room[:0], held...)
	joined = append(joined, data[:min(len(data), len(room)-len(joined))]...)
	return d.rtuFrame(joined, dir) > 0
}

// rtuWindow hands out the frames of window and returns the rest, which may be
// the beginning of one.
func (d *Decoder) rtuWindow(dir protocols.Direction, at protocols.Stamp, window []byte) []byte {
	w := &d.ways[dir]
	start := true
	for len(window) > 0 {
		n := d.rtuAt(window, dir, w.lost && !start)
		start = false
		switch {
		case n > 0:
			if w.lost {
				d.found(dir, at)
			}
			d.rtu(dir, at, window[:n])
			window = window[n:]
		case n == needMore:
			return window
		default:
			if n := d.rtuExpected(window, dir); !w.lost && n == len(window) {
				// All is as it should be, but for the checksum.
				d.rtu(dir, at, window)
				return nil
			}
			if !w.lost {
				w.lost, w.gap = true, false
			}
			d.skip(w, 1)
			window = window[1:]
		}
	}
	return nil
}

// rtuExpected is how long the frame that begins b should be, 0 if that cannot
// be told.
func (d *Decoder) rtuExpected(b []byte, dir protocols.Direction) int {
	if len(b) < minRTU || functions[b[1]&0x7f].Class == Invalid {
		return 0
	}
	for _, response := range d.rtuWays(dir) {
		if n := measure(b[1:], response); n > 0 && n+3 <= maxRTU {
			return n + 3
		}
	}
	return 0
}

// bothWays holds both orders.
var bothWays = [...]bool{false, true, false}

// rtuWays is whether to read a frame as a response, in the order to try; both
// ways only as long as who is client is a guess.
func (d *Decoder) rtuWays(dir protocols.Direction) []bool {
	first := 0
	if d.roles.client == dir.Other() {
		first = 1
	}
	if d.roles.client != unknownDirection && !d.roles.guessed() {
		return bothWays[first : first+1]
	}
	return bothWays[first : first+2]
}

// rtuFrame gives the length of the right frame that begins b, needMore if b may
// become one, or badHeader.
func (d *Decoder) rtuFrame(b []byte, dir protocols.Direction) int {
	return d.rtuAt(b, dir, false)
}

// rtuAt does the same; if strict is set, in the midst of unknown bytes, only
// functions whose length follows from their content are taken: for the others
// every octet would have to be tried as the last.
func (d *Decoder) rtuAt(b []byte, dir protocols.Direction, strict bool) int {
	if len(b) < 2 {
		return needMore
	}
	if f := &functions[b[1]&0x7f]; f.Class == Invalid || strict && (b[0] > 247 || f.Class != Public) {
		return badHeader
	}
	if len(b) < minRTU {
		return needMore
	}
	more, open := false, false
	for _, response := range d.rtuWays(dir) {
		n := measure(b[1:], response)
		if n == anyLength {
			if b[1] >= 0x80 {
				// No request has the exception bit.
				continue
			}
			open = true
			// The data of diagnostics is two octets as a rule.
			n = 5
			if b[1] != 8 {
				continue
			}
		}
		switch {
		case n == needMore:
			// Objects can promise more than a frame may hold.
			more = more || len(b) < maxRTU
		case n+3 > maxRTU:
		case n+3 > len(b):
			more = true
		case CRC(b[:n+3]) == 0:
			return n + 3
		}
	}
	if open && !strict {
		if n := d.rtuByChecksum(b, dir); n > 0 {
			return n
		}
		more = len(b) < maxRTU
	}
	if more {
		return needMore
	}
	return badHeader
}

// rtuByChecksum finds a frame of unknown layout, 0 if there is none: all of b,
// or else a beginning of it behind which another frame begins. That the CRC fits
// is not enough for a beginning: with so many to try, chance finds one.
func (d *Decoder) rtuByChecksum(b []byte, dir protocols.Direction) int {
	c := uint16(0xFFFF)
	for i, x := range b[:min(len(b), maxRTU)] {
		c = c>>8 ^ crcTable[byte(c)^x]
		if n := i + 1; c == 0 && n >= minRTU && (n == len(b) || d.rtuAt(b[n:], dir, true) > 0) {
			return n
		}
	}
	return 0
}

// rtu hands out one whole RTU frame.
func (d *Decoder) rtu(dir protocols.Direction, at protocols.Stamp, frame []byte) {
	e, m := d.begin()
	body := frame[:len(frame)-2]
	m.Unit = frame[0]
	m.CRC = uint16(frame[len(frame)-2]) | uint16(frame[len(frame)-1])<<8
	if want := CRC(body); want != m.CRC {
		e.Violate(ViolationCRC, int64(m.CRC), int64(want))
		d.damaged(dir, at, body[1:], len(frame))
		return
	}
	d.deliver(dir, at, body[1:], len(frame))
}
