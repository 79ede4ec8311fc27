package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

func readme(t *testing.T) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("..", "..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// TestTheREADMEShowsARealRun holds the README's example output against the
// program, word for word.
func TestTheREADMEShowsARealRun(t *testing.T) {
	capture := shared(t, "corpus", "lemay", "send_a_fake_command_modbus_6RTU_with_operate.pcap")
	_, after, ok := strings.Cut(readme(t), "<!-- the output below is checked by TestTheREADMEShowsARealRun -->\n```\n")
	want, _, closed := strings.Cut(after, "```")
	if !ok || !closed {
		t.Fatal("the README has no example output")
	}
	out, stderr, status := weir("replay", "--learn", "270s", "--store", "none", capture)
	if status != 0 || !strings.Contains(out, want) {
		t.Fatalf("status %d, %s\nthe README shows\n%s\nbut weir prints\n%s", status, stderr, want, out)
	}
}

func TestEveryLinkInTheDocsLeadsSomewhere(t *testing.T) {
	root := filepath.Join("..", "..")
	pages, err := filepath.Glob(filepath.Join(root, "docs", "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, more := range []string{"README.md", "CONTRIBUTING.md", "CHANGELOG.md"} {
		pages = append(pages, filepath.Join(root, more))
	}
	link := regexp.MustCompile(`\]\(([^)#]+)(#[^)]*)?\)`)
	for _, page := range pages {
		data, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range link.FindAllStringSubmatch(string(data), -1) {
			if strings.Contains(m[1], "://") {
				continue
			}
			if _, err := os.Stat(filepath.Join(filepath.Dir(page), m[1])); err != nil {
				t.Errorf("%s links to %s, which is not there", filepath.Base(page), m[1])
			}
		}
	}
}
