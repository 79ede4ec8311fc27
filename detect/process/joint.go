package process

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/stat/distuv"
)

// joint is the distance of all residuals of a relation together from what they
// were in learning (T², Hotelling 1931). It tells that many points are each a
// little off, or off in a way in which they never were together; what one of them
// tells by itself is left to its own tests.
type joint struct {
	// members are the places of those that take part: quantities, not states.
	members []int
	// factor is the lower triangle, row by row, of the inverse of the Cholesky
	// factor of their covariance, so that T² is the square of factor times means.
	factor []float32
	// limit is the threshold of T² of the means over the longest horizon.
	limit float64
	// z are the means now.
	z []float64
}

const (
	// jointClip is how much of its own threshold a member counts at most.
	jointClip = 0.7
	// leastShrink keeps the covariance regular.
	leastShrink = 0.01
)

// take puts the clipped mean of the k-th member into z.
func (x *joint) take(k int, m *member, mean float64) {
	x.z[k] = cut(mean, jointClip*m.limits[len(horizons)-1])
}

// fitJoint finds the distance. residuals are those of the members of r, in
// settled rows; it returns nil if they are too few to say.
func fitJoint(r *relation, residuals [][]float64, row float64) *joint {
	x := &joint{}
	for j := range r.members {
		m := &r.members[j]
		if m.measured() {
			x.members = append(x.members, j)
		}
	}
	d := len(x.members)
	if d < 2 {
		return nil
	}
	x.z = make([]float64, d)
	const h = len(horizons) - 1
	n := len(residuals[x.members[0]])
	means := make([][]float64, d)
	for k, j := range x.members {
		m := &r.members[j]
		means[k] = make([]float64, n)
		average(means[k], residuals[j], m.scale, m.clips[h], horizons[h])
		for i, v := range means[k] {
			x.take(k, m, v)
			means[k][i] = x.z[k]
		}
	}
	if !x.factorise(means, horizons[h]) {
		return nil
	}
	distance := make([]float64, n)
	sum := 0.0
	for i := range distance {
		for k := range x.z {
			x.z[k] = means[k][i]
		}
		distance[i] = x.distance()
		sum += distance[i]
	}
	times, ok := hotelling(row, float64(d), float64(n)/(2*horizons[h]))
	if !ok {
		return nil
	}
	x.limit = math.Max(times*sum/float64(n), tail(distance, int(horizons[h]), row, 1))
	if !(x.limit > 0) {
		return nil
	}
	return x
}

// hotelling is how many times its mean T² of p values, whose covariance was
// learned from n independent rows, exceeds with the given probability; false if n
// is too small to say.
func hotelling(probability, p, n float64) (float64, bool) {
	if n < p+4 {
		return 0, false
	}
	f := distuv.F{D1: p, D2: n - p}
	// F has no quantile for tiny probabilities; its tail is searched.
	lo, hi := 0.0, 1.0
	for f.Survival(hi) > probability && hi < 1e9 {
		hi *= 2
	}
	for range 50 {
		if mid := (lo + hi) / 2; f.Survival(mid) > probability {
			lo = mid
		} else {
			hi = mid
		}
	}
	return hi * (n - p - 2) / (n - p), true
}

// factorise makes the factor of the covariance of x. The correlations are shrunk
// towards none, the more the less sure they are (Schäfer and Strimmer 2005);
// length is over how many rows values follow each other.
func (x *joint) factorise(v [][]float64, length float64) bool {
	d, n := len(v), float64(len(v[0]))
	sd := make([]float64, d)
	for k := range v {
		sd[k] = math.Sqrt(square(v[k])/n) + 1e-9
	}
	c := mat.NewSymDense(d, nil)
	unsure, all := 0.0, 0.0
	for a := range d {
		c.SetSym(a, a, 1)
		for b := range a {
			mean, squares := 0.0, 0.0
			for i := range v[a] {
				w := v[a][i] * v[b][i] / (sd[a] * sd[b])
				mean += w
				squares += w * w
			}
			mean /= n
			unsure += (squares/n - mean*mean) * length / n
			all += mean * mean
			c.SetSym(a, b, mean)
		}
	}
	shrink := 1.0
	if all > 0 {
		shrink = math.Max(leastShrink, math.Min(1, unsure/all))
	}
	for a := range d {
		for b := range a {
			c.SetSym(a, b, (1-shrink)*c.At(a, b))
		}
	}
	var cholesky mat.Cholesky
	if !cholesky.Factorize(c) {
		return false
	}
	var lower, inverse mat.TriDense
	cholesky.LTo(&lower)
	if inverse.InverseTri(&lower) != nil {
		return false
	}
	for a := range d {
		for b := range a + 1 {
			x.factor = append(x.factor, float32(inverse.At(a, b)/sd[b]))
		}
	}
	return true
}

func square(x []float64) float64 {
	s := 0.0
	for _, v := range x {
		s += v * v
	}
	return s
}

// distance is T² of z. Rows are added up four at a time, see relation.predict.
func (x *joint) distance() float64 {
	sum, at := 0.0, 0
	a := 0
	for ; a+4 <= len(x.z); a += 4 {
		// What the four rows have in common, then what the later have beyond.
		z := x.z[:a+1]
		var rows [4][]float32
		for k := range rows {
			rows[k] = x.factor[at : at+a+k+1]
			at += a + k + 1
		}
		f, g, h, i := rows[0][:len(z)], rows[1][:len(z)], rows[2][:len(z)], rows[3][:len(z)]
		var s [4]float64
		for b, v := range z {
			s[0] += float64(f[b]) * v
			s[1] += float64(g[b]) * v
			s[2] += float64(h[b]) * v
			s[3] += float64(i[b]) * v
		}
		for k := 1; k < 4; k++ {
			for b := a + 1; b <= a+k; b++ {
				s[k] += float64(rows[k][b]) * x.z[b]
			}
		}
		for _, v := range s {
			sum += v * v
		}
	}
	for ; a < len(x.z); a++ {
		s := 0.0
		for b, f := range x.factor[at : at+a+1] {
			s += float64(f) * x.z[b]
		}
		at += a + 1
		sum += s * s
	}
	return sum
}

// test gives the part of the threshold that the members of r reach together, as a
// distance.
func (x *joint) test(r *relation) float64 {
	for k, j := range x.members {
		m := &r.members[j]
		x.take(k, m, m.means[len(horizons)-1])
	}
	return math.Sqrt(x.distance() / x.limit)
}

// rank orders the members by what they contribute to T² of the last row: what it
// would be less without each, to first order. It gives their places and shares.
func (x *joint) rank() (places []int, shares []float64) {
	d := len(x.z)
	// The gradient is the transposed factor times the factor times z.
	gradient := make([]float64, d)
	total, at := 0.0, 0
	for a := range d {
		row := x.factor[at : at+a+1]
		at += a + 1
		s := 0.0
		for b, f := range row {
			s += float64(f) * x.z[b]
		}
		for b, f := range row {
			gradient[b] += float64(f) * s
		}
		total += s * s
	}
	order := make([]int, d)
	share := make([]float64, d)
	for k := range d {
		order[k] = k
		if total > 0 {
			share[k] = gradient[k] * x.z[k] / total
		}
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(share[b], share[a]) })
	for _, k := range order {
		if share[k] <= 0 {
			break
		}
		places, shares = append(places, x.members[k]), append(shares, share[k])
	}
	return places, shares
}

// savedJoint is a joint in the baseline.
type savedJoint struct {
	Members []int   `json:"members"`
	Limit   float64 `json:"limit"`
}

func (x *joint) save() (*savedJoint, []float32) {
	if x == nil {
		return nil, nil
	}
	return &savedJoint{x.members, x.limit}, x.factor
}

func loadJoint(s *savedJoint, factor []float32, members []member) (*joint, error) {
	if s == nil {
		return nil, nil
	}
	d := len(s.Members)
	if d < 2 || len(factor) != d*(d+1)/2 || !(s.Limit > 0) {
		return nil, fmt.Errorf("a joint distance of %d members, %d factors and the threshold %g", d, len(factor), s.Limit)
	}
	for _, j := range s.Members {
		if j < 0 || j >= len(members) {
			return nil, fmt.Errorf("a joint distance of member %d of %d", j, len(members))
		}
	}
	return &joint{members: s.Members, factor: factor, limit: s.Limit, z: make([]float64, d)}, nil
}
