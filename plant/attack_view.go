package plant

import (
	"maps"
	"math"
	"slices"

	"github.com/weir-ics/weir/plant/water"
	"github.com/weir-ics/weir/plant/wire"
)

// poison has the intruder answer ARP for a controller towards the HMI, and for
// the HMI towards the controller, every ten seconds, so that what they say to
// each other goes through him.
func (w *world) poison(a *assault, victim *host) {
	w.during(a, 10*second, func(_ int, t int64) {
		for _, pair := range [2][2]*host{{victim, w.hmi}, {w.hmi, victim}} {
			claimed, told := pair[0], pair[1]
			w.n.emit(t, -1, wire.AppendARP(w.n.buffer(), wire.ARPReply, told.mac, a.from.mac, a.from.mac, claimed.ip, told.mac, told.ip))
			t += 200e3
		}
	})
	victim.poisoned, victim.poisonLabel = a.from, a.label
	w.later(a, 0, func() { victim.poisoned = nil })
}

func mitmARP(w *world, a *assault) { w.poison(a, w.plc3) }

func mitmValues(w *world, a *assault) {
	w.poison(a, w.plc3)
	w.lie(a, "LT_T3", func(_ int64, v float64) float64 { return v + 0.8 })
}

// lie has a point report something else up to the end of the attack.
func (w *world) lie(a *assault, name string, f func(t int64, v float64) float64) {
	w.sensorLie(name, a.label, f)
	w.later(a, 0, func() { w.sensorLie(name, -1, nil) })
}

func tcpOverlap(w *world, a *assault) {
	c := w.scan(w.plc3).client
	c.before = func(t int64, response []byte) {
		if response[0] != wire.ReadInputRegisters || len(response) < 8 || w.chance.Float64() < 0.5 {
			return
		}
		w.as(a, func() {
			forged := append([]byte(nil), response...)
			forged[4], forged[5] = 0x40, 0xa0 // another level
			w.inject(a, c.conn, t-w.n.between(200e3, 900e3), wire.AppendMBAP(nil, c.transaction, 1, forged))
		})
	}
	w.later(a, 0, func() { c.before = nil })
}

func sensorFrozen(w *world, a *assault) {
	tag, _, _ := w.tag("FT_ZONE3")
	still := tag.get(w.process)
	w.lie(a, "FT_ZONE3", func(int64, float64) float64 { return still })
}

// hear records points every second until the attack begins.
func (w *world) hear(a *assault, names ...string) {
	a.heard = make(map[string][]float64)
	w.n.every(w.n.now, func() (int64, bool) {
		for _, name := range names {
			tag, _, _ := w.tag(name)
			a.heard[name] = append(a.heard[name], tag.get(w.process))
		}
		return w.n.now + second, w.n.now < a.start-second
	})
}

// repeat has the recorded points report again and again what was heard.
func (w *world) repeat(a *assault) {
	start := w.process.Now
	for _, name := range slices.Sorted(maps.Keys(a.heard)) {
		values := a.heard[name]
		if len(values) == 0 {
			continue
		}
		w.lie(a, name, func(t int64, _ float64) float64 { return values[int((t-start)/second)%len(values)] })
	}
}

func hearReservoir(w *world, a *assault) { w.hear(a, "LT_T3", "FT_ZONE3", "PT_ZONE3", "FT_HIGHLIFT") }

func sensorReplayed(w *world, a *assault) {
	w.repeat(a)
	// Meanwhile the pumps are held off.
	pumps := [2]*water.Pump{&w.process.Pumps[water.P3], &w.process.Pumps[water.P4]}
	for _, p := range pumps {
		p.Auto, p.Command = false, false
	}
	// The operator's switches must not show it.
	w.lie(a, "P3_AUTO", func(int64, float64) float64 { return 1 })
	w.lie(a, "P4_AUTO", func(int64, float64) float64 { return 1 })
	w.later(a, 0, func() {
		for _, p := range pumps {
			p.Auto = true
		}
	})
}

func sensorOffset(w *world, a *assault) {
	w.lie(a, "LT_T1", func(_ int64, v float64) float64 { return v + 0.6 })
}

func sensorDrift(w *world, a *assault) {
	start := w.process.Now
	w.lie(a, "LT_T1", func(t int64, v float64) float64 { return v - float64(t-start)/3.6e12 })
}

func sensorNoiseless(w *world, a *assault) {
	p := w.process
	w.lie(a, "FT_ZONE3", func(int64, float64) float64 { return p.Demand3 })
	w.lie(a, "FT_ZONE4", func(int64, float64) float64 { return p.Demand4 })
	w.lie(a, "LT_T3", func(int64, float64) float64 { return p.Level[water.T3] })
	w.lie(a, "LT_T4", func(int64, float64) float64 { return p.Level[water.T4] })
	w.lie(a, "PT_ZONE3", func(int64, float64) float64 { return p.Zone3 })
}

func sensorSpike(w *world, a *assault) {
	w.lie(a, "PT_DISCHARGE", func(t int64, v float64) float64 {
		if t/second%90 < 5 {
			return 9.4
		}
		return v
	})
}

func sensorDNP3(w *world, a *assault) {
	w.lie(a, "U_L1", func(_ int64, v float64) float64 { return v * 1.08 })
}

func processLevel(w *world, a *assault) {
	still := w.process.Set.T3On - 0.15
	f := func(t int64, _ float64) float64 {
		// With a little noise, so that it looks alive.
		return still + 0.00175*math.Round(3*math.Sin(float64(t/second)*12.9898)*math.Cos(float64(t/second)*78.233))
	}
	w.process.Fake[water.T3] = func(now int64, _ float64) float64 { return f(now, 0) }
	w.lie(a, "LT_T3", f)
	w.later(a, 0, func() { w.process.Fake[water.T3] = nil })
}

func processPump(w *world, a *assault) {
	p := &w.process.Pumps[water.P3]
	p.SpeedLimit = 0.86
	w.lie(a, "ST_P3", func(_ int64, v float64) float64 {
		if v < 0.5 {
			return v
		}
		return v / 0.86 * 0.955
	})
	w.later(a, 0, func() { p.SpeedLimit = 1 })
}

func processValve(w *world, a *assault) {
	set := w.process.Set.V2
	w.process.Set.V2 = 12
	reading := w.process.Measured[water.SensorV2]
	w.lie(a, "SP_V2", func(int64, float64) float64 { return set })
	w.lie(a, "ZT_V2", func(t int64, _ float64) float64 { return reading + 0.1*float64(t/second*7919%3-1) })
	w.later(a, 0, func() { w.process.Set.V2 = set })
}

// processBlocked jams P2: the command is normal, what follows is the attack.
func processBlocked(w *world, a *assault) {
	p := &w.process.Pumps[water.P2]
	p.SpeedLimit = 0
	w.write("P2_START", 1)
	w.n.at(w.n.now+3*second, func() { w.as(a, func() { w.write("P2_AUTO", 0) }) })
	w.later(a, 0, func() { p.SpeedLimit, p.Auto, p.Command = 1, true, false })
}

// processJammed holds the treatment valve where it is while the filter is washed:
// the command and all that is reported is true, but the water goes on to flow.
func processJammed(w *world, a *assault) {
	w.process.V1Jammed = true
	w.write("BACKWASH", 1)
	w.later(a, 0, func() { w.process.V1Jammed = false })
}

func processUncommanded(w *world, a *assault) {
	p := &w.process.Pumps[water.P2]
	p.Auto, p.Command = false, true
	w.lie(a, "P2_AUTO", func(int64, float64) float64 { return 1 })
	w.lie(a, "P2_START", func(int64, float64) float64 { return 0 })
	for _, word := range []string{"STATUS1", "STATUS3"} {
		w.lie(a, word, func(_ int64, v float64) float64 { return float64(int(v) | 1<<(8+water.P2)) })
	}
	w.later(a, 0, func() { p.Auto, p.Command = true, false })
}

// sensorForced forces the feeder's current and power (IEEE 1815-2012, 11.6.1:
// flag LOCAL_FORCED).
func sensorForced(w *world, a *assault) {
	for _, name := range []string{"I_FEEDER_A", "P_FEEDER_A", "Q_FEEDER_A"} {
		pt := w.rtu.point(name)
		still := pt.value
		w.lie(a, name, func(int64, float64) float64 { return still })
		pt.flags |= localForced
		w.later(a, 0, func() { pt.flags &^= localForced })
	}
}

func hearChlorine(w *world, a *assault) { w.hear(a, "AT_CHLORINE", "AT_CHLORINE_WELL") }

func processDosing(w *world, a *assault) {
	w.repeat(a)
	set := w.process.Set.Chlorine
	w.process.Set.Chlorine = 1.6
	w.lie(a, "SP_CHLORINE", func(int64, float64) float64 { return set })
	w.later(a, 0, func() { w.process.Set.Chlorine = set })
}

func covertDigits(w *world, a *assault) {
	message := []byte("the recipe is in the low digits; repeat until it is heard. ")
	start := w.process.Now
	w.lie(a, "LT_T1", func(t int64, v float64) float64 {
		// Three digits an octet, one a poll; the reading's millimetres carry them.
		at := int((t - start) / w.period(w.plc1))
		digit := int(message[at/3%len(message)]) / [3]int{100, 10, 1}[at%3] % 10
		return math.Floor(v*100)/100 + float64(digit)/1000
	})
}
