package capture

// Stats counts what became of every packet. The sums that always hold:
//
//	Packets = decoded + not ours + lost, where
//	decoded  = TCP + UDP + ICMP + ARP
//	not ours = NotIP + IPOther
//	lost     = Truncated + Malformed + LinkUnsupported + Fragments
//
// A packet that completes a fragmented datagram counts as what the datagram
// holds (TCP, UDP...), the fragments before it as Fragments:
//
//	Fragments = FragmentsUsed + FragmentsExpired + FragmentsEvicted + FragmentsRefused + those still held
//
// (of which FragmentsUsed were not lost, because their datagram was decoded).
// Of the payload of TCP segments:
//
//	TCPPayloadBytes = StreamBytes + RetransmittedBytes + IgnoredBytes + OutOfWindowBytes + AfterCloseBytes
//	                  + those that still wait for a hole to be filled
type Stats struct {
	// Packets is every packet that was given to weir, and Bytes their length
	// on the wire.
	Packets, Bytes uint64
	// KernelDropped and InterfaceDropped are packets that were never given to
	// weir: captured = Packets + KernelDropped + InterfaceDropped.
	KernelDropped, InterfaceDropped uint64
	// Outgoing is packets that this host itself sent, left out of Packets by a
	// live source, and Filtered those that its filter left out.
	Outgoing, Filtered uint64
	// TimeBackwards is packets whose time is before that of an earlier packet.
	TimeBackwards uint64
	// TimeAhead is packets whose time is so far ahead of those around them that it is
	// not believed: it does not move the watermark, and what they bring has its time.
	// TimeJumped is how often the clock of the host that captured was set forward, by
	// more than a year.
	TimeAhead, TimeJumped uint64

	// TCP, UDP, ICMP and ARP are packets decoded as such.
	TCP, UDP, ICMP, ARP uint64
	// NotIP is packets of other network protocols, and IPOther IP packets of
	// other transport protocols.
	NotIP, IPOther uint64
	// Truncated is packets whose headers were not captured whole.
	Truncated uint64
	// Malformed is packets whose lengths contradict each other.
	Malformed uint64
	// LinkUnsupported is packets of a link type that weir does not read.
	LinkUnsupported uint64
	// Fragments is packets that are part of an IP datagram that they did not
	// complete.
	Fragments uint64

	// FragmentsUsed is those that a datagram was made of, Reassembled how many
	// datagrams were made.
	FragmentsUsed, Reassembled uint64
	// FragmentsExpired, FragmentsEvicted and FragmentsRefused are those let go
	// because the rest did not come in time, because of the limits, and
	// because they made no sense.
	FragmentsExpired, FragmentsEvicted, FragmentsRefused uint64
	// FragmentOverlaps is fragments that overlap earlier ones of their
	// datagram. The bytes that came first count.
	FragmentOverlaps uint64

	// TCPPayloadBytes and UDPPayloadBytes are the payload that was captured.
	TCPPayloadBytes, UDPPayloadBytes uint64
	// StreamBytes is TCP payload given on in order.
	StreamBytes uint64
	// IgnoredBytes is TCP payload of connections that the handler ignores, and
	// of resets.
	IgnoredBytes uint64
	// Cut is TCP segments and UDP datagrams whose payload was not captured
	// whole, and CutBytes what is missing. Such UDP datagrams are not given on.
	Cut, CutBytes uint64
	// TCPBadHeader and UDPBadHeader are the packets among Malformed whose TCP
	// or UDP header is to blame.
	TCPBadHeader, UDPBadHeader uint64
	// Retransmitted is segments that bring nothing new, RetransmittedBytes the
	// bytes that had come before.
	Retransmitted, RetransmittedBytes uint64
	// OutOfOrder is segments that came before the bytes that precede them.
	OutOfOrder uint64
	// OutOfWindow is segments that are too far from where their stream is to
	// belong to it, and OutOfWindowBytes their payload.
	OutOfWindow, OutOfWindowBytes uint64
	// AfterClose is segments that repeat bytes of a connection that has ended.
	AfterClose, AfterCloseBytes uint64
	// Keepalives is segments sent to see whether the other side is there.
	Keepalives uint64
	// Gaps is holes in streams that were never filled, GapBytes their size.
	Gaps, GapBytes uint64
	// OverlapConflicts is segments that repeat bytes with others than before,
	// OverlapBytes how many differ.
	OverlapConflicts, OverlapBytes uint64
	// BufferLimit is how often a hole was given up because too much waited
	// behind it.
	BufferLimit uint64
	// BadResets is RST segments that no receiver would accept.
	BadResets uint64
	// SYN is handshakes that began, Opened those that were completed, Refused
	// those answered with RST or ICMP unreachable.
	SYN, Opened, Refused uint64
	// PortReused is connections that a new handshake replaced.
	PortReused uint64

	// Conns is conversations (TCP and UDP) announced with Open, and ConnsOpen
	// how many are open now.
	Conns, ConnsOpen uint64
	// ConnsExpired is those that were idle for too long, ConnsEvicted those
	// let go because of the limit, embryonic ones included.
	ConnsExpired, ConnsEvicted uint64
	// Hosts is HostSeen notices, HostsEvicted the hosts forgotten because of
	// the limit, which will be told again.
	Hosts, HostsEvicted uint64
}

// Each calls f for every counter, with its dotted name, always in the same
// order.
func (s *Stats) Each(f func(name string, v uint64)) {
	for i := range statNames {
		f(statNames[i].name, *statNames[i].at(s))
	}
}

// Add adds the counters of o.
func (s *Stats) Add(o *Stats) {
	for i := range statNames {
		*statNames[i].at(s) += *statNames[i].at(o)
	}
}

// Decoded is how many packets were understood.
func (s *Stats) Decoded() uint64 { return s.TCP + s.UDP + s.ICMP + s.ARP }

// NotOurs is how many packets hold nothing that weir looks at.
func (s *Stats) NotOurs() uint64 { return s.NotIP + s.IPOther }

// Lost is how many packets were received and could not be used alone: the
// fragments in it may still have been used together.
func (s *Stats) Lost() uint64 {
	return s.Truncated + s.Malformed + s.LinkUnsupported + s.Fragments
}

var statNames = [...]struct {
	name string
	at   func(*Stats) *uint64
}{
	{"packets", func(s *Stats) *uint64 { return &s.Packets }},
	{"bytes", func(s *Stats) *uint64 { return &s.Bytes }},
	{"kernel.dropped", func(s *Stats) *uint64 { return &s.KernelDropped }},
	{"interface.dropped", func(s *Stats) *uint64 { return &s.InterfaceDropped }},
	{"outgoing", func(s *Stats) *uint64 { return &s.Outgoing }},
	{"filtered", func(s *Stats) *uint64 { return &s.Filtered }},
	{"time.backwards", func(s *Stats) *uint64 { return &s.TimeBackwards }},
	{"time.ahead", func(s *Stats) *uint64 { return &s.TimeAhead }},
	{"time.jumped", func(s *Stats) *uint64 { return &s.TimeJumped }},
	{"class.tcp", func(s *Stats) *uint64 { return &s.TCP }},
	{"class.udp", func(s *Stats) *uint64 { return &s.UDP }},
	{"class.icmp", func(s *Stats) *uint64 { return &s.ICMP }},
	{"class.arp", func(s *Stats) *uint64 { return &s.ARP }},
	{"class.not-ip", func(s *Stats) *uint64 { return &s.NotIP }},
	{"class.ip-other", func(s *Stats) *uint64 { return &s.IPOther }},
	{"class.truncated", func(s *Stats) *uint64 { return &s.Truncated }},
	{"class.malformed", func(s *Stats) *uint64 { return &s.Malformed }},
	{"class.link-unsupported", func(s *Stats) *uint64 { return &s.LinkUnsupported }},
	{"class.fragment", func(s *Stats) *uint64 { return &s.Fragments }},
	{"ip.fragments-used", func(s *Stats) *uint64 { return &s.FragmentsUsed }},
	{"ip.reassembled", func(s *Stats) *uint64 { return &s.Reassembled }},
	{"ip.fragments-expired", func(s *Stats) *uint64 { return &s.FragmentsExpired }},
	{"ip.fragments-evicted", func(s *Stats) *uint64 { return &s.FragmentsEvicted }},
	{"ip.fragments-refused", func(s *Stats) *uint64 { return &s.FragmentsRefused }},
	{"ip.fragment-overlaps", func(s *Stats) *uint64 { return &s.FragmentOverlaps }},
	{"tcp.payload-bytes", func(s *Stats) *uint64 { return &s.TCPPayloadBytes }},
	{"udp.payload-bytes", func(s *Stats) *uint64 { return &s.UDPPayloadBytes }},
	{"tcp.stream-bytes", func(s *Stats) *uint64 { return &s.StreamBytes }},
	{"tcp.ignored-bytes", func(s *Stats) *uint64 { return &s.IgnoredBytes }},
	{"payload.cut", func(s *Stats) *uint64 { return &s.Cut }},
	{"payload.cut-bytes", func(s *Stats) *uint64 { return &s.CutBytes }},
	{"tcp.bad-header", func(s *Stats) *uint64 { return &s.TCPBadHeader }},
	{"udp.bad-header", func(s *Stats) *uint64 { return &s.UDPBadHeader }},
	{"tcp.retransmitted", func(s *Stats) *uint64 { return &s.Retransmitted }},
	{"tcp.retransmitted-bytes", func(s *Stats) *uint64 { return &s.RetransmittedBytes }},
	{"tcp.out-of-order", func(s *Stats) *uint64 { return &s.OutOfOrder }},
	{"tcp.out-of-window", func(s *Stats) *uint64 { return &s.OutOfWindow }},
	{"tcp.out-of-window-bytes", func(s *Stats) *uint64 { return &s.OutOfWindowBytes }},
	{"tcp.after-close", func(s *Stats) *uint64 { return &s.AfterClose }},
	{"tcp.after-close-bytes", func(s *Stats) *uint64 { return &s.AfterCloseBytes }},
	{"tcp.keepalives", func(s *Stats) *uint64 { return &s.Keepalives }},
	{"tcp.gaps", func(s *Stats) *uint64 { return &s.Gaps }},
	{"tcp.gap-bytes", func(s *Stats) *uint64 { return &s.GapBytes }},
	{"tcp.overlap-conflicts", func(s *Stats) *uint64 { return &s.OverlapConflicts }},
	{"tcp.overlap-bytes", func(s *Stats) *uint64 { return &s.OverlapBytes }},
	{"tcp.buffer-limit", func(s *Stats) *uint64 { return &s.BufferLimit }},
	{"tcp.bad-resets", func(s *Stats) *uint64 { return &s.BadResets }},
	{"tcp.syn", func(s *Stats) *uint64 { return &s.SYN }},
	{"tcp.opened", func(s *Stats) *uint64 { return &s.Opened }},
	{"tcp.refused", func(s *Stats) *uint64 { return &s.Refused }},
	{"tcp.port-reused", func(s *Stats) *uint64 { return &s.PortReused }},
	{"conns", func(s *Stats) *uint64 { return &s.Conns }},
	{"conns.open", func(s *Stats) *uint64 { return &s.ConnsOpen }},
	{"conns.expired", func(s *Stats) *uint64 { return &s.ConnsExpired }},
	{"conns.evicted", func(s *Stats) *uint64 { return &s.ConnsEvicted }},
	{"hosts", func(s *Stats) *uint64 { return &s.Hosts }},
	{"hosts.evicted", func(s *Stats) *uint64 { return &s.HostsEvicted }},
}
