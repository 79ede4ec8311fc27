package modbus

import (
	"math/rand/v2"
	"testing"

	"github.com/weir-ics/weir/protocols"
)

// ignore is a receiver that costs nothing.
func ignore(*protocols.Event) {}

// play feeds turns again and again, a message a call of next.
type play struct {
	d     *Decoder
	turns []turn
	clock int64
}

func (p *play) round() {
	for _, t := range p.turns {
		p.clock += 1e6
		p.d.Stream(t.dir, protocols.Stamp{Time: p.clock, Clock: p.clock, Frame: 1}, t.data)
	}
}

func newPlay(f Framing, turns []turn) *play {
	return &play{d: Config{Framing: f}.NewDecoder(conversation(), ignore), turns: turns}
}

// readRegisters is a poll of ten registers.
func readRegisters(f Framing) []turn {
	return []turn{
		{0, AppendADU(nil, f, 1, 1, AppendRead(nil, 3, 100, 10))},
		{1, AppendADU(nil, f, 1, 1, AppendRegisters(nil, 3, make([]uint16, 10)))},
	}
}

// hostileTurns is garbage, broken messages and answers that fit nothing.
func hostileTurns() (turns []turn) {
	r := rand.New(rand.NewPCG(7, 7))
	for i := range 200 {
		dir := protocols.Direction(r.IntN(2))
		switch i % 4 {
		case 0:
			turns = append(turns, turn{dir, octets(r, 1+r.IntN(300))})
		case 1:
			turns = append(turns, turn{dir, AppendADU(nil, MBAP, uint16(i), 1, octets(r, 1+r.IntN(250)))})
		case 2:
			turns = append(turns, turn{dir, make([]byte, 1460)})
		default:
			turns = append(turns, turn{dir, AppendADU(nil, MBAP, uint16(r.Uint32()), 1, AppendRead(nil, 3, 65535, 65535))})
		}
	}
	return turns
}

func mixedTurns(f Framing) []turn { return conversationOf(rand.New(rand.NewPCG(8, 8)), f, 200) }

func BenchmarkRequest(b *testing.B) {
	p := newPlay(MBAP, readRegisters(MBAP))
	ask := p.turns[0].data
	b.SetBytes(int64(len(ask)))
	b.ReportAllocs()
	for b.Loop() {
		p.clock += 1e6
		p.d.Stream(0, protocols.Stamp{Time: p.clock, Clock: p.clock}, ask)
		// Each is answered by silence, so that the next is no retry.
		p.d.tracker.forget()
		p.d.next = 0
	}
}

func BenchmarkResponseOfTenRegisters(b *testing.B) {
	p := newPlay(MBAP, readRegisters(MBAP))
	p.round()
	answer := p.turns[1].data
	b.SetBytes(int64(len(answer)))
	b.ReportAllocs()
	x := p.d.tracker.at(0)
	for b.Loop() {
		// The request waits again.
		x.state, p.d.tracker.open = open, 1
		p.d.Stream(1, protocols.Stamp{Time: p.clock, Clock: p.clock}, answer)
	}
}

func BenchmarkExchangeOfTenRegisters(b *testing.B) {
	for f := range numFramings {
		b.Run(f.String(), func(b *testing.B) {
			p := newPlay(f, readRegisters(f))
			b.ReportAllocs()
			for b.Loop() {
				p.round()
			}
		})
	}
}

func benchmarkTurns(b *testing.B, f Framing, turns []turn) {
	p := newPlay(f, turns)
	size := 0
	for _, t := range turns {
		size += len(t.data)
	}
	p.round()
	s := p.d.Stats()
	before := s.Get(CountRequests) + s.Get(CountResponses) + s.Get(CountExceptions)
	b.SetBytes(int64(size))
	b.ReportAllocs()
	rounds := 0
	for b.Loop() {
		p.round()
		rounds++
	}
	messages := s.Get(CountRequests) + s.Get(CountResponses) + s.Get(CountExceptions) - before
	if messages > uint64(rounds*len(turns)/2) {
		// Of hostile input too little is a message to divide by it.
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(messages), "ns/message")
	}
}

func BenchmarkMixed(b *testing.B) {
	for f := range numFramings {
		b.Run(f.String(), func(b *testing.B) { benchmarkTurns(b, f, mixedTurns(f)) })
	}
}

func BenchmarkHostile(b *testing.B) {
	for f := range numFramings {
		b.Run(f.String(), func(b *testing.B) { benchmarkTurns(b, f, hostileTurns()) })
	}
}

func TestDecodingAllocatesNothingInTheSteadyState(t *testing.T) {
	for f := range numFramings {
		for name, turns := range map[string][]turn{"poll": readRegisters(f), "mixed": mixedTurns(f), "hostile": hostileTurns()} {
			t.Run(f.String()+" "+name, func(t *testing.T) {
				p := newPlay(f, turns)
				for range 50 {
					// Buffers and the tracker find their size.
					p.round()
				}
				if n := testing.AllocsPerRun(5, p.round); n != 0 {
					t.Errorf("%v allocations a round of %d segments", n, len(turns))
				}
			})
		}
	}
}
