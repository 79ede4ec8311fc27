package plant

import (
	"encoding/binary"

	"github.com/weir-ics/weir/plant/water"
	"github.com/weir-ics/weir/plant/wire"
)

func plcRestart(w *world, a *assault) {
	w.once(a, a.from, w.plc3, 1, wire.AppendAddressValue(nil, wire.Diagnostics, 1, 0))
}

func plcListenOnly(w *world, a *assault) {
	c := w.client(a, a.from, w.plc3)
	c.timeout = 200 * millisecond
	_, t := c.ask(w.n.now, 1, wire.AppendAddressValue(nil, wire.Diagnostics, 4, 0))
	w.closing(c.conn, t)
	w.later(a, 0, func() { w.device(w.plc3).listenOnly = false })
}

func plcClearCounters(w *world, a *assault) {
	w.once(a, a.from, w.plc3, 1, wire.AppendAddressValue(nil, wire.Diagnostics, 10, 0))
}

func plcStop(w *world, a *assault) {
	c := w.client(a, a.from, w.plc1)
	_, t := c.ask(w.n.now, 1, append([]byte{wire.UMAS, 0, umasTakePLC, 0x3b, 0x0e, 0, 0, 7}, "WORKST7"...))
	_, t = c.ask(t+40*millisecond, 1, []byte{wire.UMAS, 0x5c, umasStop, 0xff, 0})
	_, t = c.ask(t+40*millisecond, 1, []byte{wire.UMAS, 0x5c, umasReleasePLC})
	w.closing(c.conn, t)
	w.later(a, 0, func() { w.device(w.plc1).stopped = false })
}

func plcDownload(w *world, a *assault) {
	c := w.client(a, a.from, w.plc2)
	_, t := c.ask(w.n.now, 1, append([]byte{wire.UMAS, 0, umasTakePLC, 0x3b, 0x0e, 0, 0, 7}, "WORKST7"...))
	c.ask(t+40*millisecond, 1, []byte{wire.UMAS, 0x5c, umasDownInit, 0, 1})
	const blocks = 120
	w.steps(a, blocks, 60*millisecond, func(i int, t int64) {
		block := []byte{wire.UMAS, 0x5c, umasDownBlock, 0, 1}
		block = binary.LittleEndian.AppendUint16(block, uint16(i+1))
		block = append(block, 0xc8, 0)
		_, t = c.ask(t, 1, append(block, w.junk(200)...))
		if i == blocks-1 {
			_, t = c.ask(t+30*millisecond, 1, []byte{wire.UMAS, 0x5c, umasDownEnd, 0, 1, blocks, 0})
			_, t = c.ask(t+30*millisecond, 1, []byte{wire.UMAS, 0x5c, umasReleasePLC})
			w.closing(c.conn, t)
		}
	})
}

func plcFileWrite(w *world, a *assault) {
	c := w.client(a, a.from, w.plc3)
	w.steps(a, 12, 80*millisecond, func(i int, t int64) {
		// One group: reference type 6, file 4, record i*16, 16 registers.
		pdu := []byte{wire.WriteFileRecord, 7 + 32, 6, 0, 4, 0, byte(i * 16), 0, 16}
		_, t = c.ask(t, 1, append(pdu, w.junk(32)...))
		if i == 11 {
			w.closing(c.conn, t)
		}
	})
}

// rogue sends requests as a second master, one after the other.
func (w *world) rogue(a *assault, requests ...func(c *dnp3Client, t int64) int64) {
	c := w.rogueMaster(a, a.from, 100)
	t := w.n.now
	for _, r := range requests {
		t = r(c, t+w.n.between(5*millisecond, 60*millisecond))
	}
	w.closing(c.conn, t)
}

func dnp3Request(function uint8, objects ...byte) func(c *dnp3Client, t int64) int64 {
	return func(c *dnp3Client, t int64) int64 {
		_, t = c.ask(t, function, objects...)
		return t
	}
}

// fromMaster sends requests as the real master would, on its connection.
func (w *world) fromMaster(requests ...func(c *dnp3Client, t int64) int64) {
	t := w.n.now
	for _, r := range requests {
		t = r(w.dnp3.client, t+w.n.between(5*millisecond, 60*millisecond))
	}
}

// reclose closes a breaker again, at its panel.
func (w *world) reclose(a *assault, breaker int) {
	w.later(a, 0, func() { w.process.Electric.Command(breaker, water.Closed) })
}

func dnp3ColdRestart(w *world, a *assault) {
	w.rogue(a, dnp3Request(wire.ColdRestart))
	// The outstation closes the master's connection as it goes down.
	w.n.at(w.n.now+400*millisecond, func() { w.as(a, func() { w.dnp3.client.reset(w.n.now, fromServer) }) })
}

func dnp3WarmRestart(w *world, a *assault) { w.fromMaster(dnp3Request(wire.WarmRestart)) }

func dnp3Disable(w *world, a *assault) {
	w.rogue(a, dnp3Request(wire.DisableUnsolicited, allClasses...))
	w.later(a, 5*minute, func() { w.dnp3.client.ask(w.n.now, wire.EnableUnsolicited, allClasses...) })
}

func dnp3Stop(w *world, a *assault) {
	w.rogue(a, dnp3Request(wire.StopApplication))
	w.later(a, 0, func() { w.rtu.stopped = false })
}

func dnp3NoSelect(w *world, a *assault) {
	w.rogue(a, dnp3Request(wire.Operate, crobObject(water.FeederB, 0x81)...))
}

func dnp3Trip(w *world, a *assault) {
	w.rogue(a, func(c *dnp3Client, t int64) int64 { return c.operate(t, crobObject(water.FeederA, 0x81)) })
	w.reclose(a, water.FeederA)
}

func dnp3Direct(w *world, a *assault) {
	w.fromMaster(dnp3Request(wire.DirectOperate, crobObject(water.FeederB, 0x81)...))
	w.reclose(a, water.FeederB)
}

func dnp3Mismatch(w *world, a *assault) {
	w.fromMaster(dnp3Request(wire.Select, crobObject(water.FeederB, 0x81)...), dnp3Request(wire.Operate, crobObject(water.Incomer, 0x81)...))
}

func dnp3Analog(w *world, a *assault) {
	w.fromMaster(func(c *dnp3Client, t int64) int64 { return c.operate(t, []byte{41, 2, wire.Index8, 1, 0, 17, 0, 0}) })
	w.later(a, 0, func() { w.process.Electric.TapSet = 9 })
}

func dnp3Time(w *world, a *assault) {
	w.rogue(a, dnp3Request(wire.Write, timeObject(w.n.now-3600*second)...))
	w.later(a, 5*minute, func() { w.rtu.needTime = true })
}

// fileObject is a file command, group 70 variation 3, for a file by its name.
func fileObject(name string, mode uint16) []byte {
	b := []byte{70, 3, wire.FreeFormat, 1, byte(26 + len(name)), 0, 26, 0, byte(len(name)), 0}
	b = append(b, 0, 0, 0, 0, 0, 0) // time of creation
	b = append(b, 0xff, 0x01)       // permissions
	b = append(b, 0, 0, 0, 0)       // authentication key
	b = append(b, 0, 0, 0, 0)       // size
	b = binary.LittleEndian.AppendUint16(b, mode)
	b = append(b, 0, 2, 1, 0) // largest block, request identifier
	return append(b, name...)
}

const rtuFile = "/config/points.cfg"

func dnp3FileRead(w *world, a *assault) {
	requests := []func(c *dnp3Client, t int64) int64{dnp3Request(wire.OpenFile, fileObject(rtuFile, 1)...)}
	for block := range (len(w.rtu.file) + fileBlock - 1) / fileBlock {
		b := []byte{70, 5, wire.FreeFormat, 1, 8, 0, 0x44, 0x33, 0x22, 0x11}
		requests = append(requests, dnp3Request(wire.Read, binary.LittleEndian.AppendUint32(b, uint32(block))...))
	}
	status := []byte{70, 4, wire.FreeFormat, 1, 13, 0, 0x44, 0x33, 0x22, 0x11, 0, 0, 0, 0, 0, 0, 1, 0, 0}
	w.rogue(a, append(requests, dnp3Request(wire.CloseFile, status...))...)
}

func dnp3FileDelete(w *world, a *assault) {
	w.rogue(a, dnp3Request(wire.DeleteFile, fileObject(rtuFile, 0)...))
}

func dnp3FreezeClear(w *world, a *assault) {
	w.rogue(a, dnp3Request(wire.FreezeClear, wire.AppendAllObjects(nil, 20, 0)...))
}

func dnp3AssignClass(w *world, a *assault) {
	// Class 0 header, then the points it is to hold.
	w.rogue(a, dnp3Request(wire.AssignClass, 60, 1, wire.All, 3, 0, wire.StartStop8, 0, 2))
}

func dnp3Deadband(w *world, a *assault) {
	objects := []byte{34, 2, wire.StartStop8, 0, 8}
	old := make([]float64, 9)
	for i := range old {
		objects = binary.LittleEndian.AppendUint32(objects, 1000000)
		old[i] = w.rtu.points[analogInputs][i].deadband
	}
	w.rogue(a, dnp3Request(wire.Write, objects...))
	w.later(a, 0, func() {
		for i := range old {
			w.rtu.points[analogInputs][i].deadband = old[i]
		}
	})
}

func dnp3Replay(w *world, a *assault) {
	// The link and application sequence are those of a recorded exchange: the
	// master's own address, and numbers that do not follow its last.
	c := w.rogueMaster(a, a.from, MasterAddress)
	_, t := c.askWith(w.n.now, 7, wire.Select, crobObject(water.FeederB, 0x81)...)
	_, t = c.askWith(t+6*millisecond, 8, wire.Operate, crobObject(water.FeederB, 0x81)...)
	w.closing(c.conn, t)
	w.reclose(a, water.FeederB)
}

func dnp3SpoofUnsolicited(w *world, a *assault) {
	c := w.dnp3.client
	fragment := []byte{wire.AppFIR | wire.AppFIN | wire.AppCON | wire.AppUNS | (w.rtu.seq+1)&0x0f, wire.Unsolicited, 0, 0}
	fragment = wire.AppendIndexed(fragment, 4, 2, 1)
	fragment = append(fragment, water.FeederA, 0, online|water.Open<<6)
	fragment = wire.AppendDNP3Time(fragment, w.rtu.clock(w.n.now))
	transport := c.transport[fromServer]
	w.inject(a, c.conn, max(w.n.now, c.idle), wire.AppendFragment(nil, wire.FromOutstation, c.address, c.remote, &transport, fragment))
}

func dnp3Broadcast(w *world, a *assault) {
	c := w.rogueMaster(a, a.from, 100)
	c.remote = 0xffff
	t := w.n.now
	for b := range uint8(water.NumBreakers) {
		_, t = c.ask(t, wire.DirectOperateNR, crobObject(b, 0x81)...)
	}
	w.closing(c.conn, t)
	for b := range water.NumBreakers {
		w.reclose(a, b)
	}
}

func dnp3BadRequests(w *world, a *assault) {
	requests := [][]byte{
		{wire.Read, 86, 3, wire.All}, {wire.Read, 1, 0, wire.StartStop8, 90, 99}, {wire.Read, 110, 0, wire.All},
		{31, 60, 1, wire.All}, {wire.Read, 30, 0, wire.StartStop8, 60, 80}, {wire.InitializeAppl},
	}
	w.during(a, 2*second, func(i int, _ int64) {
		r := requests[i%len(requests)]
		w.fromMaster(dnp3Request(r[0], r[1:]...))
	})
}

func dnp3Takeover(w *world, a *assault) {
	w.rogue(a, dnp3Request(wire.ColdRestart))
	w.n.at(w.n.now+400*millisecond, func() { w.as(a, func() { w.dnp3.client.reset(w.n.now, fromServer) }) })
	w.n.at(w.n.now+20*second, func() {
		w.as(a, func() {
			w.rogue(a, dnp3Request(wire.Write, timeObject(w.n.now-86400*second)...), dnp3Request(wire.DisableUnsolicited, allClasses...))
		})
	})
	w.later(a, 5*minute, func() {
		w.rtu.needTime = true
		w.dnp3.client.ask(w.n.now, wire.EnableUnsolicited, allClasses...)
	})
}

// inject sends a forged segment in the place of the server's next, from the
// intruder's machine.
func (w *world) inject(a *assault, c *conn, t int64, payload []byte) {
	if !c.open {
		return
	}
	p := c.header(fromServer)
	p.SrcMAC, p.Flags, p.ID = a.from.mac, wire.ACK|wire.PSH, uint16(w.chance.Uint32())
	w.n.emit(t, -1, wire.AppendTCP(w.n.buffer(), &p, payload))
}

func dnp3Malformed(w *world, a *assault) {
	c := w.rogueMaster(a, a.from, 100)
	var transport uint8
	good := func(fragment ...byte) []byte {
		return wire.AppendFragment(nil, wire.FromMaster, OutstationAddress, 100, &transport, fragment)
	}
	bad := [][]byte{
		good(0xc0, wire.Read, 60, 1, 0x3f),            // reserved qualifier
		good(0xc1, wire.Read, 250, 99, wire.All),      // no such object
		good(0xc2, 0x63),                              // no such function
		good(0xc3, wire.Read, 1, 0, wire.StartStop16), // header cut short
		good(0xc4), // no function at all
		{0x05, 0x64, 0x02, 0xc4, 10, 0, 100, 0, 0, 0}, // length too small
	}
	broken := good(0xc5, wire.Read, 60, 1, wire.All)
	broken[len(broken)-1] ^= 0x55 // check sequence of the data
	head := good(0xc6, wire.Read, 60, 1, wire.All)
	head[9] ^= 0x55 // check sequence of the header
	bad = append(bad, broken, head)
	w.steps(a, 3*len(bad), 150*millisecond, func(i int, t int64) {
		if t = max(t, c.idle); !c.open {
			t = c.connect(t)
		}
		t = c.transmit(t, fromClient, bad[i%len(bad)])
		c.owe(t, fromServer)
		c.idle = t + millisecond
		if i == 3*len(bad)-1 {
			w.closing(c.conn, t+delayedAck+5*millisecond)
		}
	})
}
