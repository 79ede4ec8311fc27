package process

import "slices"

// answering is what a relation needs to find, in each row, what the switches before
// it make of the residuals. Of hundreds of responses only few say anything in a row.
type answering struct {
	// byKind are the places of the responses that say something of the rows right after
	// a switch, those to one kind of switch after those to another: first is, a kind and
	// one more, where they begin. said is what they say, one after the other. reach is,
	// a kind, for how many rows.
	byKind []int32
	first  []int32
	said   []narrow
	reach  []uint8
	// recent are the kinds that were switched fewer rows ago than they reach.
	recent []int32
	// staying are the places of the responses with a stay.
	staying []int32
	// heeded tells, a switch, that it matters where it is, and not only that it
	// moves; held, a kind, that its switch is in the state it leads to.
	heeded, held []bool
	// changed tells that a switch changed since the last row, turned that one of
	// held came or went since meet looked.
	changed, turned bool
	// estranged tells that some member is in states that were not seen together.
	estranged bool
}

// prepare finds the order in which responses are looked up. It needs the responses
// and what was not seen together.
func (r *relation) prepare() {
	kinds := 2 * len(r.switches)
	a := answering{first: make([]int32, kinds+1), reach: make([]uint8, kinds), heeded: make([]bool, len(r.switches)), held: make([]bool, kinds)}
	rows := 0
	for i := range r.responses {
		x := &r.responses[i]
		a.reach[x.kind] = max(a.reach[x.kind], uint8(x.rows))
		if x.rows > 0 {
			a.byKind = append(a.byKind, int32(i))
			rows += int(x.rows)
		}
		if x.stay.width > 1 {
			a.staying = append(a.staying, int32(i))
			a.heeded[x.kind/2] = true
		}
	}
	slices.SortStableFunc(a.byKind, func(i, j int32) int { return int(r.responses[i].kind - r.responses[j].kind) })
	a.byKind = slices.Clone(a.byKind)
	// What is read together lies side by side.
	a.said = make([]narrow, 0, rows)
	for _, i := range a.byKind {
		x := &r.responses[i]
		a.first[x.kind+1]++
		a.said = append(a.said, r.after(x)...)
		x.from = int32(len(a.said)) - x.rows
	}
	for k := range kinds {
		a.first[k+1] += a.first[k]
	}
	for i := range r.unmets {
		a.heeded[r.unmets[i].a/2], a.heeded[r.unmets[i].b/2] = true, true
	}
	r.answering = a
}

// turn takes in that, up to the row at a time, a switch went up or down, or came to be
// known.
func (r *relation) turn(s int32, t swing, at int64) {
	switch t {
	case swingUp:
		r.switched(2*s+1, at)
	case swingDown:
		r.switched(2*s, at)
	}
	if r.heeded[s] {
		// Its states are those of learning, which has seen both: they stay what they are.
		down, up := r.stays(int(2*s)), r.stays(int(2*s+1))
		r.turned = r.turned || down != r.held[2*s] || up != r.held[2*s+1]
		r.held[2*s], r.held[2*s+1] = down, up
	}
}

// respond finds what the switches before a row make of the residuals. It tells
// whether one changed since the last row.
func (r *relation) respond(at, interval int64) (changed bool) {
	changed, r.changed = r.changed, false
	if changed && r.turned {
		r.meet()
		r.turned = false
	}
	if r.responding {
		for j := range r.members {
			r.members[j].after = spread{}
		}
		r.responding = false
	}
	recent := r.recent[:0]
	for _, k := range r.recent {
		age := ageOf(at-r.since[k], interval)
		if age >= int(r.reach[k]) {
			continue
		}
		recent = append(recent, k)
		for _, i := range r.byKind[r.first[k]:r.first[k+1]] {
			if x := &r.responses[i]; age < int(x.rows) {
				r.widen(x.member, i, r.said[x.from+int32(age)].spread())
			}
		}
	}
	r.recent = recent
	settled := longestResponse*interval - interval/2 // an age of longestResponse rows
	for _, i := range r.staying {
		x := &r.responses[i]
		if r.held[x.kind] && at-r.since[x.kind] >= settled {
			r.widen(x.member, i, x.stay.spread())
		}
	}
	return changed
}

// switched takes in that a kind of switch was seen.
func (r *relation) switched(kind int32, at int64) {
	r.since[kind], r.changed = at, true
	if r.reach[kind] > 0 && !slices.Contains(r.recent, kind) {
		r.recent = append(r.recent, kind)
	}
}

// widen takes in what the response at a place says of a member in this row. The widest
// counts, and of several the first.
func (r *relation) widen(member, place int32, s spread) {
	m := &r.members[member]
	if s.width > max(1, m.after.width) || s.width == m.after.width && place < m.answer {
		m.after, m.answer = s, place
	}
	r.responding = true
}

// stays tells whether the switch of a kind is in the state it switched to.
func (r *relation) stays(kind int) bool {
	p := r.switches[kind/2]
	if !p.has() || p.profile == nil || len(p.profile.states) < 2 {
		return false
	}
	low, high := p.profile.states[0].value, p.profile.states[1].value
	if low > high {
		low, high = high, low
	}
	return kind%2 == 0 && near(p.value, low) || kind%2 == 1 && near(p.value, high)
}
