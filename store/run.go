package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// SaveBaseline keeps a baseline under a name; saved is when, by the wall clock
// in nanoseconds since the Unix epoch. Earlier ones of the name are kept up to
// Retention.MaxBaselines. It returns when the baseline is safe on the disk.
func (s *Store) SaveBaseline(ctx context.Context, name string, saved int64, body []byte) error {
	err := s.ask(ctx, ask{do: func(ctx context.Context, c *sql.Conn) error {
		if _, err := c.ExecContext(ctx, "INSERT INTO baseline (name, saved, body) VALUES (?, ?, ?)", name, saved, body); err != nil {
			return err
		}
		if s.opt.Retention.MaxBaselines < 0 {
			return nil
		}
		_, err := c.ExecContext(ctx, `DELETE FROM baseline WHERE name = ?1 AND id IN
			(SELECT id FROM baseline WHERE name = ?1 ORDER BY id DESC LIMIT -1 OFFSET ?2)`, name, s.opt.Retention.MaxBaselines)
		return err
	}})
	if err != nil {
		return fmt.Errorf("save baseline %s in store %s: %w", name, s.path, err)
	}
	return nil
}

// Baseline returns the newest baseline of a name and when it was saved; nil if
// there is none.
func (s *Store) Baseline(ctx context.Context, name string) (body []byte, saved int64, err error) {
	err = s.reading(ctx, "baseline "+name, func(tx *sql.Tx) error {
		err := tx.QueryRowContext(ctx, "SELECT body, saved FROM baseline WHERE name = ? ORDER BY id DESC LIMIT 1", name).Scan(&body, &saved)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		return err
	})
	return body, saved, err
}

// Run is one run of weir that wrote to the store.
type Run struct {
	ID int64
	// Started and Ended are by the wall clock, in nanoseconds since the Unix
	// epoch; Ended is 0 for a run that goes on, or that was cut off.
	Started, Ended int64
	// Command is "replay" or "run", Input what it reads, Version weir's.
	Command, Input, Version string
	// Summary is what the run said at its end.
	Summary string
}

// BeginRun notes that a run begins, and returns its ID.
func (s *Store) BeginRun(ctx context.Context, r Run) (int64, error) {
	var id int64
	err := s.ask(ctx, ask{do: func(ctx context.Context, c *sql.Conn) error {
		if err := c.QueryRowContext(ctx, "INSERT INTO run (started, command, input, version) VALUES (?, ?, ?, ?) RETURNING id",
			r.Started, r.Command, r.Input, r.Version).Scan(&id); err != nil {
			return err
		}
		if s.opt.Retention.MaxRuns < 0 {
			return nil
		}
		_, err := c.ExecContext(ctx, "DELETE FROM run WHERE id <= (SELECT max(id) FROM run) - ?", s.opt.Retention.MaxRuns)
		return err
	}})
	return id, err
}

// EndRun notes that a run ended, and what it said.
func (s *Store) EndRun(ctx context.Context, id, ended int64, summary string) error {
	return s.ask(ctx, ask{do: func(ctx context.Context, c *sql.Conn) error {
		_, err := c.ExecContext(ctx, "UPDATE run SET ended = ?, summary = ? WHERE id = ?", ended, summary, id)
		return err
	}})
}

// Runs returns the newest runs, the newest first, at most limit (1,000 if that
// is 0).
func (s *Store) Runs(ctx context.Context, limit int) ([]Run, error) {
	var w where
	var out []Run
	err := s.reading(ctx, "runs", func(tx *sql.Tx) error {
		return each(ctx, tx, "SELECT id, started, ifnull(ended, 0), command, input, version, summary FROM run ORDER BY id DESC LIMIT ? OFFSET ?", w.page(limit, 0), func(r *sql.Rows) error {
			var v Run
			err := r.Scan(&v.ID, &v.Started, &v.Ended, &v.Command, &v.Input, &v.Version, &v.Summary)
			out = append(out, v)
			return err
		})
	})
	return out, err
}

// mark puts a fact in the meta table.
func mark(ctx context.Context, c *sql.Conn, key, value string) error {
	_, err := c.ExecContext(ctx, "INSERT INTO meta VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value", key, value)
	return err
}
