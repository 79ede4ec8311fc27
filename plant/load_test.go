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
	const packets = 8000
	for _, c := range []struct {
		kind  string
		clean bool
		least map[string]int
	}{
		{"modbus", true, map[string]int{"Modbus/TCP": 3000, "write": 4}},
		{"dnp3", true, map[string]int{"DNP 3.0": 1600, "unsolicited": 40, "unfinished": 8}},
		{"mix", true, map[string]int{"Modbus/TCP": 1000, "DNP 3.0": 400, "udp": 30, "ARP": 10}},
		{"site", true, map[string]int{"Modbus/TCP": 5000}},
		{"hostile", false, map[string]int{"Modbus/TCP": 400, "DNP 3.0": 200, "fragment": 20, "flags": 80}},
	} {
		path := writeLoad(t, &Load{Kind: c.kind, Packets: packets, Pairs: 20, Seed: 3})
		count := make(map[string]int)
		lines := tshark(t, path, "-T", "fields", "-E", "separator=;", "-E", "occurrence=f", "-e", "_ws.col.Protocol", "-e", "modbus.func_code",
			"-e", "dnp3.al.func", "-e", "dnp3.al.fin", "-e", "udp.length", "-e", "ip.flags.mf", "-e", "tcp.analysis.flags", "-e", "_ws.malformed", "-e", "dnp3.tr.seq", "-e", "tcp.checksum.status")
		if len(lines) != packets {
			t.Errorf("%s: %d packets", c.kind, len(lines))
		}
		yes := func(s string) bool { return s == "1" || s == "True" }
		for i, l := range lines {
			f := strings.Split(l, ";")
			count[f[0]]++
			for what, is := range map[string]bool{
				"write": f[1] == "5" || f[1] == "6", "unsolicited": f[2] == "130", "unfinished": f[2] == "129" && !yes(f[3]),
				"udp": f[4] != "", "fragment": yes(f[5]), "flags": f[6] != "",
			} {
				if is {
					count[what]++
				}
			}
			// A message whose transport numbers pass from 63 to 0 leaves pieces in
			// tshark's reassembly, and it puts them before the next that begins with 0.
			bad := f[6] != "" || f[7] != "" && f[8] != "0" && (f[0] == "Modbus/TCP" || f[0] == "DNP 3.0") || f[9] == "0" || f[9] == "Bad"
			if c.clean && bad {
				t.Errorf("%s: packet %d is wrong: %s", c.kind, i+1, l)
			}
		}
		for what, least := range c.least {
			if count[what] < least {
				t.Errorf("%s: %d of %s, expected at least %d", c.kind, count[what], what, least)
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
		if one, two := sum(1), sum(1); one != two {
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
