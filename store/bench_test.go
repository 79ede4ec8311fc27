package store

import (
	"context"
	"math"
	"os"
	"testing"

	"github.com/weir-ics/weir/detect"
)

// BenchmarkWrite writes values of 2,000 points, polled once a second with some
// jitter, half of which change; it reports values a second, everything
// committed and tidied.
func BenchmarkWrite(b *testing.B) {
	ctx := context.Background()
	path := newPath(b)
	s := openTest(b, path, Options{Wait: true})
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
			out.Samples = append(out.Samples, detect.Sample{Series: x, Time: t0 + int64(step)*1e9 + int64(i*1000+step%7*1000), Value: float64((step*i/2)%4000) * float64(i&1), Judged: i%4 == 0, Score: 1, Low: 2, High: 3})
		}
		out.Clock = t0 + int64(step)*1e9
		n += len(out.Samples)
		if err := s.Write(ctx, &out); err != nil {
			b.Fatal(err)
		}
	}
	must(b, s.Close(ctx))
	b.StopTimer()
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "values/s")
	info, err := os.Stat(path)
	must(b, err)
	b.ReportMetric(float64(info.Size())/float64(n), "octets/value")
	if r := s.Report(); r.Written.Values != uint64(n) {
		b.Fatalf("report %+v", r)
	}
}

// BenchmarkWriteSparse is the worst case for runs of values: 50,000 points, each of
// which is committed with one value at a time, as by a sensor on a large plant.
func BenchmarkWriteSparse(b *testing.B) {
	ctx := context.Background()
	s := openTest(b, newPath(b), Options{Wait: true})
	var out detect.Output
	for i := range 50_000 {
		out.Samples = append(out.Samples, detect.Sample{Series: testSeries(i)})
	}
	b.ResetTimer()
	n := 0
	for step := int64(0); n < b.N; step++ {
		out.Clock = t0 + step*10e9
		for i := range out.Samples {
			out.Samples[i].Time, out.Samples[i].Value = out.Clock+int64(i), float64(step%7)
		}
		n += len(out.Samples)
		must(b, s.Write(ctx, &out))
		must(b, s.Flush(ctx))
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "values/s")
}

// BenchmarkTrend reads a week of a point that is polled once a second.
func BenchmarkTrend(b *testing.B) {
	ctx := context.Background()
	s := openTest(b, newPath(b), Options{Wait: true})
	fill(b, s, testSeries(1), 7*day, 1e9)
	idle(b, s)
	k := onlySeries(b, s)
	for _, c := range []struct {
		name string
		span int64
	}{{"hour", hour}, {"day", day}, {"week", 7 * day}} {
		b.Run(c.name, func(b *testing.B) {
			for b.Loop() {
				got, err := s.Samples(ctx, k.ID, k.Last-c.span, math.MaxInt64, 1000)
				if err != nil || len(got) < 500 {
					b.Fatal(len(got), err)
				}
			}
		})
	}
}
