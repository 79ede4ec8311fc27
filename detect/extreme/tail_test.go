package extreme

import (
	"math"
	"math/rand"
	"testing"
)

func TestTheThresholdKeepsToTheProbabilityForLightAndHeavyTails(t *testing.T) {
	rng := rand.New(rand.NewSource(7))
	draws := map[string]func() float64{
		"normal":      func() float64 { return 10 + rng.NormFloat64() },
		"exponential": rng.ExpFloat64,
		"lognormal":   func() float64 { return math.Exp(rng.NormFloat64()) },
	}
	const p = 1e-4
	for name, draw := range draws {
		over, total := 0, 0
		for round := 0; round < 20; round++ {
			var tail Tail
			for i := 0; i < 20_000; i++ {
				tail.Observe(draw())
			}
			fit, ok := tail.Fit()
			if !ok {
				t.Fatalf("%s: no fit", name)
			}
			z := fit.Quantile(p)
			for i := 0; i < 50_000; i++ {
				if draw() > z {
					over++
				}
			}
			total += 50_000
		}
		if got := float64(over) / float64(total); got > 4*p {
			t.Errorf("%s: exceeded with probability %.2g, want about %.2g", name, got, p)
		}
	}
}

func TestProbabilityAndQuantileAreInverse(t *testing.T) {
	f := Fit{Threshold: 3, Share: 0.02, Shape: 0.2, Scale: 1.5}
	for _, p := range []float64{1e-2, 1e-4, 1e-8} {
		if got := f.Probability(f.Quantile(p)); math.Abs(got/p-1) > 1e-6 {
			t.Errorf("probability of the %g quantile = %g", p, got)
		}
	}
}

func TestFewOrEqualValuesGiveNoThreshold(t *testing.T) {
	var few, equal Tail
	for i := 0; i < Enough-1; i++ {
		few.Observe(float64(i))
	}
	for i := 0; i < 10*Enough; i++ {
		equal.Observe(5)
	}
	if _, ok := few.Fit(); ok {
		t.Error("a fit on too few values")
	}
	if _, ok := equal.Fit(); ok {
		t.Error("a fit on values that do not vary")
	}
}

func TestMergedTailsKnowTheLargestOfBoth(t *testing.T) {
	var a, b, both Tail
	for i := 0; i < 500; i++ {
		x, y := float64(i%97), float64(i%89)+0.5
		a.Observe(x)
		b.Observe(y)
		both.Observe(x)
		both.Observe(y)
	}
	a.Merge(&b)
	if a.N != both.N || a.Max() != both.Max() {
		t.Errorf("merged n %d max %g, want %d, %g", a.N, a.Max(), both.N, both.Max())
	}
	fa, _ := a.Fit()
	fb, _ := both.Fit()
	if fa != fb {
		t.Errorf("merged fit %+v, want %+v", fa, fb)
	}
}

func BenchmarkObserve(b *testing.B) {
	var t Tail
	x := uint32(1)
	b.ReportAllocs()
	for i := 0; i < b.N; i++ {
		x = x*1664525 + 1013904223
		t.Observe(float64(x >> 8))
	}
}
