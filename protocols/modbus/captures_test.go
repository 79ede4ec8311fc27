package modbus

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
	"github.com/google/gopacket/pcapgo"

	"github.com/weir-ics/weir/protocols"
)

// corpus gives the folder of real captures, or skips.
func corpus(t testing.TB) string {
	t.Helper()
	shared := os.Getenv("WEIR_SHARED")
	if shared == "" {
		shared = "../../../shared"
	}
	dir := filepath.Join(shared, "corpus")
	if _, err := os.Stat(dir); err != nil {
		t.Skipf("no captures: %v (set WEIR_SHARED to the folder that holds corpus/)", err)
	}
	return dir
}

// modbusCaptures lists the captures of the corpus that hold Modbus.
func modbusCaptures(t testing.TB) []string {
	t.Helper()
	dir := corpus(t)
	var files []string
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(path, ".pcap") && !strings.Contains(path, "dnp3") {
			files = append(files, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(files) == 0 {
		t.Fatalf("no capture in %s", dir)
	}
	return files
}

// flow is one TCP connection of a capture, put in order as simply as will do.
type flow struct {
	decoder *Decoder
	next    [2]uint32
	started [2]bool
	waiting [2][]segment
	// segment is the payload that the decoder works on, behind the last of what
	// came before it.
	segment []byte
	tail    [2][]byte
}

type segment struct {
	seq  uint32
	at   protocols.Stamp
	data []byte
}

// replay feeds the TCP payloads of a capture, port 502 on either side, to
// decoders. With each message, emit gets the octets that it was completed by.
func replay(t testing.TB, path string, config Config, emit func(e *protocols.Event, segment []byte)) {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var r interface {
		ReadPacketData() ([]byte, gopacket.CaptureInfo, error)
		LinkType() layers.LinkType
	}
	if r, err = pcapgo.NewReader(file); err != nil {
		if _, err = file.Seek(0, io.SeekStart); err != nil {
			t.Fatal(err)
		}
		if r, err = pcapgo.NewNgReader(file, pcapgo.DefaultNgReaderOptions); err != nil {
			t.Fatalf("read %s: %v", path, err)
		}
	}
	flows := map[[2]protocols.Endpoint]*flow{}
	var order []*flow
	var packets uint64
	var at protocols.Stamp
	for {
		data, info, err := r.ReadPacketData()
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			break
		}
		if err != nil {
			t.Fatalf("read %s: %v", path, err)
		}
		packets++
		at = protocols.Stamp{Time: info.Timestamp.UnixNano(), Clock: max(at.Clock, info.Timestamp.UnixNano()), Frame: packets}
		p := gopacket.NewPacket(data, r.LinkType(), gopacket.DecodeOptions{NoCopy: true, Lazy: true})
		tcp, _ := p.Layer(layers.LayerTypeTCP).(*layers.TCP)
		if tcp == nil || tcp.SrcPort != Port && tcp.DstPort != Port {
			continue
		}
		src, dst := protocols.Endpoint{Port: uint16(tcp.SrcPort)}, protocols.Endpoint{Port: uint16(tcp.DstPort)}
		network := p.NetworkLayer().NetworkFlow()
		src.IP, _ = netip.AddrFromSlice(network.Src().Raw())
		dst.IP, _ = netip.AddrFromSlice(network.Dst().Raw())
		dir := protocols.Direction(0)
		f := flows[[2]protocols.Endpoint{src, dst}]
		if f == nil {
			if f = flows[[2]protocols.Endpoint{dst, src}]; f != nil {
				dir = 1
			}
		}
		if f == nil || tcp.SYN && !tcp.ACK {
			conv := protocols.Conversation{Transport: protocols.TCP, Ends: [2]protocols.Endpoint{src, dst}, OpeningSeen: tcp.SYN && !tcp.ACK && !tcp.FIN}
			f = &flow{}
			f.decoder = config.NewDecoder(conv, func(e *protocols.Event) { emit(e, f.segment) })
			delete(flows, [2]protocols.Endpoint{dst, src})
			flows[[2]protocols.Endpoint{src, dst}] = f
			order = append(order, f)
			dir = 0
		}
		seq := tcp.Seq
		if tcp.SYN {
			seq++
			f.next[dir], f.started[dir] = seq, true
		}
		if payload := tcp.LayerPayload(); len(payload) > 0 {
			f.take(dir, segment{seq, at, payload})
		}
	}
	for _, f := range order {
		for dir := range protocols.Direction(2) {
			f.drain(dir, true)
		}
		f.decoder.Close(at)
	}

}

func (f *flow) take(dir protocols.Direction, s segment) {
	if !f.started[dir] {
		f.next[dir], f.started[dir] = s.seq, true
	}
	f.waiting[dir] = append(f.waiting[dir], s)
	f.drain(dir, len(f.waiting[dir]) > 8)
}

// drain delivers what is in order; if force is set, holes are gaps.
func (f *flow) drain(dir protocols.Direction, force bool) {
	for len(f.waiting[dir]) > 0 {
		best := 0
		for i, s := range f.waiting[dir] {
			if int32(s.seq-f.waiting[dir][best].seq) < 0 {
				best = i
			}
		}
		s := f.waiting[dir][best]
		ahead := int32(s.seq - f.next[dir])
		switch {
		case ahead > 0 && !force:
			return
		case ahead > 0:
			f.decoder.Gap(dir, s.at, int(ahead))
			f.next[dir] = s.seq
			ahead = 0
		}
		f.waiting[dir] = append(f.waiting[dir][:best], f.waiting[dir][best+1:]...)
		if fresh := int32(len(s.data)) + ahead; fresh > 0 {
			data := s.data[-ahead:]
			f.tail[dir] = append(f.tail[dir][max(0, len(f.tail[dir])-maxLongADU):], data...)
			f.segment = f.tail[dir]
			f.decoder.Stream(dir, s.at, data)
			f.next[dir] += uint32(fresh)
		}
	}
}

func TestEveryMessageOfTheCapturesIsEncodedAgainAsItWas(t *testing.T) {
	for _, path := range modbusCaptures(t) {
		t.Run(filepath.Base(path), func(t *testing.T) {
			messages := 0
			replay(t, path, Config{}, func(e *protocols.Event, segment []byte) {
				if e.Role == protocols.RoleNotice {
					return
				}
				again := AppendMessage(nil, e.Detail.(*Message))
				if !bytes.Contains(segment, again) {
					t.Errorf("frame %d: encoded again as % x", e.Frame, again)
				}
				messages++
			})
			if messages == 0 {
				t.Error("no message found")
			}
		})
	}
}
