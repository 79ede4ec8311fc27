package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/weir-ics/weir/detect"
	"github.com/weir-ics/weir/plant"
	"github.com/weir-ics/weir/plant/wire"
	"github.com/weir-ics/weir/protocols"
	"github.com/weir-ics/weir/store"
)

// TestASensorWhoseInterfaceGoesDownSaysSoAndBlamesNobody pulls the cable, so to speak:
// once at the sensor's end, and once at the plant's, where only the carrier goes.
func TestASensorWhoseInterfaceGoesDownSaysSoAndBlamesNobody(t *testing.T) {
	if testing.Short() {
		t.Skip("skipped with -short: takes as long as the traffic, half a minute")
	}
	tap := newTap(t)
	program := buildWeir(t)
	dir := t.TempDir()
	path := func(name string) string { return filepath.Join(dir, name) }
	for _, args := range [][]string{
		{"plant", "write", path("quiet.pcap"), "--duration", "40m"},
		{"plant", "write", path("now.pcap"), "--duration", "28s", "--start", "2026-03-02T06:40:00Z"},
		{"learn", path("quiet.pcap"), "-o", path("plant.json")},
	} {
		if _, stderr, status := weir(args...); status != 0 {
			t.Fatalf("weir %v: %s", args, stderr)
		}
	}
	config := fmt.Sprintf("capture: {interfaces: [tap1]}\nlearn: {baseline: %s}\nstore: {path: %s}\nalerts: {file: %s}\nconsole: {listen: ''}\nlog: {format: json}\n",
		path("plant.json"), path("weir.db"), path("alerts.jsonl"))
	if err := os.WriteFile(path("weir.yaml"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	sensor, log := tap.start(t, `"msg":"listening"`, program, "run", "-c", path("weir.yaml"))
	link := func(namespace, name, state string) {
		t.Helper()
		if out, err := exec.Command("ip", "-n", namespace, "link", "set", name, state).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	replay := exec.Command("ip", "netns", "exec", tap.plant, "tcpreplay", "-q", "-i", "tap0", path("now.pcap"))
	if err := replay.Start(); err != nil {
		t.Fatal(err)
	}
	time.Sleep(5 * time.Second)
	link(tap.sensor, "tap1", "down")
	time.Sleep(9 * time.Second) // polls of each second are overdue after four
	s, err := store.Open(path("weir.db"), store.Options{Kind: kindNamed, Existing: true})
	if err != nil {
		t.Fatal(err)
	}
	st, err := s.Status(t.Context())
	if err != nil || st.Down != "tap1" {
		t.Errorf("the status is %+v, %v", st, err)
	}
	if err := s.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	link(tap.sensor, "tap1", "up")
	if err := replay.Wait(); err != nil {
		t.Errorf("tcpreplay: %v", err)
	}
	link(tap.plant, "tap0", "down") // before polls are overdue
	time.Sleep(6 * time.Second)
	said := stop(t, sensor, log)
	for _, words := range []string{`"the sensor hears nothing on an interface`, `"all interfaces are up again"`} {
		if !strings.Contains(said, words) {
			t.Errorf("the log does not say %s", words)
		}
	}
	if n := strings.Count(said, `"down":"tap1"`); n != 2 {
		t.Errorf("the log says %d times that the interface is down", n)
	}
	downs := 0
	for id, kind := range alertKinds(t, path("alerts.jsonl")) {
		switch {
		case kind == detect.KindInterfaceDown.Name:
			downs++
		case strings.HasPrefix(kind, "timing.") || kind == detect.KindDeviceSilent.Name || strings.HasPrefix(kind, "command."):
			t.Errorf("alert %s of kind %s blames the plant", id, kind)
		}
	}
	if downs == 0 {
		t.Error("there is no alert that the interface is down")
	}
	if t.Failed() {
		t.Log(said)
	}
}

// noise is a capture of who asks for an address, and nobody controls anything.
func noise(t *testing.T, path string) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	w, err := wire.NewPcapWriter(f)
	if err != nil {
		t.Fatal(err)
	}
	frame := append([]byte("\xff\xff\xff\xff\xff\xff\x02\x00\x00\x00\x00\x01\x08\x06\x00\x01\x08\x00\x06\x04\x00\x01\x02\x00\x00\x00\x00\x01\x0a\x00\x00\x01"+
		"\x00\x00\x00\x00\x00\x00\x0a\x00\x00\x02"), make([]byte, 18)...)
	for i := range int64(4) {
		if err := w.Write(i*1e9, frame); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
}

func TestASensorLearnsFromWhenThereIsSomethingToLearn(t *testing.T) {
	tap := newTap(t)
	program := buildWeir(t)
	dir := t.TempDir()
	path := func(name string) string { return filepath.Join(dir, name) }
	noise(t, path("noise.pcap"))
	load := loadFile(t, plant.Load{Kind: "modbus", Packets: 40_000})
	if err := os.WriteFile(path("weir.yaml"), []byte("store: {path: ''}\nconsole: {listen: ''}\nlog: {format: json}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	run := func(control bool, more ...string) string {
		t.Helper()
		cmd, said := tap.start(t, `"msg":"listening"`, append([]string{program, "run", "-c", path("weir.yaml"), "-i", "tap1", "--learn", "2s"}, more...)...)
		if out, err := exec.Command("ip", "netns", "exec", tap.plant, "tcpreplay", "-q", "-i", "tap0", path("noise.pcap")).CombinedOutput(); err != nil {
			t.Fatalf("tcpreplay: %v: %s", err, out)
		}
		if control {
			tap.send(t, blast{File: load, Packets: 3 * stallRate, Rate: stallRate})
		}
		time.Sleep(300 * time.Millisecond)
		return stop(t, cmd, said)
	}
	keep := []string{"--baseline", path("plant.json")}
	if log := run(false, keep...); strings.Contains(log, "learning has ended") {
		t.Errorf("there was nothing to learn:\n%s", log)
	}
	for _, name := range []string{path("plant.json"), partFile(path("plant.json"))} {
		if _, err := os.Stat(name); err == nil {
			t.Errorf("nothing was learned, and is kept in %s", name)
		}
	}
	if log := run(true, keep...); !strings.Contains(log, "learning has ended") {
		t.Errorf("three seconds of Modbus do not end two of learning:\n%s", log)
	}
	b, err := readBaseline(path("plant.json"))
	if err != nil {
		t.Fatal(err)
	}
	if len(b.Links) < 100 || b.Links[0].Proto != protocols.ProtoModbus.String() || time.Duration(b.Until-b.From) < 1500*time.Millisecond {
		t.Errorf("%d links were learned, for %s", len(b.Links), time.Duration(b.Until-b.From))
	}
	log := run(true) // with no place to keep it in
	for _, words := range []string{"with no baseline file (--baseline FILE", "what was learned is in memory only", "what was learned is lost now"} {
		if !strings.Contains(log, words) {
			t.Errorf("the log does not say %q:\n%s", words, log)
		}
	}
	b.Links = nil
	if err := saveBaseline(path("plant.json"), b); err != nil {
		t.Fatal(err)
	}
	if log := run(false, keep...); !strings.Contains(log, "this baseline knows no link") {
		t.Errorf("a baseline of nothing is taken without a word:\n%s", log)
	}
}
