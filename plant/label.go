package plant

import (
	"bufio"
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

// ReadLabels reads what Labels.Write wrote.
func ReadLabels(r io.Reader) (Labels, error) {
	var labels Labels
	d := json.NewDecoder(r)
	for {
		var l Label
		if err := d.Decode(&l); errors.Is(err, io.EOF) {
			return labels, nil
		} else if err != nil {
			return nil, fmt.Errorf("read labels: label %d: %w", len(labels)+1, err)
		}
		labels = append(labels, l)
	}
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
