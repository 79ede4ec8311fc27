package main

import (
	"bufio"
	"encoding/json"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"github.com/weir-ics/weir/detect"
)

func TestWhatIsApprovedWhileTheSensorRunsOutlivesItsEnd(t *testing.T) {
	dir := t.TempDir()
	path := func(name string) string { return filepath.Join(dir, name) }
	must := func(args ...string) {
		t.Helper()
		if _, stderr, status := weir(args...); status != 0 {
			t.Fatalf("weir %v: %s", args, stderr)
		}
	}
	must("plant", "write", path("a.pcap"), "-d", "20m", "--attack", "write.from-plc@15m")
	must("replay", path("a.pcap"), "--learn", "10m", "--store", "none", "--alerts", path("alerts.jsonl"), "--save-baseline", path("plant.json"))

	c := defaultConfig()
	c.Learn.Baseline, c.Workers = path("plant.json"), 1
	options, err := c.pipeline()
	if err != nil {
		t.Fatal(err)
	}
	if options.baseline, err = readBaseline(path("plant.json")); err != nil {
		t.Fatal(err)
	}
	options.schedule = detect.WatchOnly()
	p, err := newPipeline(options)
	if err != nil {
		t.Fatal(err)
	}
	s := &sensor{config: c, log: slog.New(slog.NewTextHandler(io.Discard, nil)), pipeline: p, learned: true}

	must("baseline", "approve", path("plant.json"), firstAlert(t, path("alerts.jsonl")), "--alerts", path("alerts.jsonl"), "--why", "work order 4711")
	if err := s.saveLearned(); err != nil {
		t.Fatal(err)
	}
	b, err := readBaseline(path("plant.json"))
	if err != nil {
		t.Fatal(err)
	}
	if len(b.Decisions) != 1 || b.Decisions[0].Why != "work order 4711" {
		t.Errorf("the baseline holds the decisions %+v", b.Decisions)
	}
}

// firstAlert is the id of the first alert of a file that can be approved.
func firstAlert(t *testing.T, path string) string {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var a struct{ ID, Kind string }
		if err := json.Unmarshal(lines.Bytes(), &a); err != nil {
			t.Fatal(err)
		}
		if a.Kind == "role.new" {
			return a.ID
		}
	}
	t.Fatalf("%s holds no alert of a new role", path)
	return ""
}
