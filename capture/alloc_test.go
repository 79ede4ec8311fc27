package capture

import (
	"runtime"
	"testing"
)

// TestNoAllocationAPacket runs established traffic, in order and out of it,
// through a worker, and expects no allocation at all.
func TestNoAllocationAPacket(t *testing.T) {
	e := New(Settings{}, []Handler{&nothing{}})
	w := e.lanes[0]
	var list []Packet
	seq := [8]uint32{}
	build := func() {
		list = list[:0]
		for i := range 4000 {
			n := i % 8
			g := seg{from: alice, to: bob, sport: uint16(1000 + n), dport: 502, seq: seq[n], flags: flagACK, data: "twelve bytes"}
			switch i / 8 % 10 {
			case 3: // a segment that comes too early...
				g.seq += 12
			case 4: // ...and the one before it
			case 5:
				seq[n] += 24
				g.seq = seq[n]
				seq[n] += 12
			case 6: // again
				g.seq -= 12
			default:
				seq[n] += 12
			}
			b := tcpFrame(g)
			list = append(list, Packet{Data: b, Wire: uint32(len(b)), Link: LinkEthernet, Time: int64(i), Clock: int64(i)})
		}
	}
	pass := func() {
		for i := range list {
			list[i].route()
			w.packet(&list[i])
		}
	}
	build()
	pass()
	build()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	pass()
	runtime.ReadMemStats(&after)
	if n := after.Mallocs - before.Mallocs; n > 10 {
		t.Errorf("%d allocations for %d packets", n, len(list))
	}
	if w.stats.OutOfOrder == 0 || w.stats.Retransmitted == 0 || w.stats.Gaps != 0 {
		t.Errorf("the traffic is not what it should be: %+v", w.stats)
	}
}

// TestAFloodCostsBoundedMemory opens far more connections, hosts and fragments
// than are allowed.
func TestAFloodCostsBoundedMemory(t *testing.T) {
	set := Settings{MaxConns: 1000, MaxHosts: 1000, MaxDatagrams: 100}
	e := New(set, []Handler{&nothing{}})
	w := e.lanes[0]
	var at [3]runtime.MemStats
	for round := range 3 {
		for i := range 60000 {
			n := round*60000 + i
			from := host{1, "10." + itoa(n>>16&255) + "." + itoa(n>>8&255) + "." + itoa(n&255)}
			b := tcpFrame(seg{from: from, to: bob, sport: 1, dport: 502, seq: 1, flags: flagACK, data: "x"})
			p := Packet{Data: b, Wire: uint32(len(b)), Link: LinkEthernet, Time: int64(n), Clock: int64(n)}
			p.route()
			w.packet(&p)
		}
		runtime.GC()
		runtime.ReadMemStats(&at[round])
	}
	if grown := int64(at[2].HeapAlloc) - int64(at[0].HeapAlloc); grown > 1<<20 {
		t.Errorf("120,000 more senders took %d bytes more", grown)
	}
	if w.stats.ConnsOpen > 1000 || w.stats.ConnsEvicted < 170000 || w.stats.HostsEvicted < 170000 {
		t.Errorf("%+v", w.stats)
	}
}
