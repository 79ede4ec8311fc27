package capture

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/net/bpf"
)

// passes runs a filter over one packet.
func passes(t testing.TB, vm *bpf.VM, data []byte) bool {
	t.Helper()
	n, err := vm.Run(data)
	if err != nil {
		t.Fatal(err)
	}
	return n > 0
}

func filterVM(t testing.TB, expression string, link LinkType) *bpf.VM {
	t.Helper()
	ins, err := filterProgram(expression, link, false)
	if err != nil {
		t.Fatal(err)
	}
	vm, err := bpf.NewVM(ins)
	if err != nil {
		t.Fatalf("%s: %v", expression, err)
	}
	return vm
}

func TestFiltersAgreeWithTcpdump(t *testing.T) {
	if _, err := exec.LookPath("tcpdump"); err != nil {
		t.Skip("no tcpdump here")
	}
	expressions := []string{
		"", "tcp port 502 or udp port 20000", "not host 10.0.0.5", "tcp", "udp", "arp", "ip", "ip6", "icmp", "icmp6",
		"port 502", "port 502 or 20000", "host 192.168.1.100", "src host 192.168.1.100", "dst 192.168.1.100", "net 192.168.1.0/24",
		"not port 502", "tcp and not port 502", "tcp port 502 and host 192.168.1.100", "host 10.0.0.1 or 192.168.1.100",
		"(tcp port 502 or tcp port 20000) and not host 192.168.1.101", "tcp portrange 500-600", "portrange 100-500", "src portrange 500-600",
		"less 60", "greater 100", "tcp dst port 502 or arp", "not (tcp port 502 or arp)", "not tcp", "not arp",
		"host 10.0.0.1 and host 10.0.0.2", "src net 10.0.0.0/8", "not net 10.0.0.0/8", "net 192.0.0.0/3", "net 0.0.0.0/0", "tcp or udp or arp",
		"udp or tcp and host 192.168.1.100", "tcp and host 10.0.0.1 or udp", "src and dst net 192.168.1.0/24", "src or dst host 192.168.1.101",
		"! tcp && ! udp", "!(tcp || udp)", "src host 192.168.1.100 and tcp src port 502", "arp host 192.168.1.100", "ip host 192.168.1.100",
		"ip6 host fe80::1", "net fe80::/10", "ether host 00:0c:29:00:00:01", "ether src host 00:20:78:00:62:0d", "udp port 53 or 67",
		"tcp and tcp and not not tcp",
	}
	var paths []string
	for _, p := range corpus(t) {
		switch filepath.Base(p) {
		case "modbusBig.pcap", "ModbusTCP.pcap", "exploit_ms08_netapi_modbus_6RTU_with_operate.pcap", "dnp3_udp_read.pcap", "dnp3.pcap":
			paths = append(paths, p)
		}
	}
	if len(paths) < 3 {
		t.Fatalf("only %q of the corpus", paths)
	}
	for _, path := range paths {
		var list []Packet
		var keep [32]Batch
		s := Open([]string{path}, FileOptions{})
		for i := range keep {
			if s.Read(context.Background(), &keep[i]) != nil {
				break
			}
			list = append(list, keep[i].Packets...)
		}
		for _, ex := range expressions {
			vm := filterVM(t, ex, LinkEthernet)
			got := 0
			for _, p := range list {
				if passes(t, vm, p.Data) {
					got++
				}
			}
			out, err := exec.Command("tcpdump", "-nn", "-r", path, "--count", ex).CombinedOutput()
			if err != nil {
				t.Fatalf("tcpdump %s: %s", ex, out)
			}
			want := -1
			for _, l := range strings.Split(string(out), "\n") {
				if strings.HasPrefix(l, "reading") {
					continue
				}
				_, _ = fmt.Sscanf(l, "%d packet", &want)
			}
			if got != want {
				t.Errorf("%s: %q passes %d of %d packets, tcpdump's %d", filepath.Base(path), ex, got, len(list), want)
			}
		}
		for i := range keep {
			keep[i].reset()
		}
		s.Close()
	}
}

func TestFiltersLetThroughWhatTheyCannotSee(t *testing.T) {
	second := fragmentsOf(alice, bob, protoTCP, 7, make([]byte, 48), 24)[1]
	hop := etherBytes(carol, dave, nil, ipBytes(carol, dave, protoHopByHop, 0, append([]byte{protoTCP, 0, 0, 0, 0, 0, 0, 0}, tcpBytes(seg{dport: 502})...)))
	for _, ex := range []string{"port 502", "not port 502", "tcp port 502 and not port 80", "not (port 80 or (tcp portrange 1-1000 and not port 6))"} {
		for name, data := range map[string][]byte{"a fragment": second, "an extension header": hop} {
			if !passes(t, filterVM(t, ex, LinkEthernet), data) {
				t.Errorf("%q stops %s", ex, name)
			}
		}
	}
	if passes(t, filterVM(t, "not host 10.0.0.1", LinkEthernet), second) || passes(t, filterVM(t, "udp port 5", LinkEthernet), second) {
		t.Error("what a fragment does tell is not used")
	}
	for _, ex := range []string{"tcp", "not tcp", "not udp", "icmp6"} {
		if !passes(t, filterVM(t, ex, LinkEthernet), hop) {
			t.Errorf("%q stops an extension header", ex)
		}
	}
}

func TestFiltersLookBehindTags(t *testing.T) {
	ip := ipBytes(alice, bob, protoTCP, 0, tcpBytes(seg{sport: 1, dport: 502}))
	for ex, want := range map[string][4]bool{
		"tcp port 502":             {true, true, true, true},
		"vlan":                     {false, true, true, true},
		"vlan 7":                   {false, true, false, false},
		"not vlan 7":               {true, false, true, true},
		"vlan 8 and host 10.0.0.1": {false, false, true, false},
		"port 503":                 {},
	} {
		vm := filterVM(t, ex, LinkEthernet)
		for i, tags := range [][]uint16{nil, {7}, {7, 8}, {7, 8, 9, 10}} {
			if got := passes(t, vm, etherBytes(alice, bob, tags, ip)); got != want[i] {
				t.Errorf("%q with tags %v: %v", ex, tags, got)
			}
		}
	}
	for ex, want := range map[string]bool{"tcp port 502": true, "ip": true, "ip6": false, "not host 10.0.0.1": false} {
		if got := passes(t, filterVM(t, ex, LinkRaw), ip); got != want {
			t.Errorf("%q on raw IP: %v", ex, got)
		}
	}
}

func TestWhatIsWrongWithAFilterIsSaid(t *testing.T) {
	for ex, want := range map[string]string{
		"tcp prot 502":                   `read filter "tcp prot 502":5: "prot" is not understood here`,
		"tcp port":                       `read filter "tcp port":9: "" is not a port`,
		"port 70000":                     `read filter "port 70000":6: "70000" is not a port`,
		"portrange 9-1":                  `read filter "portrange 9-1":11: "9-1" is not a portrange`,
		"host plc1":                      `read filter "host plc1":6: "plc1" is not an IP address`,
		"net 10.0.0.1/8":                 `read filter "net 10.0.0.1/8":5: "10.0.0.1/8" has bits beyond its length: 10.0.0.0/8 is meant?`,
		"(tcp or udp":                    `read filter "(tcp or udp":12: a ) is missing`,
		"tcp and":                        `read filter "tcp and":8: something is missing at the end`,
		"tcp) or udp":                    `read filter "tcp) or udp":4: ")" is not understood here`,
		"vlan 5000":                      `read filter "vlan 5000":6: a VLAN is 0 to 4095`,
		"arp port 5":                     `read filter "arp port 5":10: arp has no ports`,
		"ip6 host 10.0.0.1":              `read filter "ip6 host 10.0.0.1":10: "10.0.0.1" is of the other IP version`,
		"ether 5":                        `read filter "ether 5":7: ether host MAC is what follows ether`,
		"ether host 1.2.3.4":             `read filter "ether host 1.2.3.4":12: "1.2.3.4" is not a MAC address`,
		"tcp host 10.0.0.1":              `read filter "tcp host 10.0.0.1":10: tcp has no host: "tcp and host 10.0.0.1" is meant?`,
		"less x":                         `read filter "less x":6: "x" is not a length`,
		strings.Repeat("(", 100) + "tcp": `is nested too deeply`,
	} {
		_, err := CompileFilter(ex, LinkEthernet)
		var fe *FilterError
		if !errors.As(err, &fe) || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", ex, err, want)
		}
	}
}

func FuzzFilter(f *testing.F) {
	for _, ex := range []string{"tcp port 502 or udp port 20000", "not (host 10.0.0.1 and net fe80::/10) or vlan 5", "! src or dst portrange 1-2 && less 5"} {
		f.Add(ex, []byte("\x02\x00\x00\x00\x00\x02\x02\x00\x00\x00\x00\x01\x81\x00\x00\x07\x08\x00"))
	}
	f.Fuzz(func(t *testing.T, ex string, data []byte) {
		ins, err := filterProgram(ex, LinkEthernet, false)
		if err != nil {
			return
		}
		vm, err := bpf.NewVM(ins)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := vm.Run(data); err != nil {
			t.Fatal(err)
		}
		if _, err := compileFilter(ex, LinkRaw, true); err != nil {
			t.Fatal(err)
		}
	})
}
