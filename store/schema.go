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
	`
-- What was flushed of an hour, in one commit. state 0 is not summed up yet, 1 is,
-- 2 is given up: it is not read any more. fresh tells that from here on everything
-- is said anew.
CREATE TABLE flush (
	id INTEGER PRIMARY KEY, hour INTEGER NOT NULL, fresh INTEGER NOT NULL, count INTEGER NOT NULL, state INTEGER NOT NULL
);
CREATE INDEX flush_hour ON flush (hour, state);
CREATE INDEX flush_todo ON flush (state, hour) WHERE state <> 1;

-- What a flush holds of a bucket (64 series with neighbouring rows): id is that
-- of the flush, shifted by 24, and the bucket. So all that is written lies together,
-- and needs no index.
CREATE TABLE block (id INTEGER PRIMARY KEY, data BLOB NOT NULL);

-- Minutes (tier 1) of a bucket's day, and hours (tier 2) of 32 days, which unit is
-- the start of. done is 0 until the unit is over and its rows are one.
CREATE TABLE sums (
	id INTEGER PRIMARY KEY, tier INTEGER NOT NULL, bucket INTEGER NOT NULL, unit INTEGER NOT NULL,
	count INTEGER NOT NULL, done INTEGER NOT NULL, data BLOB NOT NULL
);
CREATE INDEX sums_bucket ON sums (bucket, tier, unit, done);
CREATE INDEX sums_age ON sums (tier, unit);
CREATE INDEX sums_todo ON sums (tier, unit) WHERE done = 0;

-- How many values an hour that is summed up holds of each series of a bucket.
CREATE TABLE held (bucket INTEGER NOT NULL, hour INTEGER NOT NULL, data BLOB NOT NULL, PRIMARY KEY (bucket, hour)) WITHOUT ROWID;
CREATE INDEX held_hour ON held (hour);

-- The first and last value of each series of a bucket, of what is summed up.
CREATE TABLE head (bucket INTEGER PRIMARY KEY, data BLOB NOT NULL);
`,
}

// conversions are what a migration needs beside SQL, in the same transaction.
var conversions = map[int]func(context.Context, *sql.Conn) error{1: convertChunks}

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
		if err := upgrade(ctx, c, v); err != nil {
			_, _ = c.ExecContext(ctx, "ROLLBACK")
			return fmt.Errorf("bring it to schema version %d: %w", v+1, err)
		}
	}
	return nil
}

func upgrade(ctx context.Context, c *sql.Conn, from int) error {
	if _, err := c.ExecContext(ctx, "BEGIN IMMEDIATE; "+migrations[from]); err != nil {
		return err
	}
	if convert := conversions[from]; convert != nil {
		if err := convert(ctx, c); err != nil {
			return err
		}
	}
	_, err := c.ExecContext(ctx, fmt.Sprintf("PRAGMA application_id = %d; PRAGMA user_version = %d; COMMIT", applicationID, from+1))
	return err
}
