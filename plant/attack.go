package plant

import (
	"fmt"
	"time"
)

// AttackAt is one attack in a scenario.
type AttackAt struct {
	// Kind is one of Attacks.
	Kind string
	// At is when it begins, from the scenario's start.
	At time.Duration
	// Duration is how long it lasts; zero is the kind's usual time. Attacks that
	// are done when they are done ignore it.
	Duration time.Duration
}

// Attack describes a kind of attack.
type Attack struct {
	// Kind is a stable dotted name.
	Kind string
	// Technique is of MITRE ATT&CK for ICS.
	Technique string
	// Description says in a sentence what is done.
	Description string
	// Duration is how long it usually lasts.
	Duration time.Duration
	source   string
	target   string
	run      func(w *world, a *assault)
}

// Attacks lists every kind of attack, in the order of what an intruder would do
// first.
func Attacks() []Attack { return append([]Attack(nil), attacks...) }

// An assault is one attack while it goes on.
type assault struct {
	label      int
	start, end int64
}

func (w *world) schedule(i int, at AttackAt) error {
	for k := range attacks {
		a := &attacks[k]
		if a.Kind != at.Kind {
			continue
		}
		length := at.Duration
		if length == 0 {
			length = a.Duration
		}
		s := &assault{label: i, start: w.start + int64(at.At)}
		s.end = s.start + int64(length)
		w.labels[i] = Label{
			Kind: a.Kind, Start: time.Unix(0, s.start).UTC(), End: time.Unix(0, s.end).UTC(),
			Source: a.source, Target: a.target, Technique: a.Technique, Description: a.Description, Malicious: true,
		}
		w.n.at(s.start, func() { w.as(s, func() { a.run(w, s) }) })
		return nil
	}
	return fmt.Errorf("attack %d: kind %q is none of those that the plant knows", i+1, at.Kind)
}

// as does something whose packets belong to the attack.
func (w *world) as(s *assault, f func()) {
	old := w.n.label
	w.n.label = s.label
	f()
	w.n.label = old
}

var attacks []Attack
