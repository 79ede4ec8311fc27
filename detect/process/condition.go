package process

import (
	"slices"

	"github.com/weir-ics/weir/detect"
	"github.com/weir-ics/weir/protocols"
)

// condition is an alarm of one kind about one point, while it lasts.
type condition struct {
	kind *detect.Kind
	// since is when the deviation began, good for how many samples it has been
	// gone, times how many samples it was there, told how often it was told.
	since       int64
	firstFrame  uint64
	good        int
	times, next uint64
	// held tells that the last report was as bad.
	held   bool
	points []detect.PointRef
	// commanded tells that it began right after a command to the device.
	commanded bool
}

// words are the sentences of a finding, or how they are found when somebody reads
// them: then it must be from nothing that changes.
type words struct {
	severity                               protocols.Severity
	score                                  float64
	title, observed, expected, explanation string
	later                                  func(*words)
}

func (p *point) alarming(k *detect.Kind) bool {
	for i := range p.alarms {
		if p.alarms[i].kind == k {
			return true
		}
	}
	return false
}

// followed tells that an alarm which a command explains has lasted for so long
// that what it says is normal now.
func (p *point) followed(k *detect.Kind) bool {
	for i := range p.alarms {
		if c := &p.alarms[i]; c.kind == k {
			return c.commanded && c.times >= followRows
		}
	}
	return false
}

// hold starts, goes on with or ends an alarm of kind k about p. It ends when it
// was not bad for calm samples in a row.
func (e *Engine) hold(p *point, s *detect.Sample, k *detect.Kind, bad bool, calm int, say func() words) {
	e.holdSince(p, s, k, bad, calm, s.Time, say)
}

func (e *Engine) holdSince(p *point, s *detect.Sample, k *detect.Kind, bad bool, calm int, since int64, say func() words) {
	var c *condition
	at := -1
	for i := range p.alarms {
		if p.alarms[i].kind == k {
			c, at = &p.alarms[i], i
		}
	}
	if c == nil {
		if !bad {
			return
		}
		e.rouse(p)
		r := p.tie()
		r.alarms = append(r.alarms, condition{kind: k, since: since, firstFrame: s.Frame, next: 1})
		c, at = &p.alarms[len(p.alarms)-1], len(p.alarms)-1
		c.commanded = (k == KindRange || k == KindRate) && e.explained(p, since)
	}
	if !bad {
		c.good++
		if c.good < calm {
			return
		}
		f := e.finding(p, c, s.Time, s.Frame)
		f.Clear = true
		f.Words = func(f *detect.Finding) { f.Title = k.Name + " is over: " + p.name() }
		e.findings = append(e.findings, f)
		p.tie().alarms = slices.Delete(p.alarms, at, at+1)
		return
	}
	c.good, c.held = 0, true
	c.times++
	// A lasting condition is told again at its 1st, 2nd, 4th, 8th... sample.
	if c.times < c.next {
		return
	}
	c.next *= 2
	w := say()
	f := e.finding(p, c, s.Time, s.Frame)
	if w.severity != 0 {
		f.Severity = w.severity
	}
	f.Score = w.score
	if c.commanded {
		f.Severity = protocols.Low
	}
	w.tell(&f, c.commanded)
	e.findings = append(e.findings, f)
}

// tell gives a finding its words, now or when they are read.
func (w words) tell(f *detect.Finding, commanded bool) {
	if w.later != nil {
		f.Words = func(f *detect.Finding) {
			w.later(&w)
			w.later = nil
			w.tell(f, commanded)
		}
		return
	}
	f.Title, f.Observed, f.Expected, f.Explanation = w.title, w.observed, w.expected, w.explanation
	if commanded {
		f.Explanation += afterCommand
	}
}

const afterCommand = " It began right after a command to the device, and may be its effect."

// finding makes what findings about p have in common.
func (e *Engine) finding(p *point, c *condition, at int64, frame uint64) detect.Finding {
	f := detect.Finding{
		Kind: c.kind, Severity: c.kind.Severity, Key: p.id(), Start: c.since, Time: at,
		FirstFrame: c.firstFrame, LastFrame: frame, Proto: p.series.Proto, Function: -1,
		Techniques: c.kind.Techniques, Points: c.points,
	}
	if f.Points == nil {
		f.Points = []detect.PointRef{p.ref()}
	}
	f.Server, f.Client = p.server(), detect.Party{Endpoint: protocols.Endpoint{IP: p.from.client}, Unit: -1, Address: -1}
	return f
}

func (p *point) server() detect.Party {
	s := detect.Party{Endpoint: protocols.Endpoint{IP: p.series.Device}, Unit: -1, Address: -1}
	if p.series.Proto == protocols.ProtoDNP3 {
		s.Address = int(p.series.Unit)
	} else {
		s.Unit = int(p.series.Unit)
	}
	return s
}

func (p *point) ref() detect.PointRef {
	s := p.series
	return detect.PointRef{Kind: s.Kind, First: s.Index, Last: s.Index, Name: s.Name, Device: s.Device, Unit: s.Unit}
}
