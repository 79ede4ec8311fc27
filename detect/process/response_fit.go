package process

import (
	"cmp"
	"math"
	"slices"
)

// leftover is what the residuals of a member are in usual deviations, while what
// follows switches is looked for.
type leftover struct {
	residuals []float64
	usual     float64
	// found is what is known of each row so far, plain what residuals are without that,
	// and left what they are with it.
	found       []spread
	plain, left []float64
	// squares are the sums of the squares of left, and large how many of plain are
	// noticeable, before each row and at the end; only for fitStays.
	squares []float64
	large   []int32
	known   quantiles
}

func newLeftover(residuals []float64, usual float64, known quantiles) leftover {
	n := len(residuals)
	x := leftover{residuals: residuals, usual: usual, known: known, found: make([]spread, n), plain: make([]float64, n)}
	for i, v := range residuals {
		x.plain[i] = v / usual
	}
	x.left = slices.Clone(x.plain)
	return x
}

// learn takes in that row i is no narrower than s.
func (x *leftover) learn(i int32, s spread) {
	x.found[i] = x.found[i].wider(s)
	x.left[i] = x.found[i].of(x.residuals[i]) / x.usual
}

// spread is that of some rows; independent is how many they are worth. Most rows are
// usual: of these, no more is added up than shows it.
func (x *leftover) spread(rows []int32, independent float64) spread {
	seen := examples{n: float64(len(rows))}
	large := 0
	for _, i := range rows {
		v := x.left[i]
		seen.leftSquares += v * v
		if math.Abs(x.plain[i]) > noticeable {
			large++
		}
	}
	seen.large = float64(large)
	part := independent / math.Max(1, seen.n)
	if !seen.mostly() && (independent == 0 || seen.leftSquares*part < noticeable*noticeable*independent) {
		return spread{0, 1}
	}
	for _, i := range rows {
		v, left := x.plain[i], x.left[i]
		seen.sum += v
		seen.squares += v * v
		seen.leftSum += left
	}
	return seen.spread(independent, x.usual, x.known)
}

// addUp makes the sums that usualIn looks at.
func (x *leftover) addUp() {
	if x.squares == nil {
		x.squares, x.large = make([]float64, len(x.left)+1), make([]int32, len(x.left)+1)
	}
	for i, v := range x.left {
		x.squares[i+1] = x.squares[i] + v*v
		x.large[i+1] = x.large[i]
		if math.Abs(x.plain[i]) > noticeable {
			x.large[i+1]++
		}
	}
}

// usualIn tells that the rows of o are surely as usual. It looks at the ends of each
// run only, so that few of all states and members need be looked at row by row. What
// differences of sums lack in precision is left to those who look closer.
func (x *leftover) usualIn(o *stays) bool {
	squares, large := 0.0, int32(0)
	for _, r := range o.runs {
		squares += x.squares[r.hi] - x.squares[r.lo]
		large += x.large[r.hi] - x.large[r.lo]
	}
	seen := examples{n: float64(o.size), large: float64(large)}
	const slack = 1e-9
	squares = (squares + slack*x.squares[len(x.squares)-1]) * (1 + slack)
	return !seen.mostly() && squares*(o.n/seen.n) < noticeable*noticeable*o.n
}

// excesses are, a row, by how much the squares of residuals are larger than what is
// noticeable, of those members in which they are.
type excesses struct {
	from []int32 // where each row begins, and the end
	list []float64
}

// excessesOf takes them from what is given of each member.
func excessesOf(members []leftover, rows int, of func(*leftover) []float64) excesses {
	lists := make([][]float64, len(members))
	for j := range members {
		lists[j] = of(&members[j])
	}
	out := excesses{from: make([]int32, rows+1)}
	for i := range rows {
		for _, list := range lists {
			if over := list[i]*list[i] - noticeable*noticeable; !(over <= 0) {
				out.list = append(out.list, over)
			}
		}
		out.from[i+1] = int32(len(out.list))
	}
	return out
}

// in are those of rows from lo to before hi.
func (x *excesses) in(lo, hi int32) []float64 { return x.list[x.from[lo]:x.from[hi]] }

// fitResponses finds what follows each kind of switch, and takes it out of the
// residuals: what is left of them is like other rows, as far as that is known. all
// are the turns of the switches.
func (r *relation) fitResponses(h *history, interval int64, all []turns, data learned, residuals [][]float64, known quantiles) {
	kinds := r.occurrencesOf(h, all)
	if len(kinds) == 0 {
		return
	}
	place := data.places(h)
	var after aftermath
	usual := r.usualDeviations(h, interval, kinds, place, data, residuals)
	left := make([]leftover, len(residuals))
	for j := range left {
		left[j] = newLeftover(residuals[j], usual[j], known)
	}
	// What is followed by most comes first: of what switches with it, nothing is
	// left then.
	large := excessesOf(left, data.rows, func(x *leftover) []float64 { return x.plain })
	for k := range kinds {
		o := &kinds[k]
		after.find(o, h, interval, place)
		for _, i := range after.rows {
			for _, over := range large.in(i, i+1) {
				o.excess += over
			}
		}
	}
	slices.SortStableFunc(kinds, func(a, b occurrences) int { return cmp.Compare(b.excess, a.excess) })
	for k := range kinds {
		o := &kinds[k]
		after.find(o, h, interval, place)
		for j := range left {
			r.fitResponse(o.kind, j, &left[j], &after)
		}
	}
	r.fitStays(h, interval, all, data, left, place)
	for j := range left {
		for i, s := range left[j].found {
			residuals[j][i] = s.of(residuals[j][i])
		}
	}
}

// fitResponse finds what follows a kind of switch in a member.
func (r *relation) fitResponse(kind, member int, left *leftover, after *aftermath) {
	var found [longestResponse]narrow
	last := 0
	for age := 0; age < longestResponse && age < last+calmRows; age++ {
		rows := after.aged[age]
		s := left.spread(rows, float64(len(rows)))
		found[age] = s.narrow()
		if s.width > 1 {
			last = age + 1
		}
	}
	if last == 0 || len(r.responses) >= maxResponses {
		return
	}
	x := response{kind: int32(kind), member: int32(member)}
	if last < longestResponse {
		// It may end a row later than it was seen to.
		found[last] = spread{0, math.Sqrt(float64(found[last-1].width))}.narrow()
		last++
	}
	r.addResponse(x, found[:last])
	for n, i := range after.rows {
		if age := int(after.ages[n]); age < last {
			left.learn(i, found[age].spread())
		}
	}
}

// fitStays finds in which states residuals are wider than usual, or elsewhere, and
// takes that out of them.
func (r *relation) fitStays(h *history, interval int64, turned []turns, data learned, left []leftover, place []int32) {
	all := r.staysOf(h, interval, turned, before(place))
	large := excessesOf(left, data.rows, func(x *leftover) []float64 { return x.left })
	for k := range all {
		o := &all[k]
		for _, run := range o.runs {
			for _, over := range large.in(run.lo, run.hi) {
				o.excess += over / float64(o.size)
			}
		}
	}
	slices.SortStableFunc(all, func(a, b stays) int { return cmp.Compare(b.excess, a.excess) })
	for j := range left {
		left[j].addUp()
	}
	var rows []int32
	for k := range all {
		o := &all[k]
		rows = rows[:0]
		for j := range left {
			if left[j].usualIn(o) {
				continue
			}
			if len(rows) == 0 {
				rows = o.rowsInto(rows)
			}
			s := left[j].spread(rows, o.n)
			if s.width <= 1 {
				continue
			}
			x := r.responseOf(o.kind, j)
			if x == nil {
				continue
			}
			x.stay = s.narrow()
			for _, i := range rows {
				left[j].learn(i, s)
			}
			left[j].addUp()
		}
	}
}

// usualDeviations are those of residuals that follow no switch; if there are hardly any
// such rows, of those that are furthest from one.
func (r *relation) usualDeviations(h *history, interval int64, kinds []occurrences, place []int32, data learned, residuals [][]float64) []float64 {
	since := make([]uint8, data.rows)
	for i := range since {
		since[i] = longestResponse
	}
	var after aftermath
	for k := range kinds {
		after.find(&kinds[k], h, interval, place)
		for n, i := range after.rows {
			since[i] = min(since[i], after.ages[n])
		}
	}
	var count [longestResponse + 1]int
	for _, s := range since {
		count[s]++
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
			if int(since[i]) >= least {
				sum += v * v
			}
		}
		out[j] = math.Max(math.Sqrt(sum/float64(rows)), r.members[j].floor())
	}
	return out
}
