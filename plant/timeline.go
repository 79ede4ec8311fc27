package plant

// A timeline holds things by their time, and those of one time in the order in
// which they came: a binary heap without the interface calls of container/heap,
// for every packet passes through one.
type timeline[T any] []moment[T]

type moment[T any] struct {
	time  int64
	seq   uint64
	value T
}

func (h timeline[T]) less(i, j int) bool {
	return h[i].time < h[j].time || h[i].time == h[j].time && h[i].seq < h[j].seq
}

func (h *timeline[T]) push(time int64, seq uint64, value T) {
	*h = append(*h, moment[T]{time, seq, value})
	a := *h
	for i := len(a) - 1; i > 0; {
		up := (i - 1) / 2
		if !a.less(i, up) {
			break
		}
		a[i], a[up] = a[up], a[i]
		i = up
	}
}

// pop takes out the earliest; there must be one.
func (h *timeline[T]) pop() (time int64, value T) {
	a := *h
	top, last := a[0], len(a)-1
	a[0] = a[last]
	a[last] = moment[T]{}
	a = a[:last]
	for i := 0; ; {
		least := i
		for c := 2*i + 1; c <= 2*i+2 && c < last; c++ {
			if a.less(c, least) {
				least = c
			}
		}
		if least == i {
			break
		}
		a[i], a[least] = a[least], a[i]
		i = least
	}
	*h = a
	return top.time, top.value
}
