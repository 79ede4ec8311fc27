package process

import (
	"testing"

	"github.com/weir-ics/weir/detect"
)

// A register at rest must not be woken at each reading for the sake of its
// payload.
func TestAStretchThatStandsStillIsRestful(t *testing.T) {
	y := &payload{}
	for i := range payloadLength - maxSame - 2 {
		y.add(7, &detect.Sample{Time: int64(i)})
		if !y.restful() {
			t.Fatalf("not after %d values that are the same", i+1)
		}
	}
}

func TestAValueAtRestHasTheDigitsOfWhereItRests(t *testing.T) {
	for _, c := range []struct {
		now  [10]float64
		rest bool
	}{
		{[10]float64{0, 0, 0, 0, 17, 116, 115, 8, 0, 0}, true},
		{[10]float64{126, 1, 0, 0, 0, 0, 0, 0, 3, 126}, true}, // about a ten
		{[10]float64{26, 26, 26, 26, 26, 26, 25, 25, 25, 25}, false},
		{[10]float64{128, 0, 0, 0, 0, 128, 0, 0, 0, 0}, false}, // bits
		{[10]float64{13, 40, 33, 82, 33, 41, 14, 0, 0, 0}, false},
	} {
		d := &digits{now: c.now}
		if d.resting() != c.rest {
			t.Errorf("that %v rests is %v", c.now, !c.rest)
		}
	}
}
