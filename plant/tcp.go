package plant

import "github.com/weir-ics/weir/plant/wire"

// The two directions of a connection, by who sends.
const (
	fromClient = 0
	fromServer = 1
)

// maxSegmentSize is the TCP payload that fits an Ethernet frame.
const maxSegmentSize = 1460

// delayedAck is how long a stack waits for something to carry its
// acknowledgement (RFC 9293, 3.8.6.3).
const delayedAck = 40 * millisecond

// conn is one TCP connection. Exchanges on it follow each other: idle says when
// the next can start.
type conn struct {
	n      *network
	ends   [2]*host
	port   [2]uint16
	seq    [2]uint32
	window [2]uint16
	ackDue [2]int64
	ack    [2]func()
	idle   int64
	open   bool
	// label is the attack that the whole connection belongs to, -1 for none.
	label       int
	transaction uint16
	mss         int
}

func newConn(n *network, client, server *host, port uint16) *conn {
	c := &conn{n: n, ends: [2]*host{client, server}, label: -1, mss: maxSegmentSize}
	c.port[fromServer] = port
	for d := range c.ack {
		c.ack[d] = func() {
			if c.ackDue[d] != 0 && c.ackDue[d] <= n.now && c.open {
				c.segment(c.ackDue[d], d, wire.ACK, nil, nil)
				c.ackDue[d] = 0
			}
		}
	}
	return c
}

// connect opens the connection at time t or later and returns when it is open.
// With the server's link down it stays closed.
func (c *conn) connect(t int64) int64 {
	n := c.n
	client, server := c.ends[fromClient], c.ends[fromServer]
	t = n.resolve(max(t, c.idle), client, server)
	c.port[fromClient] = client.nextPort()
	c.seq = [2]uint32{n.rnd.Uint32(), n.rnd.Uint32()}
	c.window = [2]uint16{client.window(), server.window()}
	c.ackDue = [2]int64{}
	c.segment(t, fromClient, wire.SYN, client.options(), nil)
	if server.down {
		// One more try after a second, as stacks do.
		c.segment(t+second, fromClient, wire.SYN, client.options(), nil)
		c.idle = t + 3*second
		return c.idle
	}
	c.seq[fromClient]++
	t += n.between(150e3, 600e3)
	c.segment(t, fromServer, wire.SYN|wire.ACK, server.options(), nil)
	c.seq[fromServer]++
	t += n.between(40e3, 150e3)
	c.segment(t, fromClient, wire.ACK, nil, nil)
	c.open = true
	c.idle = t + n.between(50e3, 300e3)
	return c.idle
}

// close ends the connection in good order, the client first.
func (c *conn) close(t int64) int64 {
	if !c.open {
		return t
	}
	n := c.n
	t = max(t, c.idle)
	c.segment(t, fromClient, wire.FIN|wire.ACK, nil, nil)
	c.seq[fromClient]++
	t += n.between(150e3, 600e3)
	c.segment(t, fromServer, wire.FIN|wire.ACK, nil, nil)
	c.seq[fromServer]++
	t += n.between(40e3, 150e3)
	c.segment(t, fromClient, wire.ACK, nil, nil)
	c.open, c.idle, c.ackDue = false, t, [2]int64{}
	return t
}

// reset ends the connection at once.
func (c *conn) reset(t int64, d int) int64 {
	if !c.open {
		return t
	}
	t = max(t, c.idle)
	c.segment(t, d, wire.RST|wire.ACK, nil, nil)
	c.open, c.idle, c.ackDue = false, t, [2]int64{}
	return t
}

// transmit sends payload in direction d at time t, in as many segments as it
// takes, and returns when the last is out. What d owed as acknowledgement goes
// with it.
func (c *conn) transmit(t int64, d int, payload []byte) int64 {
	for len(payload) > 0 {
		k := min(c.mss, len(payload))
		flags := uint8(wire.ACK)
		if k == len(payload) {
			flags |= wire.PSH
		}
		c.segment(t, d, flags, nil, payload[:k])
		c.seq[d] += uint32(k)
		payload = payload[k:]
		if len(payload) > 0 {
			t += c.n.between(10e3, 40e3)
		}
	}
	c.ackDue[d] = 0
	return t
}

// owe lets direction d acknowledge what it got at time t, if by then nothing
// else does.
func (c *conn) owe(t int64, d int) {
	c.ackDue[d] = t + c.n.between(delayedAck-4*millisecond, delayedAck+2*millisecond)
	c.n.at(c.ackDue[d], c.ack[d])
}

func (c *conn) segment(t int64, d int, flags uint8, options, payload []byte) {
	p := c.header(d)
	p.Flags, p.Options = flags, options
	if flags&wire.ACK == 0 {
		p.Ack = 0
	}
	label := c.label
	for _, h := range c.ends {
		if h.poisoned != nil {
			label = h.poisonLabel
		}
	}
	c.n.emit(t, label, wire.AppendTCP(c.n.buffer(), &p, payload))
}

func (c *conn) header(d int) wire.Packet {
	p := header(c.ends[d], c.ends[1-d])
	p.SrcPort, p.DstPort = c.port[d], c.port[1-d]
	p.Seq, p.Ack, p.Window = c.seq[d], c.seq[1-d], c.window[d]
	return p
}

// keepAlive probes the connection from the client (RFC 9293, 3.8.4).
func (c *conn) keepAlive(t int64) {
	if !c.open || t < c.idle {
		return
	}
	p := c.header(fromClient)
	p.Seq--
	p.Flags = wire.ACK
	c.n.emit(t, c.label, wire.AppendTCP(c.n.buffer(), &p, nil))
	c.segment(t+c.n.between(100e3, 400e3), fromServer, wire.ACK, nil, nil)
}

// lost sends payload to a server that hears nothing, with the client's
// retransmissions, and gives the connection up.
func (c *conn) lost(t int64, payload []byte) int64 {
	c.segment(t, fromClient, wire.ACK|wire.PSH, nil, payload)
	wait := 300 * millisecond
	for range 3 {
		t += wait
		wait *= 2
		c.segment(t, fromClient, wire.ACK|wire.PSH, nil, payload)
	}
	t += wait
	c.seq[fromClient] += uint32(len(payload))
	c.segment(t, fromClient, wire.RST|wire.ACK, nil, nil)
	c.open, c.idle, c.ackDue = false, t, [2]int64{}
	return t
}
