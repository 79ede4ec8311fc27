package store

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/weir-ics/weir/detect"
)

// fill writes one value a period from t0 for as long as span, and returns them.
func fill(t testing.TB, s *Store, x *detect.Series, span, period int64) []detect.Bucket {
	t.Helper()
	var all []detect.Bucket
	r := rand.New(rand.NewPCG(3, 4))
	var out detect.Output
	for at := t0; at < t0+span; at += period {
		v := float64(r.IntN(1000)) / 8
		all = append(all, detect.Bucket{Time: at, Min: v, Max: v, Mean: v, Last: v, Count: 1})
		out.Samples = append(out.Samples, detect.Sample{Series: x, Time: at, Value: v})
		if out.Clock = at; len(out.Samples) == 100 {
			must(t, s.Write(context.Background(), &out))
			out.Samples = out.Samples[:0]
		}
	}
	must(t, s.Write(context.Background(), &out))
	return all
}

// gathered is what a reader should see of values, at n buckets from from to to.
func gathered(all []detect.Bucket, from, to int64, n int) (count int, low, high, sum float64) {
	low, high = math.Inf(1), math.Inf(-1)
	for _, b := range all {
		if b.Time >= from && b.Time <= to {
			count += b.Count
			sum += b.Mean * float64(b.Count)
			low, high = math.Min(low, b.Min), math.Max(high, b.Max)
		}
	}
	return count, low, high, sum
}

// agree compares what two lists of buckets say over a stretch.
func agree(t *testing.T, what string, want, got []detect.Bucket, from, to int64) {
	t.Helper()
	c1, l1, h1, s1 := gathered(want, from, to, 0)
	c2, l2, h2, s2 := gathered(got, from, to, 0)
	if c1 != c2 || l1 != l2 || h1 != h2 || math.Abs(s1-s2) > 1e-6*math.Abs(s1) {
		t.Errorf("%s: %d values from %v to %v with the sum %v; want %d from %v to %v with %v", what, c2, l2, h2, s2, c1, l1, h1, s1)
	}
}

func TestATrendSaysTheSameWhateverItIsReadFrom(t *testing.T) {
	ctx := context.Background()
	s := openTest(t, newPath(t), Options{Wait: true, Retention: Retention{RawAge: 24 * time.Hour, MinuteAge: 5 * 24 * time.Hour}})
	const span = 10 * day
	all := fill(t, s, testSeries(1), span, 20e9)
	idle(t, s)
	k := onlySeries(t, s)
	end := t0 + span
	if k.Samples == 0 || k.Samples > uint64(len(all))/5 {
		t.Errorf("%d raw values of %d are kept for a day of ten", k.Samples, len(all))
	}
	for _, c := range []struct {
		name     string
		from, to int64
		n        int
	}{
		{"all in 100 buckets", math.MinInt64, math.MaxInt64, 100},
		{"all in 30,000 buckets", math.MinInt64, math.MaxInt64, 30000},
		{"the last hour", end - hour, end, 1000},
		{"the last hour in 10 buckets", end - hour, end, 10},
		{"a day of minutes", floor(end-3*day, day), floor(end-3*day, day) + day - 1, 2000},
		{"across raw values and minutes", floor(end-2*day, hour), end, 5000},
		{"a day of hours", floor(t0+day, day), floor(t0+day, day) + day - 1, 2000},
	} {
		got, err := s.Samples(ctx, k.ID, c.from, c.to, c.n)
		must(t, err)
		if len(got) > c.n {
			t.Errorf("%s: %d buckets", c.name, len(got))
		}
		for i := 1; i < len(got); i++ {
			if got[i].Time <= got[i-1].Time {
				t.Fatalf("%s: bucket %d is not after the one before", c.name, i)
			}
		}
		agree(t, c.name, all, got, max(c.from, t0), min(c.to, end))
	}
	r := s.Report()
	if r.Evicted.Values == 0 || r.Evicted.Minutes == 0 || r.Evicted.Hours != 0 {
		t.Errorf("evicted %+v", r.Evicted)
	}
	if r.Written.Values != uint64(len(all)) || r.Lost != (Counts{}) {
		t.Errorf("report %+v", r)
	}
}

func TestTheLastHourIsThereValueByValueAfterItWasTidied(t *testing.T) {
	ctx := context.Background()
	s := openTest(t, newPath(t), Options{Wait: true})
	all := fill(t, s, testSeries(1), 5*hour, 1e9)
	idle(t, s)
	k := onlySeries(t, s)
	got, err := s.Samples(ctx, k.ID, t0, t0+5*hour, len(all))
	must(t, err)
	if d := cmp.Diff(all, got); d != "" {
		t.Fatal(d)
	}
}

func TestValuesThatComeTwiceOrLateAreCountedOnce(t *testing.T) {
	ctx := context.Background()
	path := newPath(t)
	var all []detect.Bucket
	for range 3 {
		// The same capture again, in a new run.
		s := openTest(t, path, Options{Wait: true})
		all = fill(t, s, testSeries(1), 30*hour, 30e9)
		idle(t, s)
		// A value that comes ten hours late.
		write(t, s, t0+30*hour, detect.Sample{Series: testSeries(1), Time: t0 + 20*hour + 5, Value: 5000})
		must(t, s.Flush(ctx))
		must(t, s.Close(ctx))
	}
	s := openTest(t, path, Options{Wait: true})
	write(t, s, t0+32*hour)
	fill(t, s, testSeries(2), 32*hour, hour)
	idle(t, s)
	series, _, err := s.Series(ctx, detect.SeriesQuery{Text: "level 1"})
	must(t, err)
	late := detect.Bucket{Time: t0 + 20*hour + 5, Min: 5000, Max: 5000, Mean: 5000, Count: 1}
	for _, n := range []int{20, 100000} {
		got, err := s.Samples(ctx, series[0].ID, t0, t0+28*hour-1, n)
		must(t, err)
		agree(t, fmt.Sprint("at most ", n), append([]detect.Bucket{late}, all...), got, t0, t0+28*hour-1)
	}
}

func TestTheFileStaysBelowItsBound(t *testing.T) {
	ctx := context.Background()
	path := newPath(t)
	const limit = 4 << 20
	s := openTest(t, path, Options{Wait: true, CommitInterval: time.Millisecond, Retention: Retention{MaxBytes: limit, RawAge: -1, MinuteAge: -1, HourAge: -1}})
	r := rand.New(rand.NewPCG(5, 6))
	series := []*detect.Series{testSeries(1), testSeries(2), testSeries(3)}
	var largest int64
	clock := t0
	for range 300 {
		var out detect.Output
		for range 5000 {
			clock += 1e8 + r.Int64N(1e6)
			out.Samples = append(out.Samples, detect.Sample{Series: series[r.IntN(3)], Time: clock, Value: r.NormFloat64()})
		}
		out.Clock = clock
		must(t, s.Write(ctx, &out))
		if info, err := os.Stat(path); err == nil {
			largest = max(largest, info.Size())
		}
	}
	idle(t, s)
	if largest > limit {
		t.Errorf("the file grew to %d octets, its bound is %d", largest, limit)
	}
	rep := s.Report()
	if rep.Evicted.Values == 0 || rep.Written.Values != 1_500_000 || rep.Lost != (Counts{}) {
		t.Errorf("report %+v", rep)
	}
	// What is newest is there, and the minutes of what went before.
	all, _, err := s.Series(ctx, detect.SeriesQuery{})
	must(t, err)
	got, err := s.Samples(ctx, all[0].ID, clock-minute, clock, 1000)
	must(t, err)
	if len(got) == 0 {
		t.Error("the newest values are gone")
	}
	got, err = s.Samples(ctx, all[0].ID, t0, clock, 1000)
	must(t, err)
	if got[0].Time > t0+6*hour {
		t.Errorf("the trend begins %v after the first value", time.Duration(got[0].Time-t0))
	}
}

func TestEveryTableHasACap(t *testing.T) {
	ctx := context.Background()
	s := openTest(t, newPath(t), Options{Retention: Retention{MaxAlerts: 100, MaxAssets: 20, MaxLinks: 20, MaxCommands: 50, MaxSeries: 5}})
	alert := func(n int, state detect.State) detect.Alert {
		a := testAlert(n)
		a.State = state
		return a
	}
	open := alert(0, detect.Raised)
	must(t, s.Write(ctx, &detect.Output{Alerts: []detect.Alert{open}}))
	must(t, s.Flush(ctx))
	_, err := s.Acknowledge(ctx, testAlert(0).ID, detect.Acknowledgement{By: "Ann"})
	must(t, err)
	for i := 1; i < 500; i++ {
		must(t, s.Write(ctx, &detect.Output{Alerts: []detect.Alert{alert(i, detect.Cleared)}}))
		if i%50 == 0 {
			must(t, s.Flush(ctx))
		}
	}
	var out detect.Output
	for i := range 100 {
		x := testSeries(i)
		out.Assets = append(out.Assets, detect.Asset{IP: x.Device, LastSeen: int64(i), Known: i < 5})
		out.Links = append(out.Links, detect.Link{Client: x.Device, Server: x.Device, LastSeen: int64(i), Known: i < 5})
		out.Samples = append(out.Samples, detect.Sample{Series: x, Time: t0, Value: 1})
		out.Samples = append(out.Samples, detect.Sample{Series: out.Samples[0].Series, Time: t0 + int64(i), Value: 1, Access: 3})
	}
	must(t, s.Write(ctx, &out))
	must(t, s.Flush(ctx))
	_, alerts, err := s.Alerts(ctx, detect.AlertQuery{})
	must(t, err)
	if _, ok, _ := s.Alert(ctx, open.ID); !ok {
		t.Error("the open alert went before the cleared ones")
	}
	assets, err := s.Assets(ctx)
	must(t, err)
	known := 0
	for _, a := range assets {
		if a.Known {
			known++
		}
	}
	links, err := s.Links(ctx)
	must(t, err)
	_, series, err := s.Series(ctx, detect.SeriesQuery{})
	must(t, err)
	r := s.Report()
	if alerts > 100 || alerts+int(r.Evicted.Alerts) != 500 {
		t.Errorf("%d alerts, %d evicted", alerts, r.Evicted.Alerts)
	}
	if len(assets) > 20 || known != 5 || len(assets)+int(r.Evicted.Assets) != 100 {
		t.Errorf("%d assets (%d known), %d evicted", len(assets), known, r.Evicted.Assets)
	}
	if len(links) > 20 || len(links)+int(r.Evicted.Links) != 100 {
		t.Errorf("%d links, %d evicted", len(links), r.Evicted.Links)
	}
	if series != 5 || r.Lost.Values != 95 || r.Written.Values != 5 {
		t.Errorf("%d series, report %+v", series, r)
	}
	if n := r.Written.Commands - r.Evicted.Commands; n > 50 || n == 0 {
		t.Errorf("%d commands of %d", n, r.Written.Commands)
	}
}
