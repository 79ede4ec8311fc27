package plant

import (
	"testing"
	"time"
)

func TestSpreadKeepsAttacksApart(t *testing.T) {
	s := &Scenario{}
	s.Spread(2*time.Hour, 20*time.Minute)
	if len(s.Attacks) != len(attacks) {
		t.Fatalf("%d attacks of %d kinds", len(s.Attacks), len(attacks))
	}
	end := 2 * time.Hour
	for _, a := range s.Attacks {
		if a.At < end {
			t.Errorf("%s at %v begins before %v", a.Kind, a.At, end)
		}
		end = a.At + a.Duration + 20*time.Minute
		if at := DefaultStart.Add(a.At); a.Kind == "write.unusual-hour" && (at.Hour() < 2 || at.Hour() > 3) {
			t.Errorf("%s at %v", a.Kind, at)
		}
	}
	if s.Duration < end {
		t.Errorf("the scenario lasts %v, the last attack up to %v", s.Duration, end)
	}
	t.Logf("%d attacks in %v", len(s.Attacks), s.Duration)
}

func TestASilentControllerIsPolledAsUsualAfterwards(t *testing.T) {
	s := &Scenario{Seed: 1, Duration: 20 * time.Minute, Attacks: []AttackAt{{Kind: "device.silent", At: 5 * time.Minute, Duration: 3 * time.Minute}}}
	minutes := make(map[int64]int)
	if _, err := s.Run(func(p *Packet) error {
		if p.Data[26] == 10 && p.Data[29] == AddrPLC3.As4()[3] && len(p.Data) > 60 {
			minutes[(p.Time-DefaultStart.UnixNano())/int64(time.Minute)]++
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if minutes[6] != 0 {
		t.Errorf("%d answers while it is silent", minutes[6])
	}
	if d := minutes[12] - minutes[3]; d < -10 || d > 10 {
		t.Errorf("%d answers a minute after, %d before", minutes[12], minutes[3])
	}
}
