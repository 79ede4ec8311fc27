package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/weir-ics/weir/plant"
)

// slowVariable hands a configuration to the process that is a slow sensor, and
// slowFor is how long its fitting of models lasts.
const slowVariable, slowFor = "WEIR_TEST_SLOW", 4 * time.Second

// TestSlowSensor is no test: it is the process of a sensor for which the end of
// learning takes as long as at a site of many points.
func TestSlowSensor(t *testing.T) {
	path := os.Getenv(slowVariable)
	if path == "" {
		t.Skip("only for other tests")
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	cmd := newRun()
	cmd.SetContext(ctx)
	c, err := loadConfig(path)
	if err != nil {
		t.Fatal(err)
	}
	s, err := openSensor(cmd, c, handover{})
	if err != nil {
		t.Fatal(err)
	}
	tell := s.pipeline.fitting
	s.pipeline.fitting = func() {
		tell()
		for end := time.Now().Add(slowFor); time.Now().Before(end); { // it needs a processor, too
		}
	}
	err = s.run(cmd)
	s.source.Close()
	if err != nil {
		t.Fatal(err)
	}
	stop()
	os.Exit(0) // without the words of the test
}

// slowSensor starts it in the sensor's namespace, with a ring that is full after
// 2.5 s: the kernel hands over a block every 40 ms. A busy machine may hold a
// program up for half of that before values are left out.
func (n tapped) slowSensor(t *testing.T, dir string, workers int) (cmd *exec.Cmd, said <-chan string) {
	t.Helper()
	config := filepath.Join(dir, "weir.yaml")
	text := fmt.Sprintf("store: {path: ''}\nconsole: {listen: ''}\nlog: {format: json}\nworkers: %d\ncapture: {interfaces: [tap1], buffer: 4MiB}\n"+
		"learn: {duration: 1500ms, baseline: %s/plant.json}\nalerts: {file: %[2]s/alerts.jsonl}\n", workers, dir)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv(slowVariable, config)
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return n.start(t, `"msg":"listening"`, program, "-test.run=^TestSlowSensor$")
}

// The load is what a site of 200 devices sends, ten times as fast.
var stallLoad = plant.Load{Kind: "modbus", Packets: 40_000}

const stallRate = 8_000 // packets/s

func TestNoPacketIsLostWhileModelsAreFitted(t *testing.T) {
	tap := newTap(t)
	load := loadFile(t, stallLoad)
	for workers := 1; workers <= 2; workers++ {
		t.Run(fmt.Sprintf("%d workers", workers), func(t *testing.T) {
			dir := t.TempDir()
			path := func(name string) string { return filepath.Join(dir, name) }
			witness, heardLog := tap.start(t, "listening on", "tcpdump", "-i", "tap1", "-U", "-B", "32768", "--time-stamp-precision=nano", "-w", path("heard.pcap"))
			cmd, said := tap.slowSensor(t, dir, workers)
			sent := tap.send(t, blast{File: load, Packets: stallLoad.Packets, Rate: stallRate})
			time.Sleep(300 * time.Millisecond) // what is in the ring is handed over in 40 ms
			log := stop(t, cmd, said)
			stop(t, witness, heardLog)
			got := sensorSaid(t, log)
			if got.Packets != sent.Sent || got.Dropped != 0 || got.Skipped != 0 {
				t.Errorf("%d packets were sent; the sensor says: %+v", sent.Sent, got)
			}
			for _, words := range []string{"fitting the models of values", "the models of values are fitted", "what came while the models were fitted is judged"} {
				if !strings.Contains(log, words) {
					t.Errorf("the log does not say %q:\n%s", words, log)
				}
			}
			// What was judged late is what a replay of the same packets finds.
			if _, stderr, status := weir("replay", path("heard.pcap"), "--learn", "1500ms", "--store", "none", "--alerts", path("replayed.jsonl")); status != 0 {
				t.Fatal(stderr)
			}
			live, replayed := alertKinds(t, path("alerts.jsonl")), alertKinds(t, path("replayed.jsonl"))
			sameAlerts(t, live, replayed)
			if len(replayed) == 0 {
				t.Error("the load raises no alert, so nothing is compared")
			}
			t.Logf("%+v, %d alerts", got, len(live))
		})
	}
}

func TestASensorStoppedWhileModelsAreFittedJudgesAndSavesWhatItTookIn(t *testing.T) {
	tap := newTap(t)
	load := loadFile(t, stallLoad)
	dir := t.TempDir()
	cmd, said := tap.slowSensor(t, dir, 2)
	sent := tap.send(t, blast{File: load, Packets: stallRate * 3, Rate: stallRate})
	time.Sleep(300 * time.Millisecond)
	log := stop(t, cmd, said)
	if got := sensorSaid(t, log); got.Packets != sent.Sent || got.Dropped != 0 {
		t.Errorf("%d packets were sent; the sensor says: %+v", sent.Sent, got)
	}
	if !strings.Contains(log, "ending once what was taken in is judged") {
		t.Errorf("it was not stopped while models were fitted, or does not say so:\n%s", log)
	}
	b, err := readBaseline(filepath.Join(dir, "plant.json"))
	if err != nil {
		t.Fatal(err)
	}
	if len(b.Links) == 0 || b.Sections[processSection] == nil {
		t.Errorf("the baseline has %d links and %d octets of the process model", len(b.Links), len(b.Sections[processSection]))
	}
}
