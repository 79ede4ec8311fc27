package catalogue

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"testing"
)

var update = flag.Bool("update", false, "write docs/alerts.md")

func TestTheDocumentSaysWhatTheCodeSays(t *testing.T) {
	path := filepath.Join("..", "..", "docs", "alerts.md")
	want := Markdown()
	if *update {
		if err := os.WriteFile(path, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("docs/alerts.md is not what the code says; write it anew with: go test ./detect/catalogue -update")
	}
}

func TestEveryKindIsExplained(t *testing.T) {
	name := regexp.MustCompile(`^[a-z0-9]+([.-][a-z0-9]+)*$`)
	technique := regexp.MustCompile(`^T0[0-9]{3}$`)
	for _, k := range Kinds() {
		if !name.MatchString(k.Name) {
			t.Errorf("%q is no name of a kind", k.Name)
		}
		if k.Meaning == "" || k.Decision == "" || k.Action == "" {
			t.Errorf("%s: meaning, decision or action is missing", k.Name)
		}
		for _, x := range k.Techniques {
			if !technique.MatchString(x) {
				t.Errorf("%s: %q is no technique of ATT&CK for ICS", k.Name, x)
			}
		}
	}
}
