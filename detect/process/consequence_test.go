package process

import (
	"bytes"
	"encoding/json"
	"net/netip"
	"strings"
	"testing"

	"github.com/weir-ics/weir/detect"
	"github.com/weir-ics/weir/protocols"
)

// station is a pump that is started and stopped by commands, reports that it runs
// two seconds later, and stands beside a float switch that minds its own business.
type station struct {
	*feed
	t         int64
	n         int
	on, runs  float64
	since     int64
	blocked   bool
	hidden    bool // the status is not polled
	chattered float64
}

const (
	order = iota
	running
	float
)

var stationNames = []string{"P1", "P1_RUNNING", "FLOAT"}

func newStation() *station {
	x := &station{feed: newFeed(stationNames, Settings{}), t: 1e18}
	x.keep = true
	for i, kind := range []protocols.PointKind{protocols.KindCoil, protocols.KindDiscreteInput, protocols.KindDiscreteInput} {
		x.series[i].Kind, x.series[i].Type = kind, ""
	}
	return x
}

// run polls every second.
func (x *station) run(n int) {
	for range n {
		x.n++
		if x.t-x.since >= 2e9 && !(x.blocked && x.on == 1) {
			x.runs = x.on
		}
		if x.n%37 == 0 {
			x.chattered = 1 - x.chattered
		}
		values := []float64{x.on, x.runs, x.chattered}
		for i, v := range values {
			if i == running && x.hidden {
				continue
			}
			x.frame++
			now := x.t + int64(i)*3e6
			x.engine.Observe(&detect.Sample{Series: x.series[i], Time: now, Clock: now, Frame: x.frame, Access: protocols.AccessReport, Value: v})
		}
		x.collect()
		x.t += 1e9
	}
}

// command writes the order.
func (x *station) command(v float64) {
	x.frame++
	at := x.t - 5e8
	x.engine.Observe(&detect.Sample{Series: x.series[order], Time: at, Clock: at, Frame: x.frame, Access: protocols.AccessWrite, Value: v, Client: netip.MustParseAddr("10.0.0.1")})
	x.collect()
	if x.on != v {
		x.on, x.since = v, x.t
	}
}

// stationAfter is a station that was started and stopped so many times.
func stationAfter(cycles int) *station {
	x := newStation()
	x.run(30)
	for k := range cycles {
		x.command(1)
		x.run(60 + 7*(k%5))
		x.command(0)
		x.run(80 + 11*(k%3))
	}
	x.engine.Watch(x.t)
	x.run(10)
	return x
}

// noEffects are the findings that P1_RUNNING does not follow.
func (x *station) noEffects() (told, over []detect.Finding) {
	for _, f := range x.log {
		if f.Kind == KindNoEffect && f.Points[0].Name == "P1_RUNNING" {
			if f.Clear {
				over = append(over, f)
			} else {
				told = append(told, f)
			}
		}
	}
	return told, over
}

func TestWhatAlwaysFollowsACommandIsLearnedAndNothingElse(t *testing.T) {
	x := stationAfter(23)
	want := []string{
		"P1_RUNNING becomes 0 within 3 seconds when P1 is set to 0 (after 23 of 23 commands)",
		"P1_RUNNING becomes 1 within 3 seconds when P1 is set to 1 (after 23 of 23 commands)",
	}
	if got := x.engine.Consequences(); strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("learned %q, want %q", got, want)
	}
	if got := stationAfter(enoughConsequences - 1).engine.Consequences(); len(got) != 0 {
		t.Errorf("%d commands teach %q", enoughConsequences-1, got)
	}
}

func TestAnEffectThatDoesNotComeIsToldOnceAndClearsWhenItDoes(t *testing.T) {
	x := stationAfter(23)
	x.blocked = true
	x.command(1)
	x.run(60)
	told, over := x.noEffects()
	if len(told) != 1 || len(over) != 0 {
		t.Fatalf("told %d times, over %d times: %+v", len(told), len(over), x.log)
	}
	f := told[0]
	if f.Severity != protocols.Medium || f.Client.Endpoint.IP.String() != "10.0.0.1" || len(f.Points) != 2 || f.Points[1].Name != "P1" || f.FirstFrame == 0 || f.LastFrame < f.FirstFrame || f.Start >= f.Time {
		t.Errorf("finding %+v", f)
	}
	for _, want := range []string{"P1 was set to 1 by 10.0.0.1", "P1_RUNNING always became 1 within 3 seconds", "on each of 23 occasions", "still 0"} {
		if !strings.Contains(f.Explanation, want) {
			t.Errorf("%q is not in %q", want, f.Explanation)
		}
	}
	x.blocked = false
	x.run(5)
	if _, over := x.noEffects(); len(over) != 1 || over[0].Key != f.Key {
		t.Errorf("it is over %d times", len(over))
	}
}

func TestAnEffectThatDoesNotComeIsOverWithTheNextCommand(t *testing.T) {
	x := stationAfter(23)
	x.blocked = true
	x.command(1)
	x.run(60)
	x.command(0)
	x.run(60)
	if told, over := x.noEffects(); len(told) != 1 || len(over) != 1 {
		t.Errorf("told %d times, over %d times", len(told), len(over))
	}
}

func TestFewCommandsOnlyHintAtAnEffect(t *testing.T) {
	x := stationAfter(enoughConsequences)
	x.blocked = true
	x.command(1)
	x.run(60)
	if told, _ := x.noEffects(); len(told) != 1 || told[0].Severity != protocols.Low {
		t.Errorf("told %+v", told)
	}
}

func TestNoEffectIsMissedWhereNoneHadToCome(t *testing.T) {
	for name, act := range map[string]func(x *station){
		"it comes":               func(x *station) { x.command(1); x.run(60) },
		"the command is the old": func(x *station) { x.blocked = true; x.command(0); x.run(60) },
		"it was there already": func(x *station) {
			x.on, x.runs = 0, 1
			x.since = x.t + 3600e9
			x.run(2)
			x.command(1)
			x.run(60)
		},
		"it is taken back": func(x *station) {
			x.blocked = true
			x.command(1)
			x.run(3)
			x.command(0)
			x.run(60)
		},
		"the status is silent": func(x *station) { x.blocked, x.hidden = true, true; x.command(1); x.run(200) },
		"all is silent":        func(x *station) { x.command(1); x.t += 600e9; x.blocked = true; x.run(60) },
		"reports are let go": func(x *station) {
			x.blocked = true
			x.command(1)
			x.engine.Pause()
			x.t += 60e9
			x.engine.Resume(x.t)
			x.run(60)
		},
	} {
		x := stationAfter(23)
		act(x)
		if told, _ := x.noEffects(); len(told) != 0 {
			t.Errorf("%s: %s", name, told[0].Explanation)
		}
	}
}

func TestOfCommandsThatAreAlwaysGivenTogetherTheFirstStandsForAll(t *testing.T) {
	for _, always := range []bool{true, false} {
		x := newStation()
		second := *x.series[order]
		second.Index, second.Label = 77, &detect.Label{Name: "P1_HAND"}
		x.run(30)
		for k := range 20 {
			x.command(1)
			if always || k%2 == 0 {
				x.run(1)
			} else {
				// So long before that it has nothing to do with what comes.
				x.command(0)
				x.run(200)
				x.on, x.since = 1, x.t
			}
			x.frame++
			at := x.t - 4e8
			x.engine.Observe(&detect.Sample{Series: &second, Time: at, Clock: at, Frame: x.frame, Access: protocols.AccessWrite, Value: 1})
			x.run(200)
			x.command(0)
			x.run(200)
		}
		x.engine.Watch(x.t)
		x.run(1)
		all := strings.Join(x.engine.Consequences(), "\n")
		if hand := strings.Contains(all, "P1_HAND is set to 1"); hand == always || always && !strings.Contains(all, "when P1 is set to 1") {
			t.Errorf("given together always %v: %s", always, all)
		}
	}
}

func TestConsequencesAreSavedLoadedAndMerged(t *testing.T) {
	x := stationAfter(23)
	saved, e := savedAndLoaded(t, x.engine)
	if got, want := e.Consequences(), x.engine.Consequences(); len(want) != 2 || strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("loaded %q, want %q", got, want)
	}
	merged, err := Merge(saved, saved)
	if err != nil {
		t.Fatal(err)
	}
	var shown bytes.Buffer
	if err := Show(&shown, merged); err != nil || !strings.Contains(shown.String(), "consequence: P1_RUNNING becomes 1 within 3 seconds when P1 is set to 1 (after 46 of 46 commands)\n") {
		t.Errorf("merged (error %v):\n%s", err, shown.String())
	}
	// A loaded one judges as one that has learned.
	y := *x
	y.feed = newFeed(stationNames, Settings{})
	y.keep, y.series, y.frame, y.engine = true, x.series, x.frame, e
	for _, s := range []*station{x, &y} {
		s.run(10)
		s.blocked = true
		s.command(1)
		s.run(60)
	}
	a, _ := x.noEffects()
	b, _ := y.noEffects()
	if len(a) != 1 || len(b) != 1 || a[0].Explanation != b[0].Explanation || a[0].Time != b[0].Time || a[0].Key != b[0].Key {
		t.Errorf("learned: %+v\nloaded: %+v", a, b)
	}
}

func TestWhatAnotherLearningSawNotToFollowIsNoConsequenceAfterMerging(t *testing.T) {
	a := &savedCommand{N: 30, Effects: []savedEffect{{Value: 1, Kind: "coil", Index: 3, To: 1, N: 20, Of: 20, Longest: 5}, {Value: 1, Kind: "coil", Index: 4, To: 1, N: 20, Of: 20, Longest: 5}}}
	b := &savedCommand{N: 30, Effects: []savedEffect{{Value: 1, Kind: "coil", Index: 3, To: 1, N: 9, Of: 10, Longest: 7}}}
	if got := mergeEffects(a, b); len(got) != 1 || got[0].N != 29 || got[0].Of != 30 || got[0].Longest != 7 {
		t.Errorf("merged to %+v", got)
	}
	if got := mergeEffects(a, &savedCommand{N: 2}); len(got) != 2 {
		t.Errorf("two commands make it %+v", got)
	}
}

func TestABaselineWithoutConsequencesLoadsAndOneWithSenselessOnesDoesNot(t *testing.T) {
	saved, err := stationAfter(23).engine.Save()
	if err != nil {
		t.Fatal(err)
	}
	at := bytes.Index(saved, []byte(`,"effects":`))
	end := at + bytes.IndexByte(saved[at:], ']') + 1
	old := append(bytes.Clone(saved[:at]), saved[end:]...)
	e := NewEngine(Settings{})
	if err := e.Load(json.RawMessage(old)); err != nil {
		t.Fatal(err)
	}
	if got := e.Consequences(); len(got) != 0 {
		t.Errorf("it has %q", got)
	}
	for was, is := range map[string]string{`"longest":25`: `"longest":-25`, `"kind":"discrete-input"`: `"kind":"x"`, `"of":23`: `"of":3`} {
		broken := bytes.Replace(saved[at:], []byte(was), []byte(is), 1)
		if bytes.Equal(broken, saved[at:]) {
			t.Errorf("%s is not in %s", was, saved[at:end])
		}
		if err := NewEngine(Settings{}).Load(append(bytes.Clone(saved[:at]), broken...)); err == nil {
			t.Errorf("%s is loaded", is)
		}
	}
}

func TestTheEffectsOfACommandStayWithinTheirBounds(t *testing.T) {
	names := make([]string, 40)
	x := newFeed(names, Settings{})
	at, on := int64(1e18), 0.0
	values := make([]float64, len(names))
	for k := range 40 {
		on = 1 - on
		x.frame++
		x.engine.Observe(&detect.Sample{Series: x.series[0], Time: at, Clock: at, Frame: x.frame, Access: protocols.AccessWrite, Value: on})
		for range 10 + k%7 {
			at += 1e9
			x.row(at, values)
			for i := range values {
				values[i] = on
			}
		}
	}
	x.engine.Watch(at)
	x.engine.Advance(at)
	if got := len(x.engine.Consequences()); got != 2*perCommand {
		t.Errorf("%d consequences, want %d", got, 2*perCommand)
	}
	if x.engine.Stats().Unfollowed == 0 {
		t.Error("what was let go is not counted")
	}
	saved, err := x.engine.Save()
	if err != nil {
		t.Fatal(err)
	}
	if err := NewEngine(Settings{}).Load(saved); err != nil {
		t.Error(err)
	}
}
