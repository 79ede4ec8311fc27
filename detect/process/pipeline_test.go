package process_test

import (
	"bytes"
	"encoding/csv"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/weir-ics/weir/detect"
	"github.com/weir-ics/weir/detect/process"
	"github.com/weir-ics/weir/detect/score"
	"github.com/weir-ics/weir/detect/tags"
	"github.com/weir-ics/weir/detect/tags/tagstest"
	"github.com/weir-ics/weir/plant"
	"github.com/weir-ics/weir/protocols"
)

// sensor is what stands between the packets and the process alarms: the
// extractor, which infers the types of registers, and the engine.
type sensor struct {
	extractor *tags.Extractor
	engine    *process.Engine
	watchAt   int64
	// plain makes every value be given to the engine.
	plain       bool
	readings    tags.Readings
	values      []detect.Value
	raised      map[string]int64
	intervals   []score.Interval
	kinds       map[string]int
	log         []detect.Finding
	last        int64
	given, list *tags.List
	learnFor    int64
}

func newSensor(list *tags.List, watchAt int64) *sensor {
	return &sensor{extractor: tags.NewExtractor(list, tags.Settings{Learn: true}), engine: process.NewEngine(process.Settings{}),
		given: list, watchAt: watchAt, raised: make(map[string]int64), kinds: make(map[string]int)}
}

func (s *sensor) observe(e *protocols.Event) {
	if s.learnFor != 0 {
		s.watchAt, s.learnFor = e.Clock+s.learnFor, 0
	}
	if s.watchAt != 0 && e.Clock >= s.watchAt {
		s.watch(s.watchAt)
	}
	s.read(e)
	s.last = max(s.last, e.Clock)
	for _, f := range s.engine.Findings(nil) {
		f.Spell()
		s.log = append(s.log, f)
		id := f.Kind.Name + " " + f.Key
		start, up := s.raised[id]
		switch {
		case f.Clear && up:
			delete(s.raised, id)
			s.intervals = append(s.intervals, score.Interval{Start: start, End: f.Time - 1})
		case !f.Clear && !up:
			s.raised[id] = f.Time
			s.kinds[f.Kind.Name]++
		}
	}
}

// read gives the values of e to the engine.
func (s *sensor) read(e *protocols.Event) {
	s.readings.Reset()
	s.readings.Each = s.plain
	s.extractor.Read(e, &s.readings)
	values := s.readings.Values
	if !s.plain {
		for i := range s.readings.Readings {
			r := &s.readings.Readings[i]
			s.engine.LookAhead(values)
			s.engine.Read(r, values[:r.Values])
			values = values[r.Values:]
		}
		return
	}
	s.values = s.values[:0]
	for _, x := range s.readings.Samples {
		s.values = append(s.values, detect.Value{Series: x.Series, Value: x.Value, Access: x.Access, Flags: x.Flags, HasFlags: x.HasFlags})
	}
	if len(s.values) > 0 {
		s.engine.Read(&detect.Reading{Time: e.Time, Clock: e.Clock, Frame: e.Frame, Client: e.Client().IP, Values: len(s.values)}, s.values)
	}
}

// watch ends learning: the types found are adopted, and the models fitted.
func (s *sensor) watch(at int64) {
	var retyped []tags.Retyped
	s.list, retyped = tags.Settle(s.given, s.extractor)
	for _, r := range retyped {
		s.engine.Retype(r.Raw, r.Typed, r.Decode)
	}
	s.engine.Watch(at)
	s.engine.Advance(at)
	s.watchAt = 0
}

func (s *sensor) replay(t *testing.T, path string) {
	t.Helper()
	if err := tagstest.Events([]string{path}, s.observe); err != nil {
		t.Fatal(err)
	}
}

// alarms are the intervals in which an alarm was up.
func (s *sensor) alarms() []score.Interval {
	out := s.intervals
	for _, start := range s.raised {
		out = append(out, score.Interval{Start: start, End: s.last})
	}
	return out
}

func datasets(t *testing.T) string {
	t.Helper()
	shared := os.Getenv("WEIR_SHARED")
	if shared == "" {
		shared = "../../../shared"
	}
	dir := filepath.Join(shared, "datasets")
	if _, err := os.Stat(dir); err != nil {
		t.Skipf("no data sets in %s (set WEIR_SHARED)", dir)
	}
	return dir
}

// capture turns a table into traffic.
func convert(t *testing.T, csv string, opt plant.CSVOptions) (string, *plant.CSVResult) {
	t.Helper()
	in, err := os.Open(csv)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	path := filepath.Join(t.TempDir(), "traffic.pcap")
	out, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	result, err := plant.ConvertCSV(in, out, opt)
	if err != nil {
		t.Fatal(err)
	}
	return path, result
}

// rows are what the conversion wrote of each row: its time and its labels.
type rows struct {
	times  []int64
	labels [][]string
}

func readRows(t *testing.T, text string) rows {
	t.Helper()
	var out rows
	for i, line := range strings.Split(strings.TrimSpace(text), "\n") {
		f := strings.Split(line, ";")
		if i == 0 && f[0] == "row" {
			continue
		}
		at, err := time.Parse(time.RFC3339Nano, f[1])
		if err != nil {
			t.Fatalf("row label %q: %v", line, err)
		}
		out.times = append(out.times, at.UnixNano())
		out.labels = append(out.labels, f[4:])
	}
	return out
}

// flags tells for each row whether an alarm was up half way to the next, when
// the row has been polled.
func (r rows) flags(alarms []score.Interval, interval time.Duration) []bool {
	ends := make([]int64, len(r.times))
	for i, at := range r.times {
		ends[i] = at + int64(interval)/2
	}
	return score.Flags(ends, alarms)
}

// TestBATADALThroughThePipeline is the yardstick as it is measured: the tables as
// traffic, types inferred, learned on the year before and saved, judged after
// loading.
func TestBATADALThroughThePipeline(t *testing.T) {
	dir := filepath.Join(datasets(t), "batadal")
	layout := "02/01/06 15"
	learnPath, first := convert(t, filepath.Join(dir, "dataset03.csv"), plant.CSVOptions{TimeFormat: layout, Seed: 1})
	l := newSensor(nil, 0)
	l.replay(t, learnPath)
	l.watch(l.last + 1)
	saved, err := l.engine.Save()
	if err != nil {
		t.Fatal(err)
	}
	truth := make(map[tags.Place]string)
	for _, tag := range first.Tags {
		truth[tags.Place{Device: tag.Device, Unit: tag.Unit, Kind: tag.Table, Address: uint32(tag.Address)}] = tag.Type + " " + tag.Order
	}
	wrong := 0
	for _, tag := range l.list.Tags() {
		if want := truth[tag.Place()]; tag.Type == tags.Float32 && want != tag.Encoding.String() || tag.Type != tags.Float32 && tag.Type != tags.Unknown && strings.HasPrefix(want, "float32") {
			wrong++
			t.Logf("%s %d was taken for %s, is %s", tag.Kind, tag.Address, tag.Encoding, want)
		}
	}
	t.Logf("%d tags inferred, %d wrong; baseline of %d bytes", len(l.list.Tags()), wrong, len(saved))

	var labels bytes.Buffer
	watchPath, second := convert(t, filepath.Join(dir, "dataset04.csv"), plant.CSVOptions{TimeFormat: layout, Seed: 2, Tags: first.Tags, RowLabels: &labels})
	w := newSensor(l.list, 0)
	if err := w.engine.Load(saved); err != nil {
		t.Fatal(err)
	}
	w.replay(t, watchPath)
	r := readRows(t, labels.String())
	said := r.flags(w.alarms(), second.Interval)
	b := score.ScoreBATADAL(said, attackRows(t, filepath.Join(dir, "dataset04_attacks.csv"), r.times))
	t.Logf("S %.3f: TTD %.3f, TPR %.3f, TNR %.3f; alarms %v", b.S, b.TTD, b.TPR, b.TNR, w.kinds)
	if b.S < 0.97 {
		t.Errorf("S is %.3f, want at least 0.97", b.S)
	}
}

func attackRows(t *testing.T, path string, times []int64) [][2]int {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	c := csv.NewReader(f)
	c.FieldsPerRecord = -1
	records, err := c.ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	var out [][2]int
	for _, rec := range records[1:] {
		var a [2]int
		for k, s := range rec[2:4] {
			at, err := time.Parse("2006-01-02 15:04", s)
			if err != nil {
				t.Fatal(err)
			}
			a[k] = slices.Index(times, at.UnixNano())
			if a[k] < 0 {
				t.Fatalf("no row at %s", s)
			}
		}
		out = append(out, a)
	}
	return out
}

// TestSKABThroughThePipeline learns on the first 400 rows of each file, and
// judges the rest, with the settings of all others.
func TestSKABThroughThePipeline(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(datasets(t), "skab", "valve1", "*.csv"))
	if err != nil {
		t.Fatal(err)
	}
	const learned = 400
	var total score.Counts
	kinds := make(map[string]int)
	for _, file := range files {
		var labels bytes.Buffer
		path, result := convert(t, file, plant.CSVOptions{Seed: 3, RowLabels: &labels})
		r := readRows(t, labels.String())
		s := newSensor(nil, r.times[learned])
		s.replay(t, path)
		was := make([]bool, len(r.times))
		for i := range was {
			was[i] = strings.HasPrefix(r.labels[i][0], "1")
		}
		total = total.Plus(score.Count(r.flags(s.alarms(), result.Interval)[learned:], was[learned:]))
		for k, n := range s.kinds {
			kinds[k] += n
		}
		for _, tag := range result.Tags {
			if got := s.list.Lookup(tags.Place{Device: tag.Device, Unit: tag.Unit, Kind: tag.Table, Address: uint32(tag.Address)}); got == nil || got.Encoding.String() != tag.Type+" "+tag.Order {
				t.Logf("%s: %s is %s %s, was taken for %v", filepath.Base(file), tag.Name, tag.Type, tag.Order, got)
			}
		}
		t.Logf("%s %v", filepath.Base(file), s.kinds)
	}
	t.Logf("F1 %.3f FAR %.3f MAR %.3f; alarms %v", total.F1(), total.FAR(), total.MAR(), kinds)
	if total.F1() < 0.78 || total.FAR() > 0.15 {
		t.Errorf("F1 is %.3f with a false alarm rate of %.3f, want at least 0.78 with at most 0.15", total.F1(), total.FAR())
	}
}
