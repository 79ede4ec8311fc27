package console

import (
	"encoding/csv"
	"net/http"
	"strconv"
	"strings"

	"github.com/weir-ics/weir/detect"
)

// maxCSVAlerts and maxCSVSamples bound a file, in lines.
const maxCSVAlerts, maxCSVSamples = 100_000, 200_000

func (c *console) startCSV(w http.ResponseWriter, name string) *csv.Writer {
	h := w.Header()
	h.Set("Content-Type", "text/csv; charset=utf-8")
	h.Set("Content-Disposition", `attachment; filename="weir-`+name+"-"+c.Now().UTC().Format("20060102T150405Z")+`.csv"`)
	h.Set("Cache-Control", "private, no-cache")
	return csv.NewWriter(w)
}

// plain makes a text safe for a spreadsheet, which would run what begins like a
// formula: device names come from the wire.
func plain(s string) string {
	if s != "" && strings.ContainsRune("=+-@\t\r", rune(s[0])) {
		return "'" + s
	}
	return s
}

func (c *console) csvAlerts(w http.ResponseWriter, r *http.Request) {
	f := c.fields(r.URL.Query())
	q := f.alertQuery(stateAny, maxLimit)
	if f.err != nil {
		c.fail(w, r, http.StatusBadRequest, f.err.Error())
		return
	}
	q.Limit = maxLimit
	list, total, err := c.data.Alerts(r.Context(), q)
	if err != nil {
		c.broken(w, r, "read the alerts", err)
		return
	}
	out := c.startCSV(w, "alerts")
	out.Write([]string{"id", "incident", "kind", "severity", "score", "start", "end", "state", "count", "title", "explanation",
		"observed", "expected", "proto", "client", "server", "function", "points", "techniques", "rule", "first_frame", "last_frame",
		"evidence", "acknowledged_by", "note"})
	for written := 0; ; {
		for i := range list {
			out.Write(alertRow(&list[i]))
		}
		written += len(list)
		q.Offset += len(list)
		if len(list) < q.Limit || q.Offset >= total || written >= maxCSVAlerts {
			break
		}
		if list, _, err = c.data.Alerts(r.Context(), q); err != nil {
			c.Log.Error("console broke off a CSV file", "error", err)
			breakOff(w)
			return
		}
	}
	out.Flush()
}

// breakOff ends an answer that is already on its way so that it cannot be taken
// for whole: the connection closes before the last chunk.
func breakOff(w http.ResponseWriter) {
	if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
		conn.Close()
	}
}

func alertRow(a *detect.KeptAlert) []string {
	var points []string
	for _, p := range a.Points {
		if p.Name != "" {
			points = append(points, p.Name)
		} else {
			points = append(points, pointName(p))
		}
	}
	function, by, note := "", "", ""
	if a.Function >= 0 {
		function = a.FunctionName
		if function == "" {
			function = strconv.Itoa(a.Function)
		}
	}
	if n := len(a.Acknowledgements); n > 0 {
		by, note = a.Acknowledgements[n-1].By, a.Acknowledgements[n-1].Note
	}
	return []string{
		a.ID, a.Incident, a.Kind.Name, a.Severity.String(), strconv.FormatFloat(a.Score, 'g', -1, 64), stamp(a.Start), stamp(a.End),
		a.State.String(), strconv.FormatUint(a.Count, 10), plain(a.Title), plain(a.Explanation), plain(a.Observed), plain(a.Expected),
		a.Proto.String(), address(a.Client.Endpoint.IP), address(a.Server.Endpoint.IP), plain(function), plain(strings.Join(points, "; ")),
		strings.Join(a.Finding.Techniques, " "), plain(a.Rule), strconv.FormatUint(a.FirstFrame, 10), strconv.FormatUint(a.LastFrame, 10),
		plain(a.Evidence), plain(by), plain(note),
	}
}

func (c *console) csvSamples(w http.ResponseWriter, r *http.Request) {
	s, ok := c.oneSeries(w, r)
	if !ok {
		return
	}
	from, to, _, ok := c.stretch(w, r)
	if !ok {
		return
	}
	buckets, err := c.data.Samples(r.Context(), s.ID, from, to, maxCSVSamples)
	if err != nil {
		c.broken(w, r, "read the values", err)
		return
	}
	out := c.startCSV(w, "samples")
	out.Write([]string{"time", "value", "min", "max", "mean", "count", "low", "high", "score"})
	for _, b := range buckets {
		row := []string{stamp(b.Time), digits(b.Last), digits(b.Min), digits(b.Max), digits(b.Mean), strconv.Itoa(b.Count), "", "", ""}
		if b.Judged {
			row[6], row[7], row[8] = digits(b.Low), digits(b.High), digits(b.Score)
		}
		out.Write(row)
	}
	out.Flush()
}

func digits(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }
