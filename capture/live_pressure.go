package capture

import "time"

// pressure decides when packets come faster than they can be worked on: when
// half of a ring is in use, as it is after a burst that is still well within
// what the ring was made for. It is over when no more than a quarter was in use
// for a while, so that it does not go on and off with every burst.
type pressure struct {
	on   bool
	room bool          // there is room, since
	from time.Duration // this moment
}

const (
	pressedFrom  = 0.5
	pressedBelow = 0.25
	// pressedFor is how long there has to be room before it is over.
	pressedFor = 10 * time.Second
)

// judge takes in how full the fullest ring is (0 to 1) at a moment, and tells
// whether there is pressure.
func (p *pressure) judge(used float64, now time.Duration) bool {
	switch {
	case used >= pressedFrom:
		p.on, p.room = true, false
	case used > pressedBelow:
		p.room = false
	case !p.room:
		p.room, p.from = true, now
	case now-p.from >= pressedFor:
		p.on = false
	}
	return p.on
}
