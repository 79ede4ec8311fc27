package capture

import (
	"context"
	"errors"
	"io"
)

// Engine turns the packets of a source into what handlers are given.
type Engine struct {
	settings Settings
	lanes    []*lane
	workers  int
	tap      func(*Batch)
	source   SourceCounters
	behind   behind
}

// New makes an engine that gives each handler an equal number of the [Shards].
// Which of them has which host pair depends on how many handlers there are; what
// each pair's calls are does not. Settings.Workers goroutines share their work.
func New(settings Settings, handlers []Handler) *Engine {
	e := &Engine{settings: settings.withDefaults()}
	for i, h := range handlers {
		e.lanes = append(e.lanes, newLane(&e.settings, h, i))
	}
	e.workers = min(settings.Workers, len(handlers))
	if settings.Workers <= 0 {
		e.workers = len(handlers)
	}
	return e
}

// Tap makes Run call f with every batch before the handlers see it, to keep
// packets as evidence. f may not keep what the batch aliases. With several
// workers it runs beside the handlers of earlier batches.
func (e *Engine) Tap(f func(*Batch)) { e.tap = f }

// Stats returns the counters, summed over the lanes. It may be called while no
// handler is busy (see Steps), and when Run has returned.
func (e *Engine) Stats() Stats {
	var sum Stats
	for _, l := range e.lanes {
		sum.Add(&l.stats)
	}
	sum.KernelDropped = e.source.KernelDropped
	sum.InterfaceDropped = e.source.InterfaceDropped
	sum.Outgoing = e.source.Outgoing
	sum.Filtered = e.source.Filtered
	sum.TimeJumped = e.source.TimeJumped
	return sum
}

// Steps is what is done with what the handlers found in a batch.
type Steps interface {
	// Gather is called after each batch with the watermark, while no handler is
	// busy. It takes from the handlers all that the step needs, which ought to be
	// quick. With a backlog (see [Settings]) it runs beside steps of earlier
	// batches, without one never.
	Gather(clock int64) Step
}

// Step is what is to be done with what was gathered after a batch.
type Step struct {
	// Do does it, once all steps before are done. With several workers or a backlog
	// it runs beside the handlers of later batches.
	Do func() error
	// Octets is about how much memory what was gathered takes until it is done.
	Octets int
	// Still tells that Do needs the handlers themselves: they stand still until it
	// is done.
	Still bool
}

// stepFunc is a step during which the handlers stand still.
type stepFunc func(clock int64) error

func (f stepFunc) Gather(clock int64) Step {
	return Step{Do: func() error { return f(clock) }, Still: true}
}

// Run is RunSteps with a step that always has the handlers standing still; it
// may be nil.
func (e *Engine) Run(ctx context.Context, src Source, step func(clock int64) error) error {
	if step == nil {
		step = func(int64) error { return nil }
	}
	return e.RunSteps(ctx, src, stepFunc(step))
}

// RunSteps reads the source to its end, or until ctx is cancelled, and gives the
// handlers what it holds. After every batch every handler's Advance is called
// with the watermark, then a step is gathered and done; where batches end depends on the number of
// packets alone, except live. When the input has ended, failed, or ctx is
// cancelled, all conversations are closed, and once all steps are done there is a
// last one. An error of a step ends the run as soon as the batch in work is done;
// what was gathered after it is let go.
//
// It returns the error of a step or of the source; being cancelled is none. What
// is wrong with single files is not an error of the source.
func (e *Engine) RunSteps(ctx context.Context, src Source, steps Steps) error {
	if len(e.lanes) == 0 {
		return errors.New("run capture: no handler")
	}
	run := e.runAtOnce
	switch {
	case e.workers > 1:
		run = e.runMany
	case e.settings.Backlog > 0:
		run = e.runAhead
	}
	clock, failed, err := run(ctx, src, steps)
	e.source = src.Counters()
	if err != nil {
		return err
	}
	for _, l := range e.lanes {
		l.finish(clock)
	}
	if err := steps.Gather(clock).Do(); err != nil {
		return err
	}
	return failed
}

// runAtOnce does each step before the next batch, on the calling goroutine.
func (e *Engine) runAtOnce(ctx context.Context, src Source, steps Steps) (clock int64, failed, err error) {
	return e.runOne(ctx, src, func(clock int64) error { return steps.Gather(clock).Do() })
}

// runAhead lets the steps fall behind.
func (e *Engine) runAhead(ctx context.Context, src Source, steps Steps) (clock int64, failed, err error) {
	stepping := newStepper(steps, e.settings.Backlog, &e.behind)
	go stepping.run()
	clock, failed, err = e.runOne(ctx, src, stepping.step)
	if last := stepping.end(); err == nil {
		err = last
	}
	return clock, failed, err
}

// runOne does all but the steps on the calling goroutine. failed is the error of
// the source, err that of a step.
func (e *Engine) runOne(ctx context.Context, src Source, step func(clock int64) error) (clock int64, failed, err error) {
	var b Batch
	defer b.reset()
	for {
		if err := src.Read(ctx, &b); err != nil {
			return clock, sourceError(err), nil
		}
		if e.tap != nil {
			e.tap(&b)
		}
		clock = b.Clock
		b.share(len(e.lanes))
		for _, l := range e.lanes {
			l.batch(&b)
		}
		e.source = src.Counters()
		if err := step(clock); err != nil {
			return clock, nil, err
		}
	}
}

func sourceError(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}
