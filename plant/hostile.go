package plant

import (
	"net/netip"

	"github.com/weir-ics/weir/plant/wire"
)

// hostile sends, a thousand times a second, one of the things below from hosts
// of its own.
func (g *loader) hostile() {
	h := &hostileHosts{loader: g, server: newHost("target", netip.AddrFrom4([4]byte{10, 32, 0, 1}), wire.MAC{0x00, 0x80, 0xf4, 0x32, 0, 1}, true, millisecond)}
	for i := range 50 {
		h.clients = append(h.clients, newHost("attacker", netip.AddrFrom4([4]byte{10, 32, 1, byte(i + 1)}), wire.MAC{0x08, 0x00, 0x27, 0x32, 1, byte(i + 1)}, false, millisecond))
	}
	g.n.every(g.start, func() (int64, bool) {
		c := h.clients[g.rnd.IntN(len(h.clients))]
		hostileActs[g.rnd.IntN(len(hostileActs))](h, c, g.n.now)
		return g.n.now + g.n.between(500e3, 1500e3), true
	})
}

type hostileHosts struct {
	*loader
	server  *host
	clients []*host
}

func (h *hostileHosts) junk(size int) []byte {
	b := make([]byte, size)
	for i := range b {
		b[i] = byte(h.rnd.Uint32())
	}
	return b
}

// message is a good request of either protocol, with its port.
func (h *hostileHosts) message() (port uint16, data []byte) {
	if h.rnd.IntN(2) == 0 {
		return modbusPort, wire.AppendMBAP(nil, uint16(h.rnd.Uint32()), 1, wire.AppendAddressValue(nil, wire.ReadHoldingRegisters, uint16(h.rnd.IntN(100)), 10))
	}
	var transport uint8
	return dnp3Port, wire.AppendFragment(nil, wire.FromMaster, 10, 1, &transport, []byte{0xc0 | byte(h.rnd.IntN(16)), wire.Read, 60, 2, wire.All, 60, 3, wire.All})
}

// open connects to a port and leaves the connection to be used.
func (h *hostileHosts) open(c *host, t int64, port uint16) (*conn, int64) {
	k := newConn(h.n, c, h.server, port)
	return k, k.connect(t)
}

var hostileActs = []func(h *hostileHosts, c *host, t int64){
	// A SYN from a forged address.
	func(h *hostileHosts, c *host, t int64) {
		p := header(c, h.server)
		r := h.rnd.Uint64()
		p.Src, p.SrcPort, p.DstPort, p.Seq, p.Flags, p.Window = wire.IP{10, 33, byte(r), byte(r >> 8)}, uint16(r>>16), uint16(r>>32), uint32(r>>32), wire.SYN, 1024
		h.n.emit(t, -1, wire.AppendTCP(h.n.buffer(), &p, nil))
	},
	// Garbage on the protocols' ports.
	func(h *hostileHosts, c *host, t int64) {
		k, t := h.open(c, t, [2]uint16{modbusPort, dnp3Port}[h.rnd.IntN(2)])
		t = k.transmit(t, fromClient, h.junk(1+h.rnd.IntN(600)))
		k.reset(t+millisecond, fromServer)
	},
	// A good message with bits turned.
	func(h *hostileHosts, c *host, t int64) {
		port, data := h.message()
		for range 1 + h.rnd.IntN(4) {
			data[h.rnd.IntN(len(data))] ^= 1 << h.rnd.IntN(8)
		}
		k, t := h.open(c, t, port)
		t = k.transmit(t, fromClient, data)
		k.close(t + millisecond)
	},
	// Overlapping segments with different bytes, one octet at a time, out of order.
	func(h *hostileHosts, c *host, t int64) {
		port, data := h.message()
		k, t := h.open(c, t, port)
		base := k.seq[fromClient]
		for _, i := range h.rnd.Perm(len(data)) {
			k.seq[fromClient] = base + uint32(i)
			piece := data[i:min(len(data), i+1+h.rnd.IntN(4))]
			if h.rnd.IntN(6) == 0 {
				piece = h.junk(len(piece))
			}
			k.segment(t, fromClient, wire.ACK, nil, piece)
			t += 20e3
		}
		k.seq[fromClient] = base + uint32(len(data))
		k.idle = t
		k.reset(t+millisecond, fromClient)
	},
	// A hole that is never filled.
	func(h *hostileHosts, c *host, t int64) {
		port, data := h.message()
		k, t := h.open(c, t, port)
		for range 12 {
			if h.rnd.IntN(4) == 0 {
				k.seq[fromClient] += uint32(len(data))
			}
			t = k.transmit(t+100e3, fromClient, data)
		}
		k.reset(t+millisecond, fromClient)
	},
	// A segment in the middle of nowhere.
	func(h *hostileHosts, c *host, t int64) {
		port, data := h.message()
		p := header(c, h.server)
		p.SrcPort, p.DstPort, p.Seq, p.Ack, p.Flags, p.Window = c.nextPort(), port, h.rnd.Uint32(), h.rnd.Uint32(), wire.ACK|wire.PSH, 100
		h.n.emit(t, -1, wire.AppendTCP(h.n.buffer(), &p, data))
	},
	// A packet in fragments, some of which overlap, repeat or are missing.
	func(h *hostileHosts, c *host, t int64) {
		port, data := h.message()
		p := header(c, h.server)
		p.SrcPort, p.DstPort = c.nextPort(), port
		whole := wire.AppendUDP(nil, &p, append(data, h.junk(200)...))[34:]
		for at := 0; at < len(whole); at += 64 {
			end := min(at+64, len(whole))
			if h.rnd.IntN(4) == 0 {
				end = min(at+96, len(whole))
			}
			f := p
			f.Fragment = uint16(at / 8)
			if end < len(whole) {
				f.Fragment |= 0x2000
			}
			if h.rnd.IntN(12) > 0 {
				h.n.emit(t, -1, wire.AppendIPv4(h.n.buffer(), &f, 17, whole[at:end]))
			}
			t += 10e3
		}
	},
	// DNP3 by UDP, and junk by UDP.
	func(h *hostileHosts, c *host, t int64) {
		_, data := h.message()
		if h.rnd.IntN(2) == 0 {
			data = h.junk(h.rnd.IntN(300))
		}
		h.n.udp(t, c, h.server, c.nextPort(), dnp3Port, data)
	},
	// A frame whose headers lie or that is cut.
	func(h *hostileHosts, c *host, t int64) {
		port, data := h.message()
		p := header(c, h.server)
		p.SrcPort, p.DstPort, p.Seq, p.Ack, p.Flags = c.nextPort(), port, h.rnd.Uint32(), h.rnd.Uint32(), wire.ACK
		f := wire.AppendTCP(h.n.buffer(), &p, data)
		switch h.rnd.IntN(4) {
		case 0:
			f = f[:14+h.rnd.IntN(len(f)-14)]
		case 1:
			f[14] = byte(h.rnd.Uint32())
		case 2:
			f[16], f[17] = byte(h.rnd.Uint32()), byte(h.rnd.Uint32())
		default:
			f[46] = byte(h.rnd.Uint32())
		}
		h.n.emit(t, -1, f)
	},
	// A burst of requests in one segment, without an answer.
	func(h *hostileHosts, c *host, t int64) {
		var data []byte
		for i := range 40 {
			data = wire.AppendMBAP(data, uint16(i), byte(h.rnd.Uint32()), []byte{byte(h.rnd.Uint32()), 0, byte(i), 0, 1})
		}
		k, t := h.open(c, t, modbusPort)
		t = k.transmit(t, fromClient, data)
		k.close(t + millisecond)
	},
	// DNP3 frames as small as they can be.
	func(h *hostileHosts, c *host, t int64) {
		var data []byte
		for i := range 100 {
			data = wire.AppendLinkFrame(data, wire.LinkStatusAsk, uint16(h.rnd.Uint32()), uint16(i), nil)
		}
		k, t := h.open(c, t, dnp3Port)
		t = k.transmit(t, fromClient, data)
		k.close(t + millisecond)
	},
}
