package modbus

import "github.com/weir-ics/weir/protocols"

// Probe tells whether a direction of a conversation begins with Modbus/TCP. It
// says Yes only to a whole message whose header and content agree, followed by
// nothing or by another header; random octets get a Yes less than once in 2^30.
func Probe(data []byte) protocols.Verdict {
	n := mbapLength(data)
	if n == badHeader || n > maxMBAP && !(len(data) > 7 && data[7] == umasFunction) {
		return protocols.No
	}
	if n == needMore || len(data) < 8 {
		return protocols.Maybe
	}
	pdu := data[7:min(n, len(data))]
	if c := functions[pdu[0]&0x7f].Class; c == Invalid || c == Undefined && pdu[0] < 0x80 {
		return protocols.No
	}
	if !shaped(pdu, n-7) {
		return protocols.No
	}
	if len(data) < n {
		return protocols.Maybe
	}
	if mbapLength(data[n:]) == badHeader {
		return protocols.No
	}
	return protocols.Yes
}

// shaped tells whether a PDU of size octets that begins with pdu has the shape
// of a request or of a response, and its limits.
func shaped(pdu []byte, size int) bool {
	for _, response := range [2]bool{false, true} {
		switch n := measure(pdu, response); {
		case n == needMore && len(pdu) < size:
			return true
		case n == anyLength && pdu[0] < 0x80:
			return true
		case n == size && (len(pdu) < size || inLimits(pdu, response)):
			return true
		}
	}
	return false
}

// inLimits tells whether a whole PDU breaks no rule of its function.
func inLimits(pdu []byte, response bool) bool {
	if pdu[0] >= 0x80 {
		return response && exceptions[pdu[1]].name != ""
	}
	var e protocols.Event
	var m Message
	m.parse(pdu, response, &e)
	return len(e.Violations) == 0
}

// ProbeRTU tells whether a direction begins with Modbus RTU: a whole frame with
// a right CRC and the length of a public function, and behind it nothing or the
// beginning of another.
func ProbeRTU(data []byte) protocols.Verdict {
	if len(data) < minRTU {
		if len(data) >= 2 && functions[data[1]&0x7f].Class != Public {
			return protocols.No
		}
		return protocols.Maybe
	}
	if data[0] > 247 || functions[data[1]&0x7f].Class != Public {
		return protocols.No
	}
	verdict := protocols.No
	for _, response := range [2]bool{false, true} {
		n := measure(data[1:], response)
		if n == anyLength {
			// The data of diagnostics is two octets as a rule.
			n = 5
		}
		switch {
		case n == needMore || n+3 > len(data):
			if n+3 <= maxRTU && len(data) < maxRTU {
				verdict = protocols.Maybe
			}
		case CRC(data[:n+3]) == 0 && inLimits(data[1:n+1], response):
			if rest := data[n+3:]; len(rest) < 2 || rest[0] <= 247 && functions[rest[1]&0x7f].Class == Public {
				return protocols.Yes
			}
		}
	}
	return verdict
}

// ProbeASCII tells whether a direction begins with Modbus ASCII: a whole frame
// with a right LRC and the shape of a function.
func ProbeASCII(data []byte) protocols.Verdict {
	if len(data) == 0 {
		return protocols.Maybe
	}
	if data[0] != ':' {
		return protocols.No
	}
	for i, c := range data[1:] {
		switch {
		case c == '\r' && i%2 == 0 && i >= 6:
			if i+2 >= len(data) {
				return protocols.Maybe
			}
			return probeFrame(data[1:i+1], data[i+2])
		case digit(c) > 15 || i >= maxASCII:
			return protocols.No
		}
	}
	return protocols.Maybe
}

func probeFrame(digits []byte, after byte) protocols.Verdict {
	var room [maxRTU]byte
	octets, bad := unhex(room[:0], digits)
	if bad != 0 || after != '\n' || !shaped(octets[1:len(octets)-1], len(octets)-2) || LRC(octets) != 0 {
		return protocols.No
	}
	return protocols.Yes
}

// IsTLS tells whether a direction begins with a TLS handshake record, as
// Modbus/TCP Security does (on port 802). weir cannot look inside.
func IsTLS(data []byte) bool {
	return len(data) >= 6 && data[0] == 0x16 && data[1] == 3 && data[2] <= 4 && (data[5] == 1 || data[5] == 2)
}
