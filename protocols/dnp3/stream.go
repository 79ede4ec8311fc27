package dnp3

import (
	"bytes"
	"encoding/binary"

	"github.com/weir-ics/weir/protocols"
)

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
	rest := s.skip
	if len(s.buf) >= headerSize {
		rest = missing(s.buf)
	}
	d.pool.Stats.SkippedOctets += uint64(len(s.buf))
	s.buf = s.buf[:0]
	s.synced, s.doubt, s.skip, s.skipped = false, maxFrame, 0, 0
	if lost > 0 && rest >= lost {
		// The loss is within a frame whose length is known: the next begins
		// where it would have ended.
		s.skip, s.doubt = rest-lost, 0
	}
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
		header := &d.pool.header
		header.parse(rest)
		if rest[2] < minLength {
			d.notice(dir, at, header, LinkLength, int64(rest[2]), minLength)
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
			d.notice(dir, at, header, BlockCRC, int64(found), int64(want))
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
