package capture

import (
	"context"
	"errors"
	"io"
	"sync"
)

// Engine turns the packets of a source into what handlers are given.
type Engine struct {
	settings Settings
	workers  []*worker
	tap      func(*Batch)
	source   SourceCounters
}

// New makes an engine with one worker for each handler. Which worker has which
// host pair depends on their number; what each pair's calls are does not.
func New(settings Settings, handlers []Handler) *Engine {
	e := &Engine{settings: settings.withDefaults()}
	for i, h := range handlers {
		w := &worker{handler: h, settings: &e.settings, index: i, of: len(handlers), due: never}
		e.workers = append(e.workers, w)
	}
	return e
}

// Tap makes Run call f with every batch before the handlers see it, to keep
// packets as evidence. f may not keep what the batch aliases. With several
// workers it runs beside the handlers of earlier batches.
func (e *Engine) Tap(f func(*Batch)) { e.tap = f }

// Stats returns the counters, summed over the workers. It may be called from
// the step function, and when Run has returned.
func (e *Engine) Stats() Stats {
	var sum Stats
	for _, w := range e.workers {
		sum.Add(&w.stats)
	}
	sum.KernelDropped = e.source.KernelDropped
	sum.InterfaceDropped = e.source.InterfaceDropped
	sum.Outgoing = e.source.Outgoing
	sum.Filtered = e.source.Filtered
	return sum
}

// Run reads the source to its end, or until ctx is cancelled, and gives the
// handlers what it holds. After every batch, and at the end, every handler's
// Advance and then step are called with the watermark, while no handler is
// busy; where batches end depends on the number of packets alone, except live.
// When the input has ended, failed, or ctx is cancelled, all conversations are
// closed and step is called a last time. An error of step ends Run at once.
//
// Run returns the error of step or of the source; being cancelled is none. What
// is wrong with single files is not an error of the source.
func (e *Engine) Run(ctx context.Context, src Source, step func(clock int64) error) error {
	if len(e.workers) == 0 {
		return errors.New("run capture: no handler")
	}
	if step == nil {
		step = func(int64) error { return nil }
	}
	run := e.runOne
	if len(e.workers) > 1 {
		run = e.runMany
	}
	clock, failed, err := run(ctx, src, step)
	e.source = src.Counters()
	if err != nil {
		return err
	}
	for _, w := range e.workers {
		w.finish(clock)
	}
	if err := step(clock); err != nil {
		return err
	}
	return failed
}

// runOne does all on the calling goroutine. failed is the error of the source,
// err that of step.
func (e *Engine) runOne(ctx context.Context, src Source, step func(int64) error) (clock int64, failed, err error) {
	var b Batch
	w := e.workers[0]
	defer b.reset()
	for {
		if err := src.Read(ctx, &b); err != nil {
			return clock, sourceError(err), nil
		}
		if e.tap != nil {
			e.tap(&b)
		}
		clock = b.Clock
		w.ease(b.Pressed)
		for i := range b.Packets {
			b.Packets[i].route()
			w.packet(&b.Packets[i])
		}
		w.advance(clock)
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

// ahead is how many batches may be read but not yet worked on.
const ahead = 2

// runMany has a goroutine that reads and routes, and one for each worker. They
// meet after each batch, which costs a hundred microseconds where a processor
// has to be woken: that is why batches are large.
func (e *Engine) runMany(ctx context.Context, src Source, step func(int64) error) (clock int64, failed, err error) {
	ctx, cancel := context.WithCancel(ctx)
	type read struct {
		b       *Batch
		err     error
		dropped SourceCounters
	}
	empty := make(chan *Batch, ahead+1)
	full := make(chan read, ahead+1)
	for range ahead + 1 {
		empty <- new(Batch)
	}
	var reader sync.WaitGroup
	reader.Go(func() {
		defer close(full)
		for b := range empty {
			err := src.Read(ctx, b)
			if err == nil {
				if e.tap != nil {
					e.tap(b)
				}
				b.share(len(e.workers))
			}
			full <- read{b, err, src.Counters()}
			if err != nil {
				return
			}
		}
	})
	// The first worker is this goroutine.
	work := make([]chan *Batch, len(e.workers))
	var busy, running sync.WaitGroup
	for i := range e.workers[1:] {
		w, ch := e.workers[i+1], make(chan *Batch, 1)
		work[i+1] = ch
		running.Go(func() {
			for b := range ch {
				w.batch(b)
				busy.Done()
			}
		})
	}
	defer func() {
		cancel()
		close(empty)
		for _, ch := range work[1:] {
			close(ch)
		}
		running.Wait()
		for range full { // let the reader go
		}
		reader.Wait()
	}()
	for r := range full {
		if r.err != nil {
			return clock, sourceError(r.err), nil
		}
		clock = r.b.Clock
		busy.Add(len(work) - 1)
		for _, ch := range work[1:] {
			ch <- r.b
		}
		e.workers[0].batch(r.b)
		busy.Wait()
		e.source = r.dropped
		if err := step(clock); err != nil {
			return clock, nil, err
		}
		empty <- r.b
	}
	return clock, nil, nil // not reached: the last word of the reader is an error
}

// worker has the shards whose number is its own modulo how many workers there
// are.
type worker struct {
	handler  Handler
	settings *Settings
	index    int
	of       int
	shards   [Shards]*shard
	stats    Stats
	easing   bool  // what an Easer was told
	called   bool  // the handler was given something since its last Advance
	next     int64 // when the handler asked to be advanced, 0 for never
	due      int64 // when a shard has something to do, or before
}

// batch takes the packets of a batch that are this worker's.
func (w *worker) batch(b *Batch) {
	w.ease(b.Pressed)
	for _, i := range b.shares[w.index] {
		w.packet(&b.Packets[i])
	}
	w.advance(b.Clock)
}

// ease tells an Easer what a batch says.
func (w *worker) ease(on bool) {
	if on == w.easing {
		return
	}
	w.easing = on
	if h, ok := w.handler.(Easer); ok {
		h.Ease(on)
	}
}

// share routes the packets and lists those of each worker.
func (b *Batch) share(workers int) {
	for len(b.shares) < workers {
		b.shares = append(b.shares, make([]uint16, 0, BatchSize))
	}
	var worker [Shards]uint8
	for i := range worker {
		worker[i] = uint8(i % workers)
	}
	for i := range b.shares {
		b.shares[i] = b.shares[i][:0]
	}
	for i := range b.Packets {
		p := &b.Packets[i]
		p.route()
		s := &b.shares[worker[p.shard]]
		*s = append(*s, uint16(i))
	}
}

// packet takes one routed packet. All that is due by its clock comes first, so
// that it does not matter where batches end.
func (w *worker) packet(p *Packet) {
	if p.Clock >= w.due {
		w.fire(p.Clock)
	}
	// What the handler was given may have made it want to be called earlier.
	if w.called || w.next != 0 && p.Clock >= w.next {
		w.called = false
		w.next = w.handler.Advance(p.Clock)
	}
	s := w.shards[p.shard]
	if s == nil {
		s = newShard(w.settings, &w.stats, w.handler, &w.called)
		w.shards[p.shard] = s
	}
	s.packet(p)
	if due := s.due(); due < w.due {
		w.due = due
	}
}

// fire does what is due by clock, in order of time, the handler's time-outs
// before capture's of the same time.
func (w *worker) fire(clock int64) {
	for {
		var first *shard
		w.due = never
		for _, s := range w.shards {
			if s == nil {
				continue
			}
			if due := s.due(); due < w.due {
				first, w.due = s, due
			}
		}
		if w.due > clock {
			return
		}
		w.called = false
		w.next = w.handler.Advance(w.due)
		first.fire()
	}
}

// advance ends a batch.
func (w *worker) advance(clock int64) {
	if clock >= w.due {
		w.fire(clock)
	}
	w.called = false
	w.next = w.handler.Advance(clock)
}

// finish closes everything at the end of the input.
func (w *worker) finish(clock int64) {
	for _, s := range w.shards {
		if s != nil {
			s.finish(clock)
		}
	}
	w.handler.Advance(clock)
}
