package process

import (
	"math"
	"testing"
)

func TestAValueThatIsRoundedMoreCoarselyThanInLearningIsNotTakenForStuckSmoothOrReplayed(t *testing.T) {
	fine := false
	for _, coarse := range []bool{true, false} {
		x := newScene(Settings{})
		step := 0.0
		// A suction pressure that hardly moves.
		x.override[pressure] = func(float64) float64 {
			v := 2.985 + 0.0025*x.noise()
			if step > 0 {
				v = math.Round(v/step) * step
			}
			return v
		}
		x.run(3600)
		x.engine.Watch(x.t)
		step = 0.01
		if !coarse {
			// The last digits are still there at first.
			step = 0
			x.run(100)
			step = 0.01
		}
		x.run(3600)
		told := x.kinds["value.stuck"] + x.kinds["value.noise"] + x.kinds["value.replayed"]
		if coarse && told > 0 {
			t.Errorf("a value rounded to 0.01 raised %v", x.kinds)
		}
		fine = fine || !coarse && told > 0
	}
	if !fine {
		t.Error("digits that vanish while watching are not told")
	}
}

func TestAStateThatWasLoadedHasNotLastedSinceTheBeginningOfTime(t *testing.T) {
	x := watching(t)
	saved, err := x.engine.Save()
	if err != nil {
		t.Fatal(err)
	}
	y := newScene(Settings{})
	if err := y.engine.Load(saved); err != nil {
		t.Fatal(err)
	}
	y.level = 2.2 // the pump is off, as at the start
	y.run(3)
	if y.kinds["value.dwell"] > 0 {
		t.Errorf("the first value after loading raised %v", y.kinds)
	}
}
