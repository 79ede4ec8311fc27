package modbus

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
