package store

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"time"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/weir-ics/weir/detect"
)

// ErrForeign tells that the file is not a store of weir. It was not touched.
var ErrForeign = errors.New("not a store of weir")

// Store is an open store. All methods may be called by many goroutines at once.
type Store struct {
	path string
	opt  Options
	// batchOctets is when a batch is committed at once.
	batchOctets int
	// write is held by the writer goroutine, read by everybody else.
	write *writer
	read  *sql.DB

	mu      sync.Mutex
	room    sync.Cond // signalled when pending was taken or the writer failed
	pending *batch
	spare   *batch
	series  map[*detect.Series]*seriesBuf
	names   map[string]*seriesBuf // of counters
	near    *seriesBuf            // the last that was looked up
	singles []*seriesBuf          // of the message in work
	numbers uint64                // of groups there were
	members int                   // of groups that are known
	// epoch is the number of times that all was said anew, epochOctets what was
	// written since.
	epoch       uint32
	epochOctets int
	clock       int64
	counted     int64 // packet time of the last counters that are part of the history
	// latest are the newest counters.
	latest      []detect.Counter
	latestClock int64
	closed      bool
	report      Report
	flight      Counts // taken by the writer, not committed yet
	failing     bool

	kick chan struct{} // a batch is big enough to be committed now
	asks chan ask      // what must be done by the writer
	done chan struct{} // closed when the writer has ended
}

// ask is something for the writer to do between two commits.
type ask struct {
	do func(context.Context, *sql.Conn) error
	// fate receives do's error, or the commit's.
	fate chan error
	// end makes it the writer's last deed.
	end bool
}

// Open opens the store in the file at path, or makes it. A file that is damaged
// is renamed (path.damaged-TIME), never deleted, and a new one is begun: Log is
// told. A file that is something else is left alone: the error is ErrForeign.
// With Existing nothing is made or renamed.
func Open(path string, opt Options) (*Store, error) {
	opt.fill()
	s, err := open(path, opt)
	if err == nil || !damaged(err) {
		return s, wrap(path, err)
	}
	if opt.Existing {
		return nil, fmt.Errorf("open store %s: it is damaged, or no store of weir: %w", path, err)
	}
	aside := path + ".damaged-" + time.Now().UTC().Format("20060102T150405.000Z")
	for _, suffix := range []string{"", "-wal", "-shm"} {
		if e := os.Rename(path+suffix, aside+suffix); e != nil && !errors.Is(e, os.ErrNotExist) {
			return nil, fmt.Errorf("open store %s: it is damaged (%w), and setting it aside failed: %w", path, err, e)
		}
	}
	opt.Log.Error("the store is damaged: it was set aside and a new one is begun", "store", path, "kept as", aside, "because", err)
	s, err = open(path, opt)
	return s, wrap(path, err)
}

func wrap(path string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("open store %s: %w", path, err)
}

func open(path string, opt Options) (*Store, error) {
	if err := sniff(path, opt.Existing); err != nil {
		return nil, err
	}
	w, err := newWriter(path, &opt)
	if err != nil {
		return nil, err
	}
	read, err := sql.Open("sqlite", dsn(path, "query_only(1)", "busy_timeout(5000)", readCache))
	if err != nil {
		_ = w.close()
		return nil, err
	}
	read.SetMaxOpenConns(readers)
	read.SetMaxIdleConns(readers)
	s := &Store{
		path: path, opt: opt, write: w, read: read,
		pending: newBatch(), spare: newBatch(),
		series: map[*detect.Series]*seriesBuf{}, names: map[string]*seriesBuf{},
		kick: make(chan struct{}, 1), asks: make(chan ask), done: make(chan struct{}),
		report: Report{Path: path},
	}
	s.room.L = &s.mu
	s.batchOctets = batchOctets
	if limit := opt.Retention.MaxBytes; limit > 0 {
		s.batchOctets = int(min(batchOctets, max(limit/64, 16<<10)))
	}
	go s.run()
	return s, nil
}

// dsn is the address of the file for the driver.
func dsn(path string, pragmas ...string) string {
	abs, err := filepath.Abs(path)
	if err != nil {
		abs = path
	}
	u := url.URL{Scheme: "file", Path: filepath.ToSlash(abs), RawQuery: url.Values{"_pragma": pragmas}.Encode()}
	return u.String()
}

// sniff tells a file that cannot be a store from a store that may be damaged: a
// capture given by mistake must not be moved away. A file that is not there can
// become one, unless it must exist.
func sniff(path string, exists bool) error {
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) && !exists {
		return canMake(path)
	}
	if err != nil {
		return reason(err)
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || info.IsDir() {
		return errors.Join(err, fmt.Errorf("it is a directory: %w", ErrForeign))
	}
	if err := canMake(path); err != nil {
		return fmt.Errorf("it cannot be written to: %w", err)
	}
	head := make([]byte, 16)
	n, _ := f.Read(head)
	magic := []byte("SQLite format 3\x00")
	if n == 0 || bytes.Equal(head[:n], magic[:n]) || bytes.Equal(head, make([]byte, 16)) ||
		slices.Contains([]string{".db", ".sqlite", ".sqlite3", ".weir"}, filepath.Ext(path)) {
		return nil
	}
	return ErrForeign
}

// canMake tells why a file cannot be made, or written to, at path: SQLite only
// says that it cannot.
func canMake(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o640)
	if err != nil {
		return reason(err)
	}
	return f.Close()
}

// reason is what the system says of a file, without its name.
func reason(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}

// damaged tells whether an error is SQLite's word that the file is not sound.
func damaged(err error) bool {
	switch code(err) {
	case sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB:
		return true
	}
	return errors.Is(err, errUnsound)
}

// code is the primary result code of SQLite's error, 0 if err is none.
func code(err error) int {
	var e *sqlite.Error
	if errors.As(err, &e) {
		return e.Code() & 0xff
	}
	return 0
}

var errUnsound = errors.New("the file is not sound")

// What SQLite keeps of the file in memory, in KiB, each connection by itself; it takes
// twice that, because a page and what is known of it are just more than a power of two.
// Readers look at what the system has in memory anyhow. A sensor commits little at a
// time, into the last page of few logs; a replay all at once.
const (
	readCache   = "cache_size(-500)"
	sensorCache = "cache_size(-1000)"
	replayCache = "cache_size(-8000)"
	// readers is how many read at a time, which takes milliseconds; each takes 2 MiB.
	readers = 2
)

func (o *Options) writeCache() string {
	if o.Wait {
		return replayCache
	}
	return sensorCache
}

// newWriter opens the one connection that writes, checks the file and brings
// its tables up to date.
func newWriter(path string, opt *Options) (*writer, error) {
	ctx := context.Background()
	// auto_vacuum must come before the first table is made.
	db, err := sql.Open("sqlite", dsn(path, "busy_timeout(5000)", "auto_vacuum(2)", "journal_mode(WAL)", "synchronous(NORMAL)",
		"wal_autocheckpoint(4000)", "journal_size_limit(67108864)", "temp_store(2)", opt.writeCache()))
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	c, err := db.Conn(ctx)
	if err != nil {
		_ = db.Close()
		return nil, err
	}
	w := &writer{db: db, c: c, opt: opt}
	if err := w.prepare(ctx); err != nil {
		_ = w.close()
		return nil, err
	}
	return w, nil
}

func (w *writer) prepare(ctx context.Context) error {
	if err := migrate(ctx, w.c); err != nil {
		return err
	}
	if err := w.check(ctx); err != nil {
		return err
	}
	if err := w.c.QueryRowContext(ctx, "PRAGMA page_size").Scan(&w.pageSize); err != nil {
		return err
	}
	if limit := w.opt.Retention.MaxBytes; limit > 0 {
		// shrink keeps clear of it; this is for when it cannot.
		if _, err := w.c.ExecContext(ctx, fmt.Sprintf("PRAGMA max_page_count = %d", limit/w.pageSize)); err != nil {
			return err
		}
	}
	for _, t := range []struct {
		table string
		n     *int
	}{{"alert", &w.alerts}, {"asset", &w.assets}, {"link", &w.links}, {"command", &w.commands}, {"series", &w.series}} {
		if err := w.c.QueryRowContext(ctx, "SELECT count(*) FROM "+t.table).Scan(t.n); err != nil {
			return err
		}
	}
	// What the last run left is summed up, as far as it knew the time.
	if err := w.c.QueryRowContext(ctx, "SELECT (SELECT ifnull(max(id), 0) FROM flush), (SELECT ifnull(max(id), 0) FROM series), (SELECT ifnull(max(hour), 0) FROM flush)").
		Scan(&w.flushes, &w.lastSeries, &w.clock); err != nil {
		return err
	}
	for q, st := range map[string]**sql.Stmt{
		putAlert: &w.putAlert, putAsset: &w.putAsset, putLink: &w.putLink, putSeries: &w.putSeries, findSeries: &w.findSeries, nameSeries: &w.nameSeries,

		putFlush: &w.putFlush, putBlock: &w.putBlock, putSums: &w.putSums, putCommand: &w.putCommand, putCounter: &w.putCounter,
	} {
		var err error
		if *st, err = w.c.PrepareContext(ctx, q); err != nil {
			return err
		}
	}
	return nil
}

// checkTime is how long Open looks for damage in a store that was not closed.
const checkTime = 5 * time.Second

// check looks for damage if the store was not closed properly last time, and
// marks it as open.
func (w *writer) check(ctx context.Context) error {
	var clean string
	err := w.c.QueryRowContext(ctx, "SELECT value FROM meta WHERE key = 'closed'").Scan(&clean)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return err
	}
	if clean == "0" {
		limited, cancel := context.WithTimeout(ctx, checkTime)
		defer cancel()
		var word string
		err := w.c.QueryRowContext(limited, "PRAGMA quick_check(1)").Scan(&word)
		switch {
		case err != nil && limited.Err() == nil:
			return err
		case err == nil && word != "ok":
			return fmt.Errorf("%w: %s", errUnsound, word)
		}
	}
	return mark(ctx, w.c, "closed", "0")
}

// close closes the file. An open statement would keep SQLite from emptying the
// journal.
func (w *writer) close() error {
	var err error
	for _, st := range []*sql.Stmt{w.putAlert, w.putAsset, w.putLink, w.putSeries, w.findSeries, w.nameSeries, w.putFlush, w.putBlock, w.putSums, w.putCommand, w.putCounter} {
		if st != nil {
			err = errors.Join(err, st.Close())
		}
	}
	return errors.Join(err, w.c.Close(), w.db.Close())
}

// Report says what became of what was written so far.
func (s *Store) Report() Report {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.report
	r.Waiting = s.pending.counts
	r.Waiting.add(&s.flight)
	return r
}

// ask has the writer do something in a transaction that is forced to disk, and
// waits for it.
func (s *Store) ask(ctx context.Context, a ask) error {
	a.fate = make(chan error, 1)
	select {
	case s.asks <- a:
	case <-s.done:
		return fmt.Errorf("store %s is closed", s.path)
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case err := <-a.fate:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Flush commits everything that was written before it was called. An error
// says why not; what was not committed is kept and tried again.
func (s *Store) Flush(ctx context.Context) error {
	return s.ask(ctx, ask{do: func(context.Context, *sql.Conn) error { return nil }})
}

// Close commits what waits and closes the file. An error says what was lost.
// Write and every reader fail afterwards. A second Close does nothing.
func (s *Store) Close(ctx context.Context) error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.closed = true
	s.keepCounters(s.latest, s.latestClock)
	s.room.Broadcast()
	s.mu.Unlock()
	// The writer must be the last to close: it empties the journal into the file.
	errRead := s.read.Close()
	err := s.ask(ctx, ask{end: true, do: func(ctx context.Context, c *sql.Conn) error {
		return mark(ctx, c, "closed", "1")
	}})
	if err = errors.Join(err, errRead); err != nil {
		return fmt.Errorf("close store %s: %w", s.path, err)
	}
	return nil
}

// id gives a series its public name.
func id(n int64) string { return strconv.FormatInt(n, 10) }
