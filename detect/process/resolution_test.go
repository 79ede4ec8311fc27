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
