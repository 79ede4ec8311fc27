package influx

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/weir-ics/weir/detect"
	"github.com/weir-ics/weir/protocols"
	"github.com/weir-ics/weir/sinks"
)

// fake is a server that answers as it is told and keeps what it took.
type fake struct {
	*httptest.Server
	mu     sync.Mutex
	answer func(n int, body string) (status int, said string)
	n      int
	lines  []string
}

func newFake(t testing.TB, answer func(n int, body string) (int, string)) *fake {
	f := &fake{answer: answer}
	f.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		z, err := gzip.NewReader(r.Body)
		if err != nil {
			t.Error(err)
			return
		}
		body, err := io.ReadAll(z)
		if err != nil {
			t.Error(err)
		}
		f.mu.Lock()
		defer f.mu.Unlock()
		f.n++
		status, said := http.StatusNoContent, ""
		if f.answer != nil {
			status, said = f.answer(f.n, string(body))
		}
		if status == http.StatusNoContent {
			f.lines = append(f.lines, strings.Split(strings.TrimSuffix(string(body), "\n"), "\n")...)
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		if said != "" {
			fmt.Fprintf(w, `{"code":"x","message":%q}`, said)
		}
	}))
	t.Cleanup(f.Close)
	return f
}

func writeValues(t testing.TB, s *Sink, x *detect.Series, from, to int) {
	t.Helper()
	for i := from; i < to; i++ {
		must(t, s.Write(context.Background(), &detect.Output{Samples: []detect.Sample{{Series: x, Time: t0 + int64(i), Value: float64(i)}}}))
	}
}

func TestATemporaryErrorIsTriedAgainAndNothingIsSaid(t *testing.T) {
	f := newFake(t, func(n int, _ string) (int, string) {
		if n <= 2 {
			return http.StatusServiceUnavailable, "busy"
		}
		return http.StatusNoContent, ""
	})
	s := newSink(t, Options{URL: f.URL, Bucket: "b", Backoff: time.Millisecond})
	writeValues(t, s, testSeries(1), 0, 10)
	must(t, s.Close(context.Background()))
	if r := s.Report(); r.Written.Values != 10 || len(f.lines) != 10 {
		t.Fatalf("report %+v, the server has %d lines", r, len(f.lines))
	}
}

func TestLinesThatTheServerCannotTakeAreFoundAndTheOthersWritten(t *testing.T) {
	for _, status := range []int{http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusUnprocessableEntity} {
		f := newFake(t, func(_ int, body string) (int, string) {
			if strings.Contains(body, "value=7 ") {
				return status, "I do not like sevens"
			}
			return http.StatusNoContent, ""
		})
		s := newSink(t, Options{URL: f.URL, Bucket: "b"})
		writeValues(t, s, testSeries(1), 0, 100)
		err := s.Close(context.Background())
		if err == nil || !strings.Contains(err.Error(), "sevens") || !strings.Contains(err.Error(), "1 value refused") {
			t.Errorf("status %d: said %v", status, err)
		}
		if r := s.Report(); r.Written.Values != 99 || r.Refused.Values != 1 || len(f.lines) != 99 || f.n > 20 {
			t.Errorf("status %d: report %+v, the server has %d lines after %d requests", status, r, len(f.lines), f.n)
		}
	}
}

func TestAFullSpoolDropsTheOldestAndCountsIt(t *testing.T) {
	up := false
	f := newFake(t, func(int, string) (int, string) {
		if up {
			return http.StatusNoContent, ""
		}
		return http.StatusInternalServerError, "down"
	})
	s := newSink(t, Options{URL: f.URL, Bucket: "b", Spool: t.TempDir(), SpoolBytes: 20_000, BatchSize: 100, Attempts: 1, Backoff: time.Hour, MaxBackoff: time.Hour})
	x := testSeries(1)
	const n = 10_000
	writeValues(t, s, x, 0, n)
	must(t, s.Flush(context.Background()))
	r := s.Report()
	if r.Kept.Values == 0 || r.Lost.Values == 0 || r.Kept.Values+r.Lost.Values != n {
		t.Fatalf("report %+v", r)
	}
	var size int64
	files, _ := filepath.Glob(filepath.Join(s.opt.Spool, "*"+spoolEnd))
	for _, name := range files {
		info, err := os.Stat(name)
		must(t, err)
		size += info.Size()
	}
	if size > 20_000 || len(files) == 0 {
		t.Errorf("the spool holds %d octets in %d files", size, len(files))
	}
	f.mu.Lock()
	up = true
	f.mu.Unlock()
	err := s.Close(context.Background())
	if err == nil || !strings.Contains(err.Error(), "lost") {
		t.Errorf("said %v", err)
	}
	r2 := s.Report()
	if r2.Written.Values != r.Kept.Values || r2.Kept != (sinks.Counts{}) || uint64(len(f.lines)) != r.Kept.Values {
		t.Errorf("report %+v, the server has %d lines", r2, len(f.lines))
	}
	if last := f.lines[len(f.lines)-1]; !strings.HasSuffix(last, fmt.Sprint(" ", t0+n-1)) {
		t.Errorf("the newest value is not the last: %s", last)
	}
}

func TestWithoutASpoolWhatCannotBeSentIsCountedAsLost(t *testing.T) {
	f := newFake(t, func(int, string) (int, string) { return http.StatusInternalServerError, "down" })
	s := newSink(t, Options{URL: f.URL, Bucket: "b", Backoff: time.Millisecond})
	writeValues(t, s, testSeries(1), 0, 10)
	if err := s.Close(context.Background()); err == nil || !strings.Contains(err.Error(), "10 values lost") {
		t.Errorf("said %v", err)
	}
}

func TestASensorNeverWaitsForAServerThatHangs(t *testing.T) {
	release := make(chan struct{})
	f := newFake(t, func(int, string) (int, string) { <-release; return http.StatusNoContent, "" })
	s, err := New(Options{URL: f.URL, Bucket: "b", BatchSize: 10, Queue: 4, Spool: t.TempDir()})
	must(t, err)
	// Far more than the queue holds; if Write waited, this would never end.
	writeValues(t, s, testSeries(1), 0, 1000)
	if r := s.Report(); r.Lost.Values == 0 {
		t.Errorf("report %+v", r)
	}
	close(release)
	err = s.Close(context.Background())
	if r := s.Report(); err == nil || r.Written.Values+r.Lost.Values != 1000 {
		t.Errorf("said %v, report %+v", err, r)
	}
}

func TestASinkThatIsPatientLosesNothingOfWhatComesAtOnce(t *testing.T) {
	f := newFake(t, func(int, string) (int, string) { time.Sleep(time.Millisecond); return http.StatusNoContent, "" })
	s, err := New(Options{URL: f.URL, Bucket: "b", BatchSize: 10, Queue: 4})
	must(t, err)
	s.Patient(true)
	writeValues(t, s, testSeries(1), 0, 1000)
	if r := s.Report(); r.Lost.Values != 0 {
		t.Errorf("report while it is patient %+v", r)
	}
	s.Patient(false)
	writeValues(t, s, testSeries(1), 1000, 2000)
	if r := s.Report(); r.Lost.Values == 0 {
		t.Errorf("report when it no longer is %+v", r)
	}
	must(t, ignoreLost(s.Close(context.Background())))
}

// ignoreLost is no error if err only says that something was lost.
func ignoreLost(err error) error {
	if err != nil && strings.Contains(err.Error(), "lost") {
		return nil
	}
	return err
}

func TestCloseKeepsWhatItHasNoTimeToSend(t *testing.T) {
	release := make(chan struct{})
	f := newFake(t, func(int, string) (int, string) { <-release; return http.StatusNoContent, "" })
	defer close(release)
	s, err := New(Options{URL: f.URL, Bucket: "b", BatchSize: 10, Spool: t.TempDir()})
	must(t, err)
	writeValues(t, s, testSeries(1), 0, 100)
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	err = s.Close(ctx)
	if r := s.Report(); err == nil || r.Kept.Values != 100 {
		t.Errorf("said %v, report %+v", err, r)
	}
}

func TestOneSpoolHasOneOwner(t *testing.T) {
	f := newFake(t, nil)
	opt := Options{URL: f.URL, Bucket: "b", Spool: t.TempDir()}
	a := newSink(t, opt)
	if _, err := New(opt); !errors.Is(err, errInUse) {
		t.Errorf("a second one: %v", err)
	}
	must(t, a.Close(context.Background()))
	must(t, newSink(t, opt).Close(context.Background()))
}

func TestWhatARunThatWasCutOffLeftInTheSpoolIsSorted(t *testing.T) {
	dir := t.TempDir()
	s, err := openSpool(dir, 1<<20)
	must(t, err)
	must(t, s.put(&batch{kind: values, count: 3, body: []byte("weir_value value=1 1\n")}, nil))
	must(t, s.put(&batch{kind: alerts, count: 1, body: []byte("weir_alert count=1i 1\n")}, nil))
	s.close()
	must(t, os.WriteFile(filepath.Join(dir, "tmp-0000000000000003-values-9"+spoolEnd), []byte("half"), 0o600))
	must(t, os.WriteFile(filepath.Join(dir, "0000000000000000-values-7"+spoolEnd), []byte("not gzip"), 0o600))
	must(t, os.WriteFile(filepath.Join(dir, "README"), []byte("somebody's notes"), 0o600))

	f := newFake(t, nil)
	sink := newSink(t, Options{URL: f.URL, Bucket: "b", Spool: dir})
	if k := sink.Report().Kept; k != (sinks.Counts{Values: 10, Alerts: 1}) {
		t.Errorf("found %+v", k)
	}
	err = sink.Close(context.Background())
	if err == nil || !strings.Contains(err.Error(), "7 values lost") {
		t.Errorf("a damaged file: %v", err)
	}
	if r := sink.Report(); r.Earlier != (sinks.Counts{Values: 3, Alerts: 1}) || r.Kept != (sinks.Counts{}) {
		t.Errorf("report %+v", r)
	}
	var names []string
	entries, _ := os.ReadDir(dir)
	for _, e := range entries {
		names = append(names, e.Name())
	}
	if got := strings.Join(names, " "); got != "README lock" {
		t.Errorf("the folder holds %s", got)
	}
}

func TestSettingsThatCannotWorkAreRefusedAtOnce(t *testing.T) {
	for _, o := range []Options{{}, {URL: "localhost:8086", Bucket: "b"}, {URL: "http://", Bucket: "b"}, {URL: "http://a b", Bucket: "b"}, {URL: "http://127.0.0.1:1"}} {
		if s, err := New(o); err == nil {
			_ = s.Close(context.Background())
			t.Errorf("%+v was taken", o)
		}
	}
}

func TestHostileNamesStayInTheirPlace(t *testing.T) {
	x := testSeries(1)
	x.Name = "a,b=c d\n\\,value=9 \x00\xff" + strings.Repeat("é", 5000)
	a := testAlert(1)
	a.Title, a.Rule = "x\"\n,y=\"1", "r\\"
	line := string(seriesPrefix("weir_value", "s\n", x, "", ""))
	if strings.ContainsAny(line, "\n\x00") || strings.Count(strings.ReplaceAll(line, `\ `, ""), " ") != 1 {
		t.Errorf("%q", line)
	}
	alert := string(appendAlert(nil, alertPrefix("", &a), 5, &a))
	if strings.Count(alert, "\n") != 1 || !strings.Contains(alert, `title="x\" ,y=\"1"`) || !strings.Contains(alert, ",rule=r/,") {
		t.Errorf("%q", alert)
	}
}

func TestAValueIsCountedOnceATime(t *testing.T) {
	st := seriesState{newest: math.MinInt64}
	var got []bool
	for _, at := range []int64{5, 6, 6, 4, 5, 4, 7, 6, 100, 101, 102, 4} {
		got = append(got, st.seen(at))
	}
	// The last 4 is too far back to be remembered.
	if want := "[false false true false true true false true false false false false]"; fmt.Sprint(got) != want {
		t.Errorf("%v, want %s", got, want)
	}
}

// BenchmarkWrite encodes, compresses and sends values of 2,000 points to a
// server that throws them away.
func BenchmarkWrite(b *testing.B) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.WriteHeader(http.StatusNoContent)
	}))
	defer srv.Close()
	s := newSink(b, Options{URL: srv.URL, Bucket: "b"})
	series := make([]*detect.Series, 2000)
	for i := range series {
		series[i] = testSeries(i)
	}
	var out detect.Output
	b.ReportAllocs()
	b.ResetTimer()
	n := 0
	for step := 0; n < b.N; step++ {
		out.Samples = out.Samples[:0]
		for i, x := range series {
			out.Samples = append(out.Samples, detect.Sample{Series: x, Time: t0 + int64(step)*1e9 + int64(i), Value: float64(step*i%4000) / 8, Access: protocols.AccessReport})
		}
		n += len(out.Samples)
		must(b, s.Write(context.Background(), &out))
	}
	must(b, s.Close(context.Background()))
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "values/s")
	if r := s.Report(); r.Written.Values != uint64(n) {
		b.Fatalf("report %+v", r)
	}
}
