package process

import (
	"bytes"
	"encoding/json"
	"math"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/weir-ics/weir/detect"
	"github.com/weir-ics/weir/protocols"
)

// twoPaces is the scene with its level on a device of its own that is polled
// every so many seconds, while the others are polled each second.
type twoPaces struct {
	*scene
	every int
	// lie is what the slow device says its level is.
	lie func(v float64) float64
	// split are points that are told of as two registers, a float32.
	split map[int][]*detect.Series
}

func newTwoPaces(every int, s Settings) *twoPaces {
	x := &twoPaces{scene: newScene(s), every: every}
	x.series[level].Device = netip.MustParseAddr("10.0.0.9")
	return x
}

// run lets n seconds go by.
func (x *twoPaces) run(n int) {
	for range n {
		x.proceed()
		on := 0.0
		if x.pump {
			on = 1
		}
		round := func(v float64) float64 { return math.Round(v*1000) / 1000 }
		x.report(inflow, round(x.flow+0.3*x.noise()))
		x.report(outflow, round(x.demand+0.3*x.noise()))
		x.report(pump, on)
		if x.n%x.every == 0 {
			v := x.level + 0.004*x.noise()
			if x.lie != nil {
				v = x.lie(v)
			}
			x.report(level, round(v))
		}
		x.collect()
		x.t += int64(time.Second)
	}
}

func (x *twoPaces) report(i int, v float64) {
	if parts, ok := x.split[i]; ok {
		bits := math.Float32bits(float32(v))
		x.tell(i, parts[0], float64(bits>>16))
		x.tell(i, parts[1], float64(bits&0xffff))
		return
	}
	x.tell(i, x.series[i], v)
}

func (x *twoPaces) tell(i int, series *detect.Series, v float64) {
	x.frame++
	s := detect.Sample{Series: series, Time: x.t + int64(i)*3e6, Frame: x.frame, Access: protocols.AccessReport, Value: v, Client: netip.MustParseAddr("10.0.0.1")}
	s.Clock = s.Time
	x.engine.Observe(&s)
}

// watch ends the learning.
func (x *twoPaces) watch() {
	x.engine.Watch(x.t)
	x.engine.Advance(x.t)
}

// blamed counts disagreements that are about a point.
func (x *scene) blamed(point int) (n int) {
	for _, f := range x.log {
		if f.Kind == KindCorrelation && !f.Clear && f.Points[0].Name == sceneNames[point] {
			n++
		}
	}
	return n
}

func TestALevelThatIsPolledSeldomIsExplainedByFlowsThatArePolledOften(t *testing.T) {
	x := newTwoPaces(10, Settings{})
	x.run(4 * 3600)
	x.watch()
	x.run(4 * 3600)
	for _, f := range x.log {
		if !f.Clear && f.Kind == KindCorrelation {
			t.Errorf("in normal life, %s %s: %s", f.Kind.Name, f.Title, f.Explanation)
		}
	}
	x.log = nil
	// The device says that the level falls slower than it does.
	told := 0.0
	x.lie = func(v float64) float64 { told += 0.015; return v + told }
	x.run(600)
	if x.blamed(level) == 0 {
		t.Errorf("a level that drifts away from its flows is not told; alarms %v", x.kinds)
	}
	for _, f := range x.log {
		if f.Kind == KindCorrelation && !f.Clear && !strings.Contains(f.Expected, "faster paces") {
			t.Errorf("it is not said what else explains: %s", f.Expected)
		}
	}
}

func TestALevelWithoutTheFlowsOfFasterPacesIsNotKnownToDrift(t *testing.T) {
	x := newTwoPaces(10, Settings{})
	x.engine.visits = maxVisits // there is no room for candidates
	x.run(4 * 3600)
	x.watch()
	if x.engine.Stats().Uninvited == 0 {
		t.Error("points that there was no room for are not counted")
	}
	told := 0.0
	x.lie = func(v float64) float64 { told += 0.015; return v + told }
	x.run(600)
	if x.blamed(level) > 0 {
		t.Errorf("the tests around show nothing: the drift is told without guests")
	}
}

func TestNumbersOfTwoRegistersExplainOnceTheyAreKnown(t *testing.T) {
	x := newTwoPaces(10, Settings{})
	x.split = make(map[int][]*detect.Series)
	for _, i := range []int{inflow, outflow} {
		parts := make([]*detect.Series, 2)
		for k := range parts {
			raw := *x.series[i]
			raw.Index, raw.Label = uint32(2*i+k), &detect.Label{}
			parts[k] = &raw
		}
		x.split[i] = parts
	}
	x.run(4 * 3600)
	taken(t, x.engine)
	for _, i := range []int{inflow, outflow} {
		x.engine.Retype(x.split[i], x.series[i], func(r []uint16) float64 {
			return float64(math.Float32frombits(uint32(r[0])<<16 | uint32(r[1])))
		})
	}
	taken(t, x.engine)
	x.split = nil
	x.run(100)
	x.watch()
	x.run(2 * 3600)
	if n := x.blamed(level); n > 0 {
		t.Errorf("in normal life the level is said to disagree %d times", n)
	}
	told := 0.0
	x.lie = func(v float64) float64 { told += 0.015; return v + told }
	x.run(600)
	if x.blamed(level) == 0 {
		t.Errorf("a level that drifts away from its flows is not told; alarms %v", x.kinds)
	}
}

func TestGuestsSurviveSavingAndLoading(t *testing.T) {
	x := newTwoPaces(10, Settings{})
	x.run(4 * 3600)
	x.watch()
	saved, err := x.engine.Save()
	if err != nil {
		t.Fatal(err)
	}
	y := *x
	y.scene = x.reloaded(t)
	for _, s := range []*twoPaces{x, &y} {
		told := 0.0
		s.lie = func(v float64) float64 { told += 0.015; return v + told }
		s.run(600)
	}
	if a, b := x.blamed(level), y.blamed(level); a == 0 || b == 0 {
		t.Errorf("the drift is told %d times, after loading %d times", a, b)
	}
	var shown bytes.Buffer
	if err := Show(&shown, saved); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(shown.String(), "of faster paces") {
		t.Errorf("what explains the level is not shown:\n%s", shown.String())
	}
	// With a baseline that knows nothing of it, it comes to other places.
	other := newScene(Settings{})
	for i := range other.series {
		other.series[i].Device = netip.MustParseAddr("10.0.0.2")
	}
	other.run(1200)
	other.engine.Watch(other.t)
	other.engine.Advance(other.t)
	second, err := other.engine.Save()
	if err != nil {
		t.Fatal(err)
	}
	for _, pair := range [][2]json.RawMessage{{saved, second}, {second, saved}} {
		merged, err := Merge(pair[0], pair[1])
		if err != nil {
			t.Fatal(err)
		}
		z := NewEngine(Settings{})
		if err := z.Load(merged); err != nil {
			t.Fatal(err)
		}
		names := ""
		for _, u := range z.tickers {
			for _, r := range u.relations {
				for i := range r.guests {
					names += r.guests[i].point.id() + " "
				}
			}
		}
		if !strings.Contains(names, "10.0.0.5") || strings.Contains(names, "10.0.0.2") {
			t.Errorf("after merging the guests are %s", names)
		}
	}
}

func TestASlowPointIsNotJudgedWhileAGuestIsAway(t *testing.T) {
	x := newTwoPaces(10, Settings{})
	x.run(4 * 3600)
	x.watch()
	x.run(600)
	x.log = nil
	// The device of the flows falls silent; the level goes on.
	for range 300 {
		x.n++
		x.level -= 0.01
		if x.n%x.every == 0 {
			x.report(level, x.level)
		}
		x.collect()
		x.t += int64(time.Second)
	}
	if n := x.blamed(level); n > 3 {
		t.Errorf("the level is said to disagree %d times with flows that are not there", n)
	}
}
