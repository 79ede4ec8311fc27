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
	// approved is what was last told of the link as far as a person approved it,
	// joined that this has to be told with what went beyond.
	approved *Link
	joined   bool
	finding  *Finding // what its first message meant; it is own
	own      Finding
	uses     []use // most links have one or two
	story    story
	window   int64
	inWindow int
}

func (st *strange) record() Link {
	r := Link{Client: st.client.IP, Server: st.server.IP, Port: st.server.Port, Proto: st.proto, FirstSeen: st.first, LastSeen: st.last,
		Messages: st.messages, Functions: append([]LinkFunction(nil), st.functions...), Unseen: 1}
	r.units(st.key)
	if known := st.approved; known != nil {
		r.FirstSeen, r.LastSeen = min(r.FirstSeen, known.FirstSeen), max(r.LastSeen, known.LastSeen)
		r.Messages += known.Messages
		r.Functions = append(r.Functions, known.Functions...)
		r.Known, r.Unseen = true, known.Unseen
	}
	return r
}

// meet returns the strange link of a message and makes it if need be, in the
// memory of the oldest when there are too many.
func (s *Site) meet(e *seen) *strange {
	if st := s.strangers[e.key]; st != nil {
		return st
	}
	var st *strange
	if len(s.strangers) < s.settings.MaxStrangers {
		st = new(strange)
		s.met = append(s.met, e.key)
	} else {
		oldest := s.met[s.metFirst]
		st = s.strangers[oldest]
		delete(s.strangers, oldest)
		s.met[s.metFirst] = e.key
		s.metFirst = (s.metFirst + 1) % len(s.met)
		s.stats.StrangersEvicted++
		clear(st.uses)
		*st = strange{functions: st.functions[:0], uses: st.uses[:0]}
	}
	st.key, st.proto, st.client, st.server, st.first = e.key, e.proto, *e.client(), *e.server(), e.clock
	s.strangers[e.key] = st
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
	f.Title = fmt.Sprintf("%s and %s exchange very many messages", addr(e.client().IP), deviceOf(f))
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
	case st.finding == nil && s.manager.approved(e.client().IP, e.server().IP, e.clock) != nil:
		f = s.strangeFunction(st, e)
		st.finding = f
	case st.finding == nil:
		s.meetFinding(&st.own, e)
		f = &st.own
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
	x := s.holds.copyOf(f)
	x.until, x.request = e.clock+int64(s.settings.Hold), e.frame
	again := x.finding
	again.Time, again.Start = e.time, e.time
	again.FirstFrame, again.LastFrame = e.frame, e.frame
	again.Points = appendPoints(again.Points, e.ranges[:e.numRanges])
	s.probeRequest(e, again)
	s.await(x, e.clock)
	if command && st.story.tell(e.effect, e.clock, true) {
		t := strangeAbout(KindTakeover, KindTakeover.Severity, e)
		t.Techniques = KindTakeover.Techniques
		tellTakeover(t, deviceOf(t))
		s.manager.take(t, e.clock)
	}
}

// strangeAbout starts a finding about a message on a link that was not learned.
func strangeAbout(kind *Kind, severity protocols.Severity, e *seen) *Finding {
	f := &Finding{Points: pointsOf(e.ranges[:e.numRanges])}
	f.aboutStrange(kind, severity, e)
	f.Key = keyText(e.key)
	return f
}

// aboutStrange fills in what a finding says of a message on a link that was not
// learned, but for its points and its key.
func (f *Finding) aboutStrange(kind *Kind, severity protocols.Severity, e *seen) {
	f.Kind, f.Severity = kind, severity
	f.Start, f.Time, f.FirstFrame, f.LastFrame = e.time, e.time, e.frame, e.frame
	f.Proto, f.Function, f.FunctionName = e.proto, int(e.function), e.name
	f.Client, f.Server = parties(e.client(), e.server(), e.key)
}

// deviceOf names the server of a finding in a sentence.
func deviceOf(f *Finding) string {
	switch f.Proto {
	case protocols.ProtoModbus:
		return fmt.Sprintf("%s (unit %d)", addr(f.Server.Endpoint.IP), f.Server.Unit)
	case protocols.ProtoDNP3:
		return fmt.Sprintf("%s (DNP3 address %d)", addr(f.Server.Endpoint.IP), f.Server.Address)
	}
	return addr(f.Server.Endpoint.IP)
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

// techniquesOf are those of a kind, after those that an effect is a sign of.
func (s *Site) techniquesOf(effect protocols.Effect, kind *Kind) []string {
	key := effectKind{effect, kind}
	both, ok := s.techniques[key]
	if !ok {
		both = addNames(append([]string(nil), effectTechniques[effect]...), kind.Techniques)
		s.techniques[key] = both[:len(both):len(both)]
	}
	return both
}

type effectKind struct {
	effect protocols.Effect
	kind   *Kind
}

// message is what the words about a message on an unknown link need beyond its
// finding. In a flood there is one a packet, and nearly none is read.
type message struct {
	role      protocols.Role
	broadcast bool
	numRanges uint8
	ranges    [4]protocols.Range
	sets      string
}

func (e *seen) message() message {
	return message{e.role, e.broadcast, uint8(e.numRanges), e.ranges, e.sets}
}

// sent says what a message did, in a sentence.
func (m *message) sent(f *Finding) string {
	on := ""
	if points := pointsOf(m.ranges[:m.numRanges]); len(points) > 0 {
		on = ", " + pointWordsOf(points)
	}
	client, to := addr(f.Client.Endpoint.IP), deviceOf(f)
	switch m.role {
	case protocols.RoleResponse, protocols.RoleException:
		return fmt.Sprintf("%s answered %s to %s%s", to, functionWord(f.FunctionName, uint8(f.Function)), client, on)
	case protocols.RoleUnsolicited:
		return fmt.Sprintf("%s reported unasked to %s", to, client)
	case protocols.RoleLink:
		return fmt.Sprintf("%s and %s exchanged link frames", client, to)
	}
	if m.broadcast {
		to = "all devices at once (" + to + ")"
	}
	return fmt.Sprintf("%s sent %s to %s%s", client, functionWord(f.FunctionName, uint8(f.Function)), to, on)
}

// words returns what finds the words of a finding about m, with what expected
// says.
func (m message) words(expected func(*Finding) string) func(*Finding) {
	return func(f *Finding) {
		f.Title = m.sent(f)
		f.Observed = f.Title + "." + m.sets
		f.Expected = expected(f)
		explain(f)
	}
}

func clientUnseen(f *Finding) string {
	return fmt.Sprintf("%s was never seen in the learning.", addr(f.Client.Endpoint.IP))
}

func clientToldOf(f *Finding) string {
	return fmt.Sprintf("%s was never seen in the learning; it was told of before.", addr(f.Client.Endpoint.IP))
}

func clientOnlyAnswered(during int64, answered uint64) func(*Finding) string {
	return func(f *Finding) string {
		return fmt.Sprintf("%s had only ever answered: in %s and %s it never sent a request.", addr(f.Client.Endpoint.IP), span(during),
			plural(answered, "message", "messages"))
	}
}

func noBroadcast(*Finding) string { return "Nothing was broadcast in the learning." }

func serverUnseen(f *Finding) string {
	return fmt.Sprintf("%s was never seen in the learning.", addr(f.Server.Endpoint.IP))
}

func unitUnseen(f *Finding) string {
	client, server := addr(f.Client.Endpoint.IP), addr(f.Server.Endpoint.IP)
	if f.Proto == protocols.ProtoDNP3 {
		return fmt.Sprintf("%s is known to talk to %s, but never with these DNP3 addresses (%d to %d).", client, server, f.Client.Address, f.Server.Address)
	}
	return fmt.Sprintf("%s is known to talk to %s, but never to this unit.", client, server)
}

func neverSpoke(f *Finding) string {
	return fmt.Sprintf("The two never spoke %s with each other in the learning.", f.Proto)
}

// meetFinding says in f, which is empty, what the first message of an unknown
// link means: one finding, the most telling.
func (s *Site) meetFinding(f *Finding, e *seen) {
	client := s.hosts.get(e.client().IP, e.clock, false)
	server := s.hosts.get(e.server().IP, e.clock, false)
	bit := protoBit(e.proto)
	kind, severity := KindLinkNew, KindLinkNew.Severity
	var about *host // nil for the link
	var expected func(*Finding) string
	switch {
	case !client.known && !client.told:
		kind, severity, expected = KindAssetNew, protocols.Medium, clientUnseen
		about = client
		client.told = true
	case !client.known:
		// The host was told of; that it turns to another device is news.
		expected = clientToldOf
	case client.server != 0 && client.client == 0 && !e.guessed:
		kind, severity = KindRoleNew, protocols.High
		expected = clientOnlyAnswered(client.answeredUntil-client.answeredFrom, client.answered)
	case e.broadcast:
		kind, severity, expected = KindBroadcast, protocols.High, noBroadcast
	case !server.known:
		kind, severity, expected = KindAssetNew, protocols.Medium, serverUnseen
		about = server
	case client.client&bit != 0 && s.talked(client, server, e.proto):
		kind, severity, expected = KindUnitNew, KindUnitNew.Severity, unitUnseen
	default:
		expected = neverSpoke
	}
	f.Techniques = kind.Techniques
	if e.role == protocols.RoleRequest {
		f.Techniques = s.techniquesOf(e.effect, kind)
	}
	if e.effect.Changes() {
		severity = s.commandSeverity(severity, client, e)
	}
	f.aboutStrange(kind, severity, e)
	if about != nil {
		f.Key = addr(about.ip)
	} else {
		f.Key = keyText(e.key)
	}
	f.Words = e.message().words(expected)
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
	if e.broadcast && s.manager.approved(e.client().IP, e.server().IP, e.clock) != nil {
		kind, severity = KindBroadcast, max(severity, KindBroadcast.Severity)
	}
	f := strangeAbout(kind, severity, e)
	f.Key += fmt.Sprintf("/function %d.%d", e.function, e.sub)
	f.Techniques = s.techniquesOf(e.effect, kind)
	if r := s.manager.approved(e.client().IP, e.server().IP, e.clock); r != nil {
		covers := r.Covers()
		f.Words = e.message().words(func(*Finding) string { return "It was never seen in the learning; approved is " + covers + "." })
		return f
	}
	ago := e.clock - st.first
	f.Words = e.message().words(func(*Finding) string {
		return fmt.Sprintf("The link itself is new: it was first seen %s before, and not in the learning.", span(ago))
	})
	return f
}

func (s *Site) strangeViolation(st *strange, e *seen, v *protocols.ViolationKind) {
	kind := ConformanceKind(v)
	f := strangeAbout(kind, v.Severity, e)
	f.Techniques = kind.Techniques
	f.Words = func(f *Finding) {
		f.Title = fmt.Sprintf("a message between %s and %s breaks the standard: %s", addr(f.Client.Endpoint.IP), deviceOf(f), v.Name)
		f.Observed = v.Meaning
		f.Expected = fmt.Sprintf("The standard (%s) requires otherwise, and the link was not there in the learning.", v.Clause)
		explain(f)
	}
	s.manager.take(f, e.clock)
}
