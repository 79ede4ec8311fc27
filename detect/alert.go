package detect

import (
	"net/netip"

	"github.com/weir-ics/weir/protocols"
)

// Kind is one kind of finding: a line of the catalogue in docs/alerts.md. Kinds
// are compared by pointer.
type Kind struct {
	// Name is stable and dotted: "link.new", "function.new", "value.range".
	Name string
	// Severity is the kind's usual severity; a finding may differ.
	Severity protocols.Severity
	// Meaning, Decision, Action are sentences for docs/alerts.md and the
	// console: what it means, how weir decides it (with the statistic and its
	// source), what to do first.
	Meaning, Decision, Action string
	// Techniques are the MITRE ATT&CK for ICS techniques it can be a sign of.
	Techniques []string
}

// Party is one side of an alert, with what weir knows of it.
type Party struct {
	Endpoint protocols.Endpoint
	// Name is a name from the tag list or the assets, empty if there is none.
	Name string
	// Unit is the Modbus unit, Address the DNP3 link address, -1 where there is
	// none.
	Unit, Address int
}

// PointRef names a point in an alert.
type PointRef struct {
	Kind  protocols.PointKind
	First uint32
	// Last is First for a single point.
	Last uint32
	// Name is the tag, if there is one.
	Name string
	// Device and Unit say whose it is; the alert's server's if Device is not valid.
	// Unit is the Modbus unit or the outstation's DNP3 address.
	Device netip.Addr `json:",omitzero"`
	Unit   uint16     `json:",omitempty"`
}

// pointsAt returns points, with the device of those only that are not of server.
func pointsAt(points []PointRef, server *Party) []PointRef {
	out := append([]PointRef(nil), points...)
	for i := range out {
		if p := &out[i]; p.Device == server.Endpoint.IP && int(p.Unit) == max(server.Unit, server.Address, 0) {
			p.Device, p.Unit = netip.Addr{}, 0
		}
	}
	return out
}

// Finding is what one detector says of one moment. Findings become alerts:
// those with the same Kind and Key are one alert.
type Finding struct {
	Kind     *Kind
	Severity protocols.Severity
	// Score orders findings of a kind: for statistical kinds the surprise,
	// -log10 of the probability under what was learned; else 0.
	Score float64
	// Key tells apart what this finding is about from others of its kind. It
	// holds content only (addresses, functions, points), never a time, a frame
	// or a counter, so that the same thing has the same alert wherever and
	// whenever it is captured.
	Key string
	// Start is when what was found began, Time when it was found; nanoseconds
	// of packet time.
	Start, Time int64
	// Clear says that what Kind and Key name is over, at Time.
	Clear bool
	// FirstFrame and LastFrame are the packets it rests on.
	FirstFrame, LastFrame uint64
	Proto                 protocols.Proto
	Client, Server        Party
	// Function is the function code, -1 if it is about none.
	Function     int
	FunctionName string
	Points       []PointRef
	// Title is a short line; Observed, Expected and Explanation each one plain
	// sentence, with how much evidence Expected rests on.
	Title, Observed, Expected, Explanation string
	Techniques                             []string
	// Rule is the rule's id for a finding of the rules, else empty.
	Rule string
	// Words, if it is not nil, fills in Title, Observed, Expected and Explanation,
	// from nothing that changes after the moment. Most findings only count for an
	// alert that is open, and nobody reads them.
	Words func(*Finding)
}

// Spell fills in the words of a finding that somebody is going to read.
func (f *Finding) Spell() {
	if words := f.Words; words != nil {
		f.Words = nil
		words(f)
	}
}

// State is where an alert is in its life.
type State uint8

const (
	Raised State = iota
	Updated
	Cleared
)

func (s State) String() string { return [...]string{"raised", "updated", "cleared"}[s] }

// Alert is a finding with its life: all that sinks, store and console know.
type Alert struct {
	Finding
	// ID is derived from the content: kind, key and how many alerts of the same
	// kind and key were cleared before.
	ID string
	// Incident is the ID of the incident it belongs to.
	Incident string
	State    State
	// Count is how many findings it stands for.
	Count uint64
	// End is the packet time of the last finding, or of the clearing.
	End int64
	// Evidence names the preserved packets, empty if there are none.
	Evidence string
}
