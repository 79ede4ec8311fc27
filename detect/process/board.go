package process

import "math"

// board is where the switches of a ticker are. A switch is one of many relations:
// what has changed is found once a row, and told to those it matters to.
type board struct {
	points    []*point
	positions []float64
	// told are who is told of each point: those from first on.
	first []int32
	told  []listener
	// weights is how many weights all relations have.
	weights int
}

// listener is a relation, by its place in the ticker, and the place of a switch in it.
type listener struct{ relation, place int32 }

// swing is how a switch changed.
type swing uint8

const (
	// swingNone is that it came to be known.
	swingNone swing = iota
	swingUp
	swingDown
)

func newBoard(relations []*relation) *board {
	b := &board{}
	places := make(map[*point]int)
	for _, r := range relations {
		b.weights += len(r.members) * r.columns()
		for _, p := range r.switches {
			if _, ok := places[p]; !ok {
				places[p] = len(b.points)
				b.points = append(b.points, p)
				b.positions = append(b.positions, math.NaN())
			}
		}
	}
	b.first = make([]int32, len(b.points)+1)
	for _, r := range relations {
		for _, p := range r.switches {
			b.first[places[p]+1]++
		}
	}
	for i := range b.points {
		b.first[i+1] += b.first[i]
	}
	b.told = make([]listener, b.first[len(b.points)])
	next := make([]int32, len(b.points))
	for i, r := range relations {
		for s, p := range r.switches {
			k := places[p]
			b.told[b.first[k]+next[k]] = listener{int32(i), int32(s)}
			next[k]++
		}
	}
	return b
}

// look finds which switches changed since the last row, and tells the relations,
// which are those that b was made of.
func (b *board) look(relations []*relation, at int64) {
	for i, p := range b.points {
		was := b.positions[i]
		if p.value == was || !p.has() {
			continue
		}
		t := swingNone
		switch {
		case p.value > was:
			t = swingUp
		case p.value < was:
			t = swingDown
		}
		b.positions[i] = p.value
		for _, l := range b.told[b.first[i]:b.first[i+1]] {
			relations[l.relation].turn(l.place, t, at)
		}
	}
}
