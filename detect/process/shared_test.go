package process

import (
	"math"
	"testing"
)

// unwritten makes sure that what points share was not written by one of them.
func unwritten(t *testing.T, e *Engine) {
	t.Helper()
	if *noRare != (rare{ties: noTies}) || !noTies.empty() {
		t.Errorf("what all points have in common became %+v", noRare)
	}
	for want, is := range e.tempos {
		if *is != want {
			t.Errorf("a tempo that points share was %+v and became %+v", want, *is)
		}
	}
	for _, h := range []*heard{noneHeard, gone} {
		if h.time != 0 || h.frame != 0 || h.block != nil || h.from.client.IsValid() {
			t.Errorf("what was heard of points without a report became %+v", h)
		}
	}
	if *still != (motion{nStates: 1, whole: true, resolution: math.Inf(1)}) {
		t.Errorf("the motion of points that rest became %+v", still)
	}
	if noShape.surprise != 0 || noShape.noise != (noise{}) || !math.IsInf(noShape.low, -1) || !math.IsInf(noShape.high, 1) {
		t.Errorf("the shape of points that have none became %+v", noShape)
	}
}

func TestWhatPointsShareIsNeverWritten(t *testing.T) {
	x := watching(t)
	x.override[level] = func(v float64) float64 { return v + 3 }
	x.override[setpoint] = func(float64) float64 { return 99 }
	x.override[pump] = func(float64) float64 { return 7 }
	x.run(50)
	if len(x.log) == 0 {
		t.Error("nothing was found")
	}
	unwritten(t, x.engine)
}

func TestConstantsThatSayTheSameShareOneProfileUntilOneChanges(t *testing.T) {
	at := int64(1e18)
	x := newFeed([]string{"a", "b", "c"}, Settings{})
	for range 300 {
		x.row(at, []float64{4, 4, 5})
		at += 1e9
	}
	x.engine.Watch(at)
	x.engine.Advance(at)
	a, b, c := x.engine.order.at(0), x.engine.order.at(1), x.engine.order.at(2)
	if a.profile != b.profile || a.profile == c.profile {
		t.Error("a and b say the same, c does not")
	}
	x.engine.commanded[a.series.Device] = at // so that the change is explained
	x.row(at, []float64{6, 4, 5})
	if len(a.profile.states) != 2 || len(b.profile.states) != 1 || b.profile.nature != natureConstant {
		t.Errorf("after a changed, a has states %v and b %v", a.profile.states, b.profile.states)
	}
}
