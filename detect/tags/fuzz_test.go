package tags

import (
	"testing"

	"github.com/weir-ics/weir/detect"
	"github.com/weir-ics/weir/protocols"
)

// FuzzInfer lets a device answer with anything, and settles on types: whatever
// is inferred must be a list without overlap, and extraction must go on.
func FuzzInfer(f *testing.F) {
	f.Add([]byte{0x41, 0x48, 0, 0, 0, 1, 0, 2, 0xFF, 0xFF}, uint8(4))
	f.Add([]byte("a message that goes on and on"), uint8(9))
	f.Fuzz(func(t *testing.T, data []byte, width uint8) {
		if len(data) < 2 {
			return
		}
		x := NewExtractor(nil, Settings{Learn: true, MaxSeries: 64, MaxLearned: 40})
		var out []detect.Sample
		word := func(i int) uint16 {
			return uint16(data[i%len(data)])<<8 | uint16(data[(i+1)%len(data)]) + uint16(i/len(data))
		}
		for i := range 120 {
			e := report(protocols.KindHoldingRegister, uint32(i%3), make([]uint16, int(width)%24+1)...)
			for k := range e.Points {
				e.Points[k].Value = float64(word(i*7 + k*2))
			}
			out = out[:0]
			x.Observe(e, &out)
			if i%16 == 0 {
				Bound(x)
			}
		}
		list, retyped := Settle(nil, x)
		for _, r := range retyped {
			if len(r.Raw) == 0 || r.Typed == nil {
				t.Fatalf("retyped %+v", r)
			}
		}
		if _, err := NewList(list.Tags()); err != nil {
			t.Fatal(err)
		}
		for i := range 20 {
			e := report(protocols.KindHoldingRegister, uint32(i%5), make([]uint16, int(width)%24+1)...)
			out = out[:0]
			x.Observe(e, &out)
		}
	})
}
