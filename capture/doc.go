// Package capture turns packets into what protocol decoders read: the bytes of
// TCP connections in order, UDP payloads, and notices of what happened below.
//
//	source ─batches→ route ─shards→ link, IP, fragments ─→ TCP, UDP ─→ Handler
//
// A [Source] gives packets in batches: [Open] reads capture files, [OpenLive]
// listens on network interfaces. An [Engine] decodes them, follows connections
// and calls one [Handler] for each share of the traffic. It is passive: nothing is ever sent.
//
//	src := capture.Open(paths, capture.FileOptions{Report: warn})
//	defer src.Close()
//	engine := capture.New(capture.Settings{}, handlers)
//	err := engine.Run(ctx, src, func(clock int64) error { ... })
//	engine.Stats().Each(func(name string, v uint64) { ... })
//
// # What a handler may rely on
//
// Packet time is the only clock. What a handler is given about two hosts
// depends on the packets alone: not on the number of workers, and not on where
// batches end. That is so even where a limit is reached, because traffic is
// split into [Shards] by host pair, each with its own part of every limit, and
// handlers have whole shards. Time-outs carry the time at which they were due
// as their stamp, and the number of the last packet of the conversation.
//
// Of one conversation the calls are Open, then any of the others, then Close.
// Open comes with the SYN, or with the first payload if that was not seen; a
// scan opens many, so a handler does well to wait for payload before it makes
// anything large. After Close the [Conn] is used for another conversation.
//
// [Handler.Advance] is called more often than promised: before each packet that
// follows one of which the handler was given something, since that may have set
// it a time-out. It has to be quick when nothing is due.
//
// # What is decoded
//
// Link types: Ethernet (with up to four VLAN tags, and 802.2 SNAP), Linux
// cooked v1 and v2, raw IP, null and loopback. IPv4 with options and fragments;
// IPv6 with extension headers and fragments; IPv4-mapped addresses are the IPv4
// addresses. TCP, UDP, ARP for IPv4; of ICMP, the unreachable that answers a
// SYN. Tunnels are not looked into. Checksums are not verified: captures on a
// host that sends have wrong ones, and so weir sees what a receiver would drop
// for its checksum.
//
// Where fragments or segments overlap, the bytes that came first count. What
// of the last 512 bytes of a direction is sent again as other bytes is told as
// [OverlapConflict].
//
// A hole in a stream is given up when the other side has confirmed bytes beyond
// it, when too much waits behind it, when it has been open for too long, and
// when the connection ends ([Settings]). A segment far from its stream is not
// believed, until several in a row agree. A RST or SYN that may be forged does
// not end what goes on after it: see the tests named "blind".
//
// # What is counted
//
// The names of [Stats.Each], and what adds up to what:
//
//	packets                    = class.* together; live: what came = packets + kernel.dropped + filtered, exactly
//	bytes                      their length on the wire
//	kernel.dropped             what the kernel or the capturing program dropped: not in packets
//	interface.dropped          what the network card dropped: not in packets
//	outgoing                   what this host sent, left out of a live capture: not in packets
//	filtered                   what the filter of a live capture left out: not in packets
//	time.backwards             packets earlier than one before them
//	time.ahead                 packets whose time is far ahead of all around them, and not believed
//	time.jumped                how often the capturing host's clock was set forward, by more than a year
//
//	class.tcp, .udp, .icmp, .arp                               decoded
//	class.not-ip, .ip-other                                    not ours
//	class.truncated, .malformed, .link-unsupported, .fragment  lost
//
//	class.fragment             = ip.fragments-used + -expired + -evicted + -refused, and those that
//	                             still wait; the packet that completes a datagram is class.tcp, .udp...
//	ip.reassembled             datagrams made of fragments
//	ip.fragment-overlaps       fragments that overlap others
//
//	tcp.payload-bytes          = tcp.stream-bytes + tcp.retransmitted-bytes + tcp.ignored-bytes
//	                             + tcp.out-of-window-bytes + tcp.after-close-bytes, and those that still wait
//	payload.cut, .cut-bytes    payloads not captured whole, and what is missing: not in the payload bytes
//	tcp.bad-header, udp.*      those of class.malformed whose TCP or UDP header is to blame
//	tcp.retransmitted          segments with nothing new
//	tcp.out-of-order           segments before their turn
//	tcp.gaps, tcp.gap-bytes    holes given up, and their size as far as it is known
//	tcp.overlap-conflicts      segments that repeat other bytes; tcp.overlap-bytes: how many
//	tcp.buffer-limit           holes given up because too much waited
//	tcp.syn                    handshakes that began; tcp.opened and tcp.refused: how they went on
//	tcp.bad-resets             RST that no receiver would take
//	tcp.port-reused            connections that another on the same ports replaced
//	tcp.keepalives             probes with a byte that means nothing
//
//	conns, conns.open          conversations announced, and those open now
//	conns.expired, .evicted    closed because they were silent, or because of the limit
//	hosts, hosts.evicted       senders told as [HostSeen], and those forgotten because of the limit
package capture
