package wire

import "encoding/binary"

// EtherTypes (IEEE 802 numbers).
const (
	TypeIPv4 = 0x0800
	TypeARP  = 0x0806
)

// TCP flags (RFC 9293, 3.1).
const (
	FIN = 0x01
	SYN = 0x02
	RST = 0x04
	PSH = 0x08
	ACK = 0x10
)

// MinFrame is the shortest Ethernet frame without its check sequence, in
// octets. What is shorter is padded with zeros, as a network card does.
const MinFrame = 60

type (
	// MAC is a link-layer address.
	MAC [6]byte
	// IP is an IPv4 address.
	IP [4]byte
)

// Broadcast is the link-layer address of everybody.
var Broadcast = MAC{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}

// Packet is the header of one IPv4 packet in an Ethernet frame.
type Packet struct {
	SrcMAC, DstMAC MAC
	Src, Dst       IP
	// TTL is the time to live, ID the identification.
	TTL uint8
	ID  uint16
	// Fragment is the flags and offset field of the IPv4 header; 0x4000 is
	// "don't fragment".
	Fragment uint16
	// SrcPort and DstPort are of TCP or UDP.
	SrcPort, DstPort uint16
	// Seq, Ack, Flags, Window and Options are of TCP. Options are padded to a
	// multiple of four octets by the caller.
	Seq, Ack uint32
	Flags    uint8
	Window   uint16
	Options  []byte
}

// Handshake options of two kinds of TCP stacks: a workstation and a small
// controller.
var (
	WorkstationOptions = []byte{2, 4, 0x05, 0xb4, 1, 3, 3, 8, 1, 1, 4, 2}
	ControllerOptions  = []byte{2, 4, 0x05, 0xb4}
)

// AppendTCP appends a frame with a TCP segment.
func AppendTCP(dst []byte, p *Packet, payload []byte) []byte {
	start := len(dst)
	dst = appendIPv4(dst, p, 6, 20+len(p.Options)+len(payload))
	at := len(dst)
	dst = binary.BigEndian.AppendUint16(dst, p.SrcPort)
	dst = binary.BigEndian.AppendUint16(dst, p.DstPort)
	dst = binary.BigEndian.AppendUint32(dst, p.Seq)
	dst = binary.BigEndian.AppendUint32(dst, p.Ack)
	dst = append(dst, byte(5+len(p.Options)/4)<<4, p.Flags)
	dst = binary.BigEndian.AppendUint16(dst, p.Window)
	dst = append(dst, 0, 0, 0, 0)
	dst = append(dst, p.Options...)
	dst = append(dst, payload...)
	binary.BigEndian.PutUint16(dst[at+16:], transportChecksum(p, 6, dst[at:]))
	return pad(dst, start)
}

// AppendUDP appends a frame with a UDP datagram.
func AppendUDP(dst []byte, p *Packet, payload []byte) []byte {
	start := len(dst)
	dst = appendIPv4(dst, p, 17, 8+len(payload))
	at := len(dst)
	dst = binary.BigEndian.AppendUint16(dst, p.SrcPort)
	dst = binary.BigEndian.AppendUint16(dst, p.DstPort)
	dst = binary.BigEndian.AppendUint16(dst, uint16(8+len(payload)))
	dst = append(dst, 0, 0)
	dst = append(dst, payload...)
	sum := transportChecksum(p, 17, dst[at:])
	if sum == 0 {
		sum = 0xffff
	}
	binary.BigEndian.PutUint16(dst[at+6:], sum)
	return pad(dst, start)
}

// AppendIPv4 appends a frame with any IPv4 payload of the given protocol
// number, as the fragments of a packet are.
func AppendIPv4(dst []byte, p *Packet, protocol uint8, payload []byte) []byte {
	start := len(dst)
	dst = appendIPv4(dst, p, protocol, len(payload))
	dst = append(dst, payload...)
	return pad(dst, start)
}

// ARP operations (RFC 826).
const (
	ARPRequest = 1
	ARPReply   = 2
)

// AppendARP appends an ARP frame to link-layer address to. sender and target
// are what the ARP packet itself claims.
func AppendARP(dst []byte, op uint16, to, from MAC, senderMAC MAC, sender IP, targetMAC MAC, target IP) []byte {
	start := len(dst)
	dst = appendEthernet(dst, to, from, TypeARP)
	dst = append(dst, 0, 1, 0x08, 0, 6, 4)
	dst = binary.BigEndian.AppendUint16(dst, op)
	dst = append(dst, senderMAC[:]...)
	dst = append(dst, sender[:]...)
	dst = append(dst, targetMAC[:]...)
	dst = append(dst, target[:]...)
	return pad(dst, start)
}

func appendEthernet(dst []byte, to, from MAC, etherType uint16) []byte {
	dst = append(dst, to[:]...)
	dst = append(dst, from[:]...)
	return binary.BigEndian.AppendUint16(dst, etherType)
}

func appendIPv4(dst []byte, p *Packet, protocol uint8, payload int) []byte {
	dst = appendEthernet(dst, p.DstMAC, p.SrcMAC, TypeIPv4)
	at := len(dst)
	dst = append(dst, 0x45, 0)
	dst = binary.BigEndian.AppendUint16(dst, uint16(20+payload))
	dst = binary.BigEndian.AppendUint16(dst, p.ID)
	dst = binary.BigEndian.AppendUint16(dst, p.Fragment)
	dst = append(dst, p.TTL, protocol, 0, 0)
	dst = append(dst, p.Src[:]...)
	dst = append(dst, p.Dst[:]...)
	binary.BigEndian.PutUint16(dst[at+10:], ^fold(sum16(0, dst[at:])))
	return dst
}

// transportChecksum is the Internet checksum of RFC 1071 over the pseudo
// header and the segment, whose own checksum field is zero.
func transportChecksum(p *Packet, protocol uint8, segment []byte) uint16 {
	s := uint64(protocol) + uint64(len(segment))
	s = sum16(s, p.Src[:])
	s = sum16(s, p.Dst[:])
	return ^fold(sum16(s, segment))
}

func sum16(s uint64, b []byte) uint64 {
	for len(b) >= 4 {
		s += uint64(binary.BigEndian.Uint32(b))
		b = b[4:]
	}
	if len(b) >= 2 {
		s += uint64(binary.BigEndian.Uint16(b))
		b = b[2:]
	}
	if len(b) == 1 {
		s += uint64(b[0]) << 8
	}
	return s
}

func fold(s uint64) uint16 {
	for s>>16 != 0 {
		s = s&0xffff + s>>16
	}
	return uint16(s)
}

func pad(dst []byte, start int) []byte {
	for len(dst)-start < MinFrame {
		dst = append(dst, 0)
	}
	return dst
}
