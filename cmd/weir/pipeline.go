package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"net/netip"
	"slices"
	"sync/atomic"
	"time"

	"github.com/weir-ics/weir/capture"
	"github.com/weir-ics/weir/detect"
	"github.com/weir-ics/weir/detect/process"
	"github.com/weir-ics/weir/detect/tags"
	"github.com/weir-ics/weir/protocols"
	"github.com/weir-ics/weir/rules"
	"github.com/weir-ics/weir/sinks"
	"github.com/weir-ics/weir/sinks/influx"
	"github.com/weir-ics/weir/sinks/syslog"
	"github.com/weir-ics/weir/store"
)

// outlet takes in what the pipeline gives: a sink or the store.
type outlet interface {
	Write(ctx context.Context, out *detect.Output) error
	Close(ctx context.Context) error
}

// pipeline is the whole way from packets to outlets.
type pipeline struct {
	schedule *detect.Schedule
	engine   *capture.Engine
	lanes    []*lane
	// What the lanes hold, to keep them within the caps together.
	shards     []*detect.Shard
	extractors []*tags.Extractor
	site       *detect.Site
	process    *process.Engine // nil if it is switched off
	sensor     *detect.Sensor  // nil if files are read
	outlets    []outlet
	least      protocols.Severity
	lines      io.Writer // of --events, nil for none
	// after, if set, is called after every step, and fitting before the models of
	// the process are fitted, which may take a while.
	after   func(clock int64)
	fitting func()
	// saves tells that somebody saves a baseline when learning has ended; asked,
	// that somebody wants to save one soon: the next step has links then.
	saves bool
	asked atomic.Bool

	first, last int64             // packet times
	began       atomic.Int64      // first, as soon as it is read
	jumped      int64             // by how much the clock was set forward, once all is read
	set         *capture.ClockSet // why it ended, nil if that was not the system clock
	tags        *tags.List
	settled     bool    // types are no longer inferred, and the process model watches
	easing      bool    // values are left out
	skipped     uint64  // how many in all
	deaf        bool    // a sensor hears nothing
	heard       uint64  // messages seen by a sensor
	learnFrom   int64   // since when it learns, 0 if there was nothing to learn
	tally       *tally  // of the lanes, nil if it is not yet time
	unseen      float64 // as it was at the last tally
	// links are what was learned of links up to the step, if somebody saves that.
	links     *detect.Baseline
	samples   []detect.Sample
	findings  []detect.Finding
	buf       []byte
	summary   summary
	learned   *held // the process section of the baseline it began with
	garbage   garbage
	forgotten bool            // it had one, and did not keep it
	later     json.RawMessage // what was learned later, if there is no process model
}

// pipelineOptions are what a pipeline is built from.
type pipelineOptions struct {
	settings detect.Settings
	schedule *detect.Schedule
	baseline *detect.Baseline
	// doc is what the sections of baseline are in, if it is not nil. The pipeline ends
	// it.
	doc *document
	// unsaved tells that nobody will save a baseline of the pipeline.
	unsaved bool
	rules   *rules.Set
	tags    *tags.List
	workers int
	// least is the severity below which alerts are not given on.
	least protocols.Severity
	// maxPoints bounds the series of values.
	maxPoints int
	// hosts are names of hosts that a person gave.
	hosts map[netip.Addr]string
	// values tells that an outlet takes values; infer makes it infer the types of
	// registers even if none does.
	values, infer bool
	// process are the settings of the process model, nil for none.
	process *process.Settings
	events  io.Writer
	outlets []outlet
	// live tells that what the sensor cannot keep up with, or hear, is to be told;
	// interfaces are those that it listens on.
	live       bool
	interfaces []string
}

// lane is the way of one share of the traffic: events to detectors, rules and
// values. One goroutine at a time is on it.
type lane struct {
	*worker
	shard     *detect.Shard
	matcher   *rules.Matcher
	extractor *tags.Extractor
	easing    bool   // reported values are left out
	down      uint64 // the interfaces that hear nothing
	deaf      bool   // none hears anything
	skipped   uint64 // reported values left out
	values    values
	event     *protocols.Event // in work, for report
	keep      bool             // lines of --events
	lines     []line
	text      []byte
	messages  [protocols.NumProtos]uint64
}

// line is a message of --events: where its text ends in lane.text.
type line struct {
	clock int64
	frame uint64
	end   int
}

func newPipeline(o pipelineOptions) (*pipeline, error) {
	p := &pipeline{schedule: o.schedule, outlets: o.outlets, lines: o.events, least: o.least, tags: o.tags, garbage: garbage{live: o.live}}
	if o.process != nil {
		p.process = process.NewEngine(*o.process)
	}
	var sections []json.RawMessage
	o.baseline, sections = o.baseline.Without(processSection, tagsSection, laterSection)
	// No function below may hold o, which has the whole baseline.
	keep, schedule, doc := !o.unsaved, o.schedule, o.doc
	defer doc.close()
	section, later := sections[0], sections[2]
	doc.only(section, later, sections[1])
	loaded := make(chan error, 1)
	go func() { loaded <- p.loadProcess(section, later, doc, keep) }() // it takes as long as all the rest
	if sections[1] != nil {
		learned, err := tags.FromSection(sections[1])
		if err != nil {
			return nil, errors.Join(err, <-loaded)
		}
		p.tags = o.tags.Merge(learned).Packed()
	}
	var handlers []capture.Handler
	// A lane for each of capture's shards, whatever the number of workers: so each
	// may go on with what is ready, and all do the same.
	p.shards = detect.NewShards(capture.Shards, o.settings, o.schedule, o.baseline)
	points := o.events != nil || o.rules.ReadsPoints()
	for _, shard := range p.shards {
		l := &lane{shard: shard, matcher: o.rules.NewMatcher(), keep: o.events != nil}
		if o.process != nil || o.infer || o.values {
			l.extractor = tags.NewExtractor(p.tags, tags.Settings{MaxSeries: o.maxPoints, Learn: o.baseline == nil, Until: o.schedule.WatchFrom})
			l.values.Each = o.values
			p.extractors = append(p.extractors, l.extractor)
		}
		l.worker = newWorker(l.observe, l.shard.Advance, l.shard.Next())
		if l.extractor == nil && !points {
			l.router.NoReports()
		}
		p.lanes = append(p.lanes, l)
		handlers = append(handlers, l)
	}
	p.site = detect.NewSite(o.settings, o.schedule, o.baseline, p.shards)
	if o.live {
		p.sensor = &detect.Sensor{Interfaces: o.interfaces}
	}
	if err := <-loaded; err != nil {
		return nil, fmt.Errorf("read the baseline: %w", err)
	}
	p.garbage.pace(0)
	p.site.SetNames(&names{hosts: o.hosts, tags: p.tags})
	limits := capture.Settings{Workers: max(1, o.workers)}
	if o.live {
		limits.Backlog = backlog
	}
	p.engine = capture.New(limits, handlers)
	p.engine.Tap(func(b *capture.Batch) {
		if len(b.Packets) > 0 {
			schedule.Begin(b.Packets[0].Clock)
			p.began.CompareAndSwap(0, b.Packets[0].Clock)
		}
		for _, j := range b.Jumps {
			schedule.Jump(j.At, j.By)
			p.jumped += j.By
		}
	})
	return p, nil
}

// loadProcess makes the process model from its section of a baseline, if there
// is one, and may keep that for the next baseline.
func (p *pipeline) loadProcess(section, later json.RawMessage, t *document, keep bool) (err error) {
	if section == nil {
		return nil
	}
	p.forgotten = !keep
	if len(section) > spare/4 {
		p.garbage.tighten()
	}
	held := make(chan error, 1)
	trail := t.behind(section, 1)
	if keep {
		trail = t.behind(section, 2)
	}
	go func() {
		var err error
		if keep {
			p.learned, err = hold(section, func(octets int) { trail.upTo(1, octets) })
		}
		held <- err
	}()
	if p.process != nil {
		err = p.process.LoadOnce(section, func(octets int) {
			trail.upTo(0, octets)
			p.garbage.load(t.left())
		})
	}
	switch {
	case later == nil || err != nil:
	case p.process != nil:
		err = p.process.LoadLater(later)
	default:
		p.later = bytes.Clone(later)
	}
	return errors.Join(err, <-held)
}

// The names of the parts of a baseline that belong to the process model and to
// the inferred types of registers.
const (
	processSection = "process"
	tagsSection    = "tags"
	// laterSection is of the process model, too: points first seen after learning.
	laterSection = "later"
)

// observe is the one place where an event goes to all who want it.
func (l *lane) observe(e *protocols.Event) {
	l.event = e
	l.shard.Observe(e)
	l.matcher.Observe(e, l.report)
	if e.Proto == protocols.ProtoNetwork {
		return
	}
	if l.extractor != nil && len(e.Points) > 0 {
		if l.easing && !e.FromClient {
			l.skipped += uint64(len(e.Points))
		} else {
			l.extractor.Read(e, &l.values.Readings)
		}
	}
	if e.Role == protocols.RoleLink || e.Role == protocols.RoleNotice {
		return
	}
	l.messages[e.Proto]++
	if l.keep {
		l.text = append(appendLine(l.text, e), '\n')
		l.lines = append(l.lines, line{e.Clock, e.Frame, len(l.text)})
	}
}

// Ease implements capture.Easer: what devices report is left out, what clients
// command never.
func (l *lane) Ease(on bool) { l.easing = on }

// Hear implements capture.Hearer.
func (l *lane) Hear(down uint64, deaf bool, at int64) {
	l.down, l.deaf = down, deaf
	l.shard.Deaf(deaf, at)
}

func (l *lane) report(f detect.Finding) { l.shard.Add(l.event.Clock, l.event.Frame, &f) }

// run reads the source to its end, until ctx is cancelled, or until the system clock
// is set, which it notes; what was found up to there is written all the same.
func (p *pipeline) run(ctx context.Context, src capture.Source) error {
	// Writing must go on when the reading is cancelled.
	write := context.WithoutCancel(ctx)
	err := p.engine.RunSteps(ctx, src, newSteps(p, write))
	p.unseen = p.site.Unseen()
	if err != nil && !errors.As(err, &p.set) {
		return err
	}
	out := p.site.Finish(p.last)
	p.tally = p.count()
	out.Counters = p.counters()
	return p.give(write, out)
}

// step works off what was gathered after a batch.
func (p *pipeline) step(ctx context.Context, g *gathered) error {
	p.ease(g.pressed, g.deaf)
	before := p.last
	p.first = p.began.Load()
	p.last, p.skipped, p.tally, p.links = g.clock, g.skipped, g.tally, g.links
	if g.tally != nil {
		p.unseen = g.unseen
	}
	if err := p.mergeLines(g); err != nil {
		return err
	}
	p.judge(g)
	if p.sensor != nil {
		p.heard, p.learnFrom = g.heard, g.began
		for _, f := range p.sensor.Observe(g.clock, g.dropped, p.easing, g.down) {
			p.site.Add(g.clock, 0, f)
		}
		p.site.Deaf(g.deaf, p.sensor.Down(), before)
	}
	out := p.site.StepWith(g.site)
	out.Samples = p.samples
	if p.tally != nil {
		out.Counters = p.counters()
	}
	p.garbage.pace(g.clock)
	if err := p.give(ctx, out); err != nil {
		return err
	}
	if p.after != nil {
		p.after(g.clock)
	}
	return nil
}

// ease tells the process model that reported values were left out, or not heard, from
// the batch that was just worked on, or are there again.
func (p *pipeline) ease(pressed, deaf bool) {
	was := p.easing || p.deaf
	p.easing, p.deaf = pressed, deaf
	switch missing := pressed || deaf; {
	case p.process == nil || missing == was:
	case missing:
		p.process.Pause()
	default:
		p.process.Resume(p.last)
	}
}

// settled are the types of registers once they are no longer inferred, and the
// series that take the place of single registers.
type settled struct {
	tags    *tags.List
	retyped []tags.Retyped
}

// settleTypes ends the inference of types: registers have the types that were
// inferred from then on. No lane may be in use.
func (p *pipeline) settleTypes() *settled {
	t := &settled{tags: p.tags}
	if len(p.extractors) > 0 {
		t.tags, t.retyped = tags.Settle(p.tags, p.extractors...)
	}
	return t
}

// settle ends the learning of values: the process model watches from a packet
// time on, with the types that were settled.
func (p *pipeline) settle(from int64, types *settled) {
	p.settled, p.tags = true, types.tags
	if p.process == nil {
		return
	}
	for _, r := range types.retyped {
		p.process.Retype(r.Raw, r.Typed, r.Decode)
	}
	if p.fitting != nil {
		p.fitting()
	}
	p.process.Watch(from)
}

// baseline is what was learned, the process model included, whose learning it
// ends. Within a step it is only to be had if it was asked for.
func (p *pipeline) baseline() (*detect.Baseline, error) {
	links := p.links
	if links == nil {
		links = p.site.Learned()
	}
	b := p.site.BaselineWith(links)
	if !p.settled { // the end of the input ends the learning
		p.settle(p.last, p.settleTypes())
	}
	sections := map[string]json.RawMessage{}
	maps.Copy(sections, b.Sections)
	var err error
	if sections[tagsSection], err = p.tags.Section(); err != nil {
		return nil, fmt.Errorf("save the types of registers: %w", err)
	}
	// A process model that was loaded stays as it was: what it has adapted to
	// since may be what an attacker commanded, and nobody approved it.
	switch {
	case p.forgotten:
		return nil, errors.New("save the process model: what was loaded was not kept")
	case p.learned != nil:
		if sections[processSection], err = p.learned.section(); err != nil {
			return nil, err
		}
	case p.process != nil:
		b.Streams = map[string]func(io.Writer) error{processSection: p.process.SaveTo}
	}
	later := p.later
	if p.process != nil {
		if later, err = p.process.SaveLater(); err != nil {
			return nil, fmt.Errorf("save the process model: %w", err)
		}
	}
	if later != nil {
		sections[laterSection] = later
	}
	b.Sections = sections
	return b, nil
}

func (p *pipeline) give(ctx context.Context, out *detect.Output) error {
	out.Alerts = slices.DeleteFunc(out.Alerts, func(a detect.Alert) bool { return a.Severity < p.least })
	p.summary.add(out)
	for _, o := range p.outlets {
		if err := o.Write(ctx, out); err != nil {
			return err
		}
	}
	return nil
}

// close ends the outlets, each with time to deliver what it holds.
func (p *pipeline) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	var problems []error
	for _, o := range p.outlets {
		problems = append(problems, o.Close(ctx))
	}
	return errors.Join(problems...)
}

// mergeLines writes the lines of --events of all lanes in packet order.
func (p *pipeline) mergeLines(g *gathered) error {
	if p.lines == nil {
		return nil
	}
	p.buf = p.buf[:0]
	for {
		var best *taken
		for i := range g.lanes {
			if t := &g.lanes[i]; t.written < len(t.lines) && (best == nil || before(t.lines[t.written], best.lines[best.written])) {
				best = t
			}
		}
		if best == nil {
			break
		}
		start := 0
		if best.written > 0 {
			start = best.lines[best.written-1].end
		}
		p.buf = append(p.buf, best.text[start:best.lines[best.written].end]...)
		best.written++
	}
	if _, err := p.lines.Write(p.buf); err != nil {
		return fmt.Errorf("write the messages: %w", err)
	}
	return nil
}

func before(a, b line) bool {
	return a.clock < b.clock || a.clock == b.clock && a.frame < b.frame
}

// count adds up the counters of capture and of the lanes, while nothing is in use.
func (p *pipeline) count() *tally {
	t := new(tally)
	stats := p.engine.Stats()
	stats.Each(t.add)
	for _, l := range p.lanes {
		l.router.Each(t.add)
		shard := l.shard.Stats()
		shard.Each(t.add)
		t.add("rules.failed", l.matcher.Failed)
		t.add("values.skipped", l.skipped)
		if l.extractor != nil {
			extracted := l.extractor.Stats()
			extracted.Each(t.add)
		}
		for proto, n := range l.messages {
			if n > 0 {
				t.add(protocols.Proto(proto).String()+".messages", n)
			}
		}
	}
	if p.sensor != nil {
		_, most := p.engine.Behind()
		t.add("batches.behind-most", uint64(most))
	}
	return t
}

// counters are those of every part; count must have been called.
func (p *pipeline) counters() []counter {
	t := p.tally
	p.tally = nil
	if p.sensor != nil {
		t.add("sensor.deaf-seconds", uint64(p.sensor.DownFor())/1e9)
	}
	site := p.site.Stats()
	site.Each(t.add)
	if p.process != nil {
		found := p.process.Stats()
		found.Each(t.add)
	}
	for _, o := range p.outlets {
		switch o := o.(type) {
		case *store.Store:
			o.Report().Each(func(c counter) { t.add(c.Name, c.Value) })
		case *influx.Sink:
			o.Report().Each("influxdb", func(c counter) { t.add(c.Name, c.Value) })
		case *sinks.Lines:
			if r := o.Report(); !o.List() {
				t.add("alerts-file.written", r.Written.Alerts)
				t.add("alerts-file.lost", r.Lost.Alerts)
			}
		case *syslog.Sink:
			o.Report().Each("syslog", func(c counter) { t.add(c.Name, c.Value) })
		}
	}
	return t.sorted()
}

// status says what the sensor is doing, or did.
func (p *pipeline) status(source string, live bool) detect.Status {
	st := detect.Status{Mode: detect.Watching, Since: p.first, First: p.first, Clock: p.last, Unseen: p.unseen, Source: source, Live: live, Skipping: p.easing}
	if p.sensor != nil {
		st.Down = p.sensor.Down()
	}
	switch from := p.schedule.WatchFrom(); {
	case from > p.last:
		st.Mode = detect.Learning
		st.Since = max(st.Since, p.learnFrom)
		if from != math.MaxInt64 {
			st.Until = from
		}
	case from > p.first:
		st.Since = from
	}
	return st
}
