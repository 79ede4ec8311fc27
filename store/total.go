package store

import (
	"math"
	"slices"
)

// totals are what an hour holds of each series of a bucket, by place.
type totals [1 << bucketBits]struct {
	minutes     []sum
	count       uint64
	first, last int64
	value       float64 // the last
}

// run is readings of a group that are not added up yet.
type run struct {
	minute int64
	done   int   // readings that are complete, the last of which was at before
	before int64 //
	added  []int // for each member, how many of them are added up,
	from   []int64
	// and the time of the first that is not.
}

// atOnce is how many points are put in order at once: it bounds the memory.
const atOnce = 32

// total sums up what blocks of an hour of a bucket hold, minute by minute.
// Readings that say the same are added at once.
func total(each func(func([]byte)) error) (*totals, error) {
	t := &totals{}
	runs := map[*follower]*run{}
	var owner [1 << bucketBits]*follower
	var untidy [1 << bucketBits]bool // not in order, or there twice
	settle := func(f *follower, i int) {
		y := runs[f]
		if n := y.done - y.added[i]; n > 0 {
			v := f.states[i].sample(y.from[i], 0)
			t.add(f.places[i], &v, n, y.before)
		}
		y.added[i], y.from[i] = y.done, f.at
	}
	r := reader{
		arrives: func(f *follower, first bool) {
			y := runs[f]
			if y == nil {
				y = &run{added: make([]int, len(f.places)), from: make([]int64, len(f.places)), minute: math.MinInt64}
				runs[f] = y
				for i, p := range f.places {
					untidy[p] = untidy[p] || slices.Contains(f.places[:i], p)
				}
			}
			late := y.done > 0 && f.at <= y.before
			if first {
				for _, p := range f.places {
					o := owner[p]
					if o != nil && o != f {
						late := f.at <= runs[o].before
						untidy[p] = untidy[p] || late
						settle(o, slices.Index(o.places, p))
					}
					owner[p] = f
				}
			}
			if late {
				for _, p := range f.places {
					untidy[p] = true
				}
			}
			if m := floor(f.at, minute); m != y.minute {
				y.minute = m
				for i := range f.places {
					settle(f, i)
				}
			}
		},
		changes: settle,
		reads: func(f *follower) {
			y := runs[f]
			y.done++
			y.before = f.at
		},
	}
	if err := each(func(data []byte) { _ = r.block(data) }); err != nil {
		return nil, err
	}
	for f := range runs {
		for i := range f.places {
			settle(f, i)
		}
	}
	// A point that several clients read, or that came late, is put in order value by
	// value, some points at a time.
	for p := 0; p < len(untidy); {
		var places uint64
		for n := 0; p < len(untidy) && n < atOnce; p++ {
			if untidy[p] {
				places |= 1 << p
				n++
			}
		}
		if places == 0 {
			break
		}
		var all [1 << bucketBits][]sample
		if err := collectAll(places, each, &all); err != nil {
			return nil, err
		}
		for q := range all {
			if places>>q&1 == 0 {
				continue
			}
			t[q].minutes, t[q].count = nil, 0
			for i := range all[q] {
				t.add(byte(q), &all[q][i], 1, all[q][i].time)
			}
		}
	}
	return t, nil
}

// add adds n readings that say v, the last at a time.
func (t *totals) add(place byte, v *sample, n int, last int64) {
	x := &t[place]
	if x.count == 0 {
		x.first = v.time
	}
	if x.count == 0 || last >= x.last {
		x.last, x.value = last, v.value
	}
	x.count += uint64(n)
	var some sum
	some.add(v)
	some.count, some.numbers = uint32(n), some.numbers*uint32(n)
	x.minutes = gatherSum(x.minutes, &some, minute)
}
