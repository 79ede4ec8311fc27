package process

import (
	"math"
	"strings"
	"testing"
)

func savedOf(t *testing.T, x *scene) []byte {
	t.Helper()
	x.engine.Advance(x.t)
	saved, err := x.engine.Save()
	if err != nil {
		t.Fatal(err)
	}
	return saved
}

func TestWhatChangedBetweenTwoLearningsIsSaid(t *testing.T) {
	before := watching(t)
	after := newScene(Settings{})
	after.polled = energy // the counter and the setpoint are no longer polled
	after.override[inflow] = func(v float64) float64 { return v + 100 }
	after.run(600)
	after.command(pump, 1)
	after.run(3000)
	after.engine.Watch(after.t)
	var out strings.Builder
	differs, err := Diff(&out, Learned{Process: savedOf(t, before)}, Learned{Process: savedOf(t, after)})
	if err != nil || !differs {
		t.Fatalf("differs %v, error %v", differs, err)
	}
	for _, want := range []string{"newly commanded: pump, to 1\n", "inflow: between 99", "gone point: energy, counter\n", "gone point: setpoint, state\n"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, &out)
		}
	}
	if strings.Contains(out.String(), "demand") || strings.Contains(out.String(), "outflow: ") {
		t.Errorf("what did not change is said:\n%s", &out)
	}

	out.Reset()
	if _, err := Diff(&out, Learned{}, Learned{Process: savedOf(t, before)}); err != nil || strings.Count(out.String(), "new point: ") != len(sceneNames) {
		t.Errorf("against nothing (error %v):\n%s", err, &out)
	}
}

func TestTwoLearningsOfTheSamePlantDoNotDiffer(t *testing.T) {
	before, after := watchingAfter(t, 6), newScene(Settings{})
	after.state = 7 // other noise
	for k := range 6 {
		after.run(600)
		v := float64(50 + 5*(k%3))
		after.command(setpoint, v)
		after.setpoint = v
	}
	after.run(100)
	after.engine.Watch(after.t)
	var out strings.Builder
	if _, err := Diff(&out, Learned{Process: savedOf(t, before)}, Learned{Process: savedOf(t, after)}); err != nil {
		t.Fatal(err)
	}
	for _, line := range strings.Split(strings.TrimSpace(out.String()), "\n") {
		// Which rules hold may depend on the noise; nothing else does.
		if line != "" && !strings.Contains(line, "rule") && !strings.Contains(line, "always") {
			t.Errorf("said without a reason: %s", line)
		}
	}
}

func TestManyNewPointsOfATableAreCounted(t *testing.T) {
	x := newFeed(make([]string, 30), Settings{})
	for i := range 100 {
		row := make([]float64, 30)
		for j := range row {
			row[j] = math.Mod(float64(i*j), 7)
		}
		x.row(int64(i)*1e9+1e18, row)
	}
	x.engine.Watch(1e18 + 100e9)
	x.engine.Advance(1e18 + 100e9)
	saved, err := x.engine.Save()
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	if _, err := Diff(&out, Learned{}, Learned{Process: saved}); err != nil || strings.Count(out.String(), "\n") != namedOfTable+1 || !strings.Contains(out.String(), "22 more of") {
		t.Errorf("error %v:\n%s", err, &out)
	}
}

func TestPointsLearnedLaterAreNew(t *testing.T) {
	x := extended(t, Settings{})
	before := Learned{Process: savedOf(t, x.scene)}
	x.live(4000)
	after := Learned{Process: savedOf(t, x.scene)}
	var err error
	if after.Later, err = x.engine.SaveLater(); err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	want := "new point: NEW_LEVEL, continuous\nnew point: NEW_SWITCH, state\nnew point: NEW_NUMBER, constant\n"
	if _, err := Diff(&out, before, after); err != nil || out.String() != want {
		t.Errorf("error %v:\n%swant\n%s", err, &out, want)
	}
}
