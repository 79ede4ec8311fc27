package process

import (
	"cmp"
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
	after        []narrow
	// stay is what it is from then on, while the state has not switched back; only
	// of switches with two states.
	stay narrow
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

// occurrences are the rows of the history in which a kind of switch was seen.
type occurrences struct {
	kind int
	rows []int
}

// occurrencesOf finds where the switches of r are in a history. Of what changed in
// a gap, it is not known when.
func (r *relation) occurrencesOf(h *history) []occurrences {
	var out []occurrences
	for s, p := range r.switches {
		c := &h.columns[p.column]
		if c.moved == nil {
			continue
		}
		down, up := occurrences{kind: 2 * s}, occurrences{kind: 2*s + 1}
		for i := int(c.from) + 1; i < len(h.times); i++ {
			if h.sequences[i] != h.sequences[i-1]+1 {
				continue
			}
			switch was, is := c.at(i-1), c.at(i); {
			case is > was:
				up.rows = append(up.rows, i)
			case is < was:
				down.rows = append(down.rows, i)
			}
		}
		for _, o := range [...]occurrences{down, up} {
			if len(o.rows) > 0 {
				out = append(out, o)
			}
		}
	}
	return out
}

// each calls f with the rows after each occurrence, until the next one or a gap.
func (o *occurrences) each(h *history, interval int64, f func(age, row int)) {
	for k, from := range o.rows {
		end := len(h.times)
		if k+1 < len(o.rows) {
			end = o.rows[k+1]
		}
		for row := from; row < end && h.sequences[row]-h.sequences[from] == int64(row-from); row++ {
			age := ageOf(h.times[row]-h.times[from], interval)
			if age >= longestResponse {
				break
			}
			f(age, row)
		}
	}
}

// ageOf is how many rows ago something was, by the time since then: rows come
// sooner where a second client reads the same.
func ageOf(since, interval int64) int {
	return int(min((since+interval/2)/interval, longestResponse))
}

// fitResponses finds what follows each kind of switch, and takes it out of the
// residuals: what is left of them is like other rows, as far as that is known.
func (r *relation) fitResponses(h *history, interval int64, data learned, residuals [][]float64) {
	kinds := r.occurrencesOf(h)
	if len(kinds) == 0 {
		return
	}
	place := data.places(h)
	usual := r.usualDeviations(h, interval, kinds, data, residuals)
	// What is followed by most comes first: of what switches with it, nothing is
	// left then.
	excess := make(map[int]float64, len(kinds))
	for k := range kinds {
		o := &kinds[k]
		o.each(h, interval, func(_, row int) {
			if i := place[row]; i > 0 {
				for j := range residuals {
					v := residuals[j][i-1] / usual[j]
					excess[o.kind] += math.Max(0, v*v-noticeable*noticeable)
				}
			}
		})
	}
	slices.SortStableFunc(kinds, func(a, b occurrences) int { return cmp.Compare(excess[b.kind], excess[a.kind]) })
	found := make([][]spread, len(residuals)) // what is known of each row so far
	for j := range found {
		found[j] = make([]spread, data.rows)
	}
	for k := range kinds {
		o := &kinds[k]
		for j := range residuals {
			var seen [longestResponse]examples
			o.each(h, interval, func(age, row int) {
				if i := place[row]; i > 0 {
					seen[age].add(residuals[j][i-1]/usual[j], found[j][i-1].of(residuals[j][i-1])/usual[j])
				}
			})
			x := response{kind: int32(o.kind), member: int32(j)}
			last := 0
			for age := 0; age < longestResponse && age < last+calmRows; age++ {
				s := seen[age].spread(seen[age].n, usual[j])
				x.after = append(x.after, s.narrow())
				if s.width > 1 {
					last = age + 1
				}
			}
			if x.after = x.after[:last]; last == 0 || len(r.responses) >= maxResponses {
				continue
			}
			if last < longestResponse {
				// It may end a row later than it was seen to.
				x.after = append(x.after, spread{0, math.Sqrt(float64(x.after[last-1].width))}.narrow())
				last++
			}
			r.responses = append(r.responses, x)
			o.each(h, interval, func(age, row int) {
				if i := place[row]; i > 0 && age < last {
					found[j][i-1] = found[j][i-1].wider(x.after[age].spread())
				}
			})
		}
	}
	r.fitStays(h, interval, data, residuals, found, usual)
	for j := range residuals {
		for i, s := range found[j] {
			residuals[j][i] = s.of(residuals[j][i])
		}
	}
}

// examples are the residuals of a member in rows that have something in common, in
// usual deviations: as they are, and what is left of them by what is known already.
type examples struct {
	n, large             float64
	sum, squares         float64
	leftSum, leftSquares float64
}

func (x *examples) add(residual, left float64) {
	x.n++
	x.sum += residual
	x.squares += residual * residual
	x.leftSum += left
	x.leftSquares += left * left
	if math.Abs(residual) > noticeable {
		x.large++
	}
}

// spread is that of residuals like these; independent is how many they are worth. Of
// two switches that come together it is not known which of them it is that something
// follows: it may follow either. So what most of the examples show counts in full, and
// what a few show, only as far as nothing else explains it.
func (x *examples) spread(independent, usual float64) spread {
	s := spread{0, 1}
	part := independent / math.Max(1, x.n)
	if x.n >= fewestTogether && 2*x.large >= x.n {
		s = spreadOf(independent, x.sum*part, x.squares*part)
	}
	if s.width <= 1 {
		s = spreadOf(independent, x.leftSum*part, x.leftSquares*part)
	}
	s.shift *= usual
	return s.narrow().spread()
}

// stays are the rows of data in which a switch with two states is in one of them,
// but for those right after it came to be.
type stays struct {
	kind int
	// n is how many times it was in it.
	n    float64
	rows []int
	// excess is by how much residuals are wider than usual, on average.
	excess float64
}

// staysOf finds the stays in the states of the switches of r.
func (r *relation) staysOf(h *history, interval int64, data learned) []stays {
	place := data.places(h)
	var out []stays
	for s, p := range r.switches {
		c := &h.columns[p.column]
		if c.moved == nil || p.tally.nStates != 2 {
			continue
		}
		high := float64(float32(math.Max(p.tally.states[0], p.tally.states[1])))
		both := [2]stays{{kind: 2 * s}, {kind: 2*s + 1}}
		var since int64 // when it was switched, 0 if that is not known
		was := -1
		for row := int(c.from); row < len(h.times); row++ {
			is := 0
			if c.at(row) == high {
				is = 1
			}
			if is != was {
				both[is].n++
				since = 0
				if row > int(c.from) && h.sequences[row] == h.sequences[row-1]+1 {
					since = h.times[row]
				}
			}
			was = is
			if i := place[row]; i > 0 && ageOf(h.times[row]-since, interval) >= longestResponse {
				both[is].rows = append(both[is].rows, i-1)
			}
		}
		for _, x := range both {
			if len(x.rows) > 0 {
				out = append(out, x)
			}
		}
	}
	return out
}

// fitStays finds in which states residuals are wider than usual, or elsewhere, and
// takes that out of them.
func (r *relation) fitStays(h *history, interval int64, data learned, residuals [][]float64, found [][]spread, usual []float64) {
	all := r.staysOf(h, interval, data)
	for k := range all {
		for _, i := range all[k].rows {
			for j := range residuals {
				v := found[j][i].of(residuals[j][i]) / usual[j]
				all[k].excess += math.Max(0, v*v-noticeable*noticeable) / float64(len(all[k].rows))
			}
		}
	}
	slices.SortStableFunc(all, func(a, b stays) int { return cmp.Compare(b.excess, a.excess) })
	for k := range all {
		o := &all[k]
		for j := range residuals {
			var seen examples
			for _, i := range o.rows {
				seen.add(residuals[j][i]/usual[j], found[j][i].of(residuals[j][i])/usual[j])
			}
			s := seen.spread(o.n, usual[j])
			if s.width <= 1 {
				continue
			}
			x := r.responseOf(o.kind, j)
			if x == nil {
				continue
			}
			x.stay = s.narrow()
			for _, i := range o.rows {
				found[j][i] = found[j][i].wider(s)
			}
		}
	}
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
	r.responses = append(r.responses, response{kind: int32(kind), member: int32(member)})
	return &r.responses[len(r.responses)-1]
}

// places tells for each row of a history which row of the data it is, and 1 more; 0
// is none.
func (d *learned) places(h *history) []int {
	place := make([]int, len(h.times))
	for i, from := range d.from {
		place[from] = i + 1
	}
	return place
}

// usualDeviations are those of residuals that follow no switch; if there are hardly any
// such rows, of those that are furthest from one.
func (r *relation) usualDeviations(h *history, interval int64, kinds []occurrences, data learned, residuals [][]float64) []float64 {
	since := make([]int, len(h.times))
	for i := range since {
		since[i] = longestResponse
	}
	for k := range kinds {
		kinds[k].each(h, interval, func(age, row int) { since[row] = min(since[row], age) })
	}
	var count [longestResponse + 1]int
	for _, from := range data.from {
		count[since[from]]++
	}
	least, rows := longestResponse, count[longestResponse]
	for least > 0 && 4*rows < data.rows {
		least--
		rows += count[least]
	}
	out := make([]float64, len(residuals))
	for j := range residuals {
		sum := 0.0
		for i, v := range residuals[j] {
			if since[data.from[i]] >= least {
				sum += v * v
			}
		}
		out[j] = math.Max(math.Sqrt(sum/float64(rows)), r.members[j].floor())
	}
	return out
}

// spreadOf estimates where the next residual is, and how wide it may be, from n
// that have been seen: the wider the fewer these are, as Student's t has it.
func spreadOf(n, sum, squares float64) spread {
	if n == 0 || squares < noticeable*noticeable*n {
		return spread{0, 1}
	}
	shift := sum / (n + 1)
	variance := (squares - 2*shift*sum + n*shift*shift + 1) / n
	width := math.Sqrt(variance) * studentQuantile(responseChance, n) / studentQuantile(responseChance, math.Inf(1))
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
	r.switches = slices.Clip(kept)
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

func (x *response) save() savedResponse {
	s := savedResponse{Kind: int(x.kind), Member: int(x.member)}
	for _, a := range x.after {
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
	x := response{kind: int32(s.Kind), member: int32(s.Member), after: make([]narrow, n)}
	for i, w := range s.Width {
		if !(w >= 1) {
			return fmt.Errorf("a response that is %g times as wide", w)
		}
		x.after[i] = narrow{s.Shift[i], w}
	}
	if len(s.Stay) == 2 && s.Stay[1] >= 1 {
		x.stay = narrow{s.Stay[0], s.Stay[1]}
	}
	r.responses = append(r.responses, x)
	return nil
}
