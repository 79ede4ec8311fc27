package notes

import (
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/weir-ics/weir/detect"
)

func shippedLibrary(t *testing.T) *Library {
	t.Helper()
	l, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestShippedNotesLoadAndNameTheirSources(t *testing.T) {
	l := shippedLibrary(t)
	if len(l.Notes()) < 5 {
		t.Fatalf("%d notes are shipped, want five at least", len(l.Notes()))
	}
	for _, n := range l.Notes() {
		for _, s := range n.Sources {
			if !strings.HasPrefix(s, "https://") {
				t.Errorf("%s: source %q is no address", n.ID, s)
			}
		}
		for _, heading := range []string{"# What it is", "# What normal looks like", "# What to check"} {
			if !strings.Contains(n.Body, heading) {
				t.Errorf("%s has no %q", n.ID, heading)
			}
		}
	}
}

func TestAnAssetIsKnownByWhatItSaysOfItself(t *testing.T) {
	l := shippedLibrary(t)
	asset := &detect.Asset{IP: netip.MustParseAddr("10.1.1.7"), Vendor: "Moxa Inc.", Product: "MGate MB3170", Version: "V4.2"}
	m := l.Match(asset)
	if len(m) != 1 || m[0].Note.ID != "moxa-mgate-mb3000" || !m[0].Certain {
		t.Fatalf("matched %+v, want the MGate note, certain", m)
	}
	want := map[string]Exposure{"CVE-2022-27048": Affected}
	for i, a := range m[0].Note.Advisories {
		if w, ok := want[a.ID]; ok && m[0].Exposures[i] != w {
			t.Errorf("%s is %v at version %s, want %v", a.ID, m[0].Exposures[i], asset.Version, w)
		}
		if a.ID == "ICSA-20-056-01" && m[0].Exposures[i] != NotAffected {
			t.Errorf("%s below %s is %v for %s %s", a.ID, a.Below, m[0].Exposures[i], asset.Product, asset.Version)
		}
	}
}

func TestAMACPrefixAloneIsNotCertain(t *testing.T) {
	l := shippedLibrary(t)
	asset := &detect.Asset{IP: netip.MustParseAddr("10.1.1.8"), MACs: [][6]byte{{0x00, 0x80, 0xf4, 1, 2, 3}}, Roles: []string{"modbus server"}}
	m := l.Match(asset)
	if len(m) != 1 || m[0].Note.ID != "schneider-modicon-m340-m580" || m[0].Certain {
		t.Fatalf("matched %+v, want the Modicon note, not certain", m)
	}
	asset.Roles = []string{"modbus client"}
	if m := l.Match(asset); len(m) != 0 {
		t.Fatalf("a client matched %+v", m)
	}
}

func TestAnUnknownVersionIsUnclearNotSafe(t *testing.T) {
	l := shippedLibrary(t)
	m := l.Match(&detect.Asset{IP: netip.MustParseAddr("10.1.1.9"), Vendor: "WAGO", Product: "750-862"})
	if len(m) != 1 {
		t.Fatalf("matched %+v", m)
	}
	for i, a := range m[0].Note.Advisories {
		want := Unclear
		if a.ID == "VDE-2020-042" {
			want = NotAffected // another model
		}
		if m[0].Exposures[i] != want {
			t.Errorf("%s is %v, want %v", a.ID, m[0].Exposures[i], want)
		}
	}
}

func TestVersionsAreComparedNumberByNumber(t *testing.T) {
	for _, c := range []struct {
		a, b  string
		order int
		ok    bool
	}{
		{"V03.20", "3.30", -1, true},
		{"FW10", "FW11", -1, true},
		{"3.10", "3.9", 1, true},
		{"4", "4.0.0", 0, true},
		{"4.1 build 7", "4.1", 0, true},
		{"", "1.0", 0, false},
		{"unknown", "1.0", 0, false},
	} {
		if order, ok := compareVersions(c.a, c.b); order != c.order || ok != c.ok {
			t.Errorf("compareVersions(%q, %q) = %d, %v; want %d, %v", c.a, c.b, order, ok, c.order, c.ok)
		}
	}
}

const good = `---
vendor: Example
product: Thing
match:
  - vendor: "Example*"
sources: ["https://example.org"]
reviewed: 2026-01-31
---
Text.
`

func TestErrorsNameFileAndLine(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"no fence":      {"# Title\n", `x.md:1:1: a note starts with a line "---"`},
		"not closed":    {"---\nvendor: x\n", `x.md:1:1: the front matter is not closed`},
		"unknown key":   {strings.Replace(good, "product:", "produkt:", 1), `x.md:3:1: unknown field "produkt"`},
		"no sources":    {strings.Replace(good, `["https://example.org"]`, "[]", 1), "needs sources"},
		"bad day":       {strings.Replace(good, "2026-01-31", "31.1.2026", 1), `reviewed "31.1.2026" is not a day`},
		"bad mac":       {strings.Replace(good, `vendor: "Example*"`, `mac: "00-80"`, 1), `mac "00-80" is not`},
		"not even YAML": {"---\n\t:\n---\nx", "x.md:2:"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Parse("x.md", []byte(c.text))
			var e *Error
			if !errors.As(err, &e) || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("got %v, want an *Error with %q", err, c.want)
			}
		})
	}
}

func TestAnOwnNoteReplacesAShippedOne(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "wago-750.md"), []byte(good), 0o600); err != nil {
		t.Fatal(err)
	}
	l, err := Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range l.Notes() {
		if n.ID == "wago-750" && n.Vendor != "Example" {
			t.Fatalf("the shipped note stayed: %+v", n)
		}
	}
	if _, err := Load(filepath.Join(dir, "nothing")); err == nil {
		t.Fatal("a folder that is not there was accepted")
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(good))
	f.Add([]byte("---\nvendor: [\n---\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		n, err := Parse("x.md", data)
		if (n == nil) == (err == nil) {
			t.Fatalf("note %v and error %v", n, err)
		}
		if n != nil {
			(&Library{notes: []*Note{n}}).Match(&detect.Asset{Vendor: n.Vendor, Product: n.Product, Version: "1.2"})
		}
	})
}
