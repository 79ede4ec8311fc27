package main

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/weir-ics/weir/plant"
)

// listener is a program that captures, and what it says at its end.
type listener struct {
	name  string
	args  []string
	ready string
	exact bool // it accounts for every packet
	said  func(t *testing.T, said string) heard
}

// heard is what a listener says of what it heard.
type heard struct {
	Packets, Dropped, Filtered int
	Skipped                    int `json:"values-skipped"`
}

// trial is one listener under one load.
type trial struct {
	blasted
	heard
	cpu time.Duration
}

func (n tapped) try(t *testing.T, l listener, b blast) trial {
	t.Helper()
	cmd, said := n.start(t, l.ready, l.args...)
	result := trial{blasted: n.send(t, b)}
	time.Sleep(300 * time.Millisecond) // tcpdump leaves what is in its ring when it ends
	result.heard = l.said(t, stop(t, cmd, said))
	used := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	result.cpu = time.Duration(used.Utime.Nano() + used.Stime.Nano())
	if got := result.Packets + result.Dropped + result.Filtered; got != result.Sent && l.exact {
		t.Errorf("%s: %d packets were sent; %d were seen, %d dropped and %d filtered, which makes %d", l.name, result.Sent, result.Packets, result.Dropped, result.Filtered, got)
	}
	return result
}

// sensorSaid reads the last line that a sensor logs.
func sensorSaid(t *testing.T, said string) (h heard) {
	t.Helper()
	lines := strings.Split(strings.TrimSpace(said), "\n")
	last := lines[len(lines)-1]
	if err := json.Unmarshal([]byte(last), &h); err != nil {
		t.Fatalf("%v in %s", err, last)
	}
	return h
}

// newSensor is weir run on the sensor's end of the tap. The buffer is small, so
// that a rate that is too high shows within seconds.
func newSensor(t *testing.T, program, name, settings string) listener {
	t.Helper()
	path := filepath.Join(t.TempDir(), "weir.yaml")
	text := "store: {path: ''}\nconsole: {listen: ''}\nlog: {format: json}\n" + settings
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return listener{name, []string{program, "run", "-i", "tap1", "-c", path}, `"msg":"listening"`, true, sensorSaid}
}

// tcpdumpSaid finds what tcpdump says at its end.
var tcpdumpSaid = regexp.MustCompile(`(\d+) packets? (captured|dropped by kernel)`)

func tcpdumpHeard(t *testing.T, said string) (h heard) {
	t.Helper()
	for _, m := range tcpdumpSaid.FindAllStringSubmatch(said, -1) {
		n, err := strconv.Atoi(m[1])
		if err != nil {
			t.Fatal(err)
		}
		if m[2] == "captured" {
			h.Packets = n
		} else {
			h.Dropped = n
		}
	}
	return h
}

const (
	// burst is how long a load lasts, and smallBuffer the buffer that has to
	// stand it: a rate that is too high by a tenth fills it.
	burst       = 4 * time.Second
	smallBuffer = 16 << 20
	// rateSteps is how many rates are tried for each program, rateTime how long
	// all of it may take.
	rateSteps = 5
	rateTime  = 110 * time.Second
)

// TestLiveRate prints the highest rate of packets, in a burst of some seconds, at
// which nothing is lost between the two ends of a cable, for weir and for
// tcpdump. The sender, and the kernel's part in receiving, need a processor of
// their own. It asserts that weir saw or counted every packet, at every rate.
func TestLiveRate(t *testing.T) {
	if !*sideBySide {
		t.Skip("only with -side-by-side (make bench)")
	}
	tap := newTap(t)
	const most = 2_000_000
	load := cachedLoad(t, benchFolder(t), plant.Load{Kind: "modbus", Packets: most})
	program := buildWeir(t)
	listeners := []listener{{"tcpdump -i X -w /dev/null", []string{"tcpdump", "-i", "tap1", "-B", strconv.Itoa(smallBuffer >> 10), "-w", "/dev/null"}, "listening on", false, tcpdumpHeard}}
	for _, x := range []struct {
		name    string
		workers int
		rings   int
		process bool
	}{
		{"weir run, process off, 1 worker", 1, 1, false},
		{"weir run, process off, 2 workers", 2, 1, false},
		{"weir run, process off, 2 workers, 2 rings", 2, 2, false},
		{"weir run, all on, 1 worker", 1, 1, true},
		{"weir run, all on, 2 workers", 2, 1, true},
	} {
		settings := fmt.Sprintf("workers: %d\ndetect: {process: %v}\ncapture: {buffer: %d, rings: %d}\nlearn: {duration: 300ms}\n", x.workers, x.process, smallBuffer/x.rings, x.rings)
		listeners = append(listeners, newSensor(t, program, x.name, settings))
	}
	fmt.Printf("%s, %d processors; bursts of %v, a buffer of %d MiB\n\n", processor(), runtime.NumCPU(), burst, smallBuffer>>20)
	fmt.Println("| program | as fast as it goes, packets/s | lost of these | values left out | highest rate with nothing lost or left out | CPU ns a packet |")
	fmt.Println("|---|--:|--:|--:|--:|--:|")
	end := time.Now().Add(rateTime)
	for i, l := range listeners {
		tap.search(t, l, load, most, time.Now().Add(time.Until(end)/time.Duration(len(listeners)-i)))
	}
}

// search tries one rate after the other, first as fast as it goes, and prints
// the highest at which nothing was lost or left out.
func (n tapped) search(t *testing.T, l listener, load string, most int, end time.Time) {
	t.Helper()
	first := n.try(t, l, blast{File: load, Packets: most})
	var best trial
	low, high := 20_000.0, first.rate()
	for x, step := first, 0; ; step++ {
		if x.Dropped == 0 && x.Skipped == 0 {
			best, low = x, x.rate()
		} else {
			high = x.rate()
		}
		if best.Sent == first.Sent || step == rateSteps || time.Until(end) < burst {
			break
		}
		rate := math.Sqrt(low * high)
		x = n.try(t, l, blast{File: load, Packets: min(most, int(rate*burst.Seconds())), Rate: int(rate)})
	}
	fmt.Printf("| %s | %.0f | %.1f %% | %.0f %% | %.0f | %.0f |\n", l.name, first.rate(), 100*float64(first.Dropped)/float64(first.Sent),
		min(100, 100*float64(first.Skipped)/valuesIn(first)), best.rate(), float64(first.cpu)/float64(max(first.Packets, 1)))
}

// valuesIn is how many values the packets of the load carry that were seen,
// about: 24 each.
func valuesIn(x trial) float64 { return 24 * float64(max(x.Packets, 1)) }
