package capture

import (
	"context"
	"errors"
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

// stepLog notes the order of its calls.
type stepLog struct {
	busy              *atomic.Int32
	gathered, stepped []int64
	stepping          atomic.Bool
	still             bool
	failAt            int
	problems          []string
	beside            chan struct{} // a step waits for the handlers to go on
}

func (s *stepLog) Gather(clock int64) bool {
	if s.busy.Load() != 0 {
		s.problems = append(s.problems, "a handler is busy while it is gathered")
	}
	if s.stepping.Load() {
		s.problems = append(s.problems, "a step is under way while it is gathered")
	}
	s.gathered = append(s.gathered, clock)
	return s.still
}

func (s *stepLog) Step(clock int64) error {
	s.stepping.Store(true)
	defer s.stepping.Store(false)
	if s.beside != nil {
		select {
		case <-s.beside:
		case <-time.After(10 * time.Second):
			s.problems = append(s.problems, "the handlers stand still during a step")
		}
		s.beside = nil
	}
	s.stepped = append(s.stepped, clock)
	if s.still && s.busy.Load() != 0 {
		s.problems = append(s.problems, "a handler is busy in a step that wants them still")
	}
	if len(s.stepped) == s.failAt {
		return errBroken
	}
	return nil
}

func TestEveryBatchIsGatheredAndSteppedOnceInOrder(t *testing.T) {
	list := hostile(1, 2000)
	for workers := 1; workers <= 3; workers++ {
		for _, still := range []bool{false, true} {
			var busy atomic.Int32
			hs := make([]Handler, Shards)
			for i := range hs {
				hs[i] = &busyHandler{busy: &busy}
			}
			s := &stepLog{busy: &busy, still: still}
			if err := New(Settings{Workers: workers}, hs).RunSteps(context.Background(), &packets{list: list, size: 50}, s); err != nil {
				t.Fatal(err)
			}
			if len(s.problems) > 0 || !slices.Equal(s.gathered, s.stepped) || !slices.IsSorted(s.stepped) || len(s.stepped) != (len(list)+49)/50+1 {
				t.Errorf("%d workers, still %v: %v; gathered %d, stepped %d", workers, still, s.problems, len(s.gathered), len(s.stepped))
			}
		}
	}
}

func TestHandlersGoOnBesideAStep(t *testing.T) {
	beside := make(chan struct{})
	var busy atomic.Int32
	hs := make([]Handler, Shards)
	n := 0
	for i := range hs {
		hs[i] = &busyHandler{busy: &busy}
	}
	s := &stepLog{busy: &busy, beside: beside}
	src := &packets{list: hostile(1, 500), size: 50}
	e := New(Settings{Workers: 2}, hs)
	// The first step ends when a batch is read for which the handlers must have
	// worked on the second.
	e.Tap(func(*Batch) {
		if n++; n == ahead+3 {
			close(beside)
		}
	})
	if err := e.RunSteps(context.Background(), src, s); err != nil || len(s.problems) > 0 {
		t.Errorf("error %v, %v", err, s.problems)
	}
}

func TestAnErrorOfAStepBesideTheNextBatchEndsARun(t *testing.T) {
	for workers := 1; workers <= 3; workers++ {
		for failAt := 1; failAt <= 11; failAt++ {
			var busy atomic.Int32
			hs := make([]Handler, Shards)
			for i := range hs {
				hs[i] = &busyHandler{busy: &busy}
			}
			s := &stepLog{busy: &busy, failAt: failAt}
			err := New(Settings{Workers: workers}, hs).RunSteps(context.Background(), &packets{list: hostile(1, 500), size: 50}, s)
			if !errors.Is(err, errBroken) || len(s.stepped) != failAt || len(s.problems) > 0 {
				t.Errorf("%d workers: error %v after %d steps, want one after %d; %v", workers, err, len(s.stepped), failAt, s.problems)
			}
		}
	}
}
