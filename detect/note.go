package detect

import (
	"sort"

	"github.com/weir-ics/weir/protocols"
)

// noteKind is what a shard tells the site.
type noteKind uint8

const (
	// noteNetwork is an event of the layers below that concerns more than one
	// link.
	noteNetwork noteKind = iota
	// noteStranger is a message on a link that was not learned.
	noteStranger
	// noteFinding is a finding; noteHeld one that waits for the answer to its
	// request; noteAnswer that answer.
	noteFinding
	noteHeld
	noteAnswer
	// noteIdentity is what a device said of itself.
	noteIdentity
)

// note is one line of what a shard tells the site. Notes of all shards are
// worked off in the order of (clock, frame), which does not depend on how the
// packets were shared out.
type note struct {
	clock int64
	// frame is 0 for what a timer found.
	frame   uint64
	kind    noteKind
	seq     int32
	event   int32 // index into the shard's events, -1 if none
	finding *Finding
	// added tells that it is a finding of others.
	added bool
	// chance is how many such findings a day chance alone would give, for what
	// the false-alarm budget decides; 0 for what is certain.
	chance float64
	// probes, for a finding about something new, are what the scan detectors
	// count.
	probes [2]probe
}

// probeKind is what a host tries out.
type probeKind uint8

const (
	probeNone probeKind = iota
	probeHost
	probePort
	probeUnit
	probeFunction
	probeAddress
	numProbes
)

// probe is one new thing that a host tried.
type probe struct {
	kind  probeKind
	value uint64
}

// seen is what the site needs of a message: a copy, because the Event is reused.
type seen struct {
	time, clock         int64
	frame, requestFrame uint64
	proto               protocols.Proto
	transport           protocols.Transport
	role                protocols.Role
	effect              protocols.Effect
	fromClient          bool
	broadcast           bool
	guessed             bool
	function            uint8
	sub                 int32
	name                string
	exception           uint8
	key                 linkKey
	src, dst            protocols.Endpoint
	size                int
	ranges              [4]protocols.Range
	numRanges           int
	violations          [2]*protocols.ViolationKind
	identity            []identity
	// status is the first control status other than success that it reports,
	// iin its internal indications.
	status uint8
	iin    uint16
	// sets says which values it sets.
	sets string
}

type identity struct {
	key   protocols.IdentityKey
	value string
}

func (e *seen) client() *protocols.Endpoint {
	if e.fromClient {
		return &e.src
	}
	return &e.dst
}

func (e *seen) server() *protocols.Endpoint {
	if e.fromClient {
		return &e.dst
	}
	return &e.src
}

func (e *seen) set(ev *protocols.Event, key linkKey) {
	*e = seen{time: ev.Time, clock: ev.Clock, frame: ev.Frame, requestFrame: ev.RequestFrame, proto: ev.Proto, transport: ev.Transport,
		role: ev.Role, effect: ev.Effect, fromClient: ev.FromClient, broadcast: ev.Broadcast, guessed: ev.RoleGuessed,
		function: ev.Function, sub: ev.Sub, name: ev.Name, exception: ev.Exception, key: key, src: ev.Src, dst: ev.Dst, size: ev.Size}
	if ev.Effect.Changes() && ev.Role == protocols.RoleRequest && len(ev.Points) > 0 {
		e.sets = setWords(ev.Points)
	}
	e.iin = ev.IIN
	for i := range ev.Points {
		if p := &ev.Points[i]; p.Has&protocols.HasStatus != 0 && p.Status != 0 {
			e.status = p.Status
			break
		}
	}
	e.numRanges = copy(e.ranges[:], ev.Ranges)
	for i := range ev.Violations {
		if i < len(e.violations) {
			e.violations[i] = ev.Violations[i].Kind
		}
	}
}

// order sorts what the shards told: by clock and frame, then what others added
// after our own, and what timers found or others added at the same moment by
// what it is about, so that it does not matter to which shard it was told.
func order(notes []ordered) {
	sort.Slice(notes, func(i, j int) bool {
		a, b := notes[i].note, notes[j].note
		switch {
		case a.clock != b.clock:
			return a.clock < b.clock
		case a.frame != b.frame:
			return a.frame < b.frame
		case a.added != b.added:
			return b.added
		case (a.frame == 0 || a.added) && a.finding != nil && b.finding != nil:
			if a.finding.Kind.Name != b.finding.Kind.Name {
				return a.finding.Kind.Name < b.finding.Kind.Name
			}
			if a.finding.Key != b.finding.Key {
				return a.finding.Key < b.finding.Key
			}
		}
		if notes[i].shard != notes[j].shard {
			return notes[i].shard < notes[j].shard
		}
		return a.seq < b.seq
	})
}

// ordered is a note and the shard it came from.
type ordered struct {
	note  *note
	shard int
}
