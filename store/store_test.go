package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/weir-ics/weir/detect"
	"github.com/weir-ics/weir/protocols"
)

type sqlConn = *sql.Conn

var same = cmp.Options{cmpopts.EquateComparable(netip.Addr{}), cmpopts.EquateNaNs()}

func TestAlertsComeBackAsTheyWereWritten(t *testing.T) {
	ctx := context.Background()
	path := newPath(t)
	s := openTest(t, path, Options{})
	var want []detect.Alert
	for i := range 50 {
		want = append(want, testAlert(i))
	}
	must(t, s.Write(ctx, &detect.Output{Clock: t0, Alerts: want}))
	must(t, s.Close(ctx))

	s = openTest(t, path, Options{})
	got, total, err := s.Alerts(ctx, detect.AlertQuery{OldestFirst: true})
	must(t, err)
	if total != len(want) || len(got) != len(want) {
		t.Fatalf("%d of %d alerts came back, want %d", len(got), total, len(want))
	}
	for i := range want {
		if d := cmp.Diff(want[i], got[i].Alert, same); d != "" {
			t.Fatalf("alert %d differs:\n%s", i, d)
		}
	}
}

func TestAKindThatTheCatalogueKnowsComesBackWhole(t *testing.T) {
	ctx := context.Background()
	s := openTest(t, newPath(t), Options{})
	a := testAlert(1)
	a.Kind = detect.KindFunctionNew
	a.Score = math.Inf(1)
	must(t, s.Write(ctx, &detect.Output{Alerts: []detect.Alert{a}}))
	must(t, s.Flush(ctx))
	got, ok, err := s.Alert(ctx, a.ID)
	if !ok || err != nil || got.Kind != detect.KindFunctionNew || got.Score != math.MaxFloat64 {
		t.Fatal(ok, err, got.Kind, got.Score)
	}
}

func TestANewStateOfAnAlertReplacesTheOld(t *testing.T) {
	ctx := context.Background()
	s := openTest(t, newPath(t), Options{})
	a := testAlert(1)
	a.State, a.Count = detect.Raised, 1
	must(t, s.Write(ctx, &detect.Output{Alerts: []detect.Alert{a}}))
	must(t, s.Flush(ctx))
	a.State, a.Count = detect.Updated, 2
	b := a
	b.State, b.Count = detect.Cleared, 3
	must(t, s.Write(ctx, &detect.Output{Alerts: []detect.Alert{a, b}}))
	must(t, s.Flush(ctx))
	got, total, err := s.Alerts(ctx, detect.AlertQuery{})
	must(t, err)
	if total != 1 || got[0].State != detect.Cleared || got[0].Count != 3 {
		t.Fatalf("kept %d alerts, the first %v with count %d; want one, cleared, with count 3", total, got[0].State, got[0].Count)
	}
}

func TestAlertsAreSelectedByEveryField(t *testing.T) {
	ctx := context.Background()
	s := openTest(t, newPath(t), Options{})
	var all []detect.Alert
	for i := range 100 {
		a := testAlert(i)
		if i%4 == 0 {
			a.Kind = &detect.Kind{Name: "scan.register"}
		}
		if i == 17 {
			a.Explanation = "The Größe of it"
		}
		all = append(all, a)
	}
	must(t, s.Write(ctx, &detect.Output{Alerts: all}))
	must(t, s.Flush(ctx))
	if ok, err := s.Acknowledge(ctx, all[3].ID, detect.Acknowledgement{Time: 5, By: "Ann", Note: "seen"}); !ok || err != nil {
		t.Fatal(ok, err)
	}
	for _, c := range []struct {
		name string
		q    detect.AlertQuery
		want func(i int, a *detect.Alert) bool
	}{
		{"all", detect.AlertQuery{}, func(int, *detect.Alert) bool { return true }},
		{"severity", detect.AlertQuery{MinSeverity: protocols.High}, func(_ int, a *detect.Alert) bool { return a.Severity >= protocols.High }},
		{"open", detect.AlertQuery{Open: true}, func(_ int, a *detect.Alert) bool { return a.State != detect.Cleared }},
		{"cleared", detect.AlertQuery{Cleared: true}, func(_ int, a *detect.Alert) bool { return a.State == detect.Cleared }},
		{"unacknowledged", detect.AlertQuery{Unacknowledged: true}, func(i int, _ *detect.Alert) bool { return i != 3 }},
		{"kind", detect.AlertQuery{Kind: "scan.register"}, func(i int, _ *detect.Alert) bool { return i%4 == 0 }},
		{"kind's start", detect.AlertQuery{Kind: "scan."}, func(i int, _ *detect.Alert) bool { return i%4 == 0 }},
		{"client", detect.AlertQuery{Host: netip.MustParseAddr("192.168.1.5")}, func(i int, _ *detect.Alert) bool { return i%7 == 5 }},
		{"server", detect.AlertQuery{Host: netip.MustParseAddr("192.168.2.2")}, func(i int, _ *detect.Alert) bool { return i%3 == 2 }},
		{"incident", detect.AlertQuery{Incident: "inc4"}, func(i int, _ *detect.Alert) bool { return i/10 == 4 }},
		{"text in any case", detect.AlertQuery{Text: "GRÖSSE"}, func(i int, _ *detect.Alert) bool { return false }},
		{"text", detect.AlertQuery{Text: "größe OF"}, func(i int, _ *detect.Alert) bool { return i == 17 }},
		{"text with the signs of LIKE", detect.AlertQuery{Text: "%_"}, func(i int, _ *detect.Alert) bool { return false }},
		{"point's name", detect.AlertQuery{Text: "pump 1 \"run\""}, func(i int, _ *detect.Alert) bool { return true }},
		{"time", detect.AlertQuery{From: all[20].End, To: all[30].Start}, func(i int, _ *detect.Alert) bool { return i >= 20 && i <= 30 }},
		{"several", detect.AlertQuery{Open: true, MinSeverity: protocols.Low, Incident: "inc2"},
			func(i int, a *detect.Alert) bool {
				return a.State != detect.Cleared && a.Severity >= protocols.Low && i/10 == 2
			}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var want, got []string
			for i := range all {
				if j := len(all) - 1 - i; c.want(j, &all[j]) {
					want = append(want, all[j].ID)
				}
			}
			rows, total, err := s.Alerts(ctx, c.q)
			must(t, err)
			for _, a := range rows {
				got = append(got, a.ID)
			}
			if d := cmp.Diff(want, got); d != "" || total != len(want) {
				t.Errorf("total %d, want %d:\n%s", total, len(want), d)
			}
			c.q.Limit, c.q.Offset = 3, 2
			rows, total, err = s.Alerts(ctx, c.q)
			must(t, err)
			if n := min(3, max(0, len(want)-2)); len(rows) != n || total != len(want) || n > 0 && rows[0].ID != want[2] {
				t.Errorf("the page of 3 after 2 has %d of %d", len(rows), total)
			}
		})
	}
}

func TestAcknowledgementsStayWithTheirAlert(t *testing.T) {
	ctx := context.Background()
	s := openTest(t, newPath(t), Options{})
	a := testAlert(1)
	a.State = detect.Raised
	must(t, s.Write(ctx, &detect.Output{Alerts: []detect.Alert{a, testAlert(3)}}))
	notes := []detect.Acknowledgement{{Time: 1, By: "Ann", Note: "looking"}, {Time: 2, By: "Ben", Note: "a test; \"fine\""}}
	// An alert that is not committed yet can be acknowledged.
	for _, n := range notes {
		if ok, err := s.Acknowledge(ctx, a.ID, n); !ok || err != nil {
			t.Fatal(ok, err)
		}
	}
	if ok, err := s.Acknowledge(ctx, "nothing", notes[0]); ok || err != nil {
		t.Fatalf("an alert that does not exist was acknowledged: %v, %v", ok, err)
	}
	a.State = detect.Updated
	must(t, s.Write(ctx, &detect.Output{Alerts: []detect.Alert{a}}))
	must(t, s.Flush(ctx))
	got, ok, err := s.Alert(ctx, a.ID)
	must(t, err)
	if d := cmp.Diff(notes, got.Acknowledgements); !ok || d != "" || got.State != detect.Updated {
		t.Fatalf("found %v in state %v:\n%s", ok, got.State, d)
	}
	counts, err := s.AlertCounts(ctx)
	must(t, err)
	want := detect.AlertCounts{}
	want.Total[1], want.Open[1], want.Total[3], want.Open[3], want.Unacknowledged[3] = 1, 1, 1, 1, 1
	if d := cmp.Diff(want, counts); d != "" {
		t.Fatal(d)
	}
}

func TestIncidentsSumUpTheirAlerts(t *testing.T) {
	ctx := context.Background()
	s := openTest(t, newPath(t), Options{})
	var all []detect.Alert
	for i := range 30 {
		all = append(all, testAlert(i))
	}
	must(t, s.Write(ctx, &detect.Output{Alerts: all}))
	must(t, s.Flush(ctx))
	got, total, err := s.Incidents(ctx, 2, 1)
	must(t, err)
	want := []detect.Incident{
		{ID: "inc1", Severity: protocols.Critical, Title: "Alert 14", Start: all[10].Start, End: all[19].End, Alerts: 10, Open: 7},
		{ID: "inc0", Severity: protocols.Critical, Title: "Alert 4", Start: all[0].Start, End: all[9].End, Alerts: 10, Open: 7},
	}
	if d := cmp.Diff(want, got); d != "" || total != 3 {
		t.Fatalf("of %d:\n%s", total, d)
	}
	one, ok, err := s.Incident(ctx, "inc1")
	must(t, err)
	if d := cmp.Diff(want[0], one); !ok || d != "" {
		t.Fatal(ok, d)
	}
	if _, ok, err := s.Incident(ctx, "inc9"); ok || err != nil {
		t.Fatal(ok, err)
	}
}

func TestAssetsAndLinksComeBackInOrderOfAddress(t *testing.T) {
	ctx := context.Background()
	s := openTest(t, newPath(t), Options{})
	asset := func(ip string) detect.Asset {
		return detect.Asset{IP: netip.MustParseAddr(ip), MACs: [][6]byte{{1, 2, 3, 4, 5, 6}}, VLANs: []uint16{0, 7}, Vendor: "V", Roles: []string{"modbus client"}, Units: []uint16{1}, FirstSeen: 3, LastSeen: 4, Messages: 5, Known: true}
	}
	assets := []detect.Asset{asset("fe80::1"), asset("10.0.0.10"), asset("10.0.0.9"), asset("9.255.0.1")}
	link := func(c, sv string, unit uint16) detect.Link {
		return detect.Link{Client: netip.MustParseAddr(c), Server: netip.MustParseAddr(sv), Port: 502, Proto: protocols.ProtoModbus, Unit: unit,
			Functions: []detect.LinkFunction{{Function: 3, Name: "Read", Effect: protocols.Read, Count: 9}}, Messages: 1 << 40, Unseen: 0.25}
	}
	links := []detect.Link{link("10.0.0.9", "10.0.0.2", 2), link("10.0.0.9", "10.0.0.2", 1), link("10.0.0.10", "10.0.0.2", 1)}
	must(t, s.Write(ctx, &detect.Output{Assets: assets, Links: links}))
	assets[1].Name, links[0].Messages = "renamed", 7
	must(t, s.Write(ctx, &detect.Output{Assets: assets[1:2], Links: links[:1]}))
	must(t, s.Flush(ctx))
	gotAssets, err := s.Assets(ctx)
	must(t, err)
	if d := cmp.Diff([]detect.Asset{assets[3], assets[2], assets[1], assets[0]}, gotAssets, same); d != "" {
		t.Error(d)
	}
	gotLinks, err := s.Links(ctx)
	must(t, err)
	if d := cmp.Diff([]detect.Link{links[1], links[0], links[2]}, gotLinks, same); d != "" {
		t.Error(d)
	}
}

func TestValuesComeBackAsTheyWereWritten(t *testing.T) {
	ctx := context.Background()
	r := rand.New(rand.NewPCG(1, 2))
	for round := range 5 {
		s := openTest(t, newPath(t), Options{})
		x := testSeries(round)
		var want []detect.Bucket
		clock := t0
		for range 1 + r.IntN(3000) {
			clock += 1 + r.Int64N(1e6)
			v := detect.Sample{Series: x, Time: clock, Value: float64(r.IntN(100)), Access: protocols.AccessReport}
			b := detect.Bucket{Time: clock, Min: v.Value, Max: v.Value, Mean: v.Value, Last: v.Value, Count: 1}
			if r.IntN(3) == 0 {
				v.Value = r.NormFloat64()
				v.Judged, v.Score, v.Low, v.High = true, 1.5, float64(r.IntN(3)), 4
				b = detect.Bucket{Time: clock, Min: v.Value, Max: v.Value, Mean: v.Value, Last: v.Value, Count: 1, Judged: true, Score: 1.5, Low: v.Low, High: 4}
			}
			want = append(want, b)
			write(t, s, clock, v)
			if r.IntN(1000) == 0 {
				must(t, s.Flush(ctx))
			}
		}
		must(t, s.Flush(ctx))
		k := onlySeries(t, s)
		if d := cmp.Diff(*x, k.Series, same); d != "" {
			t.Fatal(d)
		}
		if k.First != want[0].Time || k.Last != clock || k.Samples != uint64(len(want)) || k.Value != want[len(want)-1].Last {
			t.Fatalf("the series says first %d last %d value %v of %d; want %d, %d, %v of %d", k.First, k.Last, k.Value, k.Samples, want[0].Time, clock, want[len(want)-1].Last, len(want))
		}
		got, err := s.Samples(ctx, k.ID, math.MinInt64, math.MaxInt64, len(want))
		must(t, err)
		if d := cmp.Diff(want, got); d != "" {
			t.Fatal(d)
		}
		// Fewer buckets hold the same values, and both bounds belong to a range.
		part := want[len(want)/4 : len(want)/2+1]
		got, err = s.Samples(ctx, k.ID, part[0].Time, part[len(part)-1].Time, 7)
		must(t, err)
		n, low, high := 0, math.Inf(1), math.Inf(-1)
		for _, b := range got {
			n += b.Count
			low, high = math.Min(low, b.Min), math.Max(high, b.Max)
		}
		wantLow, wantHigh := math.Inf(1), math.Inf(-1)
		for _, b := range part {
			wantLow, wantHigh = math.Min(wantLow, b.Min), math.Max(wantHigh, b.Max)
		}
		if len(got) > 7 || n != len(part) || low != wantLow || high != wantHigh {
			t.Fatalf("%d buckets hold %d values from %v to %v; want at most 7 that hold %d from %v to %v", len(got), n, low, high, len(part), wantLow, wantHigh)
		}
		must(t, s.Close(ctx))
	}
}

func TestCommandsAreKeptApartFromValues(t *testing.T) {
	ctx := context.Background()
	s := openTest(t, newPath(t), Options{})
	x := testSeries(1)
	hmi := netip.MustParseAddr("10.0.0.5")
	write(t, s, t0, detect.Sample{Series: x, Time: t0, Value: 1, Access: protocols.AccessReport},
		detect.Sample{Series: x, Time: t0 + 1, Value: 2, Access: protocols.AccessWrite, Client: hmi},
		detect.Sample{Series: x, Time: t0 + 2, Value: math.NaN(), Access: protocols.AccessOperate, Client: hmi})
	must(t, s.Flush(ctx))
	k := onlySeries(t, s)
	if k.Samples != 1 || k.Value != 1 {
		t.Fatalf("%d values, the last %v", k.Samples, k.Value)
	}
	got, err := s.Commands(ctx, k.ID, t0, t0+2, 0)
	must(t, err)
	if d := cmp.Diff([]Command{{t0 + 1, hmi, "write", 2}, {t0 + 2, hmi, "operate", math.NaN()}}, got, same); d != "" {
		t.Fatal(d)
	}
}

func TestSeriesAreFoundByTextDeviceAndPoint(t *testing.T) {
	ctx := context.Background()
	s := openTest(t, newPath(t), Options{})
	for _, i := range []int{3, 300, 20, 1} {
		write(t, s, t0, detect.Sample{Series: testSeries(i), Time: t0, Value: 1})
	}
	must(t, s.Flush(ctx))
	for _, c := range []struct {
		name string
		q    detect.SeriesQuery
		want []uint32
	}{
		{"all", detect.SeriesQuery{}, []uint32{1, 3, 20, 300}},
		{"name", detect.SeriesQuery{Text: "LEVEL 3"}, []uint32{3, 300}},
		{"kind and index", detect.SeriesQuery{Text: "holding-register 20"}, []uint32{20}},
		{"device", detect.SeriesQuery{Device: netip.MustParseAddr("10.0.0.20")}, []uint32{20}},
		{"points", detect.SeriesQuery{Points: []detect.PointRef{{Kind: protocols.KindHoldingRegister, First: 2, Last: 20}, {Kind: protocols.KindCoil, First: 1, Last: 1}}}, []uint32{3, 20}},
		{"points of a device", detect.SeriesQuery{Points: []detect.PointRef{{Kind: protocols.KindHoldingRegister, First: 2, Last: 20, Device: netip.MustParseAddr("10.0.0.20")}}}, []uint32{20}},
		{"page", detect.SeriesQuery{Limit: 2, Offset: 1}, []uint32{3, 20}},
	} {
		got, _, err := s.Series(ctx, c.q)
		must(t, err)
		var idx []uint32
		for _, k := range got {
			idx = append(idx, k.Index)
			if one, ok, err := s.SeriesByID(ctx, k.ID); !ok || err != nil || !cmp.Equal(one, k, same) {
				t.Errorf("%s: series %s by its ID is %v %v %v", c.name, k.ID, one, ok, err)
			}
		}
		if d := cmp.Diff(c.want, idx); d != "" {
			t.Errorf("%s: %s", c.name, d)
		}
	}
	for _, id := range []string{"", "x", "-1", "99999"} {
		if _, ok, err := s.SeriesByID(ctx, id); ok || err != nil {
			t.Errorf("series %q: %v, %v", id, ok, err)
		}
		if b, err := s.Samples(ctx, id, 0, math.MaxInt64, 5); b != nil || err != nil {
			t.Errorf("samples of series %q: %v, %v", id, b, err)
		}
	}
}

func TestCountersHaveAHistory(t *testing.T) {
	ctx := context.Background()
	s := openTest(t, newPath(t), Options{})
	for i := range int64(10) {
		must(t, s.Write(ctx, &detect.Output{Clock: t0 + i*30e9, Counters: []detect.Counter{{Name: "packets", Value: uint64(i)}, {Name: "bytes", Value: uint64(i * 100)}}}))
	}
	must(t, s.Flush(ctx))
	clock, now, err := s.Counters(ctx)
	must(t, err)
	if d := cmp.Diff([]detect.Counter{{Name: "bytes", Value: 900}, {Name: "packets", Value: 9}}, now); d != "" || clock != t0+270e9 {
		t.Fatal(clock, d)
	}
	must(t, s.Close(ctx))
	s = openTest(t, s.path, Options{})
	h, err := s.CounterHistory(ctx, "packets", t0, t0+300e9, 100)
	must(t, err)
	var got []float64
	for _, b := range h {
		got = append(got, b.Last)
	}
	// One a minute, and the one at the end.
	if d := cmp.Diff([]float64{0, 2, 4, 6, 8, 9}, got); d != "" {
		t.Fatal(d)
	}
	if _, n, err := s.Series(ctx, detect.SeriesQuery{}); n != 0 || err != nil {
		t.Fatalf("counters are among the %d series (%v)", n, err)
	}
}

func TestStatusBaselinesAndRunsAreKept(t *testing.T) {
	ctx := context.Background()
	path := newPath(t)
	s := openTest(t, path, Options{Retention: Retention{MaxBaselines: 2}})
	if st, err := s.Status(ctx); err != nil || st != (detect.Status{Unseen: -1}) {
		t.Fatalf("a new store's status is %+v, %v", st, err)
	}
	st := detect.Status{Mode: detect.Watching, Since: 4, Clock: 9, Unseen: 0.1, Source: "a.pcap", Live: true}
	must(t, s.SetStatus(ctx, st))
	for i := range 3 {
		must(t, s.SaveBaseline(ctx, "site", int64(i), []byte{byte(i)}))
	}
	id, err := s.BeginRun(ctx, Run{Started: 1, Command: "replay", Input: "a.pcap", Version: "v1"})
	must(t, err)
	must(t, s.EndRun(ctx, id, 2, "fine"))
	must(t, s.Close(ctx))
	s = openTest(t, path, Options{})
	if got, err := s.Status(ctx); err != nil || got != st {
		t.Errorf("status %+v, %v", got, err)
	}
	if b, saved, err := s.Baseline(ctx, "site"); err != nil || saved != 2 || string(b) != "\x02" {
		t.Errorf("baseline %v of %d, %v", b, saved, err)
	}
	if b, _, err := s.Baseline(ctx, "other"); err != nil || b != nil {
		t.Errorf("baseline that was never saved: %v, %v", b, err)
	}
	runs, err := s.Runs(ctx, 0)
	must(t, err)
	if d := cmp.Diff([]Run{{ID: id, Started: 1, Ended: 2, Command: "replay", Input: "a.pcap", Version: "v1", Summary: "fine"}}, runs); d != "" {
		t.Error(d)
	}
}

func TestADamagedFileIsSetAsideAndANewOneBegun(t *testing.T) {
	ctx := context.Background()
	for _, c := range []struct {
		name   string
		damage func([]byte)
	}{
		{"header", func(b []byte) { copy(b, "Rubbish of some kind") }},
		{"schema", func(b []byte) {
			for i := 100; i < 4096; i++ {
				b[i] = 0xAA
			}
		}},
		{"zeros", func(b []byte) { clear(b[:4096]) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := newPath(t)
			s := openTest(t, path, Options{})
			must(t, s.Write(ctx, &detect.Output{Alerts: []detect.Alert{testAlert(1)}}))
			must(t, s.Close(ctx))
			b, err := os.ReadFile(path)
			must(t, err)
			c.damage(b)
			must(t, os.WriteFile(path, b, 0o600))
			log, said := logged()
			s = openTest(t, path, Options{Log: log})
			if _, n, err := s.Alerts(ctx, detect.AlertQuery{}); n != 0 || err != nil {
				t.Fatalf("the new store has %d alerts, %v", n, err)
			}
			aside, _ := filepath.Glob(path + ".damaged-*Z")
			if len(aside) != 1 {
				t.Fatalf("set aside: %v", aside)
			}
			if kept, err := os.ReadFile(aside[0]); err != nil || string(kept) != string(b) {
				t.Fatal("what was set aside is not the damaged file")
			}
			if said.Len() == 0 {
				t.Fatal("nobody was told")
			}
		})
	}
}

func TestAFileOfSomethingElseIsLeftAlone(t *testing.T) {
	dir := t.TempDir()
	capture := filepath.Join(dir, "plant.pcap")
	must(t, os.WriteFile(capture, []byte("\xd4\xc3\xb2\xa1\x02\x00\x04\x00 and so on"), 0o600))
	other := filepath.Join(dir, "other.db")
	db, err := sql.Open("sqlite", other)
	must(t, err)
	_, err = db.Exec("CREATE TABLE precious (x); INSERT INTO precious VALUES (1)")
	must(t, err)
	must(t, db.Close())
	for _, path := range []string{capture, other, dir} {
		if s, err := Open(path, Options{}); !errors.Is(err, ErrForeign) {
			t.Errorf("open %s: %v, %v", path, s, err)
		}
	}
	if names, _ := filepath.Glob(filepath.Join(dir, "*damaged*")); names != nil {
		t.Errorf("set aside %v", names)
	}
}

func TestWhoOnlyLooksMakesAndMovesNothing(t *testing.T) {
	path := newPath(t)
	if s, err := Open(path, Options{Existing: true}); !errors.Is(err, os.ErrNotExist) {
		t.Fatalf("open what is not there: %v, %v", s, err)
	}
	must(t, os.WriteFile(path, []byte("This is a text under the name of a store."), 0o600))
	if s, err := Open(path, Options{Existing: true}); err == nil {
		t.Fatalf("a text was opened: %v", s)
	}
	if names, _ := filepath.Glob(filepath.Dir(path) + "/*"); len(names) != 1 {
		t.Fatalf("there are %v", names)
	}
}

func TestAPlaceWhereNoStoreCanBeIsTold(t *testing.T) {
	path := filepath.Join(t.TempDir(), "missing", "weir.db")
	s, err := Open(path, Options{})
	if want := "open store " + path + ": no such file or directory"; err == nil || err.Error() != want {
		t.Fatalf("%v, %v; want %s", s, err, want)
	}
}

func TestAStoreOfANewerWeirIsRefused(t *testing.T) {
	path := newPath(t)
	s := openTest(t, path, Options{})
	must(t, s.Close(context.Background()))
	db, err := sql.Open("sqlite", path)
	must(t, err)
	_, err = db.Exec("PRAGMA user_version = 99")
	must(t, err)
	must(t, db.Close())
	if s, err := Open(path, Options{}); err == nil {
		t.Fatal("opened", s)
	}
}

func TestReadersSeeWholeCommitsWhileItIsWritten(t *testing.T) {
	ctx := context.Background()
	s := openTest(t, newPath(t), Options{CommitInterval: 1})
	done := make(chan struct{})
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			last := 0
			for {
				alerts, total, err := s.Alerts(ctx, detect.AlertQuery{Limit: 100000})
				if err != nil {
					t.Error(err)
					return
				}
				// Steps are written whole: ten alerts each.
				if len(alerts) != total || total%10 != 0 || total < last {
					t.Errorf("saw %d of %d alerts after %d", len(alerts), total, last)
					return
				}
				last = total
				if _, _, err := s.Series(ctx, detect.SeriesQuery{}); err != nil {
					t.Error(err)
					return
				}
				select {
				case <-done:
					return
				default:
				}
			}
		})
	}
	x := testSeries(1)
	for i := range 100 {
		var out detect.Output
		for j := range 10 {
			out.Alerts = append(out.Alerts, testAlert(i*10+j))
		}
		out.Samples = []detect.Sample{{Series: x, Time: t0 + int64(i), Value: 1}}
		must(t, s.Write(ctx, &out))
		if i%10 == 0 {
			must(t, s.Flush(ctx))
		}
	}
	must(t, s.Flush(ctx))
	close(done)
	wg.Wait()
	if r := s.Report(); r.Written.Alerts != 1000 || r.Written.Values != 100 || r.Waiting != (Counts{}) || r.Lost != (Counts{}) {
		t.Fatalf("report %+v", r)
	}
}

func TestAClosedStoreSaysSo(t *testing.T) {
	ctx := context.Background()
	s := openTest(t, newPath(t), Options{})
	must(t, s.Close(ctx))
	must(t, s.Close(ctx))
	if err := s.Write(ctx, &detect.Output{}); err == nil {
		t.Error("wrote to it")
	}
	if err := s.Flush(ctx); err == nil {
		t.Error("flushed it")
	}
	if _, _, err := s.Alerts(ctx, detect.AlertQuery{}); err == nil {
		t.Error("read from it")
	}
}

func TestTheReportNamesTheFileInOneLine(t *testing.T) {
	r := Report{Path: "weir.db", Written: Counts{Alerts: 1, Values: 1234567}}
	if got := fmt.Sprint(r); got != "kept 1 alert update, 1,234,567 values in weir.db" {
		t.Fatal(got)
	}
}
