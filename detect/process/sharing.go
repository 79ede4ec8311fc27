package process

import "math"

// sharing lets constants that say the same share one profile. Most points of a
// plant are constants, and most of these are 0, 1 or one of few other values: of
// 700,000 in a site of a million points, all but some thousand profiles are the
// same as another.
type sharing struct {
	known map[sharedProfile]*profile
}

// sharedProfile is all that the profile of a constant says.
type sharedProfile struct {
	value   uint64
	n       uint32
	seconds float32
	nFlags  uint8
	flags   [maxFlags]uint8
}

// maxShared bounds how many profiles are looked for.
const maxShared = 1 << 16

// find returns a profile that says the same as f, which is f itself if there is
// none or it is none of a constant.
func (s *sharing) find(f *profile) *profile {
	if f.nature != natureConstant || f.shape != noShape || f.moves != nil || len(f.states) != 1 {
		return f
	}
	k := sharedProfile{math.Float64bits(f.states[0].value), f.n, f.seconds, f.nFlags, f.flags}
	if known := s.known[k]; known != nil {
		return known
	}
	if s.known == nil {
		s.known = make(map[sharedProfile]*profile)
	}
	if len(s.known) < maxShared {
		s.known[k] = f
	}
	return f
}

// threeDigits rounds a time that is only ever told to people.
func threeDigits(seconds float64) float32 {
	if !(seconds > 0) {
		return 0
	}
	unit := math.Pow(10, math.Floor(math.Log10(seconds))-2)
	return float32(math.Round(seconds/unit) * unit)
}
