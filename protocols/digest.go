package protocols

import "encoding/binary"

// Digest is a checksum of octets that repeats are known by: eight octets at a
// time, each multiplied into the rest. It is no defence against forgery, and
// need be none: who forges a repeat has only repeated.
func Digest(p []byte) uint64 {
	const prime = 0x9E3779B97F4A7C15 // 2^64 by the golden ratio
	h := uint64(len(p)) * prime
	for len(p) >= 8 {
		h = (h ^ binary.LittleEndian.Uint64(p)) * prime
		h ^= h >> 29
		p = p[8:]
	}
	h = (h ^ rest(p)) * prime
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
