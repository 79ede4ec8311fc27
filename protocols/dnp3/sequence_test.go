package dnp3

import (
	"slices"
	"testing"

	"github.com/weir-ics/weir/protocols"
)

// After a response of several fragments the next request may go on from its
// last fragment, as stacks in the field do, or from the last request.
func TestTheRequestAfterAResponseOfSeveralFragmentsMayGoOnFromEither(t *testing.T) {
	for next, wrong := range map[uint8]bool{1: false, 3: false, 5: true} {
		var violated []string
		d := NewDecoder(protocols.Conversation{Transport: protocols.TCP, OpeningSeen: true}, func(e *protocols.Event) {
			for _, v := range e.Violations {
				violated = append(violated, v.Kind.Name)
			}
		}, nil)
		var seq [2]uint8
		send := func(from protocols.Direction, at int64, fragment []byte) {
			h := LinkHeader{Dir: from == 0, Prm: true, Function: LinkUnconfirmedUserData, Destination: 10, Source: 1}
			if from == 1 {
				h.Destination, h.Source = 1, 10
			}
			d.Stream(from, protocols.Stamp{Time: at * 1e6, Clock: at * 1e6, Frame: uint64(at)}, AppendSegments(nil, h, &seq[from], fragment))
		}
		send(0, 1, []byte{0xc0, FunctionRead, 60, 1, 6})
		send(1, 2, []byte{0x80, 129, 0, 0})          // first
		send(1, 3, []byte{0x01, 129, 0, 0})          // middle
		send(1, 4, []byte{0x42, 129, 0, 0})          // last, number 2
		send(0, 5, []byte{0xc0 | next, 1, 60, 2, 6}) // the next request
		if got := slices.Contains(violated, "dnp3.request-sequence"); got != wrong {
			t.Errorf("next request with number %d: violations %v", next, violated)
		}
	}
}
