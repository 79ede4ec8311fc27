package plant

import (
	"encoding/binary"

	"github.com/weir-ics/weir/plant/wire"
)

// dnp3Port is the registered port.
const dnp3Port = 20000

// dnp3Client is one DNP3 association over TCP: a master, and the outstation at
// the other end.
type dnp3Client struct {
	*conn
	outstation *outstation
	// address is the master's link address, remote the outstation's.
	address, remote uint16
	seq             uint8
	transport       [2]uint8

	request, response, stream []byte
}

func newDNP3Client(n *network, from, to *host, o *outstation, address uint16) *dnp3Client {
	return &dnp3Client{conn: newConn(n, from, to, dnp3Port), outstation: o, address: address, remote: OutstationAddress}
}

// send transmits one application fragment.
func (c *dnp3Client) send(t int64, d int, fragment []byte) int64 {
	control, to, from := uint8(wire.FromMaster), c.remote, c.address
	if d == fromServer {
		control, to, from = wire.FromOutstation, c.address, c.remote
	}
	c.stream = wire.AppendFragment(c.stream[:0], control, to, from, &c.transport[d], fragment)
	return c.transmit(t, d, c.stream)
}

// ask sends a request with the next sequence number, has it answered and
// confirms what asks for it. It returns the answer, nil if there was none, and
// when all was done.
func (c *dnp3Client) ask(t int64, function uint8, objects ...byte) (answer []byte, done int64) {
	c.seq = (c.seq + 1) & 0x0f
	return c.askWith(t, c.seq, function, objects...)
}

func (c *dnp3Client) askWith(t int64, seq, function uint8, objects ...byte) (answer []byte, done int64) {
	n := c.n
	t = max(t, c.idle)
	if !c.open {
		if t = c.connect(t); !c.open {
			return nil, t
		}
	}
	c.request = append(c.request[:0], wire.AppFIR|wire.AppFIN|seq, function)
	c.request = append(c.request, objects...)
	server := c.ends[fromServer]
	if server.down {
		c.stream = wire.AppendFragment(c.stream[:0], wire.FromMaster, c.remote, c.address, &c.transport[fromClient], c.request)
		return nil, c.lost(t, c.stream)
	}
	t = c.send(t, fromClient, c.request)
	took := n.latency(server.typical)
	at := t + took
	c.response = c.outstation.serve(c.response[:0], at, c.request)
	if len(c.response) == 0 {
		c.owe(t, fromServer)
		c.idle = t + 2*second
		return nil, c.idle
	}
	if took > delayedAck {
		c.segment(t+delayedAck, fromServer, wire.ACK, nil, nil)
	}
	label := c.label
	if c.outstation.told >= 0 {
		label = c.outstation.told
	}
	own := c.label
	c.label = label
	at = c.send(at, fromServer, c.response)
	c.label = own
	return c.response, c.confirm(at, c.response)
}

// confirm answers a fragment that asks for it, and settles acknowledgements.
func (c *dnp3Client) confirm(t int64, fragment []byte) int64 {
	n := c.n
	if fragment[0]&wire.AppCON == 0 {
		c.owe(t, fromClient)
		c.idle = t + n.between(300e3, 2*millisecond)
		return t
	}
	t += n.between(500e3, 3*millisecond)
	confirm := [2]byte{wire.AppFIR | wire.AppFIN | fragment[0]&(wire.AppUNS|0x0f), wire.Confirm}
	t = c.send(t, fromClient, confirm[:])
	c.outstation.confirmed()
	c.owe(t, fromServer)
	c.idle = t + n.between(300e3, 2*millisecond)
	return t
}

// unsolicited lets the outstation speak for itself.
func (c *dnp3Client) unsolicited(t int64) int64 {
	if !c.open || c.ends[fromServer].down {
		return t
	}
	t = max(t, c.idle)
	c.response = c.outstation.unsolicitedResponse(c.response[:0])
	own := c.label
	if c.outstation.told >= 0 {
		c.label = c.outstation.told
	}
	t = c.send(t, fromServer, c.response)
	c.label = own
	return c.confirm(t, c.response)
}

// Requests that a master makes.

var (
	readIntegrity = []byte{60, 2, wire.All, 60, 3, wire.All, 60, 4, wire.All, 60, 1, wire.All}
	readEvents    = []byte{60, 2, wire.All, 60, 3, wire.All, 60, 4, wire.All}
	allClasses    = readEvents
	clearRestart  = []byte{80, 1, wire.StartStop8, 7, 7, 0}
)

func crobObject(index uint8, code uint8) []byte {
	return wire.AppendCROB([]byte{12, 1, wire.Index8, 1, index}, wire.CROB{Code: code, Count: 1, OnTime: 500, OffTime: 500})
}

func timeObject(t int64) []byte {
	return wire.AppendDNP3Time([]byte{50, 1, wire.Count8, 1}, t)
}

// A dnp3Master polls an outstation as a front-end processor does.
type dnp3Master struct {
	client *dnp3Client
	// events and integrity are the poll intervals.
	events, integrity int64
	paused            bool
	lastIntegrity     int64
	started           bool
}

// start lets the master work from time t on, and the outstation report on its
// own every second if it has to.
func (m *dnp3Master) start(t int64) {
	c, n := m.client, m.client.n
	next := t
	n.every(t, func() (int64, bool) {
		if !m.paused && n.now >= c.outstation.bootUntil {
			m.cycle(n.now)
		}
		next += m.events
		return next + int64(n.rnd.Float64()*float64(20*millisecond)), true
	})
	tick := t + second/2
	n.every(tick, func() (int64, bool) {
		o := c.outstation
		o.process.Advance(n.now)
		o.scan(n.now)
		if o.unsolicited && n.now >= o.bootUntil && n.now >= c.idle && o.pending(1) {
			c.unsolicited(n.now)
		}
		tick += second
		return tick + n.between(0, 30*millisecond), true
	})
}

// begin is what a master does with an outstation that it has just reached.
func (m *dnp3Master) begin(t int64) int64 {
	c := m.client
	if c.outstation.restarted {
		t = c.unsolicited(t + c.n.between(5*millisecond, 40*millisecond))
	}
	_, t = c.ask(t, wire.DisableUnsolicited, allClasses...)
	answer, t := c.ask(t, wire.Read, readIntegrity...)
	t = m.react(t, answer)
	_, t = c.ask(t, wire.EnableUnsolicited, allClasses...)
	m.lastIntegrity, m.started = t, c.open
	return t
}

func (m *dnp3Master) cycle(t int64) {
	c := m.client
	if !c.open || !m.started {
		m.started = false
		if t = c.connect(t); c.open {
			m.begin(t)
		}
		return
	}
	request := readEvents
	if t-m.lastIntegrity >= m.integrity {
		request = readIntegrity
		m.lastIntegrity = t
	}
	answer, t := c.ask(t, wire.Read, request...)
	m.react(t, answer)
}

// react does what the internal indications ask for.
func (m *dnp3Master) react(t int64, answer []byte) int64 {
	if len(answer) < 4 {
		return t
	}
	c := m.client
	iin := binary.LittleEndian.Uint16(answer[2:])
	restarted := iin&wire.IINRestart != 0
	if restarted {
		_, t = c.ask(t, wire.Write, clearRestart...)
	}
	if iin&wire.IINNeedTime != 0 {
		_, t = c.ask(t, wire.DelayMeasure)
		_, t = c.ask(t, wire.Write, timeObject(t)...)
	}
	if restarted && m.started {
		_, t = c.ask(t, wire.EnableUnsolicited, allClasses...)
	}
	return t
}

// operate selects and operates an output.
func (c *dnp3Client) operate(t int64, object []byte) int64 {
	_, t = c.ask(t, wire.Select, object...)
	_, t = c.ask(t+c.n.between(3*millisecond, 20*millisecond), wire.Operate, object...)
	return t
}

// maxFragment is the size of an application fragment (IEEE 1815-2012, 4.2.1).
const maxFragment = 2048

// readAll reads all static data; the answer may take several fragments, each
// but the last confirmed.
func (c *dnp3Client) readAll(t int64) int64 {
	t = max(t, c.idle)
	if !c.open {
		if t = c.connect(t); !c.open {
			return t
		}
	}
	c.seq = (c.seq + 1) & 0x0f
	t = c.send(t, fromClient, []byte{wire.AppFIR | wire.AppFIN | c.seq, wire.Read, 60, 1, wire.All})
	t += c.n.latency(c.ends[fromServer].typical)
	seq := c.seq
	control := byte(wire.AppFIR)
	c.response = append(c.response[:0], 0, wire.Response, 0, 0)
	fragment := c.response
	flush := func(final bool) {
		fragment[0] = control | seq
		if final {
			fragment[0] |= wire.AppFIN
		} else {
			fragment[0] |= wire.AppCON
		}
		binary.LittleEndian.PutUint16(fragment[2:], c.outstation.iin())
		t = c.confirm(c.send(t, fromServer, fragment), fragment)
		t += c.n.between(millisecond, 3*millisecond)
		seq, control = (seq+1)&0x0f, 0
		fragment = append(fragment[:0], 0, wire.Response, 0, 0)
	}
	o := c.outstation
	for k := range o.points {
		for i := 0; i < len(o.points[k]); {
			if o.points[k][i].absent {
				i++
				continue
			}
			end := i
			for end+1 < len(o.points[k]) && end-i < 150 && !o.points[k][end+1].absent {
				end++
			}
			if len(fragment)+7+5*(end-i+1) > maxFragment {
				flush(false)
			}
			fragment = o.appendStatic(fragment, k, i, end)
			i = end + 1
		}
	}
	flush(true)
	// The next request follows the last fragment's number (4.2.2.4.5).
	c.seq = (seq - 1) & 0x0f
	c.response = fragment
	return t
}
