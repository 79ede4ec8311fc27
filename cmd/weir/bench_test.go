package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/weir-ics/weir/capture"
	"github.com/weir-ics/weir/detect"
	"github.com/weir-ics/weir/plant"
)

// loadFile writes a load of the simulated plant.
func loadFile(tb testing.TB, l plant.Load) string {
	tb.Helper()
	path := filepath.Join(tb.TempDir(), l.Kind+".pcap")
	f, err := os.Create(path)
	if err != nil {
		tb.Fatal(err)
	}
	defer f.Close()
	if err := l.Write(f); err != nil {
		tb.Fatal(err)
	}
	return path
}

// newReplayPipeline is the pipeline of weir replay with nothing to write to.
func newReplayPipeline(tb testing.TB, schedule *detect.Schedule, workers int, process bool) *pipeline {
	tb.Helper()
	c := defaultConfig()
	c.Store.Path, c.Alerts.File = "", ""
	c.Detect.Process = process
	c.Workers = workers
	o, err := c.pipeline()
	if err != nil {
		tb.Fatal(err)
	}
	o.schedule = schedule
	p, err := newPipeline(o)
	if err != nil {
		tb.Fatal(err)
	}
	return p
}

// BenchmarkReplay is weir replay over loads, a whole load an operation. make
// bench times the program itself, beside others.
func BenchmarkReplay(b *testing.B) {
	const packets = 500_000
	for _, kind := range plant.LoadKinds() {
		for _, process := range []bool{false, true} {
			name := kind[0]
			if process {
				name += "+process"
			}
			b.Run(name, func(b *testing.B) {
				path := loadFile(b, plant.Load{Kind: kind[0], Packets: packets})
				for b.Loop() {
					p := newReplayPipeline(b, detect.LearnFor(time.Minute), 1, process)
					if err := p.run(context.Background(), capture.Open([]string{path}, capture.FileOptions{})); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/packets, "ns/packet")
			})
		}
	}
}

// TestAPacketOfALearnedPlantCostsNoAllocation counts what the whole pipeline
// allocates for each batch, from the file to the detectors, once it knows the
// plant. What is told every ten seconds (counters) and every minute (links and
// hosts) does allocate, and so does a request that was never seen before, of
// which the Modbus load has twenty a batch; so the test looks at the median batch.
func TestAPacketOfALearnedPlantCostsNoAllocation(t *testing.T) {
	if raceDetector {
		t.Skip("the race detector allocates")
	}
	for _, kind := range []string{"modbus", "dnp3", "dnp3+process"} {
		kind, process := strings.CutSuffix(kind, "+process")
		for _, workers := range []int{1, 2} {
			t.Run(fmt.Sprintf("%s with %d workers, process %v", kind, workers, process), func(t *testing.T) {
				const packets, warm = 400_000, 200_000
				path := loadFile(t, plant.Load{Kind: kind, Packets: packets})
				schedule := detect.LearnOnly()
				if process {
					schedule = detect.LearnFor(time.Minute)
				}
				p := newReplayPipeline(t, schedule, workers, process)
				var mem runtime.MemStats
				var was uint64
				var batches []uint64
				n := 0
				p.after = func(int64) {
					if n += capture.BatchSize; n < warm || n >= packets {
						return
					}
					runtime.ReadMemStats(&mem)
					if was != 0 {
						batches = append(batches, mem.Mallocs-was)
					}
					was = mem.Mallocs
				}
				if err := p.run(context.Background(), capture.Open([]string{path}, capture.FileOptions{})); err != nil {
					t.Fatal(err)
				}
				t.Logf("allocations in batches of %d packets: %d", capture.BatchSize, batches)
				slices.Sort(batches)
				if median := batches[len(batches)/2]; median > capture.BatchSize/100 {
					t.Errorf("half of the batches make %d allocations or more, which is one in a hundred packets", median)
				}
			})
		}
	}
}
