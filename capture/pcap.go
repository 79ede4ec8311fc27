package capture

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// The formats are read by our own readers and not by gopacket/pcapgo, because
// a batch needs thousands of packets that stay valid together without a copy
// each (pcapgo's zero-copy reader has one), errors need the byte offset, and
// several pcapng interfaces of different link types are the usual case here.
// BenchmarkFileRead holds both beside each other.

// maxCaptured is the largest captured length that is believed, the same that
// tcpdump and Wireshark believe.
const maxCaptured = 262144

// format reads the records of one file.
type format interface {
	// next finds the next packet; p.Data aliases in.blk until the next call.
	// It returns false at the end, with an error if that is not a clean one.
	next(in *input, p *Packet) (bool, *ReadError)
}

const (
	pcapMicro    = 0xa1b2c3d4
	pcapNano     = 0xa1b23c4d
	pcapModified = 0xa1b2cd34 // 8 more bytes a record, microseconds
	pcapngSHB    = 0x0a0d0d0a
)

// openFormat looks at the first bytes and reads the file header.
func openFormat(in *input, owner *Files) (format, *ReadError) {
	b, ok := in.need(4)
	if !ok {
		if len(b) == 0 && in.err != nil && (in.packed || in.offset > 0) {
			return nil, in.emptyOrBroken()
		}
		return nil, notCapture(in)
	}
	if binary.LittleEndian.Uint32(b) == pcapngSHB {
		return &pcapng{owner: owner}, nil
	}
	for _, order := range []binary.ByteOrder{binary.LittleEndian, binary.BigEndian} {
		f := &pcap{big: order == binary.BigEndian, unit: 1000, head: 16}
		switch order.Uint32(b) {
		case pcapMicro:
		case pcapNano:
			f.unit = 1
		case pcapModified:
			f.head = 24
		default:
			continue
		}
		h, ok := in.need(24)
		if !ok {
			return nil, in.failure(0)
		}
		if major := order.Uint16(h[4:]); major != 2 {
			return nil, &ReadError{Path: in.path, Problem: NotCapture, Offset: 4,
				Reason: fmt.Sprintf("is pcap of version %d.%d, which weir does not read", major, order.Uint16(h[6:]))}
		}
		// The upper bits tell of a frame check sequence; the IP length leaves
		// it out.
		f.link = LinkType(order.Uint32(h[20:]) & 0xffff)
		f.iface = owner.addInterface(Interface{File: in.path, Link: f.link})
		in.skip(24)
		return f, nil
	}
	return nil, notCapture(in)
}

func notCapture(in *input) *ReadError {
	return &ReadError{Path: in.path, Problem: NotCapture, Reason: "is not a capture (neither pcap nor pcapng)"}
}

func (in *input) emptyOrBroken() *ReadError {
	e := in.failure(0)
	switch {
	case e.Problem != CutShort || in.offset > 0 || in.left() > 0:
	case errors.Is(in.err, io.EOF):
		e.Problem, e.Reason = Empty, "is empty once unpacked"
	default: // a block of zstd is 128 KiB once unpacked, and comes as a whole
		e.Reason = "cut short before the end of its first compressed block, so that nothing of it can be unpacked"
	}
	return e
}

// pcap reads the classic format (draft-ietf-opsawg-pcap).
type pcap struct {
	big     bool
	unit    int64 // nanoseconds in the fraction's unit
	head    int   // length of a record header
	pending int   // length of the record that the last packet came from
	packets uint64
	link    LinkType
	iface   uint16
}

func (f *pcap) next(in *input, p *Packet) (bool, *ReadError) {
	in.start += f.pending
	in.offset += int64(f.pending)
	f.pending = 0
	h, ok := in.need(f.head)
	if !ok {
		if in.left() == 0 && in.ended() {
			return false, nil
		}
		return false, in.failure(f.packets + 1)
	}
	var sec, frac, captured, wire uint32
	if f.big {
		sec, frac = binary.BigEndian.Uint32(h), binary.BigEndian.Uint32(h[4:])
		captured, wire = binary.BigEndian.Uint32(h[8:]), binary.BigEndian.Uint32(h[12:])
	} else {
		sec, frac = binary.LittleEndian.Uint32(h), binary.LittleEndian.Uint32(h[4:])
		captured, wire = binary.LittleEndian.Uint32(h[8:]), binary.LittleEndian.Uint32(h[12:])
	}
	if captured > maxCaptured {
		return false, &ReadError{Path: in.path, Problem: BadRecord, Packet: f.packets + 1, Offset: in.offset,
			Reason: fmt.Sprintf("says that %d bytes of it were captured, more than %d", captured, maxCaptured)}
	}
	n := f.head + int(captured)
	b, ok := in.need(n)
	if !ok {
		return false, in.failure(f.packets + 1)
	}
	f.packets++
	f.pending = n
	p.Data = b[f.head:n:n]
	p.Time = int64(sec)*1e9 + int64(frac)*f.unit
	p.Wire = max(wire, captured)
	p.VLAN = 0
	p.Link = f.link
	p.Interface = f.iface
	return true, nil
}
