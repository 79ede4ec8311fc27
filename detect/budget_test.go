package detect_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/weir-ics/weir/detect"
	"github.com/weir-ics/weir/protocols"
)

// TestTheBudgetHoldsHoweverManyLinksThereAre plays links whose response times
// have a heavy tail and whose polls jitter, whose devices refuse some requests
// and whose messages break the standard at times, all by chance and nothing
// else, and counts the alerts of a day.
func TestTheBudgetHoldsHoweverManyLinksThereAre(t *testing.T) {
	for _, links := range []int{4, 40} {
		rng := rand.New(rand.NewPCG(7, uint64(links)))
		const learn, watch = 12 * time.Hour, 24 * time.Hour
		s := newScene(t, 1, detect.LearnFor(learn), nil)
		s.step = 8192
		s.settings.AlarmsPerDay = 1
		next := make([]int64, links)
		for i := range next {
			next[i] = start + int64(i)*int64(100*time.Millisecond)
		}
		for {
			// The link whose poll is due first.
			l := 0
			for i := range next {
				if next[i] < next[l] {
					l = i
				}
			}
			if next[l] > start+int64(learn+watch) {
				break
			}
			s.clock = max(s.clock, next[l])
			next[l] += int64(5*time.Second) + int64(rng.NormFloat64()*float64(300*time.Millisecond))
			r := read(master, fmt.Sprintf("10.0.1.%d", l), uint32(10*rng.IntN(4)), 10)
			if rng.IntN(200) == 0 {
				r.exception = 6
			}
			if rng.IntN(500) == 0 {
				r.violation = malformed
			}
			s.slow = time.Duration(float64(5*time.Millisecond) * math.Exp(rng.NormFloat64()))
			before := s.clock
			s.modbus(r)
			s.clock = before + int64(time.Millisecond)
		}
		alerts := s.finish()
		statistical := 0
		for _, a := range alerts {
			switch a.Kind {
			case detect.KindResponseLate, detect.KindPollPace, detect.KindPollStopped, detect.KindExceptionBurst, detect.KindMalformedBurst, detect.KindFloodMessages:
				statistical++
			default:
				t.Errorf("%d links: not a matter of statistics: %s", links, a.Text())
			}
			if a.Severity > protocols.Medium {
				t.Errorf("%d links: %s", links, a.Text())
			}
		}
		t.Logf("%d links: %d alerts in a day, budget 1; %d findings over budget", links, statistical, s.site.Stats().Budget)
		if statistical > 2 {
			t.Errorf("%d links: %d alerts in a day, the budget is 1", links, statistical)
			for _, a := range alerts {
				t.Log(a.Text())
			}
		}
	}
}

func TestWhatALinkDidInTheLearningIsItsHabit(t *testing.T) {
	s := learned(t, 1, func(s *scene) {
		r := read(master, plcA, 0, 10)
		r.violation = malformed
		s.modbus(r)
	})
	r := read(master, plcA, 0, 10)
	r.violation = malformed
	s.modbus(r)
	if alerts := s.finish(); len(alerts) != 0 {
		t.Errorf("alerts about a habit:\n%s", s.lines)
	}
}

func TestWhatLostPacketsExplainIsNoAlert(t *testing.T) {
	s := learned(t, 1, nil)
	s.network(protocols.StreamGap, end(plcA, 502), end(master, 40000), false, 120)
	r := read(master, plcA, 0, 10)
	r.violation = malformed
	s.modbus(r)
	if alerts := s.finish(); len(alerts) != 0 {
		t.Errorf("alerts in spite of the loss:\n%s", s.lines)
	}
	if n := s.shards[0].Stats().Explained; n != 1 {
		t.Errorf("%d violations explained, want 1", n)
	}
}

func TestSettingsOutOfRangeAreRefusedByName(t *testing.T) {
	if err := detect.Defaults().Check(); err != nil {
		t.Errorf("the defaults are refused: %v", err)
	}
	for want, change := range map[string]func(*detect.Settings){
		"alarms a day: 0 is not between":     func(s *detect.Settings) { s.AlarmsPerDay = 0 },
		"learn target: 1.5 is not between":   func(s *detect.Settings) { s.LearnTarget = 1.5 },
		"burst window: 0s is less than 1s":   func(s *detect.Settings) { s.BurstWindow = 0 },
		"storm ceiling: -1 is less than 1":   func(s *detect.Settings) { s.StormCeiling = -1 },
		"clear after: 1ns is less than 1m0s": func(s *detect.Settings) { s.ClearAfter = 1 },
	} {
		s := detect.Defaults()
		change(&s)
		if err := s.Check(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want it to say %q", err, want)
		}
	}
}

func TestZeroSettingsAreTheDefaults(t *testing.T) {
	s := newScene(t, 1, detect.LearnFor(time.Hour), nil)
	s.shards[0] = detect.NewShard(detect.Settings{}, s.schedule, nil)
	s.site = detect.NewSite(detect.Settings{}, s.schedule, nil, s.shards)
	s.hosts()
	s.live(time.Hour + time.Minute)
	s.modbus(operate(plcB, plcA, 1))
	only(t, s.finish(), detect.KindRoleNew)
}
