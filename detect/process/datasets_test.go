package process

import (
	"encoding/csv"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/weir-ics/weir/detect"
	"github.com/weir-ics/weir/detect/score"
	"github.com/weir-ics/weir/protocols"
)

// datasets returns where the labelled data is, or skips.
func datasets(tb testing.TB) string {
	tb.Helper()
	shared := os.Getenv("WEIR_SHARED")
	if shared == "" {
		shared = "../../../shared"
	}
	dir := filepath.Join(shared, "datasets")
	if _, err := os.Stat(dir); err != nil {
		tb.Skipf("no data sets in %s (set WEIR_SHARED)", dir)
	}
	return dir
}

// table is a data set: a row a moment.
type table struct {
	names []string
	times []int64
	rows  [][]float64
	label []bool
}

func readTable(tb testing.TB, file string, comma rune, layout string, labels ...string) *table {
	tb.Helper()
	f, err := os.Open(file)
	if err != nil {
		tb.Fatal(err)
	}
	defer f.Close()
	r := csv.NewReader(f)
	r.Comma = comma
	records, err := r.ReadAll()
	if err != nil {
		tb.Fatal(err)
	}
	t := &table{}
	isLabel := make([]bool, len(records[0]))
	for i, n := range records[0] {
		n = strings.TrimSpace(n)
		for _, l := range labels {
			isLabel[i] = isLabel[i] || n == l
		}
		if i > 0 && !isLabel[i] {
			t.names = append(t.names, n)
		}
	}
	for _, rec := range records[1:] {
		at, err := time.Parse(layout, strings.TrimSpace(rec[0]))
		if err != nil {
			tb.Fatal(err)
		}
		t.times = append(t.times, at.UnixNano())
		var row []float64
		anomalous := false
		for i := 1; i < len(rec); i++ {
			v, err := strconv.ParseFloat(strings.TrimSpace(rec[i]), 64)
			if err != nil {
				tb.Fatal(err)
			}
			if isLabel[i] {
				anomalous = anomalous || v == 1 && strings.TrimSpace(records[0][i]) == labels[0]
				continue
			}
			// What a float32 in two registers keeps of it.
			row = append(row, float64(float32(v)))
		}
		t.rows = append(t.rows, row)
		t.label = append(t.label, anomalous)
	}
	return t
}

// feed gives rows to an engine as a poller would, and collects when alarms were
// up.
type feed struct {
	engine *Engine
	series []*detect.Series
	frame  uint64
	open   map[string]int64
	closed []score.Interval
	kinds  map[string]int
	keep   bool
	log    []detect.Finding
	byKind map[string][]score.Interval
}

func newFeed(names []string, s Settings) *feed {
	f := &feed{engine: NewEngine(s), open: make(map[string]int64), kinds: make(map[string]int), byKind: make(map[string][]score.Interval)}
	for i, n := range names {
		f.series = append(f.series, &detect.Series{Table: &detect.Table{Device: netip.MustParseAddr("10.0.0.5"), Proto: protocols.ProtoModbus, Unit: 1,
			Kind: protocols.KindHoldingRegister}, Index: uint32(2 * i), Label: &detect.Label{Name: n, Type: "float32 ABCD"}})
	}
	return f
}

func (f *feed) row(at int64, values []float64) {
	for i, v := range values {
		f.frame++
		// Polls take a few milliseconds each.
		now := at + int64(i)*3e6
		s := detect.Sample{Series: f.series[i], Time: now, Clock: now, Frame: f.frame, Access: protocols.AccessReport, Value: v}
		f.engine.Observe(&s)
	}
	f.collect()
}

func (f *feed) collect() {
	for _, x := range f.engine.Findings(nil) {
		if f.keep {
			x.Spell()
			f.log = append(f.log, x)
		}
		id := x.Kind.Name + " " + x.Key
		start, up := f.open[id]
		switch {
		case x.Clear:
			delete(f.open, id)
			// The moment of clearing is no longer alarm.
			f.closed = append(f.closed, score.Interval{Start: start, End: x.Time - 1})
			f.byKind[x.Kind.Name] = append(f.byKind[x.Kind.Name], score.Interval{Start: start, End: x.Time - 1})
		case !up:
			f.open[id] = x.Time
			f.kinds[x.Kind.Name]++
		}
	}
}

func (f *feed) intervals(end int64) []score.Interval {
	out := f.closed
	for _, s := range f.open {
		out = append(out, score.Interval{Start: s, End: end})
	}
	return out
}

// flags tells for each time whether an alarm was up by the end of its row.
func (f *feed) flags(times []int64) []bool {
	ends := make([]int64, len(times))
	for i, t := range times {
		ends[i] = t + 3e6*int64(len(f.series))
	}
	return score.Flags(ends, f.intervals(ends[len(ends)-1]))
}

func batadal(tb testing.TB) (learn, watch *table, attacks [][2]int) {
	dir := filepath.Join(datasets(tb), "batadal")
	learn = readTable(tb, filepath.Join(dir, "dataset03.csv"), ',', "02/01/06 15", "ATT_FLAG")
	watch = readTable(tb, filepath.Join(dir, "dataset04.csv"), ',', "02/01/06 15", "ATT_FLAG")
	f, err := os.Open(filepath.Join(dir, "dataset04_attacks.csv"))
	if err != nil {
		tb.Fatal(err)
	}
	defer f.Close()
	r := csv.NewReader(f)
	r.FieldsPerRecord = -1 // descriptions hold commas
	records, err := r.ReadAll()
	if err != nil {
		tb.Fatal(err)
	}
	for _, rec := range records[1:] {
		var a [2]int
		for k, s := range rec[2:4] {
			at, err := time.Parse("2006-01-02 15:04", s)
			if err != nil {
				tb.Fatal(err)
			}
			for h, x := range watch.times {
				if x == at.UnixNano() {
					a[k] = h
				}
			}
		}
		attacks = append(attacks, a)
	}
	return learn, watch, attacks
}

func TestBATADAL(t *testing.T) {
	learn, watch, attacks := batadal(t)
	f := newFeed(learn.names, Settings{})
	for i, row := range learn.rows {
		f.row(learn.times[i], row)
	}
	f.engine.Watch(watch.times[0])
	for i, row := range watch.rows {
		f.row(watch.times[i], row)
	}
	said := f.flags(watch.times)
	b := score.ScoreBATADAL(said, attacks)
	t.Logf("S %.3f: TTD %.3f, TPR %.3f, TNR %.3f; alarms %v", b.S, b.TTD, b.TPR, b.TNR, f.kinds)
	if b.S < 0.965 {
		t.Errorf("S is %.3f, want at least 0.965", b.S)
	}
	for id, at := range f.open {
		t.Logf("still open: %s since %d", id, (at-watch.times[0])/int64(time.Hour))
	}
	f.breakdown(t, watch.times, attackRows(attacks, len(watch.rows)))
	if testing.Verbose() {
		for _, a := range attacks {
			t.Logf("%v %s", a, strip(said, a))
		}
	}
}

// strip draws the flags around an attack.
func strip(said []bool, a [2]int) string {
	line := ""
	for h := a[0] - 5; h < a[1]+30 && h < len(said); h++ {
		if h == a[0] || h == a[1]+1 {
			line += "|"
		}
		if said[h] {
			line += "#"
		} else {
			line += "."
		}
	}
	return line
}

func attackRows(attacks [][2]int, n int) []bool {
	was := make([]bool, n)
	for _, a := range attacks {
		for h := a[0]; h <= a[1]; h++ {
			was[h] = true
		}
	}
	return was
}

// breakdown tells how each kind does by itself, and which rows it alone flags.
func (f *feed) breakdown(t *testing.T, times []int64, was []bool) {
	ends := make([]int64, len(times))
	for i, at := range times {
		ends[i] = at + 3e6*int64(len(f.series))
	}
	flags := make(map[string][]bool)
	all := make([]int, len(times))
	for k, iv := range f.byKind {
		flags[k] = score.Flags(ends, iv)
		for i, b := range flags[k] {
			if b {
				all[i]++
			}
		}
	}
	for k, fl := range flags {
		c := score.Count(fl, was)
		var alone score.Counts
		for i, b := range fl {
			if b && all[i] == 1 {
				if was[i] {
					alone.TP++
				} else {
					alone.FP++
				}
			}
		}
		t.Logf("  %-18s true %4d false %4d; alone true %4d false %4d", k, c.TP, c.FP, alone.TP, alone.FP)
	}
}

func TestSKAB(t *testing.T) {
	files, _ := filepath.Glob(filepath.Join(datasets(t), "skab", "valve1", "*.csv"))
	var total score.Counts
	kinds := make(map[string]int)
	for _, file := range files {
		x := readTable(t, file, ';', "2006-01-02 15:04:05", "anomaly", "changepoint")
		f := newFeed(x.names, Settings{})
		const learned = 400
		f.engine.Watch(x.times[learned])
		for i, row := range x.rows {
			f.row(x.times[i], row)
		}
		c := score.Count(f.flags(x.times)[learned:], x.label[learned:])
		f.breakdown(t, x.times[learned:], x.label[learned:])
		total = total.Plus(c)
		t.Logf("%s F1 %.3f FAR %.3f MAR %.3f %v", filepath.Base(file), c.F1(), c.FAR(), c.MAR(), f.kinds)
		for k, n := range f.kinds {
			kinds[k] += n
		}
	}
	t.Logf("F1 %.3f FAR %.3f MAR %.3f; alarms %v", total.F1(), total.FAR(), total.MAR(), kinds)
	if total.F1() < 0.78 || total.FAR() > 0.15 {
		t.Errorf("F1 is %.3f with a false alarm rate of %.3f, want at least 0.78 with at most 0.15", total.F1(), total.FAR())
	}
}

func TestASecondHalfLikeTheFirstGivesFewAlarms(t *testing.T) {
	learn, _, _ := batadal(t)
	half := len(learn.rows) / 2
	f := newFeed(learn.names, Settings{})
	f.engine.Watch(learn.times[half])
	for i, row := range learn.rows {
		f.row(learn.times[i], row)
	}
	n := 0
	for _, k := range f.kinds {
		n += k
	}
	days := float64(learn.times[len(learn.times)-1]-learn.times[half]) / float64(24*time.Hour)
	t.Logf("%d alarms in %.0f days: %v", n, days, f.kinds)
	if budget := days * 0.5; float64(n) > budget {
		t.Errorf("%d alarms in %.0f days, want at most %.0f", n, days, budget)
	}
}
