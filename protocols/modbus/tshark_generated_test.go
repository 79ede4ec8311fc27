package modbus

import (
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
	"github.com/google/gopacket/pcapgo"

	"github.com/weir-ics/weir/protocols"
)

// writeCapture writes turns as one TCP connection to a server on port 502.
func writeCapture(t *testing.T, path string, turns []turn) {
	t.Helper()
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	w := pcapgo.NewWriter(file)
	if err := w.WriteFileHeader(65536, layers.LinkTypeEthernet); err != nil {
		t.Fatal(err)
	}
	clock := time.Unix(1_700_000_000, 0)
	next := [2]uint32{1000, 5000}
	ips := [2]net.IP{{10, 0, 0, 1}, {10, 0, 0, 2}}
	macs := [2]net.HardwareAddr{{2, 0, 0, 0, 0, 1}, {2, 0, 0, 0, 0, 2}}
	ports := [2]layers.TCPPort{40000, Port}
	send := func(dir protocols.Direction, syn, ack bool, payload []byte) {
		other := dir.Other()
		tcp := &layers.TCP{SrcPort: ports[dir], DstPort: ports[other], Seq: next[dir], SYN: syn, ACK: ack, PSH: len(payload) > 0, Window: 65535}
		if ack {
			tcp.Ack = next[other]
		}
		ip := &layers.IPv4{Version: 4, TTL: 64, Protocol: layers.IPProtocolTCP, SrcIP: ips[dir], DstIP: ips[other]}
		if err := tcp.SetNetworkLayerForChecksum(ip); err != nil {
			t.Fatal(err)
		}
		b := gopacket.NewSerializeBuffer()
		if err := gopacket.SerializeLayers(b, gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true},
			&layers.Ethernet{SrcMAC: macs[dir], DstMAC: macs[other], EthernetType: layers.EthernetTypeIPv4}, ip, tcp, gopacket.Payload(payload)); err != nil {
			t.Fatal(err)
		}
		clock = clock.Add(time.Millisecond)
		if err := w.WritePacket(gopacket.CaptureInfo{Timestamp: clock, CaptureLength: len(b.Bytes()), Length: len(b.Bytes())}, b.Bytes()); err != nil {
			t.Fatal(err)
		}
		next[dir] += uint32(len(payload))
		if syn {
			next[dir]++
		}
	}
	send(0, true, false, nil)
	send(1, true, true, nil)
	send(0, false, true, nil)
	for _, turn := range turns {
		send(turn.dir, false, true, turn.data)
	}
}

// TestEveryFunctionAgreesWithTshark covers what the captures of the corpus do
// not hold: every public function, and RTU.
func TestEveryFunctionAgreesWithTshark(t *testing.T) {
	for f, options := range map[Framing][]string{MBAP: nil, RTU: {"-d", "tcp.port==502,mbrtu", "-o", "mbrtu.crc_verification:TRUE", "-o", "mbrtu.tcp.port:502"}} {
		t.Run(f.String(), func(t *testing.T) {
			r := rand.New(rand.NewPCG(11, 11))
			var turns []turn
			transaction := uint16(0)
			for _, name := range generatorNames() {
				for range 20 {
					x := generators[name](r)
					if f == RTU && len(x.request) == 1 {
						// tshark takes nothing under five octets for RTU; a frame of a
						// function without data has four (SL 2.5.1.1).
						continue
					}
					transaction++
					turns = append(turns,
						turn{0, AppendADU(nil, f, transaction, 5, x.request)}, turn{1, AppendADU(nil, f, transaction, 5, x.response)})
				}
			}
			path := filepath.Join(t.TempDir(), "generated.pcap")
			writeCapture(t, path, turns)
			theirs := tshark(t, path, options...)
			var ours []dissection
			replay(t, path, Config{Framing: f}, func(e *protocols.Event, _ []byte) { ours = append(ours, asTshark(e)) })
			if len(ours) != len(turns) {
				t.Errorf("%d messages of %d", len(ours), len(turns))
			}
			shown := map[string]int{}
			for _, d := range compareAll(ours, theirs) {
				if shown[d.what]++; shown[d.what] <= 3 {
					t.Errorf("frame %d: %s:\n weir   %.300s\n tshark %.300s", d.frame, d.what, d.ours, d.theirs)
				}
			}
			t.Logf("%d messages compared", len(theirs))
		})
	}
}
