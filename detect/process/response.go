package process

import (
	"fmt"
	"math"
	"slices"
)

// response is what follows a switch in one member: in each of the rows after it,
// where the residual is and how wide it spreads. A pump that starts takes its flow
// with it within a few rows, and how that looks depends on when it was polled.
// Without responses these few rows are the tail of all: the threshold is too wide
// for other rows, and too narrow for these when few of them were seen.
type response struct {
	// kind is the place of the switch among the switches of the relation, twice,
	// and one more if it goes up; member is whose response it is.
	kind, member int32
	// What it is in so many rows is what the relation has said, from a place on.
	from, rows int32
	// stay is what it is from then on, while the state has not switched back; only
	// of switches with two states.
	stay narrow
}

// after is what a response is in the rows after its switch.
func (r *relation) after(x *response) []narrow { return r.said[x.from:][:x.rows] }

// addResponse adds a response that is something in some rows.
func (r *relation) addResponse(x response, after []narrow) {
	if x.rows = int32(len(after)); x.rows > 0 {
		x.from = int32(len(r.said))
	}
	r.said = append(r.said, after...)
	r.responses = append(r.responses, x)
}

// spread is where a residual is, in standardised units, and how many times as wide
// as usual. The zero spread is the usual one.
type spread struct{ shift, width float64 }

// narrow is a spread as it is saved, and kept: a large site has a million of them.
type narrow struct{ shift, width float32 }

func (s narrow) spread() spread { return spread{float64(s.shift), float64(s.width)} }

// wider is the wider of two spreads. What follows two switches at once is as wide
// as what follows one of them.
func (s spread) wider(x spread) spread {
	if x.width > math.Max(1, s.width) {
		return x
	}
	return s
}

// of gives a residual as it would be if nothing had switched.
func (s spread) of(residual float64) float64 {
	return (residual - s.shift) / math.Max(1, s.width)
}

const (
	// longestResponse is for how many rows at most a response is looked for. It
	// ends where calmRows rows are as usual.
	longestResponse = 12
	calmRows        = 2
	// noticeable is how many times as large as usual residuals are in one.
	noticeable = 1.5
	// fewestTogether is how many examples show that something follows a switch of which
	// another that comes with it is known to be followed by that.
	fewestTogether = 3
	// maxResponses bounds those of a relation.
	maxResponses = 1024
	// responseChance is the probability at which few examples are held against
	// many.
	responseChance = 1e-3
)

// ageOf is how many rows ago something was, by the time since then: rows come
// sooner where a second client reads the same.
func ageOf(since, interval int64) int {
	return int(min((since+interval/2)/interval, longestResponse))
}

// examples are the residuals of a member in rows that have something in common, in
// usual deviations: as they are, and what is left of them by what is known already.
type examples struct {
	n, large             float64
	sum, squares         float64
	leftSum, leftSquares float64
}

// mostly tells that most of them are noticeable.
func (x *examples) mostly() bool { return x.n >= fewestTogether && 2*x.large >= x.n }

// spread is that of residuals like these; independent is how many they are worth. Of
// two switches that come together it is not known which of them it is that something
// follows: it may follow either. So what most of the examples show counts in full, and
// what a few show, only as far as nothing else explains it.
func (x *examples) spread(independent, usual float64, known quantiles) spread {
	s := spread{0, 1}
	part := independent / math.Max(1, x.n)
	if x.mostly() {
		s = spreadOf(independent, x.sum*part, x.squares*part, known)
	}
	if s.width <= 1 {
		s = spreadOf(independent, x.leftSum*part, x.leftSquares*part, known)
	}
	s.shift *= usual
	return s.narrow().spread()
}

// responseOf finds the response of a member to a kind of switch, or makes it; nil if
// there are too many.
func (r *relation) responseOf(kind, member int) *response {
	for i := range r.responses {
		if x := &r.responses[i]; int(x.kind) == kind && int(x.member) == member {
			return x
		}
	}
	if len(r.responses) >= maxResponses {
		return nil
	}
	r.addResponse(response{kind: int32(kind), member: int32(member)}, nil)
	return &r.responses[len(r.responses)-1]
}

// spreadOf estimates where the next residual is, and how wide it may be, from n
// that have been seen: the wider the fewer these are, as Student's t has it.
func spreadOf(n, sum, squares float64, known quantiles) spread {
	if n == 0 || squares < noticeable*noticeable*n {
		return spread{0, 1}
	}
	shift := sum / (n + 1)
	variance := (squares - 2*shift*sum + n*shift*shift + 1) / n
	width := math.Sqrt(variance) * known.student(responseChance, n) / known.student(responseChance, math.Inf(1))
	return spread{shift, math.Max(1, width)}
}

// narrow is s as it is saved.
func (s spread) narrow() narrow { return narrow{float32(s.shift), float32(s.width)} }

// keepSwitches lets go of the switches that nothing is known to follow, unless all
// are needed to leave out rows.
func (r *relation) keepSwitches() {
	if r.unsettled > 0 {
		return
	}
	followed := make([]bool, len(r.switches))
	for i := range r.responses {
		followed[r.responses[i].kind/2] = true
	}
	place := make([]int, len(r.switches))
	kept := r.switches[:0]
	for s, p := range r.switches {
		if followed[s] {
			place[s] = len(kept)
			kept = append(kept, p)
		}
	}
	r.switches = slices.Clone(kept) // a few of all states of the devices
	for i := range r.responses {
		x := &r.responses[i]
		x.kind = int32(2*place[x.kind/2]) + x.kind%2
	}
}

// savedResponse is a response in the baseline.
type savedResponse struct {
	Kind   int       `json:"kind"`
	Member int       `json:"member"`
	Shift  []float32 `json:"shift"`
	Width  []float32 `json:"width"`
	// Stay is shift and width of the stay, if there is something to it.
	Stay []float32 `json:"stay,omitempty"`
}

func (r *relation) saveResponse(x *response) savedResponse {
	s := savedResponse{Kind: int(x.kind), Member: int(x.member)}
	for _, a := range r.after(x) {
		s.Shift, s.Width = append(s.Shift, a.shift), append(s.Width, a.width)
	}
	if x.stay.width > 1 {
		s.Stay = []float32{x.stay.shift, x.stay.width}
	}
	return s
}

func (r *relation) loadResponse(s *savedResponse) error {
	n := len(s.Shift)
	if s.Kind < 0 || s.Kind >= 2*len(r.switches) || s.Member < 0 || s.Member >= len(r.members) || n > longestResponse || len(s.Width) != n || len(r.responses) >= maxResponses {
		return fmt.Errorf("a response of %d rows of member %d of %d to switch %d of %d", n, s.Member, len(r.members), s.Kind/2, len(r.switches))
	}
	x := response{kind: int32(s.Kind), member: int32(s.Member)}
	var after [longestResponse]narrow
	for i, w := range s.Width {
		if !(w >= 1) {
			return fmt.Errorf("a response that is %g times as wide", w)
		}
		after[i] = narrow{s.Shift[i], w}
	}
	if len(s.Stay) == 2 && s.Stay[1] >= 1 {
		x.stay = narrow{s.Stay[0], s.Stay[1]}
	}
	r.addResponse(x, after[:n])
	return nil
}
