package tags

import (
	"cmp"
	"math"
	"net/netip"
	"slices"

	"github.com/weir-ics/weir/protocols"
)

// plainTags are tags that say how a register is read and nothing else, as nearly
// all that are inferred do: 24 octets each instead of 112. They are in order.
type plainTags struct {
	tables []plainTable
	tags   []plainTag
}

// plainTable is the table of a device that the tags up to end, from the end of
// the table before on, are in.
type plainTable struct {
	device netip.Addr
	unit   uint16
	kind   protocols.PointKind
	end    int
}

type plainTag struct {
	confidence float64
	address    uint32
	encoding   Encoding
}

// Packed returns the same list in less memory, for one that is only looked into
// now and then.
func (l *List) Packed() *List {
	if l == nil {
		return nil
	}
	p := new(List)
	n := 0
	tags := l.Tags()
	for i := range tags {
		if tags[i].plain() {
			n++
		}
	}
	p.plain.tags = make([]plainTag, 0, n)
	p.tags = make([]Tag, 0, len(tags)-n)
	for i := range tags {
		if t := &tags[i]; t.plain() {
			p.plain.add(t)
		} else {
			p.tags = append(p.tags, *t)
		}
	}
	return p
}

// plain tells whether nothing is said of t but how it is read.
func (t *Tag) plain() bool {
	return t.Name == "" && t.EngineeringUnit == "" && t.Scale == 1 && t.Offset == 0 && math.IsNaN(t.Low) && math.IsNaN(t.High)
}

func (x *plainTags) len() int { return len(x.tags) }

// add adds a tag that comes after all others.
func (x *plainTags) add(t *Tag) {
	n := len(x.tables)
	if n == 0 || x.tables[n-1].compare(t.Device, t.Unit, t.Kind) != 0 {
		x.tables = append(x.tables, plainTable{device: t.Device, unit: t.Unit, kind: t.Kind})
		n++
	}
	x.tags = append(x.tags, plainTag{t.Confidence, t.Address, t.Encoding})
	x.tables[n-1].end = len(x.tags)
}

func (t *plainTable) compare(device netip.Addr, unit uint16, kind protocols.PointKind) int {
	return cmp.Or(t.device.Compare(device), cmp.Compare(t.unit, unit), cmp.Compare(t.kind, kind))
}

// in returns the tags of a table.
func (x *plainTags) in(table int) []plainTag {
	from := 0
	if table > 0 {
		from = x.tables[table-1].end
	}
	return x.tags[from:x.tables[table].end]
}

func (t *plainTable) tag(p *plainTag) Tag {
	return Tag{Device: t.device, Unit: t.unit, Kind: t.kind, Address: p.address, Encoding: p.encoding, Scale: 1, Low: math.NaN(), High: math.NaN(), Confidence: p.confidence}
}

// lookup returns a copy of the tag that takes an address, or nil.
func (x *plainTags) lookup(p Place) *Tag {
	k, ok := slices.BinarySearchFunc(x.tables, p, func(t plainTable, p Place) int { return t.compare(p.Device, p.Unit, p.Kind) })
	if !ok {
		return nil
	}
	tags := x.in(k)
	i, exact := slices.BinarySearchFunc(tags, p.Address, func(t plainTag, a uint32) int { return cmp.Compare(t.address, a) })
	if !exact {
		i--
	}
	if i < 0 {
		return nil
	}
	if t := x.tables[k].tag(&tags[i]); t.Last() >= p.Address {
		return &t
	}
	return nil
}

// appendTo appends all tags.
func (x *plainTags) appendTo(all []Tag) []Tag {
	for k := range x.tables {
		for i := range x.in(k) {
			all = append(all, x.tables[k].tag(&x.in(k)[i]))
		}
	}
	return all
}
