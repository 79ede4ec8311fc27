package process

import (
	"testing"
	"time"
)

// switching is a feed of a measurement, a state that switches often and one that
// does so once in so many rows; it returns the history and the column of the last.
func switching(rows, seldom int, s Settings) (*history, *column) {
	x := newFeed([]string{"measurement", "often", "seldom"}, s)
	at := time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC).UnixNano()
	for n := range rows {
		x.row(at, []float64{float64(n % 97), float64(n / 20 % 2), float64(n / seldom % 2)})
		at += 1e9
	}
	k := x.engine.tickers[0]
	for _, p := range k.points {
		if p.series.Name == "seldom" {
			return &k.history, &k.history.columns[p.column]
		}
	}
	panic("the point has no column")
}

// switched counts how often a column is seen to switch.
func (h *history) switched(c *column) (n int) {
	for i := 1; i < len(h.times); i++ {
		if h.sequences[i] == h.sequences[i-1]+1 && c.at(i) != c.at(i-1) {
			n++
		}
	}
	return n
}

func TestAHistoryHoldsOnToSwitchesThatAreSeldom(t *testing.T) {
	// 39 switches in 200,000 rows, of which one in 32 is kept evenly.
	h, c := switching(200_000, 5_000, Settings{MaxRows: 8192})
	if n := h.switched(c); n < 2*enoughExamples-2 || n > 2*enoughExamples+6 {
		t.Errorf("%d of 39 switches that are seldom are kept, want about %d", n, 2*enoughExamples)
	}
	if h.every < 16 {
		t.Errorf("one block in %d is kept evenly", h.every)
	}
	if n := len(h.times); n > 8192*3/2+blockRows {
		t.Errorf("the history has %d rows", n)
	}
}

func TestAHistoryWithoutRoomToSpareHoldsOnToNothing(t *testing.T) {
	h, _ := switching(50_000, 5_000, Settings{MaxRows: heldRows / 2})
	if h.held.rare != 0 {
		t.Errorf("%d blocks are held on to", h.held.rare)
	}
	for b, number := range h.held.numbers {
		if number%h.every != 0 {
			t.Errorf("block %d of the history is block %d of all, and one in %d is kept", b, number, h.every)
		}
	}
}

func TestWhatIsHeldOnToLeavesTheShareOfTimeAlone(t *testing.T) {
	h, c := switching(200_000, 5_000, Settings{MaxRows: 8192})
	values := c.series()
	even := h.even(values)
	if len(even) >= len(values) {
		t.Fatalf("of %d rows %d are kept evenly", len(values), len(even))
	}
	on := 0.0
	for _, v := range even {
		on += v
	}
	if share := on / float64(len(even)); share < 0.4 || share > 0.6 {
		t.Errorf("a state that is on half of the time is on for %.2f of it", share)
	}
}
