package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/weir-ics/weir/plant"
)

const (
	// smallBudget is what a small plant may take, in MiB of resident memory, the
	// kernel's ring and the program itself included.
	smallBudget = 100
	// smallMargin is what more it may take because it is sent faster than it would
	// be, and browsed at once.
	smallMargin = 10
)

// The small plant: 50 links, 5,000 points, of which 3,000 move or are states; sent three
// times as fast as it would.
var smallLoad = plant.Load{Kind: "site", Pairs: 50, Moving: 30, Packets: 75_000}

const (
	smallLearned = 60_000 // packets: 200 s
	smallRate    = 900    // packets/s
	smallFor     = 7 * time.Second
)

func TestALiveSensorOfASmallPlantFitsIntoItsMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("skipped with -short: takes a quarter of a minute")
	}
	tap := newTap(t)
	if out, err := exec.Command("ip", "-n", tap.sensor, "link", "set", "lo", "up").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	program := buildWeir(t)
	load := loadFile(t, smallLoad)
	dir := t.TempDir()
	first, baseline := filepath.Join(dir, "first.pcap"), filepath.Join(dir, "plant.json")
	cutCapture(t, load, first, smallLearned)
	if _, stderr, status := weir("learn", first, "-o", baseline); status != 0 {
		t.Fatal(stderr)
	}
	// Both hear the same. The pace is not that of the baseline, so that there are alerts.
	learning := tap.smallSensor(t, program, filepath.Join(dir, "learning"), "127.0.0.1:8101", "learn: {duration: 4s}\n")
	watching := tap.smallSensor(t, program, filepath.Join(dir, "watching"), "127.0.0.1:8102", "learn: {baseline: "+baseline+"}\n")
	browsed := make(chan error, 2)
	go func() {
		time.Sleep(smallFor / 2)
		for _, s := range []*smallSensor{learning, watching} {
			go func() { browsed <- tap.browse(s.console) }()
		}
	}()
	sent := tap.send(t, blast{File: load, Packets: int(smallRate * smallFor.Seconds()), Rate: smallRate})
	if err := errors.Join(<-browsed, <-browsed); err != nil {
		t.Error(err)
	}
	for _, s := range []*smallSensor{learning, watching} {
		used := residentOf(t, s.cmd.Process.Pid)
		said := stop(t, s.cmd, s.said)
		t.Logf("%s: %v", s.name, used)
		if got := sensorSaid(t, said); got.Packets != sent.Sent || got.Skipped != 0 {
			t.Errorf("%s: %d packets were sent; the sensor says: %+v", s.name, sent.Sent, got)
		}
		if used["VmHWM"] == 0 || used["VmHWM"] > smallBudget+smallMargin {
			t.Errorf("%s: %d MiB were resident at the most, more than %d and %d", s.name, used["VmHWM"], smallBudget, smallMargin)
		}
	}
}

// cutCapture writes the first packets of a capture.
func cutCapture(t *testing.T, from, to string, packets int) {
	t.Helper()
	frames, err := readFrames(from, packets)
	if err != nil {
		t.Fatal(err)
	}
	size := int64(24)
	for _, f := range frames {
		size += 16 + int64(len(f))
	}
	in, err := os.Open(from)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	out, err := os.Create(to)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.CopyN(out, in, size); err != nil {
		t.Fatal(err)
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
}

// smallSensor is a live sensor with all that one has by default.
type smallSensor struct {
	name, console string
	cmd           *exec.Cmd
	said          <-chan string
}

func (n tapped) smallSensor(t *testing.T, program, dir, console, settings string) *smallSensor {
	t.Helper()
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(dir, "weir.yaml")
	text := fmt.Sprintf("capture: {interfaces: [tap1]}\nstore: {path: %s/weir.db}\nconsole: {listen: '%s'}\nlog: {format: json}\n", dir, console) + settings
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	s := &smallSensor{name: filepath.Base(dir), console: "http://" + console}
	s.cmd, s.said = n.start(t, `"msg":"the console is ready"`, program, "run", "-c", config)
	return s
}

// residentOf is what is in memory of a process, in MiB: the most there was, and what
// is there of the heap, of files (the program, the ring) and shared.
func residentOf(t *testing.T, pid int) map[string]int {
	t.Helper()
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	used := map[string]int{}
	lines := bufio.NewScanner(strings.NewReader(string(data)))
	for lines.Scan() {
		if name, rest, _ := strings.Cut(lines.Text(), ":"); name == "VmHWM" || strings.HasPrefix(name, "Rss") {
			kib, err := strconv.Atoi(strings.Fields(rest)[0])
			if err != nil {
				t.Fatal(err)
			}
			used[name] = (kib + 512) >> 10
		}
	}
	return used
}

// browseVariable hands the address of a console to the process that browses it.
const browseVariable = "WEIR_TEST_BROWSE"

// browse looks at pages of a console as a browser does, from where the sensor is.
func (n tapped) browse(console string) error {
	cmd := exec.Command("ip", "netns", "exec", n.sensor, os.Args[0], "-test.run=^TestBrowse$")
	cmd.Env = append(os.Environ(), browseVariable+"="+console)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("browse %s: %w: %s", console, err, out)
	}
	return nil
}

// TestBrowse is no test: it is the process that browses.
func TestBrowse(t *testing.T) {
	console := os.Getenv(browseVariable)
	if console == "" {
		t.Skip("only for other tests")
	}
	if err := browsePages(console, 60); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0) // without the words of the test
}

var linkOnPage = regexp.MustCompile(`(?:href|src|hx-get)="(/[^"#]*)"`)

// browsePages follows links from page to page, six at a time, as browsers do.
func browsePages(console string, most int) error {
	seen, next := map[string]bool{"/": true}, []string{"/"}
	for loaded := 0; loaded < most && len(next) > 0; {
		now := next[:min(6, len(next))]
		next = next[len(now):]
		pages, problems := make([][]byte, len(now)), make([]error, len(now))
		var loading sync.WaitGroup
		for i, path := range now {
			loading.Go(func() {
				answer, err := http.Get(console + path)
				if err != nil {
					problems[i] = err
					return
				}
				defer answer.Body.Close()
				if pages[i], err = io.ReadAll(answer.Body); err != nil || answer.StatusCode != http.StatusOK {
					problems[i] = fmt.Errorf("%s: %s: %w", path, answer.Status, err)
				}
			})
		}
		loading.Wait()
		if err := errors.Join(problems...); err != nil {
			return err
		}
		loaded += len(now)
		for _, page := range pages {
			for _, m := range linkOnPage.FindAllSubmatch(page, -1) {
				if path := strings.ReplaceAll(string(m[1]), "&amp;", "&"); !seen[path] {
					seen[path] = true
					next = append(next, path)
				}
			}
		}
	}
	if len(seen) < 20 {
		return fmt.Errorf("only %d pages are linked", len(seen))
	}
	return nil
}
