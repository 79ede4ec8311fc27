package console

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/weir-ics/weir/detect"
	"github.com/weir-ics/weir/protocols"
)

// request asks a console as a browser on the same machine would.
func request(method, target, body string) *http.Request {
	r := httptest.NewRequest(method, "http://localhost:8341"+target, strings.NewReader(body))
	r.RemoteAddr = "127.0.0.1:50000"
	return r
}

func ask(h http.Handler, r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func get(t *testing.T, h http.Handler, target string) string {
	t.Helper()
	w := ask(h, request("GET", target, ""))
	if w.Code != http.StatusOK {
		t.Fatalf("GET %s: %d %s", target, w.Code, w.Body)
	}
	return w.Body.String()
}

func getJSON[T any](t *testing.T, h http.Handler, target string) T {
	t.Helper()
	var v T
	body := get(t, h, target)
	if err := json.Unmarshal([]byte(body), &v); err != nil {
		t.Fatalf("GET %s: %v in %s", target, err, body)
	}
	return v
}

func holds(t *testing.T, page string, texts ...string) {
	t.Helper()
	for _, s := range texts {
		if !strings.Contains(page, s) {
			t.Errorf("the page does not hold %q", s)
		}
	}
}

func TestOverviewSaysWhatTheSensorDoesAndWhatNeedsAPerson(t *testing.T) {
	f := newFake()
	h := New(f, options())
	holds(t, get(t, h, "/"), "Watching since 14 March 2026, 06:00.", "4 open alerts need a look, 1 of them critical.", "Holes in TCP streams", "0.04 %", "Rivermouth water plant")

	f.status.Fitting = 4988
	holds(t, get(t, h, "/"), "the models of 4,988 points are being fitted")
	f.status.Fitting = 0
	f.status.Mode, f.status.Until = detect.Learning, f.status.Clock+int64(90*time.Minute)
	holds(t, get(t, h, "/"), "Learning what is normal since 14 March 2026, 06:00, for another 1 h 30 min.")
	f.status.Live = false
	holds(t, get(t, h, "/"), "Replayed 10 h 42 min of traffic, from 14 March 2026, 00:00.")
	f.status = detect.Status{Unseen: -1}
	holds(t, get(t, h, "/"), "Nothing has been seen yet.")
}

func TestAPageSaysThatTheSensorHasEndedOrGivesNoNews(t *testing.T) {
	f := newFake()
	o := options()
	wall, problem := time.Unix(0, f.status.Told), ""
	o.Now, o.Problem = func() time.Time { return wall }, func() string { return problem }
	h := New(f, o)
	type answer struct {
		Live, Stale bool
		Ended       string
		Warnings    []string
	}
	api := func(live, stale bool, warnings int) {
		t.Helper()
		if got := getJSON[answer](t, h, "/api/v1/status"); got.Live != live || got.Stale != stale || len(got.Warnings) != warnings {
			t.Errorf("the API says %+v", got)
		}
	}
	api(true, false, 0)
	wall = wall.Add(time.Duration(patience))
	holds(t, get(t, h, "/"), "Watching since 14 March 2026, 06:00.", `class="status watching"`)

	wall = wall.Add(150 * time.Second)
	holds(t, get(t, h, "/"), "No news from the sensor for 3 min.", "It has ended, hangs, or cannot write to its store", `class="status deaf"`)
	holds(t, get(t, h, "/links"), `class="status deaf"`, "no news")
	api(false, true, 1)
	problem = "the disk is full"
	holds(t, get(t, h, "/"), "No news from the sensor for 3 min.", "what is shown may be old: the disk is full.")
	f.status.Told = wall.UnixNano() // what was said before the disk was full is not old yet
	holds(t, get(t, h, "/"), "Watching since", "what is shown may be old: the disk is full.", `class="status trouble"`)
	api(true, false, 1)
	problem = ""

	f.status.Told = 0 // by a weir of before, whose packet time is all there is
	f.status.Clock = wall.UnixNano() - int64(time.Hour)
	holds(t, get(t, h, "/"), "No news from the sensor for 1 h.")

	f.status.Told = wall.UnixNano() - int64(time.Hour)
	f.status.Ended = f.status.Told
	holds(t, get(t, h, "/"), "The sensor ended on ", "Nobody watches since then", `class="status deaf"`)
	api(false, false, 1)
	f.status.Live = false
	holds(t, get(t, h, "/"), "Replayed ")
}

func TestOverviewSaysThatTheSensorHearsNothing(t *testing.T) {
	f := newFake()
	f.counters = []detect.Counter{{Name: "packets", Value: 9}, {Name: "kernel.dropped"}}
	h := New(f, options())
	f.status.Down = "eth1"
	page := get(t, h, "/")
	holds(t, page, "The sensor hears nothing on eth1", `class="status deaf"`, "interface down")
	if strings.Contains(page, "Nothing was missed") {
		t.Error("it says that nothing was missed")
	}
	f.status.Down, f.status.Quiet = "", int64(12*time.Minute)
	holds(t, get(t, h, "/"), "No Modbus or DNP3 has been seen for 12 min: is the mirror port configured", `class="status trouble"`)
	f.status.First, f.status.Since = 0, 0
	holds(t, get(t, h, "/"), "Nothing has been seen yet.", "No Modbus or DNP3 has been seen for 12 min")
}

func TestOverviewSaysThatNothingWasMissedWhenEveryLossIsZero(t *testing.T) {
	f := newFake()
	f.counters = []detect.Counter{{Name: "packets", Value: 9}, {Name: "kernel.dropped"}, {Name: "tcp.gaps"}, {Name: "tcp.refused", Value: 7}, {Name: "store.evicted.values", Value: 3}}
	page := get(t, New(f, options()), "/")
	holds(t, page, "Nothing was missed. 2 kinds of loss are counted, each is zero.")
}

func TestAnEmptyStoreHasPagesThatSaySo(t *testing.T) {
	h := New(&fake{status: detect.Status{Unseen: -1}}, Options{})
	for path, want := range map[string]string{
		"/": "No incident so far.", "/alerts": "No alert is open.", "/incidents": "No incident so far.", "/assets": "No host has been seen yet.",
		"/links": "Nobody has talked yet.", "/trends": "No values are kept yet.", "/catalogue": "No catalogue was given", "/about": "Apache License",
	} {
		holds(t, get(t, h, path), want)
	}
}

func TestAlertsAreFilteredByWhatTheFormSays(t *testing.T) {
	f := newFake()
	h := New(f, options())
	for query, want := range map[string]detect.AlertQuery{
		"":                                   {Open: true, Limit: pageSize},
		"?state=any&severity=high":           {MinSeverity: protocols.High, Limit: pageSize},
		"?state=cleared&kind=scan.":          {Cleared: true, Kind: "scan.", Limit: pageSize},
		"?state=unacknowledged&q=pump":       {Open: true, Unacknowledged: true, Text: "pump", Limit: pageSize},
		"?host=10.20.2.21&offset=100":        {Open: true, Host: plc1, Limit: pageSize, Offset: 100},
		"?host=::ffff:10.20.2.21":            {Open: true, Host: plc1, Limit: pageSize},
		"?from=2026-03-14T10:00&to=":         {Open: true, From: at(10, 0, 0), Limit: pageSize},
		"?to=2026-03-14T11:00:00%2B01:00":    {Open: true, To: at(10, 0, 0), Limit: pageSize},
		"?incident=f7c2lm5d&order=oldest":    {Open: true, Incident: "f7c2lm5d", OldestFirst: true, Limit: pageSize},
		"?severity=&state=&kind=&host=&q=":   {Open: true, Limit: pageSize},
		"?from=2026-03-14T10:00:30&limit=10": {Open: true, From: at(10, 0, 30), Limit: 10},
	} {
		get(t, h, "/alerts"+query)
		// The header counts alerts too, but not through Alerts.
		if diff := cmp.Diff(want, f.saw, cmp.Comparer(func(a, b detect.AlertQuery) bool { return a == b })); diff != "" {
			t.Errorf("%q asks for the wrong alerts (-want +got):\n%s", query, diff)
		}
	}
}

func TestTheFormsTimesAreInTheConsolesTimeZone(t *testing.T) {
	f := newFake()
	o := options()
	o.Location = time.FixedZone("UTC+2", 2*3600)
	page := get(t, New(f, o), "/alerts?from=2026-03-14T12:00&state=any")
	if f.saw.From != at(10, 0, 0) {
		t.Errorf("12:00 two hours east of Greenwich became %s", stamp(f.saw.From))
	}
	holds(t, page, "<b>12:31:02</b>", "packet time, UTC&#43;2")
}

func TestAWrongFilterIsSaidAndNotGuessed(t *testing.T) {
	h := New(newFake(), options())
	for query, want := range map[string]string{
		"severity=urgent":               `severity: &#34;urgent&#34; is none of info`,
		"host=plc1":                     `host: &#34;plc1&#34; is not an IP address`,
		"from=yesterday":                `from: &#34;yesterday&#34; is not a time`,
		"from=9999-01-01T00:00:00Z":     "is not a time",
		"state=closed":                  "state: ",
		"offset=-1":                     "offset: ",
		"limit=100000":                  "limit: ",
		"order=random":                  "order: ",
		"q=" + strings.Repeat("x", 300): "q: ",
	} {
		page := get(t, h, "/alerts?"+query)
		holds(t, page, want)
		if strings.Contains(page, `id="a-`) {
			t.Errorf("%s: alerts are shown all the same", clip(query, 40))
		}
		if w := ask(h, request("GET", "/api/v1/alerts?"+query, "")); w.Code != http.StatusBadRequest {
			t.Errorf("the API answers %s with %d", clip(query, 40), w.Code)
		}
	}
}

func TestAlertsHavePagesOfBoundedLength(t *testing.T) {
	f := newFake()
	one := f.alerts[0]
	for i := range 250 {
		one.ID = fmt.Sprintf("copy%03d", i)
		f.alerts = append(f.alerts, one)
	}
	h := New(f, options())
	page := get(t, h, "/alerts?severity=low")
	if n := strings.Count(page, `<tr id="a-`); n != pageSize {
		t.Errorf("%d alerts on a page, want %d", n, pageSize)
	}
	holds(t, page, "1–100 of 253", `href="/alerts?offset=100&amp;severity=low"`)
	page = get(t, h, "/alerts?offset=200&severity=low")
	holds(t, page, "201–253 of 253", `href="/alerts?offset=100&amp;severity=low"`)
	if strings.Contains(page, `rel="next"`) {
		t.Error("the last page offers more")
	}
}

func TestAnAlertsPageTellsWhoWhatWhenAndWhy(t *testing.T) {
	o := options()
	h := New(newFake(), o)
	page := get(t, h, "/alerts/a7f3h9dk2mqe")
	holds(t, page,
		"PLC-2, which only ever answered, commands a pump of PLC-1", // what
		"it never sent a request", "Write Single Coil, coil 3 = OFF", "Coil 3 is written by the HMI only",
		"PLC-2 filters", `href="/assets/10.20.2.22"`, "00:1d:9c:14:02:16", // who
		"2026-03-14 <b>10:23:19</b>", "15 min 36 s", "446,731 to 446,732", // when
		"T0855", "Unauthorized Command Message", // how it is called
		"Find out who is logged in on that device", // what to do
		"[446731,446732]", "P1_RUN", `data-series="1b"`,
		"In the same incident", `href="/alerts/c9t2v6jb8wqs"`)
}

func TestPointsWithoutANameTakeThatOfTheirSeries(t *testing.T) {
	f := newFake()
	f.alerts[2].Points[0].Name = ""
	holds(t, get(t, New(f, options()), "/alerts/a7f3h9dk2mqe"), "<li><b>P1_RUN</b> coil 3</li>")
	if f.alerts[2].Points[0].Name != "" {
		t.Error("the alert itself was changed")
	}
}

func TestEvidenceIsLinkedOnlyWhenItCanBeServed(t *testing.T) {
	o := options()
	if page := get(t, New(newFake(), o), "/alerts/c9t2v6jb8wqs"); strings.Contains(page, `href="/evidence/`) {
		t.Error("evidence is linked though nothing serves it")
	}
	o.Evidence = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "packets of "+r.URL.Path) })
	h := New(newFake(), o)
	holds(t, get(t, h, "/alerts/c9t2v6jb8wqs"), `href="/evidence/2026-03-14/a1c9.pcapng"`)
	if got := get(t, h, "/evidence/2026-03-14/a1c9.pcapng"); got != "packets of 2026-03-14/a1c9.pcapng" {
		t.Errorf("evidence is %q", got)
	}
}

func TestAnIncidentTellsItsAlertsInOrder(t *testing.T) {
	page := get(t, New(newFake(), options()), "/incidents/f7c2lm5d")
	last := -1
	for _, id := range []string{"k3q7m2xvb4ta", "w5n8r1pd6yzc", "a7f3h9dk2mqe", "c9t2v6jb8wqs"} {
		i := strings.Index(page, `href="/alerts/`+id)
		if i < last {
			t.Errorf("alert %s stands before an earlier one", id)
		}
		last = i
	}
	holds(t, page, "+20 min 8 s", "T0864", "38 min 47 s")
}

func TestAssetsAreFoundByAnythingThatIsKnownOfThem(t *testing.T) {
	h := New(newFake(), options())
	for text, want := range map[string]int{"10.20.2.": 3, "schneider": 2, "OUTSTATION": 1, "00:1d:9c:14:01:4d": 1, "sel-3505": 1, "nobody": 0, "": 8} {
		got := getJSON[apiAssets](t, h, "/api/v1/assets?q="+url.QueryEscape(text))
		if got.Total != want || len(got.Assets) != want {
			t.Errorf("%q finds %d assets, want %d", text, got.Total, want)
		}
	}
}

func TestAnAssetsPageShowsNotesLinksAlertsAndPoints(t *testing.T) {
	o := options()
	o.Notes = someNotes
	page := get(t, New(newFake(), o), "/assets/10.20.2.21")
	holds(t, page, "Schneider Electric", "UMAS commands are not authenticated", "<h4>What to check</h4>", "<li>Filter function 90", "Is asked by", "T1_LEVEL", `href="/alerts?host=10.20.2.21&amp;state=any">5<`)
	if w := ask(New(newFake(), o), request("GET", "/assets/10.9.9.9", "")); w.Code != http.StatusNotFound {
		t.Errorf("an unknown host gives %d", w.Code)
	}
	if w := ask(New(newFake(), o), request("GET", "/assets/plc", "")); w.Code != http.StatusNotFound {
		t.Errorf("no address gives %d", w.Code)
	}
}

func TestTheMapPlacesHostsByWhatTheyDoAndColoursTheirAlerts(t *testing.T) {
	f := newFake()
	m := drawLinks(f.links, f.assets, f.alerts)
	columns := map[string]int{}
	severity := map[string]string{}
	for _, n := range m.Nodes {
		columns[n.IP], severity[n.IP] = n.Column, n.Severity
	}
	want := map[string]int{hmi.String(): 0, histo.String(): 0, scada.String(): 0, laptop.String(): 0, plc2.String(): 1, plc1.String(): 2, plc3.String(): 2, rtu.String(): 2}
	if diff := cmp.Diff(want, columns); diff != "" {
		t.Errorf("hosts stand in the wrong columns (-want +got):\n%s", diff)
	}
	if severity[plc1.String()] != "critical" || severity[scada.String()] != "high" {
		t.Errorf("PLC-1 is %q and the SCADA master %q", severity[plc1.String()], severity[scada.String()])
	}
	if len(m.Edges) != 10 {
		t.Errorf("%d lines, want 10", len(m.Edges))
	}
}

func TestTheMapOfTenThousandHostsIsBounded(t *testing.T) {
	var links []detect.Link
	for i := range 10_000 {
		c := hmi
		for range i % 200 {
			c = c.Next()
		}
		s := plc1
		for range i / 50 {
			s = s.Next()
		}
		links = append(links, detect.Link{Client: c, Server: s, Proto: protocols.ProtoModbus, Messages: uint64(i)})
	}
	m := drawLinks(links, nil, nil)
	if len(m.Nodes) > 3*maxRows || m.Hidden == 0 {
		t.Errorf("%d hosts drawn, %d hidden", len(m.Nodes), m.Hidden)
	}
}

func TestNamesFromTheWireCannotBecomeMarkup(t *testing.T) {
	f := newFake()
	o := options()
	o.Notes = func(detect.Asset) []Note {
		return []Note{{Title: hostile, Text: hostile, Matched: hostile, Severity: hostile, References: []string{hostile}}}
	}
	h := New(f, o)
	for _, p := range everyPage {
		page := get(t, h, p.path)
		for _, bad := range []string{"<img", "<script>", `onerror="fetch`} {
			if strings.Contains(page, bad) {
				t.Errorf("%s holds %s as markup", p.path, bad)
			}
		}
	}
	for _, path := range []string{"/alerts?q=" + url.QueryEscape(hostile), "/alerts?kind=" + url.QueryEscape(`"><script>alert(1)</script>`), "/assets?q=" + url.QueryEscape(hostile),
		"/links?q=" + url.QueryEscape(hostile), "/trends?q=" + url.QueryEscape(hostile) + "&s=" + url.QueryEscape(hostile)} {
		if page := get(t, h, path); strings.Contains(page, "<img") || strings.Contains(page, "<script>alert") {
			t.Errorf("%s gives back markup", path)
		}
	}
}

func TestAcknowledgingKeepsWhoWhenAndWhy(t *testing.T) {
	f := newFake()
	o := options()
	o.Now = func() time.Time { return time.Unix(0, at(10, 50, 0)) }
	h := New(f, o)
	post := func(body string) *httptest.ResponseRecorder {
		r := request("POST", "/alerts/c9t2v6jb8wqs", body)
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Origin", "http://localhost:8341")
		return ask(h, r)
	}
	if w := post("by=+A.+Lindqvist+&note=Level+sensor+confirmed+on+site"); w.Code != http.StatusSeeOther || w.Header().Get("Location") != "/alerts/c9t2v6jb8wqs?saved=1#said" {
		t.Fatalf("acknowledging gives %d to %q", w.Code, w.Header().Get("Location"))
	}
	a, _, _ := f.Alert(t.Context(), "c9t2v6jb8wqs")
	want := []detect.Acknowledgement{{Time: at(10, 50, 0), By: "A. Lindqvist", Note: "Level sensor confirmed on site"}}
	if diff := cmp.Diff(want, a.Acknowledgements); diff != "" {
		t.Errorf("kept (-want +got):\n%s", diff)
	}
	holds(t, get(t, h, "/alerts/c9t2v6jb8wqs?saved=1"), "Kept.", "A. Lindqvist", "Level sensor confirmed on site")

	w := post("by=&note=lost+work")
	holds(t, w.Body.String(), "say who you are", ">lost work</textarea>")
	if w.Code != http.StatusUnprocessableEntity {
		t.Errorf("an acknowledgement without a name gives %d", w.Code)
	}
	if post("by="+strings.Repeat("x", 100)).Body.String() == "" || len(a.Acknowledgements) != 1 {
		t.Error("a name that is too long was kept")
	}
	r := request("POST", "/alerts/nosuchalert", "by=x")
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if w := ask(h, r); w.Code != http.StatusNotFound {
		t.Errorf("an alert that is not there is acknowledged with %d", w.Code)
	}
}

func TestReadingChangesNothing(t *testing.T) {
	f := newFake()
	h := New(f, options())
	before := fmt.Sprint(f.alerts)
	for _, p := range everyPage {
		get(t, h, p.path)
	}
	for _, path := range []string{"/alerts/c9t2v6jb8wqs?by=x&note=y", "/api/v1/alerts/c9t2v6jb8wqs/acknowledgements"} {
		ask(h, request("GET", path, ""))
	}
	if fmt.Sprint(f.alerts) != before {
		t.Error("a GET changed an alert")
	}
}

func TestTheAPIAnswersWithTheSameFacts(t *testing.T) {
	f := newFake()
	h := New(f, options())

	s := getJSON[apiStatus](t, h, "/api/v1/status")
	if s.Mode != "watching" || s.Clock != "2026-03-14T10:42:07Z" || s.Open["critical"] != 1 || s.Total["high"] != 2 || *s.Unseen != 0.0004 {
		t.Errorf("status is %+v", s)
	}
	list := getJSON[apiAlerts](t, h, "/api/v1/alerts?severity=high&limit=2")
	if list.Total != 3 || len(list.Alerts) != 2 {
		t.Errorf("%d alerts of %d", len(list.Alerts), list.Total)
	}
	one := getJSON[apiAlert](t, h, "/api/v1/alerts/d1y8s5mc3fvj")
	if string(one.Alert) != string(f.alerts[5].Alert.AppendJSON(nil)) {
		t.Errorf("the alert is not the alert line:\n%s", one.Alert)
	}
	if len(one.Acknowledgements) != 1 || one.Acknowledgements[0].By != "M. Okafor" {
		t.Errorf("acknowledgements are %+v", one.Acknowledgements)
	}
	if in := getJSON[apiIncident](t, h, "/api/v1/incidents/f7c2lm5d"); in.Alerts != 4 || in.Severity != "critical" {
		t.Errorf("incident is %+v", in)
	}
	if l := getJSON[apiIncidents](t, h, "/api/v1/incidents?limit=1&offset=1"); l.Total != 4 || len(l.Incidents) != 1 || l.Incidents[0].ID != "b2k9wq1s" {
		t.Errorf("incidents are %+v", l)
	}
	if a := getJSON[apiAsset](t, h, "/api/v1/assets/10.20.1.77"); a.Known || a.Units == nil {
		t.Errorf("asset is %+v", a)
	}
	links := getJSON[apiLinks](t, h, "/api/v1/links?q=operate")
	if links.Total != 1 || links.Links[0].Unit != nil || *links.Links[0].Outstat != 10 {
		t.Errorf("links are %+v", links)
	}
	series := getJSON[apiSeriesList](t, h, "/api/v1/series?q=level")
	if series.Total != 1 || series.Series[0].EU != "m" || series.Series[0].Kind != "holding-register" {
		t.Errorf("series are %+v", series)
	}
	samples := getJSON[apiSamples](t, h, "/api/v1/series/1a/samples?from=2026-03-14T10:00:00Z&to=2026-03-14T10:10:00Z")
	if len(samples.Time) != 61 || len(samples.Low) != 61 || float64(samples.Time[0]) != float64(at(10, 0, 0)/1e9) || float64(samples.High[0]) != 3.41 {
		t.Errorf("%d samples from %v", len(samples.Time), samples.Time[:1])
	}
	if few := getJSON[apiSamples](t, h, "/api/v1/series/1a/samples?n=50"); len(few.Time) > 50 || len(few.Time) < 40 {
		t.Errorf("%d samples of at most 50", len(few.Time))
	}
	counters := getJSON[apiCounters](t, h, "/api/v1/counters")
	for _, c := range counters.Counters {
		if want := c.Name == "kernel.dropped" || c.Name == "class.truncated" || strings.HasPrefix(c.Name, "tcp.gap") || c.Name == "conns.evicted" || c.Name == "detect.links-refused"; c.Loss != want {
			t.Errorf("counter %s: loss is %t", c.Name, c.Loss)
		}
	}
	if k := getJSON[apiKinds](t, h, "/api/v1/kinds"); len(k.Kinds) != len(kinds) || k.Kinds[0].Techniques[0].Name != "Unauthorized Command Message" {
		t.Errorf("kinds are %+v", k)
	}
}

func TestNumbersThatJSONHasNoWordForAreNull(t *testing.T) {
	b, err := json.Marshal([]float{nothing, float(1) / float(zero), -1.5, 1e21})
	if err != nil || string(b) != "[null,null,-1.5,1e+21]" {
		t.Errorf("%s, %v", b, err)
	}
}

var zero float64

func TestTheAPITakesAcknowledgementsAsJSON(t *testing.T) {
	f := newFake()
	h := New(f, options())
	post := func(body, contentType string) *httptest.ResponseRecorder {
		r := request("POST", "/api/v1/alerts/c9t2v6jb8wqs/acknowledgements", body)
		r.Header.Set("Content-Type", contentType)
		return ask(h, r)
	}
	if w := post(`{"by":"SOC 2","note":"ticket 88"}`, "application/json; charset=utf-8"); w.Code != http.StatusCreated {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	for body, want := range map[string]int{
		`{"by":""}`: 400, `{"by":"x","severity":"low"}`: 400, `{"by":"x"}{}`: 400, `nonsense`: 400, `{"by":"` + strings.Repeat("x", 20_000) + `"}`: 413,
	} {
		if w := post(body, "application/json"); w.Code != want || !strings.Contains(w.Body.String(), `{"error":"`) {
			t.Errorf("%s: %d %s, want %d", clip(body, 40), w.Code, w.Body, want)
		}
	}
	if w := post(`{"by":"x"}`, "text/plain"); w.Code != http.StatusUnsupportedMediaType {
		t.Errorf("text/plain gives %d", w.Code)
	}
	if a, _, _ := f.Alert(t.Context(), "c9t2v6jb8wqs"); len(a.Acknowledgements) != 1 {
		t.Errorf("%d were kept, want the one good one", len(a.Acknowledgements))
	}
}

func TestErrorsOfTheAPIAreJSONWithTheRightStatus(t *testing.T) {
	h := New(newFake(), options())
	for target, want := range map[string]int{
		"/api/v1/alerts/none": 404, "/api/v1/incidents/none": 404, "/api/v1/assets/10.0.0.1": 404, "/api/v1/assets/x": 404, "/api/v1/series/none": 404,
		"/api/v1/series/none/samples": 404, "/api/v1/series/1a/samples?n=0": 400, "/api/v1/series/1a/samples?from=2026-03-15T00:00:00Z": 400, "/api/v1/nothing": 404, "/api/v2/alerts": 404,
		"/api/v1/assets?limit=0": 400, "/api/v1/links?offset=x": 400, "/api/v1/series?device=plc": 400, "/api/v1/incidents?limit=9999": 400,
	} {
		w := ask(h, request("GET", target, ""))
		var e apiError
		if err := json.Unmarshal(w.Body.Bytes(), &e); w.Code != want || err != nil || e.Error == "" || w.Header().Get("Content-Type") != "application/json" {
			t.Errorf("%s: %d %q, want %d", target, w.Code, w.Body, want)
		}
	}
}

func TestAFailingStoreIsSaidWithoutItsSecrets(t *testing.T) {
	f := newFake()
	f.broken.Store(true)
	h := New(f, options())
	for _, target := range []string{"/", "/alerts", "/alerts/x", "/incidents", "/incidents/x", "/assets", "/assets/10.0.0.1", "/links", "/trends", "/about",
		"/api/v1/status", "/api/v1/alerts", "/api/v1/alerts.csv", "/api/v1/series/1a/samples.csv", "/api/v1/counters", "/api/v1/links", "/api/v1/series"} {
		w := ask(h, request("GET", target, ""))
		if w.Code != http.StatusInternalServerError || strings.Contains(w.Body.String(), "secret") || !strings.Contains(w.Body.String(), "the sensor&#39;s log says why") && !strings.Contains(w.Body.String(), "the sensor's log says why") {
			t.Errorf("%s: %d %s", target, w.Code, clip(w.Body.String(), 200))
		}
	}
	if w := ask(h, request("GET", "/healthz", "")); w.Code != http.StatusServiceUnavailable {
		t.Errorf("health is %d", w.Code)
	}
}

func TestCSVHoldsAllAlertsAndNoFormula(t *testing.T) {
	f := newFake()
	f.alerts[0].Title = `=HYPERLINK("http://evil.example")`
	one := f.alerts[1]
	for i := range 2300 {
		one.ID = fmt.Sprintf("copy%04d", i)
		f.alerts = append(f.alerts, one)
	}
	h := New(f, options())
	w := ask(h, request("GET", "/api/v1/alerts.csv?state=any", ""))
	rows, err := csv.NewReader(w.Body).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	if len(rows) != 1+len(f.alerts) {
		t.Errorf("%d lines, want %d", len(rows), 1+len(f.alerts))
	}
	for _, row := range rows[1:] {
		for i, cell := range row {
			if cell != "" && strings.ContainsRune("=+@", rune(cell[0])) {
				t.Errorf("column %s holds a formula: %s", rows[0][i], cell)
			}
		}
	}
	if d := w.Header().Get("Content-Disposition"); !strings.HasPrefix(d, `attachment; filename="weir-alerts-`) {
		t.Errorf("the file is %q", d)
	}
	w = ask(h, request("GET", "/api/v1/series/1a/samples.csv?from=2026-03-14T10:00:00Z&to=2026-03-14T10:01:00Z", ""))
	rows, err = csv.NewReader(w.Body).ReadAll()
	if err != nil || len(rows) != 8 || rows[1][0] != "2026-03-14T10:00:00Z" || rows[1][7] != "3.41" {
		t.Errorf("samples are %v, %v", rows, err)
	}
}

// halting is Data whose alerts cannot be read past the first thousand.
type halting struct{ *fake }

func (h halting) Alerts(ctx context.Context, q detect.AlertQuery) ([]detect.KeptAlert, int, error) {
	if q.Offset > 0 {
		return nil, 0, errDisk
	}
	return h.fake.Alerts(ctx, q)
}

func TestACSVThatBreaksOffCannotBeTakenForWhole(t *testing.T) {
	f := newFake()
	for range 1500 {
		f.alerts = append(f.alerts, f.alerts[0])
	}
	srv := httptest.NewServer(New(halting{f}, options()))
	defer srv.Close()
	res, err := http.Get(srv.URL + "/api/v1/alerts.csv")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if body, err := io.ReadAll(res.Body); err == nil {
		t.Errorf("%d octets came without an error", len(body))
	}
}

func TestTrendsKeepTheirStateInTheAddress(t *testing.T) {
	h := New(newFake(), options())
	page := get(t, h, "/trends?s=1a&s=1c&s=1a&s=none&range=24h&q=T1")
	if n := strings.Count(page, `<figure class="chart"`); n != 2 {
		t.Errorf("%d charts, want 2", n)
	}
	holds(t, page, fmt.Sprintf(`data-from="%d"`, milliseconds(at(0, 0, 0))), fmt.Sprintf(`data-to="%d"`, milliseconds(now)), `data-follow="true"`, `range=7d&amp;s=1a&amp;s=1c`, `aria-current="true">24 h<`)
	holds(t, get(t, h, "/trends?s=1a&range=1h"), fmt.Sprintf(`data-from="%d"`, milliseconds(now-int64(time.Hour))))
	page = get(t, h, "/trends?s=1a&from=2026-03-14T08:00:00Z&to=2026-03-14T09:00:00Z")
	holds(t, page, fmt.Sprintf(`data-from="%d"`, milliseconds(at(8, 0, 0))), `data-follow="false"`)
	many := "/trends?" + strings.Repeat("s=1a&", 9)
	holds(t, get(t, h, many), "At most 8 series")
}

func TestUnchangedPagesAreNotSentAgain(t *testing.T) {
	h := New(newFake(), options())
	for _, target := range []string{"/alerts?state=any", "/api/v1/alerts", assetURL("htmx.min.js")} {
		first := ask(h, request("GET", target, ""))
		r := request("GET", target, "")
		r.Header.Set("If-None-Match", first.Header().Get("ETag"))
		if w := ask(h, r); w.Code != http.StatusNotModified || w.Body.Len() > 0 {
			t.Errorf("%s: %d with %d octets", target, w.Code, w.Body.Len())
		}
	}
	if cc := ask(h, request("GET", assetURL("console.css"), "")).Header().Get("Cache-Control"); !strings.Contains(cc, "immutable") {
		t.Errorf("a file's Cache-Control is %q", cc)
	}
	if cc := ask(h, request("GET", "/files/console.css?v=old", "")).Header().Get("Cache-Control"); cc != "no-cache" {
		t.Errorf("an old file's Cache-Control is %q", cc)
	}
}

func TestEveryFileThatPagesNameIsThere(t *testing.T) {
	h := New(newFake(), options())
	for name, ct := range map[string]string{"htmx.min.js": "text/javascript", "uPlot.iife.min.js": "text/javascript", "uPlot.min.css": "text/css",
		"console.js": "text/javascript", "console.css": "text/css", "weir.svg": "image/svg+xml", "htmx.LICENSE": "text/plain", "uPlot.LICENSE": "text/plain"} {
		w := ask(h, request("GET", assetURL(name), ""))
		if w.Code != http.StatusOK || w.Body.Len() < 100 || !strings.HasPrefix(w.Header().Get("Content-Type"), ct) {
			t.Errorf("%s: %d, %d octets, %s", name, w.Code, w.Body.Len(), w.Header().Get("Content-Type"))
		}
	}
	if w := ask(h, request("GET", "/files/nothing.js", "")); w.Code != http.StatusNotFound {
		t.Errorf("a file that is not there gives %d", w.Code)
	}
}
