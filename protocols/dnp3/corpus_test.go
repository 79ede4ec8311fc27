package dnp3

import (
	"bufio"
	"errors"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"testing"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
	"github.com/google/gopacket/pcapgo"

	"github.com/weir-ics/weir/protocols"
)

// sharedFolder is where the captures that nobody of this project made are.
func sharedFolder(t testing.TB) string {
	folder := os.Getenv("WEIR_SHARED")
	if folder == "" {
		folder = "../../../shared"
	}
	if _, err := os.Stat(folder); err != nil {
		t.Skipf("the shared captures are not at %s", folder)
	}
	return folder
}

// corpusFiles lists every capture of the corpus with DNP3 in it.
func corpusFiles(t testing.TB) []string {
	var files []string
	root := filepath.Join(sharedFolder(t), "corpus")
	err := filepath.WalkDir(root, func(path string, e os.DirEntry, err error) error {
		if err == nil && !e.IsDir() && strings.Contains(path, "dnp3") && strings.HasSuffix(path, ".pcap") {
			files = append(files, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	sort.Strings(files)
	if len(files) == 0 {
		t.Fatalf("no DNP3 captures under %s", root)
	}
	return files
}

// packetReader reads a capture file of either format.
func packetReader(t testing.TB, path string) (gopacket.PacketDataSource, layers.LinkType) {
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	r := bufio.NewReader(f)
	magic, err := r.Peek(4)
	if err != nil {
		t.Fatal(err)
	}
	if magic[0] == 0x0A {
		ng, err := pcapgo.NewNgReader(r, pcapgo.DefaultNgReaderOptions)
		if err != nil {
			t.Fatal(err)
		}
		return ng, ng.LinkType()
	}
	p, err := pcapgo.NewReader(r)
	if err != nil {
		t.Fatal(err)
	}
	return p, p.LinkType()
}

// flow is one TCP connection or UDP conversation of a capture under test.
type flow struct {
	decoder *Decoder
	first   netip.AddrPort
	next    [2]uint32
	started [2]bool
}

// decodeCapture decodes a capture whose segments arrive in order, which is true
// of the corpus; retransmissions are left out by sequence number.
func decodeCapture(t testing.TB, path string, pool *Pool, emit protocols.Emit) {
	source, linkType := packetReader(t, path)
	flows := make(map[[2]netip.AddrPort]*flow)
	var clock int64
	for frame := uint64(1); ; frame++ {
		data, info, err := source.ReadPacketData()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Logf("%s: packet %d: %v", path, frame, err)
			break
		}
		at := protocols.Stamp{Time: info.Timestamp.UnixNano(), Frame: frame}
		clock = max(clock, at.Time)
		at.Clock = clock
		packet := gopacket.NewPacket(data, linkType, gopacket.NoCopy)
		network := packet.NetworkLayer()
		if network == nil {
			continue
		}
		source, _ := netip.AddrFromSlice(network.NetworkFlow().Src().Raw())
		destination, _ := netip.AddrFromSlice(network.NetworkFlow().Dst().Raw())
		open := func(transport protocols.Transport, sport, dport uint16, opening bool) (*flow, protocols.Direction) {
			src, dst := netip.AddrPortFrom(source, sport), netip.AddrPortFrom(destination, dport)
			key := [2]netip.AddrPort{src, dst}
			if dst.Compare(src) < 0 {
				key = [2]netip.AddrPort{dst, src}
			}
			f := flows[key]
			if f == nil || opening {
				f = &flow{first: src}
				f.decoder = NewDecoder(protocols.Conversation{
					Transport: transport,
					Ends:      [2]protocols.Endpoint{{IP: source, Port: sport}, {IP: destination, Port: dport}}, OpeningSeen: opening,
				}, emit, pool)
				flows[key] = f
			}
			if src != f.first {
				return f, 1
			}
			return f, 0
		}
		switch l := packet.TransportLayer().(type) {
		case *layers.UDP:
			if isDNP3Port(uint16(l.SrcPort)) || isDNP3Port(uint16(l.DstPort)) {
				f, d := open(protocols.UDP, uint16(l.SrcPort), uint16(l.DstPort), false)
				f.decoder.Datagram(d, at, l.Payload)
			}
		case *layers.TCP:
			if !isDNP3Port(uint16(l.SrcPort)) && !isDNP3Port(uint16(l.DstPort)) {
				continue
			}
			f, d := open(protocols.TCP, uint16(l.SrcPort), uint16(l.DstPort), l.SYN && !l.ACK)
			if l.SYN {
				f.next[d], f.started[d] = l.Seq+1, true
				continue
			}
			payload := l.Payload
			if len(payload) == 0 {
				continue
			}
			if !f.started[d] {
				f.next[d], f.started[d] = l.Seq, true
			}
			if ahead := int32(l.Seq - f.next[d]); ahead > 0 {
				f.decoder.Gap(d, at, int(ahead))
			} else if ahead < 0 {
				payload = payload[min(len(payload), int(-ahead)):]
			}
			if len(payload) == 0 {
				continue
			}
			f.next[d] = l.Seq + uint32(len(l.Payload))
			f.decoder.Advance(at.Clock)
			f.decoder.Stream(d, at, payload)
		}
	}
	for _, f := range flows {
		f.decoder.Close(protocols.Stamp{Clock: clock})
	}
}

func isDNP3Port(p uint16) bool { return p == 20000 || p == 20001 || p == 19999 }
