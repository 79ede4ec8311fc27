package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/weir-ics/weir/plant"
)

var (
	largeSite  = flag.Bool("large-site", false, "measure the memory of a large site")
	siteLinks  = flag.Int("site-links", 10_000, "how many links the large site has, of 100 points each")
	siteMoving = flag.Int("site-moving", 15, "how many of 100 points of the large site move")
)

// TestALargeSite prints what the program takes to learn a site of 10,000 links
// and a million points, to start from that baseline and to watch by it. Like
// TestSideBySide it asserts nothing. It takes some minutes and 2 GB of disk.
func TestALargeSite(t *testing.T) {
	if !*largeSite {
		t.Skip("only with -large-site")
	}
	dir := t.TempDir()
	weir := filepath.Join(dir, "weir")
	if out, err := exec.Command("go", "build", "-o", weir, ".").CombinedOutput(); err != nil {
		t.Fatalf("build weir: %v\n%s", err, out)
	}
	site := func(name string, polls int) string {
		path := filepath.Join(dir, name)
		f, err := os.Create(path)
		if err != nil {
			t.Fatal(err)
		}
		// A poll is three packets.
		l := plant.Load{Kind: "site", Pairs: *siteLinks, Packets: 3 * *siteLinks * polls, Moving: *siteMoving}
		if err := errors.Join(l.Write(f), f.Close()); err != nil {
			t.Fatal(err)
		}
		return path
	}
	learned, watched, few := site("learned.pcap", 150), site("watched.pcap", 30), site("few.pcap", 1)
	baseline := filepath.Join(dir, "plant.json")
	fmt.Println("| what | wall s | CPU s | peak MiB |\n|---|--:|--:|--:|")
	for _, p := range []struct {
		name, capture string
		args          []string
	}{
		{"learn", learned, []string{weir, "learn", "{}", "-o", baseline, "-w", "1"}},
		{"start, and one poll of each link", few, []string{weir, "replay", "{}", "-b", baseline, "--store", "none"}},
		{"watch", watched, []string{weir, "replay", "{}", "-b", baseline, "--store", "none", "-w", "1"}},
	} {
		program := &timed{name: p.name, args: p.args}
		u, err := program.run(t, files{capture: p.capture})
		if err != nil {
			t.Fatal(err)
		}
		fmt.Printf("| %s | %.1f | %.1f | %d |\n", p.name, u.wall.Seconds(), u.cpu.Seconds(), u.rss>>20)
	}
	if info, err := os.Stat(baseline); err == nil {
		fmt.Printf("the baseline has %d MB\n", info.Size()/1e6)
	}
}
