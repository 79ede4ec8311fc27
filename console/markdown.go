package console

import (
	"bytes"
	"html/template"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/text"
	"github.com/yuin/goldmark/util"
)

// prose turns a product note's Markdown into HTML. Goldmark leaves out raw HTML
// and addresses that would run a script, and the content policy stops the rest.
var prose = goldmark.New(goldmark.WithParserOptions(parser.WithASTTransformers(util.Prioritized(lower{}, 100))))

// lower puts a note's headings under the page's own.
type lower struct{}

// noteHeading is the level of a note's first heading.
const noteHeading = 4

func (lower) Transform(doc *ast.Document, _ text.Reader, _ parser.Context) {
	for n := doc.FirstChild(); n != nil; n = n.NextSibling() {
		if h, ok := n.(*ast.Heading); ok {
			h.Level = min(h.Level+noteHeading-1, 6)
		}
	}
}

func markdown(s string) template.HTML {
	var b bytes.Buffer
	if err := prose.Convert([]byte(s), &b); err != nil {
		return template.HTML(template.HTMLEscapeString(s))
	}
	return template.HTML(b.String())
}
