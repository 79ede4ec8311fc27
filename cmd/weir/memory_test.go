package main

import "testing"

func TestGarbageIsBoundedByWhatIsInUse(t *testing.T) {
	for _, c := range []struct {
		used, most uint64
		want       int // percent
	}{
		{0, spare, 300}, // a start: nothing is collected before it is done
		{1 << 20, spare, 100},
		{64 << 20, spare, 100},
		{128 << 20, spare, 50},
		{512 << 20, spare, 12},
		{4 << 30, spare, leastSpare},
		{0, liveSpare, 300},
		{1 << 20, liveSpare, 100},
		{48 << 20, liveSpare, 16},
		{450 << 20, liveSpare, leastSpare},
	} {
		if got := garbagePercent(c.used, c.most); got != c.want {
			t.Errorf("with %d MiB in use %d percent of that may be garbage, want %d", c.used>>20, got, c.want)
		}
	}
}

func TestThePaceOfCollectingIsSetBeforeAnythingWasCollected(t *testing.T) {
	t.Setenv("GOGC", "")
	g := new(garbage)
	if g.pace(0); g.percent < 100 {
		t.Errorf("%d percent may be garbage before anything is in use, want at least 100", g.percent)
	}
}

func TestOnlyASmallLiveSensorCollectsOften(t *testing.T) {
	for _, c := range []struct {
		live bool
		used uint64
		want uint64
	}{{true, smallHeap, liveSpare}, {true, smallHeap + 1, spare}, {false, smallHeap, spare}} {
		g := garbage{live: c.live}
		if got := g.most(c.used); got != c.want {
			t.Errorf("live %v, %d in use: %d octets may be garbage, want %d", c.live, c.used, got, c.want)
		}
	}
}

func TestALiveSensorThatAllocatesALotForAWhileCollectsLessOften(t *testing.T) {
	g := garbage{live: true}
	cycles, clock := uint64(0), int64(1e18)
	pass := func(looks int, each uint64) {
		for range looks {
			clock, cycles = clock+lookEvery, cycles+each
			g.look(clock, cycles)
			g.look(clock+1, cycles+100) // too soon to look again
		}
	}
	for _, step := range []struct {
		looks int
		each  uint64
		want  uint64
	}{{2, 0, liveSpare}, {oftenLooks - 1, 50, liveSpare}, {1, 0, liveSpare}, {oftenLooks, oftenCycles + 1, spare}, {1, oftenCycles, liveSpare}} {
		if pass(step.looks, step.each); g.most(1) != step.want {
			t.Errorf("after %d looks with %d collections each %d octets may be garbage, want %d", step.looks, step.each, g.most(1), step.want)
		}
	}
}
