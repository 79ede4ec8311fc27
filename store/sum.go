package store

import "math"

// A sum is what a stretch of a series held: a minute, an hour, or a bucket of a
// chart. NaN values count but have no part in min, max and mean.
type sum struct {
	time                 int64 // of the first value, or of the stretch's start
	count                uint32
	numbers              uint32 // of count, those that are not NaN
	min, max, mean, last float64
	judged               bool
	score, low, high     float32
	lastTime             int64 // of last; only mergeAnyOrder keeps it
}

// add takes a sample in.
func (s *sum) add(v *sample) {
	one := sum{time: v.time, count: 1, numbers: 1, min: v.value, max: v.value, mean: v.value, last: v.value,
		judged: v.judged, score: v.score, low: v.low, high: v.high}
	if v.value != v.value {
		one.numbers = 0
	}
	s.merge(&one)
}

// merge takes in a later stretch.
func (s *sum) merge(o *sum) {
	if s.count == 0 {
		*s = *o
		return
	}
	s.count += o.count
	s.last = o.last
	switch {
	case o.numbers == 0:
	case s.numbers == 0:
		s.numbers, s.min, s.max, s.mean = o.numbers, o.min, o.max, o.mean
	default:
		n := s.numbers + o.numbers
		s.min, s.max = math.Min(s.min, o.min), math.Max(s.max, o.max)
		// A weighted mean cannot overflow where a running total could.
		s.mean += (o.mean - s.mean) * (float64(o.numbers) / float64(n))
		s.numbers = n
	}
	if o.judged {
		if !s.judged || o.score > s.score {
			s.score = o.score
		}
		s.judged, s.low, s.high = true, o.low, o.high
	}
}
