package process

import "math"

const (
	// allowance is by how many deviations a residual may be off for any length of
	// time without adding to its cumulative sum. A level may wander by one in as
	// long as learning took; with half of one more, what is added is a shift.
	allowance = 1.5
	// sumRows is the horizon that says that a shift is over.
	sumRows = len(horizons) - 1
	// sumTop is by how much of its threshold a sum may be above it.
	sumTop = 1.25
)

// sums are the cumulative sums of a member's residuals, less the allowance, on
// either side (CUSUM, Page 1954). They see a lasting shift that is too small for
// the means, because a mean over many rows of a short learning has a wide
// threshold.
type sums struct {
	up, down  float64
	allowance float64
	limit     float64
}

// add takes a residual, in deviations, and gives the part of the threshold that
// the sums reach. mean is the mean over the longest horizon: when that is calm, the
// shift is over, and the sums start anew instead of going down slowly.
func (s *sums) add(residual, mean float64) float64 {
	top := sumTop * s.limit
	// A single residual counts twice the allowance at most, so that a spike is no
	// shift.
	c := cut(residual, 2*s.allowance)
	s.up = min(top, max(0, s.up+c-s.allowance))
	s.down = min(top, max(0, s.down-c-s.allowance))
	if ratio := s.ratio(); ratio <= release || math.Abs(mean) >= s.allowance/2 {
		return ratio
	}
	s.up, s.down = 0, 0
	return 0
}

// ratio is the part of the threshold that the larger sum reaches.
func (s *sums) ratio() float64 { return max(s.up, s.down) / s.limit }

// calibrate finds the threshold: the larger of what the largest sums of learning
// say by peaks over threshold, and of what chance does to a sum. A sum of steps
// of variance v a row and drift -k exceeds h with a probability of about
// exp(-2kh/v) (Wald 1947); v is taken from sums of all lengths, so that residuals that
// follow each other count for what they are, and the exponent from Student's t,
// so that a short learning is not trusted too far. What lasted was as many times as
// long as rows were thinned.
func (s *sums) calibrate(residuals []float64, scale, lean float64, given terms) {
	n := len(residuals)
	v := longVariance(residuals, scale, 2*s.allowance)
	z := given.student(given.row/2, math.Max(3, float64(n)/(2*math.Max(horizons[sumRows], v))))
	least := v * z * z / (4 * s.allowance)
	s.limit = math.Inf(1)
	largest := make([]float64, n)
	for i, r := range residuals {
		c := cut(r/scale-lean, 2*s.allowance)
		s.up, s.down = max(0, s.up+c-s.allowance), max(0, s.down-c-s.allowance)
		largest[i] = math.Max(s.up, s.down)
	}
	*s = sums{allowance: s.allowance, limit: math.Max(least, given.thinned*tail(largest, int(horizons[sumRows]), given.row, 1))}
}

// longVariance is the variance a row of sums of clipped residuals: the largest
// of sums over 8, 16, 32... rows, as long as there are windowsOfSums of them. It is
// 1 for residuals like chance, and many times that where they stay on one side
// for long.
func longVariance(residuals []float64, scale, clip float64) float64 {
	v := 0.1
	for length := int(horizons[sumRows]); len(residuals)/length >= windowsOfSums; length *= 2 {
		square, windows := 0.0, 0
		for from := 0; from+length <= len(residuals); from += length {
			s := 0.0
			for _, r := range residuals[from : from+length] {
				s += cut(r/scale, clip)
			}
			square += s * s
			windows++
		}
		v = math.Max(v, square/float64(windows*length))
	}
	return v
}

// windowsOfSums is how many windows show the variance of their sums.
const windowsOfSums = 32
