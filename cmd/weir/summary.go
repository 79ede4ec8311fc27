package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/weir-ics/weir/detect"
	"github.com/weir-ics/weir/protocols"
	"github.com/weir-ics/weir/sinks"
	"github.com/weir-ics/weir/sinks/text"
)

// summary is what a run found, in its final state.
type summary struct {
	alerts   map[string]detect.Alert
	order    []string // of the first appearance
	raised   map[string]raising
	samples  uint64
	counters []counter
	dropped  uint64
}

// raising is how an alert began: what it says changes as more belongs to it.
type raising struct {
	at       int64 // packet time
	severity protocols.Severity
	title    string
}

// maxSummaryAlerts bounds the alerts whose final state is kept; above it, new
// ones are counted.
const maxSummaryAlerts = 100_000

func (s *summary) add(out *detect.Output) {
	if s.alerts == nil {
		s.alerts, s.raised = map[string]detect.Alert{}, map[string]raising{}
	}
	for i := range out.Alerts {
		a := &out.Alerts[i]
		if _, known := s.alerts[a.ID]; !known {
			if len(s.alerts) >= maxSummaryAlerts {
				s.dropped++
				continue
			}
			s.order = append(s.order, a.ID)
			s.raised[a.ID] = raising{a.Time, a.Severity, a.Title}
		}
		s.alerts[a.ID] = *a
	}
	if len(out.Counters) > 0 {
		s.counters = append(s.counters[:0], out.Counters...)
	}
}

// final returns the alerts in their last state, by start, then id.
func (s *summary) final() []detect.Alert {
	out := make([]detect.Alert, 0, len(s.order))
	for _, id := range s.order {
		out = append(out, s.alerts[id])
	}
	slices.SortFunc(out, func(a, b detect.Alert) int {
		if a.Start != b.Start {
			if a.Start < b.Start {
				return -1
			}
			return 1
		}
		return strings.Compare(a.ID, b.ID)
	})
	return out
}

func (s *summary) counter(name string) uint64 {
	for _, c := range s.counters {
		if c.Name == name {
			return c.Value
		}
	}
	return 0
}

// bySeverity counts the alerts.
func (s *summary) bySeverity() (n [protocols.NumSeverities]int) {
	for _, a := range s.alerts {
		n[a.Severity]++
	}
	return n
}

// maxListed is how many alerts a summary lists.
const maxListed = 20

// head writes the numbers for people.
func (s *summary) head(w io.Writer, p *pipeline, took time.Duration) {
	packets := s.counter("packets")
	fmt.Fprintf(w, "read      %s packets, %s of traffic in %s (%s packets/s)\n", grouped(packets),
		span(p.last-p.first-p.jumped), took.Round(time.Millisecond), grouped(uint64(float64(packets)/max(took.Seconds(), 1e-3))))
	fmt.Fprintf(w, "decoded   %s Modbus and %s DNP3 messages; %s conversations were neither\n",
		grouped(s.counter("modbus.messages")), grouped(s.counter("dnp3.messages")), grouped(s.counter("conversations.other")+s.counter("conversations.undecided")))
	if lost := s.lost(); lost != "" {
		fmt.Fprintf(w, "not seen  %s\n", lost)
	}
	s.clock(w, p)
	from := p.schedule.WatchFrom()
	switch {
	case from > p.last:
		fmt.Fprintf(w, "learned   the whole input; only rules and broken standards raise alerts while learning\n")
	case from > p.first:
		fmt.Fprintf(w, "learned   the first %s, then watched\n", span(from-p.first-p.schedule.Jumped()))
	default:
		fmt.Fprintf(w, "watched   from the first packet\n")
	}
	n := s.bySeverity()
	fmt.Fprintf(w, "alerts    %d: %d critical, %d high, %d medium, %d low, %d info\n",
		len(s.alerts), n[protocols.Critical], n[protocols.High], n[protocols.Medium], n[protocols.Low], n[protocols.Info])
	if s.dropped > 0 {
		fmt.Fprintf(w, "          and the changes of %s more that did not fit here\n", grouped(s.dropped))
	}
}

// clock says what was odd about the times of packets.
func (s *summary) clock(w io.Writer, p *pipeline) {
	switch n := s.counter("time.ahead"); {
	case n == 1:
		fmt.Fprintf(w, "time      1 packet is far ahead of those around it; its time is not believed\n")
	case n > 1:
		fmt.Fprintf(w, "time      %s packets are far ahead of those around them; their time is not believed\n", grouped(n))
	}
	if p.jumped > 0 {
		fmt.Fprintf(w, "time      the clock was set forward while packets were captured, by %s, which is no time of learning\n", span(p.jumped))
	}
}

// print writes the numbers and the most severe alerts. where says where all of
// them are ("in alerts.jsonl"), "" if nowhere.
func (s *summary) print(w io.Writer, p *pipeline, took time.Duration, where string) {
	s.head(w, p, took)
	all := s.final()
	slices.SortStableFunc(all, func(a, b detect.Alert) int { return int(b.Severity) - int(a.Severity) })
	shown := text.New(w, "the summary", text.Options{Colour: text.Colour(w)})
	for i := range all {
		if i == maxListed {
			hint := "--alerts FILE writes them all"
			if where != "" {
				hint = "all are " + where
			}
			fmt.Fprintf(w, "\n%d more; %s\n", len(all)-maxListed, hint)
			break
		}
		fmt.Fprintln(w)
		_ = shown.Write(context.Background(), &detect.Output{Alerts: all[i : i+1]})
	}
}

// lost says what was not seen, in words; empty if nothing.
func (s *summary) lost() string {
	var parts []string
	for _, c := range []struct{ name, words string }{
		{"kernel.dropped", "packets dropped by the kernel"},
		{"interface.dropped", "packets dropped by the interface"},
		{"class.truncated", "packets cut short by the capture"},
		{"class.malformed", "packets malformed"},
		{"tcp.gap-bytes", "bytes missing from TCP streams"},
		{"ip.fragments-expired", "fragments without the rest"},
		{"modbus.skipped-bytes", "bytes passed over to find the next Modbus message"},
		{"dnp3.skipped-octets", "octets passed over to find the next DNP3 frame"},
	} {
		if n := s.counter(c.name); n > 0 {
			parts = append(parts, grouped(n)+" "+c.words)
		}
	}
	return strings.Join(parts, ", ")
}

// span says a length of packet time as people do.
func span(ns int64) string {
	d := time.Duration(ns)
	switch {
	case d >= 48*time.Hour:
		return fmt.Sprintf("%.1f days", d.Hours()/24)
	case d >= 2*time.Hour:
		return fmt.Sprintf("%.1f hours", d.Hours())
	case d >= 2*time.Minute:
		return fmt.Sprintf("%.1f minutes", d.Minutes())
	}
	return fmt.Sprintf("%.1f seconds", d.Seconds())
}

// grouped writes a number with commas.
func grouped(n uint64) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// report is the summary as JSON.
type report struct {
	Packets  uint64            `json:"packets"`
	First    string            `json:"first,omitempty"`
	Last     string            `json:"last,omitempty"`
	Watched  string            `json:"watched_from,omitempty"`
	Seconds  float64           `json:"seconds"`
	Alerts   map[string]int    `json:"alerts"`
	Total    int               `json:"alerts_total"`
	Samples  uint64            `json:"samples"`
	Counters map[string]uint64 `json:"counters"`
	// Written says what each sink delivered, Kept what waits for the next run.
	Written map[string]sinks.Counts `json:"written"`
	Kept    map[string]sinks.Counts `json:"kept"`
	Store   string                  `json:"store,omitempty"`
}

func (s *summary) report(p *pipeline, o *outlets, took time.Duration) report {
	r := report{Packets: s.counter("packets"), Seconds: took.Seconds(), Alerts: map[string]int{}, Total: len(s.alerts),
		Samples: s.samples, Counters: map[string]uint64{}, Written: map[string]sinks.Counts{}, Kept: map[string]sinks.Counts{}}
	if r.Packets > 0 {
		r.First, r.Last = string(appendTime(nil, p.first)), string(appendTime(nil, p.last))
		if from := p.schedule.WatchFrom(); from > p.first && from <= p.last {
			r.Watched = string(appendTime(nil, from))
		}
	}
	for severity, n := range s.bySeverity() {
		r.Alerts[protocols.Severity(severity).String()] = n
	}
	for _, c := range s.counters {
		r.Counters[c.Name] = c.Value
	}
	if o.store != nil {
		r.Store = o.store.Report().Path
	}
	for _, x := range o.sinks {
		said := x.Report()
		r.Written[said.Sink], r.Kept[said.Sink] = said.Written, said.Kept
	}
	return r
}
