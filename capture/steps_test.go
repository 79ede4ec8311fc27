package capture

import (
	"context"
	"errors"
	"io"
	"slices"
	"sync/atomic"
	"testing"
	"time"
)

// busyHandler tells whether it is being called.
type busyHandler struct {
	nothing
	busy *atomic.Int32
}

func (h *busyHandler) Advance(clock int64) int64 {
	h.busy.Add(1)
	defer h.busy.Add(-1)
	return h.nothing.Advance(clock)
}

func busyHandlers(busy *atomic.Int32) []Handler {
	hs := make([]Handler, Shards)
	for i := range hs {
		hs[i] = &busyHandler{busy: busy}
	}
	return hs
}

// stepLog notes the order of its calls.
type stepLog struct {
	busy              atomic.Int32
	gathered, stepped []int64 // one more than stepped are gathered, at most, without a backlog
	stepping          atomic.Bool
	undone            atomic.Int64
	most              int64 // undone when something is gathered
	behind            bool  // steps may be behind
	octets            int
	still             func(n int) bool
	failAt            int
	hold              func(n int) // called in the nth step
	problems          atomic.Pointer[string]
}

func (s *stepLog) problem(text string) { s.problems.Store(&text) }

func (s *stepLog) Gather(clock int64) Step {
	if s.busy.Load() != 0 {
		s.problem("a handler is busy while it is gathered")
	}
	if s.stepping.Load() && !s.behind {
		s.problem("a step is under way while it is gathered")
	}
	s.most = max(s.most, s.undone.Load())
	s.undone.Add(1)
	s.gathered = append(s.gathered, clock)
	still := s.still != nil && s.still(len(s.gathered))
	return Step{Do: func() error { return s.step(clock, still) }, Octets: s.octets, Still: still}
}

func (s *stepLog) step(clock int64, still bool) error {
	if !s.stepping.CompareAndSwap(false, true) {
		s.problem("two steps at once")
	}
	defer s.stepping.Store(false)
	if s.hold != nil {
		s.hold(len(s.stepped) + 1)
	}
	s.stepped = append(s.stepped, clock)
	if still && (s.busy.Load() != 0 || s.undone.Load() != 1) {
		s.problem("a handler is busy, or another step is not done, in a step that wants them still")
	}
	s.undone.Add(-1)
	if len(s.stepped) == s.failAt {
		return errBroken
	}
	return nil
}

func (s *stepLog) check(t *testing.T, what ...any) {
	t.Helper()
	if p := s.problems.Load(); p != nil {
		t.Errorf("%v: %s", what, *p)
	}
}

// everyBatch are the workers and backlogs that must not make a difference.
func everyBatch(t *testing.T, f func(t *testing.T, settings Settings)) {
	t.Helper()
	for workers := 1; workers <= 3; workers++ {
		for _, backlog := range []int{0, 1, 1000} {
			f(t, Settings{Workers: workers, Backlog: backlog})
		}
	}
}

func TestEveryBatchIsGatheredAndSteppedOnceInOrder(t *testing.T) {
	list := hostile(1, 2000)
	everyBatch(t, func(t *testing.T, settings Settings) {
		for name, still := range map[string]func(int) bool{
			"never still": nil, "always still": func(int) bool { return true }, "now and then still": func(n int) bool { return n%7 == 3 },
		} {
			s := &stepLog{still: still, behind: settings.Backlog > 0, octets: 10}
			if err := New(settings, busyHandlers(&s.busy)).RunSteps(context.Background(), &packets{list: list, size: batchSize}, s); err != nil {
				t.Fatal(err)
			}
			s.check(t, settings.Workers, settings.Backlog, name)
			if !slices.Equal(s.gathered, s.stepped) || !slices.IsSorted(s.stepped) || len(s.stepped) != stepsOf(list) {
				t.Errorf("%d workers, backlog %d, %s: gathered %d, stepped %d", settings.Workers, settings.Backlog, name, len(s.gathered), len(s.stepped))
			}
		}
	})
}

func TestHandlersGoOnBesideAStep(t *testing.T) {
	beside := make(chan struct{})
	n := 0
	s := new(stepLog)
	s.hold = func(n int) {
		if n > 1 {
			return
		}
		select {
		case <-beside:
		case <-time.After(10 * time.Second):
			s.problem("the handlers stand still during a step")
		}
	}
	src := &packets{list: hostile(1, 500), size: batchSize}
	e := New(Settings{Workers: 2}, busyHandlers(&s.busy))
	// The first step ends when a batch is read for which the handlers must have
	// worked on the second.
	e.Tap(func(*Batch) {
		if n++; n == ahead+3 {
			close(beside)
		}
	})
	err := e.RunSteps(context.Background(), src, s)
	if s.check(t); err != nil {
		t.Error(err)
	}
}

// batchSize is how many packets the batches of these tests have.
const batchSize = 50

// stepsOf is how many steps there are for the packets of a list.
func stepsOf(list []pkt) int { return (len(list)+batchSize-1)/batchSize + 1 }

// heldSteps are steps of 10 octets of which the second lasts until the test, or
// the source's end, lets it go on.
func heldSteps() (s *stepLog, release func()) {
	gate := make(chan struct{})
	s = &stepLog{behind: true, octets: 10}
	s.hold = func(n int) {
		if n == 2 {
			<-gate
		}
	}
	return s, func() { close(gate) }
}

// ending is a source that can be cancelled, and tells when it has no more.
type ending struct {
	*packets
	atEnd func()
}

func (s *ending) Read(ctx context.Context, b *Batch) error {
	err := s.packets.Read(ctx, b)
	if ctx.Err() != nil {
		b.reset()
		err = io.EOF
	}
	if err != nil && s.atEnd != nil {
		s.atEnd()
		s.atEnd = nil
	}
	return err
}

func TestWhileAStepTakesLongBatchesAreWorkedOnUpToTheBacklog(t *testing.T) {
	list := hostile(1, 2000)
	for workers := 1; workers <= 3; workers++ {
		s, release := heldSteps()
		e := New(Settings{Workers: workers, Backlog: 1 << 20}, busyHandlers(&s.busy))
		// The step lasts until the source has no more.
		src := &ending{&packets{list: list, size: batchSize}, release}
		if err := e.RunSteps(context.Background(), src, s); err != nil {
			t.Fatal(err)
		}
		s.check(t, workers)
		if !slices.Equal(s.gathered, s.stepped) || len(s.stepped) != stepsOf(list) {
			t.Errorf("%d workers: gathered %d, stepped %d", workers, len(s.gathered), len(s.stepped))
		}
		if now, most := e.Behind(); now != 0 || most < stepsOf(list)-1-2-(ahead+2) {
			t.Errorf("%d workers: %d are behind at the end, %d were at most", workers, now, most)
		}
	}
}

func TestABacklogThatIsFullHoldsUpTheBatches(t *testing.T) {
	list := hostile(1, 2000)
	for workers := 1; workers <= 3; workers++ {
		s, release := heldSteps()
		e := New(Settings{Workers: workers, Backlog: 50}, busyHandlers(&s.busy))
		var read atomic.Int32
		e.Tap(func(*Batch) { read.Add(1) })
		ended := make(chan error, 1)
		go func() { ended <- e.RunSteps(context.Background(), &packets{list: list, size: batchSize}, s) }()
		for now, _ := e.Behind(); now < 4; now, _ = e.Behind() {
			time.Sleep(time.Millisecond)
		}
		time.Sleep(20 * time.Millisecond) // in which more would be read
		// One is done, one is being done, four wait; then there are batches that are not
		// gathered: one worked on, and those read ahead.
		if n := read.Load(); n > 1+5+1+ahead+1 {
			t.Errorf("%d workers: %d batches were read while a backlog of five is full", workers, n)
		}
		release()
		if err := <-ended; err != nil {
			t.Fatal(err)
		}
		s.check(t, workers)
		if s.most > 5 || !slices.Equal(s.gathered, s.stepped) || len(s.stepped) != stepsOf(list) {
			t.Errorf("%d workers: %d were not done at most; gathered %d, stepped %d", workers, s.most, len(s.gathered), len(s.stepped))
		}
	}
}

func TestWhatWasGatheredIsDoneWhenARunIsCancelled(t *testing.T) {
	list := hostile(1, 5000)
	for workers := 1; workers <= 3; workers++ {
		s, release := heldSteps()
		e := New(Settings{Workers: workers, Backlog: 1 << 20}, busyHandlers(&s.busy))
		ctx, cancel := context.WithCancel(context.Background())
		n := 0
		e.Tap(func(*Batch) {
			if n++; n == 20 {
				cancel()
			}
		})
		src := &ending{&packets{list: list, size: batchSize}, release}
		if err := e.RunSteps(ctx, src, s); err != nil {
			t.Fatal(err)
		}
		s.check(t, workers)
		// One for each batch that was read, and the last.
		if !slices.Equal(s.gathered, s.stepped) || len(s.stepped) != 21 {
			t.Errorf("%d workers: gathered %d, stepped %d", workers, len(s.gathered), len(s.stepped))
		}
	}
}

func TestAnErrorOfAStepEndsARunAndNoStepIsDoneAfterIt(t *testing.T) {
	everyBatch(t, func(t *testing.T, settings Settings) {
		for failAt := 1; failAt <= 11; failAt++ {
			s := &stepLog{failAt: failAt, behind: settings.Backlog > 0, octets: 10}
			err := New(settings, busyHandlers(&s.busy)).RunSteps(context.Background(), &packets{list: hostile(1, 500), size: batchSize}, s)
			if s.check(t, settings.Workers); !errors.Is(err, errBroken) || len(s.stepped) != failAt {
				t.Errorf("%d workers, backlog %d: error %v after %d steps, want one after %d", settings.Workers, settings.Backlog, err, len(s.stepped), failAt)
			}
		}
	})
}
