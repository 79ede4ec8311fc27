package dnp3

import "encoding/binary"

// AppendFrame appends one link frame with user data to dst and returns it. Of
// data only the first MaxUserData octets fit.
func AppendFrame(dst []byte, h LinkHeader, data []byte) []byte {
	data = data[:min(len(data), MaxUserData)]
	at := len(dst)
	dst = append(dst, start0, start1, byte(minLength+len(data)), h.control())
	dst = binary.LittleEndian.AppendUint16(dst, h.Destination)
	dst = binary.LittleEndian.AppendUint16(dst, h.Source)
	dst = binary.LittleEndian.AppendUint16(dst, CRC(dst[at:]))
	for len(data) > 0 {
		block := data[:min(len(data), blockSize)]
		data = data[len(block):]
		dst = append(dst, block...)
		dst = binary.LittleEndian.AppendUint16(dst, CRC(block))
	}
	return dst
}

// Transport header bits (8.2).
const (
	transportFIN = 0x80
	transportFIR = 0x40
	transportSeq = 0x3F
)

// maxSegment is how many octets of a fragment one segment carries.
const maxSegment = MaxUserData - 1

// AppendSegments appends a fragment to dst, cut into transport segments, one a
// link frame. The first has the transport sequence number *seq, which is moved
// on past the last. If h has FCV set, its frame count bit toggles from frame to
// frame, beginning with h.FCB.
func AppendSegments(dst []byte, h LinkHeader, seq *uint8, fragment []byte) []byte {
	var segment [MaxUserData]byte
	first := byte(transportFIR)
	for {
		n := copy(segment[1:], fragment)
		fragment = fragment[n:]
		segment[0] = first | *seq&transportSeq
		if len(fragment) == 0 {
			segment[0] |= transportFIN
		}
		dst = AppendFrame(dst, h, segment[:1+n])
		*seq = (*seq + 1) & transportSeq
		if h.FCV {
			h.FCB = !h.FCB
		}
		if len(fragment) == 0 {
			return dst
		}
		first = 0
	}
}

// AppControl is the application control octet (4.2.2).
type AppControl struct {
	// FIR and FIN mark the first and the final fragment of a message, CON asks
	// for a confirm, UNS marks the numbering of unsolicited responses.
	FIR, FIN, CON, UNS bool
	// Seq is the sequence number, 0 to 15.
	Seq uint8
}

// Single is the control octet of a message of one fragment.
func Single(seq uint8) AppControl { return AppControl{FIR: true, FIN: true, Seq: seq} }

// Application control bits.
const (
	appFIR = 0x80
	appFIN = 0x40
	appCON = 0x20
	appUNS = 0x10
	appSeq = 0x0F
)

func (c AppControl) octet() byte {
	b := c.Seq & appSeq
	if c.FIR {
		b |= appFIR
	}
	if c.FIN {
		b |= appFIN
	}
	if c.CON {
		b |= appCON
	}
	if c.UNS {
		b |= appUNS
	}
	return b
}

// parse reads the control octet, in place (see [LinkHeader.parse]).
func (c *AppControl) parse(b byte) {
	c.FIR, c.FIN, c.CON, c.UNS, c.Seq = b&appFIR != 0, b&appFIN != 0, b&appCON != 0, b&appUNS != 0, b&appSeq
}
