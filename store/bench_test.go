package store

import (
	"context"
	"math"
	"math/rand/v2"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/weir-ics/weir/detect"
	"github.com/weir-ics/weir/protocols"
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

// BenchmarkPlant writes what a sensor writes that watches a plant of 5,000 points
// of 50 devices, polled once a second, of which 30 in 100 move and 10 are related
// to others, so that what is expected of them moves too: an hour in each run,
// committed every five seconds. It reports the CPU time of a second of the plant,
// and what a day of it takes of the file and is written to the disk.
func BenchmarkPlant(b *testing.B) {
	ctx := context.Background()
	path := newPath(b)
	s := openTest(b, path, Options{Wait: true, CommitInterval: time.Hour, SampleInterval: time.Hour})
	series := make([]*detect.Series, 5000)
	for i := range series {
		series[i] = testSeries(i)
		series[i].Device = netip.AddrFrom4([4]byte{10, 1, 0, byte(i / 100)})
	}
	r := rand.New(rand.NewPCG(1, 1))
	values := make([]float64, len(series))
	for i := range values {
		values[i] = float64(r.IntN(4000))
	}
	out := detect.Output{Samples: make([]detect.Sample, len(series))}
	cpu, written := usage(b)
	b.ResetTimer()
	seconds := int64(0)
	for b.Loop() {
		for range 3600 {
			seconds++
			out.Clock = t0 + seconds*1e9
			at := int64(0)
			for i, x := range series {
				if i%100 == 0 {
					at = out.Clock + int64(i)*1e5 + r.Int64N(3e6)
				}
				if i%10 < 3 {
					values[i] = math.Max(0, values[i]+math.Round(4*r.NormFloat64()))
				}
				low, high := 0.0, 5000.0
				score := 0.0
				if i%10 == 0 {
					low, high = values[i]-12+r.NormFloat64(), values[i]+12+r.NormFloat64()
					score = r.ExpFloat64()
				}
				out.Samples[i] = detect.Sample{Series: x, Time: at, Frame: uint64(seconds)<<8 + uint64(i/100), Value: values[i], Access: protocols.AccessReport, Judged: true, Score: score, Low: low, High: high}
			}
			must(b, s.Write(ctx, &out))
			if seconds%5 == 0 {
				s.kick <- struct{}{}
				for s.Report().Waiting.Values > 0 {
					time.Sleep(100 * time.Microsecond)
				}
			}
		}
	}
	must(b, s.Close(ctx))
	b.StopTimer()
	cpu2, written2 := usage(b)
	info, err := os.Stat(path)
	must(b, err)
	perDay := 86400 / float64(seconds) / 1e6
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(cpu2-cpu)/float64(seconds)/1e6, "CPU-ms/s")
	b.ReportMetric(float64(info.Size())*perDay, "file-MB/day")
	b.ReportMetric(float64(written2-written)*perDay, "written-MB/day")
}

// usage is the process's CPU time, and the octets it had written to the disk.
func usage(b *testing.B) (time.Duration, int64) {
	b.Helper()
	var u syscall.Rusage
	must(b, syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	var written int64
	data, err := os.ReadFile("/proc/self/io")
	must(b, err)
	for line := range strings.Lines(string(data)) {
		if n, ok := strings.CutPrefix(line, "write_bytes: "); ok {
			written, err = strconv.ParseInt(strings.TrimSpace(n), 10, 64)
			must(b, err)
		}
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()), written
}
