package dnp3

import (
	"math"

	"github.com/weir-ics/weir/protocols"
)

// extent returns how many octets of body are the objects (or indexes) of o. ok
// is false if what comes after cannot be found.
func (o *Object) extent(ev *protocols.Event, q *qualifier, body []byte) (size int, ok bool) {
	v, prefix := o.v, int(q.prefix)
	switch {
	case !o.Carried:
		return o.bounded(ev, body, uint64(o.Count)*uint64(prefix))
	case q.sized:
		return o.sizedExtent(ev, body, prefix)
	case v == nil:
		return 0, len(body) == 0
	case !q.counted && !q.ranged:
		// "All" cannot be followed by objects.
		if len(body) > 0 {
			ev.Violate(Qualifier, int64(o.Qualifier), int64(QualifierCount8))
		}
		return 0, true
	case v.bits > 0 && prefix == 0:
		return o.bounded(ev, body, (uint64(o.Count)*uint64(v.bits)+7)/8)
	case v.size > 0 || v.bits > 0:
		return o.bounded(ev, body, uint64(o.Count)*uint64(prefix+max(v.size, 1)))
	case v.layout[0].enc == encVariationOctets:
		return o.bounded(ev, body, uint64(o.Count)*uint64(prefix+int(o.Variation)))
	}
	return o.measuredExtent(ev, body, prefix)
}

// bounded returns need, or what there is if that is less.
func (o *Object) bounded(ev *protocols.Event, body []byte, need uint64) (int, bool) {
	if need > uint64(len(body)) {
		ev.Violate(ObjectLength, int64(len(body)), int64(min(need, math.MaxInt64)))
		return len(body), false
	}
	return int(need), true
}

// sizedExtent is extent for objects that stand after their sizes.
func (o *Object) sizedExtent(ev *protocols.Event, body []byte, prefix int) (int, bool) {
	at := 0
	for range o.Count {
		if len(body)-at < prefix {
			ev.Violate(ObjectLength, int64(len(body)-at), int64(prefix))
			return len(body), false
		}
		size := uint64(readUint32(body[at:], prefix))
		if size > uint64(len(body)-at-prefix) {
			ev.Violate(ObjectLength, int64(len(body)-at-prefix), int64(size))
			return len(body), false
		}
		at += prefix + int(size)
	}
	return at, true
}

// measuredExtent is extent for objects whose own fields tell their sizes.
func (o *Object) measuredExtent(ev *protocols.Event, body []byte, prefix int) (int, bool) {
	at := 0
	for range o.Count {
		size := prefix
		if len(body)-at >= prefix {
			size += o.v.objectSize(o.Variation, body[at+prefix:])
		}
		if size > len(body)-at || size == 0 {
			// An object without octets is none: its count would prove nothing.
			ev.Violate(ObjectLength, int64(len(body)-at), int64(max(size, 1)))
			return len(body), false
		}
		at += size
	}
	return at, true
}
