package main

import (
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// places are where the values of a configuration stand in its file, so that what is
// wrong with one is told with its line and column, whenever that is found out. A value
// that comes from the command line has none.
type places struct {
	file string
	at   map[string]*token.Position // by path: capture.buffer, rules.paths.0
}

func placesOf(file string, data []byte) places {
	p := places{file: file, at: map[string]*token.Position{}}
	if f, err := parser.ParseBytes(data, 0); err == nil && len(f.Docs) > 0 {
		p.walk("", f.Docs[0].Body)
	}
	return p
}

// walk notes the value at a path, and what is in it.
func (p places) walk(path string, n ast.Node) {
	if n == nil || n.GetToken() == nil {
		return
	}
	if path != "" {
		p.at[path] = n.GetToken().Position
	}
	switch n := n.(type) {
	case *ast.MappingNode:
		for _, v := range n.Values {
			p.pair(path, v)
		}
	case *ast.MappingValueNode:
		p.pair(path, n)
	case *ast.SequenceNode:
		for i, v := range n.Values {
			p.walk(path+"."+strconv.Itoa(i), v)
		}
	}
}

func (p places) pair(path string, n *ast.MappingValueNode) {
	key := n.Key.GetToken()
	if key == nil {
		return
	}
	inner := strings.TrimPrefix(path+"."+key.Value, ".")
	p.walk(inner, n.Value)
	if path == "hosts" { // what may be wrong with one is its key
		p.at[inner] = key.Position
	}
}

// has tells whether a value stands in the file.
func (p places) has(path string) bool { return p.at[path] != nil }

// elements are the paths of what is in a list or is a host: the list is named to
// people, the place says which.
var elements = regexp.MustCompile(`^(hosts|rules\.[a-z]+|notes\.[a-z]+)\..*$`)

// forget is called for a value that the command line gives.
func (p places) forget(path string) { delete(p.at, path) }

// wrong says what is wrong with the value at a path, and where that is. It returns
// nil if err is nil.
func (p places) wrong(path string, err error) error {
	if err == nil {
		return nil
	}
	at := p.at[path]
	key := elements.ReplaceAllString(path, "$1")
	if at == nil {
		return fmt.Errorf("%s: %w", key, err)
	}
	return fmt.Errorf("read %s:%d:%d: %s: %w", p.file, at.Line, at.Column, key, err)
}

// there looks whether the file at a path of the configuration is there. What the
// command line names is told by who reads it.
func (p places) there(path, file string) error {
	if !p.has(path) || file == "" {
		return nil
	}
	if _, err := os.Stat(file); err != nil {
		return usage(p.wrong(path, fmt.Errorf("%s: %w", file, reason(err))))
	}
	return nil
}
