package process

import (
	"sync"
	"sync/atomic"
)

// shares are for what several workers do together again and again. Each has a share of
// its own, always the same, so that what it needs may still be in the cache of its
// processor, and helps the others when it is done: with a common list the relations of
// 5,000 points take a seventh longer.
type shares []share

// share is what one worker has to do: what is before next is taken.
type share struct {
	next atomic.Int64
	end  int
	_    [48]byte // so that no two are in one line of a cache
}

// patience is how often is looked whether the others are done: some tens of
// microseconds.
const patience = 1 << 16

// do calls f with each number below n, from several workers at once, and returns when
// all calls have. What f does for one number must not depend on another.
func (s *shares) do(workers, n int, f func(i int)) {
	workers = min(workers, n)
	if len(*s) != workers {
		*s = make(shares, workers)
	}
	for w := range *s {
		(*s)[w].next.Store(int64(w * n / workers))
		(*s)[w].end = (w + 1) * n / workers
	}
	var wait sync.WaitGroup
	var busy atomic.Int32
	busy.Store(int32(workers - 1))
	for w := 1; w < workers; w++ {
		wait.Go(func() {
			s.work(w, f)
			busy.Add(-1)
		})
	}
	s.work(0, f)
	// The others are done in some microseconds. Who sleeps till then is woken on the
	// processor of another, where none of what it needs next is in the cache: with 5,000
	// points that takes a fifth longer in all.
	for turns := 0; turns < patience && busy.Load() != 0; turns++ {
	}
	wait.Wait()
}

// work does the share of a worker, then what others have not taken.
func (s shares) work(worker int, f func(i int)) {
	const few = 4
	for k := range s {
		x := &s[(worker+k)%len(s)]
		for {
			to := int(x.next.Add(few))
			for i := to - few; i < min(to, x.end); i++ {
				f(i)
			}
			if to >= x.end {
				break
			}
		}
	}
}
