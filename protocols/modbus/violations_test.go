package modbus

import (
	"slices"
	"strings"
	"testing"

	"github.com/weir-ics/weir/protocols"
)

// mbap makes an application data unit of transaction 1, unit 1.
func mbap(t testing.TB, pdu string) []byte {
	return AppendADU(nil, MBAP, 1, 1, unhexed(t, pdu))
}

// brokenRules has, for each violation that one message or one exchange can
// have, the traffic that has it and nothing else.
var brokenRules = []struct {
	name string
	kind *protocols.ViolationKind
	// request and response are PDUs; the violation is in the last of them.
	request, response  string
	observed, expected int64
}{
	{"a request that is too short", ViolationLength, "03 0000 00", "", 4, 5},
	{"a request that is too long", ViolationLength, "03 0000 0001 00", "", 6, 5},
	{"an exception that is too long", ViolationLength, "03 0000 0001", "83 02 00", 3, 2},
	{"a device identification that ends inside an object", ViolationLength, "2B 0E 01 00", "2B 0E 01 01 00 00 01 00 05 41", 10, 11},
	{"a device identification with octets behind its objects", ViolationLength, "2B 0E 01 00", "2B 0E 01 01 00 00 01 00 01 41 42", 11, 10},
	{"a byte count that promises more than there is", ViolationByteCount, "10 0000 0002 04 0000", "", 4, 2},
	{"a byte count below what follows", ViolationByteCount, "03 0000 0001", "03 02 0001 02", 2, 3},
	{"a byte count that does not fit the quantity", ViolationByteCount, "10 0000 0002 02 0000", "", 2, 4},
	{"an odd byte count of registers", ViolationByteCount, "", "03 03 000102", 3, 2},
	{"no coils in an answer", ViolationByteCount, "", "01 00", 0, 250},
	{"no coil asked for", ViolationQuantity, "01 0000 0000", "", 0, 1},
	{"more coils than allowed", ViolationQuantity, "01 0000 07D1", "", 2001, 2000},
	{"more registers than allowed", ViolationQuantity, "03 0000 007E", "", 126, 125},
	{"addresses past the last", ViolationAddressRange, "03 FFFF 0002", "", 65536, 65535},
	{"written addresses past the last", ViolationAddressRange, "17 0000 0001 FFFF 0002 04 00000000", "", 65536, 65535},
	{"a coil value between on and off", ViolationCoilValue, "05 0000 0001", "", 1, 0xFF00},
	{"bits behind the last coil written", ViolationPadding, "0F 0000 0003 01 0F", "", 1, 0},
	{"bits behind the last coil read", ViolationPadding, "01 0000 0003", "01 01 0F", 1, 0},
	{"function 0", ViolationFunction, "00", "", 0, -1},
	{"a function that nobody has", ViolationFunction, "3F 01", "", 63, -1},
	{"an exception from the client", ViolationFunction, "83 02", "", 0x83, 3},
	{"a reserved diagnostics sub-function", ViolationSubFunction, "08 0005 0000", "", 5, -1},
	{"an undefined MEI type", ViolationSubFunction, "2B 01 00", "", 1, -1},
	{"diagnostics data that is not zero", ViolationField, "08 0002 0001", "", 1, 0},
	{"a restart option that is neither on nor off", ViolationField, "08 0001 1234", "", 0x1234, 0xFF00},
	{"an undefined kind of identification", ViolationField, "2B 0E 05 00", "", 5, 1},
	{"an undefined conformity level", ViolationField, "2B 0E 01 00", "2B 0E 01 04 00 00 00", 4, 1},
	{"more-follows that is neither yes nor no", ViolationField, "2B 0E 01 00", "2B 0E 01 01 01 00 00", 1, 0xFF},
	{"a status that is neither ready nor busy", ViolationField, "0B", "0B 0001 0000", 1, 0xFFFF},
	{"a reference type other than 6", ViolationFileReference, "14 07 05 0001 0001 0001", "", 5, 6},
	{"a record past the last", ViolationFileReference, "14 07 06 0001 2710 0001", "", 10000, 9999},
	{"a FIFO count that does not fit the byte count", ViolationFIFOCount, "18 0000", "18 0004 0002 0001", 2, 1},
	{"an undefined exception code", ViolationExceptionCode, "03 0000 0001", "83 09", 9, -1},
	{"an answer of another function", ViolationFunctionMismatch, "03 0000 0001", "04 02 0001", 4, 3},
	{"an answer of another sub-function", ViolationFunctionMismatch, "08 000B 0000", "08 000C 0001", 12, 11},
	{"a confirmation of another address", ViolationAddressMismatch, "06 0001 0007", "06 0002 0007", 2, 1},
	{"a confirmation of other written addresses", ViolationAddressMismatch, "10 0001 0001 02 0007", "10 0002 0001", 2, 1},
	{"fewer registers than asked for", ViolationQuantityMismatch, "03 0000 0002", "03 02 0007", 1, 2},
	{"more coils than asked for", ViolationQuantityMismatch, "01 0000 0008", "01 02 0000", 16, 8},
	{"a confirmation of another quantity", ViolationQuantityMismatch, "10 0001 0002 04 00070007", "10 0001 0001", 1, 2},
	{"fewer file records than asked for", ViolationQuantityMismatch, "14 07 06 0001 0001 0001", "14 00", 0, 1},
	{"a confirmation of another value", ViolationValueMismatch, "06 0001 0007", "06 0001 0008", 8, 7},
	{"another echo than was sent", ViolationValueMismatch, "08 0000 A537", "08 0000 A536", 0, 0},
	{"an answer that nobody asked for", ViolationUnsolicited, "", "03 02 0007", 1, -1},
	{"an exception that nobody asked for", ViolationExceptionFromNowhere, "", "83 02", 2, -1},
}

func TestEachBrokenRuleIsFoundAndNothingElse(t *testing.T) {
	for _, x := range brokenRules {
		t.Run(x.name, func(t *testing.T) {
			var r recorder
			d := NewDecoder(conversation(), r.emit)
			if x.request != "" {
				d.Stream(toServer, stamp(1), mbap(t, x.request))
			}
			unasked := x.kind == ViolationUnsolicited || x.kind == ViolationExceptionFromNowhere
			if x.response != "" {
				if x.request == "" && !unasked {
					// Only what is in the message is looked at.
					d.blind(stamp(1))
				}
				d.Stream(toClient, stamp(2), mbap(t, x.response))
			}
			got := r.last(t).Event.Violations
			if len(got) != 1 || got[0].Kind != x.kind || got[0].Observed != x.observed || got[0].Expected != x.expected {
				for _, v := range got {
					t.Logf("%s observed %d expected %d", v.Kind.Name, v.Observed, v.Expected)
				}
				t.Errorf("want only %s observed %d expected %d", x.kind.Name, x.observed, x.expected)
			}
			for _, e := range r.events[:len(r.events)-1] {
				if len(e.Violations) > 0 {
					t.Errorf("the request already had %v", e.Violations)
				}
			}
		})
	}
}

func TestEveryViolationIsDescribedAndNamedOnce(t *testing.T) {
	names := map[string]bool{}
	for _, k := range Violations() {
		if !strings.HasPrefix(k.Name, "modbus.") || names[k.Name] {
			t.Errorf("name %q", k.Name)
		}
		names[k.Name] = true
		if k.Clause == "" || len(k.Meaning) < 20 || !strings.HasSuffix(k.Meaning, ".") {
			t.Errorf("%s: clause %q, meaning %q", k.Name, k.Clause, k.Meaning)
		}
	}
	raised := map[*protocols.ViolationKind]bool{}
	for _, x := range brokenRules {
		raised[x.kind] = true
	}
	// These need more than one exchange or another framing: see the tests of
	// transactions, streams and serial framings.
	elsewhere := []*protocols.ViolationKind{ViolationProtocolID, ViolationSize, ViolationSkipped, ViolationCRC, ViolationLRC,
		ViolationASCII, ViolationUnit, ViolationBroadcastRead, ViolationUnanswered, ViolationAnsweredLate, ViolationAnsweredTwice,
		ViolationRetried, ViolationDuplicate, ViolationTransactionReused, ViolationUnitMismatch}
	for _, k := range Violations() {
		if raised[k] == slices.Contains(elsewhere, k) {
			t.Errorf("%s has no test, or stands in both lists", k.Name)
		}
	}
}

// story is what happens on a connection, a step after the other.
type story struct {
	t *testing.T
	d *Decoder
	r recorder
	n int
}

func newStory(t *testing.T, f Framing) *story {
	s := &story{t: t}
	s.d = Config{Framing: f}.NewDecoder(conversation(), s.r.emit)
	return s
}

// ask and answer send a PDU; a step takes a millisecond.
func (s *story) ask(transaction uint16, unit uint8, pdu string) *story {
	return s.send(toServer, transaction, unit, pdu)
}

func (s *story) answer(transaction uint16, unit uint8, pdu string) *story {
	return s.send(toClient, transaction, unit, pdu)
}

func (s *story) send(dir protocols.Direction, transaction uint16, unit uint8, pdu string) *story {
	s.n++
	s.d.Stream(dir, stamp(s.n), AppendADU(nil, s.d.framing, transaction, unit, unhexed(s.t, pdu)))
	return s
}

// seconds lets time pass without a packet.
func (s *story) seconds(n int) *story {
	s.n += 1000 * n
	s.d.Advance(stamp(s.n).Clock)
	return s
}

// raw sends bytes as they are.
func (s *story) raw(dir protocols.Direction, data []byte) *story {
	s.n++
	s.d.Stream(dir, stamp(s.n), data)
	return s
}

// want checks role and violations of everything that was seen.
func (s *story) want(lines ...string) *story {
	s.t.Helper()
	var got []string
	for _, e := range s.r.events {
		got = append(got, strings.TrimSpace(e.Event.Role.String()+" "+strings.Join(e.Violations, " ")))
	}
	if !slices.Equal(got, lines) {
		s.t.Errorf("\n got %q\nwant %q", got, lines)
	}
	return s
}

func (s *story) count(c Counter, want uint64) *story {
	s.t.Helper()
	if got := s.d.Stats().Get(c); got != want {
		s.t.Errorf("%v is %d, want %d", c, got, want)
	}
	return s
}
