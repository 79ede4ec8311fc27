package console

import (
	"context"
	"errors"
	"net/http"

	"github.com/weir-ics/weir/detect"
)

// console answers requests. It keeps no state of its own between them.
type console struct {
	Options
	data  Data
	kinds map[string]*detect.Kind
	pages pages
}

// New returns the console over data.
func New(data Data, o Options) http.Handler {
	c := &console{Options: o.withDefaults(), data: data, kinds: map[string]*detect.Kind{}}
	for _, k := range o.Kinds {
		c.kinds[k.Name] = k
	}
	c.pages = c.parse()

	mux := http.NewServeMux()
	for pattern, h := range map[string]http.HandlerFunc{
		"GET /{$}":                                  c.overview,
		"GET /alerts":                               c.alerts,
		"GET /alerts/{id}":                          c.alert,
		"POST /alerts/{id}":                         c.acknowledge,
		"GET /incidents":                            c.incidents,
		"GET /incidents/{id}":                       c.incident,
		"GET /assets":                               c.assets,
		"GET /assets/{ip}":                          c.asset,
		"GET /links":                                c.links,
		"GET /trends":                               c.trends,
		"GET /catalogue":                            c.catalogue,
		"GET /about":                                c.about,
		"GET /healthz":                              c.healthz,
		"GET /files/{name}":                         c.serveFile,
		"GET /api/v1/status":                        c.apiStatus,
		"GET /api/v1/counters":                      c.apiCounters,
		"GET /api/v1/counters/{name}/samples":       c.apiCounterSamples,
		"GET /api/v1/alerts":                        c.apiAlerts,
		"GET /api/v1/alerts.csv":                    c.csvAlerts,
		"GET /api/v1/alerts/{id}":                   c.apiAlert,
		"POST /api/v1/alerts/{id}/acknowledgements": c.apiAcknowledge,
		"GET /api/v1/incidents":                     c.apiIncidents,
		"GET /api/v1/incidents/{id}":                c.apiIncident,
		"GET /api/v1/assets":                        c.apiAssets,
		"GET /api/v1/assets/{ip}":                   c.apiAsset,
		"GET /api/v1/links":                         c.apiLinks,
		"GET /api/v1/series":                        c.apiSeries,
		"GET /api/v1/series/{id}":                   c.apiSeriesByID,
		"GET /api/v1/series/{id}/samples":           c.apiSamples,
		"GET /api/v1/series/{id}/samples.csv":       c.csvSamples,
		"GET /api/v1/kinds":                         c.apiKinds,
		"/": func(w http.ResponseWriter, r *http.Request) {
			c.fail(w, r, http.StatusNotFound, "there is no such page")
		},
	} {
		mux.HandleFunc(pattern, h)
	}
	if c.Evidence != nil {
		mux.Handle("GET /evidence/", http.StripPrefix("/evidence/", c.Evidence))
	}
	return c.guard(mux)
}

func (c *console) healthz(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	if _, err := c.data.Status(r.Context()); err != nil {
		c.Log.Error("console cannot read its data", "error", err)
		http.Error(w, "the store cannot be read", http.StatusServiceUnavailable)
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Write([]byte("ok\n"))
}

// broken answers a request whose facts could not be read. The reason goes to
// the log, not to the browser: it may name files of the appliance.
func (c *console) broken(w http.ResponseWriter, r *http.Request, doing string, err error) {
	if errors.Is(err, context.Canceled) && r.Context().Err() != nil {
		return // the browser went away
	}
	c.Log.Error("console cannot answer", "doing", doing, "path", r.URL.Path, "error", err)
	c.fail(w, r, http.StatusInternalServerError, "could not "+doing+"; the sensor's log says why")
}
