package plant

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"
)

// A Label is what was really done, for scoring what was found.
type Label struct {
	// Kind is a kind of Attacks, Description what it does.
	Kind string `json:"kind"`
	// Start and End are when it was going on.
	Start time.Time `json:"start"`
	End   time.Time `json:"end"`
	// Frames are the first and last packet that are part of it, 1-based; both 0
	// if none is, as when polls stop. Packets between that are not part of it are
	// normal.
	Frames [2]uint64 `json:"frames"`
	// Packets is how many packets are part of it.
	Packets uint64 `json:"packets"`
	// Source and Target are addresses; Source is that of whoever the packets seem
	// to come from.
	Source string `json:"source"`
	Target string `json:"target"`
	// Technique is of MITRE ATT&CK for ICS.
	Technique   string `json:"technique"`
	Description string `json:"description"`
	Malicious   bool   `json:"malicious"`
}

func (l *Label) note(p *Packet) {
	if l.Packets == 0 {
		l.Frames[0] = p.Frame
	}
	l.Frames[1] = p.Frame
	l.Packets++
	if t := time.Unix(0, p.Time).UTC(); t.After(l.End) {
		l.End = t
	}
}

// Labels are the labels of a capture in the order of the scenario's attacks.
type Labels []Label

// Write writes the labels as JSON lines.
func (l Labels) Write(w io.Writer) error {
	e := json.NewEncoder(w)
	for i := range l {
		if err := e.Encode(&l[i]); err != nil {
			return fmt.Errorf("write labels: %w", err)
		}
	}
	return nil
}

// ReadLabels reads what Labels.Write wrote. Each needs its kind, start and end.
func ReadLabels(r io.Reader) (Labels, error) {
	var labels Labels
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)
	n := 1
	for ; lines.Scan(); n++ {
		if len(bytes.TrimSpace(lines.Bytes())) == 0 {
			continue
		}
		var l Label
		err := json.Unmarshal(lines.Bytes(), &l)
		if err == nil {
			err = l.check()
		}
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
		labels = append(labels, l)
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("line %d: %w", n, err)
	}
	return labels, nil
}

// check finds what makes a label useless.
func (l *Label) check() error {
	switch {
	case l.Kind == "":
		return errors.New("a label has a kind")
	case l.Start.IsZero() || l.End.IsZero():
		return fmt.Errorf(`label %q has no start or no end, as "2026-03-02T06:00:00Z"`, l.Kind)
	case l.End.Before(l.Start):
		return fmt.Errorf("label %q ends, at %s, before it starts", l.Kind, l.End.Format(time.RFC3339))
	}
	return nil
}

// frameMarks writes "frame;0|1" lines. A nil *frameMarks writes nothing.
type frameMarks struct {
	w    *bufio.Writer
	line []byte
}

func newFrameMarks(w io.Writer) *frameMarks {
	if w == nil {
		return nil
	}
	return &frameMarks{w: bufio.NewWriter(w)}
}

func (m *frameMarks) mark(frame uint64, malicious bool) {
	if m == nil {
		return
	}
	m.line = strconv.AppendUint(m.line[:0], frame, 10)
	if malicious {
		m.line = append(m.line, ";1\n"...)
	} else {
		m.line = append(m.line, ";0\n"...)
	}
	_, _ = m.w.Write(m.line) // an error stays with the writer: flush tells it
}

func (m *frameMarks) flush() error {
	if m == nil {
		return nil
	}
	if err := m.w.Flush(); err != nil {
		return fmt.Errorf("write frame labels: %w", err)
	}
	return nil
}
