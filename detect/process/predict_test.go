package process

import (
	"math/rand/v2"
	"testing"
)

// someRelation is one of d members whose weights are like chance, as are x; every
// third has an anchor.
func someRelation(d int, r *rand.Rand) (*relation, []float64) {
	x := make([]float64, columnsOf(d, 0, season{}))
	for i := range x {
		x[i] = r.NormFloat64()
	}
	some := func() []float32 {
		w := make([]float32, len(x))
		for i := range w {
			w[i] = float32(r.NormFloat64())
		}
		return w
	}
	out := &relation{expect: make([]float64, 2*d)}
	for j := range d {
		m := member{weights: some()}
		if j%3 == 1 {
			m.anchor = &anchor{weights: some(), bias: r.NormFloat64()}
		}
		out.members = append(out.members, m)
	}
	return out, x
}

func TestWhatIsAddedUpSideBySideIsTheSameToTheLastBit(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for d := 1; d < 20; d++ {
		r, x := someRelation(d, random)
		r.predict(x)
		for j := range r.members {
			sum := func(s float64, weights []float32) float64 {
				for i, w := range weights {
					s += float64(w) * x[i]
				}
				return s
			}
			m := &r.members[j]
			if want := sum(0, m.weights); r.expect[j] != want {
				t.Errorf("of %d members, %d is expected to be %v, want %v", d, j, r.expect[j], want)
			}
			if m.anchor == nil {
				continue
			}
			if want := sum(m.anchor.bias, m.anchor.weights); r.expect[d+j] != want {
				t.Errorf("of %d members, %d is expected by its anchor to be %v, want %v", d, j, r.expect[d+j], want)
			}
		}
		y := &joint{z: make([]float64, d), factor: make([]float32, d*(d+1)/2)}
		for i := range y.factor {
			y.factor[i] = float32(random.NormFloat64())
		}
		want, at := 0.0, 0
		for a := range y.z {
			y.z[a] = random.NormFloat64()
			s := 0.0
			for b := range a + 1 {
				s += float64(y.factor[at]) * y.z[b]
				at++
			}
			want += s * s
		}
		if q := y.distance(); q != want {
			t.Errorf("the distance of %d members is %v, want %v", d, q, want)
		}
	}
}

// BenchmarkPredict is the cost of what 48 members, a third of them with an anchor,
// are expected to be in one row.
func BenchmarkPredict(b *testing.B) {
	r, x := someRelation(48, rand.New(rand.NewPCG(1, 2)))
	sums := 0
	for j := range r.members {
		sums++
		if r.members[j].anchor != nil {
			sums++
		}
	}
	for b.Loop() {
		r.predict(x)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*sums*len(x)), "ns/weight")
}
