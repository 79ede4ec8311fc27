package plant

import (
	"math"
	"math/rand/v2"

	"github.com/weir-ics/weir/plant/wire"
)

// Packet is one frame of the simulated network as a tap would capture it.
type Packet struct {
	// Time is in nanoseconds since the Unix epoch, Frame the 1-based number.
	Time  int64
	Frame uint64
	// Data is the Ethernet frame; it is reused after the receiver returns.
	Data []byte
	// Attack is the index of the attack in Scenario.Attacks that the packet
	// belongs to, -1 if it is normal.
	Attack int
}

const millisecond = int64(1e6)
const second = int64(1e9)

// A network is the simulated time line: things that will happen, in order, and
// packets on their way to the tap. What happens at a moment may send packets at
// later moments; they are handed on when the time line has come there.
type network struct {
	now   int64
	queue timeline[func()]
	out   timeline[sentPacket]
	free  [][]byte
	seq   uint64
	frame uint64
	// sent counts the packets put on the wire, frame those handed on.
	sent uint64
	// label is the attack that what is being done now belongs to, -1 for none.
	label int
	rnd   *rand.Rand
	sink  func(*Packet) error
	// packet is what sink is given, used again for each.
	packet Packet
	err    error
}

func newNetwork(seed uint64, start int64, sink func(*Packet) error) *network {
	return &network{now: start, label: -1, rnd: rand.New(rand.NewPCG(seed, 0x6e6574)), sink: sink}
}

// at has f done at time t.
func (n *network) at(t int64, f func()) {
	n.seq++
	n.queue.push(max(t, n.now), n.seq, f)
}

// every has f done again and again until it returns false; f returns the time
// of the next.
func (n *network) every(t int64, f func() (next int64, again bool)) {
	var run func()
	run = func() {
		if next, again := f(); again {
			n.at(next, run)
		}
	}
	n.at(t, run)
}

// run lets time pass up to end and hands on every packet before it.
func (n *network) run(end int64) error {
	for len(n.queue) > 0 && n.queue[0].time < end && n.err == nil {
		t, do := n.queue.pop()
		n.flush(t)
		n.now = t
		do()
	}
	n.flush(end)
	return n.err
}

func (n *network) flush(until int64) {
	for len(n.out) > 0 && n.out[0].time < until && n.err == nil {
		t, p := n.out.pop()
		n.frame++
		n.packet = Packet{Time: t, Frame: n.frame, Data: p.data, Attack: p.label}
		n.err = n.sink(&n.packet)
		n.free = append(n.free, p.data)
	}
}

// buffer returns memory for one frame.
func (n *network) buffer() []byte {
	if k := len(n.free); k > 0 {
		b := n.free[k-1]
		n.free = n.free[:k-1]
		return b[:0]
	}
	return make([]byte, 0, 1536)
}

// emit puts a frame on the wire at time t.
func (n *network) emit(t int64, label int, frame []byte) {
	if n.label >= 0 {
		label = n.label
	}
	n.seq++
	n.sent++
	n.out.push(t, n.seq, sentPacket{label, frame})
}

// between draws a time between low and high.
func (n *network) between(low, high int64) int64 {
	return low + int64(n.rnd.Float64()*float64(high-low))
}

// latency draws a time that is mostly near typical, never less than half of it,
// and now and then much longer, as response times are (log-normal).
func (n *network) latency(typical int64) int64 {
	return typical/2 + int64(float64(typical/2)*math.Exp(0.5*n.rnd.NormFloat64()))
}

// sentPacket is a frame on its way to the tap.
type sentPacket struct {
	label int
	data  []byte
}

// host is a machine on the simulated network.
type host struct {
	name string
	mac  wire.MAC
	ip   wire.IP
	ttl  uint8
	// controller tells a small TCP stack from a workstation's.
	controller bool
	// typical is the usual response time as a server.
	typical int64
	// down tells that its link is down: it hears and says nothing.
	down bool
	// poisoned is who sits between this host and its clients, nil for nobody.
	poisoned *host
	// poisonLabel is the attack that this is part of.
	poisonLabel int
	id, port    uint16
	arp         map[wire.IP]int64 // when a cache entry was last confirmed
}

func (h *host) nextPort() uint16 {
	if h.port < 49152 || h.port == 65535 {
		h.port = 49152
	}
	h.port++
	return h.port
}

func (h *host) window() uint16 {
	if h.controller {
		return 8192
	}
	return 64240
}

func (h *host) options() []byte {
	if h.controller {
		return wire.ControllerOptions
	}
	return wire.WorkstationOptions
}

// header fills the header of a packet from one host to another, as the tap
// sees it: with somebody in between, the packet has his address on the link.
func header(from, to *host) wire.Packet {
	from.id++
	p := wire.Packet{SrcMAC: from.mac, DstMAC: to.mac, Src: from.ip, Dst: to.ip, TTL: from.ttl, ID: from.id, Fragment: 0x4000}
	if to.poisoned != nil {
		p.DstMAC = to.poisoned.mac
	}
	if from.poisoned != nil {
		p.SrcMAC = from.poisoned.mac
		p.TTL--
	}
	return p
}

// resolve lets a host ask for the address of another if it does not know it,
// and returns the time when it does.
func (n *network) resolve(t int64, from, to *host) int64 {
	if known, ok := from.arp[to.ip]; ok && t-known < 600*second {
		from.arp[to.ip] = t
		return t
	}
	n.emit(t, -1, wire.AppendARP(n.buffer(), wire.ARPRequest, wire.Broadcast, from.mac, from.mac, from.ip, wire.MAC{}, to.ip))
	if to.down {
		return t
	}
	t += n.between(150e3, 500e3)
	n.emit(t, -1, wire.AppendARP(n.buffer(), wire.ARPReply, from.mac, to.mac, to.mac, to.ip, from.mac, from.ip))
	from.learn(to, t)
	return t + n.between(50e3, 150e3)
}

// learn puts another host into the address cache, as if it had been asked.
func (h *host) learn(other *host, t int64) {
	if h.arp == nil {
		h.arp = make(map[wire.IP]int64)
	}
	h.arp[other.ip] = t
}

// udp sends one datagram.
func (n *network) udp(t int64, from, to *host, fromPort, toPort uint16, payload []byte) {
	p := header(from, to)
	p.SrcPort, p.DstPort = fromPort, toPort
	n.emit(t, -1, wire.AppendUDP(n.buffer(), &p, payload))
}
