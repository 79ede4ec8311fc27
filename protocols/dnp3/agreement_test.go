package dnp3

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/weir-ics/weir/protocols"
)

// differencesFile lists where the independent decoder and this one differ, with
// the clause that decides.
const differencesFile = "testdata/tshark-differences.txt"

// comparedFields are the fields of tshark that the test compares, as far as the
// corpus has them.
var comparedFields = []string{
	"dnp3.src", "dnp3.dst", "dnp3.ctl", "dnp3.tr.ctl",
	"dnp3.al.ctl", "dnp3.al.func", "dnp3.al.iin",
	"dnp3.al.obj", "dnp3.al.objq.prefix", "dnp3.al.objq.range",
	"dnp3.al.range.start", "dnp3.al.range.stop", "dnp3.al.range.quantity",
	"dnp3.al.index", "dnp3.al.point_index", "dnp3.al.size",
	"dnp3.al.bit", "dnp3.al.2bit", "dnp3.al.cnt",
	"dnp3.al.ana.int", "dnp3.al.ana.float", "dnp3.al.ana.double",
	"dnp3.al.anaout.int", "dnp3.al.anaout.float", "dnp3.al.anaout.double",
	"dnp3.al.biq", "dnp3.al.boq", "dnp3.al.ctrq", "dnp3.al.aiq", "dnp3.al.aoq",
	"dnp3.al.timestamp", "dnp3.al.reltimestamp", "dnp3.al.time_delay",
	"dnp3.ctl.op", "dnp3.ctl.clr", "dnp3.ctl.trip", "dnp3.al.count", "dnp3.al.on_time", "dnp3.al.off_time", "dnp3.al.ctrlstatus",
	"dnp3.al.file.mode", "dnp3.al.file.auth", "dnp3.al.file.size", "dnp3.al.file.maxblock", "dnp3.al.file.reqID",
	"dnp3.al.file.status", "dnp3.al.file.handle", "dnp3.al.file.blocknum", "dnp3.al.file.lastblock", "dnp3.al.file.data",
	"dnp3.al.file_name", "dnp3.al.file.perms",
}

// flagFields are flag octets that tshark shows bit by bit.
var flagFields = map[string]bool{"dnp3.al.biq": true, "dnp3.al.boq": true, "dnp3.al.ctrq": true, "dnp3.al.aiq": true, "dnp3.al.aoq": true}

// fieldValues are the values of each field in one packet, in order.
type fieldValues map[string][]string

func (v fieldValues) add(field string, value any) {
	v[field] = append(v[field], fmt.Sprint(value))
}

// tsharkFields reads a capture with tshark: by packet, the values of each
// compared field.
func tsharkFields(t *testing.T, path string) map[int]fieldValues {
	args := []string{"-r", path, "-d", "tcp.port==20001,dnp3", "-Y", "dnp3", "-T", "fields", "-E", "separator=|", "-E", "aggregator=;", "-e", "frame.number"}
	var names []string
	for _, f := range comparedFields {
		if flagFields[f] {
			for bit := range 8 {
				names = append(names, fmt.Sprintf("%s.b%d", f, bit))
			}
			continue
		}
		names = append(names, f)
	}
	for _, n := range names {
		args = append(args, "-e", n)
	}
	cmd := exec.Command("tshark", args...)
	cmd.Env = append(os.Environ(), "TZ=UTC")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("tshark %s: %v", path, err)
	}
	frames := make(map[int]fieldValues)
	for _, line := range strings.Split(strings.TrimRight(string(out), "\n"), "\n") {
		columns := strings.Split(line, "|")
		if len(columns) != len(names)+1 {
			continue
		}
		frame, _ := strconv.Atoi(columns[0])
		v := make(fieldValues)
		frames[frame] = v
		octets := make(map[string][]int)
		for i, n := range names {
			if columns[i+1] == "" {
				continue
			}
			values := strings.Split(columns[i+1], ";")
			family, bit := n, 0
			if at := strings.LastIndex(n, ".b"); at > 0 && flagFields[n[:at]] {
				family, bit = n[:at], int(n[at+2]-'0')
				if octets[family] == nil {
					octets[family] = make([]int, len(values))
				}
				for j, x := range values {
					if x == "1" && j < len(octets[family]) {
						octets[family][j] |= 1 << bit
					}
				}
				continue
			}
			for _, x := range values {
				v.add(n, normal(n, x))
			}
		}
		for family, list := range octets {
			for _, o := range list {
				v.add(family, o)
			}
		}
	}
	return frames
}

// normal brings tshark's way of writing a value to ours.
func normal(field, x string) string {
	switch field {
	case "dnp3.al.iin":
		// tshark shows the first octet of the two in the high byte.
		v, _ := strconv.ParseUint(x, 0, 16)
		return fmt.Sprint(v>>8 | v&0xFF<<8)
	case "dnp3.ctl", "dnp3.tr.ctl", "dnp3.al.ctl", "dnp3.al.obj", "dnp3.al.file.auth", "dnp3.al.file.size", "dnp3.al.file.handle", "dnp3.al.file.blocknum":
		v, _ := strconv.ParseUint(x, 0, 32)
		return fmt.Sprint(v)
	case "dnp3.al.ana.float", "dnp3.al.anaout.float", "dnp3.al.ana.double", "dnp3.al.anaout.double":
		v, _ := strconv.ParseFloat(x, 64)
		return strconv.FormatFloat(v, 'g', 6, 32)
	case "dnp3.al.reltimestamp":
		// seconds with nine decimals
		v, _ := strconv.ParseFloat(x, 64)
		return fmt.Sprint(math.Round(v * 1000))
	case "dnp3.al.file.perms":
		v, _ := strconv.ParseUint(x, 8, 16)
		return fmt.Sprint(v)
	case "dnp3.al.timestamp":
		if at, err := time.Parse("Jan _2, 2006 15:04:05.000000000 UTC", x); err == nil {
			return at.Format("2006-01-02T15:04:05.000Z")
		}
	}
	return x
}

// ourFields reads a capture with the decoder under test and writes each message
// in tshark's fields, from the JSON that weir decode writes.
func ourFields(t *testing.T, path string) map[int]fieldValues {
	frames := make(map[int]fieldValues)
	decodeCapture(t, path, nil, func(ev *protocols.Event) {
		if ev.Role == protocols.RoleNotice {
			return
		}
		v := frames[int(ev.Frame)]
		if v == nil {
			v = make(fieldValues)
			frames[int(ev.Frame)] = v
		}
		describe(t, ev, v)
	})
	return frames
}

// describe writes one event in tshark's fields.
func describe(t *testing.T, ev *protocols.Event, v fieldValues) {
	var m struct {
		Link struct {
			Function                uint8
			Dir, Prm, FCB, FCV, DFC bool
		}
		TransportSeq *uint8 `json:"transport_seq"`
		App          *struct {
			FIR, FIN, CON, UNS bool
			Seq                uint8
		}
		IIN     *[]string
		Objects []struct {
			Group, Variation, Qualifier int
			Start, Stop, Count          *int
			Points                      []map[string]any
		}
	}
	text := append([]byte(`{"x":0`), ev.Detail.AppendFields(nil)...)
	text = append(text, '}')
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	if err := decoder.Decode(&m); err != nil {
		t.Fatalf("frame %d: %v in %s", ev.Frame, err, text)
	}
	v.add("dnp3.src", ev.Source)
	v.add("dnp3.dst", ev.Destination)
	h := LinkHeader{Dir: m.Link.Dir, Prm: m.Link.Prm, FCB: m.Link.FCB, FCV: m.Link.FCV, DFC: m.Link.DFC, Function: m.Link.Function}
	v.add("dnp3.ctl", h.control())
	if m.App == nil {
		return
	}
	c := AppControl{FIR: m.App.FIR, FIN: m.App.FIN, CON: m.App.CON, UNS: m.App.UNS, Seq: m.App.Seq}
	v.add("dnp3.al.ctl", c.octet())
	v.add("dnp3.al.func", ev.Function)
	if m.IIN != nil {
		iin := 0
		for _, name := range *m.IIN {
			for bit, n := range iinNames {
				if n == name {
					iin |= 1 << bit
				}
			}
		}
		v.add("dnp3.al.iin", iin)
	}
	for _, o := range m.Objects {
		v.add("dnp3.al.obj", o.Group<<8|o.Variation)
		v.add("dnp3.al.objq.prefix", o.Qualifier>>4&7)
		v.add("dnp3.al.objq.range", o.Qualifier&15)
		switch {
		case o.Start != nil:
			v.add("dnp3.al.range.start", *o.Start)
			v.add("dnp3.al.range.stop", *o.Stop)
		case o.Count != nil:
			v.add("dnp3.al.range.quantity", *o.Count)
		}
		for _, p := range o.Points {
			describePoint(v, o.Group, o.Variation, o.Qualifier, p)
		}
	}
}

// describePoint writes one object in tshark's fields.
func describePoint(v fieldValues, group, variation, qualifier int, p map[string]any) {
	switch prefix := prefixCodes[qualifier>>4&7]; {
	case prefix.index:
		v.add("dnp3.al.index", p["index"])
	case prefix.size > 0:
		v.add("dnp3.al.size", p["size"])
	default:
		v.add("dnp3.al.point_index", p["index"])
	}
	flags := 0
	if list, ok := p["flags"].([]any); ok {
		names := flagNamesOf(group, variation)
		for _, name := range list {
			for bit, n := range names {
				if n == name {
					flags |= 1 << bit
				}
			}
		}
		value := 0
		if x, ok := p["value"].(json.Number); ok {
			n, _ := x.Int64()
			value = int(n)
		}
		switch group {
		case 1, 2:
			v.add("dnp3.al.biq", flags|value<<7)
		case 3, 4:
			v.add("dnp3.al.biq", flags|value<<6)
		case 10, 11:
			v.add("dnp3.al.boq", flags|value<<7)
		case 20, 21, 22, 23:
			v.add("dnp3.al.ctrq", flags)
		case 30, 31, 32, 33:
			v.add("dnp3.al.aiq", flags)
		case 40, 42:
			v.add("dnp3.al.aoq", flags)
		}
	}
	if x, ok := p["value"]; ok {
		number := fmt.Sprint(x)
		switch group {
		case 1, 10, 80:
			if p["flags"] == nil {
				v.add("dnp3.al.bit", number)
			}
		case 3:
			if p["flags"] == nil {
				v.add("dnp3.al.2bit", number)
			}
		case 20, 21, 22, 23:
			v.add("dnp3.al.cnt", number)
		case 30, 31, 32, 33, 34:
			addNumber(v, "dnp3.al.ana.", group, variation, number)
		case 40, 41, 42, 43:
			addNumber(v, "dnp3.al.anaout.", group, variation, number)
		}
	}
	if code, ok := p["code"].(json.Number); ok {
		c, _ := code.Int64()
		v.add("dnp3.ctl.op", c&15)
		v.add("dnp3.ctl.clr", c>>4&3)
		v.add("dnp3.ctl.trip", c>>6)
		v.add("dnp3.al.count", p["count"])
		v.add("dnp3.al.on_time", p["on_time"])
		v.add("dnp3.al.off_time", p["off_time"])
	}
	if x, ok := p["status"]; ok && (group == 12 || group == 13 || group == 41 || group == 43) {
		v.add("dnp3.al.ctrlstatus", x)
	}
	if x, ok := p["delay_ms"]; ok && group == 52 {
		v.add("dnp3.al.time_delay", x)
	}
	if x, ok := p["relative_ms"].(json.Number); ok {
		ms, _ := x.Int64()
		v.add("dnp3.al.reltimestamp", ms)
	} else if x, ok := p["time"].(string); ok {
		v.add("dnp3.al.timestamp", x)
	}
	if group == 70 {
		for ours, theirs := range map[string]string{
			"mode": "dnp3.al.file.mode", "authentication_key": "dnp3.al.file.auth", "file_size": "dnp3.al.file.size",
			"max_block_size": "dnp3.al.file.maxblock", "request_id": "dnp3.al.file.reqID", "status": "dnp3.al.file.status",
			"file_handle": "dnp3.al.file.handle", "block": "dnp3.al.file.blocknum", "data": "dnp3.al.file.data",
			"file_name": "dnp3.al.file_name", "permissions": "dnp3.al.file.perms",
		} {
			if x, ok := p[ours]; ok && x != "" {
				v.add(theirs, x)
			}
		}
		if x, ok := p["last"].(bool); ok {
			v.add("dnp3.al.file.lastblock", bit(x))
		}
		if x, ok := p["created"].(string); ok {
			v.add("dnp3.al.timestamp", x)
		}
	}
}

// flagNamesOf returns the flag names of a variation's layout.
func flagNamesOf(groupNumber, number int) flagNames {
	_, v := lookup(uint8(groupNumber), uint8(number))
	for i := range v.layout {
		if v.layout[i].flags != nil {
			return *v.layout[i].flags
		}
	}
	return flagNames{}
}

// addNumber writes an analog value under the field of its encoding.
func addNumber(v fieldValues, prefix string, groupNumber, number int, x string) {
	_, l := lookup(uint8(groupNumber), uint8(number))
	switch l.valueEnc {
	case encF32:
		v.add(prefix+"float", normal("dnp3.al.ana.float", x))
	case encF64:
		v.add(prefix+"double", normal("dnp3.al.ana.double", x))
	default:
		v.add(prefix+"int", x)
	}
}

// TestEveryFieldAgreesWithTshark compares every message of the corpus with an
// independent decoder, field by field. What differs must stand in the
// differences file, and what stands there must differ. With the function codes
// it compares how many messages of each there are.
func TestEveryFieldAgreesWithTshark(t *testing.T) {
	if testing.Short() {
		t.Skip("running tshark over the corpus takes a minute")
	}
	files := corpusFiles(t)
	if _, err := exec.LookPath("tshark"); err != nil {
		t.Skip("tshark is not installed")
	}
	known := readDifferences(t)
	root := filepath.Join(sharedFolder(t), "corpus")
	messages, values := 0, 0
	for _, path := range files {
		name, _ := filepath.Rel(root, path)
		ours, theirs := ourFields(t, path), tsharkFields(t, path)
		frames := make(map[int]bool)
		for f := range ours {
			frames[f] = true
		}
		for f := range theirs {
			frames[f] = true
		}
		for _, frame := range sortedFrames(frames) {
			if ours[frame] == nil && beginsFragment(theirs[frame]) {
				continue // the message is told with the packet that ends it
			}
			messages += len(ours[frame]["dnp3.al.func"])
			for _, field := range comparedFields {
				if field == "dnp3.tr.ctl" {
					continue
				}
				got, want := strings.Join(ours[frame][field], ";"), strings.Join(theirs[frame][field], ";")
				values += len(ours[frame][field])
				if got == want {
					continue
				}
				key := fmt.Sprintf("%s %d %s", name, frame, field)
				if _, ok := known[key]; ok {
					delete(known, key)
					continue
				}
				t.Errorf("%s\n  weir   %s\n  tshark %s", key, got, want)
			}
		}
	}
	for key := range known {
		t.Errorf("%s: %s lists it, but there is no difference", key, differencesFile)
	}
	t.Logf("%d messages, %d values compared", messages, values)
}

// beginsFragment tells a packet that holds one segment, not the final one.
func beginsFragment(v fieldValues) bool {
	if len(v["dnp3.tr.ctl"]) != 1 || len(v["dnp3.al.func"]) > 0 {
		return false
	}
	octet, err := strconv.Atoi(v["dnp3.tr.ctl"][0])
	return err == nil && octet&transportFIN == 0
}

func sortedFrames(set map[int]bool) []int {
	var list []int
	for f := range set {
		list = append(list, f)
	}
	sort.Ints(list)
	return list
}

// readDifferences reads the differences file: lines of file, frame, field and
// the reason.
func readDifferences(t *testing.T) map[string]string {
	known := make(map[string]string)
	f, err := os.Open(differencesFile)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	s := bufio.NewScanner(f)
	for s.Scan() {
		line := strings.TrimSpace(s.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		parts := strings.SplitN(line, " ", 4)
		if len(parts) != 4 || !strings.Contains(parts[3], ".") {
			t.Fatalf("%s: %q has no reason with a clause", differencesFile, line)
		}
		known[strings.Join(parts[:3], " ")] = parts[3]
	}
	return known
}
