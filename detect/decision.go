package detect

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/weir-ics/weir/protocols"
)

// The two things a person can decide of an alert.
const (
	Approve = "approve"
	Mute    = "mute"
)

// Decision is what a person decided of an alert: that what it is about is normal
// (approve), or that it is not to be raised (mute).
//
// A mute keeps silent about exactly its kind and key. An approval is wider, so
// that a new device is approved once and not alert by alert: it covers
// everything new between the same two hosts (or about the same host, for an
// alert about one), as long as it is no more dangerous than what was approved:
// who approves a new reading does not approve a command. What is approved is
// learned; what is muted is not.
type Decision struct {
	// Action is Approve or Mute.
	Action string `json:"action"`
	// Kind and Key are those of the alert (see [Finding]). For a mute, an empty
	// Key is every finding of the kind.
	Kind string `json:"kind"`
	Key  string `json:"key"`
	// Changes tells that what was approved changes something in the plant.
	Changes bool `json:"changes,omitempty"`
	// By is who decided, Why the reason they gave, At when (by their clock).
	By  string `json:"by"`
	Why string `json:"why,omitempty"`
	At  int64  `json:"at"`
	// Until is when it expires, compared with packet time; 0 is never.
	Until int64 `json:"until,omitempty"`
}

// Decide makes the decision about an alert.
func Decide(action string, a *Alert, by, why string, at, until int64) Decision {
	d := Decision{Action: action, By: by, Why: why, At: at, Until: until, Key: a.Key}
	if a.Kind != nil {
		d.Kind = a.Kind.Name
	}
	d.Changes = changesPlant(&a.Finding)
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
	return nil
}

// changing are the kinds of something new that can change the plant.
var changing = map[*Kind]bool{KindCommandNew: true, KindConfigureNew: true, KindProgramAccess: true, KindRestartCommand: true,
	KindTimeSet: true, KindFileTransfer: true, KindBroadcast: true}

// novelty are the kinds that an approval covers.
var novelty = map[*Kind]bool{KindAssetNew: true, KindMACChanged: true, KindLinkNew: true, KindRoleNew: true, KindConnectionNew: true,
	KindUnitNew: true, KindFunctionNew: true, KindCommandNew: true, KindAddressNew: true, KindPointNew: true, KindConfigureNew: true,
	KindProgramAccess: true, KindRestartCommand: true, KindTimeSet: true, KindFileTransfer: true, KindBroadcast: true, KindExceptionNew: true,
	KindIINNew: true, KindUnsolicitedNew: true, KindARPConflict: true, KindTTLChanged: true, KindDeviceRestarted: true}

// changesPlant tells whether what a finding is about changes something.
func changesPlant(f *Finding) bool {
	if changing[f.Kind] {
		return true
	}
	return contains(f.Techniques, "T0855") || contains(f.Techniques, "T0836")
}

func contains(all []string, s string) bool {
	for _, x := range all {
		if x == s {
			return true
		}
	}
	return false
}

// subject is the one or two hosts that a key is about.
func (d *Decision) subject() (a, b netip.Addr) {
	text := d.Key
	if i := strings.IndexAny(text, " /"); i >= 0 {
		text = text[:i]
	}
	first, second, two := strings.Cut(text, ">")
	a, _ = netip.ParseAddr(first)
	if two {
		if b2, err := netip.ParseAddr(second); err == nil {
			return a, b2
		}
		// The key of a connection ends in a port.
		if i := strings.LastIndexByte(second, ':'); i >= 0 {
			b, _ = netip.ParseAddr(second[:i])
		}
	}
	return a, b
}

func (d *Decision) active(clock int64) bool { return d.Until == 0 || clock < d.Until }

// covers tells whether the decision is about the finding.
func (d *Decision) covers(f *Finding, clock int64) bool {
	if !d.active(clock) {
		return false
	}
	if f.Kind.Name == d.Kind && (f.Key == d.Key || d.Key == "" && d.Action == Mute) {
		return true
	}
	if d.Action != Approve || !novelty[f.Kind] || changesPlant(f) && !d.Changes {
		return false
	}
	a, b := d.subject()
	client, server := f.Client.Endpoint.IP, f.Server.Endpoint.IP
	if b.IsValid() {
		return client == a && server == b
	}
	return a.IsValid() && (client == a || server == a)
}

// admission is what an approval lets a shard learn.
type admission struct {
	a, b    netip.Addr
	changes bool
	until   int64
}

// Decide adds a decision. It takes effect from the next message on, so it must
// be called between steps.
func (s *Site) Decide(d Decision) error {
	if err := d.Check(); err != nil {
		return fmt.Errorf("decide: %w", err)
	}
	s.manager.decisions = append(s.manager.decisions, d)
	for _, sh := range s.shards {
		sh.admit(d)
	}
	return nil
}

// Decisions returns all decisions, in the order they were made.
func (s *Site) Decisions() []Decision { return append([]Decision(nil), s.manager.decisions...) }

func (s *Shard) admit(d Decision) {
	if d.Action != Approve {
		return
	}
	a, b := d.subject()
	if !a.IsValid() {
		return
	}
	s.admissions = append(s.admissions, admission{a, b, d.Changes, d.Until})
}

func (x admission) about(client, server netip.Addr) bool {
	if x.b.IsValid() {
		return client == x.a && server == x.b
	}
	return client == x.a || server == x.a
}

// admitted tells whether something new in a message was approved.
func (s *Shard) admitted(e *protocols.Event) bool {
	for _, x := range s.admissions {
		if x.about(e.Client().IP, e.Server().IP) && (x.changes || !e.Effect.Changes()) && (x.until == 0 || e.Clock < x.until) {
			return true
		}
	}
	return false
}
