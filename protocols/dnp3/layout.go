package dnp3

import "github.com/weir-ics/weir/protocols"

// encoding is how a field lies in the octets of an object; all numbers are
// little-endian (clause 11).
type encoding uint8

const (
	encU8 encoding = iota + 1
	encU16
	encU32
	encI8
	encI16
	encI32
	encF32
	encF64
	// encTime is DNP3 time: milliseconds since 1970 UTC in 6 octets.
	encTime
	// encRelative is milliseconds after the common time of occurrence.
	encRelative
	// encFlags is a flag octet without a state.
	encFlags
	// encState is a flag octet with the state in bit 7.
	encState
	// encDoubleState is a flag octet with the state in bits 6 and 7.
	encDoubleState
	// encStatus is a control status in bits 0 to 6.
	encStatus
	// encCommanded is a control status with the commanded state in bit 7.
	encCommanded
	// encControl is the control code of a relay output block.
	encControl
	// encFill is a percentage in bits 0 to 6 with an overflow mark in bit 7.
	encFill
	// encBlock is a block number in bits 0 to 30 with the mark of the last in
	// bit 31.
	encBlock
	// encDelay is milliseconds and encDelaySeconds seconds, in 2 octets.
	encDelay
	encDelaySeconds
	// encBCD2, 4 and 8 are two decimal digits an octet.
	encBCD2
	encBCD4
	encBCD8
	// encRaw10 is 10 octets shown as they are.
	encRaw10
	// encCharacteristics is the bit string of a data set's characteristics.
	encCharacteristics

	// Encodings from here on have no fixed size.

	// encLength8, 16 are the length of a later field.
	encLength8
	encLength16
	// encOffset16 is where in the object a later field begins.
	encOffset16
	// encSizedText and encSizedOctets take as many octets as the length field
	// named by ref says.
	encSizedText
	encSizedOctets
	// encTextAt is text of the length of ref that begins at the offset of the
	// field before ref.
	encTextAt
	// encText and encOctets take all that is left of the object.
	encText
	encOctets
	// encVariationOctets takes as many octets as the variation says.
	encVariationOctets
	// encAttribute is a value of the data type and length just before.
	encAttribute
	// encDescriptors are the elements of a data set prototype or descriptor.
	encDescriptors
	// encElements are the values of a data set, each after its length.
	encElements
)

// encodingSizes are the sizes in octets, 0 if not fixed.
var encodingSizes = [...]uint8{
	encU8: 1, encU16: 2, encU32: 4, encI8: 1, encI16: 2, encI32: 4, encF32: 4, encF64: 8,
	encTime: 6, encRelative: 2, encFlags: 1, encState: 1, encDoubleState: 1, encStatus: 1, encCommanded: 1,
	encControl: 1, encFill: 1, encBlock: 4, encDelay: 2, encDelaySeconds: 2,
	encBCD2: 2, encBCD4: 4, encBCD8: 8, encRaw10: 10, encCharacteristics: 1,
	encLength8: 1, encLength16: 2, encOffset16: 2,
	encElements: 0, // the last, so that every encoding has a place
}

// encodingNames name the encodings in docs/dnp3.md, with the standard's data
// types (clause 11).
var encodingNames = [...]string{
	encU8: "UINT8", encU16: "UINT16", encU32: "UINT32", encI8: "INT8", encI16: "INT16", encI32: "INT32",
	encF32: "FLT32", encF64: "FLT64", encTime: "DNP3TIME", encRelative: "UINT16 ms",
	encFlags: "BSTR8 flags", encState: "BSTR8 flags, state", encDoubleState: "BSTR8 flags, double-bit state",
	encStatus: "UINT7 status", encCommanded: "UINT7 status, state", encControl: "UINT8 control code",
	encFill: "UINT7 percentage, overflow", encBlock: "UINT31 block, last", encDelay: "UINT16 ms", encDelaySeconds: "UINT16 s",
	encBCD2: "BCD4", encBCD4: "BCD8", encBCD8: "BCD16", encRaw10: "10 octets", encCharacteristics: "BSTR8",
	encLength8: "UINT8 length", encLength16: "UINT16 length", encOffset16: "UINT16 offset",
	encSizedText: "VSTRn", encSizedOctets: "OSTRn", encTextAt: "VSTRn at offset", encText: "VSTR to the end",
	encOctets: "OSTR to the end", encVariationOctets: "OSTR of the variation's length", encAttribute: "attribute value",
	encDescriptors: "descriptor elements", encElements: "value elements",
}

// field is one field of an object.
type field struct {
	// name is its name in the JSON of weir decode.
	name string
	enc  encoding
	// value marks the field that is the point's value.
	value bool
	// flags name the bits of a flag octet.
	flags *flagNames
	// names name the values of a number.
	names codeNames
	// ref is the place, among the lengths of the layout, of the length that a
	// sized field takes.
	ref int8
}

func val(enc encoding) field              { return field{name: "value", enc: enc, value: true} }
func num(name string, enc encoding) field { return field{name: name, enc: enc} }
func code(name string, enc encoding, names codeNames) field {
	return field{name: name, enc: enc, names: names}
}
func sized(name string, enc encoding, ref int8) field { return field{name: name, enc: enc, ref: ref} }
func flags(n *flagNames) field                        { return field{name: "flags", enc: encFlags, flags: n} }
func state(n *flagNames) field {
	return field{name: "flags", enc: encState, flags: n, value: true}
}
func doubleState(n *flagNames) field {
	return field{name: "flags", enc: encDoubleState, flags: n, value: true}
}

var (
	timeField     = field{name: "time", enc: encTime}
	relativeField = field{name: "relative_time", enc: encRelative}
	statusField   = field{name: "status", enc: encStatus, names: controlStatuses}
)

// class is what a group's objects are.
type class uint8

const (
	// The zero class is of present values.
	_ class = iota
	// classEvent objects are changes.
	classEvent
	// classCommand objects are commands to outputs.
	classCommand
	// classInfo objects are about the device and the exchange.
	classInfo
)

var classNames = [...]string{"static", "event", "command", "info"}

// group is one object group of Annex A.
type group struct {
	number uint8
	name   string
	kind   protocols.PointKind
	class  class
	// clause is where in Annex A the group is described.
	clause string
	// any serves the variations that have no line of their own: the variation
	// is a length (octet strings) or an attribute number.
	any        *variation
	variations []variation

	// title is the name of any variation, derived.
	title string
}

// variation is one form of a group's objects.
type variation struct {
	number uint8
	name   string
	// bits is how many bits an object of a packed variation takes, 1 or 2.
	bits   uint8
	layout []field

	// Derived from the layout:

	group *group
	// title is the name of group and variation together.
	title string
	// size is the size of an object in octets, 0 if it is not fixed.
	size int
	// Where in the object what belongs to a Point lies, -1 where it is not.
	valueAt, flagsAt, timeAt, statusAt int8
	valueEnc                           encoding
	relative                           bool
	// plain tells that all of a Point is in fixed places.
	plain bool
	has   protocols.Has
}

// empty tells a variation whose objects hold nothing (classes).
func (v *variation) empty() bool { return len(v.layout) == 0 && v.bits == 0 }

// derive computes from the layout what decoding needs.
func (v *variation) derive(g *group) {
	v.group, v.title = g, g.name
	if v.name != "" {
		v.title += ": " + v.name
	}
	v.valueAt, v.flagsAt, v.timeAt, v.statusAt = -1, -1, -1, -1
	if g.class == classEvent {
		v.has |= protocols.IsEvent
	}
	if v.bits > 0 {
		v.has |= protocols.HasValue
		return
	}
	at, fixed := 0, true
	for i := range v.layout {
		f := &v.layout[i]
		if fixed {
			v.place(f, int8(at))
		}
		size := int(encodingSizes[f.enc])
		if size == 0 || f.enc >= encLength8 {
			fixed = false
		}
		at += size
	}
	if fixed {
		v.size = at
		v.plain = v.valueAt >= 0 || g.kind == protocols.KindTime && v.timeAt >= 0
	}
}

// place notes that f, if it belongs to a Point, begins at octet at.
func (v *variation) place(f *field, at int8) {
	switch f.enc {
	case encFlags, encState, encDoubleState:
		v.flagsAt, v.has = at, v.has|protocols.HasFlags
	case encTime:
		if v.timeAt < 0 {
			v.timeAt, v.has = at, v.has|protocols.HasTime
		}
	case encRelative:
		v.timeAt, v.relative = at, true
	case encStatus, encCommanded:
		v.statusAt = at
	}
	if f.value {
		v.valueAt, v.valueEnc, v.has = at, f.enc, v.has|protocols.HasValue
	}
}

// byNumber finds a group in one step.
var byNumber = func() (t [256]*group) {
	for i := range groups {
		g := &groups[i]
		g.title = g.name + ": any variation"
		for j := range g.variations {
			g.variations[j].derive(g)
		}
		if g.any != nil {
			g.any.derive(g)
		}
		t[g.number] = g
	}
	return t
}()

// lookup returns the group and variation, nil where the standard has none.
func lookup(groupNumber, number uint8) (*group, *variation) {
	g := byNumber[groupNumber]
	if g == nil {
		return nil, nil
	}
	// The variations of most groups are 1, 2, 3... in order.
	if i := int(number) - 1; i >= 0 && i < len(g.variations) && g.variations[i].number == number {
		return g, &g.variations[i]
	}
	for i := range g.variations {
		if g.variations[i].number == number {
			return g, &g.variations[i]
		}
	}
	if number != 0 {
		return g, g.any
	}
	return g, nil
}

// ObjectName returns the name of a group and variation, such as "Analog Input:
// 32-bit with flag", or "" if the standard has none.
func ObjectName(groupNumber, number uint8) string {
	g, v := lookup(groupNumber, number)
	switch {
	case g == nil:
		return ""
	case number == 0:
		return g.title
	case v == nil:
		return ""
	case g.number == 0:
		return attributeTitles[number]
	}
	return v.title
}

// attributeTitles are the names of group 0 and each attribute together.
var attributeTitles = func() (t [256]string) {
	for i := range t {
		t[i] = byNumber[0].name + ": " + AttributeName(uint8(i))
	}
	return t
}()
