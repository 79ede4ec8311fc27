package dnp3

import (
	"encoding/binary"
	"math/rand/v2"
	"testing"
)

// TestCRCIsThatOfTheStandard checks against frames that other stacks sent.
func TestCRCIsThatOfTheStandard(t *testing.T) {
	for _, c := range []struct {
		octets []byte
		want   uint16
	}{
		{[]byte{0x05, 0x64, 0x14, 0xC4, 0x02, 0x00, 0x03, 0x00}, 0x0345},
		{[]byte("123456789"), 0xEA82}, // the check value of CRC-16/DNP in the catalogues
	} {
		if got := CRC(c.octets); got != c.want {
			t.Errorf("CRC(% X) = %04X, want %04X", c.octets, got, c.want)
		}
	}
}

func TestFastCRCsAgreeWithThePlainOne(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	var p [blockSize]byte
	for range 1000 {
		for i := range p {
			p[i] = byte(r.Uint32())
		}
		if got, want := crcBlock(binary.LittleEndian.Uint64(p[:]), binary.LittleEndian.Uint64(p[8:])), CRC(p[:]); got != want {
			t.Fatalf("crcBlock(% X) = %04X, want %04X", p, got, want)
		}
		if got, want := crcHeader(p[:8]), CRC(p[:8]); got != want {
			t.Fatalf("crcHeader(% X) = %04X, want %04X", p[:8], got, want)
		}
		for n := range p {
			if got, want := crcRest(p[:n]), CRC(p[:n]); got != want {
				t.Fatalf("crcRest(% X) = %04X, want %04X", p[:n], got, want)
			}
		}
	}
}
