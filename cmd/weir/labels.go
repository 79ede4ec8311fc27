package main

import (
	"bufio"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/weir-ics/weir/detect/score"
	"github.com/weir-ics/weir/plant"
)

// labelSet is what was really done, in whatever form it was written down.
type labelSet struct {
	// events are stretches of time, with their frames where those are known.
	events plant.Labels
	// frames tells for each frame, from 1 on, whether it is malicious.
	frames []bool
	// rows are the rows of a table that was turned into a capture.
	rows []labelRow
}

// labelRow is one row: when it was polled, and whether a label column marks it.
type labelRow struct {
	time   int64
	marked bool
}

// readLabels reads one of: the JSON lines of weir plant; "frame;0|1"; a table of
// attacks with columns start and end; the row labels of weir plant csv.
func readLabels(path string) (*labelSet, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, usage(fmt.Errorf("read the labels: %w", err))
	}
	defer f.Close()
	r := bufio.NewReader(f)
	head, err := r.Peek(1 << 12)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, usage(fmt.Errorf("read %s: %w", path, err))
	}
	set := &labelSet{}
	line, _, _ := strings.Cut(string(head), "\n")
	switch {
	case strings.HasPrefix(line, "{"):
		set.events, err = plant.ReadLabels(r)
	case strings.HasPrefix(line, "row;"):
		err = set.readRows(r)
	case strings.Contains(line, "start") && strings.Contains(line, "end"):
		err = set.readTable(r)
	case strings.Count(line, ";") == 1:
		err = set.readFrames(r)
	default:
		err = errors.New(`neither JSON lines, "frame;0|1", a table with columns start and end, nor row labels`)
	}
	if err != nil {
		return nil, usage(fmt.Errorf("read %s: %w", path, err))
	}
	return set, nil
}

// maxLabelledFrames bounds the memory of frame labels.
const maxLabelledFrames = 1 << 28

func (s *labelSet) readFrames(r io.Reader) error {
	lines := bufio.NewScanner(r)
	for n := 1; lines.Scan(); n++ {
		text := strings.TrimSpace(lines.Text())
		if text == "" {
			continue
		}
		number, mark, _ := strings.Cut(text, ";")
		frame, err := strconv.Atoi(number)
		if err != nil || frame < 1 || frame > maxLabelledFrames || mark != "0" && mark != "1" {
			return fmt.Errorf("line %d: %q is not frame;0 or frame;1", n, text)
		}
		for len(s.frames) <= frame {
			s.frames = append(s.frames, false)
		}
		s.frames[frame] = mark == "1"
	}
	return lines.Err()
}

// readTable reads attacks with their start and end, which both belong to them,
// to the resolution they are written in.
func (s *labelSet) readTable(r io.Reader) error {
	rows := csv.NewReader(r)
	rows.FieldsPerRecord = -1
	all, err := rows.ReadAll()
	if err != nil {
		return err
	}
	column := func(name string) int { return slices.Index(all[0], name) }
	start, end, what := column("start"), column("end"), column("description")
	if start < 0 || end < 0 {
		return errors.New("the first line has no columns start and end")
	}
	for i, row := range all[1:] {
		if len(row) <= max(start, end) {
			return fmt.Errorf("line %d: too few columns", i+2)
		}
		from, err1 := parseLabelTime(row[start])
		to, err2 := parseLabelTime(row[end])
		if err := errors.Join(err1, err2); err != nil {
			return fmt.Errorf("line %d: %w", i+2, err)
		}
		if to.Before(from) {
			return fmt.Errorf("line %d: the end, %s, is before the start", i+2, row[end])
		}
		l := plant.Label{Kind: fmt.Sprintf("attack %d", i+1), Start: from, End: to, Malicious: true}
		if what >= 0 && what < len(row) {
			l.Description = row[what]
		}
		s.events = append(s.events, l)
	}
	return nil
}

func parseLabelTime(text string) (time.Time, error) {
	for _, layout := range []string{time.RFC3339, "2006-01-02 15:04:05", "2006-01-02 15:04", "2006-01-02T15:04:05"} {
		if t, err := time.Parse(layout, strings.TrimSpace(text)); err == nil {
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf("%q is not a time such as 2016-09-13 23:00", text)
}

// readRows reads row;time;first;last and label columns. A row is marked if one
// of them is neither empty nor zero nor negative.
func (s *labelSet) readRows(r io.Reader) error {
	rows := csv.NewReader(r)
	rows.Comma = ';'
	rows.FieldsPerRecord = -1
	for n := 1; ; n++ {
		row, err := rows.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if n == 1 {
			continue
		}
		if len(row) < 4 {
			return fmt.Errorf("line %d: a row label has row;time;first;last and labels", n)
		}
		t, err := time.Parse(time.RFC3339Nano, row[1])
		if err != nil {
			return fmt.Errorf("line %d: %w", n, err)
		}
		out := labelRow{time: t.UnixNano()}
		for _, cell := range row[4:] {
			if v, err := strconv.ParseFloat(strings.ReplaceAll(strings.TrimSpace(cell), ",", "."), 64); err == nil && v > 0 {
				out.marked = true
			}
		}
		s.rows = append(s.rows, out)
	}
}

// intervals are the stretches of the events.
func (s *labelSet) intervals() []score.Interval {
	var out []score.Interval
	for _, l := range s.events {
		out = append(out, score.Interval{Start: l.Start.UnixNano(), End: l.End.UnixNano()})
	}
	return out
}
