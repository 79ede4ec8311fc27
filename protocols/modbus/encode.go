package modbus

import "encoding/binary"

const hexDigits = "0123456789ABCDEF"

// AppendADU wraps a PDU in a framing and appends it. The transaction is only
// used by MBAP.
func AppendADU(dst []byte, f Framing, transaction uint16, unit uint8, pdu []byte) []byte {
	switch f {
	case RTU:
		start := len(dst)
		dst = append(dst, unit)
		dst = append(dst, pdu...)
		return binary.LittleEndian.AppendUint16(dst, CRC(dst[start:]))
	case ASCII:
		sum := unit
		dst = appendHex(append(dst, ':'), unit)
		for _, b := range pdu {
			dst = appendHex(dst, b)
			sum += b
		}
		dst = appendHex(dst, -sum)
		return append(dst, '\r', '\n')
	}
	dst = binary.BigEndian.AppendUint16(dst, transaction)
	dst = append(dst, 0, 0)
	dst = binary.BigEndian.AppendUint16(dst, uint16(len(pdu)+1))
	dst = append(dst, unit)
	return append(dst, pdu...)
}

func appendHex(dst []byte, b byte) []byte { return append(dst, hexDigits[b>>4], hexDigits[b&15]) }

// AppendPDU appends the PDU that a Message stands for, by the same table that
// decoding uses. What a message got from its request is not part of it.
func AppendPDU(dst []byte, m *Message) []byte {
	f := m.Info()
	bit := byte(0)
	if m.IsException {
		bit = 0x80
	}
	dst = append(dst, m.Function|bit)
	if m.Body != nil {
		return append(dst, m.Body...)
	}
	if m.IsException {
		return append(append(dst, m.Exception), m.Extra...)
	}
	l := f.layout(m.Response)
	for i := 0; i < len(l.Fields); i++ {
		s := &l.Fields[i]
		v := m.fields[s.Field]
		if s.Size == 2 {
			dst = append(dst, byte(v>>8))
		}
		dst = append(dst, byte(v))
		if s.Field == FieldSub {
			if sub := f.Sub(int(v)); sub != nil {
				l = sub.layout(m.Response)
				i = -1
			}
		}
	}
	dst = append(dst, m.Data...)
	return append(dst, m.Extra...)
}

// AppendMessage appends a Message in its framing.
func AppendMessage(dst []byte, m *Message) []byte {
	var room [maxMBAP]byte
	return AppendADU(dst, m.Framing, m.Transaction, m.Unit, AppendPDU(room[:0], m))
}

// The functions below append PDUs of the functions in common use. They write
// what they are told, right or wrong, so that a plant can misbehave too.

func append16(dst []byte, vs ...uint16) []byte {
	for _, v := range vs {
		dst = append(dst, byte(v>>8), byte(v))
	}
	return dst
}

// AppendRead appends a request of function 1, 2, 3 or 4.
func AppendRead(dst []byte, function uint8, address, quantity uint16) []byte {
	return append16(append(dst, function), address, quantity)
}

// AppendBits appends a response of function 1 or 2.
func AppendBits(dst []byte, function uint8, values []bool) []byte {
	return appendBits(append(dst, function, byte((len(values)+7)/8)), values)
}

// AppendRegisters appends a response of function 3, 4 or 23.
func AppendRegisters(dst []byte, function uint8, values []uint16) []byte {
	return append16(append(dst, function, byte(2*len(values))), values...)
}

// AppendWriteCoil appends a request or response of function 5.
func AppendWriteCoil(dst []byte, address uint16, on bool) []byte {
	v := uint16(0)
	if on {
		v = 0xFF00
	}
	return append16(append(dst, 5), address, v)
}

// AppendWriteRegister appends a request or response of function 6.
func AppendWriteRegister(dst []byte, address, value uint16) []byte {
	return append16(append(dst, 6), address, value)
}

// AppendWriteCoils appends a request of function 15.
func AppendWriteCoils(dst []byte, address uint16, values []bool) []byte {
	dst = append16(append(dst, 15), address, uint16(len(values)))
	return appendBits(append(dst, byte((len(values)+7)/8)), values)
}

// AppendWriteRegisters appends a request of function 16.
func AppendWriteRegisters(dst []byte, address uint16, values []uint16) []byte {
	dst = append16(append(dst, 16), address, uint16(len(values)))
	return append16(append(dst, byte(2*len(values))), values...)
}

// AppendWritten appends a response of function 15 or 16.
func AppendWritten(dst []byte, function uint8, address, quantity uint16) []byte {
	return append16(append(dst, function), address, quantity)
}

// AppendMaskWrite appends a request or response of function 22.
func AppendMaskWrite(dst []byte, address, and, or uint16) []byte {
	return append16(append(dst, 22), address, and, or)
}

// AppendReadWrite appends a request of function 23.
func AppendReadWrite(dst []byte, readAddress, readQuantity, writeAddress uint16, values []uint16) []byte {
	dst = append16(append(dst, 23), readAddress, readQuantity, writeAddress, uint16(len(values)))
	return append16(append(dst, byte(2*len(values))), values...)
}

// AppendDiagnostics appends a request or response of function 8.
func AppendDiagnostics(dst []byte, sub uint16, data ...uint16) []byte {
	return append16(append16(append(dst, 8), sub), data...)
}

// AppendException appends an exception response.
func AppendException(dst []byte, function, code uint8) []byte {
	return append(dst, function|0x80, code)
}

// AppendReadDeviceID appends a request of function 43/14.
func AppendReadDeviceID(dst []byte, readCode, object uint8) []byte {
	return append(dst, 43, meiDeviceID, readCode, object)
}

// Object is one object of a device identification.
type Object struct {
	ID    uint8
	Value []byte
}

// AppendDeviceID appends a response of function 43/14 that holds objects. If
// more is true, next is the object to ask for next.
func AppendDeviceID(dst []byte, readCode, conformity uint8, more bool, next uint8, objects []Object) []byte {
	follows := byte(0)
	if more {
		follows = 0xFF
	}
	dst = append(dst, 43, meiDeviceID, readCode, conformity, follows, next, byte(len(objects)))
	for _, o := range objects {
		dst = append(append(dst, o.ID, byte(len(o.Value))), o.Value...)
	}
	return dst
}

// AppendUMAS appends a request of function 90 with Schneider Electric's UMAS.
func AppendUMAS(dst []byte, session, function uint8, data []byte) []byte {
	return append(append(dst, 90, session, function), data...)
}

// AppendUMASDone appends a positive response of function 90.
func AppendUMASDone(dst []byte, session uint8, data []byte) []byte {
	return append(append(dst, 90, session, umasDone), data...)
}

func appendBits(dst []byte, values []bool) []byte {
	var octet byte
	for i, v := range values {
		if v {
			octet |= 1 << (i & 7)
		}
		if i&7 == 7 || i == len(values)-1 {
			dst = append(dst, octet)
			octet = 0
		}
	}
	return dst
}
