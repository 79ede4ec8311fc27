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
	grid float64
	// marks holds the last values on the grid with their dwell, when their times in seconds
	// since the first; both are rings.
	marks []int32
	when  []uint32
	// places leads from the hash of a window to the number of its last value,
	// modulo 65536. All three are made with the first value, size each: nothing
	// moves while a baseline is loaded, which is when memory is short.
	places []uint16
	size   uint64
	// held is the value now, for dwell samples.
	held  int32
	dwell int32
	// n is how many marks there were; zero the time of the first.
	n    uint64
	zero int64
	// A run that is followed: its lag in marks, length and beginning.
	lag, run uint64
	began    int64
	// Of all runs: how many windows came again, among how many pairs of places;
	// how often runs went on and ended.
	again, pairs, on, ended float64
	// chance is the false-alarm probability of a value.
	chance float64
	needed uint64
}

const (
	// window is how many changes make a place worth looking at.
	window        = 4
	maxReplayRing = 1024
	minReplayRing = 256
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
	return &replay{grid: grid, chance: chance, size: uint64(ring), needed: 1 << 62}
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

// add takes the next value. It tells whether the values are a replay now.
func (r *replay) add(v float64, at int64) bool {
	x := v / r.grid
	if math.Abs(x) > math.MaxInt32>>(dwellBits+1) {
		return false
	}
	value := int32(math.RoundToEven(x))
	size := r.size
	if r.n == 0 {
		r.marks, r.when, r.places = make([]int32, size), make([]uint32, size), make([]uint16, size)
		r.zero = at
	} else if value == r.held {
		r.dwell++
		return r.run >= r.needed
	}
	mark := value<<dwellBits | min(r.dwell, 1<<dwellBits-1)
	r.held, r.dwell = value, 0
	r.marks[r.n%size] = mark
	r.when[r.n%size] = uint32(max(0, at-r.zero) / 1e9)
	r.n++
	last := r.n - 1
	if r.run > 0 {
		if r.lag < size && r.marks[(last-r.lag)%size] == mark {
			r.run++
			if r.run-window <= maxTaught {
				r.on++
			}
		} else {
			r.ended++
			r.run = 0
			r.needed = r.need()
		}
	}
	if r.n < window {
		return false
	}
	h := uint32(2166136261)
	for k := range uint64(window) {
		h = (h ^ uint32(r.marks[(last-k)%size])) * 16777619
		h ^= h >> 15
	}
	slot := &r.places[h%uint32(len(r.places))]
	if r.run == 0 {
		// The place is the latest mark with this number modulo 65536.
		if lag := uint64(uint16(last) - *slot); lag > 0 && lag+window < min(size, r.n) && r.same(last, lag) {
			r.lag, r.run, r.began = lag, window, at
			r.again++
			r.needed = r.need()
		}
	}
	r.pairs += float64(min(r.n, size))
	*slot = uint16(last)
	return r.run >= r.needed
}

// same compares the last window with that lag marks before.
func (r *replay) same(last, lag uint64) bool {
	size := r.size
	for k := range uint64(window) {
		if r.marks[(last-k)%size] != r.marks[(last-lag-k)%size] {
			return false
		}
	}
	return true
}

// fitReplays makes the replay models from the history of t, before it is let go.
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
	for _, p := range points {
		if e.replays+replayBytes(minReplayRing) > e.settings.ReplayBytes {
			e.stats.Unreplayed++
			continue
		}
		ring := maxReplayRing
		for ring > minReplayRing && replayBytes(ring)*len(points) > e.settings.ReplayBytes {
			ring /= 2
		}
		values := t.history.columns[p.column].series()
		p.own().replay = newReplay(p.gridOf(values), math.Min(0.01, budget*float64(t.interval)/1e9), ring)
		e.replays += replayBytes(ring)
		for k, v := range values {
			p.replay.add(v, t.history.times[len(t.history.times)-len(values)+k])
		}
		p.replay.run = 0
	}
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
	size := r.size
	last := r.n - 1
	ago := int64(r.when[last%size]-r.when[(last-r.lag)%size]) * 1e9
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
