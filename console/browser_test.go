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
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/weir-ics/weir/detect"
	"github.com/weir-ics/weir/protocols"
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
		Text: "Any host that reaches port 502 can stop the program with function 90.\n\n# What to check\n\n* Filter function 90 at the cell's firewall and watch for it here.\n* Compare the program with the one that was commissioned.", References: []string{"Vendor's cybersecurity reference manual, chapter 4"}}}
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

// scheme sets whether the person prefers light or dark.
func (b *browser) scheme(t *testing.T, name string) {
	t.Helper()
	err := enable(b, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: name}}})
	if err != nil {
		t.Fatal(err)
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

// arrive waits as until does, across a change of page, during which there is
// nothing to ask.
func (b *browser) arrive(t *testing.T, expression string) {
	t.Helper()
	for tick := time.NewTicker(50 * time.Millisecond); ; {
		there, err := chromedp.Run(b, chromedp.Evaluate[bool]("!!("+expression+")"))
		if err == nil && there {
			tick.Stop()
			return
		}
		select {
		case <-tick.C:
		case <-b.Done():
			t.Fatalf("never came to be: %s (last: %v)", expression, err)
		}
	}
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

func TestPagesFitAPhone(t *testing.T) {
	b := browse(t)
	b.do(t, "phone", chromedp.EmulateViewport(390, 844))
	for _, p := range everyPage {
		b.open(t, p.path)
		if n := eval[int](t, b, `document.documentElement.scrollWidth - document.documentElement.clientWidth`); n > 0 {
			t.Errorf("%s: the page is %d pixels wider than a phone", p.path, n)
		}
	}
}

// contrast gives the texts whose colour is too close to what is behind them, by
// the formula of WCAG 2.1 (4.5 to 1, or 3 to 1 for large type). Text over a
// picture or a chart is left out.
const contrast = `(() => {
	const rgb = c => { const m = c.match(/[\d.]+/g).map(Number); return c.startsWith("color(srgb") ? [m[0]*255, m[1]*255, m[2]*255, m[3] ?? 1] : [m[0], m[1], m[2], m[3] ?? 1]; };
	const lum = c => { const [r, g, b] = c.map(v => (v /= 255) <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4); return .2126*r + .7152*g + .0722*b; };
	const over = (top, below) => top.slice(0, 3).map((v, i) => v * top[3] + below[i] * (1 - top[3]));
	const behind = e => { const stack = []; for (let n = e; n; n = n.parentElement) { stack.push(rgb(getComputedStyle(n).backgroundColor)); } return stack.reverse().reduce((below, top) => over(top, below), [255, 255, 255]); };
	const bad = new Set();
	const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
	while (walk.nextNode()) {
		const e = walk.currentNode.parentElement;
		if (!walk.currentNode.data.trim() || e.closest("svg, .plot, script, datalist, .sr, .skip, option, [hidden]") || !e.offsetParent) continue;
		const s = getComputedStyle(e), bg = behind(e), fg = over(rgb(s.color), bg);
		const [hi, lo] = [lum(fg), lum(bg)].sort((a, b) => b - a);
		const size = parseFloat(s.fontSize), large = size >= 24 || size >= 18.66 && s.fontWeight >= 700;
		if ((hi + .05) / (lo + .05) < (large ? 3 : 4.5)) bad.add(walk.currentNode.data.trim().slice(0, 40) + " " + ((hi + .05) / (lo + .05)).toFixed(2));
	}
	return [...bad].join("; ");
})()`

func TestTextStandsOutFromWhatIsBehindIt(t *testing.T) {
	b := browse(t)
	for _, scheme := range []string{"light", "dark"} {
		b.scheme(t, scheme)
		for _, p := range everyPage {
			b.open(t, p.path)
			if bad := eval[string](t, b, contrast); bad != "" {
				t.Errorf("%s, %s: too little contrast: %s", p.path, scheme, bad)
			}
		}
	}
}

// ink counts the pixels of a chart that are painted, by colour family: the
// line is drawn in the accent colour.
const ink = `(() => {
	const c = document.querySelector(".chart canvas"), d = c.getContext("2d").getImageData(0, 0, c.width, c.height).data;
	let n = 0;
	for (let i = 3; i < d.length; i += 4) n += d[i] > 0;
	return n;
})()`

func TestAChartIsPaintedAndTellsTheValueUnderTheCursor(t *testing.T) {
	b := browse(t)
	b.open(t, "/alerts/c9t2v6jb8wqs")
	if n := eval[int](t, b, ink); n < 2000 {
		t.Errorf("%d pixels of the chart are painted", n)
	}
	x := eval[float64](t, b, `(r => r.left + r.width / 3)(document.querySelector(".u-over").getBoundingClientRect())`)
	y := eval[float64](t, b, `document.querySelector(".u-over").scrollIntoView({block: "center"}), (r => r.top + r.height / 2)(document.querySelector(".u-over").getBoundingClientRect())`)
	b.do(t, "move", chromedp.MouseEvent(input.DispatchMouseEventTypeMouseMoved, x, y), until(`document.querySelector(".readout").textContent !== ""`))
	if s := eval[string](t, b, `document.querySelector(".readout").textContent`); !strings.Contains(s, "2026-03-14 10:") || !strings.Contains(s, " m, expected 1.92 to 3.41") {
		t.Errorf("the cursor reads %q", s)
	}
}

func TestDraggingZoomsAndResetGoesBack(t *testing.T) {
	b := browse(t)
	b.open(t, "/trends?s=1a&s=1b&range=6h")
	before := eval[string](t, b, `document.querySelector(".plot").dataset.drawn`)
	x := eval[float64](t, b, `document.querySelector(".u-over").getBoundingClientRect().left`)
	y := eval[float64](t, b, `document.querySelector(".u-over").getBoundingClientRect().top + 40`)
	b.do(t, "drag", chromedp.DragAndDropXY(x+400, y, x+600, y, 8), until(`location.search.includes("from=")`),
		until(`[...document.querySelectorAll(".plot")].every(p => p.dataset.drawn !== "`+before+`")`))
	q, err := url.ParseQuery(strings.TrimPrefix(eval[string](t, b, `location.search`), "?"))
	if err != nil || len(q["s"]) != 2 || q.Has("range") {
		t.Errorf("the address after zooming is %v, %v", q, err)
	}
	from, _ := time.Parse(time.RFC3339, q.Get("from"))
	to, _ := time.Parse(time.RFC3339, q.Get("to"))
	if d := to.Sub(from); d < 30*time.Minute || d > 3*time.Hour {
		t.Errorf("zoomed to %s", d)
	}
	b.do(t, "out", chromedp.KeyEvent("-"), until(`document.querySelector(".plot").dataset.drawn > 0`))
	b.do(t, "reset", chromedp.Click(chromedp.CSS(`[data-tool=reset]`)), until(`location.search.includes("range=6h") && document.querySelector(".plot").dataset.drawn === "`+before+`"`))
}

func TestTheFilterNarrowsTheListWithoutLeavingThePage(t *testing.T) {
	b := browse(t)
	b.open(t, "/alerts")
	eval[bool](t, b, `window.stayed = true`)
	rows := func(n int) chromedp.Action[chromedp.Void] {
		return until(fmt.Sprintf(`document.querySelectorAll("tbody tr").length === %d`, n))
	}
	b.do(t, "severity", rows(4), chromedp.SetValue(chromedp.CSS(`select[name=severity]`), "high"), change("select[name=severity]"), rows(2))
	b.do(t, "state", chromedp.SetValue(chromedp.CSS(`select[name=state]`), "any"), change("select[name=state]"), rows(3))
	b.do(t, "text", chromedp.SendKeys(chromedp.CSS(`input[name=q]`), "pump p1"), rows(2))
	if s := eval[string](t, b, `location.search`); s != "?severity=high&state=any&q=pump+p1" {
		t.Errorf("the address is %q", s)
	}
	if !eval[bool](t, b, `window.stayed === true && document.querySelector("input[name=q]").value === "pump p1"`) {
		t.Error("the page was loaded anew")
	}
	if s := eval[string](t, b, `document.querySelector(".sum").textContent`); !strings.HasPrefix(s, "2 alerts match") {
		t.Errorf("the sum says %q", s)
	}
}

// change tells the page that a field was changed, as a person's choice does.
func change(selector string) chromedp.Action[chromedp.Void] {
	return chromedp.Evaluate[chromedp.Void](`void document.querySelector("` + selector + `").dispatchEvent(new Event("change", {bubbles: true}))`)
}

func TestANewAlertAppearsByItselfAndTheHeaderCountsIt(t *testing.T) {
	b := browse(t)
	b.open(t, "/alerts")
	b.do(t, "before", until(`document.querySelector("#badge").textContent === "4"`))
	b.data.mu.Lock()
	a := b.data.alerts[0]
	a.ID, a.Title, a.Severity = "newalert", "Something else happened", protocols.Critical
	b.data.alerts = append(b.data.alerts, a)
	b.data.mu.Unlock()
	b.do(t, "after", until(`document.querySelector("#a-newalert")?.textContent.includes("Something else happened")`), until(`document.querySelector("#badge").textContent === "5"`))
}

func TestTheOverviewsChartSurvivesARenewal(t *testing.T) {
	b := browse(t)
	b.open(t, "/")
	b.do(t, "renewals", chromedp.Evaluate[chromedp.Void](`void (window.renewed = 0, document.addEventListener("htmx:after:swap", () => window.renewed++))`), until(`window.renewed >= 2`))
	if n := eval[int](t, b, ink); n < 2000 {
		t.Errorf("%d pixels of the chart are painted after it", n)
	}
	if n := eval[int](t, b, `document.querySelectorAll("canvas").length`); n != 1 {
		t.Errorf("there are %d charts", n)
	}
}

func TestTextBeingTypedSurvivesARenewal(t *testing.T) {
	b := browse(t)
	b.open(t, "/alerts")
	b.do(t, "type", chromedp.SendKeys(chromedp.CSS(`input[name=host]`), "10.20."), chromedp.Evaluate[chromedp.Void](`void (window.renewed = 0, document.addEventListener("htmx:after:swap", () => window.renewed++))`), until(`window.renewed >= 2`))
	if !eval[bool](t, b, `document.activeElement.name === "host" && document.activeElement.value === "10.20."`) {
		t.Error("what was typed is gone, or the focus is")
	}
}

func TestAcknowledgingInABrowserIsKeptAndTheNameRemembered(t *testing.T) {
	b := browse(t)
	b.open(t, "/alerts/a7f3h9dk2mqe")
	b.do(t, "acknowledge",
		chromedp.SendKeys(chromedp.CSS(`input[name=by]`), "R. Castillo"),
		chromedp.SendKeys(chromedp.CSS(`textarea[name=note]`), "PLC-2 taken off the network <b>now</b>"),
		chromedp.Click(chromedp.CSS(`form.ack button`)))
	b.arrive(t, `document.readyState === "complete" && document.querySelector(".said")?.textContent.includes("R. Castillo")`)
	if s := eval[string](t, b, `document.querySelector(".said p").textContent`); s != "PLC-2 taken off the network <b>now</b>" {
		t.Errorf("the note reads %q", s)
	}
	b.open(t, "/alerts/c9t2v6jb8wqs")
	if s := eval[string](t, b, `document.querySelector("input[name=by]").value`); s != "R. Castillo" {
		t.Errorf("the name is remembered as %q", s)
	}
}

func TestKeysMoveThroughTheList(t *testing.T) {
	b := browse(t)
	b.open(t, "/alerts")
	b.do(t, "keys", chromedp.KeyEvent("j"), chromedp.KeyEvent("j"))
	if s := eval[string](t, b, `document.activeElement.getAttribute("href")`); s != "/alerts/a7f3h9dk2mqe" {
		t.Errorf("the second row's link has not the focus, but %q", s)
	}
	b.do(t, "open", chromedp.KeyEvent("\r"))
	b.arrive(t, `location.pathname === "/alerts/a7f3h9dk2mqe" && document.readyState === "complete"`)
	b.do(t, "go", chromedp.KeyEvent("g"), chromedp.KeyEvent("l"))
	b.arrive(t, `location.pathname === "/links" && document.readyState === "complete"`)
	b.do(t, "search", chromedp.KeyEvent("/"), until(`document.activeElement.name === "q"`))
}

func TestASensorThatDoesNotAnswerIsSaid(t *testing.T) {
	b := browse(t)
	b.open(t, "/alerts")
	b.data.broken.Store(true)
	b.do(t, "offline", until(`!document.querySelector("#offline").hidden`))
	if n := eval[int](t, b, `document.querySelectorAll("tbody tr").length`); n != 4 {
		t.Errorf("%d rows are left of what was shown", n)
	}
	b.data.broken.Store(false)
	b.do(t, "online", until(`document.querySelector("#offline").hidden`))
	b.mu.Lock()
	defer b.mu.Unlock()
	b.complaints = slices.DeleteFunc(b.complaints, func(s string) bool { return strings.Contains(s, "500 (Internal Server Error)") })
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
				b.scheme(t, scheme)
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
