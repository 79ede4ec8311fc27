package modbus

// Field is one fixed-size part of a PDU.
type Field uint8

const (
	FieldSession Field = iota
	FieldSub
	FieldResult
	FieldAddress
	FieldQuantity
	FieldWriteAddress
	FieldWriteQuantity
	FieldValue
	FieldAndMask
	FieldOrMask
	FieldByteCount
	FieldStatus
	FieldEventCount
	FieldMessageCount
	FieldFIFOCount
	FieldReadCode
	FieldObjectID
	FieldConformity
	FieldMoreFollows
	FieldNextObject
	FieldObjectCount
	numFields
)

// fieldInfo describes a Field wherever it occurs.
type fieldInfo struct {
	// key is its name in the JSON of weir decode.
	key string
	// meaning is for docs/modbus.md.
	meaning string
}

var fields = [numFields]fieldInfo{
	FieldAddress:       {"address", "first address, 0-based"},
	FieldQuantity:      {"quantity", "how many coils, inputs or registers"},
	FieldWriteAddress:  {"write_address", "first address of the write, 0-based"},
	FieldWriteQuantity: {"write_quantity", "how many registers are written"},
	FieldValue:         {"value", "the value"},
	FieldAndMask:       {"and_mask", "bits that stay"},
	FieldOrMask:        {"or_mask", "bits set where and_mask is 0"},
	FieldByteCount:     {"byte_count", "octets that follow"},
	FieldSub:           {"sub_function", "sub-function; the MEI type of function 43 is `mei`"},
	FieldStatus:        {"status", "status"},
	FieldEventCount:    {"event_count", "communication events"},
	FieldMessageCount:  {"message_count", "messages processed"},
	FieldFIFOCount:     {"fifo_count", "registers in the queue"},
	FieldReadCode:      {"read_code", "kind of access: 1 basic, 2 regular, 3 extended, 4 one object"},
	FieldObjectID:      {"object_id", "first object asked for"},
	FieldConformity:    {"conformity", "conformity level"},
	FieldMoreFollows:   {"more_follows", "255 if another transaction is needed"},
	FieldNextObject:    {"next_object", "object to ask for next"},
	FieldObjectCount:   {"object_count", "objects in this message"},
	FieldSession:       {"session", "session or reservation key"},
	FieldResult:        {"result", "254 done, 253 refused"},
}

// Key is the field's name in the JSON of weir decode.
func (f Field) Key() string { return fields[f].key }

// Tail is what follows the fixed fields of a PDU.
type Tail uint8

const (
	// TailNone ends the PDU.
	TailNone Tail = iota
	// TailBits is one bit a coil or input, the first in the lowest bit.
	TailBits
	// TailRegisters is two octets a register, the high one first.
	TailRegisters
	// TailBytes is octets that the byte count counts.
	TailBytes
	// TailRest is whatever is left.
	TailRest
	// TailFileRequests is sub-requests of a file record read (AP 6.14).
	TailFileRequests
	// TailFileRecords is the records of a file record read's response.
	TailFileRecords
	// TailFileWrites is the records of a file record write (AP 6.15).
	TailFileWrites
	// TailEvents is the octets of the communication event log (AP 6.10).
	TailEvents
	// TailObjects is device identification objects (AP 6.21).
	TailObjects
)

var tailMeanings = [...]string{
	TailNone:         "",
	TailBits:         "`values`: one bit each",
	TailRegisters:    "`values`: one register each",
	TailBytes:        "`data`: octets, `text`: the longest printable part",
	TailRest:         "`data`: octets",
	TailFileRequests: "`records`: reference_type, file, record, length",
	TailFileRecords:  "`records`: length, reference_type, values",
	TailFileWrites:   "`records`: reference_type, file, record, length, values",
	TailEvents:       "`events`: newest first, with flags by name",
	TailObjects:      "`objects`: id, name, value",
}

// check is a rule for a field beyond its limits.
type check uint8

const (
	checkNone check = iota
	// checkCoil: 0xFF00 or 0x0000 (AP 6.5).
	checkCoil
	// checkOnOff: 0xFF00 or 0x0000 (AP 6.8, diagnostics sub-function 01).
	checkOnOff
	// checkZero: 0x0000 (AP 6.8, data field of most diagnostics).
	checkZero
	// checkBool: 0x00 or 0xFF (AP 6.21, more follows).
	checkBool
	// checkStatus: 0x0000 or 0xFFFF (AP 6.9).
	checkStatus
	// checkReadCode: 1 to 4 (AP 6.21).
	checkReadCode
	// checkConformity: 1 to 3, and those with bit 7 (AP 6.21).
	checkConformity
	// checkFIFO: at most 31 (AP 6.18).
	checkFIFO
)

var checkMeanings = [...]string{
	checkNone:       "",
	checkCoil:       "FF00 or 0000",
	checkOnOff:      "FF00 or 0000",
	checkZero:       "0000",
	checkBool:       "00 or FF",
	checkStatus:     "0000 or FFFF",
	checkReadCode:   "1 to 4",
	checkConformity: "1 to 3, or with bit 7 set",
	checkFIFO:       "up to 31",
}

// FieldSpec is a field of a layout.
type FieldSpec struct {
	Field Field
	// Size is in octets, 1 or 2.
	Size uint8
	// Min and Max are the standard's limits; Max 0 means none.
	Min, Max uint16
	check    check
}

// Layout is what a PDU holds after its function code.
type Layout struct {
	Fields []FieldSpec
	Tail   Tail
	// Free means that weir does not know the layout: anything is right.
	Free bool
}

func u8(f Field) FieldSpec  { return FieldSpec{Field: f, Size: 1} }
func u16(f Field) FieldSpec { return FieldSpec{Field: f, Size: 2} }

func limit(f Field, lo, hi uint16) FieldSpec { return FieldSpec{Field: f, Size: 2, Min: lo, Max: hi} }

func checked(f FieldSpec, c check) FieldSpec { f.check = c; return f }

func layout(tail Tail, fs ...FieldSpec) Layout { return Layout{Fields: fs, Tail: tail} }

func free() Layout { return Layout{Tail: TailRest, Free: true} }

// measure tells how long the PDU is by its own content, from its first octets:
// the length, or needMore if pdu is too short to tell, or anyLength if the
// layout leaves it open.
func measure(pdu []byte, response bool) int {
	if len(pdu) == 0 {
		return needMore
	}
	fn := pdu[0]
	if fn >= 0x80 {
		if !response {
			return anyLength
		}
		return 2
	}
	f := &functions[fn]
	l := f.layout(response)
	at := 1
	counted := -1
walk:
	for i := 0; i < len(l.Fields); i++ {
		s := &l.Fields[i]
		next := at + int(s.Size)
		if len(pdu) < next {
			return needMore
		}
		v := int(pdu[at])
		if s.Size == 2 {
			v = v<<8 | int(pdu[at+1])
		}
		at = next
		switch s.Field {
		case FieldByteCount:
			counted = at + v
		case FieldSub:
			if sub := f.Sub(v); sub != nil {
				l = sub.layout(response)
				i = -1
				continue walk
			}
			if l.Tail == TailRest {
				return anyLength
			}
		}
	}
	switch {
	case counted >= 0:
		return counted
	case l.Tail == TailNone:
		return at
	case l.Tail == TailObjects:
		n := int(pdu[at-1])
		for ; n > 0; n-- {
			if len(pdu) < at+2 {
				return needMore
			}
			at += 2 + int(pdu[at+1])
		}
		return at
	}
	return anyLength
}

const (
	needMore  = -1
	anyLength = -2
)
