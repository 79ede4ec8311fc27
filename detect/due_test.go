package detect

import (
	"math/rand/v2"
	"testing"
)

func TestAlertsAreDueWhenTheyEndAndNotBefore(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 50 {
		var d dues
		ends := map[*life]int64{} // when each really ends
		lives := make([]*life, 20)
		for i := range lives {
			lives[i] = &life{}
		}
		endOf := func(l *life) (int64, bool) { end, ok := ends[l]; return end, ok }
		for clock := int64(1); clock < 2000; clock++ {
			l := lives[r.IntN(len(lives))]
			switch end, open := ends[l]; r.IntN(4) {
			case 0:
				if !open || clock+5 < end { // it begins, or ends sooner than was thought
					ends[l] = clock + 5
					d.by(l, clock+5)
				}
			case 1:
				if open { // it is heard of again; nothing is said of it
					ends[l] = end + r.Int64N(40)
				}
			case 2:
				if r.IntN(5) == 0 {
					delete(ends, l)
					d.drop(l)
				}
			case 3:
				if r.IntN(5) == 0 {
					delete(ends, l) // it does not end by itself any more
				}
			}
			for len(d) > 0 && d[0].due <= clock {
				due, at := d.next(clock, endOf)
				for _, l := range due {
					if ends[l] != at || at != clock {
						t.Fatalf("at %d an alert is taken as due at %d that ends at %d", clock, at, ends[l])
					}
					delete(ends, l)
				}
			}
			for _, end := range ends {
				if end <= clock {
					t.Fatalf("at %d an alert that ended at %d is not due", clock, end)
				}
			}
		}
	}
}
