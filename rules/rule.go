package rules

import (
	"github.com/expr-lang/expr/vm"

	"github.com/weir-ics/weir/detect"
	"github.com/weir-ics/weir/protocols"
)

// Rule is one thing that is known to be bad, or worth knowing.
type Rule struct {
	// ID is unique over all loaded rules: lower-case words joined by hyphens.
	ID string
	// File and Line say where the rule stands.
	File string
	Line int
	// Title says in a few words what happened when the rule matches.
	Title    string
	Severity protocols.Severity
	// Why says what it does to the plant and why it is bad; Action what to do
	// first.
	Why, Action string
	// Techniques are MITRE ATT&CK for ICS technique ids.
	Techniques []string
	// References are where to read more.
	References []string

	on       selector
	when     *vm.Program
	whenText string
	kind     *detect.Kind
	fires    []example
	silent   []example
}

// Kind is the line of the alert catalogue that the rule stands for: "rule." and
// the rule's ID.
func (r *Rule) Kind() *detect.Kind { return r.kind }

// When is the rule's expression as written, empty if it has none.
func (r *Rule) When() string { return r.whenText }

// selector is the part of a rule that a table decides. An empty list of any
// field selects all.
type selector struct {
	proto     protocols.Proto
	roles     uint16 // bit i is protocols.Role(i)
	effects   uint16 // bit i is protocols.Effect(i)
	functions []uint8
	subs      []int32
	violation []string
	broadcast bool
}

func (s *selector) selects(e *protocols.Event) bool {
	if s.roles != 0 && s.roles&(1<<e.Role) == 0 ||
		s.effects != 0 && s.effects&(1<<e.Effect) == 0 ||
		s.broadcast && !e.Broadcast {
		return false
	}
	return (len(s.subs) == 0 || contains(s.subs, e.Sub)) &&
		(len(s.violation) == 0 || s.violated(e))
}

func (s *selector) violated(e *protocols.Event) bool {
	for i := range e.Violations {
		if contains(s.violation, e.Violations[i].Kind.Name) {
			return true
		}
	}
	return false
}

func contains[T comparable](list []T, v T) bool {
	for _, x := range list {
		if x == v {
			return true
		}
	}
	return false
}
