package capture

import (
	"encoding/binary"
	"math/bits"
)

// The layers below the payload are parsed here by hand and not by
// gopacket/layers: weir needs some twenty fields of them, each at a known
// place, and BenchmarkDecode shows a fifth of the time for them.
// TestDecodeAgreesWithGopacket and a fuzz target hold them together.

// netKind is what a packet's link layer carries, or why that is not known.
type netKind uint8

const (
	netOther       netKind = iota // neither IP nor ARP
	netIPv4                       // IPv4
	netIPv6                       // IPv6
	netARP                        // ARP
	netTruncated                  // the capture ends within the link header
	netBad                        // the packet does
	netUnsupported                // a link type that weir does not read
)

// Ether types.
const (
	etherIPv4   = 0x0800
	etherARP    = 0x0806
	etherIPv6   = 0x86dd
	etherVLAN   = 0x8100
	etherQinQ   = 0x88a8
	etherQinQ91 = 0x9100 // before 802.1ad settled on 0x88a8
	etherQinQ92 = 0x9200
)

// maxTags is how many VLAN tags deep a packet may be.
const maxTags = 4

// Shards is the number of parts that traffic is split into by host pair. Each
// has its own tables and limits, and a handler has whole shards: so what is
// found never depends on how many workers there are, not even at a limit.
const Shards = 32

// route finds the network layer and the shard of a packet. It is all that the
// reader of a parallel run looks at.
func (p *Packet) route() {
	p.vlan = p.VLAN
	p.shard = 0
	p.kind = netOther
	p.net = 0
	data := p.Data
	var ether uint16
	switch p.Link {
	case LinkEthernet:
		if len(data) < 14 {
			p.short(14)
			return
		}
		ether = binary.BigEndian.Uint16(data[12:])
		p.net = 14
	case LinkSLL:
		if len(data) < 16 {
			p.short(16)
			return
		}
		ether = binary.BigEndian.Uint16(data[14:])
		p.net = 16
	case LinkSLL2:
		if len(data) < 20 {
			p.short(20)
			return
		}
		ether = binary.BigEndian.Uint16(data)
		p.net = 20
	case LinkRaw, LinkRaw12, LinkRaw14, LinkIPv4, LinkIPv6:
		if len(data) < 1 {
			p.short(1)
			return
		}
		switch data[0] >> 4 {
		case 4:
			ether = etherIPv4
		case 6:
			ether = etherIPv6
		}
	case LinkNull, LinkLoop:
		if len(data) < 4 {
			p.short(4)
			return
		}
		p.net = 4
		// The family is in either byte order and small, so that one half is 0.
		family := binary.BigEndian.Uint32(data)
		if family > 0xffff {
			family = bits.ReverseBytes32(family)
		}
		switch family {
		case 2: // AF_INET everywhere
			ether = etherIPv4
		case 10, 24, 28, 30: // AF_INET6 on Linux, NetBSD and OpenBSD, FreeBSD, macOS
			ether = etherIPv6
		}
	default:
		p.kind = netUnsupported
		return
	}
	for tags := 0; ether == etherVLAN || ether == etherQinQ || ether == etherQinQ91 || ether == etherQinQ92; tags++ {
		if tags == maxTags {
			p.kind = netBad
			return
		}
		if len(data) < int(p.net)+4 {
			p.short(int(p.net) + 4)
			return
		}
		p.vlan = binary.BigEndian.Uint16(data[p.net:]) & 0xfff
		ether = binary.BigEndian.Uint16(data[p.net+2:])
		p.net += 4
	}
	if ether < 0x0600 && p.Link == LinkEthernet {
		ether = p.snap(data)
	}
	data = data[p.net:]
	switch ether {
	case etherIPv4:
		p.kind = netIPv4
		if len(data) >= 20 {
			p.shard = shardOf(uint64(binary.BigEndian.Uint32(data[12:])), uint64(binary.BigEndian.Uint32(data[16:])))
			if data[9] == protoICMP {
				p.routeICMP(data)
			}
		}
	case etherIPv6:
		p.kind = netIPv6
		if len(data) >= 40 {
			p.shard = shardOf(fold(data[8:24]), fold(data[24:40]))
			if data[6] == protoICMPv6 {
				p.routeICMPv6(data)
			}
		}
	case etherARP:
		p.kind = netARP
		if len(data) >= 28 {
			p.shard = shardOf(uint64(binary.BigEndian.Uint32(data[14:])), uint64(binary.BigEndian.Uint32(data[24:])))
		}
	}
}

// short classes a packet that ends before byte n: the capture ended, or the
// packet did.
func (p *Packet) short(n int) {
	p.kind = netBad
	if uint64(p.Wire) >= uint64(n) {
		p.kind = netTruncated
	}
}

// snap looks through an 802.3 frame with an 802.2 SNAP header.
func (p *Packet) snap(data []byte) uint16 {
	at := int(p.net)
	if len(data) < at+8 {
		return 0
	}
	h := data[at : at+8]
	if h[0] != 0xaa || h[1] != 0xaa || h[2] != 3 || h[3]|h[4]|h[5] != 0 {
		return 0
	}
	p.net += 8
	return binary.BigEndian.Uint16(h[6:])
}

// routeICMP sends an error message about a packet to the shard of that packet,
// because it is about that packet's connection.
func (p *Packet) routeICMP(ip []byte) {
	head := int(ip[0]&0xf) * 4
	if head < 20 || len(ip) < head+8+20 || ip[head] != 3 || ip[6]&0x3f|ip[7] != 0 {
		return
	}
	in := ip[head+8:]
	p.shard = shardOf(uint64(binary.BigEndian.Uint32(in[12:])), uint64(binary.BigEndian.Uint32(in[16:])))
}

func (p *Packet) routeICMPv6(ip []byte) {
	if len(ip) < 40+8+40 || ip[40] != 1 {
		return
	}
	in := ip[48:]
	p.shard = shardOf(fold(in[8:24]), fold(in[24:40]))
}

// fold makes one number of an IPv6 address, and of an IPv4-mapped one that of
// its IPv4 address.
func fold(a []byte) uint64 {
	hi, lo := binary.BigEndian.Uint64(a), binary.BigEndian.Uint64(a[8:])
	if hi == 0 && lo>>32 == 0xffff {
		return lo & 0xffffffff
	}
	return lo ^ hi*0x9e3779b97f4a7c15
}

// shardOf gives two hosts their shard, whichever is first. It is a fixed
// function: the shard decides which limits a pair shares.
func shardOf(a, b uint64) uint8 {
	if a > b {
		a, b = b, a
	}
	h := (a*0x9e3779b97f4a7c15 ^ b) * 0xff51afd7ed558ccd
	h ^= h >> 32
	h *= 0xc4ceb9fe1a85ec53
	return uint8(h >> 59)
}

// macs returns the link addresses, zero where the link has none.
func (p *Packet) macs() (src, dst [6]byte) {
	switch d := p.Data; p.Link {
	case LinkEthernet:
		copy(dst[:], d)
		copy(src[:], d[6:])
	case LinkSLL:
		if d[4] == 0 && d[5] == 6 {
			copy(src[:], d[6:])
		}
	case LinkSLL2:
		if d[11] == 6 {
			copy(src[:], d[12:])
		}
	}
	return src, dst
}
