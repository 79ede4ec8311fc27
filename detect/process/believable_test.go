package process

import (
	"testing"
)

// TestAnImpossibleValueIsToldOfItsPointAndOfNoOther forges one flow: what it explains
// must not be expected to be as impossible.
func TestAnImpossibleValueIsToldOfItsPointAndOfNoOther(t *testing.T) {
	e, next := pumps(8, 400, Settings{GroupSize: 24})
	next(nil)
	e.Findings(nil)
	const device, point, forged = 3, 4, 6.5e10
	for row := range 10 {
		next(func(d, p int, v float64) float64 {
			if d == device && p == point {
				return forged * float64(row+1)
			}
			return v
		})
	}
	told := 0
	for _, f := range e.Findings(nil) {
		if f.Kind != KindCorrelation {
			continue
		}
		told++
		if p := f.Points[0]; f.Server.Endpoint.IP.As4()[3] != device || p.First != point {
			t.Errorf("what is wrong is said of %s %d of %s: %s", p.Kind, p.First, f.Server.Endpoint.IP, f.Explanation)
		}
	}
	if told == 0 {
		t.Error("it is not told")
	}
	for _, r := range e.tickers[0].relations {
		for j := range r.members {
			m := &r.members[j]
			low, high := m.point.profile.seen()
			if width := high - low; m.expected > high+2*beyond*width || m.expected < low-2*beyond*width {
				if m.point.value < forged {
					t.Errorf("%s is expected to be %g, of %g to %g", m.point.name(), m.expected, low, high)
				}
			}
		}
	}
}

func TestWhatIsFarButWasSeenExplains(t *testing.T) {
	e, next := pumps(8, 400, Settings{GroupSize: 24})
	next(nil)
	p := e.tickers[0].relations[0].members[0].point
	low, high := p.profile.seen()
	if low == high {
		t.Fatal(p.name() + " stood still")
	}
	// However small its spread, what was seen is believed, and what is near to it.
	for v, want := range map[float64]bool{low: true, high: true, high + (high-low)*beyond/2: true, high + (high-low)*beyond*2: false, -1e12: false} {
		if p.believable((v-low)/1e-6, low, 1e-6, false) != want {
			t.Errorf("that %g is believed of %s, seen from %g to %g, is %v", v, p.name(), low, high, !want)
		}
	}
}
