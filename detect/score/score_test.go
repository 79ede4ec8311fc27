package score

import (
	"math"
	"testing"
)

func is(t *testing.T, what string, got, want float64) {
	t.Helper()
	if math.Abs(got-want) > 1e-9 {
		t.Errorf("%s is %g, want %g", what, got, want)
	}
}

func TestOverlappingIntervalsBecomeOne(t *testing.T) {
	u := Union([]Interval{{5, 9}, {1, 3}, {3, 4}, {8, 12}, {20, 10}})
	if len(u) != 2 || u[0] != (Interval{1, 4}) || u[1] != (Interval{5, 12}) {
		t.Errorf("union %v", u)
	}
}

func TestATimeIsFlaggedWithinAnInterval(t *testing.T) {
	got := Flags([]int64{0, 1, 2, 3, 4, 9}, []Interval{{1, 2}, {4, 5}})
	want := []bool{false, true, true, false, true, false}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("time %d flagged %v", i, got[i])
		}
	}
}

func TestRatesFollowTheirDefinitions(t *testing.T) {
	c := Counts{TP: 6, FP: 2, TN: 8, FN: 4}
	is(t, "precision", c.Precision(), 0.75)
	is(t, "recall", c.Recall(), 0.6)
	is(t, "F1", c.F1(), 12.0/18)
	is(t, "FAR", c.FAR(), 0.2)
	is(t, "MAR", c.MAR(), 0.4)
	is(t, "F1 of nothing", Counts{}.F1(), 0)
}

func TestAnAlarmFindsAnEventFromWhenItWasRaised(t *testing.T) {
	const s = int64(1e9)
	day := 86400 * s
	e := Compare([]Interval{{15 * s, 18 * s}, {50 * s, 51 * s}, {90 * s, 95 * s}},
		[]Interval{{-50 * s, -40 * s}, {10 * s, 20 * s}, {40 * s, 45 * s}, {80 * s, 92 * s}}, Interval{0, 2 * day})
	if e.Labels != 3 || e.Found != 2 || e.Alarms != 3 || e.False != 1 {
		t.Errorf("events %+v", e)
	}
	is(t, "first delay", e.Delays[0], 5)
	is(t, "second delay", e.Delays[1], 10)
	is(t, "precision", e.Precision(), 2.0/3)
	is(t, "quiet days", e.QuietDays, 2-27.0/86400)
	is(t, "false alarms a day", e.FalsePerDay(), 1/e.QuietDays)
	both := e.Plus(Events{Labels: 1, QuietDays: 1})
	is(t, "recall of two experiments", both.Recall(), 0.5)
	is(t, "false alarms a day of two experiments", both.FalsePerDay(), 1/(e.QuietDays+1))
}

func TestBATADALRewardsEarlyAndExactAlarms(t *testing.T) {
	attacks := [][2]int{{10, 20}, {30, 40}}
	perfect := make([]bool, 50)
	for _, a := range attacks {
		for h := a[0]; h <= a[1]; h++ {
			perfect[h] = true
		}
	}
	is(t, "S of perfect flags", ScoreBATADAL(perfect, attacks).S, 1)
	// Nothing said: TTD 0, TPR 0, TNR 1.
	is(t, "S of silence", ScoreBATADAL(make([]bool, 50), attacks).S, 0.25)
	half := make([]bool, 50)
	for h := 15; h <= 20; h++ {
		half[h] = true
	}
	b := ScoreBATADAL(half, attacks)
	is(t, "TTD with one found half way and one missed", b.TTD, 0.25)
	is(t, "TPR", b.TPR, 6.0/22)
}
