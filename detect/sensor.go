package detect

import (
	"fmt"

	"github.com/weir-ics/weir/protocols"
)

// The kinds about the sensor itself: what it did not see, it cannot judge.
var (
	KindPacketsLost = &Kind{Name: "sensor.packets-lost", Severity: protocols.High,
		Meaning:  "The sensor did not see every packet: there was no room for some, and nothing can be said of them.",
		Decision: "No statistic: the kernel and the network card count the packets they had no room for. It is over when none was lost for a minute. Live only.",
		Action:   "Find out what the burst was: it may be meant to blind the sensor. Then give it room: a larger capture.buffer, a capture.filter for what it need not see, a faster box."}
	KindValuesSkipped = &Kind{Name: "sensor.values-skipped", Severity: protocols.Medium,
		Meaning:  "Packets come faster than everything can be done with them: reported values are left out, to lose no packet and no command.",
		Decision: "No statistic: half of the buffer between the kernel and weir is in use. It is over when at most a quarter was in use for ten seconds. Live only.",
		Action:   "Find out what the burst was. If it is ordinary traffic: a capture.filter for what the sensor need not see, a faster box, or detect.process: false."}
)

// lostQuiet is for how long no packet may be lost before it is over, in packet
// time.
const lostQuiet = int64(60e9)

// Sensor finds what a live sensor has to say of itself.
type Sensor struct {
	lost, told      uint64 // packets that were lost, and how many when that was last told
	last            int64  // when the last was lost
	losing, skipped bool   // what is told
	out             []*Finding
}

// Observe takes in how many packets were lost so far, and whether values are
// left out, at a watermark. What it returns is valid until the next call.
func (s *Sensor) Observe(clock int64, lost uint64, skipping bool) []*Finding {
	s.out = s.out[:0]
	switch {
	case lost > s.lost:
		s.last = clock
		// Once, and again each time it has doubled.
		if !s.losing || lost >= 2*s.told {
			s.losing, s.told = true, lost
			f := s.about(KindPacketsLost, clock)
			f.Title = "packets were lost before they could be looked at"
			f.Observed = fmt.Sprintf("%s without being looked at, since the sensor was started.", plural(lost, "packet was dropped", "packets were dropped"))
			f.Expected = "None, while there is room for a burst."
			explain(f)
		}
		s.lost = lost
	case s.losing && clock-s.last >= lostQuiet:
		s.losing = false
		s.about(KindPacketsLost, clock).Clear = true
	}
	if skipping != s.skipped {
		s.skipped = skipping
		f := s.about(KindValuesSkipped, clock)
		f.Clear = !skipping
		f.Title = "reported values are left out, because packets come too fast"
		f.Observed = "Packets come faster than everything can be done with them. Values that devices report are left out until there is room; commands, and all else in the messages, are judged as always."
		f.Expected = "The buffer is less than half full."
		explain(f)
	}
	return s.out
}

func (s *Sensor) about(kind *Kind, clock int64) *Finding {
	nobody := Party{Unit: -1, Address: -1}
	f := &Finding{Kind: kind, Severity: kind.Severity, Key: "site", Start: clock, Time: clock, Proto: protocols.ProtoNetwork,
		Client: nobody, Server: nobody, Function: -1}
	s.out = append(s.out, f)
	return f
}
