package process

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/weir-ics/weir/detect"
	"github.com/weir-ics/weir/protocols"
)

// uncommanded are the findings that a point moved without a command.
func (x *works) uncommanded(point int) (out []detect.Finding) {
	for _, f := range x.log {
		if f.Kind == KindUncommanded && f.Points[0].Name == worksNames[point] {
			out = append(out, f)
		}
	}
	return out
}

func TestAStateAndAMeasurementThatMoveWithoutTheirCommandAreTold(t *testing.T) {
	x := worksAfter(23)
	x.on = 1
	x.run(200)
	for point, want := range map[int]string{
		pumpRuns: "P5_RUN went from 0 to 1. In learning that happened 23 times, always within 503ms after a command to 10.0.0.5, the last time to P5; now there was none for",
		pumpFlow: "only when P5 was set to 1, on each of 23 occasions; now no command was seen for",
	} {
		told := x.uncommanded(point)
		if len(told) != 1 || !strings.Contains(told[0].Explanation, want) || told[0].Severity != protocols.Medium || told[0].Start > told[0].Time || told[0].LastFrame < told[0].FirstFrame {
			t.Errorf("%s: %+v", worksNames[point], told)
		}
	}
}

func TestNoCommandIsMissedWhereThereWasOneOrNoneWasNeeded(t *testing.T) {
	for name, act := range map[string]func(x *works){
		"it was given": func(x *works) { x.command(pumpOrder, 1); x.run(200); x.command(pumpOrder, 0); x.run(200) },
		"another was given to the device": func(x *works) {
			x.command(pressureSet, 4.1)
			x.on = 1
			x.run(200)
		},
		"it happened while nothing was seen": func(x *works) { x.on = 1; x.t += 600e9; x.run(200) },
		"reports were let go": func(x *works) {
			x.engine.Pause()
			x.on = 1
			x.t += 60e9
			x.engine.Resume(x.t)
			x.run(200)
		},
	} {
		x := worksAfter(23)
		act(x)
		for _, point := range []int{pumpRuns, pumpFlow} {
			for _, f := range x.uncommanded(point) {
				t.Errorf("%s: %s", name, f.Explanation)
			}
		}
	}
}

func TestWhatOnceCameWithoutACommandMayAgain(t *testing.T) {
	x := newWorks(Settings{})
	x.before = func() { // at the machine itself
		x.run(400)
		x.on = 1
		x.run(100)
		x.on = 0
		x.run(100)
	}
	x.learn(23)
	if got := strings.Join(append(x.engine.Prompts(), x.engine.Consequences()...), "\n"); strings.Contains(got, "P5_RUN becomes 1 only") || strings.Contains(got, "rises by 38.17 or more within 10 seconds when P5 is set to 1 (after 23 of 23 commands, and never") {
		t.Errorf("learned\n%s", got)
	}
	x.run(400)
	x.on = 1
	x.run(200)
	if n := len(x.uncommanded(pumpRuns)) + len(x.uncommanded(pumpFlow)); n > 0 {
		t.Errorf("told %d times", n)
	}
}

func TestFewCommandsDoNotSayThatOneIsNeeded(t *testing.T) {
	few := worksAfter(enoughConsequences - 1).engine
	if got := append(few.Prompts(), few.Consequences()...); len(got) > 0 {
		t.Errorf("learned\n%q", got)
	}
	x := worksAfter(enoughConsequences)
	x.on = 1
	x.run(200)
	for _, point := range []int{pumpRuns, pumpFlow} {
		if told := x.uncommanded(point); len(told) != 1 || told[0].Severity != protocols.Low {
			t.Errorf("%s: %+v", worksNames[point], told)
		}
	}
}

func TestPromptsAreSavedLoadedAndMerged(t *testing.T) {
	x := worksAfter(23)
	saved, e := savedAndLoaded(t, x.engine)
	all := e.Prompts()
	if !slices.Equal(all, x.engine.Prompts()) || !slices.ContainsFunc(all, func(s string) bool { return strings.HasPrefix(s, "P5_RUN becomes 1 only within ") }) {
		t.Errorf("loaded\n%s\nwant\n%s", strings.Join(all, "\n"), strings.Join(x.engine.Prompts(), "\n"))
	}
	y := *x
	y.feed = newFeed(worksNames, Settings{})
	y.keep, y.series, y.frame, y.engine = true, x.series, x.frame, e
	for _, w := range []*works{x, &y} {
		w.run(10)
		w.on = 1
		w.run(200)
	}
	for _, point := range []int{pumpRuns, pumpFlow} {
		a, b := x.uncommanded(point), y.uncommanded(point)
		if len(a) != 1 || len(b) != 1 || a[0].Title != b[0].Title || a[0].Time-b[0].Time > 5e9 || b[0].Time-a[0].Time > 5e9 {
			t.Errorf("learned: %+v\nloaded: %+v", a, b)
		}
	}
	if broken := bytes.Replace(saved, []byte(`"prompts":[{"value":1,"n":23`), []byte(`"prompts":[{"value":1,"n":0`), 1); bytes.Equal(broken, saved) || NewEngine(Settings{}).Load(broken) == nil {
		t.Error("a prompt that never came is loaded")
	}
	a := &savedPoint{Prompts: []savedPrompt{{Value: 1, N: 9, Longest: 5}}}
	for b, want := range map[*savedPoint]int{
		{States: []float64{0, 1}, Visits: []uint32{4, 3}}: 0,
		{States: []float64{0}, Visits: []uint32{1}}:       9,
		{Prompts: []savedPrompt{{Value: 1, N: 8}}}:        17,
		{States: []float64{1, 0}, Visits: []uint32{1, 1}}: 9,
	} {
		if got := mergePrompts(a, b); (want == 0) != (len(got) == 0) || want > 0 && int(got[0].N) != want {
			t.Errorf("with %+v merged to %+v", b, got)
		}
	}
}
