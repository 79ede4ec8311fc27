package process

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/weir-ics/weir/protocols"
)

// town is a demand that is read every half hour, with a morning that comes later on
// days of rest.
type town struct {
	*feed
	t     int64
	state uint64
	// rest tells whether a day is one of rest, zone how many hours local midnight is
	// after that of UTC.
	rest func(time.Weekday) bool
	zone time.Duration
	// related tells that a pressure follows the demand.
	related bool
	// as lets a day go as another would, nil as it should.
	as func(time.Weekday) time.Weekday
}

func newTown() *town {
	x := &town{feed: newFeed([]string{"demand"}, Settings{}), state: 1, t: time.Date(2026, 1, 7, 0, 0, 0, 0, time.UTC).UnixNano(),
		rest: func(d time.Weekday) bool { return d == time.Saturday || d == time.Sunday }}
	x.keep = true
	return x
}

// newRelatedTown is a town with a pressure that tells all of the demand.
func newRelatedTown() *town {
	x := newTown()
	x.feed = newFeed([]string{"demand", "pressure"}, Settings{})
	x.keep, x.related = true, true
	return x
}

// run lets a number of days go by.
func (x *town) run(days int) {
	for range 48 * days {
		local := time.Unix(0, x.t).UTC().Add(-x.zone)
		day := local.Weekday()
		if x.as != nil {
			day = x.as(day)
		}
		peak := 7.0
		if x.rest(day) {
			peak = 10
		}
		hour := float64(local.Hour()) + float64(local.Minute())/60
		bump := func(at, width float64) float64 { return math.Exp(-(hour - at) * (hour - at) / (2 * width * width)) }
		v := 40 + 50*bump(peak, 2) + 40*bump(19, 2.5)
		for range 6 {
			x.state = x.state*6364136223846793005 + 1442695040888963407
			v += 4 * (float64(x.state>>11)/(1<<53) - 0.5)
		}
		row := []float64{math.Round(v*100) / 100}
		if x.related {
			x.state = x.state*6364136223846793005 + 1442695040888963407
			row = append(row, math.Round(600-2*v+float64(x.state>>11)/(1<<53))/100)
		}
		x.row(x.t, row)
		x.t += int64(30 * time.Minute)
	}
}

// learn lets days go by, and begins to watch.
func (x *town) learn(days int) {
	x.run(days)
	x.engine.Watch(x.t)
	x.engine.Advance(x.t)
}

// rested returns what was found out of the week.
func (x *town) rested(t *testing.T) season {
	t.Helper()
	for _, u := range x.engine.tickers {
		for _, r := range u.relations {
			return r.season
		}
	}
	t.Fatal("there is no relation")
	return season{}
}

// disagreements counts the alarms that were raised about the demand.
func (x *town) disagreements() int { return x.kinds[KindCorrelation.Name] }

func TestAMondayOnASundayIsToldOnceTheWeekIsKnown(t *testing.T) {
	told := make(map[int]int)
	for _, weeks := range []int{3, 10} {
		x := newTown()
		x.learn(7 * weeks)
		x.run(3) // to Saturday
		before := x.disagreements()
		x.as = func(time.Weekday) time.Weekday { return time.Monday }
		x.run(2)
		told[weeks] = x.disagreements() - before
		for _, f := range x.log {
			if f.Kind == KindCorrelation && (strings.Contains(f.Title, "neighbours") || strings.Contains(f.Expected, "other")) {
				t.Errorf("a point that is related to none is said to have neighbours: %s. %s", f.Title, f.Expected)
			}
		}
	}
	if told[3] > 0 || told[10] == 0 {
		t.Errorf("a weekend that goes like a Monday is told %d times after three weeks and %d times after ten, want only after ten", told[3], told[10])
	}
}

func TestWeeksAreQuietOnceTheWeekIsKnown(t *testing.T) {
	x := newTown()
	x.learn(70)
	if s := x.rested(t); s.days() != "Sunday, Saturday" || s.shift != 0 {
		t.Errorf("days of rest are %q from hour %d on", s.days(), s.shift)
	}
	x.run(56)
	if n := x.disagreements(); n > 4 {
		t.Errorf("%d disagreements in eight normal weeks", n)
		for _, f := range x.log {
			t.Log(time.Unix(0, f.Start).UTC().Format("Mon 15:04"), f.Title, f.Explanation)
		}
	}
}

func TestDaysOfRestAreFoundInAnyCountry(t *testing.T) {
	for _, c := range []struct {
		days []time.Weekday
		zone time.Duration
		want string
		// first and last are the hours at which days may be found to begin: those
		// at which all days are alike.
		first, last int
	}{
		{[]time.Weekday{time.Friday, time.Saturday}, -3 * time.Hour, "Friday, Saturday", -12, 0},
		{[]time.Weekday{time.Sunday}, 6 * time.Hour, "Sunday", -4, 9},
		{[]time.Weekday{time.Saturday, time.Sunday}, -8 * time.Hour, "Sunday, Saturday", -12, -5},
	} {
		x := newTown()
		x.zone = c.zone
		x.rest = func(d time.Weekday) bool {
			for _, r := range c.days {
				if d == r {
					return true
				}
			}
			return false
		}
		x.learn(70)
		s := x.rested(t)
		if s.days() != c.want || s.shift < c.first || s.shift > c.last {
			t.Errorf("days of rest are %q from hour %d UTC on, want %s from hour %d to %d", s.days(), s.shift, c.want, c.first, c.last)
		}
	}
}

func TestAWeekWithoutHabitsHasNoDaysOfRest(t *testing.T) {
	x := newTown()
	x.rest = func(time.Weekday) bool { return false }
	x.learn(70)
	if s := x.rested(t); s.rest != 0 {
		t.Errorf("days of rest are %q", s.days())
	}
}

func TestTheWeekSurvivesSavingAndLoading(t *testing.T) {
	x := newTown()
	x.learn(70)
	saved, err := x.engine.Save()
	if err != nil {
		t.Fatal(err)
	}
	y := NewEngine(Settings{})
	if err := y.Load(saved); err != nil {
		t.Fatal(err)
	}
	if got, want := fmt.Sprint(y.tickers[0].relations[0].season), fmt.Sprint(x.rested(t)); got != want {
		t.Errorf("the season %s was loaded as %s", want, got)
	}
}

func TestAMondayOnASundayIsToldWhenAllPointsGoAlongWithIt(t *testing.T) {
	for _, weeks := range []int{3, 10} {
		x := newRelatedTown()
		x.learn(7 * weeks)
		x.run(14 + 3) // to Saturday
		if n := x.disagreements(); n > 1 {
			t.Errorf("%d disagreements in two normal weeks after %d", n, weeks)
		}
		x.log = nil
		x.as = func(time.Weekday) time.Weekday { return time.Monday }
		x.run(2)
		found := false
		for _, f := range x.log {
			if f.Kind == KindCorrelation && !f.Clear && strings.Contains(f.Title, "usually is at such a time") {
				found = true
				if f.Severity != protocols.Low || !strings.Contains(f.Explanation, "agrees with the other points") {
					t.Errorf("it is %s: %s", f.Severity, f.Explanation)
				}
			}
		}
		if found != (weeks == 10) {
			t.Errorf("that all points go like a Monday on a weekend is told after %d weeks of learning: %v", weeks, found)
		}
	}
}

func TestHabitsSurviveSavingAndLoading(t *testing.T) {
	x := newRelatedTown()
	x.learn(70)
	saved, err := x.engine.Save()
	if err != nil {
		t.Fatal(err)
	}
	y := *x
	y.feed = newFeed([]string{"demand", "pressure"}, Settings{})
	y.keep, y.frame = true, x.frame
	if err := y.engine.Load(saved); err != nil {
		t.Fatal(err)
	}
	again, err := y.engine.Save()
	if err != nil || string(again) != string(saved) {
		t.Errorf("what is loaded is saved otherwise (error %v)", err)
	}
	told := make(map[*town]int)
	for _, z := range []*town{x, &y} {
		z.run(3)
		z.as = func(time.Weekday) time.Weekday { return time.Monday }
		z.run(2)
		told[z] = z.disagreements()
	}
	if told[x] == 0 || told[x] != told[&y] {
		t.Errorf("a Monday on a weekend is told %d times, after loading %d times", told[x], told[&y])
	}
}

func TestDaysBeginWhereTheShiftSays(t *testing.T) {
	sunday := time.Date(2026, 3, 8, 0, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		at    time.Duration
		shift int
		want  time.Weekday
	}{
		{0, 0, time.Sunday}, {-time.Minute, 0, time.Saturday}, {23 * time.Hour, 0, time.Sunday}, {5 * time.Hour, 6, time.Saturday}, {6 * time.Hour, 6, time.Sunday},
		{-8 * time.Hour, -8, time.Sunday}, {16 * time.Hour, -8, time.Monday},
	} {
		if got := time.Weekday(weekday(sunday.Add(c.at).UnixNano(), c.shift)); got != c.want {
			t.Errorf("%v after Sunday 0:00 UTC, in days that begin at hour %d, it is %s, want %s", c.at, c.shift, got, c.want)
		}
	}
}
