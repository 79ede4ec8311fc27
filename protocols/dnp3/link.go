package dnp3

import "encoding/binary"

const (
	start0, start1 = 0x05, 0x64
	// headerSize is the header with its CRC.
	headerSize = 10
	// minLength is the value of the length octet of a frame without data: it
	// counts control and addresses.
	minLength = 5
	// MaxUserData is the most octets that one frame carries.
	MaxUserData = 250
	// maxFrame is the longest frame, CRCs included.
	maxFrame = headerSize + MaxUserData + 2*((MaxUserData+blockSize-1)/blockSize)
)

// Link function codes of primary frames (9.2.4.1.3).
const (
	LinkResetLinkStates     uint8 = 0
	LinkTestLinkStates      uint8 = 2
	LinkConfirmedUserData   uint8 = 3
	LinkUnconfirmedUserData uint8 = 4
	LinkRequestLinkStatus   uint8 = 9
)

// Link function codes of secondary frames (9.2.4.1.3).
const (
	LinkAck          uint8 = 0
	LinkNack         uint8 = 1
	LinkStatus       uint8 = 11
	LinkNotSupported uint8 = 15
)

// linkFunction is a line of the tables of link functions.
type linkFunction struct {
	name string
	// counted functions have the frame count valid bit set.
	counted bool
	// data tells that user data follows; answered that a secondary frame is due.
	data, answered bool
	obsolete       bool
}

// primaryFunctions and secondaryFunctions describe the link functions; codes
// without a name are reserved.
var primaryFunctions = [16]linkFunction{
	0: {name: "RESET_LINK_STATES", answered: true},
	1: {name: "RESET_USER_PROCESS", answered: true, obsolete: true},
	2: {name: "TEST_LINK_STATES", counted: true, answered: true},
	3: {name: "CONFIRMED_USER_DATA", counted: true, data: true, answered: true},
	4: {name: "UNCONFIRMED_USER_DATA", data: true},
	9: {name: "REQUEST_LINK_STATUS", answered: true},
}

var secondaryFunctions = [16]linkFunction{
	0:  {name: "ACK"},
	1:  {name: "NACK"},
	11: {name: "LINK_STATUS"},
	14: {name: "NOT_FUNCTIONING", obsolete: true},
	15: {name: "NOT_SUPPORTED"},
}

// LinkHeader is the header of a link frame (9.2.4.1).
type LinkHeader struct {
	// Dir is the direction bit: set by masters, clear by outstations. Prm is
	// set in primary frames, which begin an exchange.
	Dir, Prm bool
	// FCB is the frame count bit and FCV tells whether it counts; of primary
	// frames only. In a secondary frame FCB is a reserved bit.
	FCB, FCV bool
	// DFC is the data flow control bit of secondary frames: the receiver's
	// buffers are full.
	DFC bool
	// Function is the link function code, 0 to 15.
	Function uint8
	// Destination and Source are link addresses.
	Destination, Source uint16
}

// Name returns the standard's name of the link function, or "RESERVED".
func (h *LinkHeader) Name() string {
	if n := h.function().name; n != "" {
		return n
	}
	return reservedFunction
}

func (h *LinkHeader) function() *linkFunction {
	if h.Prm {
		return &primaryFunctions[h.Function&15]
	}
	return &secondaryFunctions[h.Function&15]
}

// Control octet bits (9.2.4.1.3).
const (
	controlDir = 0x80
	controlPrm = 0x40
	controlFCB = 0x20
	controlFCV = 0x10 // DFC in secondary frames
)

// control returns the control octet.
func (h *LinkHeader) control() byte {
	c := h.Function & 0x0F
	if h.Dir {
		c |= controlDir
	}
	if h.Prm {
		c |= controlPrm
	}
	if h.FCB {
		c |= controlFCB
	}
	if h.Prm && h.FCV || !h.Prm && h.DFC {
		c |= controlFCV
	}
	return c
}

// parse reads a header whose CRC was found right. It fills it in place, because
// to copy what was just written octet by octet keeps the processor waiting.
func (h *LinkHeader) parse(p []byte) {
	_ = p[7]
	c := p[3]
	h.Dir, h.Prm, h.FCB = c&controlDir != 0, c&controlPrm != 0, c&controlFCB != 0
	h.FCV = c&(controlPrm|controlFCV) == controlPrm|controlFCV
	h.DFC = c&(controlPrm|controlFCV) == controlFCV
	h.Function = c & 0x0F
	h.Destination, h.Source = binary.LittleEndian.Uint16(p[4:]), binary.LittleEndian.Uint16(p[6:])
}

// frameSize returns the size of a frame by its length octet.
func frameSize(length byte) int {
	n := int(length) - minLength
	if n <= 0 {
		return headerSize
	}
	return headerSize + n + 2*((n+blockSize-1)/blockSize)
}

// deblock checks the blocks of a frame's data and appends the data without
// CRCs to dst. If a CRC is wrong it returns the CRC found and the one expected.
func deblock(dst, blocks []byte) (data []byte, found, expected uint16, ok bool) {
	for len(blocks) >= blockSize+2 {
		lo, hi := binary.LittleEndian.Uint64(blocks), binary.LittleEndian.Uint64(blocks[8:])
		found = binary.LittleEndian.Uint16(blocks[blockSize:])
		if expected = crcBlock(lo, hi); found != expected {
			return dst, found, expected, false
		}
		dst = binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64(dst, lo), hi)
		blocks = blocks[blockSize+2:]
	}
	if n := len(blocks) - 2; n > 0 {
		found = binary.LittleEndian.Uint16(blocks[n:])
		if expected = crcRest(blocks[:n]); found != expected {
			return dst, found, expected, false
		}
		dst = append(dst, blocks[:n]...)
	}
	return dst, 0, 0, true
}

// The destinations with a meaning of their own (9.2).
const (
	// AddressSelf reaches any outstation that has the self address enabled.
	AddressSelf uint16 = 0xFFFC
	// AddressBroadcastNoConfirm, AddressBroadcastConfirm and
	// AddressBroadcastOptional reach all outstations and differ in whether
	// the next response must ask for a confirm.
	AddressBroadcastNoConfirm uint16 = 0xFFFD
	AddressBroadcastConfirm   uint16 = 0xFFFE
	AddressBroadcastOptional  uint16 = 0xFFFF

	firstReservedAddress uint16 = 0xFFF0
)

// isBroadcast tells a broadcast address.
func isBroadcast(address uint16) bool { return address >= AddressBroadcastNoConfirm }
