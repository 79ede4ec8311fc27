package plant

import (
	"crypto/sha256"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func writeLoad(t *testing.T, l *Load) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "load.pcap")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := l.Write(f); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestLoadsHoldWhatTheySay(t *testing.T) {
	for _, c := range []struct {
		kind    string
		clean   bool
		filters map[string]int
	}{
		{"modbus", true, map[string]int{"modbus": 8000, "modbus.func_code == 6 || modbus.func_code == 5": 10}},
		{"dnp3", true, map[string]int{"dnp3": 4000, "dnp3.al.func == 130": 100, "dnp3.al.func == 129 && dnp3.al.fin == 0": 20}},
		{"mix", true, map[string]int{"modbus": 2500, "dnp3": 1000, "udp.port == 53": 50, "arp": 20}},
		{"hostile", false, map[string]int{"modbus": 1000, "dnp3": 500, "ip.flags.mf == 1": 50, "tcp.analysis.flags": 200}},
	} {
		path := writeLoad(t, &Load{Kind: c.kind, Packets: 20000, Pairs: 20, Seed: 3})
		if lines := tshark(t, path, "-T", "fields", "-e", "frame.number"); len(lines) != 20000 {
			t.Errorf("%s: %d packets", c.kind, len(lines))
		}
		for f, least := range c.filters {
			if n := len(tshark(t, path, "-Y", f)); n < least {
				t.Errorf("%s: %d packets with %s, expected at least %d", c.kind, n, f, least)
			}
		}
		if c.clean {
			// A message whose transport numbers pass from 63 to 0 leaves pieces in
			// tshark's reassembly, and it puts them before the next that begins with 0.
			if lines := tshark(t, path, "-Y", "_ws.malformed && (modbus || dnp3 && dnp3.tr.seq != 0) || tcp.analysis.flags || tcp.checksum.status == Bad"); lines != nil {
				t.Errorf("%s: %d wrong packets:\n%s", c.kind, len(lines), show(lines))
			}
		}
	}
}

func TestTheSameLoadGivesTheSameBytes(t *testing.T) {
	for _, kind := range LoadKinds() {
		sum := func(seed uint64) string {
			h := sha256.New()
			if err := (&Load{Kind: kind[0], Packets: 5000, Pairs: 10, Seed: seed}).Write(h); err != nil {
				t.Fatal(err)
			}
			return string(h.Sum(nil))
		}
		if sum(1) != sum(1) {
			t.Errorf("%s: two runs differ", kind[0])
		}
		if sum(1) == sum(2) {
			t.Errorf("%s: two seeds give the same", kind[0])
		}
	}
}

func TestAnUnknownLoadIsRefused(t *testing.T) {
	if err := (&Load{Kind: "much"}).Write(io.Discard); err == nil || !strings.Contains(err.Error(), "much") {
		t.Errorf("error is %v", err)
	}
}

func BenchmarkLoad(b *testing.B) {
	for _, kind := range LoadKinds() {
		b.Run(kind[0], func(b *testing.B) {
			const packets = 200_000
			for b.Loop() {
				if err := (&Load{Kind: kind[0], Packets: packets}).Write(io.Discard); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(packets)*float64(b.N)/b.Elapsed().Seconds(), "packets/s")
		})
	}
}
