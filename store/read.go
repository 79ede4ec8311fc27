package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/weir-ics/weir/detect"
	"github.com/weir-ics/weir/protocols"
)

// pageLimit is the most rows a reader gives when it is not told.
const pageLimit = 1000

// reading runs f in a transaction that sees the store as it is now, whatever is
// written meanwhile.
func (s *Store) reading(ctx context.Context, what string, f func(*sql.Tx) error) error {
	tx, err := s.read.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("read %s from store %s: %w", what, s.path, err)
	}
	defer func() { _ = tx.Rollback() }()
	if err := f(tx); err != nil {
		return fmt.Errorf("read %s from store %s: %w", what, s.path, err)
	}
	return nil
}

// each scans every row of a query.
func each(ctx context.Context, tx querier, query string, args []any, scan func(*sql.Rows) error) error {
	rows, err := tx.QueryContext(ctx, query, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := scan(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// where gathers conditions.
type where struct {
	parts []string
	args  []any
}

func (w *where) and(cond string, args ...any) {
	w.parts = append(w.parts, cond)
	w.args = append(w.args, args...)
}

func (w *where) String() string {
	if len(w.parts) == 0 {
		return ""
	}
	return " WHERE " + strings.Join(w.parts, " AND ")
}

// page is the end of a query and its arguments.
func (w *where) page(limit, offset int) []any {
	if limit <= 0 {
		limit = pageLimit
	}
	return append(append([]any(nil), w.args...), limit, max(offset, 0))
}

// Alerts returns the alerts that q selects, at most q.Limit (1,000 if that is
// 0), and how many there are without limit and offset.
func (s *Store) Alerts(ctx context.Context, q detect.AlertQuery) ([]detect.KeptAlert, int, error) {
	var w where
	if q.MinSeverity > 0 {
		w.and("severity >= ?", int(q.MinSeverity))
	}
	if q.Open {
		w.and("state <> 2")
	}
	if q.Cleared {
		w.and("state = 2")
	}
	if q.Unacknowledged {
		w.and("NOT EXISTS (SELECT 1 FROM acknowledgement WHERE alert = alert.id)")
	}
	if strings.HasSuffix(q.Kind, ".") {
		w.and("substr(kind, 1, ?) = ?", len(q.Kind), q.Kind)
	} else if q.Kind != "" {
		w.and("kind = ?", q.Kind)
	}
	if q.Host.IsValid() {
		w.and("(client = ? OR server = ?)", address(q.Host), address(q.Host))
	}
	if q.Incident != "" {
		w.and("incident = ?", q.Incident)
	}
	if q.Text != "" {
		w.and("instr(search, ?) > 0", strings.ToLower(q.Text))
	}
	if q.From != 0 {
		w.and("end >= ?", q.From)
	}
	if q.To != 0 {
		w.and("start <= ?", q.To)
	}
	order := "start DESC, id"
	if q.OldestFirst {
		order = "start, id"
	}
	var total int
	var out []detect.KeptAlert
	err := s.reading(ctx, "alerts", func(tx *sql.Tx) error {
		if err := tx.QueryRowContext(ctx, "SELECT count(*) FROM alert"+w.String(), w.args...).Scan(&total); err != nil {
			return err
		}
		err := each(ctx, tx, "SELECT body FROM alert"+w.String()+" ORDER BY "+order+" LIMIT ? OFFSET ?", w.page(q.Limit, q.Offset), func(r *sql.Rows) error {
			var body string
			if err := r.Scan(&body); err != nil {
				return err
			}
			a, err := s.decodeAlert(body)
			out = append(out, detect.KeptAlert{Alert: a})
			return err
		})
		for i := range out {
			if err == nil {
				err = acknowledgements(ctx, tx, &out[i])
			}
		}
		return err
	})
	return out, total, err
}

func acknowledgements(ctx context.Context, tx *sql.Tx, a *detect.KeptAlert) error {
	return each(ctx, tx, "SELECT time, by, note FROM acknowledgement WHERE alert = ? ORDER BY id", []any{a.ID}, func(r *sql.Rows) error {
		var k detect.Acknowledgement
		err := r.Scan(&k.Time, &k.By, &k.Note)
		a.Acknowledgements = append(a.Acknowledgements, k)
		return err
	})
}

// Alert returns one alert; false if there is none with that ID.
func (s *Store) Alert(ctx context.Context, id string) (detect.KeptAlert, bool, error) {
	var out detect.KeptAlert
	found := false
	err := s.reading(ctx, "alert "+id, func(tx *sql.Tx) error {
		var body string
		err := tx.QueryRowContext(ctx, "SELECT body FROM alert WHERE id = ?", id).Scan(&body)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		if err != nil {
			return err
		}
		if out.Alert, err = s.decodeAlert(body); err != nil {
			return err
		}
		found = true
		return acknowledgements(ctx, tx, &out)
	})
	return out, found, err
}

// AlertCounts counts all alerts by severity.
func (s *Store) AlertCounts(ctx context.Context) (detect.AlertCounts, error) {
	var c detect.AlertCounts
	err := s.reading(ctx, "the numbers of alerts", func(tx *sql.Tx) error {
		return each(ctx, tx, `SELECT severity, count(*), sum(state <> 2),
			sum(state <> 2 AND id NOT IN (SELECT alert FROM acknowledgement)) FROM alert GROUP BY severity`, nil, func(r *sql.Rows) error {
			var severity, total, open, unacknowledged int
			if err := r.Scan(&severity, &total, &open, &unacknowledged); err != nil {
				return err
			}
			if severity >= 0 && severity < int(protocols.NumSeverities) {
				c.Total[severity], c.Open[severity], c.Unacknowledged[severity] = total, open, unacknowledged
			}
			return nil
		})
	})
	return c, err
}

// maxAcknowledgements is how many an alert may have; further ones push out the
// oldest.
const maxAcknowledgements = 1000

// Acknowledge adds what a person says of an alert, and returns when that is
// safe on the disk; false if there is no alert with that ID.
func (s *Store) Acknowledge(ctx context.Context, id string, a detect.Acknowledgement) (bool, error) {
	found := false
	err := s.ask(ctx, ask{do: func(ctx context.Context, c *sql.Conn) error {
		r, err := c.ExecContext(ctx, "INSERT INTO acknowledgement (alert, time, by, note) SELECT id, ?, ?, ? FROM alert WHERE id = ?", a.Time, a.By, a.Note, id)
		if err != nil {
			return err
		}
		n, err := r.RowsAffected()
		if err != nil {
			return err
		}
		found = n > 0
		_, err = c.ExecContext(ctx, `DELETE FROM acknowledgement WHERE alert = ?1 AND id IN
			(SELECT id FROM acknowledgement WHERE alert = ?1 ORDER BY id DESC LIMIT -1 OFFSET ?2)`, id, maxAcknowledgements)
		return err
	}})
	if err != nil {
		return false, fmt.Errorf("acknowledge alert %s in store %s: %w", id, s.path, err)
	}
	return found, nil
}

const incidentColumns = `SELECT id, severity, start, end, alerts, open,
	(SELECT title FROM alert WHERE alert.incident = incident.id AND alert.severity = incident.severity ORDER BY start, alert.id LIMIT 1) FROM incident `

func scanIncident(scan func(...any) error) (detect.Incident, error) {
	var i detect.Incident
	var severity int
	err := scan(&i.ID, &severity, &i.Start, &i.End, &i.Alerts, &i.Open, &i.Title)
	i.Severity = protocols.Severity(severity)
	return i, err
}

// Incidents returns incidents, the newest start first, at most limit (1,000 if
// that is 0) after passing over offset, and how many there are.
func (s *Store) Incidents(ctx context.Context, limit, offset int) ([]detect.Incident, int, error) {
	var w where
	var total int
	var out []detect.Incident
	err := s.reading(ctx, "incidents", func(tx *sql.Tx) error {
		if err := tx.QueryRowContext(ctx, "SELECT count(DISTINCT incident) FROM alert WHERE incident <> ''").Scan(&total); err != nil {
			return err
		}
		return each(ctx, tx, incidentColumns+"ORDER BY start DESC, id LIMIT ? OFFSET ?", w.page(limit, offset), func(r *sql.Rows) error {
			i, err := scanIncident(r.Scan)
			out = append(out, i)
			return err
		})
	})
	return out, total, err
}

// Incident returns one incident; false if there is none with that ID.
func (s *Store) Incident(ctx context.Context, id string) (detect.Incident, bool, error) {
	var out detect.Incident
	found := false
	err := s.reading(ctx, "incident "+id, func(tx *sql.Tx) error {
		i, err := scanIncident(tx.QueryRowContext(ctx, incidentColumns+"WHERE id = ?", id).Scan)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		out, found = i, err == nil
		return err
	})
	return out, found, err
}

// Assets returns all assets, ordered by address.
func (s *Store) Assets(ctx context.Context) ([]detect.Asset, error) {
	return bodies[detect.Asset](ctx, s, "assets", "SELECT body FROM asset ORDER BY key")
}

// Links returns all links, ordered by client, server and what they use.
func (s *Store) Links(ctx context.Context) ([]detect.Link, error) {
	return bodies[detect.Link](ctx, s, "links", "SELECT body FROM link ORDER BY key")
}

func bodies[T any](ctx context.Context, s *Store, what, query string) ([]T, error) {
	var out []T
	err := s.reading(ctx, what, func(tx *sql.Tx) error {
		return each(ctx, tx, query, nil, func(r *sql.Rows) error {
			var body sql.RawBytes
			if err := r.Scan(&body); err != nil {
				return err
			}
			var v T
			err := json.Unmarshal(body, &v)
			out = append(out, v)
			return err
		})
	})
	return out, err
}

// Counters returns the newest counters, ordered by name, and the packet time
// they are of.
func (s *Store) Counters(ctx context.Context) (clock int64, counters []detect.Counter, err error) {
	err = s.reading(ctx, "counters", func(tx *sql.Tx) error {
		// Those of an earlier run that has others are left out.
		return each(ctx, tx, "SELECT name, value, time FROM counter WHERE time = (SELECT max(time) FROM counter) ORDER BY name", nil, func(r *sql.Rows) error {
			var c detect.Counter
			var value int64
			err := r.Scan(&c.Name, &value, &clock)
			c.Value = uint64(value)
			counters = append(counters, c)
			return err
		})
	})
	return clock, counters, err
}
