package store

import (
	"log/slog"
	"time"

	"github.com/weir-ics/weir/detect"
)

// Options are the settings of a store. The zero value is a good one.
type Options struct {
	// Retention bounds what is kept.
	Retention Retention
	// CommitInterval is the longest that an alert, and SampleInterval the
	// longest that a value, an asset, a link or a counter waits to be
	// committed. 0 is one and five seconds.
	CommitInterval, SampleInterval time.Duration
	// Wait makes Write wait for the disk when it is ahead of it, as a replay
	// wants. Otherwise Write never waits, and what does not fit is counted as
	// lost, as a sensor wants. Nothing waits for a disk that is full.
	Wait bool
	// Existing refuses to make a store: the file must be there, and a damaged one
	// is left as it is. It is for those who look, not those who keep.
	Existing bool
	// MaxPending is the most values that wait in memory to be committed, about
	// 10 octets each; 0 is 2,000,000. Alerts, assets, links and commands that
	// wait are bounded by the caps of Retention or an eighth of it.
	MaxPending int
	// Kind looks a kind up in the catalogue; nil is detect.Kinds. A kind that is
	// in none has nothing but its name.
	Kind func(name string) *detect.Kind
	// Log is told what a person should know, once each time; nil tells nobody.
	Log *slog.Logger
}

// Retention bounds a store. Ages are packet time before the newest clock
// written; 0 is the default, a negative number no bound.
type Retention struct {
	// MaxBytes is the most that the file may hold; 4 GiB by default. SQLite's
	// journal beside it takes up to 64 MiB more.
	MaxBytes int64
	// RawAge, MinuteAge and HourAge are how long the raw values, minutes and
	// hours of series are kept: 30 days, 400 days and 5 years by default.
	RawAge, MinuteAge, HourAge time.Duration
	// MaxSeries and so on are the most rows of their kinds; 1,000,000 series,
	// 100,000 alerts, 65,536 assets, 262,144 links, 1,000,000 commands, 10
	// baselines of a name, and 1,000 runs by default. A new series over the
	// cap is not kept; of the others the oldest make room: alerts that are
	// cleared, and assets and links that are not Known, first.
	MaxSeries, MaxAlerts, MaxAssets, MaxLinks, MaxCommands, MaxBaselines, MaxRuns int
}

func (o *Options) fill() {
	def(&o.CommitInterval, time.Second)
	def(&o.SampleInterval, 5*time.Second)
	def(&o.MaxPending, 2_000_000)
	r := &o.Retention
	const day = 24 * time.Hour
	def(&r.MaxBytes, 4<<30)
	def(&r.RawAge, 30*day)
	def(&r.MinuteAge, 400*day)
	def(&r.HourAge, 5*365*day)
	def(&r.MaxSeries, 1_000_000)
	def(&r.MaxAlerts, 100_000)
	def(&r.MaxAssets, 65_536)
	def(&r.MaxLinks, 262_144)
	def(&r.MaxCommands, 1_000_000)
	def(&r.MaxBaselines, 10)
	def(&r.MaxRuns, 1_000)
	if o.Kind == nil {
		kinds := map[string]*detect.Kind{}
		for _, k := range detect.Kinds() {
			kinds[k.Name] = k
		}
		o.Kind = func(name string) *detect.Kind { return kinds[name] }
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
}

func def[T int | int64 | time.Duration](v *T, to T) {
	if *v == 0 {
		*v = to
	}
}

// over tells whether n is more than a cap allows.
func over(n, limit int) bool { return limit > 0 && n > limit }
