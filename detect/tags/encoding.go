package tags

import (
	"fmt"
	"math"
	"strings"
)

// Type is how a value is laid out in its registers, or what kind of point it is.
type Type uint8

const (
	// Unknown is a register whose type nobody told and nothing showed; its value
	// is read as an unsigned 16-bit integer.
	Unknown Type = iota
	// Bool is a coil, a discrete input or a DNP3 binary.
	Bool
	Uint16
	Int16
	Uint32
	Int32
	Uint64
	Int64
	// Float32 and Float64 are IEEE 754 binary32 and binary64.
	Float32
	Float64
	// BCD16 and BCD32 hold a decimal digit in each four bits.
	BCD16
	BCD32
	// Bits16 is a register of 16 single bits.
	Bits16
	// Counter16 and Counter32 are unsigned integers that only count up, and
	// start again at 0.
	Counter16
	Counter32
	// Number is a DNP3 value, which carries its own type.
	Number
	numTypes
)

// types is the only place where weir knows the types.
var types = [numTypes]struct {
	name      string
	registers uint8
}{
	Unknown:   {"unknown", 1},
	Bool:      {"bool", 1},
	Uint16:    {"uint16", 1},
	Int16:     {"int16", 1},
	Uint32:    {"uint32", 2},
	Int32:     {"int32", 2},
	Uint64:    {"uint64", 4},
	Int64:     {"int64", 4},
	Float32:   {"float32", 2},
	Float64:   {"float64", 4},
	BCD16:     {"bcd16", 1},
	BCD32:     {"bcd32", 2},
	Bits16:    {"bits16", 1},
	Counter16: {"counter16", 1},
	Counter32: {"counter32", 2},
	Number:    {"number", 1},
}

// typeAliases are other spellings found in tag lists and device manuals.
var typeAliases = map[string]Type{
	"": Unknown, "bit": Bool, "boolean": Bool, "coil": Bool, "binary": Bool,
	"word": Uint16, "u16": Uint16, "i16": Int16, "short": Int16, "int": Int16, "uint": Uint16,
	"dword": Uint32, "u32": Uint32, "i32": Int32, "dint": Int32, "udint": Uint32, "long": Int32,
	"u64": Uint64, "i64": Int64, "lint": Int64, "ulint": Uint64,
	"float": Float32, "real": Float32, "f32": Float32, "double": Float64, "lreal": Float64, "f64": Float64,
	"bcd": BCD16, "bits": Bits16, "bitfield": Bits16, "bitfield16": Bits16, "bit-field": Bits16,
	"counter": Counter32, "analog": Number, "float-dnp3": Number,
}

func (t Type) String() string {
	if t < numTypes {
		return types[t].name
	}
	return "unknown"
}

// Registers returns how many 16-bit registers a value takes, 1 to 4.
func (t Type) Registers() int {
	if t < numTypes {
		return int(types[t].registers)
	}
	return 1
}

// ParseType reads a type by its name or a common alias, whatever its case.
func ParseType(s string) (Type, error) {
	s = strings.ToLower(strings.TrimSpace(s))
	for t := range types {
		if types[t].name == s {
			return Type(t), nil
		}
	}
	if t, ok := typeAliases[s]; ok {
		return t, nil
	}
	var names []string
	for _, t := range types {
		names = append(names, t.name)
	}
	return Unknown, fmt.Errorf("type %q is none of %s", s, strings.Join(names, ", "))
}

// Order is how the octets of a value lie in its registers. A is the most
// significant octet; ABCD is the order that Modbus itself uses within a register
// (Application Protocol V1.1b3, 4.2: big-endian) carried on over registers.
type Order uint8

const (
	// ABCD is big-endian throughout.
	ABCD Order = iota
	// CDAB has the least significant register first.
	CDAB
	// BADC has the octets of each register exchanged.
	BADC
	// DCBA is little-endian throughout.
	DCBA
	numOrders
)

var orderNames = [numOrders]string{"ABCD", "CDAB", "BADC", "DCBA"}

// orderAliases are other spellings; those with eight letters belong to 64-bit
// values.
var orderAliases = map[string]Order{
	"": ABCD, "BIG": ABCD, "BIG-ENDIAN": ABCD, "AB": ABCD, "ABCDEFGH": ABCD,
	"WORD-SWAPPED": CDAB, "GHEFCDAB": CDAB,
	"BA": BADC, "BYTE-SWAPPED": BADC, "BADCFEHG": BADC,
	"LITTLE": DCBA, "LITTLE-ENDIAN": DCBA, "HGFEDCBA": DCBA,
}

func (o Order) String() string {
	if o < numOrders {
		return orderNames[o]
	}
	return "unknown"
}

// ParseOrder reads an order by its name (ABCD, CDAB, BADC, DCBA) or an alias,
// whatever its case.
func ParseOrder(s string) (Order, error) {
	s = strings.ToUpper(strings.TrimSpace(s))
	for o, n := range orderNames {
		if n == s {
			return Order(o), nil
		}
	}
	if o, ok := orderAliases[s]; ok {
		return o, nil
	}
	return ABCD, fmt.Errorf("order %q is none of ABCD, CDAB, BADC, DCBA", s)
}

// Encoding is a type and its order.
type Encoding struct {
	Type  Type
	Order Order
}

// String names the encoding as Series.Type does: "float32 CDAB", "uint16".
func (c Encoding) String() string {
	if c.Type.Registers() == 1 && c.Order == ABCD {
		return c.Type.String()
	}
	return c.Type.String() + " " + c.Order.String()
}

// Decode reads a value from its registers, of which there must be as many as
// the type takes. A BCD with a digit above 9 is NaN.
func (c Encoding) Decode(r []uint16) float64 {
	switch c.Type.Registers() {
	case 2:
		return c.decode32(r[0], r[1])
	case 4:
		return c.decode64(r[0], r[1], r[2], r[3])
	}
	return c.decode16(r[0])
}

func swap16(v uint16) uint16 { return v<<8 | v>>8 }

func (c Encoding) decode16(v uint16) float64 {
	if c.Order == BADC || c.Order == DCBA {
		v = swap16(v)
	}
	switch c.Type {
	case Int16:
		return float64(int16(v))
	case BCD16:
		return bcd(uint32(v))
	}
	return float64(v)
}

// join32 puts two registers together in the encoding's order.
func (o Order) join32(a, b uint16) uint32 {
	if o == CDAB || o == DCBA {
		a, b = b, a
	}
	if o == BADC || o == DCBA {
		a, b = swap16(a), swap16(b)
	}
	return uint32(a)<<16 | uint32(b)
}

func (c Encoding) decode32(a, b uint16) float64 {
	v := c.Order.join32(a, b)
	switch c.Type {
	case Float32:
		return float64(math.Float32frombits(v))
	case Int32:
		return float64(int32(v))
	case BCD32:
		return bcd(v)
	}
	return float64(v)
}

func (c Encoding) decode64(p, q, r, s uint16) float64 {
	if c.Order == CDAB || c.Order == DCBA {
		p, q, r, s = s, r, q, p
	}
	if c.Order == BADC || c.Order == DCBA {
		p, q, r, s = swap16(p), swap16(q), swap16(r), swap16(s)
	}
	v := uint64(p)<<48 | uint64(q)<<32 | uint64(r)<<16 | uint64(s)
	switch c.Type {
	case Float64:
		return math.Float64frombits(v)
	case Int64:
		return float64(int64(v))
	}
	return float64(v)
}

// bcd reads decimal digits, or NaN where one is above 9.
func bcd(v uint32) float64 {
	n, scale := 0.0, 1.0
	for ; v != 0; v >>= 4 {
		d := v & 15
		if d > 9 {
			return math.NaN()
		}
		n += float64(d) * scale
		scale *= 10
	}
	return n
}
