package console

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/weir-ics/weir/detect"
	"github.com/weir-ics/weir/protocols"
)

// fake is Data in memory. What it holds is a morning at a small water plant.
type fake struct {
	mu        sync.Mutex
	status    detect.Status
	alerts    []detect.KeptAlert
	incidents []detect.Incident
	assets    []detect.Asset
	links     []detect.Link
	series    []detect.KeptSeries
	samples   map[string][]detect.Bucket
	counters  []detect.Counter
	packets   []detect.Bucket
	// broken makes every method answer with errDisk.
	broken atomic.Bool
	// saw is the last alert query.
	saw detect.AlertQuery
}

var (
	day    = time.Date(2026, 3, 14, 0, 0, 0, 0, time.UTC)
	now    = at(10, 42, 7)
	hmi    = netip.MustParseAddr("10.20.1.10")
	histo  = netip.MustParseAddr("10.20.1.12")
	scada  = netip.MustParseAddr("10.20.1.20")
	plc1   = netip.MustParseAddr("10.20.2.21")
	plc2   = netip.MustParseAddr("10.20.2.22")
	plc3   = netip.MustParseAddr("10.20.2.23")
	rtu    = netip.MustParseAddr("10.20.3.31")
	laptop = netip.MustParseAddr("10.20.1.77")
)

// hostile is a device name as an attacker would choose it.
const hostile = `<img src=x onerror="fetch('//evil.example/')"><script>alert(1)</script>`

var errDisk = errors.New("open /var/lib/weir/secret.db: disk I/O error")

func (f *fake) err() error {
	if f.broken.Load() {
		return errDisk
	}
	return nil
}

func at(h, m, s int) int64 {
	return day.Add(time.Duration(h)*time.Hour + time.Duration(m)*time.Minute + time.Duration(s)*time.Second).UnixNano()
}

var kinds = []*detect.Kind{
	{Name: "role.new", Severity: protocols.High, Meaning: "A host that only ever answered now sends commands.",
		Decision: "The host's role on every link it was seen on during learning is kept; one request from a host that never sent any is enough.",
		Action:   "Find out who is logged in on that device and whether its program was changed. Until that is clear, treat what it commands as not authorised.", Techniques: []string{"T0855", "T0848"}},
	{Name: "value.range", Severity: protocols.Medium, Meaning: "A value left the range in which it was learned.",
		Decision: "Peaks over threshold (Siffer and others, 2017) on both tails of the learned values; the threshold follows from the alarms a day that are allowed.",
		Action:   "Compare with the instrument on site. If the value is right, look for what drove it; if it is wrong, look at the sensor and at who can write to its device.", Techniques: []string{"T0836", "T0856"}},
	{Name: "scan.register", Severity: protocols.Medium, Meaning: "Somebody reads addresses one after another that nobody read before.",
		Decision: "More distinct new addresses in an hour than the learned rate explains (Poisson tail).", Action: "Ask the engineering department whether it is their tool; if not, disconnect the host.", Techniques: []string{"T0861", "T0846"}},
	{Name: "asset.new", Severity: protocols.Low, Meaning: "A host appeared that was not there during learning.",
		Decision: "Its address was not seen in learning.", Action: "Find it and its owner; approve it if it belongs there.", Techniques: []string{"T0864"}},
	{Name: "timing.poll-stopped", Severity: protocols.Low, Meaning: "A poll that came regularly has stopped.",
		Decision: "The gap is longer than the learned intervals allow.", Action: "See whether the client is running and the link is up.", Techniques: []string{"T0814", "T0803"}},
	{Name: "sequence.operate-without-select", Severity: protocols.High, Meaning: "An output was operated that had not been selected first.",
		Decision: "IEEE 1815-2012, 4.4.3: an operate follows a select of the same points.", Action: "Check the breaker's position on site and who sent it.", Techniques: []string{"T0855"}},
}

func party(ip netip.Addr, name string, port uint16, unit int) detect.Party {
	b := ip.As4()
	return detect.Party{Endpoint: protocols.Endpoint{IP: ip, Port: port, MAC: [6]byte{0x00, 0x1d, 0x9c, b[1], b[2], b[3]}}, Name: name, Unit: unit, Address: -1}
}

func newFake() *fake {
	f := &fake{samples: map[string][]detect.Bucket{}}
	f.status = detect.Status{Mode: detect.Watching, Since: at(6, 0, 0), First: at(0, 0, 0), Clock: now, Unseen: 0.0004, Source: "eth1", Live: true, Told: time.Now().UnixNano()}
	add := func(id, incident string, kind int, sev protocols.Severity, state detect.State, start, end int64, count uint64, a detect.Alert) {
		a.ID, a.Incident, a.Kind, a.Severity, a.State, a.Start, a.End, a.Count = id, incident, kinds[kind], sev, state, start, end, count
		a.Time = end
		if a.Function == 0 {
			a.Function = -1
		}
		if a.Finding.Techniques == nil {
			a.Finding.Techniques = kinds[kind].Techniques
		}
		f.alerts = append(f.alerts, detect.KeptAlert{Alert: a})
	}
	find := func(title, explanation, observed, expected string, proto protocols.Proto, client, server detect.Party, frames [2]uint64, function int, name string, points ...detect.PointRef) detect.Alert {
		return detect.Alert{Finding: detect.Finding{Title: title, Explanation: explanation, Observed: observed, Expected: expected, Proto: proto,
			Client: client, Server: server, FirstFrame: frames[0], LastFrame: frames[1], Function: function, FunctionName: name, Points: points}}
	}
	level := detect.PointRef{Kind: protocols.KindHoldingRegister, First: 40, Last: 41, Name: "T1_LEVEL"}
	add("k3q7m2xvb4ta", "f7c2lm5d", 3, protocols.Low, detect.Raised, at(10, 3, 11), at(10, 41, 58), 1, find(
		"New host 10.20.1.77 on the control network",
		"10.20.1.77 was not seen in 6 h of learning. It asked for 10.20.2.21 by ARP and opened a connection to port 502.",
		"10.20.1.77 (b8:27:eb) sends its first packet.", "8 hosts, none with this address, in 6 h and 412,806 packets.",
		protocols.ProtoNetwork, party(laptop, "", 0, -1), party(plc1, "PLC-1 intake", 0, -1), [2]uint64{431877, 431877}, -1, ""))
	add("w5n8r1pd6yzc", "f7c2lm5d", 2, protocols.Medium, detect.Cleared, at(10, 5, 40), at(10, 19, 2), 214, find(
		"10.20.1.77 reads through the registers of PLC-1",
		"10.20.1.77 read 1,712 holding registers of PLC-1 one after another, which nobody had ever read.",
		"Read Holding Registers, addresses 0 to 1711 in steps of 8.", "10 ranges of addresses, learned from 74,112 reads.",
		protocols.ProtoModbus, party(laptop, "", 51044, 1), party(plc1, "PLC-1 intake", 502, 1), [2]uint64{432204, 441090}, 3, "Read Holding Registers",
		detect.PointRef{Kind: protocols.KindHoldingRegister, First: 0, Last: 1711}))
	add("a7f3h9dk2mqe", "f7c2lm5d", 0, protocols.Critical, detect.Raised, at(10, 23, 19), at(10, 38, 55), 3, find(
		"PLC-2, which only ever answered, commands a pump of PLC-1",
		"10.20.2.22 has only ever answered: in 6 h and 37,056 messages it never sent a request. It sent Write Single Coil to PLC-1 and switched pump P1 off.",
		"Write Single Coil, coil 3 = OFF, unit 1.", "No request from 10.20.2.22 at all (37,056 messages, 6 h). Coil 3 is written by the HMI only.",
		protocols.ProtoModbus, party(plc2, "PLC-2 filters", 49210, 1), party(plc1, "PLC-1 intake", 502, 1), [2]uint64{446731, 446732}, 5, "Write Single Coil",
		detect.PointRef{Kind: protocols.KindCoil, First: 3, Last: 3, Name: "P1_RUN"}))
	a := find(
		"Level of tank T1 above its range",
		"T1_LEVEL rose to 4.31 m; in 21,604 samples it stayed between 1.92 m and 3.41 m. Pump P1 is off since 10:23:19.",
		"4.31 m at 10:41:58, rising 0.07 m a minute.", "1.92 m to 3.41 m (21,604 samples, 6 h); 3.58 m would be exceeded once in 10 days.",
		protocols.ProtoModbus, party(hmi, "HMI", 49822, 1), party(plc1, "PLC-1 intake", 502, 1), [2]uint64{449012, 458870}, 3, "Read Holding Registers", level)
	a.Score = 6.4
	a.Evidence = "2026-03-14/a1c9.pcapng"
	add("c9t2v6jb8wqs", "f7c2lm5d", 1, protocols.High, detect.Updated, at(10, 31, 2), at(10, 41, 58), 92, a)
	add("p4x6g1nz7rkh", "b2k9wq1s", 4, protocols.Low, detect.Cleared, at(8, 12, 30), at(8, 14, 44), 1, find(
		"The historian stopped polling the substation",
		"Integrity polls from 10.20.1.12 to address 10 came every 60 s and stopped for 2 min 14 s.",
		"No poll for 2 min 14 s.", "A poll every 60 s ± 0.4 s (361 polls).",
		protocols.ProtoDNP3, detect.Party{Endpoint: protocols.Endpoint{IP: histo}, Name: "Historian", Unit: -1, Address: 1},
		detect.Party{Endpoint: protocols.Endpoint{IP: rtu, Port: 20000}, Name: "RTU substation", Unit: -1, Address: 10}, [2]uint64{311200, 318440}, 1, "Read"))
	add("d1y8s5mc3fvj", "h6v3np8x", 5, protocols.High, detect.Cleared, at(7, 2, 9), at(7, 2, 9), 1, find(
		"Breaker 52-1 operated without being selected",
		"The master operated binary output 2 of the substation; in 6 h each of 14 operates had followed a select.",
		"Operate of binary output 2, trip, without select.", "Select, then operate within 1 s (14 of 14).",
		protocols.ProtoDNP3, detect.Party{Endpoint: protocols.Endpoint{IP: scada}, Name: "SCADA master", Unit: -1, Address: 1},
		detect.Party{Endpoint: protocols.Endpoint{IP: rtu, Port: 20000}, Name: "RTU substation", Unit: -1, Address: 10}, [2]uint64{288101, 288101}, 4, "Operate",
		detect.PointRef{Kind: protocols.KindBinaryOutput, First: 2, Last: 2, Name: "52-1_TRIP"}))
	f.alerts[len(f.alerts)-1].Acknowledgements = []detect.Acknowledgement{{Time: at(7, 31, 0), By: "M. Okafor", Note: "Maintenance of bay 1, work order 4471."}}
	add("z8b4q7ta5hxn", "m1d7ck4r", 3, protocols.Info, detect.Raised, at(6, 48, 1), at(6, 48, 1), 1, find(
		"New host with a strange name", "A device calls itself "+hostile+".", hostile, "A name.",
		protocols.ProtoModbus, party(plc3, hostile, 502, 1), party(plc1, "PLC-1 intake", 502, 1), [2]uint64{280000, 280000}, 43, "Read Device Identification",
		detect.PointRef{Kind: protocols.KindCoil, First: 9, Last: 9, Name: hostile}))

	f.incidents = []detect.Incident{
		{ID: "f7c2lm5d", Severity: protocols.Critical, Title: f.alerts[2].Title, Start: at(10, 3, 11), End: at(10, 41, 58), Alerts: 4, Open: 3},
		{ID: "b2k9wq1s", Severity: protocols.Low, Title: f.alerts[4].Title, Start: at(8, 12, 30), End: at(8, 14, 44), Alerts: 1},
		{ID: "h6v3np8x", Severity: protocols.High, Title: f.alerts[5].Title, Start: at(7, 2, 9), End: at(7, 2, 9), Alerts: 1},
		{ID: "m1d7ck4r", Severity: protocols.Info, Title: f.alerts[6].Title, Start: at(6, 48, 1), End: at(6, 48, 1), Alerts: 1, Open: 1},
	}
	asset := func(ip netip.Addr, name, vendor, product, version string, known bool, n uint64, units []uint16, roles ...string) {
		first := at(0, 0, 0)
		if !known {
			first = at(10, 3, 11)
		}
		f.assets = append(f.assets, detect.Asset{IP: ip, MACs: [][6]byte{party(ip, "", 0, -1).Endpoint.MAC}, VLANs: []uint16{0}, Name: name, Vendor: vendor, Product: product,
			Version: version, Roles: roles, Units: units, FirstSeen: first, LastSeen: now - int64(n%7)*1e9, Messages: n, Known: known})
	}
	asset(hmi, "HMI", "", "", "", true, 148_204, nil, "modbus client")
	asset(histo, "Historian", "", "", "", true, 61_870, nil, "modbus client", "dnp3 master")
	asset(scada, "SCADA master", "", "", "", true, 12_960, nil, "dnp3 master")
	asset(laptop, "", "", "", "", false, 441, nil, "modbus client")
	asset(plc1, "PLC-1 intake", "Schneider Electric", "BMX P34 2020", "v3.20", true, 83_310, []uint16{1}, "modbus server")
	asset(plc2, "PLC-2 filters", "Schneider Electric", "BMX P34 2020", "v3.20", true, 74_112, []uint16{1, 2, 3, 7}, "modbus server", "modbus client")
	asset(plc3, hostile, "ACME "+hostile, "M340", "1.0", true, 40_223, []uint16{1}, "modbus server")
	asset(rtu, "RTU substation", "SEL", "SEL-3505", "R150", true, 28_801, []uint16{10}, "dnp3 outstation")

	link := func(c, s netip.Addr, p protocols.Proto, n uint64, known bool, unseen float64, fns ...detect.LinkFunction) {
		l := detect.Link{Client: c, Server: s, Port: 502, Proto: p, Unit: 1, Functions: fns, FirstSeen: at(0, 0, 0), LastSeen: now, Messages: n, Known: known, Unseen: unseen}
		if p == protocols.ProtoDNP3 {
			l.Port, l.Master, l.Outstation = 20000, 1, 10
		}
		f.links = append(f.links, l)
	}
	read := detect.LinkFunction{Function: 3, Name: "Read Holding Registers", Effect: protocols.Read, Count: 38_000}
	coil := detect.LinkFunction{Function: 5, Name: "Write Single Coil", Effect: protocols.Control, Count: 212}
	write := detect.LinkFunction{Function: 16, Name: "Write Multiple Registers", Effect: protocols.Write, Count: 41}
	for _, p := range []netip.Addr{plc1, plc2, plc3} {
		link(hmi, p, protocols.ProtoModbus, 49_401, true, 0.0002, read, coil, write)
		link(histo, p, protocols.ProtoModbus, 11_302, true, 0.00001, read)
	}
	link(scada, rtu, protocols.ProtoDNP3, 12_960, true, 0.0011, detect.LinkFunction{Function: 1, Name: "Read", Effect: protocols.Read, Count: 12_600}, detect.LinkFunction{Function: 4, Name: "Operate", Effect: protocols.Control, Count: 15})
	link(histo, rtu, protocols.ProtoDNP3, 15_841, true, 0.00001, detect.LinkFunction{Function: 1, Name: "Read", Effect: protocols.Read, Count: 15_800})
	link(plc2, plc1, protocols.ProtoModbus, 3, false, 1, coil)
	link(laptop, plc1, protocols.ProtoModbus, 438, false, 0.21, read)

	f.points()
	f.counters = []detect.Counter{
		{Name: "packets", Value: 458_902}, {Name: "bytes", Value: 38_114_020}, {Name: "kernel.dropped", Value: 0}, {Name: "class.truncated", Value: 0},
		{Name: "tcp.gaps", Value: 2}, {Name: "tcp.gap-bytes", Value: 1_460}, {Name: "tcp.refused", Value: 5}, {Name: "conns.evicted", Value: 0},
		{Name: "conversations", Value: 141}, {Name: "modbus.requests", Value: 180_604}, {Name: "modbus.responses", Value: 180_598}, {Name: "dnp3.fragments", Value: 28_801},
		{Name: "tags.samples", Value: 912_440}, {Name: "store.evicted.values", Value: 20_000}, {Name: "detect.links-refused", Value: 0},
	}
	for i, total := 0, 0.0; i <= 642; i++ {
		t := at(0, 0, 0) + int64(i)*60e9
		total += 60 * (11.9 + 0.6*math.Sin(float64(i)/31) + float64(i*7919%13)/20)
		if i > 605 && i < 620 {
			total += 60 * 9.5
		}
		f.packets = append(f.packets, detect.Bucket{Time: t, Min: total, Max: total, Mean: total, Last: total, Count: 1})
	}
	return f
}

// points makes the series and their values: a tank that fills and empties with
// its pump, until the pump is switched off.
func (f *fake) points() {
	add := func(id string, device netip.Addr, kind protocols.PointKind, index uint32, name, eu, typ string, value func(t float64) float64, low, high float64) {
		s := detect.KeptSeries{ID: id, Series: detect.Series{Table: &detect.Table{Device: device, Proto: protocols.ProtoModbus, Unit: 1, Kind: kind}, Index: index, Label: &detect.Label{Name: name, EngineeringUnit: eu, Type: typ}}}
		if device == rtu {
			s.Proto, s.Unit = protocols.ProtoDNP3, 10
		}
		var out []detect.Bucket
		for t := at(6, 0, 0); t <= now; t += 10e9 {
			v := value(float64(t-at(6, 0, 0)) / 60e9)
			b := detect.Bucket{Time: t, Min: v, Max: v, Mean: v, Last: v, Count: 1}
			if low != high {
				b.Judged, b.Low, b.High = true, low, high
				if v < low || v > high {
					b.Score = 6
				}
			}
			out = append(out, b)
		}
		s.First, s.Last, s.Value, s.Samples = out[0].Time, out[len(out)-1].Time, out[len(out)-1].Last, uint64(len(out))
		f.series = append(f.series, s)
		f.samples[id] = out
	}
	noise := func(t float64) float64 { return math.Mod(math.Abs(math.Sin(t*12.9898)*43758.5453), 1) - 0.5 }
	const cycle, off = 42.0, 263.3
	on := func(t float64) bool { return t < off && math.Mod(t+15, cycle) > 22 }
	add("1a", plc1, protocols.KindHoldingRegister, 40, "T1_LEVEL", "m", "float32 ABCD", func(t float64) float64 {
		m := math.Mod(math.Min(t, off)+15, cycle)
		l := 2.0 + 1.3*m/22
		if m > 22 {
			l = 3.3 - 1.3*(m-22)/20
		}
		if t > off {
			l += (t - off) * 0.069
		}
		return l + 0.02*noise(t)
	}, 1.92, 3.41)
	add("1b", plc1, protocols.KindCoil, 3, "P1_RUN", "", "", func(t float64) float64 {
		if on(t) {
			return 1
		}
		return 0
	}, 0, 0)
	add("1c", plc1, protocols.KindInputRegister, 12, "P1_FLOW", "l/s", "uint16", func(t float64) float64 {
		if on(t) {
			return 38 + 1.2*noise(t)
		}
		return 0.2 + 0.2*noise(t)
	}, -0.4, 39.6)
	add("1d", plc2, protocols.KindHoldingRegister, 7, "F2_DP", "kPa", "uint16", func(t float64) float64 { return 22 + 6*math.Sin(t/55) + 0.8*noise(t) }, 14, 30)
	add("1e", plc3, protocols.KindHoldingRegister, 100, "", "", "uint16", func(t float64) float64 { return math.Floor(t * 3) }, 0, 0)
	add("1f", rtu, protocols.KindAnalogInput, 4, "BUS_KV", "kV", "", func(t float64) float64 { return 20.6 + 0.15*math.Sin(t/90) + 0.05*noise(t) }, 20.2, 21)
	add("1g", plc3, protocols.KindCoil, 9, hostile, hostile, "", func(float64) float64 { return 1 }, 0, 0)
}

func (f *fake) Status(context.Context) (detect.Status, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.status, f.err()
}

func (f *fake) Alerts(_ context.Context, q detect.AlertQuery) ([]detect.KeptAlert, int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.saw = q
	var out []detect.KeptAlert
	for _, a := range f.alerts {
		text := strings.ToLower(a.Title + "\n" + a.Explanation + "\n" + a.Kind.Name + "\n" + a.Client.Name + "\n" + a.Server.Name)
		kindOK := q.Kind == "" || a.Kind.Name == q.Kind || strings.HasSuffix(q.Kind, ".") && strings.HasPrefix(a.Kind.Name, q.Kind)
		switch {
		case a.Severity < q.MinSeverity, q.Open && a.State == detect.Cleared, q.Cleared && a.State != detect.Cleared,
			q.Unacknowledged && len(a.Acknowledgements) > 0, !kindOK,
			q.Host.IsValid() && a.Client.Endpoint.IP != q.Host && a.Server.Endpoint.IP != q.Host,
			q.Incident != "" && a.Incident != q.Incident, !strings.Contains(text, strings.ToLower(q.Text)),
			q.From != 0 && a.End < q.From, q.To != 0 && a.Start > q.To:
			continue
		}
		out = append(out, a)
	}
	slices.SortFunc(out, func(a, b detect.KeptAlert) int {
		if q.OldestFirst {
			return int((a.Start - b.Start) / 1e9)
		}
		return int((b.Start - a.Start) / 1e9)
	})
	return cut(out, q.Offset, q.Limit), len(out), f.err()
}

func (f *fake) Alert(_ context.Context, id string) (detect.KeptAlert, bool, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, a := range f.alerts {
		if a.ID == id {
			a.Acknowledgements = slices.Clone(a.Acknowledgements)
			return a, true, f.err()
		}
	}
	return detect.KeptAlert{}, false, f.err()
}

func (f *fake) AlertCounts(context.Context) (detect.AlertCounts, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var n detect.AlertCounts
	for _, a := range f.alerts {
		n.Total[a.Severity]++
		if a.State != detect.Cleared {
			n.Open[a.Severity]++
			if len(a.Acknowledgements) == 0 {
				n.Unacknowledged[a.Severity]++
			}
		}
	}
	return n, f.err()
}

func (f *fake) Acknowledge(_ context.Context, id string, k detect.Acknowledgement) (bool, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i := range f.alerts {
		if f.alerts[i].ID == id {
			f.alerts[i].Acknowledgements = append(f.alerts[i].Acknowledgements, k)
			return true, f.err()
		}
	}
	return false, f.err()
}

func (f *fake) Incidents(_ context.Context, limit, offset int) ([]detect.Incident, int, error) {
	return cut(f.incidents, offset, limit), len(f.incidents), f.err()
}

func (f *fake) Incident(_ context.Context, id string) (detect.Incident, bool, error) {
	for _, in := range f.incidents {
		if in.ID == id {
			return in, true, f.err()
		}
	}
	return detect.Incident{}, false, f.err()
}

func (f *fake) Assets(context.Context) ([]detect.Asset, error) { return f.assets, f.err() }
func (f *fake) Links(context.Context) ([]detect.Link, error)   { return f.links, f.err() }

func (f *fake) Series(_ context.Context, q detect.SeriesQuery) ([]detect.KeptSeries, int, error) {
	var out []detect.KeptSeries
	for _, s := range f.series {
		if q.Device.IsValid() && s.Device != q.Device {
			continue
		}
		if len(q.Points) > 0 && !slices.ContainsFunc(q.Points, func(p detect.PointRef) bool {
			return (!p.Device.IsValid() || p.Device == s.Device) && p.Kind == s.Kind && p.First <= s.Index && s.Index <= p.Last
		}) {
			continue
		}
		if strings.Contains(strings.ToLower(fmt.Sprint(s.Device, s.Name, s.Kind, s.Index)), strings.ToLower(q.Text)) {
			out = append(out, s)
		}
	}
	return cut(out, q.Offset, q.Limit), len(out), f.err()
}

func (f *fake) SeriesByID(_ context.Context, id string) (detect.KeptSeries, bool, error) {
	for _, s := range f.series {
		if s.ID == id {
			return s, true, f.err()
		}
	}
	return detect.KeptSeries{}, false, f.err()
}

func (f *fake) Samples(_ context.Context, id string, from, to int64, n int) ([]detect.Bucket, error) {
	return bucketed(f.samples[id], from, to, n), f.err()
}

func (f *fake) Counters(context.Context) (int64, []detect.Counter, error) {
	return now, f.counters, f.err()
}

func (f *fake) CounterHistory(_ context.Context, _ string, from, to int64, n int) ([]detect.Bucket, error) {
	return bucketed(f.packets, from, to, n), f.err()
}

func bucketed(all []detect.Bucket, from, to int64, n int) []detect.Bucket {
	var in []detect.Bucket
	for _, b := range all {
		if b.Time >= from && b.Time <= to {
			in = append(in, b)
		}
	}
	if len(in) <= n {
		return in
	}
	each := (len(in) + n - 1) / n
	var out []detect.Bucket
	for chunk := range slices.Chunk(in, each) {
		b := chunk[0]
		sum := 0.0
		for _, v := range chunk {
			b.Min, b.Max, b.Last = min(b.Min, v.Min), max(b.Max, v.Max), v.Last
			sum += v.Mean
		}
		b.Mean, b.Count = sum/float64(len(chunk)), len(chunk)
		out = append(out, b)
	}
	return out
}

func options() Options {
	return Options{Version: "0.1.0", Site: "Rivermouth water plant", Kinds: kinds, Rules: []Rule{{ID: "modbus-force-listen-only", Title: "A device is told to stop answering", Severity: "high", Description: "Diagnostics sub-function 4 takes a device off the bus until it is restarted.", When: `proto == "modbus" and function == 8 and sub == 4`, Action: "Restart the device; find who sent it.", Techniques: []string{"T0814"}, Source: "rules/modbus.yaml"}}}
}
