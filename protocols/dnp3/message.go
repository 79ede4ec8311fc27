package dnp3

import "github.com/weir-ics/weir/protocols"

// Message is the DNP3 part of an Event, its Detail. It is filled again for each
// message, and its octets alias the packet or the decoder's buffers, so it is
// valid during the call only.
type Message struct {
	// Link is the header of the frame that completed the message, with HasLink;
	// a notice may be of no frame.
	Link    LinkHeader
	HasLink bool
	// TransportSequence is the sequence number of the message's last segment,
	// with HasTransport.
	TransportSequence uint8
	HasTransport      bool
	// Control, Function, IIN are of the application header, with
	// HasApplication; IIN only with HasIIN.
	Control        AppControl
	Function       uint8
	HasApplication bool
	HasIIN         bool
	IIN            uint16
	// Objects are the object headers.
	Objects []Object
	// Fragment is the whole application fragment.
	Fragment []byte
	// Files are the files that the message names, as in the event.
	Files []protocols.File
	// Unparsed is the end of the fragment that could not be decoded.
	Unparsed []byte
}

func (m *Message) reset() {
	*m = Message{Objects: m.Objects[:0]}
}

// Object is an object header and the objects behind it.
type Object struct {
	Group, Variation, Qualifier uint8
	// Start and Stop are the range, if the qualifier has one; Count is how many
	// objects or indexes follow or are asked for, 0 for "all".
	Start, Stop uint32
	Count       uint32
	// Carried tells that objects follow the header; if not, it only names them.
	Carried bool
	// Data is the objects with their prefixes.
	Data []byte

	v *variation
	// ranged tells that the range field was read.
	ranged bool
	// base is the common time of occurrence that relative times count from, in
	// milliseconds; baseState tells whether there is one.
	base      int64
	baseState baseState
}

// addObject makes room for one more object header, empty. It does so in place: to
// append one cost a copy of 80 octets, 5 % of the time of a response of events.
func (m *Message) addObject() *Object {
	n := len(m.Objects)
	if n == cap(m.Objects) {
		m.Objects = append(m.Objects, Object{})
		return &m.Objects[n]
	}
	m.Objects = m.Objects[:n+1]
	o := &m.Objects[n]
	*o = Object{}
	return o
}

// baseState is what is known of a common time of occurrence.
type baseState uint8

const (
	baseNone baseState = iota
	baseSynchronised
	baseUnsynchronised
)

// hasRange tells whether the header has start and stop.
func (o *Object) hasRange() bool { return o.ranged && qualifiers[o.Qualifier].ranged }

// hasCount tells whether the header has a count.
func (o *Object) hasCount() bool { return o.ranged && qualifiers[o.Qualifier].counted }

// iterator steps through the objects (or bare indexes) behind a header. It
// reads no further than Data.
type iterator struct {
	o    *Object
	data []byte
	i    uint32
}

func (o *Object) iterate() iterator { return iterator{o: o, data: o.Data} }

// next returns the next object: its index (or its number, where the qualifier
// gives no index) and its octets, without the prefix. For packed variations the
// octet is the object's value.
func (it *iterator) next() (index uint32, object []byte, ok bool) {
	o := it.o
	if it.i >= o.Count {
		return 0, nil, false
	}
	q := &qualifiers[o.Qualifier]
	index = o.Start + it.i
	size := -1
	if q.prefix > 0 {
		if len(it.data) < int(q.prefix) {
			return 0, nil, false
		}
		v := readUint32(it.data, int(q.prefix))
		it.data = it.data[q.prefix:]
		if q.indexed {
			index = v
		} else {
			size = int(min(v, 1<<24))
		}
	}
	v := o.v
	switch {
	case !o.Carried:
		size = 0
		if q.prefix == 0 {
			return 0, nil, false
		}
	case v != nil && v.bits > 0 && q.prefix == 0:
		object = packedValue(o.Data, it.i, v.bits)
		it.i++
		return index, object, object != nil
	case size >= 0:
	case v == nil:
		return 0, nil, false
	default:
		size = v.objectSize(o.Variation, it.data)
	}
	if size > len(it.data) || size == 0 && q.prefix == 0 {
		return 0, nil, false
	}
	object, it.data = it.data[:size:size], it.data[size:]
	it.i++
	return index, object, true
}

// packedValues are the octets that iterators return for packed objects.
var packedValues = [4]byte{0, 1, 2, 3}

// packedValue returns the i-th value of one or two bits as one octet.
func packedValue(data []byte, i uint32, bits uint8) []byte {
	bit := int(i) * int(bits)
	if bit>>3 >= len(data) {
		return nil
	}
	x := data[bit>>3] >> (bit & 7) & (1<<bits - 1)
	return packedValues[x : x+1]
}

// objectSize returns the size of the object at the beginning of data. It may
// be more than data holds.
func (v *variation) objectSize(number uint8, data []byte) int {
	if v.size > 0 {
		return v.size
	}
	if v.bits > 0 {
		return 1
	}
	c := v.fields(number, data)
	for {
		if _, _, ok := c.next(); !ok {
			return c.end
		}
	}
}

// cursor steps through the fields of one object.
type cursor struct {
	v      *variation
	number uint8
	object []byte
	i      int
	at     int
	// end is how far the fields reach; short tells that a field reaches past
	// the object.
	end   int
	short bool
	// lengths are the values of the length and offset fields so far.
	lengths [4]uint32
	n       int
	// dataType is that of an attribute.
	dataType uint8
}

func (v *variation) fields(number uint8, object []byte) cursor {
	return cursor{v: v, number: number, object: object}
}

// next returns the next field with its octets. It stops at a field that is not
// whole.
func (c *cursor) next() (f *field, octets []byte, ok bool) {
	if c.i >= len(c.v.layout) {
		return nil, nil, false
	}
	f = &c.v.layout[c.i]
	from, size := c.at, int(encodingSizes[f.enc])
	switch f.enc {
	case encSizedText, encSizedOctets:
		size = int(c.lengths[f.ref])
	case encTextAt:
		from, size = int(c.lengths[f.ref-1]), int(c.lengths[f.ref])
	case encAttribute:
		size = int(c.lengths[0])
		if c.dataType == attributeExtendedList {
			size += 256
		}
	case encText, encOctets, encDescriptors, encElements:
		size = max(len(c.object)-from, 0)
	case encVariationOctets:
		size = int(c.number)
	}
	c.end = max(c.end, from+size)
	if from+size > len(c.object) {
		c.short = true
		return nil, nil, false
	}
	octets = c.object[from : from+size : from+size]
	if f.enc != encTextAt {
		c.at = from + size
	}
	switch f.enc {
	case encLength8, encLength16, encOffset16:
		c.lengths[c.n&3] = readUint32(octets, size)
		c.n++
	case encU8:
		if c.i == 0 {
			c.dataType = octets[0]
		}
	}
	c.i++
	return f, octets, true
}

// Data types of attributes (clauses 5 and 11).
const (
	attributeVisible      = 1
	attributeUint         = 2
	attributeInt          = 3
	attributeFloat        = 4
	attributeOctets       = 5
	attributeBits         = 6
	attributeTime         = 7
	attributeUnicode      = 8
	attributeList         = 254
	attributeExtendedList = 255
)
