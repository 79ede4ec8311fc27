package water

import "math"

// The instruments, in the order of Plant.Measured.
const (
	SensorT1 = iota
	SensorT2
	SensorT3
	SensorT4
	SensorIntake
	SensorTreated
	SensorHighLift
	SensorBoosted
	SensorDemand3
	SensorDemand4
	SensorDischarge
	SensorZone3
	SensorZone4
	SensorHeadLoss
	SensorTurbidityRaw
	SensorTurbidity
	SensorChlorine
	SensorWellCl2
	SensorPH
	SensorTemperature
	SensorV1
	SensorV2
	SensorDose
	SensorSpeed3
	SensorSpeed4
	SensorCurrent1
	SensorCurrent2
	SensorCurrent3
	SensorCurrent4
	SensorCurrent5
	NumSensors
)

// instruments gives each one's standard deviation of noise and its resolution
// (of the converter behind it), both in its unit.
var instruments = [NumSensors]struct{ sigma, step float64 }{
	SensorT1: {0.004, 0.0015}, SensorT2: {0.004, 0.00125}, SensorT3: {0.004, 0.00175}, SensorT4: {0.004, 0.0015},
	SensorIntake: {0.8, 0.1}, SensorTreated: {0.6, 0.1}, SensorHighLift: {0.9, 0.1}, SensorBoosted: {0.4, 0.05},
	SensorDemand3: {0.4, 0.05}, SensorDemand4: {0.3, 0.05},
	SensorDischarge: {0.008, 0.0025}, SensorZone3: {0.006, 0.0025}, SensorZone4: {0.006, 0.0025},
	SensorHeadLoss: {0.004, 0.001}, SensorTurbidityRaw: {0.03, 0.01}, SensorTurbidity: {0.002, 0.001},
	SensorChlorine: {0.004, 0.001}, SensorWellCl2: {0.003, 0.001}, SensorPH: {0.004, 0.01}, SensorTemperature: {0.01, 0.01},
	SensorV1: {0.05, 0.1}, SensorV2: {0.05, 0.1}, SensorDose: {0.02, 0.1}, SensorSpeed3: {0, 0.001}, SensorSpeed4: {0, 0.001},
	SensorCurrent1: {0.12, 0.05}, SensorCurrent2: {0.12, 0.05}, SensorCurrent3: {0.25, 0.05}, SensorCurrent4: {0.25, 0.05}, SensorCurrent5: {0.12, 0.05},
}

// measure reads every instrument.
func (p *Plant) measure() {
	truth := [NumSensors]float64{
		p.Level[T1], p.Level[T2], p.Level[T3], p.Level[T4],
		p.Intake, p.Treated, p.HighLift, p.Boosted, p.Demand3, p.Demand4,
		p.Discharge, p.Zone3, p.Zone4, p.HeadLoss, p.TurbidityRaw, p.Turbidity,
		p.Chlorine, p.WellCl2, p.PH, p.Temperature, p.V1, p.V2, p.Dose,
		p.Pumps[P3].Speed, p.Pumps[P4].Speed,
	}
	for i := range p.Pumps {
		// Three-phase motor at 400 V with power factor 0.86.
		truth[SensorCurrent1+i] = p.Pumps[i].Power * 1000 / (math.Sqrt(3) * 400 * 0.86)
	}
	for i, v := range truth {
		in := &instruments[i]
		noise := in.sigma * p.noise.NormFloat64()
		switch {
		case i >= SensorIntake && i <= SensorBoosted && v == 0, i >= SensorCurrent1 && v == 0:
			noise = 0 // low-flow cut-off; a motor that is off draws nothing
		}
		p.Measured[i] = math.Max(0, math.Round((v+noise)/in.step)*in.step)
	}
}
