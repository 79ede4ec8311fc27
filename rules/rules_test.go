package rules

import (
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/weir-ics/weir/detect"
	"github.com/weir-ics/weir/protocols"
)

func shippedSet(t testing.TB) *Set {
	t.Helper()
	s, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestShippedRulesFireAndStaySilentAsTheirExamplesSay(t *testing.T) {
	s := shippedSet(t)
	if len(s.Rules()) < 12 {
		t.Fatalf("%d rules are shipped, want a dozen at least", len(s.Rules()))
	}
	for _, o := range s.Test() {
		if o.Problem != "" {
			t.Errorf("%s:%d:%d: %s", o.File, o.Line, o.Column, o.Problem)
		}
	}
}

func TestAnExampleThatIsWrongIsTold(t *testing.T) {
	s, err := Parse("x.yaml", []byte(strings.Replace(good, "sub: 1}", "sub: 2}", 1)))
	if err != nil {
		t.Fatal(err)
	}
	var problems []string
	for _, o := range s.Test() {
		if o.Problem != "" {
			problems = append(problems, o.Problem)
		}
	}
	if len(problems) != 1 || problems[0] != "rule some-rule stays silent on it" {
		t.Fatalf("got %q", problems)
	}
}

const good = `rules:
  - id: some-rule
    title: Something happened
    severity: low
    on: {protocol: modbus, role: request, function: 8, sub: 1}
    why: Because.
    action: Look.
    techniques: [T0816]
    fires:
      - modbus: ["> 0001 0000 0006 01 08 0001 0000"]
    silent:
      - modbus: ["> 0001 0000 0006 01 08 0000 A537"]
`

func TestErrorsNameFileLineAndColumn(t *testing.T) {
	swap := func(old, new string) string {
		if !strings.Contains(good, old) {
			t.Fatalf("%q is not in the example", old)
		}
		return strings.Replace(good, old, new, 1)
	}
	for name, c := range map[string]struct{ text, want string }{
		"empty":            {"", "read x.yaml: the file is empty"},
		"no rules":         {"rules: []\n", "read x.yaml: no rules"},
		"not YAML":         {"rules: [", "read x.yaml:1:"},
		"unknown key":      {swap("severity:", "sevrity:"), `read x.yaml:4:5: unknown field "sevrity"`},
		"severity":         {swap("low", "loud"), `read x.yaml:4:15: severity "loud" is none of`},
		"id":               {swap("some-rule", "Some Rule"), `read x.yaml:2:9: rule 1: id "Some Rule" is not`},
		"protocol":         {swap("protocol: modbus", "protocol: modbis"), `x.yaml:5:20: protocol "modbis" is none of modbus, dnp3, network`},
		"function":         {swap("function: 8", "function: 256"), `function "256" is not a number from 0 to 255`},
		"no protocol":      {swap("protocol: modbus, ", ""), "function codes need a protocol"},
		"sub alone":        {swap("function: 8, ", ""), "a sub-function needs a function"},
		"technique":        {swap("T0816", "T1234"), `"T1234" is not an ATT&CK for ICS technique`},
		"no why":           {swap("why: Because.", "why: ''"), `rule "some-rule" has no why`},
		"expression":       {swap("    why:", "    when: functoin == 3\n    why:"), "x.yaml:6:11: when: unknown name functoin"},
		"not a condition":  {swap("    why:", "    when: function + 1\n    why:"), "when: expected bool"},
		"example":          {swap(`> 0001 0000 0006 01 08 0001 0000`, `0001`), `x.yaml:10:18: a message starts with`},
		"digits":           {swap("A537", "XYZ"), "is not octets in hexadecimal"},
		"no example":       {strings.Split(good, "    silent:")[0], "needs at least one example under fires and one under silent"},
		"two of a kind":    {good + strings.TrimPrefix(good, "rules:\n"), `rule id "some-rule" is already used in x.yaml:2`},
		"two protocols":    {swap(`["> 0001 0000 0006 01 08 0001 0000"]`, "[\"> 00\"]\n        dnp3: [\"> 00\"]"), "exactly one of modbus, rtu, dnp3"},
		"unknown function": {swap("    why:", "    when: now() != now()\n    why:"), "when: "},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Parse("x.yaml", []byte(c.text))
			var e *Error
			if !errors.As(err, &e) || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("got %v\nwant an *Error with %q", err, c.want)
			}
		})
	}
}

func TestAnOwnRuleReplacesAShippedOneAndWrongOnesAreLeftOut(t *testing.T) {
	dir := t.TempDir()
	own := strings.Replace(good, "some-rule", "umas-stop", 1)
	if err := os.WriteFile(filepath.Join(dir, "a.yaml"), []byte(own), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "b.yaml"), []byte("rules: 7\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := Load(dir, filepath.Join(dir, "missing.yaml"))
	if err == nil || !strings.Contains(err.Error(), "b.yaml:1:") || !strings.Contains(err.Error(), "missing.yaml: no such file") {
		t.Fatalf("got %v", err)
	}
	for _, r := range s.Rules() {
		if r.ID == "umas-stop" && r.Title != "Something happened" {
			t.Fatalf("the shipped rule stayed: %q", r.Title)
		}
	}
}

func TestAnExpressionSeesTheMessage(t *testing.T) {
	text := strings.Replace(good, "    why:", `    when: in_network(client, "10.1.0.0/16") && any(points, .kind == "holding-register" && .index == 40 && .value > 80)`+"\n    why:", 1)
	s, err := Parse("x.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	e := &protocols.Event{Proto: protocols.ProtoModbus, Role: protocols.RoleRequest, Function: 8, Sub: 1, FromClient: true}
	e.Src.IP, e.Dst.IP = netip.MustParseAddr("10.1.2.3"), netip.MustParseAddr("10.1.2.4")
	e.Points = []protocols.Point{{Kind: protocols.KindHoldingRegister, Index: 40, Value: 81}}
	m := s.NewMatcher()
	var got []detect.Finding
	m.Observe(e, func(f detect.Finding) { got = append(got, f) })
	if len(got) != 1 || got[0].Rule != "some-rule" || got[0].Kind.Name != "rule.some-rule" || got[0].Client.Endpoint.IP != e.Src.IP {
		t.Fatalf("got %+v", got)
	}
	e.Src.IP = netip.MustParseAddr("10.2.2.3")
	m.Observe(e, func(detect.Finding) { t.Fatal("fires for another network") })
}

func TestPollingCostsNoAllocation(t *testing.T) {
	s := shippedSet(t)
	m := s.NewMatcher()
	e := &protocols.Event{Proto: protocols.ProtoModbus, Role: protocols.RoleRequest, Function: 3, Sub: -1, Effect: protocols.Read}
	report := func(detect.Finding) { t.Fatal("fires on a poll") }
	if n := testing.AllocsPerRun(100, func() { m.Observe(e, report) }); n != 0 {
		t.Fatalf("%v allocations a message", n)
	}
}

func BenchmarkObservePoll(b *testing.B) {
	m := shippedSet(b).NewMatcher()
	e := &protocols.Event{Proto: protocols.ProtoModbus, Role: protocols.RoleRequest, Function: 3, Sub: -1, Effect: protocols.Read}
	b.ReportAllocs()
	for b.Loop() {
		m.Observe(e, func(detect.Finding) {})
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(good))
	f.Add([]byte("rules: [{id: a, on: {function: 0x1}}]"))
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := Parse("x.yaml", data)
		if err == nil {
			s.Test()
		}
	})
}

func TestASetTellsWhetherARuleReadsValues(t *testing.T) {
	for when, want := range map[string]bool{
		"":                         false,
		"unit == 3":                false,
		`name == "points"`:         false,
		"any(points, .value > 80)": true,
		`len($env["points"]) > 2`:  true,
	} {
		text := good
		if when != "" {
			text = strings.Replace(good, "    why:", "    when: "+strconv.Quote(when)+"\n    why:", 1)
		}
		s, err := Parse("x.yaml", []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		if got := s.ReadsPoints(); got != want {
			t.Errorf("%s: reads values: %v, want %v", when, got, want)
		}
	}
	if shippedSet(t).ReadsPoints() {
		t.Error("a shipped rule reads values: then all are decoded for it, which docs/performance.md does not say")
	}
}
