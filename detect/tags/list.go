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

// List is a set of tags that do not overlap, in order.
type List struct {
	tags []Tag
	// plain are those of which there is little to say, if the list is packed.
	plain plainTags
}

// NewList makes a list of tags. It fails if two tags take the same register.
func NewList(tags []Tag) (*List, error) { return newList(slices.Clone(tags)) }

// newList is NewList for tags that nobody else has.
func newList(tags []Tag) (*List, error) {
	l := &List{tags: tags}
	slices.SortStableFunc(l.tags, compareTags)
	for i := 1; i < len(l.tags); i++ {
		before, t := &l.tags[i-1], &l.tags[i]
		if p := before.Place(); p.Device == t.Device && p.Unit == t.Unit && p.Kind == t.Kind && before.Last() >= t.Address {
			return nil, fmt.Errorf("tag %q: %s %d of %s unit %d already belongs to tag %q",
				t.Name, t.Kind, t.Address, t.Device, t.Unit, before.Name)
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
	if l.plain.len() == 0 {
		return l.tags
	}
	all := l.plain.appendTo(slices.Grow(slices.Clone(l.tags), l.plain.len()))
	slices.SortFunc(all, compareTags)
	return all
}

// Lookup returns the tag that takes address, or nil. For a value of several
// registers every one of its addresses leads to it.
func (l *List) Lookup(p Place) *Tag {
	if l == nil {
		return nil
	}
	// The tag is the last that begins at the address or before it.
	if t := l.plain.lookup(p); t != nil {
		return t
	}
	i, exact := slices.BinarySearchFunc(l.tags, p, func(t Tag, p Place) int {
		return cmp.Or(t.Device.Compare(p.Device), cmp.Compare(t.Unit, p.Unit), cmp.Compare(t.Kind, p.Kind), cmp.Compare(t.Address, p.Address))
	})
	if !exact {
		i--
	}
	if i < 0 {
		return nil
	}
	if t := &l.tags[i]; t.Device == p.Device && t.Unit == p.Unit && t.Kind == p.Kind && t.Last() >= p.Address {
		return t
	}
	return nil
}

// Merge returns a list of l's tags and those of other that take no register of
// l's.
func (l *List) Merge(other *List) *List {
	if len(l.Tags()) == 0 {
		return other // a large list is not made a second time
	}
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
	merged, err := newList(m.tags)
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
