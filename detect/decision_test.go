package detect_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/weir-ics/weir/detect"
	"github.com/weir-ics/weir/protocols"
)

const newcomer = "10.0.0.99"

func ask(client, server string) modbusRequest {
	return modbusRequest{client: client, server: server, unit: 1, function: 17, name: "Report Server ID", effect: protocols.Diagnose}
}

func program(client, server string) modbusRequest {
	return modbusRequest{client: client, server: server, unit: 1, function: 90, name: "UMAS: Initialize Upload", effect: protocols.Program}
}

// approvedScene is a site that has learned and then read a baseline with the
// approval of what do brought about.
func approvedScene(t *testing.T, workers int, kind *detect.Kind, do func(*scene)) *scene {
	t.Helper()
	s := learned(t, 1, nil)
	do(s)
	s.live(10 * time.Second)
	a := only(t, s.alerts, kind)
	b := learned(t, 1, nil).site.Baseline()
	if _, err := b.Decide(detect.Decide(detect.Approve, &a, "ada", "a new historian", 1, 0)); err != nil {
		t.Fatal(err)
	}
	return withBaseline(t, workers, b)
}

// withBaseline watches by a baseline that was written and read.
func withBaseline(t *testing.T, workers int, b *detect.Baseline) *scene {
	t.Helper()
	var file bytes.Buffer
	if err := b.Save(&file); err != nil {
		t.Fatal(err)
	}
	b, err := detect.LoadBaseline(&file)
	if err != nil {
		t.Fatal(err)
	}
	return newScene(t, workers, detect.WatchOnly(), b)
}

func seenOf(alerts []detect.Alert) (kinds []string) {
	for _, a := range alerts {
		kinds = append(kinds, a.Kind.Name+" "+a.Server.Endpoint.IP.String())
	}
	return kinds
}

func TestWhoApprovesAReadingApprovesNoQuestionCommandOrProgram(t *testing.T) {
	for name, first := range map[string]struct {
		kind *detect.Kind
		do   func(*scene)
		from string
	}{
		"of an unknown host": {detect.KindAssetNew, func(s *scene) { s.modbus(read(newcomer, plcA, 0, 10)) }, newcomer},
		"on a new link":      {detect.KindLinkNew, func(s *scene) { s.modbus(read(office, plcA, 0, 10)) }, office},
	} {
		t.Run(name, func(t *testing.T) {
			var lines []byte
			for workers := 1; workers <= 3; workers++ {
				s := approvedScene(t, workers, first.kind, first.do)
				s.live(10 * time.Second)
				for range 5 {
					s.modbus(read(first.from, plcA, 0, 10))
					s.modbus(read(first.from, plcA, 300, 10))
					s.live(time.Second)
				}
				if len(s.alerts) > 0 {
					t.Fatalf("%d alerts about what was approved:\n%s", len(s.alerts), s.lines)
				}
				s.modbus(ask(first.from, plcA))
				s.modbus(operate(first.from, plcA, 1))
				s.modbus(program(first.from, plcA))
				s.live(10 * time.Second)
				got := strings.Join(seenOf(s.finish()), ", ")
				if want := "function.new " + plcA + ", command.new " + plcA + ", program.access " + plcA; got != want {
					t.Errorf("alerts: %s, want %s", got, want)
				}
				for _, a := range s.alerts {
					if a.Kind != detect.KindFunctionNew && a.Severity != protocols.Critical {
						t.Errorf("%s is %s", a.Title, a.Severity)
					}
					if !strings.Contains(a.Expected, "approved is what "+first.from) {
						t.Errorf("it does not say what was approved: %s", a.Expected)
					}
				}
				if workers == 1 {
					lines = s.lines
				} else if !bytes.Equal(lines, s.lines) {
					t.Errorf("%d workers alert of other things than one", workers)
				}
			}
		})
	}
}

func TestALinkThatWasApprovedLearnsOnlyWhatWasApproved(t *testing.T) {
	s := approvedScene(t, 1, detect.KindLinkNew, func(s *scene) { s.modbus(read(office, plcA, 0, 10)) })
	for range 400 {
		s.modbus(read(office, plcA, 0, 10))
		s.modbus(operate(office, plcA, 1))
		s.live(10 * time.Second)
	}
	s.finish()
	for _, l := range s.site.Baseline().Links {
		if l.Client.String() != office {
			continue
		}
		if len(l.Functions) != 1 || l.Functions[0].Function != 3 {
			t.Errorf("the link learned %+v", l.Functions)
		}
		return
	}
	t.Error("the link was not learned")
}

func TestWhoApprovesACommandApprovesItBetweenTheseTwoOnly(t *testing.T) {
	s := approvedScene(t, 1, detect.KindAssetNew, func(s *scene) { s.modbus(operate(newcomer, plcA, 1)) })
	s.live(10 * time.Second)
	s.modbus(operate(newcomer, plcA, 1))
	s.modbus(operate(newcomer, plcA, 2))
	s.modbus(read(newcomer, plcA, 0, 10))
	s.modbus(read(newcomer, plcB, 0, 10))
	s.live(10 * time.Second)
	if len(s.alerts) > 0 {
		t.Fatalf("%d alerts about what was approved:\n%s", len(s.alerts), s.lines)
	}
	s.modbus(operate(newcomer, plcB, 1))
	s.modbus(program(newcomer, plcA))
	s.live(10 * time.Second)
	got := strings.Join(seenOf(s.finish()), ", ")
	if want := "command.new " + plcB + ", program.access " + plcA; got != want {
		t.Errorf("alerts: %s, want %s", got, want)
	}
}

func TestWhoApprovesACommandDoesNotApproveThatItIsBroadcast(t *testing.T) {
	s := approvedScene(t, 1, detect.KindLinkNew, func(s *scene) { s.modbus(operate(office, plcA, 1)) })
	s.live(10 * time.Second)
	all := operate(office, plcA, 1)
	all.broadcast = true
	s.modbus(all)
	s.live(10 * time.Second)
	only(t, s.finish(), detect.KindBroadcast)
}

func TestAnApprovedConnectionIsNotAnotherPortNorAReading(t *testing.T) {
	a := detect.Alert{Finding: detect.Finding{Kind: detect.KindConnectionNew, Key: office + ">" + plcA + ":80", Function: -1}}
	b := learned(t, 1, nil).site.Baseline()
	if _, err := b.Decide(detect.Decide(detect.Approve, &a, "ada", "its web page", 1, 0)); err != nil {
		t.Fatal(err)
	}
	s := withBaseline(t, 1, b)
	for _, port := range []uint16{80, 22} {
		s.network(protocols.ConnectionTried, end(office, 40000), end(plcA, port), true, 0)
	}
	s.live(time.Minute)
	s.modbus(read(office, plcA, 0, 10))
	s.live(10 * time.Second)
	got := s.finish()
	if len(got) != 2 || got[0].Kind != detect.KindConnectionNew || got[0].Server.Endpoint.Port != 22 || got[1].Kind != detect.KindLinkNew {
		t.Errorf("alerts:\n%s", s.lines)
	}
}

func TestWhatHappenedIsApprovedForATimeAndExactly(t *testing.T) {
	b := learned(t, 1, nil).site.Baseline()
	for _, k := range []*detect.Kind{detect.KindScanHost, detect.KindFloodHosts, detect.KindStorm, detect.KindDeviceRestarted, detect.KindTakeover,
		{Name: "value.range"}, {Name: "rule.umas-program-download"}} {
		a := detect.Alert{Finding: detect.Finding{Kind: k, Key: newcomer}}
		if _, err := b.Decide(detect.Decide(detect.Approve, &a, "ada", "a test", 1, 0)); err == nil {
			t.Errorf("%s was approved for ever", k.Name)
		}
		if _, err := b.Decide(detect.Decide(detect.Mute, &a, "ada", "a test", 1, 0)); err != nil {
			t.Error(err)
		}
	}
	b = learned(t, 1, nil).site.Baseline()
	a := detect.Alert{Finding: detect.Finding{Kind: detect.KindScanHost, Key: newcomer}}
	d := detect.Decide(detect.Approve, &a, "ada", "a penetration test", 1, 1<<62)
	if _, err := b.Decide(d); err != nil {
		t.Fatal(err)
	}
	if d.Covers() != "exactly this alert" {
		t.Errorf("it covers %s", d.Covers())
	}
	s := withBaseline(t, 1, b)
	s.modbus(operate(newcomer, plcA, 1))
	s.live(10 * time.Second)
	only(t, s.finish(), detect.KindAssetNew)
}

func TestToApproveAgainReplacesWhatWasDecided(t *testing.T) {
	s := learned(t, 1, nil)
	s.modbus(read(newcomer, plcA, 0, 10))
	s.live(10 * time.Second)
	a := only(t, s.alerts, detect.KindAssetNew)
	b := s.site.Baseline()
	for at, want := range []int{0, 1, 1} {
		replaced, err := b.Decide(detect.Decide(detect.Approve, &a, "ada", "again", int64(at+1), s.clock+int64(time.Hour)))
		if err != nil || replaced != want {
			t.Fatalf("decision %d replaced %d, %v", at, replaced, err)
		}
	}
	if n := len(b.Decisions); n != 3 || b.Decisions[0].Replaced != 2 || b.Decisions[1].Replaced != 3 || b.Decisions[2].Replaced != 0 {
		t.Errorf("the history is not kept: %+v", b.Decisions)
	}
	// A later decision about the same alert that does not go as far takes nothing back.
	a.Severity = protocols.Critical
	b.Decisions[2].Effect = "command"
	if replaced, _ := b.Decide(detect.Decide(detect.Approve, &a, "ada", "a reading", 9, 0)); replaced != 0 {
		t.Error("a reading replaced a command")
	}
	// What was replaced does nothing.
	for i := range b.Decisions {
		b.Decisions[i].Replaced = 5
	}
	w := withBaseline(t, 1, b)
	w.modbus(read(newcomer, plcA, 0, 10))
	w.live(10 * time.Second)
	only(t, w.finish(), detect.KindAssetNew)
}

func TestADecisionOfBeforeHoldsAsFarAsItsFunctionGoes(t *testing.T) {
	link := newcomer + ">" + plcA + "/modbus/1"
	for name, c := range map[string]struct {
		decision detect.Decision
		want     string
	}{
		"a reading, which was taken for a change": {detect.Decision{Kind: "function.new", Key: link + "/function 4.-1", Changes: true}, "command.new, program.access"},
		"a command":                   {detect.Decision{Kind: "function.new", Key: link + "/function 6.-1", Changes: true}, "program.access"},
		"a program":                   {detect.Decision{Kind: "program.access", Key: link + "/function 90.48", Changes: true}, "command.new"},
		"a host that reads":           {detect.Decision{Kind: "asset.new", Key: newcomer}, "command.new, program.access"},
		"a scan covers only the scan": {detect.Decision{Kind: "scan.host", Key: newcomer, Changes: true}, "asset.new, command.new, program.access"},
	} {
		t.Run(name, func(t *testing.T) {
			b := learned(t, 1, nil).site.Baseline()
			c.decision.Action, c.decision.By = detect.Approve, "ada"
			b.Decisions = []detect.Decision{c.decision}
			s := withBaseline(t, 1, b)
			s.modbus(read(newcomer, plcA, 0, 10))
			s.modbus(operate(newcomer, plcA, 1))
			s.modbus(program(newcomer, plcA))
			s.live(10 * time.Second)
			var kinds []string
			for _, a := range s.finish() {
				kinds = append(kinds, a.Kind.Name)
			}
			if got := strings.Join(kinds, ", "); got != c.want {
				t.Errorf("alerts: %s, want %s", got, c.want)
			}
		})
	}
}

func TestALinkIsToldOnceWithWhatWasApprovedAndWhatWasNot(t *testing.T) {
	s := approvedScene(t, 1, detect.KindLinkNew, func(s *scene) { s.modbus(read(office, plcA, 0, 10)) })
	var last detect.Link
	s.sink = func(out *detect.Output) {
		n := 0
		for _, l := range out.Links {
			if l.Client.String() == office {
				n++
				last = l
			}
		}
		if n > 1 {
			t.Errorf("a step tells %d links between the two hosts", n)
		}
	}
	for range 5 {
		s.modbus(read(office, plcA, 0, 10))
		s.modbus(operate(office, plcA, 1))
		s.live(time.Minute)
	}
	if len(last.Functions) != 2 || last.Messages < 12 || !last.Known {
		t.Errorf("the link was told as %+v", last)
	}
}

func TestMergedBaselinesHoldADecisionOnce(t *testing.T) {
	b := learned(t, 1, nil).site.Baseline()
	a := detect.Alert{Finding: detect.Finding{Kind: detect.KindLinkNew, Key: office + ">" + plcA + "/modbus/1"}}
	if _, err := b.Decide(detect.Decide(detect.Approve, &a, "ada", "", 1, 0)); err != nil {
		t.Fatal(err)
	}
	m, err := detect.Merge(b, b, nil)
	if err != nil || len(m.Decisions) != 1 {
		t.Errorf("%d decisions, %v", len(m.Decisions), err)
	}
}

func TestAnAnswerToAProgramThatWasNotSeenIsNotAReading(t *testing.T) {
	s := approvedScene(t, 1, detect.KindLinkNew, func(s *scene) { s.dnp3(dnp3Request(office, 1, "READ", protocols.Read, classes()...)) })
	s.live(10 * time.Second)
	s.dnp3(dnp3Message{client: office, server: station, function: 129, name: "RESPONSE", effect: protocols.Read, role: protocols.RoleResponse})
	s.live(10 * time.Second)
	if len(s.alerts) > 0 {
		t.Fatalf("an answer to a reading is alerted:\n%s", s.lines)
	}
	s.dnp3(dnp3Message{client: office, server: station, function: 129, name: "RESPONSE", effect: protocols.Program, role: protocols.RoleResponse})
	s.live(10 * time.Second)
	only(t, s.finish(), detect.KindProgramAccess)
}
