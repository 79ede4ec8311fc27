//go:build unix

package detect_test

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/weir-ics/weir/detect"
	"github.com/weir-ics/weir/protocols"
)

// BenchmarkOpenAlerts is what a finding costs while so many alerts are open, none
// of which is folded: again, of one that is open, and come and go, of one that ends
// or comes back, minutes after another did.
func BenchmarkOpenAlerts(b *testing.B) {
	for _, n := range []int{100, 1000, 10_000} {
		for _, goes := range []bool{false, true} {
			name := "again"
			if goes {
				name = "come and go"
			}
			b.Run(fmt.Sprintf("%d, %s", n, name), func(b *testing.B) {
				settings := detect.Defaults()
				settings.StormCeiling, settings.MaxAlerts = 1<<30, 20_000
				schedule := detect.WatchOnly()
				site := detect.NewSite(settings, schedule, &detect.Baseline{}, []*detect.Shard{detect.NewShard(settings, schedule, &detect.Baseline{})})
				clock, frame := start, uint64(0)
				tell := func(i int, over bool) {
					f := detect.Finding{Kind: detect.KindIINNew, Severity: protocols.Low, Key: fmt.Sprint(i), Start: clock, Time: clock, Clear: over, Function: -1,
						FirstFrame: frame, LastFrame: frame, Server: detect.Party{Endpoint: protocols.Endpoint{IP: netip.AddrFrom4([4]byte{10, 1, byte(i >> 8), byte(i)})}}, Title: "t"}
					frame++
					site.Add(clock, frame, &f)
				}
				for i := range n {
					tell(i, false)
				}
				site.Step(clock)
				b.ReportAllocs()
				b.ResetTimer()
				defer cpuTime(b)()
				for i := range b.N {
					clock += int64(time.Second)
					tell(i%n, goes && i/n%2 == 0)
					if i%64 == 63 {
						site.Step(clock)
					}
				}
			})
		}
	}
}
