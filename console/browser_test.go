package console

import (
	"context"
	"errors"
	"fmt"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/weir-ics/weir/detect"
)

// browser is a headless Chromium on a console, and what it complained about.
type browser struct {
	context.Context
	data *fake
	url  string

	mu         sync.Mutex
	complaints []string
	outside    []string
	requests   int
}

// browse starts a browser on a console, or skips if there is none. Whatever
// the test does, no page may write to the browser's console, break the content
// policy, or ask anybody but the console.
func browse(t *testing.T) *browser {
	t.Helper()
	if testing.Short() {
		t.Skip("a browser takes seconds to start: left out by -short")
	}
	path := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if p, err := exec.LookPath(name); err == nil {
			path = p
			break
		}
	}
	if path == "" {
		t.Skip("no Chromium on this machine (Debian: apt install chromium)")
	}
	b := &browser{data: newFake()}
	o := options()
	o.Refresh = time.Second
	o.Notes = someNotes
	srv := httptest.NewServer(New(b.data, o))
	t.Cleanup(srv.Close)
	b.url = srv.URL

	flags := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.UserDataDir(t.TempDir()),
		chromedp.Flag("disable-gpu", true), chromedp.Flag("hide-scrollbars", true))
	if os.Geteuid() == 0 {
		flags = append(flags, chromedp.NoSandbox)
	}
	alloc, stop := chromedp.NewExecAllocator(t.Context(), flags...)
	t.Cleanup(stop)
	ctx, stop := chromedp.NewContext(alloc)
	t.Cleanup(stop)
	ctx, stop = context.WithTimeout(ctx, 3*time.Minute)
	t.Cleanup(stop)
	b.Context = ctx
	if err := chromedp.Do(ctx, chromedp.EmulateViewport(1440, 900)); err != nil {
		t.Fatalf("start %s: %v", path, err)
	}
	err := errors.Join(
		chromedp.Listen(ctx, b.hear),
		enable(ctx, network.Enable, network.EnableParams{}),
		enable(ctx, log.Enable, cdp.Empty{}),
		enable(ctx, runtime.Enable, cdp.Empty{}),
	)
	if err != nil {
		t.Fatalf("listen to %s: %v", path, err)
	}
	t.Cleanup(func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		for _, c := range b.complaints {
			t.Errorf("the browser complained: %s", c)
		}
		for _, u := range b.outside {
			t.Errorf("a page asked somebody else: %s", u)
		}
	})
	return b
}

func someNotes(a detect.Asset) []Note {
	if a.Product != "BMX P34 2020" {
		return nil
	}
	return []Note{{Title: "Modicon M340: UMAS commands are not authenticated", Severity: "high", Matched: "vendor and product",
		Text: "Any host that reaches port 502 can stop the program with function 90.\n\nFilter function 90 at the cell's firewall and watch for it here.", References: []string{"Vendor's cybersecurity reference manual, chapter 4"}}}
}

func enable[P, R any](ctx context.Context, c cdp.Command[P, R], p P) error {
	_, err := chromedp.Call(ctx, c, p)
	return err
}

// hear takes what the browser tells.
func (b *browser) hear(ev any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch ev := ev.(type) {
	case *runtime.EventConsoleAPICalled:
		for _, a := range ev.Args {
			b.complaints = append(b.complaints, fmt.Sprintf("console.%s: %s %s", ev.Type, a.Value, a.Description))
		}
	case *runtime.EventExceptionThrown:
		b.complaints = append(b.complaints, "exception: "+ev.ExceptionDetails.Text)
		if x := ev.ExceptionDetails.Exception; x != nil {
			b.complaints = append(b.complaints, x.Description)
		}
	case *log.EventEntryAdded:
		b.complaints = append(b.complaints, fmt.Sprintf("log %s: %s %s", ev.Entry.Level, ev.Entry.Text, ev.Entry.URL))
	case *network.EventRequestWillBeSent:
		b.requests++
		u, err := url.Parse(ev.Request.URL)
		if err != nil || (u.Scheme+"://"+u.Host != b.url && u.Scheme != "about" && u.Scheme != "data") {
			b.outside = append(b.outside, ev.Request.URL)
		}
	}
}

// do runs steps, and ends the test if one fails.
func (b *browser) do(t *testing.T, what string, steps ...chromedp.Action[chromedp.Void]) {
	t.Helper()
	if err := chromedp.Do(b, steps...); err != nil {
		t.Fatalf("%s: %v", what, err)
	}
}

// open loads a page and waits until its charts are drawn.
func (b *browser) open(t *testing.T, path string) {
	t.Helper()
	b.do(t, path, chromedp.Navigate(b.url+path), until(`document.readyState === "complete"`), until(chartsDrawn))
}

// eval gives the value of a JavaScript expression.
func eval[T any](t *testing.T, b *browser, expression string) T {
	t.Helper()
	v, err := chromedp.Run(b, chromedp.Evaluate[T](expression))
	if err != nil {
		t.Fatalf("evaluate %s: %v", expression, err)
	}
	return v
}

// until waits for a JavaScript expression to be true.
func until(expression string) chromedp.Action[chromedp.Void] {
	return chromedp.Poll[chromedp.Void](expression, chromedp.WithPollingInterval(50*time.Millisecond), chromedp.WithPollingTimeout(20*time.Second))
}

const chartsDrawn = `[...document.querySelectorAll(".chart .plot")].every(p => Number(p.dataset.drawn) > 0)`

var everyPage = []struct{ name, path, heading string }{
	{"overview", "/", "Watching since"},
	{"alerts", "/alerts", "Alerts"},
	{"alerts-all", "/alerts?state=any", "Alerts"},
	{"alert", "/alerts/c9t2v6jb8wqs", "Level of tank T1"},
	{"alert-command", "/alerts/a7f3h9dk2mqe", "PLC-2"},
	{"incidents", "/incidents", "Incidents"},
	{"incident", "/incidents/f7c2lm5d", "PLC-2"},
	{"assets", "/assets", "Assets"},
	{"asset", "/assets/10.20.2.21", "PLC-1 intake"},
	{"links", "/links", "Links"},
	{"trends", "/trends?s=1a&s=1b&s=1c&range=6h", "Trends"},
	{"catalogue", "/catalogue", "Catalogue"},
	{"about", "/about", "About weir"},
	{"alert-hostile", "/alerts/z8b4q7ta5hxn", "New host with a strange name"},
	{"asset-hostile", "/assets/10.20.2.23", "<img src=x"},
}

func TestEveryPageRendersInABrowserWithoutComplaint(t *testing.T) {
	b := browse(t)
	for _, p := range everyPage {
		b.open(t, p.path)
		if h := eval[string](t, b, `document.querySelector("h1").textContent`); !strings.Contains(h, p.heading) {
			t.Errorf("%s: heading is %q, want it to hold %q", p.path, h, p.heading)
		}
		if n := eval[int](t, b, `document.querySelectorAll("h1").length`); n != 1 {
			t.Errorf("%s: %d first headings, want 1", p.path, n)
		}
		if n := eval[int](t, b, `[...document.querySelectorAll("input:not([type=hidden]), select, textarea, button, a")].filter(e => !(e.labels && e.labels.length) && !e.textContent.trim() && !e.getAttribute("aria-label")).length`); n != 0 {
			t.Errorf("%s: %d controls have no label", p.path, n)
		}
		if n := eval[int](t, b, `document.documentElement.scrollWidth - document.documentElement.clientWidth`); n > 0 {
			t.Errorf("%s: the page is %d pixels wider than the window", p.path, n)
		}
	}
	if b.requests == 0 {
		t.Error("no request was heard of, so none could be judged")
	}
}

// TestScreenshots writes a picture of each page, light and dark, wide and
// narrow, into the folder that WEIR_SCREENSHOTS names.
func TestScreenshots(t *testing.T) {
	dir := os.Getenv("WEIR_SCREENSHOTS")
	if dir == "" {
		t.Skip("set WEIR_SCREENSHOTS to a folder to get pictures of the pages")
	}
	b := browse(t)
	for _, scheme := range []string{"light", "dark"} {
		for _, p := range everyPage {
			for _, size := range []struct {
				name string
				w, h int64
			}{{"", 1440, 900}, {"-phone", 390, 844}, {"-wall", 2560, 1440}} {
				name := p.name + size.name + "-" + scheme
				if only := os.Getenv("WEIR_SCREENSHOTS_ONLY"); only != "" && !slices.Contains(strings.Split(only, ","), name) {
					continue
				}
				if err := enable(b, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}}); err != nil {
					t.Fatal(err)
				}
				b.do(t, name, chromedp.EmulateViewport(size.w, size.h))
				b.open(t, p.path)
				png, err := chromedp.Run(b, chromedp.FullScreenshot(100))
				if size.name == "-wall" {
					png, err = chromedp.Run(b, chromedp.CaptureScreenshot())
				}
				if err != nil {
					t.Fatalf("%s: %v", name, err)
				}
				if err := os.WriteFile(filepath.Join(dir, name+".png"), png, 0o644); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
}
