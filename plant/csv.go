package plant

import (
	"bufio"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/weir-ics/weir/plant/wire"
	"github.com/weir-ics/weir/protocols"
)

// CSVOptions tell how a table of process values becomes traffic. The zero value
// works for most tables.
type CSVOptions struct {
	// Protocol is "modbus" (also "") or "dnp3".
	Protocol string
	// Comma separates cells; 0 finds it out (comma, semicolon, tab or bar). A
	// decimal comma is understood where commas do not separate.
	Comma rune
	// TimeColumn names the column of the row's time; "" takes the first that is
	// called like one or reads as one. Two columns of date and time are given as
	// "Date+Time". "-" says that there is none: rows are Interval apart from Start.
	TimeColumn string
	// TimeFormat is a layout of package time, or unix, unix-ms, unix-us, unix-ns or
	// spreadsheet; "" finds it out.
	TimeFormat string
	// Location is the time zone of times that name none; nil is UTC.
	Location *time.Location
	Start    time.Time
	Interval time.Duration
	// Labels names the columns that are labels, not values; nil takes those that
	// are called anomaly, changepoint, att_flag, label, attack, normal/attack.
	Labels []string
	// Ignore names columns to leave out.
	Ignore []string
	// Devices is over how many PLCs or outstations the columns are spread, in
	// order; 0 is one for each 50 columns.
	Devices int
	// Columns overrides what is chosen for columns by their name.
	Columns []CSVColumn
	// Scaled puts numbers into one 16-bit register each, scaled by a power of ten
	// that fits the column, as PLCs without floating point do, instead of into
	// float32. Modbus only.
	Scaled bool
	// Tags maps columns as an earlier conversion did, by name, so that two files
	// of one plant come out alike. What they do not name is chosen as usual.
	Tags []Tag
	// Reconnect opens a connection for each poll cycle, as for rows far apart is
	// always done (60 s and more).
	Reconnect bool
	// Seed makes the timing noise; the same seed gives the same bytes.
	Seed uint64
	// Jitter is by how much a poll may be late; 0 is a hundredth of the usual
	// time between rows, at most 20 ms.
	Jitter time.Duration
	// RowLabels receives a line a row: row;time;first;last and the label columns'
	// cells as they are; first and last are the frames of the row's polls. nil for
	// none.
	RowLabels io.Writer
}

// CSVColumn says how one column is put into a device.
type CSVColumn struct {
	// Name is the column's name.
	Name string
	// Table is where it goes: an input or holding register, a coil or a discrete
	// input; for DNP3 it is ignored except that bits become binary inputs.
	Table protocols.PointKind
	// Type and Order are as of Tag; Scale and Offset of integers:
	// value = number*Scale + Offset.
	Type, Order   string
	Scale, Offset float64
}

// CSVResult is what ConvertCSV made.
type CSVResult struct {
	// Tags say where each column went.
	Tags []Tag
	// Labels are the runs of rows that a label column marks (above 0, or not
	// "normal"), one column after the other.
	Labels Labels
	Rows   int
	// Packets were written.
	Packets uint64
	// Missing counts cells that held no number; the column's last value was kept.
	// Late counts rows whose time was not after the row before; they are sent a
	// millisecond after it.
	Missing, Late int
	// TimeFormat is how times were read, Interval the usual time between rows.
	TimeFormat string
	Interval   time.Duration
}

var labelNames = map[string]bool{"anomaly": true, "changepoint": true, "att_flag": true, "label": true, "labels": true, "attack": true, "normal/attack": true, "is_attack": true, "is_anomaly": true}

var timeNames = map[string]bool{"datetime": true, "timestamp": true, "time": true, "date": true, "ts": true, "zeit": true, "datum": true, "date_time": true, "date time": true}

// csvTable reads the rows of a table.
type csvTable struct {
	opt    *CSVOptions
	names  []string
	header bool
	// times are the columns that make up the row's time, values and labels the
	// others that count.
	times, values, labels []int
	clock                 *timeReader
	comma                 rune
	decimalComma          bool
	line                  int
}

// ConvertCSV reads a table of process values from r and writes to w a capture
// in which a client polls devices that hold those values: each row is polled at
// its time, in one cycle over all devices. It reads r twice.
//
// By default a column that holds only 0 and 1 becomes a discrete input (a DNP3
// binary input), any other a float32 in two input registers (a DNP3 single-
// precision analog). So that a pump that never switches in one file is the same
// as in another, columns with one name before the first underscore or digit are
// judged together.
func ConvertCSV(r io.ReadSeeker, w io.Writer, opt CSVOptions) (*CSVResult, error) {
	if opt.Protocol != "" && opt.Protocol != "modbus" && opt.Protocol != "dnp3" {
		return nil, fmt.Errorf("convert csv: protocol %q is neither modbus nor dnp3", opt.Protocol)
	}
	t := &csvTable{opt: &opt}
	survey, err := t.survey(r)
	if err != nil {
		return nil, fmt.Errorf("convert csv: %w", err)
	}
	if _, err := r.Seek(0, io.SeekStart); err != nil {
		return nil, fmt.Errorf("convert csv: read it a second time: %w", err)
	}
	out, err := wire.NewPcapWriter(w)
	if err != nil {
		return nil, err
	}
	res := &CSVResult{Interval: survey.interval}
	if t.clock != nil {
		res.TimeFormat = t.clock.format()
	}
	p := newCSVPoller(t, survey, res, out)
	if err := p.run(r); err != nil {
		return nil, fmt.Errorf("convert csv: %w", err)
	}
	return res, out.Flush()
}

// csvSurvey is what a first reading of the table tells.
type csvSurvey struct {
	rows     int
	interval time.Duration
	first    int64
	// ranges are what columns hold.
	ranges []csvRange
	// bits tells by column whether only 0 and 1 occur.
	bits []bool
}

func (t *csvTable) reader(r io.Reader) *csv.Reader {
	b := bufio.NewReaderSize(r, 1<<16)
	if mark, _ := b.Peek(3); string(mark) == "\ufeff" {
		_, _ = b.Discard(3)
	}
	if t.comma == 0 {
		t.comma = t.opt.Comma
	}
	if t.comma == 0 {
		start, _ := b.Peek(1 << 14)
		line, _, _ := strings.Cut(string(start), "\n")
		t.comma = ','
		for _, c := range ";\t|" {
			if strings.Count(line, string(c)) > strings.Count(line, string(t.comma)) {
				t.comma = c
			}
		}
		// With a decimal comma every cell may hold one.
		if strings.Contains(line, ";") && strings.Count(line, ",") <= strings.Count(line, ";")+1 {
			t.comma = ';'
		}
	}
	t.decimalComma = t.comma != ','
	c := csv.NewReader(b)
	c.Comma = t.comma
	c.FieldsPerRecord = -1
	c.LazyQuotes = true
	c.TrimLeadingSpace = true
	c.ReuseRecord = true
	return c
}

// number reads a cell.
func (t *csvTable) number(s string) (float64, bool) {
	s = strings.TrimSpace(s)
	if t.decimalComma && strings.Contains(s, ",") {
		s = strings.Replace(s, ",", ".", 1)
	}
	v, err := strconv.ParseFloat(s, 64)
	if err == nil && !math.IsNaN(v) && !math.IsInf(v, 0) {
		return v, true
	}
	switch strings.ToLower(s) {
	case "true", "on", "open", "running", "active":
		return 1, true
	case "false", "off", "closed", "stopped", "inactive":
		return 0, true
	}
	return 0, false
}

// columns sorts the columns by the first rows: header names the columns,
// sample is a row of values.
func (t *csvTable) columns(header, sample []string) error {
	t.header = false
	for _, h := range header {
		if _, ok := t.number(h); !ok && strings.TrimSpace(h) != "" && !t.readsAsTime(h) {
			t.header = true
		}
	}
	for i, h := range header {
		name := strings.TrimSpace(h)
		if !t.header || name == "" {
			name = "column" + strconv.Itoa(i+1)
		}
		t.names = append(t.names, name)
	}
	find := func(name string) (int, error) {
		for i, n := range t.names {
			if strings.EqualFold(n, strings.TrimSpace(name)) {
				return i, nil
			}
		}
		return 0, fmt.Errorf("there is no column %q", name)
	}
	special := make([]bool, len(t.names))
	switch t.opt.TimeColumn {
	case "-":
	case "":
		for i, n := range t.names {
			if timeNames[strings.ToLower(n)] && i < len(sample) && t.readsAsTime(sample[i]) {
				t.times = []int{i}
				break
			}
		}
		if t.times == nil {
			for i := range t.names {
				if i < len(sample) && t.readsAsTime(sample[i]) {
					t.times = []int{i}
					break
				}
			}
		}
		if t.times == nil {
			return errors.New("no column reads as a time; name it, or say that there is none (\"-\") and how far rows are apart")
		}
	default:
		for _, part := range strings.Split(t.opt.TimeColumn, "+") {
			i, err := find(part)
			if err != nil {
				return err
			}
			t.times = append(t.times, i)
		}
	}
	for _, i := range t.times {
		special[i] = true
	}
	for _, name := range t.opt.Ignore {
		i, err := find(name)
		if err != nil {
			return err
		}
		special[i] = true
	}
	for _, name := range t.opt.Labels {
		i, err := find(name)
		if err != nil {
			return err
		}
		special[i] = true
		t.labels = append(t.labels, i)
	}
	for i, n := range t.names {
		switch {
		case special[i]:
		case t.opt.Labels == nil && labelNames[strings.ToLower(n)]:
			t.labels = append(t.labels, i)
		case n == "column"+strconv.Itoa(i+1) && t.header && (i >= len(sample) || strings.TrimSpace(sample[i]) == ""):
			// An empty column, as a separator at the end of each line makes.
		default:
			if i < len(sample) {
				if _, ok := t.number(sample[i]); !ok && strings.TrimSpace(sample[i]) != "" && !strings.EqualFold(strings.TrimSpace(sample[i]), "nan") {
					continue // text
				}
			}
			t.values = append(t.values, i)
		}
	}
	for _, c := range t.opt.Columns {
		if _, err := find(c.Name); err != nil {
			return err
		}
	}
	if len(t.values) == 0 {
		return errors.New("no column holds numbers")
	}
	if t.times != nil {
		t.clock = newTimeReader(t.opt.TimeFormat, t.opt.Location)
	} else if t.opt.Interval <= 0 {
		return errors.New("without a time column an interval between rows is needed")
	}
	return nil
}

func (t *csvTable) readsAsTime(s string) bool {
	r := newTimeReader(t.opt.TimeFormat, t.opt.Location)
	r.see(s)
	for _, c := range r.candidates {
		// A bare number is a time only if it is as large as those of our days; a
		// spreadsheet's day is too easily mistaken.
		if c.number < 0 || numberTimes[c.number].name != "spreadsheet" || t.opt.TimeFormat != "" {
			return true
		}
	}
	return false
}

func (t *csvTable) timeCell(row []string) string {
	if len(t.times) == 1 {
		if t.times[0] < len(row) {
			return row[t.times[0]]
		}
		return ""
	}
	var parts []string
	for _, i := range t.times {
		if i < len(row) {
			parts = append(parts, strings.TrimSpace(row[i]))
		}
	}
	return strings.Join(parts, " ")
}

// rows calls f for each row of values.
func (t *csvTable) rows(r io.Reader, f func(row []string) error) error {
	c := t.reader(r)
	first := true
	for {
		row, err := c.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		t.line, _ = c.FieldPos(0)
		if first && t.names == nil {
			header := append([]string(nil), row...)
			sample, err := c.Read()
			if errors.Is(err, io.EOF) {
				return errors.New("the table has no rows")
			} else if err != nil {
				return err
			}
			if err := t.columns(header, sample); err != nil {
				return err
			}
			if !t.header {
				if err := f(header); err != nil {
					return err
				}
			}
			first, row = false, sample
		} else if first {
			if first = false; t.header {
				continue
			}
		}
		if len(row) == 1 && strings.TrimSpace(row[0]) == "" {
			continue
		}
		if err := f(row); err != nil {
			return fmt.Errorf("line %d: %w", t.line, err)
		}
	}
}

func (t *csvTable) survey(r io.Reader) (*csvSurvey, error) {
	s := &csvSurvey{}
	var zero, one, other []bool
	err := t.rows(r, func(row []string) error {
		if zero == nil {
			zero, one, other = make([]bool, len(t.names)), make([]bool, len(t.names)), make([]bool, len(t.names))
			s.ranges = make([]csvRange, len(t.names))
		}
		s.rows++
		if t.clock != nil {
			t.clock.see(t.timeCell(row))
			if len(t.clock.candidates) == 0 {
				return fmt.Errorf("time %q is not written as those before", t.timeCell(row))
			}
		}
		for _, i := range t.values {
			if i >= len(row) {
				continue
			}
			v, ok := t.number(row[i])
			if ok {
				s.ranges[i].add(row[i], v)
			}
			switch {
			case !ok:
			case v == 0:
				zero[i] = true
			case v == 1:
				one[i] = true
			default:
				other[i] = true
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if s.rows == 0 {
		return nil, errors.New("the table has no rows")
	}
	s.interval = t.opt.Interval
	s.first = t.opt.Start.UnixNano()
	if t.opt.Start.IsZero() {
		s.first = DefaultStart.UnixNano()
	}
	if t.clock != nil {
		if err := t.clock.settle(); err != nil {
			return nil, err
		}
		c := t.clock.candidates[0]
		s.first = c.first
		if s.rows > 1 {
			s.interval = time.Duration((c.last - c.first) / int64(s.rows-1))
		}
		if s.interval <= 0 {
			s.interval = time.Second
		}
	}
	// Judge columns of one family together.
	type family struct{ members, other, both int }
	families := make(map[string]*family)
	for _, i := range t.values {
		f := families[familyName(t.names[i])]
		if f == nil {
			f = &family{}
			families[familyName(t.names[i])] = f
		}
		f.members++
		if other[i] {
			f.other++
		}
		if zero[i] && one[i] {
			f.both++
		}
	}
	s.bits = make([]bool, len(t.names))
	for _, i := range t.values {
		f := families[familyName(t.names[i])]
		s.bits[i] = !other[i] && (zero[i] && one[i] || f.members > 1 && f.other == 0 && f.both > 0)
	}
	return s, nil
}

// familyName is the part of a column's name that it shares with its kind:
// S of S_PU1, P of P101.
func familyName(name string) string {
	if i := strings.IndexAny(name, "_0123456789 ."); i > 0 {
		return strings.ToUpper(name[:i])
	}
	return strings.ToUpper(name)
}

// The network that a converted table comes from.
var (
	csvClient = netip.MustParseAddr("10.20.2.10")
	csvFirst  = netip.MustParseAddr("10.20.2.21")
)
