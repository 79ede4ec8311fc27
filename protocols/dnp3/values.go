package dnp3

import (
	"encoding/binary"
	"math"
)

// readValue reads the number at the beginning of p.
func readValue(p []byte, enc encoding) float64 {
	switch enc {
	case encState, encCommanded:
		return float64(p[0] >> 7)
	case encDoubleState:
		return float64(p[0] >> 6)
	case encI16:
		return float64(int16(binary.LittleEndian.Uint16(p)))
	case encI32:
		return float64(int32(binary.LittleEndian.Uint32(p)))
	case encF32:
		return float64(math.Float32frombits(binary.LittleEndian.Uint32(p)))
	case encU16, encDelay:
		return float64(binary.LittleEndian.Uint16(p))
	case encU32:
		return float64(binary.LittleEndian.Uint32(p))
	case encF64:
		return math.Float64frombits(binary.LittleEndian.Uint64(p))
	case encU8, encControl:
		return float64(p[0])
	case encDelaySeconds:
		return float64(binary.LittleEndian.Uint16(p)) * 1000
	case encBCD2, encBCD4, encBCD8:
		return readBCD(p[:encodingSizes[enc]])
	}
	return 0
}

// readBCD reads two decimal digits an octet, the lowest octet first. A digit
// past 9 counts as it stands.
func readBCD(p []byte) float64 {
	v := 0.0
	for i := len(p) - 1; i >= 0; i-- {
		v = v*100 + float64(p[i]>>4)*10 + float64(p[i]&0x0F)
	}
	return v
}

func readUint48(p []byte) uint64 {
	_ = p[5]
	return uint64(p[0]) | uint64(p[1])<<8 | uint64(p[2])<<16 | uint64(p[3])<<24 | uint64(p[4])<<32 | uint64(p[5])<<40
}

// nanoseconds turns milliseconds into nanoseconds; what is past the year 2262
// becomes the last moment that fits.
func nanoseconds(ms int64) int64 {
	if ms > math.MaxInt64/nanosecondsPerMillisecond {
		return math.MaxInt64
	}
	return ms * nanosecondsPerMillisecond
}

const nanosecondsPerMillisecond = 1_000_000

// readUint32 reads 1, 2 or 4 octets.
func readUint32(p []byte, size int) uint32 {
	switch size {
	case 1:
		return uint32(p[0])
	case 2:
		return uint32(p[0]) | uint32(p[1])<<8
	case 4:
		return uint32(p[0]) | uint32(p[1])<<8 | uint32(p[2])<<16 | uint32(p[3])<<24
	}
	return 0
}

func readUint(p []byte) uint64 {
	var v uint64
	for i := len(p) - 1; i >= 0; i-- {
		v = v<<8 | uint64(p[i])
	}
	return v
}

func readInt(p []byte) int64 {
	if len(p) == 0 {
		return 0
	}
	shift := 64 - 8*uint(len(p))
	return int64(readUint(p)<<shift) >> shift
}
