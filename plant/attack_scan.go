package plant

import (
	"github.com/weir-ics/weir/plant/wire"
)

// find returns the host with an address, nil if there is none.
func (w *world) find(ip wire.IP) *host {
	for _, h := range w.hosts() {
		if h.ip == ip {
			return h
		}
	}
	return nil
}

// listens tells whether a host has a server on a port.
func (w *world) listens(h *host, port uint16) bool {
	switch port {
	case modbusPort:
		return w.device(h) != nil
	case dnp3Port:
		return h == w.rtuHost
	case 80:
		return h == w.gateway || h == w.plc3
	case 3389:
		return h == w.hmi
	}
	return false
}

// knock sends a SYN to an address as a scanner does: an answer is met with a
// reset.
func (w *world) knock(t int64, from *host, ip wire.IP, port uint16) {
	to := w.find(ip)
	if to == nil {
		w.n.emit(t, -1, wire.AppendARP(w.n.buffer(), wire.ARPRequest, wire.Broadcast, from.mac, from.mac, from.ip, wire.MAC{}, ip))
		return
	}
	t = w.n.resolve(t, from, to)
	p := header(from, to)
	p.SrcPort, p.DstPort, p.Seq, p.Flags, p.Window, p.Options = from.nextPort(), port, uint32(w.chance.Uint64()), wire.SYN, 1024, wire.ControllerOptions
	w.n.emit(t, -1, wire.AppendTCP(w.n.buffer(), &p, nil))
	t += w.n.between(150e3, 500e3)
	a := header(to, from)
	a.SrcPort, a.DstPort, a.Ack, a.Flags = port, p.SrcPort, p.Seq+1, wire.RST|wire.ACK
	open := w.listens(to, port)
	if open {
		a.Seq, a.Flags, a.Window, a.Options = uint32(w.chance.Uint64()), wire.SYN|wire.ACK, to.window(), to.options()
	}
	w.n.emit(t, -1, wire.AppendTCP(w.n.buffer(), &a, nil))
	if open {
		r := header(from, to)
		r.SrcPort, r.DstPort, r.Seq, r.Flags = p.SrcPort, port, p.Seq+1, wire.RST
		w.n.emit(t+w.n.between(50e3, 150e3), -1, wire.AppendTCP(w.n.buffer(), &r, nil))
	}
}

func scanARP(w *world, a *assault) {
	w.steps(a, 254, 8*millisecond, func(i int, t int64) {
		ip := a.from.ip
		ip[3] = byte(i + 1)
		w.n.emit(t, -1, wire.AppendARP(w.n.buffer(), wire.ARPRequest, wire.Broadcast, a.from.mac, a.from.mac, a.from.ip, wire.MAC{}, ip))
		if h := w.find(ip); h != nil {
			w.n.emit(t+w.n.between(150e3, 500e3), -1, wire.AppendARP(w.n.buffer(), wire.ARPReply, a.from.mac, h.mac, h.mac, h.ip, a.from.mac, a.from.ip))
		}
	})
}

func scanHosts(w *world, a *assault) {
	w.steps(a, 60, 30*millisecond, func(i int, t int64) {
		ip := a.from.ip
		ip[3] = byte(i + 1)
		w.knock(t, a.from, ip, modbusPort)
	})
}

func scanPorts(w *world, a *assault) {
	ports := []uint16{20, 21, 22, 23, 25, 53, 69, 80, 102, 111, 123, 135, 139, 161, 179, 389, 443, 445, 502, 512, 513, 514, 515, 587, 631, 789, 802, 993, 1089, 1090, 1091, 1433, 1521, 1911, 1962, 2222, 2404, 3306, 3389, 4000, 4840, 4911, 5006, 5007, 5094, 5432, 5900, 8080, 8443, 9100, 9600, 10000, 18245, 18246, 20000, 20547, 34962, 34963, 34964, 44818, 47808, 50000, 55000, 62351}
	w.steps(a, len(ports), 12*millisecond, func(i int, t int64) { w.knock(t, a.from, w.plc1.ip, ports[i]) })
}

func scanUnits(w *world, a *assault) {
	c := w.client(a, a.from, w.analysers)
	w.steps(a, 248, 60*millisecond, func(i int, t int64) {
		_, t = c.read(t, poll{uint8(i), wire.ReadInputRegisters, 0, 1})
		if i == 247 {
			w.closing(c.conn, t)
		}
	})
}

func scanFunctions(w *world, a *assault) {
	c := w.client(a, a.from, w.plc3)
	w.steps(a, 127, 50*millisecond, func(i int, t int64) {
		// Addresses that do not exist: what writes shall not write.
		_, t = c.ask(t, 1, []byte{byte(i + 1), 0xff, 0xff, 0, 1})
		if i == 126 {
			w.closing(c.conn, t)
		}
	})
}

func scanRegisters(w *world, a *assault) {
	c := w.client(a, a.from, w.plc2)
	const each = 40
	functions := []uint8{wire.ReadHoldingRegisters, wire.ReadInputRegisters, wire.ReadCoils, wire.ReadDiscreteInputs}
	w.steps(a, each*len(functions), 40*millisecond, func(i int, t int64) {
		_, t = c.read(t, poll{1, functions[i/each], uint16(i % each * 4), 4})
		if i == each*len(functions)-1 {
			w.closing(c.conn, t)
		}
	})
}

func scanSlow(w *world, a *assault) {
	w.during(a, 120*second, func(i int, t int64) {
		c := w.client(a, w.site.historian, w.plc3)
		_, t = c.read(t, poll{1, wire.ReadHoldingRegisters, uint16(i), 1})
		w.closing(c.conn, t)
	})
}

func scanDNP3(w *world, a *assault) {
	c := w.rogueMaster(a, a.from, 100)
	w.steps(a, 64, 80*millisecond, func(i int, t int64) {
		if t = max(t, c.idle); !c.open {
			t = c.connect(t)
		}
		t = c.transmit(t, fromClient, wire.AppendLinkFrame(nil, wire.LinkStatusAsk, uint16(i), c.address, nil))
		c.idle = t + 20*millisecond
		if i == OutstationAddress {
			t = c.transmit(t+w.n.between(2*millisecond, 9*millisecond), fromServer, wire.AppendLinkFrame(nil, wire.LinkStatusSay, c.address, OutstationAddress, nil))
			c.owe(t, fromClient)
		} else {
			c.owe(t, fromServer)
		}
		if i == 63 {
			w.closing(c.conn, t+delayedAck+10*millisecond)
		}
	})
}

func reconDeviceID(w *world, a *assault) {
	w.steps(a, len(w.devices), 400*millisecond, func(i int, t int64) {
		d := w.devices[i]
		c := w.client(a, a.from, d.host)
		unit := uint8(1)
		if d.gateway {
			unit = 11
		}
		_, t = c.ask(t, unit, []byte{wire.ReadDeviceID, 14, 1, 0})
		_, t = c.ask(t, unit, []byte{wire.ReadDeviceID, 14, 2, 0})
		w.closing(c.conn, t)
	})
}

func reconUMAS(w *world, a *assault) {
	c := w.client(a, a.from, w.plc1)
	_, t := c.ask(w.n.now, 1, []byte{wire.UMAS, 0, umasReadID})
	_, t = c.ask(t+300*millisecond, 1, []byte{wire.UMAS, 0, 0x03})
	w.closing(c.conn, t)
}

func reconIntegrity(w *world, a *assault) {
	c := w.rogueMaster(a, a.from, 100)
	_, t := c.ask(w.n.now, wire.Read, 60, 1, wire.All)
	w.closing(c.conn, t)
}

func reconAttributes(w *world, a *assault) {
	c := w.rogueMaster(a, a.from, 100)
	_, t := c.ask(w.n.now, wire.Read, 0, 254, wire.StartStop8, 0, 0)
	w.closing(c.conn, t)
}

func newLaptop(w *world, a *assault) {
	h := a.from
	w.steps(a, 3, second, func(_ int, t int64) {
		w.n.emit(t, -1, wire.AppendARP(w.n.buffer(), wire.ARPRequest, wire.Broadcast, h.mac, h.mac, h.ip, wire.MAC{}, h.ip))
	})
	w.n.at(w.n.now+4*second, func() {
		w.steps(a, 6, 700*millisecond, func(i int, t int64) {
			w.nameLookup(t, h, []string{"wpad.corp.example", "dc1.corp.example", "time.corp.example", "update.vendor.example", "mail.corp.example", "proxy.corp.example"}[i])
		})
	})
	w.n.at(w.n.now+9*second, func() { w.as(a, func() { w.ntp(w.n.now, h) }) })
}

func remoteService(w *world, a *assault) {
	c := newConn(w.n, a.from, w.hmi, 3389)
	c.label = a.label
	c.connect(w.n.now)
	w.steps(a, 60, 250*millisecond, func(i int, t int64) {
		t = c.transmit(max(t, c.idle), fromClient, w.junk(40+w.chance.IntN(80)))
		t = c.transmit(t+w.n.between(millisecond, 8*millisecond), fromServer, w.junk(200+w.chance.IntN(1100)))
		c.owe(t, fromClient)
		c.idle = t + millisecond
		if i == 59 {
			w.closing(c, t)
		}
	})
}

func exfiltrate(w *world, a *assault) {
	// An address outside is reached through the gateway: its MAC, another IP.
	outside := *w.gateway
	outside.ip, outside.ttl, outside.arp = wire.IP{203, 0, 113, 80}, 52, nil
	c := newConn(w.n, w.site.historian, &outside, 443)
	c.label = a.label
	w.site.historian.learn(&outside, w.n.now)
	c.connect(w.n.now)
	w.steps(a, 80, 150*millisecond, func(i int, t int64) {
		t = c.transmit(max(t, c.idle), fromClient, w.junk(4380))
		c.owe(t, fromServer)
		c.idle = t + millisecond
		if i == 79 {
			w.closing(c, t+delayedAck+5*millisecond)
		}
	})
}

// junk is what an encrypted payload looks like.
func (w *world) junk(size int) []byte {
	b := make([]byte, size)
	for i := range b {
		b[i] = byte(w.chance.Uint32())
	}
	return b
}
