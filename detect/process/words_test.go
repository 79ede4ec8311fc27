package process

import (
	"testing"

	"github.com/weir-ics/weir/detect"
)

func TestARangeOfOneValueIsWrittenAsThatValue(t *testing.T) {
	p := &point{series: &detect.Series{Table: new(detect.Table), Label: &detect.Label{EngineeringUnit: "bar"}}}
	for _, c := range []struct {
		low, high float64
		want      string
	}{
		{1, 1, "1 bar"},
		{1.00001, 1.00002, "1 bar"},
		{1, 3.5, "between 1 bar and 3.5 bar"},
	} {
		if got := p.band(c.low, c.high); got != c.want {
			t.Errorf("%g to %g is written %q, want %q", c.low, c.high, got, c.want)
		}
	}
	if got := capital("between"); got != "Between" {
		t.Errorf("capital of between is %q", got)
	}
}
