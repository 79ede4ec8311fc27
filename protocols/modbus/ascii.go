package modbus

import (
	"bytes"

	"github.com/weir-ics/weir/protocols"
)

// streamASCII takes bytes of a stream of ASCII frames: from a colon to a line
// feed (SL 2.5.2.1).
func (d *Decoder) streamASCII(dir protocols.Direction, at protocols.Stamp, data []byte) {
	w := &d.ways[dir]
	for len(data) > 0 {
		if len(w.held) == 0 {
			start := bytes.IndexByte(data, ':')
			if start < 0 {
				d.asciiStray(w, data)
				return
			}
			d.asciiStray(w, data[:start])
			data = data[start:]
		}
		stop := bytes.IndexByte(data, '\n')
		if again := bytes.LastIndexByte(data[:max(stop, 0)], ':'); again > 0 || again == 0 && len(w.held) > 0 {
			// A colon begins a frame wherever it stands (SL 2.5.2.1).
			d.asciiStray(w, w.held)
			d.asciiStray(w, data[:again])
			w.held = w.held[:0]
			data, stop = data[again:], stop-again
		}
		switch {
		case stop < 0 && len(w.held)+len(data) > maxASCII:
			d.asciiStray(w, w.held)
			d.asciiStray(w, data[:1])
			w.held = w.held[:0]
			data = data[1:]
		case stop < 0:
			w.hold(data)
			return
		case len(w.held) > 0:
			if len(w.held)+stop+1 > maxASCII {
				d.asciiStray(w, w.held)
				d.asciiStray(w, data[:stop+1])
			} else {
				w.hold(data[:stop+1])
				d.ascii(dir, at, w.held)
			}
			w.held = w.held[:0]
			data = data[stop+1:]
		default:
			d.ascii(dir, at, data[:stop+1])
			data = data[stop+1:]
		}
	}
}

// asciiStray notes bytes that belong to no frame.
func (d *Decoder) asciiStray(w *way, b []byte) {
	if len(b) == 0 {
		return
	}
	if !w.lost {
		w.lost, w.gap = true, false
	}
	d.skip(w, len(b))
}

// ascii takes one frame from colon to line feed.
func (d *Decoder) ascii(dir protocols.Direction, at protocols.Stamp, frame []byte) {
	w := &d.ways[dir]
	digits := bytes.TrimSuffix(frame[1:len(frame)-1], []byte{'\r'})
	octets, bad := unhex(d.worker.frame[:0], digits)
	if len(octets) < 3 || len(octets) > maxRTU-1 || bad != 0 && !d.asciiPlausible(octets) {
		d.asciiStray(w, frame)
		return
	}
	if w.lost {
		d.found(dir, at)
	}
	e, m := d.begin()
	if bad != 0 {
		e.Violate(ViolationASCII, int64(bad), -1)
	}
	body := octets[:len(octets)-1]
	m.Unit = body[0]
	m.CRC = uint16(octets[len(octets)-1])
	if want := LRC(body); uint16(want) != m.CRC {
		e.Violate(ViolationLRC, int64(m.CRC), int64(want))
		d.damaged(dir, at, body[1:], len(frame))
		return
	}
	d.deliver(dir, at, body[1:], len(frame))
}

// asciiPlausible tells whether a frame with a bad character is still one: its
// checksum is right.
func (d *Decoder) asciiPlausible(octets []byte) bool {
	return LRC(octets[:len(octets)-1]) == octets[len(octets)-1]
}

// unhex turns digits into octets. bad is the first character that is none, or
// the last one if it has no partner.
func unhex(dst, digits []byte) (octets []byte, bad byte) {
	for i := 0; i+1 < len(digits) && len(dst) < maxRTU; i += 2 {
		hi, lo := digit(digits[i]), digit(digits[i+1])
		if bad == 0 && hi > 15 {
			bad = digits[i]
		}
		if bad == 0 && lo > 15 {
			bad = digits[i+1]
		}
		dst = append(dst, hi<<4|lo&15)
	}
	if bad == 0 && len(digits)%2 != 0 {
		bad = digits[len(digits)-1]
	}
	return dst, bad
}

// digit gives the value of a hexadecimal digit, 255 if it is none. The standard
// has capital letters only; small ones are in use.
func digit(c byte) byte {
	switch {
	case c >= '0' && c <= '9':
		return c - '0'
	case c >= 'A' && c <= 'F':
		return c - 'A' + 10
	case c >= 'a' && c <= 'f':
		return c - 'a' + 10
	}
	return 255
}
