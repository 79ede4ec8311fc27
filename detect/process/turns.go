package process

import "slices"

// turns are where a state switches in a history. Each relation looks at all states of
// its devices, and most of these switch seldom: what follows from a few turns need
// not be looked for in all rows.
type turns struct {
	// moved tells that there is more than one value to it, or was; if not, it has no
	// turns. from is the first row in which the state was there, first what it was.
	moved bool
	from  int
	first float32
	// list is in the order of rows; nil if it never switched.
	list []turn
}

// turn is a row in which a state is another than in the row before.
type turn struct {
	row int32
	is  float32
}

// turns finds where c is another than in the row before.
func (c *column) turns() turns {
	if c.moved == nil {
		return turns{}
	}
	out := turns{moved: true, from: int(c.from)}
	if out.from >= c.moved.len() {
		return turns{from: out.from}
	}
	out.first = float32(c.moved.at(out.from))
	if c.moved.narrow != nil {
		out.list = turnsOf(c.moved.narrow, out.from)
	} else {
		out.list = turnsOf(c.moved.wide, out.from)
	}
	return out
}

func turnsOf[T uint16 | float32](values []T, from int) []turn {
	n := 0
	was := values[from]
	for _, v := range values[from:] {
		if v != was {
			n++
		}
		was = v
	}
	out := make([]turn, 0, n)
	was = values[from]
	for i, v := range values[from:] {
		if v != was {
			out = append(out, turn{int32(from + i), float32(v)})
		}
		was = v
	}
	return out
}

// each calls f with the rows of each turn, and whether it went up.
func (t *turns) each(f func(row int, up bool)) {
	was := t.first
	for _, x := range t.list {
		f(int(x.row), x.is > was)
		was = x.is
	}
}

// occurrences are the rows of the history in which a kind of switch was seen.
type occurrences struct {
	kind int
	rows []int32
	// excess is by how much what comes after them is wider than usual.
	excess float64
}

// occurrencesOf finds where the switches of r are in a history; all are their turns.
// Of what changed in a gap, it is not known when.
func (r *relation) occurrencesOf(h *history, all []turns) []occurrences {
	var out []occurrences
	for s := range r.switches {
		both := [2]occurrences{{kind: 2 * s}, {kind: 2*s + 1}}
		all[s].each(func(row int, up bool) {
			if h.sequences[row] != h.sequences[row-1]+1 {
				return
			}
			o := &both[0]
			if up {
				o = &both[1]
			}
			o.rows = append(o.rows, int32(row))
		})
		for _, o := range both {
			if len(o.rows) > 0 {
				out = append(out, o)
			}
		}
	}
	return out
}

// aftermath is the rows of data after the occurrences of a kind of switch, each until
// the next one or a gap, and how long after it they are.
type aftermath struct {
	rows []int32
	ages []uint8
	// aged are the rows of each age.
	aged [longestResponse][]int32
}

// find finds the rows after o; place tells which row of data each of the history is
// (see learned.places).
func (a *aftermath) find(o *occurrences, h *history, interval int64, place []int32) {
	a.rows, a.ages = a.rows[:0], a.ages[:0]
	for age := range a.aged {
		a.aged[age] = a.aged[age][:0]
	}
	for k, from := range o.rows {
		end := int32(len(h.times))
		if k+1 < len(o.rows) {
			end = o.rows[k+1]
		}
		for row := from; row < end && h.sequences[row]-h.sequences[from] == int64(row-from); row++ {
			age := ageOf(h.times[row]-h.times[from], interval)
			if age >= longestResponse {
				break
			}
			if i := place[row]; i > 0 {
				a.rows, a.ages = append(a.rows, i-1), append(a.ages, uint8(age))
				a.aged[age] = append(a.aged[age], i-1)
			}
		}
	}
}

// run is the rows of data, or the columns of a ticker, from lo to before hi.
type run struct{ lo, hi int32 }

// stays are the rows of data in which a switch with two states is in one of them,
// but for those right after it came to be.
type stays struct {
	kind int
	// n is how many times it was in it.
	n float64
	// runs are the rows, size how many these are.
	runs []run
	size int
	// excess is by how much residuals are wider than usual, on average.
	excess float64
}

// staysOf finds the stays in the states of the switches of r; all are their turns,
// and before tells how many rows of data there are before each of the history.
func (r *relation) staysOf(h *history, interval int64, all []turns, before []int32) []stays {
	var out []stays
	for s, p := range r.switches {
		t := &all[s]
		if !t.moved || p.tally.nStates != 2 {
			continue
		}
		high := float32(highOf(p.tally))
		both := [2]stays{{kind: 2 * s}, {kind: 2*s + 1}}
		stay := func(is float32, from, to int, since int64) {
			x := &both[0]
			if is == high {
				x = &both[1]
			}
			x.n++
			for from < to && ageOf(h.times[from]-since, interval) < longestResponse {
				from++
			}
			if lo, hi := before[from], before[to]; hi > lo {
				x.runs, x.size = append(x.runs, run{lo, hi}), x.size+int(hi-lo)
			}
		}
		from, is := t.from, t.first
		var since int64 // when it was switched, 0 if that is not known
		for _, x := range t.list {
			if (x.is == high) == (is == high) {
				continue
			}
			row := int(x.row)
			stay(is, from, row, since)
			from, is, since = row, x.is, 0
			if h.sequences[row] == h.sequences[row-1]+1 {
				since = h.times[row]
			}
		}
		stay(is, from, len(h.times), since)
		for _, x := range both {
			if x.size > 0 {
				out = append(out, x)
			}
		}
	}
	return out
}

// places tells for each row of a history which row of the data it is, and 1 more; 0
// is none.
func (d *learned) places(h *history) []int32 {
	place := make([]int32, len(h.times))
	for i, from := range d.from {
		place[from] = int32(i) + 1
	}
	return place
}

// before tells how many rows of the data come before each row of a history, and
// before its end.
func before(place []int32) []int32 {
	out := make([]int32, len(place)+1)
	for i, p := range place {
		out[i+1] = out[i]
		if p > 0 {
			out[i+1]++
		}
	}
	return out
}

// rowsInto puts the rows of x into a list.
func (x *stays) rowsInto(list []int32) []int32 {
	list = slices.Grow(list[:0], x.size)
	for _, r := range x.runs {
		for i := r.lo; i < r.hi; i++ {
			list = append(list, i)
		}
	}
	return list
}
