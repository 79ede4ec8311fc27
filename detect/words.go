package detect

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/weir-ics/weir/detect/interval"
	"github.com/weir-ics/weir/protocols"
)

// This file has the words that explanations are made of.

// span says a duration of packet time as a person would: the two largest units.
func span(ns int64) string {
	d := time.Duration(ns)
	switch {
	case d < 0:
		return "0 s"
	case d < time.Millisecond:
		return decimal(float64(ns)/1e3) + " µs"
	case d < time.Second:
		return decimal(float64(ns)/1e6) + " ms"
	case d < time.Minute:
		return strconv.FormatFloat(roundTo(d.Seconds(), 2), 'f', -1, 64) + " s"
	case d < time.Hour:
		return two(int64(d/time.Minute), "min", int64(d%time.Minute/time.Second), "s")
	case d < 48*time.Hour:
		return two(int64(d/time.Hour), "h", int64(d%time.Hour/time.Minute), "min")
	}
	return two(int64(d/(24*time.Hour)), "d", int64(d%(24*time.Hour)/time.Hour), "h")
}

// decimal says a number with three digits at most, and never an exponent.
func decimal(f float64) string {
	switch {
	case f >= 100 || f <= -100:
		return strconv.FormatFloat(f, 'f', 0, 64)
	case f >= 10 || f <= -10:
		return strconv.FormatFloat(roundTo(f, 1), 'f', -1, 64)
	}
	return strconv.FormatFloat(roundTo(f, 2), 'f', -1, 64)
}

func two(a int64, unitA string, b int64, unitB string) string {
	if b == 0 {
		return fmt.Sprintf("%d %s", a, unitA)
	}
	return fmt.Sprintf("%d %s %d %s", a, unitA, b, unitB)
}

func roundTo(f float64, digits int) float64 {
	v, _ := strconv.ParseFloat(strconv.FormatFloat(f, 'f', digits, 64), 64)
	return v
}

// count says a number with thousands separated.
func count(n uint64) string {
	s := strconv.FormatUint(n, 10)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// plural says a number of things.
func plural(n uint64, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return count(n) + " " + many
}

var pointWords = [protocols.NumPointKinds][2]string{
	protocols.KindCoil:              {"coil", "coils"},
	protocols.KindDiscreteInput:     {"discrete input", "discrete inputs"},
	protocols.KindInputRegister:     {"input register", "input registers"},
	protocols.KindHoldingRegister:   {"holding register", "holding registers"},
	protocols.KindBinaryInput:       {"binary input", "binary inputs"},
	protocols.KindDoubleBitInput:    {"double-bit input", "double-bit inputs"},
	protocols.KindBinaryOutput:      {"binary output", "binary outputs"},
	protocols.KindCounter:           {"counter", "counters"},
	protocols.KindFrozenCounter:     {"frozen counter", "frozen counters"},
	protocols.KindAnalogInput:       {"analog input", "analog inputs"},
	protocols.KindAnalogOutput:      {"analog output", "analog outputs"},
	protocols.KindAnalogDeadband:    {"analog deadband", "analog deadbands"},
	protocols.KindFrozenAnalogInput: {"frozen analog input", "frozen analog inputs"},
	protocols.KindClass:             {"class", "classes"},
}

// everything is the address that stands for all of a kind (a DNP3 request that
// names no range).
const everything = ^uint32(0)

func pointWord(p PointRef) string {
	if p.Device.IsValid() {
		whose := " of " + p.Device.String()
		p.Device = netip.Addr{}
		return pointWord(p) + whose
	}
	one, many := pointWords[p.Kind][0], pointWords[p.Kind][1]
	if one == "" {
		one, many = strings.ReplaceAll(p.Kind.String(), "-", " "), strings.ReplaceAll(p.Kind.String(), "-", " ")
	}
	switch {
	case p.First == everything:
		return "all " + many
	case p.Kind == protocols.KindFileRecord && p.First == p.Last:
		return fmt.Sprintf("file %d record %d", p.First>>16, p.First&0xFFFF)
	case p.Kind == protocols.KindFileRecord:
		return fmt.Sprintf("file %d records %d to %d", p.First>>16, p.First&0xFFFF, p.Last&0xFFFF)
	case p.Name != "" && p.First == p.Last:
		return fmt.Sprintf("%s (%s %d)", p.Name, one, p.First)
	case p.First == p.Last:
		return fmt.Sprintf("%s %d", one, p.First)
	}
	return fmt.Sprintf("%s %d to %d", many, p.First, p.Last)
}

func pointWordsOf(points []PointRef) string {
	const most = 4
	var parts []string
	for i, p := range points {
		if i == most {
			parts = append(parts, fmt.Sprintf("and %d more", len(points)-most))
			break
		}
		parts = append(parts, pointWord(p))
	}
	return strings.Join(parts, ", ")
}

// pointsOf turns ranges into points for an alert, at most 16.
func pointsOf(ranges []protocols.Range) []PointRef { return appendPoints(nil, ranges) }

func appendPoints(out []PointRef, ranges []protocols.Range) []PointRef {
	for _, r := range ranges {
		if len(out) == 16 {
			break
		}
		run := runOf(r)
		out = append(out, PointRef{Kind: r.Kind, First: run.First, Last: run.Last})
	}
	return out
}

// runOf turns a range into a run of addresses.
func runOf(r protocols.Range) interval.Run {
	if r.Count == 0 {
		if r.Kind == protocols.KindClass {
			return interval.Run{First: r.First, Last: r.First}
		}
		return interval.Run{First: everything, Last: everything}
	}
	last := r.First + r.Count - 1
	if last < r.First {
		last = everything
	}
	return interval.Run{First: r.First, Last: last}
}

// setWords says which values a message sets, as a sentence; empty if it sets
// none.
func setWords(points []protocols.Point) string {
	const most = 4
	var parts []string
	more := 0
	for i := range points {
		p := &points[i]
		if p.Has&protocols.HasValue == 0 || p.Access != protocols.AccessWrite && p.Access != protocols.AccessOperate && p.Access != protocols.AccessSelect {
			continue
		}
		if len(parts) == most {
			more++
			continue
		}
		parts = append(parts, pointWord(PointRef{Kind: p.Kind, First: p.Index, Last: p.Index})+" to "+valueWord(p))
	}
	if len(parts) == 0 {
		return ""
	}
	s := " It set " + strings.Join(parts, ", ")
	if more > 0 {
		s += fmt.Sprintf(" and %d more", more)
	}
	return s + "."
}

func valueWord(p *protocols.Point) string {
	switch {
	case p.Kind == protocols.KindCoil && p.Value == 0:
		return "off"
	case p.Kind == protocols.KindCoil:
		return "on"
	case p.Kind == protocols.KindBinaryOutput && p.Variation != 0:
		return fmt.Sprintf("control code %.0f", p.Value)
	}
	return strconv.FormatFloat(p.Value, 'g', -1, 64)
}

// functionWord names a function in a sentence.
func functionWord(name string, function uint8) string {
	if name == "" {
		return fmt.Sprintf("function %d", function)
	}
	return fmt.Sprintf("%s (function %d)", name, function)
}

func addr(ip netip.Addr) string {
	if !ip.IsValid() {
		return hostless
	}
	return ip.String()
}

const hostless = "a host without address"

func appendAddr(b []byte, ip netip.Addr) []byte {
	if !ip.IsValid() {
		return append(b, hostless...)
	}
	return ip.AppendTo(b)
}

// did says what an effect is in a sentence: "read", "wrote to"...
var did = [protocols.NumEffects]string{
	protocols.EffectNone: "spoke to", protocols.Read: "read from", protocols.Write: "wrote to", protocols.Control: "operated",
	protocols.Configure: "configured", protocols.Program: "accessed the program of", protocols.Restart: "restarted",
	protocols.Diagnose: "asked for the diagnostics of", protocols.Time: "set the clock of", protocols.FileAccess: "accessed files on",
	protocols.Session: "opened a session with",
}
