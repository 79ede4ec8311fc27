// Package text writes alerts for people to read: a few lines each, the severity
// first.
//
//	HIGH      2016-04-06 14:32:11.480  192.168.1.101 now commands 192.168.1.102
//	          192.168.1.101 wrote a coil of 192.168.1.102. It never sent a request in ...
//	          coil 4 · Write Single Coil (5) · frames 4785-4786 · T0855 · function.new · raised · alert 5f2c
package text

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/term"

	"github.com/weir-ics/weir/detect"
	"github.com/weir-ics/weir/protocols"
	"github.com/weir-ics/weir/sinks"
)

// Options say how alerts are written.
type Options struct {
	sinks.LinesOptions
	// Colour gives the severity a colour; see [Colour].
	Colour bool
}

// New writes alerts to w.
func New(w io.Writer, name string, opt Options) *sinks.Lines {
	return sinks.NewLines(w, name, opt.format, opt.LinesOptions)
}

// Create writes alerts to a file; see [sinks.CreateLines].
func Create(path string, opt Options) (*sinks.Lines, error) {
	return sinks.CreateLines(path, opt.format, opt.LinesOptions)
}

// Colour tells whether w is a terminal whose user has nothing against colours
// (NO_COLOR, https://no-color.org).
func Colour(w io.Writer) bool {
	f, ok := w.(interface{ Fd() uintptr })
	return ok && term.IsTerminal(int(f.Fd())) && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
}

// colours are the SGR parameters of severities, from info to critical.
var colours = [protocols.NumSeverities]string{"2", "36", "33", "31", "1;37;41"}

const indent = "          "

func (o Options) format(dst []byte, a *detect.Alert) []byte {
	label := strings.ToUpper(a.Severity.String())
	pad := indent[min(len(label), len(indent)-1):]
	if o.Colour && a.Severity < protocols.NumSeverities {
		label = "\x1b[" + colours[a.Severity] + "m" + label + "\x1b[0m"
	}
	dst = append(dst, label...)
	dst = append(dst, pad...)
	dst = time.Unix(0, a.Start).UTC().AppendFormat(dst, "2006-01-02 15:04:05.000")
	dst = append(dst, ' ', ' ')
	dst = appendSafe(dst, a.Title)
	dst = append(dst, '\n')
	if a.Explanation != "" {
		dst = append(dst, indent...)
		dst = appendSafe(dst, a.Explanation)
		dst = append(dst, '\n')
	}
	var facts []string
	for i, p := range a.Points {
		if i == 4 {
			facts = append(facts, fmt.Sprintf("%d further points", len(a.Points)-i))
			break
		}
		facts = append(facts, point(p))
	}
	if a.Function >= 0 && a.FunctionName != "" {
		facts = append(facts, fmt.Sprintf("%s (%d)", a.FunctionName, a.Function))
	}
	if a.FirstFrame != 0 {
		facts = append(facts, "frames "+span(a.FirstFrame, a.LastFrame))
	}
	if len(a.Techniques) > 0 {
		facts = append(facts, strings.Join(a.Techniques, " "))
	}
	if a.Kind != nil {
		facts = append(facts, a.Kind.Name)
	}
	if a.Rule != "" {
		facts = append(facts, "rule "+a.Rule)
	}
	state := a.State.String()
	if a.Count > 1 {
		state = fmt.Sprintf("%s, %d times", state, a.Count)
	}
	facts = append(facts, state, "alert "+a.ID)
	if a.Incident != "" {
		facts = append(facts, "incident "+a.Incident)
	}
	dst = append(dst, indent...)
	dst = appendSafe(dst, strings.Join(facts, " · "))
	return append(dst, '\n')
}

func point(p detect.PointRef) string {
	s := p.Kind.String() + " " + span(uint64(p.First), uint64(p.Last))
	if p.Device.IsValid() {
		s += " of " + p.Device.String()
	}
	if p.Name != "" {
		s += " " + p.Name
	}
	return s
}

func span(first, last uint64) string {
	if last <= first {
		return fmt.Sprint(first)
	}
	return fmt.Sprintf("%d-%d", first, last)
}

// appendSafe appends text that may come from the wire: nothing in it can move
// the cursor, change the terminal's state or turn the reading direction.
func appendSafe(dst []byte, s string) []byte {
	for _, r := range s {
		switch {
		case r < 0x20, r >= 0x7f && r < 0xa0, r >= 0x200e && r <= 0x200f, r >= 0x2028 && r <= 0x202e, r >= 0x2066 && r <= 0x2069:
			r = utf8.RuneError
		}
		dst = utf8.AppendRune(dst, r)
	}
	return dst
}
