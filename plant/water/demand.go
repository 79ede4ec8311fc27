package water

import (
	"math"
	"time"
)

// hourly is the share of the mean demand in each hour of a working day: low at
// night, a peak in the morning and one in the evening.
var hourly = [24]float64{
	0.48, 0.42, 0.40, 0.40, 0.46, 0.70, 1.15, 1.55, 1.48, 1.25, 1.14, 1.10,
	1.16, 1.12, 1.02, 0.98, 1.02, 1.16, 1.38, 1.42, 1.26, 1.02, 0.80, 0.60,
}

// weekend is the same for Saturday and Sunday: later and flatter.
var weekend = [24]float64{
	0.55, 0.46, 0.42, 0.40, 0.42, 0.50, 0.72, 1.05, 1.42, 1.55, 1.48, 1.36,
	1.30, 1.20, 1.10, 1.05, 1.06, 1.14, 1.30, 1.36, 1.22, 1.04, 0.84, 0.66,
}

// pattern is the demand at time t as a share of the mean, interpolated between
// hours so that it has no steps.
func pattern(t int64) float64 {
	u := time.Unix(0, t).UTC()
	at := func(u time.Time) float64 {
		if d := u.Weekday(); d == time.Saturday || d == time.Sunday {
			return weekend[u.Hour()]
		}
		return hourly[u.Hour()]
	}
	part := float64(u.Minute()*60+u.Second()) / 3600
	// A raised cosine keeps the slope continuous at the full hours.
	part = (1 - math.Cos(math.Pi*part)) / 2
	return at(u)*(1-part) + at(u.Add(time.Hour))*part
}
