package modbus

import (
	"slices"
	"testing"

	"github.com/weir-ics/weir/protocols"
)

const (
	readTwo = "03 0010 0002"
	two     = "03 04 00010002"
)

func TestAnUnansweredRequestIsToldWhenItsTimeIsUp(t *testing.T) {
	s := newStory(t, MBAP).ask(1, 1, readTwo)
	if next := s.d.Advance(0); next != stamp(1).Clock+int64(DefaultTimeout) {
		t.Errorf("the decoder wants to be called at %d", next)
	}
	s.seconds(9).want("request")
	s.seconds(2).want("request", "notice modbus.unanswered").count(CountUnanswered, 1)
	e := s.r.last(t).Event
	if e.RequestFrame != 1 || e.Function != 3 || e.Time != stamp(1).Time+int64(DefaultTimeout) || !e.FromClient {
		t.Errorf("notice %+v", e)
	}
	if want := (protocols.Range{Kind: protocols.KindHoldingRegister, Access: protocols.AccessRead, First: 16, Count: 2}); !slices.Equal(e.Ranges, []protocols.Range{want}) {
		t.Errorf("ranges %v", e.Ranges)
	}
	s.answer(1, 1, two).want("request", "notice modbus.unanswered", "response modbus.answered-late")
	if e := s.r.last(t).Event; len(e.Points) != 2 || e.RTT <= int64(DefaultTimeout) {
		t.Errorf("the late answer has %d points after %d ns", len(e.Points), e.RTT)
	}
}

func TestANoticeHasTheTimeThatItWasDueHoweverLateTheWatermarkPasses(t *testing.T) {
	early, late := newStory(t, MBAP).ask(1, 1, readTwo).seconds(11), newStory(t, MBAP).ask(1, 1, readTwo).seconds(500)
	a, b := early.r.last(t), late.r.last(t)
	if a.Event.Time != b.Event.Time || a.Event.Clock != b.Event.Clock {
		t.Errorf("told at %d and at %d", a.Event.Time, b.Event.Time)
	}
}

func TestAnAnswerMayComeBeforeTheWatermarkIsAdvanced(t *testing.T) {
	s := newStory(t, MBAP).ask(1, 1, readTwo)
	s.n += 20_000
	s.answer(1, 1, two).want("request", "notice modbus.unanswered", "response modbus.answered-late")
}

func TestASecondAnswerIsSomebodyElses(t *testing.T) {
	newStory(t, MBAP).ask(1, 1, readTwo).answer(1, 1, two).answer(1, 1, two).
		want("request", "response", "response modbus.answered-twice")
}

func TestARequestSentAgainIsARetryOrADuplicate(t *testing.T) {
	newStory(t, MBAP).ask(1, 1, readTwo).ask(2, 1, readTwo).want("request", "request modbus.retried")
	newStory(t, MBAP).ask(1, 1, readTwo).ask(1, 1, readTwo).want("request", "request modbus.duplicate-request")
	newStory(t, MBAP).ask(1, 1, readTwo).ask(1, 1, "03 0020 0001").want("request", "request modbus.transaction-reused")
	newStory(t, MBAP).ask(1, 1, readTwo).answer(1, 1, two).ask(1, 1, readTwo).want("request", "response", "request")
	newStory(t, RTU).ask(0, 1, readTwo).ask(0, 1, readTwo).answer(0, 1, two).seconds(20).
		want("request", "request modbus.retried", "response")
}

func TestAnAnswerOfAnotherUnitIsToldApart(t *testing.T) {
	newStory(t, MBAP).ask(1, 1, readTwo).answer(1, 2, two).want("request", "response modbus.unit-mismatch")
	newStory(t, RTU).ask(0, 1, readTwo).answer(0, 2, two).want("request", "response modbus.unsolicited-response")
}

func TestPipelinedRequestsAreAnsweredInAnyOrder(t *testing.T) {
	s := newStory(t, MBAP)
	for i := range uint16(16) {
		s.d.Stream(toServer, stamp(int(i)), AppendADU(nil, MBAP, i, 1, AppendRead(nil, 3, 100*i, 1)))
	}
	for i := uint16(16); i > 0; i-- {
		s.d.Stream(toClient, stamp(100), AppendADU(nil, MBAP, i-1, 1, AppendRegisters(nil, 3, []uint16{i - 1})))
		e := s.r.last(t).Event
		if len(e.Violations) > 0 || len(e.Points) != 1 || e.Points[0].Index != uint32(100*(i-1)) || e.RequestFrame != uint64(i-1) {
			t.Fatalf("answer to %d: %v, points %v, request %d", i-1, e.Violations, e.Points, e.RequestFrame)
		}
	}
}

func TestAClientThatNeverChangesItsTransactionIsAnsweredInOrder(t *testing.T) {
	s := newStory(t, MBAP).ask(0, 1, "03 0001 0001").ask(0, 1, "03 0002 0001").
		answer(0, 1, "03 02 0101").answer(0, 1, "03 02 0202")
	s.want("request", "request modbus.transaction-reused", "response", "response")
	for i, e := range s.r.events[2:] {
		if e.Event.Points[0].Index != uint32(i+1) {
			t.Errorf("answer %d has address %d", i, e.Event.Points[0].Index)
		}
	}
}

func TestAFloodOfRequestsIsBoundedAndCounted(t *testing.T) {
	s := newStory(t, MBAP)
	for i := range uint16(1000) {
		s.d.Stream(toServer, stamp(int(i)), AppendADU(nil, MBAP, i, 1, AppendRead(nil, 3, i, 1)))
	}
	if len(s.d.tracker.ring) != maxTransactions {
		t.Errorf("%d requests are remembered", len(s.d.tracker.ring))
	}
	s.count(CountPendingEvicted, 1000-maxTransactions)
	s.answer(999, 1, "03 02 0000")
	if e := s.r.last(t); len(e.Violations) > 0 || e.Event.RequestFrame != 999 {
		t.Errorf("the newest is answered with %v", e.Violations)
	}
}

func TestExceptionsCarryWhatWasAskedFor(t *testing.T) {
	s := newStory(t, MBAP).ask(1, 1, "03 0010 0002").answer(1, 1, "83 02").want("request", "exception").count(CountExceptions, 1)
	e := s.r.last(t).Event
	if e.Exception != 2 || e.Function != 3 || e.RTT != 1e6 || len(e.Ranges) != 1 || e.Ranges[0].First != 16 {
		t.Errorf("%+v", e)
	}
	if line := s.r.last(t).Line; line != `"framing":"mbap","transaction":1,"length":3,"exception":2,"exception_name":"illegal data address","address":16,"quantity":2` {
		t.Error(line)
	}
}

func TestForceListenOnlyModeExpectsNoAnswer(t *testing.T) {
	newStory(t, MBAP).ask(1, 1, "08 0004 0000").seconds(60).want("request")
	newStory(t, MBAP).ask(1, 1, "08 0004 0000").answer(1, 1, "88 0B").want("request", "exception")
}

func TestAGapForgivesWhatItMayHaveHidden(t *testing.T) {
	// The answer is lost: not unanswered.
	s := newStory(t, MBAP).ask(1, 1, readTwo)
	s.d.Gap(toClient, stamp(2), 13)
	s.seconds(60).want("request").count(CountPendingLost, 1).count(CountGaps, 1)
	// The request is lost: not unsolicited, until its time is over.
	s = newStory(t, MBAP)
	s.d.Gap(toServer, stamp(1), 12)
	s.answer(1, 1, two).want("response")
	if len(s.r.last(t).Event.Points) != 0 {
		t.Error("values without a request have addresses")
	}
	s.seconds(60).answer(2, 1, two).want("response", "response modbus.unsolicited-response")
}

func TestClosingCountsWhatIsOpen(t *testing.T) {
	s := newStory(t, MBAP).ask(1, 1, readTwo).raw(toClient, []byte{0, 1, 0, 0, 0})
	s.d.Close(stamp(9))
	s.want("request").count(CountPendingClosed, 1).count(CountUnfinishedBytes, 5)
}

func TestADecoderCanBeUsedAgain(t *testing.T) {
	s := newStory(t, MBAP).ask(1, 1, readTwo).raw(toClient, []byte{0, 1, 0, 0, 0})
	s.d.Close(stamp(9))
	s.d.Reset(conversation())
	s.r.events = nil
	s.ask(5, 1, readTwo).answer(5, 1, two).answer(1, 1, two).
		want("request", "response", "response modbus.unsolicited-response")
}

func TestUMASResponsesGetTheFunctionOfTheirRequest(t *testing.T) {
	s := newStory(t, MBAP).ask(1, 0, "5A 00 41 FF00").answer(1, 0, "5A 00 FE").want("request", "response")
	for _, e := range s.r.events {
		if e.Event.Name != "UMAS: Stop PLC" || e.Event.Sub != 0x41 || e.Event.Effect != protocols.Program {
			t.Errorf("%v is %q, sub-function %d, %v", e.Event.Role, e.Event.Name, e.Event.Sub, e.Event.Effect)
		}
	}
}

func TestTheFunctionInsideASignedUMASMessageCounts(t *testing.T) {
	signature := " 01" + " 00112233445566778899AABBCCDDEEFF00112233445566778899AABBCCDDEEFF"
	s := newStory(t, MBAP).ask(1, 0, "5A 01 38"+signature+" 5A 01 40 FF00").answer(1, 0, "5A 01 FE 00")
	for _, e := range s.r.events {
		if e.Event.Name != "UMAS: Start PLC" || e.Event.Sub != 0x40 {
			t.Errorf("%v is %q, sub-function %d", e.Event.Role, e.Event.Name, e.Event.Sub)
		}
	}
}

func TestDevicesAreIdentified(t *testing.T) {
	for _, x := range []struct {
		name, request, response string
		want                    map[protocols.IdentityKey]string
	}{
		{"device identification", "2B 0E 01 00", "2B 0E 01 01 00 00 03 00 03 414243 01 02 5831 02 04 56322E30",
			map[protocols.IdentityKey]string{protocols.IdentityVendor: "ABC", protocols.IdentityProduct: "X1", protocols.IdentityVersion: "V2.0"}},
		{"server id", "11", "11 08 01 FF 504C432D3432",
			map[protocols.IdentityKey]string{protocols.IdentityProduct: "PLC-42"}},
		{"UMAS", "5A 00 02", "5A 00 FE 06 11 2233445566778899AABBCCDDEEFF00112233445566 0C 424D582050333420323032 30",
			map[protocols.IdentityKey]string{protocols.IdentityVendor: "Schneider Electric", protocols.IdentityProduct: "BMX P34 2020"}},
	} {
		t.Run(x.name, func(t *testing.T) {
			s := newStory(t, MBAP).ask(1, 1, x.request).answer(1, 1, x.response).want("request", "response")
			got := map[protocols.IdentityKey]string{}
			for _, id := range s.r.last(t).Event.Identity {
				got[id.Key] = string(id.Value)
			}
			if len(got) != len(x.want) {
				t.Errorf("got %v", got)
			}
			for k, v := range x.want {
				if got[k] != v {
					t.Errorf("%v is %q, want %q", k, got[k], v)
				}
			}
		})
	}
}
