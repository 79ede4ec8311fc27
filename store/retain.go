package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"
)

// trim holds the caps on rows, in the transaction that brought new ones.
func (w *writer) trim(ctx context.Context, s *Store) error {
	r := &w.opt.Retention
	for _, t := range []struct {
		n, limit int
		query    string
		count    *uint64
		rows     *int
	}{
		{w.alerts, r.MaxAlerts, "DELETE FROM alert WHERE id IN (SELECT id FROM alert ORDER BY state <> 2, end LIMIT ?)", &s.report.Evicted.Alerts, &w.alerts},
		{w.assets, r.MaxAssets, "DELETE FROM asset WHERE key IN (SELECT key FROM asset ORDER BY known, last LIMIT ?)", &s.report.Evicted.Assets, &w.assets},
		{w.links, r.MaxLinks, "DELETE FROM link WHERE key IN (SELECT key FROM link ORDER BY known, last LIMIT ?)", &s.report.Evicted.Links, &w.links},
		{w.commands, r.MaxCommands, "DELETE FROM command WHERE id IN (SELECT id FROM command ORDER BY id LIMIT ?)", &s.report.Evicted.Commands, &w.commands},
	} {
		if !over(t.n, t.limit) {
			continue
		}
		// A little more than needed, so that it is not done every time.
		n, err := w.drop(ctx, t.query, t.n-t.limit+t.limit/50)
		if err != nil {
			return err
		}
		*t.rows -= int(n)
		s.count(t.count, n)
		if t.rows == &w.alerts {
			if _, err := w.drop(ctx, "DELETE FROM acknowledgement WHERE alert NOT IN (SELECT id FROM alert)"); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *Store) count(c *uint64, n int64) {
	s.mu.Lock()
	*c += uint64(n)
	s.mu.Unlock()
}

func (w *writer) drop(ctx context.Context, query string, args ...any) (int64, error) {
	r, err := w.c.ExecContext(ctx, query, args...)
	if err != nil {
		return 0, err
	}
	return r.RowsAffected()
}

const (
	tierRaw    = 0
	tierMinute = 1
	tierHour   = 2
)

// maintain drops what is too old or too much and sums up what is over. It does a
// bounded part of the work each time, and tells whether all is summed up.
func (s *Store) maintain(ctx context.Context) (done bool) {
	begun := time.Now()
	// Room is made first, and whatever becomes of the rest.
	err := s.inTransaction(ctx, func() error { return s.shrink(ctx) })
	if err == nil {
		err = s.inTransaction(ctx, func() error {
			var err error
			done, err = s.rollUp(ctx, begun)
			if err != nil || !done {
				return err
			}
			return s.age(ctx)
		})
	}
	w := s.write
	if (err != nil) != w.untidy {
		w.untidy = err != nil
		if w.untidy {
			s.opt.Log.Warn("tidying the store failed, it will be tried again", "store", s.path, "because", err)
		}
	}
	return done
}

func (s *Store) inTransaction(ctx context.Context, f func() error) error {
	c := s.write.c
	if _, err := c.ExecContext(ctx, "BEGIN IMMEDIATE"); err != nil {
		return err
	}
	err := f()
	if err == nil {
		_, err = c.ExecContext(ctx, "COMMIT")
	}
	if err != nil {
		_, _ = c.ExecContext(ctx, "ROLLBACK")
	}
	return err
}

// age drops what is older than its tier keeps it, and summed up.
func (s *Store) age(ctx context.Context) error {
	r := &s.opt.Retention
	w := s.write
	if r.RawAge >= 0 {
		if _, err := w.drop(ctx, "UPDATE flush SET state = 2 WHERE state = 1 AND hour < ?", w.clock-int64(r.RawAge)-hour); err != nil {
			return err
		}
		if _, err := s.dropFlushes(ctx); err != nil {
			return err
		}
	}
	for tier, age := range []time.Duration{r.RawAge, r.MinuteAge, r.HourAge} {
		if age < 0 {
			continue
		}
		if _, err := s.dropChunks(ctx, tier, "end < ?", w.clock-int64(age)); err != nil {
			return err
		}
		if tier > tierRaw {
			if _, err := s.dropSums(ctx, tier, "done = 1 AND unit < ?", w.clock-int64(age)-spans[tier]); err != nil {
				return err
			}
		}
	}
	return nil
}

// spans are how long the units are that a tier is kept in.
var spans = [...]int64{tierRaw: hour, tierMinute: day, tierHour: month}

// dropFlushes drops some of what was given up, and tells whether there was any.
func (s *Store) dropFlushes(ctx context.Context) (bool, error) {
	w := s.write
	var flushes, hours, values []int64
	err := each(ctx, w.c, "SELECT id, hour, count FROM flush WHERE state = 2 ORDER BY hour, id LIMIT 64", nil, func(r *sql.Rows) error {
		var id, at, n int64
		err := r.Scan(&id, &at, &n)
		flushes, hours, values = append(flushes, id), append(hours, at), append(values, n)
		return err
	})
	if err != nil {
		return false, err
	}
	for i, id := range flushes {
		if _, err := w.drop(ctx, "DELETE FROM block WHERE id >= ? AND id < ?", id<<blockBits, (id+1)<<blockBits); err != nil {
			return false, err
		}
		if _, err := w.drop(ctx, "DELETE FROM flush WHERE id = ?", id); err != nil {
			return false, err
		}
		s.count(&s.report.Evicted.Values, values[i])
	}
	for _, at := range slices.Compact(hours) {
		if _, err := w.drop(ctx, "DELETE FROM held WHERE hour = ?1 AND NOT EXISTS (SELECT 1 FROM flush WHERE hour = ?1)", at); err != nil {
			return false, err
		}
	}
	return len(flushes) > 0, nil
}

// giveUp gives up the values of the oldest hour that is summed up, or else of the
// oldest stretch of the oldest hour that can be missed by what follows.
func (s *Store) giveUp(ctx context.Context) (bool, error) {
	w := s.write
	n, err := w.drop(ctx, "UPDATE flush SET state = 2 WHERE state = 1 AND hour = (SELECT min(hour) FROM flush WHERE state = 1)")
	if err != nil || n > 0 {
		return n > 0, err
	}
	n, err = w.drop(ctx, `UPDATE flush SET state = 2 WHERE state = 0 AND hour = (SELECT min(hour) FROM flush WHERE state = 0) AND id < ifnull(
		(SELECT id FROM flush WHERE state = 0 AND fresh = 1 AND hour = (SELECT min(hour) FROM flush WHERE state = 0) ORDER BY id LIMIT 1 OFFSET 1), 1 << 62)`)
	return n > 0, err
}

// dropSums drops the oldest rows of a tier that meet a condition.
func (s *Store) dropSums(ctx context.Context, tier int, where string, args ...any) (int64, error) {
	w := s.write
	args = append([]any{tier}, args...)
	pick := "(SELECT id FROM sums WHERE tier = ? AND " + where + " ORDER BY unit LIMIT 200)"
	var n, rows int64
	if err := w.c.QueryRowContext(ctx, "SELECT count(*), ifnull(sum(count), 0) FROM sums WHERE id IN "+pick, args...).Scan(&n, &rows); err != nil || n == 0 {
		return 0, err
	}
	if _, err := w.drop(ctx, "DELETE FROM sums WHERE id IN "+pick, args...); err != nil {
		return 0, err
	}
	s.count([]*uint64{nil, &s.report.Evicted.Minutes, &s.report.Evicted.Hours}[tier], rows)
	return n, nil
}

// dropChunks drops the oldest chunks of a tier that meet a condition, and
// counts what they held.
func (s *Store) dropChunks(ctx context.Context, tier int, where string, args ...any) (int64, error) {
	w := s.write
	args = append([]any{tier}, args...)
	pick := "(SELECT id FROM chunk WHERE tier = ? AND " + where + " ORDER BY end LIMIT 2000)"
	var n, values int64
	if err := w.c.QueryRowContext(ctx, "SELECT count(*), ifnull(sum(count), 0) FROM chunk WHERE id IN "+pick, args...).Scan(&n, &values); err != nil || n == 0 {
		return 0, err
	}
	if _, err := w.drop(ctx, "DELETE FROM chunk WHERE id IN "+pick, args...); err != nil {
		return 0, err
	}
	e := &s.report.Evicted
	s.count([]*uint64{&e.Values, &e.Minutes, &e.Hours}[tier], values)
	return n, nil
}

// shrink keeps the file below MaxBytes: raw values go first, then minutes,
// hours, and at last commands.
func (s *Store) shrink(ctx context.Context) error {
	w := s.write
	limit := s.opt.Retention.MaxBytes
	for range 50 {
		var pages, free int64
		if err := w.c.QueryRowContext(ctx, "PRAGMA page_count").Scan(&pages); err != nil {
			return err
		}
		if err := w.c.QueryRowContext(ctx, "PRAGMA freelist_count").Scan(&free); err != nil {
			return err
		}
		w.bytes = pages * w.pageSize
		used := w.bytes - free*w.pageSize
		if limit <= 0 || used <= limit*8/10 {
			break
		}
		dropped, err := s.dropOldest(ctx)
		if err != nil || !dropped {
			return err
		}
	}
	if limit > 0 && w.bytes > limit*9/10 {
		return w.giveBack(ctx, w.bytes-limit*9/10)
	}
	return nil
}

// dropOldest drops some of the oldest of the least telling.
func (s *Store) dropOldest(ctx context.Context) (bool, error) {
	if any, err := s.dropFlushes(ctx); any || err != nil {
		return any, err
	}
	if n, err := s.dropChunks(ctx, tierRaw, "1"); n > 0 || err != nil {
		return true, err
	}
	// What is summed up is not lost altogether.
	if any, err := s.giveUp(ctx); any || err != nil {
		return any, err
	}
	for _, tier := range []int{tierMinute, tierHour} {
		if n, err := s.dropChunks(ctx, tier, "1"); n > 0 || err != nil {
			return true, err
		}
		if n, err := s.dropSums(ctx, tier, "1"); n > 0 || err != nil {
			return true, err
		}
	}
	w := s.write
	n, err := w.drop(ctx, "DELETE FROM command WHERE id IN (SELECT id FROM command ORDER BY id LIMIT 10000)")
	w.commands -= int(n)
	s.count(&s.report.Evicted.Commands, n)
	return n > 0, err
}

// giveBack returns empty pages at the end of the file to the disk.
func (w *writer) giveBack(ctx context.Context, octets int64) error {
	rows, err := w.c.QueryContext(ctx, fmt.Sprintf("PRAGMA incremental_vacuum(%d)", octets/w.pageSize+1))
	if err != nil {
		return err
	}
	for rows.Next() {
		// Each step moves one page.
	}
	return errors.Join(rows.Err(), rows.Close())
}
