package capture

import (
	"context"
	"sync"
	"sync/atomic"
)

// ahead is how many batches may be read but not yet worked on.
const ahead = 2

// job is a batch that the workers share. Each takes the lanes that are its own,
// whose state is in its processor's cache, then those of others that nobody has
// taken: one that is held up leaves the rest to them.
type job struct {
	batch *Batch
	lanes []*lane
	taken [Shards]atomic.Bool
	left  atomic.Int32  // how many lanes are not done
	done  chan struct{} // gets a value when none is left
}

// work takes lanes as long as there are any. A worker that comes too late finds
// none, and does not touch the batch, which may be in use for another job.
func (j *job) work(worker, workers int) {
	n := len(j.lanes)
	for i := worker; i < n; i += workers {
		j.take(i)
	}
	// From the end, which their own worker comes to last.
	for i := n - 1; i >= 0 && j.left.Load() > 0; i-- {
		j.take(i)
	}
}

func (j *job) take(i int) {
	if j.taken[i].Load() || !j.taken[i].CompareAndSwap(false, true) {
		return
	}
	j.lanes[i].batch(j.batch)
	if j.left.Add(-1) == 0 {
		j.done <- struct{}{}
	}
}

// read is what the reader gives: a batch, or why there are no more.
type read struct {
	batch   *Batch
	err     error
	dropped SourceCounters
}

// runMany has a goroutine that reads and routes, one that does the steps, and
// one a worker, of which the first is the calling one. They meet after each
// batch, which costs some ten microseconds where a processor has to be woken.
func (e *Engine) runMany(ctx context.Context, src Source, steps Steps) (clock int64, failed, err error) {
	ctx, cancel := context.WithCancel(ctx)
	empty := make(chan *Batch, ahead+1)
	full := make(chan read, ahead+1)
	for range ahead + 1 {
		empty <- &Batch{passed: true}
	}
	var running sync.WaitGroup
	running.Go(func() { e.read(ctx, src, empty, full) })
	jobs := make([]chan *job, e.workers)
	for i := 1; i < e.workers; i++ {
		jobs[i] = make(chan *job, ahead)
		running.Go(func() {
			for j := range jobs[i] {
				j.work(i, e.workers)
			}
		})
	}
	stepping := newStepper(steps, e.settings.Backlog, &e.behind)
	running.Go(stepping.run)
	defer func() {
		cancel()
		close(empty)
		for _, ch := range jobs[1:] {
			close(ch)
		}
		if last := stepping.end(); err == nil {
			err = last
		}
		for range full { // let the reader go
		}
		running.Wait()
	}()
	done := make(chan struct{}, 1)
	for r := range full {
		if r.err != nil {
			return clock, sourceError(r.err), nil
		}
		j := &job{batch: r.batch, lanes: e.lanes, done: done}
		j.left.Store(int32(len(e.lanes)))
		for _, ch := range jobs[1:] {
			ch <- j
		}
		j.work(0, e.workers)
		<-done
		clock = r.batch.Clock
		e.source = r.dropped
		empty <- r.batch
		if err := stepping.step(clock); err != nil {
			return clock, nil, err
		}
	}
	return clock, nil, nil // not reached: the last word of the reader is an error
}

// read reads and routes batches until the source has none.
func (e *Engine) read(ctx context.Context, src Source, empty <-chan *Batch, full chan<- read) {
	defer close(full)
	for b := range empty {
		err := src.Read(ctx, b)
		if err == nil {
			if e.tap != nil {
				e.tap(b)
			}
			b.share(len(e.lanes))
		}
		full <- read{b, err, src.Counters()}
		if err != nil {
			return
		}
	}
}
