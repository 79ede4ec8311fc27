package main

import (
	"context"
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/weir-ics/weir/capture"
	"github.com/weir-ics/weir/detect"
	"github.com/weir-ics/weir/protocols"
)

// pressedSource reads files as if packets came too fast during a part of them,
// from one packet time to another after the first.
type pressedSource struct {
	*capture.Files
	start    int64
	from, to time.Duration
}

func (s *pressedSource) Read(ctx context.Context, b *capture.Batch) error {
	err := s.Files.Read(ctx, b)
	if len(b.Packets) > 0 {
		if s.start == 0 {
			s.start = b.Packets[0].Time
		}
		at := time.Duration(b.Packets[0].Time - s.start)
		b.Pressed = at >= s.from && at < s.to
	}
	return err
}

// underPressure runs the pipeline of a sensor over a capture, and returns its
// alerts and whether values were left out at some time.
func underPressure(t *testing.T, path string, workers int, from, to time.Duration) (p *pipeline, alerts string, skipping bool) {
	t.Helper()
	c := defaultConfig()
	c.Store.Path = ""
	c.Workers = workers
	o, err := c.pipeline()
	if err != nil {
		t.Fatal(err)
	}
	o.schedule, o.live = detect.LearnFor(40*time.Minute), true
	if p, err = newPipeline(o); err != nil {
		t.Fatal(err)
	}
	p.after = func(int64) { skipping = skipping || p.status("", true).Skipping }
	src := &pressedSource{Files: capture.Open([]string{path}, capture.FileOptions{}), from: from, to: to}
	defer src.Close()
	if err := p.run(t.Context(), src); err != nil {
		t.Fatal(err)
	}
	data, err := json.Marshal(p.summary.final())
	if err != nil {
		t.Fatal(err)
	}
	return p, string(data), skipping
}

func TestWhenPacketsComeTooFastValuesAreLeftOutAndCommandsJudged(t *testing.T) {
	path := filepath.Join(t.TempDir(), "plant.pcap")
	if _, stderr, status := weir("plant", "write", path, "--duration", "70m", "--attack", "write.from-plc@52m"); status != 0 {
		t.Fatal(stderr)
	}
	all, _, _ := underPressure(t, path, 1, 0, 0)
	usual := map[string]bool{}
	for _, a := range all.summary.final() {
		usual[a.ID] = true
	}
	p, alerts, skipping := underPressure(t, path, 1, 44*time.Minute, 60*time.Minute)
	for _, workers := range []int{2, 3} {
		if _, got, _ := underPressure(t, path, workers, 44*time.Minute, 60*time.Minute); got != alerts {
			t.Errorf("other alerts with %d workers:\n%s\nthan with one:\n%s", workers, got, alerts)
		}
	}
	if !skipping || p.status("", true).Skipping {
		t.Error("the status does not say when values were left out")
	}
	skipped, want := p.skipped, all.summary.samples-p.summary.samples
	if skipped == 0 || want == 0 || p.summary.counter("values.skipped") != skipped {
		t.Errorf("%d values left out by the counter, %d samples missing", skipped, want)
	}
	found := map[string]bool{}
	for _, a := range p.summary.final() {
		found[a.ID] = true
		switch {
		case a.Kind == detect.KindValuesSkipped:
			if a.Count != 1 {
				t.Errorf("told %d times", a.Count)
			}
		case !usual[a.ID] && a.Severity > protocols.Low: // a low one is within the false-alarm budget
			t.Errorf("raised only because values were left out: %s: %s", a.Kind.Name, a.Explanation)
		}
	}
	if len(found) == 0 || len(usual) == 0 {
		t.Fatal("nothing was found")
	}
	commands := 0
	for _, a := range all.summary.final() {
		if strings.HasPrefix(a.Kind.Name, "value.") || strings.HasPrefix(a.Kind.Name, "counter.") || strings.HasPrefix(a.Kind.Name, "state.") {
			continue // what values show
		}
		if !found[a.ID] {
			t.Errorf("not raised while values were left out: %s: %s", a.Kind.Name, a.Explanation)
		}
		commands++
	}
	t.Logf("%d alerts about other things than values, %d values left out", commands, skipped)
}
