package detect

import (
	"net/netip"

	"github.com/weir-ics/weir/protocols"
)

// AlertQuery selects alerts that are kept. The zero value selects all. Every
// field that is set narrows the selection.
type AlertQuery struct {
	// MinSeverity is the lowest severity wanted.
	MinSeverity protocols.Severity
	// Open leaves out what was cleared.
	Open bool
	// Cleared leaves out what is open.
	Cleared bool
	// Unacknowledged leaves out what a person has acknowledged.
	Unacknowledged bool
	// Kind is a kind's whole name, or the start of names if it ends in a dot
	// ("scan.").
	Kind string
	// Host is the client's or the server's address.
	Host netip.Addr
	// Incident is the incident's ID.
	Incident string
	// Text is looked for, without regard to case, in title, explanation,
	// kind, rule and the names of parties and points.
	Text string
	// From and To bound the packet time, in nanoseconds, that the alert's start
	// to end must touch; 0 is no bound.
	From, To int64
	// OldestFirst orders by start, then ID; otherwise it is the newest start
	// first.
	OldestFirst bool
	// Limit is the most alerts wanted, 0 for the reader's own limit. Offset
	// passes over that many.
	Limit, Offset int
}

// Acknowledgement is what a person says of an alert. An alert may have several,
// in the order they were made.
type Acknowledgement struct {
	// Time is when, by the wall clock, in nanoseconds since the Unix epoch.
	Time int64
	// By is the person's name, Note what they wrote.
	By, Note string
}

// KeptAlert is an alert as it is kept, with what people said of it.
type KeptAlert struct {
	Alert
	Acknowledgements []Acknowledgement
}

// AlertCounts says how many alerts there are of each severity.
type AlertCounts struct {
	// Open are not cleared; Unacknowledged are the open ones that nobody has
	// acknowledged; Total are all.
	Open, Unacknowledged, Total [protocols.NumSeverities]int
}

// Incident sums up the alerts of one incident.
type Incident struct {
	ID string
	// Severity is the highest of its alerts, Title the title of the first
	// alert of that severity.
	Severity protocols.Severity
	Title    string
	// Start is when its first alert began, End when its last was last seen.
	Start, End int64
	// Alerts are how many it holds, Open how many of them are not cleared.
	Alerts, Open int
}

// KeptSeries is a series whose values are kept.
type KeptSeries struct {
	// ID names it: stable as long as it is kept, safe in a URL.
	ID string
	Series
	// First and Last are the packet times of its oldest and newest kept value.
	First, Last int64
	// Value is the newest value, Samples how many are kept.
	Value   float64
	Samples uint64
}

// SeriesQuery selects series that are kept. The zero value selects all.
type SeriesQuery struct {
	// Text is looked for, without regard to case, in device address, name,
	// point kind and index.
	Text string
	// Device narrows to one device.
	Device netip.Addr
	// Points narrows to the points named, of their Device if that is valid; none is no
	// narrowing.
	Points []PointRef
	// Limit is the most series wanted, 0 for the reader's own limit. Offset
	// passes over that many.
	Limit, Offset int
}

// Bucket is what a stretch of a series held.
type Bucket struct {
	// Time is the packet time of its first value.
	Time int64
	// Min, Max and Mean are of its Count values; Last is the last of them.
	Min, Max, Mean, Last float64
	Count                int
	// Judged tells that some value was judged; Low and High are then the
	// expected range at the last such value and Score the highest score.
	Judged           bool
	Low, High, Score float64
}

// Mode is what the sensor is doing.
type Mode uint8

const (
	// ModeUnknown is for a store without a word about it.
	ModeUnknown Mode = iota
	// Learning takes in what is normal and alerts on broken standards and
	// rules only.
	Learning
	// Watching compares with what was learned.
	Watching
)

func (m Mode) String() string {
	if int(m) >= len(modeNames) {
		return "unknown"
	}
	return modeNames[m]
}

var modeNames = [...]string{"unknown", "learning", "watching"}

// Status is the sensor in a few facts, as the console's first line says them.
type Status struct {
	Mode Mode
	// Since is the packet time at which Mode began; Until the one at which
	// learning will end, 0 if that is not settled.
	Since, Until int64
	// First and Clock are the packet times of the first packet and of now.
	First, Clock int64
	// Unseen is the Good-Turing estimate, over the site, of the probability
	// that the next request is one never seen, 0 to 1; -1 if it is not known.
	Unseen float64
	// Source is what is read: interfaces or files, in words.
	Source string
	// Live tells a running sensor from a capture that was replayed.
	Live bool
	// Skipping tells that a sensor leaves reported values out, because packets
	// come faster than everything can be done with them.
	Skipping bool
	// Fitting is how many points there are whose models are being fitted, as at the
	// end of learning, 0 while none are. What comes meanwhile is judged after it.
	Fitting int
	// Down are the interfaces that a sensor hears nothing on, in words, empty if none.
	Down string
	// Quiet is for how long a sensor has seen no Modbus or DNP3, in nanoseconds, where
	// that is too long to be ordinary, else 0.
	Quiet int64
	// Told and Ended are by the wall clock: when a live sensor said this, and when it
	// ended, 0 if it did not.
	Told, Ended int64
}
