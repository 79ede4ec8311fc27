package plant

import (
	"net/netip"

	"github.com/weir-ics/weir/plant/water"
	"github.com/weir-ics/weir/plant/wire"
	"github.com/weir-ics/weir/protocols"
)

// The addresses of the simulated site. Everything is in one control network,
// 10.20.1.0/24.
var (
	AddrGateway     = netip.MustParseAddr("10.20.1.1")
	AddrHMI         = netip.MustParseAddr("10.20.1.10")
	AddrHistorian   = netip.MustParseAddr("10.20.1.11")
	AddrEngineering = netip.MustParseAddr("10.20.1.12")
	AddrMaster      = netip.MustParseAddr("10.20.1.15")
	AddrPLC1        = netip.MustParseAddr("10.20.1.21") // intake and raw water
	AddrPLC2        = netip.MustParseAddr("10.20.1.22") // treatment
	AddrPLC3        = netip.MustParseAddr("10.20.1.23") // high lift and reservoirs
	AddrAnalysers   = netip.MustParseAddr("10.20.1.24") // gateway to units 11 and 12
	AddrRTU         = netip.MustParseAddr("10.20.1.31") // DNP3 outstation of the substation
	AddrIntruder    = netip.MustParseAddr("10.20.1.66")
)

// The DNP3 link addresses of the site.
const (
	MasterAddress     = 1
	OutstationAddress = 10
)

// site is all that is on the simulated network.
type site struct {
	process *water.Plant

	gateway, hmi, historian, engineering, master   *host
	plc1, plc2, plc3, analysers, rtuHost, intruder *host

	devices []*device // in the order of their addresses
	rtu     *outstation
}

func newHost(name string, ip netip.Addr, mac wire.MAC, controller bool, typical int64) *host {
	h := &host{name: name, ip: ip.As4(), mac: mac, ttl: 128, controller: controller, typical: typical}
	if controller {
		h.ttl = 64
	}
	h.id = uint16(h.ip[3]) * 257
	return h
}

func newSite(seed uint64, start int64) *site {
	s := &site{
		process:     water.New(seed, start),
		gateway:     newHost("gateway", AddrGateway, wire.MAC{0x00, 0x0c, 0x29, 0x10, 0x00, 0x01}, false, millisecond),
		hmi:         newHost("HMI", AddrHMI, wire.MAC{0x00, 0x1b, 0x21, 0x3a, 0x10, 0x0a}, false, millisecond),
		historian:   newHost("historian", AddrHistorian, wire.MAC{0x00, 0x1b, 0x21, 0x3a, 0x10, 0x0b}, false, millisecond),
		engineering: newHost("engineering", AddrEngineering, wire.MAC{0x00, 0x1b, 0x21, 0x3a, 0x10, 0x0c}, false, millisecond),
		master:      newHost("master", AddrMaster, wire.MAC{0x00, 0x1b, 0x21, 0x3a, 0x10, 0x0f}, false, millisecond),
		plc1:        newHost("PLC1", AddrPLC1, wire.MAC{0x00, 0x80, 0xf4, 0x51, 0x20, 0x15}, true, 6*millisecond),
		plc2:        newHost("PLC2", AddrPLC2, wire.MAC{0x00, 0x80, 0xf4, 0x51, 0x20, 0x16}, true, 8*millisecond),
		plc3:        newHost("PLC3", AddrPLC3, wire.MAC{0x00, 0x30, 0xde, 0x0c, 0x20, 0x17}, true, 4*millisecond),
		analysers:   newHost("analysers", AddrAnalysers, wire.MAC{0x00, 0x90, 0xe8, 0x44, 0x20, 0x18}, true, 22*millisecond),
		rtuHost:     newHost("RTU", AddrRTU, wire.MAC{0x00, 0x30, 0xa7, 0x02, 0x20, 0x1f}, true, 14*millisecond),
		intruder:    newHost("intruder", AddrIntruder, wire.MAC{0x08, 0x00, 0x27, 0x5e, 0x13, 0x66}, false, millisecond),
	}
	s.intruder.ttl = 64
	s.devices = []*device{
		{host: s.plc1, process: s.process, umas: true, told: -1,
			identity: identity{"Schneider Electric", "BMX P34 2020", "v2.70", "PLC1"},
			units:    map[uint8]*unit{1: newUnit(8, plc1Tags...)}},
		{host: s.plc2, process: s.process, umas: true, told: -1,
			identity: identity{"Schneider Electric", "BMX P34 2020", "v3.20", "PLC2"},
			units:    map[uint8]*unit{1: newUnit(8, plc2Tags...)}},
		{host: s.plc3, process: s.process, told: -1,
			identity: identity{"WAGO", "750-8212", "04.02.13", "PLC3"},
			units:    map[uint8]*unit{1: newUnit(16, plc3Tags...)}},
		{host: s.analysers, process: s.process, gateway: true, told: -1,
			identity: identity{"Moxa", "MGate MB3170", "4.1", "analysers"},
			units:    map[uint8]*unit{11: newUnit(2, analyser11Tags...), 12: newUnit(2, analyser12Tags...)}},
	}
	s.rtu = newOutstation(s.process)
	return s
}

// device returns the Modbus device of a host, nil if it has none.
func (s *site) device(h *host) *device {
	for _, d := range s.devices {
		if d.host == h {
			return d
		}
	}
	return nil
}

// names are those of the devices that are polled.
func (s *site) names() []string {
	var names []string
	for _, d := range s.devices {
		names = append(names, d.host.name)
	}
	return append(names, s.rtuHost.name)
}

// hosts lists every machine that is normally there.
func (s *site) hosts() []*host {
	return []*host{s.gateway, s.hmi, s.historian, s.engineering, s.master, s.plc1, s.plc2, s.plc3, s.analysers, s.rtuHost}
}

// tags lists every point of every device.
func (s *site) tags() []Tag {
	var all []Tag
	for _, d := range s.devices {
		for id := range 256 {
			u := d.units[uint8(id)]
			if u == nil {
				continue
			}
			for k := range u.tags {
				for _, t := range u.tags[k] {
					t.Device, t.Unit = netip.AddrFrom4(d.host.ip), uint16(id)
					all = append(all, t)
				}
			}
		}
	}
	for _, t := range s.rtu.tags() {
		t.Device, t.Unit = netip.AddrFrom4(s.rtuHost.ip), OutstationAddress
		all = append(all, t)
	}
	return all
}

// Tags is the ground truth of the simulated site: every point of every device.
func Tags() []Tag { return newSite(1, 0).tags() }

// The columns of the tag tables below, made short.

func bit(kind protocols.PointKind, address uint16, name string, get func(*water.Plant) bool, set func(*water.Plant, bool)) Tag {
	t := Tag{Table: kind, Address: address, Name: name, Type: "bool", Order: "ABCD", Scale: 1, Low: 0, High: 1}
	t.get = func(p *water.Plant) float64 {
		if get(p) {
			return 1
		}
		return 0
	}
	if set != nil {
		t.set = func(p *water.Plant, v float64) { set(p, v != 0) }
	}
	return t
}

func coil(address uint16, name string, get func(*water.Plant) bool, set func(*water.Plant, bool)) Tag {
	return bit(protocols.KindCoil, address, name, get, set)
}

func discrete(address uint16, name string, get func(*water.Plant) bool) Tag {
	return bit(protocols.KindDiscreteInput, address, name, get, nil)
}

func input(address uint16, name, typ, order string, scale float64, eu string, low, high float64, get func(*water.Plant) float64) Tag {
	return Tag{Table: protocols.KindInputRegister, Address: address, Name: name, Type: typ, Order: order, Scale: scale, EngineeringUnit: eu, Low: low, High: high, get: get}
}

func holding(address uint16, name, typ, order string, scale float64, eu string, low, high float64, at func(*water.Plant) *float64) Tag {
	return Tag{Table: protocols.KindHoldingRegister, Address: address, Name: name, Type: typ, Order: order, Scale: scale, EngineeringUnit: eu, Low: low, High: high,
		get: func(p *water.Plant) float64 { return *at(p) },
		set: func(p *water.Plant, v float64) { *at(p) = v }}
}

func sensor(i int) func(*water.Plant) float64 {
	return func(p *water.Plant) float64 { return p.Measured[i] }
}

// pumpCoils are the operator's switches of a pump: automatic, and on by hand.
func pumpCoils(address uint16, name string, i int) []Tag {
	return []Tag{
		coil(address, name+"_AUTO", func(p *water.Plant) bool { return p.Pumps[i].Auto }, func(p *water.Plant, on bool) { p.Pumps[i].Auto = on }),
		coil(address+1, name+"_START", func(p *water.Plant) bool { return p.Pumps[i].Command }, func(p *water.Plant, on bool) { p.Pumps[i].Command = on }),
	}
}

func running(i int) func(*water.Plant) bool {
	return func(p *water.Plant) bool { return p.Pumps[i].Running }
}

func hours(i int) func(*water.Plant) float64 {
	return func(p *water.Plant) float64 { return p.Pumps[i].Hours }
}

func starts(i int) func(*water.Plant) float64 {
	return func(p *water.Plant) float64 { return float64(p.Pumps[i].Starts) }
}

func total(at func(*water.Plant) *float64) func(*water.Plant) float64 {
	return func(p *water.Plant) float64 { return *at(p) }
}

// statusWord is a bit field: which pumps run, the wash, the breakers.
func statusWord(p *water.Plant) float64 {
	w := 0
	for i := range p.Pumps {
		if p.Pumps[i].Running {
			w |= 1 << i
		}
		if p.Pumps[i].Auto {
			w |= 1 << (8 + i)
		}
	}
	if p.Washing {
		w |= 1 << 5
	}
	return float64(w)
}

func alarmWord(p *water.Plant) float64 { return float64(p.Alarms) }

// heartbeat counts seconds and wraps at 2^16, as controllers' do.
func heartbeat(p *water.Plant) float64 { return float64(p.Now / 1e9 & 0xffff) }

// PLC1 works with scaled 16-bit integers.
var plc1Tags = concat(
	pumpCoils(0, "P1", water.P1), pumpCoils(2, "P2", water.P2),
	[]Tag{
		coil(4, "ALARM_RESET1", func(p *water.Plant) bool { return p.AlarmReset }, func(p *water.Plant, on bool) { p.AlarmReset = on }),
		discrete(0, "P1_RUN", running(water.P1)),
		discrete(1, "P2_RUN", running(water.P2)),
		discrete(2, "T1_LOW", func(p *water.Plant) bool { return p.Level[water.T1] < 1 }),
		discrete(3, "T1_HIGH", func(p *water.Plant) bool { return p.Level[water.T1] > 5.2 }),
		discrete(4, "P1_POWER", func(p *water.Plant) bool { return p.Pumps[water.P1].Powered }),
		discrete(5, "P2_POWER", func(p *water.Plant) bool { return p.Pumps[water.P2].Powered }),
		input(0, "LT_T1", "int16", "ABCD", 0.001, "m", 0, 6, sensor(water.SensorT1)),
		input(1, "FT_INTAKE", "uint16", "ABCD", 0.1, "m3/h", 0, 700, sensor(water.SensorIntake)),
		input(2, "IT_P1", "int16", "ABCD", 0.01, "A", 0, 80, sensor(water.SensorCurrent1)),
		input(3, "IT_P2", "int16", "ABCD", 0.01, "A", 0, 80, sensor(water.SensorCurrent2)),
		input(4, "AT_TURBIDITY_RAW", "int16", "ABCD", 0.01, "NTU", 0, 100, sensor(water.SensorTurbidityRaw)),
		input(5, "TT_RAW", "int16", "ABCD", 0.01, "degC", -20, 60, sensor(water.SensorTemperature)),
		input(6, "STATUS1", "bits16", "ABCD", 1, "", 0, 0, statusWord),
		input(7, "HEARTBEAT1", "counter16", "ABCD", 1, "s", 0, 0, heartbeat),
		input(8, "INTAKE_TOTAL", "counter32", "ABCD", 1, "m3", 0, 0, total(func(p *water.Plant) *float64 { return &p.TotalIn })),
		input(10, "P1_HOURS", "uint32", "ABCD", 0.01, "h", 0, 0, hours(water.P1)),
		input(12, "P2_HOURS", "uint32", "ABCD", 0.01, "h", 0, 0, hours(water.P2)),
		input(14, "P1_STARTS", "uint16", "ABCD", 1, "", 0, 0, starts(water.P1)),
		input(15, "P2_STARTS", "uint16", "ABCD", 1, "", 0, 0, starts(water.P2)),
		holding(0, "SP_T1_ON", "int16", "ABCD", 0.001, "m", 1.2, 3.5, func(p *water.Plant) *float64 { return &p.Set.T1On }),
		holding(1, "SP_T1_OFF", "int16", "ABCD", 0.001, "m", 3.2, 5, func(p *water.Plant) *float64 { return &p.Set.T1Off }),
		holding(2, "SP_T1_STANDBY", "int16", "ABCD", 0.001, "m", 0.8, 2.5, func(p *water.Plant) *float64 { return &p.Set.T1Standby }),
	},
)

// PLC2 works with float32 in the order ABCD.
var plc2Tags = []Tag{
	coil(0, "BACKWASH", func(p *water.Plant) bool { return p.WashRequest }, func(p *water.Plant, on bool) { p.WashRequest = on }),
	coil(1, "ALARM_RESET2", func(p *water.Plant) bool { return p.AlarmReset }, func(p *water.Plant, on bool) { p.AlarmReset = on }),
	discrete(0, "WASHING", func(p *water.Plant) bool { return p.Washing }),
	discrete(1, "DOSING", func(p *water.Plant) bool { return p.Dose > 1 }),
	input(0, "FT_TREATED", "float32", "ABCD", 1, "m3/h", 0, 400, sensor(water.SensorTreated)),
	input(2, "ZT_V1", "float32", "ABCD", 1, "%", 0, 100, sensor(water.SensorV1)),
	input(4, "PDT_FILTER", "float32", "ABCD", 1, "m", 0, 4, sensor(water.SensorHeadLoss)),
	input(6, "LT_T2", "float32", "ABCD", 1, "m", 0, 5, sensor(water.SensorT2)),
	input(8, "DOSE_STROKE", "float32", "ABCD", 1, "%", 0, 100, sensor(water.SensorDose)),
	input(10, "TREATED_TOTAL", "counter32", "ABCD", 1, "m3", 0, 0, total(func(p *water.Plant) *float64 { return &p.TotalTreated })),
	input(12, "ALARMS2", "bits16", "ABCD", 1, "", 0, 0, alarmWord),
	input(13, "HEARTBEAT2", "counter16", "ABCD", 1, "s", 0, 0, heartbeat),
	holding(0, "SP_FLOW", "float32", "ABCD", 1, "m3/h", 120, 300, func(p *water.Plant) *float64 { return &p.Set.Flow }),
	holding(2, "SP_CHLORINE", "float32", "ABCD", 1, "mg/l", 0.3, 1, func(p *water.Plant) *float64 { return &p.Set.Chlorine }),
	holding(4, "SP_BACKWASH", "float32", "ABCD", 1, "m", 1, 2.5, func(p *water.Plant) *float64 { return &p.Set.Backwash }),
}

// PLC3 works with float32 in the order CDAB, and with 32-bit integers.
var plc3Tags = concat(
	pumpCoils(0, "P3", water.P3), pumpCoils(2, "P4", water.P4), pumpCoils(4, "P5", water.P5),
	[]Tag{
		discrete(0, "P3_RUN", running(water.P3)),
		discrete(1, "P4_RUN", running(water.P4)),
		discrete(2, "P5_RUN", running(water.P5)),
		discrete(3, "T3_LOW", func(p *water.Plant) bool { return p.Level[water.T3] < 1 }),
		discrete(4, "T3_HIGH", func(p *water.Plant) bool { return p.Level[water.T3] > 6.2 }),
		discrete(5, "T4_LOW", func(p *water.Plant) bool { return p.Level[water.T4] < 1 }),
		discrete(6, "T4_HIGH", func(p *water.Plant) bool { return p.Level[water.T4] > 5.4 }),
		input(0, "LT_T3", "float32", "CDAB", 1, "m", 0, 7, sensor(water.SensorT3)),
		input(2, "LT_T4", "float32", "CDAB", 1, "m", 0, 6, sensor(water.SensorT4)),
		input(4, "FT_HIGHLIFT", "float32", "CDAB", 1, "m3/h", 0, 700, sensor(water.SensorHighLift)),
		input(6, "FT_BOOSTER", "float32", "CDAB", 1, "m3/h", 0, 300, sensor(water.SensorBoosted)),
		input(8, "FT_ZONE3", "float32", "CDAB", 1, "m3/h", 0, 400, sensor(water.SensorDemand3)),
		input(10, "FT_ZONE4", "float32", "CDAB", 1, "m3/h", 0, 200, sensor(water.SensorDemand4)),
		input(12, "PT_DISCHARGE", "float32", "CDAB", 1, "bar", 0, 10, sensor(water.SensorDischarge)),
		input(14, "PT_ZONE3", "float32", "CDAB", 1, "bar", 0, 6, sensor(water.SensorZone3)),
		input(16, "PT_ZONE4", "float32", "CDAB", 1, "bar", 0, 6, sensor(water.SensorZone4)),
		input(18, "ST_P3", "float32", "CDAB", 1, "", 0, 1, sensor(water.SensorSpeed3)),
		input(20, "ST_P4", "float32", "CDAB", 1, "", 0, 1, sensor(water.SensorSpeed4)),
		input(22, "IT_P3", "int32", "CDAB", 0.001, "A", 0, 200, sensor(water.SensorCurrent3)),
		input(24, "IT_P4", "int32", "CDAB", 0.001, "A", 0, 200, sensor(water.SensorCurrent4)),
		input(26, "IT_P5", "int32", "CDAB", 0.001, "A", 0, 100, sensor(water.SensorCurrent5)),
		input(28, "ZT_V2", "float32", "CDAB", 1, "%", 0, 100, sensor(water.SensorV2)),
		input(30, "STATUS3", "bits16", "ABCD", 1, "", 0, 0, statusWord),
		input(31, "HEARTBEAT3", "counter16", "ABCD", 1, "s", 0, 0, heartbeat),
		input(32, "OUT_TOTAL", "counter32", "CDAB", 1, "m3", 0, 0, total(func(p *water.Plant) *float64 { return &p.TotalOut })),
		input(34, "P3_HOURS", "uint32", "CDAB", 0.01, "h", 0, 0, hours(water.P3)),
		input(36, "P5_HOURS", "uint32", "CDAB", 0.01, "h", 0, 0, hours(water.P5)),
		holding(0, "SP_T3_ON", "float32", "CDAB", 1, "m", 1.5, 4, func(p *water.Plant) *float64 { return &p.Set.T3On }),
		holding(2, "SP_T3_OFF", "float32", "CDAB", 1, "m", 4.2, 6, func(p *water.Plant) *float64 { return &p.Set.T3Off }),
		holding(4, "SP_T4_ON", "float32", "CDAB", 1, "m", 1.5, 4, func(p *water.Plant) *float64 { return &p.Set.T4On }),
		holding(6, "SP_T4_OFF", "float32", "CDAB", 1, "m", 4, 5.2, func(p *water.Plant) *float64 { return &p.Set.T4Off }),
		holding(8, "SP_PRESSURE", "float32", "CDAB", 1, "bar", 4, 4.7, func(p *water.Plant) *float64 { return &p.Set.Pressure }),
		holding(10, "SP_V2", "float32", "CDAB", 1, "%", 40, 100, func(p *water.Plant) *float64 { return &p.Set.V2 }),
	},
)

// The analysers behind the gateway: chlorine, and turbidity with pH.
var (
	analyser11Tags = []Tag{
		input(0, "AT_CHLORINE", "uint16", "ABCD", 0.001, "mg/l", 0, 5, sensor(water.SensorChlorine)),
		input(1, "AT_CHLORINE_WELL", "uint16", "ABCD", 0.001, "mg/l", 0, 5, sensor(water.SensorWellCl2)),
	}
	analyser12Tags = []Tag{
		input(0, "AT_TURBIDITY", "uint16", "ABCD", 0.001, "NTU", 0, 20, sensor(water.SensorTurbidity)),
		input(1, "AT_PH", "uint16", "ABCD", 0.01, "", 0, 14, sensor(water.SensorPH)),
	}
)

func concat(lists ...[]Tag) []Tag {
	var all []Tag
	for _, l := range lists {
		all = append(all, l...)
	}
	return all
}
