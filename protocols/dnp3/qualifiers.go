package dnp3

// rangeCode is what the low half of a qualifier says of the range field
// (4.2.2).
type rangeCode struct {
	name string
	// size is the octets of each of the fields of the range field: two fields
	// are start and stop, one is a count, none is "all".
	size, fields uint8
	reserved     bool
}

// rangeCodes are the range specifier codes.
var rangeCodes = [16]rangeCode{
	0x0: {"1-octet start and stop indexes", 1, 2, false},
	0x1: {"2-octet start and stop indexes", 2, 2, false},
	0x2: {"4-octet start and stop indexes", 4, 2, false},
	0x3: {"1-octet start and stop virtual addresses", 1, 2, false},
	0x4: {"2-octet start and stop virtual addresses", 2, 2, false},
	0x5: {"4-octet start and stop virtual addresses", 4, 2, false},
	0x6: {"no range field: all objects", 0, 0, false},
	0x7: {"1-octet count", 1, 1, false},
	0x8: {"2-octet count", 2, 1, false},
	0x9: {"4-octet count", 4, 1, false},
	0xA: {"reserved", 0, 0, true},
	0xB: {"1-octet count of objects of variable format", 1, 1, false},
	0xC: {"reserved", 0, 0, true},
	0xD: {"reserved", 0, 0, true},
	0xE: {"reserved", 0, 0, true},
	0xF: {"reserved", 0, 0, true},
}

// prefixCode is what the high half of a qualifier says of what stands before
// each object (4.2.2).
type prefixCode struct {
	name string
	size uint8
	// index tells an index from an object size.
	index, reserved bool
}

// prefixCodes are the object prefix codes.
var prefixCodes = [8]prefixCode{
	0: {"nothing", 0, false, false},
	1: {"1-octet index", 1, true, false},
	2: {"2-octet index", 2, true, false},
	3: {"4-octet index", 4, true, false},
	4: {"1-octet object size", 1, false, false},
	5: {"2-octet object size", 2, false, false},
	6: {"4-octet object size", 4, false, false},
	7: {"reserved", 0, false, true},
}

const rangeVariable = 0xB

// qualifier is what one qualifier code says, derived from the two tables.
type qualifier struct {
	// prefix is the octets before each object: an index if indexed, a size if
	// sized.
	prefix         uint8
	indexed, sized bool
	// size is the octets of each field of the range field: ranged has start
	// and stop, counted a count.
	size            uint8
	ranged, counted bool
	// reserved codes have no meaning; those that are not valid have one that
	// the standard does not allow.
	reserved, valid bool
}

// qualifiers are all qualifier codes. Prefix and range go together if indexes
// stand before counted objects and sizes before those of variable format
// (4.2.2); bit 7 is reserved.
var qualifiers = func() (t [256]qualifier) {
	for c := range t {
		p, r := &prefixCodes[c>>qualifierPrefixShift&7], &rangeCodes[c&0x0F]
		q := qualifier{
			prefix: p.size, indexed: p.index, sized: p.size > 0 && !p.index,
			size: r.size, ranged: r.fields == 2, counted: r.fields == 1,
			reserved: c > 0x7F || p.reserved || r.reserved,
		}
		switch code := c & 0x0F; {
		case q.reserved:
		case q.indexed:
			q.valid = code >= 7 && code <= 9
		case q.sized:
			q.valid = code == rangeVariable
		default:
			q.valid = code != rangeVariable
		}
		t[c] = q
	}
	return t
}()

// Qualifier codes (4.2.2): the high half says what stands before each
// object, the low half what the range field holds.
const (
	QualifierRange8      uint8 = 0x00 // start and stop of 1 octet
	QualifierRange16     uint8 = 0x01
	QualifierRange32     uint8 = 0x02
	QualifierAll         uint8 = 0x06 // no range field
	QualifierCount8      uint8 = 0x07
	QualifierCount16     uint8 = 0x08
	QualifierCount32     uint8 = 0x09
	QualifierIndex8      uint8 = 0x17 // count and index of 1 octet
	QualifierIndex16     uint8 = 0x28
	QualifierIndex32     uint8 = 0x39
	QualifierFreeFormat  uint8 = 0x5B // count of 1 octet, size of 2 octets
	qualifierPrefixShift       = 4
)
