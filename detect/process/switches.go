package process

import (
	"net/netip"
	"slices"
)

const (
	// manySwitches is how many of them show what follows a switch so well that
	// the rows after it are judged like others.
	manySwitches = 200
	// longestSettling is for how many rows at most nothing is judged after a
	// switch.
	longestSettling = 32
)

// states are, a device, the columns of the points of t that have few values.
func (t *ticker) states() map[netip.Addr][]int32 {
	out := make(map[netip.Addr][]int32)
	for i, p := range t.points {
		if p == nil || p.profile == nil || int(p.column) != i {
			continue
		}
		if n := p.profile.nature; n == natureState || n == natureConstant {
			out[p.series.Device] = append(out[p.series.Device], int32(i))
		}
	}
	return out
}

// findSwitches finds the states of the devices of r and their turns, and tells in
// which rows of the history one of them changed. states are those of t.
func (r *relation) findSwitches(t *ticker, states map[netip.Addr][]int32) (moved []bool, all []turns) {
	devices := make(map[netip.Addr]bool)
	var columns []int32
	for i := range r.members {
		device := r.members[i].point.series.Device
		if !devices[device] {
			devices[device] = true
			columns = append(columns, states[device]...)
		}
	}
	slices.Sort(columns)
	h := &t.history
	moved = make([]bool, len(h.times))
	appeared := 0
	for _, i := range columns {
		p := t.points[i]
		r.switches = append(r.switches, p)
		all = append(all, h.columns[i].turns())
		x := &all[len(all)-1]
		for _, turn := range x.list {
			moved[turn.row] = true
		}
		appeared = max(appeared, x.from)
	}
	// Before one of them was there, it is not known whether it changed.
	for k := 1; k < len(moved) && k <= appeared; k++ {
		moved[k] = true
	}
	return moved, all
}

// settleTime finds for how many rows after a switch residuals are larger than
// usual, and tells which rows of data are settled. With many switches, or none,
// all are.
func (r *relation) settleTime(data learned, moved []bool, residuals [][]float64) []bool {
	settled := make([]bool, data.rows)
	since := make([]int, data.rows)
	n := 0
	last := -longestSettling - 1
	row := 0
	for i := range settled {
		for ; row <= data.from[i]; row++ {
			if moved[row] {
				last = row
				n++
			}
		}
		settled[i] = true
		since[i] = data.from[i] - last
	}
	if n == 0 {
		// None was seen: what follows the first is not known.
		r.unsettled = longestSettling / 4
		return settled
	}
	if n >= manySwitches {
		return settled
	}
	// The mean, over members, of squared residuals as a part of what they
	// usually are.
	var sum, count [longestSettling + 1]float64
	for j := range residuals {
		usual, rows := 0.0, 0.0
		for i, v := range residuals[j] {
			if since[i] >= longestSettling {
				usual += v * v
				rows++
			}
		}
		if rows == 0 || usual == 0 {
			continue
		}
		for i, v := range residuals[j] {
			if since[i] < longestSettling {
				sum[since[i]] += v * v / (usual / rows)
				count[since[i]]++
			}
		}
	}
	r.unsettled = 2
	for k := range longestSettling {
		if count[k] > 0 && sum[k]/count[k] > 4 {
			r.unsettled = max(r.unsettled, k+2)
		}
	}
	r.unsettled = min(r.unsettled, longestSettling)
	left := 0
	for i := range settled {
		settled[i] = since[i] >= r.unsettled
		if settled[i] {
			left++
		}
	}
	if left < len(settled)/4 {
		// Hardly anything would be judged.
		r.unsettled = 0
		for i := range settled {
			settled[i] = true
		}
	}
	return settled
}
