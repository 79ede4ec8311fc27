package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// tapped is two network namespaces joined by a cable: what is sent on plant's
// end is seen on sensor's.
type tapped struct{ plant, sensor string }

func newTap(t *testing.T) tapped {
	t.Helper()
	for _, tool := range []string{"ip", "tcpreplay", "tcpdump"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("skipped: %s is not installed (Debian packages iproute2, tcpreplay, tcpdump)", tool)
		}
	}
	if os.Geteuid() != 0 {
		t.Skip("skipped: network namespaces need root")
	}
	n := tapped{fmt.Sprintf("weirp%d", os.Getpid()), fmt.Sprintf("weirs%d", os.Getpid())}
	for _, line := range []string{
		"ip netns add " + n.plant,
		"ip netns add " + n.sensor,
		"ip link add tap0 netns " + n.plant + " type veth peer name tap1 netns " + n.sensor,
		// IPv6 off, so that the kernel sends nothing of its own.
		"ip netns exec " + n.plant + " sh -c 'echo 1 > /proc/sys/net/ipv6/conf/tap0/disable_ipv6'",
		"ip netns exec " + n.sensor + " sh -c 'echo 1 > /proc/sys/net/ipv6/conf/tap1/disable_ipv6'",
		"ip -n " + n.plant + " link set tap0 up",
		"ip -n " + n.sensor + " link set tap1 up",
	} {
		if out, err := exec.Command("sh", "-c", line).CombinedOutput(); err != nil {
			t.Cleanup(n.remove)
			if strings.HasPrefix(line, "ip netns add") {
				t.Skipf("skipped: this system does not let root make network namespaces: %s", out)
			}
			t.Fatalf("%s: %v: %s", line, err, out)
		}
	}
	t.Cleanup(n.remove)
	return n
}

func (n tapped) remove() {
	for _, name := range []string{n.plant, n.sensor} {
		_ = exec.Command("ip", "netns", "del", name).Run()
	}
}

// received is how many packets reached an end that nobody but the sensor could
// have sent: the plant's end counts what comes back.
func (n tapped) received(t *testing.T) string {
	t.Helper()
	out, err := exec.Command("ip", "netns", "exec", n.plant, "cat", "/sys/class/net/tap0/statistics/rx_packets").Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

func buildWeir(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "weir")
	if out, err := exec.Command("go", "build", "-o", path, ".").CombinedOutput(); err != nil {
		t.Fatalf("build: %v: %s", err, out)
	}
	return path
}

// alertKinds are the alerts of a file: kind by id.
func alertKinds(t *testing.T, path string) map[string]string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	kinds := map[string]string{}
	lines := bufio.NewScanner(bytes.NewReader(data))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var a struct{ ID, Kind string }
		if err := json.Unmarshal(lines.Bytes(), &a); err != nil {
			t.Fatal(err)
		}
		kinds[a.ID] = a.Kind
	}
	return kinds
}

// start starts a program in the sensor's namespace and returns when it says
// that it is ready. What it printed on standard error comes when it ends.
func (n tapped) start(t *testing.T, ready string, args ...string) (cmd *exec.Cmd, said <-chan string) {
	t.Helper()
	cmd = exec.Command("ip", append([]string{"netns", "exec", n.sensor}, args...)...)
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	began, ended := make(chan bool, 1), make(chan string, 1)
	go func() {
		lines := bufio.NewScanner(stderr)
		var all strings.Builder
		for lines.Scan() {
			all.WriteString(lines.Text() + "\n")
			if strings.Contains(lines.Text(), ready) {
				select {
				case began <- true:
				default:
				}
			}
		}
		ended <- all.String()
	}()
	select {
	case <-began:
	case text := <-ended:
		t.Fatalf("%s ended: %s", args[0], text)
	}
	return cmd, ended
}

// stop ends a program cleanly and returns what it printed on standard error.
func stop(t *testing.T, cmd *exec.Cmd, said <-chan string) string {
	t.Helper()
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	text := <-said
	if err := cmd.Wait(); err != nil {
		t.Errorf("%s ended with %v: %s", cmd.Args[3], err, text)
	}
	return text
}

func TestTheSameTrafficLiveGivesTheSameAlertsAndEveryPacketIsCounted(t *testing.T) {
	if testing.Short() {
		t.Skip("skipped with -short: takes as long as the traffic, half a minute")
	}
	tap := newTap(t)
	program := buildWeir(t)
	dir := t.TempDir()
	path := func(name string) string { return filepath.Join(dir, name) }
	must := func(args ...string) {
		t.Helper()
		if _, stderr, status := weir(args...); status != 0 {
			t.Fatalf("weir %v: %s", args, stderr)
		}
	}
	must("plant", "write", path("quiet.pcap"), "--duration", "40m")
	must("plant", "write", path("attack.pcap"), "--duration", "25s", "--start", "2026-03-02T06:40:00Z",
		"--attack", "write.from-plc@8s", "--attack", "plc.umas-stop@14s+5s")
	must("learn", path("quiet.pcap"), "-o", path("plant.json"))
	must("replay", path("attack.pcap"), "--baseline", path("plant.json"), "--store", "none", "--alerts", path("replayed.jsonl"))
	planned := alertKinds(t, path("replayed.jsonl"))
	if len(planned) < 2 {
		t.Fatalf("replay found only %v", planned)
	}

	// The sensor writes its baseline again when it ends; the replays are to start
	// from the same one.
	learned, err := os.ReadFile(path("plant.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path("sensor.json"), learned, 0o600); err != nil {
		t.Fatal(err)
	}
	config := fmt.Sprintf("capture: {interfaces: [tap1]}\nlearn: {baseline: %s}\nstore: {path: %s}\nalerts: {file: %s}\nconsole: {listen: ''}\nlog: {format: json}\n",
		path("sensor.json"), path("weir.db"), path("live.jsonl"))
	if err := os.WriteFile(path("weir.yaml"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	sensor, log := tap.start(t, `"msg":"listening"`, program, "run", "-c", path("weir.yaml"))
	// What the sensor hears, with its own times: a busy machine sends late.
	witness, said := tap.start(t, "listening on", "tcpdump", "-i", "tap1", "-U", "--time-stamp-precision=nano", "-w", path("heard.pcap"))
	if out, err := exec.Command("ip", "netns", "exec", tap.plant, "tcpreplay", "-q", "-i", "tap0", path("attack.pcap")).CombinedOutput(); err != nil {
		t.Fatalf("tcpreplay: %v: %s", err, out)
	}
	time.Sleep(300 * time.Millisecond) // what is in the rings is handed over in 40 ms
	ended := sensorSaid(t, stop(t, sensor, log))
	stop(t, witness, said)
	live := alertKinds(t, path("live.jsonl"))
	must("replay", path("heard.pcap"), "--baseline", path("plant.json"), "--store", "none", "--alerts", path("heard.jsonl"))
	heard := alertKinds(t, path("heard.jsonl"))
	sameAlerts(t, live, heard)
	for id, kind := range planned {
		// What depends on the rhythm of the polls is for the machine to keep.
		if live[id] == "" && !strings.HasPrefix(kind, "timing.") && !strings.HasPrefix(kind, "value.") {
			t.Errorf("replay of the file has alert %s (%s), live has not", id, kind)
		}
	}
	sent := int(countPackets(t, path("attack.pcap")))
	if ended.Packets+ended.Dropped != sent || ended.Filtered != 0 || ended.Skipped != 0 {
		t.Errorf("%d packets were sent; the sensor says: %+v", sent, ended)
	}
	if n := tap.received(t); n != "0" {
		t.Errorf("the plant's end received %s packets: something was sent on the monitored interface", n)
	}
}

func countPackets(t *testing.T, capture string) uint64 {
	t.Helper()
	out, stderr, status := weir("replay", "--json", "--store", "none", capture)
	if status != 0 {
		t.Fatal(stderr)
	}
	var r struct{ Packets uint64 }
	if err := json.Unmarshal([]byte(out), &r); err != nil {
		t.Fatal(err)
	}
	return r.Packets
}

// sameAlerts holds the kinds of alerts of a live sensor, by their ids, against those of
// a replay of what was heard.
func sameAlerts(t *testing.T, live, heard map[string]string) {
	t.Helper()
	for id, kind := range heard {
		if live[id] == "" {
			t.Errorf("replay of what was heard has alert %s (%s), live has not", id, kind)
		}
	}
	for id, kind := range live {
		// Polls end with the capture: live, the silence after it counts.
		if heard[id] == "" && !strings.HasPrefix(kind, "timing.") && kind != "device.silent" {
			t.Errorf("live has alert %s (%s), replay of what was heard has not", id, kind)
		}
	}
}
