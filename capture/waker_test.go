package capture

import "testing"

// sleeper is a handler that says by itself when it wants to be called.
type sleeper struct {
	nothing
	wake  [2]int64
	calls []int64
}

func (s *sleeper) Wake() [2]*int64 { return [2]*int64{&s.wake[0], &s.wake[1]} }

func (s *sleeper) Advance(clock int64) int64 {
	s.calls = append(s.calls, clock)
	for i := range s.wake {
		if s.wake[i] <= clock {
			s.wake[i] = 0
		}
	}
	return 0
}

func TestAWakerIsAdvancedWhenItWantsAndNotAfterAllThatItIsGiven(t *testing.T) {
	h := &sleeper{}
	e := New(Settings{}, []Handler{h})
	l := e.lanes[0]
	at := func(clock int64) {
		b := tcpFrame(seg{from: alice, to: bob, sport: 1, dport: 502, seq: uint32(clock), flags: flagACK, data: "x"})
		p := Packet{Data: b, Wire: uint32(len(b)), Link: LinkEthernet, Time: clock, Clock: clock}
		p.route()
		l.packet(&p)
	}
	at(1)
	at(2) // called once, since it was given something and was never called
	for clock := int64(3); clock < 10; clock++ {
		at(clock)
	}
	h.wake[1] = 12
	at(10)
	at(11)
	at(14) // past the time it wants
	at(15)
	h.wake[0] = 16
	at(16) // at the time it wants
	at(17)
	want := []int64{2, 14, 16}
	if len(h.calls) != len(want) || h.calls[0] != want[0] || h.calls[1] != want[1] || h.calls[2] != want[2] {
		t.Errorf("advanced to %v, want %v", h.calls, want)
	}
}
