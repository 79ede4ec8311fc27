package process

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

// followers are three values that go up and down together, each with a slow error
// of its own, so that its own past is the best prediction of each.
type followers struct {
	*feed
	r      *rand.Rand
	t      int64
	common float64
	own    [3]float64
	offset float64
}

func newFollowers() *followers {
	x := &followers{feed: newFeed([]string{"a", "b", "c"}, Settings{}), r: rand.New(rand.NewPCG(8, 9)), t: time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC).UnixNano()}
	x.keep = true
	return x
}

func (x *followers) run(n int) {
	for range n {
		x.common += 0.1 * (x.r.NormFloat64() - x.common)
		values := make([]float64, 3)
		for i := range values {
			x.own[i] += 0.15 * (0.25*x.r.NormFloat64() - x.own[i])
			values[i] = 50 + 10*(x.common+x.own[i]) + 0.05*x.r.NormFloat64()
		}
		values[0] += x.offset
		x.row(x.t, values)
		x.t += int64(time.Second)
	}
}

// told counts the findings about members by themselves and about their anchors.
func (x *followers) told() (self, anchor int) {
	for _, f := range x.log {
		switch {
		case f.Kind != KindCorrelation || f.Clear:
		case strings.HasSuffix(f.Key, "|anchor"):
			anchor++
			if f.Points[0].Name == "" || f.Expected == "" || !strings.Contains(f.Explanation, f.Points[0].Name) {
				panic("the finding is not whole")
			}
		default:
			self++
		}
	}
	return self, anchor
}

func TestAValueThatDriftsAwaySlowlyIsToldByItsAnchor(t *testing.T) {
	x := newFollowers()
	x.run(12_000)
	x.engine.Watch(x.t)
	x.run(4000)
	if self, anchor := x.told(); self+anchor > 0 {
		t.Fatalf("without a drift there are %d findings, %d of them by anchors", self+anchor, anchor)
	}
	for range 1000 {
		x.offset += 0.003
		x.run(1)
	}
	self, anchor := x.told()
	if anchor == 0 || self > 0 {
		t.Errorf("a drift is told %d times by its anchor, and %d times otherwise", anchor, self)
	}
	x.log = nil
	x.offset = 0
	x.run(300)
	if x.engine.tickers[0].relations[0].slow.active {
		t.Error("the alarm goes on after the drift")
	}
}

func TestAnchorsNeedManyIndependentValues(t *testing.T) {
	for _, rows := range []int{1000, 12_000} {
		x := newFollowers()
		x.run(rows)
		x.engine.Watch(x.t)
		x.run(1)
		if has := x.engine.tickers[0].relations[0].members[0].anchor != nil; has != (rows > 1000) {
			t.Errorf("after %d rows there is an anchor: %v", rows, has)
		}
	}
}
