package process

import (
	"math"
	"net/netip"
	"runtime"
	"testing"

	"github.com/weir-ics/weir/detect"
	"github.com/weir-ics/weir/protocols"
)

// site makes n points on n/50 devices that move in groups, and a function that
// feeds one row of all of them.
func site(n int, s Settings) (*Engine, func()) {
	e := NewEngine(s)
	series := make([]*detect.Series, n)
	for i := range series {
		series[i] = &detect.Series{Table: &detect.Table{Device: netip.AddrFrom4([4]byte{10, 0, byte(i / 50 / 256), byte(i / 50)}), Proto: protocols.ProtoModbus,
			Unit: 1, Kind: protocols.KindHoldingRegister}, Index: uint32(i % 50), Label: &detect.Label{Type: "uint16"}}
	}
	row, frame := 0, uint64(0)
	state := uint64(1)
	return e, func() {
		row++
		at := int64(row) * 1e9
		for i, x := range series {
			frame++
			state = state*6364136223846793005 + 1442695040888963407
			noise := float64(state>>11)/(1<<53) - 0.5
			group := i / 50
			v := 1000 + 100*math.Sin(float64(row)/float64(20+group))*float64(1+i%7) + 20*noise
			now := at + int64(i)*1e4
			s := detect.Sample{Series: x, Time: now, Clock: now, Frame: frame, Access: protocols.AccessReport, Value: math.Round(v)}
			e.Observe(&s)
		}
	}
}

// BenchmarkTenThousandPoints is the cost of a second of 10,000 points at 1 Hz,
// all of them related: the time of one operation is the part of a core they take
// (100 ms are 10 %).
func BenchmarkTenThousandPoints(b *testing.B) {
	const n = 10_000
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	e, row := site(n, Settings{})
	for range 300 {
		row()
	}
	e.Watch(301e9)
	row()
	runtime.GC()
	runtime.ReadMemStats(&after)
	b.ReportAllocs()
	for b.Loop() {
		row()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/sample")
	b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/n, "bytes/point")
	b.ReportMetric(100*b.Elapsed().Seconds()/float64(b.N), "%core")
	runtime.KeepAlive(e)
}

// BenchmarkPlainPoints is the memory of a point that never changes.
func BenchmarkPlainPoints(b *testing.B) {
	const n = 200_000
	for b.Loop() {
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		e := NewEngine(Settings{})
		for row := range 20 {
			for i := range n {
				x := &detect.Series{Table: &detect.Table{Device: netip.AddrFrom4([4]byte{10, 1, byte(i >> 16), byte(i >> 8)}), Unit: 1, Kind: protocols.KindCoil}, Index: uint32(i & 255), Label: new(detect.Label)}
				now := int64(row+1) * 1e9
				s := detect.Sample{Series: x, Time: now, Clock: now, Frame: 1, Access: protocols.AccessReport}
				if row > 0 {
					s.Series = e.order.at(i).series
				}
				e.Observe(&s)
			}
		}
		e.Watch(30e9)
		e.Advance(30e9)
		runtime.GC()
		runtime.ReadMemStats(&after)
		b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/n, "bytes/point")
		runtime.KeepAlive(e)
	}
}

// BenchmarkPointsOfTwoPaces is the cost of a second of 4,000 points of which half
// are polled every second and half every five, which the others help to explain.
func BenchmarkPointsOfTwoPaces(b *testing.B) {
	const n = 2_000
	e, fast := site(n, Settings{})
	slow := make([]*detect.Series, n)
	for i := range slow {
		slow[i] = &detect.Series{Table: &detect.Table{Device: netip.AddrFrom4([4]byte{10, 1, byte(i / 50 / 256), byte(i / 50)}), Proto: protocols.ProtoModbus,
			Unit: 1, Kind: protocols.KindHoldingRegister}, Index: uint32(i % 50), Label: &detect.Label{Type: "uint16"}}
	}
	at, frame := int64(0), uint64(1)<<32
	row := func() {
		at++
		fast()
		if at%5 != 0 {
			return
		}
		for i, x := range slow {
			frame++
			// What the fast ones do (see site), with noise of its own.
			v := 500 + 80*math.Sin(float64(at)/float64(20+i/50))*float64(1+i%5) + 20*dither(i, int(at))
			now := at*1e9 + 5e8 + int64(i)*1e4
			s := detect.Sample{Series: x, Time: now, Clock: now, Frame: frame, Access: protocols.AccessReport, Value: math.Round(v)}
			e.Observe(&s)
		}
	}
	for range 1500 {
		row()
	}
	e.Watch(1501e9)
	row()
	guests := 0
	for _, t := range e.tickers {
		for _, r := range t.relations {
			guests += len(r.guests)
		}
	}
	b.ReportAllocs()
	for b.Loop() {
		row()
	}
	b.ReportMetric(100*b.Elapsed().Seconds()/float64(b.N), "%core")
	if guests == 0 {
		b.Error("no point of the faster pace explains any of the slower")
	}
	b.ReportMetric(float64(guests), "guests")
}
