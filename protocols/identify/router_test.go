package identify

import (
	"net/netip"
	"testing"

	"github.com/weir-ics/weir/protocols"
	"github.com/weir-ics/weir/protocols/dnp3"
)

var (
	readCoils   = []byte{0, 1, 0, 0, 0, 6, 1, 1, 0, 0, 0, 8}
	coils       = []byte{0, 1, 0, 0, 0, 4, 1, 1, 1, 0x5a}
	http        = []byte("GET / HTTP/1.1\r\nHost: plant\r\n\r\n")
	clientHello = append([]byte{0x16, 3, 1, 0, 5, 1, 0, 0, 1, 0}, 0)
	asciiCoils  = []byte(":010100000008F6\r\n")
	rtuCoils    = []byte{1, 1, 0, 0, 0, 8, 0x3d, 0xcc}
)

func classPoll() []byte {
	var seq uint8
	h := dnp3.LinkHeader{Dir: true, Prm: true, Function: dnp3.LinkUnconfirmedUserData, Destination: 10, Source: 1}
	return dnp3.AppendSegments(nil, h, &seq, []byte{0xc0, 1, 60, 1, 6})
}

func conversation(transport protocols.Transport, port uint16, opened bool) protocols.Conversation {
	c := protocols.Conversation{Transport: transport, OpeningSeen: opened}
	c.Ends[0] = protocols.Endpoint{IP: netip.MustParseAddr("10.0.0.1"), Port: 40000}
	c.Ends[1] = protocols.Endpoint{IP: netip.MustParseAddr("10.0.0.2"), Port: port}
	return c
}

type heard struct {
	protos []protocols.Proto
	frames []uint64
}

func (h *heard) take(e *protocols.Event) {
	if e.Role != protocols.RoleNotice {
		h.protos = append(h.protos, e.Proto)
		h.frames = append(h.frames, e.Frame)
	}
}

func at(frame uint64) protocols.Stamp {
	t := int64(frame) * 1e6
	return protocols.Stamp{Time: t, Clock: t, Frame: frame}
}

func counters(r *Router) map[string]uint64 {
	m := map[string]uint64{}
	r.Each(func(name string, v uint64) { m[name] = v })
	return m
}

func TestContentDecidesNotThePort(t *testing.T) {
	for name, c := range map[string]struct {
		port    uint16
		data    []byte
		counter string
		proto   protocols.Proto
	}{
		"Modbus on its port":        {502, readCoils, "conversations.modbus", protocols.ProtoModbus},
		"Modbus elsewhere":          {1502, readCoils, "conversations.modbus", protocols.ProtoModbus},
		"DNP3 on its port":          {20000, classPoll(), "conversations.dnp3", protocols.ProtoDNP3},
		"DNP3 elsewhere":            {20001, classPoll(), "conversations.dnp3", protocols.ProtoDNP3},
		"DNP3 on the Modbus port":   {502, classPoll(), "conversations.dnp3", protocols.ProtoDNP3},
		"Modbus on the DNP3 port":   {20000, readCoils, "conversations.modbus", protocols.ProtoModbus},
		"Modbus RTU over TCP":       {4001, rtuCoils, "conversations.modbus-rtu", protocols.ProtoModbus},
		"Modbus ASCII over TCP":     {4001, asciiCoils, "conversations.modbus-ascii", protocols.ProtoModbus},
		"TLS on the port for it":    {802, clientHello, "conversations.modbus-tls", protocols.ProtoUnknown},
		"TLS elsewhere":             {443, clientHello, "conversations.other", protocols.ProtoUnknown},
		"a web server, many pieces": {8080, http, "conversations.other", protocols.ProtoUnknown},
	} {
		t.Run(name, func(t *testing.T) {
			var h heard
			r := NewRouter(h.take)
			f := r.Open(conversation(protocols.TCP, c.port, true))
			for i := range maxTries {
				f.Stream(0, at(uint64(i+1)), c.data)
			}
			if got := counters(r)[c.counter]; got != 1 {
				t.Errorf("%s is %d, counters %v", c.counter, got, counters(r))
			}
			if ours := c.proto != protocols.ProtoUnknown; f.Wanted() != ours || (len(h.protos) > 0) != ours || ours && h.protos[0] != c.proto {
				t.Errorf("wanted %v, heard %v", f.Wanted(), h.protos)
			}
		})
	}
}

func TestSomethingElseOnPort502IsNeverTakenForModbusAndNeverGivenUp(t *testing.T) {
	var h heard
	r := NewRouter(h.take)
	f := r.Open(conversation(protocols.TCP, 502, true))
	for i := range 100 {
		f.Stream(0, at(uint64(i+1)), http)
	}
	if len(h.protos) != 0 || !f.Wanted() {
		t.Fatalf("heard %v, wanted %v", h.protos, f.Wanted())
	}
	f.Stream(0, at(200), readCoils)
	if len(h.protos) != 1 {
		t.Fatalf("a message after all is not heard: %v", h.protos)
	}
}

func TestABeginningInPiecesIsPutTogetherUnderItsOwnFrames(t *testing.T) {
	for cut := 1; cut < len(readCoils); cut++ {
		var h heard
		r := NewRouter(h.take)
		f := r.Open(conversation(protocols.TCP, 1502, true))
		f.Stream(0, at(1), readCoils[:cut])
		f.Stream(0, at(2), readCoils[cut:])
		f.Stream(1, at(3), coils)
		if len(h.protos) != 2 || h.frames[0] != 2 || h.frames[1] != 3 {
			t.Fatalf("cut at %d: heard %v in frames %v", cut, h.protos, h.frames)
		}
	}
}

func TestBytesThatBreakTheStandardAreHeardOnThePortOfModbusOnly(t *testing.T) {
	odd := []byte{0, 1, 0, 0, 0, 3, 1, 0x63, 0} // function 99 is not defined
	for port, want := range map[uint16]int{502: 1, 1502: 0} {
		var h heard
		r := NewRouter(h.take)
		f := r.Open(conversation(protocols.TCP, port, true))
		f.Stream(0, at(1), odd)
		if len(h.protos) != want {
			t.Errorf("port %d: heard %v, want %d", port, h.protos, want)
		}
	}
}

func TestDatagramsAreDecidedOneByOne(t *testing.T) {
	var h heard
	r := NewRouter(h.take)
	f := r.Open(conversation(protocols.UDP, 20000, false))
	f.Datagram(0, at(1), []byte{5, 0x64}) // half a header: not continued by the next
	f.Datagram(0, at(2), classPoll())
	if len(h.protos) != 1 || h.protos[0] != protocols.ProtoDNP3 || h.frames[0] != 2 {
		t.Fatalf("heard %v in %v", h.protos, h.frames)
	}
}

func TestTimeOutsFireInOrderAndOnlyForWhatIsOpen(t *testing.T) {
	var notices []uint64
	r := NewRouter(func(e *protocols.Event) {
		if e.Role == protocols.RoleNotice {
			notices = append(notices, e.RequestFrame)
		}
	})
	a, b, c := r.Open(conversation(protocols.TCP, 502, true)), r.Open(conversation(protocols.TCP, 502, true)), r.Open(conversation(protocols.TCP, 502, true))
	b.Stream(0, at(1), readCoils)
	a.Stream(0, at(2), readCoils)
	c.Stream(0, at(3), readCoils)
	c.Stream(1, at(4), coils)
	a2 := at(5)
	if next := r.Advance(a2.Clock); next == 0 || next <= a2.Clock {
		t.Fatalf("the next time-out is at %d", next)
	}
	b2 := r.Open(conversation(protocols.TCP, 502, true))
	b2.Stream(0, at(6), readCoils)
	b2.Close(at(7))
	r.Advance(at(60_000).Clock)
	if len(notices) < 2 || notices[0] != 1 || notices[1] != 2 {
		t.Fatalf("unanswered: %v, want those of frames 1 and 2 first", notices)
	}
	if next := r.Advance(at(120_000).Clock); next != 0 {
		t.Fatalf("a time-out is left at %d", next)
	}
}

func TestSteadyPollingCostsNoAllocation(t *testing.T) {
	r := NewRouter(func(*protocols.Event) {})
	f := r.Open(conversation(protocols.TCP, 502, true))
	frame := uint64(0)
	poll := func() {
		frame++
		f.Stream(0, at(frame), readCoils)
		frame++
		f.Stream(1, at(frame), coils)
		r.Advance(at(frame).Clock)
	}
	for range 100 {
		poll()
	}
	if n := testing.AllocsPerRun(1000, poll); n != 0 {
		t.Fatalf("%v allocations a poll", n)
	}
}

func FuzzRouter(f *testing.F) {
	f.Add(uint16(502), []byte{12}, append(append([]byte{}, readCoils...), coils...))
	f.Add(uint16(20000), []byte{3, 9}, classPoll())
	f.Add(uint16(4001), []byte{1}, asciiCoils)
	f.Fuzz(func(t *testing.T, port uint16, cuts, data []byte) {
		n := 0
		r := NewRouter(func(*protocols.Event) { n++ })
		f := r.Open(conversation(protocols.TCP, port, len(cuts)%2 == 0))
		for i, c := range cuts {
			piece := data[:min(int(c), len(data))]
			data = data[len(piece):]
			if c == 255 {
				f.Gap(protocols.Direction(i&1), at(uint64(i+1)), 7)
			}
			f.Stream(protocols.Direction(i&1), at(uint64(i+1)), piece)
			r.Advance(at(uint64(i + 1)).Clock)
		}
		f.Stream(0, at(300), data)
		held := 0
		for _, c := range f.held {
			held += len(c.data)
		}
		if held > maxHeld+len(data) || len(f.held) > maxChunks {
			t.Fatalf("%d octets in %d pieces are held", held, len(f.held))
		}
		f.Close(at(301))
		r.Advance(1 << 62)
	})
}
