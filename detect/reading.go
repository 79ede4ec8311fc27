package detect

import (
	"net/netip"

	"github.com/weir-ics/weir/protocols"
)

// Span is a run of series that a client reads together, again and again. Its
// pointer is its identity.
type Span struct {
	// Series are those it holds, in the order of their addresses. They do not
	// change.
	Series []*Series
	// Model is the process model's own, as that of a Series is.
	Model any
}

// Reading is what one message says of values: single ones, or those of a span,
// of which only what differs from the reading before is spelled out. Most values
// of a plant are what they were a moment ago, and so cost next to nothing.
type Reading struct {
	// Time, Clock, Frame and Client are those of a Sample.
	Time, Clock int64
	Frame       uint64
	Client      netip.Addr
	// Span is what was read; all of its series that are not among the values
	// were reported to be what they were. It is nil for single values.
	Span *Span
	// Values is how many values belong to the reading, Samples how many samples
	// were given out besides, where somebody wants each of them.
	Values, Samples int
	// More tells that the message has another reading, which follows.
	More bool
}

// Value is one value of a reading.
type Value struct {
	Series *Series
	Value  float64
	// Place is its place among the series of the span.
	Place int32
	// Access, Flags and HasFlags are those of a Sample.
	Access   protocols.Access
	Flags    uint8
	HasFlags bool
}
