package plant

import (
	"encoding/binary"
	"math"

	"github.com/weir-ics/weir/plant/water"
	"github.com/weir-ics/weir/plant/wire"
	"github.com/weir-ics/weir/protocols"
)

// The point kinds of the outstation, in the order in which it reports them.
const (
	binaryInputs = iota
	doubleBits
	binaryOutputs
	counters
	analogInputs
	analogOutputs
	numPointTypes
)

// pointTypes gives each kind's object group and the variation of its static
// form, of its event group and its event form (IEEE 1815-2012, 11.9), and the
// event class.
var pointTypes = [numPointTypes]struct {
	kind                       protocols.PointKind
	group, variation           uint8
	eventGroup, eventVariation uint8
	class                      uint8
}{
	binaryInputs:  {protocols.KindBinaryInput, 1, 2, 2, 2, 1},
	doubleBits:    {protocols.KindDoubleBitInput, 3, 2, 4, 2, 1},
	binaryOutputs: {protocols.KindBinaryOutput, 10, 2, 0, 0, 0},
	counters:      {protocols.KindCounter, 20, 1, 22, 5, 3},
	analogInputs:  {protocols.KindAnalogInput, 30, 1, 32, 3, 2},
	analogOutputs: {protocols.KindAnalogOutput, 40, 2, 0, 0, 0},
}

// rtuPoint is one point of the outstation.
type rtuPoint struct {
	name      string
	eu        string
	scale     float64
	low, high float64
	deadband  float64
	// float tells that the analog is reported as a single-precision number.
	float bool
	get   func(*water.Plant) float64

	// flags are added to ONLINE.
	flags uint8
	// absent leaves a hole in the numbering.
	absent bool

	value, reported float64
	lie             func(t int64, v float64) float64
	lieLabel        int
}

type rtuEvent struct {
	kind, index int
	value       float64
	time        int64
	sent        bool
}

// Limits of the outstation.
const (
	maxEvents         = 300
	maxEventsResponse = 60
	selectTimeout     = 10 * second
)

// Point flags (11.6).
const (
	online      = 0x01
	localForced = 0x10
)

// An outstation is a DNP3 outstation: it answers application fragments and
// knows nothing of how they came.
type outstation struct {
	process *water.Plant
	points  [numPointTypes][]rtuPoint
	events  []rtuEvent
	// unsolicited tells that the master enabled it.
	unsolicited bool
	restarted   bool
	needTime    bool
	overflow    bool
	stopped     bool
	bootUntil   int64
	// offset is by how much its clock is ahead; drift by how much it gains, as a
	// share; synced when it was last set.
	offset, synced int64
	drift          float64
	scanned        int64
	selected       []byte
	selectSeq      uint8
	selectTime     int64
	seq            uint8 // of unsolicited responses
	file           []byte
	fileOpen       bool
	// told is the attack whose lie the last answer contained, else -1.
	told int
	// row is the table's station whose values it holds, nil for a real process.
	row *csvStation
}

func newOutstation(p *water.Plant) *outstation {
	o := &outstation{process: p, restarted: true, needTime: true, synced: p.Now, told: -1}
	flag := func(name string, get func(*water.Plant) bool) rtuPoint {
		return rtuPoint{name: name, scale: 1, high: 1, lieLabel: -1, get: func(p *water.Plant) float64 {
			if get(p) {
				return 1
			}
			return 0
		}}
	}
	o.points[binaryInputs] = []rtuPoint{
		flag("DOOR_OPEN", func(p *water.Plant) bool { return p.Electric.Door }),
		flag("LOCAL_CONTROL", func(p *water.Plant) bool { return p.Electric.Local }),
		flag("FEEDER_A_ALIVE", func(p *water.Plant) bool { return p.Pumps[water.P1].Powered }),
		flag("FEEDER_B_ALIVE", func(p *water.Plant) bool { return p.Pumps[water.P2].Powered }),
		flag("OIL_HIGH", func(p *water.Plant) bool { return p.Electric.Oil > 80 }),
	}
	for i, name := range []string{"M1_ON", "M2_ON", "M3_ON", "M4_ON", "M5_ON"} {
		o.points[binaryInputs] = append(o.points[binaryInputs], flag(name, running(i)))
	}
	for i, name := range []string{"CB_INCOMER", "CB_FEEDER_A", "CB_FEEDER_B"} {
		o.points[doubleBits] = append(o.points[doubleBits], rtuPoint{name: name, scale: 1, high: 3,
			get: func(p *water.Plant) float64 { return float64(p.Electric.Breaker[i]) }})
		o.points[binaryOutputs] = append(o.points[binaryOutputs], flag(name+"_CLOSE", func(p *water.Plant) bool { return p.Electric.Breaker[i] == water.Closed }))
	}
	for i, name := range []string{"E_INCOMER", "E_FEEDER_A", "E_FEEDER_B"} {
		o.points[counters] = append(o.points[counters], rtuPoint{name: name, eu: "kWh", scale: 1, deadband: 10,
			get: func(p *water.Plant) float64 { return math.Floor(p.Electric.Energy[i]) }})
	}
	analog := func(name, eu string, scale, low, high, deadband float64, float bool, get func(e *water.Electric) float64) {
		o.points[analogInputs] = append(o.points[analogInputs], rtuPoint{name: name, eu: eu, scale: scale, low: low, high: high, deadband: deadband, float: float,
			get: func(p *water.Plant) float64 { return get(&p.Electric) }})
	}
	for i, name := range []string{"U_L1", "U_L2", "U_L3"} {
		analog(name, "kV", 0.001, 9, 11, 0.04, false, func(e *water.Electric) float64 { return e.Voltage[i] })
	}
	analog("FREQUENCY", "Hz", 0.001, 49.5, 50.5, 0.03, false, func(e *water.Electric) float64 { return e.Frequency })
	for i, name := range []string{"I_INCOMER", "I_FEEDER_A", "I_FEEDER_B"} {
		analog(name, "A", 0.01, 0, 40, 0.3, false, func(e *water.Electric) float64 { return e.Current[i] })
	}
	analog("OIL_TEMPERATURE", "degC", 0.1, 0, 110, 0.5, false, func(e *water.Electric) float64 { return e.Oil })
	analog("TAP_POSITION", "", 1, 1, 17, 0.5, false, func(e *water.Electric) float64 { return float64(e.Tap) })
	for i, name := range []string{"P_INCOMER", "P_FEEDER_A", "P_FEEDER_B"} {
		analog(name, "kW", 1, 0, 400, 3, true, func(e *water.Electric) float64 { return e.Active[i] })
	}
	for i, name := range []string{"Q_INCOMER", "Q_FEEDER_A", "Q_FEEDER_B"} {
		analog(name, "kvar", 1, 0, 250, 2, true, func(e *water.Electric) float64 { return e.Reactive[i] })
	}
	o.points[analogOutputs] = []rtuPoint{{name: "SP_TAP", scale: 1, low: 1, high: 17,
		get: func(p *water.Plant) float64 { return float64(p.Electric.TapSet) }}}
	for k := range o.points {
		for i := range o.points[k] {
			pt := &o.points[k][i]
			pt.lieLabel = -1
			pt.value = pt.get(p)
			pt.reported = pt.value
		}
	}
	for i := range 40 {
		o.file = append(o.file, []byte("point "+string(rune('A'+i%26))+" class=2 deadband=0.5 scale=0.001 enabled=1\r\n")...)
	}
	return o
}

func (o *outstation) tags() []Tag {
	var all []Tag
	for k := range o.points {
		for i, pt := range o.points[k] {
			t := Tag{Table: pointTypes[k].kind, Address: uint16(i), Name: pt.name, Type: "number", Order: "ABCD", Scale: pt.scale, EngineeringUnit: pt.eu, Low: pt.low, High: pt.high}
			if k == binaryInputs || k == binaryOutputs {
				t.Type = "bool"
			}
			all = append(all, t)
		}
	}
	return all
}

// point finds a point by its name, nil if there is none.
func (o *outstation) point(name string) *rtuPoint {
	for k := range o.points {
		for i := range o.points[k] {
			if o.points[k][i].name == name {
				return &o.points[k][i]
			}
		}
	}
	return nil
}

// clock is the outstation's own time at t.
func (o *outstation) clock(t int64) int64 {
	return t + o.offset + int64(float64(t-o.synced)*o.drift)
}

// scan takes the process' values at time t and makes events of what changed.
func (o *outstation) scan(t int64) {
	if o.process == nil || o.process.Now == o.scanned || o.stopped || t < o.bootUntil {
		return
	}
	o.scanned = o.process.Now
	if t-o.synced > 3600*second {
		o.needTime = true
	}
	for k := range o.points {
		for i := range o.points[k] {
			pt := &o.points[k][i]
			v := pt.get(o.process)
			if pt.lie != nil {
				v = pt.lie(o.process.Now, v)
			}
			pt.value = v
			if pointTypes[k].class == 0 {
				continue
			}
			if d := math.Abs(v - pt.reported); d == 0 || d < pt.deadband {
				continue
			}
			pt.reported = v
			if len(o.events) == maxEvents {
				o.overflow = true
				copy(o.events, o.events[1:])
				o.events = o.events[:maxEvents-1]
			}
			o.events = append(o.events, rtuEvent{kind: k, index: i, value: v, time: o.clock(t)})
		}
	}
}

// pending tells whether there are events of a class that were not sent.
func (o *outstation) pending(class uint8) bool {
	for i := range o.events {
		if !o.events[i].sent && pointTypes[o.events[i].kind].class == class {
			return true
		}
	}
	return false
}

func (o *outstation) iin() uint16 {
	var v uint16
	for class := uint8(1); class <= 3; class++ {
		if o.pending(class) {
			v |= 1 << class
		}
	}
	if o.needTime {
		v |= wire.IINNeedTime
	}
	if o.restarted {
		v |= wire.IINRestart
	}
	if o.overflow {
		v |= wire.IINEventsLost
	}
	return v
}

// confirmed lets go of the events that the master has confirmed.
func (o *outstation) confirmed() {
	keep := o.events[:0]
	for _, e := range o.events {
		if !e.sent {
			keep = append(keep, e)
		}
	}
	o.events, o.overflow = keep, false
}

// unsolicitedResponse appends an unsolicited response with the events of class
// 1, or an empty one after a restart.
func (o *outstation) unsolicitedResponse(dst []byte) []byte {
	o.told = -1
	o.seq = (o.seq + 1) & 0x0f
	start := len(dst)
	dst = append(dst, wire.AppFIR|wire.AppFIN|wire.AppCON|wire.AppUNS|o.seq, wire.Unsolicited, 0, 0)
	if !o.restarted {
		dst = o.appendEvents(dst, 1<<1)
	}
	binary.LittleEndian.PutUint16(dst[start+2:], o.iin())
	return dst
}

// serve answers one request fragment at time t by appending to dst. It returns
// dst unchanged if there is no answer.
func (o *outstation) serve(dst []byte, t int64, fragment []byte) []byte {
	o.told = -1
	if len(fragment) < 2 || t < o.bootUntil {
		return dst
	}
	o.scan(t)
	seq, function, objects := fragment[0]&0x0f, fragment[1], fragment[2:]
	start := len(dst)
	dst = append(dst, wire.AppFIR|wire.AppFIN|seq, wire.Response, 0, 0)
	var problem uint16
	switch function {
	case wire.Confirm:
		o.confirmed()
		return dst[:start]
	case wire.Read:
		dst, problem = o.read(dst, start, objects)
	case wire.Write:
		problem = o.write(t, objects)
	case wire.Select, wire.Operate, wire.DirectOperate, wire.DirectOperateNR:
		dst, problem = o.command(dst, t, seq, function, objects)
		if function == wire.DirectOperateNR {
			return dst[:start]
		}
	case wire.ImmediateFreeze, wire.FreezeClear, wire.AssignClass, wire.InitializeAppl, wire.RecordTime:
	case wire.StartApplication:
		o.stopped = false
	case wire.StopApplication:
		o.stopped = true
	case wire.ColdRestart, wire.WarmRestart:
		dst = append(dst, 52, 2, wire.Count8, 1)
		dst = binary.LittleEndian.AppendUint16(dst, 12000)
		o.bootUntil = t + 12*second
		o.restarted, o.unsolicited, o.events = true, false, o.events[:0]
	case wire.EnableUnsolicited:
		o.unsolicited = true
	case wire.DisableUnsolicited:
		o.unsolicited = false
	case wire.DelayMeasure:
		dst = append(dst, 52, 2, wire.Count8, 1, 2, 0)
	case wire.OpenFile, wire.CloseFile, wire.DeleteFile:
		dst, problem = o.fileCommand(dst, function, objects)
	default:
		problem = wire.IINNoFunction
	}
	binary.LittleEndian.PutUint16(dst[start+2:], o.iin()|problem)
	return dst
}
