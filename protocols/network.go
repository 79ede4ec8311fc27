package protocols

// The functions of a ProtoNetwork event. Endpoints are those of the packet;
// FromClient tells that Src opened (or tries to open) the connection.
const (
	// ConnectionTried is a TCP SYN, without answer so far.
	ConnectionTried uint8 = 1 + iota
	// ConnectionOpened is a completed TCP handshake.
	ConnectionOpened
	// ConnectionRefused is a RST or ICMP unreachable in answer to a SYN.
	ConnectionRefused
	// ConnectionClosed ends a connection (FIN both ways, RST, or idle time out).
	ConnectionClosed
	// HostSeen is the first packet of a host, or of a host under another MAC or
	// VLAN than before. Src is that host.
	HostSeen
	// ARPReply is an ARP answer; Src is who it claims to be.
	ARPReply
	// ARPRequest asks who has Dst.IP.
	ARPRequest
	// OverlapConflict is a TCP segment that overlaps with different bytes.
	OverlapConflict
	// StreamGap is bytes of a connection that the tap did not see; Size says
	// how many.
	StreamGap
	// TTLChanged is an IP time to live (hop limit) that moved under the same
	// address and MAC.
	TTLChanged
	// ConversationSeen is the first packet of a conversation whose opening was
	// not seen: a TCP connection older than the capture, or UDP.
	ConversationSeen
	numNetworkFunctions
)

var networkNames = [numNetworkFunctions]string{
	"", "connection tried", "connection opened", "connection refused", "connection closed", "host seen",
	"ARP reply", "ARP request", "overlap conflict", "stream gap", "TTL changed",
	"conversation seen",
}

// NetworkName names a function of a ProtoNetwork event.
func NetworkName(f uint8) string { return name(networkNames[:], int(f)) }
