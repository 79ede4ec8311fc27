package interval

import (
	"math/rand"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestRunsThatTouchBecomeOne(t *testing.T) {
	s := Of(Run{0, 9}, Run{20, 29}, Run{10, 19})
	if diff := cmp.Diff([]Run{{0, 29}}, s.Runs()); diff != "" {
		t.Error(diff)
	}
}

func TestMissingGivesOnlyWhatIsNotThere(t *testing.T) {
	s := Of(Run{10, 19}, Run{30, 39})
	got := s.Missing(nil, 5, 45)
	if diff := cmp.Diff([]Run{{5, 9}, {20, 29}, {40, 45}}, got); diff != "" {
		t.Error(diff)
	}
	if got := s.Missing(nil, 12, 18); got != nil {
		t.Errorf("missing of a covered run = %v, want none", got)
	}
}

func TestTheEndsOfTheAddressSpaceAreOrdinaryAddresses(t *testing.T) {
	var s Set
	s.Add(^uint32(0), ^uint32(0), 0)
	s.Add(0, 0, 0)
	if diff := cmp.Diff([]Run{{0, 0}, {^uint32(0), ^uint32(0)}}, s.Runs()); diff != "" {
		t.Error(diff)
	}
	if !s.Contains(^uint32(0), ^uint32(0)) || s.Contains(1, 1) {
		t.Error("containment at the ends is wrong")
	}
}

func TestTheCapClosesTheSmallestHole(t *testing.T) {
	var s Set
	for _, a := range []uint32{0, 100, 102, 200} {
		s.Add(a, a, 3)
	}
	if diff := cmp.Diff([]Run{{0, 0}, {100, 102}, {200, 200}}, s.Runs()); diff != "" {
		t.Error(diff)
	}
	if s.Widened() != 1 {
		t.Errorf("widened = %d, want 1", s.Widened())
	}
}

func TestASetAgreesWithAPlainMapOnRandomOperations(t *testing.T) {
	rng := rand.New(rand.NewSource(1))
	for round := 0; round < 200; round++ {
		var s Set
		plain := map[uint32]bool{}
		for op := 0; op < 40; op++ {
			first := uint32(rng.Intn(100))
			last := first + uint32(rng.Intn(8))
			isNew := false
			for a := first; a <= last; a++ {
				isNew = isNew || !plain[a]
			}
			if got := s.Contains(first, last); got == isNew {
				t.Fatalf("Contains(%d, %d) = %v in %v", first, last, got, s.Runs())
			}
			missing := map[uint32]bool{}
			for _, r := range s.Missing(nil, first, last) {
				for a := r.First; a <= r.Last; a++ {
					missing[a] = true
				}
			}
			for a := first; a <= last; a++ {
				if missing[a] == plain[a] {
					t.Fatalf("Missing(%d, %d) wrong at %d in %v", first, last, a, s.Runs())
				}
			}
			if got := s.Add(first, last, 0); got != isNew {
				t.Fatalf("Add(%d, %d) = %v, want %v", first, last, got, isNew)
			}
			for a := first; a <= last; a++ {
				plain[a] = true
			}
			if s.Count() != uint64(len(plain)) {
				t.Fatalf("count = %d, want %d", s.Count(), len(plain))
			}
			for i := 1; i < len(s.Runs()); i++ {
				if s.Runs()[i].First <= s.Runs()[i-1].Last+1 {
					t.Fatalf("runs overlap or touch: %v", s.Runs())
				}
			}
		}
	}
}

func TestNearestMeasuresToTheClosestRun(t *testing.T) {
	s := Of(Run{10, 19}, Run{30, 39})
	for address, want := range map[uint32]uint32{0: 10, 15: 0, 22: 3, 28: 2, 45: 6} {
		if got, ok := s.Nearest(address); !ok || got != want {
			t.Errorf("Nearest(%d) = %d, %v, want %d", address, got, ok, want)
		}
	}
}
