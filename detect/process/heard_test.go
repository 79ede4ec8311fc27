package process

import (
	"math/rand/v2"
	"net/netip"
	"testing"
	"unsafe"

	"github.com/weir-ics/weir/detect"
	"github.com/weir-ics/weir/protocols"
)

func TestAPointIsOneLineOfTheCache(t *testing.T) {
	if unsafe.Sizeof(uintptr(0)) != 8 {
		t.Skip("for processors of 64 bits")
	}
	if n := unsafe.Sizeof(point{}); n != 64 {
		t.Errorf("a point takes %d octets, want 64", n)
	}
	if n := unsafe.Sizeof(detect.Series{}); n > 24 {
		t.Errorf("a series takes %d octets, want 24", n)
	}
	if n := unsafe.Sizeof(seat{}); n > 4 {
		t.Errorf("a seat takes %d octets, want 4", n)
	}
}

// Points of a block share what was heard of them. However they are reported, together,
// by themselves, in two ways, or by two clients, and whatever is let go of in between,
// it must be what a list of the last reports says.
func TestWhenAPointWasLastSeenIsKnownHoweverItIsReported(t *testing.T) {
	table := &detect.Table{Device: netip.MustParseAddr("10.0.0.1"), Proto: protocols.ProtoDNP3, Unit: 1, Kind: protocols.KindAnalogInput}
	type last struct {
		at     int64
		frame  uint64
		client netip.Addr
	}
	for seed := range uint64(40) {
		random := rand.New(rand.NewPCG(seed, 5))
		e := NewEngine(Settings{})
		const points = 12
		clients := []netip.Addr{netip.MustParseAddr("10.0.0.8"), netip.MustParseAddr("10.0.0.9")}
		series := make([][]*detect.Series, len(clients))
		var spans []*detect.Span
		var of []int // whose span it is
		for c := range clients {
			for i := range points {
				series[c] = append(series[c], &detect.Series{Table: table, Label: new(detect.Label), Index: uint32(i)})
			}
			// The second client reads the last points only.
			for _, part := range [][2]int{{0, 5}, {5, 8}, {3, 8}, {8, points}}[3*c:] {
				spans, of = append(spans, &detect.Span{Series: series[c][part[0]:part[1]]}), append(of, c)
			}
		}
		known := make(map[uint32]last)
		now, frame := int64(1e18), uint64(0)
		value := func() float64 { return float64(random.IntN(9)) }
		var first [points]bool // whether the first client reported it, and the second
		var second [points]bool
		single := func(c, i int) {
			s := series[c][i]
			e.Read(&detect.Reading{Time: now, Clock: now, Frame: frame, Client: clients[c], Values: 1},
				[]detect.Value{{Series: s, Value: value(), Access: protocols.AccessReport}})
			known[s.Index] = last{now, frame, clients[c]}
			if c == 0 {
				first[i] = true
			} else {
				second[i] = true
			}
		}
		for range 300 {
			now += int64(1e9)
			frame++
			switch k := random.IntN(20); {
			case k < 12:
				n := random.IntN(len(spans))
				s, c := spans[n], of[n]
				r := &detect.Reading{Time: now, Clock: now, Frame: frame, Client: clients[c], Span: s}
				var values []detect.Value
				for place, x := range s.Series {
					said := &first
					if c == 1 {
						said = &second
					}
					if !said[x.Index] || random.IntN(4) == 0 {
						values = append(values, detect.Value{Series: x, Value: value(), Place: int32(place), Access: protocols.AccessReport})
						said[x.Index] = true
					}
					known[x.Index] = last{now, frame, clients[c]}
				}
				r.Values = len(values)
				e.Read(r, values)
			case k < 17:
				single(0, random.IntN(points))
			case k < 18:
				single(1, 8+random.IntN(points-8))
			case k < 19:
				if e.watching {
					e.Pause()
					e.Resume(now)
				}
			default:
				if frame > 200 {
					e.Watch(now)
				}
			}
			for _, p := range e.each() {
				want := known[p.series.Index]
				if at, frame := p.lastSeen(); at != want.at || frame != want.frame || p.from.client != want.client {
					t.Fatalf("seed %d: point %d was last seen at %d in frame %d by %v, want %+v", seed, p.series.Index, at, frame, p.from.client, want)
				}
			}
		}
		unwritten(t, e)
	}
}

func TestASeriesFindsItsPointInAnyEngine(t *testing.T) {
	table := &detect.Table{Device: netip.MustParseAddr("10.0.0.1"), Unit: 1, Kind: protocols.KindCoil}
	series := make([]*detect.Series, 700)
	for i := range series {
		series[i] = &detect.Series{Table: table, Label: new(detect.Label), Index: uint32(i)}
	}
	for round := range 3 {
		// In each engine the points appear in another order, and so have other numbers.
		e := NewEngine(Settings{MaxPoints: len(series) - 1})
		for k := range series {
			s := series[(k*[]int{1, 3, 9}[round]+round)%len(series)]
			p := e.point(s)
			if k == len(series)-1 {
				if p != nil {
					t.Error("a point beyond the cap was made")
				}
				continue
			}
			if p == nil || p.series != s || e.point(s) != p || e.known(s) != p || e.points.get(keyOf(s)) != p {
				t.Fatalf("engine %d: series %d has the point %p of %v", round, s.Index, p, p.series)
			}
		}
	}
}
