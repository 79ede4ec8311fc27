package detect

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/weir-ics/weir/protocols"
	"github.com/weir-ics/weir/protocols/modbus"
)

// This file makes the findings about learned links: their keys and sentences.

// keyText is the part of a finding's key that names a link.
func keyText(k linkKey) string {
	var buf [96]byte
	b := appendAddr(buf[:0], ipOf(k.client))
	b = append(b, '>')
	b = appendAddr(b, ipOf(k.server))
	b = append(b, '/')
	b = append(b, protocols.Proto(k.proto).String()...)
	b = append(b, '/')
	b = strconv.AppendUint(b, uint64(k.unit), 10)
	if protocols.Proto(k.proto) == protocols.ProtoDNP3 {
		b = append(b, '<')
		b = strconv.AppendUint(b, uint64(k.master), 10)
	}
	return string(b)
}

func parties(client, server *protocols.Endpoint, k linkKey) (c, s Party) {
	c = Party{Endpoint: *client, Unit: -1, Address: -1}
	s = Party{Endpoint: *server, Unit: -1, Address: -1}
	switch protocols.Proto(k.proto) {
	case protocols.ProtoModbus:
		s.Unit = int(k.unit)
	case protocols.ProtoDNP3:
		c.Address, s.Address = int(k.master), int(k.unit)
	}
	return c, s
}

// about starts a finding about a message on a link.
func about(kind *Kind, severity protocols.Severity, l *link, e *protocols.Event) *Finding {
	f := &Finding{Kind: kind, Severity: severity, Key: keyText(l.key), Start: e.Time, Time: e.Time, FirstFrame: e.Frame, LastFrame: e.Frame,
		Proto: e.Proto, Function: int(e.Function), FunctionName: e.Name, Techniques: kind.Techniques}
	f.Client, f.Server = parties(e.Client(), e.Server(), l.key)
	return f
}

// device names the server of a link in a sentence.
func device(l *link) string {
	switch l.proto {
	case protocols.ProtoDNP3:
		return fmt.Sprintf("%s (DNP3 address %d)", addr(ipOf(l.key.server)), l.key.unit)
	case protocols.ProtoModbus:
		return fmt.Sprintf("%s (unit %d)", addr(ipOf(l.key.server)), l.key.unit)
	}
	return addr(ipOf(l.key.server))
}

// evidence says on how much what is expected rests.
func evidence(l *link) string {
	return fmt.Sprintf("in %s and %s", span(l.last-l.first), plural(l.messages, "message", "messages"))
}

// explain joins observed and expected.
func explain(f *Finding) { f.Explanation = f.Observed + " " + f.Expected }

func milder(s protocols.Severity) protocols.Severity {
	if s == protocols.Info {
		return s
	}
	return s - 1
}

// effectKinds are the kinds of a function whose effect is new on a link.
var effectKinds = [protocols.NumEffects]*Kind{
	protocols.Configure: KindConfigureNew, protocols.Program: KindProgramAccess, protocols.Restart: KindRestartCommand,
	protocols.Time: KindTimeSet, protocols.FileAccess: KindFileTransfer, protocols.Write: KindCommandNew, protocols.Control: KindCommandNew,
}

func (s *Shard) newFunction(l *link, e *protocols.Event) *Finding {
	kind, severity := KindFunctionNew, KindFunctionNew.Severity
	switch {
	case effectKinds[e.Effect] != nil && !l.hasEffect(e.Effect):
		kind = effectKinds[e.Effect]
		severity = kind.Severity
		if kind == KindCommandNew && l.hasChanges() {
			kind, severity = KindFunctionNew, protocols.Medium
		}
	case !e.Effect.Changes():
		severity = protocols.Low
		if e.Effect == protocols.Diagnose {
			severity = protocols.Medium
		}
	}
	f := about(kind, severity, l, e)
	f.Key += fmt.Sprintf("/function %d.%d", e.Function, e.Sub)
	if kind == KindCommandNew {
		f.Key = keyText(l.key) + "/" + e.Effect.String()
	}
	f.Points = pointsOf(e.Ranges)
	on := ""
	if len(f.Points) > 0 {
		on = ", " + pointWordsOf(f.Points)
	}
	f.Title = fmt.Sprintf("%s sent %s to %s for the first time%s", addr(e.Client().IP), functionWord(e.Name, e.Function), device(l), on)
	f.Observed = fmt.Sprintf("%s sent %s to %s%s.", addr(e.Client().IP), functionWord(e.Name, e.Function), device(l), on) + setWords(e.Points)
	if kind == KindCommandNew {
		f.Expected = fmt.Sprintf("It had only ever read: %s it never changed anything on this device, using %s.", evidence(l), functionList(l))
	} else {
		f.Expected = fmt.Sprintf("On this link it had used only %s, %s.", functionList(l), evidence(l))
	}
	s.unfinished(l, f, kind == KindFunctionNew && e.Effect.Changes())
	explain(f)
	return f
}

func functionList(l *link) string {
	var names []string
	seen := map[string]bool{}
	for i := range l.functions {
		f := &l.functions[i]
		if n := functionWord(f.name, f.function); !seen[n] {
			seen[n] = true
			names = append(names, n)
		}
	}
	switch {
	case len(names) == 0:
		return "no function at all"
	case len(names) > 6:
		return strings.Join(names[:6], ", ") + fmt.Sprintf(" and %d more", len(names)-6)
	}
	return strings.Join(names, ", ")
}

// surprise is -log10 of a probability, from 0 to 300.
func surprise(p float64) float64 {
	if p >= 1 {
		return 0
	}
	return -math.Log10(math.Max(p, 1e-300))
}

// fewCommands is below how many commands the Good-Turing estimate for commands
// says too little to call a new one surprising.
const fewCommands = 10

// learned tells whether a link is learned well enough for something new on it
// to be a surprise.
func (s *Shard) learned(l *link) bool {
	return l.requests >= 50 && unseen(l.once, l.requests) <= max(s.settings.LearnTarget, 0.1)
}

// early makes a finding milder when the link is hardly learned.
func (s *Shard) early(l *link, f *Finding) *Finding {
	if !s.learned(l) {
		f.Severity = milder(f.Severity)
		f.Explanation += fmt.Sprintf(" Little was learned of this link: %s.", plural(l.requests, "request", "requests"))
	}
	return f
}

// unfinished makes a finding milder, and says why, when the link is not learned
// well enough for something new to be a surprise.
func (s *Shard) unfinished(l *link, f *Finding, changes bool) {
	what, once, total, few := "requests", l.once, l.requests, uint64(50)
	if changes {
		what, once, total, few = "commands", l.changesOnce, l.changes, fewCommands
	}
	p := unseen(once, total)
	f.Score = surprise(math.Max(p, 1/float64(total+1)))
	if total >= few && p <= s.settings.LearnTarget {
		return
	}
	if total >= few && p < 0.5 && changes {
		return
	}
	if !changes && f.Kind != KindFunctionNew && f.Kind != KindAddressNew {
		// A new effect is told apart by its kind, however little was learned.
		return
	}
	f.Severity = milder(f.Severity)
	f.Expected += fmt.Sprintf(" Little was learned: of %s on this link %s came only once, so the next is a new one with a probability of about %.0f %% (Good-Turing).",
		plural(total, strings.TrimSuffix(what, "s"), what), count(once), 100*math.Max(p, 1/float64(total+1)))
}

func (s *Shard) newAddress(l *link, e *protocols.Event, missing []PointRef, access protocols.Access) *Finding {
	severity := protocols.Low
	changes := access == protocols.AccessWrite || access == protocols.AccessOperate || e.Effect.Changes()
	if changes {
		severity = protocols.Medium
	}
	f := about(KindAddressNew, severity, l, e)
	f.Points = missing
	verb := did[e.Effect]
	if changes {
		f.Key += fmt.Sprintf("/%s %s %d", access, missing[0].Kind, missing[0].First)
	} else {
		f.Key += fmt.Sprintf("/%s %s", access, missing[0].Kind)
		f.Techniques = []string{"T0861"}
	}
	f.Title = fmt.Sprintf("%s %s %s, %s, for the first time", addr(e.Client().IP), verb, device(l), pointWordsOf(missing))
	f.Observed = fmt.Sprintf("%s sent %s to %s for %s, which it never touched.", addr(e.Client().IP), functionWord(e.Name, e.Function), device(l), pointWordsOf(missing)) + setWords(e.Points)
	if t := l.table(missing[0].Kind, access); t != nil {
		var known []PointRef
		for _, r := range t.set.Runs() {
			known = append(known, PointRef{Kind: t.kind, First: r.First, Last: r.Last})
		}
		f.Expected = fmt.Sprintf("%s it had %s only %s.", capital(evidence(l)), accessWord(access), pointWordsOf(known))
	} else {
		f.Expected = fmt.Sprintf("%s it had %s none of this kind.", capital(evidence(l)), accessWord(access))
	}
	s.unfinished(l, f, changes)
	explain(f)
	return f
}

func accessWord(a protocols.Access) string {
	switch a {
	case protocols.AccessRead:
		return "read"
	case protocols.AccessWrite:
		return "written"
	case protocols.AccessOperate:
		return "operated"
	case protocols.AccessAssign:
		return "assigned"
	}
	return "used"
}

func capital(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

func (s *Shard) broadcast(l *link, e *protocols.Event) *Finding {
	f := about(KindBroadcast, KindBroadcast.Severity, l, e)
	f.Points = pointsOf(e.Ranges)
	f.Title = fmt.Sprintf("%s sent %s to all devices at once", addr(e.Client().IP), functionWord(e.Name, e.Function))
	f.Observed = f.Title + "."
	f.Expected = fmt.Sprintf("%s it never broadcast anything.", capital(evidence(l)))
	explain(f)
	return f
}

func newUnsolicited(l *link, e *protocols.Event) *Finding {
	f := about(KindUnsolicitedNew, KindUnsolicitedNew.Severity, l, e)
	f.Title = fmt.Sprintf("%s reports unasked", device(l))
	f.Observed = fmt.Sprintf("%s sent an unsolicited response to %s.", device(l), addr(e.Client().IP))
	f.Expected = fmt.Sprintf("%s it never did.", capital(evidence(l)))
	explain(f)
	return f
}

func exceptionWord(code uint8) string {
	if n := modbus.ExceptionName(code); n != "" {
		return fmt.Sprintf("%s (exception %d)", plain(n), code)
	}
	return fmt.Sprintf("exception %d", code)
}

func newException(l *link, e *protocols.Event) *Finding {
	f := about(KindExceptionNew, KindExceptionNew.Severity, l, e)
	f.Key += fmt.Sprintf("/exception %d", e.Exception)
	f.Points = pointsOf(e.Ranges)
	f.Title = fmt.Sprintf("%s refused %s: %s", device(l), functionWord(e.Name, e.Function), exceptionWord(e.Exception))
	f.Observed = f.Title + "."
	f.Expected = fmt.Sprintf("%s it never gave that answer to %s.", capital(evidence(l)), addr(ipOf(l.key.client)))
	if e.RequestFrame != 0 {
		f.FirstFrame = e.RequestFrame
	}
	explain(f)
	return f
}

func exceptionBurst(l *link, e *protocols.Event, k, n uint64) *Finding {
	f := about(KindExceptionBurst, KindExceptionBurst.Severity, l, e)
	f.Function = -1
	f.Title = fmt.Sprintf("%s refuses many requests of %s", device(l), addr(ipOf(l.key.client)))
	f.Observed = fmt.Sprintf("%s refused %d of about %d requests within a window.", device(l), k, n)
	f.Expected = fmt.Sprintf("%s it refused %s of %s.", capital(evidence(l)), count(l.refused-min(l.refused, k)), plural(l.answers, "request", "requests"))
	explain(f)
	return f
}

func malformedBurst(l *link, e *protocols.Event, v *protocols.Violation) *Finding {
	f := about(KindMalformedBurst, KindMalformedBurst.Severity, l, e)
	f.Function = -1
	f.Title = fmt.Sprintf("many messages between %s and %s break the standard", addr(ipOf(l.key.client)), device(l))
	f.Observed = fmt.Sprintf("%d of %d messages within a window were wrong, the last by %s.", l.win.failures, l.win.messages, v.Kind.Name)
	f.Expected = fmt.Sprintf("%s that was seen %s.", capital(evidence(l)), plural(l.faultCount()-uint64(l.win.failures), "time", "times"))
	explain(f)
	return f
}

func broken(l *link, e *protocols.Event, v *protocols.Violation) *Finding {
	f := about(ConformanceKind(v.Kind), v.Kind.Severity, l, e)
	f.Points = pointsOf(e.Ranges)
	describeViolation(f, v, fmt.Sprintf("between %s and %s", addr(ipOf(l.key.client)), device(l)))
	if e.RequestFrame != 0 && e.RequestFrame < e.Frame {
		f.FirstFrame = e.RequestFrame
	}
	f.Expected += fmt.Sprintf(" %s it was never seen on this link.", capital(evidence(l)))
	explain(f)
	return f
}

func describeViolation(f *Finding, v *protocols.Violation, where string) {
	f.Title = fmt.Sprintf("a message %s breaks the standard: %s", where, v.Kind.Name)
	f.Observed = v.Kind.Meaning
	if v.Kind.Units != "" {
		f.Observed += fmt.Sprintf(" Observed %d %s, expected %d.", v.Observed, v.Kind.Units, v.Expected)
	}
	f.Expected = fmt.Sprintf("The standard (%s) requires otherwise.", v.Kind.Clause)
}

func newIndication(l *link, e *protocols.Event, bit int) *Finding {
	f := about(KindIINNew, indications[bit].severity, l, e)
	f.Key += "/" + indicationWord(bit)
	f.Title = fmt.Sprintf("%s reports %s", device(l), indicationWord(bit))
	f.Observed = fmt.Sprintf("%s set the internal indication IIN%d.%d, %s.", device(l), bit/8+1, bit%8, indicationWord(bit))
	f.Expected = fmt.Sprintf("%s it never did.", capital(evidence(l)))
	explain(f)
	return f
}

func deviceRestarted(l *link, e *protocols.Event, never bool) *Finding {
	f := about(KindDeviceRestarted, protocols.Low, l, e)
	f.Title = fmt.Sprintf("%s says that it restarted", device(l))
	f.Observed = fmt.Sprintf("%s set the internal indication IIN1.7, device restart.", device(l))
	f.Expected = fmt.Sprintf("%s it was up without a restart, or had restarted only with its master knowing.", capital(evidence(l)))
	if never {
		f.Severity = protocols.Medium
		f.Expected = fmt.Sprintf("%s it never did.", capital(evidence(l)))
	}
	explain(f)
	return f
}

func lateAnswers(l *link, e *protocols.Event, g *function, ms float64) *Finding {
	f := about(KindResponseLate, KindResponseLate.Severity, l, e)
	f.Key += "/" + g.name
	f.Title = fmt.Sprintf("%s answers %s late", device(l), functionWord(g.name, g.function))
	f.Observed = fmt.Sprintf("%s took %s ms to answer %s, and was late three times within eight.", device(l), decimal(ms), functionWord(g.name, g.function))
	f.Expected = fmt.Sprintf("Of %s the slowest took %s ms; later than %s ms counts as late.", plural(g.rtt.N, "answer", "answers"), decimal(g.rtt.Max()), decimal(g.lateAt))
	if e.RequestFrame != 0 {
		f.FirstFrame = e.RequestFrame
	}
	explain(f)
	return f
}

func newPoints(l *link, e *protocols.Event, r protocols.Range) *Finding {
	f := about(KindPointNew, KindPointNew.Severity, l, e)
	f.Key += "/" + r.Kind.String()
	f.Function = -1
	var missing []PointRef
	run := runOf(r)
	known := "none of this kind"
	if t := l.table(r.Kind, protocols.AccessReport); t != nil {
		for _, m := range t.set.Missing(nil, run.First, run.Last) {
			missing = append(missing, PointRef{Kind: r.Kind, First: m.First, Last: m.Last})
		}
		var runs []PointRef
		for _, m := range t.set.Runs() {
			runs = append(runs, PointRef{Kind: r.Kind, First: m.First, Last: m.Last})
		}
		known = "only " + pointWordsOf(runs)
	} else {
		missing = []PointRef{{Kind: r.Kind, First: run.First, Last: run.Last}}
	}
	f.Points = missing
	f.Title = fmt.Sprintf("%s reports %s for the first time", device(l), pointWordsOf(missing))
	f.Observed = fmt.Sprintf("%s reported %s.", device(l), pointWordsOf(missing))
	f.Expected = fmt.Sprintf("%s it had reported %s.", capital(evidence(l)), known)
	explain(f)
	return f
}

func deviceSilent(l *link, e *protocols.Event, over bool) *Finding {
	f := about(KindDeviceSilent, KindDeviceSilent.Severity, l, e)
	f.Function, f.FunctionName = -1, ""
	f.Clear = over
	f.Title = fmt.Sprintf("%s does not answer %s", device(l), addr(ipOf(l.key.client)))
	f.Observed = fmt.Sprintf("%s left %s in a row without an answer.", device(l), plural(uint64(l.silent), "request", "requests"))
	f.Expected = fmt.Sprintf("%s the longest such run was %d.", capital(evidence(l)), l.silentMost)
	explain(f)
	return f
}

func pollStopped(l *link, p *pattern, at int64) *Finding {
	g := &l.functions[p.function]
	f := &Finding{Kind: KindPollStopped, Severity: KindPollStopped.Severity, Key: keyText(l.key), Start: p.last, Time: at, FirstFrame: p.lastFrame, LastFrame: p.lastFrame, Proto: l.proto,
		Function: int(g.function), FunctionName: g.name, Points: pointsOf(p.ranges), Techniques: KindPollStopped.Techniques}
	f.Client, f.Server = parties(&l.client, &l.server, l.key)
	on := ""
	if len(f.Points) > 0 {
		on = " for " + pointWordsOf(f.Points)
	}
	if p.n < 50 {
		f.Severity = protocols.Low
	}
	f.Title = fmt.Sprintf("%s stopped polling %s", addr(ipOf(l.key.client)), device(l))
	f.Observed = fmt.Sprintf("%s has not sent %s%s to %s for %s.", addr(ipOf(l.key.client)), functionWord(g.name, g.function), on, device(l), span(at-p.last))
	f.Expected = fmt.Sprintf("It came every %s, %s; overdue after %s.", span(int64(p.mean*1e9)), plural(p.n+1, "time", "times"), span(p.overdueAfter))
	explain(f)
	return f
}

// neverPolled is about a link of the baseline that was not seen since the start.
func neverPolled(w *awaited) *Finding {
	f := &Finding{Kind: KindPollStopped, Severity: KindPollStopped.Severity, Key: keyText(w.link.key()), Start: w.until, Time: w.until,
		Proto: protoByName(w.link.Proto), Function: int(w.function.Function), FunctionName: w.function.Name, Techniques: KindPollStopped.Techniques}
	f.Client, f.Server = parties(&protocols.Endpoint{IP: w.link.Client}, &protocols.Endpoint{IP: w.link.Server, Port: w.link.Port}, w.link.key())
	f.Title = fmt.Sprintf("%s does not poll %s", w.link.Client, w.link.Server)
	f.Observed = fmt.Sprintf("%s has not sent anything to %s since weir was started.", w.link.Client, w.link.Server)
	f.Expected = fmt.Sprintf("%s came every %s in the learning, %s.", functionWord(w.function.Name, w.function.Function), span(w.period), plural(w.count, "time", "times"))
	explain(f)
	return f
}

func pollResumed(l *link, e *protocols.Event) *Finding {
	f := about(KindPollStopped, KindPollStopped.Severity, l, e)
	f.Clear = true
	return f
}

func paceChanged(l *link, p *pattern, e *protocols.Event, x float64, faster bool) *Finding {
	f := about(KindPollPace, KindPollPace.Severity, l, e)
	f.Points = pointsOf(p.ranges)
	word := "slower"
	if faster {
		word = "faster"
	}
	f.Key += "/" + word
	f.Title = fmt.Sprintf("%s polls %s %s than usual", addr(e.Client().IP), device(l), word)
	f.Observed = fmt.Sprintf("%s sent %s after %s, and %s for some time.", addr(e.Client().IP), functionWord(e.Name, e.Function), span(int64(x*1e9)), word)
	f.Expected = fmt.Sprintf("It came every %s with a deviation of %s, %s.", span(int64(p.mean*1e9)), span(int64(p.deviation()*1e9)), plural(p.n+1, "time", "times"))
	explain(f)
	return f
}

func flooded(l *link, e *protocols.Event, over bool) *Finding {
	f := about(KindFloodMessages, KindFloodMessages.Severity, l, e)
	f.Function, f.FunctionName = -1, ""
	f.Clear = over
	f.Title = fmt.Sprintf("%s and %s exchange far more messages than usual", addr(ipOf(l.key.client)), device(l))
	f.Observed = fmt.Sprintf("More than %.0f messages passed within one window.", l.flood)
	f.Expected = fmt.Sprintf("The most ever seen in a window were %.0f, %s.", l.load.Max(), evidence(l))
	explain(f)
	return f
}

func connectionFlood(e *protocols.Event, c *connection, over bool) *Finding {
	client, server := &e.Src, &e.Dst
	if !e.FromClient {
		client, server = server, client
	}
	f := &Finding{Kind: KindFloodConnections, Severity: KindFloodConnections.Severity, Start: e.Time, Time: e.Time, FirstFrame: e.Frame,
		LastFrame: e.Frame, Proto: protocols.ProtoNetwork, Function: -1, Clear: over, Techniques: KindFloodConnections.Techniques,
		Key: fmt.Sprintf("%s>%s:%d", addr(client.IP), addr(server.IP), server.Port)}
	f.Client, f.Server = parties(client, server, linkKey{})
	f.Title = fmt.Sprintf("%s opens very many connections to %s port %d", addr(client.IP), addr(server.IP), server.Port)
	f.Observed = fmt.Sprintf("%s tried to open %d connections to %s port %d within a window.", addr(client.IP), c.inWindow, addr(server.IP), server.Port)
	f.Expected = fmt.Sprintf("The most in a window were %d.", c.most)
	explain(f)
	return f
}

func oddHour(l *link, e *protocols.Event, hour int) *Finding {
	f := about(KindHours, KindHours.Severity, l, e)
	f.Key += fmt.Sprintf("/hour %d", hour)
	f.Points = pointsOf(e.Ranges)
	days := [...]string{"Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"}
	f.Title = fmt.Sprintf("%s %s %s at an unusual hour", addr(e.Client().IP), did[e.Effect], device(l))
	f.Observed = fmt.Sprintf("%s sent %s to %s on a %s at %d h UTC.", addr(e.Client().IP), functionWord(e.Name, e.Function), device(l), days[hour/24], hour%24)
	f.Expected = fmt.Sprintf("None of %s in %s came within an hour of that.", plural(l.changes, "command", "commands"), span(l.last-l.firstChange))
	explain(f)
	return f
}

func tooLong(l *link, g *function, e *protocols.Event) *Finding {
	f := about(KindSize, KindSize.Severity, l, e)
	f.Key += fmt.Sprintf("/size %d.%d", e.Function, e.Sub)
	f.Title = fmt.Sprintf("%s sent an unusually long %s to %s", addr(e.Client().IP), functionWord(e.Name, e.Function), device(l))
	f.Observed = fmt.Sprintf("%s sent %s of %d octets to %s.", addr(e.Client().IP), functionWord(e.Name, e.Function), e.Size, device(l))
	f.Expected = fmt.Sprintf("The longest of %s before had %d octets.", count(g.count), g.longest)
	explain(f)
	return f
}

func tellTakeover(f *Finding, device string) {
	f.Title = fmt.Sprintf("%s restarted, set the clock of and configured %s", addr(f.Client.Endpoint.IP), device)
	f.Observed = fmt.Sprintf("Within an hour %s restarted %s, set its clock and changed its configuration.", addr(f.Client.Endpoint.IP), device)
	f.Expected = "At least one of these it had never done in the learning."
	explain(f)
}
