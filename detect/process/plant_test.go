package process_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/weir-ics/weir/plant"
	"github.com/weir-ics/weir/protocols"
)

// simulate plays a scenario to a sensor that learns for a while. It returns it
// with when each attack began and ended.
func simulate(t *testing.T, learn, total, poll time.Duration, seed uint64, attacks ...plant.AttackAt) (*sensor, plant.Labels) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "plant.pcap")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	s := plant.Scenario{Seed: seed, Start: time.Date(2026, 3, 2, 6, 0, 0, 0, time.UTC), Duration: total, Poll: poll, Life: plant.NormalLife(), Attacks: attacks}
	labels, err := s.Write(f)
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
	x := newSensor(nil, 0)
	x.learnFor = int64(learn)
	x.replay(t, path)
	return x, labels
}

// TestNormalDaysOfThePlantStayQuiet lets the plant live on after thirty hours of
// learning. What the operators do, and what the pumps do for the first time, may
// be told, but mildly.
func TestNormalDaysOfThePlantStayQuiet(t *testing.T) {
	x, _ := simulate(t, 30*time.Hour, 60*time.Hour, 10*time.Second, 11)
	raised := make(map[string]bool)
	for _, f := range x.log {
		id := f.Kind.Name + " " + f.Key
		if f.Clear || f.Severity < protocols.Medium || raised[id] {
			continue
		}
		raised[id] = true
		t.Logf("%s %s %s: %s", time.Unix(0, f.Time).UTC().Format(time.TimeOnly), f.Severity, f.Kind.Name, f.Explanation)
		if f.Severity >= protocols.High {
			t.Errorf("%s is %s: %s", f.Kind.Name, f.Severity, f.Explanation)
		}
	}
	if len(raised) > 12 {
		t.Errorf("%d alerts of medium severity in 30 hours of normal life", len(raised))
	}
}

// TestAttacksOnTheProcessAreFound commits each kind of attack that shows in the
// values, and looks for the kind of finding that tells it.
func TestAttacksOnTheProcessAreFound(t *testing.T) {
	if testing.Short() {
		t.Skip("plays many hours of the plant")
	}
	for _, c := range []struct{ attack, kind string }{
		{"sensor.frozen", "value.stuck"},
		{"sensor.replayed", "value.replayed"},
		{"sensor.offset", "value.correlation"},
		{"sensor.noiseless", "value.noise"},
		{"sensor.spike", "value.correlation"},
		{"sensor.dnp3-false", "value.correlation"},
		{"sensor.dnp3-forced", "value.quality"},
		{"process.level-deceived", "value.correlation"},
		{"process.pump-slowed", "value.correlation"},
		{"process.valve-hidden", "value.replayed"},
		{"process.dosing-hidden", "value.replayed"},
		{"mitm.values", "value.correlation"},
		{"write.setpoint-range", "command.value"},
	} {
		t.Run(c.attack, func(t *testing.T) {
			x, labels := simulate(t, 9*time.Hour, 12*time.Hour, 5*time.Second, 3, plant.AttackAt{Kind: c.attack, At: 10 * time.Hour})
			start, end := labels[0].Start.UnixNano(), labels[0].End.UnixNano()
			delay := int64(-1)
			var seen []string
			for _, f := range x.log {
				if f.Clear || f.Time < start || f.Time > end+int64(5*time.Minute) {
					continue
				}
				if f.Kind.Name == c.kind && delay < 0 {
					delay = f.Time - start
				}
				if !slices.Contains(seen, f.Kind.Name) {
					seen = append(seen, f.Kind.Name)
				}
			}
			if delay < 0 {
				t.Errorf("%s was not found by %s, but by %v", c.attack, c.kind, seen)
				return
			}
			t.Logf("found by %s after %s, of %s; also %s", c.kind, time.Duration(delay).Round(time.Second), time.Duration(end-start), strings.Join(seen, ", "))
		})
	}
}
