package detect

import (
	"math"
	"strings"

	"github.com/weir-ics/weir/protocols"
	"github.com/weir-ics/weir/protocols/dnp3"
)

// indications says how much each DNP3 internal indication (IEEE 1815-2012,
// 4.2.2.6), by bit, matters when an outstation shows it for the first time.
var indications = [16]struct {
	severity protocols.Severity
	// tell is false for what says nothing unusual.
	tell bool
	// refusal tells that the outstation did not do what was asked.
	refusal bool
}{
	4:  {severity: protocols.Info, tell: true},
	5:  {severity: protocols.Low, tell: true},
	6:  {severity: protocols.Medium, tell: true},
	8:  {severity: protocols.Low, tell: true, refusal: true},
	9:  {severity: protocols.Low, tell: true, refusal: true},
	10: {severity: protocols.Low, tell: true, refusal: true},
	11: {severity: protocols.Low, tell: true},
	12: {severity: protocols.Low, tell: true},
	13: {severity: protocols.Medium, tell: true},
}

// indicationWord names an internal indication in a sentence.
func indicationWord(bit int) string { return plain(dnp3.IINName(bit)) }

const (
	iinRestart  = dnp3.IINDeviceRestart
	iinRefusals = dnp3.IINNoFuncCodeSupport | dnp3.IINObjectUnknown | dnp3.IINParameterError
)

// answer takes what a device sends.
func (s *Shard) answer(l *link, e *protocols.Event) {
	if e.Role == protocols.RoleUnsolicited {
		s.unsolicited(l, e)
	} else {
		l.answers++
		if l.silent > 0 {
			s.speaksAgain(l, e)
		}
	}
	held := l.held != 0 && e.RequestFrame == l.held
	if held {
		l.held = 0
		s.tell(e, noteAnswer, s.copyEvent(e, l.key))
	}
	if e.Role == protocols.RoleException {
		s.exception(l, e, held)
	}
	if e.HasIIN {
		s.indications(l, e, held)
	}
	if e.RTT >= 0 && e.Role != protocols.RoleUnsolicited {
		s.responseTime(l, e)
	}
	if e.Proto == protocols.ProtoDNP3 {
		s.reports(l, e)
	}
}

// unsolicited takes a report that nobody asked for.
func (s *Shard) unsolicited(l *link, e *protocols.Event) {
	if l.unsolicited {
		return
	}
	if !l.watching {
		l.unsolicited = true
		return
	}
	s.finding(e, noteFinding, s.early(l, newUnsolicited(l, e)))
}

// exception takes a refusal.
func (s *Shard) exception(l *link, e *protocols.Event, held bool) {
	l.refused++
	for i := range l.exceptions {
		if h := &l.exceptions[i]; h.code == e.Exception {
			h.count++
			s.refusals(l, e)
			return
		}
	}
	if !l.watching {
		l.exceptions = append(l.exceptions, habit{e.Exception, 1})
		return
	}
	s.refusals(l, e)
	if !held {
		s.finding(e, noteFinding, s.early(l, newException(l, e)))
	}
}

// refusals counts a refusal in its window.
func (s *Shard) refusals(l *link, e *protocols.Event) {
	l.win.exceptions++
	if !l.watching {
		return
	}
	n := max(l.win.messages/2, l.win.exceptions)
	if chance, ok := s.burst(l.win.exceptions, n, l.refused, l.answers); ok {
		f := exceptionBurst(l, e, uint64(l.win.exceptions), uint64(n))
		f.Score = surprise(chance)
		s.finding(e, noteFinding, f).chance = chance
	}
}

// burst judges k of n in a window against a share known from total. It returns
// how many windows a day would show that by chance, at most: the Chernoff bound
// of the binomial (Chernoff 1952), exp(-n·D(k/n‖p)).
func (s *Shard) burst(k, n uint32, known, total uint64) (chance float64, ok bool) {
	if k < 5 {
		return 0, false
	}
	// The count includes this window: take it out of what is normal.
	known -= min(known, uint64(k))
	total -= min(total, uint64(n))
	p := (float64(known) + 1) / (float64(total) + 2)
	share := float64(k) / float64(n)
	if share <= 2*p {
		return 0, false
	}
	divergence := share * math.Log(share/p)
	if share < 1 {
		divergence += (1 - share) * math.Log((1-share)/(1-p))
	}
	windows := 86400e9 / float64(s.settings.BurstWindow)
	chance = windows * math.Exp(-float64(n)*divergence)
	return chance, chance < s.settings.AlarmsPerDay
}

// indications takes the internal indications of a DNP3 response.
func (s *Shard) indications(l *link, e *protocols.Event, held bool) {
	rising := e.IIN &^ l.iinUp
	l.iinUp = e.IIN
	fresh := e.IIN &^ l.iin
	if e.IIN&iinRefusals != 0 {
		l.refused++
		s.refusals(l, e)
	}
	if !l.watching {
		l.iin |= e.IIN
		return
	}
	if rising&iinRestart != 0 {
		s.finding(e, noteFinding, s.early(l, deviceRestarted(l, e, fresh&iinRestart != 0)))
	}
	if held {
		fresh &^= iinRefusals
	}
	for bit := 0; fresh != 0 && bit < len(indications); bit++ {
		if fresh&(1<<bit) != 0 && rising&(1<<bit) != 0 && indications[bit].tell {
			s.finding(e, noteFinding, s.early(l, newIndication(l, e, bit)))
		}
	}
}

// responseTime takes the time that a device took to answer.
func (s *Shard) responseTime(l *link, e *protocols.Event) {
	var f *function
	for i := range l.functions {
		if g := &l.functions[i]; g.function == e.Function && g.role == protocols.RoleRequest && (g.sub == e.Sub || e.Proto == protocols.ProtoDNP3) {
			f = g
			break
		}
	}
	if f == nil {
		if e.Proto != protocols.ProtoDNP3 || len(l.functions) == 0 {
			return
		}
		// A DNP3 response does not tell which function it answers.
		f = &l.functions[0]
	}
	ms := float64(e.RTT) / 1e6
	if !l.watching || f.lateAt == 0 || ms <= f.lateAt {
		f.rtt.Observe(ms)
		f.late <<= 1
		return
	}
	f.late = f.late<<1 | 1
	if ones(f.late) >= 3 {
		s.late(l, e, f, ms)
	}
}

func ones(b uint8) (n int) {
	for ; b != 0; b &= b - 1 {
		n++
	}
	return n
}

// lateness sets from which time on an answer of the function counts as late:
// three late ones in eight shall happen by chance no more often than the budget
// allows, so one with a probability p of which 56·p³ is the budget's share.
func (s *Shard) lateness(l *link, f *function) {
	f.lateAt = 0
	fit, ok := f.rtt.Fit()
	if !ok || l.last <= l.first {
		return
	}
	perDay := float64(f.count) / (float64(l.last-l.first) / 86400e9)
	p := math.Cbrt(s.settings.AlarmsPerDay / (56 * math.Max(perDay, 1)))
	f.lateAt = math.Max(fit.Quantile(p), f.rtt.Max())
	if f.rtt.N < 1000 {
		f.lateAt = math.Max(f.lateAt, 1.5*f.rtt.Max())
	}
}

func (s *Shard) late(l *link, e *protocols.Event, f *function, ms float64) {
	fit, ok := f.rtt.Fit()
	if !ok {
		return
	}
	perDay := float64(f.count) / (float64(max(l.last-l.first, 1)) / 86400e9)
	p := fit.Probability(ms)
	chance := 56 * p * p * p * perDay
	found := lateAnswers(l, e, f, ms)
	found.Score = surprise(p * p * p)
	s.finding(e, noteFinding, found).chance = chance
	f.late = 0
}

// reports takes the points that a DNP3 device reports.
func (s *Shard) reports(l *link, e *protocols.Event) {
	for i := range e.Ranges {
		r := &e.Ranges[i]
		if r.Access != protocols.AccessReport {
			continue
		}
		run := runOf(*r)
		t := l.table(r.Kind, protocols.AccessReport)
		if t != nil && t.set.Contains(run.First, run.Last) {
			continue
		}
		if !l.watching {
			l.addAddresses(*r, s.settings.MaxRuns)
			continue
		}
		s.finding(e, noteFinding, s.early(l, newPoints(l, e, *r)))
	}
}

// violations takes what is wrong with a message.
func (s *Shard) violations(l *link, e *protocols.Event) {
	for i := range e.Violations {
		v := &e.Violations[i]
		if strings.HasSuffix(v.Kind.Name, ".unanswered") || strings.HasSuffix(v.Kind.Name, ".no-response") {
			s.unanswered(l, e)
			continue
		}
		if fault := l.fault(v.Kind.Name); fault != nil {
			fault.count++
			l.win.failures++
			if l.watching {
				if chance, ok := s.burst(l.win.failures, max(l.win.messages, l.win.failures), l.faultCount(), l.messages); ok {
					f := malformedBurst(l, e, v)
					f.Score = surprise(chance)
					s.finding(e, noteFinding, f).chance = chance
				}
			}
			continue
		}
		if lost, ok := s.gaps[pairOf(e.Src.IP, e.Dst.IP)]; ok && e.Clock-lost <= gapExplains {
			s.stats.Explained++
			continue
		}
		if !l.watching || v.Kind.Severity == protocols.Info {
			l.faults = append(l.faults, fault{v.Kind.Name, 1})
			if v.Kind.Severity < protocols.High {
				continue
			}
		}
		s.finding(e, noteFinding, broken(l, e, v))
	}
}

func (l *link) fault(name string) *fault {
	for i := range l.faults {
		if l.faults[i].name == name {
			return &l.faults[i]
		}
	}
	return nil
}

func (l *link) faultCount() (n uint64) {
	for _, f := range l.faults {
		n += f.count
	}
	return n
}

// unanswered takes a request that got no answer.
func (s *Shard) unanswered(l *link, e *protocols.Event) {
	l.unanswered++
	l.silent++
	if !l.watching {
		l.silentMost = max(l.silentMost, l.silent)
		return
	}
	if l.silent >= max(5, 2*l.silentMost) && !l.silentRaised {
		l.silentRaised = true
		s.finding(e, noteFinding, deviceSilent(l, e, false))
	}
}

func (s *Shard) speaksAgain(l *link, e *protocols.Event) {
	l.silent = 0
	if l.silentRaised {
		l.silentRaised = false
		s.finding(e, noteFinding, deviceSilent(l, e, true))
	}
}
