package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	sqlite3 "modernc.org/sqlite/lib"

	"github.com/weir-ics/weir/detect"
)

// writer owns the connection that writes. Only the writer goroutine uses it.
type writer struct {
	db  *sql.DB
	c   *sql.Conn
	opt *Options

	putAlert, putAsset, putLink, putSeries, findSeries, nameSeries, putFlush, putBlock, putSums, putCommand, putCounter *sql.Stmt

	pageSize int64
	// rows there are, for the caps
	alerts, assets, links, commands, series int
	lastSeries                              int64
	full                                    bool // synchronous is FULL now
	untidy                                  bool // the last maintain failed
	sweep                                   sweep
	// clock is the newest packet time committed in this run.
	clock int64
	bytes int64
	// flushes is the number of the last flush; order and block are put to use again.
	flushes int64
	order   []placed
	block   []byte
	// forced is when the last commit was forced to the disk.
	forced time.Time
}

const (
	putAlert = `INSERT INTO alert (id, incident, kind, severity, state, score, start, end, count, proto, client, server, rule, title, search, body)
		VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)
		ON CONFLICT DO UPDATE SET incident = excluded.incident, kind = excluded.kind, severity = excluded.severity,
			state = excluded.state, score = excluded.score, start = excluded.start, end = excluded.end, count = excluded.count,
			proto = excluded.proto, client = excluded.client, server = excluded.server, rule = excluded.rule,
			title = excluded.title, search = excluded.search, body = excluded.body`
	putAsset = `INSERT OR REPLACE INTO asset (key, ip, name, vendor, product, model, version, first, last, messages, known, body)
		VALUES (?,?,?,?,?,?,?,?,?,?,?,?)`
	putLink = `INSERT OR REPLACE INTO link (key, client, server, port, proto, unit, master, outstation, first, last, messages, known, unseen, body)
		VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?)`
	putSeries = `INSERT INTO series (id, key, role, sort, device, proto, unit, kind, idx, type, name, eu, search)
		VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?)`
	findSeries = `SELECT id FROM series WHERE key = ?`
	nameSeries = `UPDATE series SET name = ?1, eu = ?2, search = ?3 WHERE id = ?4 AND (name <> ?1 OR eu <> ?2)`
	putFlush   = `INSERT INTO flush (id, hour, fresh, count, state) VALUES (?,?,?,?,0)`
	putBlock   = `INSERT INTO block (id, data) VALUES (?,?)`
	putSums    = `INSERT INTO sums (tier, bucket, unit, count, done, data) VALUES (?,?,?,?,?,?)`
	putCommand = `INSERT INTO command (series, time, client, access, value) VALUES (?,?,?,?,?)`
	putCounter = `INSERT OR REPLACE INTO counter (name, value, time) VALUES (?,?,?)`
)

// run is the writer goroutine.
func (s *Store) run() {
	defer close(s.done)
	ctx := context.Background()
	tick := time.NewTicker(s.opt.CommitInterval)
	defer tick.Stop()
	var held *batch // taken, not committed: the disk refused it
	last := time.Now()
	for {
		var a *ask
		urgent := false
		select {
		case <-s.kick:
			urgent = true
		case <-tick.C:
		case got := <-s.asks:
			a, urgent = &got, true
		}
		if held == nil {
			due := time.Since(last) >= s.opt.SampleInterval
			if held = s.take(!urgent && !due); held != nil || due {
				last = time.Now()
			}
		}
		err := s.commit(ctx, held, a)
		if err == nil && held != nil {
			s.give(held)
			held = nil
			// What came while a batch was held is committed by the next round.
			if a != nil && a.do != nil {
				if held = s.take(false); held != nil {
					if err = s.commit(ctx, held, nil); err == nil {
						s.give(held)
						held = nil
					}
				}
			}
		}
		s.say(err, held)
		if a != nil {
			if a.end {
				s.finish(ctx)
				err = errors.Join(err, s.end(held))
				a.fate <- err
				return
			}
			a.fate <- err
		}
		// A full disk or store is one more reason to tidy.
		s.maintain(ctx)
	}
}

// finish sums up what a replay brought faster than that was done, so that who looks
// at it next need not read it all.
func (s *Store) finish(ctx context.Context) {
	for begun := time.Now(); s.opt.Wait && !s.write.untidy && time.Since(begun) < finishTime; {
		if s.maintain(ctx) {
			return
		}
	}
}

// finishTime is the longest that finish takes.
const finishTime = 10 * time.Second

// end closes the file; what is still held is lost.
func (s *Store) end(held *batch) error {
	s.mu.Lock()
	lost := s.pending.counts
	if held != nil {
		lost.add(&held.counts)
	}
	s.report.Lost.add(&lost)
	s.pending.counts, s.flight = Counts{}, Counts{}
	s.mu.Unlock()
	var err error
	if lost != (Counts{}) {
		err = fmt.Errorf("lost %s and %s that could not be written", plural(lost.Alerts, "alert update"), plural(lost.Values, "value"))
	}
	return errors.Join(err, s.write.close())
}

// give counts a committed batch and hands its memory back.
func (s *Store) give(b *batch) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.report.Written.add(&b.counts)
	s.flight = Counts{}
	for i := range b.segments {
		if g := &b.segments[i]; g.fresh {
			for _, m := range g.group.members {
				m.row = m.id
			}
		}
	}
	b.reset()
	s.spare = b
}

// say tells a person that writing began or ceased to fail.
func (s *Store) say(err error, held *batch) {
	s.mu.Lock()
	defer s.mu.Unlock()
	was := s.report.Problem
	s.failing = err != nil && held != nil
	s.report.Bytes = s.write.bytes
	s.report.Problem = ""
	if s.failing {
		s.report.Problem = problem(s.path, err)
		s.room.Broadcast()
	}
	switch {
	case s.report.Problem == was:
	case s.failing:
		s.opt.Log.Error(s.report.Problem)
	default:
		s.opt.Log.Info("the store can be written again", "store", s.path)
	}
}

// problem says what is wrong and what to do.
func problem(path string, err error) string {
	switch code(err) {
	case sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR:
		return fmt.Sprintf("write store %s: the disk is full or fails (%v): make room; what fits in memory is kept until then", path, err)
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
		return fmt.Sprintf("write store %s: another program holds it (%v): close that program", path, err)
	case sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB:
		return fmt.Sprintf("write store %s: the file is damaged (%v): restart weir, it will set it aside and begin a new one", path, err)
	case sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM, sqlite3.SQLITE_CANTOPEN:
		return fmt.Sprintf("write store %s: it may not be written (%v): check the owner and permissions", path, err)
	}
	return fmt.Sprintf("write store %s: %v", path, err)
}

// forceInterval is the longest that commits of values alone are not forced to the
// disk. A sensor that has nothing else to commit forces each; a replay, which has
// many a second, does not wait for the disk each time.
const forceInterval = 5 * time.Second

// commit writes b and does what a asks in one transaction: all or nothing.
func (s *Store) commit(ctx context.Context, b *batch, a *ask) error {
	w := s.write
	if b == nil && (a == nil || a.do == nil) {
		return nil
	}
	// A commit of something that a person must be able to rely on is forced to
	// the disk; values alone are not.
	now := time.Now()
	full := a != nil || len(b.alerts) > 0 || now.Sub(w.forced) >= forceInterval
	if full {
		w.forced = now
	}
	if full != w.full {
		level := "NORMAL"
		if full {
			level = "FULL"
		}
		if _, err := w.c.ExecContext(ctx, "PRAGMA synchronous = "+level); err != nil {
			return err
		}
		w.full = full
	}
	if _, err := w.c.ExecContext(ctx, "BEGIN IMMEDIATE"); err != nil {
		return err
	}
	rows, lastSeries := [...]int{w.alerts, w.assets, w.links, w.commands, w.series}, w.lastSeries
	err := func() error {
		if b != nil {
			if err := w.batch(ctx, s, b); err != nil {
				return err
			}
		}
		if a != nil && a.do != nil {
			if err := a.do(ctx, w.c); err != nil {
				return err
			}
		}
		_, err := w.c.ExecContext(ctx, "COMMIT")
		return err
	}()
	if err != nil {
		// SQLite may have rolled back by itself; then there is nothing to do.
		_, _ = w.c.ExecContext(ctx, "ROLLBACK")
		w.alerts, w.assets, w.links, w.commands, w.series = rows[0], rows[1], rows[2], rows[3], rows[4]
		w.lastSeries = lastSeries
		if b != nil {
			forget(b)
		}
		return err
	}
	if b != nil {
		w.clock = max(w.clock, b.clock)
	}
	return nil
}

// forget takes back the rows of series that were made in a transaction that
// failed.
func forget(b *batch) {
	for i := range b.segments {
		for _, m := range b.segments[i].group.members {
			m.id = 0
		}
	}
	for i := range b.commands {
		b.commands[i].series.id = 0
	}
}

func (w *writer) batch(ctx context.Context, s *Store, b *batch) error {
	for _, id := range b.order {
		if err := w.alert(ctx, b.alerts[id]); err != nil {
			return err
		}
	}
	for _, a := range b.assets {
		if err := w.asset(ctx, a); err != nil {
			return err
		}
	}
	for k, l := range b.links {
		if err := w.link(ctx, &k, l); err != nil {
			return err
		}
	}
	if err := w.flush(ctx, s, b); err != nil {
		return err
	}
	for i := range b.commands {
		c := &b.commands[i]
		if err := w.row(ctx, s, c.series); err != nil {
			return err
		}
		if c.series.id < 0 {
			continue
		}
		client := ""
		if c.client.IsValid() {
			client = c.client.String()
		}
		if _, err := w.putCommand.ExecContext(ctx, c.series.id, c.time, client, c.access.String(), number(c.value)); err != nil {
			return err
		}
		w.commands++
	}
	for _, c := range b.counters {
		if _, err := w.putCounter.ExecContext(ctx, c.Name, int64(min(c.Value, math.MaxInt64)), b.counterClock); err != nil {
			return err
		}
	}
	if b.status != "" {
		if err := mark(ctx, w.c, "status", b.status); err != nil {
			return err
		}
	}
	return w.trim(ctx, s)
}

// number gives SQLite a value; it has no NaN.
func number(v float64) any {
	if v != v {
		return nil
	}
	return v
}

func (w *writer) alert(ctx context.Context, a *detect.Alert) error {
	body, err := encodeAlert(a)
	if err != nil {
		return fmt.Errorf("encode alert %s: %w", a.ID, err)
	}
	kind := ""
	if a.Kind != nil {
		kind = a.Kind.Name
	}
	var search strings.Builder
	for _, t := range []string{a.Title, a.Explanation, kind, a.Rule, a.Client.Name, a.Server.Name} {
		search.WriteString(strings.ToLower(t))
		search.WriteByte('\n')
	}
	for i := range a.Points {
		search.WriteString(strings.ToLower(a.Points[i].Name))
		search.WriteByte('\n')
	}
	var was int
	if err := w.c.QueryRowContext(ctx, "SELECT count(*) FROM alert WHERE id = ?", a.ID).Scan(&was); err != nil {
		return err
	}
	_, err = w.putAlert.ExecContext(ctx, a.ID, a.Incident, kind, int(a.Severity), int(a.State), a.Score, a.Start, a.End, int64(min(a.Count, math.MaxInt64)),
		a.Proto.String(), address(a.Client.Endpoint.IP), address(a.Server.Endpoint.IP), a.Rule, a.Title, search.String(), body)
	w.alerts += 1 - was
	return err
}

func (w *writer) asset(ctx context.Context, a *detect.Asset) error {
	body, err := json.Marshal(a)
	if err != nil {
		return fmt.Errorf("encode asset %s: %w", a.IP, err)
	}
	key := addressKey(nil, a.IP)
	var was int
	if err := w.c.QueryRowContext(ctx, "SELECT count(*) FROM asset WHERE key = ?", key).Scan(&was); err != nil {
		return err
	}
	_, err = w.putAsset.ExecContext(ctx, key, address(a.IP), a.Name, a.Vendor, a.Product, a.Model, a.Version,
		a.FirstSeen, a.LastSeen, int64(a.Messages), a.Known, string(body))
	w.assets += 1 - was
	return err
}

func (w *writer) link(ctx context.Context, k *linkKey, l *detect.Link) error {
	body, err := json.Marshal(l)
	if err != nil {
		return fmt.Errorf("encode link %s to %s: %w", l.Client, l.Server, err)
	}
	key := k.bytes()
	var was int
	if err := w.c.QueryRowContext(ctx, "SELECT count(*) FROM link WHERE key = ?", key).Scan(&was); err != nil {
		return err
	}
	_, err = w.putLink.ExecContext(ctx, key, address(l.Client), address(l.Server), l.Port, l.Proto.String(), l.Unit, l.Master, l.Outstation,
		l.FirstSeen, l.LastSeen, int64(l.Messages), l.Known, l.Unseen, string(body))
	w.links += 1 - was
	return err
}

// row finds or makes the row of a series.
func (w *writer) row(ctx context.Context, s *Store, sb *seriesBuf) error {
	if sb.id != 0 {
		return nil
	}
	var key string
	x := detect.Series{Table: new(detect.Table), Label: new(detect.Label)}
	role := roleCounter
	if sb.series != nil {
		x = *sb.series
		key, role = "value/"+seriesKey(&x), roleValue
	} else {
		x.Name = sb.counter
		key = "counter/" + sb.counter
	}
	err := w.findSeries.QueryRowContext(ctx, key).Scan(&sb.id)
	switch {
	case err == nil:
		// A person may have given it another name since.
		_, err = w.nameSeries.ExecContext(ctx, x.Name, x.EngineeringUnit, searched(&x), sb.id)
		return err
	case !errors.Is(err, sql.ErrNoRows):
		return err
	case role == roleValue && over(w.series+1, s.opt.Retention.MaxSeries):
		s.refuse(sb)
		sb.id = -1
		return nil
	}
	_, err = w.putSeries.ExecContext(ctx, w.lastSeries+1, key, role, seriesSort(&x), address(x.Device), x.Proto.String(), x.Unit,
		x.Kind.String(), x.Index, x.Type, x.Name, x.EngineeringUnit, searched(&x))
	if err == nil {
		w.series++
		w.lastSeries++
		sb.id = w.lastSeries
	}
	return err
}

// searched is what a series is found by.
func searched(x *detect.Series) string {
	return strings.ToLower(address(x.Device) + "\n" + x.Name + "\n" + x.Kind.String() + " " + strconv.FormatUint(uint64(x.Index), 10))
}

const (
	roleValue   = 0
	roleCounter = 1
)

// refuse has no more values of a series taken in.
func (s *Store) refuse(sb *seriesBuf) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !sb.refused {
		sb.refused = true
		s.opt.Log.Warn("no room for a further series: raise the limit or watch fewer points", "store", s.path, "limit", s.opt.Retention.MaxSeries)
	}
}
