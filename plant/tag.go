package plant

import (
	"encoding/csv"
	"fmt"
	"io"
	"math"
	"net/netip"
	"strconv"

	"github.com/weir-ics/weir/plant/water"
	"github.com/weir-ics/weir/protocols"
)

// Tag is one point of a simulated device: the ground truth of a tag list.
type Tag struct {
	// Device is the server's or outstation's address, Unit its Modbus unit or DNP3
	// address.
	Device netip.Addr
	Unit   uint16
	Table  protocols.PointKind
	// Address is the 0-based Modbus address or the DNP3 index.
	Address uint16
	Name    string
	// Type is bool, int16, uint16, int32, uint32, float32, bits16, counter16 or
	// counter32; number for DNP3.
	Type string
	// Order is the order of octets over registers: ABCD, or CDAB with the least
	// significant register first.
	Order string
	// Scale and Offset give the engineering value: number*Scale + Offset.
	Scale, Offset float64
	// EngineeringUnit is free text ("m", "m3/h").
	EngineeringUnit string
	// Low and High are the engineering limits; both 0 for none.
	Low, High float64

	get func(p *water.Plant) float64
	set func(p *water.Plant, v float64)
	// lie replaces the value that is reported; lieLabel is the attack it is part
	// of.
	lie      func(t int64, v float64) float64
	lieLabel int
}

// registers is how many 16-bit registers the tag takes.
func (t *Tag) registers() int {
	switch t.Type {
	case "float32", "int32", "uint32", "counter32":
		return 2
	}
	return 1
}

// put encodes the engineering value v into the tag's registers.
func (t *Tag) put(r []uint16, v float64) {
	if t.Type == "float32" {
		t.putWords(r, math.Float32bits(float32(v)))
		return
	}
	n := math.Round((v - t.Offset) / t.scale())
	switch t.Type {
	case "int16":
		r[0] = uint16(int16(max(math.MinInt16, min(math.MaxInt16, n))))
	case "counter16":
		r[0] = uint16(uint64(n))
	case "int32":
		t.putWords(r, uint32(int32(max(math.MinInt32, min(math.MaxInt32, n)))))
	case "uint32", "counter32":
		t.putWords(r, uint32(uint64(max(0, n))))
	default:
		r[0] = uint16(max(0, min(math.MaxUint16, n)))
	}
}

// value decodes the tag's registers into the engineering value.
func (t *Tag) value(r []uint16) float64 {
	var n float64
	switch t.Type {
	case "float32":
		return float64(math.Float32frombits(t.words(r)))
	case "int16":
		n = float64(int16(r[0]))
	case "int32":
		n = float64(int32(t.words(r)))
	case "uint32", "counter32":
		n = float64(t.words(r))
	default:
		n = float64(r[0])
	}
	return n*t.scale() + t.Offset
}

func (t *Tag) scale() float64 {
	if t.Scale == 0 {
		return 1
	}
	return t.Scale
}

func (t *Tag) putWords(r []uint16, w uint32) {
	high, low := 0, 1
	if t.Order == "CDAB" {
		high, low = 1, 0
	}
	r[high], r[low] = uint16(w>>16), uint16(w)
}

func (t *Tag) words(r []uint16) uint32 {
	if t.Order == "CDAB" {
		return uint32(r[1])<<16 | uint32(r[0])
	}
	return uint32(r[0])<<16 | uint32(r[1])
}

// WriteTags writes a tag list as CSV, with the columns device, unit, table,
// address, name, type, order, scale, offset, engineering_unit, low, high.
func WriteTags(w io.Writer, tags []Tag) error {
	c := csv.NewWriter(w) // keeps its first error, see below
	_ = c.Write([]string{"device", "unit", "table", "address", "name", "type", "order", "scale", "offset", "engineering_unit", "low", "high"})
	number := func(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }
	for i := range tags {
		t := &tags[i]
		low, high := "", ""
		if t.Low != 0 || t.High != 0 {
			low, high = number(t.Low), number(t.High)
		}
		_ = c.Write([]string{
			t.Device.String(), strconv.Itoa(int(t.Unit)), t.Table.String(), strconv.Itoa(int(t.Address)), t.Name,
			t.Type, t.Order, number(t.scale()), number(t.Offset), t.EngineeringUnit, low, high,
		})
	}
	c.Flush()
	if err := c.Error(); err != nil {
		return fmt.Errorf("write tag list: %w", err)
	}
	return nil
}
