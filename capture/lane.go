package capture

// lane is the way of one handler's share of the traffic: of the shards whose
// number is its own modulo how many lanes there are. One goroutine at a time
// works on it.
type lane struct {
	handler  Handler
	settings *Settings
	index    int
	shards   []*shard       // those that saw a packet, by number
	of       [Shards]*shard // by number
	stats    Stats
	easing   bool   // what an Easer was told
	down     uint64 // what a Hearer was told
	deaf     bool
	clock    int64     // the watermark
	called   bool      // the handler was given something since its last Advance
	begun    bool      // the handler was advanced before
	wake     [2]*int64 // a Waker's, or nothing
	next     int64     // when the handler asked to be advanced, 0 for never
	touched  byte
	due      int64 // when a shard has something to do, or before
}

// group is how many packets are touched before they are looked at.
const group = 64

// touch reads from each cache line of the beginning of a packet. The packets of
// a lane lie scattered: read one by one, each would keep the processor waiting,
// while it fetches those of a group side by side.
func touch(data []byte) (sum byte) {
	if len(data) > 64 {
		sum = data[64]
	}
	if len(data) > 0 {
		sum += data[0]
	}
	return sum
}

func newLane(set *Settings, h Handler, index int) *lane {
	l := &lane{handler: h, settings: set, index: index, due: never}
	if w, ok := h.(Waker); ok {
		l.wake = w.Wake()
	}
	return l
}

// batch takes the packets of a batch that are this lane's.
func (l *lane) batch(b *Batch) {
	l.ease(b.Pressed)
	l.hear(b)
	share := b.shares[l.index]
	for len(share) > 0 {
		group := share[:min(group, len(share))]
		var sum byte // in a register, so that no reading waits for another
		for _, i := range group {
			sum += touch(b.Packets[i].Data)
		}
		l.touched += sum
		for _, i := range group {
			l.packet(&b.Packets[i])
		}
		share = share[len(group):]
	}
	l.advance(b.Clock)
	l.clock = b.Clock
}

// hear tells a Hearer what a batch says.
func (l *lane) hear(b *Batch) {
	if b.Down == l.down && b.Deaf == l.deaf {
		return
	}
	l.down, l.deaf = b.Down, b.Deaf
	if h, ok := l.handler.(Hearer); ok {
		h.Hear(b.Down, b.Deaf, l.clock)
	}
}

// ease tells an Easer what a batch says.
func (l *lane) ease(on bool) {
	if on == l.easing {
		return
	}
	l.easing = on
	if h, ok := l.handler.(Easer); ok {
		h.Ease(on)
	}
}

// share routes the packets and lists those of each lane.
func (b *Batch) share(lanes int) {
	for len(b.shares) < lanes {
		b.shares = append(b.shares, nil)
	}
	var of [Shards]uint8
	for i := range of {
		of[i] = uint8(i % lanes)
	}
	for i := range b.shares {
		b.shares[i] = b.shares[i][:0]
	}
	for i := range b.Packets {
		p := &b.Packets[i]
		p.route()
		s := &b.shares[of[p.shard]]
		*s = append(*s, uint16(i))
	}
}

// packet takes one routed packet. All that is due by its clock comes first, so
// that it does not matter where batches end.
func (l *lane) packet(p *Packet) {
	if p.Clock >= l.due {
		l.fire(p.Clock)
	}
	if l.wants(p.Clock) {
		l.called, l.begun = false, true
		l.next = l.handler.Advance(p.Clock)
	}
	s := l.of[p.shard]
	if s == nil {
		s = newShard(l.settings, &l.stats, l.handler, &l.called)
		l.of[p.shard] = s
		l.shards = l.shards[:0]
		for _, s := range l.of {
			if s != nil {
				l.shards = append(l.shards, s)
			}
		}
	}
	s.packet(p)
	if due := s.due(); due < l.due {
		l.due = due
	}
}

// wants tells whether the handler wants to be advanced to clock.
func (l *lane) wants(clock int64) bool {
	if l.wake[0] == nil || !l.begun {
		// What it was given may have made it want to be called earlier.
		return l.called || l.next != 0 && clock >= l.next
	}
	a, b := *l.wake[0], *l.wake[1]
	return a != 0 && clock >= a || b != 0 && clock >= b
}

// fire does what is due by clock, in order of time, the handler's time-outs
// before capture's of the same time.
func (l *lane) fire(clock int64) {
	for {
		var first *shard
		l.due = never
		for _, s := range l.shards {
			if due := s.due(); due < l.due {
				first, l.due = s, due
			}
		}
		if l.due > clock {
			return
		}
		l.called = false
		l.next = l.handler.Advance(l.due)
		first.fire()
	}
}

// advance ends a batch.
func (l *lane) advance(clock int64) {
	if clock >= l.due {
		l.fire(clock)
	}
	l.called = false
	l.next = l.handler.Advance(clock)
}

// finish closes everything at the end of the input.
func (l *lane) finish(clock int64) {
	for _, s := range l.shards {
		s.finish(clock)
	}
	l.handler.Advance(clock)
}
