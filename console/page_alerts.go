package console

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/weir-ics/weir/detect"
)

type alertsView struct {
	// Filter is what the form shows.
	Filter filterView
	Alerts []detect.KeptAlert
	Pager  pager
	// CSV is the address of all that the filter selects, as a file.
	CSV string
	// Wrong says what is wrong with the filter.
	Wrong string
	// Clock is now in packet time.
	Clock int64
}

type filterView struct {
	Severity, State, Kind, Host, Text, From, To, Incident string
	Kinds                                                 []string
	// Set tells that something narrows the list.
	Set bool
}

func (c *console) alerts(w http.ResponseWriter, r *http.Request) {
	form := r.URL.Query()
	f := c.fields(form)
	q := f.alertQuery(stateOpen, pageSize)
	v := alertsView{Filter: filterView{
		Severity: form.Get("severity"), State: form.Get("state"), Kind: form.Get("kind"), Host: form.Get("host"),
		Text: form.Get("q"), From: form.Get("from"), To: form.Get("to"), Incident: form.Get("incident"),
		Kinds: c.kindNames(),
	}}
	for _, name := range []string{"severity", "state", "kind", "host", "q", "from", "to", "incident"} {
		v.Filter.Set = v.Filter.Set || form.Get(name) != ""
	}
	if f.err != nil {
		v.Wrong = f.err.Error()
	} else {
		alerts, total, err := c.data.Alerts(r.Context(), q)
		if err != nil {
			c.broken(w, r, "read the alerts", err)
			return
		}
		v.Alerts, v.Pager = alerts, paged("/alerts", form, q.Offset, len(alerts), total)
	}
	v.CSV = "/api/v1/alerts.csv?" + csvQuery(form).Encode()
	c.show(w, r, "alerts", page{Title: "Alerts", Nav: "alerts", Live: true, Body: v})
}

// csvQuery is the page's query for the file, which takes all unless told.
func csvQuery(form url.Values) url.Values {
	q := url.Values{}
	for k, s := range form {
		if k != "offset" && k != "limit" && len(s) > 0 && s[0] != "" {
			q[k] = s[:1]
		}
	}
	if q.Get("state") == "" {
		q.Set("state", stateOpen)
	}
	return q
}

// kindNames are the names that the kind field suggests: each kind, and each
// family of kinds.
func (c *console) kindNames() []string {
	var names []string
	for _, k := range c.Kinds {
		names = append(names, k.Name)
		if i := strings.IndexByte(k.Name, '.'); i > 0 {
			names = append(names, k.Name[:i+1])
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

type alertView struct {
	detect.KeptAlert
	// Doc is the catalogue's entry of its kind.
	Doc        *detect.Kind
	Client     partyView
	Server     partyView
	Techniques []Technique
	// Points are the alert's, with the names that their series have.
	Points      []detect.PointRef
	Series      []detect.KeptSeries
	Neighbours  []detect.KeptAlert
	JSON        string
	HasEvidence bool
	Saved       bool
	Wrong       string
	By, Note    string
	// code is the answer's status, 0 for OK.
	code int
	// ChartFrom to MarkTo bound the charts and what they mark, in milliseconds.
	ChartFrom, ChartTo, MarkFrom, MarkTo int64
}

type partyView struct {
	detect.Party
	Title string
	IP    string
	MAC   string
	Unit  string
	// Asset is what is known of the host; false with Found if nothing is.
	Asset detect.Asset
	Found bool
}

// maxAlertSeries is how many charts an alert's page draws.
const maxAlertSeries = 6

func (c *console) alert(w http.ResponseWriter, r *http.Request) { c.showAlert(w, r, alertView{}) }

// showAlert shows the alert that the address names, with what v already says
// of the form.
func (c *console) showAlert(w http.ResponseWriter, r *http.Request, v alertView) {
	ctx := r.Context()
	a, ok, err := c.data.Alert(ctx, r.PathValue("id"))
	if err != nil {
		c.broken(w, r, "read the alert", err)
		return
	}
	if !ok {
		c.fail(w, r, http.StatusNotFound, "there is no such alert; it may have been older than what the store keeps")
		return
	}
	assets, err := c.data.Assets(ctx)
	if err != nil {
		c.broken(w, r, "read the assets", err)
		return
	}
	v.KeptAlert = a
	v.Doc = c.doc(a.Kind)
	v.Client, v.Server = viewParty(&a, a.Client, assets), viewParty(&a, a.Server, assets)
	v.Client.Title, v.Server.Title = roleTitles(&a)
	ids := a.Finding.Techniques
	if len(ids) == 0 && v.Doc != nil {
		ids = v.Doc.Techniques
	}
	v.Techniques = named(ids)
	v.JSON = string(a.Alert.AppendJSON(nil))
	v.HasEvidence = c.Evidence != nil && a.Evidence != ""
	v.Saved = r.URL.Query().Get("saved") == "1"
	if len(a.Points) > 0 && a.Server.Endpoint.IP.IsValid() {
		v.Series, _, err = c.data.Series(ctx, detect.SeriesQuery{Points: located(&a), Limit: maxAlertSeries})
		if err != nil {
			c.broken(w, r, "read the points' series", err)
			return
		}
	}
	v.Points = namePoints(&a, v.Series)
	if a.Incident != "" {
		v.Neighbours, _, err = c.data.Alerts(ctx, detect.AlertQuery{Incident: a.Incident, OldestFirst: true, Limit: 12})
		if err != nil {
			c.broken(w, r, "read the incident", err)
			return
		}
	}
	status, err := c.data.Status(ctx)
	if err != nil {
		c.broken(w, r, "read what the sensor is doing", err)
		return
	}
	v.ChartFrom, v.ChartTo = around(a.Start, a.End, status.Clock)
	v.MarkFrom, v.MarkTo = milliseconds(a.Start), milliseconds(a.End)
	c.show(w, r, "alert", page{Title: a.Title, Nav: "alerts", Live: true, Code: v.code, Body: v})
}

// located is the points of an alert, each with its device.
func located(a *detect.KeptAlert) []detect.PointRef {
	out := slices.Clone(a.Points)
	for i := range out {
		if p := &out[i]; !p.Device.IsValid() {
			p.Device, p.Unit = a.Server.Endpoint.IP, uint16(max(a.Server.Unit, a.Server.Address, 0))
		}
	}
	return out
}

// namePoints gives the points of an alert that have no name of their own that of
// their series.
func namePoints(a *detect.KeptAlert, series []detect.KeptSeries) []detect.PointRef {
	out := slices.Clone(a.Points)
	for i, p := range located(a) {
		for _, s := range series {
			if p.Name == "" && s.Device == p.Device && s.Kind == p.Kind && s.Index == p.First {
				out[i].Name = s.Name
			}
		}
	}
	return out
}

// around gives a stretch that shows what came before and after, in
// milliseconds: twice the alert's own length on each side, at least 5 minutes
// and at most a day, and no more than a little of what is still to come.
func around(start, end, now int64) (from, to int64) {
	const minute = int64(60_000)
	s, e := milliseconds(start), milliseconds(end)
	pad := min(max(2*(e-s), 5*minute), 24*60*minute)
	return s - pad, max(e, min(e+pad, milliseconds(now))) + pad/50
}

// doc is the catalogue's entry for a kind: its own words if it has them.
func (c *console) doc(k *detect.Kind) *detect.Kind {
	if k == nil || k.Meaning != "" {
		return k
	}
	if d, ok := c.kinds[k.Name]; ok {
		return d
	}
	return k
}

func viewParty(a *detect.KeptAlert, p detect.Party, assets []detect.Asset) partyView {
	v := partyView{Party: p, IP: address(p.Endpoint.IP), MAC: mac(p.Endpoint.MAC)}
	if p.Unit >= 0 {
		v.Unit = unitName(a.Proto, p.Unit)
	} else if p.Address >= 0 {
		v.Unit = unitName(a.Proto, p.Address)
	}
	for i := range assets {
		if p.Endpoint.IP.IsValid() && assets[i].IP == p.Endpoint.IP {
			v.Asset, v.Found = assets[i], true
			break
		}
	}
	return v
}

// maxName and maxNote bound what a person writes, in octets.
const maxName, maxNote = 80, 2000

var errNoName = errors.New("say who you are, so that others know whom to ask")

// checkAcknowledgement trims what was written and says what is wrong with it.
func checkAcknowledgement(a *detect.Acknowledgement) error {
	a.By, a.Note = strings.TrimSpace(a.By), strings.TrimSpace(a.Note)
	switch {
	case a.By == "":
		return errNoName
	case len(a.By) > maxName:
		return errors.New("the name is too long")
	case len(a.Note) > maxNote:
		return errors.New("the note is too long; 2000 letters are kept")
	}
	return nil
}

func (c *console) acknowledge(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil {
		c.fail(w, r, http.StatusBadRequest, "the form could not be read")
		return
	}
	a := detect.Acknowledgement{Time: c.Now().UnixNano(), By: r.PostForm.Get("by"), Note: r.PostForm.Get("note")}
	if err := checkAcknowledgement(&a); err != nil {
		c.showAlert(w, r, alertView{Wrong: err.Error(), By: a.By, Note: a.Note, code: http.StatusUnprocessableEntity})
		return
	}
	id := r.PathValue("id")
	ok, err := c.data.Acknowledge(r.Context(), id, a)
	if err != nil {
		c.broken(w, r, "keep the acknowledgement", err)
		return
	}
	if !ok {
		c.fail(w, r, http.StatusNotFound, "there is no such alert")
		return
	}
	http.Redirect(w, r, "/alerts/"+url.PathEscape(id)+"?saved=1#said", http.StatusSeeOther)
}
