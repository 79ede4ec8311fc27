package process

import (
	"math"
	"math/bits"
	"slices"
)

// sketchBits is how many moments two points are compared at.
const sketchBits = 512

type sketch [sketchBits / 64]uint64

// groupsOf puts the points of a ticker in groups that are related to each other.
// One group takes all if they fit; else points are joined with those they move
// together with most, as far as groups stay small enough. Whether two points
// move together is judged by the signs of their deviations and changes at
// sketchBits moments, so that the cost of a pair is a few instructions. alone tells
// that one point is group enough, because points of other paces may explain it.
func (e *Engine) groupsOf(t *ticker, alone bool) [][]*point {
	least := 2
	if alone {
		least = 1
	}
	var members []*point
	for i, p := range t.points {
		if p == nil || p.ticker != t || int(p.column) != i || p.relation != nil {
			continue
		}
		if p.eligible(&t.history.columns[i], len(t.history.times)) {
			members = append(members, p)
		}
	}
	inOrder(members)
	if len(members) > e.settings.MaxRelated {
		members = members[:e.settings.MaxRelated]
	}
	size := e.settings.GroupSize
	if len(members) <= size {
		if len(members) < least {
			return nil
		}
		return [][]*point{members}
	}
	sketches := make([]sketch, len(members))
	for i, p := range members {
		sketches[i] = sketchOf(&t.history, int(p.column))
	}
	pairs := nearest(sketches)
	slices.SortStableFunc(pairs, func(x, y likeness) int { return y.like - x.like })
	root := make([]int32, len(members))
	count := make([]int, len(members))
	for i := range root {
		root[i], count[i] = int32(i), 1
	}
	find := func(i int32) int32 {
		for root[i] != i {
			root[i] = root[root[i]]
			i = root[i]
		}
		return i
	}
	for _, p := range pairs {
		a, b := find(p.a), find(p.b)
		if a == b || count[a]+count[b] > size {
			continue
		}
		if a > b {
			a, b = b, a
		}
		root[b] = a
		count[a] += count[b]
	}
	byRoot := make(map[int32]int)
	var groups [][]*point
	for i, p := range members {
		r := find(int32(i))
		g, ok := byRoot[r]
		if !ok {
			g = len(groups)
			byRoot[r] = g
			groups = append(groups, nil)
		}
		groups[g] = append(groups[g], p)
	}
	return slices.DeleteFunc(groups, func(g []*point) bool { return len(g) < least })
}

// likeness is how much two points move together.
type likeness struct {
	like int
	a, b int32
}

// neighbours is with how many others a point may be joined.
const neighbours = 8

// nearest finds for each sketch those that are most like it, of equals the first
// ones. Each pair is compared once, in tiles, which stay in the processor's nearest
// memory. Tiles meet as the players of a tournament do: in each round each meets one
// other, so that the pairs of a round can be compared at the same time.
func nearest(sketches []sketch) []likeness {
	const tile = 256
	n := len(sketches)
	best := make([][neighbours]likeness, n)
	meet := func(first, second int) {
		first, second = first*tile, second*tile
		for i := first; i < min(first+tile, n); i++ {
			s := &sketches[i]
			for j := max(second, i+1); j < min(second+tile, n); j++ {
				l := s.like(&sketches[j])
				if l >= best[i][neighbours-1].like {
					insert(&best[i], likeness{l, int32(i), int32(j)})
				}
				if l >= best[j][neighbours-1].like {
					insert(&best[j], likeness{l, int32(j), int32(i)})
				}
			}
		}
	}
	tiles := (n + tile - 1) / tile
	sideBySide(tiles, func(k int) { meet(k, k) })
	others := tiles + tiles%2 - 1 // with a bye if they are an odd number
	for round := range others {
		sideBySide((others+1)/2, func(k int) {
			a, b := (round+k)%others, (round-k+others)%others
			if k == 0 {
				b = others
			}
			if max(a, b) < tiles {
				meet(min(a, b), max(a, b))
			}
		})
	}
	var pairs []likeness
	for i := range best {
		for _, b := range best[i] {
			if b.like > 0 {
				pairs = append(pairs, b)
			}
		}
	}
	return pairs
}

// before tells whether x is more than o, or as much with an earlier other.
func (x likeness) before(o likeness) bool { return x.like > o.like || x.like == o.like && x.b < o.b }

// insert puts x among the best, if it is one of them.
func insert(best *[neighbours]likeness, x likeness) {
	k := neighbours - 1
	if !x.before(best[k]) {
		return
	}
	for k > 0 && x.before(best[k-1]) {
		best[k] = best[k-1]
		k--
	}
	best[k] = x
}

// sketchOf takes the signs of deviations from the mean, and of changes, at
// moments spread over the history.
func sketchOf(h *history, i int) sketch {
	var s sketch
	c := &h.columns[i]
	n := len(h.times)
	mean, count := 0.0, 0
	for r := range n {
		if v := c.at(r); !math.IsNaN(v) {
			mean += v
			count++
		}
	}
	mean /= float64(count)
	const half = sketchBits / 2
	for b := range half {
		r := 1 + b*(n-1)/half
		v := c.at(r)
		if v > mean {
			s[b/64] |= 1 << (b % 64)
		}
		if v > c.at(r-1) {
			k := half + b
			s[k/64] |= 1 << (k % 64)
		}
	}
	return s
}

// like is how much two points move together, in either direction.
func (s *sketch) like(o *sketch) int {
	// Written out, because a large site has a billion pairs.
	level := bits.OnesCount64(s[0]^o[0]) + bits.OnesCount64(s[1]^o[1]) + bits.OnesCount64(s[2]^o[2]) + bits.OnesCount64(s[3]^o[3])
	change := bits.OnesCount64(s[4]^o[4]) + bits.OnesCount64(s[5]^o[5]) + bits.OnesCount64(s[6]^o[6]) + bits.OnesCount64(s[7]^o[7])
	return apart(level) + apart(change)
}

// apart is how far a number of bits that differ, of half a sketch, is from chance.
func apart(differ int) int { return max(sketchBits/4-differ, differ-sketchBits/4) }
