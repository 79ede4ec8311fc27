package dnp3_test

import (
	"fmt"

	"github.com/weir-ics/weir/protocols"
	"github.com/weir-ics/weir/protocols/dnp3"
)

// A master selects a breaker's output; the decoder sees the command.
func Example() {
	var f dnp3.Fragment
	f.Request(dnp3.Single(3), dnp3.FunctionSelect).
		CROB(9, dnp3.CROB{Code: dnp3.ControlTrip, Count: 1, OnTime: 100})
	link := dnp3.LinkHeader{Dir: true, Prm: true, Function: dnp3.LinkUnconfirmedUserData, Source: 1, Destination: 10}
	var transport uint8
	octets := dnp3.AppendSegments(nil, link, &transport, f.Bytes())

	d := dnp3.NewDecoder(protocols.Conversation{Transport: protocols.TCP, OpeningSeen: true}, func(ev *protocols.Event) {
		fmt.Println(ev.Name, ev.Source, "to", ev.Destination, ev.Effect)
		for _, p := range ev.Points {
			fmt.Println(p.Access, p.Kind, p.Index, "code", p.Value)
		}
	}, nil)
	d.Stream(0, protocols.Stamp{}, octets)
	// Output:
	// SELECT 1 to 10 control
	// select binary-output 9 code 129
}

// An outstation reports analog inputs; Points takes their layout from the
// table of variations.
func ExampleFragment_Points() {
	var f dnp3.Fragment
	f.Response(dnp3.Single(3), dnp3.FunctionResponse, dnp3.IINClass1Events)
	err := f.Points(30, 5, dnp3.QualifierRange8, []protocols.Point{
		{Index: 4, Value: 50.02, Flags: 1},
		{Index: 5, Value: 132.4, Flags: 1},
	})
	fmt.Printf("% X %v\n", f.Bytes(), err)
	// Output: C3 81 02 00 1E 05 00 04 05 01 7B 14 48 42 01 66 66 04 43 <nil>
}
