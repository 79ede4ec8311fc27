// Package interval keeps sets of addresses as runs, so that a device with ten
// thousand registers costs as much as the few blocks they are read in.
package interval

import "sort"

// Run is the addresses First to Last, both included.
type Run struct {
	First, Last uint32
}

// Set is a set of addresses: runs in ascending order that neither overlap nor
// touch. The zero Set is empty.
type Set struct {
	runs []Run
	// first is runs[0], if there is one: most sets have no other, and then nearly
	// every question is answered without the memory of runs.
	first Run
	// widened counts how often the cap made two runs one.
	widened uint64
}

// Of makes a set of runs.
func Of(runs ...Run) Set {
	var s Set
	for _, r := range runs {
		s.Add(r.First, r.Last, 0)
	}
	return s
}

// Contains tells whether every address from first to last is in the set. It
// costs O(log runs) and allocates nothing.
func (s *Set) Contains(first, last uint32) bool {
	if len(s.runs) > 0 && s.first.First <= first && last <= s.first.Last {
		return true
	}
	i := s.search(first)
	return i < len(s.runs) && s.runs[i].First <= first && last <= s.runs[i].Last
}

// search returns the index of the first run that ends at or after address.
func (s *Set) search(address uint32) int {
	// Always as many steps for as many runs, so that there is no branch that the
	// processor could only guess.
	lo, n := 0, len(s.runs)
	for n > 0 {
		half := (n + 1) / 2
		before := int64(s.runs[lo+half-1].Last) - int64(address)
		lo += half & int(before>>63) // if it is negative
		n -= half
	}
	return lo
}

// Add puts first to last into the set and tells whether anything in it was new.
// With limit > 0 the set keeps at most limit runs: when there would be more, the
// two runs with the smallest hole between them become one, so that the set grows
// by the addresses least likely to matter.
func (s *Set) Add(first, last uint32, limit int) bool {
	if last < first {
		return false
	}
	if s.Contains(first, last) {
		return false
	}
	// Runs i to j-1 overlap or touch the new one.
	from := first
	if from > 0 {
		from--
	}
	i := s.search(from)
	j := i
	for j < len(s.runs) && (last == ^uint32(0) || s.runs[j].First <= last+1) {
		first = min(first, s.runs[j].First)
		last = max(last, s.runs[j].Last)
		j++
	}
	if i == j {
		s.runs = append(s.runs, Run{})
		copy(s.runs[i+1:], s.runs[i:])
	} else {
		s.runs = append(s.runs[:i+1], s.runs[j:]...)
	}
	s.runs[i] = Run{first, last}
	if limit > 0 && len(s.runs) > limit {
		s.closeSmallestHole()
	}
	s.first = s.runs[0]
	return true
}

func (s *Set) closeSmallestHole() {
	best := 0
	for i := 0; i+1 < len(s.runs); i++ {
		if s.hole(i) < s.hole(best) {
			best = i
		}
	}
	s.runs[best].Last = s.runs[best+1].Last
	s.runs = append(s.runs[:best+1], s.runs[best+2:]...)
	s.widened++
}

func (s *Set) hole(i int) uint32 { return s.runs[i+1].First - s.runs[i].Last }

// Missing appends to dst the runs of first to last that are not in the set.
func (s *Set) Missing(dst []Run, first, last uint32) []Run {
	for i := s.search(first); i < len(s.runs) && s.runs[i].First <= last; i++ {
		if first < s.runs[i].First {
			dst = append(dst, Run{first, s.runs[i].First - 1})
		}
		if s.runs[i].Last >= last {
			return dst
		}
		first = s.runs[i].Last + 1
	}
	return append(dst, Run{first, last})
}

// Merge adds all of t.
func (s *Set) Merge(t *Set, limit int) {
	for _, r := range t.runs {
		s.Add(r.First, r.Last, limit)
	}
}

// Runs returns the runs in ascending order; the caller must not change them.
func (s *Set) Runs() []Run { return s.runs }

// Count returns how many addresses are in the set.
func (s *Set) Count() uint64 {
	var n uint64
	for _, r := range s.runs {
		n += uint64(r.Last-r.First) + 1
	}
	return n
}

// Widened returns how often the cap of Add made two runs one.
func (s *Set) Widened() uint64 { return s.widened }

// Nearest returns the distance from address to the closest address in the set,
// and false if the set is empty.
func (s *Set) Nearest(address uint32) (uint32, bool) {
	if len(s.runs) == 0 {
		return 0, false
	}
	i := sort.Search(len(s.runs), func(i int) bool { return s.runs[i].Last >= address })
	best := ^uint32(0)
	if i < len(s.runs) {
		if s.runs[i].First <= address {
			return 0, true
		}
		best = s.runs[i].First - address
	}
	if i > 0 {
		best = min(best, address-s.runs[i-1].Last)
	}
	return best, true
}
