package process

import (
	"fmt"
	"math"

	"github.com/weir-ics/weir/detect"
	"github.com/weir-ics/weir/protocols"
)

// replay finds stretches of a point's values that repeat an earlier stretch too
// exactly to be chance.
//
// Values are put on a grid a quarter as wide as what the other points leave
// unexplained. Only changes count, each with how long the value before it had
// lasted: a value that flickers between two steps is no pattern. When the last window changes were seen
// before, the two stretches are followed side by side. By the law of the longest
// run (Erdős and Rényi 1970), among m earlier places chance lets a run reach
// length l with a probability of about m*q^l, where q is the probability that a
// run goes on by one; q is learned, and goes on being learned.
type replay struct {
	// What each value needs comes first, in two cache lines.
	//
	// grid is the width of the grid, held the value now, for dwell samples.
	grid  float64
	held  int32
	dwell int32
	// n is how many marks there were, run the length in marks of a run that is
	// followed.
	n, run uint64
	// latest are the last marks, the newest first: values on the grid with their
	// dwell. marks holds those before too, places leads from the hash of a window to
	// its last mark. Both are rings of the same size, made with the first value:
	// nothing moves while a baseline is loaded, which is when memory is short.
	latest [window - 1]int32
	size   uint32
	// zero is the time of the first mark.
	zero   int64
	marks  []mark
	places []place
	// Of all runs: how many windows came again, among how many pairs of places;
	// how often runs went on and ended.
	pairs, again, on, ended float64
	// lag is how many marks before the run the other one is, began when it did;
	// needed is how long it must be to be no chance, chance the false-alarm probability
	// of a value.
	lag, needed uint64
	began       int64
	chance      float64
	_           [3]uint64 // the allocator begins what has 192 octets at a cache line
}

// mark is a value on the grid with its dwell, and its time in seconds since the first.
type mark struct {
	value int32
	when  uint32
}

// place is the number of a mark, modulo 2^placeBits, and the upper bits of the hash
// of the window that ends there. A ring is shorter than that, and a window that is
// overwritten there came before the one that did it: so what is looked up is where
// such a window was last, or something else, and what has other upper bits need not be
// compared.
type place uint16

const (
	// window is how many changes make a place worth looking at.
	window        = 4
	maxReplayRing = 1024
	minReplayRing = 256
	// placeBits is enough for twice the largest ring.
	placeBits = 11
	// A run counts towards q no more than this, so that a replay does not teach
	// that replays are normal.
	maxTaught = 8
	// enoughMarks is how many changes show how often stretches agree by chance.
	enoughMarks = 512
	// dwellBits hold for how many samples a value lasted.
	dwellBits = 3
)

// replayBytes is the memory that a replay with a ring takes, the same for any
// processor: a mark is 10 octets.
func replayBytes(ring int) int { return 192 + (4+4+2)*ring }

func newReplay(grid, chance float64, ring int) *replay {
	return &replay{grid: grid, chance: chance, size: uint32(ring), needed: 1 << 62}
}

// need is how long a run must be to be no chance.
func (r *replay) need() uint64 {
	q1 := math.Pow((r.again+1)/(r.pairs+1), 1.0/window)
	q := (r.on + 2*q1) / (r.on + r.ended + 2)
	q = math.Min(0.98, math.Max(q, q1))
	if r.n < enoughMarks {
		// Few values were seen, and smooth ones agree more often than others.
		q = math.Max(q, 0.5)
	}
	return max(window+2, uint64(math.Ceil(math.Log(float64(r.size)/r.chance)/-math.Log(q))))
}

// onGrid puts a value on the grid; ok tells whether it has a place there.
func (r *replay) onGrid(v float64) (value int32, ok bool) {
	x := v / r.grid
	return int32(math.RoundToEven(x)), math.Abs(x) <= math.MaxInt32>>(dwellBits+1)
}

// add takes the next value. It tells whether the values are a replay now.
func (r *replay) add(v float64, at int64) bool {
	value, ok := r.onGrid(v)
	if !ok {
		return false
	}
	if r.n == 0 {
		r.marks, r.places = make([]mark, r.size), make([]place, r.size)
		r.zero = at
	} else if value == r.held {
		r.dwell++
		return r.run > 0 && r.run >= r.needed
	}
	now := r.next(value)
	r.held, r.dwell = value, 0
	last := r.n
	r.marks[r.at(last)] = mark{now, uint32(max(0, at-r.zero) / 1e9)}
	r.n++
	if r.run > 0 {
		if r.lag < uint64(r.size) && r.marks[r.at(last-r.lag)].value == now {
			r.run++
			if r.run-window <= maxTaught {
				r.on++
			}
		} else {
			r.ended++
			r.run = 0
		}
	}
	before := r.latest
	r.latest = [...]int32{now, before[0], before[1]}
	if r.n < window {
		return false
	}
	h := hashOf(now, before)
	slot := &r.places[r.slot(h)]
	found := *slot
	*slot = windowAt(last, h)
	if r.run == 0 && (found^*slot)>>placeBits == 0 {
		lag := uint64(*slot-found) % (1 << placeBits)
		if lag > 0 && lag+window < min(uint64(r.size), r.n) && r.same(last, lag) {
			r.lag, r.run, r.began = lag, window, at
			r.again++
			r.needed = r.need()
		}
	}
	r.pairs += float64(min(r.n, uint64(r.size)))
	return r.run > 0 && r.run >= r.needed
}

// lookAhead looks at where the window that ends with a value has its place.
func (r *replay) lookAhead(v float64) place {
	value, ok := r.onGrid(v)
	if !ok || value == r.held || r.n < window {
		return 0
	}
	return r.places[r.slot(hashOf(r.next(value), r.latest))]
}

// next is the mark that a value makes if it is not the one that is held.
func (r *replay) next(value int32) int32 {
	return value<<dwellBits | min(r.dwell, 1<<dwellBits-1)
}

// at is the place of a number in the rings.
func (r *replay) at(n uint64) uint64 {
	if size := uint64(r.size); size&(size-1) == 0 {
		return n & (size - 1) // a division takes as long as all else
	}
	return n % uint64(r.size)
}

// slot is where the place of a window with a hash is.
func (r *replay) slot(h uint32) uint64 { return r.at(uint64(h)) }

// hashOf is the hash of a window that ends with a mark.
func hashOf(now int32, before [window - 1]int32) uint32 {
	h := (2166136261 ^ uint32(now)) * 16777619
	h ^= h >> 15
	for _, m := range before {
		h = (h ^ uint32(m)) * 16777619
		h ^= h >> 15
	}
	return h
}

// windowAt is the place of a window with a hash that ends with a mark of a number.
func windowAt(n uint64, h uint32) place {
	return place(h>>(32-(16-placeBits))<<placeBits) | place(n%(1<<placeBits))
}

// same compares the last window with that lag marks before.
func (r *replay) same(last, lag uint64) bool {
	for k := range uint64(window) {
		if r.marks[r.at(last-k)].value != r.marks[r.at(last-lag-k)].value {
			return false
		}
	}
	return true
}

// fitReplays makes the replay models from the history of t, and lets go of that point
// by point: of a large site it is twice as large as the models.
func (e *Engine) fitReplays(t *ticker, budget float64) {
	var points []*point
	for i, p := range t.points {
		if p == nil || p.ticker != t || int(p.column) != i || p.profile == nil {
			continue
		}
		if n := p.profile.nature; n == natureContinuous || n == natureDrifting {
			points = append(points, p)
		}
	}
	var taught []*point
	for _, p := range points {
		if e.replays+replayBytes(minReplayRing) > e.settings.ReplayBytes {
			e.stats.Unreplayed++
			continue
		}
		ring := maxReplayRing
		for ring > minReplayRing && replayBytes(ring)*len(points) > e.settings.ReplayBytes {
			ring /= 2
		}
		p.own().replay = newReplay(0, math.Min(0.01, budget*float64(t.interval)/1e9), ring)
		e.replays += replayBytes(ring)
		taught = append(taught, p)
	}
	sideBySide(len(taught), func(i int) {
		p := taught[i]
		values := t.history.columns[p.column].series()
		p.replay.grid = p.gridOf(values)
		for k, v := range values {
			p.replay.add(v, t.history.times[len(t.history.times)-len(values)+k])
		}
		p.replay.run = 0
		t.history.columns[p.column] = column{}
	})
}

// gridOf is the step below which two values of p count as the same.
func (p *point) gridOf(values []float64) float64 {
	grid := p.profile.grain
	if r := p.relation; r != nil {
		m := &r.members[p.member]
		grid = m.scale * m.spread
	}
	floor := accuracy * (p.profile.seenHigh - p.profile.seenLow)
	return math.Max(grid/4, floor/16+1e-9)
}

// judgeReplay takes a report of p in.
func (e *Engine) judgeReplay(p *point, s *detect.Sample) {
	r := p.replay
	bad := r.add(s.Value, s.Time) && p.profile.lattice == 0
	if bad || p.alarming(KindReplayed) {
		e.holdSince(p, s, KindReplayed, bad, 1, r.began, func() words { return replayWords(p, r, s.Time) })
	}
}

func replayWords(p *point, r *replay, at int64) words {
	last := r.n - 1
	ago := int64(r.marks[r.at(last)].when-r.marks[r.at(last-r.lag)].when) * 1e9
	// What is just beyond chance may be a value at rest.
	severity := protocols.Severity(0)
	switch {
	case 4*r.run < 5*r.needed:
		severity = protocols.Low
	case 2*r.run < 3*r.needed:
		severity = protocols.Medium
	}
	return words{severity: severity,
		score:    float64(r.run) / float64(r.needed) * -math.Log10(r.chance),
		title:    "The values of " + p.name() + " repeat themselves",
		observed: fmt.Sprintf("The last %d changes of %s are those of %s before.", r.run, p.name(), span(ago)),
		expected: fmt.Sprintf("Chance lets at most %d changes repeat.", r.needed-1),
		explanation: fmt.Sprintf("Since %s ago %s shows exactly what it showed %s earlier, %d changes in a row; by chance no more than %d would agree. A recording may be played back.",
			span(max(0, at-r.began)), p.name(), span(ago), r.run, r.needed-1),
	}
}
