package store

import (
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/weir-ics/weir/detect"
)

// oldStore makes a store of schema version 1 with a value a second of a series,
// summed up for all but the last hour, as that version did it.
func oldStore(t *testing.T, path string, x *detect.Series, span int64, rolled any) []detect.Bucket {
	t.Helper()
	db, err := sql.Open("sqlite", dsn(path, "auto_vacuum(2)", "journal_mode(WAL)"))
	must(t, err)
	exec := func(q string, args ...any) {
		t.Helper()
		_, err := db.Exec(q, args...)
		must(t, err)
	}
	exec(migrations[0])
	exec(fmt.Sprintf("PRAGMA application_id = %d", applicationID))
	exec("PRAGMA user_version = 1")
	exec("INSERT INTO series VALUES (70, ?, 0, ?, ?, 'modbus', 1, 'holding-register', 1, 'uint16', 'Level 1', 'm', 'level 1', ?, NULL)",
		"value/"+seriesKey(x), seriesSort(x), x.Device.String(), rolled)
	r := rand.New(rand.NewPCG(5, 6))
	var all []detect.Bucket
	var values []sample
	var minutes []sum
	for at := t0; at < t0+span; at += 1e9 {
		v := sample{time: at, value: float64(r.IntN(50)), judged: true, score: 0.5, low: 10, high: 20}
		values = append(values, v)
		all = append(all, detect.Bucket{Time: at, Min: v.value, Max: v.value, Mean: v.value, Last: v.value, Count: 1, Judged: true, Score: 0.5, Low: 10, High: 20})
		if until, ok := rolled.(int64); ok && at < until {
			var one sum
			one.add(&v)
			minutes = gatherSum(minutes, &one, minute)
		}
	}
	put := func(tier int) func(start, end int64, count int, data []byte) error {
		return func(start, end int64, count int, data []byte) error {
			exec("INSERT INTO chunk (series, tier, start, end, count, data) VALUES (70, ?, ?, ?, ?, ?)", tier, start, end, count, data)
			return nil
		}
	}
	must(t, encodeSamples(values, put(tierRaw)))
	if len(minutes) > 0 {
		must(t, put(tierMinute)(minutes[0].time, minutes[len(minutes)-1].time, len(minutes), encodeSums(minutes)))
	}
	must(t, db.Close())
	return all
}

func TestAStoreOfBeforeIsReadOnAndWrittenOn(t *testing.T) {
	ctx := context.Background()
	x := testSeries(1)
	const span = 5 * hour
	for _, rolled := range []any{nil, t0 + 4*hour} {
		path := newPath(t)
		all := oldStore(t, path, x, span, rolled)
		s := openTest(t, path, Options{Wait: true})
		check := func(when string) {
			t.Helper()
			k := onlySeries(t, s)
			if k.ID != "70" || k.First != t0 || k.Last != all[len(all)-1].Time || k.Samples != uint64(len(all)) || k.Value != all[len(all)-1].Last {
				t.Errorf("%s: the series is %+v; %d values were written", when, k, len(all))
			}
			got, err := s.Samples(ctx, k.ID, t0, k.Last, len(all))
			must(t, err)
			if d := cmp.Diff(all, got); d != "" {
				t.Errorf("%s: %s", when, d)
			}
			for _, n := range []int{3, 50, 1000} {
				got, err := s.Samples(ctx, k.ID, t0, k.Last, n)
				must(t, err)
				agree(t, fmt.Sprint(when, ": at most ", n), all, got, t0, k.Last)
			}
		}
		check("opened")
		for i := range int64(30) {
			at := t0 + span + i*hour/5
			write(t, s, at, detect.Sample{Series: testSeries(1), Time: at, Value: 7})
			all = append(all, detect.Bucket{Time: at, Min: 7, Max: 7, Mean: 7, Last: 7, Count: 1})
		}
		idle(t, s)
		check("written on")
		must(t, s.Close(ctx))
		s = openTest(t, path, Options{Existing: true})
		check("opened again")
		must(t, s.Close(ctx))
	}
}
