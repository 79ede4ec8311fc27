package dnp3

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
	"github.com/google/gopacket/pcapgo"
)

// writeCapture writes each step as a TCP packet of one connection.
func writeCapture(t *testing.T, path string, steps []step) {
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	w := pcapgo.NewWriter(f)
	if err := w.WriteFileHeader(65536, layers.LinkTypeEthernet); err != nil {
		t.Fatal(err)
	}
	ends := conversation.Ends
	ports := [2]uint16{40000, 20000}
	seq := [2]uint32{1000, 2000}
	write := func(dir int, tcp *layers.TCP, payload []byte, n int) {
		ip := &layers.IPv4{Version: 4, TTL: 64, Protocol: layers.IPProtocolTCP, SrcIP: ends[dir].IP.AsSlice(), DstIP: ends[1-dir].IP.AsSlice()}
		tcp.SrcPort, tcp.DstPort = layers.TCPPort(ports[dir]), layers.TCPPort(ports[1-dir])
		tcp.Seq, tcp.Ack, tcp.Window = seq[dir], seq[1-dir], 65535
		if err := tcp.SetNetworkLayerForChecksum(ip); err != nil {
			t.Fatal(err)
		}
		b := gopacket.NewSerializeBuffer()
		ether := &layers.Ethernet{SrcMAC: []byte{2, 0, 0, 0, 0, byte(dir)}, DstMAC: []byte{2, 0, 0, 0, 0, byte(1 - dir)}, EthernetType: layers.EthernetTypeIPv4}
		if err := gopacket.SerializeLayers(b, gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true}, ether, ip, tcp, gopacket.Payload(payload)); err != nil {
			t.Fatal(err)
		}
		info := gopacket.CaptureInfo{Timestamp: time.Unix(1_700_000_000, int64(n)*1e6), CaptureLength: len(b.Bytes()), Length: len(b.Bytes())}
		if err := w.WritePacket(info, b.Bytes()); err != nil {
			t.Fatal(err)
		}
		seq[dir] += uint32(len(payload))
	}
	write(0, &layers.TCP{SYN: true}, nil, 0)
	seq[0]++
	write(1, &layers.TCP{SYN: true, ACK: true}, nil, 1)
	seq[1]++
	write(0, &layers.TCP{ACK: true}, nil, 2)
	for i, s := range steps {
		write(int(s.dir), &layers.TCP{ACK: true, PSH: true}, s.octets, 3+i)
	}
}

// objectDifferencesFile lists the objects that tshark reads differently, or not
// at all.
const objectDifferencesFile = "testdata/tshark-objects.txt"

// readObjectDifferences reads its lines: group, variation, a field or *, and
// the reason.
func readObjectDifferences(t *testing.T) map[string]bool {
	text, err := os.ReadFile(objectDifferencesFile)
	if err != nil {
		t.Fatal(err)
	}
	known := make(map[string]bool)
	for _, l := range strings.Split(string(text), "\n") {
		if l == "" || strings.HasPrefix(l, "#") {
			continue
		}
		parts := strings.SplitN(l, " ", 4)
		if len(parts) != 4 || !strings.HasPrefix(parts[3], "A.") {
			t.Fatalf("%s: %q has no reason with a clause", objectDifferencesFile, l)
		}
		known[strings.Join(parts[:3], " ")] = false
	}
	return known
}

// TestEveryObjectAgreesWithTshark writes each example to a capture and compares
// it with tshark, field by field, for what the corpus does not have.
func TestEveryObjectAgreesWithTshark(t *testing.T) {
	if _, err := exec.LookPath("tshark"); err != nil {
		t.Skip("tshark is not installed")
	}
	known := readObjectDifferences(t)
	l := new(line)
	var steps []step
	var which []example
	for i, e := range examples {
		object := unhex(t, e.octets)
		for _, q := range []uint8{0x00, 0x01, 0x28, 0x5B} {
			body := append(handHeader(e.group, e.variation, q, 5), handPrefix(q, 5, len(object))...)
			body = append(body, object...)
			c := Single(uint8(i) & appSeq)
			c.UNS = true
			steps = append(steps, l.response(c, FunctionUnsolicitedResponse, 0, body...))
			which = append(which, e)
		}
	}
	path := filepath.Join(t.TempDir(), "objects.pcap")
	writeCapture(t, path, steps)
	ours, theirs := ourFields(t, path), tsharkFields(t, path)
	for i, e := range which {
		frame := i + 4
		for _, field := range comparedFields {
			got, want := strings.Join(ours[frame][field], ";"), strings.Join(theirs[frame][field], ";")
			if field == "dnp3.tr.ctl" || got == want {
				continue
			}
			key := fmt.Sprintf("%d %d ", e.group, e.variation)
			if _, ok := known[key+"*"]; ok {
				known[key+"*"] = true
			} else if _, ok := known[key+field]; ok {
				known[key+field] = true
			} else {
				t.Errorf("%s%s: weir %s, tshark %s", key, field, got, want)
			}
		}
	}
	for key, found := range known {
		if !found {
			t.Errorf("%s: %s lists it, but there is no difference", key, objectDifferencesFile)
		}
	}
}
