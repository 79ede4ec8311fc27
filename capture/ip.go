package capture

import (
	"encoding/binary"
	"net/netip"
)

// IP protocol numbers.
const (
	protoHopByHop = 0
	protoICMP     = 1
	protoTCP      = 6
	protoUDP      = 17
	protoRouting  = 43
	protoFragment = 44
	protoESP      = 50
	protoAH       = 51
	protoICMPv6   = 58
	protoOptions  = 60
	protoMobility = 135
	protoHIP      = 139
	protoShim6    = 140
)

// maxExtensions is how many IPv6 extension headers are followed.
const maxExtensions = 8

// address is an IP address as two numbers; an IPv4 address is the IPv4-mapped
// IPv6 one, so that both ways of writing it are the same host.
type address struct{ hi, lo uint64 }

const mapped = 0xffff << 32

func v4(a []byte) address { return address{0, mapped | uint64(binary.BigEndian.Uint32(a))} }
func v6(a []byte) address {
	return address{binary.BigEndian.Uint64(a), binary.BigEndian.Uint64(a[8:])}
}

func (a address) less(b address) bool { return a.hi < b.hi || a.hi == b.hi && a.lo < b.lo }

func (a address) addr() netip.Addr {
	var b [16]byte
	binary.BigEndian.PutUint64(b[:], a.hi)
	binary.BigEndian.PutUint64(b[8:], a.lo)
	return netip.AddrFrom16(b).Unmap()
}

// datagram is an IP packet, with what of it was captured.
type datagram struct {
	src, dst address
	payload  []byte
	cut      int // bytes of the payload that were not captured
	proto    uint8
	ttl      uint8
	is6      bool

	// Of a fragment:
	fragment bool
	more     bool
	offset   int // in bytes
	id       uint32
}

// verdict is what became of parsing a header.
type verdict uint8

const (
	good verdict = iota
	truncated
	malformed
)

// parseIPv4 reads an IPv4 header (RFC 791). b is what was captured of it and
// wire how long it was on the wire, link padding included.
func (g *datagram) parseIPv4(b []byte, wire int) verdict {
	if len(b) < 20 {
		return shortOf(20, wire)
	}
	head := int(b[0]&0xf) * 4
	total := int(binary.BigEndian.Uint16(b[2:]))
	if total == 0 {
		total = min(wire, 0xffff) // left to the network card to fill in (TSO)
	}
	if b[0]>>4 != 4 || head < 20 || total < head || total > wire {
		return malformed
	}
	if len(b) < head {
		return truncated
	}
	g.src, g.dst = v4(b[12:]), v4(b[16:])
	g.proto, g.ttl, g.is6 = b[9], b[8], false
	flags := binary.BigEndian.Uint16(b[6:])
	g.fragment = flags&0x3fff != 0
	if g.fragment {
		g.more = flags&0x2000 != 0
		g.offset = int(flags&0x1fff) * 8
		g.id = uint32(binary.BigEndian.Uint16(b[4:]))
	}
	g.body(b, head, total)
	return good
}

func (g *datagram) body(b []byte, head, total int) {
	if len(b) >= total {
		g.payload, g.cut = b[head:total:total], 0
		return
	}
	g.payload, g.cut = b[head:], total-len(b)
}

// parseIPv6 reads an IPv6 header and its extensions (RFC 8200).
func (g *datagram) parseIPv6(b []byte, wire int) verdict {
	if len(b) < 40 {
		return shortOf(40, wire)
	}
	total := 40 + int(binary.BigEndian.Uint16(b[4:]))
	if total == 40 && b[6] != 59 {
		total = min(wire, 0xffff+40) // left to the network card, or a jumbogram
	}
	if b[0]>>4 != 6 || total > wire {
		return malformed
	}
	g.src, g.dst = v6(b[8:]), v6(b[24:])
	g.ttl, g.is6, g.fragment = b[7], true, false
	g.body(b, 40, total)
	return g.extensions(b[6])
}

// extensions goes through the extension headers at the start of the payload.
func (g *datagram) extensions(next uint8) verdict {
	for n := 0; ; n++ {
		var size int
		p := g.payload
		switch next {
		case protoHopByHop, protoRouting, protoOptions, protoMobility, protoHIP, protoShim6, protoAH, protoFragment:
			if len(p) < 8 {
				return shortOf(8, len(p)+g.cut)
			}
			size = (int(p[1]) + 1) * 8
			if next == protoAH {
				size = (int(p[1]) + 2) * 4
			}
		default:
			g.proto = next
			return good
		}
		if n == maxExtensions {
			return malformed
		}
		if next == protoFragment {
			size = 8
			at := binary.BigEndian.Uint16(p[2:])
			// A fragment that is the whole packet (RFC 6946) is none.
			if g.more, g.offset = at&1 != 0, int(at&^7); g.more || g.offset > 0 {
				g.fragment = true
				g.id = binary.BigEndian.Uint32(p[4:])
				g.proto = p[0]
				g.payload = p[8:]
				return good
			}
		}
		if len(p) < size {
			return shortOf(size, len(p)+g.cut)
		}
		next = p[0]
		g.payload = p[size:]
	}
}

func shortOf(need, wire int) verdict {
	if wire >= need {
		return truncated
	}
	return malformed
}
