package modbus

import (
	"bytes"
	"strings"
	"testing"

	"github.com/weir-ics/weir/protocols"
)

// examples are the worked examples of AP 6, as the specification prints them
// (but for the length of a product code that it counts wrong in 6.21).
var examples = []struct {
	clause            string
	request, response string
	// asked and said are the fields that weir decode shows.
	asked, said string
	points      []float64
	effect      protocols.Effect
}{
	{"6.1", "01 0013 0013", "01 03 CD6B05", `"address":19,"quantity":19`,
		`"byte_count":3,"address":19,"quantity":19,"values":[1,0,1,1,0,0,1,1,1,1,0,1,0,1,1,0,1,0,1]`,
		[]float64{1, 0, 1, 1, 0, 0, 1, 1, 1, 1, 0, 1, 0, 1, 1, 0, 1, 0, 1}, protocols.Read},
	{"6.2", "02 00C4 0016", "02 03 ACDB35", `"address":196,"quantity":22`,
		`"byte_count":3,"address":196,"quantity":22,"values":[0,0,1,1,0,1,0,1,1,1,0,1,1,0,1,1,1,0,1,0,1,1]`,
		[]float64{0, 0, 1, 1, 0, 1, 0, 1, 1, 1, 0, 1, 1, 0, 1, 1, 1, 0, 1, 0, 1, 1}, protocols.Read},
	{"6.3", "03 006B 0003", "03 06 022B 0000 0064", `"address":107,"quantity":3`,
		`"byte_count":6,"address":107,"quantity":3,"values":[555,0,100]`, []float64{555, 0, 100}, protocols.Read},
	{"6.4", "04 0008 0001", "04 02 000A", `"address":8,"quantity":1`,
		`"byte_count":2,"address":8,"quantity":1,"values":[10]`, []float64{10}, protocols.Read},
	{"6.5", "05 00AC FF00", "05 00AC FF00", `"address":172,"value":65280`, `"address":172,"value":65280`, []float64{1}, protocols.Control},
	{"6.6", "06 0001 0003", "06 0001 0003", `"address":1,"value":3`, `"address":1,"value":3`, []float64{3}, protocols.Write},
	{"6.7", "07", "07 6D", ``, `"status":109`, nil, protocols.Diagnose},
	{"6.8", "08 0000 A537", "08 0000 A537", `"sub_function":0,"data":"a537"`, `"sub_function":0,"data":"a537"`, nil, protocols.Diagnose},
	{"6.9", "0B", "0B FFFF 0108", ``, `"status":65535,"event_count":264`, nil, protocols.Diagnose},
	{"6.10", "0C", "0C 08 0000 0108 0121 20 00", ``,
		`"byte_count":8,"status":0,"event_count":264,"message_count":289,"events":[{"octet":32},{"octet":0,"event":"communication restart"}]`,
		nil, protocols.Diagnose},
	{"6.11", "0F 0013 000A 02 CD01", "0F 0013 000A",
		`"address":19,"quantity":10,"byte_count":2,"values":[1,0,1,1,0,0,1,1,1,0]`, `"address":19,"quantity":10`, nil, protocols.Control},
	{"6.12", "10 0001 0002 04 000A 0102", "10 0001 0002",
		`"address":1,"quantity":2,"byte_count":4,"values":[10,258]`, `"address":1,"quantity":2`, nil, protocols.Write},
	{"6.13", "11", "11 05 41424344 FF", ``, `"byte_count":5,"data":"41424344ff","text":"ABCD"`, nil, protocols.Diagnose},
	{"6.14", "14 0E 06 0004 0001 0002 06 0003 0009 0002", "14 0C 05 06 0DFE 0020 05 06 33CD 0040",
		`"byte_count":14,"records":[{"reference_type":6,"file":4,"record":1,"length":2},{"reference_type":6,"file":3,"record":9,"length":2}]`,
		`"byte_count":12,"records":[{"reference_type":6,"file":4,"record":1,"length":2,"values":[3582,32]},{"reference_type":6,"file":3,"record":9,"length":2,"values":[13261,64]}]`,
		[]float64{3582, 32, 13261, 64}, protocols.FileAccess},
	{"6.15", "15 0D 06 0004 0007 0003 06AF 04BE 100D", "15 0D 06 0004 0007 0003 06AF 04BE 100D",
		`"byte_count":13,"records":[{"reference_type":6,"file":4,"record":7,"length":3,"values":[1711,1214,4109]}]`,
		`"byte_count":13,"records":[{"reference_type":6,"file":4,"record":7,"length":3,"values":[1711,1214,4109]}]`,
		[]float64{1711, 1214, 4109}, protocols.FileAccess},
	{"6.16", "16 0004 00F2 0025", "16 0004 00F2 0025", `"address":4,"and_mask":242,"or_mask":37`, `"address":4,"and_mask":242,"or_mask":37`, nil, protocols.Write},
	{"6.17", "17 0003 0006 000E 0003 06 00FF 00FF 00FF", "17 0C 00FE 0ACD 0001 0003 000D 00FF",
		`"address":3,"quantity":6,"write_address":14,"write_quantity":3,"byte_count":6,"values":[255,255,255]`,
		`"byte_count":12,"address":3,"quantity":6,"values":[254,2765,1,3,13,255]`, []float64{254, 2765, 1, 3, 13, 255}, protocols.Write},
	{"6.18", "18 04DE", "18 0006 0002 01B8 1284", `"address":1246`,
		`"byte_count":6,"fifo_count":2,"address":1246,"quantity":1,"values":[440,4740]`, []float64{440, 4740}, protocols.Read},
	{"6.21", "2B 0E 01 00",
		"2B 0E 01 01 00 00 03 00 16 436F6D70616E79206964656E74696669636174696F6E 01 0E 50726F6475637420636F64652058 02 05 56322E3131",
		`"mei":14,"read_code":1,"object_id":0`,
		`"mei":14,"read_code":1,"conformity":1,"more_follows":0,"next_object":0,"object_count":3,"objects":[{"id":0,"name":"VendorName","value":"Company identification"},{"id":1,"name":"ProductCode","value":"Product code X"},{"id":2,"name":"MajorMinorRevision","value":"V2.11"}]`,
		nil, protocols.Diagnose},
}

func TestExamplesOfTheSpecificationAreDecodedToTheLastField(t *testing.T) {
	for _, x := range examples {
		for _, f := range []Framing{MBAP, RTU, ASCII} {
			t.Run(x.clause+" "+f.String(), func(t *testing.T) {
				request := unhexed(t, x.request)
				response := unhexed(t, x.response)
				ask, answer := exchange(t, f, request, response)
				if got := fieldsOf(ask.Line); got != x.asked {
					t.Errorf("request:\n got %s\nwant %s", got, x.asked)
				}
				if got := fieldsOf(answer.Line); got != x.said {
					t.Errorf("response:\n got %s\nwant %s", got, x.said)
				}
				if len(ask.Violations)+len(answer.Violations) != 0 {
					t.Errorf("violations %v %v in an example of the specification", ask.Violations, answer.Violations)
				}
				if ask.Event.Role != protocols.RoleRequest || answer.Event.Role != protocols.RoleResponse {
					t.Errorf("roles %v and %v", ask.Event.Role, answer.Event.Role)
				}
				if ask.Event.Effect != x.effect || answer.Event.Effect != x.effect {
					t.Errorf("effects %v and %v, want %v", ask.Event.Effect, answer.Event.Effect, x.effect)
				}
				var got []float64
				for _, p := range answer.Event.Points {
					got = append(got, p.Value)
				}
				if len(got) != len(x.points) {
					t.Fatalf("points %v, want %v", got, x.points)
				}
				for i := range got {
					if got[i] != x.points[i] {
						t.Errorf("points %v, want %v", got, x.points)
					}
				}
				if !bytes.Equal(ask.PDU, request) || !bytes.Equal(answer.PDU, response) {
					t.Errorf("encoded again: % X and % X", ask.PDU, answer.PDU)
				}
				if answer.Event.RTT != 2e6 || answer.Event.RequestFrame != 1 {
					t.Errorf("round trip %d ns to frame %d, want 2 ms to frame 1", answer.Event.RTT, answer.Event.RequestFrame)
				}
			})
		}
	}
}

// fieldsOf drops what the framing adds to a line.
func fieldsOf(line string) string {
	_, rest, _ := strings.Cut(line, `"framing":`)
	_, rest, _ = strings.Cut(rest, `,`)
	if after, ok := strings.CutPrefix(rest, `"transaction":7,"length":`); ok {
		_, rest, _ = strings.Cut(after, ",")
	}
	return rest
}
