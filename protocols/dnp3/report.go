package dnp3

import (
	"encoding/binary"
	"slices"

	"github.com/weir-ics/weir/protocols"
)

// report puts what the header names and carries into ev.
func (o *Object) report(ev *protocols.Event, g *group, f *function, r *objectsResult) {
	access := f.access
	if g.class == classCommand && access == protocols.AccessReport {
		access = protocols.AccessEcho
	}
	if g.number == 60 {
		o.reportClass(ev, access, r)
		return
	}
	q := &qualifiers[o.Qualifier]
	switch {
	case !o.Carried:
		o.reportNames(ev, g, access)
	case o.v == nil:
	case o.v.bits > 0 && q.prefix == 0:
		o.reportPacked(ev, g, access, r)
	case o.v.plain && !q.sized:
		o.reportFixed(ev, g, access, r)
	default:
		o.reportVariable(ev, g, access, r)
	}
}

// reportClass notes a class that a request names.
func (o *Object) reportClass(ev *protocols.Event, access protocols.Access, r *objectsResult) {
	if o.v == nil {
		return
	}
	class := o.Variation - 1
	r.classes |= 1 << class
	ev.Ranges = append(ev.Ranges, protocols.Range{Kind: protocols.KindClass, Access: access, First: uint32(class)})
}

// reportNames notes the points that a request names without objects.
func (o *Object) reportNames(ev *protocols.Event, g *group, access protocols.Access) {
	if qualifiers[o.Qualifier].prefix > 0 {
		run := runs{kind: g.kind, access: access}
		it := o.iterate()
		for {
			index, _, ok := it.next()
			if !ok {
				break
			}
			run.add(ev, o.pointIndex(index))
		}
		run.end(ev)
		return
	}
	if o.Group == 0 && o.Count > 1 {
		// The same attribute of several sets.
		for i := range min(o.Count, maxAttributeSets) {
			ev.Ranges = append(ev.Ranges, protocols.Range{Kind: g.kind, Access: access, First: o.pointIndex(o.Start + i), Count: 1})
		}
		return
	}
	n := protocols.Range{Kind: g.kind, Access: access, First: o.pointIndex(o.Start), Count: o.Count}
	if o.hasCount() && g.class == classEvent {
		n.Count = 0 // so many of all
	}
	ev.Ranges = append(ev.Ranges, n)
}

// maxAttributeSets is how many sets of device attributes a header names one by
// one; devices have a few.
const maxAttributeSets = 16

// pointIndex is the index that a point is known by: for device attributes the
// set and the attribute.
func (o *Object) pointIndex(index uint32) uint32 {
	if o.Group == 0 {
		return index<<8 | uint32(o.Variation)
	}
	return index
}

// allow returns how many of n more points the bound allows, and notes the rest.
func allow(ev *protocols.Event, n int, r *objectsResult) int {
	have := len(ev.Points) + r.unread
	if free := maxPoints - have; n > free {
		if r.dropped == 0 {
			ev.Violate(TooManyPoints, int64(have+n), maxPoints)
		}
		r.dropped += uint64(n - free)
		n = free
	}
	return n
}

// room returns the place for up to n more points, as many as the bound allows.
func room(ev *protocols.Event, n int, r *objectsResult) []protocols.Point {
	n = allow(ev, n, r)
	at := len(ev.Points)
	ev.Points = slices.Grow(ev.Points, n)[:at+n]
	return ev.Points[at:]
}

// reportPacked reports objects of one or two bits.
func (o *Object) reportPacked(ev *protocols.Event, g *group, access protocols.Access, r *objectsResult) {
	n := min(uint64(o.Count), uint64(len(o.Data))*8/uint64(o.v.bits))
	if n == 0 {
		return
	}
	ev.Ranges = append(ev.Ranges, protocols.Range{Kind: g.kind, Access: access, First: o.Start, Count: uint32(n)})
	if g.number == 12 {
		o.reportMask(ev, access, r, uint32(n))
		return
	}
	if r.noReports && access == protocols.AccessReport {
		r.unread += allow(ev, int(n), r)
		return
	}
	p := protocols.Point{Kind: g.kind, Access: access, Variation: o.Variation, Has: o.v.has}
	bits, mask := uint(o.v.bits), byte(1)<<o.v.bits-1
	points := room(ev, int(n), r)
	for i := range points {
		bit := uint(i) * bits
		p.Index = o.Start + uint32(i)
		p.Value = float64(o.Data[bit>>3] >> (bit & 7) & mask)
		points[i] = p
	}
}

// statusOf is HasStatus for what outstations send: in a request the status is
// only room for theirs.
func statusOf(access protocols.Access) protocols.Has {
	if access == protocols.AccessEcho || access == protocols.AccessReport {
		return protocols.HasStatus
	}
	return 0
}

// reportFixed reports objects of a fixed size.
func (o *Object) reportFixed(ev *protocols.Event, g *group, access protocols.Access, r *objectsResult) {
	v := o.v
	prefix := int(qualifiers[o.Qualifier].prefix)
	stride := prefix + v.size
	n := int(o.Count)
	if uint64(n)*uint64(stride) > uint64(len(o.Data)) { // cut off
		n = len(o.Data) / stride
	}
	if n == 0 {
		return
	}
	if g.number == 12 && v.number == 2 {
		o.notePattern(ev, prefix, r)
		return
	}
	run := runs{kind: g.kind, access: access}
	p := protocols.Point{Kind: g.kind, Access: access, Variation: o.Variation, Has: v.has}
	if v.statusAt >= 0 {
		p.Has |= statusOf(access)
	}
	if v.relative && o.baseState != baseNone {
		p.Has |= protocols.HasTime
		if o.baseState == baseUnsynchronised {
			p.Has |= protocols.TimeUnsynchronised
		}
	} else if v.relative {
		ev.Violate(RelativeTime, 0, 0)
	}
	if g.number == 51 {
		o.noteBase(r)
		if v.number == 2 {
			p.Has |= protocols.TimeUnsynchronised
		}
	}
	data := o.Data
	if prefix == 0 {
		ev.Ranges = append(ev.Ranges, protocols.Range{Kind: g.kind, Access: access, First: o.Start, Count: uint32(n)})
	}
	if r.noReports && access == protocols.AccessReport && p.Has&protocols.HasStatus == 0 {
		n = allow(ev, n, r)
		r.unread += n
		if prefix > 0 {
			for i := range n {
				run.add(ev, readUint32(data[i*stride:], prefix))
			}
			run.end(ev)
		}
		return
	}
	points := room(ev, n, r)
	for i := range points {
		object := data[i*stride : (i+1)*stride]
		index := o.Start + uint32(i)
		if prefix > 0 {
			index = readUint32(object, prefix)
			run.add(ev, index)
			object = object[prefix:]
		}
		at := &points[i]
		*at = p
		at.Index = index
		if v.flagsAt >= 0 {
			at.Flags = object[v.flagsAt]
		}
		if v.valueAt >= 0 {
			at.Value = readValue(object[v.valueAt:], v.valueEnc)
		}
		if v.timeAt >= 0 {
			if v.relative {
				at.Time = nanoseconds(o.base + int64(binary.LittleEndian.Uint16(object[v.timeAt:])))
			} else {
				at.Time = nanoseconds(int64(readUint48(object[v.timeAt:])))
			}
		}
		if v.statusAt >= 0 {
			at.Status = object[v.statusAt] & 0x7F
		}
		if g.class == classCommand {
			o.noteCommand(ev, object, index, at.Status, access, r)
		}
	}
	run.end(ev)
}

// noteBase remembers the common time of occurrence that later relative times
// of the fragment count from.
func (o *Object) noteBase(r *objectsResult) {
	if len(o.Data) >= 6 {
		r.base = int64(readUint48(o.Data))
		r.baseState = baseSynchronised
		if o.Variation == 2 {
			r.baseState = baseUnsynchronised
		}
	}
}

// runs gathers single indexes into ranges.
type runs struct {
	kind   protocols.PointKind
	access protocols.Access
	first  uint32
	count  uint32
}

func (r *runs) add(ev *protocols.Event, index uint32) {
	if r.count > 0 && index == r.first+r.count {
		r.count++
		return
	}
	r.end(ev)
	r.first, r.count = index, 1
}

func (r *runs) end(ev *protocols.Event) {
	if r.count > 0 {
		ev.Ranges = append(ev.Ranges, protocols.Range{Kind: r.kind, Access: r.access, First: r.first, Count: r.count})
		r.count = 0
	}
}
