package process

import (
	"fmt"
	"math"
	"testing"
	"time"
)

func TestPointsThatMoveBeyondTheRoomForHistoryAreCountedAndNotJudged(t *testing.T) {
	const points, columns = 60, 20
	var names []string
	for i := range points {
		names = append(names, fmt.Sprint("p", i))
	}
	x := newFeed(names, Settings{HistoryBytes: columns * narrowValue * fewestRows})
	at := time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC).UnixNano()
	values := make([]float64, points)
	row := func(n int) {
		for i := range values {
			// Half of the points rest.
			if values[i] = float64(i); i%2 == 0 {
				values[i] = 50 + float64((n*(7+i))%97)
			}
		}
		x.row(at, values)
		at += 1e9
	}
	for n := range 2000 {
		row(n)
	}
	used := 0
	for _, c := range x.engine.tickers[0].history.columns {
		if c.moved != nil {
			used += narrowValue*cap(c.moved.narrow) + wideValue*cap(c.moved.wide)
		}
	}
	taken(t, x.engine)
	if most := columns * narrowValue * fewestRows * 5 / 4; used > most {
		t.Errorf("the history takes %d octets, more than %d", used, most)
	}
	x.engine.Watch(at)
	x.engine.Advance(at)
	if n := x.engine.Stats().Unrecorded; n != points/2-columns {
		t.Errorf("%d points are said to have no history, want %d", n, points/2-columns)
	}
	natures := map[nature]int{}
	for _, p := range x.engine.each() {
		natures[p.profile.nature]++
	}
	if natures[natureConstant] != points/2 || natures[natureUnknown] != points/2-columns {
		t.Errorf("the points are %v", natures)
	}
	x.keep = true
	for n := range 50 {
		row(2000 + n)
	}
	if len(x.log) > 0 {
		t.Errorf("%d findings, the first: %s", len(x.log), x.log[0].Title)
	}
}

// taken makes sure that the room knows what the columns take.
func taken(t *testing.T, e *Engine) {
	t.Helper()
	width := 0
	add := func(c *column) {
		if c.moved != nil {
			width += c.moved.width()
		}
	}
	for _, k := range e.tickers {
		for i := range k.history.columns {
			add(&k.history.columns[i])
		}
		for _, c := range k.history.candidates {
			add(&c.last)
			add(&c.mean)
		}
	}
	if e.room.width != width {
		t.Errorf("a row is said to take %d octets, and takes %d", e.room.width, width)
	}
}

func TestAHistoryIsWhatWasPutIntoIt(t *testing.T) {
	fractions := func(n int) float32 { return float32(n%53) / 4 }
	for name, of := range map[string]func(n int) float32{
		"constant":              func(int) float32 { return 7 },
		"whole numbers":         func(n int) float32 { return float32(n * 7919 % 65536) },
		"fractions":             fractions,
		"fractions after whole": func(n int) float32 { return fractions(4*n*min(1, n/400)) + fractions(n)*float32(min(1, n/400)) },
		"below zero":            func(n int) float32 { return float32(n%9) - 4 },
		"beyond a register":     func(n int) float32 { return 65_530 + float32(n%9) },
	} {
		t.Run(name, func(t *testing.T) {
			for _, late := range []int{0, 1, 100, 300} {
				r := &room{budget: 1 << 20, maxRows: 1 << 20}
				h := &history{room: r, every: 1}
				k := &ticker{points: []*point{nil}}
				c := column{only: of(late), from: int32(late)}
				want := make([]float64, 0, 512)
				for n := range 512 {
					v := math.NaN()
					if n >= late {
						c.put(r, n, of(n))
						v = float64(of(n))
					}
					want = append(want, v)
				}
				h.columns = []column{c}
				h.times, h.sequences = make([]int64, 512), make([]int64, 512)
				for b := range int64(512 / blockRows) {
					h.held.numbers = append(h.held.numbers, b)
				}
				for range 2 {
					for i, v := range want {
						if got := h.columns[0].at(i); got != v && !(math.IsNaN(got) && math.IsNaN(v)) {
							t.Fatalf("a point that came at row %d is %g in row %d, want %g", late, got, i, v)
						}
					}
					h.thin(k)
					want = thinned(want, func(row int) bool { return row/blockRows%2 == 0 })
				}
			}
		})
	}
}

func TestAPointWhoseWidthFindsNoRoomHasNoHistory(t *testing.T) {
	r := &room{budget: 5 * fewestRows, maxRows: 1 << 20}
	a, b := column{}, column{}
	for n := range 10 {
		a.put(r, n, float32(n))
		b.put(r, n, float32(n))
	}
	b.put(r, 10, 0.5)
	if a.moved == nil || b.moved != nil || !b.refused || r.refused != 1 || r.width != narrowValue {
		t.Errorf("a is %+v, b is %+v, the room %+v", a, b, *r)
	}
}
