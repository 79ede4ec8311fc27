package wire

import (
	"encoding/binary"
	"math"
)

// Link-layer control octets (IEEE 1815-2012, 9.2.4.1.3): direction, primary
// bit and function.
const (
	FromMaster     = 0xc4 // unconfirmed user data
	FromOutstation = 0x44
	LinkStatusAsk  = 0xc9 // request link status
	LinkStatusSay  = 0x0b // status of link
	LinkReset      = 0xc0
)

// Application-layer control bits (4.2.2.4).
const (
	AppFIR = 0x80
	AppFIN = 0x40
	AppCON = 0x20
	AppUNS = 0x10
)

// Application-layer function codes (4.2.2.5).
const (
	Confirm            = 0
	Read               = 1
	Write              = 2
	Select             = 3
	Operate            = 4
	DirectOperate      = 5
	DirectOperateNR    = 6
	ImmediateFreeze    = 7
	FreezeClear        = 9
	ColdRestart        = 13
	WarmRestart        = 14
	InitializeAppl     = 16
	StartApplication   = 17
	StopApplication    = 18
	EnableUnsolicited  = 20
	DisableUnsolicited = 21
	AssignClass        = 22
	DelayMeasure       = 23
	RecordTime         = 24
	OpenFile           = 25
	CloseFile          = 26
	DeleteFile         = 27
	GetFileInfo        = 28
	Response           = 129
	Unsolicited        = 130
)

// Internal indications, first octet in the low byte (4.2.2.6).
const (
	IINClass1       = 1 << 1
	IINClass2       = 1 << 2
	IINClass3       = 1 << 3
	IINNeedTime     = 1 << 4
	IINRestart      = 1 << 7
	IINNoFunction   = 1 << 8
	IINNoObject     = 1 << 9
	IINParameter    = 1 << 10
	IINBadConfig    = 1 << 13
	IINEventsLost   = 1 << 11
	maxLinkUserData = 250
	maxSegment      = maxLinkUserData - 1
)

var crcTable = makeCRCTable()

// makeCRCTable gives the table of the DNP3 CRC: polynomial 0x3D65, reflected
// (9.2.4.1.5).
func makeCRCTable() (t [256]uint16) {
	for i := range t {
		c := uint16(i)
		for range 8 {
			if c&1 != 0 {
				c = c>>1 ^ 0xa6bc
			} else {
				c >>= 1
			}
		}
		t[i] = c
	}
	return t
}

// CRC is the check sequence of one link-layer block.
func CRC(block []byte) uint16 {
	var c uint16
	for _, b := range block {
		c = c>>8 ^ crcTable[byte(c)^b]
	}
	return ^c
}

// AppendLinkFrame appends one link-layer frame with at most 250 octets of user
// data (9.2.4.1).
func AppendLinkFrame(dst []byte, control uint8, destination, source uint16, data []byte) []byte {
	at := len(dst)
	dst = append(dst, 0x05, 0x64, byte(5+len(data)), control)
	dst = binary.LittleEndian.AppendUint16(dst, destination)
	dst = binary.LittleEndian.AppendUint16(dst, source)
	dst = binary.LittleEndian.AppendUint16(dst, CRC(dst[at:]))
	for len(data) > 0 {
		n := min(16, len(data))
		dst = append(dst, data[:n]...)
		dst = binary.LittleEndian.AppendUint16(dst, CRC(data[:n]))
		data = data[n:]
	}
	return dst
}

// AppendFragment appends the link frames that carry one application fragment.
// sequence is the transport sequence number and is moved on (8.2.2).
func AppendFragment(dst []byte, control uint8, destination, source uint16, sequence *uint8, fragment []byte) []byte {
	var segment [maxLinkUserData]byte
	first := true
	for {
		n := min(maxSegment, len(fragment))
		h := *sequence & 0x3f
		*sequence = (*sequence + 1) & 0x3f
		if first {
			h |= 0x40
		}
		if n == len(fragment) {
			h |= 0x80
		}
		segment[0] = h
		copy(segment[1:], fragment[:n])
		dst = AppendLinkFrame(dst, control, destination, source, segment[:1+n])
		fragment = fragment[n:]
		first = false
		if len(fragment) == 0 {
			return dst
		}
	}
}

// Object qualifiers (4.2.2.7.3).
const (
	StartStop8  = 0x00
	StartStop16 = 0x01
	All         = 0x06
	Count8      = 0x07
	Index8      = 0x17
	Index16     = 0x28
	FreeFormat  = 0x5b
)

// AppendAllObjects appends an object header with qualifier 06, as class reads
// have it.
func AppendAllObjects(dst []byte, group, variation uint8) []byte {
	return append(dst, group, variation, All)
}

// AppendStartStop appends an object header with a range, with 8-bit indices
// where they fit.
func AppendStartStop(dst []byte, group, variation uint8, start, stop uint16) []byte {
	if stop <= 0xff {
		return append(dst, group, variation, StartStop8, byte(start), byte(stop))
	}
	dst = append(dst, group, variation, StartStop16)
	dst = binary.LittleEndian.AppendUint16(dst, start)
	return binary.LittleEndian.AppendUint16(dst, stop)
}

// AppendIndexed appends an object header whose count objects each carry a
// 16-bit index.
func AppendIndexed(dst []byte, group, variation uint8, count uint16) []byte {
	dst = append(dst, group, variation, Index16)
	return binary.LittleEndian.AppendUint16(dst, count)
}

// CROB is a control relay output block, group 12 variation 1.
type CROB struct {
	// Code is the control code: 0x41 close or pulse on, 0x81 trip, 3 latch on,
	// 4 latch off.
	Code, Count     uint8
	OnTime, OffTime uint32
	Status          uint8
}

// AppendCROB appends the block's eleven octets.
func AppendCROB(dst []byte, c CROB) []byte {
	dst = append(dst, c.Code, c.Count)
	dst = binary.LittleEndian.AppendUint32(dst, c.OnTime)
	dst = binary.LittleEndian.AppendUint32(dst, c.OffTime)
	return append(dst, c.Status)
}

// AppendDNP3Time appends the 48-bit time of group 50, from nanoseconds since the
// Unix epoch.
func AppendDNP3Time(dst []byte, t int64) []byte {
	ms := uint64(t / 1e6)
	return append(dst, byte(ms), byte(ms>>8), byte(ms>>16), byte(ms>>24), byte(ms>>32), byte(ms>>40))
}

// DNP3Time reads the 48-bit time of group 50 into nanoseconds since the Unix
// epoch.
func DNP3Time(b []byte) int64 {
	return int64(uint64(b[0])|uint64(b[1])<<8|uint64(b[2])<<16|uint64(b[3])<<24|uint64(b[4])<<32|uint64(b[5])<<40) * 1e6
}

// AppendFloat32 appends an IEEE 754 number as DNP3 orders it.
func AppendFloat32(dst []byte, v float64) []byte {
	return binary.LittleEndian.AppendUint32(dst, math.Float32bits(float32(v)))
}
