package process

import "math"

// What lies far outside of all that learning saw is told, but explains nothing: a
// forged level of 6.5e10 m would else make all that it explains expected to be as
// impossible, and the members of its relation would all be as far from that.

// ordinary is how many deviations from its mean a value may be without being looked at
// twice.
const ordinary = 8

// beyond is how many times as wide as what was seen in learning the range on either
// side of it is in which a value explains. Ordinary life gets as far as twice.
const beyond = 10

// believable is the last row of r as it explains: what is not to be believed is as it
// was in the row before.
func (r *relation) believable() []float64 {
	if r.told == nil {
		r.told = make([]float64, len(r.now))
	}
	for j := range r.members {
		m := &r.members[j]
		r.told[j] = r.now[j]
		if m.point.believable(r.now[j], m.mean, m.spread, m.drifting) {
			continue
		}
		r.told[j] = 0
		if !m.drifting && r.filled > 0 {
			r.told[j] = r.past[0][j]
		}
	}
	return r.told
}

// believable tells whether a standardised value of p, or its change, is near what was
// seen.
func (p *point) believable(z, mean, spread float64, change bool) bool {
	if p.profile == nil || math.Abs(z) <= ordinary {
		return true
	}
	low, high := p.profile.seen()
	margin := beyond * (high - low)
	low, high = low-margin, high+margin
	if change {
		low, high = low-high, high-low
	}
	return low <= z*spread+mean && z*spread+mean <= high
}
