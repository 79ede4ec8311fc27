package console

import (
	"fmt"
	"net/netip"
	"net/url"
	"strconv"
	"time"

	"github.com/weir-ics/weir/detect"
	"github.com/weir-ics/weir/protocols"
)

// What pages and API ask for, read from the address.

const (
	// pageSize is how many lines a page shows, apiLimit how many the API gives
	// unless it is told; maxLimit is the most of both.
	pageSize = 100
	apiLimit = 100
	maxLimit = 1000
	// maxText bounds what is searched for.
	maxText = 200
)

// fields reads values from a query and keeps the first error.
type fields struct {
	url.Values
	loc *time.Location
	err error
}

func (f *fields) wrong(name, why string) {
	if f.err == nil {
		f.err = fmt.Errorf("%s: %q %s", name, clip(f.Get(name), 80), why)
	}
}

func clip(s string, n int) string {
	if len(s) > n {
		return s[:n] + "…"
	}
	return s
}

func (f *fields) text(name string) string {
	s := f.Get(name)
	if len(s) > maxText {
		f.wrong(name, fmt.Sprintf("is longer than %d octets", maxText))
	}
	return s
}

func (f *fields) whole(name string, otherwise, min, max int) int {
	s := f.Get(name)
	if s == "" {
		return otherwise
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < min || n > max {
		f.wrong(name, fmt.Sprintf("is not a number from %d to %d", min, max))
		return otherwise
	}
	return n
}

func (f *fields) severity(name string) protocols.Severity {
	s := f.Get(name)
	if s == "" {
		return protocols.Info
	}
	v, err := protocols.ParseSeverity(s)
	if err != nil {
		f.wrong(name, "is none of info, low, medium, high, critical")
	}
	return v
}

func (f *fields) host(name string) netip.Addr {
	s := f.Get(name)
	if s == "" {
		return netip.Addr{}
	}
	a, err := netip.ParseAddr(s)
	if err != nil {
		f.wrong(name, "is not an IP address")
	}
	return a.Unmap()
}

// timeLayouts are how a time may be written: the API's own, and what a form's
// date field sends, which is in the console's time zone.
var timeLayouts = []string{time.RFC3339Nano, "2006-01-02T15:04:05", "2006-01-02T15:04", "2006-01-02 15:04:05", "2006-01-02"}

// time reads a time as nanoseconds, 0 if there is none.
func (f *fields) time(name string) int64 {
	s := f.Get(name)
	if s == "" {
		return 0
	}
	for _, l := range timeLayouts {
		if t, err := time.ParseInLocation(l, s, f.loc); err == nil {
			if y := t.Year(); y < 1678 || y > 2261 {
				break // not a number of nanoseconds in 64 bits
			}
			return t.UnixNano()
		}
	}
	f.wrong(name, "is not a time such as 2026-03-14T08:00:00Z")
	return 0
}

// The states that alerts are asked for by.
const (
	stateAny            = "any"
	stateOpen           = "open"
	stateUnacknowledged = "unacknowledged"
	stateCleared        = "cleared"
)

// alertQuery reads which alerts are wanted; state is what is meant if none is
// given.
func (f *fields) alertQuery(state string, limit int) detect.AlertQuery {
	q := detect.AlertQuery{
		MinSeverity: f.severity("severity"),
		Kind:        f.text("kind"),
		Host:        f.host("host"),
		Incident:    f.text("incident"),
		Text:        f.text("q"),
		From:        f.time("from"),
		To:          f.time("to"),
		Limit:       f.whole("limit", limit, 1, maxLimit),
		Offset:      f.whole("offset", 0, 0, 1<<30),
	}
	if s := f.Get("state"); s != "" {
		state = s
	}
	switch state {
	case stateAny:
	case stateOpen:
		q.Open = true
	case stateUnacknowledged:
		q.Open, q.Unacknowledged = true, true
	case stateCleared:
		q.Cleared = true
	default:
		f.wrong("state", "is none of any, open, unacknowledged, cleared")
	}
	switch f.Get("order") {
	case "", "newest":
	case "oldest":
		q.OldestFirst = true
	default:
		f.wrong("order", "is neither newest nor oldest")
	}
	return q
}

func (c *console) fields(v url.Values) *fields { return &fields{Values: v, loc: c.Location} }
