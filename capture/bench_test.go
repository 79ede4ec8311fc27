package capture

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
	"github.com/google/gopacket/pcapgo"
)

// nothing is a handler that does nothing.
type nothing struct{ bytes int }

func (*nothing) Open(*Conn, Stamp)                            {}
func (n *nothing) Stream(_ *Conn, _ uint8, _ Stamp, b []byte) { n.bytes += len(b) }
func (*nothing) Gap(*Conn, uint8, Stamp, int)                 {}
func (*nothing) Datagram(*Conn, uint8, Stamp, []byte)         {}
func (*nothing) Close(*Conn, Stamp)                           {}
func (*nothing) Notice(*Notice)                               {}
func (*nothing) Advance(int64) int64                          { return 0 }

// polling writes a capture of Modbus polling by 200 pairs, n packets of
// request, response and acknowledgement, and returns its path.
func polling(tb testing.TB, n int) string {
	tb.Helper()
	path := filepath.Join(tb.TempDir(), "polling.pcap")
	f, err := os.Create(path)
	if err != nil {
		tb.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	w := bufio.NewWriterSize(f, 1<<20)
	head := make([]byte, 24)
	binary.LittleEndian.PutUint32(head, pcapMicro)
	binary.LittleEndian.PutUint16(head[4:], 2)
	binary.LittleEndian.PutUint16(head[6:], 4)
	binary.LittleEndian.PutUint32(head[16:], 65535)
	binary.LittleEndian.PutUint32(head[20:], 1)
	_, _ = w.Write(head)
	const pairs = 200
	var seqs [pairs][2]uint32
	rec := make([]byte, 16)
	request := "\x00\x01\x00\x00\x00\x06\x01\x03\x00\x00\x00\x20"
	response := "\x00\x01\x00\x00\x00\x43\x01\x03\x40" + string(make([]byte, 64))
	for i := range n {
		step, pair := i%3, i/3%pairs
		s := &seqs[pair]
		client := host{1, "10.0.0.1"}
		server := host{byte(2 + pair), "10.0.1." + itoa(pair+1)}
		g := seg{from: client, to: server, sport: uint16(2000 + pair), dport: 502, seq: s[0] + 1, ack: s[1] + 1, flags: flagACK}
		switch step {
		case 0:
			g.data = request
			s[0] += uint32(len(g.data))
		case 1:
			g.from, g.to, g.sport, g.dport = g.to, g.from, g.dport, g.sport
			g.seq, g.ack = g.ack, g.seq
			g.data = response
			s[1] += uint32(len(g.data))
		}
		b := tcpFrame(g)
		us := uint64(i) * 100
		binary.LittleEndian.PutUint32(rec, uint32(1_700_000_000+us/1e6))
		binary.LittleEndian.PutUint32(rec[4:], uint32(us%1e6))
		binary.LittleEndian.PutUint32(rec[8:], uint32(len(b)))
		binary.LittleEndian.PutUint32(rec[12:], uint32(len(b)))
		_, _ = w.Write(rec)
		_, _ = w.Write(b)
	}
	if err := w.Flush(); err != nil {
		tb.Fatal(err)
	}
	return path
}

func itoa(n int) string {
	if n >= 10 {
		return itoa(n/10) + string(rune('0'+n%10))
	}
	return string(rune('0' + n))
}

const benchPackets = 300_000

func perPacket(b *testing.B) {
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/benchPackets, "ns/packet")
}

func BenchmarkFileRead(b *testing.B) {
	path := polling(b, benchPackets)
	b.Run("weir", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			s := Open([]string{path}, FileOptions{})
			var batch Batch
			for s.Read(context.Background(), &batch) == nil {
			}
			s.Close()
		}
		perPacket(b)
	})
	b.Run("pcapgo", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			f, _ := os.Open(path)
			r, err := pcapgo.NewReader(bufio.NewReaderSize(f, 1<<20))
			if err != nil {
				b.Fatal(err)
			}
			for {
				if _, _, err := r.ZeroCopyReadPacketData(); errors.Is(err, io.EOF) {
					break
				}
			}
			_ = f.Close()
		}
		perPacket(b)
	})
}

func BenchmarkDecode(b *testing.B) {
	frame := tcpFrame(seg{from: alice, to: bob, sport: 1000, dport: 502, flags: flagACK, data: "twelve bytes"})
	b.Run("weir", func(b *testing.B) {
		p := Packet{Data: frame, Wire: uint32(len(frame)), Link: LinkEthernet}
		var g datagram
		b.ReportAllocs()
		for b.Loop() {
			p.route()
			if g.parseIPv4(p.Data[p.net:], int(p.Wire)-int(p.net)) != good {
				b.Fatal("not decoded")
			}
		}
	})
	b.Run("gopacket", func(b *testing.B) {
		var eth layers.Ethernet
		var ip layers.IPv4
		var tcp layers.TCP
		parser := gopacket.NewDecodingLayerParser(layers.LayerTypeEthernet, &eth, &ip, &tcp)
		parser.IgnoreUnsupported = true
		var found []gopacket.LayerType
		b.ReportAllocs()
		for b.Loop() {
			if err := parser.DecodeLayers(frame, &found); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkEngine(b *testing.B) {
	path := polling(b, benchPackets)
	for _, workers := range []int{1, 2} {
		b.Run("workers-"+itoa(workers), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				s := Open([]string{path}, FileOptions{})
				handlers := make([]Handler, workers)
				for i := range handlers {
					handlers[i] = &nothing{}
				}
				e := New(Settings{}, handlers)
				if err := e.Run(context.Background(), s, nil); err != nil {
					b.Fatal(err)
				}
				s.Close()
				if st := e.Stats(); st.TCP != benchPackets {
					b.Fatalf("%+v", st)
				}
			}
			perPacket(b)
		})
	}
}
