package dnp3

import "github.com/weir-ics/weir/protocols"

// reportMask reports a pattern mask: a command to every point whose bit is set,
// with the code of the pattern control block before it.
func (o *Object) reportMask(ev *protocols.Event, access protocols.Access, r *objectsResult, n uint32) {
	r.digest(o.Group, o.Variation, o.Start, o.Data)
	set := 0
	for i := range n {
		set += int(o.Data[i>>3] >> (i & 7) & 1)
	}
	points := room(ev, set, r)
	for i, at := uint32(0), 0; i < n && at < len(points); i++ {
		if o.Data[i>>3]>>(i&7)&1 != 0 {
			points[at] = protocols.Point{
				Kind: protocols.KindBinaryOutput, Access: access, Index: o.Start + i, Variation: o.Variation,
				Value: float64(r.patternCode), Status: r.patternStatus, Has: protocols.HasValue | statusOf(access),
			}
			at++
		}
	}
}

// notePattern remembers the pattern control block that a pattern mask is to
// follow.
func (o *Object) notePattern(ev *protocols.Event, prefix int, r *objectsResult) {
	object := o.Data[prefix:]
	r.patternCode, r.patternStatus = object[0], object[o.v.statusAt]&0x7F
	r.digest(o.Group, o.Variation, 0, object[:o.v.statusAt])
	checkControl(ev, object)
}

// noteCommand adds a command to the digest and checks it.
func (o *Object) noteCommand(ev *protocols.Event, object []byte, index uint32, status uint8, access protocols.Access, r *objectsResult) {
	end := len(object)
	if o.v.statusAt >= 0 {
		end = int(o.v.statusAt)
	}
	r.digest(o.Group, o.Variation, index, object[:end])
	if access == protocols.AccessEcho {
		if status != 0 && r.status == 0 {
			r.status = status
			ev.Violate(ControlStatus, int64(status), 0)
		}
	}
	// A pattern mask behind a size prefix may be of no octets.
	if o.Group == 12 && len(object) > 0 {
		checkControl(ev, object)
	}
}

// checkControl checks the control code of a relay output block.
func checkControl(ev *protocols.Event, object []byte) {
	if c := object[0]; c&0x0F > 4 || c>>6 == 3 {
		ev.Violate(ControlCode, int64(c), int64(c&0x3F))
	}
}

// digest adds a command to the digest: FNV-1a over octets (Fowler, Noll, Vo).
func (r *objectsResult) digest(group, variation uint8, index uint32, octets []byte) {
	const prime = 1099511628211
	h := r.command
	if r.commands == 0 {
		h = 14695981039346656037
	}
	r.commands++
	h = (h ^ uint64(group)) * prime
	h = (h ^ uint64(variation)) * prime
	h = (h ^ uint64(index)) * prime
	for _, b := range octets {
		h = (h ^ uint64(b)) * prime
	}
	r.command = h
}
