//go:build unix

package detect_test

import (
	"fmt"
	"net/netip"
	"syscall"
	"testing"
	"time"

	"github.com/weir-ics/weir/detect"
	"github.com/weir-ics/weir/protocols"
)

// BenchmarkSteadyState is a learned network of many links, each polled with
// five requests in a round: what detection costs an event when nothing happens.
func BenchmarkSteadyState(b *testing.B) {
	for _, links := range []int{10, 1000, 10_000} {
		b.Run(fmt.Sprintf("%d links", links), func(b *testing.B) {
			schedule := detect.LearnFor(20 * time.Second)
			schedule.Begin(start)
			shard := detect.NewShard(detect.Defaults(), schedule, nil)
			site := detect.NewSite(detect.Defaults(), schedule, nil, []*detect.Shard{shard})
			var events []protocols.Event
			for l := 0; l < links; l++ {
				client, server := end("10.0.0.10", 40000), end(fmt.Sprintf("10.%d.%d.%d", 1+l>>16, l>>8&255, l&255), 502)
				for r := uint32(0); r < 5; r++ {
					q := protocols.Event{Proto: protocols.ProtoModbus, Transport: protocols.TCP, Role: protocols.RoleRequest, FromClient: true, Src: client,
						Dst: server, Unit: 1, Function: 3, Sub: -1, Name: "Read Holding Registers", Effect: protocols.Read, RTT: -1, Ranges: registers(100*r, 50)}
					a := protocols.Event{Proto: protocols.ProtoModbus, Transport: protocols.TCP, Role: protocols.RoleResponse, Src: server, Dst: client,
						Unit: 1, Function: 3, Sub: -1, Name: "Read Holding Registers", Effect: protocols.Read, RTT: 4e6, RequestFrame: 1,
						Ranges: []protocols.Range{{Kind: protocols.KindHoldingRegister, Access: protocols.AccessReport, First: 100 * r, Count: 50}}}
					events = append(events, q, a)
				}
			}
			clock, frame := start, uint64(0)
			step := int64(time.Second) / int64(len(events))
			round := func(n int) {
				for i := 0; i < n; i++ {
					e := &events[frame%uint64(len(events))]
					clock += step
					frame++
					e.Time, e.Clock, e.Frame = clock, clock, frame
					shard.Observe(e)
				}
			}
			// Learn twenty rounds of a second, then settle.
			for i := 0; i < 30; i++ {
				round(len(events))
				site.Step(clock)
			}
			if n := site.Stats().Raised; n != 0 {
				b.Fatalf("%d alerts in a steady state", n)
			}
			b.ReportAllocs()
			b.ResetTimer()
			defer cpuTime(b)()
			for left := b.N; left > 0; left -= 8192 {
				round(min(left, 8192))
				shard.Advance(clock)
			}
		})
	}
}

// BenchmarkStrangers is a flood of requests by unknown hosts, shard and site.
func BenchmarkStrangers(b *testing.B) {
	schedule := detect.WatchOnly()
	shard := detect.NewShard(detect.Defaults(), schedule, &detect.Baseline{})
	site := detect.NewSite(detect.Defaults(), schedule, &detect.Baseline{}, []*detect.Shard{shard})
	e := protocols.Event{Proto: protocols.ProtoModbus, Role: protocols.RoleRequest, FromClient: true, Dst: end("10.0.0.10", 502), Unit: 1, Function: 3,
		Name: "Read Holding Registers", Effect: protocols.Read, RTT: -1, Ranges: registers(0, 50)}
	b.ReportAllocs()
	defer cpuTime(b)()
	for i := 0; i < b.N; i++ {
		e.Src = end("10.9.9.9", 1)
		v := e.Src.IP.As4()
		v[1], v[2], v[3] = byte(i>>16), byte(i>>8), byte(i)
		e.Src.IP = addrFrom4(v)
		e.Clock, e.Time, e.Frame = start+int64(i)*1000, start+int64(i)*1000, uint64(i+1)
		seen := protocols.Event{Proto: protocols.ProtoNetwork, Function: protocols.HostSeen, Src: e.Src, Clock: e.Clock, Time: e.Time, Frame: e.Frame}
		shard.Observe(&seen)
		shard.Observe(&e)
		if i%8192 == 8191 {
			site.Step(e.Clock)
		}
	}
}

// cpuTime reports what the process used of the processor, which says more than
// the clock where others use the machine too.
func cpuTime(b *testing.B) func() {
	used := func() int64 {
		var u syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
			b.Fatal(err)
		}
		return u.Utime.Nano() + u.Stime.Nano()
	}
	before := used()
	return func() { b.ReportMetric(float64(used()-before)/float64(b.N), "cpu-ns/op") }
}

func addrFrom4(b [4]byte) netip.Addr { return netip.AddrFrom4(b) }
