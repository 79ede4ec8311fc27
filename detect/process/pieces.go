package process

import (
	"iter"

	"github.com/weir-ics/weir/detect"
)

// pieces is a list that grows without moving what is in it, so that half a word, the
// number of an element, names it as well as a pointer does.
type pieces[T any] struct {
	list []*[pieceLength]T
	n    int
}

const (
	pieceBits   = 9
	pieceLength = 1 << pieceBits
)

func (x *pieces[T]) len() int { return x.n }

// at is the element with a number, which is less than len.
func (x *pieces[T]) at(i int) *T { return &x.list[i>>pieceBits][i&(pieceLength-1)] }

// next is the place of the element that add adds.
func (x *pieces[T]) next() *T {
	if x.n == len(x.list)<<pieceBits {
		x.list = append(x.list, new([pieceLength]T))
	}
	return x.at(x.n)
}

// add adds the next element.
func (x *pieces[T]) add() *T {
	p := x.next()
	x.n++
	return p
}

// each gives the points in the order in which they appeared, but for those whose
// place another took.
func (e *Engine) each() iter.Seq2[int, *point] {
	return func(yield func(int, *point) bool) {
		for i := range e.order.len() {
			if p := e.order.at(i); !p.retired() && !yield(i, p) {
				return
			}
		}
	}
}

// What Series.Model is: one more than the number of its point, or, if the point has
// several series, that of what this one says, with severalSeries. 0 is nothing yet.
// It may be from another Engine, so that what it leads to must know the series.
const severalSeries = 1 << 31

// numbered is the point that a series has the number of, nil if that is not one.
func (e *Engine) numbered(s *detect.Series) *point {
	if i := uint(s.Model) - 1; i < uint(e.order.len()) {
		return e.order.at(int(i))
	}
	return nil
}

// sourceOf is what a series says of a point that has several, nil if it is not one of
// these.
func (e *Engine) sourceOf(s *detect.Series) *source {
	if i := uint(s.Model&^severalSeries) - 1; s.Model >= severalSeries && i < uint(e.sources.len()) {
		if x := e.sources.at(int(i)); x.series == s {
			return x
		}
	}
	return nil
}

// known is the point of a series that was seen before, nil if it was not.
func (e *Engine) known(s *detect.Series) *point {
	if p := e.numbered(s); p != nil && p.series == s && !p.retired() {
		return p
	}
	if x := e.sourceOf(s); x != nil && !x.point.retired() {
		return x.point
	}
	return nil
}

// source is a series of a point that has several, and what it last said.
type source struct {
	series   *detect.Series
	point    *point
	value    float64
	flags    uint8
	hasFlags bool
}

// newSource makes a series be one of several of p.
func (e *Engine) newSource(s *detect.Series, p *point) *source {
	x := e.sources.add()
	x.series, x.point = s, p
	s.Model = severalSeries | uint32(e.sources.len())
	return x
}

// shareSeries tells that s is another series of p.
func (e *Engine) shareSeries(p *point, s *detect.Series) {
	if e.sourceOf(p.series) == nil {
		x := e.newSource(p.series, p)
		x.value, x.flags, x.hasFlags = p.value, p.flags, p.hasFlags()
	}
	e.newSource(s, p)
	e.share(p)
}
