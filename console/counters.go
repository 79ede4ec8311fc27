package console

import (
	"strings"

	"github.com/weir-ics/weir/detect"
)

// What the sensor saw and what it did not see, told from its counters.

// losses are the words by which a counter's name says that something was not
// seen, not understood or not kept.
var losses = []string{
	"lost", "loss", "dropped", "drops", "evicted", "truncated", "overflow", "full", "skipped", "gap", "unreadable", "cut",
	"failed", "refused", "undecoded", "discarded", "malformed", "folded", "abandoned", "corrupt", "missing", "missed",
}

func isLoss(name string) bool {
	for _, w := range strings.FieldsFunc(name, func(r rune) bool { return r == '.' || r == '-' || r == '_' }) {
		for _, l := range losses {
			if w == l || w == l+"s" {
				return true
			}
		}
	}
	return false
}

// traffic are the counters that a person wants first, with their titles.
var traffic = []struct{ name, title string }{
	{"packets", "Packets"},
	{"bytes", "Octets"},
	{"messages", "Messages"},
	{"events", "Messages"},
	{"modbus.messages", "Modbus messages"},
	{"modbus.requests", "Modbus requests"},
	{"modbus.responses", "Modbus responses"},
	{"dnp3.messages", "DNP3 messages"},
	{"dnp3.fragments", "DNP3 fragments"},
	{"values", "Values"},
	{"samples", "Values"},
}

type counterView struct {
	Name, Title string
	Value       uint64
}

type countersView struct {
	// Clock is the packet time they are of.
	Clock int64
	// Seen are the first ones, Lost those losses that happened, All all.
	Seen, Lost, All []counterView
	// LossKinds is how many kinds of loss are counted.
	LossKinds int
}

func viewCounters(clock int64, counters []detect.Counter) countersView {
	v := countersView{Clock: clock}
	values := make(map[string]uint64, len(counters))
	for _, c := range counters {
		values[c.Name] = c.Value
		v.All = append(v.All, counterView{c.Name, c.Name, c.Value})
		if isLoss(c.Name) {
			v.LossKinds++
			if c.Value > 0 {
				v.Lost = append(v.Lost, counterView{c.Name, sentence(c.Name), c.Value})
			}
		}
	}
	for _, t := range traffic {
		if n, ok := values[t.name]; ok {
			v.Seen = append(v.Seen, counterView{t.name, t.title, n})
		}
	}
	return v
}

// sentence makes a counter's name readable: "stream.gaps" is "stream gaps".
func sentence(name string) string {
	return strings.Map(func(r rune) rune {
		if r == '.' || r == '-' || r == '_' {
			return ' '
		}
		return r
	}, name)
}
