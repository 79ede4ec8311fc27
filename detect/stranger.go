package detect

import (
	"fmt"
	"math"

	"github.com/weir-ics/weir/protocols"
)

// use is a function that was used, and what was found of it.
type use struct {
	function uint8
	sub      int32
	finding  *Finding
}

// maxUses caps the functions followed on an unknown link.
const maxUses = 192

// strange is a link that was not learned.
type strange struct {
	key         linkKey
	proto       protocols.Proto
	client      protocols.Endpoint
	server      protocols.Endpoint
	first, last int64
	messages    uint64
	told        uint64
	functions   []LinkFunction
	finding     *Finding
	uses        []use // most links have one or two
	story       story
	window      int64
	inWindow    int
}

func (st *strange) record() Link {
	r := Link{Client: st.client.IP, Server: st.server.IP, Port: st.server.Port, Proto: st.proto, FirstSeen: st.first, LastSeen: st.last,
		Messages: st.messages, Functions: append([]LinkFunction(nil), st.functions...), Unseen: 1}
	r.units(st.key)
	return r
}

// meet returns the strange link of a message and makes it if need be.
func (s *Site) meet(e *seen) *strange {
	if st := s.strangers[e.key]; st != nil {
		return st
	}
	if len(s.strangers) >= s.settings.MaxStrangers {
		delete(s.strangers, s.met[0])
		s.met = s.met[1:]
		s.stats.StrangersEvicted++
	}
	st := &strange{key: e.key, proto: e.proto, client: *e.client(), server: *e.server(), first: e.clock}
	s.strangers[e.key] = st
	s.met = append(s.met, e.key)
	return st
}

// stranger takes a message on a link that was not learned.
func (s *Site) stranger(e *seen) {
	if e.clock < s.floodUntil && !e.effect.Changes() && s.strangers[e.key] == nil {
		if client := s.hosts.all[e.client().IP]; client == nil || !client.known {
			// It is part of a flood of unknown hosts, which was told. A command
			// always is looked at.
			s.stats.Flooded++
			return
		}
	}
	if e.fromClient {
		s.announce(e, s.hosts.get(e.src.IP, e.clock, false))
	}
	st := s.meet(e)
	st.last = e.clock
	st.messages++
	s.strangeFlood(st, e)
	s.holds.foldNetwork(e.client().IP, e.server().IP)
	switch e.role {
	case protocols.RoleRequest:
		s.strangeRequest(st, e)
	case protocols.RoleResponse, protocols.RoleException:
		if st.finding == nil {
			// The tap did not see the request: the answer tells of it.
			s.strangeRequest(st, e)
		} else {
			s.holds.answered(e, s)
		}
	case protocols.RoleUnsolicited, protocols.RoleConfirm, protocols.RoleLink:
		if st.finding == nil {
			s.strangeRequest(st, e)
		}
	}
	for _, v := range e.violations {
		if v != nil && v.Severity >= protocols.Medium {
			s.strangeViolation(st, e, v)
		}
	}
}

// strangeFlood finds an unknown link that carries more than any known one.
func (s *Site) strangeFlood(st *strange, e *seen) {
	if w := e.clock / int64(s.settings.BurstWindow); w != st.window {
		st.window, st.inWindow = w, 0
	}
	st.inWindow++
	if float64(st.inWindow) != max(100, math.Ceil(3*s.busiest)) {
		return
	}
	f := strangeAbout(KindFloodMessages, KindFloodMessages.Severity, e)
	f.Function, f.FunctionName, f.Points = -1, "", nil
	f.Techniques = KindFloodMessages.Techniques
	f.Title = fmt.Sprintf("%s and %s exchange very many messages", addr(e.client().IP), strangeDevice(e))
	f.Observed = fmt.Sprintf("%d messages passed within one window, on a link that was not there in the learning.", st.inWindow)
	f.Expected = fmt.Sprintf("The most on any known link were %.0f.", s.busiest)
	explain(f)
	s.manager.take(f, e.clock)
}

func (st *strange) count(e *seen) {
	for i := range st.functions {
		if f := &st.functions[i]; f.Function == e.function && f.Name == e.name {
			f.Count++
			return
		}
	}
	if len(st.functions) < 32 {
		st.functions = append(st.functions, LinkFunction{Function: e.function, Name: e.name, Effect: e.effect, Count: 1})
	}
}

// use returns what is known of a function on the link, nil if it was not used.
func (st *strange) use(function uint8, sub int32) *use {
	for i := range st.uses {
		if u := &st.uses[i]; u.function == function && u.sub == sub {
			return u
		}
	}
	return nil
}

func (s *Site) strangeRequest(st *strange, e *seen) {
	st.count(e)
	command := e.effect.Changes() && (e.role == protocols.RoleRequest || st.finding == nil)
	u := st.use(e.function, e.sub)
	var f *Finding
	if u != nil {
		f = u.finding
	}
	switch {
	case st.finding == nil:
		f = s.meetFinding(st, e)
		st.finding = f
	case f == nil && e.role == protocols.RoleRequest && len(st.uses) < maxUses:
		f = s.strangeFunction(st, e)
	case f == nil:
		f = st.finding
	}
	if e.role == protocols.RoleRequest && len(st.uses) < maxUses {
		if u == nil {
			st.uses = append(st.uses, use{function: e.function, sub: e.sub, finding: f})
		} else {
			u.finding = f
		}
	}
	again := *f
	again.Time, again.Start = e.time, e.time
	again.FirstFrame, again.LastFrame = e.frame, e.frame
	again.Points = pointsOf(e.ranges[:e.numRanges])
	s.probeRequest(st, e, &again)
	s.hold(&again, e.clock, e.clock+int64(s.settings.Hold), e.frame)
	if command && st.story.tell(e.effect, e.clock, true) {
		t := strangeAbout(KindTakeover, KindTakeover.Severity, e)
		t.Techniques = KindTakeover.Techniques
		tellTakeover(t, strangeDevice(e))
		s.manager.take(t, e.clock)
	}
}

// strangeAbout starts a finding about a message on a link that was not learned.
func strangeAbout(kind *Kind, severity protocols.Severity, e *seen) *Finding {
	f := &Finding{Kind: kind, Severity: severity, Key: keyText(e.key), Start: e.time, Time: e.time, FirstFrame: e.frame, LastFrame: e.frame,
		Proto: e.proto, Function: int(e.function), FunctionName: e.name, Points: pointsOf(e.ranges[:e.numRanges])}
	f.Client, f.Server = parties(e.client(), e.server(), e.key)
	return f
}

func strangeDevice(e *seen) string {
	switch e.proto {
	case protocols.ProtoModbus:
		return fmt.Sprintf("%s (unit %d)", addr(e.server().IP), e.key.unit)
	case protocols.ProtoDNP3:
		return fmt.Sprintf("%s (DNP3 address %d)", addr(e.server().IP), e.key.unit)
	}
	return addr(e.server().IP)
}

// effectTechniques are what an effect is a sign of when it comes from where it
// should not.
var effectTechniques = [protocols.NumEffects][]string{
	protocols.Read:       {"T0801", "T0802"},
	protocols.Write:      {"T0836", "T0855"},
	protocols.Control:    {"T0855"},
	protocols.Configure:  {"T0836", "T0878"},
	protocols.Program:    {"T0843", "T0858"},
	protocols.Restart:    {"T0816", "T0814"},
	protocols.Diagnose:   {"T0888"},
	protocols.Time:       {"T0855"},
	protocols.FileAccess: {"T0843", "T0809"},
}

// sent says what a message did, in a sentence.
func sent(e *seen) string {
	on := ""
	if points := pointsOf(e.ranges[:e.numRanges]); len(points) > 0 {
		on = ", " + pointWordsOf(points)
	}
	to := strangeDevice(e)
	if e.broadcast {
		to = "all devices at once (" + to + ")"
	}
	switch e.role {
	case protocols.RoleResponse, protocols.RoleException:
		return fmt.Sprintf("%s answered %s to %s%s", strangeDevice(e), functionWord(e.name, e.function), addr(e.client().IP), on)
	case protocols.RoleUnsolicited:
		return fmt.Sprintf("%s reported unasked to %s", strangeDevice(e), addr(e.client().IP))
	case protocols.RoleLink:
		return fmt.Sprintf("%s and %s exchanged link frames", addr(e.client().IP), strangeDevice(e))
	}
	return fmt.Sprintf("%s sent %s to %s%s", addr(e.client().IP), functionWord(e.name, e.function), to, on)
}

// meetFinding says what the first message of an unknown link means: one finding,
// the most telling.
func (s *Site) meetFinding(st *strange, e *seen) *Finding {
	client := s.hosts.get(e.client().IP, e.clock, false)
	server := s.hosts.get(e.server().IP, e.clock, false)
	bit := protoBit(e.proto)
	asks := e.role == protocols.RoleRequest
	changes := e.effect.Changes()
	var f *Finding
	what := sent(e)
	switch {
	case !client.known && !client.told:
		f = strangeAbout(KindAssetNew, protocols.Medium, e)
		f.Key = addr(client.ip)
		f.Expected = fmt.Sprintf("%s was never seen in the learning.", addr(client.ip))
		client.told = true
	case !client.known:
		// The host was told of; that it turns to another device is news.
		f = strangeAbout(KindLinkNew, KindLinkNew.Severity, e)
		f.Expected = fmt.Sprintf("%s was never seen in the learning; it was told of before.", addr(client.ip))
	case client.server != 0 && client.client == 0 && !e.guessed:
		f = strangeAbout(KindRoleNew, protocols.High, e)
		f.Expected = fmt.Sprintf("%s had only ever answered: in %s and %s it never sent a request.", addr(client.ip),
			span(client.answeredUntil-client.answeredFrom), plural(client.answered, "message", "messages"))
	case e.broadcast:
		f = strangeAbout(KindBroadcast, protocols.High, e)
		f.Expected = "Nothing was broadcast in the learning."
	case !server.known:
		f = strangeAbout(KindAssetNew, protocols.Medium, e)
		f.Key = addr(server.ip)
		f.Expected = fmt.Sprintf("%s was never seen in the learning.", addr(server.ip))
	case client.client&bit != 0 && s.talked(client, server, e.proto):
		f = strangeAbout(KindUnitNew, KindUnitNew.Severity, e)
		f.Expected = fmt.Sprintf("%s is known to talk to %s, but never to this unit.", addr(client.ip), addr(server.ip))
		if e.proto == protocols.ProtoDNP3 {
			f.Expected = fmt.Sprintf("%s is known to talk to %s, but never with these DNP3 addresses (%d to %d).", addr(client.ip), addr(server.ip), e.key.master, e.key.unit)
		}
	default:
		f = strangeAbout(KindLinkNew, KindLinkNew.Severity, e)
		f.Expected = fmt.Sprintf("The two never spoke %s with each other in the learning.", e.proto)
	}
	f.Observed = what + "." + e.sets
	f.Title = what
	f.Techniques = f.Kind.Techniques
	if asks {
		f.Techniques = addNames(append([]string(nil), effectTechniques[e.effect]...), f.Techniques)
	}
	if changes {
		f.Severity = s.commandSeverity(f.Severity, client, e)
	}
	explain(f)
	return f
}

// commandSeverity is how much a command on an unknown link matters: all the more
// from one who never commanded.
func (s *Site) commandSeverity(base protocols.Severity, client *host, e *seen) protocols.Severity {
	if client.known && client.effects&(1<<protocols.Write|1<<protocols.Control) != 0 {
		return max(base, protocols.High)
	}
	return protocols.Critical
}

// talked tells whether the client spoke the protocol with the server in the
// learning, with any unit.
func (s *Site) talked(client, server *host, proto protocols.Proto) bool {
	_, ok := s.pairs[pairProto{client.ip, server.ip, proto}]
	return ok
}

// strangeFunction is another function on an unknown link that was already told
// of.
func (s *Site) strangeFunction(st *strange, e *seen) *Finding {
	kind, severity := KindFunctionNew, protocols.Low
	switch {
	case e.effect.Changes():
		if kind = effectKinds[e.effect]; kind == nil {
			kind = KindCommandNew
		}
		severity = s.commandSeverity(kind.Severity, s.hosts.get(e.client().IP, e.clock, false), e)
	case e.effect == protocols.Diagnose:
		severity = protocols.Medium
	}
	f := strangeAbout(kind, severity, e)
	f.Key += fmt.Sprintf("/function %d.%d", e.function, e.sub)
	f.Title = sent(e)
	f.Observed = f.Title + "." + e.sets
	f.Expected = fmt.Sprintf("The link itself is new: it was first seen %s before, and not in the learning.", span(e.clock-st.first))
	f.Techniques = addNames(append([]string(nil), effectTechniques[e.effect]...), kind.Techniques)
	explain(f)
	return f
}

func (s *Site) strangeViolation(st *strange, e *seen, v *protocols.ViolationKind) {
	kind := ConformanceKind(v)
	f := strangeAbout(kind, v.Severity, e)
	f.Techniques = kind.Techniques
	f.Title = fmt.Sprintf("a message between %s and %s breaks the standard: %s", addr(e.client().IP), strangeDevice(e), v.Name)
	f.Observed = v.Meaning
	f.Expected = fmt.Sprintf("The standard (%s) requires otherwise, and the link was not there in the learning.", v.Clause)
	explain(f)
	s.manager.take(f, e.clock)
}
