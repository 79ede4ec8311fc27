package process

import (
	"fmt"
	"math"
	"math/bits"
	"slices"
)

// unmet are two states of different switches that were hardly ever seen together in
// learning: the one pump runs without the other. What is expected then adds up what
// follows each of them, and nothing has shown that it does add up.
type unmet struct {
	// a and b are kinds of switches, a the lower one: the states they lead to. A large
	// site has half a million of them.
	a, b uint16
}

// maxUnmet bounds those of a relation, which are of the first mostUnmetKinds kinds.
const (
	maxUnmet       = 1024
	mostUnmetKinds = math.MaxUint16 + 1
)

// findUnmet finds the states that were not seen together for as long as a response
// may take, of switches that something follows; it needs the responses.
func (r *relation) findUnmet(h *history) {
	followers := r.followers()
	seen := make([][]uint64, 2*len(r.switches)) // a bit a row
	for s, p := range r.switches {
		c := &h.columns[p.column]
		if s >= mostUnmetKinds/2 || followers.of(s).empty() || c.moved == nil || p.tally.nStates != 2 {
			continue
		}
		words := (len(h.times) + 63) / 64
		seen[2*s], seen[2*s+1] = make([]uint64, words), make([]uint64, words)
		high := highOf(p.tally)
		for row := int(c.from); row < len(h.times); row++ {
			is := 2 * s
			if c.at(row) == high {
				is++
			}
			seen[is][row/64] |= 1 << (row % 64)
		}
	}
	for a := range seen {
		for b := (a/2 + 1) * 2; b < len(seen) && len(r.unmets) < maxUnmet; b++ {
			if seen[a] == nil || seen[b] == nil || !followers.of(a/2).meet(followers.of(b/2)) {
				continue
			}
			together := 0
			for i, w := range seen[a] {
				together += bits.OnesCount64(w & seen[b][i])
			}
			if together < longestResponse {
				r.unmets = append(r.unmets, unmet{uint16(a), uint16(b)})
			}
		}
	}
}

// highOf is the larger of two states, as a history has it.
func highOf(t *tally) float64 { return float64(float32(math.Max(t.states[0], t.states[1]))) }

// memberSet has a bit a member of a relation.
type memberSet []uint64

func (s memberSet) has(j int) bool { return s[j/64]>>(j%64)&1 != 0 }

func (s memberSet) empty() bool {
	return !slices.ContainsFunc(s, func(w uint64) bool { return w != 0 })
}

// meet tells whether a member is in both sets.
func (s memberSet) meet(o memberSet) bool {
	for i := range s {
		if s[i]&o[i] != 0 {
			return true
		}
	}
	return false
}

// memberSets are sets of as many words each, one after the other.
type memberSets struct {
	words int
	all   memberSet
}

func (x memberSets) of(i int) memberSet { return x.all[i*x.words:][:x.words] }

// followers are, a switch, the members that follow it, up or down.
func (r *relation) followers() memberSets {
	words := (len(r.members) + 63) / 64
	out := memberSets{words, make(memberSet, words*len(r.switches))}
	for i := range r.responses {
		x := &r.responses[i]
		out.of(int(x.kind / 2))[x.member/64] |= 1 << (x.member % 64)
	}
	return out
}

// whoFollows finds which members follow which switch, if there are states that were
// not seen together.
func (r *relation) whoFollows() {
	if r.followedBy = (memberSets{}); len(r.unmets) > 0 {
		r.followedBy = r.followers()
	}
}

// concerns tells whether a pair of states is about a member: it follows both, or it
// is one of the switches.
func (r *relation) concerns(x *unmet, j int) bool {
	a, b := int(x.a/2), int(x.b/2)
	p := r.members[j].point
	return p == r.switches[a] || p == r.switches[b] || r.followedBy.of(a).has(j) && r.followedBy.of(b).has(j)
}

// meet finds, after a switch, which members are in states that were never seen
// together. What such a member was found to be there is let go of when it leaves them:
// it says nothing of the states that are known.
func (r *relation) meet() {
	strange := slices.ContainsFunc(r.unmets, func(x unmet) bool { return r.held[x.a] && r.held[x.b] })
	if !strange && !r.estranged {
		return
	}
	r.estranged = strange
	for j := range r.members {
		r.members[j].meets = nil
	}
	for i := range r.unmets {
		x := &r.unmets[i]
		if !r.held[x.a] || !r.held[x.b] {
			continue
		}
		for j := range r.members {
			if m := &r.members[j]; m.meets == nil && r.concerns(x, j) {
				m.meets = x
			}
		}
	}
	for j := range r.members {
		m := &r.members[j]
		switch strange := m.meets != nil; {
		case strange && !m.strange:
			m.known = m.found()
		case !strange && m.strange:
			m.settleAt(m.known)
		}
		m.strange = m.meets != nil
	}
}

// breaksUnmet gives states that are new together of a member that is off, nil if there
// are none.
func (r *relation) breaksUnmet() *unmet {
	for j := range r.members {
		if m := &r.members[j]; m.strange && m.ratio > release {
			return m.meets
		}
	}
	return nil
}

// foundAt is where a member was found to be, aside from what is expected.
type foundAt struct{ bias, brought, anchor float64 }

func (m *member) found() foundAt {
	l := foundAt{bias: m.bias, brought: m.brought}
	if m.anchor != nil {
		l.anchor = m.anchor.bias
	}
	return l
}

// settleAt puts a member back to where it was.
func (m *member) settleAt(l foundAt) {
	m.bias, m.brought = l.bias, l.brought
	m.sums.up, m.sums.down = 0, 0
	if m.anchor != nil {
		m.anchor.bias = l.anchor
		m.anchor.forget()
	}
}

// together says which two states are new together.
func (r *relation) together(x *unmet) string {
	say := func(kind uint16) string {
		p := r.switches[kind/2]
		return fmt.Sprintf("%s is %s", p.name(), p.quantity(p.value))
	}
	return fmt.Sprintf(" %s while %s, which learning hardly ever saw together: what is expected then is not well known.", say(x.a), say(x.b))
}

// loadUnmet takes over a saved pair of kinds of switches.
func (r *relation) loadUnmet(kinds [2]int) error {
	a, b := kinds[0], kinds[1]
	if a < 0 || a/2 >= b/2 || b >= min(2*len(r.switches), mostUnmetKinds) || len(r.unmets) >= maxUnmet {
		return fmt.Errorf("states %d and %d of %d switches that were not seen together", a, b, len(r.switches))
	}
	r.unmets = append(r.unmets, unmet{uint16(a), uint16(b)})
	return nil
}
