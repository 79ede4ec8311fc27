package process

import "math"

// history is what is kept of the rows of a ticker while learning. It is kept in
// blocks of blockRows rows; when there is no more room, every second block is
// given up and only every second one is kept from then on, so that it always
// covers the whole of learning (but see held). The room is shared by all tickers of an engine:
// each of their points has as many rows. Where even the fewest rows are too many,
// points that begin to move have no history, and are counted.
type history struct {
	room      *room
	times     []int64
	sequences []int64
	columns   []column
	// candidates are points of faster paces, with columns of their own.
	candidates []*candidate
	// every is which blocks are kept; rows counts all rows there were.
	every, rows int64
	held        held
	// writes tells that the rows of the block under way are kept, for now at least.
	writes bool
}

// room is what the histories of all tickers share: octets. width is how many of
// them a row of all columns takes. refused is how many columns found none.
type room struct {
	budget, maxRows int
	width, refused  int
}

// fewestRows is how many rows a history has room for at least. Two of its three
// blocks, which stay when every second one is given up, are enough for a relation
// (settleRows).
const fewestRows = 3 * blockRows

// open tells whether there is room for values that take so many octets more in
// each row.
func (r *room) open(width int) bool {
	if r.width > 0 && (r.width+width)*fewestRows > r.budget {
		r.refused++
		return false
	}
	r.width += width
	return true
}

// release gives back the room of a column that is let go.
func (r *room) release(c *column) {
	if c.moved != nil {
		r.width -= c.moved.width()
	}
}

// rows is how many rows there is room for.
func (r *room) rows() int {
	n := r.maxRows
	if r.width > 0 {
		n = min(n, r.budget/r.width)
	}
	return max(n, fewestRows)
}

// column is what one point was in each row. While it has only ever had one value,
// moved is nil.
type column struct {
	moved *values
	// only is the value of a column that never moved; from is the first row it
	// was there in.
	only    float32
	from    int32
	dropped bool
	// up and down are how many times it is seen to switch either way, as far as that
	// is counted (see held).
	up, down uint8
	// refused tells that there was no room for its values.
	refused bool
}

func (h *history) join(value float64) {
	h.columns = append(h.columns, column{only: float32(value), from: int32(len(h.times))})
}

func (h *history) drop(i int) {
	h.room.release(&h.columns[i])
	h.columns[i] = column{dropped: true}
}

// add keeps the row that t has now. It tells whether it had to make room.
func (h *history) add(t *ticker) bool {
	if h.rows%blockRows == 0 {
		h.writes = h.rows/blockRows%h.every == 0 || h.room.rows() >= heldRows
	}
	h.rows++
	for _, c := range h.candidates {
		c.add(h, h.writes)
	}
	if !h.writes {
		return false
	}
	n := len(h.times)
	for i := range h.columns {
		if c := &h.columns[i]; !c.dropped {
			c.put(h.room, n, float32(t.points[i].value))
		}
	}
	h.times = append(h.times, t.start)
	h.sequences = append(h.sequences, t.sequence)
	if h.rows%blockRows != 0 || !h.endBlock(t) || len(h.times)-h.held.rare*blockRows < h.room.even() {
		return false
	}
	h.thin(t)
	return true
}

// put keeps v as the value in row n, the next.
func (c *column) put(r *room, n int, v float32) {
	if c.refused {
		return
	}
	if c.moved == nil {
		if v == c.only {
			return
		}
		if n == int(c.from) {
			c.only = v
			return
		}
		narrow := isNarrow(c.only) && isNarrow(v)
		if !r.open(width(narrow)) {
			c.refused = true
			return
		}
		c.moved = newValues(narrow, c.only, n)
	}
	if c.moved.narrow != nil && !isNarrow(v) {
		if !r.open(wideValue - narrowValue) {
			r.release(c)
			c.moved, c.refused = nil, true
			return
		}
		c.moved.widen()
	}
	c.moved.add(v)
}

// thin gives up every second block, but for those that are held on to.
func (h *history) thin(t *ticker) {
	h.every *= 2
	stays := h.stay(t)
	keep := func(row int) bool { return stays[row/blockRows] }
	n := 0
	for r := range h.times {
		if keep(r) {
			h.times[n], h.sequences[n] = h.times[r], h.sequences[r]
			n++
		}
	}
	h.times, h.sequences = h.times[:n], h.sequences[:n]
	for i := range h.columns {
		h.columns[i].thin(keep)
	}
	for _, c := range h.candidates {
		c.last.thin(keep)
		c.mean.thin(keep)
	}
}

// thin gives up the rows that are not kept.
func (c *column) thin(keep func(row int) bool) {
	if y := c.moved; y != nil {
		y.narrow, y.wide = thinned(y.narrow, keep), thinned(y.wide, keep)
	}
	from := int32(0)
	for r := range c.from {
		if keep(int(r)) {
			from++
		}
	}
	c.from = from
}

// at returns the value of a column in a row, NaN before it was there.
func (c *column) at(row int) float64 {
	if row < int(c.from) {
		return math.NaN()
	}
	if c.moved == nil {
		return float64(c.only)
	}
	return c.moved.at(row)
}
