package detect

import "container/heap"

// dues are the alerts that are cleared at some time if nothing more is heard of
// them, the first due in front. The time of an entry may be too early, never too
// late: most alerts are heard of again and again, and are put off only when their
// time comes.
type dues []*life

func (d dues) Len() int           { return len(d) }
func (d dues) Less(i, j int) bool { return d[i].due < d[j].due }

func (d dues) Swap(i, j int) {
	d[i], d[j] = d[j], d[i]
	d[i].place, d[j].place = i+1, j+1
}

// Push implements heap.Interface.
func (d *dues) Push(x any) {
	l := x.(*life)
	*d = append(*d, l)
	l.place = len(*d)
}

// Pop implements heap.Interface.
func (d *dues) Pop() any {
	old := *d
	l := old[len(old)-1]
	old[len(old)-1] = nil
	*d = old[:len(old)-1]
	l.place = 0
	return l
}

// by makes l be looked at at a time, or before.
func (d *dues) by(l *life, at int64) {
	switch {
	case l.place == 0:
		l.due = at
		heap.Push(d, l)
	case at < l.due:
		l.due = at
		heap.Fix(d, l.place-1)
	}
}

// drop forgets l.
func (d *dues) drop(l *life) {
	if l.place != 0 {
		heap.Remove(d, l.place-1)
	}
}

// next takes out those that are due at the earliest time, if that is not after
// clock. endOf tells when an alert really is due, if it is at all.
func (d *dues) next(clock int64, endOf func(*life) (int64, bool)) (due []*life, at int64) {
	for len(*d) > 0 && (*d)[0].due <= clock && (len(due) == 0 || (*d)[0].due == at) {
		l := heap.Pop(d).(*life)
		end, ok := endOf(l)
		switch {
		case !ok:
		case end > l.due:
			d.by(l, end)
		default:
			at = l.due
			due = append(due, l)
		}
	}
	return due, at
}
