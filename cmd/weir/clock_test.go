package main

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// shiftTimes moves the times of packets of a little endian pcap file of nanoseconds by
// seconds: by is asked for each packet, counted from 1.
func shiftTimes(t *testing.T, path string, by func(n int) int64) string {
	t.Helper()
	file, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	le := binary.LittleEndian
	n := 1
	for at := 24; at < len(file); n++ {
		le.PutUint32(file[at:], uint32(int64(le.Uint32(file[at:]))+by(n)))
		at += 16 + int(le.Uint32(file[at+8:]))
	}
	out := filepath.Join(t.TempDir(), "shifted.pcap")
	if err := os.WriteFile(out, file, 0o600); err != nil {
		t.Fatal(err)
	}
	return out
}

// replayAlerts replays a capture with half an hour of learning; whatever the number of
// workers, alerts must be the same.
func replayAlerts(t *testing.T, path string) (alerts []byte, said string) {
	t.Helper()
	for _, workers := range []string{"1", "2"} {
		file := filepath.Join(t.TempDir(), "alerts.jsonl")
		out, stderr, status := weir("replay", path, "--learn", "30m", "--store", "none", "--alerts", file, "--stats", "-w", workers)
		if status != 0 {
			t.Fatal(stderr)
		}
		said = out + stderr
		got, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if alerts != nil && !bytes.Equal(alerts, got) {
			t.Error("alerts depend on the number of workers")
		}
		alerts = got
	}
	return alerts, said
}

const yearOfSeconds = 365 * 24 * 3600

// pollsStop writes a capture in which a device is not polled any more after the learning.
func pollsStop(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "plant.pcap")
	if _, stderr, status := weir("plant", "write", path, "--duration", "50m", "--attack", "poll.stopped@40m"); status != 0 {
		t.Fatal(stderr)
	}
	return path
}

func TestPacketsFarAheadNeitherEndTheLearningNorRaiseAlerts(t *testing.T) {
	clean := pollsStop(t)
	want, _ := replayAlerts(t, clean)
	if !bytes.Contains(want, []byte(`"kind":"timing.poll-stopped"`)) {
		t.Fatal("the attack is not found")
	}
	got, said := replayAlerts(t, shiftTimes(t, clean, func(n int) int64 {
		switch n {
		case 1001:
			return yearOfSeconds
		case 70_001, 70_002: // after the learning, before the attack
			return 3600
		}
		return 0
	}))
	if !bytes.Equal(got, want) {
		t.Errorf("with three packets far ahead there are other alerts:\n%s\nwant\n%s", kindsOf(got), kindsOf(want))
	}
	for _, w := range []string{`(?m)^time\.ahead +3$`, `(?m)^time\.jumped +0$`, `(?m)^time +3 packets are far ahead`, `learned +the first 30\.0 minutes`} {
		if !regexp.MustCompile(w).MatchString(said) {
			t.Errorf("nothing says %s:\n%s", w, said)
		}
	}
}

func TestAClockSetForwardByYearsDoesNotEndTheLearning(t *testing.T) {
	// The first ten minutes are from 1999.
	got, said := replayAlerts(t, shiftTimes(t, pollsStop(t), func(n int) int64 {
		if n <= 20_000 {
			return -27 * yearOfSeconds
		}
		return 0
	}))
	if !bytes.Contains(got, []byte(`"kind":"timing.poll-stopped"`)) {
		t.Errorf("the attack after the learning is not found:\n%s", kindsOf(got))
	}
	for _, w := range []string{`(?m)^time\.jumped +1$`, `(?m)^time +the clock was set forward while packets were captured, by 98\d\d\.\d days`, `learned +the first 30\.0 minutes`, `, 50\.0 minutes of traffic`} {
		if !regexp.MustCompile(w).MatchString(said) {
			t.Errorf("nothing says %s:\n%s", w, said)
		}
	}
}

var kindPattern = regexp.MustCompile(`"kind":"[a-z-]+\.[a-z.-]+"`)

func kindsOf(alerts []byte) string {
	return strings.Join(kindPattern.FindAllString(string(alerts), -1), "\n")
}
