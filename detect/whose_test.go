package detect

import (
	"encoding/json"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/weir-ics/weir/protocols"
)

// valves names register 3 of two devices.
type valves struct{}

func (valves) Host(netip.Addr) string { return "" }

func (valves) Point(device netip.Addr, _ protocols.Proto, unit uint16, kind protocols.PointKind, index uint32) string {
	if kind != protocols.KindInputRegister || index != 3 || unit != 1 {
		return ""
	}
	return map[string]string{"10.0.0.21": "VALVE", "10.0.0.22": "PUMP"}[device.String()]
}

// Points of several devices may disagree: each has the name, and the place, of its own.
func TestAPointOfAnotherDeviceIsNamedAsThat(t *testing.T) {
	here, there := netip.MustParseAddr("10.0.0.21"), netip.MustParseAddr("10.0.0.22")
	register := func(device netip.Addr) PointRef {
		return PointRef{Kind: protocols.KindInputRegister, First: 3, Last: 3, Device: device, Unit: 1}
	}
	s := &Site{names: valves{}, hosts: hosts{all: map[netip.Addr]*host{}}, manager: newManager(Settings{}.withDefaults())}
	s.manager.name = s.name
	f := Finding{Kind: KindFunctionNew, Key: "k", Start: 1, Time: 1, Function: -1, Explanation: "They disagree.",
		Server: Party{Endpoint: protocols.Endpoint{IP: here}, Unit: 1, Address: -1}, Points: []PointRef{register(here)}}
	s.manager.take(&f, 1)
	// What comes later names another device first.
	g := f
	g.Time, g.Server.Endpoint.IP, g.Points = 2, there, []PointRef{register(there), register(here)}
	s.manager.take(&g, 2)
	s.manager.finish()
	a := s.manager.out[len(s.manager.out)-1]
	if want := "They disagree. Input register 3 is VALVE."; a.Explanation != want {
		t.Errorf("it says %q, not %q", a.Explanation, want)
	}
	if len(a.Points) != 2 || a.Points[0].Name != "VALVE" || a.Points[0].Device.IsValid() || a.Points[1].Device != there {
		t.Errorf("the points are %+v", a.Points)
	}
	var back Alert
	line := a.AppendJSON(nil)
	if err := json.Unmarshal(line, &back); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(a.Points, back.Points, cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); d != "" {
		t.Errorf("%s is read as %s", line, d)
	}

	// An alert that begins with both tells them apart.
	g.Key = "other"
	s.manager.take(&g, 3)
	s.manager.finish()
	for _, a := range s.manager.out {
		if a.Key == "other" && !strings.HasSuffix(a.Explanation, "Input register 3 is PUMP, input register 3 of 10.0.0.21 is VALVE.") {
			t.Errorf("it says %q", a.Explanation)
		}
	}
}
