package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/weir-ics/weir/plant"
)

var lasting = flag.Int("lasting", 0, "find the rate of packets that a live sensor keeps up for a minute, of so many million packets")

const (
	// lastingFor is how long a load lasts, if it has as many packets.
	lastingFor = time.Minute
	// lastingSteps is how many rates are tried below the highest.
	lastingSteps = 4
	// commandRule counts commands to some of the servers of a load: few enough that
	// each has an alert of its own.
	commandRule = `rules:
  - id: every-command
    title: A command
    severity: low
    on: {protocol: modbus, role: request, function: [5, 6]}
    when: in_network(server, "10.31.0.0/28")
    why: To count them.
    action: None.
    techniques: [T0855]
    fires: [{modbus: ["> 0001 0000 0006 01 06 0001 0002"]}]
    silent: [{modbus: ["> 0001 0000 0006 01 03 0001 0002"]}]
`
)

// TestTheRateThatLasts prints the highest rate of packets that a live sensor keeps
// up for a minute with nothing lost or left out, and what becomes of more. It asserts
// that every packet is seen or counted, and that commands are judged however
// many values are left out.
//
//	go test ./cmd/weir -run TestTheRateThatLasts -lasting 12 -v -timeout 1h
func TestTheRateThatLasts(t *testing.T) {
	if *lasting == 0 {
		t.Skip("only with -lasting MILLIONS: it takes a quarter of an hour")
	}
	tap := newTap(t)
	most := *lasting * 1_000_000
	load := cachedLoad(t, benchFolder(t), plant.Load{Kind: "modbus", Packets: most})
	program := buildWeir(t)
	dir := t.TempDir()
	path := func(name string) string { return filepath.Join(dir, name) }
	if err := os.WriteFile(path("rule.yaml"), []byte("detect: {process: false}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path("commands.yaml"), []byte(commandRule), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, stderr, status := weir("replay", load, "--store", "none", "-c", path("rule.yaml"), "--rules", path("commands.yaml"), "--learn", "1000d", "--alerts", path("all.jsonl")); status != 0 {
		t.Fatal(stderr)
	}
	commands := ruleCount(t, path("all.jsonl"))
	if commands == 0 {
		t.Fatal("the load has no command")
	}
	fmt.Printf("%s, %d processors; 2 workers, the default buffer, %v or %d packets\n\n", processor(), runtime.NumCPU(), lastingFor, most)
	fmt.Println("| | as fast as it goes, packets/s | lost of these | values left out | highest rate with nothing lost or left out | for, s | CPU ns a packet |")
	fmt.Println("|---|--:|--:|--:|--:|--:|--:|")
	settings := "workers: 2\n"
	for _, x := range []struct{ name, settings string }{
		{"process off", "detect: {process: false}\nlearn: {duration: 1h}\n"},
		{"all on, learning", "learn: {duration: 1h}\n"},
		{"all on, by a baseline", "learn: {duration: 1s, baseline: " + path("plant.json") + "}\n"},
	} {
		alerts := path("alerts.jsonl")
		learning := x.name != "all on, by a baseline"
		text := settings + x.settings
		if learning { // what is judged by a baseline has alerts of its own, and many
			text += "rules: {paths: [" + path("commands.yaml") + "]}\nalerts: {file: " + alerts + "}\n"
		} else { // it makes one, at a rate that it keeps up
			tap.try(t, newSensor(t, program, x.name, text), blast{File: load, Packets: 100_000, Rate: 50_000})
		}
		run := func(packets, rate int) trial {
			_ = os.Remove(alerts)
			got := tap.try(t, newSensor(t, program, x.name, text), blast{File: load, Packets: packets, Rate: rate})
			if n := 0; learning && packets == most {
				n = ruleCount(t, alerts)
				if n > commands || got.Dropped == 0 && n < commands {
					t.Errorf("%s: %d of %d commands were judged; %+v", x.name, n, commands, got)
				}
				t.Logf("%s: %d of %d commands; %+v", x.name, n, commands, got.heard)
			}
			if got.Dropped > 0 && got.Skipped == 0 && x.name != "process off" {
				t.Errorf("%s: packets were lost before values were left out: %+v", x.name, got.heard)
			}
			return got
		}
		first := run(most, 0)
		best := first
		if first.Dropped > 0 || first.Skipped > 0 {
			best = trial{}
			low, high := 20_000.0, first.rate()
			for range lastingSteps {
				rate := math.Sqrt(low * high)
				if got := run(min(most, int(rate*lastingFor.Seconds())), int(rate)); got.Dropped == 0 && got.Skipped == 0 {
					best, low = got, rate
				} else {
					high = rate
				}
			}
		}
		fmt.Printf("| `weir run`, %s | %.0f | %.1f %% | %.0f %% | %.0f | %.0f | %.0f |\n", x.name, first.rate(), 100*float64(first.Dropped)/float64(first.Sent),
			min(100, 100*float64(first.Skipped)/valuesIn(first)), best.rate(), best.Seconds, float64(best.cpu)/float64(max(best.Packets, 1)))
	}
}

// ruleCount is how many messages the rule of the test was true of.
func ruleCount(t *testing.T, path string) (sum int) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	counts := map[string]int{} // the last word on each alert
	lines := bufio.NewScanner(bytes.NewReader(data))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var a struct {
			ID, Rule string
			Count    int
		}
		if err := json.Unmarshal(lines.Bytes(), &a); err != nil {
			t.Fatal(err)
		}
		if a.Rule == "every-command" {
			counts[a.ID] = a.Count
		}
	}
	for _, n := range counts {
		sum += n
	}
	return sum
}
