package dnp3

import (
	"encoding/binary"
	"encoding/hex"
	"math"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/weir-ics/weir/protocols"
)

var _ protocols.Detail = (*Message)(nil)

// AppendFields implements protocols.Detail: the fields link, transport_seq,
// app, iin, objects, unparsed and files.
func (m *Message) AppendFields(dst []byte) []byte {
	if m.HasLink {
		dst = m.Link.appendJSON(append(dst, `,"link":`...))
	}
	if m.HasTransport {
		dst = strconv.AppendUint(append(dst, `,"transport_seq":`...), uint64(m.TransportSequence), 10)
	}
	if !m.HasApplication {
		return dst
	}
	dst = appendBool(append(dst, `,"app":{`...), "fir", m.Control.FIR)
	dst = appendBool(append(dst, ','), "fin", m.Control.FIN)
	dst = appendBool(append(dst, ','), "con", m.Control.CON)
	dst = appendBool(append(dst, ','), "uns", m.Control.UNS)
	dst = strconv.AppendUint(append(dst, `,"seq":`...), uint64(m.Control.Seq), 10)
	dst = append(dst, '}')
	if m.HasIIN {
		dst = append(dst, `,"iin":[`...)
		first := true
		for bit, name := range iinNames {
			if m.IIN>>bit&1 != 0 {
				dst = appendComma(dst, &first)
				dst = appendString(dst, name)
			}
		}
		dst = append(dst, ']')
	}
	dst = append(dst, `,"objects":[`...)
	for i := range m.Objects {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = m.Objects[i].appendJSON(dst)
	}
	dst = append(dst, ']')
	if len(m.Unparsed) > 0 {
		dst = appendHex(append(dst, `,"unparsed":`...), m.Unparsed)
	}
	for i := range m.Files {
		if i == 0 {
			dst = append(dst, `,"files":[`...)
		} else {
			dst = append(dst, ',')
		}
		dst = appendFile(dst, &m.Files[i])
		if i == len(m.Files)-1 {
			dst = append(dst, ']')
		}
	}
	return dst
}

// appendFile appends a file that a message names or whose transfer it
// completes.
func appendFile(dst []byte, f *protocols.File) []byte {
	dst = appendText(append(dst, `{"name":`...), f.Name)
	dst = strconv.AppendUint(append(dst, `,"size":`...), uint64(f.Size), 10)
	dst = appendBool(append(dst, ','), "complete", f.Complete)
	if f.Complete {
		dst = appendHex(append(dst, `,"sha256":`...), f.SHA256[:])
	}
	return append(dst, '}')
}

func (h *LinkHeader) appendJSON(dst []byte) []byte {
	dst = strconv.AppendUint(append(dst, `{"function":`...), uint64(h.Function), 10)
	dst = appendString(append(dst, `,"name":`...), h.Name())
	dst = appendBool(append(dst, ','), "dir", h.Dir)
	dst = appendBool(append(dst, ','), "prm", h.Prm)
	if h.Prm {
		dst = appendBool(append(dst, ','), "fcb", h.FCB)
		dst = appendBool(append(dst, ','), "fcv", h.FCV)
	} else {
		dst = appendBool(append(dst, ','), "dfc", h.DFC)
	}
	return append(dst, '}')
}

func (o *Object) appendJSON(dst []byte) []byte {
	dst = strconv.AppendUint(append(dst, `{"group":`...), uint64(o.Group), 10)
	dst = strconv.AppendUint(append(dst, `,"variation":`...), uint64(o.Variation), 10)
	if name := ObjectName(o.Group, o.Variation); name != "" {
		dst = appendString(append(dst, `,"name":`...), name)
	}
	dst = strconv.AppendUint(append(dst, `,"qualifier":`...), uint64(o.Qualifier), 10)
	if o.hasRange() {
		dst = strconv.AppendUint(append(dst, `,"start":`...), uint64(o.Start), 10)
		dst = strconv.AppendUint(append(dst, `,"stop":`...), uint64(o.Stop), 10)
	}
	if o.hasRange() || o.hasCount() {
		dst = strconv.AppendUint(append(dst, `,"count":`...), uint64(o.Count), 10)
	}
	first := true
	it := o.iterate()
	for {
		index, object, ok := it.next()
		if !ok {
			break
		}
		if first {
			dst = append(dst, `,"points":[`...)
		}
		dst = appendComma(dst, &first)
		dst = o.appendPoint(dst, index, object)
	}
	if !first {
		dst = append(dst, ']')
	}
	return append(dst, '}')
}

// appendPoint appends one object with all its fields.
func (o *Object) appendPoint(dst []byte, index uint32, object []byte) []byte {
	dst = strconv.AppendUint(append(dst, `{"index":`...), uint64(index), 10)
	if qualifiers[o.Qualifier].sized {
		dst = strconv.AppendUint(append(dst, `,"size":`...), uint64(len(object)), 10)
	}
	v := o.v
	switch {
	case !o.Carried:
	case v == nil:
		dst = appendHex(append(dst, `,"octets":`...), object)
	case v.bits > 0:
		if len(object) > 0 {
			x := object[0] & (1<<v.bits - 1)
			dst = strconv.AppendUint(append(dst, `,"value":`...), uint64(x), 10)
			if v.bits == 2 {
				dst = appendString(append(dst, `,"state":`...), doubleBitStates.name(uint32(x)))
			}
		}
	default:
		c := v.fields(o.Variation, object)
		for {
			f, octets, ok := c.next()
			if !ok {
				break
			}
			dst = o.appendField(dst, f, octets, c.dataType)
		}
		if c.short {
			dst = appendHex(append(dst, `,"octets":`...), object[min(c.at, len(object)):])
		}
	}
	return append(dst, '}')
}

// appendField appends `,"name":value` and what belongs to it.
func (o *Object) appendField(dst []byte, f *field, p []byte, dataType uint8) []byte {
	switch f.enc {
	case encFlags, encState, encDoubleState:
		return appendFlags(dst, f, p[0])
	case encControl:
		return appendControl(dst, p[0])
	case encCommanded:
		dst = appendCode(dst, f, uint32(p[0]&0x7F))
		return strconv.AppendUint(append(dst, `,"value":`...), uint64(p[0]>>7), 10)
	case encStatus:
		return appendCode(dst, f, uint32(p[0]&0x7F))
	case encFill:
		dst = strconv.AppendUint(append(dst, `,"fill_percent":`...), uint64(p[0]&0x7F), 10)
		return appendBool(append(dst, ','), "overflow", p[0]&0x80 != 0)
	case encBlock:
		b := binary.LittleEndian.Uint32(p)
		dst = strconv.AppendUint(append(dst, `,"block":`...), uint64(b&^lastBlock), 10)
		return appendBool(append(dst, ','), "last", b&lastBlock != 0)
	case encRelative:
		ms := int64(binary.LittleEndian.Uint16(p))
		dst = strconv.AppendInt(append(dst, `,"relative_ms":`...), ms, 10)
		if o.baseState == baseNone {
			return dst
		}
		dst = appendTime(append(dst, `,"time":`...), o.base+ms)
		if o.baseState == baseUnsynchronised {
			dst = append(dst, `,"synchronised":false`...)
		}
		return dst
	case encCharacteristics:
		return appendCharacteristics(dst, p[0])
	}
	dst = appendString(append(dst, ','), f.name)
	dst = append(dst, ':')
	switch f.enc {
	case encU8, encU16, encU32, encLength8, encLength16, encOffset16, encDelay, encDelaySeconds:
		x := readUint(p)
		dst = strconv.AppendUint(dst, x, 10)
		if f.names != nil {
			dst = appendName(dst, f, uint32(x))
		}
	case encI8, encI16, encI32:
		dst = strconv.AppendInt(dst, readInt(p), 10)
	case encF32:
		dst = appendFloat(dst, float64(math.Float32frombits(binary.LittleEndian.Uint32(p))), 32)
	case encF64:
		dst = appendFloat(dst, math.Float64frombits(binary.LittleEndian.Uint64(p)), 64)
	case encBCD2, encBCD4, encBCD8:
		dst = strconv.AppendFloat(dst, readBCD(p), 'f', -1, 64)
	case encTime:
		dst = appendTime(dst, int64(readUint48(p)))
		if o.Group == 51 {
			dst = appendBool(append(dst, ','), "synchronised", o.Variation == 1)
		}
	case encSizedText, encTextAt, encText:
		dst = appendText(dst, p)
	case encAttribute:
		dst = appendAttribute(dst, dataType, p)
	case encDescriptors:
		dst = appendDescriptors(dst, p)
	case encElements:
		dst = appendElements(dst, p)
	default:
		dst = appendHex(dst, p)
	}
	return dst
}

// lastBlock marks the last block of a file (A.27.5).
const lastBlock = 1 << 31

// appendFlags appends the names of the flags that are set, and the state if the
// octet holds one.
func appendFlags(dst []byte, f *field, octet byte) []byte {
	dst = append(dst, `,"flags":[`...)
	first := true
	for bit, name := range f.flags {
		if name != "" && octet>>bit&1 != 0 {
			dst = appendComma(dst, &first)
			dst = appendString(dst, name)
		}
	}
	dst = append(dst, ']')
	switch f.enc {
	case encState:
		dst = strconv.AppendUint(append(dst, `,"value":`...), uint64(octet>>7), 10)
	case encDoubleState:
		dst = strconv.AppendUint(append(dst, `,"value":`...), uint64(octet>>6), 10)
		dst = appendString(append(dst, `,"state":`...), doubleBitStates.name(uint32(octet>>6)))
	}
	return dst
}

// appendControl appends a control code and its parts (A.8.1).
func appendControl(dst []byte, c byte) []byte {
	dst = strconv.AppendUint(append(dst, `,"code":`...), uint64(c), 10)
	dst = appendString(append(dst, `,"op_type":`...), operationTypes.name(uint32(c&0x0F)))
	dst = appendString(append(dst, `,"tcc":`...), tripCloseCodes.name(uint32(c>>6)))
	dst = appendBool(append(dst, ','), "clear", c&0x20 != 0)
	return appendBool(append(dst, ','), "queue", c&0x10 != 0)
}

// appendCode appends a number and its name.
func appendCode(dst []byte, f *field, x uint32) []byte {
	dst = appendString(append(dst, ','), f.name)
	dst = strconv.AppendUint(append(dst, ':'), uint64(x), 10)
	return appendName(dst, f, x)
}

// appendName appends the name of a number as a field of its own.
func appendName(dst []byte, f *field, x uint32) []byte {
	dst = append(dst, ',', '"')
	dst = append(dst, f.name...)
	dst = append(dst, `_name":`...)
	return appendString(dst, f.names.name(x))
}

// appendCharacteristics appends what a data set may be used for (A.33.2).
func appendCharacteristics(dst []byte, b byte) []byte {
	for bit, name := range [...]string{"readable", "writable", "static", "event", "defined_by_master"} {
		dst = appendBool(append(dst, ','), name, b>>bit&1 != 0)
	}
	return dst
}

// appendAttribute appends a value of a data type (clause 11).
func appendAttribute(dst []byte, dataType uint8, p []byte) []byte {
	n := len(p)
	switch {
	case dataType == attributeVisible || dataType == attributeUnicode:
		return appendText(dst, p)
	case dataType == attributeUint && n <= 8:
		return strconv.AppendUint(dst, readUint(p), 10)
	case dataType == attributeInt && n <= 8:
		return strconv.AppendInt(dst, readInt(p), 10)
	case dataType == attributeFloat && n == 4:
		return appendFloat(dst, readValue(p, encF32), 32)
	case dataType == attributeFloat && n == 8:
		return appendFloat(dst, readValue(p, encF64), 64)
	case dataType == attributeTime && n == 6:
		return appendTime(dst, int64(readUint48(p)))
	case dataType == attributeList || dataType == attributeExtendedList:
		dst = append(dst, '[')
		for i := 0; i+1 < n; i += 2 {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = strconv.AppendUint(append(dst, `{"variation":`...), uint64(p[i]), 10)
			dst = appendBool(append(dst, ','), "writable", p[i+1]&1 != 0)
			dst = append(dst, '}')
		}
		return append(dst, ']')
	}
	return appendHex(dst, p)
}

// appendDescriptors appends the elements of a data set prototype or descriptor:
// length, descriptor code, data type, maximum length, and an ancillary value
// that fills the length (A.32.1, A.33.1).
func appendDescriptors(dst, p []byte) []byte {
	dst = append(dst, '[')
	first := true
	for len(p) > 0 {
		n := int(p[0])
		if n < 3 || n > len(p)-1 {
			dst = appendComma(dst, &first)
			dst = append(appendHex(append(dst, `{"octets":`...), p), '}')
			break
		}
		e := p[1 : 1+n]
		p = p[1+n:]
		dst = appendComma(dst, &first)
		dst = strconv.AppendUint(append(dst, `{"descriptor":`...), uint64(e[0]), 10)
		dst = appendString(append(dst, `,"descriptor_name":`...), descriptorCodes.name(uint32(e[0])))
		dst = appendString(append(dst, `,"data_type":`...), attributeTypes.name(uint32(e[1])))
		dst = strconv.AppendUint(append(dst, `,"max_length":`...), uint64(e[2]), 10)
		dst = append(dst, `,"ancillary":`...)
		switch descriptorCodes.name(uint32(e[0])) {
		case "NSPC", "NAME", "DAEL":
			dst = appendText(dst, e[3:])
		case "ID":
			if len(e) <= 3+8 {
				dst = strconv.AppendUint(dst, readUint(e[3:]), 10)
				break
			}
			fallthrough
		default:
			dst = appendHex(dst, e[3:])
		}
		dst = append(dst, '}')
	}
	return append(dst, ']')
}

// appendElements appends the values of a data set, each after its length
// (A.34.1): what they mean stands in the descriptor.
func appendElements(dst, p []byte) []byte {
	dst = append(dst, '[')
	first := true
	for len(p) > 0 {
		n := min(int(p[0]), len(p)-1)
		dst = appendComma(dst, &first)
		dst = appendHex(dst, p[1:1+n])
		p = p[1+n:]
	}
	return append(dst, ']')
}

func appendComma(dst []byte, first *bool) []byte {
	if *first {
		*first = false
		return dst
	}
	return append(dst, ',')
}

func appendBool(dst []byte, name string, v bool) []byte {
	dst = append(dst, '"')
	dst = append(dst, name...)
	dst = append(dst, `":`...)
	return strconv.AppendBool(dst, v)
}

// appendFloat appends a number, or its name in a string where JSON has no
// number for it.
func appendFloat(dst []byte, v float64, bits int) []byte {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		dst = append(dst, '"')
		dst = strconv.AppendFloat(dst, v, 'g', -1, bits)
		return append(dst, '"')
	}
	return strconv.AppendFloat(dst, v, 'g', -1, bits)
}

// appendTime appends a DNP3 time in RFC 3339, UTC.
func appendTime(dst []byte, ms int64) []byte {
	dst = append(dst, '"')
	dst = time.UnixMilli(ms).UTC().AppendFormat(dst, "2006-01-02T15:04:05.000Z")
	return append(dst, '"')
}

func appendHex(dst, p []byte) []byte {
	dst = append(dst, '"')
	dst = hex.AppendEncode(dst, p)
	return append(dst, '"')
}

// appendText appends text; what is not UTF-8 is taken as Latin-1.
func appendText(dst, p []byte) []byte {
	dst = append(dst, '"')
	whole := utf8.Valid(p)
	for _, b := range p {
		switch {
		case b == '"' || b == '\\':
			dst = append(dst, '\\', b)
		case b < 0x20 || b == 0x7F || b >= 0x80 && !whole:
			dst = append(dst, `\u00`...)
			dst = append(dst, hexDigits[b>>4], hexDigits[b&15])
		default:
			dst = append(dst, b)
		}
	}
	return append(dst, '"')
}

const hexDigits = "0123456789abcdef"

// appendString appends a name of ours, which needs no escaping.
func appendString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	dst = append(dst, s...)
	return append(dst, '"')
}
