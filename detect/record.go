package detect

import (
	"net/netip"

	"github.com/weir-ics/weir/protocols"
)

// Asset is a host as seen from the tap.
type Asset struct {
	IP   netip.Addr
	MACs [][6]byte
	// VLANs it was seen in; 0 is untagged.
	VLANs []uint16
	// Vendor to Name are what the device said of itself.
	Vendor, Product, Model, Version, Name string
	// Roles it plays, as "modbus client", "dnp3 outstation".
	Roles []string
	// Units are the Modbus units and DNP3 addresses behind it.
	Units []uint16
	// FirstSeen and LastSeen are packet time in nanoseconds.
	FirstSeen, LastSeen int64
	Messages            uint64
	// Known tells that it was there in the learning.
	Known bool
}

// Link is who talks to whom: a client and a server with a protocol and a unit or
// pair of DNP3 addresses.
type Link struct {
	Client, Server netip.Addr
	Port           uint16
	Proto          protocols.Proto
	// Unit is the Modbus unit; Master and Outstation are the DNP3 addresses.
	Unit, Master, Outstation uint16
	// Functions it uses, by code and name.
	Functions           []LinkFunction
	FirstSeen, LastSeen int64
	Messages            uint64
	Known               bool
	// Unseen is the Good-Turing estimate of the probability that the next
	// request is one never seen on this link, 0 to 1.
	Unseen float64
}

// LinkFunction is one function on a link.
type LinkFunction struct {
	Function uint8
	Name     string
	Effect   protocols.Effect
	Count    uint64
}

// Series is one point whose values make a time series. A Series is made once
// and lives as long as the point is watched; its pointer is its identity.
type Series struct {
	// Table is never nil. The series of one share it: most of a million series lie
	// side by side in few tables.
	*Table
	// Label is never nil. Series of the same words share one: a million series
	// without names would be half as large again.
	*Label
	Index uint32
	// Model is the process model's own: the number of what it knows of the series, so
	// that a value finds it without a search. Nobody else touches it.
	Model uint32
}

// Table is one kind of points of one device. It is not changed once a series has
// it.
type Table struct {
	Device netip.Addr
	Proto  protocols.Proto
	// Unit is the Modbus unit or the DNP3 outstation address.
	Unit uint16
	Kind protocols.PointKind
}

// Label is what people call a series, and how it is read. It is not changed once
// a series has it.
type Label struct {
	// Name and EngineeringUnit come from the tag list, empty without one.
	Name, EngineeringUnit string
	// Type is how the value is read from its registers ("uint16",
	// "float32 ABCD"); empty for DNP3 and bits.
	Type string
}

// Labels makes labels, one for those that say the same and have no name. The
// zero Labels is empty.
type Labels struct{ unnamed map[Label]*Label }

// Get returns the label that says l.
func (x *Labels) Get(l Label) *Label {
	if l.Name != "" {
		own := l
		return &own
	}
	known := x.unnamed[l]
	if known == nil {
		if x.unnamed == nil {
			x.unnamed = make(map[Label]*Label)
		}
		own := l // only what is kept is allocated
		known = &own
		x.unnamed[l] = known
	}
	return known
}

// Sample is one value of a series.
type Sample struct {
	Series *Series
	// Time is packet time in nanoseconds; DeviceTime the device's own, 0 if it
	// gave none.
	Time, DeviceTime int64
	// Clock is the watermark at the packet (see protocols.Event); it never goes
	// backwards from one sample to the next.
	Clock int64
	// Frame is the packet it came in; samples of all shards in the order of
	// Frame (and, within a frame, of extraction) are in packet-time order.
	Frame uint64
	// Client is who asked for the value or, for a command, who gave it.
	Client netip.Addr
	// Access is AccessReport for a value that the device reports, AccessWrite or
	// AccessOperate for one that a client commands. Only reports are values of
	// the series as the device holds them.
	Access   protocols.Access
	Value    float64
	Flags    uint8
	HasFlags bool
	// Score, Low and High are the process model's surprise and expected range;
	// they hold only with Judged.
	Judged           bool
	Score, Low, High float64
}

// Counter is a cumulative count by its stable name ("packets", "modbus.requests").
type Counter struct {
	Name  string
	Value uint64
}

// Output is what one step of the pipeline gives to sinks, store and console.
// The receiver must not keep its slices; Series pointers may be kept.
type Output struct {
	// Clock is the watermark at the end of the step.
	Clock int64
	// Alerts are those raised, updated or cleared in the step, in order.
	Alerts  []Alert
	Samples []Sample
	// Assets and Links are those that are new or changed.
	Assets []Asset
	Links  []Link
	// Incidents are those that are new or changed, in order.
	Incidents []IncidentReport
	// Counters are all counters, set from time to time and at the end.
	Counters []Counter
}
