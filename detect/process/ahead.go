package process

import (
	"math"

	"github.com/weir-ics/weir/detect"
)

// Ahead is how many values are looked at ahead at best: what twice as many need has no
// room in the first level of the cache.
const Ahead = 32

// LookAhead looks at what some values will need when they are read, one kind of
// thing after the other; it changes nothing. On a large site nearly all of that
// is in no cache, and the processor fetches what one of these loops asks for at
// the same time, instead of one after the other as the values are read. That
// takes a third off the time of a replay of 34,400 points.
func (e *Engine) LookAhead(values []detect.Value) {
	var found [Ahead]*point
	points := found[:0]
	values = values[:min(len(values), Ahead)]
	for i := range values {
		points = append(points, e.numbered(values[i].Series))
	}
	sum := uint64(0)
	for _, p := range points {
		if p != nil {
			sum += math.Float64bits(p.value)
		}
	}
	for _, p := range points {
		if p == nil {
			continue
		}
		if f := p.profile; f != nil {
			sum += uint64(f.n)
		} else if t := p.tally; t != nil {
			sum += uint64(t.n)
		}
		if b := p.block; b != nil {
			sum += uint64(b.sleep[p.place].done)
		}
		sum += uint64(p.member) + uint64(p.interval)
	}
	for _, p := range points {
		if p == nil {
			continue
		}
		if f := p.profile; f != nil {
			if f.shape != noShape {
				sum += math.Float64bits(f.low) + math.Float64bits(f.lattice) + uint64(f.noise.n)
			}
			if len(f.states) > 0 {
				sum += math.Float64bits(f.states[0].value)
			}
		}
		if r := p.replay; r != nil {
			sum += r.n + uint64(len(r.places))
		}
		if y := p.payload; y != nil {
			sum += uint64(y.n) + uint64(y.start)
		}
		if len(p.alarms) > 0 {
			sum += uint64(p.alarms[0].good)
		}
	}
	for i, p := range points {
		if p != nil && p.replay != nil {
			sum += uint64(p.replay.lookAhead(values[i].Value))
		}
	}
	e.looked = uint32(sum)
}
