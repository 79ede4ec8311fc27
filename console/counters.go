package console

import (
	"slices"
	"strings"

	"github.com/weir-ics/weir/detect"
)

// What the sensor saw and what it did not see, told from its counters.

// lossWords are the words by which a counter's name says that something was not
// seen, not understood or not kept.
var lossWords = []string{
	"lost", "dropped", "evicted", "refused", "truncated", "malformed", "unsupported", "skipped", "unfinished",
	"cut", "gap", "gaps", "expired", "overflow", "discarded", "failed", "unreadable",
}

// noLoss are counters whose name has such a word and means something else: a
// connection that a host refused, one that was quiet for long, what was kept
// as long as it had to be.
var noLoss = []string{"tcp.refused", "conns.expired", "store.evicted."}

// lossTitles are losses as a person would call them.
var lossTitles = map[string]string{
	"kernel.dropped":         "Packets dropped by the kernel",
	"interface.dropped":      "Packets dropped by the interface",
	"sensor.deaf-seconds":    "Seconds in which an interface was down",
	"class.truncated":        "Packets captured without their headers",
	"class.malformed":        "Malformed packets",
	"class.link-unsupported": "Packets of a link type that is not read",
	"ip.fragments-expired":   "IP fragments whose rest never came",
	"ip.fragments-evicted":   "IP fragments let go for want of room",
	"ip.fragments-refused":   "IP fragments that made no sense",
	"payload.cut":            "Packets whose payload was cut",
	"payload.cut-bytes":      "Payload octets that were cut",
	"tcp.gaps":               "Holes in TCP streams",
	"tcp.gap-bytes":          "Octets in holes of TCP streams",
	"conns.evicted":          "Connections let go for want of room",
	"hosts.evicted":          "Hosts forgotten for want of room",
	"modbus.gaps":            "Holes in Modbus conversations",
	"modbus.skipped-bytes":   "Octets that belong to no Modbus message",
	"modbus.pending-lost":    "Modbus requests whose answer fell into a hole",
	"dnp3.lost-octets":       "Octets missing in DNP3 conversations",
	"dnp3.skipped-octets":    "Octets that belong to no DNP3 frame",
	"detect.links-refused":   "Links too many to learn",
	"store.values.lost":      "Values the store could not keep",
	"values.skipped":         "Values left out because packets came too fast",
	"store.alerts.lost":      "Alerts the store could not keep",
	"alerts-file.lost":       "Alert lines that the file of alerts could not take",
}

func isLoss(name string) bool {
	if _, ok := lossTitles[name]; ok {
		return true
	}
	if slices.ContainsFunc(noLoss, func(n string) bool { return strings.HasPrefix(name, n) }) {
		return false
	}
	for w := range strings.FieldsFuncSeq(name, punctuation) {
		if slices.Contains(lossWords, w) {
			return true
		}
	}
	return false
}

// traffic are the counters that a person wants first, with their titles.
var traffic = []struct{ name, title string }{
	{"packets", "Packets"},
	{"bytes", "Octets"},
	{"conversations", "Conversations"},
	{"modbus.requests", "Modbus requests"},
	{"modbus.responses", "Modbus responses"},
	{"modbus.exceptions", "Modbus exceptions"},
	{"dnp3.fragments", "DNP3 messages"},
	{"tags.samples", "Values"},
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
				v.Lost = append(v.Lost, counterView{c.Name, lossTitle(c.Name), c.Value})
			}
		}
	}
	for _, t := range traffic {
		if n, ok := values[t.name]; ok && (n > 0 || t.name == "packets") {
			v.Seen = append(v.Seen, counterView{t.name, t.title, n})
		}
	}
	return v
}

// lossTitle is a loss's title, or its name made readable: "tags.partial-reads"
// is "tags: partial reads".
func lossTitle(name string) string {
	if t, ok := lossTitles[name]; ok {
		return t
	}
	subject, rest, ok := strings.Cut(name, ".")
	if !ok {
		subject, rest = "", name
	}
	words := strings.Join(strings.FieldsFunc(rest, punctuation), " ")
	if subject == "" {
		return words
	}
	return subject + ": " + words
}

func punctuation(r rune) bool { return r == '.' || r == '-' || r == '_' }
