package modbus

import "encoding/binary"

// crcTable is CRC-16 with the reflected polynomial 0xA001 (SL 6.2.2).
var crcTable = func() (t [256]uint16) {
	for i := range t {
		c := uint16(i)
		for range 8 {
			if c&1 != 0 {
				c = c>>1 ^ 0xA001
			} else {
				c >>= 1
			}
		}
		t[i] = c
	}
	return t
}()

// CRC is the checksum of an RTU frame (SL 2.5.1.2). It is sent low octet first,
// so that the CRC over a whole right frame is 0.
func CRC(data []byte) uint16 {
	c := uint16(0xFFFF)
	for _, b := range data {
		c = c>>8 ^ crcTable[byte(c)^b]
	}
	return c
}

// LRC is the checksum of an ASCII frame, over its octets before they become
// digits (SL 2.5.2.2).
func LRC(data []byte) byte {
	var sum byte
	for _, b := range data {
		sum += b
	}
	return -sum
}

// digest tells whether two PDUs are the same; it is no cryptographic hash.
func digest(pdu []byte) uint64 {
	const prime = 0x9E3779B97F4A7C15
	h := uint64(len(pdu)) * prime
	for len(pdu) >= 8 {
		h = (h ^ binary.LittleEndian.Uint64(pdu)) * prime
		h ^= h >> 32
		pdu = pdu[8:]
	}
	h = (h ^ rest(pdu)) * prime
	return h ^ h>>32
}

// rest is fewer than eight octets as a number; with how many there are it says
// which they are.
func rest(p []byte) uint64 {
	switch n := len(p); {
	case n >= 4:
		return uint64(binary.LittleEndian.Uint32(p)) | uint64(binary.LittleEndian.Uint32(p[n-4:]))<<32
	case n >= 2:
		return uint64(binary.LittleEndian.Uint16(p)) | uint64(binary.LittleEndian.Uint16(p[n-2:]))<<16
	case n == 1:
		return uint64(p[0])
	}
	return 0
}
