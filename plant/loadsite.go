package plant

import (
	"encoding/binary"
	"math/rand/v2"

	"github.com/weir-ics/weir/plant/wire"
)

// sitePoints is how many registers a pair of a site has.
const sitePoints = 100

// siteServer is a device as most are: most of its registers never change, some
// are states, and some move. Two neighbours move together, so that there is
// something to relate.
type siteServer struct {
	rnd    *rand.Rand
	start  int64
	states int // registers from 0 on that are states
	moving int // registers after them that move
	words  [sitePoints]uint16
}

// serve answers a read of all registers, at a time in nanoseconds.
func (s *siteServer) serve(dst []byte, at int64, _ uint8, pdu []byte) []byte {
	first, count, ok := span(pdu)
	if !ok || pdu[0] != wire.ReadHoldingRegisters || first+count > sitePoints {
		return wire.AppendException(dst, pdu[0], wire.IllegalDataAddress)
	}
	for i := range s.states {
		if s.rnd.IntN(40) == 0 {
			s.words[i] ^= 1
		}
	}
	for i := s.states; i < s.states+s.moving; i++ {
		// A triangle of 20 to 60 seconds, and noise upon it.
		period := int64(20+i%41) * second
		phase := (at - s.start + int64(i/2)*second) % period
		height := min(phase, period-phase) / (second / 100)
		s.words[i] = uint16(5000 + 100*(i/2) + int(height) + s.rnd.IntN(20))
	}
	dst = append(dst, pdu[0], byte(2*count))
	for _, w := range s.words[first : first+count] {
		dst = binary.BigEndian.AppendUint16(dst, w)
	}
	return dst
}

// site makes pairs whose client reads all registers of the server in one poll.
func (g *loader) site(pairs, moving int) {
	moving = sitePoints * moving / 100
	states := min(moving, sitePoints-moving)
	for i := range pairs {
		client, server := g.pair(i)
		srv := &siteServer{rnd: rand.New(rand.NewPCG(uint64(i), 2)), start: g.start, states: states, moving: moving}
		for k := states; k < sitePoints; k++ {
			srv.words[k] = uint16(g.rnd.IntN(2000))
		}
		c := newModbusClient(g.n, client, server, srv)
		s := &scanner{client: c, period: g.poll, jitter: 5 * millisecond, label: -1, plan: []poll{{1, wire.ReadHoldingRegisters, 0, sitePoints}}}
		s.start(g.start + int64(i)*g.poll/int64(pairs))
	}
}
