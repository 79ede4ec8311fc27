package plant

import (
	"encoding/binary"
	"math"
	"strconv"
	"time"

	"github.com/weir-ics/weir/plant/water"
	"github.com/weir-ics/weir/plant/wire"
)

// live schedules the normal life of the site.
func (w *world) live(l *Life) {
	if l.OperatorActions > 0 {
		w.operate(l.OperatorActions)
	}
	if l.Engineering {
		w.engineer()
	}
	if l.Swap > 0 {
		w.n.at(w.start+int64(l.Swap), w.swap)
	}
	for _, at := range l.Flaps {
		w.flap(w.start + int64(at))
	}
	if l.Noise {
		w.noise()
	}
}

// operate has an operator act a number of times a day, as a Poisson process
// whose rate follows the hours of work.
func (w *world) operate(aDay float64) {
	next := func(t int64) int64 {
		for {
			// Candidates at the highest rate are thinned out by the hour's.
			t += int64(w.rnd.ExpFloat64() * 86400e9 / (aDay * 2))
			if w.rnd.Float64() < activity(t)/2 {
				return t
			}
		}
	}
	w.n.every(next(w.start), func() (int64, bool) {
		operatorActions[w.rnd.IntN(len(operatorActions))](w)
		return next(w.n.now), true
	})
}

// activity is how much goes on at a time of day, 1 on average.
func activity(t int64) float64 {
	h := float64(t/1e9%86400) / 3600
	if h >= 6 && h < 18 {
		return 1.7
	}
	return 0.3
}

// write has the HMI write a tag, as its operator would.
func (w *world) write(name string, v float64) {
	w.writeFrom(w.n.now, nil, name, v)
}

// writeFrom writes a tag at time t over a connection, or the HMI's if it is
// nil, and returns when it was done.
func (w *world) writeFrom(t int64, c *modbusClient, name string, v float64) int64 {
	tag, d, unit := w.tag(name)
	if c == nil {
		c = w.hmiLink(d.host)
	}
	_, t = c.ask(t, unit, writeRequest(tag, v))
	return t
}

// writeRequest is the request that sets a tag to an engineering value.
func writeRequest(tag *Tag, v float64) []byte {
	if tag.Table.String() == "coil" {
		return wire.AppendAddressValue(nil, wire.WriteSingleCoil, tag.Address, wire.CoilValue(v != 0))
	}
	var r [2]uint16
	tag.put(r[:], v)
	if tag.registers() == 1 {
		return wire.AppendAddressValue(nil, wire.WriteSingleRegister, tag.Address, r[0])
	}
	return wire.AppendWriteRegisters(nil, tag.Address, r[:])
}

// set changes a setpoint by about step, on a grid, within what operators use.
func (w *world) set(name string, at *float64, step, low, high float64) {
	v := math.Round((*at+step*float64(w.rnd.IntN(5)-2))/step) * step
	w.write(name, min(max(v, low), high))
}

// operatorActions are what operators do, all within what the plant bears.
var operatorActions = []func(w *world){
	func(w *world) { w.set("SP_FLOW", &w.process.Set.Flow, 5, 225, 250) },
	func(w *world) { w.set("SP_CHLORINE", &w.process.Set.Chlorine, 0.02, 0.56, 0.66) },
	func(w *world) { w.set("SP_PRESSURE", &w.process.Set.Pressure, 0.05, 4.3, 4.5) },
	func(w *world) { w.set("SP_T3_OFF", &w.process.Set.T3Off, 0.1, 5, 5.4) },
	func(w *world) { w.set("SP_T4_ON", &w.process.Set.T4On, 0.1, 2.2, 2.6) },
	func(w *world) { w.set("SP_T1_ON", &w.process.Set.T1On, 0.1, 2, 2.4) },
	func(w *world) { w.set("SP_V2", &w.process.Set.V2, 5, 60, 80) },
	func(w *world) { w.write("BACKWASH", 1) },
	func(w *world) { w.byHand("P5", water.P5) },
	func(w *world) { w.byHand("P2", water.P2) },
	func(w *world) { w.write("ALARM_RESET1", 1) },
	// The tap changer by DNP3: an analog output, selected and operated.
	func(w *world) {
		tap := byte(8 + w.rnd.IntN(3))
		w.dnp3.client.operate(w.n.now, []byte{41, 2, wire.Index8, 1, 0, tap, 0, 0})
	},
}

// byHand runs a pump by hand for some minutes and gives it back to the
// automatic.
func (w *world) byHand(name string, i int) {
	if !w.process.Pumps[i].Auto {
		return
	}
	w.write(name+"_START", 1)
	w.n.at(w.n.now+3*second, func() { w.write(name+"_AUTO", 0) })
	w.n.at(w.n.now+int64(3+w.rnd.IntN(6))*60*second, func() { w.write(name+"_AUTO", 1) })
	w.n.at(w.n.now+int64(10)*60*second, func() { w.write(name+"_START", 0) })
}

// engineer has the engineering workstation read out all devices, a first time
// in the second hour and then every Tuesday at nine.
func (w *world) engineer() {
	visit := func() {
		t := w.n.now
		for _, d := range w.devices {
			c := newModbusClient(w.n, w.engineering, d.host, d)
			for id := range 256 {
				if d.units[uint8(id)] == nil {
					continue
				}
				_, t = c.ask(t, uint8(id), []byte{wire.ReadDeviceID, 14, 1, 0})
				_, t = c.ask(t+w.n.between(2*millisecond, 30*millisecond), uint8(id), []byte{wire.ReportServerID})
				if size := len(d.units[uint8(id)].words[holdingRegisters]); size > 0 {
					_, t = c.read(t+w.n.between(2*millisecond, 30*millisecond), poll{uint8(id), wire.ReadHoldingRegisters, 0, uint16(size)})
				}
			}
			t = c.close(t+w.n.between(100*millisecond, 900*millisecond)) + second
		}
	}
	w.n.at(w.start+3900*second, visit)
	day := time.Unix(0, w.start).UTC().Truncate(24 * time.Hour)
	for ; day.UnixNano() < w.end; day = day.Add(24 * time.Hour) {
		at := day.Add(9*time.Hour + 12*time.Minute).UnixNano()
		if day.Weekday() == time.Tuesday && at > w.start+7200*second {
			w.n.at(at, visit)
		}
	}
}

// swap replaces PLC2 by another of the same kind: it is off for two minutes, and
// comes back with another MAC.
func (w *world) swap() {
	w.plc2.down = true
	w.n.at(w.n.now+120*second, func() {
		w.plc2.down = false
		w.plc2.mac[5] ^= 0x2b
		w.plc2.mac[4] ^= 0x07
		// The newcomer announces itself.
		f := wire.AppendARP(w.n.buffer(), wire.ARPRequest, wire.Broadcast, w.plc2.mac, w.plc2.mac, w.plc2.ip, wire.MAC{}, w.plc2.ip)
		w.n.emit(w.n.now, -1, f)
	})
}

// flap takes PLC3's link down for eight seconds.
func (w *world) flap(t int64) {
	w.n.at(t, func() { w.plc3.down = true })
	w.n.at(t+8*second, func() { w.plc3.down = false })
}

// noise is what else is on such a network: time, names, a web interface and
// the ARP of a gateway.
func (w *world) noise() {
	n := w.n
	repeat := func(first, period int64, f func(t int64)) {
		n.every(w.start+first, func() (int64, bool) {
			f(n.now)
			return n.now + n.between(period*9/10, period*11/10), true
		})
	}
	for i, h := range []*host{w.hmi, w.site.historian, w.engineering, w.master} {
		repeat(int64(i+2)*second, 64*second, func(t int64) { w.ntp(t, h) })
	}
	repeat(20*second, 45*second, func(t int64) {
		hosts := w.hosts()
		h := hosts[1+n.rnd.IntN(len(hosts)-1)]
		n.emit(t, -1, wire.AppendARP(n.buffer(), wire.ARPRequest, wire.Broadcast, w.gateway.mac, w.gateway.mac, w.gateway.ip, wire.MAC{}, h.ip))
		if !h.down {
			n.emit(t+n.between(200e3, 800e3), -1, wire.AppendARP(n.buffer(), wire.ARPReply, w.gateway.mac, h.mac, h.mac, h.ip, w.gateway.mac, w.gateway.ip))
		}
	})
	repeat(31*second, 90*second, func(t int64) { w.nameLookup(t, w.engineering, "updates.waterworks.example") })
	repeat(40*second, 30*second, func(t int64) { w.webPage(t) })
	w.replicate()
}

// replicate is the historian's connection to the HMI's database: a little data
// every five minutes, and keep-alives in between.
func (w *world) replicate() {
	n := w.n
	c := newConn(n, w.site.historian, w.hmi, 1433)
	n.at(w.start+9*second, func() { c.connect(n.now) })
	minutes := 0
	n.every(w.start+69*second, func() (int64, bool) {
		if minutes++; minutes%5 != 0 {
			c.keepAlive(n.now)
			return n.now + 60*second, true
		}
		t := c.transmit(max(n.now, c.idle), fromClient, []byte("\x01\x01\x00\x3a\x00\x00\x01\x00select * from alarms where id > last"))
		t = c.transmit(t+n.between(millisecond, 9*millisecond), fromServer, []byte("\x04\x01\x00\x15\x00\x33\x01\x00\xfd\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"))
		c.owe(t, fromClient)
		c.idle = t + millisecond
		return n.now + 60*second, true
	})
}

// ntp asks the gateway for the time (RFC 5905) and has it answered.
func (w *world) ntp(t int64, h *host) {
	var b [48]byte
	b[0] = 0x23 // version 4, client
	stamp := func(at int, t int64) {
		binary.BigEndian.PutUint32(b[at:], uint32(t/1e9+2208988800))
		binary.BigEndian.PutUint32(b[at+4:], uint32(t%1e9*4))
	}
	stamp(40, t)
	t = w.n.resolve(t, h, w.gateway)
	w.n.udp(t, h, w.gateway, 123, 123, b[:])
	b[0], b[1], b[2] = 0x24, 2, 6
	copy(b[12:], "GPS\x00")
	copy(b[24:32], b[40:48])
	t += w.n.between(300e3, 900e3)
	stamp(32, t-60e3)
	stamp(40, t)
	w.n.udp(t, w.gateway, h, 123, 123, b[:])
}

// nameLookup asks the gateway for an address that it does not have.
func (w *world) nameLookup(t int64, h *host, name string) {
	b := make([]byte, 0, 64)
	b = binary.BigEndian.AppendUint16(b, uint16(w.n.rnd.Uint32()))
	b = append(b, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0)
	start := len(b)
	b = append(b, 0)
	length := 0
	for i := range len(name) {
		if name[i] == '.' {
			b[start] = byte(length)
			start, length = len(b), 0
			b = append(b, 0)
			continue
		}
		b = append(b, name[i])
		length++
	}
	b[start] = byte(length)
	b = append(b, 0, 0, 1, 0, 1)
	t = w.n.resolve(t, h, w.gateway)
	port := h.nextPort()
	w.n.udp(t, h, w.gateway, port, 53, b)
	b[2], b[3] = 0x81, 0x83 // response, no such name
	w.n.udp(t+w.n.between(400e3, 3*millisecond), w.gateway, h, 53, port, b)
}

// webPage has the engineering workstation look at the gateway's web interface.
func (w *world) webPage(t int64) {
	c := newConn(w.n, w.engineering, w.gateway, 80)
	t = c.connect(t)
	t = c.transmit(t, fromClient, []byte("GET /status HTTP/1.1\r\nHost: 10.20.1.1\r\nUser-Agent: browser\r\nAccept: text/html\r\n\r\n"))
	body := make([]byte, 1800+w.n.rnd.IntN(4000))
	for i := range body {
		body[i] = "<p>uptime load interface eth0 rx tx</p>\n"[i%40]
	}
	head := "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: close\r\nContent-Length: " + strconv.Itoa(len(body)) + "\r\n\r\n"
	t = c.transmit(t+w.n.between(2*millisecond, 12*millisecond), fromServer, append([]byte(head), body...))
	c.idle = t + w.n.between(100e3, 400e3)
	c.close(t)
}
