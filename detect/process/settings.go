package process

import (
	"time"

	"github.com/weir-ics/weir/detect"
)

// Settings are the thresholds and caps of an Engine. The zero value of a field
// stands for its default.
type Settings struct {
	// AlarmsPerDay is the share of the false-alarm budget that the process
	// models may use, over all points together. Default 0.5.
	AlarmsPerDay float64
	// MaxPoints is how many points are followed at most; samples of others are
	// counted and let go. Default 1,000,000.
	MaxPoints int
	// GroupSize is how many points are related to each other at most, 2 to 128.
	// The cost of a point a row grows with it. Default 48.
	GroupSize int
	// MaxRelated is how many points take part in relations at most. Default
	// 50,000.
	MaxRelated int
	// Memory bounds, in octets, what is kept of past values: three quarters for
	// HistoryBytes, a quarter for ReplayBytes, where these are not given.
	// Default 192 MiB. What a point takes by itself comes on top.
	Memory int
	// HistoryBytes bounds the memory of the history kept while learning; when it
	// is full, every second block of it is given up, and where that is not
	// enough, points that begin to move later have none.
	HistoryBytes int
	// ReplayBytes bounds the memory of the last values of all points, in which
	// recordings are found; points beyond it are not watched for them.
	ReplayBytes int
	// MaxRows bounds the rows of history. Default 16,384.
	MaxRows int
	// Workers is how many goroutines judge rows at once. Default 1.
	Workers int
	// Limits gives the engineering limits of a series, from the tag list;
	// infinite where there are none. Several goroutines may call it at once. It may be
	// nil.
	Limits func(*detect.Series) (low, high float64)
}

func (s Settings) withDefaults() Settings {
	set := func(v *int, d int) {
		if *v <= 0 {
			*v = d
		}
	}
	if s.AlarmsPerDay <= 0 {
		s.AlarmsPerDay = 0.5
	}
	set(&s.MaxPoints, 1_000_000)
	set(&s.GroupSize, 48)
	s.GroupSize = max(2, min(s.GroupSize, 128))
	set(&s.MaxRelated, 50_000)
	set(&s.Memory, 192<<20)
	set(&s.HistoryBytes, s.Memory/4*3)
	set(&s.ReplayBytes, s.Memory/4)
	set(&s.MaxRows, 16_384)
	set(&s.Workers, 1)
	return s
}

// What follows are not thresholds of detection but what the models are made of;
// docs/detection-quality.md tells how each was chosen.
const (
	// lags is how many earlier rows a prediction looks at.
	lags = 2
	// harmonics is how many of the day are offered as explanation, if the
	// learning is long enough to see several days.
	harmonics = 4
	// accuracy is the part of a reading below which nothing is believed: what a
	// good industrial instrument is accurate to.
	accuracy = 0.002
	// jitterFloor is the part of a point's own spread below which nothing is
	// believed.
	jitterFloor = 0.01
	// saturation is how many thresholds a single residual counts at most in a
	// mean, so that one spike is over when it is over.
	saturation = 2
	// release is the part of a threshold under which a deviation has to stay,
	// for holdRows rows, to be over.
	release  = 0.6
	holdRows = 3
	// wander is by how many of its own deviations a level may move away slowly
	// in as long a time as learning took. What learning is too short to have
	// seen cannot be called a deviation; what moves faster can.
	wander = 1.0
	// settleRows is the least history that a relation is fitted to.
	settleRows = 120
	// blockRows is how many rows of history are kept or given up together.
	blockRows = 64
	// probes is how many samples show a point's pace.
	probes = 8
)

// horizons are over how many rows the residuals are averaged.
var horizons = [...]float64{1, 3, 8}

// alphas are the weights of the newest residual in a mean over each horizon.
var alphas = func() (a [len(horizons)]float64) {
	for h, length := range horizons {
		a[h] = 2 / (length + 1)
	}
	return a
}()

const day = 24 * time.Hour
