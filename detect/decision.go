package detect

import (
	"fmt"
	"net/netip"
	"slices"
)

// The two things a person can decide of an alert.
const (
	Approve = "approve"
	Mute    = "mute"
)

// Decision is what a person decided of an alert: that what it is about is normal
// (approve), or that it is not to be raised (mute).
//
// A mute keeps silent about exactly its kind and key. An approval of something
// new that one host sends another is wider, so that a new device is approved once
// and not alert by alert: see [Decision.Covers]. What is approved is learned; what
// is muted is not.
type Decision struct {
	// Action is Approve or Mute.
	Action string `json:"action"`
	// Kind and Key are those of the alert (see [Finding]). For a mute, an empty
	// Key is every finding of the kind.
	Kind string `json:"kind"`
	Key  string `json:"key"`
	// Effect is how far an approval goes ("read", "command", ...), Client and
	// Server are who did it to whom, Port is the server's. They are set where an
	// approval covers more than exactly its alert.
	Effect string     `json:"effect,omitempty"`
	Client netip.Addr `json:"client,omitzero"`
	Server netip.Addr `json:"server,omitzero"`
	Port   uint16     `json:"port,omitempty"`
	// Changes is what decisions had before Effect: that what was approved changes
	// something in the plant. It is read and never set.
	Changes bool `json:"changes,omitempty"`
	// By is who decided, Why the reason they gave, At when (by their clock).
	By  string `json:"by"`
	Why string `json:"why,omitempty"`
	At  int64  `json:"at"`
	// Until is when it expires, compared with packet time; 0 is never.
	Until int64 `json:"until,omitempty"`
	// Replaced is when a later decision took its place (by the clock of who made
	// that); 0 if it holds. What was replaced is kept, so that one can see who
	// decided what, and does nothing.
	Replaced int64 `json:"replaced,omitempty"`
}

// Decide makes the decision about an alert.
func Decide(action string, a *Alert, by, why string, at, until int64) Decision {
	d := Decision{Action: action, By: by, Why: why, At: at, Until: until, Key: a.Key}
	if a.Kind == nil {
		return d
	}
	d.Kind = a.Kind.Name
	if action == Approve && sentKinds[a.Kind] {
		d.Effect = dangerOfFinding(&a.Finding).String()
		d.Client, d.Server, d.Port = a.Client.Endpoint.IP, a.Server.Endpoint.IP, a.Server.Endpoint.Port
	}
	return d
}

// Check tells what is wrong with a decision, nil if nothing is.
func (d *Decision) Check() error {
	switch {
	case d.Action != Approve && d.Action != Mute:
		return fmt.Errorf("action %q is neither approve nor mute", d.Action)
	case d.Kind == "":
		return fmt.Errorf("the kind is missing")
	case d.By == "":
		return fmt.Errorf("who decided is missing")
	case d.Action == Approve && d.Key == "":
		return fmt.Errorf("an approval needs the key of what is approved")
	}
	if _, ok := dangerByName(d.Effect); d.Effect != "" && !ok {
		return fmt.Errorf("effect %q is not known", d.Effect)
	}
	return nil
}

// CheckNew tells in addition what is wrong with a decision that is made now:
// what happened, a scan or a flood, is nothing that becomes normal for ever.
func (d *Decision) CheckNew() error {
	if err := d.Check(); err != nil {
		return err
	}
	if k := kindByName(d.Kind); d.Action == Approve && d.Until == 0 && !sentKinds[k] && !stateKinds[k] {
		return fmt.Errorf("%s is about something that happened, not about something new that can become normal: "+
			"approve it for a time (--for 30d), which covers exactly this alert, or mute it", d.Kind)
	}
	return nil
}

func (d *Decision) active(clock int64) bool {
	return d.Replaced == 0 && (d.Until == 0 || clock < d.Until)
}

// decide adds a decision to all, and marks what it takes the place of: what was
// decided of the same alert and goes no further. It returns how many it replaced.
func decide(all []Decision, d Decision) (now []Decision, replaced int) {
	for i := range all {
		if old := &all[i]; old.Replaced == 0 && d.includes(old) {
			old.Replaced = d.At
			replaced++
		}
	}
	return append(all, d), replaced
}

func (d *Decision) includes(old *Decision) bool {
	if d.Action != old.Action || d.Kind != old.Kind || d.Key != old.Key {
		return false
	}
	far, was := d.effect(), old.effect()
	if was == toDoUnknown && far == was {
		return true
	}
	return was.within(far) && (!was.changes() || old.Effect == "" || d.Client == old.Client && d.Server == old.Server)
}

// Decide adds a decision, and returns how many it takes the place of. They are
// kept, and do nothing any more.
func (b *Baseline) Decide(d Decision) (replaced int, err error) {
	if err := d.CheckNew(); err != nil {
		return 0, err
	}
	b.Decisions, replaced = decide(b.Decisions, d)
	return replaced, nil
}

// Decide adds a decision. It takes effect from the next message on, so it must
// be called between steps.
func (s *Site) Decide(d Decision) error {
	if err := d.Check(); err != nil {
		return fmt.Errorf("decide: %w", err)
	}
	decisions, _ := decide(s.Decisions(), d)
	s.manager.rule(decisions)
	for _, sh := range s.shards {
		sh.admissions = admissions(decisions)
	}
	return nil
}

// Decisions returns all decisions, in the order they were made.
func (s *Site) Decisions() []Decision { return slices.Clone(s.manager.decisions) }

// bothDecisions are those of two baselines, what both hold once.
func bothDecisions(a, b []Decision) []Decision {
	out := slices.Clone(a)
	for _, d := range b {
		if !slices.Contains(out, d) {
			out = append(out, d)
		}
	}
	return out
}
