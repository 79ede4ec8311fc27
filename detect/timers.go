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

// before orders timers; those of one link that are due at once go by pattern, so
// that their order does not depend on the heap's history.
func (t *timers) before(i, j int) bool {
	a, b := &t.heap[i], &t.heap[j]
	return a.at < b.at || a.at == b.at && a.pattern < b.pattern
}

func (t *timers) next() int64 {
	if len(t.heap) == 0 {
		return 0
	}
	return t.heap[0].at
}

// due returns the first timer if it is due at clock. It stays first until it is
// postponed or dropped.
func (t *timers) due(clock int64) (timer, bool) {
	if len(t.heap) == 0 || t.heap[0].at > clock {
		return timer{}, false
	}
	return t.heap[0], true
}

// postpone sets the first timer to a later time, which is what becomes of nearly
// all: to take it out and add it again cost twice as much.
func (t *timers) postpone(at int64) {
	t.heap[0].at = at
	t.down()
}

// drop takes the first timer out.
func (t *timers) drop() {
	last := len(t.heap) - 1
	t.heap[0] = t.heap[last]
	t.heap[last] = timer{}
	t.heap = t.heap[:last]
	t.down()
}

// down puts the first timer where it belongs.
func (t *timers) down() {
	for i := 0; ; {
		least := 2*i + 1
		if least >= len(t.heap) {
			return
		}
		if next := least + 1; next < len(t.heap) && t.before(next, least) {
			least = next
		}
		if !t.before(least, i) {
			return
		}
		t.heap[least], t.heap[i] = t.heap[i], t.heap[least]
		i = least
	}
}

func (t *timers) add(x timer) {
	t.heap = append(t.heap, x)
	for i := len(t.heap) - 1; i > 0; {
		parent := (i - 1) / 2
		if !t.before(i, parent) {
			return
		}
		t.heap[parent], t.heap[i] = t.heap[i], t.heap[parent]
		i = parent
	}
}
