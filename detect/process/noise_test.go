package process

import "testing"

func TestNoiseOfAValueThatStaysIsCountedAsIfEachHadBeenTaken(t *testing.T) {
	for _, before := range [][]float64{nil, {1}, {1, 3}, {1, 3, 2}, {5, 5, 5}} {
		for n := range uint32(3 * noiseLength) {
			var all, once noise
			for _, v := range before {
				all.add(v, noiseLength)
				once.add(v, noiseLength)
			}
			for range n {
				all.add(7.3, noiseLength)
			}
			if once.repeat(7.3, n); once != all {
				t.Fatalf("after %v and %d times the same: %+v, want %+v", before, n, once, all)
			}
		}
	}
}
