package store

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"

	"github.com/weir-ics/weir/detect"
	"github.com/weir-ics/weir/protocols"
)

// t0 is an hour's beginning, in packet time.
const t0 = int64(1_700_000_000_000_000_000) / hour * hour

func openTest(t testing.TB, path string, opt Options) *Store {
	t.Helper()
	s, err := Open(path, opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close(context.Background()) })
	return s
}

func newPath(t testing.TB) string { return filepath.Join(t.TempDir(), "weir.db") }

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func testAlert(n int) detect.Alert {
	return detect.Alert{
		Finding: detect.Finding{
			Kind: &detect.Kind{Name: "test.kind"}, Severity: protocols.Severity(n % 5), Score: float64(n) / 3, Key: fmt.Sprint("key", n),
			Start: t0 + int64(n)*1e9, Time: t0 + int64(n)*1e9 + 5, FirstFrame: uint64(n), LastFrame: uint64(n) + 1, Proto: protocols.ProtoModbus,
			Client:   detect.Party{Endpoint: protocols.Endpoint{MAC: [6]byte{1, 2, 3, 4, 5, byte(n)}, VLAN: 7, Port: 40000, IP: netip.AddrFrom4([4]byte{192, 168, 1, byte(n % 7)})}, Name: "HMI", Unit: -1, Address: -1},
			Server:   detect.Party{Endpoint: protocols.Endpoint{Port: 502, IP: netip.AddrFrom4([4]byte{192, 168, 2, byte(n % 3)})}, Name: "PLC", Unit: 3, Address: -1},
			Function: 5, FunctionName: "Write Single Coil", Points: []detect.PointRef{{Kind: protocols.KindCoil, First: 4, Last: 4, Name: "Pump 1 \"run\""}},
			Title: fmt.Sprintf("Alert %d", n), Observed: "o", Expected: "e", Explanation: "Because of <script>.", Techniques: []string{"T0855"}, Rule: "",
		},
		ID: fmt.Sprintf("id%06d", n), Incident: fmt.Sprint("inc", n/10), State: detect.State(n % 3), Count: uint64(n) + 1, End: t0 + int64(n)*1e9 + 7,
	}
}

func testSeries(n int) *detect.Series {
	return &detect.Series{
		Table: &detect.Table{Device: netip.AddrFrom4([4]byte{10, 0, byte(n >> 8), byte(n)}), Proto: protocols.ProtoModbus, Unit: 1, Kind: protocols.KindHoldingRegister},
		Index: uint32(n), Label: &detect.Label{Name: fmt.Sprint("Level ", n), EngineeringUnit: "m", Type: "uint16"},
	}
}

// write gives the store one step of values.
func write(t testing.TB, s *Store, clock int64, samples ...detect.Sample) {
	t.Helper()
	must(t, s.Write(context.Background(), &detect.Output{Clock: clock, Samples: samples}))
}

// onlySeries is the one series there is.
func onlySeries(t testing.TB, s *Store) detect.KeptSeries {
	t.Helper()
	all, n, err := s.Series(context.Background(), detect.SeriesQuery{})
	must(t, err)
	if n != 1 || len(all) != 1 {
		t.Fatalf("%d series, want 1", n)
	}
	return all[0]
}

// logged is a Log that can be read.
func logged() (*slog.Logger, *strings.Builder) {
	b := &strings.Builder{}
	return slog.New(slog.NewTextHandler(b, nil)), b
}

// idle waits until the writer has nothing left to sum up.
func idle(t testing.TB, s *Store) {
	t.Helper()
	for {
		going := false
		must(t, s.Flush(context.Background()))
		// The sweep belongs to the writer: look at it from there.
		must(t, s.inspect(func(w *writer) {
			var n int
			must(t, w.c.QueryRowContext(context.Background(), `SELECT (SELECT count(*) FROM flush WHERE state = 0 AND hour < ?1)
				+ (SELECT count(*) FROM sums WHERE done = 0 AND (tier = 1 AND unit <= ?1 - ?2 OR tier = 2 AND unit <= ?1 - ?3))
				+ (SELECT count(*) FROM flush WHERE state = 2)`, floor(w.clock-lag, hour), day, month).Scan(&n))
			going = w.sweep.going || n > 0 && w.clock != 0
		}))
		if !going {
			return
		}
	}
}

func (s *Store) inspect(f func(*writer)) error {
	return s.ask(context.Background(), ask{do: func(context.Context, sqlConn) error { f(s.write); return nil }})
}
