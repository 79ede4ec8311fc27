package plant

import (
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/weir-ics/weir/plant/wire"
)

// A Scenario is a stretch of the simulated site's life as a tap on its network
// sees it. The same Scenario always gives the same packets, byte for byte.
type Scenario struct {
	// Seed makes one site and its chances differ from another.
	Seed uint64
	// Start is the time of the first packet; zero is Monday, 2 March 2026, 06:00 UTC.
	Start time.Time
	// Duration is how long it lasts; zero is an hour.
	Duration time.Duration
	// Poll is the HMI's poll interval; zero is a second. The historian polls ten
	// times, the DNP3 master five times slower, but at least every 5 s and 2 s.
	Poll time.Duration
	// Polls are the poll intervals of devices that are polled at another pace, by
	// name: PLC1, PLC2, PLC3, analysers, RTU.
	Polls map[string]time.Duration
	// Life is what else goes on.
	Life Life
	// Attacks are what is done to the site.
	Attacks []AttackAt
	// OwnIntruders has each attack come from a machine of its own (10.20.1.100 and
	// up) instead of AddrIntruder, so that each is found or missed by itself and
	// not as more of the one before.
	OwnIntruders bool
}

// Life is the normal life of the site beside the polls of its HMI, historian
// and DNP3 master. All of it is harmless. The zero Life has none of it.
type Life struct {
	// OperatorActions is how many setpoint changes, pump starts and stops and the
	// like an operator makes a day, mostly in the daytime.
	OperatorActions float64
	// Engineering has an engineer read out devices once a week, on Tuesday
	// morning, and a first time in the second hour.
	Engineering bool
	// Swap replaces PLC2 by another of the same kind (same IP, new MAC) after
	// this time; zero for never.
	Swap time.Duration
	// Flaps take PLC3's link down for some seconds at these times.
	Flaps []time.Duration
	// Drift is by how many parts in a million the HMI's and the outstation's
	// clocks are off.
	Drift float64
	// Noise adds other traffic: ARP, NTP, name look-ups and a web interface.
	Noise bool
}

// NormalLife is a believable life: twelve operator actions a day, weekly
// engineering, clocks that drift, other traffic.
func NormalLife() Life {
	return Life{OperatorActions: 12, Engineering: true, Drift: 40, Noise: true}
}

// DefaultStart is when a Scenario without a start begins.
var DefaultStart = time.Date(2026, 3, 2, 6, 0, 0, 0, time.UTC)

func (s *Scenario) times() (start, end int64, poll time.Duration) {
	from := s.Start
	if from.IsZero() {
		from = DefaultStart
	}
	length := s.Duration
	if length == 0 {
		length = time.Hour
	}
	poll = s.Poll
	if poll == 0 {
		poll = time.Second
	}
	return from.UnixNano(), from.Add(length).UnixNano(), poll
}

// Check tells whether every attack begins while the scenario is played, because a
// label of what was never done would be an attack that nobody can find, and whether
// the devices with a poll interval of their own are there.
func (s *Scenario) Check() error {
	start, end, _ := s.times()
	for _, a := range s.Attacks {
		if length := time.Duration(end - start); a.At < 0 || a.At >= length {
			return fmt.Errorf("attack %s at %v is outside of the %v that are played", a.Kind, a.At, length)
		}
	}
	known := newSite(s.Seed, start).names()
	for name, interval := range s.Polls {
		if !slices.Contains(known, name) || interval <= 0 {
			return fmt.Errorf("%s cannot be polled every %v; the devices are %s", name, interval, strings.Join(known, ", "))
		}
	}
	return nil
}

// Write writes the scenario's packets to w as a pcap file with nanosecond times
// and returns the labels of its attacks.
func (s *Scenario) Write(w io.Writer) (Labels, error) {
	return s.WriteLabeled(w, nil)
}

// WriteLabeled is Write, and writes a line "frame;0|1" for each frame to frames,
// 1 for what is part of an attack, unless frames is nil.
func (s *Scenario) WriteLabeled(w, frames io.Writer) (Labels, error) {
	out, err := wire.NewPcapWriter(w)
	if err != nil {
		return nil, err
	}
	marks := newFrameMarks(frames)
	labels, err := s.Run(func(p *Packet) error {
		marks.mark(p.Frame, p.Attack >= 0)
		return out.Write(p.Time, p.Data)
	})
	if err != nil {
		return nil, err
	}
	if err := marks.flush(); err != nil {
		return nil, err
	}
	return labels, out.Flush()
}

// Run plays the scenario and hands every packet to packet, in order of time.
// An error from packet ends it.
func (s *Scenario) Run(packet func(*Packet) error) (Labels, error) {
	if err := s.Check(); err != nil {
		return nil, err
	}
	start, end, _ := s.times()
	labels := make(Labels, len(s.Attacks))
	world, err := s.build(labels, packet)
	if err != nil {
		return nil, err
	}
	if err := world.n.run(end); err != nil {
		return nil, fmt.Errorf("play scenario from %s: %w", time.Unix(0, start).UTC().Format(time.RFC3339), err)
	}
	return labels, nil
}

// A world is a scenario while it runs.
type world struct {
	*site
	n      *network
	rnd    *rand.Rand // of life
	chance *rand.Rand // of attacks, so that they change nothing else
	start  int64
	end    int64
	poll   time.Duration
	polls  map[string]time.Duration

	hmiLinks  []*scanner // one for each device
	historian []*scanner
	dnp3      *dnp3Master
	labels    Labels
}

func (s *Scenario) build(labels Labels, packet func(*Packet) error) (*world, error) {
	start, end, poll := s.times()
	w := &world{
		site: newSite(s.Seed, start), start: start, end: end, poll: poll, polls: s.Polls, labels: labels,
		rnd:    rand.New(rand.NewPCG(s.Seed, 0x6c696665)),
		chance: rand.New(rand.NewPCG(s.Seed, 0x6174746163)),
	}
	w.n = newNetwork(s.Seed, start, func(p *Packet) error {
		if p.Attack >= 0 {
			labels[p.Attack].note(p)
		}
		return packet(p)
	})
	// The process moves on its own.
	tick := start
	w.n.every(start, func() (int64, bool) {
		w.process.Advance(w.n.now)
		tick += second
		return tick, true
	})
	w.startPolls(s.Life.Drift * 1e-6)
	w.live(&s.Life)
	for i, a := range s.Attacks {
		if err := w.schedule(i, a, s.OwnIntruders); err != nil {
			return nil, err
		}
	}
	return w, nil
}

// hmiPlan is what the HMI reads of each device; historianPlan the historian.
var hmiPlan = [][]poll{
	{{1, wire.ReadCoils, 0, 5}, {1, wire.ReadDiscreteInputs, 0, 6}, {1, wire.ReadInputRegisters, 0, 16}, {1, wire.ReadHoldingRegisters, 0, 3}},
	{{1, wire.ReadDiscreteInputs, 0, 2}, {1, wire.ReadInputRegisters, 0, 14}, {1, wire.ReadHoldingRegisters, 0, 6}},
	{{1, wire.ReadCoils, 0, 6}, {1, wire.ReadDiscreteInputs, 0, 7}, {1, wire.ReadInputRegisters, 0, 38}, {1, wire.ReadHoldingRegisters, 0, 12}},
	{{11, wire.ReadInputRegisters, 0, 2}, {12, wire.ReadInputRegisters, 0, 2}},
}

var historianPlan = [][]poll{
	{{1, wire.ReadInputRegisters, 0, 16}},
	{{1, wire.ReadInputRegisters, 0, 14}},
	{{1, wire.ReadInputRegisters, 0, 38}},
	{{11, wire.ReadInputRegisters, 0, 2}, {12, wire.ReadInputRegisters, 0, 2}},
}

// period is at which interval the HMI polls a device.
func (w *world) period(h *host) int64 {
	if own, ok := w.polls[h.name]; ok {
		return int64(own)
	}
	return int64(w.poll)
}

func (w *world) startPolls(drift float64) {
	n := w.n
	for i, d := range w.devices {
		period := w.period(d.host)
		s := &scanner{client: newModbusClient(n, w.hmi, d.host, d), plan: hmiPlan[i], period: period, jitter: min(period/50, 20*millisecond), drift: drift, label: -1}
		w.hmiLinks = append(w.hmiLinks, s)
		s.start(w.start + int64(i)*period/5 + n.between(0, 20*millisecond))

		h := &scanner{client: newModbusClient(n, w.site.historian, d.host, d), plan: historianPlan[i],
			period: max(10*period, 5*second), jitter: 100 * millisecond, perCycle: true, label: -1}
		w.historian = append(w.historian, h)
		h.start(w.start + int64(i)*700*millisecond + 350*millisecond)
	}
	events := max(5*int64(w.poll), 2*second)
	if own, ok := w.polls[w.rtuHost.name]; ok {
		events = int64(own)
	}
	w.rtu.drift = drift
	w.dnp3 = &dnp3Master{
		client: newDNP3Client(n, w.master, w.rtuHost, w.rtu, MasterAddress),
		events: events, integrity: 900 * second,
	}
	w.dnp3.start(w.start + 120*millisecond)
}

// scan finds the HMI's polls of a device, nil if it has none.
func (w *world) scan(h *host) *scanner {
	for _, s := range w.hmiLinks {
		if s.client.ends[fromServer] == h {
			return s
		}
	}
	return nil
}

// hmiLink is the HMI's connection to a device.
func (w *world) hmiLink(h *host) *modbusClient { return w.scan(h).client }

// sensorLie makes a point report something else from now on, as part of an
// attack; nil for the truth again.
func (w *world) sensorLie(name string, label int, f func(t int64, v float64) float64) {
	if t, _, _ := w.tag(name); t != nil {
		t.lie, t.lieLabel = f, label
		return
	}
	if pt := w.rtu.point(name); pt != nil {
		pt.lie, pt.lieLabel = f, label
	}
}

// tag finds a Modbus tag and where it is.
func (w *world) tag(name string) (*Tag, *device, uint8) {
	for _, d := range w.devices {
		for id, u := range d.units {
			for k := range u.tags {
				for i := range u.tags[k] {
					if u.tags[k][i].Name == name {
						return &u.tags[k][i], d, id
					}
				}
			}
		}
	}
	return nil, nil, 0
}
