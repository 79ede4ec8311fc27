package detect

import (
	"strings"
	"testing"
	"time"
)

// told is what a Sensor says, in short.
func told(found []*Finding) string {
	var out []string
	for _, f := range found {
		text := f.Kind.Name
		if f.Clear {
			text += " over"
		}
		out = append(out, text)
	}
	return strings.Join(out, ", ")
}

func TestLostPacketsAreToldAsTheyDoubleAndAreOverAfterAMinute(t *testing.T) {
	var s Sensor
	for _, tt := range []struct {
		second int64
		lost   uint64
		want   string
	}{
		{1, 0, ""},
		{2, 10, "sensor.packets-lost"},
		{3, 15, ""},
		{4, 20, "sensor.packets-lost"},
		{5, 39, ""},
		{64, 39, ""},
		{65, 39, "sensor.packets-lost over"},
		{66, 39, ""},
		{67, 40, "sensor.packets-lost"},
	} {
		if got := told(s.Observe(tt.second*int64(time.Second), tt.lost, false, 0)); got != tt.want {
			t.Errorf("second %d, %d lost: %q, want %q", tt.second, tt.lost, got, tt.want)
		}
	}
}

func TestThatValuesAreLeftOutIsToldOnceAndCleared(t *testing.T) {
	var s Sensor
	for i, tt := range []struct {
		skipping bool
		want     string
	}{{false, ""}, {true, "sensor.values-skipped"}, {true, ""}, {false, "sensor.values-skipped over"}, {false, ""}} {
		if got := told(s.Observe(int64(i), 0, tt.skipping, 0)); got != tt.want {
			t.Errorf("step %d: %q, want %q", i, got, tt.want)
		}
	}
}

func TestAnInterfaceThatIsDownIsToldOnceItIsForAWhileAndCleared(t *testing.T) {
	s := Sensor{Interfaces: []string{"eth1", "eth2"}}
	for _, tt := range []struct {
		tenths int64
		down   uint64
		want   string
		names  string
	}{
		{0, 0b01, "", ""}, // it has just come up, which the kernel says late
		{7, 0, "", ""},
		{10, 0b10, "", ""},
		{24, 0b10, "", ""},
		{25, 0b10, "sensor.interface-down", "eth2"},
		{30, 0b11, "", "eth2"},
		{45, 0b11, "sensor.interface-down", "eth1, eth2"},
		{50, 0b01, "sensor.interface-down over", "eth1"},
		{60, 0, "sensor.interface-down over", ""},
		{70, 0, "", ""},
	} {
		if got := told(s.Observe(tt.tenths*1e8, 0, false, tt.down)); got != tt.want || s.Down() != tt.names {
			t.Errorf("at %d: %q of %q, want %q of %q", tt.tenths, got, s.Down(), tt.want, tt.names)
		}
	}
	if got := s.DownFor(); got != 57e8 {
		t.Errorf("an interface was down for %d ns", got)
	}
}

func TestWhatASensorSaysOfItselfIsOneAlertThatIsCleared(t *testing.T) {
	site := NewSite(Defaults(), WatchOnly(), nil, nil)
	var s Sensor
	var states []string
	for second := int64(1); second < 600; second++ {
		clock := second * int64(time.Second)
		lost := uint64(min(second, 100)) // goes on for a hundred seconds
		for _, f := range s.Observe(clock, lost, second > 10 && second < 50, 0) {
			site.Add(clock, 0, f)
		}
		for _, a := range site.Step(clock).Alerts {
			if a.Title == "" || a.Explanation == "" || a.Server.Unit != -1 {
				t.Errorf("not whole: %+v", a)
			}
			if a.State != Updated {
				states = append(states, a.Kind.Name+" "+a.State.String())
			}
		}
	}
	want := "sensor.packets-lost raised; sensor.values-skipped raised; sensor.values-skipped cleared; sensor.packets-lost cleared"
	if got := strings.Join(states, "; "); got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
}
