package detect

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/weir-ics/weir/protocols"
	"github.com/weir-ics/weir/protocols/dnp3"
	"github.com/weir-ics/weir/protocols/modbus"
)

// This file has what a decision covers.

// sentKinds are the kinds of something new that one host sends another. An
// approval of one covers all of them, as far as it goes.
var sentKinds = map[*Kind]bool{KindAssetNew: true, KindLinkNew: true, KindRoleNew: true, KindUnitNew: true, KindFunctionNew: true,
	KindCommandNew: true, KindAddressNew: true, KindConfigureNew: true, KindProgramAccess: true, KindRestartCommand: true,
	KindTimeSet: true, KindFileTransfer: true, KindBroadcast: true}

// answerKinds are what a device answers in a new way. Who approves that it is
// asked approves them as well.
var answerKinds = map[*Kind]bool{KindPointNew: true, KindExceptionNew: true, KindIINNew: true, KindUnsolicitedNew: true}

// stateKinds are the other kinds of something new that can become normal. An
// approval of one covers exactly its alert.
var stateKinds = map[*Kind]bool{KindConnectionNew: true, KindMACChanged: true, KindARPConflict: true, KindTTLChanged: true,
	KindPointNew: true, KindExceptionNew: true, KindIINNew: true, KindUnsolicitedNew: true}

// scope is what a decision covers, found once.
type scope struct {
	// wide tells that it covers more than its kind and key.
	wide bool
	// client and server are whom it is about, any where one is not set; either
	// tells that client may be the server instead, which decisions of before did
	// not tell apart.
	client, server netip.Addr
	either         bool
	// far is how far it goes; what changes something is covered between from and
	// to only, those who were seen.
	far       danger
	from, to  netip.Addr
	broadcast bool
	port      uint16 // of the server; 0 is any
	until     int64
}

func (d *Decision) scope() scope {
	k := kindByName(d.Kind)
	x := scope{far: d.effect(), from: d.Client, to: d.Server, broadcast: k == KindBroadcast, port: d.Port, until: d.Until}
	if d.Action != Approve || !sentKinds[k] {
		return x
	}
	a, b := d.subject()
	switch {
	case b.IsValid():
		x.client, x.server = a, b
		x.from, x.to = a, b
	case d.Effect == "":
		x.client, x.either = a, true
	case a == d.Server:
		x.server = a
	default:
		x.client = a
	}
	x.wide = a.IsValid()
	return x
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
		b, _ = netip.ParseAddr(second)
	}
	return a, b
}

// effect is how far the decision goes.
func (d *Decision) effect() danger {
	if far, ok := dangerByName(d.Effect); ok {
		return far
	}
	// A decision of before Effect. Then all that is not to change anything was
	// one, and all that is another; of that, what was meant is the least that its
	// kind can be about.
	if !d.Changes {
		return toAsk
	}
	switch kindByName(d.Kind) {
	case KindFunctionNew:
		return dangerOfKey(d.Key)
	case KindRoleNew:
		return toAsk
	}
	for effect, k := range effectKinds {
		if k != nil && k.Name == d.Kind {
			return effectDangers[effect]
		}
	}
	return toCommand
}

// dangerOfKey is that of the function that the key of a function.new names.
func dangerOfKey(key string) danger {
	link, function, _ := strings.Cut(key, "/function ")
	code, sub, _ := strings.Cut(function, ".")
	c, err := strconv.ParseUint(code, 10, 8)
	if err != nil {
		return toAsk
	}
	if strings.Contains(link, "/"+protocols.ProtoDNP3.String()+"/") {
		return effectDangers[dnp3.FunctionEffect(uint8(c))]
	}
	f := modbus.Lookup(uint8(c))
	if n, err := strconv.Atoi(sub); err == nil && n >= 0 {
		if s := f.Sub(n); s != nil {
			return effectDangers[s.Effect]
		}
	}
	return effectDangers[f.Effect]
}

// reaches tells whether it covers that client does something to server.
func (x *scope) reaches(client, server netip.Addr, what danger, broadcast bool) bool {
	switch {
	case !what.within(x.far) || broadcast && !x.broadcast:
		return false
	case x.either:
		return client == x.client || server == x.client
	case what.changes():
		return client == x.from && server == x.to
	}
	return (!x.client.IsValid() || client == x.client) && (!x.server.IsValid() || server == x.server)
}

// between tells whether a finding is about the hosts that were seen when it was
// approved that one changes something.
func (x *scope) between(f *Finding) bool {
	return !x.from.IsValid() || f.Client.Endpoint.IP == x.from && f.Server.Endpoint.IP == x.to
}

// ruling is a decision that holds, with what it covers.
type ruling struct {
	*Decision
	scope scope
}

// covers tells whether the decision is about the finding.
func (r *ruling) covers(f *Finding, clock int64) bool {
	x := &r.scope
	switch {
	case !r.active(clock):
		return false
	case r.isOf(f):
		if !x.wide {
			return true
		}
		// What the alert says first may be harmless, and what comes later not.
		what := dangerOfFinding(f)
		return what.within(x.far) && !what.changes() || what == x.far && x.between(f)
	case !x.wide:
		return false
	case f.Kind == KindConnectionNew:
		return (x.port == 0 && x.either || x.port != 0 && x.port == f.Server.Endpoint.Port) &&
			x.reaches(f.Client.Endpoint.IP, f.Server.Endpoint.IP, toBeThere, false)
	case sentKinds[f.Kind], answerKinds[f.Kind]:
		return x.reaches(f.Client.Endpoint.IP, f.Server.Endpoint.IP, dangerOfFinding(f), f.Kind == KindBroadcast)
	}
	return false
}

// isOf tells whether the decision is about the very thing of the finding.
func (r *ruling) isOf(f *Finding) bool {
	if r.Key != f.Key && !(r.Key == "" && r.Action == Mute) {
		return false
	}
	// A card that has an address and one that claims it are the same news.
	return r.Kind == f.Kind.Name || r.Action == Approve &&
		(r.Kind == KindMACChanged.Name && f.Kind == KindARPConflict || r.Kind == KindARPConflict.Name && f.Kind == KindMACChanged)
}

// rule sets the decisions that hold from here on.
func (m *manager) rule(decisions []Decision) {
	m.decisions, m.rulings = decisions, nil
	for i := range decisions {
		if d := &decisions[i]; d.Replaced == 0 {
			m.rulings = append(m.rulings, ruling{d, d.scope()})
		}
	}
}

// approved returns the approval of something that client does to server, nil if
// there is none.
func (m *manager) approved(client, server netip.Addr, clock int64) *ruling {
	for i := range m.rulings {
		if r := &m.rulings[i]; r.scope.wide && r.active(clock) && r.scope.reaches(client, server, toBeThere, false) {
			return r
		}
	}
	return nil
}

// admissions are what approvals let a shard learn.
func admissions(decisions []Decision) (all []scope) {
	for i := range decisions {
		if d := &decisions[i]; d.Replaced == 0 {
			if x := d.scope(); x.wide {
				all = append(all, x)
			}
		}
	}
	return all
}

// admitted tells whether something new in a message was approved.
func (s *Shard) admitted(e *protocols.Event) bool {
	for i := range s.admissions {
		x := &s.admissions[i]
		if (x.until == 0 || e.Clock < x.until) && x.reaches(e.Client().IP, e.Server().IP, dangerOfEvent(e), e.Broadcast) {
			return true
		}
	}
	return false
}

// goesBeyond tells whether a message on a link that a person approved is more
// than was approved. It is judged, as all messages of an unknown link are, while
// the link learns what was.
func (s *Shard) goesBeyond(l *link, e *protocols.Event) bool {
	return l.admitted && !l.watching && !s.admitted(e)
}

var dangerWords = [numDangers]string{"being there and connecting", "reading", "reading, asking for status and identity, and sessions", "commands (writing and operating)",
	"configuration", "setting the clock", "files", "restarts", "programs (reading, replacing, starting and stopping them)", "a function that weir does not know"}

// Covers says what the decision covers, without a full stop.
func (d *Decision) Covers() string {
	x := d.scope()
	switch {
	case d.Action == Mute && d.Key == "":
		return "every alert of the kind " + d.Kind
	case !x.wide:
		return "exactly this alert"
	}
	var who string
	switch {
	case x.either:
		who = fmt.Sprintf("what %s sends and is sent", addr(x.client))
	case !x.server.IsValid():
		who = fmt.Sprintf("what %s sends to any host", addr(x.client))
	case !x.client.IsValid():
		who = fmt.Sprintf("what any host sends to %s", addr(x.server))
	default:
		who = fmt.Sprintf("what %s sends to %s", addr(x.client), addr(x.server))
	}
	what := dangerWords[x.far]
	switch {
	case x.far == toDoUnknown:
		who += ": " + dangerWords[toAsk]
		what = "; and of functions that weir does not know exactly this alert"
	case x.far.changes():
		who += ": " + dangerWords[toAsk]
		if !x.either && !(x.client.IsValid() && x.server.IsValid()) {
			what = fmt.Sprintf("; and, from %s to %s only, %s", addr(x.from), addr(x.to), what)
		} else {
			what = "; and " + what
		}
	default:
		what = ": " + what
	}
	if x.broadcast {
		what += ", also to all devices at once"
	}
	return who + what
}
