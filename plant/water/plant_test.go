package water

import (
	"math"
	"testing"
	"time"
)

var monday = time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC).UnixNano()

const day = int64(24 * time.Hour)

func TestAMonthStaysWithinBoundsAndClosesItsMassBalance(t *testing.T) {
	p := New(1, monday)
	stored, in, out := p.Stored(), p.TotalIn, p.TotalOut
	var low, high [NumTanks]float64
	for i := range low {
		low[i], high[i] = math.Inf(1), math.Inf(-1)
	}
	starts := [NumPumps]uint32{}
	for i := range p.Pumps {
		starts[i] = p.Pumps[i].Starts
	}
	clLow, clHigh, turb, alarms := math.Inf(1), 0.0, 0.0, uint16(0)
	for m := range 30 * 24 * 60 {
		p.Advance(monday + int64(m+1)*int64(time.Minute))
		for i, l := range p.Level {
			low[i], high[i] = min(low[i], l), max(high[i], l)
		}
		if m > 120 {
			clLow, clHigh, turb = min(clLow, p.Chlorine), max(clHigh, p.Chlorine), max(turb, p.Turbidity)
		}
		alarms |= p.Alarms
	}
	t.Logf("levels %.2f to %.2f, chlorine %.2f to %.2f, turbidity to %.2f, treated %.1f, demand %.1f", low, high, clLow, clHigh, turb, p.Treated, p.Demand3+p.Demand4)
	for i := range low {
		if low[i] < 0.8 || high[i] > tanks[i].height-0.2 {
			t.Errorf("T%d ranged from %.2f to %.2f m", i+1, low[i], high[i])
		}
	}
	if clLow < 0.35 || clHigh > 1.1 || turb > 0.5 {
		t.Errorf("chlorine %.2f to %.2f, turbidity up to %.2f", clLow, clHigh, turb)
	}
	if alarms != 0 {
		t.Errorf("alarms %08b in undisturbed operation", alarms)
	}
	balance := p.TotalIn - in - (p.TotalOut - out) - p.TotalLost - (p.Stored() - stored)
	if math.Abs(balance) > 0.01 {
		t.Errorf("mass balance is off by %.4f m³ of %.0f", balance, p.TotalIn-in)
	}
	for _, i := range []int{P1, P3, P5} {
		if n := p.Pumps[i].Starts - starts[i]; n < 30 || n > 600 {
			t.Errorf("P%d started %d times in a month", i+1, n)
		}
	}
}

func TestTheSameSeedGivesTheSamePlant(t *testing.T) {
	a, b := New(7, monday), New(7, monday)
	a.Advance(monday + day)
	for i := range 24 {
		b.Advance(monday + int64(i+1)*day/24)
	}
	if a.Measured != b.Measured {
		t.Errorf("measured %v and %v", a.Measured, b.Measured)
	}
	c := New(8, monday)
	c.Advance(monday + day)
	if a.Measured == c.Measured {
		t.Error("another seed gave the same values")
	}
}

func TestAnOpenFeederStopsItsPumps(t *testing.T) {
	p := New(1, monday)
	p.Pumps[P3].Auto, p.Pumps[P3].Command = false, true
	p.Advance(monday + 60e9)
	if !p.Pumps[P3].Running || p.HighLift < 50 {
		t.Fatalf("P3 commanded on gives %.1f m³/h", p.HighLift)
	}
	p.Electric.Command(FeederA, Open)
	p.Advance(monday + 180e9)
	if p.Pumps[P3].Running || p.Electric.Current[FeederA] != 0 {
		t.Errorf("with feeder A open P3 runs %v at %.1f A", p.Pumps[P3].Running, p.Electric.Current[FeederA])
	}
}

func TestAFakedLevelLetsTheTankRunOver(t *testing.T) {
	p := New(1, monday)
	p.Fake[T1] = func(int64, float64) float64 { return 1.0 }
	p.Advance(monday + day/2)
	if p.Level[T1] < tanks[T1].height-0.01 || p.TotalLost < 10 {
		t.Errorf("level %.2f m, %.1f m³ lost", p.Level[T1], p.TotalLost)
	}
}

func BenchmarkStep(b *testing.B) {
	p := New(1, monday)
	for b.Loop() {
		p.step()
	}
}
