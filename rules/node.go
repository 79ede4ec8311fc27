package rules

import (
	"strings"

	"github.com/goccy/go-yaml/ast"
)

// text is a YAML scalar that remembers where it stands.
type text struct {
	value        string
	line, column int
}

// UnmarshalYAML takes any scalar as it is written.
func (t *text) UnmarshalYAML(n ast.Node) error {
	position := n.GetToken().Position
	t.line, t.column = position.Line, position.Column
	if lit, ok := n.(*ast.LiteralNode); ok {
		t.value = strings.TrimSpace(lit.Value.Value)
		return nil
	}
	t.value = strings.TrimSpace(n.GetToken().Value)
	return nil
}

// texts is a YAML scalar or a list of them.
type texts []text

// UnmarshalYAML takes a scalar as a list of one.
func (t *texts) UnmarshalYAML(n ast.Node) error {
	values := []ast.Node{n}
	if list, ok := n.(*ast.SequenceNode); ok {
		values = list.Values
	}
	for _, v := range values {
		var one text
		if err := one.UnmarshalYAML(v); err != nil {
			return err
		}
		*t = append(*t, one)
	}
	return nil
}

func (t texts) values() []string {
	var out []string
	for _, x := range t {
		out = append(out, x.value)
	}
	return out
}
