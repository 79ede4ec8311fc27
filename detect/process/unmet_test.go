package process

import (
	"math"
	"reflect"
	"strings"
	"testing"

	"github.com/weir-ics/weir/protocols"
)

// twoPumps is a scene with a second pump that in learning ran only while the first
// one did, and then adds 5 to the flow. Alone it gives as much as the first one.
type twoPumps struct {
	*scene
	second float64
	// off is what the meter of the flow is off by.
	off float64
}

func newTwoPumps(t testing.TB) *twoPumps {
	t.Helper()
	x := &twoPumps{scene: newScene(Settings{})}
	x.series[energy].Kind = protocols.KindCoil
	x.series[energy].Type = ""
	since, was, height := 100, 0.0, 0.0
	x.override[energy] = func(float64) float64 { return x.second }
	x.override[inflow] = func(v float64) float64 {
		now := 2 * x.second
		if x.pump {
			now++
		}
		if since++; now != was {
			since, height = 0, 3+3*math.Abs(x.noise())
		}
		was = now
		if since < 3 {
			v += height
		}
		return v + x.more() + x.off
	}
	x.override[pressure] = func(v float64) float64 { return v + 0.05*x.more() }
	x.command(setpoint, 50)
	for starts := 0; starts < 40; {
		was := x.pump
		x.run(1)
		if x.pump && !was {
			starts++
			x.run(20)
			x.second = 1
			x.run(40)
			x.second = 0
		}
	}
	x.until(false)
	x.run(40)
	x.engine.Watch(x.t)
	x.run(30)
	x.engine.knowSwitches()
	x.log = nil
	return x
}

// more is what the second pump adds to the flow.
func (x *twoPumps) more() float64 {
	switch {
	case x.second == 0:
		return 0
	case x.pump:
		return 5
	}
	return 40
}

// until lets the process go on until the first pump runs, or stops.
func (x *twoPumps) until(runs bool) {
	for x.pump == runs {
		x.run(1)
	}
	for x.pump != runs {
		x.run(1)
	}
}

func TestWhatNeverWasTogetherIsSaidAndNotHigh(t *testing.T) {
	x := newTwoPumps(t)
	x.second = 1
	x.run(30)
	if s, told := x.severest("value.correlation"); !told || s != protocols.Medium {
		t.Errorf("a second pump that runs alone for the first time is told: %v, as %s, want as medium", told, s)
	}
	said := false
	for _, f := range x.log {
		said = said || strings.Contains(f.Explanation, "energy is 1") && strings.Contains(f.Explanation, "hardly ever saw together")
	}
	if !said {
		t.Errorf("nothing says that these two states were never seen together")
	}
	x = newTwoPumps(t)
	x.off = 40
	x.run(30)
	if s, told := x.severest("value.correlation"); !told || s != protocols.High {
		t.Errorf("as much flow where all is as it was is told: %v, as %s, want as high", told, s)
	}
}

func TestWhatCommandsBroughtWhereStatesAreNewStaysThere(t *testing.T) {
	x := newTwoPumps(t)
	off := func() map[string]float64 {
		out := make(map[string]float64)
		for _, k := range x.engine.tickers {
			for _, r := range k.relations {
				for j := range r.members {
					m := &r.members[j]
					out[m.point.name()] = m.bias / m.scale
				}
			}
		}
		return out
	}
	before := off()
	x.command(setpoint, 50)
	x.second = 1
	x.run(30)
	x.second = 0
	x.run(1)
	found := off()
	for _, name := range []string{"inflow", "level"} {
		if math.Abs(found[name]-before[name]) > 0.3 {
			t.Errorf("once the second pump stopped, %s is expected %g deviations off, and %g before it ran alone", name, found[name], before[name])
		}
	}
	x.run(40)
	x.log = nil
	x.run(100)
	if s, _ := x.severest("value.correlation"); s > protocols.Low {
		t.Errorf("after the second pump ran alone something is told as %s", s)
	}
}

func TestStatesThatWereNeverTogetherAreKnownAfterALoad(t *testing.T) {
	x := newTwoPumps(t)
	pairs := func(e *Engine) (out []unmet) {
		for _, k := range e.tickers {
			for _, r := range k.relations {
				out = append(out, r.unmets...)
			}
		}
		return out
	}
	was, is := pairs(x.engine), pairs(x.reloaded(t).engine)
	if len(was) == 0 || !reflect.DeepEqual(was, is) {
		t.Errorf("states that were never together: %v, and after a load %v", was, is)
	}
}
