package detect_test

import (
	"bytes"
	"fmt"
	"runtime"
	"testing"

	"github.com/weir-ics/weir/detect"
	"github.com/weir-ics/weir/protocols"
)

func TestTenThousandLinksAndAMillionAddressesFitTheBudget(t *testing.T) {
	if testing.Short() {
		t.Skip("skipped: makes a large baseline")
	}
	heap := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := heap()
	schedule := detect.LearnOnly()
	shard := detect.NewShard(detect.Defaults(), schedule, nil)
	site := detect.NewSite(detect.Defaults(), schedule, nil, []*detect.Shard{shard})
	clock, frame := start, uint64(0)
	e := protocols.Event{Proto: protocols.ProtoModbus, Role: protocols.RoleRequest, FromClient: true, Src: end("10.255.0.1", 1), Unit: 1, Function: 3,
		Sub: -1, Name: "Read Holding Registers", Effect: protocols.Read, RTT: -1}
	for round := 0; round < 2; round++ {
		for l := 0; l < 10_000; l++ {
			e.Dst = end(fmt.Sprintf("10.%d.%d.%d", l>>16, l>>8&255, l&255), 502)
			// A hundred addresses a link, each in a run of its own, read in ten
			// requests: the most unfriendly way.
			for r := uint32(0); r < 10; r++ {
				e.Ranges = e.Ranges[:0]
				for k := uint32(0); k < 10; k++ {
					e.Ranges = append(e.Ranges, protocols.Range{Kind: protocols.KindHoldingRegister, Access: protocols.AccessRead, First: 20*r + 2*k, Count: 1})
				}
				clock += 1000
				frame++
				e.Clock, e.Time, e.Frame = clock, clock, frame
				shard.Observe(&e)
			}
		}
	}
	site.Step(clock)
	used := heap() - before
	var file bytes.Buffer
	if err := site.Baseline().Save(&file); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d links, %d MiB while learning, %d MiB as a file", shard.Stats().Links, used>>20, file.Len()>>20)
	if used > 256<<20 {
		t.Errorf("%d MiB, the budget for links and points together is 512", used>>20)
	}
	runtime.KeepAlive(shard)
}
