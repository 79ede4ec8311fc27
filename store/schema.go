package store

import (
	"context"
	"database/sql"
	"fmt"
)

// applicationID marks a SQLite file as a store of weir ("weir" in ASCII).
const applicationID = 0x77656972

// migrations bring a store from schema version i to i+1. Entries are never
// changed once released, only added.
var migrations = []string{
	`
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;

-- One row an alert, in its last state. body is the whole alert as JSON; the
-- other columns are copies to select and sort by. Times are packet time in
-- nanoseconds since the Unix epoch, here and everywhere.
CREATE TABLE alert (
	id TEXT PRIMARY KEY, incident TEXT NOT NULL, kind TEXT NOT NULL,
	severity INTEGER NOT NULL, state INTEGER NOT NULL, score REAL NOT NULL,
	start INTEGER NOT NULL, end INTEGER NOT NULL, count INTEGER NOT NULL,
	proto TEXT NOT NULL, client TEXT NOT NULL, server TEXT NOT NULL,
	rule TEXT NOT NULL, title TEXT NOT NULL, search TEXT NOT NULL, body TEXT NOT NULL
);
CREATE INDEX alert_start ON alert (start, id);
CREATE INDEX alert_incident ON alert (incident, start);
CREATE INDEX alert_client ON alert (client, start);
CREATE INDEX alert_server ON alert (server, start);
CREATE INDEX alert_state ON alert (state, end);

CREATE VIEW incident AS
	SELECT incident AS id, max(severity) AS severity, min(start) AS start, max(end) AS end,
		count(*) AS alerts, sum(state <> 2) AS open
	FROM alert WHERE incident <> '' GROUP BY incident;

CREATE TABLE acknowledgement (
	id INTEGER PRIMARY KEY, alert TEXT NOT NULL, time INTEGER NOT NULL,
	by TEXT NOT NULL, note TEXT NOT NULL
);
CREATE INDEX acknowledgement_alert ON acknowledgement (alert, id);

-- key sorts by address.
CREATE TABLE asset (
	key BLOB PRIMARY KEY, ip TEXT NOT NULL, name TEXT NOT NULL, vendor TEXT NOT NULL,
	product TEXT NOT NULL, model TEXT NOT NULL, version TEXT NOT NULL,
	first INTEGER NOT NULL, last INTEGER NOT NULL, messages INTEGER NOT NULL,
	known INTEGER NOT NULL, body TEXT NOT NULL
);
CREATE INDEX asset_last ON asset (known, last);

CREATE TABLE link (
	key BLOB PRIMARY KEY, client TEXT NOT NULL, server TEXT NOT NULL, port INTEGER NOT NULL,
	proto TEXT NOT NULL, unit INTEGER NOT NULL, master INTEGER NOT NULL, outstation INTEGER NOT NULL,
	first INTEGER NOT NULL, last INTEGER NOT NULL, messages INTEGER NOT NULL,
	known INTEGER NOT NULL, unseen REAL NOT NULL, body TEXT NOT NULL
);
CREATE INDEX link_last ON link (known, last);

-- role 0 is a point's values, 1 a counter's history. sort orders by device,
-- unit, kind and index. rolled is up to when minutes, rolled_day up to when
-- hours were summed up.
CREATE TABLE series (
	id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, role INTEGER NOT NULL, sort BLOB NOT NULL,
	device TEXT NOT NULL, proto TEXT NOT NULL, unit INTEGER NOT NULL, kind TEXT NOT NULL,
	idx INTEGER NOT NULL, type TEXT NOT NULL, name TEXT NOT NULL, eu TEXT NOT NULL,
	search TEXT NOT NULL, rolled INTEGER, rolled_day INTEGER
);
CREATE INDEX series_sort ON series (role, sort);

-- A run of values: tier 0 raw, 1 minutes, 2 hours. start is its earliest and
-- end its latest time, count its length.
CREATE TABLE chunk (
	id INTEGER PRIMARY KEY, series INTEGER NOT NULL, tier INTEGER NOT NULL,
	start INTEGER NOT NULL, end INTEGER NOT NULL, count INTEGER NOT NULL, data BLOB NOT NULL
);
CREATE INDEX chunk_series ON chunk (series, tier, start, end, count);
CREATE INDEX chunk_age ON chunk (tier, end);

-- What clients wrote or operated, one row a value.
CREATE TABLE command (
	id INTEGER PRIMARY KEY, series INTEGER NOT NULL, time INTEGER NOT NULL,
	client TEXT NOT NULL, access TEXT NOT NULL, value REAL
);
CREATE INDEX command_series ON command (series, time);

CREATE TABLE counter (name TEXT PRIMARY KEY, value INTEGER NOT NULL, time INTEGER NOT NULL) WITHOUT ROWID;

-- saved, started and ended are by the wall clock.
CREATE TABLE baseline (id INTEGER PRIMARY KEY, name TEXT NOT NULL, saved INTEGER NOT NULL, body BLOB NOT NULL);
CREATE INDEX baseline_name ON baseline (name, id);
CREATE TABLE run (
	id INTEGER PRIMARY KEY, started INTEGER NOT NULL, ended INTEGER, command TEXT NOT NULL,
	input TEXT NOT NULL, version TEXT NOT NULL, summary TEXT NOT NULL DEFAULT ''
);
`,
}

// migrate makes the tables, or brings those of an older version up to date.
func migrate(ctx context.Context, c *sql.Conn) error {
	var id, version, tables int
	if err := c.QueryRowContext(ctx, "PRAGMA application_id").Scan(&id); err != nil {
		return err
	}
	if err := c.QueryRowContext(ctx, "PRAGMA user_version").Scan(&version); err != nil {
		return err
	}
	if err := c.QueryRowContext(ctx, "SELECT count(*) FROM sqlite_schema").Scan(&tables); err != nil {
		return err
	}
	if id != applicationID && tables > 0 {
		return fmt.Errorf("it is a SQLite file of another program: %w", ErrForeign)
	}
	if version > len(migrations) {
		return fmt.Errorf("it has schema version %d, this weir knows up to %d: use the newer weir that wrote it", version, len(migrations))
	}
	for v := version; v < len(migrations); v++ {
		q := fmt.Sprintf("BEGIN IMMEDIATE; %s; PRAGMA application_id = %d; PRAGMA user_version = %d; COMMIT", migrations[v], applicationID, v+1)
		if _, err := c.ExecContext(ctx, q); err != nil {
			_, _ = c.ExecContext(ctx, "ROLLBACK")
			return fmt.Errorf("bring it to schema version %d: %w", v+1, err)
		}
	}
	return nil
}
