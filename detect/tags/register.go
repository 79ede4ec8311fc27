package tags

import (
	"math"
	"math/bits"

	"github.com/weir-ics/weir/protocols"
)

// register is what is gathered of one register to infer its type, in constant
// memory.
type register struct {
	n       uint32
	changes uint32
	last    uint16
	low     uint16
	high    uint16
	// zeros is how often the value was 0.
	zeros uint32
	// Moves as signed 16-bit differences: how many went up and down, and the sum
	// of their sizes; raw is the sum of the sizes without running over.
	ups, downs uint32
	size, raw  float64
	// crossings is how often the value went over from 0xFFFF to 0 or back by a
	// small move.
	crossings uint32
	// flips is how often exactly one bit changed, toggled which bits ever did.
	flips   uint32
	toggled uint16
	// notBCD is how often some digit was above 9; low4 which last digits there
	// were.
	notBCD uint32
	low4   uint16
	// states holds the first different values.
	states  [inferStates]uint16
	nStates uint8
	// pairs are what is gathered of this register with the next, an order each.
	next [numOrders]pair
	both uint32
	// bothZero is how often both were 0.
	bothZero uint32
	// combos are the first different values of this register with the next.
	combos  [inferStates]uint32
	nCombos uint8
	// swappedLow and swappedHigh are the range with the octets exchanged.
	swappedLow, swappedHigh uint16
	swappedSize             float64
}

// inferStates is how many different values are looked at one by one.
const inferStates = 6

// pair is what is gathered of two neighbouring registers read in one order.
type pair struct {
	// When the upper half moves by one, the lower half of a number has gone the
	// other way, past its end; that of a stranger goes either way.
	with, against uint32
	// wide is how often the upper half moved by more than one: then the lower
	// half tells little.
	wide uint32
	// alone is how often the upper half moved and the lower did not.
	alone uint32
	// floats is how often the two made a plausible floating-point number, zeros
	// how often they were both 0.
	floats uint32
	last   uint32
	// tried is how many of the first values were looked at for being a number
	// with few digits, nice how many were.
	tried, nice uint8
}

// maxTried is how many values of a pair are looked at closely.
const maxTried = 100

// short tells whether a floating-point number has at most five decimal digits,
// as measurements and setpoints have. Of 32 bits that are chance, one in 4,000
// is like that.
func short(v uint32) bool {
	f := math.Float32frombits(v)
	if f == 0 || !plausible(v) {
		return false
	}
	scale := 1.0
	for range 5 {
		n := math.Round(float64(f) * scale)
		if math.Abs(n) >= 1e5 {
			return false
		}
		if n != 0 && float32(n/scale) == f {
			return true
		}
		scale *= 10
	}
	return false
}

// plausible tells whether 32 bits are a floating-point number that a plant has:
// from 1e-4 to 1e7 in size, or 0.
func plausible(v uint32) bool {
	if v&0x7FFFFFFF == 0 {
		return v == 0
	}
	f := math.Abs(float64(math.Float32frombits(v)))
	return f >= 1e-4 && f <= 1e7
}

// observe takes the register's value, and that of the next if it came with it.
func (r *register) observe(v uint16, next uint16, hasNext bool) {
	s := swap16(v)
	if r.n == 0 {
		r.low, r.high, r.swappedLow, r.swappedHigh = v, v, s, s
	} else if v != r.last {
		r.changes++
		d := int16(v - r.last)
		if d > 0 {
			r.ups++
		} else {
			r.downs++
		}
		r.size += math.Abs(float64(d))
		r.raw += math.Abs(float64(v) - float64(r.last))
		r.swappedSize += math.Abs(float64(int16(s - swap16(r.last))))
		if (v < 0x4000 && r.last >= 0xC000 || v >= 0xC000 && r.last < 0x4000) && d > -0x2000 && d < 0x2000 {
			r.crossings++
		}
		x := v ^ r.last
		if bits.OnesCount16(x) == 1 {
			r.flips++
		}
		r.toggled |= x
	}
	r.n++
	r.last = v
	r.low, r.high = min(r.low, v), max(r.high, v)
	r.swappedLow, r.swappedHigh = min(r.swappedLow, s), max(r.swappedHigh, s)
	if v == 0 {
		r.zeros++
	}
	if math.IsNaN(bcd(uint32(v))) {
		r.notBCD++
	}
	r.low4 |= 1 << (v & 15)
	if r.nStates <= inferStates {
		known := false
		for _, k := range r.states[:min(r.nStates, inferStates)] {
			known = known || k == v
		}
		if !known {
			if r.nStates < inferStates {
				r.states[r.nStates] = v
			}
			r.nStates++
		}
	}
	if hasNext {
		r.observePair(v, next)
	}
}

func (r *register) observePair(a, b uint16) {
	for o := range r.next {
		p := &r.next[o]
		v := Order(o).join32(a, b)
		if plausible(v) {
			p.floats++
			if p.tried < maxTried && v&0xFFFF != 0 && v != p.last {
				p.tried++
				if short(v) {
					p.nice++
				}
			}
		}
		if r.both > 0 && v != p.last {
			up := int16(uint16(v>>16) - uint16(p.last>>16))
			down := int32(v&0xFFFF) - int32(p.last&0xFFFF)
			switch {
			case up != 0 && down == 0:
				p.alone++
			case up == 1 || up == -1:
				if (down < 0) == (up > 0) {
					p.with++
				} else {
					p.against++
				}
			case up != 0:
				p.wide++
			}
		}
		p.last = v
	}
	r.both++
	if a == 0 && b == 0 {
		r.bothZero++
	}
	if r.nCombos <= inferStates {
		v := uint32(a)<<16 | uint32(b)
		for _, k := range r.combos[:min(r.nCombos, inferStates)] {
			if k == v {
				return
			}
		}
		if r.nCombos < inferStates {
			r.combos[r.nCombos] = v
		}
		r.nCombos++
	}
}

// lesson holds the registers of one table that one client reads.
type lesson struct {
	registers map[uint32]*register
}

// learn gathers points[i] with the one after it.
func (x *Extractor) learn(key tableKey, points []protocols.Point, i int) {
	l := x.lesson
	if l == nil || key != x.lessonKey {
		l = x.lessons[key]
		if l == nil {
			if x.sated || x.learned >= x.settings.MaxLearned+burst {
				x.stats.Unlearned++
				return
			}
			l = &lesson{registers: make(map[uint32]*register)}
			x.lessons[key] = l
		}
		x.lessonKey, x.lesson = key, l
	}
	p := &points[i]
	r := l.registers[p.Index]
	if r == nil {
		if x.sated || x.learned >= x.settings.MaxLearned+burst {
			x.stats.Unlearned++
			return
		}
		x.learned++
		r = new(register)
		l.registers[p.Index] = r
	}
	if i+1 < len(points) && points[i+1].Kind == p.Kind && points[i+1].Index == p.Index+1 && points[i+1].Access == p.Access {
		r.observe(uint16(p.Value), uint16(points[i+1].Value), true)
	} else {
		r.observe(uint16(p.Value), 0, false)
	}
}
