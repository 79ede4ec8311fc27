package plant

import (
	"github.com/weir-ics/weir/plant/wire"
)

func floodRequests(w *world, a *assault) {
	c := w.client(a, a.from, w.plc3)
	w.n.every(w.n.now, func() (int64, bool) {
		var t int64
		w.as(a, func() { _, t = c.read(w.n.now, poll{1, wire.ReadInputRegisters, 0, 38}) })
		if t >= a.end {
			w.as(a, func() { w.closing(c.conn, t) })
			return 0, false
		}
		return t + 400e3, true
	})
}

func floodSYN(w *world, a *assault) {
	w.during(a, 6*millisecond, func(i int, t int64) {
		p := header(a.from, w.plc2)
		r := w.chance.Uint64()
		p.Src = wire.IP{10, byte(r), byte(r >> 8), byte(r>>16)%250 + 1}
		p.SrcPort, p.DstPort, p.Seq, p.Flags, p.Window, p.Options = uint16(1024+r>>24%60000), modbusPort, uint32(r>>32), wire.SYN, 512, wire.ControllerOptions
		w.n.emit(t, -1, wire.AppendTCP(w.n.buffer(), &p, nil))
	})
}

func floodConnections(w *world, a *assault) {
	var held []*modbusClient
	w.steps(a, 64, 100*millisecond, func(_ int, t int64) {
		c := w.client(a, a.from, w.plc2)
		c.connect(t)
		held = append(held, c)
	})
	w.later(a, 0, func() {
		for _, c := range held {
			c.reset(w.n.now, fromClient)
		}
	})
}

func floodExceptions(w *world, a *assault) {
	c := w.hmiLink(w.plc1)
	w.during(a, 250*millisecond, func(i int, t int64) { c.read(t, poll{1, wire.ReadHoldingRegisters, uint16(4000 + i), 10}) })
}

func floodMalformed(w *world, a *assault) {
	c := w.client(a, a.from, w.plc2)
	bad := [][]byte{
		{0, 1, 0, 0, 0, 6, 1, 3, 0, 0, 0x7f, 0xff},                // quantity out of range
		{0, 2, 0, 0, 0, 6, 1, 5, 0, 0, 0x12, 0x34},                // coil neither on nor off
		{0, 3, 0, 0, 0, 9, 1, 16, 0, 0, 0, 1, 4, 0, 1},            // byte count does not fit
		{0, 4, 0, 7, 0, 6, 1, 3, 0, 0, 0, 1},                      // protocol identifier is not 0
		{0, 5, 0, 0, 0, 2, 1, 0},                                  // function 0
		{0, 6, 0, 0, 0xff, 0xff, 1, 3, 0, 0, 0, 1},                // length too large
		{0, 7, 0, 0, 0, 1, 1},                                     // no function
		{0xde, 0xad, 0xbe, 0xef, 0xde, 0xad, 0xbe, 0xef, 1, 2, 3}, // nothing at all
	}
	w.steps(a, 40, 120*millisecond, func(i int, t int64) {
		if t = max(t, c.idle); !c.open {
			t = c.connect(t)
		}
		t = c.transmit(t, fromClient, bad[i%len(bad)])
		// The controller gives up on it.
		c.idle = t + w.n.between(2*millisecond, 9*millisecond)
		c.reset(c.idle, fromServer)
	})
}

func floodReset(w *world, a *assault) {
	w.during(a, 5*second, func(_ int, t int64) {
		c := w.hmiLink(w.plc3)
		if !c.open {
			return
		}
		p := c.header(fromServer)
		p.SrcMAC, p.Flags, p.Window = a.from.mac, wire.RST, 0
		t = max(t, c.idle)
		w.n.emit(t, -1, wire.AppendTCP(w.n.buffer(), &p, nil))
		c.open, c.idle, c.ackDue = false, t, [2]int64{}
	})
}

func pollStopped(w *world, a *assault) {
	s := w.scan(w.plc3)
	s.paused = true
	w.later(a, 0, func() { s.paused = false })
}

func pollFaster(w *world, a *assault) {
	s := w.scan(w.plc2)
	s.pace, s.label = 5, a.label
	w.later(a, 0, func() { s.pace, s.label = 0, -1 })
}

func pollSlower(w *world, a *assault) {
	s := w.scan(w.plc2)
	s.pace = 1.0 / 6
	w.later(a, 0, func() { s.pace = 0 })
}

func pollNarrowed(w *world, a *assault) {
	s := w.scan(w.plc3)
	plan := s.plan
	s.plan = plan[:2]
	w.later(a, 0, func() { s.plan = plan })
}

func deviceSilent(w *world, a *assault) {
	w.device(w.plc3).bootUntil = a.end
}

func responseSlow(w *world, a *assault) {
	s := w.scan(w.plc3)
	s.client.slow, s.label = 15, a.label
	w.later(a, 0, func() { s.client.slow, s.label = 0, -1 })
}

func responseTwice(w *world, a *assault) {
	c := w.scan(w.plc3).client
	c.after = func(t int64, response []byte) int64 {
		if response[0] != wire.ReadInputRegisters || len(response) < 8 {
			return t
		}
		w.as(a, func() {
			second := append([]byte(nil), response...)
			second[4] ^= 0x11
			second[5] ^= 0x4c
			t = c.transmit(t+w.n.between(millisecond, 4*millisecond), fromServer, wire.AppendMBAP(nil, c.transaction, 1, second))
		})
		return t
	}
	w.later(a, 0, func() { c.after = nil })
}

func secondMaster(w *world, a *assault) {
	s := &scanner{client: w.client(a, a.from, w.plc3), plan: hmiPlan[2], period: int64(w.poll), label: a.label}
	s.start(w.n.now)
	w.later(a, 0, func() {
		s.stopped = true
		w.as(a, func() { w.closing(s.client.conn, w.n.now) })
	})
}

func dnp3PollStopped(w *world, a *assault) {
	w.dnp3.paused = true
	w.later(a, 0, func() { w.dnp3.paused = false })
}
