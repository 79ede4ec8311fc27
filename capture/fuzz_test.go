package capture

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"testing"
)

// FuzzFile reads anything as a capture file: it must end, and give packets
// that lie within the file.
func FuzzFile(f *testing.F) {
	le := binary.LittleEndian
	for _, o := range orders {
		f.Add(pcapFile(o, pcapMicro, 1, rec{data: "one"}, rec{data: "two"}))
		f.Add(pcapFile(o, pcapNano, 113, rec{data: "one"}))
		f.Add(append(append(ngSection(o), ngInterfaceBlock(o, 1, 0, ngOption(o, 9, 9))...), ngEnhanced(o, rec{data: "one"}, 1)...))
		f.Add(append(append(ngSection(o), ngInterfaceBlock(o, 1, 0)...), ngBlock(o, blockSimple, o.AppendUint32(nil, 3), []byte("one"))...))
	}
	f.Add(append([]byte{0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff}, 1, 0, 0, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0, 0))
	f.Add(le.AppendUint32(nil, pcapngSHB))
	f.Fuzz(func(t *testing.T, file []byte) {
		s := Open([]string{"-"}, FileOptions{Stdin: bytes.NewReader(file)})
		defer s.Close()
		var b Batch
		clock := int64(noClock)
		for {
			err := s.Read(context.Background(), &b)
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			for _, p := range b.Packets {
				if len(p.Data) > maxCaptured || int(p.Wire) < len(p.Data) || p.Clock < clock {
					t.Fatalf("packet %+v", p)
				}
				clock = p.Clock
				p.route()
			}
		}
		b.reset()
		if len(s.Errors()) > 1 {
			t.Fatalf("one file, %d errors", len(s.Errors()))
		}
	})
}

// FuzzPacket takes anything as a packet of any link type.
func FuzzPacket(f *testing.F) {
	for _, p := range hostile(1, 300) {
		f.Add(p.data, uint16(LinkEthernet), uint16(0))
	}
	f.Add(ipBytes(carol, dave, protoHopByHop, 0, []byte{protoUDP, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4, 0, 8, 0, 0}), uint16(LinkRaw), uint16(9))
	f.Fuzz(func(t *testing.T, data []byte, link, more uint16) {
		r := &recorder{}
		st := runPacket(t, r, Packet{Data: data, Wire: uint32(len(data) + int(more)), Link: LinkType(link)})
		checkSums(t, st)
		if st.Packets != 1 {
			t.Errorf("%d packets", st.Packets)
		}
		for _, w := range r.wrong {
			t.Error(w)
		}
		if link == uint16(LinkEthernet) && more == 0 {
			agrees(t, data)
		}
	})
}

// FuzzStream takes bytes as instructions to make segments of one connection.
// Whatever they are, what is delivered is, at each place, what was sent there
// first, and everything adds up.
func FuzzStream(f *testing.F) {
	f.Add([]byte{0, 0, 10, 1, 0, 20, 0, 5, 9, 3, 1, 1, 2, 0, 3})
	f.Add([]byte("the quick brown fox jumps over the lazy dog"))
	f.Fuzz(func(t *testing.T, code []byte) {
		const base = 0xffffff00
		var k talk
		seqs := [2]uint32{base, 1000}
		for len(code) >= 3 && len(k.list) < 200 {
			op, x, y := code[0], code[1], code[2]
			code = code[3:]
			d := op & 1
			flags := byte(flagACK)
			seq, ack := seqs[d], seqs[1-d]
			switch op >> 1 & 15 {
			case 0:
				flags = flagSYN
				seq--
			case 1:
				flags = flagSYN | flagACK
				seq--
			case 2:
				flags = flagFIN | flagACK
			case 3:
				flags = flagRST | flagACK
			case 4:
				k.wait(int64(x) * 1e8)
			case 5:
				seq += uint32(x) << 20
			case 6:
				ack += uint32(x)
			default:
				seq += uint32(x) - 64
			}
			data := bytes.Repeat([]byte{x}, int(y)%64)
			if d == 0 {
				k.a(flags, seq, ack, string(data))
			} else {
				k.b(flags, seq, ack, string(data))
			}
			if op&0x20 == 0 {
				seqs[d] = seq + uint32(len(data))
			}
		}
		set := Settings{MaxStreamSegments: 8, MaxStreamBytes: 6 * segmentRoom}
		one, st := run(t, set, k.list...)
		// In batches of one packet and with two workers it is the same.
		r1, r2 := &recorder{}, &recorder{}
		e := New(set, []Handler{r1, r2})
		if err := e.Run(context.Background(), &packets{list: k.list, size: 1}, nil); err != nil {
			t.Fatal(err)
		}
		if got := e.Stats(); got != st {
			t.Fatalf("counters differ\n%+v\n%+v", got, st)
		}
		got := byPair([]*recorder{r1, r2})
		for pair, lines := range byPair([]*recorder{one}) {
			if got[pair] != lines {
				t.Fatal(firstDifference(got[pair], lines))
			}
		}
	})
}
