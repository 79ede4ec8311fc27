package console

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// FuzzRequests asks for any path with any query: the answer is never a failure
// of the console, and never gives back markup.
func FuzzRequests(f *testing.F) {
	for _, p := range everyPage {
		path, query, _ := strings.Cut(p.path, "?")
		f.Add(path, query)
	}
	f.Add("/api/v1/alerts.csv", "from=2026-03-14T10:00:00Z&kind=scan.&order=oldest")
	f.Add("/api/v1/series/1a/samples", "n=10&from=2026-03-14&to=2026-03-14T11:00")
	f.Add("/alerts", "severity=high&q=%3Cimg+src%3Dx%3E&offset=1073741824")
	data := newFake()
	h := New(data, options())
	f.Fuzz(func(t *testing.T, path, query string) {
		r := request("GET", "/", "")
		r.URL = &url.URL{Path: "/" + strings.TrimLeft(path, "/"), RawQuery: query}
		w := ask(h, r)
		if w.Code >= http.StatusInternalServerError {
			t.Errorf("%d: %s", w.Code, w.Body)
		}
		if strings.HasPrefix(w.Header().Get("Content-Type"), "text/html") && strings.Contains(w.Body.String(), "<img") {
			t.Errorf("markup came back: %s", w.Body)
		}
	})
}
