package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/weir-ics/weir/detect"
	"github.com/weir-ics/weir/sinks"
	"github.com/weir-ics/weir/sinks/influx/influxtest"
	"github.com/weir-ics/weir/store"
)

// attackedCapture writes a capture of the simulated plant with attacks in its
// last ten minutes.
func attackedCapture(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "plant.pcap")
	if _, stderr, status := weir("plant", "write", path, "--duration", "40m", "--attack", "write.from-plc@32m", "--attack", "plc.umas-stop@35m"); status != 0 {
		t.Fatal(stderr)
	}
	return path
}

func configFor(t *testing.T, url, bucket string) string {
	t.Helper()
	dir := t.TempDir()
	path := filepath.Join(dir, "weir.yaml")
	text := fmt.Sprintf("store: {path: %s}\ninfluxdb: {url: %q, bucket: %q}\n", filepath.Join(dir, "weir.db"), url, bucket)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

type reported struct {
	Total   int                     `json:"alerts_total"`
	Written map[string]sinks.Counts `json:"written"`
	Kept    map[string]sinks.Counts `json:"kept"`
}

func replayJSON(t *testing.T, wantStatus int, args ...string) (r reported, stderr string) {
	t.Helper()
	out, stderr, status := weir(append([]string{"replay", "--json", "--learn", "30m"}, args...)...)
	if status != wantStatus {
		t.Fatalf("status %d, want %d: %s", status, wantStatus, stderr)
	}
	if err := json.Unmarshal([]byte(out), &r); err != nil {
		t.Fatalf("%v in %s", err, out)
	}
	return r, stderr
}

func TestAFluxQueryFindsWhatReplaySaysItWrote(t *testing.T) {
	server := influxtest.Start(t, influxtest.Options{})
	bucket := server.Bucket("weir")
	capture := attackedCapture(t)
	r, _ := replayJSON(t, 0, "-c", configFor(t, server.URL, bucket), capture)
	w := r.Written["InfluxDB "+server.URL]
	if w.Alerts == 0 || w.Values == 0 || w.Counters == 0 || int(w.Alerts) != r.Total {
		t.Fatalf("replay says %+v", r)
	}
	if got := server.Count(bucket, "weir_alert", "count"); got != w.Alerts {
		t.Errorf("a Flux query finds %d alerts, replay says %d", got, w.Alerts)
	}
	if got := server.Count(bucket, "weir_value", "value"); got != w.Values {
		t.Errorf("a Flux query finds %d values, replay says %d", got, w.Values)
	}
	if got := server.Count(bucket, "weir_command", "value"); got != w.Commands {
		t.Errorf("a Flux query finds %d commands, replay says %d", got, w.Commands)
	}
}

func TestWithTheServerDownReplayFinishesSaysSoAndKeepsAll(t *testing.T) {
	capture := attackedCapture(t)
	config := configFor(t, "http://127.0.0.1:1", "weir/autogen") // nobody listens on port 1
	r, stderr := replayJSON(t, 1, "-c", config, capture)
	kept := r.Kept["InfluxDB http://127.0.0.1:1"]
	if !strings.Contains(stderr, "InfluxDB") || int(kept.Alerts) != r.Total || kept.Values == 0 {
		t.Fatalf("kept %+v of %d alerts; said %q", kept, r.Total, stderr)
	}
	ctx := context.Background()
	s, err := store.Open(filepath.Join(filepath.Dir(config), "weir.db"), store.Options{Kind: kindNamed})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close(ctx)
	_, n, err := s.Alerts(ctx, detect.AlertQuery{})
	if err != nil || n != r.Total {
		t.Errorf("the store has %d alerts (%v), replay found %d", n, err, r.Total)
	}
	series, _, err := s.Series(ctx, detect.SeriesQuery{})
	if err != nil || len(series) == 0 {
		t.Errorf("the store has %d series (%v)", len(series), err)
	}

	// When a server is there again, the next run sends what was kept.
	server := influxtest.Start(t, influxtest.Options{})
	bucket := server.Bucket("weir")
	text, err := os.ReadFile(config)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(config, []byte(strings.ReplaceAll(string(text), "http://127.0.0.1:1", server.URL)), 0o600); err != nil {
		t.Fatal(err)
	}
	empty := filepath.Join(t.TempDir(), "empty.pcap")
	if _, stderr, status := weir("plant", "write", empty, "--duration", "1s", "--polls-only"); status != 0 {
		t.Fatal(stderr)
	}
	replayJSON(t, 0, "-c", config, empty)
	if got := server.Count(bucket, "weir_alert", "count"); got != kept.Alerts {
		t.Errorf("%d of the %d alerts that were kept arrived", got, kept.Alerts)
	}
}
