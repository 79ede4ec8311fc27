package process

import (
	"fmt"
	"testing"
	"time"
)

func TestPointsThatMoveBeyondTheRoomForHistoryAreCountedAndNotJudged(t *testing.T) {
	const points, columns = 40, 10
	var names []string
	for i := range points {
		names = append(names, fmt.Sprint("p", i))
	}
	x := newFeed(names, Settings{HistoryBytes: columns * 4 * fewestRows})
	at := time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC).UnixNano()
	values := make([]float64, points)
	row := func(n int) {
		for i := range values {
			// Half of the points rest.
			if values[i] = float64(i); i%2 == 0 {
				values[i] = 50 + float64((n*(7+i))%53)
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
		used += 4 * cap(c.values)
	}
	if most := columns * 4 * fewestRows * 5 / 4; used > most {
		t.Errorf("the history takes %d octets, more than %d", used, most)
	}
	x.engine.Watch(at)
	x.engine.Advance(at)
	if n := x.engine.Stats().Unrecorded; n != points/2-columns {
		t.Errorf("%d points are said to have no history, want %d", n, points/2-columns)
	}
	natures := map[nature]int{}
	for _, p := range x.engine.order {
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
