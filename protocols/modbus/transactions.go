package modbus

// maxTransactions bounds how many requests of one conversation are remembered.
// The specification lets a client have up to 16 open (TCP 4.4.1.1).
const maxTransactions = 64

type transactionState uint8

const (
	// open waits for its answer.
	open transactionState = iota
	// givenUp was reported as unanswered.
	givenUp
	// answered has its answer.
	answered
	// forgotten may have been answered where the tap did not see, or was
	// replaced by its own repetition on a serial line.
	forgotten
)

// transaction is one request that was seen.
type transaction struct {
	time, clock int64
	frame       uint64
	digest      uint64
	sub         int32
	// address and quantity are what is read or written, value a single write's;
	// function 23 has a second pair.
	address, quantity           uint16
	writeAddress, writeQuantity uint16
	value                       uint16
	transaction                 uint16
	has                         uint32
	unit, function              uint8
	state                       transactionState
	// files is the sub-requests of a file record read.
	files []byte
}

// tracker remembers the last requests of a conversation, oldest first. It
// begins small, grows while requests stay open, up to maxTransactions, and then
// lets the oldest go.
type tracker struct {
	ring  []transaction
	first int
	n     int
	// open is how many are in state open.
	open int
}

func (t *tracker) at(i int) *transaction {
	i += t.first
	if i >= len(t.ring) {
		i -= len(t.ring)
	}
	return &t.ring[i]
}

// add makes room for a new request and tells whether an open one was evicted
// for it.
func (t *tracker) add() (x *transaction, evicted bool) {
	if t.n == len(t.ring) {
		if t.n > 0 && (t.at(0).state != open || t.n >= maxTransactions) {
			if t.at(0).state == open {
				evicted = true
				t.open--
			}
			t.first++
			if t.first == len(t.ring) {
				t.first = 0
			}
			t.n--
		} else {
			t.grow()
		}
	}
	t.n++
	t.open++
	x = t.at(t.n - 1)
	x.state = open
	return x, evicted
}

func (t *tracker) grow() {
	ring := make([]transaction, max(4, min(2*len(t.ring), maxTransactions)))
	for i := range t.n {
		ring[i] = *t.at(i)
	}
	t.ring, t.first = ring, 0
}

// close takes an open request out of those that wait.
func (t *tracker) close(x *transaction, s transactionState) {
	if x.state == open {
		t.open--
	}
	x.state = s
}

// forget lets all open requests go and tells how many there were.
func (t *tracker) forget() int {
	n := t.open
	for i := 0; i < t.n && t.open > 0; i++ {
		if x := t.at(i); x.state == open {
			t.close(x, forgotten)
		}
	}
	return n
}

func (t *tracker) reset() { t.first, t.n, t.open = 0, 0, 0 }

// fit is how well a response fits a request.
type fit uint8

const (
	noFit fit = iota
	otherUnit
	otherFunction
	exact
)

func (x *transaction) fit(m *Message) fit {
	if m.Framing == MBAP {
		switch {
		case x.transaction != m.Transaction:
			return noFit
		case x.unit != m.Unit:
			return otherUnit
		case x.function != m.Function:
			return otherFunction
		}
		return exact
	}
	switch {
	case x.unit != m.Unit:
		return noFit
	case x.function != m.Function:
		return otherFunction
	}
	return exact
}

// match finds the request that a response answers: the oldest open one that
// fits best, or else the newest that was given up or answered before. A request
// that was answered or given up must fit in all.
func (t *tracker) match(m *Message) *transaction {
	var best *transaction
	bestFit := noFit
	if t.open > 0 {
		if x := t.at(t.n - 1); t.open == 1 && x.state == open && x.fit(m) == exact {
			return x
		}
		for i := range t.n {
			x := t.at(i)
			if x.state != open {
				continue
			}
			if f := x.fit(m); f > bestFit {
				best, bestFit = x, f
				if f == exact {
					return best
				}
			}
		}
	}
	for i := t.n - 1; i >= 0; i-- {
		if x := t.at(i); x.state == givenUp && x.fit(m) == exact {
			return x
		}
	}
	if best != nil {
		return best
	}
	for i := t.n - 1; i >= 0; i-- {
		if x := t.at(i); (x.state == answered || x.state == forgotten) && x.fit(m) == exact {
			return x
		}
	}
	return nil
}

// repeated finds an open request that is the same as, or has the transaction
// identifier of, a new one.
func (t *tracker) repeated(m *Message, digest uint64) *transaction {
	if t.open == 0 {
		return nil
	}
	var same *transaction
	for i := t.n - 1; i >= 0; i-- {
		x := t.at(i)
		if x.state != open || x.unit != m.Unit {
			continue
		}
		if x.digest == digest {
			return x
		}
		if m.Framing == MBAP && x.transaction == m.Transaction && same == nil {
			same = x
		}
	}
	return same
}
