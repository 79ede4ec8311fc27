// Package jsonl writes alerts as JSON lines: one object a line, in the format of
// the alert line (detect.Alert.AppendJSON), UTF-8, ended by a line feed.
package jsonl

import (
	"io"

	"github.com/weir-ics/weir/detect"
	"github.com/weir-ics/weir/sinks"
)

// New writes alerts to w.
func New(w io.Writer, name string, opt sinks.LinesOptions) *sinks.Lines {
	return sinks.NewLines(w, name, line, opt)
}

// Create writes alerts to a file; see [sinks.CreateLines].
func Create(path string, opt sinks.LinesOptions) (*sinks.Lines, error) {
	return sinks.CreateLines(path, line, opt)
}

func line(dst []byte, a *detect.Alert) []byte { return append(a.AppendJSON(dst), '\n') }
