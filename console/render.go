package console

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"encoding/json"
	"html/template"
	"net/http"
	"strings"

	"github.com/weir-ics/weir/detect"
	"github.com/weir-ics/weir/protocols"
)

//go:embed templates
var templateFiles embed.FS

// pages are the parsed templates by the name of their file.
type pages map[string]*template.Template

var pageNames = []string{"overview", "alerts", "alert", "incidents", "incident", "assets", "asset", "links", "trends", "catalogue", "about", "failure"}

func (c *console) parse() pages {
	base := template.Must(template.New("layout.html").Funcs(template.FuncMap{
		"when":       c.when,
		"duration":   duration,
		"ago":        ago,
		"amount":     amount[uint64],
		"count":      amount[int],
		"plural":     plural,
		"percent":    percent,
		"number":     number,
		"ms":         milliseconds,
		"mac":        mac,
		"point":      pointName,
		"proto":      protoTitle,
		"seriesName": seriesName,
		"place":      seriesPlace,
		"stepped":    stepped,
		"file":       assetURL,
		"sub":        func(a, b int64) int64 { return a - b },
		"severities": severityNames,
		"states":     func() []string { return []string{stateOpen, stateUnacknowledged, stateCleared, stateAny} },
		"unitList":   unitList,
		"unitOf":     func(s detect.KeptSeries) string { return unitName(s.Proto, int(s.Unit)) },
		"linkUnit":   linkUnit,
		"markdown":   markdown,
		"sentences":  func(a, b string) string { return a + " " + b },
		"checked":    func(s detect.KeptSeries) pick { return pick{s, true} },
		"unchecked":  func(s detect.KeptSeries) pick { return pick{s, false} },
	}).ParseFS(templateFiles, "templates/layout.html", "templates/parts.html"))
	m := pages{}
	for _, name := range pageNames {
		m[name] = template.Must(template.Must(base.Clone()).ParseFS(templateFiles, "templates/"+name+".html"))
	}
	return m
}

// pick is a series that can be chosen.
type pick struct {
	detect.KeptSeries
	Checked bool
}

func severityNames() []string {
	var names []string
	for s := protocols.Info; s < protocols.NumSeverities; s++ {
		names = append(names, s.String())
	}
	return names
}

// page is what every template is given.
type page struct {
	Title string
	// Nav is the entry of the menu that the page belongs to.
	Nav     string
	Site    string
	Version string
	Zone    string
	// Refresh is in seconds. Slow multiplies it where news are rare and a page
	// is dear to make: it draws thousands of links.
	Refresh, Slow int
	// Live tells that a part of the page renews itself, and the header with it.
	Live   bool
	Status statusView
	Counts detect.AlertCounts
	// HasCatalogue tells that there is something to show there.
	HasCatalogue bool
	// Code is the answer's status, 0 for OK.
	Code int
	Body any
}

// statusView is the sensor's state as the header says it.
type statusView struct {
	detect.Status
	// Class is for the style: learning, watching, replayed, unknown; trouble
	// where something is wrong, deaf where nothing is seen.
	Class string
	// Short is a word or two.
	Short string
	// Warnings are what a person has to know before they believe the page.
	Warnings []string
}

func (c *console) viewStatus(s detect.Status) statusView {
	v := statusView{Status: s, Class: s.Mode.String(), Short: s.Mode.String()}
	if !s.Live && s.Mode != detect.ModeUnknown {
		v.Class, v.Short = "replayed", "replayed capture"
	}
	if s.Mode == detect.ModeUnknown {
		v.Short = "no data yet"
	}
	v.Warnings = c.warnings(s)
	switch {
	case s.Live && s.Ended != 0:
		v.Class, v.Short = "deaf", "ended"
	case c.noNews(s) > 0:
		v.Class, v.Short = "deaf", "no news"
	case s.Down != "":
		v.Class, v.Short = "deaf", "interface down"
	case len(v.Warnings) > 0:
		v.Class = "trouble"
	}
	return v
}

// Open is how many alerts are open and not acknowledged.
func (p page) Open() int {
	n := 0
	for _, k := range p.Counts.Unacknowledged {
		n += k
	}
	return n
}

// Worst is the highest severity among the open alerts that nobody has
// acknowledged.
func (p page) Worst() string {
	for s := protocols.Critical; s > protocols.Info; s-- {
		if p.Counts.Unacknowledged[s] > 0 {
			return s.String()
		}
	}
	return protocols.Info.String()
}

// show writes the page of the template name.
func (c *console) show(w http.ResponseWriter, r *http.Request, name string, p page) {
	status, err := c.data.Status(r.Context())
	if err != nil {
		c.broken(w, r, "read what the sensor is doing", err)
		return
	}
	if p.Counts, err = c.data.AlertCounts(r.Context()); err != nil {
		c.broken(w, r, "count the alerts", err)
		return
	}
	p.Status = c.viewStatus(status)
	c.write(w, r, cmp.Or(p.Code, http.StatusOK), name, p)
}

func (c *console) write(w http.ResponseWriter, r *http.Request, code int, name string, p page) {
	p.Site, p.Version, p.Zone = c.Site, c.Version, c.Location.String()
	p.Refresh = int(c.Refresh.Seconds()) * max(p.Slow, 1)
	p.HasCatalogue = len(c.Kinds)+len(c.Rules) > 0
	var b bytes.Buffer
	if err := c.pages[name].Execute(&b, p); err != nil {
		c.Log.Error("console cannot write a page", "page", name, "error", err)
		http.Error(w, "the page could not be written; the sensor's log says why", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "private, no-cache")
	if code != http.StatusOK {
		w.WriteHeader(code)
		w.Write(b.Bytes())
		return
	}
	answer(w, r, b.Bytes(), tagOf(b.Bytes()))
}

func tagOf(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:12])
}

// fail says what went wrong, as a page or, under /api/, as JSON.
func (c *console) fail(w http.ResponseWriter, r *http.Request, code int, why string) {
	if strings.HasPrefix(r.URL.Path, "/api/") {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(code)
		json.NewEncoder(w).Encode(apiError{why})
		return
	}
	c.write(w, r, code, "failure", page{Title: http.StatusText(code), Body: why})
}
