package identify

// timer is the moment at which a flow's decoder wants to be called.
type timer struct {
	at     int64
	serial uint64
	flow   *Flow
}

// timers is a binary heap, earliest first; equal times in the order in which
// the conversations began.
type timers []timer

func (h timers) before(i, j int) bool {
	return h[i].at < h[j].at || h[i].at == h[j].at && h[i].serial < h[j].serial
}

// first is when the earliest is due, 0 if there is none.
func (h timers) first() int64 {
	if len(h) == 0 {
		return 0
	}
	return h[0].at
}

func (h *timers) push(t timer) {
	*h = append(*h, t)
	s := *h
	for i := len(s) - 1; i > 0; {
		up := (i - 1) / 2
		if !s.before(i, up) {
			break
		}
		s[i], s[up] = s[up], s[i]
		i = up
	}
}

func (h *timers) pop() timer {
	s := *h
	top := s[0]
	last := len(s) - 1
	s[0] = s[last]
	s[last] = timer{}
	s = s[:last]
	*h = s
	for i := 0; ; {
		down := 2*i + 1
		if down >= last {
			break
		}
		if down+1 < last && s.before(down+1, down) {
			down++
		}
		if !s.before(down, i) {
			break
		}
		s[i], s[down] = s[down], s[i]
		i = down
	}
	return top
}
