// Package extreme turns a false-alarm probability into a threshold, from what
// was seen of a quantity's upper tail.
//
// It is peaks over threshold: by the theorem of Pickands (1975) and Balkema and
// de Haan (1974), what exceeds a high threshold follows a generalised Pareto
// distribution whatever the quantity's own distribution is. Siffer et al. (2017)
// made a streaming detector of it; here the peaks are the largest values seen,
// and the distribution is fitted by probability-weighted moments (Hosking and
// Wallis 1987), which is stable with few peaks. The assumption is that values
// are independent and alike; slow drift is followed because normal values go on
// being taken in, and heavy bursts are the caller's to count.
package extreme

import (
	"math"
	"sort"
)

// Peaks is how many of the largest values a Tail keeps.
const Peaks = 32

// Enough is how many values a Tail needs before it gives a threshold.
const Enough = 100

// Tail is the upper tail of a stream of values. The zero Tail is empty.
type Tail struct {
	// N is how many values were seen.
	N uint64 `json:"n"`
	// Top holds the largest of them as a heap, smallest first.
	Top []float64 `json:"top,omitempty"`
}

// Observe takes one value in: O(1) for most, O(log Peaks) for a peak, and no
// allocation once Peaks values were seen.
func (t *Tail) Observe(x float64) {
	t.N++
	if len(t.Top) < Peaks {
		if cap(t.Top) == 0 {
			t.Top = make([]float64, 0, Peaks)
		}
		t.Top = append(t.Top, x)
		t.up(len(t.Top) - 1)
		return
	}
	if x <= t.Top[0] {
		return
	}
	t.Top[0] = x
	t.down(0)
}

func (t *Tail) up(i int) {
	for i > 0 {
		parent := (i - 1) / 2
		if t.Top[parent] <= t.Top[i] {
			return
		}
		t.Top[parent], t.Top[i] = t.Top[i], t.Top[parent]
		i = parent
	}
}

func (t *Tail) down(i int) {
	for {
		least := i
		for _, child := range [2]int{2*i + 1, 2*i + 2} {
			if child < len(t.Top) && t.Top[child] < t.Top[least] {
				least = child
			}
		}
		if least == i {
			return
		}
		t.Top[least], t.Top[i] = t.Top[i], t.Top[least]
		i = least
	}
}

// Merge takes in what another Tail saw.
func (t *Tail) Merge(o *Tail) {
	n := t.N + o.N
	for _, x := range o.Top {
		t.Observe(x)
	}
	t.N = n
}

// Max is the largest value seen, 0 if there was none.
func (t *Tail) Max() float64 {
	m := 0.0
	for i, x := range t.Top {
		if i == 0 || x > m {
			m = x
		}
	}
	return m
}

// Fit is a fitted tail.
type Fit struct {
	// Threshold is where the tail begins; Share of all values lie above it.
	Threshold, Share float64
	// Shape (gamma) and Scale (sigma) are those of the generalised Pareto
	// distribution of the excesses.
	Shape, Scale float64
}

// Fit fits the tail. It tells false while fewer than Enough values were seen, or
// when all peaks are equal, so that there is no tail to speak of.
func (t *Tail) Fit() (Fit, bool) {
	if t.N < Enough || len(t.Top) < 8 {
		return Fit{}, false
	}
	var buffer [Peaks]float64
	top := buffer[:copy(buffer[:], t.Top)]
	sort.Float64s(top)
	// At most a tenth of all values is tail.
	if most := int(t.N / 10); len(top) > most+1 {
		top = top[len(top)-most-1:]
	}
	threshold, top := top[0], top[1:]
	n := float64(len(top))
	var b0, b1 float64
	for i, x := range top {
		excess := x - threshold
		b0 += excess
		b1 += excess * (n - 1 - float64(i)) / (n - 1)
	}
	b0, b1 = b0/n, b1/n
	if b0 <= 0 {
		return Fit{}, false
	}
	shape := 2.0 - b0/(b0-2*b1)
	// Few peaks say little of the shape: keep it where the plain exponential
	// tail (0) and a clearly heavy one (0.5) are.
	shape = math.Max(0, math.Min(0.5, shape))
	if shape != shape {
		shape = 0
	}
	return Fit{Threshold: threshold, Share: n / float64(t.N), Shape: shape, Scale: b0 * (1 - shape)}, true
}

// Quantile is the value that is exceeded with probability p.
func (f Fit) Quantile(p float64) float64 {
	r := p / f.Share
	if r >= 1 {
		return f.Threshold
	}
	if f.Shape < 1e-9 {
		return f.Threshold - f.Scale*math.Log(r)
	}
	return f.Threshold + f.Scale/f.Shape*(math.Pow(r, -f.Shape)-1)
}

// Probability is that of a value above x, at most the share of the tail.
func (f Fit) Probability(x float64) float64 {
	if x <= f.Threshold {
		return f.Share
	}
	z := (x - f.Threshold) / f.Scale
	if f.Shape < 1e-9 {
		return f.Share * math.Exp(-z)
	}
	return f.Share * math.Pow(1+f.Shape*z, -1/f.Shape)
}
