package main

import (
	"bytes"
	"context"
	"path/filepath"
	"strings"
	"testing"
)

func TestWhatIsInterruptedIsNotCalledDone(t *testing.T) {
	dir := t.TempDir()
	path := func(name string) string { return filepath.Join(dir, name) }
	if _, stderr, status := weir("plant", "write", path("a.pcap"), "-d", "1m", "--labels", path("a.jsonl"), "--attack", "scan.hosts@30s"); status != 0 {
		t.Fatal(stderr)
	}
	interrupted, cancel := context.WithCancel(t.Context())
	cancel()
	for _, args := range [][]string{
		{"decode", path("a.pcap"), "-o", path("out.jsonl")},
		{"replay", path("a.pcap"), "--store", "none"},
		{"learn", path("a.pcap"), "-o", path("plant.json")},
		{"tags", "infer", path("a.pcap"), "-o", path("tags.csv")},
		{"eval", path("a.pcap"), "--learn", "20s", "--labels", path("a.jsonl")},
		{"plant", "write", path("b.pcap"), "-d", "1m"},
		{"plant", "load", "modbus", path("c.pcap"), "--packets", "100000"},
		{"demo", "--store", path("demo.db")},
	} {
		root := newRoot()
		root.SetArgs(args)
		root.SetOut(&bytes.Buffer{})
		root.SetErr(&bytes.Buffer{})
		err := root.ExecuteContext(interrupted)
		if exitStatus(err) != exitPartial || err == nil || !strings.HasPrefix(err.Error(), "interrupted") {
			t.Errorf("weir %s ended with status %d: %v", strings.Join(args[:2], " "), exitStatus(err), err)
		}
	}
}
