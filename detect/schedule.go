package detect

import (
	"math"
	"sync/atomic"
	"time"
)

// Schedule says from when on all shards and the site watch instead of learn. It
// is one for all of them, so that the switch comes at the same packet time for
// any number of workers. Begin must be called before a shard sees an event; after
// that only a jump of the clock changes it.
type Schedule struct {
	learn time.Duration
	begun bool
	// from is read beside Begin, for what comes before the first packet.
	from atomic.Int64
	// jumped is what of the time up to from did not pass.
	jumped atomic.Int64
}

const never = math.MaxInt64

// LearnFor learns for a duration of packet time from the first packet on, then
// watches.
func LearnFor(d time.Duration) *Schedule {
	s := &Schedule{learn: d}
	s.from.Store(never)
	return s
}

// LearnOnly never watches.
func LearnOnly() *Schedule { return begun(never) }

// WatchOnly watches from the first packet on.
func WatchOnly() *Schedule { return begun(-never) }

func begun(from int64) *Schedule {
	s := &Schedule{begun: true}
	s.from.Store(from)
	return s
}

// Begin tells the clock of the first packet. Only the first call counts.
func (s *Schedule) Begin(clock int64) {
	if s.begun {
		return
	}
	s.begun = true
	s.from.Store(clock + int64(s.learn))
}

// Jump tells that the clock was set forward by so many nanoseconds where it was at:
// what lies between did not pass, so it is not a part of the duration. It may be called
// while shards are busy, because it only moves an end that none has come to.
func (s *Schedule) Jump(at, by int64) {
	from := s.from.Load()
	if s.learn == 0 || from == never || at >= from {
		return
	}
	by = min(by, never-1-from)
	s.jumped.Add(by)
	s.from.Store(from + by)
}

// Jumped is how much [Schedule.Jump] took out of the duration, in nanoseconds.
func (s *Schedule) Jumped() int64 { return s.jumped.Load() }

// WatchFrom is the clock from which on is watched; the largest int64 if never.
func (s *Schedule) WatchFrom() int64 { return s.from.Load() }

func (s *Schedule) watching(clock int64) bool { return clock >= s.from.Load() }

// BeginAgain lets the learning begin at a clock after that of Begin, as when there was
// nothing to learn before. now is the watermark. It must be called while no shard is in
// use, and does nothing before Begin, when watching has begun, or if the schedule is not
// one of LearnFor.
func (s *Schedule) BeginAgain(now, at int64) {
	if from := s.from.Load(); from != never && from > now && at+int64(s.learn) > from {
		s.from.Store(at + int64(s.learn))
	}
}

// WatchAt ends the learning at a clock that no shard has reached yet, as when a
// running sensor finds that it has learned enough (see [Site.Unseen]). It must be
// called between steps; whoever calls it keeps the clock, so that the same can
// be done again in a replay.
func (s *Schedule) WatchAt(clock int64) {
	s.begun, s.learn = true, 0
	s.from.Store(clock)
}
