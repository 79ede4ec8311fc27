package plant

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/weir-ics/weir/plant/wire"
)

// AttackAt is one attack in a scenario.
type AttackAt struct {
	// Kind is one of Attacks.
	Kind string
	// At is when it begins, from the scenario's start.
	At time.Duration
	// Duration is how long it lasts; zero is the kind's usual time. Attacks that
	// are done when they are done ignore it.
	Duration time.Duration
}

// Attack describes a kind of attack.
type Attack struct {
	// Kind is a stable dotted name.
	Kind string
	// Technique is of MITRE ATT&CK for ICS.
	Technique string
	// Description says in a sentence what is done.
	Description string
	// Duration is how long it usually lasts.
	Duration time.Duration
	source   string
	target   string
	run      func(w *world, a *assault)
	// lead is how long before it begins the intruder prepares: prepare is called
	// then. nil if there is nothing to do.
	lead    time.Duration
	prepare func(w *world, a *assault)
}

// Attacks lists every kind of attack, in the order of what an intruder would do
// first.
func Attacks() []Attack { return append([]Attack(nil), attacks...) }

// An assault is one attack while it goes on.
type assault struct {
	label      int
	start, end int64
	// from is the intruder's machine.
	from *host
	// heard are values that were recorded before.
	heard map[string][]float64
}

// intruderOf is the machine that attack i comes from.
func (w *world) intruderOf(i int, each bool) *host {
	if !each {
		return w.intruder
	}
	ip := AddrIntruder.As4()
	ip[3] = byte(100 + i%150)
	h := newHost("intruder", netip.AddrFrom4(ip), wire.MAC{0x08, 0x00, 0x27, 0x5e, byte(i / 150), ip[3]}, false, millisecond)
	h.ttl = 64
	return h
}

func (w *world) schedule(i int, at AttackAt, each bool) error {
	for k := range attacks {
		a := &attacks[k]
		if a.Kind != at.Kind {
			continue
		}
		length := at.Duration
		if length == 0 {
			length = a.Duration
		}
		s := &assault{label: i, start: w.start + int64(at.At), from: w.intruderOf(i, each)}
		s.end = s.start + int64(length)
		w.labels[i] = Label{
			Kind: a.Kind, Start: time.Unix(0, s.start).UTC(), End: time.Unix(0, s.end).UTC(),
			Source: a.source, Target: a.target, Technique: a.Technique, Description: a.Description, Malicious: true,
		}
		if a.source == intruder {
			w.labels[i].Source = netip.AddrFrom4(s.from.ip).String()
		}
		if a.prepare != nil {
			w.n.at(s.start-int64(a.lead), func() { a.prepare(w, s) })
		}
		w.n.at(s.start, func() { w.as(s, func() { a.run(w, s) }) })
		return nil
	}
	return fmt.Errorf("attack %d: kind %q is none of those that the plant knows", i+1, at.Kind)
}

// as does something whose packets belong to the attack.
func (w *world) as(a *assault, f func()) {
	old := w.n.label
	w.n.label = a.label
	f()
	w.n.label = old
}

// steps does f a number of times, about gap apart, as part of the attack. f is
// given the number of the step, from 0.
func (w *world) steps(a *assault, count int, gap int64, f func(i int, t int64)) {
	i := 0
	w.n.every(w.n.now, func() (int64, bool) {
		w.as(a, func() { f(i, w.n.now) })
		i++
		return w.n.now + gap*9/10 + int64(w.chance.Float64()*float64(gap)/5), i < count
	})
}

// during does f from now to the end of the attack, about gap apart.
func (w *world) during(a *assault, gap int64, f func(i int, t int64)) {
	w.steps(a, max(1, int((a.end-w.n.now)/gap)), gap, f)
}

// later does f, which is not part of the attack, some time after its end: what
// people do, mostly at the machines themselves, to get the plant back to normal.
func (w *world) later(a *assault, after time.Duration, f func()) {
	w.n.at(max(a.end, w.n.now)+int64(after), f)
}

// client opens a Modbus client whose whole connection belongs to the attack.
func (w *world) client(a *assault, from, to *host) *modbusClient {
	c := newModbusClient(w.n, from, to, w.device(to))
	c.label = a.label
	return c
}

// rogueMaster opens a DNP3 master whose whole connection belongs to the attack.
func (w *world) rogueMaster(a *assault, from *host, address uint16) *dnp3Client {
	c := newDNP3Client(w.n, from, w.rtuHost, w.rtu, address)
	c.label = a.label
	return c
}

// closing closes a connection a moment after the last exchange.
func (w *world) closing(c *conn, t int64) {
	c.close(t + w.n.between(50*millisecond, 300*millisecond))
}
