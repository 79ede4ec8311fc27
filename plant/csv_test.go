package plant

import (
	"bytes"
	"io"
	"maps"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/weir-ics/weir/detect/tags"
	"github.com/weir-ics/weir/protocols"
)

const small = `datetime;Level;Pump1;Pump2;Flow;anomaly
2020-03-09 10:14:33;1,25;1;0;-3,5;0.0
2020-03-09 10:14:34;1,26;0;0;17;1.0
2020-03-09 10:14:36;1,27;1;0;;1.0
2020-03-09 10:14:37;1e3;1;0;4;0.0
`

func convert(t *testing.T, table string, opt CSVOptions) (path string, res *CSVResult) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "table.pcap")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	res, err = ConvertCSV(strings.NewReader(table), f, opt)
	if err != nil {
		t.Fatal(err)
	}
	return path, res
}

func TestATableBecomesPollsThatHoldItsValues(t *testing.T) {
	var rows bytes.Buffer
	path, res := convert(t, small, CSVOptions{RowLabels: &rows})
	if res.Rows != 4 || res.Missing != 1 || res.Late != 0 || res.TimeFormat != "2006-01-02 15:04:05" {
		t.Errorf("result %+v", res)
	}
	if got := [...]string{res.Tags[0].Type, res.Tags[1].Type, res.Tags[2].Type, res.Tags[3].Type}; got != [...]string{"float32", "bool", "bool", "float32"} {
		t.Errorf("types %v", got)
	}
	if len(res.Labels) != 1 || !res.Labels[0].Start.Equal(time.Date(2020, 3, 9, 10, 14, 34, 0, time.UTC)) || res.Labels[0].Kind != "anomaly" {
		t.Errorf("labels %+v", res.Labels)
	}
	if lines := tshark(t, path, "-Y", "_ws.malformed || tcp.analysis.flags || modbus.exception_code"); lines != nil {
		t.Errorf("wrong packets:\n%s", show(lines))
	}
	// Registers 0, 1 are Level and 6, 7 are Flow.
	lines := tshark(t, path, "-Y", "modbus.func_code == 4 && modbus.regval_uint16", "-T", "fields", "-e", "modbus.regval_uint16", "-e", "frame.number")
	want := [][2]float32{{1.25, -3.5}, {1.26, 17}, {1.27, 17}, {1000, 4}}
	if len(lines) != len(want) {
		t.Fatalf("%d answers: %v", len(lines), lines)
	}
	for i, l := range lines {
		words := strings.Split(strings.Split(l, "\t")[0], ",")
		for k, at := range [2]int{0, 6} {
			high, _ := strconv.Atoi(words[at])
			low, _ := strconv.Atoi(words[at+1])
			if v := math.Float32frombits(uint32(high)<<16 | uint32(low)); v != want[i][k] {
				t.Errorf("row %d: %v, expected %v", i+1, v, want[i][k])
			}
		}
	}
	if lines := strings.Split(strings.TrimSpace(rows.String()), "\n"); len(lines) != 5 || lines[0] != "row;time;first;last;anomaly" || !strings.HasSuffix(lines[2], ";1.0") {
		t.Errorf("row labels:\n%s", rows.String())
	}
}

func TestColumnsAreMappedAsTold(t *testing.T) {
	path, res := convert(t, small, CSVOptions{Columns: []CSVColumn{
		{Name: "level", Table: protocols.KindHoldingRegister, Type: "int16", Scale: 0.01},
		{Name: "Flow", Type: "int32", Order: "CDAB", Scale: 0.5, Offset: -100},
		{Name: "Pump1", Table: protocols.KindCoil},
	}, Ignore: []string{"Pump2"}})
	if len(res.Tags) != 3 {
		t.Fatalf("%d tags", len(res.Tags))
	}
	got := make(map[string]string)
	read(t, path, func(e *protocols.Event) {
		for _, p := range e.Points {
			if e.Role == protocols.RoleResponse {
				got[p.Kind.String()] += " " + strconv.FormatFloat(p.Value, 'g', -1, 64)
			}
		}
	})
	// Row by row; 1000 m does not fit and stays at the end of the scale.
	for kind, want := range map[string]string{
		"holding-register": " 125 126 127 32767",
		"coil":             " 1 0 1 1",
		// -3.5 is 193 halves above -100, 17 is 234, 4 is 208; low word first.
		"input-register": " 193 0 234 0 234 0 208 0",
	} {
		if got[kind] != want {
			t.Errorf("%s: %q, expected %q", kind, got[kind], want)
		}
	}
}

func TestAnEarlierMappingIsKept(t *testing.T) {
	_, first := convert(t, small, CSVOptions{Devices: 2})
	// The same plant, with a pump that never ran and columns in another order.
	_, second := convert(t, "datetime;Flow;Pump2;Pump1;Level\n2020-03-10 00:00:00;1;0;0;1\n2020-03-10 00:00:01;1;0;0;1\n", CSVOptions{Devices: 2, Tags: first.Tags})
	where := func(list []Tag) map[string]string {
		m := make(map[string]string)
		for _, tag := range list {
			m[tag.Name] = tag.Device.String() + " " + tag.Table.String() + " " + strconv.Itoa(int(tag.Address)) + " " + tag.Type
		}
		return m
	}
	if a, b := where(first.Tags), where(second.Tags); !maps.Equal(a, b) {
		t.Errorf("first %v, second %v", a, b)
	}
}

func TestATableBecomesDNP3(t *testing.T) {
	path, res := convert(t, small, CSVOptions{Protocol: "dnp3"})
	if res.Tags[0].Table != protocols.KindAnalogInput || res.Tags[1].Table != protocols.KindBinaryInput {
		t.Errorf("tags %+v", res.Tags)
	}
	if lines := tshark(t, path, "-Y", "_ws.malformed || tcp.analysis.flags || _ws.expert.severity == error"); lines != nil {
		t.Errorf("wrong packets:\n%s", show(lines))
	}
	lines := tshark(t, path, "-Y", "dnp3.al.func == 129", "-T", "fields", "-e", "dnp3.al.anaout.float", "-e", "dnp3.al.ana.float")
	if len(lines) != 4 || !strings.Contains(lines[3], "1000") {
		t.Errorf("answers %q", lines)
	}
}

func TestManyColumnsTakeSeveralFragmentsAndReads(t *testing.T) {
	var table strings.Builder
	table.WriteString("time")
	for i := range 1200 {
		table.WriteString(",v" + strconv.Itoa(i))
	}
	for r := range 3 {
		table.WriteString("\n" + strconv.Itoa(1600000000+r*10))
		for i := range 1200 {
			table.WriteString("," + strconv.FormatFloat(float64(i)+float64(r)/10, 'f', 1, 64))
		}
	}
	path, _ := convert(t, table.String(), CSVOptions{Protocol: "dnp3", Devices: 2})
	if lines := tshark(t, path, "-Y", "_ws.malformed || tcp.analysis.flags || _ws.expert.severity == error"); lines != nil {
		t.Errorf("wrong packets:\n%s", show(lines))
	}
	if n := len(tshark(t, path, "-Y", "dnp3.al.func == 129 && dnp3.al.fin == 0")); n < 3 {
		t.Errorf("%d unfinished fragments", n)
	}
	path, _ = convert(t, table.String(), CSVOptions{})
	if lines := tshark(t, path, "-Y", "_ws.malformed || tcp.analysis.flags || modbus.exception_code"); lines != nil {
		t.Errorf("wrong packets:\n%s", show(lines))
	}
}

func TestTimesAreReadInManyWays(t *testing.T) {
	for _, c := range []struct {
		cells []string
		want  string
	}{
		{[]string{"06/01/14 22", "06/01/14 23", "07/01/14 00"}, "2014-01-06T22:00:00Z"},
		{[]string{"9/25/2017 6:00:00 PM", "9/25/2017 6:00:01 PM"}, "2017-09-25T18:00:00Z"},
		{[]string{"28/12/2015 10:00:00 AM", "28/12/2015 10:00:01 AM"}, "2015-12-28T10:00:00Z"},
		{[]string{"01.02.2021 03:04", "01.02.2021 03:05"}, "2021-02-01T03:04:00Z"},
		{[]string{"2020-03-09 10:14:33.250", "2020-03-09 10:14:34"}, "2020-03-09T10:14:33.25Z"},
		{[]string{"1583748873.5", "1583748874.5"}, "2020-03-09T10:14:33.5Z"},
		{[]string{"1583748873000", "1583748874000"}, "2020-03-09T10:14:33Z"},
		// Day and month can only be told apart by how time goes on.
		{[]string{"10/06/14 00", "11/06/14 00", "12/06/14 00"}, "2014-06-10T00:00:00Z"},
	} {
		r := newTimeReader("", nil)
		for _, s := range c.cells {
			r.see(s)
		}
		if err := r.settle(); err != nil {
			t.Errorf("%q: %v", c.cells[0], err)
			continue
		}
		got, _ := r.read(c.cells[0])
		if s := time.Unix(0, got).UTC().Format(time.RFC3339Nano); s != c.want {
			t.Errorf("%q reads as %s by %q, expected %s", c.cells[0], s, r.format(), c.want)
		}
	}
}

func TestATableThatCannotBeReadSaysWhy(t *testing.T) {
	for table, want := range map[string]string{
		"":                               "no rows",
		"time,a\n":                       "no rows",
		"a,b\n1,2\n":                     "no column reads as a time",
		"time,a\n2020-01-01,x\n":         "no column holds numbers",
		"time,a\n2020-01-01,1\nsoon,2\n": "line 3: time \"soon\"",
	} {
		_, err := ConvertCSV(strings.NewReader(table), &bytes.Buffer{}, CSVOptions{})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q gives %v, expected %q", table, err, want)
		}
	}
}

func TestTheTagListIsOneThatWeirReads(t *testing.T) {
	_, res := convert(t, small, CSVOptions{})
	for name, list := range map[string][]Tag{"table": res.Tags, "site": Tags()} {
		var b bytes.Buffer
		if err := WriteTags(&b, list); err != nil {
			t.Fatal(err)
		}
		l, err := tags.Load(bytes.NewReader(b.Bytes()), name)
		if err != nil {
			t.Errorf("%v\n%s", err, b.String())
			continue
		}
		if len(l.Tags()) != len(list) {
			t.Errorf("%s: %d tags of %d", name, len(l.Tags()), len(list))
		}
	}
}

// shared is where public data sets lie; tests that use them skip without.
func shared(t *testing.T, path string) string {
	t.Helper()
	root := os.Getenv("WEIR_SHARED")
	if root == "" {
		root = "../../shared"
	}
	p := filepath.Join(root, path)
	if _, err := os.Stat(p); err != nil {
		t.Skipf("skipped: %s is not there", p)
	}
	return p
}

func TestBothBATADALTablesMapAlike(t *testing.T) {
	var mapped [2][]Tag
	for i, name := range []string{"dataset03.csv", "dataset04.csv"} {
		f, err := os.Open(shared(t, "datasets/batadal/"+name))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		var b bytes.Buffer
		res, err := ConvertCSV(f, &b, CSVOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if len(res.Tags) != 43 || res.Interval != time.Hour || res.Missing != 0 || res.Late != 0 {
			t.Errorf("%s: %d tags, interval %v, %d missing, %d late", name, len(res.Tags), res.Interval, res.Missing, res.Late)
		}
		t.Logf("%s: %d rows, %d packets, %d bytes, %d labels, times by %q", name, res.Rows, res.Packets, b.Len(), len(res.Labels), res.TimeFormat)
		mapped[i] = res.Tags
	}
	for i, tag := range mapped[0] {
		if got := mapped[1][i]; got.Name != tag.Name || got.Type != tag.Type || got.Address != tag.Address || got.Device != tag.Device {
			t.Errorf("%s is %s %d in one, %s is %s %d in the other", tag.Name, tag.Type, tag.Address, got.Name, got.Type, got.Address)
		}
		if bit := strings.HasPrefix(tag.Name, "S_"); bit != (tag.Type == "bool") {
			t.Errorf("%s is %s", tag.Name, tag.Type)
		}
	}
}

func TestSKABIsTakenAtItsPace(t *testing.T) {
	f, err := os.Open(shared(t, "datasets/skab/valve1/0.csv"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var b bytes.Buffer
	res, err := ConvertCSV(f, &b, CSVOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if len(res.Tags) != 8 || res.Missing != 0 || res.Late != 0 || res.Rows < 1000 || len(res.Labels) < 2 {
		t.Errorf("%d tags, %d missing, %d late, %d rows, %d labels", len(res.Tags), res.Missing, res.Late, res.Rows, len(res.Labels))
	}
	for _, tag := range res.Tags {
		if tag.Type != "float32" {
			t.Errorf("%s is %s", tag.Name, tag.Type)
		}
	}
}

func FuzzConvertCSV(f *testing.F) {
	f.Add(small, false)
	f.Add("06/01/14 00,1,2\n06/01/14 01,3,4\n", true)
	f.Add("Time\tA\tB\n1600000000\t1\tx\n1600000000\t\t\n", false)
	f.Fuzz(func(t *testing.T, table string, rtu bool) {
		opt := CSVOptions{Protocol: "modbus"}
		if rtu {
			opt.Protocol = "dnp3"
		}
		var b bytes.Buffer
		res, err := ConvertCSV(strings.NewReader(table), &b, opt)
		if err == nil && (res.Rows == 0 || res.Packets == 0) {
			t.Errorf("%d rows gave %d packets", res.Rows, res.Packets)
		}
	})
}

func TestAMappingPutsColumnsWhereItSays(t *testing.T) {
	columns, err := ReadCSVColumns(strings.NewReader("name,table,type,order,scale,engineering_unit\nlevel,holding-register,int16,,0.01,m\nflow,,float32,CDAB,,\n"))
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	res, err := ConvertCSV(strings.NewReader("time,level,flow\n2026-01-01 00:00:00,1.25,7\n2026-01-01 00:00:01,-1.5,8.5\n"), &out, CSVOptions{Columns: columns})
	if err != nil {
		t.Fatal(err)
	}
	level, flow := res.Tags[0], res.Tags[1]
	if level.Table != protocols.KindHoldingRegister || level.Type != "int16" || level.Scale != 0.01 || flow.Table != protocols.KindInputRegister || flow.Order != "CDAB" {
		t.Errorf("tags %+v", res.Tags)
	}
	for text, want := range map[string]string{
		"":                                "empty",
		"a,b\n":                           "no column called name",
		"name,table\nx,relay\n":           `line 2: column "x": table "relay"`,
		"name,type\nx,float64\n":          `type "float64"`,
		"name,table,type\nx,coil,int16\n": "holds bits only",
		"name,order\nx,DCBA\n":            `order "DCBA"`,
		"name,scale\nx,1/10\n":            `scale "1/10" is not a number`,
	} {
		if _, err := ReadCSVColumns(strings.NewReader(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

func TestScaledIntegersHoldTheDigitsThatFit(t *testing.T) {
	for _, c := range []struct {
		cells []string
		kind  string
		scale float64
	}{
		{[]string{"1.25", "7"}, "uint16", 0.01},
		{[]string{"-1,5", "2"}, "int16", 0.1},
		{[]string{"3.123456", "4"}, "uint16", 0.0001},
		{[]string{"250000", "1"}, "uint16", 10},
		{[]string{"0", "0"}, "uint16", 1},
	} {
		var r csvRange
		table := &csvTable{decimalComma: true}
		for _, cell := range c.cells {
			v, _ := table.number(cell)
			r.add(cell, v)
		}
		if kind, scale := r.scaled(); kind != c.kind || scale != c.scale {
			t.Errorf("%v: %s of %g, want %s of %g", c.cells, kind, scale, c.kind, c.scale)
		}
	}
}

func FuzzReadCSVColumns(f *testing.F) {
	f.Add("name,table,type,order,scale,offset\nlevel,holding-register,int16,ABCD,0.01,-3\n")
	f.Add("name\n\"a\nb\"\n")
	f.Fuzz(func(t *testing.T, text string) {
		columns, err := ReadCSVColumns(strings.NewReader(text))
		if err != nil {
			return
		}
		if _, err := ConvertCSV(strings.NewReader("time,level\n2026-01-01 00:00:00,1.25\n"), io.Discard, CSVOptions{Columns: columns}); err != nil && !strings.Contains(err.Error(), "there is no column") {
			t.Fatal(err)
		}
	})
}
