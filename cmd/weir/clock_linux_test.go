package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/weir-ics/weir/capture"
	"github.com/weir-ics/weir/plant"
)

// clockVariable hands a configuration to the process in which the clock is set.
const clockVariable = "WEIR_TEST_CLOCK"

// clockSet is a source that ends as if the clock had been set, once so many packets came.
type clockSet struct {
	capture.Source
	after int
	seen  atomic.Int64
}

func (s *clockSet) Read(ctx context.Context, b *capture.Batch) error {
	if s.seen.Load() >= int64(s.after) {
		return &capture.ClockSet{By: 26 * 365 * 24 * time.Hour}
	}
	err := s.Source.Read(ctx, b)
	s.seen.Add(int64(len(b.Packets)))
	return err
}

// TestClockSensor is no test: it is the process of a sensor whose clock is set after a
// thousand packets, and of the one that takes its place, up to as many.
func TestClockSensor(t *testing.T) {
	path := os.Getenv(clockVariable)
	if path == "" {
		t.Skip("only for other tests")
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	t.Cleanup(cancel)
	cmd := newRun()
	cmd.SetContext(ctx)
	c, err := loadConfig(path)
	if err != nil {
		t.Fatal(err)
	}
	var next handover
	for range 2 {
		s, err := openSensor(cmd, c, next)
		if err != nil {
			t.Fatal(err)
		}
		s.input = &clockSet{Source: s.source, after: 1000}
		if err := s.run(cmd); err != nil || !s.anew {
			t.Fatal(err, s.anew)
		}
		s.source.Close()
		next = s.next
	}
	next.close()
	os.Exit(0) // without the words of the test
}

// TestASensorWhoseClockIsSetGoesOnWithWhatItLearned sets it while the sensor learns, and
// once it watches, with a baseline and with none.
func TestASensorWhoseClockIsSetGoesOnWithWhatItLearned(t *testing.T) {
	tap := newTap(t)
	load := loadFile(t, plant.Load{Kind: "modbus", Packets: 40_000})
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, learn string
		says        []string
	}{
		{"learning", "{duration: 1h, baseline: %s/plant.json}", []string{"what was learned is kept", `"msg":"learning goes on"`}},
		{"watching by a baseline", "{duration: 10ms, baseline: %s/plant.json}", []string{`"msg":"learning has ended; watching"`, `"msg":"watching by the baseline"`}},
		{"watching by what is in no file", "{duration: 10ms}", []string{`"msg":"learning has ended; watching"`, `"msg":"watching by what was learned before"`}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			learn := tt.learn
			if strings.Contains(learn, "%s") {
				learn = fmt.Sprintf(learn, dir)
			}
			config := filepath.Join(dir, "weir.yaml")
			text := fmt.Sprintf("store: {path: ''}\nconsole: {listen: ''}\nlog: {format: json}\ncapture: {interfaces: [tap1]}\nlearn: %s\n", learn)
			if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			t.Setenv(clockVariable, config)
			cmd, said := tap.start(t, `"msg":"listening"`, program, "-test.run=^TestClockSensor$")
			tap.send(t, blast{File: load, Packets: 6_000, Rate: 2_000})
			log := <-said
			if err := cmd.Wait(); err != nil {
				t.Fatalf("%v: %s", err, log)
			}
			for _, w := range append(tt.says, `"msg":"the system clock was set; the sensor begins anew, with what was learned","by":"227760h0m0s"`) {
				if !strings.Contains(log, w) {
					t.Errorf("the log does not say %q:\n%s", w, log)
				}
			}
		})
	}
}
