package detect

import "github.com/weir-ics/weir/protocols"

// IncidentReport is alerts that belong together, by the same actor or by one
// who acts after having been a target, told in order.
type IncidentReport struct {
	// ID is derived from the incident's first alert.
	ID string
	// Title is a short line; Severity the highest of its alerts.
	Title    string
	Severity protocols.Severity
	// Start and End are packet time in nanoseconds.
	Start, End int64
	// Actors and Targets are addresses, in the order they appeared.
	Actors, Targets []string
	// Alerts are the IDs of its alerts in the order they were raised, as many
	// as are kept; Count says how many there are.
	Alerts []string
	Count  uint64
	// Techniques are MITRE ATT&CK for ICS techniques in the order they appeared.
	Techniques []string
	// Story tells what happened, a line a stage, in order.
	Story []string
	// CheckFirst says what to look at first.
	CheckFirst []string
}
