package dnp3

import (
	"encoding/hex"
	"net/netip"
	"strings"
	"testing"

	"github.com/weir-ics/weir/protocols"
)

// unhex reads octets from hexadecimal digits; spaces are for the reader.
func unhex(t testing.TB, s string) []byte {
	t.Helper()
	p, err := hex.DecodeString(strings.Join(strings.Fields(s), ""))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// conversation is a TCP connection that a master opened to an outstation.
var conversation = protocols.Conversation{
	Transport: protocols.TCP,
	Ends: [2]protocols.Endpoint{
		{IP: netip.MustParseAddr("10.0.0.1"), Port: 40000},
		{IP: netip.MustParseAddr("10.0.0.2"), Port: 20000},
	},
	OpeningSeen: true,
}

// seen is a copy of what a test needs of an event.
type seen struct {
	protocols.Event
	json  string
	kinds []string
}

// recorder keeps copies of the events of a decoder.
type recorder struct {
	events []seen
}

func (r *recorder) emit(ev *protocols.Event) {
	s := seen{Event: *ev, json: string(ev.Detail.AppendFields(nil))}
	s.Detail = nil
	s.Ranges = append([]protocols.Range(nil), ev.Ranges...)
	s.Points = append([]protocols.Point(nil), ev.Points...)
	for i := range s.Points {
		s.Points[i].Bytes = append([]byte(nil), s.Points[i].Bytes...)
	}
	s.Identity = append([]protocols.Identity(nil), ev.Identity...)
	for i := range s.Identity {
		s.Identity[i].Value = append([]byte(nil), s.Identity[i].Value...)
	}
	s.Files = append([]protocols.File(nil), ev.Files...)
	for i := range s.Files {
		s.Files[i].Name = append([]byte(nil), s.Files[i].Name...)
	}
	s.Violations = append([]protocols.Violation(nil), ev.Violations...)
	for _, v := range s.Violations {
		s.kinds = append(s.kinds, v.Kind.Name)
	}
	r.events = append(r.events, s)
}

// only returns the one event there is to be.
func (r *recorder) only(t testing.TB) *seen {
	t.Helper()
	if len(r.events) != 1 {
		t.Fatalf("%d events, want one", len(r.events))
	}
	return &r.events[0]
}

// TestRequestOfARealMasterIsDecoded decodes octets that a master of another
// maker sent.
func TestRequestOfARealMasterIsDecoded(t *testing.T) {
	var r recorder
	d := NewDecoder(conversation, r.emit, nil)
	d.Stream(0, protocols.Stamp{Time: 5, Clock: 5, Frame: 7}, unhex(t, "056414c4020003004503 c7c8013c02063c03063c04063c010642ac"))
	ev := r.only(t)
	if ev.Function != FunctionRead || ev.Name != "READ" || ev.Role != protocols.RoleRequest || ev.Effect != protocols.Read || !ev.FromClient {
		t.Errorf("function %d %s, role %s, effect %s, from client %t", ev.Function, ev.Name, ev.Role, ev.Effect, ev.FromClient)
	}
	if ev.Source != 3 || ev.Destination != 2 || ev.Sequence != 8 || ev.Frame != 7 || ev.Time != 5 {
		t.Errorf("source %d, destination %d, sequence %d, frame %d, time %d", ev.Source, ev.Destination, ev.Sequence, ev.Frame, ev.Time)
	}
	want := []protocols.Range{
		{Kind: protocols.KindClass, Access: protocols.AccessRead, First: 1},
		{Kind: protocols.KindClass, Access: protocols.AccessRead, First: 2},
		{Kind: protocols.KindClass, Access: protocols.AccessRead, First: 3},
		{Kind: protocols.KindClass, Access: protocols.AccessRead, First: 0},
	}
	if len(ev.Ranges) != len(want) {
		t.Fatalf("ranges %v, want %v", ev.Ranges, want)
	}
	for i := range want {
		if ev.Ranges[i] != want[i] {
			t.Errorf("range %d is %v, want %v", i, ev.Ranges[i], want[i])
		}
	}
	if len(ev.kinds) > 0 {
		t.Errorf("violations %v in a good request", ev.kinds)
	}
	const json = `,"link":{"function":4,"name":"UNCONFIRMED_USER_DATA","dir":true,"prm":true,"fcb":false,"fcv":false},"transport_seq":7,` +
		`"app":{"fir":true,"fin":true,"con":false,"uns":false,"seq":8},"objects":[` +
		`{"group":60,"variation":2,"name":"Class Objects: class 1 data","qualifier":6},` +
		`{"group":60,"variation":3,"name":"Class Objects: class 2 data","qualifier":6},` +
		`{"group":60,"variation":4,"name":"Class Objects: class 3 data","qualifier":6},` +
		`{"group":60,"variation":1,"name":"Class Objects: class 0 data","qualifier":6}]`
	if ev.json != json {
		t.Errorf("json\n%s, want\n%s", ev.json, json)
	}
}
