package detect_test

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/weir-ics/weir/detect"
	"github.com/weir-ics/weir/protocols"
)

// strangers is a site that learned nothing, and the requests of unknown clients.
type strangers struct {
	shard *detect.Shard
	site  *detect.Site
	event protocols.Event
	clock int64
	frame uint64
}

func newStrangers(settings detect.Settings) *strangers {
	schedule := detect.WatchOnly()
	s := &strangers{shard: detect.NewShard(settings, schedule, &detect.Baseline{}), clock: start}
	s.site = detect.NewSite(settings, schedule, &detect.Baseline{}, []*detect.Shard{s.shard})
	return s
}

func unknown(i int) protocols.Endpoint {
	return protocols.Endpoint{IP: addrFrom4([4]byte{10, 9, byte(i >> 8), byte(i)}), Port: 40000}
}

// ask sends a request for a register, and returns its frame.
func (s *strangers) ask(client, server protocols.Endpoint, register int) uint64 {
	e := s.next()
	e.Role, e.FromClient = protocols.RoleRequest, true
	e.Src, e.Dst = client, server
	e.Ranges = append(e.Ranges, protocols.Range{Kind: protocols.KindHoldingRegister, Access: protocols.AccessRead, First: uint32(register), Count: 1})
	s.shard.Observe(e)
	return e.Frame
}

func (s *strangers) answer(client, server protocols.Endpoint, request uint64, exception uint8) {
	e := s.next()
	e.Role = protocols.RoleResponse
	if e.Exception = exception; exception != 0 {
		e.Role = protocols.RoleException
	}
	e.Src, e.Dst = server, client
	e.RequestFrame, e.RTT = request, 1
	s.shard.Observe(e)
}

func (s *strangers) next() *protocols.Event {
	s.clock += int64(time.Microsecond)
	s.frame++
	e := &s.event
	e.Reset()
	e.Proto, e.Unit, e.Function, e.Name, e.Effect = protocols.ProtoModbus, 1, 3, "Read Holding Registers", protocols.Read
	e.Clock, e.Time, e.Frame = s.clock, s.clock, s.frame
	return e
}

func TestEachUnknownLinkIsToldInItsOwnWordsHoweverManyWaitForAnAnswer(t *testing.T) {
	settings := detect.Defaults()
	// So few that the memory of one is used for the next again and again.
	settings.MaxHeld, settings.MaxStrangers = 8, 5
	settings.StormCeiling, settings.FloodHosts = 1000, 1000
	s := newStrangers(settings)
	const n = 60
	told := map[string]detect.Alert{}
	take := func(out *detect.Output) {
		for _, a := range out.Alerts {
			told[a.Key] = a
		}
	}
	for i := range n {
		request := s.ask(unknown(i), end(plcA, 502), i)
		switch i % 3 {
		case 1:
			s.answer(unknown(i), end(plcA, 502), request, 0)
		case 2:
			s.answer(unknown(i), end(plcA, 502), request, 2)
		}
		if i%7 == 6 {
			take(s.site.Step(s.clock))
		}
	}
	take(s.site.Step(s.clock))
	take(s.site.Finish(s.clock))
	for i := range n {
		client := unknown(i).IP.String()
		a, ok := told[client]
		if !ok {
			t.Errorf("%s is not told of", client)
			continue
		}
		title := fmt.Sprintf("%s sent Read Holding Registers (function 3) to %s (unit 1), holding register %d", client, plcA, i)
		end := [...]string{" No answer was seen.", " The device answered.", " The device refused: "}[i%3]
		if a.Title != title || !strings.HasPrefix(a.Observed, title+"."+end) {
			t.Errorf("title %q, observed %q; want %q and then %q", a.Title, a.Observed, title, end)
		}
		want := a.Observed + " " + client + " was never seen in the learning. Nothing was learned before, so everything is new."
		if a.Explanation != want {
			t.Errorf("explained by %q, want %q", a.Explanation, want)
		}
		points := []detect.PointRef{{Kind: protocols.KindHoldingRegister, First: uint32(i), Last: uint32(i)}}
		if diff := cmp.Diff(points, a.Points, cmpopts.EquateComparable(netip.Addr{})); diff != "" {
			t.Errorf("points of %s: %s", client, diff)
		}
	}
}

func TestAnUnknownLinkThatOnlyCountsCostsFewAllocations(t *testing.T) {
	s := newStrangers(detect.Defaults())
	i := 0
	flood := func() {
		for range 256 {
			s.ask(end(office, 40000), unknown(i), i)
			i++
		}
		s.site.Step(s.clock)
	}
	for range 64 { // until the ceiling holds and the tables are full
		flood()
	}
	// With the words about each, and all that they are made of, it took 40.
	if per := testing.AllocsPerRun(32, flood) / 256; per > 6 {
		t.Errorf("%.1f allocations for each unknown link of a flood, want no more than 6", per)
	}
}
