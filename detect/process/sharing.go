package process

import "math"

// sharing lets constants that say the same share one profile. Most points of a
// plant are constants, and most of these are 0, 1 or one of few other values: of
// 700,000 in a site of a million points, all but some thousand profiles are the
// same as another.
type sharing struct {
	profiles map[sharedProfile]*profile
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
	if known := s.known(f); known != nil {
		return known
	}
	s.keep(f)
	return f
}

// known returns a profile that says the same as f, nil if there is none.
func (s *sharing) known(f *profile) *profile {
	if !f.shareable() {
		return nil
	}
	return s.profiles[f.shared()]
}

// keep makes f be known.
func (s *sharing) keep(f *profile) {
	if !f.shareable() || len(s.profiles) >= maxShared {
		return
	}
	if s.profiles == nil {
		s.profiles = make(map[sharedProfile]*profile)
	}
	s.profiles[f.shared()] = f
}

func (f *profile) shareable() bool {
	return f.nature == natureConstant && f.shape == noShape && !f.moves && len(f.states) == 1
}

func (f *profile) shared() sharedProfile {
	return sharedProfile{math.Float64bits(f.states[0].value), f.n, f.seconds, f.nFlags, f.flags}
}

// threeDigits rounds a time that is only ever told to people.
func threeDigits(seconds float64) float32 {
	if !(seconds > 0) {
		return 0
	}
	unit := math.Pow(10, math.Floor(math.Log10(seconds))-2)
	return float32(math.Round(seconds/unit) * unit)
}
