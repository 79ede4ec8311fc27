package dnp3

// The CRC of the data link layer (9.2.4): x^16 + x^13 + x^12 + x^11 + x^10 +
// x^8 + x^6 + x^5 + x^2 + 1, bits taken least significant first, the remainder
// inverted and sent low octet first.
const crcPolynomial = 0xA6BC // the polynomial, bits reversed

// blockSize is how many octets of user data one CRC covers.
const blockSize = 16

// crcTables[k][b] is the remainder of octet b followed by k zero octets, so
// that a block's CRC is the exclusive or of one look-up an octet, none of which
// waits for another.
var crcTables = func() (t [blockSize][256]uint16) {
	for b := range t[0] {
		r := uint16(b)
		for range 8 {
			if r&1 != 0 {
				r = r>>1 ^ crcPolynomial
			} else {
				r >>= 1
			}
		}
		t[0][b] = r
	}
	for k := 1; k < blockSize; k++ {
		for b := range t[k] {
			prev := t[k-1][b]
			t[k][b] = t[0][byte(prev)] ^ prev>>8
		}
	}
	return t
}()

// CRC returns the CRC of a header or block as it is sent.
func CRC(data []byte) uint16 {
	var r uint16
	for _, b := range data {
		r = crcTables[0][byte(r)^b] ^ r>>8
	}
	return ^r
}

// crcHeader is CRC for the 8 octets of a header.
func crcHeader(p []byte) uint16 {
	_ = p[7]
	t := &crcTables
	return ^(t[7][p[0]] ^ t[6][p[1]] ^ t[5][p[2]] ^ t[4][p[3]] ^
		t[3][p[4]] ^ t[2][p[5]] ^ t[1][p[6]] ^ t[0][p[7]])
}

// crcBlock is CRC for a full block, whose first octet is the lowest of lo.
func crcBlock(lo, hi uint64) uint16 {
	t := &crcTables
	return ^(t[15][byte(lo)] ^ t[14][byte(lo>>8)] ^ t[13][byte(lo>>16)] ^ t[12][byte(lo>>24)] ^
		t[11][byte(lo>>32)] ^ t[10][byte(lo>>40)] ^ t[9][byte(lo>>48)] ^ t[8][byte(lo>>56)] ^
		t[7][byte(hi)] ^ t[6][byte(hi>>8)] ^ t[5][byte(hi>>16)] ^ t[4][byte(hi>>24)] ^
		t[3][byte(hi>>32)] ^ t[2][byte(hi>>40)] ^ t[1][byte(hi>>48)] ^ t[0][byte(hi>>56)])
}

// crcRest is CRC for fewer octets than a block: the last of a frame's data. No
// look-up waits for another as in CRC, which cost 18 ns a frame.
func crcRest(p []byte) uint16 {
	var r uint16
	for i, b := range p {
		r ^= crcTables[(len(p)-1-i)&(blockSize-1)][b]
	}
	return ^r
}
