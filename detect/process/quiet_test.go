package process

import (
	"testing"

	"github.com/weir-ics/weir/protocols"
)

// severest returns the highest severity that was told of a kind, and whether it
// was told at all.
func (x *scene) severest(kind string) (protocols.Severity, bool) {
	worst, told := protocols.Severity(0), false
	for _, f := range x.log {
		if f.Kind.Name == kind && !f.Clear {
			worst, told = max(worst, f.Severity), true
		}
	}
	return worst, told
}

// add lets a point read too high by a part of what it reads, for n polls.
func (x *scene) add(point int, part float64, n int) {
	x.override[point] = func(v float64) float64 { return v * (1 + part) }
	x.run(n)
	delete(x.override, point)
}

func TestADisagreementOfAMomentIsLowAndALastingOneIsHigh(t *testing.T) {
	x := watching(t)
	x.add(pressure, 0.1, 1)
	x.run(60)
	if s, told := x.severest("value.correlation"); !told || s != protocols.Low {
		t.Errorf("a row of disagreement is told: %v, as %s, want as low", told, s)
	}
	x = watching(t)
	x.add(pressure, 0.1, 60)
	if s, told := x.severest("value.correlation"); !told || s != protocols.High {
		t.Errorf("a minute of disagreement is told: %v, as %s, want as high", told, s)
	}
}

func TestAPointThatShowsWhatItWasCommandedIsNoDisagreement(t *testing.T) {
	for _, commanded := range []bool{true, false} {
		x := newScene(Settings{})
		for k := range 6 {
			x.setpoint = 50.1 + float64(k%5)/10
			x.command(setpoint, x.setpoint)
			x.run(600)
		}
		x.engine.Watch(x.t)
		x.run(30)
		if commanded {
			x.command(setpoint, 50.8)
		}
		x.setpoint = 50.8
		x.run(120)
		if _, told := x.severest("value.correlation"); told == commanded {
			t.Errorf("a setpoint that moves, commanded %v, disagrees with its neighbours: %v", commanded, told)
		}
	}
}

func TestANewOperatingPointIsToldOnceAndMildly(t *testing.T) {
	x := newScene(Settings{})
	valve := 70.0
	x.override[energy] = func(float64) float64 { return valve + 0.1*x.noise() }
	x.command(setpoint, 50)
	x.run(3600)
	x.engine.Watch(x.t)
	x.run(30)
	x.command(setpoint, 50)
	valve = 80
	x.run(600)
	if s, told := x.severest("value.range"); !told || s != protocols.Low {
		t.Fatalf("a range that is left after a command is told: %v, as %s, want as low", told, s)
	}
	x.log = nil
	x.run(7200)
	if _, told := x.severest("value.range"); told {
		t.Errorf("the new operating point is told again")
	}
}

func TestACounterOfRareEventsIsNoState(t *testing.T) {
	x := newScene(Settings{})
	starts := 870.0
	x.override[energy] = func(float64) float64 { return starts }
	for range 6 {
		x.run(600)
		starts++
	}
	x.engine.Watch(x.t)
	for range 3 {
		x.run(300)
		starts++
	}
	if len(x.kinds) != 0 {
		t.Errorf("a counter that goes on raised %v", x.kinds)
	}
	starts = 12
	x.run(30)
	x.expectKind(t, KindCounterBack, energy)
	starts = 40
	x.run(30)
	x.expectKind(t, KindCounter, energy)
}

func TestAValueSetByCommandsIsNoCounter(t *testing.T) {
	x := newScene(Settings{})
	x.setpoint = 50
	for range 6 {
		x.run(600)
		x.setpoint++
		x.command(setpoint, x.setpoint)
	}
	x.run(60)
	x.engine.Watch(x.t)
	x.run(30)
	for _, p := range x.engine.each() {
		if p.series.Name == "setpoint" && p.profile.nature == natureCounter {
			t.Errorf("the setpoint is taken for a %s", p.profile.nature)
		}
	}
}

func TestAHugeDisagreementThatNoSwitchExplainsIsMoreThanLow(t *testing.T) {
	x := watching(t)
	x.add(pressure, 1, 1)
	x.run(60)
	if s, told := x.severest("value.correlation"); !told || s != protocols.Medium {
		t.Errorf("a pressure that reads double for a moment is told: %v, as %s, want as medium", told, s)
	}
}
