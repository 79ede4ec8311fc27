package protocols_test

import (
	"testing"

	"github.com/weir-ics/weir/protocols"
)

func TestADigestDependsOnEachBitAndOnTheLength(t *testing.T) {
	seen := map[uint64]string{}
	put := func(p []byte) {
		d := protocols.Digest(p)
		if other, had := seen[d]; had && other != string(p) {
			t.Fatalf("% x and % x have the same digest", other, p)
		}
		seen[d] = string(p)
	}
	for n := range 40 {
		p := make([]byte, n)
		put(p)
		for bit := range 8 * n {
			p[bit/8] ^= 1 << (bit % 8)
			put(p)
			p[bit/8] ^= 1 << (bit % 8)
		}
	}
}
