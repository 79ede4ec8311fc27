package store

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/weir-ics/weir/detect"
)

// victim is run by TestAKilledProcessLosesAtMostWhatItHadNotCommitted in a
// process of its own: it writes without end and prints what is safe.
func victim(path string) {
	ctx := context.Background()
	s, err := Open(path, Options{})
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	x := testSeries(1)
	for i := 0; ; i++ {
		_ = s.Write(ctx, &detect.Output{Clock: t0 + int64(i)*1e9, Alerts: []detect.Alert{testAlert(i)},
			Samples: []detect.Sample{{Series: x, Time: t0 + int64(i)*1e9, Value: float64(i)}}})
		if i%50 == 49 {
			if s.Flush(ctx) == nil {
				fmt.Println(i + 1)
			}
		}
	}
}

func TestMain(m *testing.M) {
	if path := os.Getenv("WEIR_STORE_VICTIM"); path != "" {
		victim(path)
	}
	os.Exit(m.Run())
}

func TestAKilledProcessLosesAtMostWhatItHadNotCommitted(t *testing.T) {
	ctx := context.Background()
	path := newPath(t)
	for round := range 3 {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), "WEIR_STORE_VICTIM="+path)
		out, err := cmd.StdoutPipe()
		must(t, err)
		must(t, cmd.Start())
		lines := bufio.NewScanner(out)
		safe := 0
		for safe < 500+100*round && lines.Scan() {
			if safe, err = strconv.Atoi(lines.Text()); err != nil {
				t.Fatal(lines.Text())
			}
		}
		must(t, cmd.Process.Kill())
		for lines.Scan() {
			// What was printed is safe, even if nobody had read it yet.
			safe, _ = strconv.Atoi(lines.Text())
		}
		_ = cmd.Wait()

		log, said := logged()
		s := openTest(t, path, Options{Log: log})
		if said.Len() > 0 {
			t.Errorf("the store is not sound: %s", said)
		}
		_, alerts, err := s.Alerts(ctx, detect.AlertQuery{Limit: 1})
		must(t, err)
		k := onlySeries(t, s)
		// The victim commits 50 at a time; what was under way may be there too.
		if alerts < safe || alerts > safe+50 && round == 0 {
			t.Errorf("round %d: %d alerts are kept, %d were safe", round, alerts, safe)
		}
		if round == 0 && k.Samples != uint64(alerts) {
			t.Errorf("%d values and %d alerts: a commit is not whole", k.Samples, alerts)
		}
		must(t, s.Close(ctx))
	}
}

// smallDisk is a folder on a disk of its own that holds so many octets.
func smallDisk(t *testing.T, octets int) string {
	dir := t.TempDir()
	if err := unix.Mount("weir-test", dir, "tmpfs", 0, fmt.Sprint("size=", octets)); err != nil {
		t.Skip("skipped: making a small disk needs the right to mount:", err)
	}
	t.Cleanup(func() { _ = unix.Unmount(dir, unix.MNT_DETACH) })
	return dir
}

func TestOnAFullDiskItSaysSoGoesOnAndCatchesUp(t *testing.T) {
	ctx := context.Background()
	dir := smallDisk(t, 4<<20)
	log, said := logged()
	s := openTest(t, filepath.Join(dir, "weir.db"), Options{Log: log, Wait: true})
	must(t, s.Write(ctx, &detect.Output{Alerts: []detect.Alert{testAlert(0)}}))
	must(t, s.Flush(ctx))
	// Somebody else fills the disk.
	ballast := filepath.Join(dir, "ballast")
	f, err := os.Create(ballast)
	must(t, err)
	for {
		if _, err := f.Write(make([]byte, 4096)); err != nil {
			if !errors.Is(err, unix.ENOSPC) {
				t.Fatal(err)
			}
			break
		}
	}
	must(t, f.Close())
	const n = 2000
	for i := 1; i <= n; i++ {
		must(t, s.Write(ctx, &detect.Output{Clock: t0 + int64(i), Alerts: []detect.Alert{testAlert(i)}}))
	}
	if err := s.Flush(ctx); err == nil {
		t.Fatal("2,000 alerts fit on a full disk")
	}
	r := s.Report()
	if !strings.Contains(r.Problem, "disk is full") || !strings.Contains(said.String(), "disk is full") {
		t.Errorf("the report says %q, the log %q", r.Problem, said)
	}
	if r.Waiting.Alerts != n || r.Lost != (Counts{}) {
		t.Errorf("report %+v", r)
	}
	if ok, err := s.Acknowledge(ctx, testAlert(0).ID, detect.Acknowledgement{}); ok || err == nil {
		t.Error("an acknowledgement was taken that is not on the disk")
	}
	if _, total, err := s.Alerts(ctx, detect.AlertQuery{}); total != 1 || err != nil {
		t.Errorf("reading gives %d alerts, %v", total, err)
	}
	must(t, os.Remove(ballast))
	must(t, s.Flush(ctx))
	if r := s.Report(); r.Problem != "" || r.Waiting != (Counts{}) || r.Written.Alerts != n+1 {
		t.Errorf("with room again, report %+v", r)
	}
	if _, total, err := s.Alerts(ctx, detect.AlertQuery{}); total != n+1 || err != nil {
		t.Errorf("%d alerts, %v", total, err)
	}
}

func TestOnADiskThatStaysFullWhatIsLostIsCountedAndSaid(t *testing.T) {
	ctx := context.Background()
	dir := smallDisk(t, 1<<20)
	s, err := Open(filepath.Join(dir, "weir.db"), Options{Wait: true, MaxPending: 1000, CommitInterval: time.Hour})
	must(t, err)
	const n = 500
	x := make([]*detect.Series, n)
	for i := range x {
		x[i] = testSeries(i)
	}
	for i := range n {
		var out detect.Output
		for j := range 20 {
			out.Samples = append(out.Samples, detect.Sample{Series: x[(i*20+j)%n], Time: t0 + int64(i), Value: float64(i * j)})
		}
		for j := range 10 {
			out.Alerts = append(out.Alerts, testAlert(i*10+j))
		}
		must(t, s.Write(ctx, &out))
		if i%100 == 0 {
			_ = s.Flush(ctx)
		}
	}
	err = s.Close(ctx)
	r := s.Report()
	if err == nil || !strings.Contains(err.Error(), "full") || !strings.Contains(err.Error(), "lost") {
		t.Errorf("said %v", err)
	}
	if r.Written.Values+r.Lost.Values != 20*n || r.Written.Alerts+r.Lost.Alerts != 10*n || r.Lost.Values == 0 || r.Waiting != (Counts{}) {
		t.Errorf("report %+v", r)
	}
}
