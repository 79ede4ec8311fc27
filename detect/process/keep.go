package process

import "slices"

// What follows a switch is learned from the rows after it, and a pump that starts
// four times a day does so in a few hundred rows of a hundred thousand. When a
// history gives rows up, it therefore holds on to blocks in which a state switches
// that has seldom done so in those that are kept anyway: a week of a small plant,
// which is one block in eight, then has as many starts of it as a day.

// held is what a history knows of the blocks it has.
type held struct {
	// numbers are which of all blocks they are.
	numbers []int64
	// rare is how many of them are there for their switches alone.
	rare int
	// more tells that what a switch brought about goes on after the last of them.
	more bool
}

const (
	// enoughExamples is how many switches of a kind are held on to, fewExamples of how
	// many there should be some even where that takes twice the room.
	enoughExamples = 12
	fewExamples    = 4
	// heldRows is the least room for rows in which blocks are held on to; large sites
	// with less have no rows to spare.
	heldRows = 4096
	// heldPart is as which part of the other rows they may be.
	heldPart = 4
)

// even is how many rows there is room for that are kept evenly, rare for how many
// that are held on to.
func (r *room) even() int {
	n := r.rows()
	if n < heldRows || r.width == 0 {
		return n
	}
	return min(n, r.budget/r.width*heldPart/(heldPart+2))
}

func (r *room) rare() int {
	if r.rows() < heldRows {
		return 0
	}
	return r.even() / heldPart
}

// switches tells whether a point is one whose switches are held on to.
func (p *point) switches() bool {
	return p != nil && p.tally != nil && p.tally.nStates >= 2 && p.tally.nStates <= maxStates
}

// examples counts the switches in rows from lo to hi of each column whose point is a
// state, and tells whether one is among those that there are not enough of yet, and
// whether that is so near the end that what follows goes on after it.
func (h *history) examples(t *ticker, lo, hi int, enough uint8, count bool) (rare, more bool) {
	for i := range h.columns {
		c := &h.columns[i]
		if c.moved == nil || !t.points[i].switches() {
			continue
		}
		for k := max(lo, int(c.from)+1, 1); k < hi; k++ {
			was, is := c.at(k-1), c.at(k)
			if is == was || h.sequences[k] != h.sequences[k-1]+1 {
				continue
			}
			n := &c.down
			if is > was {
				n = &c.up
			}
			if *n < enough {
				rare = true
				more = more || hi-k < longestResponse
			}
			if count {
				*n = min(*n+1, enoughExamples)
			}
		}
	}
	return rare, more
}

// endBlock decides whether the block that is complete now stays. It tells whether
// it does.
func (h *history) endBlock(t *ticker) bool {
	n := len(h.times)
	number := h.rows/blockRows - 1
	if number%h.every != 0 {
		rows := (h.held.rare + 1) * blockRows
		enough := uint8(enoughExamples)
		if rows > h.room.rare() {
			enough = fewExamples
		}
		rare, more := h.examples(t, n-blockRows, n, enough, false)
		if !rare && !h.held.more || rows > 2*h.room.rare() {
			h.held.more = false
			h.cut(n - blockRows)
			return false
		}
		h.held.more = more
		h.held.rare++
	}
	h.examples(t, n-blockRows, n, enoughExamples, true)
	h.held.numbers = append(h.held.numbers, number)
	return true
}

// cut gives up the rows from n on.
func (h *history) cut(n int) {
	h.times, h.sequences = h.times[:n], h.sequences[:n]
	for i := range h.columns {
		h.columns[i].cut(n)
	}
	for _, c := range h.candidates {
		c.last.cut(n)
		c.mean.cut(n)
	}
}

func (c *column) cut(n int) {
	if c.moved != nil {
		c.moved.cut(n)
	}
	c.from = min(c.from, int32(n))
}

// stay tells which blocks stay when only every h.every-th does, but for those that
// are held on to.
func (h *history) stay(t *ticker) []bool {
	out := make([]bool, len(h.held.numbers))
	rows := func(b int) (lo, hi int) { return b * blockRows, (b + 1) * blockRows }
	for i := range h.columns {
		h.columns[i].up, h.columns[i].down = 0, 0
	}
	for b, number := range h.held.numbers {
		if number%h.every == 0 {
			lo, hi := rows(b)
			out[b] = true
			h.examples(t, lo, hi, enoughExamples, true)
		}
	}
	h.held.rare = 0
	// Each kind gets its first examples before any gets more.
	for enough := uint8(1); enough <= enoughExamples; enough++ {
		next := int64(-1)
		for b, number := range h.held.numbers {
			if out[b] || (h.held.rare+1)*blockRows > h.room.rare() {
				continue
			}
			lo, hi := rows(b)
			rare, more := h.examples(t, lo, hi, enough, false)
			if !rare && number != next {
				continue
			}
			if more {
				next = number + 1
			}
			h.examples(t, lo, hi, enoughExamples, true)
			out[b] = true
			h.held.rare++
		}
	}
	at := 0
	h.held.numbers = slices.DeleteFunc(h.held.numbers, func(int64) bool { at++; return !out[at-1] })
	return out
}

// even returns those of values, of which there is one for each of the last rows,
// that are in no block that is there for its switches alone: how much of its time a
// process spends where, and over how long it is like itself, these blocks would
// make wrong.
func (h *history) even(values []float64) []float64 {
	if h.held.rare == 0 {
		return values
	}
	out := make([]float64, 0, len(values))
	first := len(h.times) - len(values)
	for i, v := range values {
		if b := (first + i) / blockRows; b >= len(h.held.numbers) || h.held.numbers[b]%h.every == 0 {
			out = append(out, v)
		}
	}
	return out
}
