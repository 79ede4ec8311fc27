package capture

import (
	"math"
	"time"
)

// A packet whose time is far ahead is looked at together with those that follow, so
// that one wrong time does not carry the watermark away from all the rest: time-outs
// would fire at once, and none again until the time has caught up. What follows is
// read ahead for it, which only a jump has to pay for, and then given in its turn; so
// where a pause in a capture is real, all is as if nobody had looked.

const (
	// farAhead is how far the watermark moves at once without question.
	farAhead = int64(time.Minute)
	// witnesses is how many of the packets that follow are asked.
	witnesses = 64
	// disorder is how much earlier than a packet one that follows may be.
	disorder = int64(time.Second)
	// longestPause is the longest pause within one file that is believed. Nobody
	// captures so long with nothing to see; but clocks without a battery begin in
	// 1970 or 2000, until somebody sets them.
	longestPause = int64(365 * 24 * time.Hour)
)

// noClock is the watermark before the first packet: any time is far ahead of it.
const noClock = math.MinInt64

// ClockJump is a place where the clock of the host that captured was set forward, and
// not a pause.
type ClockJump struct {
	// At is the watermark before it, By how far it jumped, in nanoseconds.
	At, By int64
}

// held is a packet that was read ahead of its turn, and what it aliases.
type held struct {
	Packet
	block *block
}

// readAhead is a queue of packets that were.
type readAhead struct {
	ring  [witnesses]held
	first int
	n     int
}

func (a *readAhead) at(i int) *held { return &a.ring[(a.first+i)%witnesses] }

// take moves the first into a batch.
func (a *readAhead) take(b *Batch) *Packet {
	h := a.at(0)
	b.hold(h.block)
	h.block.release()
	p := b.add()
	*p = h.Packet
	*h = held{}
	a.first, a.n = (a.first+1)%witnesses, a.n-1
	return p
}

// drop lets go of all.
func (a *readAhead) drop() {
	for i := range a.n {
		a.at(i).block.release()
	}
	*a = readAhead{}
}

// jump moves the watermark to the time of a packet that is far ahead of it, unless it
// is alone with that.
func (s *Files) jump(p *Packet) {
	for s.ahead.n < witnesses {
		h := s.ahead.at(s.ahead.n)
		if h.block = s.pull(&h.Packet); h.block == nil {
			break
		}
		h.block.refs.Add(1)
		s.ahead.n++
	}
	if s.clock == noClock {
		s.clock = s.begin(p)
		return
	}
	if s.alone(p) {
		return
	}
	if p.Time-longestPause > s.clock && s.sameFile(p.Interface, s.from) {
		by := p.Time - s.clock
		if by < 0 { // a file can say that it is from before the year 1700
			by = math.MaxInt64
		}
		s.jumps = append(s.jumps, ClockJump{At: s.clock, By: by})
		s.jumped.Add(1)
	}
	s.clock = p.Time
}

// alone tells that more packets that follow are earlier than not, however many are
// asked, from three on: where packets are seldom, the time of one that is a minute
// ahead has come before the last of them.
func (s *Files) alone(p *Packet) bool {
	against := 0
	for i := range s.ahead.n {
		if s.ahead.at(i).Time < p.Time-disorder {
			against++
		}
		if asked := i + 1; 2*against > asked && asked >= min(3, s.ahead.n) {
			return true
		}
	}
	return false
}

// begin is the watermark at the first packet. Nothing came before it, so it takes many
// to say that it is the one that is wrong.
func (s *Files) begin(p *Packet) int64 {
	against, other := 0, int64(0)
	for i := range s.ahead.n {
		if t := s.ahead.at(i).Time; t < p.Time-farAhead {
			if against++; against == 1 {
				other = t
			}
		}
	}
	if 2*against > witnesses {
		return other
	}
	return p.Time
}

func (s *Files) sameFile(a, b uint16) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.interfaces[a].File == s.interfaces[b].File
}
