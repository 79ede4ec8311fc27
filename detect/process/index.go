package process

import "slices"

// pointIndex finds a point by its key. The points of one table of a device stand
// side by side, in pages: an entry of a map for each of a million points would
// take more memory than most of the points.
type pointIndex struct {
	// all are the points of the Engine, which pages name by their places.
	all    *pieces[point]
	tables map[pointKey]*pointTable // by the key of the point with index 0
	// last is the table that was used last, of lastKey.
	last    *pointTable
	lastKey pointKey
}

// pointTable holds the pages of a table in the order of their numbers.
type pointTable struct {
	numbers []uint32
	pages   []*pointPage
}

const pointPageBits = 5

// pointPage holds, for each point, one more than its place; 0 is none.
type pointPage [1 << pointPageBits]uint32

func newPointIndex(all *pieces[point]) pointIndex {
	return pointIndex{all: all, tables: make(map[pointKey]*pointTable)}
}

// get returns the point with a key, nil if there is none.
func (x *pointIndex) get(k pointKey) *point {
	if n := x.number(k); n >= 0 {
		return x.all.at(n)
	}
	return nil
}

// number is the place of the point with a key, -1 if there is none.
func (x *pointIndex) number(k pointKey) int {
	at := k.index
	t := x.table(k)
	if t == nil {
		return -1
	}
	i, ok := slices.BinarySearch(t.numbers, at>>pointPageBits)
	if !ok {
		return -1
	}
	return int(t.pages[i][at&(1<<pointPageBits-1)]) - 1
}

// put gives a key the point at a place.
func (x *pointIndex) put(k pointKey, place int) { x.set(k, uint32(place)+1) }

// remove takes the point of a key away.
func (x *pointIndex) remove(k pointKey) { x.set(k, 0) }

func (x *pointIndex) set(k pointKey, n uint32) {
	t := x.table(k)
	if t == nil {
		t = new(pointTable)
		key := k
		key.index = 0
		x.tables[key], x.last, x.lastKey = t, t, key
	}
	number := k.index >> pointPageBits
	i, ok := slices.BinarySearch(t.numbers, number)
	if !ok {
		if n == 0 {
			return
		}
		t.numbers = slices.Insert(t.numbers, i, number)
		t.pages = slices.Insert(t.pages, i, new(pointPage))
	}
	t.pages[i][k.index&(1<<pointPageBits-1)] = n
}

func (x *pointIndex) table(k pointKey) *pointTable {
	k.index = 0
	if x.last == nil || k != x.lastKey {
		t := x.tables[k]
		if t == nil {
			return nil
		}
		x.last, x.lastKey = t, k
	}
	return x.last
}
