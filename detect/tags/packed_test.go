package tags

import (
	"bytes"
	"fmt"
	"math"
	"net/netip"
	"testing"

	"github.com/weir-ics/weir/protocols"
)

func TestAPackedListSaysTheSame(t *testing.T) {
	var tags []Tag
	for d := range 3 {
		for unit := range 2 {
			for a := range 40 {
				x := Tag{Device: netip.AddrFrom4([4]byte{10, 0, 0, byte(d)}), Unit: uint16(unit), Kind: protocols.KindHoldingRegister, Address: uint32(4 * a),
					Encoding: Encoding{Type: Uint16}, Scale: 1, Low: math.NaN(), High: math.NaN(), Confidence: float64(a) / 40}
				switch a % 8 {
				case 1:
					x.Encoding = Encoding{Type: Float32, Order: CDAB}
				case 2:
					x.Name = fmt.Sprint("tank ", a)
				case 3:
					x.Scale = 0.1
				case 4:
					x.High = 7
				}
				tags = append(tags, x)
			}
		}
	}
	list, err := NewList(tags)
	if err != nil {
		t.Fatal(err)
	}
	packed := list.Packed()
	if n := packed.plain.len(); n != len(tags)*5/8 {
		t.Errorf("%d of %d tags are packed", n, len(tags))
	}
	var a, b bytes.Buffer
	if list.Save(&a) != nil || packed.Save(&b) != nil || a.String() != b.String() {
		t.Errorf("the packed list is saved as\n%s\nwant\n%s", b.String(), a.String())
	}
	for d := range 4 {
		for unit := range 3 {
			for address := range 170 {
				p := Place{netip.AddrFrom4([4]byte{10, 0, 0, byte(d)}), uint16(unit), protocols.KindHoldingRegister, uint32(address)}
				x, y := list.Lookup(p), packed.Lookup(p)
				if fmt.Sprint(x) != fmt.Sprint(y) {
					t.Fatalf("at %v there is %v, want %v", p, y, x)
				}
			}
		}
	}
}
