package wire

import "encoding/binary"

// Function codes of the Modbus Application Protocol Specification V1.1b3,
// section 6, that the plant uses.
const (
	ReadCoils              = 0x01
	ReadDiscreteInputs     = 0x02
	ReadHoldingRegisters   = 0x03
	ReadInputRegisters     = 0x04
	WriteSingleCoil        = 0x05
	WriteSingleRegister    = 0x06
	Diagnostics            = 0x08
	WriteMultipleCoils     = 0x0f
	WriteMultipleRegisters = 0x10
	ReportServerID         = 0x11
	ReadFileRecord         = 0x14
	WriteFileRecord        = 0x15
	MaskWriteRegister      = 0x16
	ReadDeviceID           = 0x2b
	UMAS                   = 0x5a
)

// Exception codes (section 7).
const (
	IllegalFunction    = 1
	IllegalDataAddress = 2
	IllegalDataValue   = 3
	ServerFailure      = 4
	GatewayNoResponse  = 11
)

// AppendMBAP appends a Modbus/TCP message: the MBAP header (Modbus Messaging on
// TCP/IP V1.0b, 3.1.3) and the PDU.
func AppendMBAP(dst []byte, transaction uint16, unit uint8, pdu []byte) []byte {
	dst = binary.BigEndian.AppendUint16(dst, transaction)
	dst = append(dst, 0, 0)
	dst = binary.BigEndian.AppendUint16(dst, uint16(1+len(pdu)))
	dst = append(dst, unit)
	return append(dst, pdu...)
}

// AppendAddressValue appends a PDU of a function, an address and one 16-bit
// value: all reads (value is the quantity), Write Single Coil and Register,
// diagnostics (address is the sub-function).
func AppendAddressValue(dst []byte, function uint8, address, value uint16) []byte {
	dst = append(dst, function)
	dst = binary.BigEndian.AppendUint16(dst, address)
	return binary.BigEndian.AppendUint16(dst, value)
}

// AppendWriteRegisters appends a Write Multiple Registers request.
func AppendWriteRegisters(dst []byte, address uint16, values []uint16) []byte {
	dst = AppendAddressValue(dst, WriteMultipleRegisters, address, uint16(len(values)))
	dst = append(dst, byte(2*len(values)))
	for _, v := range values {
		dst = binary.BigEndian.AppendUint16(dst, v)
	}
	return dst
}

// AppendWriteCoils appends a Write Multiple Coils request.
func AppendWriteCoils(dst []byte, address uint16, values []bool) []byte {
	dst = AppendAddressValue(dst, WriteMultipleCoils, address, uint16(len(values)))
	dst = append(dst, byte((len(values)+7)/8))
	return appendBits(dst, values)
}

// CoilValue is the value of a Write Single Coil request.
func CoilValue(on bool) uint16 {
	if on {
		return 0xff00
	}
	return 0
}

// AppendException appends an exception response.
func AppendException(dst []byte, function, code uint8) []byte {
	return append(dst, function|0x80, code)
}

func appendBits(dst []byte, values []bool) []byte {
	var b byte
	for i, v := range values {
		if v {
			b |= 1 << (i % 8)
		}
		if i%8 == 7 || i == len(values)-1 {
			dst = append(dst, b)
			b = 0
		}
	}
	return dst
}
