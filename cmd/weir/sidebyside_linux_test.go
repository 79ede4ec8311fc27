package main

import (
	"bytes"
	"cmp"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/weir-ics/weir/plant"
)

var (
	sideBySide     = flag.Bool("side-by-side", false, "time weir beside other programs (make bench)")
	sideBySideRuns = flag.Int("runs", 5, "how often each program is timed at most")
)

// A program that runs for longer than this in total is not run again.
const sideBySideEnough = 10 * time.Second

// timed is a program and what it took over one load.
type timed struct {
	name string
	// {} stands for the capture, $first for one with its first packets, $baseline for
	// what was learned of these, $store and $dir for a fresh store and folder
	args []string
	runs []usageOf
}

type usageOf struct {
	wall, cpu time.Duration
	rss       int64 // octets, sampled
}

// programs are those that are timed, tcpdump first: the others are held against
// it.
func programs(weir, plain string) []*timed {
	return []*timed{
		{name: "tcpdump -r F -w /dev/null", args: []string{"tcpdump", "-r", "{}", "-w", "/dev/null"}},
		{name: "weir replay, no process model, 1 worker", args: []string{weir, "replay", "{}", "--learn", "60s", "--store", "none", "-c", plain, "-w", "1"}},
		{name: "weir replay, no process model, 2 workers", args: []string{weir, "replay", "{}", "--learn", "60s", "--store", "none", "-c", plain, "-w", "2"}},
		{name: "weir replay, all on, 1 worker", args: []string{weir, "replay", "{}", "--learn", "60s", "--store", "none", "-w", "1"}},
		{name: "weir replay, all on, 2 workers", args: []string{weir, "replay", "{}", "--learn", "60s", "--store", "none", "-w", "2"}},
		{name: "weir learn, of the first 40 % of the packets", args: []string{weir, "learn", "$first", "-o", "$dir/baseline"}},
		{name: "weir replay, all on, by that baseline, 1 worker", args: []string{weir, "replay", "{}", "--baseline", "$baseline", "--store", "none", "-w", "1"}},
		{name: "weir replay, all on, by that baseline, 2 workers", args: []string{weir, "replay", "{}", "--baseline", "$baseline", "--store", "none", "-w", "2"}},
		{name: "weir replay, all on, store", args: []string{weir, "replay", "{}", "--learn", "60s", "--store", "$store", "-w", "1"}},
		{name: "weir decode", args: []string{weir, "decode", "{}"}},
		{name: "ndpiReader -i F", args: []string{"ndpiReader", "-q", "-i", "{}"}},
		{name: "tshark -q -z io,phs", args: []string{"tshark", "-q", "-z", "io,phs", "-r", "{}"}},
		{name: "suricata -r F", args: []string{"suricata", "-r", "{}", "-S", "/dev/null", "-l", "$dir"}},
		{name: "zeek -r F", args: []string{"zeek", "-r", "{}"}},
	}
}

// TestSideBySide prints how long weir and others take for the same captures, in
// turns, so that what else the machine does hits all alike. It asserts nothing:
// make bench is for people, and docs/performance.md says what they saw.
func TestSideBySide(t *testing.T) {
	if !*sideBySide {
		t.Skip("only with -side-by-side (make bench)")
	}
	cache := benchFolder(t)
	weir := filepath.Join(t.TempDir(), "weir")
	if out, err := exec.Command("go", "build", "-o", weir, ".").CombinedOutput(); err != nil {
		t.Fatalf("build weir: %v\n%s", err, out)
	}
	plain := filepath.Join(t.TempDir(), "plain.yaml")
	if err := os.WriteFile(plain, []byte("detect: {process: false}\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	fmt.Printf("%s, %d processors, %s\n", processor(), runtime.NumCPU(), runtime.Version())
	for _, kind := range plant.LoadKinds() {
		const packets = 2_000_000
		load := plant.Load{Kind: kind[0], Packets: packets}
		if load.Kind == "site" {
			load.Pairs, load.Moving = 50, 30 // a small plant
		}
		files := files{capture: cachedLoad(t, cache, load), baseline: filepath.Join(t.TempDir(), "baseline")}
		load.Packets = packets * 2 / 5
		files.first = cachedLoad(t, cache, load)
		if out, err := exec.Command(weir, "learn", files.first, "-o", files.baseline).CombinedOutput(); err != nil {
			t.Fatalf("learn: %v\n%s", err, out)
		}
		all := programs(weir, plain)
		for _, p := range all {
			if _, err := exec.LookPath(p.args[0]); err != nil {
				fmt.Printf("%s is not on this machine\n", p.args[0])
			}
		}
		all = slices.DeleteFunc(all, func(p *timed) bool { _, err := exec.LookPath(p.args[0]); return err != nil })
		for range *sideBySideRuns {
			for _, p := range all {
				var total time.Duration
				for _, r := range p.runs {
					total += r.wall
				}
				if total > sideBySideEnough {
					continue
				}
				u, err := p.run(t, files)
				if err != nil {
					t.Errorf("%s: %v", p.name, err)
				}
				p.runs = append(p.runs, u)
			}
		}
		fmt.Printf("\n%s: %s\n\n", kind[0], kind[1])
		fmt.Println("| program | runs | wall s | CPU s | CPU ns a packet | packets a CPU second | times tcpdump's CPU | peak MiB |")
		fmt.Println("|---|--:|--:|--:|--:|--:|--:|--:|")
		base := all[0].median(func(u usageOf) float64 { return u.cpu.Seconds() })
		for _, p := range all {
			cpu := p.median(func(u usageOf) float64 { return u.cpu.Seconds() })
			fmt.Printf("| %s | %d | %.2f | %.2f | %.0f | %.0f | %.1f | %.0f |\n", p.name, len(p.runs),
				p.median(func(u usageOf) float64 { return u.wall.Seconds() }), cpu, cpu/packets*1e9, packets/cpu, cpu/base,
				p.median(func(u usageOf) float64 { return float64(u.rss) / (1 << 20) }))
		}
		fmt.Println()
		for i, p := range all {
			if one, ok := strings.CutSuffix(p.name, "2 workers"); ok && all[i-1].name == one+"1 worker" {
				least, median, most := pairs(all[i-1].runs, p.runs)
				fmt.Printf("%s: two workers do %.2f times the work of one (median of %d pairs, from %.2f to %.2f)\n",
					strings.TrimSuffix(one, ", "), median, min(len(p.runs), len(all[i-1].runs)), least, most)
			}
		}
	}
}

// pairs compares how long runs took that followed one another: what else the
// machine did, and what its processors were shared with, hit both alike.
func pairs(one, two []usageOf) (least, median, most float64) {
	var all []float64
	for i := range min(len(one), len(two)) {
		all = append(all, one[i].wall.Seconds()/two[i].wall.Seconds())
	}
	if len(all) == 0 {
		return 0, 0, 0
	}
	slices.Sort(all)
	return all[0], all[len(all)/2], all[len(all)-1]
}

// benchFolder is where loads are kept from one run to the next.
func benchFolder(t *testing.T) string {
	cache, err := os.UserCacheDir()
	if err != nil {
		cache = os.TempDir()
	}
	cache = filepath.Join(cache, "weir-bench")
	if err := os.MkdirAll(cache, 0o755); err != nil {
		t.Fatal(err)
	}
	return cache
}

func cachedLoad(t *testing.T, dir string, l plant.Load) string {
	name := fmt.Sprintf("%s-%d", l.Kind, l.Packets)
	if l.Pairs > 0 {
		name += fmt.Sprintf("-%d-%d", l.Pairs, l.Moving)
	}
	path := filepath.Join(dir, name+".pcap")
	if _, err := os.Stat(path); err == nil {
		return path
	}
	f, err := os.Create(path + ".part")
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(l.Write(f), f.Close(), os.Rename(path+".part", path)); err != nil {
		t.Fatal(err)
	}
	return path
}

// files are what programs are run on.
type files struct{ capture, first, baseline string }

// run runs the program once.
func (p *timed) run(t *testing.T, f files) (usageOf, error) {
	dir := t.TempDir()
	args := slices.Clone(p.args)
	for i, a := range args {
		args[i] = strings.NewReplacer("{}", f.capture, "$first", f.first, "$baseline", f.baseline, "$store", filepath.Join(dir, "weir.db"), "$dir", dir).Replace(a)
	}
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Dir = dir
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	began := time.Now()
	if err := cmd.Start(); err != nil {
		return usageOf{}, err
	}
	done := make(chan struct{})
	peak := make(chan int64)
	go func() { peak <- watchMemory(cmd.Process.Pid, done) }()
	err := cmd.Wait()
	u := usageOf{wall: time.Since(began)}
	close(done)
	u.rss = <-peak
	if err != nil {
		return u, fmt.Errorf("%w: %s", err, strings.TrimSpace(stderr.String()))
	}
	r := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	u.cpu = time.Duration(r.Utime.Nano() + r.Stime.Nano())
	return u, nil
}

// watchMemory follows the high-water mark of a process's resident memory. What
// wait4 says of it will not do: it includes the parent's at the time of the fork.
func watchMemory(pid int, done <-chan struct{}) (peak int64) {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		if data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid)); err == nil {
			if _, rest, ok := strings.Cut(string(data), "VmHWM:"); ok {
				if n, err := strconv.ParseInt(strings.Fields(rest)[0], 10, 64); err == nil {
					peak = max(peak, n<<10)
				}
			}
		}
		select {
		case <-done:
			return peak
		case <-tick.C:
		}
	}
}

func (p *timed) median(of func(usageOf) float64) float64 {
	if len(p.runs) == 0 {
		return 0
	}
	var all []float64
	for _, r := range p.runs {
		all = append(all, of(r))
	}
	slices.SortFunc(all, cmp.Compare)
	return all[len(all)/2]
}

// processor is the name of the machine's processor.
func processor() string {
	data, _ := os.ReadFile("/proc/cpuinfo")
	if _, rest, ok := strings.Cut(string(data), "model name"); ok {
		line, _, _ := strings.Cut(rest, "\n")
		return strings.TrimLeft(line, "\t :")
	}
	return runtime.GOARCH
}
