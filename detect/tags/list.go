package tags

import (
	"cmp"
	"fmt"
	"math"
	"net/netip"
	"slices"

	"github.com/weir-ics/weir/protocols"
)

// Tag is what is known of one point.
type Tag struct {
	// Device is the server or outstation; Unit its Modbus unit or DNP3 address.
	Device netip.Addr
	Unit   uint16
	Kind   protocols.PointKind
	// Address is the Modbus address, 0-based as on the wire, or the DNP3 index.
	Address uint32
	Name    string
	Encoding
	// Scale and Offset turn the encoded number into engineering units:
	// value = number*Scale + Offset.
	Scale, Offset float64
	// EngineeringUnit is free text ("m", "l/s").
	EngineeringUnit string
	// Low and High are the limits that the engineer gave, NaN for none.
	Low, High float64
	// Confidence is 0 to 1 for an inferred tag, 1 for one that was given.
	Confidence float64
}

// Last returns the last address the tag takes.
func (t *Tag) Last() uint32 { return t.Address + uint32(t.Type.Registers()) - 1 }

// Place identifies a point on the wire.
type Place struct {
	Device  netip.Addr
	Unit    uint16
	Kind    protocols.PointKind
	Address uint32
}

// Place returns where t is.
func (t *Tag) Place() Place { return Place{t.Device, t.Unit, t.Kind, t.Address} }

// List is a set of tags that do not overlap.
type List struct {
	tags    []Tag
	byPlace map[Place]int32
}

// NewList makes a list of tags. It fails if two tags take the same register.
func NewList(tags []Tag) (*List, error) {
	l := &List{tags: slices.Clone(tags), byPlace: make(map[Place]int32, len(tags))}
	slices.SortStableFunc(l.tags, compareTags)
	for i := range l.tags {
		t := &l.tags[i]
		for a := t.Address; a <= t.Last(); a++ {
			p := Place{t.Device, t.Unit, t.Kind, a}
			if j, taken := l.byPlace[p]; taken {
				return nil, fmt.Errorf("tag %q: %s %d of %s unit %d already belongs to tag %q",
					t.Name, t.Kind, a, t.Device, t.Unit, l.tags[j].Name)
			}
			l.byPlace[p] = int32(i)
		}
	}
	return l, nil
}

func compareTags(a, b Tag) int {
	return cmp.Or(a.Device.Compare(b.Device), cmp.Compare(a.Unit, b.Unit), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Address, b.Address))
}

// Tags returns the tags in the order of device, unit, table and address. The
// caller must not change them.
func (l *List) Tags() []Tag {
	if l == nil {
		return nil
	}
	return l.tags
}

// Lookup returns the tag that takes address, or nil. For a value of several
// registers every one of its addresses leads to it.
func (l *List) Lookup(p Place) *Tag {
	if l == nil {
		return nil
	}
	i, ok := l.byPlace[p]
	if !ok {
		return nil
	}
	return &l.tags[i]
}

// Merge returns a list of l's tags and those of other that take no register of
// l's.
func (l *List) Merge(other *List) *List {
	m := &List{tags: slices.Clone(l.Tags())}
	for _, t := range other.Tags() {
		free := true
		for a := t.Address; a <= t.Last(); a++ {
			if l.Lookup(Place{t.Device, t.Unit, t.Kind, a}) != nil {
				free = false
			}
		}
		if free {
			m.tags = append(m.tags, t)
		}
	}
	merged, err := NewList(m.tags)
	if err != nil {
		// Both lists are free of overlap, and so is what was put together.
		return l
	}
	return merged
}

// Limits returns the tag's limits, infinite where it has none.
func (t *Tag) Limits() (low, high float64) {
	low, high = t.Low, t.High
	if math.IsNaN(low) {
		low = math.Inf(-1)
	}
	if math.IsNaN(high) {
		high = math.Inf(1)
	}
	return low, high
}
