package console

import (
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/netip"
	"time"

	"github.com/weir-ics/weir/detect"
)

// send answers with v as JSON.
func (c *console) send(w http.ResponseWriter, r *http.Request, code int, v any) {
	b, err := json.Marshal(v)
	if err != nil {
		c.broken(w, r, "write the answer", err)
		return
	}
	b = append(b, '\n')
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "private, no-cache")
	if code != http.StatusOK {
		w.WriteHeader(code)
		w.Write(b)
		return
	}
	answer(w, r, b, tagOf(b))
}

func (c *console) apiStatus(w http.ResponseWriter, r *http.Request) {
	s, err := c.data.Status(r.Context())
	if err != nil {
		c.broken(w, r, "read what the sensor is doing", err)
		return
	}
	counts, err := c.data.AlertCounts(r.Context())
	if err != nil {
		c.broken(w, r, "count the alerts", err)
		return
	}
	c.send(w, r, http.StatusOK, c.statusJSON(s, counts))
}

func (c *console) apiCounters(w http.ResponseWriter, r *http.Request) {
	clock, counters, err := c.data.Counters(r.Context())
	if err != nil {
		c.broken(w, r, "read the counters", err)
		return
	}
	out := apiCounters{Time: stamp(clock), Counters: make([]apiCounter, 0, len(counters))}
	for _, k := range counters {
		out.Counters = append(out.Counters, apiCounter{k.Name, k.Value, isLoss(k.Name)})
	}
	c.send(w, r, http.StatusOK, out)
}

func (c *console) apiCounterSamples(w http.ResponseWriter, r *http.Request) {
	from, to, n, ok := c.stretch(w, r)
	if !ok {
		return
	}
	buckets, err := c.data.CounterHistory(r.Context(), r.PathValue("name"), from, to, n)
	if err != nil {
		c.broken(w, r, "read a counter's history", err)
		return
	}
	c.send(w, r, http.StatusOK, samplesJSON(buckets))
}

// stretch reads which stretch of time is asked for and in how many samples; it
// answers itself if that is wrong.
func (c *console) stretch(w http.ResponseWriter, r *http.Request) (from, to int64, n int, ok bool) {
	f := c.fields(r.URL.Query())
	from, to, n = f.time("from"), f.time("to"), f.whole("n", defaultSamples, 1, maxSamples)
	if f.err != nil {
		c.fail(w, r, http.StatusBadRequest, f.err.Error())
		return 0, 0, 0, false
	}
	if to == 0 {
		s, err := c.data.Status(r.Context())
		if err != nil {
			c.broken(w, r, "read what the sensor is doing", err)
			return 0, 0, 0, false
		}
		to = s.Clock
	}
	if from > to {
		c.fail(w, r, http.StatusBadRequest, "from: is after to")
		return 0, 0, 0, false
	}
	return from, to, n, true
}

// defaultSamples is how many samples an answer holds unless told, maxSamples
// the most.
const defaultSamples, maxSamples = 600, 10_000

func (c *console) apiAlerts(w http.ResponseWriter, r *http.Request) {
	f := c.fields(r.URL.Query())
	q := f.alertQuery(stateAny, apiLimit)
	if f.err != nil {
		c.fail(w, r, http.StatusBadRequest, f.err.Error())
		return
	}
	list, total, err := c.data.Alerts(r.Context(), q)
	if err != nil {
		c.broken(w, r, "read the alerts", err)
		return
	}
	out := apiAlerts{Total: total, Offset: q.Offset, Alerts: make([]apiAlert, 0, len(list))}
	for i := range list {
		out.Alerts = append(out.Alerts, alertJSON(&list[i]))
	}
	c.send(w, r, http.StatusOK, out)
}

func (c *console) apiAlert(w http.ResponseWriter, r *http.Request) {
	a, ok, err := c.data.Alert(r.Context(), r.PathValue("id"))
	if err != nil {
		c.broken(w, r, "read the alert", err)
		return
	}
	if !ok {
		c.fail(w, r, http.StatusNotFound, "there is no such alert")
		return
	}
	c.send(w, r, http.StatusOK, alertJSON(&a))
}

func (c *console) apiAcknowledge(w http.ResponseWriter, r *http.Request) {
	// A page of another site can send a form, but not this content type,
	// without the browser asking first.
	if ct, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); ct != "application/json" {
		c.fail(w, r, http.StatusUnsupportedMediaType, "the body must be application/json")
		return
	}
	var in apiAcknowledgement
	d := json.NewDecoder(r.Body)
	d.DisallowUnknownFields()
	if err := d.Decode(&in); err != nil {
		var large *http.MaxBytesError
		if errors.As(err, &large) {
			c.fail(w, r, http.StatusRequestEntityTooLarge, "the body is too large")
			return
		}
		c.fail(w, r, http.StatusBadRequest, `the body must be {"by": "...", "note": "..."}: `+err.Error())
		return
	}
	if _, err := d.Token(); err != io.EOF {
		c.fail(w, r, http.StatusBadRequest, "the body holds more than one object")
		return
	}
	a := detect.Acknowledgement{Time: c.Now().UnixNano(), By: in.By, Note: in.Note}
	if err := checkAcknowledgement(&a); err != nil {
		c.fail(w, r, http.StatusBadRequest, err.Error())
		return
	}
	ok, err := c.data.Acknowledge(r.Context(), r.PathValue("id"), a)
	if err != nil {
		c.broken(w, r, "keep the acknowledgement", err)
		return
	}
	if !ok {
		c.fail(w, r, http.StatusNotFound, "there is no such alert")
		return
	}
	c.send(w, r, http.StatusCreated, apiAcknowledgement{stamp(a.Time), a.By, a.Note})
}

func (c *console) apiIncidents(w http.ResponseWriter, r *http.Request) {
	f := c.fields(r.URL.Query())
	limit, offset := f.whole("limit", apiLimit, 1, maxLimit), f.whole("offset", 0, 0, 1<<30)
	if f.err != nil {
		c.fail(w, r, http.StatusBadRequest, f.err.Error())
		return
	}
	list, total, err := c.data.Incidents(r.Context(), limit, offset)
	if err != nil {
		c.broken(w, r, "read the incidents", err)
		return
	}
	out := apiIncidents{Total: total, Offset: offset, Incidents: make([]apiIncident, 0, len(list))}
	for _, in := range list {
		out.Incidents = append(out.Incidents, incidentJSON(in))
	}
	c.send(w, r, http.StatusOK, out)
}

func (c *console) apiIncident(w http.ResponseWriter, r *http.Request) {
	in, ok, err := c.data.Incident(r.Context(), r.PathValue("id"))
	if err != nil {
		c.broken(w, r, "read the incident", err)
		return
	}
	if !ok {
		c.fail(w, r, http.StatusNotFound, "there is no such incident")
		return
	}
	c.send(w, r, http.StatusOK, incidentJSON(in))
}

func (c *console) apiAssets(w http.ResponseWriter, r *http.Request) {
	f := c.fields(r.URL.Query())
	text, limit, offset := f.text("q"), f.whole("limit", apiLimit, 1, maxLimit), f.whole("offset", 0, 0, 1<<30)
	if f.err != nil {
		c.fail(w, r, http.StatusBadRequest, f.err.Error())
		return
	}
	all, err := c.data.Assets(r.Context())
	if err != nil {
		c.broken(w, r, "read the assets", err)
		return
	}
	found := filterAssets(all, text)
	out := apiAssets{Total: len(found), Offset: offset, Assets: []apiAsset{}}
	for _, a := range cut(found, offset, limit) {
		out.Assets = append(out.Assets, assetJSON(&a))
	}
	c.send(w, r, http.StatusOK, out)
}

func (c *console) apiAsset(w http.ResponseWriter, r *http.Request) {
	ip, err := netip.ParseAddr(r.PathValue("ip"))
	if err != nil {
		c.fail(w, r, http.StatusNotFound, "that is not an IP address")
		return
	}
	all, err := c.data.Assets(r.Context())
	if err != nil {
		c.broken(w, r, "read the assets", err)
		return
	}
	a, ok := findAsset(all, ip)
	if !ok {
		c.fail(w, r, http.StatusNotFound, "no host with that address has been seen")
		return
	}
	c.send(w, r, http.StatusOK, assetJSON(&a))
}

func (c *console) apiLinks(w http.ResponseWriter, r *http.Request) {
	f := c.fields(r.URL.Query())
	text, limit, offset := f.text("q"), f.whole("limit", apiLimit, 1, maxLimit), f.whole("offset", 0, 0, 1<<30)
	if f.err != nil {
		c.fail(w, r, http.StatusBadRequest, f.err.Error())
		return
	}
	all, err := c.data.Links(r.Context())
	if err != nil {
		c.broken(w, r, "read the links", err)
		return
	}
	found := filterLinks(all, text)
	out := apiLinks{Total: len(found), Offset: offset, Links: []apiLink{}}
	for _, l := range cut(found, offset, limit) {
		out.Links = append(out.Links, linkJSON(&l))
	}
	c.send(w, r, http.StatusOK, out)
}

func (c *console) apiSeries(w http.ResponseWriter, r *http.Request) {
	f := c.fields(r.URL.Query())
	q := detect.SeriesQuery{
		Text: f.text("q"), Device: f.host("device"),
		Limit: f.whole("limit", apiLimit, 1, maxLimit), Offset: f.whole("offset", 0, 0, 1<<30),
	}
	if f.err != nil {
		c.fail(w, r, http.StatusBadRequest, f.err.Error())
		return
	}
	list, total, err := c.data.Series(r.Context(), q)
	if err != nil {
		c.broken(w, r, "read the series", err)
		return
	}
	out := apiSeriesList{Total: total, Offset: q.Offset, Series: make([]apiSeries, 0, len(list))}
	for i := range list {
		out.Series = append(out.Series, seriesJSON(&list[i]))
	}
	c.send(w, r, http.StatusOK, out)
}

// oneSeries finds the series that the address names; it answers itself if
// there is none.
func (c *console) oneSeries(w http.ResponseWriter, r *http.Request) (detect.KeptSeries, bool) {
	s, ok, err := c.data.SeriesByID(r.Context(), r.PathValue("id"))
	if err != nil {
		c.broken(w, r, "read the series", err)
		return s, false
	}
	if !ok {
		c.fail(w, r, http.StatusNotFound, "there is no such series")
	}
	return s, ok
}

func (c *console) apiSeriesByID(w http.ResponseWriter, r *http.Request) {
	if s, ok := c.oneSeries(w, r); ok {
		c.send(w, r, http.StatusOK, seriesJSON(&s))
	}
}

func (c *console) apiSamples(w http.ResponseWriter, r *http.Request) {
	s, ok := c.oneSeries(w, r)
	if !ok {
		return
	}
	from, to, n, ok := c.stretch(w, r)
	if !ok {
		return
	}
	buckets, err := c.data.Samples(r.Context(), s.ID, from, to, n)
	if err != nil {
		c.broken(w, r, "read the values", err)
		return
	}
	c.send(w, r, http.StatusOK, samplesJSON(buckets))
}

func (c *console) apiKinds(w http.ResponseWriter, r *http.Request) {
	out := apiKinds{Kinds: make([]apiKind, 0, len(c.Kinds))}
	for _, k := range c.Kinds {
		out.Kinds = append(out.Kinds, apiKind{k.Name, k.Severity.String(), k.Meaning, k.Decision, k.Action, named(k.Techniques)})
	}
	c.send(w, r, http.StatusOK, out)
}

// stamp writes a packet time for the API; no time is the empty string.
func stamp(ns int64) string {
	if ns == 0 {
		return ""
	}
	return time.Unix(0, ns).UTC().Format(time.RFC3339Nano)
}
