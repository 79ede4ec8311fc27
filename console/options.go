package console

import (
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/weir-ics/weir/detect"
)

// Options are what the console is told besides its [Data]. The zero value is a
// console that works.
type Options struct {
	// Version is shown on the About page and in the API.
	Version string
	// Site is the plant's or sensor's name, shown in the header; empty shows
	// none.
	Site string
	// Location is the time zone that pages show times in; nil is UTC. Charts
	// need one with a name that browsers know ("Europe/Oslo"), else they are in
	// the browser's own. The API always answers in UTC.
	Location *time.Location
	// Kinds is the catalogue of alerts, in the order to show it.
	Kinds []*detect.Kind
	// Rules are the loaded rules, in the order to show them.
	Rules []Rule
	// Notes returns the product notes that match an asset; nil if there are
	// none. It is called by many goroutines at once.
	Notes func(detect.Asset) []Note
	// Evidence serves the preserved packets whose name is the path after
	// /evidence/; nil shows only the name.
	Evidence http.Handler
	// Hosts are names, besides localhost, the machine's own name and any IP
	// address, that a browser may reach the console by. A request for another
	// name is refused: it may be an attacker's name made to point here (DNS
	// rebinding).
	Hosts []string
	// Token, if set, must come with every request except /healthz: as a bearer
	// token or as the password of HTTP basic authentication, whatever the user
	// name.
	Token string
	// Refresh is how often pages ask for news; 0 is 5 s. It is kept within 1 s
	// and an hour.
	Refresh time.Duration
	// Now is the wall clock, for acknowledgements and CSV file names; nil is
	// time.Now.
	Now func() time.Time
	// Problem tells what stands in the way of keeping what the sensor finds, empty if
	// nothing does; nil is never anything. It is called by many goroutines at once.
	Problem func() string
	// Log hears of failures of Data and of refused requests; nil is silent.
	Log *slog.Logger
}

// Rule is a loaded rule as the catalogue page shows it.
type Rule struct {
	ID, Title, Description string
	// Severity is by name.
	Severity string
	// When is the rule's condition as it is written.
	When string
	// Action is what to do first.
	Action     string
	Techniques []string
	// Source is the file it came from.
	Source string
}

// Note is a product note that matches an asset.
type Note struct {
	Title string
	// Text is Markdown. Markup of HTML in it is left out.
	Text string
	// Severity is by name, empty if the note has none.
	Severity string
	// Matched says by what it matched.
	Matched string
	// References are where it comes from.
	References []string
}

func (o Options) withDefaults() Options {
	if o.Location == nil {
		o.Location = time.UTC
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Problem == nil {
		o.Problem = func() string { return "" }
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	switch {
	case o.Refresh == 0:
		o.Refresh = 5 * time.Second
	case o.Refresh < time.Second:
		o.Refresh = time.Second
	case o.Refresh > time.Hour:
		o.Refresh = time.Hour
	}
	o.Version = strings.TrimPrefix(o.Version, "weir ")
	if o.Version == "" {
		o.Version = "development"
	}
	return o
}
