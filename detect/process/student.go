package process

import (
	"math"

	"gonum.org/v1/gonum/stat/distuv"
)

// studentQuantile returns what Student's t with nu degrees of freedom exceeds
// with probability p.
func studentQuantile(p, nu float64) float64 {
	p = math.Max(p, 1e-15)
	if nu > 1e4 {
		return -distuv.UnitNormal.Quantile(p)
	}
	return -distuv.StudentsT{Mu: 0, Sigma: 1, Nu: math.Max(nu, 1)}.Quantile(p)
}

// quantiles remembers quantiles of Student's t: the members of a relation, of which
// there are as many residuals, need the same ones. It is made for one relation.
type quantiles map[[2]float64]float64

// student is studentQuantile; nil remembers nothing.
func (q quantiles) student(p, nu float64) float64 {
	key := [2]float64{p, nu}
	v, ok := q[key]
	if !ok {
		v = studentQuantile(p, nu)
		if q != nil {
			q[key] = v
		}
	}
	return v
}

// terms are what the thresholds of a relation are found on: row is how many false
// alarms a row each test may give, thinned how many rows there were for each of the
// rows that were kept.
type terms struct {
	row, thinned float64
	rows         int
	quantiles
}

// surprise is -log10 of the probability that a standard normal lies further out
// than z on either side.
func surprise(z float64) float64 {
	z = math.Abs(z)
	if z < 6 {
		return -math.Log10(math.Erfc(z / math.Sqrt2))
	}
	// Mills' ratio, where Erfc runs out.
	return z*z/2*math.Log10E + math.Log10(z*math.Sqrt(math.Pi/2))
}
