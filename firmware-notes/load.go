package notes

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/token"
)

//go:embed shipped/*.md
var shipped embed.FS

// Library is the notes that are loaded, in the order of their ids.
type Library struct{ notes []*Note }

// Notes returns the notes. The caller must not change them.
func (l *Library) Notes() []*Note { return l.notes }

// Error is what is wrong in a note.
type Error struct {
	File         string
	Line, Column int
	Message      string
}

func (e *Error) Error() string {
	if e.Line == 0 {
		return fmt.Sprintf("read %s: %s", e.File, e.Message)
	}
	return fmt.Sprintf("read %s:%d:%d: %s", e.File, e.Line, e.Column, e.Message)
}

// Load reads the notes shipped with weir and the *.md files of the folders
// named. A note with the id of a shipped one replaces it. The error joins all
// that is wrong, each an *Error; the Library holds what was right.
func Load(folders ...string) (*Library, error) {
	byID := map[string]*Note{}
	var problems []error
	read := func(fsys fs.FS, dir, shown string) {
		names, err := fs.Glob(fsys, path.Join(dir, "*.md"))
		if err == nil && len(names) == 0 {
			err = &Error{File: shown, Message: "the folder holds no *.md file"}
		}
		if err != nil {
			problems = append(problems, err)
		}
		for _, name := range names {
			where := filepath.Join(shown, path.Base(name))
			data, err := fs.ReadFile(fsys, name)
			if err != nil {
				problems = append(problems, &Error{File: where, Message: err.Error()})
				continue
			}
			n, err := Parse(where, data)
			if err != nil {
				problems = append(problems, err)
				continue
			}
			byID[n.ID] = n
		}
	}
	read(shipped, "shipped", "shipped")
	for _, f := range folders {
		if info, err := os.Stat(f); err != nil || !info.IsDir() {
			problems = append(problems, &Error{File: f, Message: "not a folder that can be read"})
			continue
		}
		read(os.DirFS(f), ".", f)
	}
	l := &Library{}
	for _, n := range byID {
		l.notes = append(l.notes, n)
	}
	slices.SortFunc(l.notes, func(a, b *Note) int { return strings.Compare(a.ID, b.ID) })
	return l, errors.Join(problems...)
}

const fence = "---\n"

var macPattern = regexp.MustCompile(`(?i)^[0-9a-f]{2}(:[0-9a-f]{2}){2,5}$`)

// Parse reads one note; file is its path, whose base name gives the id.
func Parse(file string, data []byte) (*Note, error) {
	data = bytes.ReplaceAll(data, []byte("\r\n"), []byte("\n"))
	rest, ok := bytes.CutPrefix(data, []byte(fence))
	if !ok {
		return nil, &Error{file, 1, 1, `a note starts with a line "---" and its front matter`}
	}
	front, body, ok := bytes.Cut(rest, []byte("\n"+fence))
	if !ok {
		return nil, &Error{file, 1, 1, `the front matter is not closed by a line "---"`}
	}
	n := &Note{ID: strings.TrimSuffix(filepath.Base(file), ".md"), File: file, Body: strings.TrimSpace(string(body))}
	if err := yaml.NewDecoder(bytes.NewReader(front), yaml.Strict()).Decode(n); err != nil {
		var at interface {
			GetToken() *token.Token
			GetMessage() string
		}
		if errors.As(err, &at) && at.GetToken() != nil && at.GetToken().Position != nil {
			p := at.GetToken().Position
			return nil, &Error{file, p.Line + 1, p.Column, at.GetMessage()}
		}
		return nil, &Error{file, 2, 1, err.Error()}
	}
	if problem := n.problem(); problem != "" {
		return nil, &Error{file, 2, 1, problem}
	}
	return n, nil
}

func (n *Note) problem() string {
	switch {
	case n.Vendor == "" || n.Product == "":
		return "the front matter needs vendor and product"
	case len(n.Match) == 0:
		return "the front matter needs at least one sign under match"
	case len(n.Sources) == 0:
		return "the front matter needs sources: a note without them cannot be checked"
	case n.Body == "":
		return "the note has no text"
	}
	if _, err := time.Parse(time.DateOnly, n.Reviewed); err != nil {
		return fmt.Sprintf("reviewed %q is not a day written as 2006-01-02", n.Reviewed)
	}
	for i, s := range n.Match {
		switch {
		case s.Vendor+s.Product+s.Model+s.MAC == "":
			return fmt.Sprintf("sign %d of match names neither vendor, product, model nor mac", i+1)
		case s.MAC != "" && !macPattern.MatchString(s.MAC):
			return fmt.Sprintf("mac %q is not the start of a MAC address, three octets or more (00:80:f4)", s.MAC)
		}
	}
	for i, a := range n.Advisories {
		if a.ID == "" || a.Title == "" || a.Source == "" {
			return fmt.Sprintf("advisory %d needs id, title and source", i+1)
		}
		if a.Below != "" && len(numbers(a.Below)) == 0 {
			return fmt.Sprintf("advisory %s: below %q holds no version number", a.ID, a.Below)
		}
	}
	return ""
}
