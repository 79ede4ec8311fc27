package process

import (
	"math/rand/v2"
	"testing"
)

// calibrated is a member that learned from n residuals like chance.
func calibrated(n int, r *rand.Rand) (*member, []float64) {
	residuals := make([]float64, n)
	for i := range residuals {
		residuals[i] = r.NormFloat64()
	}
	m := &member{point: &point{marks: markValue, profile: &profile{nature: natureContinuous, shape: noShape}}, spread: 1}
	m.calibrate(residuals, terms{row: 1e-9, thinned: 1})
	return m, residuals
}

// largest lets residuals pass whose mean is off by shift, and returns the largest
// part of a threshold that the means and the sums reached.
func (m *member) largest(r *rand.Rand, shift float64, rows int) (means, sums float64) {
	for range rows {
		m.test(0, shift+r.NormFloat64(), followNothing, true)
		for h := range horizons {
			means = max(means, max(m.means[h], -m.means[h])/m.limits[h])
		}
		sums = max(sums, m.sums.ratio())
	}
	return means, sums
}

func TestAShiftThatMeansAreTooShortForIsSeenByTheSums(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	m, _ := calibrated(400, r)
	if means, sums := m.largest(r, 0, 2000); means > 1 || sums > 1 {
		t.Errorf("without a shift, means reach %.2f of their threshold and sums %.2f", means, sums)
	}
	if _, sums := m.largest(r, 1, 500); sums > 1 {
		t.Errorf("a shift of less than the allowance reaches %.2f of the threshold", sums)
	}
	if means, sums := m.largest(r, -2.4, 120); sums <= 1 || means > 1 {
		t.Errorf("a shift of 2.4 deviations for 120 rows reaches %.2f of the threshold of the means, want less than 1, and %.2f of that of the sums, want more", means, sums)
	}
	m.largest(r, 0, 40)
	if q := m.sums.ratio(); q > release {
		t.Errorf("40 rows after the shift the sums are still at %.2f of their threshold", q)
	}
}

func TestASpikeIsNoShift(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	m, _ := calibrated(400, r)
	m.test(0, 60, followNothing, true)
	if q := m.sums.ratio(); q > 0.5 {
		t.Errorf("a single residual reaches %.2f of the threshold of the sums", q)
	}
}

func TestManyPointsThatAreALittleOffAreToldTogetherAndNamedInOrder(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	const d = 24
	var x relation
	var residuals [][]float64
	for range d {
		m, v := calibrated(4000, r)
		x.members = append(x.members, *m)
		residuals = append(residuals, v)
	}
	x.joint = fitJoint(&x, residuals, 1e-9)
	if x.joint == nil {
		t.Fatal("no joint distance was learned")
	}
	noise := 1.0
	row := func(shift func(j int) float64) (single, together float64) {
		for j := range x.members {
			m := &x.members[j]
			m.test(0, shift(j)+noise*r.NormFloat64(), followNothing, true)
			single = max(single, m.ratio)
		}
		return single, x.joint.test(&x)
	}
	for range 3000 {
		if _, q := row(func(int) float64 { return 0 }); q > 1 {
			t.Fatalf("the distance reaches %.2f of its threshold without a shift", q)
		}
	}
	off := func(j int) float64 {
		if j == 7 {
			return 1.6
		}
		return 1.2
	}
	single, together := 0.0, 0.0
	for range 40 {
		s, q := row(off)
		single, together = max(single, s), max(together, q)
	}
	if single > 1 || together <= 1 {
		t.Errorf("with all points off by 1.2 deviations, one alone reaches %.2f of its threshold, want less than 1, and all together %.2f, want more", single, together)
	}
	noise = 0.05
	for range 40 {
		row(off)
	}
	places, shares := x.joint.rank()
	if len(places) == 0 || places[0] != 7 {
		t.Errorf("ranked %v with %v, want 7 first", places, shares)
	}
}

func TestTheJointDistanceIsTheSameAfterSavingAndLoading(t *testing.T) {
	x := watching(t)
	y := x.reloaded(t)
	if x.engine.tickers[0].relations[0].joint == nil {
		t.Fatal("the scene has no joint distance")
	}
	if y.engine.tickers[0].relations[0].joint == nil {
		t.Error("the joint distance is lost")
	}
	if want, got := x.engine.tickers[0].relations[0].members[0].sums.limit, y.engine.tickers[0].relations[0].members[0].sums.limit; want != got {
		t.Errorf("the threshold of the sums is %g after loading, was %g", got, want)
	}
}
