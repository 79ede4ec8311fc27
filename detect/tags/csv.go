package tags

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

	"github.com/weir-ics/weir/protocols"
)

// maxTags bounds what Load takes.
const maxTags = 4_000_000

// columns are the fields of a tag list, in the order in which Save writes them.
// A file may have them in any order, leave out all but device, table and
// address, and have others, which are ignored.
var columns = []struct {
	name    string
	aliases []string
	set     func(t *Tag, s string) error
	get     func(t *Tag) string
}{
	{"device", []string{"ip", "host", "outstation"}, setDevice, func(t *Tag) string { return t.Device.String() }},
	{"unit", []string{"unit_id", "slave", "outstation_address"}, setUnit, func(t *Tag) string { return strconv.Itoa(int(t.Unit)) }},
	{"table", []string{"kind", "point_type"}, setTable, func(t *Tag) string { return t.Kind.String() }},
	{"address", []string{"index", "register"}, setAddress, func(t *Tag) string { return strconv.FormatUint(uint64(t.Address), 10) }},
	{"name", []string{"tag"}, func(t *Tag, s string) error { t.Name = s; return nil }, func(t *Tag) string { return t.Name }},
	{"type", []string{"data_type"}, setType, func(t *Tag) string { return t.Type.String() }},
	{"order", []string{"byte_order", "word_order", "byte_word_order"}, setOrder, func(t *Tag) string { return t.Order.String() }},
	{"scale", []string{"factor"}, setScale, func(t *Tag) string { return number(t.Scale) }},
	{"offset", nil, setOffset, func(t *Tag) string { return number(t.Offset) }},
	{"engineering_unit", []string{"eu", "units"}, func(t *Tag, s string) error { t.EngineeringUnit = s; return nil }, func(t *Tag) string { return t.EngineeringUnit }},
	{"low", []string{"min", "low_limit"}, func(t *Tag, s string) (err error) { t.Low, err = limit(s); return }, func(t *Tag) string { return number(t.Low) }},
	{"high", []string{"max", "high_limit"}, func(t *Tag, s string) (err error) { t.High, err = limit(s); return }, func(t *Tag) string { return number(t.High) }},
	{"confidence", nil, setConfidence, func(t *Tag) string { return number(t.Confidence) }},
}

// tables are the point kinds that a tag can have.
var tables = func() map[string]protocols.PointKind {
	m := make(map[string]protocols.PointKind)
	for k := protocols.KindUnknown; k < protocols.NumPointKinds; k++ {
		if extracted[k] {
			m[k.String()] = k
		}
	}
	return m
}()

// Load reads a tag list. name is the file's, for errors, which say
// name:line:column of what is wrong. Fields are separated by commas, or by
// semicolons if the first line has more of those; lines that start with # are
// comments.
func Load(r io.Reader, name string) (*List, error) { return load(r, name, 0) }

// load is Load with room for so many tags.
func load(r io.Reader, name string, room int) (*List, error) {
	br := bufio.NewReader(r)
	if mark, _ := br.Peek(3); string(mark) == "\ufeff" {
		br.Discard(3)
	}
	c := csv.NewReader(br)
	c.Comma = separator(br)
	c.Comment = '#'
	c.FieldsPerRecord = -1
	c.TrimLeadingSpace = true
	c.ReuseRecord = true
	header, err := c.Read()
	if err != nil {
		if errors.Is(err, io.EOF) {
			err = errors.New("the file is empty; its first line must name the columns")
		}
		return nil, fmt.Errorf("read tag list %s: %w", name, err)
	}
	setters, err := readHeader(header, name)
	if err != nil {
		return nil, err
	}
	tags := make([]Tag, 0, min(room, maxTags))
	for {
		record, err := c.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("read tag list %s: %w", name, err)
		}
		if len(tags) == maxTags {
			return nil, fmt.Errorf("read tag list %s: more than %d tags", name, maxTags)
		}
		t := Tag{Scale: 1, Low: math.NaN(), High: math.NaN(), Confidence: 1}
		for i, field := range record {
			if i >= len(setters) || setters[i] == nil {
				continue
			}
			if err := setters[i](&t, strings.TrimSpace(field)); err != nil {
				line, column := c.FieldPos(i)
				return nil, fmt.Errorf("read tag list %s:%d:%d: %w", name, line, column, err)
			}
		}
		if err := check(&t); err != nil {
			line, _ := c.FieldPos(0)
			return nil, fmt.Errorf("read tag list %s:%d:1: %w", name, line, err)
		}
		tags = append(tags, t)
	}
	l, err := newList(tags)
	if err != nil {
		return nil, fmt.Errorf("read tag list %s: %w", name, err)
	}
	return l, nil
}

// separator looks at the first line that is no comment.
func separator(r *bufio.Reader) rune {
	start, _ := r.Peek(4096)
	for line := range strings.Lines(string(start)) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		if strings.Count(line, ";") > strings.Count(line, ",") {
			return ';'
		}
		break
	}
	return ','
}

// readHeader finds the column that each field of the first line names.
func readHeader(header []string, name string) ([]func(*Tag, string) error, error) {
	setters := make([]func(*Tag, string) error, len(header))
	seen := make(map[string]bool)
	for i, h := range header {
		h = strings.ToLower(strings.TrimSpace(h))
		h = strings.NewReplacer(" ", "_", "/", "_", "-", "_").Replace(h)
		for _, c := range columns {
			match := c.name == h
			for _, a := range c.aliases {
				match = match || a == h
			}
			if !match {
				continue
			}
			if seen[c.name] {
				return nil, fmt.Errorf("read tag list %s:1: column %q is there twice", name, c.name)
			}
			seen[c.name] = true
			setters[i] = c.set
		}
	}
	for _, need := range []string{"device", "table", "address"} {
		if !seen[need] {
			return nil, fmt.Errorf("read tag list %s:1: no column %q", name, need)
		}
	}
	return setters, nil
}

// check finds what no single field shows.
func check(t *Tag) error {
	modbus := t.Kind >= protocols.KindCoil && t.Kind <= protocols.KindHoldingRegister
	bit := t.Kind == protocols.KindCoil || t.Kind == protocols.KindDiscreteInput
	switch {
	case !t.Device.IsValid():
		return errors.New("the line has no device")
	case !extracted[t.Kind]:
		return errors.New("the line has no table")
	case modbus && t.Last() > 65535:
		return fmt.Errorf("%s at address %d goes past 65535", t.Type, t.Address)
	case modbus && t.Unit > 255:
		return fmt.Errorf("unit %d is past 255, the last that Modbus has", t.Unit)
	case bit && t.Type != Bool && t.Type != Unknown:
		return fmt.Errorf("a %s is a bit and cannot be %s", t.Kind, t.Type)
	case !modbus && t.Type.Registers() != 1:
		return fmt.Errorf("a DNP3 %s is one point and cannot be %s; leave the type empty", t.Kind, t.Type)
	case t.Low > t.High:
		return fmt.Errorf("low limit %g is above high limit %g", t.Low, t.High)
	}
	if bit {
		t.Type = Bool
	}
	return nil
}

func setDevice(t *Tag, s string) error {
	a, err := netip.ParseAddr(s)
	if err != nil {
		return fmt.Errorf("device %q is not an IP address", s)
	}
	t.Device = a.Unmap()
	return nil
}

func setUnit(t *Tag, s string) error {
	if s == "" {
		return nil
	}
	u, err := strconv.ParseUint(s, 10, 16)
	if err != nil {
		return fmt.Errorf("unit %q is not a number from 0 to 65535", s)
	}
	t.Unit = uint16(u)
	return nil
}

func setTable(t *Tag, s string) error {
	k, ok := tables[strings.ToLower(strings.ReplaceAll(s, " ", "-"))]
	if !ok {
		return fmt.Errorf("table %q is none of coil, discrete-input, input-register, holding-register or a DNP3 point type (analog-input, binary-input, counter...)", s)
	}
	t.Kind = k
	return nil
}

func setAddress(t *Tag, s string) error {
	a, err := strconv.ParseUint(s, 0, 32)
	if err != nil || a > math.MaxUint32-4 {
		return fmt.Errorf("address %q is not a number from 0 to 65535 (or a DNP3 index)", s)
	}
	t.Address = uint32(a)
	return nil
}

// setType takes "float32", and "float32 CDAB" with the order in it.
func setType(t *Tag, s string) (err error) {
	kind, order, both := strings.Cut(s, " ")
	if t.Type, err = ParseType(kind); err == nil && both {
		t.Order, err = ParseOrder(order)
	}
	return err
}

func setOrder(t *Tag, s string) (err error) {
	if s != "" {
		t.Order, err = ParseOrder(s)
	}
	return err
}

func setScale(t *Tag, s string) error {
	if s == "" {
		return nil
	}
	v, err := parse(s)
	if err != nil || v == 0 {
		return fmt.Errorf("scale %q is not a number other than 0", s)
	}
	t.Scale = v
	return nil
}

func setOffset(t *Tag, s string) (err error) {
	if s != "" {
		t.Offset, err = parse(s)
	}
	return err
}

func setConfidence(t *Tag, s string) error {
	if s == "" {
		return nil
	}
	v, err := parse(s)
	if err != nil || v < 0 || v > 1 {
		return fmt.Errorf("confidence %q is not a number from 0 to 1", s)
	}
	t.Confidence = v
	return nil
}

func limit(s string) (float64, error) {
	if s == "" {
		return math.NaN(), nil
	}
	return parse(s)
}

func parse(s string) (float64, error) {
	v, err := strconv.ParseFloat(s, 64)
	if err != nil || math.IsNaN(v) || math.IsInf(v, 0) {
		return 0, fmt.Errorf("%q is not a number", s)
	}
	return v, nil
}

func number(v float64) string {
	if math.IsNaN(v) {
		return ""
	}
	return strconv.FormatFloat(v, 'g', -1, 64)
}

// Save writes the list as Load reads it. The same list gives the same bytes.
func (l *List) Save(w io.Writer) error {
	c := csv.NewWriter(w)
	record := make([]string, len(columns))
	for i := range columns {
		record[i] = columns[i].name
	}
	if err := c.Write(record); err != nil {
		return fmt.Errorf("write tag list: %w", err)
	}
	tags := l.Tags()
	for i := range tags {
		for k := range columns {
			record[k] = columns[k].get(&tags[i])
		}
		if err := c.Write(record); err != nil {
			return fmt.Errorf("write tag list: %w", err)
		}
	}
	c.Flush()
	if err := c.Error(); err != nil {
		return fmt.Errorf("write tag list: %w", err)
	}
	return nil
}
