package process

import (
	"runtime"
	"sync"
	"sync/atomic"
)

// sideBySide calls f with each number below n, on all processors at once, and returns
// when all calls have. What f does for one number must not depend on another, so that
// it is the same on any number of processors. At the end of learning all of them may
// be used, however many workers decode: others wait for it.
func sideBySide(n int, f func(i int)) { onProcessors(runtime.GOMAXPROCS(0), n, f) }

// onProcessors is sideBySide on so many processors at most.
func onProcessors(workers, n int, f func(i int)) {
	workers = min(workers, n)
	if workers <= 1 {
		for i := range n {
			f(i)
		}
		return
	}
	var next atomic.Int64
	var wait sync.WaitGroup
	for range workers {
		wait.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= n {
					return
				}
				f(i)
			}
		})
	}
	wait.Wait()
}
