package process

import "math"

// rest tells how many readings that leave p as it is may be let pass before
// something can come of one, and after which time each may. What those readings
// do to the models is made good by repeat. same tells that the last one was such
// a reading.
func (e *Engine) rest(p *point, same bool) (readings uint32, until int64) {
	f := p.profile
	if !p.paced || f == nil && e.watching {
		return 0, never
	}
	n := uint64(longSleep)
	for i := range p.alarms {
		// What an unchanged value keeps bad is only counted until it is told
		// again. Noise is not judged at each report.
		c := &p.alarms[i]
		if !same || !c.held || c.commanded || c.kind == KindNoise {
			return 0, never
		}
		n = min(n, c.next-c.times-1)
	}
	if y := p.payload; y != nil && !y.restful() {
		return 0, never
	}
	until = never
	if f == nil {
		return uint32(n), until
	}
	switch f.nature {
	case natureConstant, natureState:
		if f.moves && !p.alarming(KindDwell) {
			until = p.dwellsUntil()
		}
	case natureCounter:
		if f.rest > 0 && !p.alarming(KindCounter) {
			until = p.changed + f.rest
		}
	case natureContinuous, natureDrifting:
		if f.rest > 0 && f.lattice == 0 && !p.alarming(KindStuck) {
			until = p.changed + f.rest
		}
		if f.noiseLow < f.noiseHigh && !p.disturbed() {
			n = min(n, uint64(noiseLength+1-f.noise.n))
		}
		if f.pace > 0 {
			n = min(n, maxDrift)
		}
	}
	return uint32(n), until
}

// maxDrift is through how many readings a point sleeps at most whose level is
// followed: they are followed one by one.
const maxDrift = 256

// dwellsUntil is how long a state may be as it is.
func (p *point) dwellsUntil() int64 {
	for _, s := range p.profile.states {
		if near(s.value, p.value) {
			if s.visits < enoughVisits || s.dwell <= 0 {
				break
			}
			return p.changed + longDwell*s.dwell + 10*p.interval
		}
	}
	return never
}

// disturbed tells whether p's neighbours disagree with it.
func (p *point) disturbed() bool { return p.relation != nil && p.relation.alarm.active }

// repeat makes good n readings, the last of them at a time, that left p as it was and
// that rest let pass.
func (e *Engine) repeat(p *point, n uint32, at int64) {
	if t := p.tally; t != nil {
		t.n += n
		t.looked += n
		t.last = at
	}
	for i := range p.alarms {
		p.alarms[i].times += uint64(n)
	}
	if y := p.payload; y != nil {
		y.repeat(int(n))
	}
	f := p.profile
	if f == nil || f.nature != natureContinuous && f.nature != natureDrifting {
		return
	}
	if r := p.replay; r != nil && math.Abs(p.value/r.grid) <= math.MaxInt32>>(dwellBits+1) {
		r.dwell = int32(min(int64(r.dwell)+int64(n), math.MaxInt32))
	}
	if f.pace > 0 && !p.alarming(KindRange) && !p.disturbed() {
		for range n {
			f.drift += f.pace * cut((p.value-f.center-f.drift)/f.spread, 1)
		}
	}
	if f.noiseLow < f.noiseHigh {
		if p.disturbed() {
			f.noise = noise{}
			return
		}
		f.noise.repeat(p.value, n)
	}
}
