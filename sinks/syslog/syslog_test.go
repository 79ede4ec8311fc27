package syslog

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/weir-ics/weir/detect"
	"github.com/weir-ics/weir/protocols"
	"github.com/weir-ics/weir/sinks"
)

var _ sinks.Sink = (*Sink)(nil)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func alert(n int) detect.Alert {
	return detect.Alert{
		Finding: detect.Finding{
			Kind: &detect.Kind{Name: "command.new"}, Severity: protocols.High, Start: 1_459_953_131_480_000_000, Time: 1_459_953_132_480_123_456,
			Proto:    protocols.ProtoModbus,
			Client:   detect.Party{Endpoint: protocols.Endpoint{IP: netip.MustParseAddr("192.168.1.101"), Port: 40000, MAC: [6]byte{2, 0, 0, 0, 0, 1}}, Name: "PLC|1"},
			Server:   detect.Party{Endpoint: protocols.Endpoint{IP: netip.MustParseAddr("fe80::2"), Port: 502}},
			Function: 5, FunctionName: "Write Single Coil", Title: "a|b\\c\nd", Explanation: "x=1\\\n", Techniques: []string{"T0855"},
			Observed: "o", Expected: "e]\"", FirstFrame: 3, LastFrame: 4,
		},
		ID: fmt.Sprint("a", n), Incident: "i]\"1", Count: 2, End: 1_459_953_133_000_000_000,
	}
}

// collector is a TCP server that reads octet-counted messages.
type collector struct {
	net.Listener
	messages chan string
}

func listen(t *testing.T, address string) *collector {
	t.Helper()
	l, err := net.Listen("tcp", address)
	must(t, err)
	c := &collector{l, make(chan string, 1000)}
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				r := bufio.NewReader(conn)
				for {
					size, err := r.ReadString(' ')
					if err != nil {
						return
					}
					n, err := strconv.Atoi(strings.TrimSpace(size))
					if err != nil {
						t.Errorf("a message begins with %q", size)
						return
					}
					b := make([]byte, n)
					if _, err := io.ReadFull(r, b); err != nil {
						return
					}
					c.messages <- string(b)
				}
			}()
		}
	}()
	t.Cleanup(func() { _ = l.Close() })
	return c
}

// header is what RFC 5424, section 6 prescribes.
var header = regexp.MustCompile(`^<(\d{1,3})>1 (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z) (\S+) (\S+) (\S+) (\S+) (-|(?:\[(?:[^"\]]|"(?:[^"\\\]]|\\.)*")*\])+) (.*)$`)

func TestMessagesOverTCPAreWholeAndHoldTheAlertLine(t *testing.T) {
	c := listen(t, "127.0.0.1:0")
	s, err := New(Options{Network: "tcp", Address: c.Addr().String(), Host: "north plant"})
	must(t, err)
	a := alert(1)
	must(t, s.Write(context.Background(), &detect.Output{Alerts: []detect.Alert{a, alert(2)}}))
	must(t, s.Close(context.Background()))
	m := header.FindStringSubmatch(<-c.messages)
	if m == nil || m[1] != "131" || m[2] != "2016-04-06T14:32:12.480123Z" || m[3] != "northplant" || m[4] != "weir" || m[6] != "command.new" {
		t.Fatalf("%q", m)
	}
	if !strings.Contains(m[7], `incident="i\]\"1"`) || !strings.Contains(m[7], `client="192.168.1.101"`) {
		t.Errorf("structured data %s", m[7])
	}
	if want := string(a.AppendJSON(nil)); m[8] != want || !json.Valid([]byte(m[8])) {
		t.Errorf("message %s, want %s", m[8], want)
	}
	if second := <-c.messages; !strings.Contains(second, `id="a2"`) {
		t.Error(second)
	}
	if r := s.Report(); r.Written.Alerts != 2 {
		t.Errorf("report %+v", r)
	}
}

func TestACEFEventEscapesItsParts(t *testing.T) {
	o := Options{Format: CEF, Facility: 16, Version: "1.0"}
	a := alert(1)
	m := header.FindStringSubmatch(string(o.appendMessage(nil, &a)))
	if m == nil {
		t.Fatalf("%q", o.appendMessage(nil, &a))
	}
	want := `CEF:0|weir|weir|1.0|command.new|a\|b\\c d|8|externalId=a1 rt=1459953132480 start=1459953131480 end=1459953133000 cnt=2 act=raised app=modbus` +
		` src=192.168.1.101 spt=40000 smac=02:00:00:00:00:01 shost=PLC|1 c6a3Label=destination IPv6 address c6a3=fe80::2 dpt=502` +
		` cs1Label=ATT&CK for ICS techniques cs1=T0855 cs2Label=incident cs2=i]"1 cs4Label=function cs4=Write Single Coil cs5Label=observed cs5=o` +
		` cs6Label=expected cs6=e]" cn1Label=first frame cn1=3 cn2Label=last frame cn2=4 msg=x\=1\\ `
	if m[8] != want {
		t.Errorf("got\n%s\nwant\n%s", m[8], want)
	}
}

func TestADatagramIsOneMessage(t *testing.T) {
	c, err := net.ListenPacket("udp", "127.0.0.1:0")
	must(t, err)
	defer c.Close()
	s, err := New(Options{Address: c.LocalAddr().String()})
	must(t, err)
	must(t, s.Write(context.Background(), &detect.Output{Alerts: []detect.Alert{alert(1)}}))
	must(t, s.Close(context.Background()))
	b := make([]byte, 1<<16)
	must(t, c.SetReadDeadline(time.Now().Add(time.Minute)))
	n, _, err := c.ReadFrom(b)
	must(t, err)
	if !header.Match(b[:n]) {
		t.Errorf("%q", b[:n])
	}
}

func TestOnlyNewsIsSent(t *testing.T) {
	c := listen(t, "127.0.0.1:0")
	s, err := New(Options{Network: "tcp", Address: c.Addr().String()})
	must(t, err)
	a := alert(1)
	states := []detect.Alert{a, a, a, a, a}
	states[1].State, states[2].State, states[3].State, states[4].State = detect.Updated, detect.Updated, detect.Updated, detect.Cleared
	states[2].Severity = protocols.Critical
	must(t, s.Write(context.Background(), &detect.Output{Alerts: states}))
	must(t, s.Close(context.Background()))
	if r := s.Report(); r.Written.Alerts != 3 {
		t.Errorf("%d messages, want raised, critical, cleared", r.Written.Alerts)
	}
}

func TestACollectorThatWasAwayGetsWhatItMissed(t *testing.T) {
	c := listen(t, "127.0.0.1:0")
	address := c.Addr().String()
	s, err := New(Options{Network: "tcp", Address: address, MaxBackoff: time.Millisecond})
	must(t, err)
	must(t, s.Write(context.Background(), &detect.Output{Alerts: []detect.Alert{alert(1)}}))
	<-c.messages
	must(t, c.Close())
	// A collector that restarts closes its connections; this one is still open, so
	// close it from our side, as a time-out would.
	must(t, s.Flush(context.Background()))
	s.mu.Lock()
	s.conn.Close()
	s.mu.Unlock()
	must(t, s.Write(context.Background(), &detect.Output{Alerts: []detect.Alert{alert(2), alert(3)}}))
	must(t, s.Flush(context.Background()))
	if r := s.Report(); !strings.Contains(r.Problem, "cannot be reached") {
		t.Errorf("report %+v", r)
	}
	c = listen(t, address)
	for _, want := range []string{`id="a2"`, `id="a3"`} {
		if m := <-c.messages; !strings.Contains(m, want) {
			t.Errorf("got %s, want %s", m, want)
		}
	}
	must(t, s.Close(context.Background()))
	if r := s.Report(); r.Written.Alerts != 3 || r.Lost.Alerts != 0 || r.Problem != "" {
		t.Errorf("report %+v", r)
	}
}

func TestMessagesForACollectorThatIsDownAreBoundedAndCounted(t *testing.T) {
	s, err := New(Options{Network: "tcp", Address: "127.0.0.1:1", Queue: 10})
	must(t, err)
	for i := range 100 {
		must(t, s.Write(context.Background(), &detect.Output{Alerts: []detect.Alert{alert(i)}}))
	}
	err = s.Close(context.Background())
	if err == nil || !strings.Contains(err.Error(), "100 messages lost") {
		t.Errorf("said %v", err)
	}
	if r := s.Report(); r.Lost.Alerts != 100 {
		t.Errorf("report %+v", r)
	}
}

func TestSettingsThatCannotWorkAreRefused(t *testing.T) {
	for _, o := range []Options{{}, {Address: "h", Network: "sctp"}, {Address: "h", Format: "xml"}, {Address: "h", Facility: 24}} {
		if _, err := New(o); err == nil {
			t.Errorf("%+v was taken", o)
		}
	}
	s, err := New(Options{Address: "127.0.0.1"})
	must(t, err)
	if s.opt.Address != "127.0.0.1:514" {
		t.Error(s.opt.Address)
	}
	must(t, s.Close(context.Background()))
}

// said is a log that may be read while it is written.
type said struct {
	mu sync.Mutex
	b  strings.Builder
}

func (s *said) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *said) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// until waits for something that must come.
func until(t *testing.T, what string, f func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !f(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("never: " + what)
		}
	}
}

func TestDatagramsThatNobodyTakesWaitAndAreSaidOnce(t *testing.T) {
	c, err := net.ListenPacket("udp", "127.0.0.1:0")
	must(t, err)
	address := c.LocalAddr().String()
	must(t, c.Close())
	log := new(said)
	s, err := New(Options{Address: address, MaxBackoff: time.Millisecond, Log: slog.New(slog.NewTextHandler(log, nil))})
	must(t, err)
	const n = 20
	for i := range n {
		must(t, s.Write(context.Background(), &detect.Output{Alerts: []detect.Alert{alert(i)}}))
	}
	until(t, "a refusal", func() bool { return s.Report().Problem != "" })
	time.Sleep(300 * time.Millisecond) // many tries
	if r := s.Report(); r.Written.Alerts != 0 || r.Lost.Alerts != 0 || r.Problem == "" {
		t.Errorf("with nobody there, the report is %+v", r)
	}
	if text := log.String(); strings.Count(text, "\n") != 1 || !strings.Contains(text, "room=10000") || strings.Contains(text, "waiting=10000") {
		t.Errorf("it logged\n%s", text)
	}
	if c, err = net.ListenPacket("udp", address); err != nil {
		t.Skip("another took the port: ", err)
	}
	defer c.Close()
	b := make([]byte, 1<<16)
	must(t, c.SetReadDeadline(time.Now().Add(time.Minute)))
	for i := range n {
		k, _, err := c.ReadFrom(b)
		must(t, err)
		if want := fmt.Sprintf(`id="a%d"`, i); !strings.Contains(string(b[:k]), want) {
			t.Errorf("message %d is %s", i, b[:k])
		}
	}
	must(t, s.Close(context.Background()))
	if r := s.Report(); r.Written.Alerts != n || r.Lost.Alerts != 0 || r.Problem != "" {
		t.Errorf("at the end the report is %+v", r)
	}
	if text := log.String(); strings.Count(text, "\n") != 2 || !strings.Contains(text, "takes messages again") {
		t.Errorf("it logged\n%s", text)
	}
}

func TestADatagramThatIsRefusedLateIsSentAgain(t *testing.T) {
	s := &Sink{opt: Options{Network: "udp", Queue: 10, Log: slog.New(slog.DiscardHandler)}}
	s.conn, _ = net.Pipe()
	s.last, s.lastAt = []byte("first"), time.Now()
	if err := s.settled([]byte("second"), syscall.ECONNREFUSED); err == nil || string(s.last) != "first" || !s.doubt {
		t.Errorf("error %v, before it %q", err, s.last)
	}
	s.conn, _ = net.Pipe()
	s.lastAt = time.Now().Add(-2 * late)
	if err := s.settled([]byte("second"), syscall.ECONNREFUSED); err == nil || s.last != nil {
		t.Errorf("error %v, and what was sent long before is sent again: %q", err, s.last)
	}
}

func TestANameThatNobodyKnowsIsSaidAtTheStart(t *testing.T) {
	log := new(said)
	s, err := New(Options{Address: "collector.invalid", Timeout: 200 * time.Millisecond, Log: slog.New(slog.NewTextHandler(log, nil))})
	must(t, err)
	until(t, "a warning", func() bool { return strings.Contains(log.String(), "name cannot be resolved") })
	must(t, s.Close(context.Background()))
}

func TestAnAddressThatCannotBeOneIsRefused(t *testing.T) {
	for _, address := range []string{"siem:999999", "siem:port", ":514", "http://siem/"} {
		if err := CheckAddress(address); err == nil {
			t.Errorf("%q was taken", address)
		}
	}
	for _, address := range []string{"siem", "siem:514", "10.0.0.1", "[fe80::1]:514", "::1"} {
		if err := CheckAddress(address); err != nil {
			t.Errorf("%q: %v", address, err)
		}
	}
}
