package dnp3

import (
	"fmt"
	"runtime"
	"slices"
	"testing"

	"github.com/weir-ics/weir/protocols"
)

// heapGrowth returns how much memory f leaves in use.
func heapGrowth(f func()) int64 {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	f()
	runtime.GC()
	runtime.ReadMemStats(&after)
	return int64(after.HeapAlloc) - int64(before.HeapAlloc)
}

// TestTheLongestFragmentIsDecodedWhole sends 64 KiB.
func TestTheLongestFragmentIsDecodedWhole(t *testing.T) {
	var f Fragment
	f.Response(AppControl{FIR: true, FIN: true, UNS: true}, FunctionUnsolicitedResponse, 0)
	const strings = 256
	f.Header(110, 255, QualifierRange16, 0, strings-1)
	for range strings {
		for range 255 {
			f.Octets('x')
		}
	}
	if n := len(f.Bytes()); n > MaxFragment || n < MaxFragment-300 {
		t.Fatalf("%d octets do not test the bound of %d", n, MaxFragment)
	}
	var seq uint8
	var r recorder
	d := NewDecoder(conversation, r.emit, nil)
	d.Stream(1, protocols.Stamp{}, AppendSegments(nil, new(line).header(1), &seq, f.Bytes()))
	ev := r.only(t)
	if len(ev.Points) != strings || ev.Size != len(f.Bytes()) || len(ev.kinds) != 1 || ev.kinds[0] != "dnp3.fragment-size" {
		t.Errorf("%d points, size %d, violations %v", len(ev.Points), ev.Size, ev.kinds)
	}
	if d.pending != 0 || d.pool.pending != 0 {
		t.Errorf("%d and %d octets still count as pending", d.pending, d.pool.pending)
	}
}

// TestAnEndlessFragmentStaysWithinItsBound sends segments without a final one,
// of many associations at once.
func TestAnEndlessFragmentStaysWithinItsBound(t *testing.T) {
	pool := new(Pool)
	d := NewDecoder(conversation, func(*protocols.Event) {}, pool)
	user := make([]byte, MaxUserData)
	var buf []byte
	grown := heapGrowth(func() {
		for i := range 100_000 {
			outstation := uint16(i % 50)
			user[0] = byte(i/50) & transportSeq
			if i < 50 {
				user[0] |= transportFIR
			}
			buf = AppendFrame(buf[:0], LinkHeader{Prm: true, Function: LinkUnconfirmedUserData, Source: 100 + outstation, Destination: 1}, user)
			d.Stream(1, protocols.Stamp{}, buf)
			if d.pending > maxPending || pool.pending > maxPoolPending {
				t.Fatalf("%d octets pending of at most %d", d.pending, maxPending)
			}
		}
	})
	// A buffer may be up to twice as large as what is in it.
	if limit := int64(3 * maxPending); grown > limit {
		t.Errorf("memory grew by %d octets, at most %d are allowed", grown, limit)
	}
	if pool.Stats.ReassemblyDropped == 0 {
		t.Error("nothing was counted as dropped")
	}
	d.Close(protocols.Stamp{})
	if pool.pending != 0 {
		t.Errorf("%d octets pending after the end", pool.pending)
	}
}

// TestAMillionTinyFramesCostNoMemory sends spoofed addresses, each in a frame
// of its own.
func TestAMillionTinyFramesCostNoMemory(t *testing.T) {
	pool := new(Pool)
	events := 0
	d := NewDecoder(conversation, func(*protocols.Event) { events++ }, pool)
	var buf []byte
	const frames = 1_000_000
	grown := heapGrowth(func() {
		for i := range frames {
			h := LinkHeader{Dir: true, Prm: true, Function: LinkRequestLinkStatus, Source: uint16(i*7) % 0xFF00, Destination: uint16(i*13) % 0xFF00}
			buf = AppendFrame(buf[:0], h, nil)
			d.Stream(0, protocols.Stamp{}, buf)
		}
	})
	if events != frames || pool.Stats.Frames != frames {
		t.Errorf("%d events of %d frames", events, frames)
	}
	if grown > 1<<20 {
		t.Errorf("memory grew by %d octets", grown)
	}
	if len(d.associations) > maxAssociations || pool.Stats.AssociationsEvicted < frames/2 {
		t.Errorf("%d associations, %d evicted", len(d.associations), pool.Stats.AssociationsEvicted)
	}
}

// TestTheAssociationInUseStays sends spoofed addresses between a request and
// its response.
func TestTheAssociationInUseStays(t *testing.T) {
	var r recorder
	d := NewDecoder(conversation, r.emit, nil)
	l := new(line)
	var seq uint8
	for round := range 3 {
		d.Stream(0, protocols.Stamp{Frame: 77}, l.request(Single(uint8(round)), FunctionRead, 60, 1, 6).octets)
		for i := range maxAssociations - 1 {
			h := LinkHeader{Dir: true, Prm: true, Function: LinkUnconfirmedUserData, Source: uint16(1000 + round*500 + i), Destination: 10}
			d.Stream(0, protocols.Stamp{}, AppendSegments(nil, h, &seq, []byte{0xC0, FunctionDirectOperateNR}))
		}
		r.events = nil
		d.Stream(1, protocols.Stamp{}, l.response(Single(uint8(round)), FunctionResponse, 0).octets)
		if ev := r.only(t); ev.RequestFrame != 77 {
			t.Fatalf("round %d: the response is not tied to its request; %d associations evicted", round, d.pool.Stats.AssociationsEvicted)
		}
	}
	if d.pool.Stats.AssociationsEvicted == 0 {
		t.Error("nothing was evicted, so nothing was tested")
	}
}

// TestSteadyTrafficAllocatesNothing decodes a poll and its answers again and
// again.
func TestSteadyTrafficAllocatesNothing(t *testing.T) {
	for name, steps := range benchmarkTraffic() {
		d := NewDecoder(conversation, func(*protocols.Event) {}, new(Pool))
		at := protocols.Stamp{}
		round := func() {
			for _, s := range steps {
				at.Frame++
				d.Stream(s.dir, at, s.octets)
			}
		}
		round()
		if n := testing.AllocsPerRun(100, round); n != 0 {
			t.Errorf("%s: %v allocations a round", name, n)
		}
	}
}

// TestAnIdleConnectionIsSmall measures what a connection holds after a poll.
func TestAnIdleConnectionIsSmall(t *testing.T) {
	const connections = 1000
	pool := new(Pool)
	list := make([]*Decoder, connections)
	steps := benchmarkTraffic()["poll"]
	grown := heapGrowth(func() {
		for i := range list {
			list[i] = NewDecoder(conversation, func(*protocols.Event) {}, pool)
			for _, s := range steps {
				list[i].Stream(s.dir, protocols.Stamp{}, s.octets)
			}
		}
	})
	if each := grown / connections; each > 2048 {
		t.Errorf("%d octets a connection", each)
	} else {
		t.Logf("%d octets a connection", each)
	}
	runtime.KeepAlive(list)
}

// TestADecoderForgetsOnReset uses one decoder for two conversations.
func TestADecoderForgetsOnReset(t *testing.T) {
	var r recorder
	d := NewDecoder(conversation, r.emit, nil)
	a := new(line)
	d.Stream(0, protocols.Stamp{}, a.request(Single(4), FunctionRead, 60, 1, 6).octets)
	half := a.request(Single(5), FunctionRead, 60, 1, 6).octets
	d.Stream(0, protocols.Stamp{}, half[:7])
	d.Reset(conversation)
	r.events = nil
	b := new(line)
	d.Stream(0, protocols.Stamp{}, b.request(Single(9), FunctionRead, 60, 1, 6).octets)
	ev := r.only(t)
	if len(ev.kinds) > 0 {
		t.Errorf("violations %v of the conversation before", ev.kinds)
	}
}

// TestAssociationsOfAFloodAreUsedAgainAndKnowNothing lets one connection after
// the other bring many addresses: their memory is used again, and nothing of what
// it held is.
func TestAssociationsOfAFloodAreUsedAgainAndKnowNothing(t *testing.T) {
	pool := new(Pool)
	var r recorder
	var seq uint8
	flood := func() (octets []byte) {
		for address := range uint16(100) {
			h := LinkHeader{Dir: true, Prm: true, Function: LinkUnconfirmedUserData, Source: 1000 + address, Destination: 10}
			octets = AppendSegments(octets, h, &seq, []byte{0xC0, FunctionRead, 60, 1, 6})
		}
		return octets
	}
	var before []string
	for round := range 5 {
		r.events = nil
		seq = 0
		d := NewDecoder(conversation, r.emit, pool)
		d.Stream(0, protocols.Stamp{Frame: 1}, flood())
		// The same addresses without a request: a response that nobody asked for.
		h := LinkHeader{Prm: true, Function: LinkUnconfirmedUserData, Source: 10, Destination: 7}
		d.Stream(1, protocols.Stamp{Frame: 2}, AppendSegments(nil, h, &seq, []byte{0xC0, FunctionResponse, 0, 0}))
		var got []string
		for i := range r.events {
			got = append(got, fmt.Sprint(r.events[i].Name, r.events[i].kinds, r.events[i].RequestFrame))
		}
		if round > 0 && !slices.Equal(got, before) {
			t.Fatalf("round %d: %v, before %v", round, got, before)
		}
		before = got
		d.Close(protocols.Stamp{})
		if n := len(pool.associations); n == 0 || n > maxSpareAssociations {
			t.Fatalf("%d are kept", n)
		}
	}
}
