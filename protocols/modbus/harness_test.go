package modbus

import (
	"encoding/hex"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/weir-ics/weir/protocols"
)

const (
	toServer protocols.Direction = 0
	toClient protocols.Direction = 1
)

// conversation is a TCP conversation of a client with a server on port 502.
func conversation() protocols.Conversation {
	return protocols.Conversation{
		Transport: protocols.TCP,
		Ends: [2]protocols.Endpoint{
			{IP: netip.MustParseAddr("10.0.0.1"), Port: 40000},
			{IP: netip.MustParseAddr("10.0.0.2"), Port: Port},
		},
		OpeningSeen: true,
	}
}

// midstream is the same, caught after it began.
func midstream() protocols.Conversation {
	c := conversation()
	c.OpeningSeen = false
	return c
}

// seen is a copy of what a test needs of an Event.
type seen struct {
	Event protocols.Event
	// Line is role, function, name and the protocol's own fields.
	Line       string
	Violations []string
	PDU        []byte
}

// recorder keeps Events.
type recorder struct{ events []seen }

func (r *recorder) emit(e *protocols.Event) {
	c := *e
	c.Ranges = append([]protocols.Range(nil), e.Ranges...)
	c.Points = append([]protocols.Point(nil), e.Points...)
	c.Identity = nil
	for _, id := range e.Identity {
		c.Identity = append(c.Identity, protocols.Identity{Key: id.Key, Value: append([]byte(nil), id.Value...)})
	}
	c.Violations = append([]protocols.Violation(nil), e.Violations...)
	c.Detail = nil
	s := seen{Event: c}
	for _, v := range e.Violations {
		s.Violations = append(s.Violations, v.Kind.Name)
	}
	if e.Detail != nil {
		s.Line = strings.TrimPrefix(string(e.Detail.AppendFields(nil)), ",")
		m := e.Detail.(*Message)
		if e.Role != protocols.RoleNotice {
			s.PDU = AppendPDU(nil, m)
		}
	}
	r.events = append(r.events, s)
}

func (r *recorder) last(t *testing.T) seen {
	t.Helper()
	if len(r.events) == 0 {
		t.Fatal("no message was decoded")
	}
	return r.events[len(r.events)-1]
}

// summary is one line a message, to compare whole runs.
func (r *recorder) summary() []string {
	var lines []string
	for _, s := range r.events {
		e := s.Event
		lines = append(lines, fmt.Sprintf("%v fn=%d sub=%d unit=%d seq=%d size=%d %q %v ranges=%v points=%v %v",
			e.Role, e.Function, e.Sub, e.Unit, e.Sequence, e.Size, e.Name, s.Violations, e.Ranges, e.Points, s.Line))
	}
	return lines
}

func unhexed(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// stamp is packet number n, a millisecond a packet.
func stamp(n int) protocols.Stamp {
	return protocols.Stamp{Time: int64(n) * 1e6, Clock: int64(n) * 1e6, Frame: uint64(n)}
}

// exchange decodes a request and its response, each a PDU, in a framing.
func exchange(t *testing.T, f Framing, request, response []byte) (ask, answer seen) {
	t.Helper()
	var r recorder
	d := Config{Framing: f}.NewDecoder(conversation(), r.emit)
	d.Stream(toServer, stamp(1), AppendADU(nil, f, 7, 17, request))
	if len(response) > 0 {
		d.Stream(toClient, stamp(3), AppendADU(nil, f, 7, 17, response))
	}
	want := 1
	if len(response) > 0 {
		want = 2
	}
	if len(r.events) != want {
		t.Fatalf("%v: %d messages from %d: %v", f, len(r.events), want, r.summary())
	}
	return r.events[0], r.events[want-1]
}
