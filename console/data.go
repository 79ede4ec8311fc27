package console

import (
	"context"

	"github.com/weir-ics/weir/detect"
)

// Data is what the console reads through. Every method may be called by many
// goroutines at once, while what is behind it is being written to; an answer is
// consistent in itself. Slices and what they hold belong to the caller. Times
// are packet time in nanoseconds since the Unix epoch. An error means that the
// answer could not be had, never that there is nothing: nothing is an empty
// answer.
type Data interface {
	// Status says what the sensor is doing.
	Status(ctx context.Context) (detect.Status, error)

	// Alerts returns the alerts that q selects, at most q.Limit, and how many
	// there are without limit and offset. An alert's Kind is never nil; a kind
	// that is not in the catalogue has only its Name.
	Alerts(ctx context.Context, q detect.AlertQuery) ([]detect.KeptAlert, int, error)
	// Alert returns one alert; false if there is none with that ID.
	Alert(ctx context.Context, id string) (detect.KeptAlert, bool, error)
	// AlertCounts counts all alerts.
	AlertCounts(ctx context.Context) (detect.AlertCounts, error)
	// Acknowledge adds what a person says of an alert; false if there is no
	// alert with that ID.
	Acknowledge(ctx context.Context, id string, a detect.Acknowledgement) (bool, error)

	// Incidents returns incidents, the newest start first, at most limit after
	// passing over offset, and how many there are.
	Incidents(ctx context.Context, limit, offset int) ([]detect.Incident, int, error)
	// Incident returns one incident; false if there is none with that ID.
	Incident(ctx context.Context, id string) (detect.Incident, bool, error)

	// Assets and Links return all that are known, ordered by address.
	Assets(ctx context.Context) ([]detect.Asset, error)
	Links(ctx context.Context) ([]detect.Link, error)

	// Series returns the series that q selects, ordered by device, unit, kind
	// and index, at most q.Limit, and how many there are without limit and
	// offset.
	Series(ctx context.Context, q detect.SeriesQuery) ([]detect.KeptSeries, int, error)
	// SeriesByID returns one series; false if there is none with that ID.
	SeriesByID(ctx context.Context, id string) (detect.KeptSeries, bool, error)
	// Samples returns the values of a series from from to to, both included, in
	// order of time. If there are more than n they are gathered into at most n
	// buckets; otherwise each value is a bucket of its own. An unknown ID gives
	// nothing.
	Samples(ctx context.Context, id string, from, to int64, n int) ([]detect.Bucket, error)

	// Counters returns the newest counters and the packet time they are of.
	Counters(ctx context.Context) (clock int64, counters []detect.Counter, err error)
	// CounterHistory returns what a counter stood at over time, as Samples does
	// for a series.
	CounterHistory(ctx context.Context, name string, from, to int64, n int) ([]detect.Bucket, error)
}
