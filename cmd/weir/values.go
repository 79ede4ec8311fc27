package main

import (
	"math"
	"sort"

	"github.com/weir-ics/weir/detect"
	"github.com/weir-ics/weir/detect/process"
	"github.com/weir-ics/weir/detect/tags"
)

// values are what a lane found of values between two steps. Samples are made only
// if an outlet wants each; the process model lives on readings.
type values struct {
	tags.Readings
	// reading, value and sample are how many are dealt with, ahead how many
	// values were looked at.
	reading, value, sample, ahead int
}

func (v *values) reset() {
	v.Reset()
	v.reading, v.value, v.sample, v.ahead = 0, 0, 0, 0
}

// judge gives the values to the process model, and what it finds to the site.
func (p *pipeline) judge(g *gathered) {
	p.samples = p.samples[:0]
	if types := g.settled; types != nil {
		from := p.schedule.WatchFrom()
		p.read(g, from)
		p.settle(from, types)
		p.read(g, math.MaxInt64)
		p.readLate(g, types.retyped)
	} else {
		p.read(g, math.MaxInt64)
	}
	if p.process == nil {
		return
	}
	p.process.Advance(g.clock)
	p.findings = p.process.Findings(p.findings[:0])
	for i := range p.findings {
		f := p.findings[i]
		p.site.Add(f.Time, f.LastFrame, &f)
	}
}

// read takes in the readings of all lanes in packet order, up to a clock, and
// puts the samples that were made of them in order. The lane with the first goes
// on until another's turn comes.
func (p *pipeline) read(g *gathered, before int64) {
	for {
		var first *values
		frame, other := uint64(math.MaxUint64), uint64(math.MaxUint64)
		for i := range g.lanes {
			v := &g.lanes[i].values
			if v.reading == len(v.Readings.Readings) || v.Readings.Readings[v.reading].Clock >= before {
				continue
			}
			if f := v.Readings.Readings[v.reading].Frame; f < frame {
				first, frame, other = v, f, frame
			} else {
				other = min(other, f)
			}
		}
		if first == nil {
			return
		}
		for first.reading < len(first.Readings.Readings) {
			r := &first.Readings.Readings[first.reading]
			if r.Clock >= before || r.Frame > other {
				break
			}
			p.take(first, r)
		}
	}
}

// take takes in a reading, the next of v.
func (p *pipeline) take(v *values, r *detect.Reading) {
	samples := v.Samples[v.sample:][:r.Samples]
	if r.Span != nil {
		p.summary.samples += uint64(len(r.Span.Series))
	} else {
		p.summary.samples += uint64(r.Values)
	}
	if p.process != nil {
		for v.ahead < v.value+r.Values {
			p.process.LookAhead(v.Values[v.ahead:])
			v.ahead += process.Ahead
		}
		p.process.Read(r, v.Values[v.value:][:r.Values])
		for i := range samples {
			p.process.Judgement(&samples[i])
		}
	}
	v.reading++
	v.value += r.Values
	v.sample += r.Samples
	p.samples = append(p.samples, samples...)
}

// readLate takes in the samples that were made before the types of their
// registers were settled.
func (p *pipeline) readLate(g *gathered, retyped []tags.Retyped) {
	var late []detect.Sample
	for i := range g.lanes {
		v := &g.lanes[i].values
		late = append(late, v.Late...)
		v.Late = nil // there are none any more
	}
	// Those of a frame are in one lane, and in order.
	sort.SliceStable(late, func(i, j int) bool { return late[i].Frame < late[j].Frame })
	late = tags.Convert(late, retyped)
	p.summary.samples += uint64(len(late))
	if p.process != nil {
		for i := range late {
			p.process.Observe(&late[i])
		}
	}
	if g.lanes[0].values.Each {
		p.samples = append(p.samples, late...)
	}
}
