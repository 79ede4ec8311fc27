package dnp3

import (
	"encoding/binary"
	"math"
	"slices"

	"github.com/weir-ics/weir/protocols"
)

// maxPoints is the most points of one message that are reported; a fragment of
// standard size holds no more than 16,384.
const maxPoints = 1 << 16

// objectsResult is what the objects of a fragment tell besides points.
type objectsResult struct {
	// command is a digest of the commands (groups 12 and 41) without their
	// status; commands is how many there are.
	command  uint64
	commands int
	// status is the first control status that is not success.
	status uint8
	// classes are the classes named (bit n for class n).
	classes uint8
	// dropped is points past maxPoints.
	dropped uint64
	// patternCode and patternStatus are of the pattern control block that a
	// mask follows.
	patternCode, patternStatus uint8
	base                       int64
	baseState                  baseState
}

// decodeObjects decodes the object headers of body and what follows them into
// m.Objects and ev. f is the function, and response tells that an outstation
// sent it.
func decodeObjects(m *Message, ev *protocols.Event, body []byte, f *function, r *objectsResult) {
	for len(body) > 0 {
		var ok bool
		if body, ok = decodeHeader(m, ev, body, f, r); !ok {
			m.Unparsed = body
			return
		}
	}
}

// decodeHeader decodes one object header with its objects and returns what
// comes after. If ok is false that cannot be decoded.
func decodeHeader(m *Message, ev *protocols.Event, body []byte, f *function, r *objectsResult) (rest []byte, ok bool) {
	if len(body) < 3 {
		ev.Violate(ObjectLength, int64(len(body)), 3)
		return body, false
	}
	m.Objects = append(m.Objects, Object{Group: body[0], Variation: body[1], Qualifier: body[2], base: r.base, baseState: r.baseState})
	o := &m.Objects[len(m.Objects)-1]
	q := &qualifiers[o.Qualifier]
	if !q.valid {
		ev.Violate(Qualifier, int64(o.Qualifier), int64(o.Qualifier&0x0F))
		if q.reserved || !q.counted {
			return body[3:], false
		}
	}
	need := 3
	if q.counted {
		need += int(q.size)
	} else if q.ranged {
		need += 2 * int(q.size)
	}
	if len(body) < need {
		ev.Violate(ObjectLength, int64(len(body)), int64(need))
		m.Objects = m.Objects[:len(m.Objects)-1]
		return body, false
	}
	o.ranged = true
	if q.counted {
		o.Count = readUint32(body[3:], int(q.size))
	} else if q.ranged {
		o.Start, o.Stop = readUint32(body[3:], int(q.size)), readUint32(body[3+q.size:], int(q.size))
		if o.Stop < o.Start {
			ev.Violate(ObjectRange, int64(o.Stop), int64(o.Start))
			return body[need:], false
		}
		o.Count = o.Stop - o.Start
		if o.Count != math.MaxUint32 {
			o.Count++
		}
	}
	body = body[need:]

	g, v := lookup(o.Group, o.Variation)
	o.v = v
	if g == nil || v == nil && o.Variation != 0 {
		ev.Violate(UnknownObject, int64(o.Group)<<8|int64(o.Variation), 0)
	}
	o.Carried = carried(f, g, v, q)
	if o.Carried && v == nil && g != nil && o.Variation == 0 {
		// "Any variation" names points and has no objects of its own.
		ev.Violate(UnknownObject, int64(o.Group)<<8, 0)
	}
	size, ok := o.extent(ev, q, body)
	o.Data = body[:size:size]
	if g != nil {
		o.report(ev, g, f, r)
	}
	return body[size:], ok
}

// carried tells whether objects follow a header.
func carried(f *function, g *group, v *variation, q *qualifier) bool {
	if v != nil && v.empty() || g != nil && g.number == 60 {
		return false
	}
	if q.sized || f.carries == carriesObjects {
		return true
	}
	// Files and authentication are part of the question itself.
	return g != nil && (g.number == 70 || g.number == 120 || f.carries == carriesTime && g.number == 50)
}

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
	n := protocols.Range{Kind: g.kind, Access: access, First: o.pointIndex(o.Start), Count: o.Count}
	if o.hasCount() && g.class == classEvent {
		n.Count = 0 // so many of all
	}
	ev.Ranges = append(ev.Ranges, n)
}

// pointIndex is the index that a point is known by: for device attributes the
// set and the attribute.
func (o *Object) pointIndex(index uint32) uint32 {
	if o.Group == 0 {
		return index<<8 | uint32(o.Variation)
	}
	return index
}

// room returns the place for up to n more points, as many as the bound allows.
func room(ev *protocols.Event, n int, r *objectsResult) []protocols.Point {
	if free := maxPoints - len(ev.Points); n > free {
		if r.dropped == 0 {
			ev.Violate(TooManyPoints, int64(len(ev.Points)+n), maxPoints)
		}
		r.dropped += uint64(n - free)
		n = free
	}
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
	n := min(int(o.Count), len(o.Data)/stride)
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
	points := room(ev, n, r)
	data := o.Data
	if prefix == 0 {
		ev.Ranges = append(ev.Ranges, protocols.Range{Kind: g.kind, Access: access, First: o.Start, Count: uint32(n)})
	}
	for i := range points {
		object := data[i*stride : (i+1)*stride]
		if prefix > 0 {
			p.Index = readUint32(object, prefix)
			run.add(ev, p.Index)
			object = object[prefix:]
		} else {
			p.Index = o.Start + uint32(i)
		}
		if v.flagsAt >= 0 {
			p.Flags = object[v.flagsAt]
		}
		if v.valueAt >= 0 {
			p.Value = readValue(object[v.valueAt:], v.valueEnc)
		}
		if v.timeAt >= 0 {
			if v.relative {
				p.Time = nanoseconds(o.base + int64(binary.LittleEndian.Uint16(object[v.timeAt:])))
			} else {
				p.Time = nanoseconds(int64(readUint48(object[v.timeAt:])))
			}
		}
		if v.statusAt >= 0 {
			p.Status = object[v.statusAt] & 0x7F
		}
		if g.class == classCommand {
			o.noteCommand(ev, object, p.Index, p.Status, access, r)
		}
		points[i] = p
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
	if o.Group == 12 {
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

// readValue reads the number at the beginning of p.
func readValue(p []byte, enc encoding) float64 {
	switch enc {
	case encState, encCommanded:
		return float64(p[0] >> 7)
	case encDoubleState:
		return float64(p[0] >> 6)
	case encI16:
		return float64(int16(binary.LittleEndian.Uint16(p)))
	case encI32:
		return float64(int32(binary.LittleEndian.Uint32(p)))
	case encF32:
		return float64(math.Float32frombits(binary.LittleEndian.Uint32(p)))
	case encU16, encDelay:
		return float64(binary.LittleEndian.Uint16(p))
	case encU32:
		return float64(binary.LittleEndian.Uint32(p))
	case encF64:
		return math.Float64frombits(binary.LittleEndian.Uint64(p))
	case encU8, encControl:
		return float64(p[0])
	case encDelaySeconds:
		return float64(binary.LittleEndian.Uint16(p)) * 1000
	case encBCD2, encBCD4, encBCD8:
		return readBCD(p[:encodingSizes[enc]])
	}
	return 0
}

// readBCD reads two decimal digits an octet, the lowest octet first. A digit
// past 9 counts as it stands.
func readBCD(p []byte) float64 {
	v := 0.0
	for i := len(p) - 1; i >= 0; i-- {
		v = v*100 + float64(p[i]>>4)*10 + float64(p[i]&0x0F)
	}
	return v
}

func readUint48(p []byte) uint64 {
	_ = p[5]
	return uint64(p[0]) | uint64(p[1])<<8 | uint64(p[2])<<16 | uint64(p[3])<<24 | uint64(p[4])<<32 | uint64(p[5])<<40
}

// nanoseconds turns milliseconds into nanoseconds; what is past the year 2262
// becomes the last moment that fits.
func nanoseconds(ms int64) int64 {
	if ms > math.MaxInt64/nanosecondsPerMillisecond {
		return math.MaxInt64
	}
	return ms * nanosecondsPerMillisecond
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
