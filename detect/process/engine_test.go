package process

import (
	"bytes"
	"encoding/json"
	"math"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/weir-ics/weir/detect"
)

func TestNormalLifeRaisesNothing(t *testing.T) {
	x := watching(t)
	x.run(3600)
	for _, f := range x.log {
		t.Errorf("%s %s: %s", f.Kind.Name, f.Title, f.Explanation)
	}
}

func TestAValueOutOfItsRangeIsToldAndClears(t *testing.T) {
	x := watching(t)
	x.override[outflow] = func(v float64) float64 { return v + 60 }
	x.run(20)
	x.expectKind(t, KindRange, outflow)
	x.expectKind(t, KindRate, outflow)
	delete(x.override, outflow)
	x.run(200)
	if len(x.open) > 0 {
		t.Errorf("still open: %v", x.open)
	}
}

func TestASensorThatStandsStillIsTold(t *testing.T) {
	x := watching(t)
	x.override[inflow] = func(float64) float64 { return 20.125 }
	x.run(300)
	x.expectKind(t, KindStuck, inflow)
}

func TestAFalseLevelDisagreesWithItsFlows(t *testing.T) {
	x := watching(t)
	offset := 0.0
	x.override[level] = func(v float64) float64 { offset += 0.002; return v + offset }
	x.run(200)
	found := false
	for _, f := range x.log {
		if f.Kind == KindCorrelation && !f.Clear {
			for _, p := range f.Points {
				found = found || p.Name == "level"
			}
		}
	}
	if !found {
		t.Errorf("the level that drifts away is not named; alarms %v", x.kinds)
	}
}

func TestNoiseThatVanishesIsTold(t *testing.T) {
	x := watching(t)
	mean := 0.0
	x.override[outflow] = func(v float64) float64 {
		if mean == 0 {
			mean = v
		}
		mean += 0.05 * (v - mean)
		return mean
	}
	x.run(300)
	x.expectKind(t, KindNoise, outflow)
}

func TestAStretchPlayedBackIsTold(t *testing.T) {
	x := watching(t)
	var recorded []float64
	record := true
	i := 0
	x.override[pressure] = func(v float64) float64 {
		if record {
			recorded = append(recorded, v)
			return v
		}
		i++
		return recorded[i-1]
	}
	x.run(120)
	record = false
	x.run(120)
	x.expectKind(t, KindReplayed, pressure)
}

func TestACounterThatGoesBackIsTold(t *testing.T) {
	x := watching(t)
	x.override[energy] = func(v float64) float64 { return v - 500 }
	x.run(5)
	x.expectKind(t, KindCounterBack, energy)
}

func TestACounterThatRunsOverIsNormal(t *testing.T) {
	for _, c := range []struct {
		was, is float64
		want    bool
	}{{65530, 3, true}, {4294967290, 10, true}, {500, 0, false}, {65530, 60000, false}} {
		if got := wraps(c.was, c.is); got != c.want {
			t.Errorf("from %g to %g runs over: %v, want %v", c.was, c.is, got, c.want)
		}
	}
}

func TestAStateNeverSeenIsTold(t *testing.T) {
	x := watching(t)
	x.override[setpoint] = func(float64) float64 { return 90 }
	x.run(3)
	x.expectKind(t, KindState, setpoint)
}

func TestARuleOfTheControlLogicIsFoundAndItsBreachTold(t *testing.T) {
	x := watchingAfter(t, 10)
	found := false
	for _, r := range x.engine.Rules() {
		found = found || strings.Contains(r, "pump is 1 whenever")
	}
	if !found {
		t.Fatalf("no rule about the pump among %q", x.engine.Rules())
	}
	x.override[pump] = func(float64) float64 { return 0 }
	x.run(900)
	x.expectKind(t, KindInvariant, pump)
}

func TestACommandOutsideOfEverythingSeenIsTold(t *testing.T) {
	x := watching(t)
	x.command(setpoint, 55)
	if len(x.log) != 0 {
		t.Fatalf("a normal command raised %v", x.kinds)
	}
	x.command(setpoint, 500)
	x.expectKind(t, KindCommandValue, setpoint)
	if got := x.log[len(x.log)-1].Client.Endpoint.IP.String(); got != "10.0.0.1" {
		t.Errorf("the client is %s", got)
	}
}

func TestACommandThatDoesNotShowIsTold(t *testing.T) {
	x := watching(t)
	x.command(setpoint, 55)
	x.setpoint = 55
	x.run(5)
	x.command(setpoint, 60)
	x.run(60)
	x.expectKind(t, KindNoEffect, setpoint)
}

func TestAChangeWithoutACommandIsTold(t *testing.T) {
	x := watching(t)
	x.setpoint = 50
	x.run(30)
	x.setpoint = 60
	x.run(5)
	x.expectKind(t, KindUncommanded, setpoint)
}

func TestAPauseOfTheReportsIsNoDeviation(t *testing.T) {
	x := watching(t)
	x.run(200)
	// A command is given and not yet shown, and a round is half seen.
	x.command(setpoint, 55)
	x.run(1)
	x.setpoint = 55
	x.polled = 2
	x.run(1)
	before := len(x.log)
	x.engine.Pause()
	// Half an hour in which everything moves on, and another command.
	x.polled = 0
	x.run(900)
	x.command(setpoint, 60)
	x.setpoint = 60
	x.run(900)
	x.engine.Advance(x.t)
	x.polled = len(sceneNames)
	x.engine.Resume(x.t)
	x.run(200)
	for _, f := range x.log[before:] {
		t.Errorf("%s: %s", f.Kind.Name, f.Explanation)
	}
	// What it is paused for, it is still good for.
	x.override[level] = func(v float64) float64 { return v + 3 }
	x.run(60)
	x.expectKind(t, KindRange, level)
}

func TestACommandInAPauseIsStillJudged(t *testing.T) {
	x := watching(t)
	x.run(20)
	x.engine.Pause()
	x.command(setpoint, 500)
	x.expectKind(t, KindCommandValue, setpoint)
}

func TestFindingsDoNotDependOnWhereBatchesEnd(t *testing.T) {
	run := func(advance bool) []detect.Finding {
		x := newScene(Settings{})
		for k := range 14 {
			x.run(100)
			if advance {
				x.engine.Advance(x.t - int64(time.Second)/2)
			}
			if k == 9 {
				x.engine.Watch(x.t)
			}
			if k == 11 {
				x.override[level] = func(v float64) float64 { return v + 1 }
			}
		}
		return x.log
	}
	a, b := run(false), run(true)
	if len(a) == 0 {
		t.Fatal("nothing was found")
	}
	if d := cmp.Diff(a, b, cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); d != "" {
		t.Error(d)
	}
}

func TestASavedLearningGivesTheSameFindings(t *testing.T) {
	x := watching(t)
	saved, err := x.engine.Save()
	if err != nil {
		t.Fatal(err)
	}
	again, err := x.engine.Save()
	if err != nil || !bytes.Equal(saved, again) {
		t.Fatalf("saving twice gives different bytes (error %v)", err)
	}
	y := x.reloaded(t)
	for _, s := range []*scene{x, y} {
		s.log = nil
		s.run(50)
		s.override[level] = func(v float64) float64 { return v + 1 }
		s.override[energy] = func(v float64) float64 { return v - 500 }
		s.run(50)
		delete(s.override, level)
		s.run(100)
	}
	ignore := cmpopts.IgnoreFields(detect.Finding{}, "Score")
	if len(x.log) == 0 {
		t.Fatal("nothing was found")
	}
	if d := cmp.Diff(x.log, y.log, cmp.Comparer(func(a, b netip.Addr) bool { return a == b }), ignore); d != "" {
		t.Error(d)
	}
}

func TestAMergedBaselineKnowsWhatEitherSaw(t *testing.T) {
	x := watchingAfter(t, 10)
	a, err := x.engine.Save()
	if err != nil {
		t.Fatal(err)
	}
	y := newScene(Settings{})
	y.override[setpoint] = func(float64) float64 { return 70 }
	y.run(1500)
	y.engine.Watch(y.t)
	y.engine.Advance(y.t)
	b, err := y.engine.Save()
	if err != nil {
		t.Fatal(err)
	}
	m, err := Merge(b, a)
	if err != nil {
		t.Fatal(err)
	}
	n, err := Merge(a, b)
	if err != nil || !bytes.Equal(m, n) {
		t.Errorf("merging depends on the order (error %v)", err)
	}
	e := NewEngine(Settings{})
	if err := e.Load(m); err != nil {
		t.Fatal(err)
	}
	for _, p := range e.each() {
		if p.series.Name != "setpoint" {
			continue
		}
		for _, want := range []float64{50, 55, 60, 70} {
			known := false
			for _, s := range p.profile.states {
				known = known || s.value == want
			}
			if !known {
				t.Errorf("setpoint %g is not normal after merging: %v", want, p.profile.states)
			}
		}
	}
	var shown bytes.Buffer
	if err := Show(&shown, m); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"level", "relation of", "rule: pump is 1 whenever", "its own past"} {
		if !strings.Contains(shown.String(), want) {
			t.Errorf("%q is not in\n%s", want, shown.String())
		}
	}
}

func TestABrokenBaselineIsRefusedWithAReason(t *testing.T) {
	for in, want := range map[string]string{
		`{`:             "the section ends where",
		`{"version":9}`: "version 9 is not known",
		`{"version":4}`: "version 4 is not known, only 1 to 3",
		`{"points":[]}`: "there is no version",
		`[1]`:           "'[' where '{' should be",
		`{"version":2,"tables":[{"device":"1.2.3.4","proto":"modbus","kind":"coil","constants":[[4294967295,0,1]]}]}`:               "past the last index",
		`{"version":2,"tables":[{"device":"1.2.3.4","proto":"modbus","kind":"coil","constants":[[3,0,1],[4,1]]}]}`:                  "is there twice",
		`{"version":2,"tables":[{"device":"1.2.3.4","proto":"modbus","kind":"coil","points":[{"index":2,"nature":"unknown"},{}]}]}`: "not in the order",
		`{"version":2,"tables":[{"device":"1.2.3","proto":"modbus"}]}`:                                                              "table 0: ",
		`{"version":2,"tables":[],"paces":[{"interval":1,"points":[[0,999999999]]}]}`:                                               "more than 4000000 places",
		`{"version":2,"tables":[],"paces":[{"interval":1,"points":[[0,1]]}]}`:                                                       "point 0 of 0",
		`{"version":2,"tables":[]} more`:                                                                "'m' where the end should be",
		`{"version":1,"points":[{"device":"1.2.3.4","proto":"x"}]}`:                                     `point 0: proto: "x" is not known`,
		`{"version":1,"points":[{"device":"1.2.3.4","proto":"modbus","kind":"coil","nature":"state"}]}`: "without states",
		`{"version":1,"points":[],"paces":[{"interval":1,"points":[4]}]}`:                               "point 4 of 0",
		`{"version":1,"points":[],"paces":[{"interval":1,"points":[],"relations":[{"members":[]}]}]}`:   "a relation of 0 points",
	} {
		err := NewEngine(Settings{}).Load(json.RawMessage(in))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s gives error %v, want %s", in, err, want)
		}
	}
}

func TestHistoryStaysWithinItsBudgetAndCoversAllOfLearning(t *testing.T) {
	x := newScene(Settings{HistoryBytes: 4 * 6 * 600})
	x.run(5000)
	h := &x.engine.tickers[0].history
	if h.room.width*len(h.times) > 4*6*600+4*6*blockRows {
		t.Errorf("%d rows of %d octets are kept", len(h.times), h.room.width)
	}
	if x.engine.Stats().Thinned == 0 {
		t.Error("nothing was thinned")
	}
	if h.times[0] > x.t-4800e9 || h.times[len(h.times)-1] < x.t-1000e9 {
		t.Errorf("history covers %s to %s of %s", time.Unix(0, h.times[0]), time.Unix(0, h.times[len(h.times)-1]), time.Unix(0, x.t))
	}
	for i := 1; i < len(h.times); i++ {
		if h.sequences[i]-h.sequences[i-1] != (h.times[i]-h.times[i-1])/int64(time.Second) {
			t.Fatalf("row %d: sequence moves by %d in %d s", i, h.sequences[i]-h.sequences[i-1], (h.times[i]-h.times[i-1])/int64(time.Second))
		}
	}
}

func TestPointsBeyondTheCapAreRefusedAndCounted(t *testing.T) {
	x := newScene(Settings{MaxPoints: 3})
	x.run(10)
	if s := x.engine.Stats(); s.Points != 3 || s.Refused != 40 {
		t.Errorf("%d points, %d refused", s.Points, s.Refused)
	}
}

func TestSurpriseGoesOnWhereTheErrorFunctionRunsOut(t *testing.T) {
	for _, z := range []float64{0, 1, 3, 5.9, 6.1, 10, 50, 1000} {
		s := surprise(z)
		if math.IsNaN(s) || math.IsInf(s, 0) || s < 0 {
			t.Errorf("surprise(%g) is %g", z, s)
		}
		if next := surprise(z + 0.5); next <= s {
			t.Errorf("surprise falls from %g at %g to %g", s, z, next)
		}
	}
}

func TestALoadedStateHasNotLastedSinceTheEpoch(t *testing.T) {
	x := watchingAfter(t, 10)
	x.override[pump] = func(float64) float64 { return 0 }
	y := x.reloaded(t)
	y.override = x.override
	from := y.t
	y.run(5)
	for _, f := range y.log {
		if f.Kind == KindDwell || f.Start < from {
			t.Errorf("%s from %s: %s", f.Kind.Name, time.Unix(0, f.Start).UTC(), f.Explanation)
		}
	}
}

func TestAPointThatWasSilentIsJudgedAgainWhenItIsBack(t *testing.T) {
	x := watching(t)
	last := len(sceneNames) - 1
	x.run(20)
	x.polled = last // the last of a round is not told of for a while
	x.run(10)
	p := x.engine.points.get(keyOf(x.series[last]))
	if !p.absent() {
		t.Fatal("a point that is silent for ten rounds is waited for")
	}
	x.polled = len(sceneNames)
	x.run(3)
	if p.absent() {
		t.Error("a point that is told of again counts as silent")
	}
}
