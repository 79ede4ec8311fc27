package plant

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/netip"
	"time"

	"github.com/weir-ics/weir/plant/wire"
	"github.com/weir-ics/weir/protocols"
)

// A Load is a large capture for measuring speed: many pairs of a client and a
// server, with values that move but no process behind them. The same Load
// always gives the same bytes.
type Load struct {
	// Kind is one of LoadKinds.
	Kind string
	// Packets is how many packets it has; zero is 2,000,000.
	Packets int
	// Pairs is how many client and server pairs there are; zero is 200.
	Pairs int
	// Poll is the poll interval of each pair; zero is a second.
	Poll time.Duration
	// Moving is how many of 100 registers of a site move all the time, 1 to 100;
	// as many others, if there are, are states, and the rest never changes. Zero
	// is 15.
	Moving int
	Seed   uint64
	// Start is the time of the first packet; zero is DefaultStart.
	Start time.Time
}

// LoadKinds lists the kinds of load with what they hold.
func LoadKinds() [][2]string {
	return [][2]string{
		{"modbus", "Modbus polls of registers and bits, now and then a write or an exception"},
		{"dnp3", "DNP3 event polls, unsolicited responses and integrity polls answered in several fragments (beyond 1000 pairs in one)"},
		{"mix", "half of the pairs Modbus and half DNP3, and 30 % other traffic: web, names, time, ARP, bulk transfers"},
		{"site", "Modbus polls of 100 registers a pair, of which most never change, as in a real plant (see --moving)"},
		{"hostile", "Modbus and DNP3 among fragments, overlapping and lost segments, garbage, malformed messages and scans"},
	}
}

// errEnough ends a load when it has its packets.
var errEnough = errors.New("enough packets")

// Write writes the load to w as a pcap file with nanosecond times.
func (l *Load) Write(w io.Writer) error {
	out, err := wire.NewPcapWriter(w)
	if err != nil {
		return err
	}
	if err := l.Run(func(p *Packet) error { return out.Write(p.Time, p.Data) }); err != nil {
		return err
	}
	return out.Flush()
}

// Run hands every packet of the load to packet, in order of time.
func (l *Load) Run(packet func(*Packet) error) error {
	count, pairs, poll, from := l.Packets, l.Pairs, int64(l.Poll), l.Start
	if count <= 0 {
		count = 2_000_000
	}
	if pairs <= 0 {
		pairs = 200
	}
	if pairs > 60000 {
		return fmt.Errorf("load: %d pairs are more than the 60000 that have addresses", pairs)
	}
	if poll <= 0 {
		poll = second
	}
	if from.IsZero() {
		from = DefaultStart
	}
	g := &loader{rnd: rand.New(rand.NewPCG(l.Seed, 0x6c6f6164)), poll: poll, start: from.UnixNano()}
	g.n = newNetwork(l.Seed, g.start, func(p *Packet) error {
		if p.Frame > uint64(count) {
			return errEnough
		}
		return packet(p)
	})
	switch l.Kind {
	case "modbus":
		g.modbus(0, pairs)
	case "dnp3":
		g.dnp3(0, pairs)
	case "mix":
		g.modbus(0, (pairs+1)/2)
		g.dnp3((pairs+1)/2, pairs)
		g.other(0.3)
	case "site":
		moving := l.Moving
		if moving == 0 {
			moving = 15
		}
		if moving < 1 || moving > 100 {
			return fmt.Errorf("load: %d of 100 registers cannot move", moving)
		}
		g.site(pairs, moving)
	case "hostile":
		g.modbus(0, (pairs+1)/2)
		g.dnp3((pairs+1)/2, pairs)
		g.hostile()
	default:
		return fmt.Errorf("load: kind %q is none of modbus, dnp3, mix, site, hostile", l.Kind)
	}
	for end := g.start + 3600*second; ; end += 3600 * second {
		if err := g.n.run(end); errors.Is(err, errEnough) {
			return nil
		} else if err != nil {
			return fmt.Errorf("write load: %w", err)
		}
	}
}

type loader struct {
	n     *network
	rnd   *rand.Rand
	poll  int64
	start int64
	// others counts the packets of other traffic, all those that were made.
	others uint64
}

// pair makes the two hosts of pair i.
func (g *loader) pair(i int) (client, server *host) {
	a, b := byte(i/250), byte(i%250+1)
	client = newHost("client", netip.AddrFrom4([4]byte{10, 30, a, b}), wire.MAC{0x00, 0x1b, 0x21, 0x30, a, b}, false, millisecond)
	server = newHost("server", netip.AddrFrom4([4]byte{10, 31, a, b}), wire.MAC{0x00, 0x80, 0xf4, 0x31, a, b}, true, 4*millisecond)
	return client, server
}

// loadServer answers Modbus requests with values that wander.
type loadServer struct {
	rnd   *rand.Rand
	words [125]uint16
}

func (s *loadServer) serve(dst []byte, _ int64, _ uint8, pdu []byte) []byte {
	first, count, ok := span(pdu)
	if !ok || first >= 40000 {
		return wire.AppendException(dst, pdu[0], wire.IllegalDataAddress)
	}
	switch pdu[0] {
	case wire.ReadCoils, wire.ReadDiscreteInputs:
		dst = append(dst, pdu[0], byte((count+7)/8))
		for i := range (count + 7) / 8 {
			dst = append(dst, byte(s.words[i]>>9))
		}
		return dst
	case wire.ReadHoldingRegisters, wire.ReadInputRegisters:
		for range 1 + count/8 {
			r := s.rnd.Uint32()
			s.words[int(r>>16)%count] += uint16(r&0xf) - 7
		}
		dst = append(dst, pdu[0], byte(2*count))
		for _, w := range s.words[:count] {
			dst = binary.BigEndian.AppendUint16(dst, w)
		}
		return dst
	}
	return append(dst, pdu[:5]...)
}

func (g *loader) modbus(from, to int) {
	for i := from; i < to; i++ {
		client, server := g.pair(i)
		srv := &loadServer{rnd: rand.New(rand.NewPCG(uint64(i), 1))}
		for k := range srv.words {
			srv.words[k] = uint16(g.rnd.IntN(40000))
		}
		c := newModbusClient(g.n, client, server, srv)
		s := &scanner{client: c, period: g.poll, jitter: 5 * millisecond, label: -1, plan: []poll{
			{1, wire.ReadCoils, 0, 32},
			{1, wire.ReadInputRegisters, 0, 20 + uint16(i%5)*10},
			{1, wire.ReadHoldingRegisters, 100, 100},
		}}
		s.start(g.start + int64(i)*g.poll/int64(to))
		g.n.every(g.start+g.n.between(5*second, 60*second), func() (int64, bool) {
			switch g.rnd.IntN(8) {
			case 0:
				c.read(g.n.now, poll{1, wire.ReadHoldingRegisters, 50000, 2})
			case 1, 2:
				c.ask(g.n.now, 1, wire.AppendAddressValue(nil, wire.WriteSingleCoil, uint16(g.rnd.IntN(32)), wire.CoilValue(g.rnd.IntN(2) == 0)))
			default:
				c.ask(g.n.now, 1, wire.AppendAddressValue(nil, wire.WriteSingleRegister, uint16(100+g.rnd.IntN(100)), uint16(g.rnd.IntN(5000))))
			}
			return g.n.now + g.n.between(20*second, 100*second), true
		})
	}
}

// loadTags are the points of a load's outstations, a sixth of them binary.
func loadTags(points int) []Tag {
	analogs := points * 5 / 6
	var list []Tag
	for i := range points {
		t := Tag{Table: protocols.KindAnalogInput, Address: uint16(i)}
		if i >= analogs {
			t = Tag{Table: protocols.KindBinaryInput, Address: uint16(i - analogs)}
		}
		list = append(list, t)
	}
	return list
}

func (g *loader) dnp3(from, to int) {
	// Enough points for several fragments, as long as memory allows.
	points := 600
	if to > 1000 {
		points = 120
	}
	list := loadTags(points)
	for i := from; i < to; i++ {
		client, server := g.pair(i)
		o := newRowOutstation(&csvStation{tags: list})
		for k := range o.points[analogInputs] {
			o.points[analogInputs][k].value = float64(g.rnd.IntN(1000)) / 10
		}
		c := newDNP3Client(g.n, client, server, o, MasterAddress)
		c.remote = uint16(10 + i)
		cycle := i
		next := g.start + int64(i)*g.poll/int64(to)
		g.n.every(next, func() (int64, bool) {
			now := g.n.now
			for range 1 + g.rnd.IntN(12) {
				k, index := analogInputs, g.rnd.IntN(len(o.points[analogInputs]))
				if g.rnd.IntN(4) == 0 {
					k, index = binaryInputs, g.rnd.IntN(len(o.points[binaryInputs]))
				}
				p := &o.points[k][index]
				if k == binaryInputs {
					p.value = 1 - p.value
				} else {
					p.value += float64(g.rnd.IntN(21)-10) / 10
				}
				o.events = append(o.events, rtuEvent{kind: k, index: index, value: p.value, time: now - int64(g.rnd.IntN(900))*millisecond})
			}
			switch {
			case cycle%40 == 0:
				c.readAll(now)
			case cycle%7 == 0 && c.open:
				c.unsolicited(now)
			default:
				c.ask(now, wire.Read, readEvents...)
			}
			cycle++
			next += g.poll
			return next + g.n.between(0, 5*millisecond), true
		})
	}
}

// other keeps a share of all packets other traffic.
func (g *loader) other(share float64) {
	n := g.n
	gateway := newHost("gateway", netip.AddrFrom4([4]byte{10, 30, 250, 1}), wire.MAC{0x00, 0x0c, 0x29, 0x30, 0xfa, 1}, false, millisecond)
	var hosts []*host
	for i := range 40 {
		hosts = append(hosts, newHost("office", netip.AddrFrom4([4]byte{10, 30, 251, byte(i + 1)}), wire.MAC{0x00, 0x1b, 0x21, 0x30, 0xfb, byte(i + 1)}, false, millisecond))
	}
	body := make([]byte, 40000)
	for i := range body {
		body[i] = byte(g.rnd.Uint32())
	}
	n.every(g.start, func() (int64, bool) {
		for float64(g.others) < share*float64(n.sent) {
			before := n.sent
			h := hosts[g.rnd.IntN(len(hosts))]
			t := n.now + n.between(0, millisecond)
			switch g.rnd.IntN(6) {
			case 0, 1: // a transfer
				c := newConn(n, h, gateway, [2]uint16{443, 80}[g.rnd.IntN(2)])
				t = c.connect(t)
				t = c.transmit(t, fromClient, body[:200+g.rnd.IntN(400)])
				t = c.transmit(t+millisecond, fromServer, body[:g.rnd.IntN(len(body))])
				c.idle = t + 200e3
				c.close(t)
			case 2, 3: // names and time
				port := h.nextPort()
				n.udp(t, h, gateway, port, 53, body[:40])
				n.udp(t+millisecond, gateway, h, 53, port, body[40:160])
			case 4:
				n.udp(t, h, gateway, 123, 123, body[:48])
				n.udp(t+millisecond, gateway, h, 123, 123, body[48:96])
			default:
				n.emit(t, -1, wire.AppendARP(n.buffer(), wire.ARPRequest, wire.Broadcast, h.mac, h.mac, h.ip, wire.MAC{}, gateway.ip))
				n.emit(t+300e3, -1, wire.AppendARP(n.buffer(), wire.ARPReply, h.mac, gateway.mac, gateway.mac, gateway.ip, h.mac, h.ip))
			}
			g.others += n.sent - before
		}
		return n.now + 2*millisecond, true
	})
}
