package capture

// fragmentKey is what the fragments of one datagram have in common (RFC 791,
// section 2.3; RFC 8200, section 4.5).
type fragmentKey struct {
	src, dst address
	id       uint32
	vlan     uint16
	proto    uint8 // 0 in IPv6, where the first fragment alone decides
	is6      bool
}

// fragmented is a datagram of which something is missing.
type fragmented struct {
	key     fragmentKey
	pieces  segments
	total   int // length, -1 until the last fragment came
	covered int
	count   int // fragments in it
	due     int64
	proto   uint8
	ttl     uint8
	newer   *fragmented
}

// maxFragments is how many fragments one datagram may come in.
const maxFragments = 128

// fragments puts the datagrams of one shard together. Bytes that came first
// are kept where fragments overlap, which is counted. All datagrams have the
// same time, so that the oldest is the first to go in every respect.
type fragments struct {
	sets           map[fragmentKey]*fragmented
	oldest, newest *fragmented
	bytes          int
	maxBytes       int
	maxSets        int
	age            int64
	pool           segmentPool
	whole          []byte
}

func (f *fragments) next() int64 {
	if f.oldest == nil {
		return never
	}
	return f.oldest.due
}

// add takes a fragment. If it completes the datagram, g becomes that datagram
// and add returns true.
func (f *fragments) add(g *datagram, vlan uint16, clock int64, st *Stats) bool {
	end := g.offset + len(g.payload)
	if len(g.payload) == 0 || end > 0xffff || g.more && len(g.payload)%8 != 0 {
		st.Fragments++
		st.FragmentsRefused++
		return false
	}
	key := fragmentKey{src: g.src, dst: g.dst, id: g.id, vlan: vlan, is6: g.is6}
	if !g.is6 {
		key.proto = g.proto
	}
	set := f.sets[key]
	if set == nil {
		if len(f.sets) >= f.maxSets {
			f.evict(st)
		}
		set = &fragmented{key: key, total: -1, due: clock + f.age}
		if f.sets == nil {
			f.sets = make(map[fragmentKey]*fragmented)
		}
		f.sets[key] = set
		if f.newest != nil {
			f.newest.newer = set
		} else {
			f.oldest = set
		}
		f.newest = set
	}
	refuse := set.count >= maxFragments || set.total >= 0 && end > set.total
	if !g.more && !refuse {
		refuse = set.total >= 0 && set.total != end || set.reach() > end
	}
	if refuse {
		st.Fragments++
		st.FragmentsRefused++
		return false
	}
	if !g.more {
		set.total = end
	}
	if g.offset == 0 {
		set.proto, set.ttl = g.proto, g.ttl
	}
	before := set.pieces.bytes
	there, _ := set.pieces.insert(&f.pool, uint32(g.offset), g.payload)
	f.bytes += set.pieces.bytes - before
	set.count++
	set.covered += len(g.payload) - there
	if there > 0 {
		st.FragmentOverlaps++
	}
	if set.covered != set.total {
		st.Fragments++
		for f.bytes > f.maxBytes && f.oldest != nil {
			f.evict(st)
		}
		return false
	}
	f.whole = f.whole[:0]
	for p := set.pieces.first; p != nil; p = p.next {
		f.whole = append(f.whole, p.data...)
	}
	g.payload, g.cut, g.fragment = f.whole, 0, false
	g.proto, g.ttl = set.proto, set.ttl
	st.Reassembled++
	st.FragmentsUsed += uint64(set.count - 1)
	f.remove(set)
	return true
}

// reach is where the last piece ends.
func (s *fragmented) reach() int {
	end := 0
	for p := s.pieces.first; p != nil; p = p.next {
		end = int(p.end())
	}
	return end
}

// evict lets the oldest go.
func (f *fragments) evict(st *Stats) {
	st.FragmentsEvicted += uint64(f.oldest.count)
	f.remove(f.oldest)
}

// expire lets go what is due.
func (f *fragments) expire(clock int64, st *Stats) {
	for f.oldest != nil && f.oldest.due <= clock {
		st.FragmentsExpired += uint64(f.oldest.count)
		f.remove(f.oldest)
	}
}

func (f *fragments) remove(set *fragmented) {
	delete(f.sets, set.key)
	f.bytes -= set.pieces.bytes
	for set.pieces.first != nil {
		f.pool.put(set.pieces.pop())
	}
	if f.oldest == set {
		f.oldest = set.newer
		if f.oldest == nil {
			f.newest = nil
		}
		return
	}
	for s := f.oldest; s != nil; s = s.newer {
		if s.newer == set {
			s.newer = set.newer
			if f.newest == set {
				f.newest = s
			}
			return
		}
	}
}
