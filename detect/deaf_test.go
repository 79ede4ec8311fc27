package detect_test

import (
	"strings"
	"testing"
	"time"

	"github.com/weir-ics/weir/detect"
)

// deaf makes the sensor hear nothing, or again, and names the interfaces that are down.
func (s *scene) deaf(on bool, down string) {
	s.flush()
	for _, sh := range s.shards {
		sh.Deaf(on, s.clock)
	}
	s.site.Deaf(on, down, s.clock)
}

// outage is a time in which the sensor hears nothing, and the plant goes on.
func (s *scene) outage(d time.Duration) {
	s.deaf(true, "eth1")
	for end := s.clock + int64(d); s.clock < end; {
		s.clock += int64(100 * time.Millisecond)
		s.flush()
	}
	s.deaf(false, "")
}

func TestWhileTheSensorHearsNothingNobodyIsSaidToHaveStoppedPolling(t *testing.T) {
	s := learned(t, 2, nil)
	s.live(time.Minute)
	s.outage(5 * time.Minute)
	s.live(time.Minute)
	s.outage(62 * time.Second)
	before := s.clock
	s.quiet[plcB] = true // while the sensor did not hear
	s.live(time.Minute)
	a := only(t, s.finish(), detect.KindPollStopped)
	if a.Server.Endpoint.IP.String() != plcB || a.Time < before+int64(3*time.Second) {
		t.Errorf("the poll of %s is missed %s after the sensor hears again", a.Server.Endpoint.IP, time.Duration(a.Time-before))
	}
}

func TestAnOutageOfTheSensorIsNotLearnedAsAHabitOfThePolls(t *testing.T) {
	s := newScene(t, 1, detect.LearnFor(time.Hour), nil)
	s.hosts()
	for range 5 {
		s.live(5 * time.Minute)
		s.outage(3 * time.Minute)
	}
	s.live(25 * time.Minute)
	s.quiet[plcB] = true
	s.live(30 * time.Second)
	if a := only(t, s.finish(), detect.KindPollStopped); a.Server.Endpoint.IP.String() != plcB {
		t.Errorf("the poll of %s is missed", a.Server.Endpoint.IP)
	}
}

func TestASensorThatIsStartedDeafGivesThePollsThatItKnowsTheirTime(t *testing.T) {
	learner := newScene(t, 1, detect.LearnOnly(), nil)
	learner.hosts()
	learner.live(20 * time.Minute)
	b, _ := saved(t, learner.site.Baseline())
	s := newScene(t, 2, detect.WatchOnly(), b)
	s.settings.ArmAtStart = true
	for i := range s.shards {
		s.shards[i] = detect.NewShard(s.settings, s.schedule, b)
	}
	s.site = detect.NewSite(s.settings, s.schedule, b, s.shards)
	s.hosts()
	s.outage(10 * time.Minute)
	s.quiet[plcB] = true
	s.live(30 * time.Second)
	if len(s.alerts) != 0 {
		t.Errorf("half a minute after the sensor hears: %s", s.lines)
	}
	s.live(5 * time.Minute)
	if a := only(t, s.alerts, detect.KindPollStopped); a.Server.Endpoint.IP.String() != plcB {
		t.Errorf("the poll of %s is missed, want %s", a.Server.Endpoint.IP, plcB)
	}
}

func TestWhereOneOfSeveralInterfacesIsDownAPollThatStoppedIsToldWithThat(t *testing.T) {
	for _, devices := range [][]string{{plcB}, {plcA, plcB, plcC, station}} {
		s := learned(t, 1, nil)
		s.deaf(false, "eth2")
		for _, d := range devices {
			s.quiet[d] = true
		}
		s.live(time.Minute)
		s.clock += int64(time.Minute)
		found := 0
		for _, a := range s.finish() {
			if a.Kind != detect.KindPollStopped {
				continue
			}
			found++
			if !strings.Contains(a.Observed, "the sensor hears nothing on eth2") || !strings.Contains(a.Explanation, "eth2") {
				t.Errorf("%s", a.Text())
			}
		}
		if found == 0 {
			t.Error("it is not told")
		}
	}
}

func TestLearningThatBeginsAgainLastsAsLong(t *testing.T) {
	s := detect.LearnFor(time.Minute)
	minute := int64(time.Minute)
	s.BeginAgain(5, 5)
	if s.WatchFrom() < 1<<62 {
		t.Error("it has begun before the first packet")
	}
	s.Begin(10)
	s.BeginAgain(20, 20)
	if got := s.WatchFrom(); got != 20+minute {
		t.Errorf("it ends at %d", got)
	}
	s.BeginAgain(30, 15)
	if got := s.WatchFrom(); got != 20+minute {
		t.Errorf("it ends sooner, at %d", got)
	}
	s.BeginAgain(20+minute, 20+minute)
	if got := s.WatchFrom(); got != 20+minute {
		t.Errorf("it learns again after it has watched, until %d", got)
	}
	for _, fixed := range []*detect.Schedule{detect.WatchOnly(), detect.LearnOnly(), detect.LearnFor(0)} {
		fixed.Begin(10)
		before := fixed.WatchFrom()
		if fixed.BeginAgain(20, 20); fixed.WatchFrom() != before {
			t.Errorf("it watches from %d instead of %d", fixed.WatchFrom(), before)
		}
	}
}
