package process

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
)

// What is here reads JSON for the decoder.

func (d *decoder) fail(err error) {
	if d.err == nil {
		d.err = err
	}
}

// within says in an error where it was.
func (d *decoder) within(format string, i int, f func()) {
	if f(); d.err != nil {
		d.err = fmt.Errorf(format+": %w", i, d.err)
	}
}

func (d *decoder) unexpected(want string) {
	if d.err != nil {
		return
	}
	if d.at >= len(d.data) {
		d.err = fmt.Errorf("the section ends where %s should be", want)
		return
	}
	d.err = fmt.Errorf("octet %d: %q where %s should be", d.at, d.data[d.at], want)
}

// peek is the next octet that is no space, 0 at the end or after an error.
func (d *decoder) peek() byte {
	if d.err != nil {
		return 0
	}
	for d.at < len(d.data) {
		c := d.data[d.at]
		if c > ' ' {
			return c
		}
		d.at++
	}
	return 0
}

func (d *decoder) expect(c byte) bool {
	if d.peek() != c {
		d.unexpected(fmt.Sprintf("%q", c))
		return false
	}
	d.at++
	return true
}

// end makes sure that nothing follows.
func (d *decoder) end() {
	if c := d.peek(); d.err == nil && (c != 0 || d.at < len(d.data)) {
		d.unexpected("the end")
	}
}

// null reads a null, if there is one.
func (d *decoder) null() bool {
	if d.peek() == 'n' && bytes.HasPrefix(d.data[d.at:], []byte("null")) {
		d.at += 4
		return true
	}
	return false
}

// object reads an object; f reads the value of each key, which holds until then.
func (d *decoder) object(f func(key []byte)) {
	if !d.expect('{') {
		return
	}
	if d.peek() == '}' {
		d.at++
		return
	}
	for d.err == nil {
		key := d.text()
		if !d.expect(':') {
			return
		}
		if f(key); d.peek() != ',' {
			break
		}
		d.at++
	}
	if d.err == nil {
		d.expect('}')
	}
}

// array reads a list; f reads each element. null is an empty one.
func (d *decoder) array(f func(i int)) {
	if d.null() || !d.expect('[') {
		return
	}
	if d.peek() == ']' {
		d.at++
		return
	}
	for i := 0; d.err == nil; i++ {
		if f(i); d.peek() != ',' {
			break
		}
		d.at++
	}
	if d.err == nil {
		d.expect(']')
	}
}

// string reads a string. Words that come with every point are not made anew.
func (d *decoder) string() string { return intern(d.text()) }

// text reads a string, which is part of what is read if it is there as it is.
func (d *decoder) text() []byte {
	if !d.expect('"') {
		return nil
	}
	from := d.at
	for d.at < len(d.data) {
		switch c := d.data[d.at]; {
		case c == '"':
			d.at++
			return d.data[from : d.at-1]
		case c == '\\' || c < ' ' || c >= 0x80:
			return []byte(d.quoted(from - 1))
		}
		d.at++
	}
	d.unexpected(`'"'`)
	return nil
}

// quoted reads a string from its quotation mark on, with all that may be in one.
func (d *decoder) quoted(from int) string {
	d.at = from
	raw := d.skip()
	var s string
	if d.err == nil {
		d.fail(json.Unmarshal(raw, &s))
	}
	return s
}

// frequent are the strings that nearly all values that are strings are.
var frequent = func() map[string]string {
	m := make(map[string]string)
	for n := range nature(len(natureNames)) {
		m[n.String()] = n.String()
	}
	for _, w := range []string{"modbus", "dnp3", "uint16", "int16", "bits16", "counter16", "float32 ABCD", "float32 CDAB"} {
		m[w] = w
	}
	return m
}()

func intern(b []byte) string {
	if w, ok := frequent[string(b)]; ok {
		return w
	}
	return string(b)
}

func (d *decoder) boolean() bool {
	d.peek()
	switch {
	case d.err != nil:
	case bytes.HasPrefix(d.data[d.at:], []byte("true")):
		d.at += 4
		return true
	case bytes.HasPrefix(d.data[d.at:], []byte("false")):
		d.at += 5
	default:
		d.unexpected("true or false")
	}
	return false
}

// digits10 are as many decimal digits as a number of 64 bits surely holds.
const digits10 = 19

// whole reads decimal digits, at most 19; it tells whether there were any, and
// nothing but them.
func (d *decoder) whole() (v uint64, ok bool) {
	from := d.at
	for d.at < len(d.data) && d.at-from <= digits10 {
		c := d.data[d.at] - '0'
		if c > 9 {
			return v, d.at > from && (d.data[d.at]|0x20 != 'e' && d.data[d.at] != '.')
		}
		v = v*10 + uint64(c)
		d.at++
	}
	return v, d.at > from && d.at-from <= digits10
}

// unsigned reads a whole number from 0 to most.
func (d *decoder) unsigned(most uint64) uint64 {
	d.peek()
	if d.err != nil {
		return 0
	}
	from := d.at
	v, ok := d.whole()
	if !ok {
		d.at = from
		var err error
		if v, err = strconv.ParseUint(string(d.literal()), 10, 64); err != nil {
			d.fail(fmt.Errorf("octet %d: %w", from, err))
			return 0
		}
	}
	if v > most {
		d.fail(fmt.Errorf("octet %d: %d is more than %d", from, v, most))
		return 0
	}
	return v
}

// signed reads a whole number.
func (d *decoder) signed() int64 {
	d.peek()
	if d.err != nil {
		return 0
	}
	from := d.at
	if v, ok := d.whole(); ok && v <= math.MaxInt64 {
		return int64(v)
	}
	d.at = from
	v, err := strconv.ParseInt(string(d.literal()), 10, 64)
	if err != nil {
		d.fail(fmt.Errorf("octet %d: %w", from, err))
	}
	return v
}

// integer reads a whole number.
func (d *decoder) integer() int {
	v := d.signed()
	if int64(int(v)) != v {
		d.fail(fmt.Errorf("octet %d: %d is more than there can be", d.at, v))
	}
	return int(v)
}

// number reads a number, a binary64.
func (d *decoder) number() float64 {
	d.peek()
	if d.err != nil {
		return 0
	}
	from := d.at
	if v, ok := d.decimal(); ok {
		return v
	}
	d.at = from
	v, err := strconv.ParseFloat(string(d.literal()), 64)
	if err != nil || math.IsInf(v, 0) {
		d.fail(fmt.Errorf("octet %d: this is no number that a binary64 holds", from))
		return 0
	}
	return v
}

// single reads a number, a binary32.
func (d *decoder) single() float32 {
	d.peek()
	if d.err != nil {
		return 0
	}
	from := d.at
	// What is rounded twice is what is rounded once, but where the first rounding
	// makes it a half of the second.
	const half = 1 << (52 - 23 - 1)
	if v, ok := d.decimal(); ok && math.Float64bits(v)&(2*half-1) != half && (v == 0 || math.Abs(v) > 1e-30 && math.Abs(v) < 1e30) {
		return float32(v)
	}
	d.at = from
	v, err := strconv.ParseFloat(string(d.literal()), 32)
	if err != nil || math.IsInf(v, 0) {
		d.fail(fmt.Errorf("octet %d: this is no number that a binary32 holds", from))
		return 0
	}
	return float32(v)
}

// decimal reads a number that is exact without strconv: up to 15 digits, which are
// a whole number that a binary64 holds, divided by a power of ten that it holds.
// It tells whether it was one.
func (d *decoder) decimal() (v float64, ok bool) {
	at, n, minus := d.at, 0, false
	if at < len(d.data) && d.data[at] == '-' {
		minus = true
		at++
	}
	whole, point := uint64(0), -1
loop:
	for ; at < len(d.data); at++ {
		c := d.data[at]
		switch {
		case c-'0' <= 9:
			whole = whole*10 + uint64(c-'0')
			n++
		case c == '.' && point < 0 && n > 0:
			point = n
		default:
			break loop
		}
		if n > 15 {
			return 0, false
		}
	}
	if n == 0 || point == n || at < len(d.data) && (d.data[at]|0x20 == 'e' || d.data[at] == '.' || d.data[at] == '-' || d.data[at] == '+') {
		return 0, false
	}
	d.at = at
	v = float64(whole)
	if point >= 0 {
		v /= tens[n-point]
	}
	if minus {
		v = -v
	}
	return v, true
}

// tens are powers of ten.
var tens = [...]float64{1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15}

// literal is the number at this place, whatever it is worth.
func (d *decoder) literal() []byte {
	from := d.at
	for d.at < len(d.data) {
		if c := d.data[d.at]; (c < '0' || c > '9') && c != '-' && c != '+' && c != '.' && c != 'e' && c != 'E' {
			break
		}
		d.at++
	}
	return d.data[from:d.at]
}

// value reads any value as encoding/json does.
func (d *decoder) value(v any) {
	if raw := d.skip(); d.err == nil {
		d.fail(json.Unmarshal(raw, v))
	}
}

// skip returns the next value as it stands.
func (d *decoder) skip() []byte {
	d.peek()
	from, depth := d.at, 0
	for d.err == nil && d.at < len(d.data) {
		switch c := d.data[d.at]; c {
		case '"':
			d.at++
			// Most of what is skipped are long strings without escapes.
			if n := bytes.IndexByte(d.data[d.at:], '"'); n >= 0 && bytes.IndexByte(d.data[d.at:d.at+n], '\\') < 0 {
				d.at += n
				break
			}
			for ; d.at < len(d.data) && d.data[d.at] != '"'; d.at++ {
				if d.data[d.at] == '\\' {
					d.at++
				}
			}
		case '[', '{':
			depth++
		case ']', '}', ',', ':':
			if depth == 0 {
				return d.bare(from)
			}
			if c == ']' || c == '}' {
				depth--
			}
		}
		d.at++
		if depth == 0 && d.at <= len(d.data) {
			switch d.data[d.at-1] {
			case '"', ']', '}':
				return d.data[from:d.at]
			}
		}
	}
	if d.err == nil && depth == 0 && d.at == len(d.data) {
		return d.bare(from)
	}
	d.unexpected("a value")
	return nil
}

// bare is a value without brackets that ends here.
func (d *decoder) bare(from int) []byte {
	raw := bytes.TrimSpace(d.data[from:d.at])
	if len(raw) == 0 {
		d.unexpected("a value")
	}
	return raw
}
