package process

import (
	"bytes"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/weir-ics/weir/detect"
	"github.com/weir-ics/weir/protocols"
)

// extension is a scene that has learned for an hour and more, to which points are
// added then: a level that moves, a switch and a serial number.
type extension struct {
	*scene
	more []*detect.Series
	// level and number are added to what they report.
	lift, number float64
	mute         bool
}

const (
	addedLevel = iota
	addedSwitch
	addedNumber
)

var addedNames = []string{"NEW_LEVEL", "NEW_SWITCH", "NEW_NUMBER"}

func extended(t testing.TB, s Settings) *extension {
	x := &extension{scene: newScene(s)}
	x.run(3600)
	x.engine.Watch(x.t)
	x.run(30)
	for i, name := range addedNames {
		extra := *x.series[level]
		extra.Model, extra.Index, extra.Label = 0, uint32(200+2*i), &detect.Label{Name: name, Type: "float32 ABCD"}
		x.more = append(x.more, &extra)
	}
	return x
}

// live lets both go on for n polls.
func (x *extension) live(n int) {
	for range n {
		x.run(1)
		if x.mute {
			continue
		}
		on := 0.0
		if x.n/100%3 == 0 {
			on = 1
		}
		values := []float64{5 + math.Sin(float64(x.n)/40) + 0.05*x.noise() + x.lift, on, 4711 + x.number}
		for i, v := range values {
			x.frame++
			now := x.t - 5e8 + int64(i)*1e6
			x.engine.Observe(&detect.Sample{Series: x.more[i], Time: now, Clock: now, Frame: x.frame, Access: protocols.AccessReport, Value: math.Round(v*1000) / 1000})
		}
		x.collect()
	}
}

// told are the kinds of what was told of the points that were added.
func (x *extension) told() (kinds []string) {
	for _, f := range x.log {
		if !f.Clear && len(f.Points) > 0 && strings.HasPrefix(f.Points[0].Name, "NEW_") {
			kinds = append(kinds, f.Kind.Name+" "+f.Points[0].Name)
		}
	}
	return kinds
}

func TestAPointFirstSeenAfterLearningLearnsForAsLongAndIsJudgedThen(t *testing.T) {
	x := extended(t, Settings{})
	x.live(3500)
	x.lift, x.number = 9, 1 // it is not known yet that this is odd
	x.live(5)
	if got := x.told(); len(got) > 0 {
		t.Errorf("told while it learns: %q", got)
	}
	if got := x.engine.Stats(); got.Later != 0 || got.Unlearned == 0 {
		t.Errorf("while it learns: %+v", got)
	}
	y := extended(t, Settings{})
	y.live(4000)
	if got := y.told(); len(got) > 0 {
		t.Errorf("told in normal life: %q", got)
	}
	if got := y.engine.Stats(); got.Later != 3 {
		t.Errorf("%d points have learned, want 3", got.Later)
	}
	y.lift, y.number = 9, 1
	y.live(5)
	got := strings.Join(y.told(), "\n")
	for _, want := range []string{"value.range NEW_LEVEL", "value.rate NEW_LEVEL", "value.state NEW_NUMBER"} {
		if !strings.Contains(got, want) {
			t.Errorf("%s is not told: %q", want, got)
		}
	}
}

func TestAPointThatStandsStillAfterItWasLearnedLaterIsTold(t *testing.T) {
	x := extended(t, Settings{})
	x.live(4000)
	was := x.more[addedLevel]
	for range 400 {
		x.run(1)
		x.frame++
		x.engine.Observe(&detect.Sample{Series: was, Time: x.t, Clock: x.t, Frame: x.frame, Access: protocols.AccessReport, Value: 5.125})
		x.collect()
	}
	if got := strings.Join(x.told(), "\n"); !strings.Contains(got, "value.stuck NEW_LEVEL") {
		t.Errorf("told %q", got)
	}
}

func TestWhatLearningKnewIsNeverLearnedAnew(t *testing.T) {
	x := extended(t, Settings{})
	was := make(map[*point]profile)
	shapes := make(map[*point]shape)
	for _, p := range x.engine.each() {
		was[p], shapes[p] = *p.profile, *p.profile.shape
	}
	x.override[outflow] = func(v float64) float64 { return v + 60 }
	x.live(8000)
	for p, f := range was {
		now := p.profile
		if p.late != nil || now.n != f.n || now.low != shapes[p].low || now.high != shapes[p].high || now.step != shapes[p].step || !slices.Equal(now.states, f.states) {
			t.Errorf("%s is learned anew", p.name())
		}
	}
	x.expectKind(t, KindRange, outflow)
}

func TestWhatWasLearnedLaterIsKeptApartAndOverARestart(t *testing.T) {
	x := extended(t, Settings{})
	if later, err := x.engine.SaveLater(); err != nil || later != nil {
		t.Errorf("nothing was learned later, and is saved as %.100s (error %v)", later, err)
	}
	x.live(4000)
	saved, err := x.engine.Save()
	if err != nil {
		t.Fatal(err)
	}
	later, err := x.engine.SaveLater()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range addedNames {
		if bytes.Contains(saved, []byte(name)) || !bytes.Contains(later, []byte(name)) {
			t.Errorf("%s is not saved apart", name)
		}
	}
	y := &extension{scene: x.reloaded(t), more: x.more}
	if err := y.engine.LoadLater(later); err != nil {
		t.Fatal(err)
	}
	if again, err := y.engine.SaveLater(); err != nil || !bytes.Equal(again, later) {
		t.Errorf("what is loaded is saved otherwise (error %v):\n%s\nwas\n%s", err, again, later)
	}
	if again, err := y.engine.Save(); err != nil || !bytes.Equal(again, saved) {
		t.Errorf("what was learned before is saved otherwise (error %v)", err)
	}
	for _, z := range []*extension{x, y} {
		z.log = nil
		z.live(50)
		if got := z.told(); len(got) > 0 {
			t.Errorf("told in normal life: %q", got)
		}
		z.lift, z.number = 9, 1
		z.live(5)
	}
	if a, b := strings.Join(x.told(), "\n"), strings.Join(y.told(), "\n"); a != b || !strings.Contains(a, "value.range") {
		t.Errorf("learned: %q\nloaded: %q", a, b)
	}
	var shown bytes.Buffer
	if err := ShowLater(&shown, later); err != nil || !strings.Contains(shown.String(), "NEW_LEVEL") || !strings.Contains(shown.String(), "2026-03-02T01:00:30Z") {
		t.Errorf("shown (error %v):\n%s", err, shown.String())
	}
	if merged, err := Merge(later, later); err != nil || !bytes.Contains(merged, []byte(`"since":`)) {
		t.Errorf("merged (error %v): %.300s", err, merged)
	}
	if err := y.engine.LoadLater(saved); err == nil {
		t.Error("what was learned before is loaded as learned later")
	}
	if err := NewEngine(Settings{}).LoadLater(later); err == nil {
		t.Error("it is loaded where nothing was learned before")
	}
}

func TestALoadedBaselineSaysHowLongLatePointsLearn(t *testing.T) {
	x := extended(t, Settings{})
	y := &extension{scene: x.reloaded(t), more: x.more}
	y.live(3500)
	if got := y.engine.Stats().Later; got != 0 {
		t.Errorf("%d points have learned before their time", got)
	}
	y.live(300)
	if got := y.engine.Stats().Later; got != 3 {
		t.Errorf("%d points have learned, want 3", got)
	}
}

func TestLateLearningStaysWithinItsBounds(t *testing.T) {
	x := extended(t, Settings{HistoryBytes: 1 << 20})
	x.live(2 * lateRows)
	y := extended(t, Settings{HistoryBytes: 4 * fewestRows})
	for i := range 50 {
		extra := *x.more[addedLevel]
		extra.Model, extra.Index, extra.Label = 0, uint32(1000+2*i), &detect.Label{Type: "float32 ABCD"}
		for k := range 20 {
			y.frame++
			now := y.t + int64(k)*1e9
			y.engine.Observe(&detect.Sample{Series: &extra, Time: now, Clock: now, Frame: y.frame, Access: protocols.AccessReport, Value: float64(k % 9)})
		}
	}
	if got := y.engine.Stats().Unrecorded; got == 0 {
		t.Error("late points without room are not counted")
	}
	for _, p := range x.engine.each() {
		if p.late != nil && (p.late.column.moved != nil || p.tally != nil) {
			t.Errorf("%s keeps what it learned from", p.name())
		}
	}
	if x.engine.lateRoom.width != 0 {
		t.Errorf("%d octets a row are never given back", x.engine.lateRoom.width)
	}
}
