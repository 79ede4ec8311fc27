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

// room is what the histories of all tickers share: octets, and the columns that
// hold values. refused is how many columns found none.
type room struct {
	budget, maxRows  int
	columns, refused int
}

// fewestRows is how many rows a history has room for at least. Half of them are
// enough for a relation (settleRows), after the other half was given up.
const fewestRows = 4 * blockRows

// open tells whether there is room for the values of one more column.
func (r *room) open() bool {
	if r.columns >= max(r.budget/(4*fewestRows), 1) {
		r.refused++
		return false
	}
	r.columns++
	return true
}

// release gives back the room of a column that is let go.
func (r *room) release(c *column) {
	if c.values != nil {
		r.columns--
	}
}

// rows is how many rows there is room for.
func (r *room) rows() int {
	n := r.maxRows
	if r.columns > 0 {
		n = min(n, r.budget/(4*r.columns))
	}
	return max(n, fewestRows)
}

// column holds the values of one point. While the point has only ever had one
// value, values is nil.
type column struct {
	values []float32
	// only is the value of a column without values; from is the first row it
	// was there in.
	only    float32
	from    int
	dropped bool
	// up and down are how many times it is seen to switch either way, as far as that
	// is counted (see held).
	up, down uint8
	// refused tells that there was no room for its values.
	refused bool
}

func (h *history) join(value float64) {
	h.columns = append(h.columns, column{only: float32(value), from: len(h.times)})
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
	if c.values == nil {
		if v == c.only {
			return
		}
		if n == c.from {
			c.only = v
			return
		}
		if !r.open() {
			c.refused = true
			return
		}
		c.values = make([]float32, n, n+blockRows)
		for k := range c.values {
			c.values[k] = c.only
			if k < c.from {
				c.values[k] = float32(math.NaN())
			}
		}
	}
	if len(c.values) == cap(c.values) {
		// As much as is sure to be needed, and not twice as much.
		c.values = append(make([]float32, 0, n+max(blockRows, n/4)), c.values...)
	}
	c.values = append(c.values, v)
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
	k := 0
	for r := range c.values {
		if keep(r) {
			c.values[k] = c.values[r]
			k++
		}
	}
	if c.values != nil {
		c.values = c.values[:k]
	}
	from := 0
	for r := range c.from {
		if keep(r) {
			from++
		}
	}
	c.from = from
}

// at returns the value of a column in a row, NaN before it was there.
func (c *column) at(row int) float64 {
	if c.values == nil {
		if row < c.from {
			return math.NaN()
		}
		return float64(c.only)
	}
	return float64(c.values[row])
}
