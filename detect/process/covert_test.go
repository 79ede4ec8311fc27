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
