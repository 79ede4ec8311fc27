package capture

import (
	"context"
	"io"
)

// pump reads the standard input on a goroutine of its own, because a read of a
// silent pipe cannot be interrupted: a cancelled context ends the input at
// once, and leaves the goroutine in its read until the program ends.
type pump struct {
	from      io.Reader
	cancelled <-chan struct{} // of the call under way

	full  chan piece
	empty chan []byte
	last  []byte // what rest is of
	rest  []byte
	err   error
}

type piece struct {
	data []byte
	err  error
}

// pumpSize is how much is read at once.
const pumpSize = 256 << 10

// Read reads what the goroutine has read.
func (p *pump) Read(b []byte) (int, error) {
	if p.full == nil {
		p.full, p.empty = make(chan piece, 2), make(chan []byte, 2)
		for range 2 {
			p.empty <- make([]byte, pumpSize)
		}
		go p.run()
	}
	for len(p.rest) == 0 {
		if p.err != nil {
			return 0, p.err
		}
		if p.last != nil {
			p.empty <- p.last[:cap(p.last)]
			p.last = nil
		}
		select {
		case got := <-p.full:
			p.last, p.rest, p.err = got.data, got.data, got.err
		case <-p.cancelled:
			return 0, context.Canceled
		}
	}
	n := copy(b, p.rest)
	p.rest = p.rest[n:]
	return n, nil
}

func (p *pump) run() {
	for b := range p.empty {
		n, err := p.from.Read(b)
		p.full <- piece{b[:n], err}
		if err != nil {
			return
		}
	}
}
