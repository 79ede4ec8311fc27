package protocols

// ViolationKind is one way to break a standard. Every protocol declares its own
// in one table; kinds are compared by pointer.
type ViolationKind struct {
	// Name is stable and dotted under "conformance.", e.g. "modbus.byte-count".
	Name string
	// Clause says where the standard requires what was broken.
	Clause string
	// Severity is how much it matters on a healthy network.
	Severity Severity
	// Meaning says in a sentence what it means for a person.
	Meaning string
	// Units says what Observed and Expected count ("octets", "code", ...), for
	// the explanation; empty if they say nothing.
	Units string
}

// Violation is one kind found in a message.
type Violation struct {
	Kind *ViolationKind
	// Observed and Expected are in the kind's units.
	Observed, Expected int64
}
