// Package modbus turns the bytes of a Modbus conversation into Events, and
// Messages into bytes.
//
// It follows the Modbus Application Protocol Specification V1.1b3 ("AP"), the
// Modbus Messaging on TCP/IP Implementation Guide V1.0b ("TCP") and the Modbus
// over Serial Line Specification V1.02 ("SL"); clauses are cited with these
// short names. Three framings are understood: Modbus/TCP with its MBAP header
// (over TCP and UDP), and the two serial framings, RTU and ASCII, carried over
// TCP or UDP as serial gateways do.
//
// What weir knows of function codes stands in one table (functions.go), what it
// knows of fields in another (layout.go): the decoder, the encoder, the JSON of
// weir decode and docs/modbus.md are all derived from them.
package modbus

// Framing is how a PDU is wrapped for its way.
type Framing uint8

const (
	// MBAP is the framing of Modbus/TCP: transaction, protocol, length, unit
	// (TCP 3.1.3).
	MBAP Framing = iota
	// RTU is the binary serial framing: unit, PDU, CRC-16 (SL 2.5.1).
	RTU
	// ASCII is the text serial framing: colon, hexadecimal digits, LRC, CR LF
	// (SL 2.5.2).
	ASCII
	numFramings
)

var framingNames = [numFramings]string{"mbap", "rtu", "ascii"}

func (f Framing) String() string {
	if f < numFramings {
		return framingNames[f]
	}
	return "unknown"
}

// Sizes of the specifications, in octets.
const (
	// MaxPDU is the longest protocol data unit (AP 4.1).
	MaxPDU = 253
	// maxMBAP is the longest MBAP application data unit: 7 + MaxPDU.
	maxMBAP = 260
	// maxRTU is the longest RTU frame: unit + MaxPDU + CRC.
	maxRTU = 256
	// maxASCII is the longest ASCII frame in characters.
	maxASCII = 513
	// mbapPrefix is how many octets of the header its length field does not
	// count.
	mbapPrefix = 6
	// maxLongADU bounds what weir still takes as one message although the
	// specification forbids it. Schneider Electric controllers use UMAS frames
	// of about 1 KiB.
	maxLongADU = 2048
)
