package console

import (
	"net/http"

	"github.com/weir-ics/weir/detect"
)

type incidentsView struct {
	Incidents []detect.Incident
	Pager     pager
	Wrong     string
}

func (c *console) incidents(w http.ResponseWriter, r *http.Request) {
	form := r.URL.Query()
	f := c.fields(form)
	offset := f.whole("offset", 0, 0, 1<<30)
	v := incidentsView{}
	if f.err != nil {
		v.Wrong = f.err.Error()
	}
	list, total, err := c.data.Incidents(r.Context(), pageSize, offset)
	if err != nil {
		c.broken(w, r, "read the incidents", err)
		return
	}
	v.Incidents, v.Pager = list, paged("/incidents", form, offset, len(list), total)
	c.show(w, r, "incidents", page{Title: "Incidents", Nav: "incidents", Live: true, Body: v})
}

type incidentView struct {
	detect.Incident
	// Alerts are in the order in which they began.
	Alerts     []detect.KeptAlert
	Pager      pager
	Techniques []Technique
	Hosts      []string
}

func (c *console) incident(w http.ResponseWriter, r *http.Request) {
	ctx := r.Context()
	id := r.PathValue("id")
	in, ok, err := c.data.Incident(ctx, id)
	if err != nil {
		c.broken(w, r, "read the incident", err)
		return
	}
	if !ok {
		c.fail(w, r, http.StatusNotFound, "there is no such incident; it may have been older than what the store keeps")
		return
	}
	form := r.URL.Query()
	f := c.fields(form)
	offset := f.whole("offset", 0, 0, 1<<30)
	list, total, err := c.data.Alerts(ctx, detect.AlertQuery{Incident: id, OldestFirst: true, Limit: pageSize, Offset: offset})
	if err != nil {
		c.broken(w, r, "read the incident's alerts", err)
		return
	}
	v := incidentView{Incident: in, Alerts: list, Pager: paged("/incidents/"+id, form, offset, len(list), total)}
	seenT, seenH := map[string]bool{}, map[string]bool{}
	for i := range list {
		a := &list[i]
		for _, t := range a.Finding.Techniques {
			if !seenT[t] {
				seenT[t] = true
				v.Techniques = append(v.Techniques, named([]string{t})...)
			}
		}
		for _, p := range []detect.Party{a.Client, a.Server} {
			if h := address(p.Endpoint.IP); h != "" && !seenH[h] {
				seenH[h] = true
				v.Hosts = append(v.Hosts, h)
			}
		}
	}
	c.show(w, r, "incident", page{Title: in.Title, Nav: "incidents", Live: true, Body: v})
}
