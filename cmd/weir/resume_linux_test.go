package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/weir-ics/weir/plant"
	"github.com/weir-ics/weir/protocols"
)

// TestASensorStoppedWhileItLearnsGoesOnWhereItWas stops a sensor twice while it learns:
// Modbus is learned before, DNP3 after. At last it watches by all of it.
func TestASensorStoppedWhileItLearnsGoesOnWhereItWas(t *testing.T) {
	tap := newTap(t)
	program := buildWeir(t)
	modbus, dnp3 := loadFile(t, plant.Load{Kind: "modbus", Packets: 40_000}), loadFile(t, plant.Load{Kind: "dnp3", Packets: 40_000})
	dir := t.TempDir()
	path := func(name string) string { return filepath.Join(dir, name) }
	settings := func(name, learn string) string {
		text := fmt.Sprintf("store: {path: ''}\nconsole: {listen: ''}\nlog: {format: json}\ncapture: {interfaces: [tap1]}\nlearn: {duration: %s, baseline: %s}\nalerts: {file: %s}\n",
			learn, path("plant.json"), path("alerts.jsonl"))
		if err := os.WriteFile(path(name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path(name)
	}
	hour := settings("hour.yaml", "1h")
	run := func(config, load string, packets int) string {
		t.Helper()
		cmd, said := tap.start(t, `"msg":"listening"`, program, "run", "-c", config)
		tap.send(t, blast{File: load, Packets: packets, Rate: stallRate})
		time.Sleep(300 * time.Millisecond) // what is in the ring is handed over in 40 ms
		return stop(t, cmd, said)
	}
	says := func(log string, words ...string) {
		t.Helper()
		for _, w := range words {
			if !strings.Contains(log, w) {
				t.Errorf("the log does not say %q:\n%s", w, log)
			}
		}
	}
	const kept = "ended before the learning did; what was learned is kept"
	says(run(hour, modbus, stallRate), `"msg":"learning"`, kept)
	first, err := learnedPart(path("plant.json"))
	if err != nil || first < 900*time.Millisecond || first > time.Minute {
		t.Fatalf("a second was learned; the part says %v, %v", first, err)
	}
	says(run(hour, dnp3, stallRate/2), `"msg":"learning goes on"`, kept)
	second, err := learnedPart(path("plant.json"))
	if err != nil || second < first+400*time.Millisecond {
		t.Fatalf("half a second more was learned; after %v the part says %v, %v", first, second, err)
	}
	if _, err := os.Stat(path("plant.json")); err == nil {
		t.Fatal("a part of what is to be learned is taken for the whole")
	}
	// Now there is half a second left, and then two of watching.
	log := run(settings("short.yaml", (second+500*time.Millisecond).String()), dnp3, 5*stallRate/2)
	says(log, `"msg":"learning goes on"`, `"msg":"learning has ended`, `"msg":"watching by the baseline"`)
	seen := 0 // what came while one sensor took the place of the other is seen by both
	for _, line := range strings.Split(log, "\n") {
		if strings.Contains(line, `"msg":"ended"`) {
			h := sensorSaid(t, line)
			seen += h.Packets
			if h.Dropped != 0 {
				t.Errorf("%d packets were lost", h.Dropped)
			}
		}
	}
	if seen < 5*stallRate/2 {
		t.Errorf("both sensors saw %d of %d packets", seen, 5*stallRate/2)
	}
	if _, err := os.Stat(partFile(path("plant.json"))); err == nil {
		t.Error("the part is still there")
	}
	b, err := readBaseline(path("plant.json"))
	if err != nil {
		t.Fatal(err)
	}
	links := map[string]int{}
	for i := range b.Links {
		links[b.Links[i].Proto]++
	}
	if links[protocols.ProtoModbus.String()] < 100 || links[protocols.ProtoDNP3.String()] < 100 || b.Sections[processSection] == nil || b.Sections[learningSection] != nil {
		t.Errorf("the baseline has links %v, %d octets of the process model and %q", links, len(b.Sections[processSection]), b.Sections[learningSection])
	}
	// What was learned before the first stop is known at the end.
	if err := os.WriteFile(path("alerts.jsonl"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	says(run(hour, modbus, stallRate), `"msg":"watching by the baseline"`)
	for id, kind := range alertKinds(t, path("alerts.jsonl")) {
		if strings.HasPrefix(kind, "link.") || strings.HasPrefix(kind, "host.") {
			t.Errorf("%s is told of what was learned before the first stop (%s)", kind, id)
		}
	}
}
