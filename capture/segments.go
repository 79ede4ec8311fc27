package capture

import "bytes"

// segment is a piece of a stream, or of an IP datagram, that waits for what
// comes before it.
type segment struct {
	seq  uint32
	data []byte
	next *segment
}

func (g *segment) end() uint32 { return g.seq + uint32(len(g.data)) }

// segments is a list in sequence order, in which no two overlap.
type segments struct {
	first *segment
	count int
	bytes int // of memory
}

// segmentPool keeps a few segments for reuse.
type segmentPool struct {
	free  *segment
	count int
}

// segmentRoom is the memory of a usual segment: a full Ethernet packet.
const segmentRoom = 1536

func (l *segmentPool) get(n int) *segment {
	if n <= segmentRoom && l.free != nil {
		g := l.free
		l.free, g.next = g.next, nil
		l.count--
		g.data = g.data[:n]
		return g
	}
	return &segment{data: make([]byte, n, max(n, segmentRoom))}
}

func (l *segmentPool) put(g *segment) {
	if cap(g.data) != segmentRoom || l.count >= 64 {
		return
	}
	g.next = l.free
	l.free = g
	l.count++
}

// seqDiff is how far a is after b, modulo 2³² (RFC 9293, section 3.4).
func seqDiff(a, b uint32) int { return int(int32(a - b)) }

// insert copies what of data is not there yet into the list: bytes that came
// first are kept. It returns how many bytes were there already, and how many
// of those were others.
func (l *segments) insert(pool *segmentPool, seq uint32, data []byte) (there, differ int) {
	link := &l.first
	for len(data) > 0 {
		for *link != nil && seqDiff((*link).end(), seq) <= 0 {
			link = &(*link).next
		}
		n := len(data)
		if q := *link; q != nil {
			if ahead := seqDiff(seq, q.seq); ahead >= 0 {
				// Some of it is in q.
				n = min(n, len(q.data)-ahead)
				there += n
				differ += difference(q.data[ahead:ahead+n], data[:n])
				seq, data = seq+uint32(n), data[n:]
				continue
			}
			n = min(n, seqDiff(q.seq, seq))
		}
		g := pool.get(n)
		copy(g.data, data[:n])
		g.seq, g.next = seq, *link
		*link = g
		link = &g.next
		l.count++
		l.bytes += cap(g.data)
		seq, data = seq+uint32(n), data[n:]
	}
	return there, differ
}

// pop takes the first segment out.
func (l *segments) pop() *segment {
	g := l.first
	l.first, g.next = g.next, nil
	l.count--
	l.bytes -= cap(g.data)
	return g
}

// difference counts the bytes in which a and b of the same length differ.
func difference(a, b []byte) (n int) {
	if bytes.Equal(a, b) {
		return 0
	}
	for i := range a {
		if a[i] != b[i] {
			n++
		}
	}
	return n
}
