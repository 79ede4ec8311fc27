package detect

import (
	"fmt"
	"io"
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/weir-ics/weir/protocols"
)

// Progress says how far learning is.
type Progress struct {
	// Requests is how many requests were learned from, Distinct how many
	// different ones there were, Once how many of those came only once.
	Requests, Distinct, Once uint64
	// Unseen is the Good-Turing estimate of the probability that the next
	// request is one never seen; Bound holds it from above with 95 %
	// confidence.
	Unseen, Bound float64
	// Growth is how many different requests were known when a sixteenth, an
	// eighth, a quarter, a half and all of the time had passed.
	Growth [5]uint64
}

// Progress says how far the learning of the site is.
func (b *Baseline) Progress() Progress {
	var p Progress
	for i := range b.Links {
		l := &b.Links[i]
		p.add(l, b.From, b.Until)
	}
	p.finish()
	return p
}

// Progress says how far the learning of the link is.
func (l *LinkBaseline) Progress() Progress {
	var p Progress
	p.add(l, l.First, l.Last)
	p.finish()
	return p
}

func (p *Progress) add(l *LinkBaseline, from, until int64) {
	p.Requests += l.Requests
	for i := range l.Requested {
		r := &l.Requested[i]
		p.Distinct++
		if r.Count == 1 {
			p.Once++
		}
		for k := range p.Growth {
			if r.First <= from+(until-from)>>(4-k) {
				p.Growth[k]++
			}
		}
	}
}

func (p *Progress) finish() {
	p.Unseen, p.Bound = unseen(p.Once, p.Requests), unseenBound(p.Once, p.Requests)
}

func (p Progress) String() string {
	if p.Requests == 0 {
		return "no request was learned"
	}
	return fmt.Sprintf("the next request is a new one with a probability of %s %% (at most %s %%, with 95 %% confidence); different requests known after 1/16, 1/8, 1/4, 1/2 and all of the time: %d, %d, %d, %d, %d",
		decimal(100*p.Unseen), decimal(100*p.Bound), p.Growth[0], p.Growth[1], p.Growth[2], p.Growth[3], p.Growth[4])
}

func date(ns int64) string { return time.Unix(0, ns).UTC().Format("2006-01-02 15:04:05") }

// Show writes the baseline for reading.
func (b *Baseline) Show(w io.Writer) error {
	out := &writer{w: w}
	out.line("Learned from %s to %s UTC (%s), %s on %s between %s.", date(b.From), date(b.Until), span(b.Until-b.From),
		plural(b.Messages, "message", "messages"), plural(uint64(len(b.Links)), "link", "links"), plural(uint64(len(b.Hosts)), "host", "hosts"))
	out.line("Learning: %s.", b.Progress())
	out.line("")
	opened := map[connKey]uint64{}
	for _, c := range b.Connections {
		opened[connKey{c.Client.As16(), c.Server.As16(), c.Port}] = c.Count
	}
	for i := range b.Links {
		l := &b.Links[i]
		l.show(out, opened[connKey{l.Client.As16(), l.Server.As16(), l.Port}])
	}
	if len(b.Connections) > 0 {
		out.line("Connections")
		for _, c := range b.Connections {
			out.line("  %s to %s port %d, %s", c.Client, c.Server, c.Port, plural(c.Count, "time", "times"))
		}
		out.line("")
	}
	if len(b.Hosts) > 0 {
		out.line("Hosts")
		for _, h := range b.Hosts {
			out.line("  %s %s%s", h.IP, strings.Join(h.MACs, " "), words(" ", h.Vendor, h.Product, h.Model, h.Version, h.Name))
		}
		out.line("")
	}
	if len(b.Decisions) > 0 {
		out.line("Decisions")
		for _, d := range b.Decisions {
			out.line("  %s", d)
		}
	}
	return out.err
}

// String says the decision in a line.
func (d Decision) String() string {
	s := fmt.Sprintf("%s %s %s by %s at %s", d.Action, d.Kind, d.Key, d.By, date(d.At))
	if d.Until != 0 {
		s += " until " + date(d.Until)
	}
	if d.Why != "" {
		s += ": " + d.Why
	}
	if d.Replaced != 0 {
		return s + " (replaced at " + date(d.Replaced) + ")"
	}
	return s + "; covers " + d.Covers()
}

func words(before string, all ...string) string {
	out := ""
	for _, s := range all {
		if s != "" {
			out += before + s
		}
	}
	return out
}

type writer struct {
	w   io.Writer
	err error
}

func (w *writer) line(format string, args ...any) {
	if w.err == nil {
		_, w.err = fmt.Fprintf(w.w, format+"\n", args...)
	}
}

// Name says which link it is.
func (l *LinkBaseline) Name() string {
	s := fmt.Sprintf("%s to %s %s", l.Client, l.Server, l.Proto)
	if protoByName(l.Proto) == protocols.ProtoDNP3 {
		return s + fmt.Sprintf(" addresses %d to %d", l.Master, l.Unit)
	}
	return s + fmt.Sprintf(" unit %d", l.Unit)
}

func (l *LinkBaseline) show(out *writer, opened uint64) {
	out.line("%s, port %d", l.Name(), l.Port)
	out.line("  %s from %s to %s; refused %s, unanswered %s", plural(l.Messages, "message", "messages"), date(l.First), date(l.Last), count(l.Refused), count(l.Unanswered))
	switch {
	case opened == 0:
		out.line("  sessions: kept open, opened before the learning")
	case 2*opened > l.Requests:
		out.line("  sessions: opened for each request")
	default:
		out.line("  sessions: kept open, opened %s", plural(opened, "time", "times"))
	}
	out.line("  learning: %s", l.Progress())
	for _, f := range l.Functions {
		s := fmt.Sprintf("%s, %s, %s", functionWord(f.Name, f.Function), f.Effect, plural(f.Count, "time", "times"))
		if fit, ok := f.ResponseMillis.Fit(); ok {
			s += fmt.Sprintf("; slowest answer %s ms, one in a thousand takes over %s ms", decimal(f.ResponseMillis.Max()), decimal(fit.Quantile(0.001)))
		}
		out.line("  %s", s)
	}
	for _, a := range l.Addresses {
		out.line("  %s: %s", accessWord(byName(a.Access, allAccesses)), runWords(a))
	}
	for i := range l.Requested {
		r := &l.Requested[i]
		p := pattern{n: r.N, mean: r.Mean, m2: r.Squares, gaps: r.Gaps, longest: r.Longest}
		if p.regular() {
			f := l.Functions[r.Function]
			out.line("  polls %s every %s (deviation %s), overdue after %s", functionWord(f.Name, f.Function)+rangeWords(r), span(int64(p.mean*1e9)), span(int64(p.deviation()*1e9)), span(p.overdueTime()))
		}
	}
	for _, code := range sortedKeys(l.Exceptions) {
		out.line("  exception %s, %s", code, plural(l.Exceptions[code], "time", "times"))
	}
	for _, name := range sortedKeys(l.Violations) {
		out.line("  habit: %s, %s", name, plural(l.Violations[name], "time", "times"))
	}
	out.line("")
}

func runWords(a AddressBaseline) string {
	kind := byName(a.Kind, allKinds)
	var points []PointRef
	for _, r := range a.Runs {
		points = append(points, PointRef{Kind: kind, First: r[0], Last: r[1]})
	}
	return pointWordsOf(points)
}

func rangeWords(p *PatternBaseline) string {
	var points []PointRef
	for _, r := range p.Ranges {
		run := runOf(protocols.Range{Kind: byName(r.Kind, allKinds), First: r.First, Count: r.Count})
		points = append(points, PointRef{Kind: byName(r.Kind, allKinds), First: run.First, Last: run.Last})
	}
	if len(points) == 0 {
		return ""
	}
	return " for " + pointWordsOf(points)
}

// Diff writes what is otherwise in the later baseline than in the earlier one,
// the weightiest first. It tells whether there is any difference.
func Diff(w io.Writer, earlier, later *Baseline) (differs bool, err error) {
	out := &writer{w: w}
	say := func(format string, args ...any) {
		differs = true
		out.line(format, args...)
	}
	a, b := earlier.byKey(), later.byKey()
	for _, k := range sortedLinks(later) {
		if a[k] == nil {
			say("new link: %s, %s, %s", b[k].Name(), plural(b[k].Messages, "message", "messages"), functionNames(b[k].Functions))
		}
	}
	for _, k := range sortedLinks(earlier) {
		if b[k] == nil {
			say("gone link: %s, %s", a[k].Name(), plural(a[k].Messages, "message", "messages"))
		}
	}
	for _, k := range sortedLinks(later) {
		if a[k] != nil {
			diffLink(say, a[k], b[k])
		}
	}
	diffHosts(say, earlier, later)
	have := map[string]bool{}
	for _, c := range earlier.Connections {
		have[fmt.Sprintf("%s to %s port %d", c.Client, c.Server, c.Port)] = true
	}
	for _, c := range later.Connections {
		if name := fmt.Sprintf("%s to %s port %d", c.Client, c.Server, c.Port); !have[name] {
			say("new connection: %s", name)
		}
	}
	return differs, out.err
}

func (b *Baseline) byKey() map[linkKey]*LinkBaseline {
	m := map[linkKey]*LinkBaseline{}
	for i := range b.Links {
		m[b.Links[i].key()] = &b.Links[i]
	}
	return m
}

func sortedLinks(b *Baseline) []linkKey {
	links := append([]LinkBaseline(nil), b.Links...)
	sort.Slice(links, func(i, j int) bool { return links[i].compare(&links[j]) < 0 })
	keys := make([]linkKey, len(links))
	for i := range links {
		keys[i] = links[i].key()
	}
	return keys
}

func functionNames(fs []FunctionBaseline) string {
	var names []string
	for _, f := range fs {
		names = append(names, functionWord(f.Name, f.Function))
	}
	return strings.Join(names, ", ")
}

func diffLink(say func(string, ...any), a, b *LinkBaseline) {
	type fn struct {
		code uint8
		sub  int32
		role string
	}
	had := map[fn]bool{}
	for _, f := range a.Functions {
		had[fn{f.Function, f.Sub, f.Role}] = true
	}
	for _, f := range b.Functions {
		if !had[fn{f.Function, f.Sub, f.Role}] {
			say("%s: new function %s, %s", b.Name(), functionWord(f.Name, f.Function), f.Effect)
		}
	}
	la := a.link()
	for _, x := range b.Addresses {
		kind, access := byName(x.Kind, allKinds), byName(x.Access, allAccesses)
		t := la.table(kind, access)
		var missing []PointRef
		for _, r := range x.Runs {
			if t == nil {
				missing = append(missing, PointRef{Kind: kind, First: r[0], Last: r[1]})
				continue
			}
			for _, m := range t.set.Missing(nil, r[0], r[1]) {
				missing = append(missing, PointRef{Kind: kind, First: m.First, Last: m.Last})
			}
		}
		if len(missing) > 0 {
			say("%s: newly %s: %s", b.Name(), accessWord(access), pointWordsOf(missing))
		}
	}
	paces := map[uint64]*PatternBaseline{}
	for i := range a.Requested {
		paces[a.Requested[i].Hash] = &a.Requested[i]
	}
	for i := range b.Requested {
		y := &b.Requested[i]
		x := paces[y.Hash]
		if x == nil {
			continue
		}
		p, q := pattern{n: x.N, mean: x.Mean, m2: x.Squares, gaps: x.Gaps}, pattern{n: y.N, mean: y.Mean, m2: y.Squares, gaps: y.Gaps}
		if p.regular() && q.regular() && (q.mean > 1.25*p.mean || p.mean > 1.25*q.mean) {
			f := b.Functions[y.Function]
			say("%s: %s%s came every %s, now every %s", b.Name(), functionWord(f.Name, f.Function), rangeWords(y), span(int64(p.mean*1e9)), span(int64(q.mean*1e9)))
		}
	}
	for _, code := range sortedKeys(b.Exceptions) {
		if a.Exceptions[code] == 0 {
			say("%s: new exception %s, %s", b.Name(), code, plural(b.Exceptions[code], "time", "times"))
		}
	}
	if fresh := b.IIN &^ a.IIN; fresh != 0 {
		for bit := range indications {
			if fresh&(1<<bit) != 0 {
				say("%s: new indication %s", b.Name(), indicationWord(bit))
			}
		}
	}
}

func diffHosts(say func(string, ...any), a, b *Baseline) {
	had := map[string]*HostBaseline{}
	for i := range a.Hosts {
		had[a.Hosts[i].IP.String()] = &a.Hosts[i]
	}
	now := map[string]bool{}
	for i := range b.Hosts {
		h := &b.Hosts[i]
		now[h.IP.String()] = true
		old := had[h.IP.String()]
		if old == nil {
			say("new host: %s %s", h.IP, strings.Join(h.MACs, " "))
			continue
		}
		for _, m := range h.MACs {
			if !slices.Contains(old.MACs, m) {
				say("%s: another network card, %s", h.IP, m)
			}
		}
		if was, is := words(" ", old.Vendor, old.Product, old.Model, old.Version), words(" ", h.Vendor, h.Product, h.Model, h.Version); was != is && is != "" {
			say("%s: says it is%s; it said%s", h.IP, is, was)
		}
	}
	for i := range a.Hosts {
		if !now[a.Hosts[i].IP.String()] {
			say("gone host: %s", a.Hosts[i].IP)
		}
	}
}
