package influx

import (
	"context"
	"fmt"
	"math"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/weir-ics/weir/detect"
	"github.com/weir-ics/weir/protocols"
	"github.com/weir-ics/weir/sinks"
	"github.com/weir-ics/weir/sinks/influx/influxtest"
)

var _ sinks.Sink = (*Sink)(nil)

const t0 = int64(1_500_000_000_000_000_000)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func newSink(t testing.TB, opt Options) *Sink {
	t.Helper()
	opt.Wait = true
	s, err := New(opt)
	must(t, err)
	t.Cleanup(func() { _ = s.Close(context.Background()) })
	return s
}

func testSeries(n int) *detect.Series {
	return &detect.Series{Table: &detect.Table{Device: netip.AddrFrom4([4]byte{10, 0, byte(n >> 8), byte(n)}), Proto: protocols.ProtoModbus, Unit: 1,
		Kind: protocols.KindHoldingRegister}, Index: uint32(n), Label: &detect.Label{Name: "Tank, level=\"x\" \\", EngineeringUnit: "m³", Type: "float32 ABCD"}}
}

func testAlert(n int) detect.Alert {
	return detect.Alert{
		Finding: detect.Finding{Kind: &detect.Kind{Name: "function.new"}, Severity: protocols.High, Score: 1.5, Start: t0 + int64(n)*1e9,
			Proto: protocols.ProtoModbus, Client: detect.Party{Endpoint: protocols.Endpoint{IP: netip.MustParseAddr("192.168.1.101")}},
			Server: detect.Party{Endpoint: protocols.Endpoint{IP: netip.MustParseAddr("192.168.1.102")}}, Function: 5, FunctionName: "Write Single Coil",
			Points: []detect.PointRef{{Kind: protocols.KindCoil, First: 3, Last: 3}}, Title: "a \"new\" function,\nwith \\ and = in it",
			Explanation: strings.Repeat("because ", 20), Techniques: []string{"T0855", "T0831"}},
		ID: fmt.Sprintf("a%05d", n), Incident: "i1", Count: 1, End: t0 + int64(n)*1e9 + 1,
	}
}

// feed writes a plausible run and returns how many different alerts, values,
// commands and counters it holds.
func feed(t testing.TB, s *Sink, steps int) sinks.Counts {
	t.Helper()
	var series []*detect.Series
	for i := range 20 {
		series = append(series, testSeries(i))
	}
	var want sinks.Counts
	for step := range steps {
		feedStep(t, s, series, step, &want)
	}
	return want
}

func feedStep(t testing.TB, s *Sink, series []*detect.Series, step int, want *sinks.Counts) {
	t.Helper()
	clock := t0 + int64(step)*1e9
	out := detect.Output{Clock: clock}
	for i, x := range series {
		v := detect.Sample{Series: x, Time: clock + int64(i), Value: float64(step) / 3, Access: protocols.AccessReport, Flags: 1, HasFlags: i%2 == 0, Judged: i%3 == 0, Score: 2, Low: -1, High: 1e300}
		out.Samples = append(out.Samples, v)
		if i == 0 {
			// The same register twice in one packet is one point in InfluxDB.
			v.Value++
			out.Samples = append(out.Samples, v)
		}
	}
	want.Values += uint64(len(series))
	out.Samples = append(out.Samples, detect.Sample{Series: series[0], Time: clock, Value: 7, Access: protocols.AccessWrite, Client: netip.MustParseAddr("10.9.9.9")},
		detect.Sample{Series: series[1], Time: clock + 999, Value: math.NaN(), Access: protocols.AccessReport})
	want.Commands++
	if step%5 == 0 {
		a := testAlert(step)
		b := a
		b.State, b.Severity, b.Count, b.Time = detect.Cleared, protocols.Critical, 9, clock
		out.Alerts = append(out.Alerts, a, b)
		want.Alerts++
	}
	if step%10 == 0 {
		out.Counters = []detect.Counter{{Name: "packets", Value: uint64(step)}, {Name: "modbus.requests", Value: math.MaxUint64}}
		want.Counters += 2
	}
	must(t, s.Write(context.Background(), &out))
}

// found counts what a server has.
func found(srv *influxtest.Server, bucket string) sinks.Counts {
	return sinks.Counts{
		Alerts: srv.Count(bucket, "weir_alert", "title"), Values: srv.Count(bucket, "weir_value", "value"),
		Commands: srv.Count(bucket, "weir_command", "value"), Counters: srv.Count(bucket, "weir_traffic", ""),
	}
}

func same(t testing.TB, what string, want, got sinks.Counts) {
	t.Helper()
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("%s (-want +got):\n%s", what, d)
	}
}

func TestAServerHoldsWhatTheReportSays(t *testing.T) {
	srv := influxtest.Start(t, influxtest.Options{})
	bucket := srv.Bucket("weir")
	s := newSink(t, Options{URL: srv.URL, Bucket: bucket, Sensor: "north plant", BatchSize: 100, Spool: t.TempDir()})
	want := feed(t, s, 200)
	must(t, s.Close(context.Background()))
	r := s.Report()
	same(t, "the report", want, r.Written)
	same(t, "the server", want, found(srv, bucket))
	if r.Merged != 200 || r.Unsayable != 200 || r.Lost != (sinks.Counts{}) || r.Kept != (sinks.Counts{}) {
		t.Errorf("report %+v", r)
	}
	rows := srv.Flux(fmt.Sprintf(`from(bucket: %q) |> range(start: 0) |> filter(fn: (r) => r._measurement == "weir_alert" and r.id == "a00005")
		|> pivot(rowKey: ["_time"], columnKey: ["_field"], valueColumn: "_value")`, bucket))
	if len(rows) != 1 {
		t.Fatalf("alert a00005 is %d points", len(rows))
	}
	for k, v := range map[string]any{"state": "cleared", "severity": "critical", "level": int64(4), "count": int64(9), "title": "a \"new\" function, with \\ and = in it",
		"client": "192.168.1.101", "techniques": "T0855,T0831", "points": "coil 3", "sensor": "north plant", "_time": time.Unix(0, t0+5e9).UTC()} {
		if rows[0][k] != v {
			t.Errorf("%s is %v, want %v", k, rows[0][k], v)
		}
	}
	rows = srv.Flux(fmt.Sprintf(`from(bucket: %q) |> range(start: 0) |> filter(fn: (r) => r._measurement == "weir_value" and r.index == "0") |> last()
		|> pivot(rowKey: ["_time"], columnKey: ["_field"], valueColumn: "_value")`, bucket))
	for k, v := range map[string]any{"value": 199.0/3 + 1, "flags": int64(1), "high": 1e300, "name": "Tank, level=\"x\" /", "eu": "m³", "device": "10.0.0.0", "kind": "holding-register", "unit": "1"} {
		if len(rows) != 1 || rows[0][k] != v {
			t.Errorf("%s of %d rows is %v, want %v", k, len(rows), rows[0][k], v)
		}
	}
}

func TestTheSameRunTwiceIsThereOnce(t *testing.T) {
	srv := influxtest.Start(t, influxtest.Options{})
	bucket := srv.Bucket("weir")
	var want sinks.Counts
	for range 2 {
		s := newSink(t, Options{URL: srv.URL, Bucket: bucket})
		want = feed(t, s, 50)
		must(t, s.Close(context.Background()))
		same(t, "the report", want, s.Report().Written)
	}
	same(t, "the server", want, found(srv, bucket))
}

func TestWithTheServerDownAllIsKeptForTheNextRun(t *testing.T) {
	srv := influxtest.Start(t, influxtest.Options{})
	bucket := srv.Bucket("weir")
	srv.Kill()
	opt := Options{URL: srv.URL, Bucket: bucket, BatchSize: 100, Spool: filepath.Join(t.TempDir(), "spool"), Backoff: time.Millisecond}
	s := newSink(t, opt)
	want := feed(t, s, 100)
	err := s.Close(context.Background())
	if err == nil {
		t.Fatal("nothing was said")
	}
	for _, part := range []string{srv.URL, "connection refused", "check that the server runs", "20 alerts, 2,000 values", opt.Spool, "next run"} {
		if !strings.Contains(err.Error(), part) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%q does not say %q in one line", err, part)
		}
	}
	same(t, "kept", want, s.Report().Kept)
	same(t, "written", sinks.Counts{}, s.Report().Written)

	srv.Resume()
	s = newSink(t, opt)
	must(t, s.Close(context.Background()))
	same(t, "from the earlier run", want, s.Report().Earlier)
	same(t, "kept", sinks.Counts{}, s.Report().Kept)
	same(t, "the server", want, found(srv, bucket))
}

func TestAServerKilledMidwayGetsEverythingOnce(t *testing.T) {
	srv := influxtest.Start(t, influxtest.Options{})
	bucket := srv.Bucket("weir")
	opt := Options{URL: srv.URL, Bucket: bucket, BatchSize: 50, Spool: t.TempDir(), Backoff: time.Millisecond, MaxBackoff: 20 * time.Millisecond, FlushInterval: 5 * time.Millisecond}
	s := newSink(t, opt)
	var series []*detect.Series
	for i := range 20 {
		series = append(series, testSeries(i))
	}
	var want sinks.Counts
	for step := range 300 {
		switch step {
		case 100:
			srv.Kill()
		case 200:
			must(t, s.Flush(context.Background()))
			if s.Report().Kept.Values == 0 {
				t.Error("nothing was kept while the server was down")
			}
			srv.Resume()
		}
		feedStep(t, s, series, step, &want)
	}
	must(t, s.Close(context.Background()))
	same(t, "the report", want, s.Report().Written)
	same(t, "the server", want, found(srv, bucket))
	// The last state of an alert stands, although it was sent in disorder.
	n := 0
	for _, row := range srv.Flux(fmt.Sprintf(`from(bucket: %q) |> range(start: 0) |> filter(fn: (r) => r._measurement == "weir_alert" and r._field == "state")`, bucket)) {
		n++
		if row["_value"] != "cleared" {
			t.Errorf("alert %v is %v", row["id"], row["_value"])
		}
	}
	if n != 60 {
		t.Errorf("%d alerts", n)
	}
}

func TestAWrongTokenOrBucketIsNamedAndNothingIsLost(t *testing.T) {
	srv := influxtest.Start(t, influxtest.Options{Auth: true})
	bucket := srv.Bucket("weir")
	right := Options{URL: srv.URL, Bucket: bucket, Token: srv.Token, BatchSize: 100}
	for _, c := range []struct {
		name   string
		change func(*Options)
		says   string
	}{
		{"no token", func(o *Options) { o.Token = "" }, "check the token"},
		{"wrong token", func(o *Options) { o.Token = "admin:wrong" }, "check the token"},
		{"no such database", func(o *Options) { o.Bucket = "other/autogen" }, "no such bucket"},
		{"no such retention policy", func(o *Options) { o.Bucket = "weir/other" }, "no such bucket"},
	} {
		t.Run(c.name, func(t *testing.T) {
			opt := right
			opt.Spool = t.TempDir()
			c.change(&opt)
			s := newSink(t, opt)
			want := feed(t, s, 20)
			err := s.Close(context.Background())
			if err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("said %v, want %q in it", err, c.says)
			}
			same(t, "kept", want, s.Report().Kept)
			// The setting is mended.
			right := right
			right.Spool = opt.Spool
			s = newSink(t, right)
			must(t, s.Close(context.Background()))
			same(t, "the server", want, found(srv, bucket))
		})
	}
}

func TestPointsTheServerRefusesAreCountedAndTheOthersWritten(t *testing.T) {
	srv := influxtest.Start(t, influxtest.Options{})
	bucket := srv.Bucket("weir")
	// Somebody else wrote a value as text: a conflict for every value of that shard.
	srv.InfluxQL("CREATE DATABASE short WITH DURATION 1d")
	s := newSink(t, Options{URL: srv.URL, Bucket: "short/autogen", Spool: t.TempDir()})
	feed(t, s, 20)
	err := s.Close(context.Background())
	if err == nil || !strings.Contains(err.Error(), "keeps data for ever") {
		t.Errorf("old values in a bucket that keeps a day: %v", err)
	}
	if r := s.Report(); r.Refused.Values != 400 || r.Kept != (sinks.Counts{}) || r.Written.Values != 0 {
		t.Errorf("report %+v", r)
	}

	s = newSink(t, Options{URL: srv.URL, Bucket: bucket, Spool: t.TempDir()})
	x := testSeries(1)
	must(t, s.api.WriteRecord(context.Background(), fmt.Sprintf("weir_value score=\"text\" %d", t0)))
	for i := range 10 {
		must(t, s.Write(context.Background(), &detect.Output{Samples: []detect.Sample{{Series: x, Time: t0 + int64(i), Value: 1, Judged: i == 3, Score: 4}}}))
	}
	err = s.Close(context.Background())
	if err == nil || !strings.Contains(err.Error(), "field type conflict") || !strings.Contains(err.Error(), "1 value refused") {
		t.Errorf("a field of another type: %v", err)
	}
	if r := s.Report(); r.Refused.Values != 1 || r.Written.Values != 9 {
		t.Errorf("report %+v", r)
	}
	if n := srv.Count(bucket, "weir_value", "value"); n != 9 {
		t.Errorf("the server has %d values", n)
	}
}
