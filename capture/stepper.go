package capture

import (
	"slices"
	"sync"
	"sync/atomic"
)

// stepper does the steps behind the handlers, in order. Up to its backlog they
// may fall behind, as where one of them takes long; what is gathered then waits.
type stepper struct {
	steps   Steps
	backlog int
	behind  *behind

	mu      sync.Mutex
	changed sync.Cond // of what follows
	waiting []Step    // from first on
	first   int
	busy    bool  // one is being done
	octets  int   // of those waiting and the one being done
	err     error // of a step; none is done after it
	ended   bool
}

// behind is how many batches the steps are behind, and the most they ever were.
type behind struct{ now, most atomic.Int64 }

func (b *behind) set(n int) {
	b.now.Store(int64(n))
	if int64(n) > b.most.Load() {
		b.most.Store(int64(n))
	}
}

// Behind tells how many batches wait until the steps before are done, and the most
// that ever did. It may be called from any goroutine.
func (e *Engine) Behind() (now, most int) {
	return int(e.behind.now.Load()), int(e.behind.most.Load())
}

func newStepper(steps Steps, backlog int, b *behind) *stepper {
	s := &stepper{steps: steps, backlog: backlog, behind: b}
	s.changed.L = &s.mu
	return s
}

// run does steps until there are no more.
func (s *stepper) run() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		for s.first == len(s.waiting) {
			if s.ended {
				return
			}
			s.changed.Wait()
		}
		step := s.waiting[s.first]
		s.waiting[s.first] = Step{}
		if s.first++; 2*s.first >= len(s.waiting) {
			s.waiting = slices.Delete(s.waiting, 0, s.first)
			s.first = 0
		}
		s.busy = true
		s.behind.set(len(s.waiting) - s.first)
		s.mu.Unlock()
		err := step.Do()
		s.mu.Lock()
		s.busy = false
		s.octets -= step.Octets
		if err != nil {
			s.err = err
			clear(s.waiting)
			s.waiting, s.first, s.octets = s.waiting[:0], 0, 0
			s.behind.set(0)
		}
		s.changed.Broadcast()
	}
}

// idle tells that all that was gathered is done.
func (s *stepper) idle() bool { return !s.busy && s.first == len(s.waiting) }

// step gathers what the handlers hold once there is room for it, and leaves it to
// run. It returns the error of a step before, or of this one if it waits for it.
func (s *stepper) step(clock int64) error {
	if err := s.wait(func() bool { return s.idle() || s.octets < s.backlog }); err != nil {
		return err
	}
	step := s.steps.Gather(clock)
	s.mu.Lock()
	if s.err != nil { // while it was gathered
		s.mu.Unlock()
		return s.err
	}
	s.waiting = append(s.waiting, step)
	s.octets += step.Octets
	s.behind.set(len(s.waiting) - s.first)
	s.mu.Unlock()
	s.changed.Broadcast()
	if step.Still {
		return s.wait(s.idle)
	}
	return nil
}

// wait returns when something holds or a step has failed.
func (s *stepper) wait(holds func() bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.err == nil && !holds() {
		s.changed.Wait()
	}
	return s.err
}

// end waits until all that was gathered is done, and returns the error of a step.
func (s *stepper) end() error {
	s.mu.Lock()
	s.ended = true
	s.mu.Unlock()
	s.changed.Broadcast()
	return s.wait(s.idle)
}
