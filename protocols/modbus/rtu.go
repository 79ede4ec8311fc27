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
	if len(w.held) > 0 {
		if n := d.rtuFrame(data, dir); n > 0 && d.rtuFrame(w.held, dir) <= 0 && CRC(w.held) != 0 && !d.rtuContinues(w.held, data, dir) {
			// The new segment begins with a right frame, and what is held does
			// not go on with it.
			d.skip(w, len(w.held))
			w.held = w.held[:0]
			w.lost = true
		}
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

// rtuWays is in which order to try whether a frame is a response.
func (d *Decoder) rtuWays(dir protocols.Direction) [2]bool {
	if d.roles.client == dir.Other() {
		return [2]bool{true, false}
	}
	return [2]bool{false, true}
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
		switch n := measure(b[1:], response); {
		case n == anyLength:
			open = true
		case n == needMore:
			more = true
		case n+3 > maxRTU:
		case n+3 > len(b):
			more = true
		case CRC(b[:n+3]) == 0:
			return n + 3
		}
	}
	if open && !strict {
		if n := rtuByChecksum(b); n > 0 {
			return n
		}
		more = len(b) < maxRTU
	}
	if more {
		return needMore
	}
	return badHeader
}

// rtuByChecksum finds a frame of unknown layout: all of b, or else the shortest
// beginning of it that has a right CRC.
func rtuByChecksum(b []byte) int {
	shortest := 0
	c := uint16(0xFFFF)
	for i, x := range b[:min(len(b), maxRTU)] {
		c = c>>8 ^ crcTable[byte(c)^x]
		if c == 0 && i+1 >= minRTU {
			if i+1 == len(b) {
				return len(b)
			}
			if shortest == 0 {
				shortest = i + 1
			}
		}
	}
	return shortest
}

// rtu hands out one whole RTU frame.
func (d *Decoder) rtu(dir protocols.Direction, at protocols.Stamp, frame []byte) {
	e, m := d.begin()
	body := frame[:len(frame)-2]
	m.Unit = frame[0]
	m.CRC = uint16(frame[len(frame)-2]) | uint16(frame[len(frame)-1])<<8
	if want := CRC(body); want != m.CRC {
		e.Violate(ViolationCRC, int64(m.CRC), int64(want))
		d.worker.Stats.count(CountChecksumErrors, 1)
	}
	d.deliver(dir, at, body[1:], len(frame))
}
