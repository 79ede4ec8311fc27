package capture

import (
	"encoding/binary"
	"fmt"
	"math/bits"
)

// The block types of pcapng (draft-ietf-opsawg-pcapng, section 11.1).
const (
	blockInterface  = 1
	blockObsolete   = 2 // Packet Block, before there was an enhanced one
	blockSimple     = 3
	blockStatistics = 5
	blockEnhanced   = 6
)

// maxNgInterfaces bounds the interfaces that one file may describe.
const maxNgInterfaces = 4096

// pcapng reads the next generation format.
type pcapng struct {
	owner      *Files
	order      binary.ByteOrder
	interfaces []ngInterface // of this section
	described  int           // in all sections
	packets    uint64
	pending    int64 // length of the block that the last packet came from
	last       int64 // time of the last packet, for those that have none
}

// ngInterface is an Interface Description Block.
type ngInterface struct {
	link     LinkType
	index    uint16
	snap     uint32
	exponent uint8 // if_tsresol without its top bit
	binary   bool  // the top bit: powers of 2, not 10
	offset   int64 // if_tsoffset, seconds
	osDrop   uint64
	ifDrop   uint64
}

// time turns a time stamp into nanoseconds. What is out of range becomes the
// nearest time that is not.
func (i *ngInterface) time(ticks uint64) int64 {
	var sec, nano uint64
	if i.binary {
		if i.exponent < 64 {
			sec = ticks >> i.exponent
			hi, lo := bits.Mul64(ticks&(1<<i.exponent-1), 1e9)
			nano = lo>>i.exponent | hi<<(64-i.exponent)
		}
	} else if i.exponent < 20 {
		unit := pow10(i.exponent)
		sec = ticks / unit
		rest := ticks % unit
		if i.exponent <= 9 {
			nano = rest * (1e9 / unit)
		} else {
			nano = rest / (unit / 1e9)
		}
	}
	const most = 9_000_000_000 // the year 2255: sums with time-outs stay in range
	s := int64(min(sec, most))
	switch {
	case i.offset > most-s:
		s = most
	case i.offset < -most:
		s = -most
	default:
		s += i.offset
	}
	return s*1e9 + int64(nano)
}

func pow10(n uint8) uint64 {
	p := uint64(1)
	for ; n > 0; n-- {
		p *= 10
	}
	return p
}

func (f *pcapng) bad(in *input, format string, a ...any) *ReadError {
	return &ReadError{Path: in.path, Problem: BadRecord, Packet: f.packets + 1, Offset: in.offset, Reason: fmt.Sprintf(format, a...)}
}

func (f *pcapng) next(in *input, p *Packet) (bool, *ReadError) {
	for {
		if f.pending > 0 {
			n := f.pending
			f.pending = 0
			if !in.skip(n) {
				return false, in.failure(f.packets + 1)
			}
		}
		h, ok := in.need(12)
		if !ok {
			if in.ended() {
				return false, nil
			}
			return false, in.failure(f.packets + 1)
		}
		if binary.LittleEndian.Uint32(h) == pcapngSHB {
			if err := f.section(in, h); err != nil {
				return false, err
			}
			continue
		}
		if f.order == nil {
			return false, notCapture(in)
		}
		kind, total := f.order.Uint32(h), f.order.Uint32(h[4:])
		if total < 12 || total%4 != 0 {
			return false, f.bad(in, "block of type %d says that it is %d bytes long", kind, total)
		}
		f.pending = int64(total)
		switch kind {
		case blockEnhanced, blockSimple, blockObsolete:
			return f.packet(in, kind, total, p)
		case blockInterface:
			if err := f.describe(in, total); err != nil {
				return false, err
			}
		case blockStatistics:
			if err := f.statistics(in, total); err != nil {
				return false, err
			}
		}
	}
}

// section reads a Section Header Block (section 4.1), which may change the
// byte order and forgets the interfaces.
func (f *pcapng) section(in *input, h []byte) *ReadError {
	switch magic := h[8:12]; {
	case binary.LittleEndian.Uint32(magic) == 0x1a2b3c4d:
		f.order = binary.LittleEndian
	case binary.BigEndian.Uint32(magic) == 0x1a2b3c4d:
		f.order = binary.BigEndian
	default:
		if f.order == nil {
			return notCapture(in)
		}
		return f.bad(in, "section header has no byte order")
	}
	total := f.order.Uint32(h[4:])
	if total < 28 || total%4 != 0 {
		return f.bad(in, "section header says that it is %d bytes long", total)
	}
	h, ok := in.need(16)
	if !ok {
		return in.failure(f.packets + 1)
	}
	if major := f.order.Uint16(h[12:]); major != 1 {
		return f.bad(in, "section is pcapng of version %d.%d, which weir does not read", major, f.order.Uint16(h[14:]))
	}
	f.interfaces = f.interfaces[:0]
	f.pending = int64(total)
	return nil
}

// whole returns the body of a block that must be in memory.
func (f *pcapng) whole(in *input, total, least uint32) ([]byte, *ReadError) {
	if total < least || total > blockSize {
		return nil, f.bad(in, "block says that it is %d bytes long", total)
	}
	b, ok := in.need(int(total))
	if !ok {
		return nil, in.failure(f.packets + 1)
	}
	return b[8 : total-4], nil
}

// options calls found for each option of a block (section 3.5).
func (f *pcapng) options(b []byte, found func(code uint16, value []byte)) {
	for len(b) >= 4 {
		code, n := f.order.Uint16(b), int(f.order.Uint16(b[2:]))
		if code == 0 || n > len(b)-4 {
			return
		}
		found(code, b[4:4+n])
		b = b[min(len(b), 4+(n+3)&^3):]
	}
}

// describe reads an Interface Description Block (section 4.2).
func (f *pcapng) describe(in *input, total uint32) *ReadError {
	b, err := f.whole(in, total, 20)
	if err != nil {
		return err
	}
	if f.described++; f.described > maxNgInterfaces {
		return f.bad(in, "describes more than %d interfaces", maxNgInterfaces)
	}
	i := ngInterface{link: LinkType(f.order.Uint16(b)), snap: f.order.Uint32(b[4:]), exponent: 6}
	var name string
	f.options(b[8:], func(code uint16, v []byte) {
		switch {
		case code == 2:
			name = string(v)
		case code == 9 && len(v) == 1:
			i.exponent, i.binary = v[0]&0x7f, v[0]&0x80 != 0
		case code == 14 && len(v) == 8:
			i.offset = int64(f.order.Uint64(v))
		}
	})
	i.index = f.owner.addInterface(Interface{Name: name, File: in.path, Link: i.link})
	f.interfaces = append(f.interfaces, i)
	return nil
}

// statistics reads an Interface Statistics Block (section 4.6), whose counts
// are since the capture began.
func (f *pcapng) statistics(in *input, total uint32) *ReadError {
	b, err := f.whole(in, total, 24)
	if err != nil {
		return err
	}
	id := f.order.Uint32(b)
	if uint64(id) >= uint64(len(f.interfaces)) {
		return nil // counts for nothing that we know
	}
	i := &f.interfaces[id]
	f.options(b[12:], func(code uint16, v []byte) {
		if len(v) != 8 {
			return
		}
		n := f.order.Uint64(v)
		switch code {
		case 5:
			if n > i.ifDrop && !in.peeking {
				f.owner.interfaceDropped.Add(n - i.ifDrop)
				i.ifDrop = n
			}
		case 7:
			if n > i.osDrop {
				f.kernelDropped(in, n-i.osDrop)
				i.osDrop = n
			}
		}
	})
	return nil
}

// packet reads one of the three blocks that hold a packet (sections 4.3, 4.4
// and A).
func (f *pcapng) packet(in *input, kind, total uint32, p *Packet) (bool, *ReadError) {
	head := uint32(28)
	if kind == blockSimple {
		head = 12
	}
	if total < head+4 {
		return false, f.bad(in, "packet block says that it is %d bytes long", total)
	}
	h, ok := in.need(int(head))
	if !ok {
		return false, in.failure(f.packets + 1)
	}
	var id, captured, wire uint32
	var ticks uint64
	switch kind {
	case blockEnhanced:
		id = f.order.Uint32(h[8:])
	case blockObsolete:
		id = uint32(f.order.Uint16(h[8:]))
		if drops := f.order.Uint16(h[10:]); drops != 0xffff {
			f.kernelDropped(in, uint64(drops))
		}
	}
	if uint64(id) >= uint64(len(f.interfaces)) {
		return false, f.bad(in, "came from interface %d, which the file does not describe", id)
	}
	i := &f.interfaces[id]
	if kind == blockSimple {
		wire = f.order.Uint32(h[8:])
		captured = wire
		if i.snap > 0 {
			captured = min(captured, i.snap)
		}
		captured = min(captured, total-16)
		p.Time = f.last
	} else {
		ticks = uint64(f.order.Uint32(h[12:]))<<32 | uint64(f.order.Uint32(h[16:]))
		captured, wire = f.order.Uint32(h[20:]), f.order.Uint32(h[24:])
		p.Time = i.time(ticks)
	}
	if captured > maxCaptured {
		return false, f.bad(in, "says that %d bytes of it were captured, more than %d", captured, maxCaptured)
	}
	if head+captured > total-4 {
		return false, f.bad(in, "says that %d bytes of it were captured, in a block of %d", captured, total)
	}
	n := int(total) // with its options, if all fits
	if total > blockSize {
		n = int(head + captured)
	}
	b, ok := in.need(n)
	if !ok {
		return false, in.failure(f.packets + 1)
	}
	if end := int(head + (captured+3)&^3); kind == blockEnhanced && end+8 <= n {
		f.dropped(in, b[end:n-4])
	}
	f.packets++
	f.last = p.Time
	p.Data = b[head : head+captured : head+captured]
	p.Wire = max(wire, captured)
	p.VLAN = 0
	p.Link = i.link
	p.Interface = i.index
	return true, nil
}

// dropped reads how many packets were dropped before this one, an option of
// an Enhanced Packet Block.
func (f *pcapng) dropped(in *input, b []byte) {
	for len(b) >= 4 {
		code, n := f.order.Uint16(b), int(f.order.Uint16(b[2:]))
		if code == 0 || n > len(b)-4 {
			return
		}
		if code == 4 && n == 8 {
			f.kernelDropped(in, f.order.Uint64(b[4:]))
		}
		b = b[min(len(b), 4+(n+3)&^3):]
	}
}

// kernelDropped counts, but not when a file is only looked at.
func (f *pcapng) kernelDropped(in *input, n uint64) {
	if !in.peeking {
		f.owner.kernelDropped.Add(n)
	}
}
