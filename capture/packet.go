package capture

import (
	"context"
	"slices"
	"sync/atomic"
)

// LinkType is the layer that a packet starts with, by the numbers of
// pcap and pcapng files (LINKTYPE_ values).
type LinkType uint16

// The link types that weir reads. Packets of any other are counted as
// "link.unsupported".
const (
	LinkNull     LinkType = 0   // BSD loopback, family in the byte order of the host that captured
	LinkEthernet LinkType = 1   // Ethernet
	LinkRaw12    LinkType = 12  // raw IP, as OpenBSD's neighbours wrote it
	LinkRaw14    LinkType = 14  // raw IP, as OpenBSD wrote it
	LinkRaw      LinkType = 101 // raw IPv4 or IPv6
	LinkLoop     LinkType = 108 // OpenBSD loopback, family in network byte order
	LinkSLL      LinkType = 113 // Linux cooked capture
	LinkIPv4     LinkType = 228 // raw IPv4
	LinkIPv6     LinkType = 229 // raw IPv6
	LinkSLL2     LinkType = 276 // Linux cooked capture, version 2
)

// BatchSize is the largest number of packets in a [Batch]. It is a constant so
// that where batches end depends on the input alone.
const BatchSize = 1 << 12

// Packet is one captured packet.
type Packet struct {
	// Data is the packet from its link header on, as far as it was captured.
	// It is valid until the batch is read into again.
	Data []byte
	// Time is the capture time and Clock the watermark (the largest capture
	// time so far that is believed), in nanoseconds since the Unix epoch.
	Time, Clock int64
	// Frame is the 1-based number of the packet in the whole input.
	Frame uint64
	// Wire is the length of the packet on the wire, at least len(Data).
	Wire uint32
	// Link is how Data begins.
	Link LinkType
	// Interface indexes Source.Interfaces.
	Interface uint16
	// VLAN is the tag that the kernel took out of the packet (the 12 bits of
	// the identifier), 0 if none. Tags inside Data are further in.
	VLAN uint16

	// Found by route: where the network layer begins, what it is, the
	// inner-most VLAN, and the shard of the host pair.
	net   uint16
	kind  netKind
	shard uint8
	vlan  uint16
}

// Batch is a run of packets, in order.
type Batch struct {
	// Packets are the packets read.
	Packets []Packet
	// Clock is the watermark at the end of the batch: that of its last packet
	// or, where a live source fell silent, the later time up to which nothing
	// more is expected.
	Clock int64
	// Pressed tells that a live source has more than can be worked on, and would
	// soon have to drop packets: whatever can be done without should be, to keep
	// the rest. Capture files never are.
	Pressed bool
	// Jumps are where the clock of the host that captured was set forward.
	Jumps []ClockJump
	// Down has a bit for each interface of a live source that hears nothing, because
	// it is switched off or has no carrier; those from the 64th on share the last bit.
	// Deaf tells that none of the interfaces hears anything. Capture files never are.
	Down uint64
	Deaf bool

	// shares are the indexes of each lane's packets.
	shares [][]uint16
	// passed tells that the packets go from the goroutine that reads to others.
	passed bool

	blocks []*block // what the packets alias
}

// reset empties the batch and gives back what its packets aliased.
func (b *Batch) reset() {
	for i, k := range b.blocks {
		k.release()
		b.blocks[i] = nil
	}
	b.blocks = b.blocks[:0]
	b.Packets = b.Packets[:0]
	b.Pressed, b.Down, b.Deaf = false, 0, false
	b.Jumps = b.Jumps[:0]
}

// add makes room for a packet, whose fields are whatever they were.
func (b *Batch) add() *Packet {
	n := len(b.Packets)
	if n == cap(b.Packets) {
		b.Packets = append(b.Packets, Packet{})
		b.Packets = slices.Grow(b.Packets, BatchSize)
	}
	b.Packets = b.Packets[:n+1]
	return &b.Packets[n]
}

// claim writes once to each place of the group of packets after the next. Another
// processor has read what was there, and gives a cache line back only when it is
// written to, which took 50 ns a packet: its stores wait for each other, while stores
// to one line each wait side by side. With two workers it saves a tenth of all CPU
// where the processors are far apart, and nothing where they are not.
func (b *Batch) claim() {
	n := len(b.Packets) + group
	if n+group > cap(b.Packets) {
		return
	}
	places := b.Packets[n : n+group]
	for i := range places {
		places[i].Wire = 0
	}
}

// hold makes the batch keep a block until it is reset.
func (b *Batch) hold(k *block) {
	if n := len(b.blocks); n > 0 && b.blocks[n-1] == k {
		return
	}
	for _, have := range b.blocks {
		if have == k {
			return
		}
	}
	k.refs.Add(1)
	b.blocks = append(b.blocks, k)
}

// A Source gives packets in batches. One goroutine uses it at a time.
type Source interface {
	// Read empties b and fills it with the next packets, at most [BatchSize].
	// A batch may be empty (a live source that is silent). It returns io.EOF,
	// with no packets, when the input has ended; a cancelled context ends the
	// input early, and is no error.
	Read(ctx context.Context, b *Batch) error
	// Interfaces names where the packets came from; it grows as more is read.
	Interfaces() []Interface
	// Counters tells what the source itself lost or left out. It may be called
	// from any goroutine.
	Counters() SourceCounters
	// Close lets everything go. No Read may be under way.
	Close()
}

// Interface is where packets were captured.
type Interface struct {
	// Name is the network interface's, as far as it is known, and File the
	// path of the capture file.
	Name, File string
	// Link is how its packets begin.
	Link LinkType
}

// SourceCounters is what a source lost before it became a packet.
type SourceCounters struct {
	// KernelDropped is how many packets the kernel, or the program that wrote
	// the capture, dropped for want of room.
	KernelDropped uint64
	// InterfaceDropped is how many packets the network interface dropped.
	InterfaceDropped uint64
	// Outgoing is how many packets a live source left out because this host
	// sent them. (In files they count: they may be all that there is.)
	Outgoing uint64
	// Filtered is how many packets the filter of a live source left out.
	Filtered uint64
	// TimeJumped is how often the clock of the host that captured was set forward
	// within a file.
	TimeJumped uint64
}

// block is a piece of an input that packets alias. It returns to its pool, or to
// the ring of a live source, when the reader and all batches have let go of it.
type block struct {
	buf  []byte
	refs atomic.Int32
	pool *blockPool
	ring *ring
}

func (k *block) release() {
	switch {
	case k.refs.Add(-1) != 0:
	case k.ring != nil:
		k.ring.giveBack(k)
	default:
		k.pool.put(k)
	}
}

// blockSize holds the largest packet that is accepted and many of the usual.
const blockSize = 1 << 20

// blockPool keeps the blocks that were let go. At most as many exist as were
// once in use together: a few for each file that is open.
type blockPool struct{ free chan *block }

func newBlockPool() *blockPool { return &blockPool{free: make(chan *block, 64)} }

func (p *blockPool) get() *block {
	var k *block
	select {
	case k = <-p.free:
	default:
		k = &block{buf: make([]byte, blockSize), pool: p}
	}
	k.refs.Store(1)
	return k
}

func (p *blockPool) put(k *block) {
	select {
	case p.free <- k:
	default: // more than are ever needed again: to the garbage collector
	}
}
