package modbus

import (
	"bytes"
	"net/netip"
	"testing"

	"github.com/weir-ics/weir/protocols"
)

func TestSerialFramingsHaveRulesOfTheirOwn(t *testing.T) {
	for _, f := range []Framing{RTU, ASCII} {
		t.Run(f.String(), func(t *testing.T) {
			newStory(t, f).ask(0, 250, readTwo).want("request modbus.unit")
			newStory(t, f).ask(0, 0, readTwo).want("request modbus.broadcast-read")
			s := newStory(t, f).ask(0, 0, "06 0001 0007").seconds(60).want("request")
			if !s.r.last(t).Event.Broadcast {
				t.Error("a write to unit 0 is a broadcast")
			}
		})
	}
	if newStory(t, MBAP).ask(1, 0, readTwo).want("request").r.last(t).Event.Broadcast {
		t.Error("unit 0 is the server itself in Modbus/TCP (TCP 4.4.2)")
	}
}

func TestAFrameWithAWrongChecksumAsksNothingAndWritesNothing(t *testing.T) {
	for f, violation := range map[Framing]string{RTU: "modbus.crc", ASCII: "modbus.lrc"} {
		t.Run(f.String(), func(t *testing.T) {
			frame := AppendADU(nil, f, 0, 1, AppendWriteRegister(nil, 1, 7))
			if f == RTU {
				frame[len(frame)-1] ^= 1
			} else {
				frame[len(frame)-3] = '0' + (frame[len(frame)-3]+1)%2
			}
			s := newStory(t, f).raw(toServer, frame).seconds(60).want("request "+violation).count(CountChecksumErrors, 1)
			if e := s.r.last(t).Event; len(e.Points)+len(e.Ranges) != 0 || e.Function != 6 {
				t.Errorf("%+v", e)
			}
		})
	}
}

func TestAnASCIIFrameWithAForeignCharacterIsToldIfItsChecksumIsRight(t *testing.T) {
	frame := AppendADU(nil, ASCII, 0, 1, AppendRead(nil, 3, 0, 1))
	odd := append(bytes.Clone(frame[:len(frame)-2]), "A\r\n"...)
	newStory(t, ASCII).raw(toServer, odd).want("request modbus.ascii")
	newStory(t, ASCII).raw(toServer, []byte(":hello\r\n")).raw(toServer, frame).want("notice modbus.skipped", "request")
	small := bytes.ToLower(frame)
	newStory(t, ASCII).raw(toServer, small).want("request")
}

func TestAForeignProtocolIdentifierIsNoModbus(t *testing.T) {
	foreign := mbap(t, readTwo)
	foreign[2] = 0x12
	s := newStory(t, MBAP).raw(toServer, foreign).ask(1, 1, readTwo)
	s.want("notice modbus.protocol-id modbus.skipped", "request").count(CountSkippedBytes, 12)
}

func TestLongMessagesAreToldUnlessTheProductIsKnownForThem(t *testing.T) {
	long := AppendADU(nil, MBAP, 1, 1, append([]byte{65}, make([]byte, 300)...))
	newStory(t, MBAP).raw(toServer, long).want("request modbus.size")
	umas := AppendADU(nil, MBAP, 1, 1, AppendUMAS(nil, 1, 0x31, make([]byte, 1000)))
	newStory(t, MBAP).raw(toServer, umas[:400]).raw(toServer, umas[400:]).want("request")
}

func TestADatagramStandsAlone(t *testing.T) {
	conv := conversation()
	conv.Transport, conv.OpeningSeen = protocols.UDP, false
	var r recorder
	d := NewDecoder(conv, r.emit)
	d.Datagram(toServer, stamp(1), mbap(t, readTwo))
	d.Datagram(toClient, stamp(2), mbap(t, two))
	d.Datagram(toServer, stamp(3), mbap(t, readTwo)[:10])
	d.Datagram(toServer, stamp(4), append(mbap(t, readTwo), mbap(t, "03 0020 0001")...))
	if len(r.events) != 5 {
		t.Fatalf("%d events: %v", len(r.events), r.summary())
	}
	if e := r.events[1].Event; e.Role != protocols.RoleResponse || len(e.Points) != 2 || e.RoleGuessed {
		t.Errorf("the answer is %v with %d points, guessed %v", e.Role, len(e.Points), e.RoleGuessed)
	}
	if e := r.events[2]; e.Event.Role != protocols.RoleNotice || e.Violations[0] != "modbus.skipped" || e.Event.Size != 10 {
		t.Errorf("half a message in a datagram is %v", r.summary()[2])
	}
}

// between makes a conversation between two ports that was caught in its midst.
func between(a, b uint16) protocols.Conversation {
	return protocols.Conversation{Transport: protocols.TCP, Ends: [2]protocols.Endpoint{
		{IP: netip.MustParseAddr("10.0.0.1"), Port: a}, {IP: netip.MustParseAddr("10.0.0.2"), Port: b}}}
}

func TestWhoIsClientIsLearned(t *testing.T) {
	for _, x := range []struct {
		name string
		conv protocols.Conversation
		// dir sends pdu.
		dir     protocols.Direction
		pdu     string
		client  protocols.Direction
		guessed bool
	}{
		{"by who opened", conversation(), 0, "05 0001 FF00", 0, false},
		{"by the port", between(502, 40000), 0, "05 0001 FF00", 1, true},
		{"by the port, and a message agrees", between(40000, 502), 0, readTwo, 0, false},
		{"by an ephemeral port", between(1502, 40000), 0, "05 0001 FF00", 1, true},
		{"by who speaks first", between(2000, 2001), 1, "05 0001 FF00", 1, true},
		{"by the shape of a request", between(2000, 2001), 1, readTwo, 1, false},
		{"by the shape of a response", between(2000, 2001), 1, two, 0, false},
		{"by an exception", between(2000, 2001), 0, "83 02", 1, false},
	} {
		t.Run(x.name, func(t *testing.T) {
			var r recorder
			d := NewDecoder(x.conv, r.emit)
			d.Stream(x.dir, stamp(1), mbap(t, x.pdu))
			e := r.last(t).Event
			if e.FromClient != (x.client == x.dir) || e.RoleGuessed != x.guessed {
				t.Errorf("from client %v, guessed %v", e.FromClient, e.RoleGuessed)
			}
			if e.Client().Port != x.conv.Ends[x.client].Port {
				t.Errorf("the client is %v", e.Client())
			}
		})
	}
}

func TestAServerThatOpensTheConnectionIsFoundOut(t *testing.T) {
	conv := between(502, 4446)
	conv.OpeningSeen = true
	var r recorder
	d := NewDecoder(conv, r.emit)
	d.Stream(0, stamp(1), mbap(t, "81 06"))
	if e := r.last(t).Event; e.FromClient || e.Role != protocols.RoleException {
		t.Errorf("%v, from client %v", e.Role, e.FromClient)
	}
}

func TestProbesKnowTheirProtocolAndNoOther(t *testing.T) {
	probes := [...]protocols.Prober{MBAP: Probe, RTU: ProbeRTU, ASCII: ProbeASCII}
	for f, probe := range probes {
		for _, x := range examples {
			for _, pdu := range []string{x.request, x.response} {
				adu := AppendADU(nil, Framing(f), 7, 17, unhexed(t, pdu))
				if v := probe(adu); v != protocols.Yes {
					t.Errorf("%v % x: %v", Framing(f), adu, v)
				}
				for n := range adu {
					if v := probe(adu[:n]); v == protocols.No || v == protocols.Yes && Framing(f) != RTU {
						t.Errorf("%v % x: %v", Framing(f), adu[:n], v)
					}
				}
				for other, probe := range probes {
					if other != f && probe(adu) == protocols.Yes {
						t.Errorf("%v is taken for %v: % x", Framing(f), Framing(other), adu)
					}
				}
			}
		}
	}
	for name, data := range map[string][]byte{
		"HTTP":              []byte("GET / HTTP/1.1\r\nHost: a\r\n\r\n"),
		"TLS":               {0x16, 3, 1, 0, 0x85, 1, 0, 0, 0x81, 3, 3},
		"SSH":               []byte("SSH-2.0-OpenSSH_9.2\r\n"),
		"DNP3":              unhexed(t, "0564 05 C0 0100 0A00 E08C"),
		"COTP":              unhexed(t, "0300 0016 11E0 0000 0001 00C1 0201 00C2 0201 02C0 010A"),
		"SunRPC":            unhexed(t, "80000028 7e86ab4a 00000000 00000002 000186a3 00000003 00000000"),
		"DCE/RPC":           unhexed(t, "05000b03 10000000 48000000 01000000 b810b810 00000000"),
		"zeros":             make([]byte, 300),
		"EtherNet/IP":       append(unhexed(t, "6500 0400 00000000 00000000 0000000000000000 00000000 0100 0000"), 0),
		"two zero messages": unhexed(t, "0000 0000 0002 0000 0000 0000 0002 0000"),
	} {
		for f, probe := range probes {
			if v := probe(data); v == protocols.Yes {
				t.Errorf("%s is taken for %v", name, Framing(f))
			}
		}
	}
	if !IsTLS([]byte{0x16, 3, 1, 0, 0x85, 1, 0, 0}) || IsTLS(mbap(t, readTwo)) {
		t.Error("TLS is not told from Modbus")
	}
}

func TestNoiseIsTakenForModbusPracticallyNever(t *testing.T) {
	probes := [...]protocols.Prober{MBAP: Probe, RTU: ProbeRTU, ASCII: ProbeASCII}
	noise := noiseSource()
	taken := [numFramings]int{}
	const tries = 200_000
	for range tries {
		data := noise(64)
		for f, probe := range probes {
			if probe(data) == protocols.Yes {
				taken[f]++
			}
		}
	}
	// A CRC of 16 bits and a known function let one in some ten million pass.
	if taken[MBAP] > 0 || taken[ASCII] > 0 || taken[RTU] > 1 {
		t.Errorf("of %d pieces of noise, taken: %v", tries, taken)
	}
}
