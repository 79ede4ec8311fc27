package process

import (
	"math/rand/v2"
	"testing"
)

// plainly is what the switches before a row make of the residual of each member,
// found by looking at all responses.
func (r *relation) plainly(at, interval int64) []spread {
	out := make([]spread, len(r.members))
	for i := range r.responses {
		x := &r.responses[i]
		s := spread{}
		since := r.since[x.kind]
		if age := ageOf(at-since, interval); since != 0 && age < int(x.rows) {
			s = r.after(x)[age].spread()
		} else if (since == 0 || age >= longestResponse) && x.stay.width > 1 && r.stays(int(x.kind)) {
			s = x.stay.spread()
		}
		if s.width > 0 {
			out[x.member] = out[x.member].wider(s)
		}
	}
	return out
}

func TestTheResponsesThatAreLookedUpAreThoseThatLookingAtAllFinds(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	const interval, members, switches = int64(1e9), 5, 6
	for range 50 {
		r := &relation{members: make([]member, members), since: make([]int64, 2*switches)}
		for range switches {
			p := &point{profile: &profile{nature: natureState, states: []visited{{value: 1}, {value: 0}}, shape: noShape}, rare: noRare}
			r.switches = append(r.switches, p)
		}
		for range 40 {
			x := response{kind: int32(random.IntN(2 * switches)), member: int32(random.IntN(members))}
			// Few widths, so that many are as wide as others; the shift tells whose it is.
			some := func() narrow { return narrow{float32(random.NormFloat64()), float32(1 + random.IntN(3))} }
			var after []narrow
			for range random.IntN(longestResponse + 1) {
				after = append(after, some())
			}
			if random.IntN(3) == 0 {
				x.stay = some()
			}
			r.addResponse(x, after)
		}
		r.prepare()
		relations := []*relation{r}
		b := newBoard(relations)
		at, said := int64(1e15), 0
		for row := range 400 {
			at += interval
			for _, p := range r.switches {
				if !p.has() {
					p.set(markValue, random.IntN(10) == 0)
				} else if random.IntN(10+row/10) == 0 {
					p.value = float64(random.IntN(2))
				}
			}
			b.look(relations, at)
			r.respond(at, interval)
			for j, want := range r.plainly(at, interval) {
				if got := r.members[j].after; got != want && (got.width > 1 || want.width > 1) {
					t.Fatalf("row %d: member %d is said to be %v, want %v", row, j, got, want)
				}
				if want.width > 1 {
					said++
				}
			}
		}
		if said == 0 {
			t.Error("no response said anything")
		}
	}
}
