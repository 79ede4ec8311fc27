package process

import (
	"bytes"
	"math"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/weir-ics/weir/detect"
	"github.com/weir-ics/weir/protocols"
)

// works is a pump that is started and stopped by commands, with its status, its
// flow and the pressure behind it, which is set by a setpoint while it runs; its
// feeder reports the pump's power and its contactor from another device. The
// weather minds its own business.
type works struct {
	*feed
	t              int64
	n              int
	on             float64
	set            float64
	flow, pressure float64
	power          float64
	state          uint64
	// shut tells that the hand valve is: the pump runs, and nothing flows.
	shut, silent bool
	// split reports the flow in another way, before is called when learning ends.
	split  func(v float64)
	before func()
}

const (
	pumpOrder = iota
	pumpRuns
	pumpFlow
	pressureSet
	pumpPressure
	feederPower
	feederOn
	weather
)

var worksNames = []string{"P5", "P5_RUN", "FLOW", "SP", "PRESSURE", "POWER", "CONTACTOR", "WEATHER"}

func newWorks(s Settings) *works {
	x := &works{feed: newFeed(worksNames, s), t: 1e18, set: 4, state: 7}
	x.keep = true
	for i, kind := range map[int]protocols.PointKind{pumpOrder: protocols.KindCoil, pumpRuns: protocols.KindDiscreteInput, feederOn: protocols.KindDiscreteInput} {
		x.series[i].Kind, x.series[i].Type = kind, ""
	}
	for _, i := range []int{feederPower, feederOn} {
		x.series[i].Device = netip.MustParseAddr("10.0.0.6")
	}
	return x
}

func (x *works) noise() float64 {
	x.state = x.state*6364136223846793005 + 1442695040888963407
	return float64(x.state>>11)/(1<<53) - 0.5
}

// run polls every second.
func (x *works) run(n int) {
	for range n {
		x.n++
		flow, pressure := 0.0, 1.0
		if x.on == 1 {
			if pressure = x.set; !x.shut {
				flow = 40
			}
		}
		x.flow += 0.3 * (flow - x.flow)
		x.pressure += 0.3 * (pressure - x.pressure)
		x.power += 0.3 * (9*x.on - x.power)
		values := []float64{x.on, x.on, x.flow + x.noise(), x.set, x.pressure + 0.1*x.noise(), x.power + 0.2*x.noise(), x.on, 10 + 5*math.Sin(float64(x.n)/77) + x.noise()}
		for i, v := range values {
			if i == pumpFlow && x.silent {
				continue
			}
			if v != math.Trunc(v) {
				v = math.Round(v*100) / 100
			}
			if i == pumpFlow && x.split != nil {
				x.split(v)
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

func (x *works) command(i int, v float64) {
	x.frame++
	at := x.t - 5e8
	x.engine.Observe(&detect.Sample{Series: x.series[i], Time: at, Clock: at, Frame: x.frame, Access: protocols.AccessWrite, Value: v, Client: netip.MustParseAddr("10.0.0.1")})
	x.collect()
	if i == pumpOrder {
		x.on = v
	} else {
		x.set = v
	}
}

// learn runs the pump so many times, and changes its setpoint while it runs and
// while it stands.
func (x *works) learn(cycles int) {
	x.run(200)
	for k := range cycles {
		x.command(pumpOrder, 1)
		x.run(300 + 7*(k%5))
		x.command(pressureSet, 4+0.05*float64(1+k%11))
		x.run(200)
		x.command(pressureSet, 3-0.05*float64(k%7))
		x.run(200)
		x.command(pumpOrder, 0)
		x.run(330 + 11*(k%3))
		x.command(pressureSet, 4.2)
		x.run(200)
		x.command(pressureSet, 3.9)
		x.run(200)
	}
	if x.before != nil {
		x.before()
	}
	x.engine.Watch(x.t)
	x.run(10)
}

func worksAfter(cycles int) *works {
	x := newWorks(Settings{})
	x.learn(cycles)
	return x
}

func (x *works) noEffects(point int) (told, over []detect.Finding) {
	for _, f := range x.log {
		if f.Kind == KindNoEffect && f.Points[0].Name == worksNames[point] {
			if f.Clear {
				over = append(over, f)
			} else {
				told = append(told, f)
			}
		}
	}
	return told, over
}

// about are the sentences of what was learned that begin with a point's name.
func (x *works) about(point int) (out []string) {
	for _, c := range x.engine.Consequences() {
		if strings.HasPrefix(c, worksNames[point]+" ") {
			out = append(out, c)
		}
	}
	return out
}

func TestMeasurementsAndOtherDevicesThatFollowACommandAreLearned(t *testing.T) {
	x := worksAfter(12)
	for point, want := range map[int][]string{
		pumpFlow: {
			"FLOW falls by 38.", " or more within 10 seconds when P5 is set to 0 (after 12 of 12 commands, and never without a command)",
			"FLOW rises by 38.", " or more within 10 seconds when P5 is set to 1 (after 12 of 12 commands, and never without a command)",
		},
		feederOn:     {"CONTACTOR becomes 0 within 10 seconds when P5 is set to 0 (after 12 of 12 commands)", "CONTACTOR becomes 1 within 10 seconds when P5 is set to 1 (after 12 of 12 commands)"},
		feederPower:  {"POWER falls by 8.", "when P5 is set to 0 (after 12 of 12 commands)", "POWER rises by 8.", "when P5 is set to 1 (after 12 of 12 commands)"},
		pumpPressure: {"PRESSURE falls by 1.", "when SP is lowered while P5 is 1 (after 12 of 12 commands, and"},
	} {
		got := strings.Join(x.about(point), "\n")
		for _, w := range want {
			if !strings.Contains(got, w) {
				t.Errorf("%s: %q is not in\n%s", worksNames[point], w, got)
			}
		}
	}
	if got := x.about(weather); len(got) > 0 {
		t.Errorf("the weather follows: %q", got)
	}
}

func TestFewCommandsTeachNoReaction(t *testing.T) {
	if got := worksAfter(enoughConsequences - 1).engine.Consequences(); len(got) != 0 {
		t.Errorf("%d commands teach %q", enoughConsequences-1, got)
	}
}

func TestAMeasurementThatDoesNotFollowIsToldOnceAndClearsWhenItDoes(t *testing.T) {
	x := worksAfter(23)
	x.shut = true
	at := x.t
	x.command(pumpOrder, 1)
	x.run(300)
	told, over := x.noEffects(pumpFlow)
	if len(told) != 1 || len(over) != 0 {
		t.Fatalf("told %d times, over %d times: %+v", len(told), len(over), x.kinds)
	}
	f := told[0]
	if f.Severity != protocols.Medium || f.Client.Endpoint.IP.String() != "10.0.0.1" || len(f.Points) != 2 || f.Points[1].Name != "P5" || f.FirstFrame == 0 || f.LastFrame < f.FirstFrame || f.Start >= f.Time {
		t.Errorf("finding %+v", f)
	}
	if after := f.Time - at; after > 65e9 {
		t.Errorf("it took %s", span(after))
	}
	for _, want := range []string{"P5 was set to 1 by 10.0.0.1", "FLOW always rose by 38", "seconds after that, on each of 23 occasions", "now it went from"} {
		if !strings.Contains(f.Explanation, want) {
			t.Errorf("%q is not in %q", want, f.Explanation)
		}
	}
	x.shut = false
	x.run(20)
	if _, over := x.noEffects(pumpFlow); len(over) != 1 || over[0].Key != f.Key {
		t.Errorf("it is over %d times", len(over))
	}
}

func TestAReactionFromFewCommandsIsAHint(t *testing.T) {
	x := worksAfter(enoughConsequences)
	x.shut = true
	x.command(pumpOrder, 1)
	x.run(300)
	if told, _ := x.noEffects(pumpFlow); len(told) != 1 || told[0].Severity != protocols.Low {
		t.Errorf("told %+v", told)
	}
}

func TestAReactionIsMissedWhereNoneHadToCome(t *testing.T) {
	for name, act := range map[string]func(x *works){
		"it comes":             func(x *works) { x.command(pumpOrder, 1); x.run(300) },
		"it is late by a half": func(x *works) { x.shut = true; x.command(pumpOrder, 1); x.run(14); x.shut = false; x.run(300) },
		"it is taken back":     func(x *works) { x.shut = true; x.command(pumpOrder, 1); x.run(5); x.command(pumpOrder, 0); x.run(300) },
		"the flow is silent":   func(x *works) { x.silent, x.shut = true, true; x.command(pumpOrder, 1); x.run(300) },
		"its state is another": func(x *works) { x.command(pressureSet, 2.8); x.run(300) },
		"reports are let go": func(x *works) {
			x.shut = true
			x.command(pumpOrder, 1)
			x.engine.Pause()
			x.t += 60e9
			x.engine.Resume(x.t)
			x.run(60)
		},
	} {
		x := worksAfter(23)
		act(x)
		for _, f := range x.log {
			if f.Kind == KindNoEffect && !f.Clear {
				t.Errorf("%s: %s", name, f.Explanation)
			}
		}
	}
}

func TestReactionsAreSavedLoadedAndMerged(t *testing.T) {
	x := worksAfter(23)
	saved, e := savedAndLoaded(t, x.engine)
	if got, want := e.Consequences(), x.engine.Consequences(); len(want) < 6 || !slices.Equal(got, want) {
		t.Errorf("loaded\n%q, want\n%q", got, want)
	}
	merged, err := Merge(saved, saved)
	if err != nil {
		t.Fatal(err)
	}
	var shown bytes.Buffer
	if err := Show(&shown, merged); err != nil || !strings.Contains(shown.String(), "consequence: FLOW rises by 38") || !strings.Contains(shown.String(), "when P5 is set to 1 (after 46 of 46 commands)\n") {
		t.Errorf("merged (error %v):\n%s", err, shown.String())
	}
	y := *x
	y.feed = newFeed(worksNames, Settings{})
	y.keep, y.series, y.frame, y.engine = true, x.series, x.frame, e
	for _, w := range []*works{x, &y} {
		w.run(10)
		w.shut = true
		w.command(pumpOrder, 1)
		w.run(300)
	}
	a, _ := x.noEffects(pumpFlow)
	b, _ := y.noEffects(pumpFlow)
	if len(a) != 1 || len(b) != 1 || a[0].Explanation != b[0].Explanation || a[0].Time != b[0].Time || a[0].Key != b[0].Key {
		t.Errorf("learned: %+v\nloaded: %+v", a, b)
	}
	for was, is := range map[string]string{`"within":10000000000`: `"within":-1`, `"kind":"coil"`: `"kind":"x"`} {
		if broken := bytes.Replace(saved, []byte(was), []byte(is), 1); bytes.Equal(broken, saved) || NewEngine(Settings{}).Load(broken) == nil {
			t.Errorf("%s is loaded", is)
		}
	}
}

func TestWhatAnotherLearningSawNotToReactIsNoReactionAfterMerging(t *testing.T) {
	place := savedPlace{Proto: "modbus", Kind: "coil"}
	one := savedReaction{Value: 1, Effect: place, By: 5, Within: 10e9, N: 20, Of: 20}
	two := one
	two.Turn, two.N = 1, 9
	weaker := one
	weaker.By, weaker.Within, weaker.N, weaker.Of = 3, 30e9, 9, 10
	a := &savedCommand{N: 30, Reactions: []savedReaction{one, two}}
	if got := mergeReactions(a, &savedCommand{N: 30, Reactions: []savedReaction{weaker}}); len(got) != 1 || got[0].N != 29 || got[0].Of != 30 || got[0].By != 3 || got[0].Within != 30e9 {
		t.Errorf("merged to %+v", got)
	}
	if got := mergeReactions(a, &savedCommand{N: 2}); len(got) != 2 {
		t.Errorf("two commands make it %+v", got)
	}
}

func TestNotesOfCommandsStayWithinTheirBounds(t *testing.T) {
	x := newWorks(Settings{HistoryBytes: 4 * looks * 12 * len(worksNames) * 15})
	x.learn(12)
	if x.engine.Stats().Unfollowed == 0 {
		t.Error("what was let go is not counted")
	}
	y := newWorks(Settings{})
	y.run(100)
	for range 3 * maxOccasions {
		y.command(pumpOrder, 1-y.on)
		y.run(15)
	}
	for _, p := range y.engine.each() {
		if p.commands == nil {
			continue
		}
		for _, h := range p.commands.echoes {
			if n := len(h.occasions); n > maxOccasions || n < maxOccasions/2 || h.every < 2 || h.n != 3*maxOccasions/2 {
				t.Errorf("%d occasions of %d commands are kept, every %d", n, h.n, h.every)
			}
		}
	}
}

// A float of two registers is only known as one when learning ends; what its
// registers did after commands is then what it did.
func TestAReactionOfTwoRegistersIsThatOfTheirNumber(t *testing.T) {
	x := worksAfter(12)
	typed := x.about(pumpFlow)
	y := newWorks(Settings{})
	low, high := *x.series[pumpFlow], *x.series[pumpFlow]
	low.Index, low.Label = low.Index+1, &detect.Label{Name: "LOW", Type: "uint16"}
	high.Label = &detect.Label{Name: "HIGH", Type: "uint16"}
	y.split = func(v float64) { // two registers in the place of one number
		bits := math.Float32bits(float32(v))
		for i, s := range []*detect.Series{&high, &low} {
			y.frame++
			now := y.t + int64(pumpFlow)*3e6
			y.engine.Observe(&detect.Sample{Series: s, Time: now, Clock: now, Frame: y.frame, Access: protocols.AccessReport, Value: float64(uint16(bits >> (16 * (1 - i))))})
		}
	}
	y.before = func() {
		y.engine.Retype([]*detect.Series{&high, &low}, y.series[pumpFlow], func(r []uint16) float64 {
			return float64(math.Float32frombits(uint32(r[0])<<16 | uint32(r[1])))
		})
		y.split = nil
	}
	y.learn(12)
	for i, s := range typed {
		// What its registers did by themselves is not that of the number.
		typed[i] = strings.Replace(s, ", and never without a command", "", 1)
	}
	if got := y.about(pumpFlow); len(typed) < 2 || !slices.Equal(got, typed) {
		t.Errorf("as two registers: %q, as a number: %q", got, typed)
	}
}
