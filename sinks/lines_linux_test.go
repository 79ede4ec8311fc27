package sinks_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/weir-ics/weir/detect"
	"github.com/weir-ics/weir/sinks"
	"github.com/weir-ics/weir/sinks/jsonl"
)

func TestAFullDiskLeavesNoHalfLineInALog(t *testing.T) {
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=64k"); err != nil {
		t.Skip("a small disk cannot be made: ", err)
	}
	defer func() { must(t, unix.Unmount(dir, 0)) }()
	path, filler := filepath.Join(dir, "alerts.jsonl"), filepath.Join(dir, "filler")
	must(t, os.WriteFile(filler, bytes.Repeat([]byte{1}, 48<<10), 0o600))
	l, err := jsonl.Create(path, sinks.LinesOptions{})
	must(t, err)
	const n = 400 // more than 16 KiB
	for i := range n {
		write(t, l, alert(i, detect.Raised), alert(i, detect.Cleared))
	}
	lost := l.Report().Lost.Alerts
	must(t, os.Remove(filler))
	write(t, l, alert(n, detect.Raised))
	if r := l.Report(); lost == 0 || r.Lost.Alerts != lost || r.Problem != "" {
		t.Errorf("%d were lost, and then the report was %+v", lost, r)
	}
	if err := l.Close(context.Background()); err == nil {
		t.Error("nothing was said at the end")
	}
	all := states(t, path) // each line is whole
	if last := all[len(all)-1]; last != "id400 raised" || uint64(len(all)) != l.Report().Written.Alerts || slices.Contains(all, "") {
		t.Errorf("%d lines, the last of %s; the report is %+v", len(all), last, l.Report())
	}
}
