package console

import (
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/weir-ics/weir/detect"
)

// maxCharts is how many series are drawn at once; foundSeries how many a search
// shows.
const maxCharts, foundSeries = 8, 100

type trendsView struct {
	Text string
	// Shown are drawn, Found are the others that the search found.
	Shown, Found []detect.KeptSeries
	FoundTotal   int
	Ranges       []rangeView
	Range        string
	// From and To bound the charts, in milliseconds. Follow tells that they
	// move on with the clock.
	From, To int64
	Follow   bool
	Wrong    string
}

// rangeView is a choice of how far back to look.
type rangeView struct {
	Name, Title string
	Chosen      bool
	URL         string
}

type timeRange struct {
	name, title string
	// length is 0 for all there is.
	length time.Duration
}

var ranges = []timeRange{
	{"15m", "15 min", 15 * time.Minute},
	{"1h", "1 h", time.Hour},
	{"6h", "6 h", 6 * time.Hour},
	{"24h", "24 h", 24 * time.Hour},
	{"7d", "7 d", 7 * 24 * time.Hour},
	{"30d", "30 d", 30 * 24 * time.Hour},
	{"all", "All", 0},
}

const usualRange = "1h"

func (c *console) trends(w http.ResponseWriter, r *http.Request) {
	ctx := r.Context()
	form := r.URL.Query()
	f := c.fields(form)
	v := trendsView{Text: form.Get("q"), Range: form.Get("range")}
	q := detect.SeriesQuery{Text: f.text("q"), Device: f.host("device"), Limit: foundSeries}
	from, to := f.time("from"), f.time("to")
	if f.err != nil {
		v.Wrong = f.err.Error()
		q, from, to = detect.SeriesQuery{Limit: foundSeries}, 0, 0
	}
	ids := form["s"]
	if len(ids) > maxCharts {
		ids = ids[:maxCharts]
		v.Wrong = "At most 8 series are drawn at once."
	}
	for _, id := range ids {
		s, ok, err := c.data.SeriesByID(ctx, id)
		if err != nil {
			c.broken(w, r, "read a series", err)
			return
		}
		if ok && !slices.ContainsFunc(v.Shown, func(k detect.KeptSeries) bool { return k.ID == s.ID }) {
			v.Shown = append(v.Shown, s)
		}
	}
	found, total, err := c.data.Series(ctx, q)
	if err != nil {
		c.broken(w, r, "read the series", err)
		return
	}
	v.FoundTotal = total
	for _, s := range found {
		if !slices.ContainsFunc(v.Shown, func(k detect.KeptSeries) bool { return k.ID == s.ID }) {
			v.Found = append(v.Found, s)
		}
	}
	status, err := c.data.Status(ctx)
	if err != nil {
		c.broken(w, r, "read what the sensor is doing", err)
		return
	}
	v.bounds(from, to, status)
	for _, rg := range ranges {
		u := url.Values{"range": {rg.name}}
		for _, s := range v.Shown {
			u.Add("s", s.ID)
		}
		if v.Text != "" {
			u.Set("q", v.Text)
		}
		v.Ranges = append(v.Ranges, rangeView{rg.name, rg.title, rg.name == v.Range, "/trends?" + u.Encode()})
	}
	c.show(w, r, "trends", page{Title: "Trends", Nav: "trends", Body: v})
}

// bounds settles what stretch of time the charts show.
func (v *trendsView) bounds(from, to int64, status detect.Status) {
	if from > 0 && to > from {
		v.Range = ""
		v.From, v.To = milliseconds(from), milliseconds(to)
		return
	}
	named := func(name string) int {
		return slices.IndexFunc(ranges, func(r timeRange) bool { return r.name == name })
	}
	i := named(v.Range)
	if i < 0 {
		i = named(usualRange)
	}
	v.Range = ranges[i].name
	start := status.First
	if l := int64(ranges[i].length); l > 0 {
		start = max(start, status.Clock-l)
	}
	v.From, v.To, v.Follow = milliseconds(start), milliseconds(status.Clock), status.Live
}
