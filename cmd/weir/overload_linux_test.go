package main

import (
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/weir-ics/weir/plant"
)

func TestASensorThatIsOverrunLeavesOutValuesAndCountsEveryPacket(t *testing.T) {
	tap := newTap(t)
	program := buildWeir(t)
	const packets = 300_000
	load := loadFile(t, plant.Load{Kind: "modbus", Packets: packets})
	alerts := filepath.Join(t.TempDir(), "alerts.jsonl")
	// The smallest buffer there is stands a fiftieth of a second.
	sensor := newSensor(t, program, "weir run", "workers: 2\ncapture: {buffer: 2MiB, filter: 'not port 20000'}\nlearn: {duration: 10ms}\nalerts: {file: "+alerts+"}\n")
	got := tap.try(t, sensor, blast{File: load, Packets: packets}) // which checks the sum
	if got.Sent != packets || got.Skipped == 0 {
		t.Errorf("%d packets were sent; %+v", got.Sent, got.heard)
	}
	kinds := slices.Sorted(maps.Values(alertKinds(t, alerts)))
	for kind, want := range map[string]bool{"sensor.values-skipped": true, "sensor.packets-lost": got.Dropped > 0} {
		if slices.Contains(kinds, kind) != want {
			t.Errorf("an alert %s: %v, want %v; %d packets were dropped; there are %s", kind, !want, want, got.Dropped, strings.Join(kinds, ", "))
		}
	}
	if n := tap.received(t); n != "0" {
		t.Errorf("the plant's end received %s packets", n)
	}
	t.Logf("%+v", got.heard)
}
