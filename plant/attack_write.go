package plant

import (
	"time"

	"github.com/weir-ics/weir/plant/water"
	"github.com/weir-ics/weir/plant/wire"
)

// once connects, sends one request and closes.
func (w *world) once(a *assault, from, to *host, unit uint8, pdu []byte) {
	c := w.client(a, from, to)
	_, t := c.ask(w.n.now, unit, pdu)
	w.closing(c.conn, t)
}

// request is the request that writes a tag.
func (w *world) request(name string, v float64) []byte {
	tag, _, _ := w.tag(name)
	return writeRequest(tag, v)
}

// restoreLater puts a tag right again, at the controller's own panel.
func (w *world) restoreLater(a *assault, name string, v float64) {
	w.later(a, 2*minute, func() { w.restore(name, v) })
}

// restore sets a tag without a word on the network.
func (w *world) restore(name string, v float64) {
	tag, _, _ := w.tag(name)
	tag.set(w.process, v)
}

func writeNewHost(w *world, a *assault) {
	c := w.client(a, a.from, w.plc3)
	_, t := c.ask(w.n.now, 1, w.request("P3_AUTO", 0))
	_, t = c.ask(t+20*millisecond, 1, w.request("P3_START", 0))
	w.closing(c.conn, t)
	w.restoreLater(a, "P3_AUTO", 1)
}

// impersonate takes the HMI's address: the controller is told by ARP where to
// send its answers, and the HMI's own polls go on meanwhile.
func impersonate(w *world, a *assault) {
	impostor := *a.from
	impostor.ip, impostor.arp = w.hmi.ip, nil
	t := w.n.now
	w.n.emit(t, -1, wire.AppendARP(w.n.buffer(), wire.ARPReply, w.plc3.mac, impostor.mac, impostor.mac, impostor.ip, w.plc3.mac, w.plc3.ip))
	c := w.client(a, &impostor, w.plc3)
	_, t = c.ask(t+300*millisecond, 1, w.request("P5_AUTO", 0))
	_, t = c.ask(t+20*millisecond, 1, w.request("P5_START", 1))
	w.closing(c.conn, t)
	w.restoreLater(a, "P5_AUTO", 1)
	w.restoreLater(a, "P5_START", 0)
}

func writeFromPLC(w *world, a *assault) {
	w.once(a, w.plc1, w.plc3, 1, w.request("P5_START", 1))
	w.restoreLater(a, "P5_START", 0)
}

func writeFromHistorian(w *world, a *assault) {
	w.once(a, w.site.historian, w.plc2, 1, w.request("SP_FLOW", 130))
	w.restoreLater(a, "SP_FLOW", water.DefaultSetpoints.Flow)
}

func writeSetpointRange(w *world, a *assault) {
	w.write("SP_CHLORINE", 4.5)
	w.restoreLater(a, "SP_CHLORINE", water.DefaultSetpoints.Chlorine)
}

func writeSetpointCreep(w *world, a *assault) {
	start := w.process.Set.T3Off
	w.during(a, 300*second, func(i int, _ int64) { w.write("SP_T3_OFF", start+0.15*float64(i+1)) })
	w.restoreLater(a, "SP_T3_OFF", water.DefaultSetpoints.T3Off)
}

func writeBulk(w *world, a *assault) {
	w.once(a, a.from, w.plc3, 1, wire.AppendWriteRegisters(nil, 0, make([]uint16, 12)))
	w.later(a, time.Minute, func() { w.process.Set = water.DefaultSetpoints })
}

func writeBroadcast(w *world, a *assault) {
	c := w.client(a, a.from, w.plc3)
	c.timeout = 50 * millisecond
	_, t := c.ask(w.n.now, 0, w.request("P5_AUTO", 0))
	w.closing(c.conn, t)
	w.restoreLater(a, "P5_AUTO", 1)
}

func writeBruteForce(w *world, a *assault) {
	w.write("P3_AUTO", 0)
	w.during(a, second/2, func(i int, _ int64) { w.write("P3_START", float64(i%2)) })
	w.restoreLater(a, "P3_AUTO", 1)
}

func writeNewAddress(w *world, a *assault) {
	w.write("SP_BACKWASH", 2.4)
	w.restoreLater(a, "SP_BACKWASH", water.DefaultSetpoints.Backwash)
}

func writeNewFunction(w *world, a *assault) {
	c := w.hmiLink(w.plc1)
	// Register 1 is SP_T1_OFF: set bits to make it 4.863 m or so.
	c.ask(w.n.now, 1, []byte{wire.MaskWriteRegister, 0, 1, 0xff, 0x00, 0x00, 0xff})
	w.restoreLater(a, "SP_T1_OFF", water.DefaultSetpoints.T1Off)
}

func writeAllStop(w *world, a *assault) {
	c := w.hmiLink(w.plc3)
	c.ask(w.n.now, 1, wire.AppendWriteCoils(nil, 0, make([]bool, 6)))
	for _, name := range []string{"P3_AUTO", "P4_AUTO", "P5_AUTO"} {
		w.later(a, 0, func() { w.restore(name, 1) })
	}
}

func writeUnusualHour(w *world, a *assault) {
	names := []string{"P2_START", "P2_AUTO", "P1_START", "P1_AUTO"}
	w.steps(a, 8, 4*second, func(i int, _ int64) { w.write(names[i%4], float64(i/4)) })
	w.restoreLater(a, "P2_START", 0)
	w.restoreLater(a, "P1_START", 0)
}
