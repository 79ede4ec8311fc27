package detect

import (
	"fmt"
	"strings"

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
	KindInterfaceDown = &Kind{Name: "sensor.interface-down", Severity: protocols.High,
		Meaning:  "The sensor hears nothing on an interface that it listens on.",
		Decision: "No statistic: the interface has no carrier, or is switched off. It is over when that is over. While all interfaces are down, nobody is said to have stopped polling, and polls have as long as ever to come again afterwards. Live only.",
		Action:   "Check the cable, the tap or mirror port at its other end, and who was there: whoever wants to do something unseen begins with the sensor. What happened meanwhile was not seen."}
)

// DownGrace is for how long an interface has to be down before it is told, in
// nanoseconds: the kernel says up to a second late that one has come up, and no poll
// is missed before three seconds.
const DownGrace = int64(1500e6)

// lostQuiet is for how long no packet may be lost before it is over, in packet
// time.
const lostQuiet = int64(60e9)

// Sensor finds what a live sensor has to say of itself.
type Sensor struct {
	// Interfaces are the names of those that it listens on.
	Interfaces []string

	down, said      uint64    // which are down, and of which that is told, a bit each
	since           [64]int64 // when each went down
	downFor, clock  int64     // for how long any was, up to the watermark
	lost, told      uint64    // packets that were lost, and how many when that was last told
	last            int64     // when the last was lost
	losing, skipped bool      // what is told
	out             []*Finding
}

// Observe takes in how many packets were lost so far, whether values are left out,
// and which interfaces are down (a bit each; the last is for all from the 64th on), at
// a watermark. What it returns is valid until the next call.
func (s *Sensor) Observe(clock int64, lost uint64, skipping bool, down uint64) []*Finding {
	s.out = s.out[:0]
	s.interfaces(clock, down)
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

// interfaces tells which went down, and which came up again.
func (s *Sensor) interfaces(clock int64, down uint64) {
	if s.down != 0 {
		s.downFor += clock - s.clock
	}
	went, changed := down&^s.down, uint64(0)
	s.down, s.clock = down, clock
	for i, name := range s.Interfaces {
		i = min(i, 63)
		bit := uint64(1) << i
		if went&bit != 0 {
			s.since[i] = clock
		}
		told, isDown := s.said&bit != 0, down&bit != 0
		if told == isDown || isDown && clock-s.since[i] < DownGrace {
			continue
		}
		changed |= bit
		f := s.about(KindInterfaceDown, clock)
		f.Key, f.Start = "interface "+name, s.since[i]
		f.Clear = !isDown
		f.Title = name + " is down: the sensor hears nothing on it"
		f.Observed = name + " has no carrier, or is switched off. What the plant does meanwhile is not seen on it."
		f.Expected = "It is up for as long as the sensor listens."
		explain(f)
	}
	s.said ^= changed
}

// Down are the names of the interfaces that were told to be down, empty if none is.
func (s *Sensor) Down() string {
	var names []string
	for i, name := range s.Interfaces {
		if s.said&(1<<min(i, 63)) != 0 {
			names = append(names, name)
		}
	}
	return strings.Join(names, ", ")
}

// DownFor is for how long any interface was down, in nanoseconds of packet time.
func (s *Sensor) DownFor() int64 { return s.downFor }

func (s *Sensor) about(kind *Kind, clock int64) *Finding {
	nobody := Party{Unit: -1, Address: -1}
	f := &Finding{Kind: kind, Severity: kind.Severity, Key: "site", Start: clock, Time: clock, Proto: protocols.ProtoNetwork,
		Client: nobody, Server: nobody, Function: -1}
	s.out = append(s.out, f)
	return f
}
