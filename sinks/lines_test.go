package sinks_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/weir-ics/weir/detect"
	"github.com/weir-ics/weir/sinks"
	"github.com/weir-ics/weir/sinks/jsonl"
)

var _ sinks.Sink = (*sinks.Lines)(nil)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func alert(n int, state detect.State) detect.Alert {
	return detect.Alert{Finding: detect.Finding{Kind: &detect.Kind{Name: "function.new"}, Start: int64(n / 2), Title: "a title", Function: -1}, ID: fmt.Sprintf("id%03d", n), State: state, Count: uint64(state) + 1}
}

func write(t testing.TB, s sinks.Sink, alerts ...detect.Alert) {
	t.Helper()
	must(t, s.Write(context.Background(), &detect.Output{Alerts: alerts}))
}

// states reads "id state" of every line of a file.
func states(t *testing.T, path string) []string {
	t.Helper()
	data, err := os.ReadFile(path)
	must(t, err)
	var out []string
	for _, line := range strings.Split(strings.TrimSuffix(string(data), "\n"), "\n") {
		var a struct{ ID, State string }
		if err := json.Unmarshal([]byte(line), &a); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		out = append(out, a.ID+" "+a.State)
	}
	return out
}

func TestAListHoldsTheLastStateOfEachAlertInOrder(t *testing.T) {
	path := filepath.Join(t.TempDir(), "alerts.jsonl")
	must(t, os.WriteFile(path, []byte("of the run before\n"), 0o600))
	var contents []string
	for round := range 2 {
		l, err := jsonl.Create(path, sinks.LinesOptions{List: true})
		must(t, err)
		// The order in which they come does not matter.
		for _, i := range rand.New(rand.NewPCG(uint64(round), 1)).Perm(100) {
			write(t, l, alert(i, detect.Raised))
			if i%2 == 0 {
				write(t, l, alert(i, detect.Updated), alert(i, detect.Cleared))
			}
		}
		if data, _ := os.ReadFile(path); round == 0 && string(data) != "of the run before\n" {
			t.Error("the file was touched before the list was whole")
		}
		must(t, l.Close(context.Background()))
		must(t, l.Close(context.Background()))
		if r := l.Report(); r.Written.Alerts != 100 || r.String() != "wrote 100 alerts to "+path {
			t.Error(r)
		}
		data, err := os.ReadFile(path)
		must(t, err)
		contents = append(contents, string(data))
	}
	if contents[0] != contents[1] {
		t.Error("two runs gave different files")
	}
	for i, got := range states(t, path) {
		want := fmt.Sprintf("id%03d %s", i, []string{"cleared", "raised"}[i%2])
		if got != want {
			t.Fatalf("line %d is of %s, want %s", i+1, got, want)
		}
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(path), ".*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestALogHasEveryStateAndIsAppendedTo(t *testing.T) {
	path := filepath.Join(t.TempDir(), "alerts.jsonl")
	for range 2 {
		l, err := jsonl.Create(path, sinks.LinesOptions{})
		must(t, err)
		write(t, l, alert(1, detect.Raised))
		if n := len(states(t, path)); n%2 != 1 {
			t.Errorf("a state was not written at once: %d lines", n)
		}
		write(t, l, alert(1, detect.Cleared))
		must(t, l.Close(context.Background()))
	}
	if got := strings.Join(states(t, path), ", "); got != "id001 raised, id001 cleared, id001 raised, id001 cleared" {
		t.Error(got)
	}
}

func TestALineThatAPowerCutLeftUnfinishedIsEnded(t *testing.T) {
	path := filepath.Join(t.TempDir(), "alerts.jsonl")
	must(t, os.WriteFile(path, []byte("{\"id\":\"whole\"}\n{\"id\":\"ha"), 0o600))
	l, err := jsonl.Create(path, sinks.LinesOptions{})
	must(t, err)
	write(t, l, alert(1, detect.Raised))
	must(t, l.Close(context.Background()))
	data, err := os.ReadFile(path)
	must(t, err)
	lines := strings.Split(string(data), "\n")
	if len(lines) != 4 || lines[1] != `{"id":"ha` || !json.Valid([]byte(lines[2])) {
		t.Errorf("%q", data)
	}
}

func TestAListIsBounded(t *testing.T) {
	var b bytes.Buffer
	l := jsonl.New(&b, "memory", sinks.LinesOptions{List: true, Limit: 10})
	for i := range 30 {
		write(t, l, alert(i, detect.Raised))
	}
	write(t, l, alert(3, detect.Cleared))
	err := l.Close(context.Background())
	if err == nil || !strings.Contains(err.Error(), "20 alerts lost") || !strings.Contains(err.Error(), "more than 10 alerts") {
		t.Errorf("said %v", err)
	}
	if r := l.Report(); r.Written.Alerts != 10 || r.Lost.Alerts != 20 || bytes.Count(b.Bytes(), []byte("\n")) != 10 {
		t.Errorf("report %+v", r)
	}
}

func TestALargeLogIsTurnedAndTheOldestDeleted(t *testing.T) {
	path := filepath.Join(t.TempDir(), "alerts.jsonl")
	for round := range 2 {
		l, err := jsonl.Create(path, sinks.LinesOptions{MaxBytes: 2000, Keep: 2})
		must(t, err)
		for i := range 50 {
			write(t, l, alert(round*50+i, detect.Raised))
		}
		must(t, l.Close(context.Background()))
	}
	last := ""
	files, err := filepath.Glob(path + "*")
	must(t, err)
	if got := strings.Join(files, " "); got != path+" "+path+".1 "+path+".2" {
		t.Fatal(got)
	}
	for _, p := range []string{path + ".2", path + ".1", path} {
		if info, err := os.Stat(p); err != nil || info.Size() > 2000 {
			t.Errorf("%s: %d octets, %v", p, info.Size(), err)
		}
		for _, s := range states(t, p) {
			if s <= last {
				t.Errorf("%s is after %s", s, last)
			}
			last = s
		}
	}
	if last != "id099 raised" {
		t.Errorf("the last line is of %s", last)
	}
}

// moody is a writer that fails now and then, in the middle of a line.
type moody struct {
	bytes.Buffer
	fail bool
}

func (m *moody) Write(p []byte) (int, error) {
	if m.fail {
		n, _ := m.Buffer.Write(p[:len(p)/2])
		return n, errors.New("no space left on device")
	}
	return m.Buffer.Write(p)
}

func TestALogThatCannotBeWrittenGoesOnAndCounts(t *testing.T) {
	var m moody
	var said bytes.Buffer
	l := jsonl.New(&m, "alerts", sinks.LinesOptions{Log: slog.New(slog.NewTextHandler(&said, nil))})
	write(t, l, alert(1, detect.Raised))
	m.fail = true
	for range 3 {
		write(t, l, alert(2, detect.Raised), alert(3, detect.Raised), alert(5, detect.Raised))
	}
	if r := l.Report(); r.Written.Alerts != 4 || r.Lost.Alerts != 6 || !strings.Contains(r.Problem, "no space left") {
		t.Errorf("report %+v", r)
	}
	m.fail = false
	write(t, l, alert(4, detect.Raised))
	if r := l.Report(); r.Written.Alerts != 5 || r.Lost.Alerts != 6 || r.Problem != "" {
		t.Errorf("report %+v", r)
	}
	if s := said.String(); strings.Count(s, "\n") != 2 || strings.Count(s, "are lost") != 1 || !strings.Contains(s, "can be written again\" file=alerts lost=6") {
		t.Errorf("it logged %s", s)
	}
	lines := strings.Split(strings.TrimSuffix(m.String(), "\n"), "\n")
	if !json.Valid([]byte(lines[0])) || !json.Valid([]byte(lines[len(lines)-1])) {
		t.Errorf("%q", lines)
	}
	if err := l.Close(context.Background()); err == nil {
		t.Error("nothing was said")
	}
}

func TestAPlaceThatCannotBeWrittenToIsKnownAtOnce(t *testing.T) {
	dir := t.TempDir()
	for _, path := range []string{dir, filepath.Join(dir, "missing", "alerts.jsonl")} {
		for _, list := range []bool{true, false} {
			if _, err := jsonl.Create(path, sinks.LinesOptions{List: list}); err == nil {
				t.Errorf("%s (list %v) was taken", path, list)
			}
		}
	}
	// A device is written to, not replaced.
	l, err := jsonl.Create(os.DevNull, sinks.LinesOptions{List: true})
	must(t, err)
	write(t, l, alert(1, detect.Raised))
	must(t, l.Close(context.Background()))
	if info, err := os.Stat(os.DevNull); err != nil || info.Mode().IsRegular() {
		t.Fatal("the device is gone")
	}
}

func TestAReportIsOneLine(t *testing.T) {
	r := sinks.Report{Sink: "InfluxDB http://h", Written: sinks.Counts{Alerts: 12, Values: 84211, Counters: 240}}
	if got := r.String(); got != "wrote 12 alerts, 84,211 values, 240 counters to InfluxDB http://h" {
		t.Error(got)
	}
	r = sinks.Report{Sink: "x", Kept: sinks.Counts{Values: 1}, Refused: sinks.Counts{Alerts: 2}, Lost: sinks.Counts{Commands: 3}, Earlier: sinks.Counts{Values: 4}, Merged: 5, Unsayable: 1}
	if got := r.String(); got != "wrote nothing to x; 4 values that an earlier run had kept; 1 value kept for later; 2 alerts refused; 3 commands lost; 5 values on the same point and time as another; 1 value not a number" {
		t.Error(got)
	}
	n := 0
	r.Each("influx", func(c detect.Counter) {
		n++
		if !strings.HasPrefix(c.Name, "influx.") {
			t.Error(c.Name)
		}
	})
	if n != 22 {
		t.Errorf("%d counters", n)
	}
}
