package plant

import (
	"bytes"
	"crypto/sha256"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// capturePath writes a scenario into a file of the test's own.
func capturePath(t *testing.T, s *Scenario) (path string, labels Labels) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "plant.pcap")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	labels, err = s.Write(f)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return path, labels
}

// tshark runs the independent decoder and returns its lines.
func tshark(t *testing.T, path string, args ...string) []string {
	t.Helper()
	bin, err := exec.LookPath("tshark")
	if err != nil {
		t.Skip("skipped: tshark is not installed")
	}
	var stderr bytes.Buffer
	c := exec.Command(bin, append([]string{"-r", path, "-o", "tcp.check_checksum:TRUE", "-o", "ip.check_checksum:TRUE"}, args...)...)
	c.Stderr = &stderr
	out, err := c.Output()
	if err != nil {
		t.Fatalf("tshark %v: %v\n%s", args, err, stderr.String())
	}
	if s := strings.TrimSpace(string(out)); s != "" {
		return strings.Split(s, "\n")
	}
	return nil
}

func show(lines []string) string { return strings.Join(lines[:min(len(lines), 12)], "\n") }

func TestTsharkFindsNothingWrongWithNormalTraffic(t *testing.T) {
	path, _ := capturePath(t, &Scenario{Seed: 1, Duration: 4 * time.Hour, Poll: 10 * time.Second, Life: NormalLife()})
	// One pass: the filter of what is wrong, and counts of what has to be there.
	wrong := "_ws.malformed || tcp.analysis.flags && !tcp.analysis.keep_alive && !tcp.analysis.keep_alive_ack || modbus.exception_code" +
		" || tcp.checksum.status == Bad || ip.checksum.status == Bad || udp.checksum.status == Bad" +
		" || _ws.expert.severity == error || _ws.expert.severity == warning && !http"
	if lines := tshark(t, path, "-Y", wrong); lines != nil {
		t.Errorf("%d packets with something wrong:\n%s", len(lines), show(lines))
	}
	count := make(map[string]int)
	for _, l := range tshark(t, path, "-Y", "modbus || dnp3 || ntp || dns || http || tcp.analysis.keep_alive", "-T", "fields", "-E", "separator=;",
		"-e", "_ws.col.Protocol", "-e", "modbus.func_code", "-e", "dnp3.al.func", "-e", "tcp.analysis.keep_alive") {
		f := strings.Split(l, ";")
		count[f[0]]++
		count["modbus function "+f[1]]++
		count["dnp3 function "+f[2]]++
		if f[3] != "" {
			count["keep-alive"]++
		}
	}
	for what, least := range map[string]int{"Modbus/TCP": 30000, "dnp3 function 130": 3, "dnp3 function 1": 250, "NTP": 100, "DNS": 50, "HTTP": 100, "modbus function 43": 5, "modbus function 17": 5, "keep-alive": 100} {
		if count[what] < least {
			t.Errorf("%d of %s, expected at least %d", count[what], what, least)
		}
	}
}

func TestTheSameScenarioGivesTheSameBytes(t *testing.T) {
	sum := func(seed uint64) (s [32]byte) {
		h := sha256.New()
		sc := &Scenario{Seed: seed, Duration: 10 * time.Minute, Life: NormalLife()}
		if _, err := sc.Write(h); err != nil {
			t.Fatal(err)
		}
		h.Sum(s[:0])
		return s
	}
	if one, two := sum(3), sum(3); one != two {
		t.Error("two runs differ")
	}
	if sum(3) == sum(4) {
		t.Error("two seeds give the same capture")
	}
}

func TestPacketsComeInOrderOfTime(t *testing.T) {
	var last int64
	var frames uint64
	s := &Scenario{Seed: 5, Duration: 10 * time.Minute, Life: Life{OperatorActions: 2000, Noise: true, Swap: 3 * time.Minute, Flaps: []time.Duration{time.Minute}}}
	_, err := s.Run(func(p *Packet) error {
		if p.Time < last {
			t.Fatalf("frame %d at %d comes after %d", p.Frame, p.Time, last)
		}
		if p.Frame != frames+1 {
			t.Fatalf("frame %d comes after %d", p.Frame, frames)
		}
		last, frames = p.Time, p.Frame
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if frames < 10000 {
		t.Errorf("%d packets in ten minutes", frames)
	}
}

func BenchmarkScenarioHour(b *testing.B) {
	for b.Loop() {
		s := &Scenario{Seed: 1, Duration: time.Hour, Life: NormalLife()}
		if _, err := s.Write(io.Discard); err != nil {
			b.Fatal(err)
		}
	}
}
