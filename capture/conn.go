package capture

import (
	"math/bits"
	"math/rand/v2"
)

// flowKey is what the packets of a conversation have in common, whichever way
// they go: a is the lower of the two ends. It is whole words only, because it
// is made and compared for every packet: with a field for each part, reading
// them back as words stalled the processor for 20 of 94 ns a packet.
type flowKey struct {
	a, b address
	rest uint64 // port of a and b, 16 bits each; VLAN, 16; protocol, 16
}

// set makes the key of a packet; swapped tells that the sender is b.
func (k *flowKey) set(g *datagram, sport, dport, vlan uint16) (swapped bool) {
	low := uint64(vlan)<<16 | uint64(g.proto)
	if g.dst.less(g.src) || g.src == g.dst && dport < sport {
		k.a, k.b = g.dst, g.src
		k.rest = uint64(dport)<<48 | uint64(sport)<<32 | low
		return true
	}
	k.a, k.b = g.src, g.dst
	k.rest = uint64(sport)<<48 | uint64(dport)<<32 | low
	return false
}

func (k *flowKey) ports() (a, b uint16) { return uint16(k.rest >> 48), uint16(k.rest >> 32) }

// connState is where a connection is in its life.
type connState uint8

const (
	stateTried    connState = iota // SYN seen
	stateAnswered                  // SYN-ACK seen
	stateOpen                      // handshake completed, or under way when first seen
	stateClosed                    // ended; remembered to know late segments
)

// conn is a conversation with what capture keeps of it.
type conn struct {
	Conn
	key   flowKey
	hash  uint64
	chain *conn // in the table

	half  [2]half
	last  int64  // clock of the last packet
	frame uint64 // and its number
	place [2]int32

	state     connState
	swapped   bool // Ends[0] is b of the key
	announced bool // Open was called, and Close was not
	heard     [2]bool

	again    bool // a SYN came that would open it anew
	againWay uint8
	againISN uint32
}

// half is one direction of a conversation.
type half struct {
	next    uint32 // the sequence number of the next byte
	isn     uint32
	finAt   uint32 // sequence number of the FIN
	acked   uint32 // what the receiver confirmed beyond next, if lost
	farNext uint32 // where the last segment out of the window ended
	known   bool   // next is known
	hasISN  bool
	fin     bool // finAt is known
	lost    bool // acked is set
	told    bool // mac and ttl are set
	farRun  uint8
	ttl     uint8
	mac     uint64

	holeDue int64 // when the hole before waiting is given up; 0 if there is none
	waiting segments
	recent  *recent
}

// recentSize is how many of the last bytes of a direction are kept to compare
// what is sent again.
const recentSize = 512

// recent is the last bytes of a stream; byte n of the stream is at n modulo
// the size.
type recent struct {
	from uint32 // the first byte that is there
	buf  [recentSize]byte
}

// touch reads what keep is about to write, so that it is in the cache by then: 3 %
// of the time of the DNP3 load.
func (r *recent) touch(seq uint32) byte { return byte(r.from) + r.buf[seq%recentSize] }

// keep adds bytes that start at seq, which is where the last ones ended.
func (r *recent) keep(seq uint32, data []byte) {
	if over := len(data) - recentSize; over > 0 {
		data = data[over:]
		seq += uint32(over)
	}
	at := int(seq % recentSize)
	if n := copy(r.buf[at:], data); n < len(data) {
		copy(r.buf[:], data[n:])
	}
	if end := seq + uint32(len(data)); seqDiff(end, r.from) > recentSize {
		r.from = end - recentSize
	}
}

// differ counts the bytes of data, which starts at seq and ends by next at
// the latest, that are not what was kept.
func (r *recent) differ(seq uint32, data []byte) (n int) {
	if skip := seqDiff(r.from, seq); skip > 0 {
		if skip >= len(data) {
			return 0
		}
		data = data[skip:]
		seq += uint32(skip)
	}
	at := int(seq % recentSize)
	first := min(len(data), recentSize-at)
	return difference(r.buf[at:at+first], data[:first]) + difference(r.buf[:len(data)-first], data[first:])
}

// table finds conversations by their key. Its hash has a secret, so that
// nobody can choose addresses that collide; nothing depends on its order.
type table struct {
	buckets []*conn
	count   int
	secret  [3]uint64
	free    *conn
	spare   int
}

func newTable() table {
	return table{buckets: make([]*conn, 64), secret: [3]uint64{rand.Uint64(), rand.Uint64(), rand.Uint64()}}
}

func (t *table) hash(k *flowKey) uint64 {
	hi, lo := bits.Mul64(k.a.lo^t.secret[0], k.b.lo^t.secret[1])
	hi, lo = bits.Mul64(hi^lo^k.a.hi^k.rest, k.b.hi^t.secret[2])
	return hi ^ lo
}

func (t *table) find(k *flowKey, hash uint64) *conn {
	for c := t.buckets[hash&uint64(len(t.buckets)-1)]; c != nil; c = c.chain {
		if c.hash == hash && c.key.rest == k.rest && c.key.a == k.a && c.key.b == k.b {
			return c
		}
	}
	return nil
}

// add makes a conversation.
func (t *table) add(k *flowKey, hash uint64) *conn {
	if t.count >= len(t.buckets) {
		old := t.buckets
		t.buckets = make([]*conn, 2*len(old))
		for _, c := range old {
			for c != nil {
				next := c.chain
				t.link(c)
				c = next
			}
		}
	}
	c := t.free
	if c != nil {
		t.free = c.chain
		t.spare--
		*c = conn{}
	} else {
		c = new(conn)
	}
	c.key, c.hash = *k, hash
	t.link(c)
	t.count++
	return c
}

func (t *table) link(c *conn) {
	b := &t.buckets[c.hash&uint64(len(t.buckets)-1)]
	c.chain, *b = *b, c
}

// remove takes a conversation out; its memory is used again.
func (t *table) remove(c *conn) {
	link := &t.buckets[c.hash&uint64(len(t.buckets)-1)]
	for *link != c {
		link = &(*link).chain
	}
	*link = c.chain
	t.count--
	c.Conn = Conn{}
	c.chain = nil
	if t.spare < 64 {
		c.chain, t.free = t.free, c
		t.spare++
	}
}
