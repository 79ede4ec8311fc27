package console

import (
	"fmt"
	"html/template"
	"math"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/weir-ics/weir/detect"
	"github.com/weir-ics/weir/protocols"
)

// How pages write times, amounts and names.

func (c *console) local(ns int64) time.Time { return time.Unix(0, ns).In(c.Location) }

// when writes a packet time to the second, with the whole of it for machines
// and for whoever points at it.
func (c *console) when(ns int64) template.HTML {
	if ns == 0 {
		return `<span class="none">not known</span>`
	}
	t := c.local(ns)
	// Digits, dashes, colons and a zone's letters only: nothing to escape.
	return template.HTML(`<time datetime="` + t.Format(time.RFC3339Nano) + `" title="` + t.Format("Monday 2 January 2006, 15:04:05.000000 -0700") + `">` +
		t.Format("2006-01-02") + ` <b>` + t.Format("15:04:05") + `</b></time>`)
}

// inWords writes a packet time for a sentence.
func (c *console) inWords(ns int64) string { return c.local(ns).Format("2 January 2006, 15:04") }

// milliseconds writes a packet time for a script.
func milliseconds(ns int64) int64 { return ns / int64(time.Millisecond) }

// duration writes a length of time with two units at most.
func duration(ns int64) string {
	d := time.Duration(ns)
	switch {
	case d < 0:
		return "−" + duration(-ns)
	case d == 0:
		return "0 s"
	case d < time.Millisecond:
		return fmt.Sprintf("%d µs", d.Microseconds())
	case d < time.Second:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	case d < time.Minute:
		return strings.TrimSuffix(fmt.Sprintf("%.1f", d.Seconds()), ".0") + " s"
	case d.Round(time.Second) < time.Hour:
		return two(d, time.Minute, "min", time.Second, "s")
	case d.Round(time.Minute) < 24*time.Hour:
		return two(d, time.Hour, "h", time.Minute, "min")
	default:
		return two(d, 24*time.Hour, "d", time.Hour, "h")
	}
}

func two(d, big time.Duration, bigName string, small time.Duration, smallName string) string {
	d = d.Round(small)
	s := fmt.Sprintf("%d %s", d/big, bigName)
	if n := d % big / small; n > 0 {
		s += fmt.Sprintf(" %d %s", n, smallName)
	}
	return s
}

// ago writes how long before now something was.
func ago(now, ns int64) string {
	if d := now - ns; d >= int64(time.Second) {
		return duration(d) + " ago"
	}
	return "just now"
}

// amount writes a count with commas between thousands.
func amount[T int | int64 | uint64](n T) string {
	s := fmt.Sprint(n)
	digits := strings.TrimPrefix(s, "-")
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	if s[0] == '-' {
		return "−" + digits
	}
	return digits
}

// plural writes a count with its noun: plural(2, "alert", "alerts").
func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return amount(n) + " " + many
}

// percent writes a probability.
func percent(p float64) string {
	switch {
	case p < 0 || math.IsNaN(p):
		return "not known"
	case p > 0 && p < 0.0001:
		return "below 0.01 %"
	case p < 0.01:
		return strconv.FormatFloat(p*100, 'f', 2, 64) + " %"
	default:
		return strconv.FormatFloat(p*100, 'f', 1, 64) + " %"
	}
}

// number writes a value with as many digits as mean something to a reader:
// whole numbers whole, others to five.
func number(v float64) string {
	if v == math.Trunc(v) && math.Abs(v) < 1e15 {
		return strconv.FormatFloat(v, 'f', 0, 64)
	}
	return strconv.FormatFloat(v, 'g', 5, 64)
}

func mac(m [6]byte) string {
	if m == [6]byte{} {
		return ""
	}
	return fmt.Sprintf("%02x:%02x:%02x:%02x:%02x:%02x", m[0], m[1], m[2], m[3], m[4], m[5])
}

// address writes an IP address, empty if there is none.
func address(ip netip.Addr) string {
	if !ip.IsValid() {
		return ""
	}
	return ip.String()
}

// pointName writes a point or a run of points.
func pointName(p detect.PointRef) string {
	if p.Device.IsValid() {
		whose := " of " + p.Device.String()
		p.Device = netip.Addr{}
		return pointName(p) + whose
	}
	kind := strings.ReplaceAll(p.Kind.String(), "-", " ")
	if p.Last > p.First {
		return fmt.Sprintf("%s %d to %d", kind, p.First, p.Last)
	}
	return fmt.Sprintf("%s %d", kind, p.First)
}

// unitName writes what is behind an address: a Modbus unit or a DNP3 address.
func unitName(p protocols.Proto, unit int) string {
	switch {
	case unit < 0:
		return ""
	case p == protocols.ProtoDNP3:
		return fmt.Sprintf("address %d", unit)
	default:
		return fmt.Sprintf("unit %d", unit)
	}
}

// linkUnit writes what tells a link apart from others between the same hosts.
func linkUnit(l detect.Link) string {
	switch l.Proto {
	case protocols.ProtoDNP3:
		return fmt.Sprintf("%d → %d", l.Master, l.Outstation)
	case protocols.ProtoModbus:
		return unitName(l.Proto, int(l.Unit))
	}
	return ""
}

var protoTitles = [protocols.NumProtos]string{protocols.ProtoModbus: "Modbus", protocols.ProtoDNP3: "DNP3", protocols.ProtoNetwork: "network"}

func protoTitle(p protocols.Proto) string {
	if p < protocols.NumProtos && protoTitles[p] != "" {
		return protoTitles[p]
	}
	return p.String()
}

// seriesName writes a series by its tag, else by its place.
func seriesName(s detect.KeptSeries) string {
	if s.Name != "" {
		return s.Name
	}
	return seriesPlace(s)
}

// seriesPlace writes where a series' value stands.
func seriesPlace(s detect.KeptSeries) string {
	return fmt.Sprintf("%s %s, %s %d", address(s.Device), unitName(s.Proto, int(s.Unit)), strings.ReplaceAll(s.Kind.String(), "-", " "), s.Index)
}

// stepped tells a value that holds until it changes from one that moves
// between its samples.
func stepped(k protocols.PointKind) bool {
	switch k {
	case protocols.KindCoil, protocols.KindDiscreteInput, protocols.KindBinaryInput, protocols.KindDoubleBitInput,
		protocols.KindBinaryOutput, protocols.KindCounter, protocols.KindFrozenCounter, protocols.KindAnalogOutput, protocols.KindAnalogDeadband:
		return true
	}
	return false
}
