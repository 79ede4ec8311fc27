package process

import (
	"math"
	"slices"

	"gonum.org/v1/gonum/lapack/lapack64"
	"gonum.org/v1/gonum/mat"
)

// ridges are the penalties that cross-validation chooses from, a row.
var ridges = [...]float64{1e-5, 1e-3, 1e-1, 1, 10}

const folds = 6

// learned is the matrix of what explains and what is explained.
type learned struct {
	x    matrix      // rows of explaining values
	z    [][]float64 // rows of members
	from []int       // which row of the history each is
	rows int
}

// matrix holds rows of f values, one after the other.
type matrix struct {
	values []float64
	f      int
}

func newMatrix(rows, f int) matrix { return matrix{make([]float64, rows*f), f} }

func (m *matrix) row(i int) []float64 { return m.values[i*m.f : (i+1)*m.f : (i+1)*m.f] }

// gram returns the sum of the outer products of rows from lo to before hi.
func (m *matrix) gram(lo, hi int) *mat.SymDense {
	g := mat.NewSymDense(m.f, nil)
	if hi > lo {
		g.SymOuterK(1, mat.NewDense(hi-lo, m.f, m.values[lo*m.f:hi*m.f]).T())
	}
	return g
}

// design puts the rows together that have the rows before them. visits are the
// explaining values of guests in each row, nil if there are none.
func design(r *relation, h *history, z, visits [][]float64) learned {
	d := len(z)
	out := learned{from: h.whole()}
	out.rows = len(out.from)
	rows := make([][]float64, len(h.times))
	flat := make([]float64, len(h.times)*d)
	for i := range rows {
		rows[i] = flat[i*d : (i+1)*d]
		for j := range z {
			rows[i][j] = z[j][i]
		}
	}
	out.x, out.z = newMatrix(out.rows, r.columns()), make([][]float64, out.rows)
	for k, i := range out.from {
		var past [lags][]float64
		for l := range past {
			past[l] = rows[i-1-l]
		}
		var visit []float64
		if visits != nil {
			visit = visits[i]
		}
		explainInto(out.x.row(k), rows[i], &past, visit, r.season, h.times[i])
		out.z[k] = rows[i]
	}
	return out
}

// fitted is what was fitted to data: weights on all that explains, and on all but
// their own past, a member, with the residuals of what was not fitted.
type fitted struct {
	free, tied       *trials
	weights, anchors [][]float64
}

// crossValidate finds for each of d members the penalty that predicts best what was
// not fitted, and fits the weights with it.
//
// With P the inverse of the penalised Gram matrix of all explaining values, the
// regression of one of them on all others has the weights -P[i][j]/P[j][j]: one
// inverse serves all members.
func crossValidate(data learned, d int) *fitted {
	n, f := data.rows, data.x.f
	bounds := func(k int) (int, int) { return k * n / folds, (k + 1) * n / folds }
	// others are, a part, the Gram matrices of all but that part.
	others := make([]*mat.SymDense, folds)
	total := mat.NewSymDense(f, nil)
	for k := range others {
		others[k] = data.x.gram(bounds(k))
		total.AddSym(total, others[k])
	}
	for _, g := range others {
		all, part := total.RawSymmetric().Data, g.RawSymmetric().Data
		for a := range f {
			for i := a*f + a; i < (a+1)*f; i++ {
				part[i] = all[i] - part[i]
			}
		}
	}
	free, tied := newTrials(d, n), newTrials(d, n)
	w := newSolver(d, f)
	for _, ridge := range ridges {
		good := true
		for k := 0; k < folds && good; k++ {
			lo, hi := bounds(k)
			if good = w.solve(others[k], ridge*float64(n-(hi-lo))); good {
				w.leave(&data, lo, hi, free.now, tied.now)
			}
		}
		if good {
			free.keep(ridge)
			tied.keep(ridge)
		}
	}
	out := &fitted{free: free, tied: tied, weights: make([][]float64, d), anchors: make([][]float64, d)}
	for _, ridge := range ridges {
		if !slices.Contains(free.ridge, ridge) && !slices.Contains(tied.ridge, ridge) || !w.solve(total, ridge*float64(n)) {
			continue
		}
		for j := range d {
			if free.ridge[j] == ridge {
				out.weights[j] = slices.Clone(w.weights[j])
			}
			if tied.ridge[j] == ridge {
				out.anchors[j] = slices.Clone(w.anchors[j])
			}
		}
	}
	for j := range d {
		if out.weights[j] == nil {
			// Nothing explains it: it is its mean.
			out.weights[j] = make([]float64, f)
			for i := range free.best[j] {
				free.best[j][i] = data.z[i][j]
			}
			free.error[j] = square(free.best[j])
		}
	}
	free.now, tied.now = nil, nil
	return out
}

// keepBetter takes over from other, which was fitted to the same without n of the
// explaining values from at on, all predictions whose mean square error does not
// fall to less than a part with them.
func (x *fitted) keepBetter(other *fitted, at, n int, part float64) {
	wide := func(w []float64) []float64 {
		if w == nil {
			return nil
		}
		return slices.Insert(slices.Clone(w), at, make([]float64, n)...)
	}
	for j := range x.weights {
		if x.free.error[j] >= part*other.free.error[j] {
			x.weights[j] = wide(other.weights[j])
			x.free.best[j], x.free.error[j] = other.free.best[j], other.free.error[j]
		}
		if x.tied.error[j] >= part*other.tied.error[j] {
			x.anchors[j] = wide(other.anchors[j])
			x.tied.best[j], x.tied.error[j] = other.tied.best[j], other.tied.error[j]
		}
	}
}

// give hands the weights to the members of r, and returns what they leave open.
func (x *fitted) give(r *relation) (free, tied [][]float64) {
	for j := range r.members {
		m := &r.members[j]
		m.weights, m.anchor = single(x.weights[j]), nil
		if x.anchors[j] != nil {
			m.anchor = &anchor{weights: single(x.anchors[j])}
		}
	}
	return x.free.best, x.tied.best
}

// trials are the residuals of all members with one penalty, and with the best one
// so far.
type trials struct {
	now, best [][]float64
	error     []float64
	ridge     []float64
}

func newTrials(d, n int) *trials {
	t := &trials{now: make([][]float64, d), best: make([][]float64, d), error: make([]float64, d), ridge: make([]float64, d)}
	for j := range d {
		t.now[j], t.best[j], t.error[j] = make([]float64, n), make([]float64, n), math.Inf(1)
	}
	return t
}

// keep keeps what is better than the best so far. What is now is made anew then.
func (t *trials) keep(ridge float64) {
	for j := range t.now {
		if s := square(t.now[j]); s < t.error[j] {
			t.error[j], t.ridge[j] = s, ridge
			t.best[j], t.now[j] = t.now[j], t.best[j]
		}
	}
}

func single(w []float64) []float32 {
	out := make([]float32, len(w))
	for i, v := range w {
		out[i] = float32(v)
	}
	return out
}

// solver finds weights, in memory that all solutions of a relation share.
type solver struct {
	d, f               int
	penalised, inverse *mat.SymDense
	weights, anchors   [][]float64
	// blocks are the weights and anchors in groups of abreast, the first values of a
	// group first; what a last group lacks is 0.
	blocks []float64
}

// abreast is how many predictions are made side by side.
const abreast = 6

func newSolver(d, f int) *solver {
	w := &solver{d: d, f: f, penalised: mat.NewSymDense(f, nil), inverse: mat.NewSymDense(f, nil)}
	flat := make([]float64, 2*d*f)
	for range d {
		w.weights, w.anchors = append(w.weights, flat[:f:f]), append(w.anchors, flat[f:2*f:2*f])
		flat = flat[2*f:]
	}
	w.blocks = make([]float64, (2*d+abreast-1)/abreast*abreast*f)
	return w
}

// solve finds the weights of the first d explaining values on all others, and on
// all others but their own past.
func (w *solver) solve(g *mat.SymDense, penalty float64) bool {
	f := w.f
	w.penalised.CopySym(g)
	m := w.penalised.RawSymmetric().Data
	for i := range f - 1 {
		m[i*f+i] += penalty
	}
	// The constant is not penalised, but for what keeps the matrix regular.
	m[f*f-1] = m[f*f-1]*(1+1e-9) + 1e-9
	if !w.invert() {
		return false
	}
	inverse := w.inverse.RawSymmetric().Data
	for j := range w.d {
		pivot := inverse[j*f+j]
		for i, v := range inverse[j*f : (j+1)*f] {
			w.weights[j][i] = -v / pivot
		}
		w.weights[j][j] = 0
		if !anchorWeights(inverse, j, w.d, w.anchors[j]) {
			return false
		}
	}
	return true
}

// invert makes the whole inverse of the penalised matrix; false if that is not regular.
// How nearly it is not follows from the inverse. Only where that leaves it open is it
// estimated as mat.Cholesky does, which takes as long as the matrix takes to factorise.
func (w *solver) invert() bool {
	w.inverse.CopySym(w.penalised)
	norm := oneNorm(w.inverse)
	factor, ok := lapack64.Potrf(w.inverse.RawSymmetric())
	if !ok {
		return false
	}
	if _, ok := lapack64.Potri(factor); !ok {
		return false
	}
	if inverse := oneNorm(w.inverse); !(norm*inverse < mat.ConditionTolerance/2) {
		var c mat.Cholesky
		return c.Factorize(w.penalised) && c.Cond() <= mat.ConditionTolerance
	}
	return true
}

// oneNorm is the largest sum of the absolute values of a row. It fills in the half of
// the matrix below the diagonal, so that what is in a column can be read in a row.
func oneNorm(s *mat.SymDense) float64 {
	m, f := s.RawSymmetric().Data, s.SymmetricDim()
	largest := 0.0
	for i := range f {
		row := m[i*f : (i+1)*f]
		for k := range i {
			row[k] = m[k*f+i]
		}
		sum := 0.0
		for _, v := range row {
			sum += math.Abs(v)
		}
		largest = max(largest, sum)
	}
	return largest
}

// leave finds what the weights leave open of the rows of data from lo to before hi.
//
// A sum waits for each addition to it before the next, so that one prediction by
// itself takes as long as several side by side; the order of what each sum adds up
// stays. It takes about half of the time; with eight, which leave the compiler too few
// registers, it took nearly all of it.
func (w *solver) leave(data *learned, lo, hi int, free, tied [][]float64) {
	f := w.f
	for c := range 2 * w.d {
		list := w.weights[c/2]
		if c%2 == 1 {
			list = w.anchors[c/2]
		}
		block := w.blocks[c/abreast*abreast*f:]
		for i, v := range list {
			block[i*abreast+c%abreast] = v
		}
	}
	for first := 0; first < 2*w.d; first += abreast {
		block := w.blocks[first*f : (first+abreast)*f]
		for i := lo; i < hi; i++ {
			s := predictions(block, data.x.row(i))
			for c := first; c < min(first+abreast, 2*w.d); c++ {
				open := data.z[i][c/2] - s[c-first]
				if c%2 == 0 {
					free[c/2][i] = open
				} else {
					tied[c/2][i] = open
				}
			}
		}
	}
}

// predictions are the sums of x weighted by each column of a block.
func predictions(block, x []float64) [abreast]float64 {
	var a, b, c, d, e, f float64
	for i, v := range x {
		w := (*[abreast]float64)(block[i*abreast:])
		a += w[0] * v
		b += w[1] * v
		c += w[2] * v
		d += w[3] * v
		e += w[4] * v
		f += w[5] * v
	}
	return [abreast]float64{a, b, c, d, e, f}
}

func dot(w, x []float64) float64 {
	s := 0.0
	for i, v := range w {
		s += v * x[i]
	}
	return s
}
