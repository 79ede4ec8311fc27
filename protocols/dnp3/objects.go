package dnp3

import (
	"math"

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
	// dropped is points past maxPoints, unread those that nobody wants.
	dropped   uint64
	unread    int
	noReports bool
	// patternCode and patternStatus are of the pattern control block that a
	// mask follows.
	patternCode, patternStatus uint8
	base                       int64
	baseState                  baseState
}

// decodeObjects decodes the object headers of body and what follows them into
// m.Objects and ev; f is the function of the message.
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
	o := m.addObject()
	o.Group, o.Variation, o.Qualifier = body[0], body[1], body[2]
	o.base, o.baseState = r.base, r.baseState
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
