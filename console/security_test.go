package console

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/weir-ics/weir/detect"
)

func TestForeignHostNamesAreRefused(t *testing.T) {
	o := options()
	o.Hosts = []string{"weir.plant.example"}
	h := New(newFake(), o)
	for host, want := range map[string]int{
		"localhost:8341": 200, "127.0.0.1:8341": 200, "[::1]:8341": 200, "10.0.0.5": 200, "weir.plant.example": 200, "WEIR.plant.example.:80": 200,
		"evil.example": 421, "evil.example:8341": 421, "127.0.0.1.evil.example": 421, "localhost.evil.example": 421, "weir.plant.example.evil.example": 421, "": 421,
	} {
		for _, target := range []string{"/", "/api/v1/alerts", "/healthz", "/files/console.js"} {
			r := request("GET", target, "")
			r.Host = host
			if w := ask(h, r); w.Code != want {
				t.Errorf("%s for host %q: %d, want %d", target, host, w.Code, want)
			}
		}
	}
}

func TestAnotherSitesPageCannotMakeABrowserAcknowledge(t *testing.T) {
	f := newFake()
	h := New(f, options())
	for name, header := range map[string][2]string{
		"another site, by fetch metadata": {"Sec-Fetch-Site", "cross-site"},
		"a sibling site":                  {"Sec-Fetch-Site", "same-site"},
		"another origin":                  {"Origin", "http://evil.example"},
		"an origin that is hidden":        {"Origin", "null"},
		"another port":                    {"Origin", "http://localhost:9999"},
	} {
		for _, target := range []string{"/alerts/c9t2v6jb8wqs", "/api/v1/alerts/c9t2v6jb8wqs/acknowledgements"} {
			r := request("POST", target, "by=mallory")
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			r.Header.Set(header[0], header[1])
			if w := ask(h, r); w.Code != http.StatusForbidden {
				t.Errorf("%s: POST %s gives %d", name, target, w.Code)
			}
		}
	}
	if a, _, _ := f.Alert(t.Context(), "c9t2v6jb8wqs"); len(a.Acknowledgements) != 0 {
		t.Error("a forged acknowledgement was kept")
	}
}

func TestATokenGuardsEverythingButHealth(t *testing.T) {
	o := options()
	o.Token = "correct horse battery"
	h := New(newFake(), o)
	with := func(target string, set func(*http.Request)) int {
		r := request("GET", target, "")
		set(r)
		return ask(h, r).Code
	}
	none := func(*http.Request) {}
	for _, target := range []string{"/", "/alerts", "/api/v1/status", "/files/console.js", "/nothing"} {
		if code := with(target, none); code != http.StatusUnauthorized {
			t.Errorf("%s without a token: %d", target, code)
		}
		if code := with(target, func(r *http.Request) { r.SetBasicAuth("anyone", "wrong") }); code != http.StatusUnauthorized {
			t.Errorf("%s with a wrong password: %d", target, code)
		}
	}
	if code := with("/", func(r *http.Request) { r.SetBasicAuth("anyone", o.Token) }); code != http.StatusOK {
		t.Errorf("with the password: %d", code)
	}
	if code := with("/api/v1/status", func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+o.Token) }); code != http.StatusOK {
		t.Errorf("with the bearer token: %d", code)
	}
	if code := with("/healthz", none); code != http.StatusOK {
		t.Errorf("health without a token: %d", code)
	}
	if h := ask(h, request("GET", "/", "")).Header().Get("WWW-Authenticate"); !strings.HasPrefix(h, "Basic ") {
		t.Errorf("a browser is asked with %q", h)
	}
}

var inline = regexp.MustCompile(`(?i)<script(?:\s+src="[^"]+" defer)?>[^<]|<style|\sstyle=|\son[a-z]+=|javascript:|https?://|src="//`)

func TestPagesHoldNothingInlineAndNothingForeign(t *testing.T) {
	f := newFake()
	f.alerts, f.assets, f.series = f.alerts[:6], nil, f.series[:6] // without the hostile names, which hold such text, escaped
	h := New(f, options())
	for _, p := range everyPage {
		w := ask(h, request("GET", p.path, ""))
		if m := inline.FindString(w.Body.String()); m != "" {
			t.Errorf("%s holds %q", p.path, m)
		}
		csp := w.Header().Get("Content-Security-Policy")
		if !strings.Contains(csp, "default-src 'none'") || strings.Contains(csp, "unsafe") || w.Header().Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: policy is %q", p.path, csp)
		}
	}
}

// slow is a Data whose Status waits to be let go.
type slow struct {
	*fake
	entered, release chan struct{}
}

func (s slow) Status(ctx context.Context) (detect.Status, error) {
	s.entered <- struct{}{}
	<-s.release
	return s.fake.Status(ctx)
}

func TestMoreRequestsThanFitAreToldToComeBack(t *testing.T) {
	s := slow{newFake(), make(chan struct{}, maxInFlight), make(chan struct{})}
	h := New(s, options())
	var wg sync.WaitGroup
	for range maxInFlight {
		wg.Go(func() { ask(h, request("GET", "/api/v1/status", "")) })
	}
	for range maxInFlight {
		<-s.entered
	}
	w := ask(h, request("GET", "/api/v1/counters", ""))
	close(s.release)
	wg.Wait()
	if w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") == "" {
		t.Errorf("one request too many gives %d", w.Code)
	}
	if w := ask(h, request("GET", "/api/v1/counters", "")); w.Code != http.StatusOK {
		t.Errorf("afterwards: %d", w.Code)
	}
}

func TestServeSaysWhereItListensAndLetsRequestsFinish(t *testing.T) {
	s := slow{newFake(), make(chan struct{}, 1), make(chan struct{})}
	ctx, stop := context.WithCancel(t.Context())
	addr, done := make(chan net.Addr, 1), make(chan error, 1)
	go func() { done <- Serve(ctx, "127.0.0.1:0", New(s, options()), func(a net.Addr) { addr <- a }) }()
	u := URL(<-addr)
	answered := make(chan int, 1)
	go func() {
		res, err := http.Get(u + "healthz")
		if err != nil {
			answered <- -1
			return
		}
		res.Body.Close()
		answered <- res.StatusCode
	}()
	<-s.entered
	stop() // while a request is under way
	close(s.release)
	if code := <-answered; code != http.StatusOK {
		t.Errorf("the request that was under way got %d", code)
	}
	if err := <-done; err != nil {
		t.Errorf("stopped with %v", err)
	}
	if _, err := http.Get(u + "healthz"); err == nil {
		t.Error("it still answers")
	}
}

func TestServeSaysWhyItCannotListen(t *testing.T) {
	srv := httptest.NewServer(http.NotFoundHandler())
	defer srv.Close()
	taken := srv.Listener.Addr().String()
	err := Serve(t.Context(), taken, http.NotFoundHandler(), nil)
	if err == nil || !strings.Contains(err.Error(), "listen for the console on "+taken) {
		t.Errorf("got %v", err)
	}
}

func TestTheAddressToOpenNamesThisMachine(t *testing.T) {
	for in, want := range map[string]string{"127.0.0.1:80": "http://127.0.0.1:80/", "0.0.0.0:81": "http://localhost:81/", "[::]:82": "http://localhost:82/", "[::1]:83": "http://[::1]:83/"} {
		a, err := net.ResolveTCPAddr("tcp", in)
		if err != nil {
			t.Fatal(err)
		}
		if got := URL(a); got != want {
			t.Errorf("%s: %s, want %s", in, got, want)
		}
	}
}
