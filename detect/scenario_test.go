package detect_test

import (
	"bytes"
	"net/netip"
	"testing"
	"time"

	"github.com/weir-ics/weir/detect"
	"github.com/weir-ics/weir/protocols"
)

// scene is a small plant made of events: a master that polls three controllers
// with Modbus and an outstation with DNP3.
type scene struct {
	t        testing.TB
	settings detect.Settings
	schedule *detect.Schedule
	shards   []*detect.Shard
	site     *detect.Site
	clock    int64
	frame    uint64
	event    protocols.Event
	alerts   []detect.Alert
	lines    []byte
	reports  map[string]detect.IncidentReport
	jitter   uint32
	quiet    map[string]bool // servers that are not polled
	slow     time.Duration
	iin      uint16
	pace     time.Duration
	step     int // steps after that many events
	events   int
	sink     func(*detect.Output)
}

const (
	master  = "10.0.0.10"
	plcA    = "10.0.0.21"
	plcB    = "10.0.0.22"
	plcC    = "10.0.0.23"
	station = "10.0.0.31"
	office  = "10.0.0.50" // known, but no part of control
)

// start is an arbitrary Monday.
var start = time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC).UnixNano()

func newScene(t testing.TB, workers int, schedule *detect.Schedule, baseline *detect.Baseline) *scene {
	s := &scene{t: t, settings: detect.Defaults(), schedule: schedule, clock: start, quiet: map[string]bool{}, reports: map[string]detect.IncidentReport{},
		pace: time.Second, step: 100}
	for i := 0; i < workers; i++ {
		s.shards = append(s.shards, detect.NewShard(s.settings, schedule, baseline))
	}
	s.site = detect.NewSite(s.settings, schedule, baseline, s.shards)
	return s
}

func end(ip string, port uint16) protocols.Endpoint {
	a := netip.MustParseAddr(ip)
	b := a.As4()
	return protocols.Endpoint{IP: a, Port: port, MAC: [6]byte{2, 0, b[0], b[1], b[2], b[3]}}
}

// shard is the shard of a pair of hosts.
func (s *scene) shard(a, b netip.Addr) *detect.Shard {
	n := 0
	for _, x := range [2]netip.Addr{a, b} {
		if x.IsValid() {
			for _, c := range x.AsSlice() {
				n += int(c)
			}
		}
	}
	return s.shards[n%len(s.shards)]
}

// begin prepares the next event.
func (s *scene) begin() *protocols.Event {
	s.frame++
	e := &s.event
	e.Reset()
	e.Time, e.Clock, e.Frame = s.clock, s.clock, s.frame
	return e
}

func (s *scene) send() {
	s.schedule.Begin(s.clock)
	e := &s.event
	for _, sh := range s.shards {
		sh.Advance(e.Clock)
	}
	s.shard(e.Src.IP, e.Dst.IP).Observe(e)
	s.events++
	if s.events%s.step == 0 {
		s.flush()
	}
}

func (s *scene) flush() {
	for _, sh := range s.shards {
		sh.Advance(s.clock)
	}
	s.collect(s.site.Step(s.clock))
}

func (s *scene) collect(out *detect.Output) {
	if s.sink != nil {
		s.sink(out)
	}
	for i := range out.Alerts {
		s.alerts = append(s.alerts, out.Alerts[i])
		s.lines = append(out.Alerts[i].AppendJSON(s.lines), '\n')
	}
	for _, r := range out.Incidents {
		s.reports[r.ID] = r
	}
}

// finish ends the capture and returns the last state of each alert.
func (s *scene) finish() []detect.Alert {
	s.flush()
	s.collect(s.site.Finish(s.clock))
	return (&run{alerts: s.alerts}).final()
}

// noise is a small deterministic variation, in nanoseconds up to limit.
func (s *scene) noise(limit time.Duration) int64 {
	s.jitter = s.jitter*1664525 + 1013904223
	return int64(s.jitter>>8) % int64(limit)
}

type modbusRequest struct {
	client, server string
	unit           uint8
	function       uint8
	name           string
	effect         protocols.Effect
	ranges         []protocols.Range
	exception      uint8
	silent         bool // no answer
	broadcast      bool
	violation      *protocols.ViolationKind
	size           int
}

func vendor(size int) modbusRequest {
	return modbusRequest{client: master, server: plcA, unit: 1, function: 90, name: "UMAS", effect: protocols.Session, size: size}
}

func registers(first, n uint32) []protocols.Range {
	return []protocols.Range{{Kind: protocols.KindHoldingRegister, Access: protocols.AccessRead, First: first, Count: n}}
}

func coil(first uint32) []protocols.Range {
	return []protocols.Range{{Kind: protocols.KindCoil, Access: protocols.AccessWrite, First: first, Count: 1}}
}

func read(client, server string, first, n uint32) modbusRequest {
	return modbusRequest{client: client, server: server, unit: 1, function: 3, name: "Read Holding Registers", effect: protocols.Read, ranges: registers(first, n)}
}

func operate(client, server string, c uint32) modbusRequest {
	return modbusRequest{client: client, server: server, unit: 1, function: 5, name: "Write Single Coil", effect: protocols.Control, ranges: coil(c)}
}

// modbus sends a request and its answer a few milliseconds later.
func (s *scene) modbus(r modbusRequest) {
	e := s.begin()
	e.Proto, e.Transport, e.Role, e.FromClient = protocols.ProtoModbus, protocols.TCP, protocols.RoleRequest, true
	e.Src, e.Dst = end(r.client, 40000), end(r.server, 502)
	e.Unit, e.Function, e.Name, e.Effect, e.Broadcast = r.unit, r.function, r.name, r.effect, r.broadcast
	e.Size = r.size
	e.Ranges = append(e.Ranges, r.ranges...)
	if r.violation != nil {
		e.Violate(r.violation, 1, 2)
	}
	request := e.Frame
	s.send()
	rtt := int64(4*time.Millisecond) + s.noise(2*time.Millisecond) + int64(s.slow)
	s.clock += rtt
	e = s.begin()
	e.Proto, e.Transport, e.Role = protocols.ProtoModbus, protocols.TCP, protocols.RoleResponse
	e.Src, e.Dst = end(r.server, 502), end(r.client, 40000)
	e.Unit, e.Function, e.Name, e.Effect = r.unit, r.function, r.name, r.effect
	e.RequestFrame, e.RTT = request, rtt
	switch {
	case r.silent:
		e.Role, e.RTT = protocols.RoleNotice, -1
		e.Violate(unanswered, 10000, 1000)
	case r.exception != 0:
		e.Role, e.Exception = protocols.RoleException, r.exception
	}
	s.send()
}

var (
	unanswered = &protocols.ViolationKind{Name: "test.unanswered", Severity: protocols.Low, Clause: "x", Meaning: "No answer."}
	malformed  = &protocols.ViolationKind{Name: "test.length", Severity: protocols.Medium, Clause: "x", Meaning: "The length is wrong.", Units: "octets"}
	twice      = &protocols.ViolationKind{Name: "test.answered-twice", Severity: protocols.High, Clause: "x", Meaning: "Twice."}
	unasked    = &protocols.ViolationKind{Name: "test.response-without-request", Severity: protocols.High, Clause: "x", Meaning: "Unasked."}
	disabled   = &protocols.ViolationKind{Name: "test.unsolicited-disabled", Severity: protocols.Medium, Clause: "x", Meaning: "Disabled."}
	noSelect   = &protocols.ViolationKind{Name: "test.operate-without-select", Severity: protocols.High, Clause: "x", Meaning: "No select."}
	otherSel   = &protocols.ViolationKind{Name: "test.select-operate-differ", Severity: protocols.High, Clause: "x", Meaning: "They differ."}
)

type dnp3Message struct {
	client, server      string
	outstation, mastera uint16
	function            uint8
	name                string
	effect              protocols.Effect
	role                protocols.Role
	ranges              []protocols.Range
	violation           *protocols.ViolationKind
}

// dnp3 sends a message; a request is answered with the scene's indications.
func (s *scene) dnp3(m dnp3Message) {
	if m.outstation == 0 {
		m.outstation, m.mastera = 4, 3
	}
	e := s.begin()
	e.Proto, e.Transport, e.Role = protocols.ProtoDNP3, protocols.TCP, m.role
	e.FromClient = m.role == protocols.RoleRequest
	if e.FromClient {
		e.Src, e.Dst, e.Source, e.Destination = end(m.client, 41000), end(m.server, 20000), m.mastera, m.outstation
	} else {
		e.Src, e.Dst, e.Source, e.Destination = end(m.server, 20000), end(m.client, 41000), m.outstation, m.mastera
	}
	e.Function, e.Name, e.Effect = m.function, m.name, m.effect
	e.Ranges = append(e.Ranges, m.ranges...)
	if m.violation != nil {
		e.Violate(m.violation, 0, 0)
	}
	if m.role != protocols.RoleRequest {
		e.IIN, e.HasIIN = s.iin, true
		s.send()
		return
	}
	request := e.Frame
	s.send()
	s.clock += int64(8*time.Millisecond) + s.noise(4*time.Millisecond)
	e = s.begin()
	e.Proto, e.Transport, e.Role = protocols.ProtoDNP3, protocols.TCP, protocols.RoleResponse
	e.Src, e.Dst, e.Source, e.Destination = end(m.server, 20000), end(m.client, 41000), m.outstation, m.mastera
	e.Function, e.Name, e.RequestFrame, e.RTT, e.IIN, e.HasIIN = 129, "RESPONSE", request, int64(8*time.Millisecond)+s.noise(4*time.Millisecond), s.iin, true
	if m.effect == protocols.Read {
		e.Ranges = append(e.Ranges, protocols.Range{Kind: protocols.KindAnalogInput, Access: protocols.AccessReport, First: 0, Count: 8})
	}
	s.send()
}

func classes() []protocols.Range {
	return []protocols.Range{{Kind: protocols.KindClass, Access: protocols.AccessRead, First: 1}, {Kind: protocols.KindClass, Access: protocols.AccessRead, First: 2}}
}

func (s *scene) network(function uint8, src, dst protocols.Endpoint, fromClient bool, size int) {
	e := s.begin()
	e.Proto, e.Role, e.Function, e.Name = protocols.ProtoNetwork, protocols.RoleNotice, function, protocols.NetworkName(function)
	e.Src, e.Dst, e.FromClient, e.Size = src, dst, fromClient, size
	s.send()
}

// live lets normal life go on for a time: polls every second, an operation now
// and then.
func (s *scene) live(d time.Duration) {
	for until := s.clock + int64(d); s.clock < until; {
		tick := s.clock
		for _, plc := range [3]string{plcA, plcB, plcC} {
			if s.quiet[plc] {
				continue
			}
			s.modbus(read(master, plc, 0, 10))
			s.modbus(read(master, plc, 100, 20))
		}
		if !s.quiet[station] {
			s.dnp3(dnp3Message{client: master, server: station, function: 1, name: "READ", effect: protocols.Read, role: protocols.RoleRequest, ranges: classes()})
		}
		if (tick-start)/int64(time.Second)%60 == 7 {
			s.modbus(operate(master, plcA, uint32((tick-start)/int64(time.Minute)%4)))
		}
		s.clock = max(s.clock, tick+int64(s.pace)+s.noise(20*time.Millisecond)-int64(10*time.Millisecond))
	}
	s.flush()
}

// hosts lets all hosts be seen, as capture tells it.
func (s *scene) hosts() {
	for _, ip := range []string{master, plcA, plcB, plcC, station, office} {
		s.network(protocols.HostSeen, end(ip, 0), protocols.Endpoint{}, false, 0)
	}
	for _, ip := range []string{plcA, plcB, plcC} {
		s.network(protocols.ConnectionTried, end(master, 40000), end(ip, 502), true, 0)
		s.network(protocols.ConnectionOpened, end(master, 40000), end(ip, 502), true, 0)
	}
	s.network(protocols.ConnectionTried, end(master, 41000), end(station, 20000), true, 0)
}

// learned returns a scene that has learned an hour and now watches.
func learned(t testing.TB, workers int, before func(*scene)) *scene {
	s := newScene(t, workers, detect.LearnFor(time.Hour), nil)
	s.hosts()
	if before != nil {
		before(s)
	}
	s.live(time.Hour + 10*time.Second)
	if len(s.alerts) > 0 {
		t.Fatalf("alerts while learning: %s", s.lines)
	}
	return s
}

// attack is one thing that a kind is about.
type attack struct {
	kind     *detect.Kind
	severity protocols.Severity
	do       func(*scene)
	before   func(*scene) // during the learning, or nil
}

func restart(client, server string) modbusRequest {
	return modbusRequest{client: client, server: server, unit: 1, function: 8, name: "Restart Communications Option", effect: protocols.Restart}
}

func dnp3Request(client string, function uint8, name string, effect protocols.Effect, ranges ...protocols.Range) dnp3Message {
	return dnp3Message{client: client, server: station, function: function, name: name, effect: effect, role: protocols.RoleRequest, ranges: ranges}
}

var attacks = map[string]attack{
	"an unknown host reads":                         {kind: detect.KindAssetNew, severity: protocols.Medium, do: func(s *scene) { s.modbus(read("10.0.0.66", plcA, 0, 10)) }},
	"an unknown host operates":                      {kind: detect.KindAssetNew, severity: protocols.Critical, do: func(s *scene) { s.modbus(operate("10.0.0.66", plcA, 1)) }},
	"a controller operates another":                 {kind: detect.KindRoleNew, severity: protocols.Critical, do: func(s *scene) { s.modbus(operate(plcB, plcA, 1)) }},
	"a controller reads another":                    {kind: detect.KindRoleNew, severity: protocols.High, do: func(s *scene) { s.modbus(read(plcB, plcA, 0, 10)) }},
	"a known host of the office reads a controller": {kind: detect.KindLinkNew, severity: protocols.Medium, do: func(s *scene) { s.modbus(read(office, plcA, 0, 10)) }},
	"the master asks another unit": {kind: detect.KindUnitNew, severity: protocols.Medium, do: func(s *scene) {
		r := read(master, plcA, 0, 10)
		r.unit = 9
		s.modbus(r)
	}},
	"the master reads what it never read":                {kind: detect.KindAddressNew, severity: protocols.Low, do: func(s *scene) { s.modbus(read(master, plcA, 5000, 10)) }},
	"the master operates a coil it never touched":        {kind: detect.KindAddressNew, severity: protocols.Medium, do: func(s *scene) { s.modbus(operate(master, plcA, 77)) }},
	"the master operates a controller that it only read": {kind: detect.KindFunctionNew, severity: protocols.Medium, do: func(s *scene) { s.modbus(operate(master, plcB, 1)) }},
	"a client that only read begins to command": {kind: detect.KindCommandNew, severity: protocols.Critical, do: func(s *scene) {
		s.modbus(read(office, plcA, 0, 10))
		s.live(20 * time.Second)
		s.modbus(operate(office, plcA, 1))
	}},
	"the master uses a function it never used": {kind: detect.KindFunctionNew, severity: protocols.Medium, do: func(s *scene) {
		s.modbus(modbusRequest{client: master, server: plcA, unit: 1, function: 17, name: "Report Server ID", effect: protocols.Diagnose})
	}},
	"the master restarts a controller": {kind: detect.KindRestartCommand, severity: protocols.High, do: func(s *scene) { s.modbus(restart(master, plcA)) }},
	"the master downloads a program": {kind: detect.KindProgramAccess, severity: protocols.Critical, do: func(s *scene) {
		s.modbus(modbusRequest{client: master, server: plcA, unit: 1, function: 90, name: "UMAS", effect: protocols.Program})
	}},
	"the master deletes a file": {kind: detect.KindFileTransfer, severity: protocols.High, do: func(s *scene) { s.dnp3(dnp3Request(master, 27, "DELETE_FILE", protocols.FileAccess)) }},
	"the master disables unsolicited reporting": {kind: detect.KindConfigureNew, severity: protocols.Medium, do: func(s *scene) {
		s.dnp3(dnp3Request(master, 21, "DISABLE_UNSOLICITED", protocols.Configure, classes()...))
	}},
	"the master sets the clock": {kind: detect.KindTimeSet, severity: protocols.Medium, do: func(s *scene) { s.dnp3(dnp3Request(master, 2, "WRITE", protocols.Time)) }},
	"restart, clock and configuration by an unknown host": {kind: detect.KindTakeover, severity: protocols.High, do: func(s *scene) {
		for _, m := range []dnp3Message{dnp3Request("10.0.0.66", 13, "COLD_RESTART", protocols.Restart), dnp3Request("10.0.0.66", 2, "WRITE", protocols.Time),
			dnp3Request("10.0.0.66", 20, "ENABLE_UNSOLICITED", protocols.Configure, classes()...)} {
			s.dnp3(m)
			s.live(5 * time.Second)
		}
	}},
	"a broadcast": {kind: detect.KindBroadcast, severity: protocols.High, do: func(s *scene) {
		r := operate(master, plcA, 1)
		r.broadcast = true
		s.modbus(r)
	}},
	"a refusal never given": {kind: detect.KindExceptionNew, severity: protocols.Low, do: func(s *scene) {
		r := read(master, plcA, 0, 10)
		r.exception = 4
		s.modbus(r)
	}},
	"refusals in a row": {kind: detect.KindExceptionBurst, severity: protocols.Medium, do: func(s *scene) {
		for i := 0; i < 40; i++ {
			r := read(master, plcA, 0, 10)
			r.exception = 4
			s.modbus(r)
		}
	}},
	"an indication never shown": {kind: detect.KindIINNew, severity: protocols.Medium, do: func(s *scene) {
		s.iin = 1 << 13
		s.live(3 * time.Second)
	}},
	"an outstation that restarted": {kind: detect.KindDeviceRestarted, severity: protocols.Medium, do: func(s *scene) {
		s.iin = 1 << 7
		s.live(3 * time.Second)
	}},
	"an outstation that reports unasked": {kind: detect.KindUnsolicitedNew, severity: protocols.Low, do: func(s *scene) {
		s.dnp3(dnp3Message{client: master, server: station, function: 130, name: "UNSOLICITED_RESPONSE", role: protocols.RoleUnsolicited})
	}},
	"an outstation that reports new points": {kind: detect.KindPointNew, severity: protocols.Low, do: func(s *scene) {
		s.dnp3(dnp3Message{client: master, server: station, function: 129, name: "RESPONSE", role: protocols.RoleResponse,
			ranges: []protocols.Range{{Kind: protocols.KindAnalogInput, Access: protocols.AccessReport, First: 100, Count: 4}}})
	}},
	"malformed messages in a row, of a kind that is a habit": {kind: detect.KindMalformedBurst, severity: protocols.Low, do: func(s *scene) {
		s.live(5 * time.Second)
		for i := 0; i < 40; i++ {
			r := read(master, plcA, 0, 10)
			r.violation = malformed
			s.modbus(r)
		}
	}, before: func(s *scene) {
		s.live(time.Minute)
		r := read(master, plcA, 0, 10)
		r.violation = malformed
		s.modbus(r)
	}},
	"a poll that stops": {kind: detect.KindPollStopped, severity: protocols.Medium, do: func(s *scene) {
		s.quiet[plcB] = true
		s.live(time.Minute)
	}},
	"a poll that quickens": {kind: detect.KindPollPace, severity: protocols.Low, do: func(s *scene) {
		s.pace = 600 * time.Millisecond
		s.live(3 * time.Minute)
	}},
	"answers that come late": {kind: detect.KindResponseLate, severity: protocols.Low, do: func(s *scene) {
		s.slow = 60 * time.Millisecond
		s.live(10 * time.Second)
	}},
	"a device that falls silent": {kind: detect.KindDeviceSilent, severity: protocols.Medium, do: func(s *scene) {
		for i := 0; i < 6; i++ {
			r := read(master, plcA, 0, 10)
			r.silent = true
			s.modbus(r)
			s.clock += int64(time.Second)
		}
	}},
	"a flood of messages": {kind: detect.KindFloodMessages, severity: protocols.Medium, do: func(s *scene) {
		for i := 0; i < 2000; i++ {
			s.modbus(read(master, plcA, 0, 10))
		}
	}},
	"a flood of connections": {kind: detect.KindFloodConnections, severity: protocols.Medium, do: func(s *scene) {
		for i := 0; i < 500; i++ {
			s.network(protocols.ConnectionTried, end(master, uint16(42000+i)), end(plcA, 502), true, 0)
			s.clock += int64(time.Millisecond)
		}
	}},
	"a flood of hosts": {kind: detect.KindFloodHosts, severity: protocols.High, do: func(s *scene) {
		for i := 0; i < 5000; i++ {
			src := end(netip.AddrFrom4([4]byte{172, 16, byte(i >> 8), byte(i)}).String(), 1234)
			s.network(protocols.HostSeen, src, protocols.Endpoint{}, false, 0)
			s.network(protocols.ConnectionTried, src, end(plcA, 502), true, 0)
			s.clock += int64(100 * time.Microsecond)
		}
	}},
	"a scan of hosts": {kind: detect.KindScanHost, severity: protocols.High, do: func(s *scene) {
		for i := 0; i < 40; i++ {
			s.network(protocols.ConnectionTried, end(office, uint16(42000+i)), end(netip.AddrFrom4([4]byte{10, 0, 0, byte(100 + i)}).String(), 502), true, 0)
			s.clock += int64(100 * time.Millisecond)
		}
	}},
	"a slow scan of hosts": {kind: detect.KindScanHost, severity: protocols.High, do: func(s *scene) {
		for i := 0; i < 6; i++ {
			s.network(protocols.ConnectionTried, end(office, uint16(42000+i)), end(netip.AddrFrom4([4]byte{10, 0, 0, byte(100 + i)}).String(), 502), true, 0)
			s.live(10 * time.Minute)
		}
	}},
	"a scan of ports": {kind: detect.KindScanPort, severity: protocols.High, do: func(s *scene) {
		for i := 0; i < 40; i++ {
			s.network(protocols.ConnectionTried, end(office, uint16(42000+i)), end(plcA, uint16(1+i)), true, 0)
			s.network(protocols.ConnectionRefused, end(plcA, uint16(1+i)), end(office, uint16(42000+i)), false, 0)
			s.clock += int64(100 * time.Millisecond)
		}
	}},
	"a scan of units": {kind: detect.KindScanUnit, severity: protocols.High, do: func(s *scene) {
		for i := 0; i < 20; i++ {
			r := read(master, plcA, 0, 1)
			r.unit, r.exception = uint8(2+i), 11
			s.modbus(r)
		}
	}},
	"a scan of registers": {kind: detect.KindScanRegister, severity: protocols.High, do: func(s *scene) {
		for i := uint32(0); i < 40; i++ {
			r := read(master, plcA, 1000+100*i, 100)
			r.exception = 2
			s.modbus(r)
		}
	}},
	"a scan of functions": {kind: detect.KindScanFunction, severity: protocols.High, do: func(s *scene) {
		for i := uint8(0); i < 20; i++ {
			s.modbus(modbusRequest{client: "10.0.0.66", server: plcA, unit: 1, function: 65 + i, name: "vendor", effect: protocols.EffectNone, exception: 1})
		}
	}},
	"a request answered twice": {kind: detect.KindAnsweredTwice, severity: protocols.High, do: func(s *scene) {
		r := read(master, plcA, 0, 10)
		r.violation = twice
		s.modbus(r)
	}},
	"an answer to nothing": {kind: detect.KindResponseUnasked, severity: protocols.High, do: func(s *scene) {
		s.dnp3(dnp3Message{client: master, server: station, function: 129, name: "RESPONSE", role: protocols.RoleResponse, violation: unasked})
	}},
	"a report that was switched off": {kind: detect.KindUnsolicitedTurn, severity: protocols.Medium, do: func(s *scene) {
		s.dnp3(dnp3Message{client: master, server: station, function: 130, name: "UNSOLICITED_RESPONSE", role: protocols.RoleUnsolicited, violation: disabled})
	}},
	"a message far longer than ever": {kind: detect.KindSize, severity: protocols.Low, do: func(s *scene) {
		s.modbus(vendor(250))
	}, before: func(s *scene) {
		for i := 0; i < 300; i++ {
			s.modbus(vendor(10 + i%5))
			s.clock += int64(time.Second)
		}
	}},
	"an operate without its select": {kind: detect.KindOperateWithoutSelect, severity: protocols.High, do: func(s *scene) {
		m := dnp3Request(master, 4, "OPERATE", protocols.Control)
		m.violation = noSelect
		s.dnp3(m)
	}},
	"an operate of something else than was selected": {kind: detect.KindSelectDiffers, severity: protocols.High, do: func(s *scene) {
		m := dnp3Request(master, 4, "OPERATE", protocols.Control)
		m.violation = otherSel
		s.dnp3(m)
	}},
	"another network card under a known address": {kind: detect.KindMACChanged, severity: protocols.High, do: func(s *scene) {
		x := end(plcA, 0)
		x.MAC[5]++
		s.network(protocols.HostSeen, x, protocols.Endpoint{}, false, 0)
	}},
	"an ARP answer for another's address": {kind: detect.KindARPConflict, severity: protocols.High, do: func(s *scene) {
		x := end(plcA, 0)
		x.MAC = [6]byte{2, 6, 6, 6, 6, 6}
		s.network(protocols.ARPReply, x, end(master, 0), false, 0)
	}},
	"ARP answers that nobody asked for": {kind: detect.KindARPUnasked, severity: protocols.Medium, do: func(s *scene) {
		for i := 0; i < 8; i++ {
			s.network(protocols.ARPReply, end(plcA, 0), end(master, 0), false, 0)
			s.clock += int64(time.Second)
		}
	}},
	"a TCP segment with other content": {kind: detect.KindOverlap, severity: protocols.High, do: func(s *scene) {
		s.network(protocols.OverlapConflict, end(plcA, 502), end(master, 40000), false, 12)
	}},
	"another time to live": {kind: detect.KindTTLChanged, severity: protocols.Medium, do: func(s *scene) {
		s.network(protocols.TTLChanged, end(plcA, 502), end(master, 40000), false, 61)
	}},
	"a connection by a controller": {kind: detect.KindConnectionNew, severity: protocols.High, do: func(s *scene) {
		s.network(protocols.ConnectionTried, end(plcA, 43000), end(plcB, 445), true, 0)
	}},
}

func TestEveryKindOfAttackIsFoundAndNothingElseIsAsSevere(t *testing.T) {
	covered := map[*detect.Kind]bool{ // have tests of their own
		detect.KindHours: true, detect.KindStorm: true, detect.KindPacketsLost: true, detect.KindValuesSkipped: true, detect.KindInterfaceDown: true,
	}
	for name, a := range attacks {
		covered[a.kind] = true
		t.Run(name, func(t *testing.T) {
			s := learned(t, 1, a.before)
			a.do(s)
			s.live(5 * time.Second)
			found := false
			for _, alert := range s.finish() {
				if alert.Kind == a.kind && alert.Severity == a.severity {
					found = true
				}
			}
			if !found {
				t.Errorf("no %s of severity %s", a.kind.Name, a.severity)
				for _, alert := range s.finish() {
					t.Log("\n" + alert.Text())
				}
			}
			if n := len(s.finish()); n > 6 {
				t.Errorf("%d alerts for one thing", n)
				for _, alert := range s.finish() {
					t.Log("\n" + alert.Text())
				}
			}
		})
	}
	for _, k := range detect.Kinds() {
		if !covered[k] {
			t.Errorf("%s: no scene shows it firing", k.Name)
		}
	}
}

func TestNormalLifeGivesNoAlert(t *testing.T) {
	s := learned(t, 1, nil)
	s.live(3 * time.Hour)
	if alerts := s.finish(); len(alerts) != 0 {
		t.Errorf("%d alerts:\n%s", len(alerts), s.lines)
	}
}

func TestScenesGiveTheSameAlertsForAnyNumberOfShardsAndSteps(t *testing.T) {
	for name, a := range attacks {
		t.Run(name, func(t *testing.T) {
			var want []byte
			for i, o := range []struct{ workers, step int }{{1, 100}, {2, 37}, {3, 5000}} {
				s := newScene(t, o.workers, detect.LearnFor(time.Hour), nil)
				s.step = o.step
				s.hosts()
				if a.before != nil {
					a.before(s)
				}
				s.live(time.Hour + 10*time.Second)
				a.do(s)
				s.live(time.Minute)
				s.finish()
				if i == 0 {
					want = s.lines
				} else if !bytes.Equal(s.lines, want) {
					t.Errorf("%d shards, steps of %d: %s", o.workers, o.step, firstDifference(s.lines, want))
				}
			}
		})
	}
}
