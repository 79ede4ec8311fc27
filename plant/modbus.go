package plant

import (
	"github.com/weir-ics/weir/plant/wire"
)

// modbusPort is the registered port.
const modbusPort = 502

// A poll is one request that a client repeats.
type poll struct {
	unit              uint8
	function          uint8
	address, quantity uint16
}

func (p poll) append(dst []byte) []byte {
	return wire.AppendAddressValue(dst, p.function, p.address, p.quantity)
}

// responder is whatever answers PDUs: a device, or the stand-in of a generated
// load.
type responder interface {
	serve(dst []byte, t int64, unit uint8, pdu []byte) []byte
}

// modbusClient is one client's connection to one server.
type modbusClient struct {
	*conn
	server responder
	// slow stretches the server's response time, 0 for not.
	slow float64
	// before is called with the answer that the server is about to send: somebody
	// may send something first. after is called when it did, and returns when all
	// was sent.
	before func(t int64, response []byte)
	after  func(t int64, response []byte) int64
	// timeout is how long the client waits.
	timeout int64

	request, response, adu []byte
}

func newModbusClient(n *network, from *host, to *host, server responder) *modbusClient {
	return &modbusClient{conn: newConn(n, from, to, modbusPort), server: server, timeout: second}
}

// ask sends one request at time t or as soon as the connection allows, has it
// answered, and returns the PDU of the answer and when it was complete. The
// answer is nil if there was none.
func (c *modbusClient) ask(t int64, unit uint8, pdu []byte) (answer []byte, done int64) {
	n := c.n
	t = max(t, c.idle)
	if !c.open {
		if t = c.connect(t); !c.open {
			return nil, t
		}
	}
	c.transaction++
	c.adu = wire.AppendMBAP(c.adu[:0], c.transaction, unit, pdu)
	server := c.ends[fromServer]
	if server.down {
		return nil, c.lost(t, c.adu)
	}
	sent := c.transmit(t, fromClient, c.adu)
	took := n.latency(server.typical)
	if c.slow > 0 {
		took = int64(float64(took) * c.slow)
	}
	at := sent + took
	c.response = c.server.serve(c.response[:0], at, unit, pdu)
	label := c.label
	if d, ok := c.server.(*device); ok && d.told >= 0 {
		label = d.told
	}
	if len(c.response) == 0 {
		c.owe(sent, fromServer)
		c.idle = sent + c.timeout
		return nil, c.idle
	}
	if took > delayedAck {
		c.segment(sent+delayedAck, fromServer, wire.ACK, nil, nil)
	}
	if c.before != nil {
		c.before(at, c.response)
	}
	c.adu = wire.AppendMBAP(c.adu[:0], c.transaction, unit, c.response)
	own := c.label
	c.label = label
	at = c.transmit(at, fromServer, c.adu)
	c.label = own
	if c.after != nil {
		at = c.after(at, c.response)
	}
	c.owe(at, fromClient)
	c.idle = at + n.between(200e3, 1500e3)
	return c.response, at
}

// read is ask for a poll.
func (c *modbusClient) read(t int64, p poll) (answer []byte, done int64) {
	c.request = p.append(c.request[:0])
	return c.ask(t, p.unit, c.request)
}

// A scanner polls one server in cycles.
type scanner struct {
	client *modbusClient
	plan   []poll
	period int64
	// jitter is how much a cycle may be late.
	jitter int64
	// drift is by how much the client's clock is off, as a share.
	drift float64
	// perCycle opens a connection for each cycle and closes it after.
	perCycle bool
	// paused stops the polls, stopped does for ever; pace divides the period (0 is
	// 1).
	paused, stopped bool
	pace            float64
	// label is the attack that the polls are part of, -1 for none.
	label  int
	begin  int64
	cycles int64
}

// start lets the scanner work from time t on.
func (s *scanner) start(t int64) {
	s.begin = t
	n := s.client.n
	n.every(t, func() (int64, bool) {
		if s.stopped {
			return 0, false
		}
		// A cycle that has not ended, because answers are awaited, is not begun again.
		if !s.paused && s.client.idle < n.now+s.period/2 {
			old := n.label
			n.label = s.label
			s.cycle(n.now)
			n.label = old
		}
		period := float64(s.period) * (1 + s.drift)
		if s.pace > 0 {
			period /= s.pace
		}
		s.begin += int64(period)
		return max(n.now, s.begin+int64(n.rnd.Float64()*float64(s.jitter))), true
	})
}

func (s *scanner) cycle(t int64) {
	c := s.client
	for _, p := range s.plan {
		answer, done := c.read(t, p)
		if answer == nil {
			return // silent, or the link is down: the next cycle tries again
		}
		t = done
	}
	if s.perCycle {
		c.close(t)
	}
	s.cycles++
}
