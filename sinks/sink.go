// Package sinks sends alerts and time series out: its sub-packages write them to
// InfluxDB, to files as JSON lines or text, and to a syslog collector. What all of
// them promise is [Sink].
package sinks

import (
	"context"
	"fmt"
	"strings"

	"github.com/weir-ics/weir/detect"
)

// Sink takes in what the pipeline gives. One goroutine calls Write and Flush;
// Report may be called by any.
type Sink interface {
	// Write takes in one step's output. It keeps nothing of out but the Series.
	// It fails only if the sink can take in nothing any more; what is merely
	// not delivered is in Report. A sink for a live sensor returns without
	// waiting for what is outside, but while it is told that more comes at once than
	// usual and may wait (influx.Sink.Patient).
	Write(ctx context.Context, out *detect.Output) error
	// Flush delivers, or keeps for later, everything written before.
	Flush(ctx context.Context) error
	// Close flushes and lets go of everything. Its error says, in one line for
	// the operator, what was not delivered, why, and what to do. A second Close
	// does nothing.
	Close(ctx context.Context) error
	// Report says what became of everything that was written so far.
	Report() Report
}

// Counts are numbers of things.
type Counts struct {
	// Alerts counts alerts, not their changes. Values are those that devices
	// reported, Commands those that clients gave.
	Alerts, Values, Commands, Counters uint64
}

// Add adds o to c.
func (c *Counts) Add(o Counts) {
	c.Alerts += o.Alerts
	c.Values += o.Values
	c.Commands += o.Commands
	c.Counters += o.Counters
}

// String lists what there is: "12 alerts, 84,211 values".
func (c Counts) String() string {
	var parts []string
	for _, p := range []struct {
		n    uint64
		noun string
	}{{c.Alerts, "alert"}, {c.Values, "value"}, {c.Commands, "command"}, {c.Counters, "counter"}} {
		if p.n > 0 {
			parts = append(parts, plural(p.n, p.noun))
		}
	}
	if parts == nil {
		return "nothing"
	}
	return strings.Join(parts, ", ")
}

// Report says what became of what a sink was given.
type Report struct {
	// Sink names it for people: "InfluxDB http://127.0.0.1:8086".
	Sink string
	// Written was delivered. Earlier was delivered too, but had been kept by an
	// earlier run. Kept is on the disk, to be delivered later. Refused was
	// turned down by the other side for good. Lost is gone: there was no room.
	Written, Earlier, Kept, Refused, Lost Counts
	// Merged are values that fell on the same series and time as another, of
	// which the later stands.
	Merged uint64
	// Unsayable are values that the format has no way to say: NaN, infinite.
	Unsayable uint64
	// Problem is what stands in the way now, and what to do; empty if nothing.
	Problem string
}

// String says it in one line for the summary.
func (r Report) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "wrote %s to %s", r.Written, r.Sink)
	for _, p := range []struct {
		c    Counts
		what string
	}{{r.Earlier, "%s that an earlier run had kept"}, {r.Kept, "%s kept for later"}, {r.Refused, "%s refused"}, {r.Lost, "%s lost"}} {
		if p.c != (Counts{}) {
			fmt.Fprintf(&b, "; "+p.what, p.c)
		}
	}
	if r.Merged > 0 {
		fmt.Fprintf(&b, "; %s on the same point and time as another", plural(r.Merged, "value"))
	}
	if r.Unsayable > 0 {
		fmt.Fprintf(&b, "; %s not a number", plural(r.Unsayable, "value"))
	}
	return b.String()
}

// Each calls f with every number of the report under a stable name that begins
// with prefix, for the sensor's own counters.
func (r Report) Each(prefix string, f func(detect.Counter)) {
	for _, g := range []struct {
		name string
		c    Counts
	}{{"written", r.Written}, {"earlier", r.Earlier}, {"kept", r.Kept}, {"refused", r.Refused}, {"lost", r.Lost}} {
		f(detect.Counter{Name: prefix + ".alerts." + g.name, Value: g.c.Alerts})
		f(detect.Counter{Name: prefix + ".values." + g.name, Value: g.c.Values})
		f(detect.Counter{Name: prefix + ".commands." + g.name, Value: g.c.Commands})
		f(detect.Counter{Name: prefix + ".counters." + g.name, Value: g.c.Counters})
	}
	f(detect.Counter{Name: prefix + ".values.merged", Value: r.Merged})
	f(detect.Counter{Name: prefix + ".values.unsayable", Value: r.Unsayable})
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
