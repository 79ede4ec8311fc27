package water

import "math"

// The breakers of the plant's substation.
const (
	Incomer = iota
	FeederA // P1, P3, P5 and treatment
	FeederB // P2, P4
	NumBreakers
)

// Double-bit states (IEEE 1815-2012, group 3).
const (
	Transit    = 0
	Open       = 1
	Closed     = 2
	BadContact = 3
)

// Electric is the plant's 10 kV substation: an incomer with a tap changer and
// two feeders.
type Electric struct {
	// Breaker is the position of each breaker: Open, Closed, or Transit while it
	// moves.
	Breaker [NumBreakers]uint8
	// Tap is the position of the tap changer, 1 to 17, TapSet what it shall be.
	Tap, TapSet int
	// Voltage of each phase in kV, Frequency in Hz.
	Voltage   [3]float64
	Frequency float64
	// Current in A, Active power in kW and Reactive in kvar, of the incomer and the
	// feeders.
	Current, Active, Reactive [NumBreakers]float64
	// Oil is the transformer's oil temperature in degrees Celsius.
	Oil float64
	// Energy is in kWh since the start.
	Energy [NumBreakers]float64
	// Door tells that the station's door is open, Local that control is taken on
	// site.
	Door, Local bool

	target [NumBreakers]uint8
	moving [NumBreakers]int
	grid   float64
	tapAge int
}

func (e *Electric) init() {
	for i := range e.Breaker {
		e.Breaker[i], e.target[i] = Closed, Closed
	}
	e.Tap, e.TapSet = 9, 9
	e.Oil, e.Frequency = 38, 50
	e.Energy = [NumBreakers]float64{1.84e6, 1.1e6, 0.62e6}
}

// Command moves a breaker to Open or Closed; it takes two seconds.
func (e *Electric) Command(breaker int, state uint8) {
	if e.Breaker[breaker] == state || e.target[breaker] == state {
		return
	}
	e.target[breaker], e.moving[breaker], e.Breaker[breaker] = state, 2, Transit
}

func (e *Electric) step(p *Plant) {
	for i := range e.moving {
		if e.moving[i] > 0 {
			if e.moving[i]--; e.moving[i] == 0 {
				e.Breaker[i] = e.target[i]
			}
		}
	}
	live := e.Breaker[Incomer] == Closed
	alive := [NumBreakers]bool{live, live && e.Breaker[FeederA] == Closed, live && e.Breaker[FeederB] == Closed}
	for i := range p.Pumps {
		f := FeederA
		if i == P2 || i == P4 {
			f = FeederB
		}
		p.Pumps[i].Powered = alive[f]
	}
	base := [NumBreakers]float64{0, 14, 6}
	for f := FeederA; f < NumBreakers; f++ {
		e.Active[f] = 0
		if alive[f] {
			e.Active[f] = base[f]
		}
	}
	for i := range p.Pumps {
		f := FeederA
		if i == P2 || i == P4 {
			f = FeederB
		}
		e.Active[f] += p.Pumps[i].Power
	}
	e.Active[Incomer] = 0
	if live {
		e.Active[Incomer] = e.Active[FeederA] + e.Active[FeederB] + 1.5
	}
	// The grid sags in the daytime; the tap changer keeps the voltage.
	e.grid += -e.grid*Step/600 + 0.0015*p.rnd.NormFloat64()
	day := math.Sin(2 * math.Pi * (float64(p.Now/1e9%86400)/86400 - 0.3))
	kv := (10.05 - 0.16*day + e.grid - 0.0006*e.Active[Incomer]) * (1 + 0.0125*float64(e.Tap-9))
	if e.tapAge++; e.tapAge > 120 && e.TapSet == 9 {
		switch {
		case kv < 9.85 && e.Tap < 17:
			e.Tap, e.tapAge = e.Tap+1, 0
		case kv > 10.2 && e.Tap > 1:
			e.Tap, e.tapAge = e.Tap-1, 0
		}
	}
	if e.TapSet != 9 {
		e.Tap = e.TapSet
	}
	for i, f := range [3]float64{1, 0.9985, 1.0012} {
		e.Voltage[i] = math.Max(0, kv*f+0.003*p.noise.NormFloat64())
	}
	e.Frequency += (50-e.Frequency)*Step/20 + 0.004*p.rnd.NormFloat64()
	sum := 0.0
	for f := NumBreakers - 1; f >= 0; f-- {
		e.Reactive[f] = e.Active[f] * 0.52
		e.Current[f] = 0
		if kv > 1 {
			e.Current[f] = e.Active[f]*1.13/(math.Sqrt(3)*kv) + 0
		}
		e.Energy[f] += e.Active[f] * Step / 3600
		sum += e.Active[f]
	}
	e.Oil += (30+sum*0.12-e.Oil)*Step/5400 + 0.003*p.rnd.NormFloat64()
}
