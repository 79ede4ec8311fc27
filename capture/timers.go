package capture

// timers is a heap of connections by when something is due for them, the
// earliest on top. Which of a connection's two timers it is, is kept in which.
type timers struct {
	which int
	heap  []timer
}

type timer struct {
	due int64
	c   *conn
}

// The two timers of a connection.
const (
	timeIdle = iota // until it is let go
	timeHole        // until a hole in a stream is given up
)

// next returns when the earliest is due, never if there is none.
func (t *timers) next() int64 {
	if len(t.heap) == 0 {
		return never
	}
	return t.heap[0].due
}

// never is after all times.
const never = int64(^uint64(0) >> 1)

// set puts the timer of c at due, whether or not it was set.
func (t *timers) set(c *conn, due int64) {
	i := int(c.place[t.which]) - 1
	if i < 0 {
		t.heap = append(t.heap, timer{due, c})
		t.up(len(t.heap) - 1)
		return
	}
	was := t.heap[i].due
	t.heap[i].due = due
	if due < was {
		t.up(i)
	} else {
		t.down(i)
	}
}

// clear takes the timer of c out, if it is set.
func (t *timers) clear(c *conn) {
	i := int(c.place[t.which]) - 1
	if i < 0 {
		return
	}
	c.place[t.which] = 0
	n := len(t.heap) - 1
	last := t.heap[n]
	t.heap[n] = timer{}
	t.heap = t.heap[:n]
	if i == n {
		return
	}
	t.heap[i] = last
	t.up(i)
	t.down(int(last.c.place[t.which]) - 1)
}

func (t *timers) up(i int) {
	x := t.heap[i]
	for i > 0 {
		parent := (i - 1) / 2
		if t.heap[parent].due <= x.due {
			break
		}
		t.put(i, t.heap[parent])
		i = parent
	}
	t.put(i, x)
}

func (t *timers) down(i int) {
	x := t.heap[i]
	for {
		c := 2*i + 1
		if c >= len(t.heap) {
			break
		}
		if c+1 < len(t.heap) && t.heap[c+1].due < t.heap[c].due {
			c++
		}
		if x.due <= t.heap[c].due {
			break
		}
		t.put(i, t.heap[c])
		i = c
	}
	t.put(i, x)
}

func (t *timers) put(i int, x timer) {
	t.heap[i] = x
	x.c.place[t.which] = int32(i + 1)
}
