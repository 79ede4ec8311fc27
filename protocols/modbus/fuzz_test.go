package modbus

import (
	"bytes"
	"encoding/json"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/weir-ics/weir/protocols"
)

// seedStreams gives a fuzz target the specification's examples in a framing.
func seedStreams(f *testing.F, framing Framing) {
	for i, x := range examples {
		request := AppendADU(nil, framing, uint16(i), 1, unhexed(f, x.request))
		response := AppendADU(nil, framing, uint16(i), 1, unhexed(f, x.response))
		f.Add(request, response, uint8(7))
		f.Add(append(bytes.Clone(request), request...), append([]byte("garbage"), response...), uint8(3))
	}
}

// checkStream holds for any bytes in any framing: every octet is in a message,
// skipped or unfinished, never two of these; and if none was skipped, cutting
// the stream elsewhere changes nothing.
func checkStream(t *testing.T, framing Framing, opened bool, request, response []byte, cut uint8) {
	conv := conversation()
	conv.OpeningSeen = opened
	turns := []turn{{0, request}, {1, response}, {0, request}, {1, response}}
	whole, w := decodeTurns(framing, conv, turns, func(n int) int { return n })
	parts, p := decodeTurns(framing, conv, turns, func(n int) int { return min(n, 1+int(cut)) })
	for _, run := range []struct {
		r *recorder
		w *Worker
	}{{whole, w}, {parts, p}} {
		total := run.w.Stats.Get(CountSkippedBytes) + run.w.Stats.Get(CountUnfinishedBytes)
		for _, e := range run.r.events {
			if e.Event.Role != protocols.RoleNotice {
				total += uint64(e.Event.Size)
			}
			for _, r := range e.Event.Ranges {
				if r.Count == 0 || r.Kind == protocols.KindUnknown {
					t.Fatalf("range %v", r)
				}
			}
		}
		if want := uint64(2 * (len(request) + len(response))); total != want {
			t.Fatalf("%d octets, %d accounted for", want, total)
		}
	}
	if framing == MBAP && opened && w.Stats.Get(CountSkippedBytes) == 0 {
		if a, b := whole.summary(), parts.summary(); !slices.Equal(a, b) {
			t.Fatalf("cut every %d octets:\n%s", 1+int(cut), cmp.Diff(a, b))
		}
	}
}

func FuzzMBAPStream(f *testing.F) {
	seedStreams(f, MBAP)
	f.Fuzz(func(t *testing.T, request, response []byte, cut uint8) {
		checkStream(t, MBAP, cut&1 == 0, request, response, cut>>1)
		Probe(request)
	})
}

func FuzzRTUStream(f *testing.F) {
	seedStreams(f, RTU)
	f.Fuzz(func(t *testing.T, request, response []byte, cut uint8) {
		checkStream(t, RTU, cut&1 == 0, request, response, cut>>1)
		ProbeRTU(request)
	})
}

func FuzzASCIIStream(f *testing.F) {
	seedStreams(f, ASCII)
	f.Fuzz(func(t *testing.T, request, response []byte, cut uint8) {
		checkStream(t, ASCII, cut&1 == 0, request, response, cut>>1)
		ProbeASCII(request)
	})
}

// FuzzPDU decodes any PDU both ways: encoding again gives the same octets, and
// the JSON stays JSON.
func FuzzPDU(f *testing.F) {
	for _, x := range examples {
		f.Add(unhexed(f, x.request))
		f.Add(unhexed(f, x.response))
	}
	f.Fuzz(func(t *testing.T, pdu []byte) {
		if len(pdu) == 0 {
			return
		}
		for _, response := range []bool{false, true} {
			var e protocols.Event
			var m Message
			m.parse(pdu, response, &e)
			if again := AppendPDU(nil, &m); !bytes.Equal(again, pdu) {
				t.Fatalf("response %v: % x was encoded again as % x (%+v)", response, pdu, again, m)
			}
			if n := measure(pdu, response); n >= 0 && n != len(pdu) && len(e.Violations) == 0 {
				t.Fatalf("response %v: % x should have %d octets, and nothing was said", response, pdu, n)
			}
			describe(&e, &m)
			fillRequest(&e, &m)
			x := new(transaction)
			x.remember(&m, protocols.Stamp{}, protocols.Digest(pdu))
			fillAsked(&e, x)
			fillResponse(&e, &m, x, x != nil)
			m.pair(x)
			checkJSON(t, m.AppendFields(nil))
		}
	})
}

// FuzzTransactions plays any sequence of requests, responses, gaps and pauses.
// Each step is three octets: what, transaction, function.
func FuzzTransactions(f *testing.F) {
	f.Add([]byte{0, 1, 3, 1, 1, 3, 0, 2, 3, 0, 2, 3, 1, 2, 3, 1, 2, 3, 4, 0, 0, 1, 9, 3}, uint8(0))
	f.Add(bytes.Repeat([]byte{0, 1, 3, 0, 2, 16}, 70), uint8(1))
	f.Fuzz(func(t *testing.T, steps []byte, framing uint8) {
		var r recorder
		w := &Worker{}
		fr := Framing(framing % uint8(numFramings))
		d := Config{Framing: fr, Worker: w}.NewDecoder(conversation(), r.emit)
		clock := int64(1e9)
		asked := uint64(0)
		for i := 0; i+2 < len(steps) && i < 3000; i += 3 {
			at := protocols.Stamp{Time: clock, Clock: clock, Frame: uint64(i + 1)}
			what, id, fn := steps[i], steps[i+1], steps[i+2]
			p := examples[int(fn)%len(examples)]
			switch what % 6 {
			case 0, 1:
				d.Stream(0, at, AppendADU(nil, fr, uint16(id), id&3+1, unhexed(t, p.request)))
				asked++
			case 2, 3:
				d.Stream(1, at, AppendADU(nil, fr, uint16(id), id&3+1, unhexed(t, p.response)))
			case 4:
				clock += int64(id) * 1e8
				if next := d.Advance(clock); next != 0 && next <= clock {
					t.Fatalf("Advance(%d) wants to be called at %d", clock, next)
				}
			case 5:
				d.Gap(protocols.Direction(id&1), at, int(fn))
			}
			checkTracker(t, d)
		}
		d.Close(protocols.Stamp{Time: clock, Clock: clock})
		if fr != MBAP || w.Stats.Get(CountGaps) > 0 {
			return
		}
		// Every request ends in exactly one way: answered in time, unanswered,
		// evicted, or open at the end.
		ended := w.Stats.Get(CountUnanswered) + w.Stats.Get(CountPendingEvicted) + w.Stats.Get(CountPendingClosed)
		for _, e := range r.events {
			if e.Event.Role != protocols.RoleNotice && !e.Event.FromClient && e.Event.RequestFrame != 0 &&
				!slices.Contains(e.Violations, "modbus.answered-late") && !slices.Contains(e.Violations, "modbus.answered-twice") {
				ended++
			}
		}
		if ended != asked {
			t.Fatalf("%d requests, %d endings: %v", asked, ended, r.summary())
		}
	})
}

// checkJSON takes what AppendFields wrote as part of an object.
func checkJSON(t *testing.T, fields []byte) {
	t.Helper()
	if !json.Valid(slices.Concat([]byte(`{"proto":"modbus"`), fields, []byte("}"))) {
		t.Fatalf("no JSON: %s", fields)
	}
}

func checkTracker(t *testing.T, d *Decoder) {
	open := 0
	for i := range d.tracker.n {
		if d.tracker.at(i).state == 0 {
			open++
		}
	}
	if open != d.tracker.open || d.tracker.n > maxTransactions || len(d.tracker.ring) > maxTransactions {
		t.Fatalf("tracker says %d open of %d in %d, %d are", d.tracker.open, d.tracker.n, len(d.tracker.ring), open)
	}
	if (d.next != 0) != (open > 0) {
		t.Fatalf("%d open requests, next time-out at %d", open, d.next)
	}
}
