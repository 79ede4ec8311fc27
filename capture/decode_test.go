package capture

import (
	"bytes"
	"encoding/binary"
	"slices"
	"strings"
	"testing"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
)

// datagramsOf returns what the handler was given of UDP.
func datagramsOf(r *recorder) (got []string) {
	for _, l := range r.lines {
		if _, text, ok := strings.Cut(l, " datagram "); ok {
			got = append(got, text)
		}
	}
	return got
}

func TestEveryLinkTypeIsRead(t *testing.T) {
	ip4 := ipBytes(alice, bob, protoUDP, 0, udpBytes(1, 2, "four"))
	ip6 := ipBytes(carol, dave, protoUDP, 0, udpBytes(1, 2, "six"))
	sll := func(kind uint16, mac ...byte) []byte {
		b := []byte{0, 0, 0, 1, 0, 6, 2, 0, 0, 0, 0, 9, 0, 0}
		return binary.BigEndian.AppendUint16(b, kind)
	}
	sll2 := func(kind uint16) []byte {
		b := binary.BigEndian.AppendUint16(nil, kind)
		return append(b, 0, 0, 0, 0, 0, 7, 0, 1, 0, 6, 2, 0, 0, 0, 0, 9, 0, 0)
	}
	cat := func(a, b []byte) []byte { return append(slices.Clone(a), b...) }
	snap := cat(etherBytes(alice, bob, nil, ip4)[:12], []byte{0, 100, 0xaa, 0xaa, 3, 0, 0, 0, 8, 0})
	tests := []struct {
		name string
		link LinkType
		data []byte
		vlan uint16
		mac  byte
		want string
	}{
		{"Ethernet", LinkEthernet, etherBytes(alice, bob, nil, ip4), 0, 1, `0 "four"`},
		{"Ethernet and IPv6", LinkEthernet, etherBytes(carol, dave, nil, ip6), 0, 3, `0 "six"`},
		{"VLAN", LinkEthernet, etherBytes(alice, bob, []uint16{42}, ip4), 42, 1, `0 "four"`},
		{"VLAN with priority", LinkEthernet, etherBytes(alice, bob, []uint16{0xe02a}, ip4), 42, 1, `0 "four"`},
		{"QinQ", LinkEthernet, etherBytes(alice, bob, []uint16{7, 42}, ip4), 42, 1, `0 "four"`},
		{"four tags", LinkEthernet, etherBytes(alice, bob, []uint16{7, 8, 9, 42}, ip4), 42, 1, `0 "four"`},
		{"802.3 with SNAP", LinkEthernet, cat(snap, ip4), 0, 1, `0 "four"`},
		{"padding", LinkEthernet, cat(etherBytes(alice, bob, nil, ip4), make([]byte, 14)), 0, 1, `0 "four"`},
		{"cooked", LinkSLL, cat(sll(etherIPv4), ip4), 0, 9, `0 "four"`},
		{"cooked with VLAN", LinkSLL, cat(cat(sll(etherVLAN), []byte{0, 42, 0x86, 0xdd}), ip6), 42, 9, `0 "six"`},
		{"cooked 2", LinkSLL2, cat(sll2(etherIPv6), ip6), 0, 9, `0 "six"`},
		{"raw 101", LinkRaw, ip4, 0, 0, `0 "four"`},
		{"raw 101 IPv6", LinkRaw, ip6, 0, 0, `0 "six"`},
		{"raw 12", LinkRaw12, ip4, 0, 0, `0 "four"`},
		{"raw 14", LinkRaw14, ip6, 0, 0, `0 "six"`},
		{"IPv4", LinkIPv4, ip4, 0, 0, `0 "four"`},
		{"IPv6", LinkIPv6, ip6, 0, 0, `0 "six"`},
		{"null, big endian", 0xffff, cat([]byte{0, 0, 0, 2}, ip4), 0, 0, `0 "four"`},
		{"null, little endian", 0xffff, cat([]byte{30, 0, 0, 0}, ip6), 0, 0, `0 "six"`},
		{"loopback", LinkLoop, cat([]byte{0, 0, 0, 24}, ip6), 0, 0, `0 "six"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var ends Endpoint
			r := &recorder{onOpen: func(c *Conn) { ends = c.Ends[0] }}
			if tt.link == 0xffff { // LinkNull, which the helper takes for Ethernet
				p := Packet{Data: tt.data, Wire: uint32(len(tt.data)), Link: LinkNull, Frame: 1}
				runPacket(t, r, p)
			} else {
				runWith(t, Settings{}, r, pkt{data: tt.data, link: tt.link})
			}
			same(t, datagramsOf(r), []string{tt.want})
			if ends.VLAN != tt.vlan || ends.MAC[5] != tt.mac {
				t.Errorf("VLAN %d, MAC %x", ends.VLAN, ends.MAC)
			}
		})
	}
}

// runPacket gives one packet to an engine, as it is.
func runPacket(t testing.TB, r *recorder, p Packet) Stats {
	e := New(Settings{}, []Handler{r})
	w := e.lanes[0]
	p.route()
	w.packet(&p)
	w.finish(p.Clock)
	return e.Stats()
}

func TestATagThatTheKernelTookOutIsTheOuterMost(t *testing.T) {
	ip := ipBytes(alice, bob, protoUDP, 0, udpBytes(1, 2, "x"))
	for want, tags := range map[uint16][]uint16{7: nil, 42: {42}} {
		b := etherBytes(alice, bob, tags, ip)
		var got uint16
		r := &recorder{onOpen: func(c *Conn) { got = c.Ends[0].VLAN }}
		runPacket(t, r, Packet{Data: b, Wire: uint32(len(b)), Link: LinkEthernet, VLAN: 7})
		if got != want {
			t.Errorf("VLAN %d, want %d", got, want)
		}
	}
}

func TestConversationsOfDifferentVLANsAreDifferent(t *testing.T) {
	var k talk
	udp := ipBytes(alice, bob, protoUDP, 0, udpBytes(1, 2, "x"))
	k.add(etherBytes(alice, bob, []uint16{7}, udp)).add(etherBytes(alice, bob, []uint16{8}, udp))
	if _, st := run(t, Settings{}, k.list...); st.Conns != 2 {
		t.Errorf("%d conversations", st.Conns)
	}
	if _, st := run(t, Settings{IgnoreVLAN: true}, k.list...); st.Conns != 1 {
		t.Errorf("%d conversations with VLANs ignored", st.Conns)
	}
}

func TestEveryPacketIsInOneClass(t *testing.T) {
	ip4 := ipBytes(alice, bob, protoUDP, 0, udpBytes(1, 2, "four"))
	ip6 := ipBytes(carol, dave, protoUDP, 0, udpBytes(1, 2, "six"))
	tcp := ipBytes(alice, bob, protoTCP, 0, tcpBytes(seg{flags: flagACK, data: "data"}))
	change := func(b []byte, at int, v ...byte) []byte {
		b = slices.Clone(b)
		copy(b[at:], v)
		return b
	}
	eth4 := func(b []byte) []byte { return etherBytes(alice, bob, nil, b) }
	tests := []struct {
		name string
		pkt  pkt
		want func(*Stats) uint64
	}{
		{"nothing", pkt{data: nil}, func(s *Stats) uint64 { return s.Malformed }},
		{"half an Ethernet header", pkt{data: make([]byte, 10)}, func(s *Stats) uint64 { return s.Malformed }},
		{"half a captured Ethernet header", pkt{data: make([]byte, 10), wire: 60}, func(s *Stats) uint64 { return s.Truncated }},
		{"LLDP", pkt{data: append(eth4(ip4)[:12], 0x88, 0xcc, 0, 0)}, func(s *Stats) uint64 { return s.NotIP }},
		{"spanning tree", pkt{data: append(eth4(ip4)[:12], 0, 38, 0x42, 0x42, 3, 0, 0, 0, 0, 0)}, func(s *Stats) uint64 { return s.NotIP }},
		{"five tags", pkt{data: etherBytes(alice, bob, []uint16{1, 2, 3, 4, 5}, ip4)}, func(s *Stats) uint64 { return s.Malformed }},
		{"a cut tag", pkt{data: etherBytes(alice, bob, []uint16{1}, ip4)[:16], wire: 100}, func(s *Stats) uint64 { return s.Truncated }},
		{"USB", pkt{data: ip4, link: 189}, func(s *Stats) uint64 { return s.LinkUnsupported }},
		{"IPv4 cut", pkt{data: eth4(ip4)[:30], wire: 46}, func(s *Stats) uint64 { return s.Truncated }},
		{"IPv4 too short", pkt{data: eth4(ip4)[:30]}, func(s *Stats) uint64 { return s.Malformed }},
		{"IPv4 of version 5", pkt{data: eth4(change(ip4, 0, 0x55))}, func(s *Stats) uint64 { return s.NotIP + s.Malformed }},
		{"IPv4 with a header of 16 bytes", pkt{data: eth4(change(ip4, 0, 0x44))}, func(s *Stats) uint64 { return s.Malformed }},
		{"IPv4 longer than the packet", pkt{data: eth4(change(ip4, 2, 0, 33))}, func(s *Stats) uint64 { return s.Malformed }},
		{"IPv4 longer than its header", pkt{data: eth4(change(ip4, 2, 0, 19))}, func(s *Stats) uint64 { return s.Malformed }},
		{"IPv4 without length", pkt{data: eth4(change(ip4, 2, 0, 0))}, func(s *Stats) uint64 { return s.UDP }},
		{"IPv4 with options", pkt{data: eth4(append(append(change(ip4, 0, 0x46, 0, 0, 36)[:20:20], 1, 1, 1, 0), ip4[20:]...))}, func(s *Stats) uint64 { return s.UDP }},
		{"IPv6 cut", pkt{data: etherBytes(carol, dave, nil, ip6)[:50], wire: 65}, func(s *Stats) uint64 { return s.Truncated }},
		{"IPv6 too short", pkt{data: etherBytes(carol, dave, nil, ip6)[:50]}, func(s *Stats) uint64 { return s.Malformed }},
		{"IPv6 longer than the packet", pkt{data: etherBytes(carol, dave, nil, change(ip6, 4, 0, 99))}, func(s *Stats) uint64 { return s.Malformed }},
		{"UDP shorter than its header", pkt{data: eth4(change(ip4, 24, 0, 7))}, func(s *Stats) uint64 { return s.UDPBadHeader }},
		{"UDP longer than IP", pkt{data: eth4(change(ip4, 24, 0, 99))}, func(s *Stats) uint64 { return s.UDPBadHeader }},
		{"UDP without room", pkt{data: eth4(ipBytes(alice, bob, protoUDP, 0, make([]byte, 7)))}, func(s *Stats) uint64 { return s.UDPBadHeader }},
		{"UDP cut in the header", pkt{data: eth4(ip4)[:38], wire: 46}, func(s *Stats) uint64 { return s.Truncated }},
		{"UDP cut in the payload", pkt{data: eth4(ip4)[:44], wire: 46}, func(s *Stats) uint64 { return s.Cut * s.UDP * (s.CutBytes - 1) }},
		{"TCP", pkt{data: eth4(tcp)}, func(s *Stats) uint64 { return s.TCP }},
		{"TCP cut in the header", pkt{data: eth4(tcp)[:50], wire: 58}, func(s *Stats) uint64 { return s.Truncated }},
		{"TCP cut in the options", pkt{data: eth4(change(tcp, 32, 6<<4))[:56], wire: 58}, func(s *Stats) uint64 { return s.Truncated }},
		{"TCP with a header of 16 bytes", pkt{data: eth4(change(tcp, 32, 4<<4))}, func(s *Stats) uint64 { return s.TCPBadHeader }},
		{"TCP with a header longer than it", pkt{data: eth4(change(tcp, 32, 15<<4))}, func(s *Stats) uint64 { return s.TCPBadHeader }},
		{"ICMP", pkt{data: eth4(ipBytes(alice, bob, protoICMP, 0, []byte{8, 0, 0, 0}))}, func(s *Stats) uint64 { return s.ICMP }},
		{"OSPF", pkt{data: eth4(ipBytes(alice, bob, 89, 0, []byte{2}))}, func(s *Stats) uint64 { return s.IPOther }},
		{"ARP", pkt{data: append(append(eth4(ip4)[:12], 8, 6), arpBytes(2)...)}, func(s *Stats) uint64 { return s.ARP }},
		{"ARP too short", pkt{data: append(append(eth4(ip4)[:12], 8, 6), arpBytes(2)[:20]...)}, func(s *Stats) uint64 { return s.Malformed }},
		{"ARP cut", pkt{data: append(append(eth4(ip4)[:12], 8, 6), arpBytes(2)[:20]...), wire: 60}, func(s *Stats) uint64 { return s.Truncated }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, st := run(t, Settings{}, tt.pkt) // which checks the sums
			if tt.want(&st) != 1 {
				t.Errorf("%+v", st)
			}
		})
	}
}

func arpBytes(op byte) []byte {
	return []byte{0, 1, 8, 0, 6, 4, 0, op, 2, 0, 0, 0, 0, 1, 10, 0, 0, 1, 2, 0, 0, 0, 0, 2, 10, 0, 0, 2}
}

func TestARPIsTold(t *testing.T) {
	head := etherBytes(alice, bob, nil, []byte{0x45})[:12]
	var k talk
	k.add(append(append(slices.Clone(head), 8, 6), arpBytes(1)...)).add(append(append(slices.Clone(head), 8, 6), arpBytes(2)...))
	r, _ := run(t, Settings{}, k.list...)
	r.is(t, "1 arp-request 10.0.0.1:0>10.0.0.2:0", "2 arp-reply 10.0.0.1:0>10.0.0.2:0")
}

func TestIPv6ExtensionHeadersAreFollowed(t *testing.T) {
	udp := udpBytes(1, 2, "six")
	ext := func(next byte, n int) []byte { return append([]byte{next, byte(n/8 - 1)}, make([]byte, n-2)...) }
	long := make([]byte, 0, 72)
	for range 9 {
		long = append(long, ext(protoOptions, 8)...)
	}
	tests := []struct {
		name    string
		first   byte
		payload []byte
		want    func(*Stats) uint64
	}{
		{"hop-by-hop, routing, destination", protoHopByHop, slices.Concat(ext(protoRouting, 8), ext(protoOptions, 24), ext(protoUDP, 16), udp), func(s *Stats) uint64 { return s.UDP }},
		{"authentication", protoAH, slices.Concat([]byte{protoUDP, 4}, make([]byte, 22), udp), func(s *Stats) uint64 { return s.UDP }},
		{"a fragment that is all", protoFragment, slices.Concat([]byte{protoUDP, 0, 0, 0, 1, 2, 3, 4}, udp), func(s *Stats) uint64 { return s.UDP }},
		{"encrypted", protoESP, make([]byte, 30), func(s *Stats) uint64 { return s.IPOther }},
		{"nothing", 59, nil, func(s *Stats) uint64 { return s.IPOther }},
		{"too many", protoHopByHop, slices.Concat(long, udp), func(s *Stats) uint64 { return s.Malformed }},
		{"longer than the packet", protoHopByHop, []byte{protoUDP, 9, 0, 0, 0, 0, 0, 0}, func(s *Stats) uint64 { return s.Malformed }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, st := run(t, Settings{}, pkt{data: etherBytes(carol, dave, nil, ipBytes(carol, dave, tt.first, 0, tt.payload))})
			if tt.want(&st) != 1 {
				t.Errorf("%+v", st)
			}
		})
	}
}

func TestAnIPv4MappedAddressIsTheIPv4Address(t *testing.T) {
	a, b := host{1, "::ffff:10.0.0.1"}, host{2, "::ffff:10.0.0.2"}
	var k talk
	k.add(etherBytes(alice, bob, nil, ipBytes(alice, bob, protoUDP, 0, udpBytes(1, 2, "four"))))
	six := ipBytes(carol, dave, protoUDP, 0, udpBytes(2, 1, "mapped"))
	for i, h := range []host{b, a} {
		copy(six[8+16*i:], append(make([]byte, 10), 0xff, 0xff, 10, 0, 0, h.mac))
	}
	k.add(etherBytes(bob, alice, nil, six))
	r, st := run(t, Settings{}, k.list...)
	same(t, datagramsOf(r), []string{`0 "four"`, `1 "mapped"`})
	if st.Conns != 1 {
		t.Errorf("%d conversations", st.Conns)
	}
}

// fragmentsOf cuts an IP payload into fragments of n bytes, as Ethernet frames.
func fragmentsOf(from, to host, proto byte, id uint16, payload []byte, n int) (list [][]byte) {
	six := strings.Contains(from.ip, ":")
	for at := 0; at < len(payload); at += n {
		end := min(len(payload), at+n)
		more := byte(0)
		if end < len(payload) {
			more = 1
		}
		if six {
			head := []byte{proto, 0, byte(at >> 8), byte(at)&^7 | more, 0, 0, byte(id >> 8), byte(id)}
			list = append(list, etherBytes(from, to, nil, ipBytes(from, to, protoFragment, 0, append(head, payload[at:end]...))))
			continue
		}
		ip := ipBytes(from, to, proto, 0, payload[at:end])
		binary.BigEndian.PutUint16(ip[4:], id)
		binary.BigEndian.PutUint16(ip[6:], uint16(at/8)|uint16(more)<<13)
		list = append(list, etherBytes(from, to, nil, ip))
	}
	return list
}

func TestFragmentsBecomeTheirDatagram(t *testing.T) {
	text := strings.Repeat("0123456789", 10)
	for _, ends := range [][2]host{{alice, bob}, {carol, dave}} {
		frags := fragmentsOf(ends[0], ends[1], protoUDP, 7, udpBytes(1, 2, text), 24)
		for name, order := range map[string][]int{
			"in order": {0, 1, 2, 3, 4}, "backwards": {4, 3, 2, 1, 0}, "twice": {0, 0, 2, 2, 1, 3, 4}, "last first": {4, 0, 1, 2, 3},
		} {
			t.Run(name, func(t *testing.T) {
				var k talk
				for _, i := range order {
					k.add(frags[i])
				}
				r, st := run(t, Settings{}, k.list...)
				same(t, datagramsOf(r), []string{`0 "` + text + `"`})
				if st.Reassembled != 1 || st.UDP != 1 || int(st.FragmentsUsed) != len(order)-1 || name == "twice" != (st.FragmentOverlaps == 2) {
					t.Errorf("%+v", st)
				}
			})
		}
	}
}

func TestFragmentsThatNeverBecomeOne(t *testing.T) {
	frags := fragmentsOf(alice, bob, protoUDP, 7, udpBytes(1, 2, strings.Repeat("x", 100)), 24)
	t.Run("are let go in time", func(t *testing.T) {
		k := new(talk).add(frags[0]).add(frags[1]).wait(31e9).add(frags[2]).add(frags[3]).add(frags[4])
		if r, st := run(t, Settings{}, k.list...); len(datagramsOf(r)) > 0 || st.FragmentsExpired != 5 {
			t.Errorf("%q %+v", r.lines, st)
		}
	})
	t.Run("are let go when there are too many", func(t *testing.T) {
		var k talk
		for id := range uint16(100) {
			k.add(fragmentsOf(alice, bob, protoUDP, id, make([]byte, 48), 24)[0])
		}
		if _, st := run(t, Settings{MaxDatagrams: 10 * Shards}, k.list...); st.FragmentsEvicted != 90 {
			t.Errorf("%+v", st)
		}
		if _, st := run(t, Settings{MaxFragmentBytes: 10 * segmentRoom * Shards}, k.list...); st.FragmentsEvicted != 90 {
			t.Errorf("%+v", st)
		}
	})
	t.Run("are refused when they make no sense", func(t *testing.T) {
		short := fragmentsOf(alice, bob, protoUDP, 7, make([]byte, 60), 24)[2] // another end
		odd := slices.Clone(frags[1])
		odd[14+3] -= 4 // of a length that is no multiple of 8
		k := new(talk).add(frags[4]).add(short).add(odd).add(frags[0])
		if _, st := run(t, Settings{}, k.list...); st.FragmentsRefused != 2 || st.FragmentsExpired != 2 {
			t.Errorf("%+v", st)
		}
	})
	t.Run("keep the bytes that came first", func(t *testing.T) {
		other := fragmentsOf(alice, bob, protoUDP, 7, udpBytes(1, 2, strings.Repeat("y", 100)), 24)
		k := new(talk).add(frags[0]).add(frags[1]).add(other[1]).add(frags[2]).add(frags[3]).add(frags[4])
		r, st := run(t, Settings{}, k.list...)
		same(t, datagramsOf(r), []string{`0 "` + strings.Repeat("x", 100) + `"`})
		if st.FragmentOverlaps != 1 {
			t.Errorf("%+v", st)
		}
	})
}

func TestACutSegmentIsFollowedByItsGap(t *testing.T) {
	var k talk
	k.shake().a(flagACK, 101, 201, "abcdef").a(flagACK, 107, 201, "gh")
	k.list[3].wire = len(k.list[3].data)
	k.list[3].data = k.list[3].data[:len(k.list[3].data)-4]
	r, st := run(t, Settings{}, k.list...)
	if got := r.streams["10.0.0.1:1000>10.0.0.2:502 0"].String(); got != "ab[4]gh" {
		t.Errorf("stream is %q", got)
	}
	if st.Cut != 1 || st.CutBytes != 4 {
		t.Errorf("%+v", st)
	}
}

// agrees compares our parsing of an Ethernet frame with gopacket's. It says
// nothing where gopacket finds fault, or we do.
func agrees(t *testing.T, frame []byte) {
	p := Packet{Data: frame, Wire: uint32(len(frame)), Link: LinkEthernet}
	p.route()
	var g datagram
	var v verdict
	switch p.kind {
	case netIPv4:
		v = g.parseIPv4(frame[p.net:], len(frame)-int(p.net))
	case netIPv6:
		v = g.parseIPv6(frame[p.net:], len(frame)-int(p.net))
	default:
		return
	}
	if v != good || g.fragment {
		return
	}
	theirs := gopacket.NewPacket(frame, layers.LayerTypeEthernet, gopacket.DecodeOptions{NoCopy: true})
	if theirs.ErrorLayer() != nil || theirs.Metadata().Truncated {
		return
	}
	switch p.kind {
	case netIPv4:
		ip, ok := theirs.Layer(layers.LayerTypeIPv4).(*layers.IPv4)
		if !ok {
			return
		}
		if ip.SrcIP.String() != g.src.addr().String() || ip.DstIP.String() != g.dst.addr().String() || byte(ip.Protocol) != g.proto || ip.TTL != g.ttl || ip.Length > 0 && !bytes.Equal(ip.Payload, g.payload) {
			t.Errorf("%x\nweir %+v\ngopacket %+v", frame, g, ip)
		}
	case netIPv6:
		ip, ok := theirs.Layer(layers.LayerTypeIPv6).(*layers.IPv6)
		if !ok {
			return
		}
		if ip.HopLimit != g.ttl {
			t.Errorf("%x\nweir %+v\ngopacket %+v", frame, g, ip)
		}
	}
	if tcp, ok := theirs.Layer(layers.LayerTypeTCP).(*layers.TCP); ok && g.proto == protoTCP && len(g.payload) >= 20 && p.kind == netIPv4 {
		if binary.BigEndian.Uint16(g.payload) != uint16(tcp.SrcPort) || binary.BigEndian.Uint32(g.payload[4:]) != tcp.Seq {
			t.Errorf("%x\nweir %x\ngopacket %+v", frame, g.payload, tcp)
		}
	}
	if tags := theirs.Layers(); len(tags) > 1 {
		vlan := uint16(0)
		for _, l := range tags {
			if q, ok := l.(*layers.Dot1Q); ok {
				vlan = q.VLANIdentifier
			}
			if l.LayerType() == layers.LayerTypeIPv4 || l.LayerType() == layers.LayerTypeIPv6 {
				break
			}
		}
		if vlan != p.vlan {
			t.Errorf("%x\nweir VLAN %d, gopacket %d", frame, p.vlan, vlan)
		}
	}
}

func TestDecodeAgreesWithGopacket(t *testing.T) {
	for seed := range uint64(20) {
		for _, p := range hostile(seed, 2000) {
			agrees(t, p.data)
		}
	}
	agrees(t, etherBytes(alice, bob, []uint16{1, 2, 3}, ipBytes(alice, bob, protoUDP, 3, udpBytes(1, 2, "x"))))
}
