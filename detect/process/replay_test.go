package process

import (
	"math/rand/v2"
	"testing"
)

// plainReplay finds runs by what a ring holds alone: of all windows with the same
// place in the table of hashes, the latest is held against the last one.
type plainReplay struct {
	ring, n, held  int
	dwell          int32
	marks          []int32
	latest         map[uint32]int
	lag, run       int
	again, on, end float64
}

func (x *plainReplay) add(value int32) {
	if x.n > 0 && value == int32(x.held) {
		x.dwell++
		return
	}
	mark := value<<dwellBits | min(x.dwell, 1<<dwellBits-1)
	x.held, x.dwell = int(value), 0
	x.marks = append(x.marks, mark)
	last := x.n
	x.n++
	if x.run > 0 {
		if x.marks[last-x.lag] == mark {
			x.run++
			if x.run-window <= maxTaught {
				x.on++
			}
		} else {
			x.end++
			x.run = 0
		}
	}
	if x.n < window {
		return
	}
	h := hashOf(mark, [...]int32{x.marks[last-1], x.marks[last-2], x.marks[last-3]}) % uint32(x.ring)
	if at, known := x.latest[h]; known && x.run == 0 && last-at+window < min(x.ring, x.n) {
		same := true
		for k := range window {
			same = same && x.marks[last-k] == x.marks[at-k]
		}
		if same {
			x.lag, x.run = last-at, window
			x.again++
		}
	}
	x.latest[h] = last
}

func TestAWindowIsLookedUpWhereItWasLast(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	// Rings whose size is no power of two come from no baseline of ours, but may.
	for _, ring := range []int{minReplayRing, 300, maxReplayRing} {
		for _, values := range []int{3, 12, 300} {
			r := newReplay(1, 0.01, ring)
			x := &plainReplay{ring: ring, latest: make(map[uint32]int)}
			for i := range 30_000 {
				v := int32(random.IntN(values))
				if i%5000 > 3000 && len(x.marks) > 600 {
					v = x.marks[len(x.marks)-100-i%2] >> dwellBits // some of what was before
				}
				slot := -1 // what is looked at ahead
				if now, _ := r.onGrid(float64(v)); r.n >= window && now != r.held {
					slot = int(r.slot(hashOf(r.next(now), r.latest)))
				}
				was := append([]place(nil), r.places...)
				r.add(float64(v), int64(i)*1e9)
				for k := range was {
					if r.places[k] != was[k] && k != slot && slot >= 0 {
						t.Fatalf("the place of a window is %d, and %d was looked at ahead", k, slot)
					}
				}
				x.add(v)
				if int(r.run) != x.run || x.run > 0 && int(r.lag) != x.lag || r.again != x.again || r.on != x.on || r.ended != x.end {
					t.Fatalf("ring of %d, %d values: at %d a run of %d %d before (%g began, %g ended, %g went on), want %d %d before (%g, %g, %g)",
						ring, values, i, r.run, r.lag, r.again, r.ended, r.on, x.run, x.lag, x.again, x.end, x.on)
				}
			}
			if x.again == 0 && values < 300 {
				t.Errorf("ring of %d, %d values: nothing came again", ring, values)
			}
		}
	}
}

// BenchmarkReplay is what a value that moves costs the search for recordings, where
// those of 4,000 points come one after the other and no cache holds them.
func BenchmarkReplay(b *testing.B) {
	random := rand.New(rand.NewPCG(7, 8))
	all := make([]*replay, 4000)
	for i := range all {
		all[i] = newReplay(1, 0.01, maxReplayRing)
		for k := range 2000 {
			all[i].add(float64(random.IntN(1000)), int64(k)*1e9)
		}
	}
	i := 0
	for b.Loop() {
		all[i%len(all)].add(float64(random.IntN(1000)), int64(i)*1e9)
		i++
	}
}
