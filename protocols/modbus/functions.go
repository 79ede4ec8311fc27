package modbus

import (
	"fmt"

	"github.com/weir-ics/weir/protocols"
)

// Class says who gives a function code its meaning (AP 5).
type Class uint8

const (
	// Undefined codes are assigned to nobody.
	Undefined Class = iota
	// Public codes are defined by the specification.
	Public
	// UserDefined codes, 65 to 72 and 100 to 110, mean what each product says.
	UserDefined
	// Reserved codes are set aside by AP annex A for companies that use them in
	// older products.
	Reserved
	// VendorUsed codes are used by products outside the ranges for that.
	VendorUsed
	// Invalid codes must not occur: 0, and 128 to 255 in a request.
	Invalid
)

var classNames = [...]string{"undefined", "public", "user defined", "reserved", "vendor", "invalid"}

func (c Class) String() string {
	if int(c) < len(classNames) {
		return classNames[c]
	}
	return "unknown"
}

// Function is what weir knows of one function code.
type Function struct {
	Code uint8
	Name string
	// Effect is what it does to the plant; a sub-function may say otherwise.
	Effect protocols.Effect
	Class  Class
	// Vendor names who uses the code, empty for public ones.
	Vendor string
	// Clause is where it is defined.
	Clause string
	// Kind is the table it addresses, KindUnknown if none; WriteKind that of
	// the second address of function 23.
	Kind protocols.PointKind
	// Request and Response are what follows the function code.
	Request, Response Layout
	// Subs are its sub-functions, in rising order.
	Subs []SubFunction

	access protocols.Access
	// echo tells that a normal response repeats the request octet by octet.
	echo bool
	// serial tells that it is defined for serial lines only.
	serial bool
	// named tells that it stands in the table below.
	named bool
}

// SubFunction is one sub-function (diagnostics), MEI type or UMAS function.
type SubFunction struct {
	Code   uint16
	Name   string
	Effect protocols.Effect
	// Request and Response are what follows the sub-function.
	Request, Response Layout
	// Silent tells that no response is expected.
	Silent bool
	Clause string
	// Title is the function's and the sub-function's name.
	Title string

	echo bool
}

func (f *Function) layout(response bool) *Layout {
	if response {
		return &f.Response
	}
	return &f.Request
}

func (s *SubFunction) layout(response bool) *Layout {
	if response {
		return &s.Response
	}
	return &s.Request
}

// Sub finds a sub-function, nil if the code is not known.
func (f *Function) Sub(code int) *SubFunction {
	lo, hi := 0, len(f.Subs)
	for lo < hi {
		mid := (lo + hi) / 2
		if int(f.Subs[mid].Code) < code {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	if lo < len(f.Subs) && int(f.Subs[lo].Code) == code {
		return &f.Subs[lo]
	}
	return nil
}

// Lookup gives what weir knows of a function code. Every code below 128 has an
// entry; codes from 128 on give that of the code without the exception bit.
func Lookup(code uint8) *Function { return &functions[code&0x7f] }

// Functions returns the functions that have a name of their own, by code.
func Functions() []*Function {
	var known []*Function
	for i := range functions {
		if functions[i].named {
			known = append(known, &functions[i])
		}
	}
	return known
}

var (
	addressing = u16(FieldAddress)
	byteCount  = u8(FieldByteCount)
)

func addressQuantity(highest uint16) Layout {
	return layout(TailNone, addressing, limit(FieldQuantity, 1, highest))
}

// named is the table of the functions that have a name of their own: the only
// place where weir knows them. Public ones are those of AP 6; the others are
// named as the documents of those who use them do. PI-MBUS-300 is the Modicon
// Modbus Protocol Reference Guide.
var named = []Function{
	{Code: 1, Name: "Read Coils", Effect: protocols.Read, Class: Public, Clause: "AP 6.1",
		Kind: protocols.KindCoil, access: protocols.AccessRead,
		Request: addressQuantity(2000), Response: layout(TailBits, byteCount)},
	{Code: 2, Name: "Read Discrete Inputs", Effect: protocols.Read, Class: Public, Clause: "AP 6.2",
		Kind: protocols.KindDiscreteInput, access: protocols.AccessRead,
		Request: addressQuantity(2000), Response: layout(TailBits, byteCount)},
	{Code: 3, Name: "Read Holding Registers", Effect: protocols.Read, Class: Public, Clause: "AP 6.3",
		Kind: protocols.KindHoldingRegister, access: protocols.AccessRead,
		Request: addressQuantity(125), Response: layout(TailRegisters, byteCount)},
	{Code: 4, Name: "Read Input Registers", Effect: protocols.Read, Class: Public, Clause: "AP 6.4",
		Kind: protocols.KindInputRegister, access: protocols.AccessRead,
		Request: addressQuantity(125), Response: layout(TailRegisters, byteCount)},
	{Code: 5, Name: "Write Single Coil", Effect: protocols.Control, Class: Public, Clause: "AP 6.5",
		Kind: protocols.KindCoil, access: protocols.AccessWrite, echo: true,
		Request:  layout(TailNone, addressing, checked(u16(FieldValue), checkCoil)),
		Response: layout(TailNone, addressing, checked(u16(FieldValue), checkCoil))},
	{Code: 6, Name: "Write Single Register", Effect: protocols.Write, Class: Public, Clause: "AP 6.6",
		Kind: protocols.KindHoldingRegister, access: protocols.AccessWrite, echo: true,
		Request:  layout(TailNone, addressing, u16(FieldValue)),
		Response: layout(TailNone, addressing, u16(FieldValue))},
	{Code: 7, Name: "Read Exception Status", Effect: protocols.Diagnose, Class: Public, Clause: "AP 6.7", serial: true,
		Response: layout(TailNone, u8(FieldStatus))},
	{Code: 8, Name: "Diagnostics", Effect: protocols.Diagnose, Class: Public, Clause: "AP 6.8", serial: true,
		Request:  layout(TailRest, u16(FieldSub)),
		Response: layout(TailRest, u16(FieldSub)), Subs: diagnostics},
	{Code: 9, Name: "Program 484", Effect: protocols.Program, Class: Reserved, Vendor: "Modicon", Clause: "AP annex A",
		Request: free(), Response: free()},
	{Code: 10, Name: "Poll 484", Effect: protocols.Program, Class: Reserved, Vendor: "Modicon", Clause: "AP annex A",
		Request: free(), Response: free()},
	{Code: 11, Name: "Get Comm Event Counter", Effect: protocols.Diagnose, Class: Public, Clause: "AP 6.9", serial: true,
		Response: layout(TailNone, checked(u16(FieldStatus), checkStatus), u16(FieldEventCount))},
	{Code: 12, Name: "Get Comm Event Log", Effect: protocols.Diagnose, Class: Public, Clause: "AP 6.10", serial: true,
		Response: layout(TailEvents, byteCount, checked(u16(FieldStatus), checkStatus), u16(FieldEventCount), u16(FieldMessageCount))},
	{Code: 13, Name: "Program 584/984", Effect: protocols.Program, Class: Reserved, Vendor: "Modicon", Clause: "AP annex A",
		Request: free(), Response: free()},
	{Code: 14, Name: "Poll 584/984", Effect: protocols.Program, Class: Reserved, Vendor: "Modicon", Clause: "AP annex A",
		Request: free(), Response: free()},
	{Code: 15, Name: "Write Multiple Coils", Effect: protocols.Control, Class: Public, Clause: "AP 6.11",
		Kind: protocols.KindCoil, access: protocols.AccessWrite,
		Request:  layout(TailBits, addressing, limit(FieldQuantity, 1, 0x7B0), byteCount),
		Response: addressQuantity(0x7B0)},
	{Code: 16, Name: "Write Multiple Registers", Effect: protocols.Write, Class: Public, Clause: "AP 6.12",
		Kind: protocols.KindHoldingRegister, access: protocols.AccessWrite,
		Request:  layout(TailRegisters, addressing, limit(FieldQuantity, 1, 0x7B), byteCount),
		Response: addressQuantity(0x7B)},
	{Code: 17, Name: "Report Server ID", Effect: protocols.Diagnose, Class: Public, Clause: "AP 6.13", serial: true,
		Response: layout(TailBytes, byteCount)},
	{Code: 18, Name: "Program 884/M84", Effect: protocols.Program, Class: VendorUsed, Vendor: "Modicon", Clause: "PI-MBUS-300",
		Request: free(), Response: free()},
	{Code: 19, Name: "Reset Communication Link", Effect: protocols.Restart, Class: VendorUsed, Vendor: "Modicon", Clause: "PI-MBUS-300",
		Request: free(), Response: free()},
	{Code: 20, Name: "Read File Record", Effect: protocols.FileAccess, Class: Public, Clause: "AP 6.14",
		Kind: protocols.KindFileRecord, access: protocols.AccessRead,
		Request: layout(TailFileRequests, byteCount), Response: layout(TailFileRecords, byteCount)},
	{Code: 21, Name: "Write File Record", Effect: protocols.FileAccess, Class: Public, Clause: "AP 6.15",
		Kind: protocols.KindFileRecord, access: protocols.AccessWrite, echo: true,
		Request: layout(TailFileWrites, byteCount), Response: layout(TailFileWrites, byteCount)},
	{Code: 22, Name: "Mask Write Register", Effect: protocols.Write, Class: Public, Clause: "AP 6.16",
		Kind: protocols.KindHoldingRegister, access: protocols.AccessWrite, echo: true,
		Request:  layout(TailNone, addressing, u16(FieldAndMask), u16(FieldOrMask)),
		Response: layout(TailNone, addressing, u16(FieldAndMask), u16(FieldOrMask))},
	{Code: 23, Name: "Read/Write Multiple Registers", Effect: protocols.Write, Class: Public, Clause: "AP 6.17",
		Kind: protocols.KindHoldingRegister, access: protocols.AccessRead,
		Request: layout(TailRegisters, addressing, limit(FieldQuantity, 1, 0x7D),
			u16(FieldWriteAddress), limit(FieldWriteQuantity, 1, 0x79), byteCount),
		Response: layout(TailRegisters, byteCount)},
	{Code: 24, Name: "Read FIFO Queue", Effect: protocols.Read, Class: Public, Clause: "AP 6.18",
		Kind: protocols.KindFIFO, access: protocols.AccessRead,
		Request:  layout(TailNone, addressing),
		Response: layout(TailRegisters, u16(FieldByteCount), checked(u16(FieldFIFOCount), checkFIFO))},
	{Code: 35, Name: "Retrieve Log", Effect: protocols.FileAccess, Class: VendorUsed, Vendor: "Electro Industries/GaugeTech", Clause: "Shark and MP200 meter manuals",
		Request: free(), Response: free()},
	{Code: 40, Name: "Program Concept", Effect: protocols.Program, Class: VendorUsed, Vendor: "Schneider Electric", Clause: "vendor",
		Request: free(), Response: free()},
	{Code: 41, Name: "Multiple Function Codes", Effect: protocols.Program, Class: Reserved, Vendor: "Schneider Electric", Clause: "AP annex A",
		Request: free(), Response: free()},
	{Code: 42, Name: "Reserved 42", Effect: protocols.EffectNone, Class: Reserved, Clause: "AP annex A",
		Request: free(), Response: free()},
	{Code: 43, Name: "Encapsulated Interface Transport", Effect: protocols.Diagnose, Class: Public, Clause: "AP 6.19",
		Request:  layout(TailRest, u8(FieldSub)),
		Response: layout(TailRest, u8(FieldSub)), Subs: meiTypes},
	{Code: 90, Name: "UMAS", Effect: protocols.Program, Class: Reserved, Vendor: "Schneider Electric", Clause: "AP annex A; vendor",
		Request:  layout(TailRest, u8(FieldSession), u8(FieldSub)),
		Response: layout(TailRest, u8(FieldSession), u8(FieldResult)), Subs: umasFunctions},
	{Code: 91, Name: "Object Messaging", Effect: protocols.Configure, Class: Reserved, Vendor: "Schneider Electric", Clause: "AP annex A; Object Messaging Protocol Extensions 1.1",
		Request: free(), Response: free()},
	{Code: 96, Name: "Read Parameter Information", Effect: protocols.Read, Class: VendorUsed, Vendor: "SEL", Clause: "SEL-700 series manuals, appendix E",
		Request: free(), Response: free()},
	{Code: 97, Name: "Read Parameter Text", Effect: protocols.Read, Class: VendorUsed, Vendor: "SEL", Clause: "SEL-700 series manuals, appendix E",
		Request: free(), Response: free()},
	{Code: 98, Name: "Read Enumeration Text", Effect: protocols.Read, Class: VendorUsed, Vendor: "SEL", Clause: "SEL-700 series manuals, appendix E",
		Request: free(), Response: free()},
	{Code: 125, Name: "Firmware Replacement", Effect: protocols.Program, Class: Reserved,
		Vendor: "Schneider Electric; an encapsulated packet with control in SEL relays", Clause: "AP annex A",
		Request: free(), Response: free()},
	{Code: 126, Name: "Program 584/984 (126)", Effect: protocols.Program, Class: Reserved,
		Vendor: "Modicon; no operation in SEL relays", Clause: "AP annex A",
		Request: free(), Response: free()},
	{Code: 127, Name: "Report Local Address", Effect: protocols.Diagnose, Class: Reserved, Vendor: "Modicon", Clause: "AP annex A",
		Request: free(), Response: free()},
}

// functions is every code below 128: named, and the rest by its class.
var functions = buildFunctions()

func buildFunctions() (all [128]Function) {
	for i := range all {
		f := Function{Code: uint8(i), Class: Undefined, Clause: "AP 5", Request: free(), Response: free()}
		switch {
		case i == 0:
			f.Class, f.Name = Invalid, "Invalid 0"
		case i >= 65 && i <= 72, i >= 100 && i <= 110:
			f.Class, f.Name = UserDefined, fmt.Sprintf("User Defined %d", i)
		default:
			f.Name = fmt.Sprintf("Undefined %d", i)
		}
		all[i] = f
	}
	for _, f := range named {
		f.named = true
		for i := range f.Subs {
			f.Subs[i].Title = f.Name + ": " + f.Subs[i].Name
		}
		all[f.Code] = f
	}
	return all
}
