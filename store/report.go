package store

import (
	"fmt"
	"strings"

	"github.com/weir-ics/weir/detect"
)

// Counts are numbers of things written, kept or lost.
type Counts struct {
	// Alerts counts states of alerts, so one alert counts as often as it
	// changed, whether a newer state overtook one before it was committed or not.
	Alerts uint64
	// Values are values that devices reported, Commands those that clients
	// gave.
	Values, Commands uint64
	Assets, Links    uint64
}

func (c *Counts) add(o *Counts) {
	c.Alerts += o.Alerts
	c.Values += o.Values
	c.Commands += o.Commands
	c.Assets += o.Assets
	c.Links += o.Links
}

// Report says what became of everything that Write was given since Open:
// Written, Waiting and Lost are all of it.
type Report struct {
	// Path is the file, Bytes its size when last looked at.
	Path  string
	Bytes int64
	// Written is committed, Waiting is in memory, Lost will never be written:
	// the disk was full or too slow, or the series were too many.
	Written, Waiting, Lost Counts
	// Evicted are rows that retention dropped; values that are still summed up
	// in minutes or hours count too.
	Evicted struct {
		Alerts, Assets, Links, Commands, Values, Minutes, Hours uint64
	}
	// Problem is what stands in the way of writing now, empty if nothing does.
	Problem string
}

// String says it in a line for the summary.
func (r Report) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "kept %s, %s in %s", plural(r.Written.Alerts, "alert update"), plural(r.Written.Values, "value"), r.Path)
	if r.Lost != (Counts{}) {
		fmt.Fprintf(&b, "; lost %s, %s", plural(r.Lost.Alerts, "alert update"), plural(r.Lost.Values, "value"))
	}
	if r.Problem != "" {
		fmt.Fprintf(&b, "; %s", r.Problem)
	}
	return b.String()
}

// Each calls f with every number of the report under a stable name, for the
// sensor's own counters.
func (r Report) Each(f func(detect.Counter)) {
	for _, c := range []struct {
		name  string
		value uint64
	}{
		{"store.bytes", uint64(max(r.Bytes, 0))},
		{"store.alerts.written", r.Written.Alerts}, {"store.alerts.waiting", r.Waiting.Alerts}, {"store.alerts.lost", r.Lost.Alerts},
		{"store.values.written", r.Written.Values}, {"store.values.waiting", r.Waiting.Values}, {"store.values.lost", r.Lost.Values},
		{"store.commands.written", r.Written.Commands}, {"store.commands.lost", r.Lost.Commands},
		{"store.assets.written", r.Written.Assets}, {"store.assets.lost", r.Lost.Assets},
		{"store.links.written", r.Written.Links}, {"store.links.lost", r.Lost.Links},
		{"store.evicted.alerts", r.Evicted.Alerts}, {"store.evicted.assets", r.Evicted.Assets},
		{"store.evicted.links", r.Evicted.Links}, {"store.evicted.commands", r.Evicted.Commands},
		{"store.evicted.values", r.Evicted.Values}, {"store.evicted.minutes", r.Evicted.Minutes},
		{"store.evicted.hours", r.Evicted.Hours},
	} {
		f(detect.Counter{Name: c.name, Value: c.value})
	}
}

// plural gives a number, with commas, and its noun.
func plural(n uint64, noun string) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	if n == 1 {
		return s + " " + noun
	}
	return s + " " + noun + "s"
}
