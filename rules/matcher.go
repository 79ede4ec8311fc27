package rules

import (
	"fmt"
	"strconv"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/vm"

	"github.com/weir-ics/weir/detect"
	"github.com/weir-ics/weir/protocols"
)

// Matcher judges Events by the rules of a Set. Each worker has its own.
type Matcher struct {
	set *Set
	env Environment
	vm  vm.VM
	// Failed counts expressions that failed on a message (an index out of
	// range); such a rule does not match that message.
	Failed uint64
}

// NewMatcher returns a matcher for the rules of s.
func (s *Set) NewMatcher() *Matcher { return &Matcher{set: s} }

// ReadsPoints tells whether an expression of a rule asks for the values of
// messages.
func (s *Set) ReadsPoints() bool {
	for _, r := range s.rules {
		if r.when != nil && ast.Find(r.when.Node(), asksForPoints) != nil {
			return true
		}
	}
	return false
}

// asksForPoints tells whether a node of an expression names the points of the
// message, or all of its environment, which holds them.
func asksForPoints(n ast.Node) bool {
	id, ok := n.(*ast.IdentifierNode)
	return ok && (id.Value == "points" || id.Value == "$env")
}

// Observe hands a finding to report for each rule that e matches. A message
// that no rule selects costs one table look-up.
func (m *Matcher) Observe(e *protocols.Event, report func(detect.Finding)) {
	filled := false
	for _, r := range m.set.index[e.Proto][e.Function] {
		if !r.on.selects(e) {
			continue
		}
		if r.when != nil {
			if !filled {
				m.env.fill(e)
				filled = true
			}
			match, err := m.vm.Run(r.when, &m.env)
			if err != nil {
				m.Failed++
				continue
			}
			if !match.(bool) {
				continue
			}
		}
		report(r.finding(e))
	}
}

func (r *Rule) finding(e *protocols.Event) detect.Finding {
	client, server := party(e, true), party(e, false)
	f := detect.Finding{
		Kind:         r.kind,
		Severity:     r.Severity,
		Key:          fmt.Sprintf("%s|%s|%d|%d|%s", client.Endpoint.IP, server.Endpoint.IP, server.Unit, server.Address, r.ID),
		Start:        e.Time,
		Time:         e.Time,
		FirstFrame:   e.Frame,
		LastFrame:    e.Frame,
		Proto:        e.Proto,
		Client:       client,
		Server:       server,
		Function:     int(e.Function),
		FunctionName: e.Name,
		Techniques:   r.Techniques,
		Rule:         r.ID,
		Title:        r.Title,
		Observed:     fmt.Sprintf("%s sent %s to %s", from(e), e.Name, to(e)),
		Expected:     "never on a plant in normal operation, unless a person is doing it now",
	}
	if e.RequestFrame != 0 {
		f.FirstFrame = e.RequestFrame
	}
	f.Explanation = f.Observed + ". " + r.Why
	for i := range e.Ranges {
		if i == maxPoints {
			break
		}
		g := &e.Ranges[i]
		last := g.First
		if g.Count > 1 {
			last += g.Count - 1
		}
		f.Points = append(f.Points, detect.PointRef{Kind: g.Kind, First: g.First, Last: last})
	}
	return f
}

// maxPoints bounds the points a finding names.
const maxPoints = 16

func party(e *protocols.Event, client bool) detect.Party {
	p := detect.Party{Endpoint: *e.Server(), Unit: -1, Address: -1}
	if client {
		p.Endpoint = *e.Client()
	}
	switch e.Proto {
	case protocols.ProtoModbus:
		if !client {
			p.Unit = int(e.Unit)
		}
	case protocols.ProtoDNP3:
		p.Address = int(e.Destination)
		if client == e.FromClient {
			p.Address = int(e.Source)
		}
	}
	return p
}

func from(e *protocols.Event) string {
	if e.Proto == protocols.ProtoDNP3 {
		return e.Src.IP.String() + " (DNP3 address " + strconv.Itoa(int(e.Source)) + ")"
	}
	return e.Src.IP.String()
}

func to(e *protocols.Event) string {
	switch e.Proto {
	case protocols.ProtoDNP3:
		return e.Dst.IP.String() + " (DNP3 address " + strconv.Itoa(int(e.Destination)) + ")"
	case protocols.ProtoModbus:
		return e.Dst.IP.String() + " unit " + strconv.Itoa(int(e.Unit))
	}
	return e.Dst.IP.String()
}
