package process

import (
	"bytes"
	"math"
	"net/netip"
	"testing"
	"time"

	"github.com/weir-ics/weir/detect"
	"github.com/weir-ics/weir/protocols"
)

// scene is a small process made for tests: a tank that a pump fills and a
// changing demand empties, polled once a second.
type scene struct {
	*feed
	t            int64
	n            int
	level        float64
	pump         bool
	state        uint64
	setpoint     float64
	flow, demand float64
	// polled is how many of the points are told of
	polled int
	// what an attacker does
	override map[int]func(v float64) float64
}

// The points of the scene.
const (
	level = iota
	inflow
	outflow
	pressure
	pump
	energy
	setpoint
)

var sceneNames = []string{"level", "inflow", "outflow", "pressure", "pump", "energy", "setpoint"}

func newScene(s Settings) *scene {
	x := &scene{feed: newFeed(sceneNames, s), level: 2, state: 1, t: time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC).UnixNano(), setpoint: 50, override: make(map[int]func(float64) float64)}
	x.keep, x.polled = true, len(sceneNames)
	x.series[pump].Kind = protocols.KindCoil
	x.series[pump].Type = ""
	return x
}

// noise is a number like chance from about -1 to 1, bell-shaped.
func (x *scene) noise() float64 {
	sum := 0.0
	for range 6 {
		x.state = x.state*6364136223846793005 + 1442695040888963407
		sum += float64(x.state>>11)/(1<<53) - 0.5
	}
	return sum * 1.4
}

// proceed lets the process go on for a second.
func (x *scene) proceed() {
	x.n++
	phase := 2 * math.Pi * float64(x.n) / 600
	x.demand = 20 + 8*math.Sin(phase) + 3*math.Sin(2.7*phase)
	if x.level < 1.5 {
		x.pump = true
	}
	if x.level > 2.5 {
		x.pump = false
	}
	target := 0.0
	if x.pump {
		target = 45 - 2*x.level
	}
	x.flow += 0.1 * (target - x.flow)
	x.level += (x.flow - x.demand) / 1500
}

// run lets the process go on for n polls.
func (x *scene) run(n int) {
	for range n {
		x.proceed()
		on := 0.0
		if x.pump {
			on = 1
		}
		values := []float64{
			x.level + 0.004*x.noise(), x.flow + 0.3*x.noise(), x.demand + 0.3*x.noise(),
			3 + 0.05*x.flow + 0.1*x.level + 0.02*x.noise(), on, float64(100 + x.n/3), x.setpoint,
		}
		for i, f := range x.override {
			values[i] = f(values[i])
		}
		for i := range values {
			if i != pump {
				values[i] = math.Round(values[i]*1000) / 1000
			}
		}
		x.row(x.t, values[:x.polled])
		x.t += int64(time.Second)
	}
}

// command lets a client write a point.
func (x *scene) command(i int, v float64) {
	x.frame++
	s := detect.Sample{Series: x.series[i], Time: x.t - 5e8, Clock: x.t - 5e8, Frame: x.frame, Access: protocols.AccessWrite, Value: v, Client: netip.MustParseAddr("10.0.0.1")}
	x.engine.Observe(&s)
	x.collect()
}

// watching is a scene that has learned for an hour and watches.
func watching(t *testing.T) *scene {
	t.Helper()
	return watchingAfter(t, 6)
}

// watchingAfter is the same after so many times ten minutes.
func watchingAfter(t *testing.T, rounds int) *scene {
	t.Helper()
	x := newScene(Settings{})
	for k := range rounds {
		x.run(600)
		// The operator changes the setpoint now and then.
		v := float64(50 + 5*(k%3))
		x.command(setpoint, v)
		x.setpoint = v
	}
	x.run(100)
	x.engine.Watch(x.t)
	x.run(30)
	return x
}

// reloaded is a scene that goes on as x does, with models that were saved and
// loaded.
func (x *scene) reloaded(t *testing.T) *scene {
	t.Helper()
	saved, err := x.engine.Save()
	if err != nil {
		t.Fatal(err)
	}
	y := *x
	y.feed = newFeed(sceneNames, Settings{})
	y.keep, y.series, y.frame = true, x.series, x.frame
	y.override = make(map[int]func(float64) float64)
	if err := y.engine.Load(saved); err != nil {
		t.Fatal(err)
	}
	again, err := y.engine.Save()
	if err != nil || !bytes.Equal(saved, again) {
		t.Errorf("what is loaded is saved otherwise (error %v)", err)
	}
	return &y
}

func (x *scene) expectKind(t *testing.T, k *detect.Kind, point int) {
	t.Helper()
	for _, f := range x.log {
		if f.Kind == k && !f.Clear && len(f.Points) > 0 && f.Points[0].Name == sceneNames[point] {
			if f.Title == "" || f.Observed == "" || f.Expected == "" || f.Explanation == "" || f.FirstFrame == 0 || f.LastFrame < f.FirstFrame || f.Start > f.Time {
				t.Errorf("finding is not whole: %+v", f)
			}
			return
		}
	}
	t.Errorf("no %s about %s; there are %v", k.Name, sceneNames[point], x.kinds)
	for _, f := range x.log {
		t.Logf("%s %s: %s", f.Kind.Name, f.Title, f.Explanation)
	}
}

// savedAndLoaded returns what e saves, and an engine that loaded it. What is loaded
// must be saved as it was.
func savedAndLoaded(t *testing.T, e *Engine) (saved []byte, loaded *Engine) {
	t.Helper()
	saved, err := e.Save()
	if err != nil {
		t.Fatal(err)
	}
	loaded = NewEngine(Settings{})
	if err := loaded.Load(saved); err != nil {
		t.Fatal(err)
	}
	if again, err := loaded.Save(); err != nil || !bytes.Equal(again, saved) {
		t.Errorf("what is loaded is saved otherwise (error %v)", err)
	}
	return saved, loaded
}

// knowSwitches makes relations judge at once after a switch, as after many more of them.
func (e *Engine) knowSwitches() {
	for _, k := range e.tickers {
		for _, r := range k.relations {
			r.unsettled = 0
		}
	}
}
