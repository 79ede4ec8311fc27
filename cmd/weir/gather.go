package main

import (
	"context"
	"time"
	"unsafe"

	"github.com/weir-ics/weir/capture"
	"github.com/weir-ics/weir/detect"
	"github.com/weir-ics/weir/detect/tags"
)

// backlog is how many octets of what was gathered a sensor lets wait while a step
// takes long, as the fitting of models does.
const backlog = 64 << 20

// gathered is what the step after a batch has, while the lanes go on: all that it
// needs of them, so that steps may fall behind.
type gathered struct {
	clock int64
	lanes []taken
	site  *detect.Gathered
	// pressed tells that values were left out in the batch, skipped how many in
	// all; dropped is how many packets the source lost.
	pressed          bool
	skipped, dropped uint64
	// down are the interfaces that hear nothing, deaf that none hears anything; heard
	// is how many messages were seen, began when the first link was learned, 0 if none
	// was. All are a sensor's.
	down  uint64
	deaf  bool
	heard uint64
	began int64
	// tally and unseen are set from time to time, settled when learning has ended,
	// links if a baseline is to be saved.
	tally   *tally
	unseen  float64
	settled *settled
	links   *detect.Baseline
	do      func() error
}

// taken is what was taken of a lane.
type taken struct {
	values  values
	lines   []line
	text    []byte
	written int // lines merged so far
}

// take swaps what the lane holds for what is empty.
func (t *taken) take(l *lane) {
	t.values.Each = l.values.Each
	t.values, l.values = l.values, t.values
	t.lines, l.lines = l.lines, t.lines
	t.text, l.text = l.text, t.text
}

func (t *taken) reset() {
	t.values.reset()
	t.lines, t.text, t.written = t.lines[:0], t.text[:0], 0
}

// octets is about how much memory it takes.
func (t *taken) octets() int {
	v := &t.values
	return int(unsafe.Sizeof(*t)) + cap(v.Readings.Readings)*int(unsafe.Sizeof(detect.Reading{})) + cap(v.Values)*int(unsafe.Sizeof(detect.Value{})) +
		(cap(v.Samples)+cap(v.Late))*int(unsafe.Sizeof(detect.Sample{})) + cap(t.lines)*int(unsafe.Sizeof(line{})) + cap(t.text)
}

// steps are the pipeline's, as capture calls them.
type steps struct {
	*pipeline
	ctx       context.Context
	nextCount int64
	ended     bool // learning has
	learning  bool // a sensor has something to learn
	// free has what is done with, to be filled again.
	free chan *gathered
}

func newSteps(p *pipeline, ctx context.Context) *steps {
	return &steps{pipeline: p, ctx: ctx, free: make(chan *gathered, 2)}
}

// next is something to gather into. Two that are done with are kept: one is in work
// while the other is filled, as long as the steps are not further behind.
func (s *steps) next() *gathered {
	select {
	case g := <-s.free:
		return g
	default:
	}
	g := &gathered{lanes: make([]taken, len(s.lanes))}
	g.do = func() error {
		err := s.step(s.ctx, g)
		s.links = nil
		for i := range g.lanes {
			g.lanes[i].reset()
		}
		g.site, g.tally, g.settled, g.links = nil, nil, nil, nil
		select {
		case s.free <- g:
		default:
		}
		return err
	}
	return g
}

// countEvery is how often, in packet time, the outlets are given the counters.
const countEvery = int64(10 * time.Second)

// Gather implements capture.Steps.
func (s *steps) Gather(clock int64) capture.Step {
	detect.Bound(s.shards...)
	tags.Bound(s.extractors...)
	g := s.next()
	g.clock, g.skipped = clock, 0
	octets := 0
	for i, l := range s.lanes {
		g.lanes[i].take(l)
		g.skipped += l.skipped
		octets += g.lanes[i].octets()
	}
	g.pressed = s.lanes[0].easing // the lanes were told before the first packet, all alike
	if s.sensor != nil {
		stats := s.engine.Stats()
		g.dropped = stats.KernelDropped + stats.InterfaceDropped
		g.down, g.deaf = s.lanes[0].down, s.lanes[0].deaf
		s.hear(g)
	}
	if clock >= s.nextCount && len(s.outlets) > 0 {
		s.nextCount = clock + countEvery
		g.tally = s.count()
		if s.after != nil {
			g.unseen = s.pipeline.site.Unseen()
		}
	}
	var still bool
	g.site, still = s.pipeline.site.Gather(clock)
	if !s.ended && s.schedule.WatchFrom() <= clock {
		s.ended = true
		g.settled = s.settleTypes()
		if s.saves {
			g.links = s.pipeline.site.Learned()
		}
	}
	if s.asked.CompareAndSwap(true, false) && g.links == nil {
		g.links = s.pipeline.site.Learned()
	}
	return capture.Step{Do: g.do, Octets: octets + g.site.Octets(), Still: still}
}

// hear looks what a sensor has heard. It learns from when there is something to learn:
// a mirror port may be configured days after the sensor was started.
func (s *steps) hear(g *gathered) {
	g.heard, g.began = 0, 0
	for _, l := range s.lanes {
		for _, n := range l.messages {
			g.heard += n
		}
		if at := l.shard.Began(); at != 0 && (g.began == 0 || at < g.began) {
			g.began = at
		}
	}
	if g.began == 0 {
		s.schedule.BeginAgain(g.clock, g.clock)
	} else if !s.learning {
		s.learning = true
		s.schedule.BeginAgain(g.clock, g.began)
	}
}
