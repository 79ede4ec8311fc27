package sinks

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/weir-ics/weir/detect"
)

// Lines writes alerts one after another to a file or another writer, in a format
// that it is given. It is what the sub-packages jsonl and text are made of.
//
// As a log it writes every state an alert goes through, at once. As a list it
// keeps the last state of each alert in memory and writes them all when it is
// closed, in the order of start, then ID: that is the same, byte for byte, for
// the same input.
type Lines struct {
	name   string
	format Format
	list   bool
	limit  int
	w      io.Writer
	finish func(error) error // closes, or puts in place, what w writes to

	log *slog.Logger

	mu     sync.Mutex
	last   map[string]*entry
	buf    []byte
	ends   []int // of the alerts in buf
	torn   bool  // the last write ended in the middle of a line
	closed bool
	report Report
	why    string // the last Problem
	said   uint64 // how many were lost when that was over
}

type entry struct {
	start int64
	id    string
	text  []byte
}

// Format appends an alert in its present state, with its line end.
type Format func(dst []byte, a *detect.Alert) []byte

// DefaultLimit is how many alerts a list keeps if it is not told.
const DefaultLimit = 200_000

// LinesOptions say how Lines writes. The zero value is a log.
type LinesOptions struct {
	// List makes it a list.
	List bool
	// Limit is the most alerts a list keeps; further ones are counted as lost.
	// 0 is DefaultLimit.
	Limit int
	// MaxBytes is how large the file of a log may grow before it is renamed to
	// PATH.1 (and that to PATH.2, and so on) and begun anew; 0 is no bound. Keep
	// is how many renamed ones are kept, 4 by default; the oldest is deleted.
	MaxBytes int64
	Keep     int
	// Log is told when alerts cannot be written any more, and when they can be
	// again; nil tells nobody.
	Log *slog.Logger
}

// NewLines makes Lines that write to w, which it never closes. name is for
// people.
func NewLines(w io.Writer, name string, format Format, opt LinesOptions) *Lines {
	if opt.Limit <= 0 {
		opt.Limit = DefaultLimit
	}
	if opt.Log == nil {
		opt.Log = slog.New(slog.DiscardHandler)
	}
	return &Lines{name: name, log: opt.Log, format: format, list: opt.List, limit: opt.Limit, w: w, last: map[string]*entry{}, report: Report{Sink: name}}
}

// CreateLines makes Lines that write to a file. A log is appended to, and a line
// that an earlier run left unfinished is ended first. A list takes the place of
// the file when it is closed, all at once, so that nobody ever reads half of it;
// until then the file is as it was.
func CreateLines(path string, format Format, opt LinesOptions) (*Lines, error) {
	info, err := os.Stat(path)
	if err == nil && info.IsDir() {
		return nil, fmt.Errorf("write alerts to %s: it is a directory", path)
	}
	if opt.List && (err != nil || info.Mode().IsRegular()) {
		return createList(path, format, opt)
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR|os.O_APPEND, 0o640)
	if err != nil {
		// A pipe or a device may not be readable.
		if f, err = os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0o640); err != nil {
			return nil, fmt.Errorf("write alerts to %s: %w", path, reason(err))
		}
	}
	log := &logFile{f: f, path: path, limit: opt.MaxBytes, keep: opt.Keep}
	l := NewLines(log, path, format, opt)
	l.torn = log.begin()
	l.finish = func(err error) error { return errors.Join(err, log.f.Close()) }
	return l, nil
}

// logFile is a file that is appended to, and renamed when it is large.
type logFile struct {
	f     *os.File
	path  string
	limit int64
	keep  int
	size  int64
	whole bool // it is a regular file, from which an end can be taken
}

// begin looks at what is there, and tells whether it ends in the middle of a
// line.
func (g *logFile) begin() (torn bool) {
	if g.keep <= 0 {
		g.keep = 4
	}
	info, err := g.f.Stat()
	if err != nil || !info.Mode().IsRegular() {
		g.limit = 0
		return false
	}
	g.size, g.whole = info.Size(), true
	var end [1]byte
	if g.size > 0 {
		if _, err := g.f.ReadAt(end[:], g.size-1); err == nil {
			return end[0] != '\n'
		}
	}
	return false
}

// Write implements io.Writer.
func (g *logFile) Write(p []byte) (int, error) {
	if g.limit > 0 && g.size > 0 && g.size+int64(len(p)) > g.limit {
		if err := g.turn(); err != nil {
			return 0, err
		}
	}
	n, err := g.f.Write(p)
	g.size += int64(n)
	return n, err
}

// takeBack takes away the last n octets, which were just written.
func (g *logFile) takeBack(n int) error {
	if !g.whole {
		return errors.ErrUnsupported
	}
	info, err := g.f.Stat()
	if err == nil {
		err = g.f.Truncate(max(0, info.Size()-int64(n)))
	}
	if err == nil {
		g.size -= int64(n)
	}
	return err
}

// turn renames the file and begins a new one.
func (g *logFile) turn() error {
	for i := g.keep; i > 0; i-- {
		from := g.path
		if i > 1 {
			from = fmt.Sprintf("%s.%d", g.path, i-1)
		}
		if err := os.Rename(from, fmt.Sprintf("%s.%d", g.path, i)); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	f, err := os.OpenFile(g.path, os.O_CREATE|os.O_RDWR|os.O_APPEND, 0o640)
	if err != nil {
		return err
	}
	_ = g.f.Close()
	g.f, g.size = f, 0
	return nil
}

func createList(path string, format Format, opt LinesOptions) (*Lines, error) {
	// Made now, so that a folder that cannot be written to is known at once.
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return nil, fmt.Errorf("write alerts to %s: %w", path, reason(err))
	}
	l := NewLines(f, path, format, opt)
	l.finish = func(err error) error {
		if err == nil {
			err = f.Chmod(0o640)
		}
		if err == nil {
			err = f.Sync()
		}
		err = errors.Join(err, f.Close())
		if err == nil {
			err = os.Rename(f.Name(), path)
		}
		if err != nil {
			_ = os.Remove(f.Name())
		}
		return err
	}
	return l, nil
}

// Write takes in the alerts of one step. A log that cannot be written to counts
// what it lost, says so in its Report, and goes on.
func (l *Lines) Write(_ context.Context, out *detect.Output) error {
	if len(out.Alerts) == 0 {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return fmt.Errorf("write alerts to %s: it is closed", l.name)
	}
	if l.list {
		for i := range out.Alerts {
			l.remember(&out.Alerts[i])
		}
		return nil
	}
	l.buf, l.ends = l.buf[:0], l.ends[:0]
	if l.torn {
		l.buf = append(l.buf, '\n')
	}
	for i := range out.Alerts {
		l.buf = l.format(l.buf, &out.Alerts[i])
		l.ends = append(l.ends, len(l.buf))
	}
	l.append()
	return nil
}

// append writes the alerts in buf to a log. Of one that does not fit, nothing stays
// behind, if that can be.
func (l *Lines) append() {
	written, err := l.w.Write(l.buf)
	if err == nil {
		l.torn = false
		l.report.Written.Alerts += uint64(len(l.ends))
		if l.report.Problem != "" {
			l.report.Problem = ""
			l.log.Info("alerts can be written again", "file", l.name, "lost", l.report.Lost.Alerts-l.said)
			l.said = l.report.Lost.Alerts
		}
		return
	}
	whole, n := 0, 0
	if l.torn && written > 0 {
		whole = 1 // the line end of what was there before
	}
	for n < len(l.ends) && l.ends[n] <= written {
		whole = l.ends[n]
		n++
	}
	if written > whole {
		if back, ok := l.w.(interface{ takeBack(n int) error }); ok && back.takeBack(written-whole) == nil {
			written = whole
		}
	}
	if written > 0 {
		l.torn = l.buf[written-1] != '\n'
	}
	l.report.Written.Alerts += uint64(n)
	l.report.Lost.Alerts += uint64(len(l.ends) - n)
	l.why = fmt.Sprintf("write alerts to %s: %v", l.name, reason(err))
	if l.report.Problem == "" {
		l.log.Error("alerts cannot be written and are lost", "file", l.name, "error", reason(err))
	}
	l.report.Problem = l.why
}

func (l *Lines) remember(a *detect.Alert) {
	e := l.last[a.ID]
	if e == nil {
		if len(l.last) >= l.limit {
			l.report.Lost.Alerts++
			l.why = fmt.Sprintf("there are more than %d alerts; the later ones are left out", l.limit)
			l.report.Problem = l.why
			return
		}
		e = &entry{id: strings.Clone(a.ID)}
		l.last[e.id] = e
	}
	e.start = a.Start
	e.text = l.format(e.text[:0], a)
}

// put writes buf, which holds n alerts of a list.
func (l *Lines) put(n uint64) error {
	_, err := l.w.Write(l.buf)
	if err == nil {
		l.report.Written.Alerts += n
		return nil
	}
	l.report.Lost.Alerts += n
	l.why = fmt.Sprintf("write alerts to %s: %v", l.name, reason(err))
	l.report.Problem = l.why
	return err
}

// reason is what the system says of a file, without the name of the temporary
// one.
func reason(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}

// Flush does nothing: a log is written at once, a list when it is closed.
func (l *Lines) Flush(context.Context) error { return nil }

// Close writes what a list holds, and closes the file.
func (l *Lines) Close(context.Context) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil
	}
	l.closed = true
	var err error
	if l.list {
		err = l.writeList()
	}
	if l.finish != nil {
		err = l.finish(err)
	}
	if err != nil {
		if l.list {
			l.report.Lost.Add(l.report.Written)
			l.report.Written = Counts{}
		}
		return fmt.Errorf("write alerts to %s: %w", l.name, reason(err))
	}
	if l.report.Lost.Alerts > 0 {
		return fmt.Errorf("write alerts to %s: %s lost: %s", l.name, plural(l.report.Lost.Alerts, "alert"), l.why)
	}
	return nil
}

func (l *Lines) writeList() error {
	all := make([]*entry, 0, len(l.last))
	for _, e := range l.last {
		all = append(all, e)
	}
	slices.SortFunc(all, func(a, b *entry) int {
		return cmp.Or(cmp.Compare(a.start, b.start), strings.Compare(a.id, b.id))
	})
	var err error
	n := uint64(0)
	l.buf = l.buf[:0]
	for i, e := range all {
		l.buf = append(l.buf, e.text...)
		n++
		if len(l.buf) >= 1<<16 || i == len(all)-1 {
			if e := l.put(n); err == nil {
				err = e
			}
			l.buf, n = l.buf[:0], 0
		}
	}
	return err
}

// List tells whether it is a list, of which nothing is written before it is closed.
func (l *Lines) List() bool { return l.list }

// Report says what was written. A log counts the states of alerts.
func (l *Lines) Report() Report {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.report
}
