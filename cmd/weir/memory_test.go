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
	if g.pace(); g.percent < 100 {
		t.Errorf("%d percent may be garbage before anything is in use, want at least 100", g.percent)
	}
}
