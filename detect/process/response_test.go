package process

import (
	"math"
	"testing"

	"github.com/weir-ics/weir/protocols"
)

// surging is a scene whose pressure rises for three polls after the pump starts, by
// a number that is never the same, and that has learned for so many starts.
func surging(t testing.TB, starts int) *scene {
	t.Helper()
	x := newScene(Settings{})
	x.surge()
	for n := 0; n < starts; {
		was := x.pump
		x.run(1)
		if x.pump && !was {
			n++
		}
	}
	x.run(100)
	x.engine.Watch(x.t)
	x.run(30)
	x.engine.knowSwitches()
	return x
}

func (x *scene) surge() {
	since, was, height := 100, false, 0.0
	x.override[pressure] = func(v float64) float64 {
		if since++; x.pump && !was {
			since, height = 0, 0.5+0.5*math.Abs(x.noise())
		}
		was = x.pump
		if since < 3 {
			v += height
		}
		return v
	}
}

// starts lets the process go on until the pump has started so many times.
func (x *scene) starts(n int) {
	for n > 0 {
		was := x.pump
		x.run(1)
		if x.pump && !was {
			n--
		}
	}
	x.run(20)
}

func TestWhatAlwaysFollowsASwitchIsLowAtMost(t *testing.T) {
	x := surging(t, 30)
	x.log = nil
	x.starts(20)
	if s, _ := x.severest("value.correlation"); s > protocols.Low {
		t.Errorf("a surge as after every start is told, as %s", s)
	}
}

func TestWhatFollowsASwitchIsToldWhereNoneWas(t *testing.T) {
	x := surging(t, 30)
	x.starts(1)
	x.run(100)
	if x.pump {
		t.Fatal("the pump runs")
	}
	x.log = nil
	x.add(pressure, 0.2, 3)
	if _, told := x.severest("value.correlation"); !told {
		t.Error("a surge that follows no start is not told")
	}
}

func TestMoreThanFollowsASwitchIsTold(t *testing.T) {
	x := surging(t, 30)
	x.log = nil
	surge := x.override[pressure]
	x.override[pressure] = func(v float64) float64 { return v + 12*(surge(v)-v) }
	x.starts(1)
	if _, told := x.severest("value.correlation"); !told {
		t.Error("a surge of many times the size is not told")
	}
}

func TestResponsesAreSavedAndLoaded(t *testing.T) {
	x := surging(t, 30)
	y := x.reloaded(t)
	count := func(x *scene) (n int) {
		for _, k := range x.engine.tickers {
			for _, r := range k.relations {
				n += len(r.responses)
			}
		}
		return n
	}
	if n, m := count(x), count(y); n == 0 || n != m {
		t.Errorf("%d responses were learned and %d loaded", n, m)
	}
}

func TestFewExamplesLeaveMoreRoomThanMany(t *testing.T) {
	// The same deviation, seen 3, 10 and 100 times.
	last := math.Inf(1)
	for _, n := range []float64{3, 10, 100} {
		s := spreadOf(n, 0, 9*n, nil)
		if !(s.width >= 3 && s.width < last) {
			t.Errorf("seen %v times the width is %v, after %v", n, s.width, last)
		}
		last = s.width
	}
	if s := spreadOf(100, 10, 100, nil); s.width != 1 || s.shift != 0 {
		t.Errorf("what is as usual is %v", s)
	}
}
