package plant

import "time"

// Spread adds attacks of the given kinds (of all kinds if there are none) to
// the scenario: the first at from, each next one gap after the end of the one
// before. What is meant for the night is put into the next one, after the
// others. It lengthens the scenario's Duration to a gap after the last, if it is
// shorter.
func (s *Scenario) Spread(from, gap time.Duration, kinds ...string) {
	var night []string
	at := from
	add := func(kind string) {
		length := time.Duration(0)
		for i := range attacks {
			if attacks[i].Kind == kind {
				length = attacks[i].Duration
			}
		}
		s.Attacks = append(s.Attacks, AttackAt{Kind: kind, At: at, Duration: length})
		at += length + gap
	}
	if kinds == nil {
		for i := range attacks {
			kinds = append(kinds, attacks[i].Kind)
		}
	}
	for _, kind := range kinds {
		if kind == "write.unusual-hour" {
			night = append(night, kind)
			continue
		}
		add(kind)
	}
	for _, kind := range night {
		start, _, _ := s.times()
		const nightly = 2*time.Hour + 40*time.Minute
		clock := time.Unix(0, start).UTC().Add(at)
		wait := clock.Truncate(24 * time.Hour).Add(nightly).Sub(clock)
		if wait < 0 {
			wait += 24 * time.Hour
		}
		at += wait
		add(kind)
	}
	if s.Duration < at {
		s.Duration = at
	}
}
