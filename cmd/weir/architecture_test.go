package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/weir-ics/weir/"

// mayImport says which of our folders a top-level folder may import; a folder
// always may import what is in itself. docs/architecture.md says why.
var mayImport = map[string][]string{
	"capture":        {},
	"protocols":      {},
	"detect":         {"protocols"},
	"rules":          {"protocols", "detect"},
	"firmware-notes": {"protocols", "detect"},
	"sinks":          {"protocols", "detect"},
	"store":          {"protocols", "detect"},
	"console":        {"protocols", "detect"},
	"plant":          {"protocols"},
	"cmd":            {"capture", "protocols", "detect", "rules", "firmware-notes", "sinks", "store", "console", "plant"},
}

func TestImportsGoOnlyTheWaysOfTheDesign(t *testing.T) {
	root := filepath.Join("..", "..")
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && strings.HasPrefix(d.Name(), ".") && path != root {
			return filepath.SkipDir
		}
		// Tests, and packages that only tests use, may import more.
		if !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") || strings.HasSuffix(filepath.Dir(path), "test") {
			return nil
		}
		rel, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		folder := strings.Split(filepath.ToSlash(rel), "/")[0]
		allowed, known := mayImport[folder]
		if !known {
			t.Errorf("%s: the folder %q is not in docs/architecture.md", rel, folder)
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		for _, i := range file.Imports {
			p, err := strconv.Unquote(i.Path.Value)
			if err != nil {
				return err
			}
			rest, ours := strings.CutPrefix(p, module)
			if !ours {
				continue
			}
			other := strings.Split(rest, "/")[0]
			ok := other == folder && other != "cmd"
			for _, a := range allowed {
				ok = ok || a == other
			}
			if !ok {
				t.Errorf("%s imports %s; %s may import %v", rel, rest, folder, allowed)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestNoClockAndNoChanceBetweenCaptureAndAlert holds the principle that packet
// time is the only clock and an alert a pure function of its input.
func TestNoClockAndNoChanceBetweenCaptureAndAlert(t *testing.T) {
	for _, folder := range []string{"protocols", "detect"} {
		err := filepath.WalkDir(filepath.Join("..", "..", folder), func(path string, _ fs.DirEntry, err error) error {
			if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
			if err != nil {
				return err
			}
			for _, i := range file.Imports {
				if p, _ := strconv.Unquote(i.Path.Value); p == "math/rand" || p == "math/rand/v2" || p == "crypto/rand" || p == "os" || p == "net" {
					t.Errorf("%s imports %s", path, p)
				}
			}
			ast.Inspect(file, func(n ast.Node) bool {
				if s, ok := n.(*ast.SelectorExpr); ok {
					if x, ok := s.X.(*ast.Ident); ok && x.Name == "time" && (s.Sel.Name == "Now" || s.Sel.Name == "Since" || s.Sel.Name == "Until") {
						t.Errorf("%s calls time.%s", path, s.Sel.Name)
					}
				}
				return true
			})
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}
