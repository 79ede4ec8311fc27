package detect

import (
	"encoding/json"
	"math"
	"slices"

	"github.com/weir-ics/weir/detect/interval"
)

// Merge returns what two baselines know together: two weeks of one site, or two
// sites. Neither is changed. What is in both is counted together; sections of
// other models are taken from b where a has none, since only their owner knows
// how to merge them (mergeSection, if given, is asked for each that is in
// both).
func Merge(a, b *Baseline, mergeSection func(name string, a, b json.RawMessage) (json.RawMessage, error)) (*Baseline, error) {
	out := &Baseline{Format: BaselineFormat, Version: BaselineVersion, From: a.From, Until: max(a.Until, b.Until), Messages: a.Messages + b.Messages}
	if out.From == 0 || b.From != 0 && b.From < out.From {
		out.From = b.From
	}
	links := b.byKey()
	for i := range a.Links {
		l := a.Links[i]
		if other := links[l.key()]; other != nil {
			l = mergeLinks(&a.Links[i], other)
			delete(links, l.key())
		}
		out.Links = append(out.Links, l)
	}
	for _, k := range sortedLinks(b) {
		if l := links[k]; l != nil {
			out.Links = append(out.Links, *l)
		}
	}
	out.Hosts = mergeHosts(a.Hosts, b.Hosts)
	out.Connections = append(append([]ConnectionBaseline(nil), a.Connections...), b.Connections...)
	out.sort()
	kept := out.Connections[:0]
	for _, c := range out.Connections {
		if n := len(kept); n > 0 && kept[n-1].compare(&c) == 0 {
			kept[n-1].Count += c.Count
			kept[n-1].Most = max(kept[n-1].Most, c.Most)
			continue
		}
		kept = append(kept, c)
	}
	out.Connections = kept
	out.Decisions = bothDecisions(a.Decisions, b.Decisions)
	for _, name := range append(sortedKeys(a.Sections), sortedKeys(b.Sections)...) {
		if _, done := out.Sections[name]; done {
			continue
		}
		x, inA := a.Sections[name]
		y, inB := b.Sections[name]
		section := x
		switch {
		case !inA:
			section = y
		case inB && mergeSection != nil:
			merged, err := mergeSection(name, x, y)
			if err != nil {
				return nil, err
			}
			section = merged
		}
		if out.Sections == nil {
			out.Sections = map[string]json.RawMessage{}
		}
		out.Sections[name] = section
	}
	return out, nil
}

func mergeLinks(a, b *LinkBaseline) LinkBaseline {
	x, y := a.link(), b.link()
	x.first, x.last = min(x.first, y.first), max(x.last, y.last)
	x.messages += y.messages
	x.requests += y.requests
	x.answers += y.answers
	x.refused += y.refused
	x.unanswered += y.unanswered
	x.silentMost = max(x.silentMost, y.silentMost)
	x.broadcasts = x.broadcasts || y.broadcasts
	x.unsolicited = x.unsolicited || y.unsolicited
	x.more += y.more
	x.iin |= y.iin
	x.load.Merge(&y.load)
	if x.firstChange == 0 || y.firstChange != 0 && y.firstChange < x.firstChange {
		x.firstChange = y.firstChange
	}
	if x.hours == nil {
		x.hours = y.hours
	} else {
		for i := range y.hours {
			x.hours[i] += y.hours[i]
		}
	}
	place := make([]int32, len(y.functions))
	for i := range y.functions {
		f := &y.functions[i]
		k := x.findFunction(f.function, f.sub, f.role)
		if k < 0 {
			x.functions = append(x.functions, *f)
			k = len(x.functions) - 1
		} else {
			x.functions[k].count += f.count
			x.functions[k].longest = max(x.functions[k].longest, f.longest)
			x.functions[k].rtt.Merge(&f.rtt)
		}
		place[i] = int32(k)
	}
	for i := range y.patterns {
		p := y.patterns[i]
		p.function = place[p.function]
		k := x.find(p.hash)
		if k < 0 {
			x.patterns = append(x.patterns, p)
			x.indexPattern(len(x.patterns) - 1)
			continue
		}
		x.patterns[k].merge(&p)
	}
	for i := range y.tables {
		t := &y.tables[i]
		if have := x.table(t.kind, t.access); have != nil {
			have.set.Merge(&t.set, 0)
		} else {
			x.tables = append(x.tables, addresses{t.kind, t.access, interval.Of(t.set.Runs()...)})
		}
	}
next:
	for _, h := range y.exceptions {
		for i := range x.exceptions {
			if x.exceptions[i].code == h.code {
				x.exceptions[i].count += h.count
				continue next
			}
		}
		x.exceptions = append(x.exceptions, h)
	}
	for _, f := range y.faults {
		if have := x.fault(f.name); have != nil {
			have.count += f.count
		} else {
			x.faults = append(x.faults, f)
		}
	}
	return x.baseline()
}

// merge adds the counts and intervals of the same request learned elsewhere
// (Chan et al. 1979 for mean and squares).
func (p *pattern) merge(o *pattern) {
	p.count += o.count
	if p.first == 0 || o.first != 0 && o.first < p.first {
		p.first = o.first
	}
	p.gaps += o.gaps
	p.longest = math.Max(p.longest, o.longest)
	if o.n == 0 {
		return
	}
	n := p.n + o.n
	delta := o.mean - p.mean
	p.m2 += o.m2 + delta*delta*float64(p.n)*float64(o.n)/float64(n)
	p.mean += delta * float64(o.n) / float64(n)
	p.median += (o.median - p.median) * float64(o.n) / float64(n)
	p.n = n
}

func mergeHosts(a, b []HostBaseline) []HostBaseline {
	out := append([]HostBaseline(nil), a...)
	at := map[string]int{}
	for i := range out {
		at[out[i].IP.String()] = i
		out[i].MACs = append([]string(nil), out[i].MACs...)
		out[i].VLANs = append([]uint16(nil), out[i].VLANs...)
	}
	for _, h := range b {
		i, ok := at[h.IP.String()]
		if !ok {
			out = append(out, h)
			continue
		}
		x := &out[i]
		x.First = min(x.First, h.First)
		for k, m := range h.MACs {
			if !slices.Contains(x.MACs, m) {
				x.MACs = append(x.MACs, m)
				if k < len(h.VLANs) {
					x.VLANs = append(x.VLANs, h.VLANs[k])
				}
			}
		}
		for _, t := range h.TTLs {
			known := false
			for _, u := range x.TTLs {
				known = known || t == u
			}
			if !known {
				x.TTLs = append(x.TTLs, t)
			}
		}
		for _, f := range [...]struct {
			to   *string
			from string
		}{{&x.Vendor, h.Vendor}, {&x.Product, h.Product}, {&x.Model, h.Model}, {&x.Version, h.Version}, {&x.Name, h.Name}} {
			if *f.to == "" {
				*f.to = f.from
			}
		}
	}
	return out
}
