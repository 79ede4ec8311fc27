package water

import (
	"math"
	"math/rand/v2"
)

// Step is the time step of the model in seconds.
const Step = 1.0

// The tanks: T1 raw water, T2 clear well, T3 and T4 service reservoirs.
const (
	T1 = iota
	T2
	T3
	T4
	NumTanks
)

// The pumps: P1 and P2 intake, P3 and P4 high lift with variable speed, P5
// booster.
const (
	P1 = iota
	P2
	P3
	P4
	P5
	NumPumps
)

// tanks holds the area in square metres and the height in metres.
var tanks = [NumTanks]struct{ area, height float64 }{
	{80, 6}, {150, 5}, {110, 7}, {50, 6},
}

// Height is the height of a tank in metres, at which it overflows.
func Height(tank int) float64 { return tanks[tank].height }

// A Pump is a pump and its controls.
type Pump struct {
	// Auto lets the level decide; else Command does.
	Auto, Command bool
	// Running is what the pump does, Powered whether its feeder is alive.
	Running, Powered bool
	// SpeedLimit is the largest speed, 0 to 1; a healthy pump has 1.
	SpeedLimit float64
	// Hours it ran and Starts it made since the plant was built.
	Hours  float64
	Starts uint32

	// Speed is the actual speed as a share of the nominal one.
	Speed float64
	// Flow is what it delivers, Head the head in metres, Power in kW.
	Flow, Head, Power float64
}

// Setpoints are what the operator sets.
type Setpoints struct {
	// T1On and T1Off switch the intake pump, T1Standby the second one; T3 and
	// T4 likewise the high lift pumps and the booster. All in metres.
	T1On, T1Off, T1Standby   float64
	T3On, T3Off, T3Standby   float64
	T4On, T4Off              float64
	Flow, Pressure, Chlorine float64
	// V2 is the position of the zone valve in percent.
	V2 float64
	// Backwash is the filter head loss in metres at which it is washed.
	Backwash float64
}

// DefaultSetpoints are those the plant was commissioned with.
var DefaultSetpoints = Setpoints{
	T1On: 2.2, T1Off: 4.2, T1Standby: 1.5,
	T3On: 2.5, T3Off: 5.2, T3Standby: 1.8,
	T4On: 2.4, T4Off: 4.6,
	Flow: 240, Pressure: 4.4, Chlorine: 0.6, V2: 70, Backwash: 1.8,
}

// Plant is the state of the process. Fields may be changed between steps: they
// are what the controllers' outputs and the operator reach.
type Plant struct {
	// Now is the time in nanoseconds since the Unix epoch, of the last step.
	Now   int64
	Set   Setpoints
	Pumps [NumPumps]Pump
	// Level is the true level of each tank.
	Level [NumTanks]float64
	// Seen is the level that the controllers act on; it is the measured one
	// unless Fake replaces it.
	Fake [NumTanks]func(now int64, level float64) float64
	// Alarms are level alarms: bit 0 T1 low, 1 T1 high, 2 T3 low, 3 T3 high, 4 T4
	// low, 5 T4 high, 6 chlorine, 7 turbidity.
	Alarms uint16
	// AlarmReset clears latched alarms at the next step.
	AlarmReset bool
	// Washing tells that the filter is being washed; WashRequest asks for it.
	Washing, WashRequest bool

	// V1Jammed holds the treatment valve where it is, whatever its controller says.
	V1Jammed bool

	// Flows at this moment.
	Intake, Treated, HighLift, Boosted, Demand3, Demand4, Wash float64
	// Overflow is what runs over each tank.
	Overflow [NumTanks]float64
	// V1 is the position of the treatment valve in percent, V2 of the zone valve.
	V1, V2 float64
	// Dose is the chlorine dosing pump's stroke in percent.
	Dose                         float64
	HeadLoss, TurbidityRaw       float64
	Turbidity, Chlorine, WellCl2 float64
	PH, Temperature              float64
	Discharge, Zone3, Zone4      float64 // pressures in bar
	// Totals since the start, in cubic metres, for the mass balance and the
	// counters.
	TotalIn, TotalTreated, TotalOut, TotalLost float64

	Electric Electric
	// Measured is what the instruments show, with noise and resolution.
	Measured [NumSensors]float64

	demandNoise [2]float64
	washLeft    float64
	ripening    float64
	flowI, chlI float64
	pressI      float64
	rnd         *rand.Rand
	noise       *rand.Rand
}

// New returns a plant at time start, in nanoseconds since the Unix epoch, in a
// steady state that differs a little from seed to seed.
func New(seed uint64, start int64) *Plant {
	p := &Plant{
		Now: start, Set: DefaultSetpoints,
		rnd:   rand.New(rand.NewPCG(seed, 0x7761746572)),
		noise: rand.New(rand.NewPCG(seed, 0x6e6f697365)),
	}
	for i := range p.Pumps {
		p.Pumps[i] = Pump{Auto: true, Powered: true, SpeedLimit: 1, Hours: 1000 + 3000*p.rnd.Float64(), Starts: uint32(400 + p.rnd.IntN(800))}
	}
	p.Level = [NumTanks]float64{2.3 + 1.6*p.rnd.Float64(), 4.1, 2.6 + 2.2*p.rnd.Float64(), 2.5 + 1.8*p.rnd.Float64()}
	p.V1, p.V2, p.Dose = 45, p.Set.V2, 40
	p.TurbidityRaw, p.Turbidity, p.Chlorine, p.WellCl2 = 4, 0.15, 0.6, 0.58
	p.PH, p.Temperature = 7.4, 11
	p.HeadLoss = 0.4 + 0.5*p.rnd.Float64()
	p.flowI, p.chlI, p.pressI = 45, 40, 0.9
	p.TotalIn, p.TotalTreated, p.TotalOut = 250000, 240000, 231000
	p.Electric.init()
	p.measure()
	for range 3 {
		p.step()
	}
	return p
}

// Advance runs the process up to time t.
func (p *Plant) Advance(t int64) {
	for p.Now+int64(Step*1e9) <= t {
		p.Now += int64(Step * 1e9)
		p.step()
	}
}

// Stored is the water in all tanks in cubic metres.
func (p *Plant) Stored() float64 {
	v := 0.0
	for i, l := range p.Level {
		v += l * tanks[i].area
	}
	return v
}

func (p *Plant) seen(tank int) float64 {
	l := p.Measured[SensorT1+tank]
	if f := p.Fake[tank]; f != nil {
		return f(p.Now, l)
	}
	return l
}

func (p *Plant) step() {
	p.control()
	p.hydraulics()
	p.quality()
	p.Electric.step(p)
	p.measure()
}

// control is the logic of the three controllers.
func (p *Plant) control() {
	s := &p.Set
	l1, l3, l4 := p.seen(T1), p.seen(T3), p.seen(T4)
	p.switchPump(P1, l1, s.T1On, s.T1Off)
	p.switchPump(P2, l1, s.T1Standby, s.T1Off-0.4)
	p.switchPump(P3, l3, s.T3On, s.T3Off)
	p.switchPump(P4, l3, s.T3Standby, s.T3Off-0.6)
	p.switchPump(P5, l4, s.T4On, s.T4Off)

	// The filter is washed when it is clogged, early in the morning, or when
	// asked for; ten minutes.
	second := p.Now / 1e9 % 86400
	if !p.Washing && (p.WashRequest || p.HeadLoss > s.Backwash || second == 3*3600+600) {
		p.Washing, p.washLeft = true, 600
	}
	p.WashRequest = false
	if p.Washing {
		p.washLeft -= Step
		if p.washLeft <= 0 {
			p.Washing, p.HeadLoss, p.ripening = false, 0.35, 1
		}
	}

	// Treatment flow: the set flow, throttled as the clear well fills. V1 is a
	// PI controller with a slow actuator.
	want := s.Flow * clamp((4.5-p.Measured[SensorT2])/0.8, 0, 1)
	if p.Washing {
		want = 0
	}
	e := want - p.Treated
	p.flowI = clamp(p.flowI+0.004*e*Step, 0, 100)
	if !p.V1Jammed {
		p.V1 = slew(p.V1, clamp(p.flowI+0.05*e, 0, 100), 2*Step)
		if p.Washing {
			p.V1 = slew(p.V1, 0, 5*Step)
		}
	}
	p.V2 = slew(p.V2, clamp(s.V2, 0, 100), Step)

	// Dosing pump: in proportion to the flow, corrected by a PI controller on the
	// residual after the contact pipe.
	e = s.Chlorine - p.Measured[SensorChlorine]
	if p.Treated > 20 {
		p.chlI = clamp(p.chlI+0.02*e*Step, 5, 100)
		p.Dose = slew(p.Dose, clamp((p.chlI+8*e)*p.Treated/240, 0, 100), 2*Step)
	} else {
		p.Dose = slew(p.Dose, 0, 5*Step)
	}

	// Speed of the high lift pumps: PI on the discharge pressure.
	if p.Pumps[P3].Running || p.Pumps[P4].Running {
		e = s.Pressure - p.Measured[SensorDischarge]
		p.pressI = clamp(p.pressI+0.004*e*Step, 0.8, 1)
	}
	speed := clamp(p.pressI, 0.8, 1)
	for i := range p.Pumps {
		u := &p.Pumps[i]
		target := 0.0
		if u.Running {
			target = 1
			if i == P3 || i == P4 {
				target = speed
			}
			target = min(target, u.SpeedLimit)
		}
		u.Speed = slew(u.Speed, target, 0.15*Step)
	}

	p.alarms()
}

func (p *Plant) switchPump(i int, level, on, off float64) {
	u := &p.Pumps[i]
	run := u.Running
	switch {
	case !u.Auto:
		run = u.Command
	case level < on:
		run = true
	case level > off:
		run = false
	}
	run = run && u.Powered
	if run && !u.Running {
		u.Starts++
	}
	u.Running = run
	if run {
		u.Hours += Step / 3600
	}
}

func (p *Plant) alarms() {
	var now uint16
	for i, bad := range [...]bool{
		p.seen(T1) < 1, p.seen(T1) > 5.2, p.seen(T3) < 1, p.seen(T3) > 6.2,
		p.seen(T4) < 1, p.seen(T4) > 5.4, p.Measured[SensorChlorine] > 1.2 || p.Measured[SensorWellCl2] < 0.15, p.Measured[SensorTurbidity] > 0.8,
	} {
		if bad {
			now |= 1 << i
		}
	}
	if p.AlarmReset {
		p.Alarms, p.AlarmReset = 0, false
	}
	p.Alarms |= now
}

// A curve is a pump at nominal speed, head = h0 - a*Q², against a pipe that
// needs r*Q² and a static head.
type curve struct{ h0, a, r float64 }

var (
	intakeCurve  = curve{30, 1.8e-4, 0.9e-4}
	highCurve    = curve{62, 1.6e-4, 1.1e-4}
	boosterCurve = curve{45, 0.9e-3, 0.6e-3}
)

// flow is what one pump gives at a speed against a static head, when n pumps
// share the pipe.
func (c curve) flow(speed, static, n float64) float64 {
	h := speed*speed*c.h0 - static
	if h <= 0 || speed <= 0 {
		return 0
	}
	return math.Sqrt(h / (c.a + c.r*n*n))
}

func (p *Plant) hydraulics() {
	n := [2]float64{}
	for i := range p.Pumps[:P5] {
		if p.Pumps[i].Speed > 0.05 {
			n[i/2]++
		}
	}
	run := func(i int, c curve, static, n, available float64) float64 {
		u := &p.Pumps[i]
		q := c.flow(u.Speed, static, max(n, 1))
		if available < 0.15 { // the pump runs dry before the tank does
			q = 0
		}
		u.Flow += (q - u.Flow) * Step / 4
		if u.Flow < 0.01 {
			u.Flow = 0
		}
		if available <= 0.02 {
			u.Flow = 0
		}
		u.Head = max(0, u.Speed*u.Speed*c.h0-c.a*u.Flow*u.Flow)
		u.Power = 0
		if u.Speed > 0.05 {
			u.Power = u.Flow*u.Head*9.81/3600/0.68 + 1.2*u.Speed*u.Speed*u.Speed
		}
		return u.Flow
	}
	p.Intake = run(P1, intakeCurve, 10+p.Level[T1], n[0], 1) + run(P2, intakeCurve, 10+p.Level[T1], n[0], 1)
	lift := 35 + p.Level[T3] - p.Level[T2]
	p.HighLift = run(P3, highCurve, lift, n[1], p.Level[T2]) + run(P4, highCurve, lift, n[1], p.Level[T2])
	p.Boosted = run(P5, boosterCurve, 20+p.Level[T4]-p.Level[T3], 1, p.Level[T3])

	drop := p.Level[T1] + 3 - p.HeadLoss
	q := 1.5 * p.V1 * math.Sqrt(max(drop, 0))
	if p.Level[T1] < 0.1 {
		q = 0
	}
	p.Treated += (q - p.Treated) * Step / 6
	p.Wash = 0
	if p.Washing && p.Level[T2] > 1 {
		p.Wash = 150
	}

	// Demand has its shape, a slow random part and some short one.
	for i, sd := range [2]float64{0.0012, 0.0015} {
		p.demandNoise[i] += -p.demandNoise[i]*Step/1800 + sd*p.rnd.NormFloat64()
	}
	shape := pattern(p.Now)
	// The zone valve throttles only when it is well closed.
	valve := min(1, p.V2/40)
	p.Demand3 = max(0, 112*shape*(1+p.demandNoise[0])) * valve * min(1, p.Level[T3]/0.3)
	p.Demand4 = max(0, 58*shape*(1+p.demandNoise[1])) * min(1, p.Level[T4]/0.3)

	p.fill(T1, p.Intake-p.Treated)
	p.fill(T2, p.Treated-p.HighLift-p.Wash)
	p.fill(T3, p.HighLift-p.Boosted-p.Demand3)
	p.fill(T4, p.Boosted-p.Demand4)
	const hour = Step / 3600
	p.TotalIn += p.Intake * hour
	p.TotalTreated += p.Treated * hour
	p.TotalOut += (p.Demand3 + p.Demand4 + p.Wash) * hour

	p.Discharge = (p.HighLift*p.HighLift*0.6e-4 + lift) / 10.2
	if p.Pumps[P3].Speed > 0.05 || p.Pumps[P4].Speed > 0.05 {
		p.Discharge = max(p.Pumps[P3].Head, p.Pumps[P4].Head) / 10.2
	}
	p.Zone3 = (32 + p.Level[T3] - 2.2e-4*p.Demand3*p.Demand3/max(valve*valve, 0.01)) / 10.2
	p.Zone4 = (28 + p.Level[T4] - 9e-4*p.Demand4*p.Demand4) / 10.2
}

// fill adds a net flow to a tank and accounts for what runs over or is not
// there.
func (p *Plant) fill(tank int, net float64) {
	a := tanks[tank]
	l := p.Level[tank] + net*Step/3600/a.area
	p.Overflow[tank] = 0
	if l > a.height {
		p.Overflow[tank] = (l - a.height) * a.area * 3600 / Step
		p.TotalLost += (l - a.height) * a.area
		l = a.height
	}
	if l < 0 {
		p.TotalLost += l * a.area // negative: air was pumped
		l = 0
	}
	p.Level[tank] = l
}

func (p *Plant) quality() {
	day := float64(p.Now/1e9%86400) / 86400
	p.TurbidityRaw += (4-p.TurbidityRaw)*Step/10800 + 0.012*p.rnd.NormFloat64()
	p.TurbidityRaw = max(p.TurbidityRaw, 0.8)
	p.ripening *= 1 - Step/900
	p.Turbidity += (0.05 + 0.022*p.TurbidityRaw + 0.12*p.ripening - p.Turbidity) * Step / 300
	p.HeadLoss += p.Treated * Step * 9.5e-8 * (1 + 0.05*p.TurbidityRaw)

	// The dosing pump gives 450 g/h at full stroke. Water takes up some at once;
	// the contact pipe delays and mixes.
	c := p.Chlorine
	if p.Treated > 20 {
		c = max(0, 4.5*p.Dose/p.Treated-0.22-0.015*p.TurbidityRaw)
	}
	p.Chlorine += (min(c, 5) - p.Chlorine) * Step / 90
	volume := max(p.Level[T2]*tanks[T2].area, 20)
	p.WellCl2 += (p.Treated*(p.Chlorine-p.WellCl2)/volume - 0.012*p.WellCl2) * Step / 3600
	p.PH += (7.45-0.15*p.Chlorine-p.PH)*Step/1200 + 0.0004*p.rnd.NormFloat64()
	p.Temperature += (11+0.6*math.Sin(2*math.Pi*(day-0.35))-p.Temperature)*Step/3600 + 0.0003*p.rnd.NormFloat64()
}

func clamp(v, low, high float64) float64 { return max(low, min(high, v)) }

// slew moves v towards target by at most rate.
func slew(v, target, rate float64) float64 {
	return v + clamp(target-v, -rate, rate)
}
