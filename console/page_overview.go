package console

import (
	"net/http"
	"time"

	"github.com/weir-ics/weir/detect"
	"github.com/weir-ics/weir/protocols"
)

// newestIncidents is how many the overview shows.
const newestIncidents = 8

type overviewView struct {
	// State is the sensor in a sentence, Need what needs a person.
	State, Need string
	Severities  []severityTile
	Incidents   []detect.Incident
	MoreThan    int
	Counters    countersView
	// ChartFrom and ChartTo bound the traffic chart, in milliseconds.
	ChartFrom, ChartTo int64
}

type severityTile struct {
	Severity string
	Open     int
	// New are those that nobody has acknowledged.
	New int
}

func (c *console) overview(w http.ResponseWriter, r *http.Request) {
	ctx := r.Context()
	status, err := c.data.Status(ctx)
	if err != nil {
		c.broken(w, r, "read what the sensor is doing", err)
		return
	}
	counts, err := c.data.AlertCounts(ctx)
	if err != nil {
		c.broken(w, r, "count the alerts", err)
		return
	}
	incidents, total, err := c.data.Incidents(ctx, newestIncidents, 0)
	if err != nil {
		c.broken(w, r, "read the incidents", err)
		return
	}
	clock, counters, err := c.data.Counters(ctx)
	if err != nil {
		c.broken(w, r, "read the counters", err)
		return
	}
	v := overviewView{
		State:     c.stateSentence(status),
		Need:      needSentence(counts),
		Incidents: incidents,
		MoreThan:  total - len(incidents),
		Counters:  viewCounters(clock, counters),
		ChartTo:   milliseconds(status.Clock),
	}
	v.ChartFrom = milliseconds(max(status.First, status.Clock-int64(6*time.Hour)))
	for s := protocols.Critical; ; s-- {
		v.Severities = append(v.Severities, severityTile{s.String(), counts.Open[s], counts.Unacknowledged[s]})
		if s == protocols.Info {
			break
		}
	}
	c.show(w, r, "overview", page{Title: "Overview", Nav: "overview", Live: true, Body: v})
}

// stateSentence says what the sensor is doing and since when.
func (c *console) stateSentence(s detect.Status) string {
	switch {
	case s.Live && s.Ended != 0:
		return "The sensor ended on " + c.inWords(s.Ended) + "."
	case c.noNews(s) > 0:
		return "No news from the sensor for " + duration(c.noNews(s)) + "."
	case s.Mode == detect.ModeUnknown || s.Clock == 0 || s.Live && s.First == 0:
		return "Nothing has been seen yet."
	case !s.Live:
		return "Replayed " + duration(s.Clock-s.First) + " of traffic, from " + c.inWords(s.First) + "."
	case s.Mode == detect.Learning && s.Until > s.Clock:
		return "Learning what is normal since " + c.inWords(s.Since) + ", for another " + duration(s.Until-s.Clock) + "."
	case s.Mode == detect.Learning:
		return "Learning what is normal since " + c.inWords(s.Since) + "."
	default:
		return "Watching since " + c.inWords(s.Since) + "."
	}
}

// needSentence says what waits for a person.
func needSentence(n detect.AlertCounts) string {
	open, waiting := 0, 0
	for s := range n.Open {
		open += n.Open[s]
		waiting += n.Unacknowledged[s]
	}
	switch {
	case open == 0:
		return "No alert is open."
	case waiting == 0:
		return plural(open, "alert is open and acknowledged.", "alerts are open, all acknowledged.")
	}
	s := plural(waiting, "open alert needs a look", "open alerts need a look")
	for sev := protocols.Critical; sev >= protocols.High; sev-- {
		if k := n.Unacknowledged[sev]; k > 0 {
			return s + ", " + amount(k) + " of them " + sev.String() + "."
		}
	}
	return s + "."
}
