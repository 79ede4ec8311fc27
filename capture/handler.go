package capture

import "net/netip"

// Endpoint is one end of a conversation (see protocols.Endpoint, which has the
// same fields so that one converts to the other).
type Endpoint struct {
	// MAC is the link-layer address, zero where the capture has none.
	MAC [6]byte
	// VLAN is the inner-most VLAN identifier, 0 if untagged.
	VLAN uint16
	// Port is the TCP or UDP port, 0 where there is none.
	Port uint16
	// IP is the address, never an IPv4-mapped IPv6 one.
	IP netip.Addr
}

// Stamp is when and where in the input something was seen.
type Stamp struct {
	// Time is the capture time, Clock the watermark (the largest capture time
	// so far), in nanoseconds since the Unix epoch. Time is Clock where the capture
	// time was not believed ([Stats.TimeAhead]).
	Time, Clock int64
	// Frame is the 1-based number of the packet in the whole input.
	Frame uint64
}

// Conn is a TCP connection or a UDP conversation (the packets between two
// address and port pairs).
type Conn struct {
	// Ends[d] sends in direction d; Ends[0] opened the connection if
	// OpeningSeen, else it sent the first packet seen.
	Ends [2]Endpoint
	// UDP tells a UDP conversation from a TCP connection.
	UDP bool
	// OpeningSeen tells that the TCP handshake's SYN was seen.
	OpeningSeen bool
	// User is the handler's own; capture never touches it.
	User any

	ignored bool
}

// Ignore tells that the payload of this conversation is not wanted: it is
// counted, and neither kept nor given on. Notices and Close still come.
func (c *Conn) Ignore() { c.ignored = true }

// Handler receives what one share of the traffic holds, in packet order. All
// packets between two hosts go to the same handler, so state kept by host pair
// has one writer. Data aliases the packet: it is valid during the call only. A
// Handler is called by one goroutine at a time, which is not always the same.
type Handler interface {
	// Open announces a conversation with its first packet.
	Open(c *Conn, at Stamp)
	// Stream gives the next bytes of direction d of a TCP connection, in order
	// and without holes.
	Stream(c *Conn, d uint8, at Stamp, data []byte)
	// Gap tells that lost bytes of direction d will never come.
	Gap(c *Conn, d uint8, at Stamp, lost int)
	// Datagram gives one UDP payload.
	Datagram(c *Conn, d uint8, at Stamp, data []byte)
	// Close ends a conversation: closed, reset, idle for too long, or evicted.
	Close(c *Conn, at Stamp)
	// Notice tells what happened below the payload.
	Notice(n *Notice)
	// Advance moves the watermark to clock; it is called before each packet
	// whose clock is past the time that the last call returned (0: never), and
	// at the end of each batch.
	Advance(clock int64) (next int64)
}

// Waker is a Handler that shows when it wants to be advanced, so that it need not
// be asked after all that it is given.
type Waker interface {
	// Wake returns two places that always hold the next times that Advance is to
	// be called at, 0 for none. It is called once, before anything else.
	Wake() [2]*int64
}

// Easer is a Handler that can do with less while packets come faster than they
// can be worked on.
type Easer interface {
	// Ease tells, before the first packet of a batch, that from there on what can
	// be done without is to be left out ([Batch.Pressed]), or no longer. All
	// workers are told at the same packet.
	Ease(on bool)
}

// Hearer is a Handler that judges what does not come, and so has to know what
// could not be heard.
type Hearer interface {
	// Hear tells, before the first packet of a batch, which interfaces hear nothing
	// from the watermark at on, and whether none does (see [Batch]). All workers
	// are told at the same packet.
	Hear(down uint64, deaf bool, at int64)
}

// NoticeKind is what happened.
type NoticeKind uint8

const (
	// ConnectionTried is a TCP SYN that was not answered when it was seen.
	ConnectionTried NoticeKind = 1 + iota
	// ConnectionOpened is a completed TCP handshake.
	ConnectionOpened
	// ConnectionRefused is a RST (or ICMP unreachable) in answer to a SYN.
	ConnectionRefused
	// ConnectionClosed is the end of a connection that was open.
	ConnectionClosed
	// HostSeen is the first packet that an IP address sends from a MAC and
	// VLAN. It is told once a shard, so the receiver must expect it again.
	HostSeen
	// ARPReply is an ARP answer.
	ARPReply
	// ARPRequest is an ARP question.
	ARPRequest
	// OverlapConflict is a TCP segment that repeats a part of the stream with
	// other bytes. Size is how many differ.
	OverlapConflict
	// StreamGap goes with each Handler.Gap. Size is how many bytes.
	StreamGap
	// TTLChanged is a time to live (hop limit) that moved under the same
	// address and MAC. Size is the new one, Was the old.
	TTLChanged
)

// Notice is what happened below the payload, between Src and Dst.
type Notice struct {
	Kind  NoticeKind
	Stamp Stamp
	// Conn is the conversation, nil for ARP and hosts.
	Conn     *Conn
	Src, Dst Endpoint
	// FromOpener tells that Src opened, or tried to open, the connection.
	FromOpener bool
	Size, Was  int
}
