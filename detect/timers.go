package detect

// timer is a poll that is awaited.
type timer struct {
	at      int64
	link    *link
	pattern int32
}

// timers is a heap by time. A timer is not moved when its poll comes: it is
// looked at again when it is due, which costs a heap operation every few polls
// instead of at each.
type timers struct{ heap []timer }

func (t *timers) next() int64 {
	if len(t.heap) == 0 {
		return 0
	}
	return t.heap[0].at
}

// due takes the first timer that is due at clock.
func (t *timers) due(clock int64) (timer, bool) {
	if len(t.heap) == 0 || t.heap[0].at > clock {
		return timer{}, false
	}
	first := t.heap[0]
	last := len(t.heap) - 1
	t.heap[0] = t.heap[last]
	t.heap[last] = timer{}
	t.heap = t.heap[:last]
	for i := 0; ; {
		least := i
		for _, child := range [2]int{2*i + 1, 2*i + 2} {
			if child < last && t.heap[child].at < t.heap[least].at {
				least = child
			}
		}
		if least == i {
			return first, true
		}
		t.heap[least], t.heap[i] = t.heap[i], t.heap[least]
		i = least
	}
}

func (t *timers) add(x timer) {
	t.heap = append(t.heap, x)
	for i := len(t.heap) - 1; i > 0; {
		parent := (i - 1) / 2
		if t.heap[parent].at <= t.heap[i].at {
			return
		}
		t.heap[parent], t.heap[i] = t.heap[i], t.heap[parent]
		i = parent
	}
}
