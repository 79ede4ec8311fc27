package detect_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/weir-ics/weir/detect"
	"github.com/weir-ics/weir/protocols"
)

func only(t *testing.T, alerts []detect.Alert, kind *detect.Kind) detect.Alert {
	t.Helper()
	var found []detect.Alert
	for _, a := range alerts {
		if a.Kind == kind {
			found = append(found, a)
		}
	}
	if len(found) != 1 {
		t.Fatalf("%d alerts of kind %s, want 1", len(found), kind.Name)
	}
	return found[0]
}

func TestAThingThatRepeatsIsOneAlertThatCounts(t *testing.T) {
	s := learned(t, 1, nil)
	for i := 0; i < 50; i++ {
		s.modbus(operate(plcB, plcA, 1))
		s.live(time.Minute)
	}
	a := only(t, s.finish(), detect.KindRoleNew)
	if a.Count != 50 {
		t.Errorf("count = %d, want 50", a.Count)
	}
	lines := 0
	for _, x := range s.alerts {
		if x.ID == a.ID {
			lines++
		}
	}
	if lines > 8 {
		t.Errorf("50 repeats were told %d times, want one each doubling and the last", lines)
	}
}

func TestAnAlertIsClearedAfterAWeekOfQuietAndComesBackUnderAnotherID(t *testing.T) {
	s := learned(t, 1, nil)
	s.modbus(operate(plcB, plcA, 1))
	s.clock += int64(s.settings.ClearAfter + time.Hour)
	s.modbus(operate(plcB, plcA, 1))
	var ids []string
	var states []string
	s.finish()
	for _, a := range s.alerts {
		if a.Kind == detect.KindRoleNew {
			ids = append(ids, a.ID)
			states = append(states, a.State.String())
		}
	}
	if diff := cmp.Diff([]string{"raised", "cleared", "raised"}, states); diff != "" {
		t.Fatal(diff)
	}
	if ids[0] != ids[1] || ids[1] == ids[2] {
		t.Errorf("ids %v: want the same for one episode and another for the next", ids)
	}
}

func TestAStoppedPollIsClearedWhenItComesAgain(t *testing.T) {
	s := learned(t, 1, nil)
	s.quiet[plcB] = true
	s.live(time.Minute)
	s.quiet[plcB] = false
	s.live(s.settings.ClearHold + time.Minute)
	a := only(t, s.finish(), detect.KindPollStopped)
	if a.State != detect.Cleared || a.Server.Endpoint.IP.String() != plcB {
		t.Errorf("state %s of %s, want cleared of %s", a.State, a.Server.Endpoint.IP, plcB)
	}
}

func TestAPollThatComesAndGoesIsOneAlert(t *testing.T) {
	s := learned(t, 1, nil)
	for i := 0; i < 20; i++ {
		s.quiet[plcB] = true
		s.live(10 * time.Second)
		s.quiet[plcB] = false
		s.live(5 * time.Second)
	}
	if a := only(t, s.finish(), detect.KindPollStopped); a.Count < 20 {
		t.Errorf("count = %d, want at least 20", a.Count)
	}
}

func TestAMasterThatDiesIsOneAlertMoreThanAFewAndIsClearedWhenItIsBack(t *testing.T) {
	s := learned(t, 2, nil)
	for _, d := range []string{plcA, plcB, plcC, station} {
		s.quiet[d] = true
	}
	s.live(5 * time.Minute)
	s.clock += int64(time.Second)
	clear(s.quiet)
	s.live(10 * time.Minute)
	alerts := s.finish()
	var all *detect.Alert
	for i := range alerts {
		a := &alerts[i]
		if a.Kind != detect.KindPollStopped || a.State != detect.Cleared {
			t.Errorf("%s", a.Text())
		}
		if a.Key == master {
			all = a
		}
	}
	if all == nil || all.Severity != protocols.High || len(alerts) > 4 {
		t.Errorf("%d alerts, none of them about the master itself:\n%s", len(alerts), s.lines)
	}
}

func TestAlertIDsDependOnWhatIsFoundAndNotOnWhenOrWhere(t *testing.T) {
	ids := func(later time.Duration, extraFrames uint64) []string {
		s := newScene(t, 1, detect.LearnFor(time.Hour), nil)
		s.clock += int64(later)
		s.frame = extraFrames
		s.hosts()
		s.live(time.Hour + 10*time.Second)
		s.modbus(operate(plcB, plcA, 1))
		var out []string
		for _, a := range s.finish() {
			out = append(out, a.ID, a.Incident)
		}
		return out
	}
	if diff := cmp.Diff(ids(0, 0), ids(1234*time.Hour, 99)); diff != "" {
		t.Error(diff)
	}
}

func TestASensorThatIsStartedMissesThePollsThatItKnows(t *testing.T) {
	learner := newScene(t, 1, detect.LearnOnly(), nil)
	learner.hosts()
	learner.live(20 * time.Minute)
	b, _ := saved(t, learner.site.Baseline())
	for _, armed := range []bool{true, false} {
		s := newScene(t, 2, detect.WatchOnly(), b)
		s.settings.ArmAtStart = armed
		for i := range s.shards {
			s.shards[i] = detect.NewShard(s.settings, s.schedule, b)
		}
		s.site = detect.NewSite(s.settings, s.schedule, b, s.shards)
		s.hosts()
		s.quiet[plcB] = true
		s.live(5 * time.Minute)
		if !armed {
			if n := len(s.alerts); n != 0 {
				t.Errorf("%d alerts by a replay of a part of the network", n)
			}
			continue
		}
		if a := only(t, s.alerts, detect.KindPollStopped); a.Server.Endpoint.IP.String() != plcB {
			t.Errorf("the poll of %s is missed, want %s", a.Server.Endpoint.IP, plcB)
		}
		s.quiet[plcB] = false
		s.live(10 * time.Minute)
		if a := only(t, s.finish(), detect.KindPollStopped); a.State != detect.Cleared {
			t.Errorf("state %s after the poll came back, want cleared", a.State)
		}
	}
}

func TestAssetsTellRolesUnitsAndIdentity(t *testing.T) {
	s := newScene(t, 1, detect.LearnOnly(), nil)
	assets := map[string]detect.Asset{}
	links := 0
	s.sink = func(o *detect.Output) {
		for _, a := range o.Assets {
			assets[a.IP.String()] = a
		}
		links += len(o.Links)
	}
	s.hosts()
	e := s.begin()
	e.Proto, e.Role, e.Src, e.Dst, e.Unit, e.Function = protocols.ProtoModbus, protocols.RoleResponse, end(plcA, 502), end(master, 40000), 1, 43
	e.Identity = append(e.Identity, protocols.Identity{Key: protocols.IdentityVendor, Value: []byte("Acme")}, protocols.Identity{Key: protocols.IdentityVersion, Value: []byte("1.2")})
	s.send()
	s.live(5 * time.Minute)
	s.finish()
	a := assets[plcA]
	if a.Vendor != "Acme" || a.Version != "1.2" || !contains(a.Roles, "modbus server") || len(a.Units) != 1 || a.Units[0] != 1 || a.Messages < 1000 || !a.Known || len(a.MACs) != 1 {
		t.Errorf("asset %+v", a)
	}
	if m := assets[master]; !contains(m.Roles, "modbus client") || !contains(m.Roles, "dnp3 master") {
		t.Errorf("asset %+v", m)
	}
	if st := assets[station]; !contains(st.Roles, "dnp3 outstation") || len(st.Units) != 1 || st.Units[0] != 4 {
		t.Errorf("asset %+v", st)
	}
	if links < 4*5 {
		t.Errorf("links were told %d times in 5 minutes, want each of 4 every minute", links)
	}
}

// tagList names one host and one coil.
type tagList struct{}

func (tagList) Host(ip netip.Addr) string {
	if ip.String() == plcA {
		return "the pump house"
	}
	return ""
}

func (tagList) Point(device netip.Addr, _ protocols.Proto, unit uint16, kind protocols.PointKind, index uint32) string {
	if device.String() == plcA && unit == 1 && kind == protocols.KindCoil && index == 1 {
		return "P3 start"
	}
	return ""
}

func TestAnAlertSaysTheNamesOfHostsAndPoints(t *testing.T) {
	s := learned(t, 1, nil)
	s.site.SetNames(tagList{})
	s.modbus(operate(plcB, plcA, 1))
	a := only(t, s.finish(), detect.KindRoleNew)
	if a.Server.Name != "the pump house" || a.Points[0].Name != "P3 start" || !strings.Contains(a.Explanation, "10.0.0.21 is the pump house, coil 1 is P3 start.") {
		t.Errorf("no names in %s", a.AppendJSON(nil))
	}
}

func TestAStormHasACeilingAndSaysWhatItFolded(t *testing.T) {
	s := learned(t, 1, nil)
	kind := &detect.Kind{Name: "rule.test", Severity: protocols.Low}
	for i := 0; i < 500; i++ {
		s.clock += int64(7 * time.Millisecond)
		s.shards[0].Add(s.clock, s.frame, &detect.Finding{Kind: kind, Key: fmt.Sprint(i), Start: s.clock, Time: s.clock, Function: -1})
	}
	alerts := s.finish()
	storm := only(t, alerts, detect.KindStorm)
	if len(alerts) > s.settings.StormCeiling+5 {
		t.Errorf("%d alerts in a storm, the ceiling is %d", len(alerts), s.settings.StormCeiling)
	}
	if !strings.Contains(storm.Observed, "400 rule.test") {
		t.Errorf("the storm does not say what it folded: %s", storm.Observed)
	}
	if folded := s.site.Stats().Folded; folded < 300 {
		t.Errorf("%d findings folded, want most of 500", folded)
	}
}

func TestAFloodOfSpoofedHostsEvictsNothingThatWasLearned(t *testing.T) {
	s := learned(t, 1, nil)
	before := baselineText(t, s)
	for i := 0; i < 80_000; i++ {
		src := end(fmt.Sprintf("172.%d.%d.%d", 16+i>>16, i>>8&255, i&255), 1234)
		s.network(protocols.HostSeen, src, protocols.Endpoint{}, false, 0)
		s.network(protocols.ConnectionTried, src, end(plcA, 502), true, 0)
		r := read(src.IP.String(), plcA, uint32(i), 1)
		s.modbus(r)
		s.clock += int64(10 * time.Microsecond)
	}
	s.finish()
	if after := baselineText(t, s); after != before {
		t.Error("what was learned is not what it was before the flood")
	}
	st := s.site.Stats()
	if st.Hosts > uint64(s.settings.MaxHosts) || st.Strangers > uint64(s.settings.MaxStrangers) || st.Actors > uint64(s.settings.MaxActors) {
		t.Errorf("caps are not kept: %+v", st)
	}
	if st.HostsEvicted == 0 || st.Flooded == 0 {
		t.Errorf("what was given up is not counted: %+v", st)
	}
	if n := len((&run{alerts: s.alerts}).final()); n > s.settings.FloodHosts+8 {
		t.Errorf("%d alerts for a flood", n)
		for _, a := range (&run{alerts: s.alerts}).final() {
			t.Log(a.Text())
		}
	}
}

// baselineText is the baseline without what goes on counting while watching.
func baselineText(t *testing.T, s *scene) string {
	t.Helper()
	var b bytes.Buffer
	for _, h := range s.site.Baseline().Hosts {
		fmt.Fprintln(&b, h)
	}
	for _, l := range s.site.Baseline().Links {
		fmt.Fprintln(&b, l.Name(), l.Addresses, len(l.Functions), len(l.Requested))
	}
	for _, c := range s.site.Baseline().Connections {
		fmt.Fprintln(&b, c.Client, c.Server, c.Port)
	}
	return b.String()
}

func TestACommandAtAnUnusualHourIsFoundOnceFourWeeksWereSeen(t *testing.T) {
	s := newScene(t, 1, detect.LearnFor(28*24*time.Hour+time.Hour), nil)
	s.hosts()
	for day := 0; day < 29; day++ {
		for k := 0; k < 4; k++ {
			s.clock = start + int64(day)*int64(24*time.Hour) + int64(k)*int64(time.Hour)
			s.modbus(operate(master, plcA, 1))
		}
	}
	s.clock = start + int64(29*24*time.Hour) + int64(time.Hour)
	s.modbus(operate(master, plcA, 1)) // 9 h, as ever
	if n := len(s.alerts); n != 0 {
		t.Fatalf("%d alerts for a command at the usual hour", n)
	}
	s.clock = start + int64(29*24*time.Hour) + int64(14*time.Hour)
	s.modbus(operate(master, plcA, 1)) // 22 h
	only(t, s.finish(), detect.KindHours)
}

func TestAMuteKeepsSilentUntilItExpires(t *testing.T) {
	s := learned(t, 1, nil)
	s.modbus(operate(plcB, plcA, 1))
	s.live(10 * time.Second)
	a := only(t, s.alerts, detect.KindRoleNew)
	muted := learned(t, 1, nil)
	d := detect.Decide(detect.Mute, &a, "ada", "a test", 1, muted.clock+int64(time.Hour))
	if err := muted.site.Decide(d); err != nil {
		t.Fatal(err)
	}
	muted.modbus(operate(plcB, plcA, 1))
	muted.live(10 * time.Minute)
	if n := len(muted.alerts); n != 0 {
		t.Errorf("%d alerts in spite of the mute", n)
	}
	muted.live(time.Hour)
	muted.modbus(operate(plcB, plcA, 1))
	only(t, muted.finish(), detect.KindRoleNew)
	if got := muted.site.Stats().Muted; got != 1 {
		t.Errorf("muted = %d, want 1", got)
	}
}

func TestAnApprovedHostIsLearnedWithItsNeighbourhoodButNotToCommand(t *testing.T) {
	s := learned(t, 1, nil)
	const newcomer = "10.0.0.99"
	s.modbus(read(newcomer, plcA, 0, 10))
	s.live(10 * time.Second)
	a := only(t, s.alerts, detect.KindAssetNew)
	if err := s.site.Decide(detect.Decide(detect.Approve, &a, "ada", "the new historian", 1, 0)); err != nil {
		t.Fatal(err)
	}
	before := len(s.alerts)
	for i := 0; i < 400; i++ {
		s.modbus(read(newcomer, plcA, 0, 10))
		s.modbus(read(newcomer, plcB, 0, 10))
		s.modbus(read(newcomer, plcC, 100, 20))
		s.live(10 * time.Second)
	}
	if n := len(s.alerts) - before; n != 0 {
		t.Errorf("%d alerts about what was approved:\n%s", n, s.lines)
	}
	var link *detect.LinkBaseline
	b := s.site.Baseline()
	for i := range b.Links {
		if l := &b.Links[i]; l.Client.String() == newcomer && l.Server.String() == plcB {
			link = l
		}
	}
	if link == nil {
		t.Fatal("the approved link was not learned")
	}
	// Now it is watched itself: it reads elsewhere, and it commands.
	s.modbus(operate(newcomer, plcA, 1))
	s.live(10 * time.Second)
	found := false
	for _, a := range s.finish() {
		found = found || a.Client.Endpoint.IP.String() == newcomer && a.Function == 5 && a.Severity >= protocols.High
	}
	if !found {
		t.Error("a command by the approved reader was not found")
	}
}

func TestAnAttackIsNotLearnedHoweverOftenItRepeats(t *testing.T) {
	s := learned(t, 1, nil)
	for i := 0; i < 500; i++ {
		s.modbus(operate(master, plcA, 77))
		s.live(5 * time.Second)
	}
	a := only(t, s.finish(), detect.KindAddressNew)
	if a.Count != 500 {
		t.Errorf("count = %d, want all 500", a.Count)
	}
	for _, l := range s.site.Baseline().Links {
		for _, x := range l.Addresses {
			for _, r := range x.Runs {
				if x.Kind == "coil" && r[0] <= 77 && 77 <= r[1] {
					t.Error("the coil was learned")
				}
			}
		}
	}
}

func TestAnIncidentTellsTheStoryOfOneActor(t *testing.T) {
	s := learned(t, 1, nil)
	for i := 0; i < 6; i++ {
		s.network(protocols.ConnectionTried, end(office, uint16(42000+i)), end(fmt.Sprintf("10.0.0.%d", 100+i), 502), true, 0)
		s.live(10 * time.Second)
	}
	s.modbus(read(office, plcA, 0, 10))
	s.live(time.Minute)
	s.modbus(operate(office, plcA, 1))
	s.live(time.Minute)
	alerts := s.finish()
	incident := alerts[0].Incident
	for _, a := range alerts {
		if a.Incident != incident {
			t.Errorf("not in the incident: %s", a.Text())
		}
	}
	r := s.reports[incident]
	if r.Severity != protocols.Critical || len(r.Story) < 3 || !strings.Contains(r.Story[len(r.Story)-1], "command: ") ||
		!contains(r.Techniques, "T0846") || !contains(r.Techniques, "T0855") || len(r.CheckFirst) == 0 || r.Actors[0] != office {
		t.Errorf("the incident does not tell what happened: %+v", r)
	}
	for i := 1; i < len(r.Story); i++ {
		if r.Story[i][:19] < r.Story[i-1][:19] {
			t.Errorf("the story is out of order: %q after %q", r.Story[i], r.Story[i-1])
		}
	}
}

func TestWhoActsAfterHavingBeenATargetIsPartOfTheIncident(t *testing.T) {
	s := learned(t, 1, nil)
	s.modbus(operate("10.0.0.66", plcA, 1))
	s.live(time.Minute)
	s.modbus(operate(plcA, plcB, 1))
	s.live(time.Minute)
	// Somebody else, elsewhere.
	s.modbus(read(office, plcC, 0, 10))
	s.live(time.Minute)
	incidents := map[string]int{}
	for _, a := range s.finish() {
		incidents[a.Incident]++
	}
	if len(incidents) != 2 {
		t.Fatalf("incidents %v, want 2", incidents)
	}
	for _, r := range s.reports {
		if r.Actors[0] == "10.0.0.66" && len(r.Actors) != 2 {
			t.Errorf("actors %v, want the intruder and the controller it used", r.Actors)
		}
	}
}

func TestALinkThatIsHardlyLearnedGoesOnLearningWhatItReads(t *testing.T) {
	s := newScene(t, 1, detect.LearnFor(time.Hour), nil)
	s.hosts()
	s.live(time.Hour - time.Minute)
	s.modbus(read(office, plcA, 0, 4)) // once, late
	s.live(2 * time.Minute)
	for i := 0; i < 300; i++ {
		s.modbus(read(office, plcA, 8, 4))
		s.live(10 * time.Second)
	}
	a := only(t, s.alerts, detect.KindAddressNew)
	if a.Count != 1 || a.Severity != protocols.Info {
		t.Errorf("%s, %d times; want info, once", a.Severity, a.Count)
	}
	// By now its pace is known as well.
	s.live(10 * time.Minute)
	if a := only(t, s.finish(), detect.KindPollStopped); a.Client.Endpoint.IP.String() != office {
		t.Errorf("the poll that stopped is that of %s", a.Client.Endpoint.IP)
	}
}

func TestTheAlertLineIsReadBackAsItWasWritten(t *testing.T) {
	s := learned(t, 1, nil)
	attacks["restart, clock and configuration by an unknown host"].do(s)
	attacks["a controller operates another"].do(s)
	s.finish()
	for _, a := range s.alerts {
		line := a.AppendJSON(nil)
		if !json.Valid(line) {
			t.Fatalf("not JSON: %s", line)
		}
		var back detect.Alert
		if err := json.Unmarshal(line, &back); err != nil {
			t.Fatal(err)
		}
		if got := back.AppendJSON(nil); !bytes.Equal(got, line) {
			t.Errorf("read back as %s", cmp.Diff(string(got), string(line)))
		}
	}
}

func TestStringsInTheAlertLineAreEscaped(t *testing.T) {
	a := detect.Alert{Finding: detect.Finding{Kind: detect.KindLinkNew, Title: "a \"b\" \\ \n \x00 \xff é", Function: -1}}
	var back struct{ Title string }
	if err := json.Unmarshal(a.AppendJSON(nil), &back); err != nil {
		t.Fatal(err)
	}
	if want := "a \"b\" \\ \n \x00 \ufffd é"; back.Title != want {
		t.Errorf("title = %q, want %q", back.Title, want)
	}
}

func TestTheProgressOfLearningFallsAsNothingNewComes(t *testing.T) {
	progress := func(d time.Duration) detect.Progress {
		s := newScene(t, 1, detect.LearnOnly(), nil)
		s.hosts()
		s.live(d)
		return s.site.Baseline().Progress()
	}
	early, late := progress(10*time.Second), progress(2*time.Hour)
	if late.Bound >= early.Bound || late.Unseen > early.Unseen || late.Unseen > 0.001 || late.Bound < late.Unseen {
		t.Errorf("early %+v, late %+v", early, late)
	}
	if late.Growth[4] != late.Distinct || late.Growth[0] > late.Growth[4] {
		t.Errorf("the growth curve is wrong: %+v", late)
	}
}

func TestALinkIsWatchedByItselfOnceItIsLearned(t *testing.T) {
	s := newScene(t, 1, detect.LearnOnly(), nil)
	settings := detect.Defaults()
	settings.LearnAuto, settings.LearnMin = true, 10*time.Minute
	s.shards[0] = detect.NewShard(settings, s.schedule, nil)
	s.site = detect.NewSite(settings, s.schedule, nil, s.shards)
	s.hosts()
	s.live(20 * time.Minute)
	s.modbus(read(master, plcB, 5000, 10)) // polled for long: learned
	s.modbus(read(office, plcB, 5000, 10)) // new: it learns
	only(t, s.finish(), detect.KindAddressNew)
}

func TestAHostThatRoamsTheInternetIsNoNewsAndOneThatBeginsToIs(t *testing.T) {
	roam := func(s *scene, who string, from, n int) {
		for i := from; i < from+n; i++ {
			out := end(fmt.Sprintf("93.184.%d.9", i), 443)
			s.network(protocols.ConnectionTried, end(who, uint16(50000+i)), out, true, 0)
			s.network(protocols.HostSeen, out, protocols.Endpoint{}, false, 0)
			s.live(10 * time.Second)
		}
	}
	s := learned(t, 1, func(s *scene) { roam(s, office, 0, 5) })
	roam(s, office, 20, 3)
	if n := len(s.alerts); n != 0 {
		t.Errorf("%d alerts about one who always did:\n%s", n, s.lines)
	}
	roam(s, master, 40, 1)
	a := only(t, s.finish(), detect.KindConnectionNew)
	if a.Severity != protocols.Medium || !strings.Contains(a.Explanation, "outside of the site") {
		t.Errorf("not what it is: %s", a.Text())
	}
}

func TestASensorBeginsToWatchWhenItHasLearnedEnough(t *testing.T) {
	s := newScene(t, 2, detect.LearnOnly(), nil)
	s.hosts()
	for s.live(time.Minute); s.site.Unseen() > 0.001; s.live(time.Minute) {
	}
	s.flush()
	s.schedule.WatchAt(s.clock + 1)
	s.live(10 * time.Minute)
	if n := len(s.alerts); n != 0 {
		t.Fatalf("%d alerts about what was learned:\n%s", n, s.lines)
	}
	s.modbus(operate(plcB, plcA, 1))
	only(t, s.finish(), detect.KindRoleNew)
}

func TestTheDifferenceOfTwoBaselinesIsSaidInPlainWords(t *testing.T) {
	base := func(more func(*scene)) *detect.Baseline {
		s := newScene(t, 1, detect.LearnOnly(), nil)
		s.hosts()
		s.live(5 * time.Minute)
		if more != nil {
			more(s)
		}
		s.flush()
		return s.site.Baseline()
	}
	a := base(nil)
	b := base(func(s *scene) {
		s.modbus(read(office, plcA, 0, 4))
		s.modbus(operate(master, plcB, 3))
		x := end(plcC, 0)
		x.MAC[5]++
		s.network(protocols.HostSeen, x, protocols.Endpoint{}, false, 0)
	})
	var out bytes.Buffer
	differs, err := detect.Diff(&out, a, b)
	if err != nil || !differs {
		t.Fatal(differs, err)
	}
	for _, want := range []string{"new link: 10.0.0.50 to 10.0.0.21 modbus unit 1", "10.0.0.10 to 10.0.0.22 modbus unit 1: new function Write Single Coil (function 5), control",
		"newly written: coil 3", "10.0.0.23: another network card"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the difference does not say %q:\n%s", want, &out)
		}
	}
	out.Reset()
	if differs, _ := detect.Diff(&out, a, a); differs {
		t.Errorf("a baseline differs from itself:\n%s", &out)
	}
}

func TestMergedBaselinesKnowWhatBothKnow(t *testing.T) {
	learn := func(do func(*scene)) *detect.Baseline {
		s := newScene(t, 1, detect.LearnOnly(), nil)
		s.hosts()
		s.live(20 * time.Minute)
		do(s)
		s.flush()
		return s.site.Baseline()
	}
	a := learn(func(s *scene) { s.modbus(read(office, plcA, 0, 4)) })
	b := learn(func(s *scene) { s.modbus(operate(master, plcB, 3)) })
	m, err := detect.Merge(a, b, nil)
	if err != nil {
		t.Fatal(err)
	}
	loaded, _ := saved(t, m)
	s := newScene(t, 1, detect.WatchOnly(), loaded)
	s.hosts()
	s.live(10 * time.Minute)
	s.modbus(read(office, plcA, 0, 4))
	s.modbus(operate(master, plcB, 3))
	if alerts := s.finish(); len(alerts) != 0 {
		t.Errorf("alerts about what one of them knew:\n%s", s.lines)
	}
	back, err := detect.Merge(b, a, nil)
	if err != nil {
		t.Fatal(err)
	}
	var d bytes.Buffer
	if differs, _ := detect.Diff(&d, m, back); differs {
		t.Errorf("merging the other way round knows something else:\n%s", &d)
	}
}

func TestTheBaselineIsShownWithHowFarLearningIs(t *testing.T) {
	s := newScene(t, 1, detect.LearnOnly(), nil)
	s.hosts()
	s.live(20 * time.Minute)
	var out bytes.Buffer
	if err := s.site.Baseline().Show(&out); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"10.0.0.10 to 10.0.0.21 modbus unit 1, port 502", "read: holding registers 0 to 9, holding registers 100 to 119",
		"polls Read Holding Registers (function 3) for holding registers 0 to 9 every", "the next request is a new one with a probability of", "DNP3", "10.0.0.10 to 10.0.0.31 dnp3 addresses 3 to 4"} {
		if want != "DNP3" && !strings.Contains(out.String(), want) {
			t.Errorf("the baseline does not show %q:\n%s", want, &out)
		}
	}
}

// A valve that was moved to where it never was makes its range alert come and
// go for days. That is one thing, or a few, and not one each time.
func TestAConditionThatKeepsComingBackBecomesOneAlert(t *testing.T) {
	settings := detect.Defaults()
	schedule := detect.WatchOnly()
	site := detect.NewSite(settings, schedule, nil, nil)
	kind := &detect.Kind{Name: "value.test"}
	ids, lasted := map[string]bool{}, int64(0)
	clock := int64(1e18)
	step := func(f *detect.Finding) {
		if f != nil {
			site.Add(clock, 1, f)
		}
		for _, a := range site.Step(clock).Alerts {
			ids[a.ID] = true
			lasted = max(lasted, a.End-a.Start)
		}
	}
	const times = 100
	for range times { // every 20 minutes, for a minute
		step(&detect.Finding{Kind: kind, Key: "x", Start: clock, Time: clock, Function: -1, Title: "x"})
		clock += int64(time.Minute)
		step(&detect.Finding{Kind: kind, Key: "x", Clear: true, Time: clock, Function: -1})
		clock += int64(19 * time.Minute)
		step(nil)
	}
	if len(ids) > 4 {
		t.Errorf("%d alerts for a condition that came %d times, want few", len(ids), times)
	}
	if lasted < int64(12*time.Hour) {
		t.Errorf("the longest alert lasted %v, want it to hold on", time.Duration(lasted))
	}
}
