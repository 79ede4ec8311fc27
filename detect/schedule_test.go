package detect

import (
	"testing"
	"time"
)

func TestTimeThatDidNotPassIsNoTimeOfLearning(t *testing.T) {
	const day = int64(24 * time.Hour)
	s := LearnFor(time.Hour)
	s.Begin(day)
	end := day + int64(time.Hour)
	if s.Jump(day+1, 9000*day); s.WatchFrom() != end+9000*day || s.Jumped() != 9000*day {
		t.Errorf("watching from %d, %d of it did not pass", s.WatchFrom(), s.Jumped())
	}
	if s.Jump(end+9000*day, day); s.WatchFrom() != end+9000*day {
		t.Error("a jump after the end of learning moves the end")
	}
	if s.Jump(end, never); s.WatchFrom() >= never || s.WatchFrom() < end {
		t.Error("the end of learning is lost")
	}
	for name, s := range map[string]*Schedule{"LearnOnly": LearnOnly(), "WatchOnly": WatchOnly()} {
		before := s.WatchFrom()
		if s.Jump(1, day); s.WatchFrom() != before {
			t.Errorf("%s: a jump changes it", name)
		}
	}
	at := LearnFor(time.Hour)
	at.Begin(1)
	at.WatchAt(day)
	if at.Jump(2, day); at.WatchFrom() != day {
		t.Error("a jump moves a moment that was named")
	}
}
