package plant

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/weir-ics/weir/protocols"
)

// csvTypes are the types that a column can be put into registers as.
var csvTypes = []string{"int16", "uint16", "int32", "uint32", "float32"}

// maxCSVColumns bounds a mapping.
const maxCSVColumns = 100_000

// ReadCSVColumns reads how columns are put into devices: a CSV with a column
// name, and any of table (coil, discrete-input, input-register,
// holding-register), type (bool, int16, uint16, int32, uint32, float32), order
// (ABCD, CDAB), scale and offset (value = number*scale + offset). Other columns
// are passed over, so that a tag list that ConvertCSV made can be edited and
// given back.
func ReadCSVColumns(r io.Reader) ([]CSVColumn, error) {
	c := csv.NewReader(r)
	c.FieldsPerRecord = -1
	head, err := c.Read()
	if errors.Is(err, io.EOF) {
		return nil, errors.New("the mapping is empty")
	} else if err != nil {
		return nil, err
	}
	at := make(map[string]int)
	for i, h := range head {
		at[strings.ToLower(strings.TrimSpace(h))] = i
	}
	if _, ok := at["name"]; !ok {
		return nil, errors.New("line 1: the mapping has no column called name")
	}
	var out []CSVColumn
	for {
		row, err := c.Read()
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return nil, err
		}
		line, _ := c.FieldPos(0)
		if len(out) >= maxCSVColumns {
			return nil, fmt.Errorf("line %d: more than %d columns", line, maxCSVColumns)
		}
		cell := func(name string) string {
			if i, ok := at[name]; ok && i < len(row) {
				return strings.TrimSpace(row[i])
			}
			return ""
		}
		col := CSVColumn{Name: cell("name")}
		if col.Name == "" {
			continue
		}
		if err := col.parse(cell); err != nil {
			return nil, fmt.Errorf("line %d: column %q: %w", line, col.Name, err)
		}
		out = append(out, col)
	}
}

func (c *CSVColumn) parse(cell func(string) string) error {
	if v := cell("table"); v != "" {
		for _, k := range tableKinds {
			if k.String() == v {
				c.Table = k
			}
		}
		// DNP3 has tables of its own; the type says enough there.
		if c.Table == protocols.KindUnknown && v != protocols.KindAnalogInput.String() && v != protocols.KindBinaryInput.String() {
			return fmt.Errorf("table %q is none of coil, discrete-input, input-register, holding-register", v)
		}
	}
	bits := c.Table == protocols.KindCoil || c.Table == protocols.KindDiscreteInput
	switch v := cell("type"); {
	case v == "" || v == "number" || v == "bool" && (bits || c.Table == protocols.KindUnknown):
	case bits:
		return fmt.Errorf("type %q: a %s holds bits only", v, c.Table)
	case !slices.Contains(csvTypes, v):
		return fmt.Errorf("type %q is none of %s", v, strings.Join(csvTypes, ", "))
	default:
		c.Type = v
	}
	switch v := cell("order"); v {
	case "", "ABCD", "CDAB":
		c.Order = v
	default:
		return fmt.Errorf("order %q is none of ABCD, CDAB", v)
	}
	for name, to := range map[string]*float64{"scale": &c.Scale, "offset": &c.Offset} {
		v := cell(name)
		if v == "" {
			continue
		}
		n, err := strconv.ParseFloat(v, 64)
		if err != nil || math.IsNaN(n) || math.IsInf(n, 0) {
			return fmt.Errorf("%s %q is not a number", name, v)
		}
		*to = n
	}
	return nil
}

// csvRange is what a column holds: what is needed to choose a scale for it.
type csvRange struct {
	seen      bool
	low, high float64
	decimals  int
}

func (r *csvRange) add(cell string, v float64) {
	if !r.seen {
		r.seen, r.low, r.high = true, v, v
	}
	r.low, r.high = min(r.low, v), max(r.high, v)
	if i := strings.LastIndexAny(cell, ".,"); i >= 0 && !strings.ContainsAny(cell, "eE") {
		r.decimals = max(r.decimals, len(strings.TrimRight(strings.TrimSpace(cell[i+1:]), "0")))
	}
}

// scaled says how a PLC that has only 16-bit integers holds the column: with the
// finest power of ten that its digits need and its range, with a half to spare,
// allows.
func (r *csvRange) scaled() (kind string, scale float64) {
	kind, most := "uint16", float64(math.MaxUint16)
	if r.low < 0 {
		kind, most = "int16", math.MaxInt16
	}
	largest := 1.5 * max(math.Abs(r.low), math.Abs(r.high))
	exponent := -min(r.decimals, 9)
	for exponent < 30 && largest > most*math.Pow10(exponent) {
		exponent++
	}
	// Not Pow10 of a negative number, which is not the nearest one.
	if exponent < 0 {
		return kind, 1 / math.Pow10(-exponent)
	}
	return kind, math.Pow10(exponent)
}
