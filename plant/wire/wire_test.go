package wire

import (
	"bytes"
	"encoding/hex"
	"testing"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
)

// The reset-link frame that IEEE 1815 stacks exchange: its check sequence is
// known from elsewhere.
func TestLinkFrameHasTheKnownCheckSequence(t *testing.T) {
	got := AppendLinkFrame(nil, LinkReset, 1, 1024, nil)
	if want, _ := hex.DecodeString("056405c001000004e921"); !bytes.Equal(got, want) {
		t.Errorf("frame is %x, expected %x", got, want)
	}
}

func TestALongFragmentComesBackFromItsFrames(t *testing.T) {
	for _, size := range []int{2, 248, 249, 250, 498, 499, 2048, 9000} {
		fragment := make([]byte, size)
		for i := range fragment {
			fragment[i] = byte(i * 7)
		}
		sequence := uint8(60)
		stream := AppendFragment([]byte("garbage\x05\x64"), FromMaster, 10, 1, &sequence, fragment)
		h, got, err := NewFragmentReader(bytes.NewReader(stream)).Next()
		if err != nil || !bytes.Equal(got, fragment) || h != (LinkHeader{FromMaster, 10, 1}) {
			t.Errorf("%d octets: %v, header %+v, got %d octets", size, err, h, len(got))
		}
	}
}

func TestADamagedFrameIsPassedOver(t *testing.T) {
	var sequence uint8
	bad := AppendFragment(nil, FromMaster, 10, 1, &sequence, []byte{0xc0, Read, 60, 1, All})
	bad[12] ^= 1
	stream := AppendFragment(bad, FromMaster, 10, 1, &sequence, []byte{0xc1, Read})
	_, got, err := NewFragmentReader(bytes.NewReader(stream)).Next()
	if err != nil || !bytes.Equal(got, []byte{0xc1, Read}) {
		t.Errorf("%v, %x", err, got)
	}
}

func TestFramesHaveGoodChecksums(t *testing.T) {
	p := Packet{SrcMAC: MAC{2, 0, 0, 0, 0, 1}, DstMAC: MAC{2, 0, 0, 0, 0, 2}, Src: IP{10, 0, 0, 1}, Dst: IP{10, 0, 0, 2}, TTL: 64, ID: 7, SrcPort: 1000, DstPort: 502, Seq: 1 << 31, Ack: 9, Flags: ACK | PSH, Window: 100, Options: WorkstationOptions}
	for _, payload := range [][]byte{nil, {1}, {0xff, 0xff, 0xff}, bytes.Repeat([]byte{0xa5}, 777)} {
		for name, frame := range map[string][]byte{"tcp": AppendTCP(nil, &p, payload), "udp": AppendUDP(nil, &p, payload)} {
			if len(frame) < MinFrame {
				t.Errorf("%s: frame of %d octets", name, len(frame))
			}
			d := gopacket.NewPacket(frame, layers.LayerTypeEthernet, gopacket.Default)
			if d.ErrorLayer() != nil {
				t.Fatalf("%s: %v", name, d.ErrorLayer().Error())
			}
			ip := d.Layer(layers.LayerTypeIPv4).(*layers.IPv4)
			if fold(sum16(0, frame[14:34])) != 0xffff {
				t.Errorf("%s: IP checksum %#x", name, ip.Checksum)
			}
			segment := frame[34 : 14+int(ip.Length)]
			pseudo := uint64(ip.Protocol) + uint64(len(segment))
			if got := fold(sum16(sum16(sum16(pseudo, p.Src[:]), p.Dst[:]), segment)); got != 0xffff {
				t.Errorf("%s with %d octets: checksum over all is %#x", name, len(payload), got)
			}
			if app := d.ApplicationLayer(); len(payload) > 0 && !bytes.Equal(app.Payload(), payload) && name == "tcp" {
				t.Errorf("payload %x", app.Payload())
			}
		}
	}
}

func TestAnOddPayloadIsSummedToItsEnd(t *testing.T) {
	if sum16(0, []byte{1, 2, 3, 4, 5}) != 0x01020304+0x0500 {
		t.Error("the last octet is not in the high byte")
	}
}

func TestModbusRequestsAreThoseOfTheSpecification(t *testing.T) {
	for want, got := range map[string][]byte{
		"01001300" + "13":               AppendAddressValue(nil, ReadCoils, 0x13, 0x13),
		"0500acff00":                    AppendAddressValue(nil, WriteSingleCoil, 0xac, CoilValue(true)),
		"0f0013000a02cd01":              AppendWriteCoils(nil, 0x13, []bool{true, false, true, true, false, false, true, true, true, false}),
		"10000100020400" + "0a0102":     AppendWriteRegisters(nil, 1, []uint16{0x000a, 0x0102}),
		"8302":                          AppendException(nil, ReadHoldingRegisters, IllegalDataAddress),
		"00070000000611" + "030000000a": AppendMBAP(nil, 7, 0x11, AppendAddressValue(nil, ReadHoldingRegisters, 0, 10)),
	} {
		if hex.EncodeToString(got) != want {
			t.Errorf("%x, expected %s", got, want)
		}
	}
}

func FuzzFragmentReader(f *testing.F) {
	var sequence uint8
	f.Add(AppendFragment(nil, FromMaster, 10, 1, &sequence, bytes.Repeat([]byte{0xc0}, 600)))
	f.Fuzz(func(t *testing.T, data []byte) {
		r := NewFragmentReader(bytes.NewReader(data))
		for range len(data) + 1 {
			_, fragment, err := r.Next()
			if err != nil {
				return
			}
			if len(fragment) > len(data) {
				t.Fatalf("%d octets from %d", len(fragment), len(data))
			}
		}
		t.Fatal("more frames than octets")
	})
}
