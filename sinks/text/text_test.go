package text

import (
	"bytes"
	"context"
	"net/netip"
	"os"
	"strings"
	"testing"

	"github.com/weir-ics/weir/detect"
	"github.com/weir-ics/weir/protocols"
)

func written(t *testing.T, opt Options, a detect.Alert) string {
	t.Helper()
	var b bytes.Buffer
	l := New(&b, "memory", opt)
	if err := l.Write(context.Background(), &detect.Output{Alerts: []detect.Alert{a}}); err != nil {
		t.Fatal(err)
	}
	if err := l.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

var forged = detect.Alert{
	Finding: detect.Finding{
		Kind: &detect.Kind{Name: "command.new"}, Severity: protocols.Critical, Start: 1_459_953_131_480_000_000,
		Client:   detect.Party{Endpoint: protocols.Endpoint{IP: netip.MustParseAddr("192.168.1.101")}},
		Function: 5, FunctionName: "Write Single Coil", FirstFrame: 4785, LastFrame: 4786, Techniques: []string{"T0855"},
		Points: []detect.PointRef{{Kind: protocols.KindCoil, First: 3, Last: 3, Name: "Breaker"}},
		Title:  "192.168.1.101 commands 192.168.1.102", Explanation: "It never did.",
	},
	ID: "a1", Incident: "i1", Count: 2, State: detect.Updated,
}

func TestAnAlertIsAFewLinesWithTheSeverityFirst(t *testing.T) {
	want := `CRITICAL  2016-04-06 14:32:11.480  192.168.1.101 commands 192.168.1.102
          It never did.
          coil 3 Breaker · Write Single Coil (5) · frames 4785-4786 · T0855 · command.new · updated, 2 times · alert a1 · incident i1
`
	if got := written(t, Options{}, forged); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestColourIsForTheSeverityOnly(t *testing.T) {
	got := written(t, Options{Colour: true}, forged)
	if !strings.HasPrefix(got, "\x1b[1;37;41mCRITICAL\x1b[0m  2016") || strings.Count(got, "\x1b") != 2 {
		t.Errorf("%q", got)
	}
}

func TestAFileOrANoColourTerminalHasNoColour(t *testing.T) {
	f, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if Colour(f) || Colour(&bytes.Buffer{}) {
		t.Error("a file or a buffer is no terminal")
	}
}

func TestATextFromTheWireCannotCommandTheTerminal(t *testing.T) {
	a := forged
	a.Title = "\x1b]0;pwned\x07\x1b[2J\u009b31m\u202e\r\nCRITICAL  forged"
	a.Explanation = "line\nbreak"
	a.Points = []detect.PointRef{{Name: "\x1b[31m"}, {}, {}, {}, {}, {}}
	got := written(t, Options{}, a)
	if strings.ContainsAny(got, "\x1b\x07\r\u009b\u202e") || strings.Count(got, "\n") != 3 {
		t.Errorf("%q", got)
	}
	if !strings.Contains(got, "2 further points") {
		t.Errorf("%q", got)
	}
}
