package detect_test

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"testing"
	"time"

	"github.com/weir-ics/weir/capture"
	"github.com/weir-ics/weir/detect"
	"github.com/weir-ics/weir/plant"
	"github.com/weir-ics/weir/protocols"
)

// written writes a scenario to a file.
func written(t *testing.T, s plant.Scenario) (string, plant.Labels) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "plant.pcap")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	labels, err := s.Write(f)
	if err != nil {
		t.Fatal(err)
	}
	return path, labels
}

// plantLearned is the baseline of a day of the simulated plant.
func plantLearned(t *testing.T, d time.Duration) *detect.Baseline {
	t.Helper()
	path, _ := written(t, plant.Scenario{Seed: 1, Duration: d, Life: plant.NormalLife()})
	return replay(t, detect.LearnOnly(), replayOptions{}, path).site.Baseline()
}

// byValues are the attacks that only show in values: the process detectors find
// them, not these.
func byValues(kind string) bool {
	return strings.HasPrefix(kind, "sensor.") || strings.HasPrefix(kind, "process.") || strings.HasPrefix(kind, "covert.") ||
		kind == "write.setpoint-range" || kind == "dnp3.analog-output" || kind == "write.setpoint-creep"
}

func TestAttacksOnTheSimulatedPlantAreFound(t *testing.T) {
	if testing.Short() {
		t.Skip("skipped: simulating takes a minute")
	}
	baseline := plantLearned(t, 24*time.Hour)
	var table []string
	missed := 0
	for _, a := range plant.Attacks() {
		if byValues(a.Kind) {
			continue
		}
		at := 12 * time.Minute
		length := max(a.Duration, time.Minute) + 5*time.Minute
		path, labels := written(t, plant.Scenario{Seed: 1, Start: plant.DefaultStart.Add(8 * 24 * time.Hour), Duration: at + length, Life: plant.NormalLife(),
			Attacks: []plant.AttackAt{{Kind: a.Kind, At: at}}})
		r := replay(t, detect.WatchOnly(), replayOptions{baseline: baseline}, path)
		l := labels[0]
		var best *detect.Alert
		others := 0
		alerts := r.final()
		for i := range alerts {
			x := &alerts[i]
			if x.End < l.Start.UnixNano() || x.Start > l.End.Add(2*time.Minute).UnixNano() {
				others++
				continue
			}
			if best == nil || x.Severity > best.Severity {
				best = x
			}
		}
		row := fmt.Sprintf("%-28s %s ", a.Kind, l.Technique)
		if best == nil {
			missed++
			row += "MISSED"
		} else {
			row += fmt.Sprintf("%-8s %-32s after %-8s %d alerts, %v | %s", best.Severity, best.Kind.Name,
				(time.Duration(best.Start) - time.Duration(l.Start.UnixNano())).Round(time.Millisecond), len(alerts), best.Techniques, best.Title)
		}
		for i := range alerts {
			x := &alerts[i]
			if x.End < l.Start.UnixNano() || x.Start > l.End.Add(2*time.Minute).UnixNano() {
				row += "\n      outside: " + x.Severity.String() + " " + x.Kind.Name + " " + x.Explanation
			}
		}
		table = append(table, row)
	}
	sort.Strings(table)
	t.Log("\n" + strings.Join(table, "\n"))
	t.Logf("%d of %d missed", missed, len(table))
	if missed > 0 {
		t.Errorf("%d attacks were missed", missed)
	}
}

func TestAWeekWithAllAttacksFindsEachOfThem(t *testing.T) {
	if testing.Short() {
		t.Skip("skipped: simulating takes minutes")
	}
	const learn = 48 * time.Hour
	var attacks []plant.AttackAt
	at := learn + 3*time.Hour
	kinds := plant.Attacks()
	// The intruder is one and the same host, so that it is there at all is news
	// only once.
	sort.SliceStable(kinds, func(i, j int) bool { return kinds[i].Kind == "host.new" && kinds[j].Kind != "host.new" })
	for _, a := range kinds {
		if byValues(a.Kind) {
			continue
		}
		attacks = append(attacks, plant.AttackAt{Kind: a.Kind, At: at})
		at += max(a.Duration, time.Minute) + 90*time.Minute
	}
	x := simulate(plant.Scenario{Seed: 4, Duration: at, Poll: 2 * time.Second, Life: plant.NormalLife(), Attacks: attacks})
	r := replay(t, detect.LearnFor(learn), replayOptions{source: x})
	hosts := func(a *detect.Alert, l *plant.Label) bool {
		for _, ip := range []string{a.Client.Endpoint.IP.String(), a.Server.Endpoint.IP.String()} {
			if ip == l.Source || ip == l.Target || l.Source == "forged" {
				return true
			}
		}
		return false
	}
	var table []string
	claimed := map[string]bool{}
	missed := 0
	for i := range x.labels {
		l := &x.labels[i]
		var first *detect.Alert
		var worst protocols.Severity
		for k := range r.alerts {
			a := &r.alerts[k]
			if a.State == detect.Cleared || a.End < l.Start.UnixNano() || a.End > l.End.Add(3*time.Minute).UnixNano() || !hosts(a, l) {
				continue
			}
			claimed[a.ID] = true
			if first == nil || a.Severity > worst {
				worst = a.Severity
				first = a
			}
		}
		if first == nil {
			missed++
			table = append(table, fmt.Sprintf("%-28s %s MISSED", l.Kind, l.Technique))
			continue
		}
		table = append(table, fmt.Sprintf("%-28s %s %-8s %-8s %-34s after %-9s | %s", l.Kind, l.Technique, first.Severity, first.State, first.Kind.Name,
			time.Duration(first.End-l.Start.UnixNano()).Round(time.Millisecond), first.Title))
	}
	others := 0
	for _, a := range r.final() {
		if !claimed[a.ID] {
			others++
			t.Logf("no attack:\n%s", a.Text())
		}
	}
	t.Log("\n" + strings.Join(table, "\n"))
	days := (at - learn).Hours() / 24
	t.Logf("%d attacks, %d missed; %d alerts beside them in %.1f days, %.2f a day; %d alerts and %d incidents in all", len(x.labels), missed, others, days, float64(others)/days, len(r.final()), len(r.incidents))
	if missed > 0 {
		t.Errorf("%d attacks were missed", missed)
	}
}

// simulated is a capture source that simulates as it is read.
type simulated struct {
	capture.Source // for all but Read
	packets        chan []capture.Packet
	labels         plant.Labels
	err            error
	frame          uint64
}

func simulate(s plant.Scenario) *simulated {
	x := &simulated{Source: capture.Open(nil, capture.FileOptions{}), packets: make(chan []capture.Packet, 4)}
	go func() {
		var batch []capture.Packet
		x.labels, x.err = s.Run(func(p *plant.Packet) error {
			x.frame++
			batch = append(batch, capture.Packet{Data: append([]byte(nil), p.Data...), Time: p.Time, Clock: p.Time, Frame: x.frame, Wire: uint32(len(p.Data)), Link: capture.LinkEthernet})
			if len(batch) == 8192 {
				x.packets <- batch
				batch = nil
			}
			return nil
		})
		x.packets <- batch
		close(x.packets)
	}()
	return x
}

func (s *simulated) Read(_ context.Context, b *capture.Batch) error {
	batch, ok := <-s.packets
	if !ok {
		if s.err != nil {
			return s.err
		}
		b.Packets = b.Packets[:0]
		return io.EOF
	}
	b.Packets = append(b.Packets[:0], batch...)
	if len(batch) > 0 {
		b.Clock = batch[len(batch)-1].Clock
	}
	return nil
}

func TestAWeekOfTheSimulatedPlantStaysWithinTheBudget(t *testing.T) {
	if testing.Short() {
		t.Skip("skipped: simulating takes minutes")
	}
	life := plant.NormalLife()
	const day = 24 * time.Hour
	life.Swap = 4*day + 10*time.Hour
	life.Flaps = []time.Duration{3*day + 5*time.Hour, 5*day + 15*time.Hour}
	src := simulate(plant.Scenario{Seed: 3, Duration: 9 * day, Poll: 2 * time.Second, Life: life})
	learn := 2 * day
	r := replay(t, detect.LearnFor(learn), replayOptions{source: src})
	settings := detect.Defaults()
	// The swap and the flaps are real: alerts about PLC2 and PLC3 at those times
	// are no false alarms.
	real := func(a *detect.Alert) bool {
		for _, at := range append([]time.Duration{life.Swap}, life.Flaps...) {
			from := plant.DefaultStart.Add(at).UnixNano()
			if a.Start >= from-int64(time.Minute) && a.Start <= from+int64(10*time.Minute) {
				return true
			}
		}
		return false
	}
	wrong, above := 0, 0
	for _, a := range r.final() {
		if real(&a) {
			continue
		}
		wrong++
		if a.Severity > protocols.Low {
			above++
		}
		t.Logf("\n%s", a.Text())
	}
	days := 7.0
	t.Logf("%d alerts in %.0f days, %d of them about nothing real: %.2f a day, budget %.2f a day; %d above low", len(r.final()), days, wrong, float64(wrong)/days, settings.AlarmsPerDay, above)
	if float64(wrong)/days > settings.AlarmsPerDay {
		t.Error("more false alarms than the budget allows")
	}
	if above > 0 {
		t.Error("normal life gives alerts above low")
	}
	if len(r.final()) == wrong {
		t.Error("neither the swap of a controller nor the link flaps were told")
	}
}
