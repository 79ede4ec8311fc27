package process

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
)

// decoder reads the section of a baseline file. It reads numbers and keys where
// they stand, without reflection: a million points in a fraction of a second,
// where encoding/json takes ten. Its methods do nothing once there is an error.
type decoder struct {
	data []byte
	at   int
	err  error
}

// decode reads a section: each point in order, then each pace. The point, and
// what it refers to, may be kept only until the function returns.
func decode(section []byte, point func(*savedPoint) error, pace func(*savedPace) error) error {
	d := &decoder{data: section}
	paces := -1
	known := false
	d.object(func(key string) {
		switch key {
		case "version":
			known = true
			if v := d.signed(); (v < 2 || v > version) && d.err == nil {
				d.fail(fmt.Errorf("version %d is not known, only 1 to %d", v, version))
			}
		case "tables":
			var t tableReader
			d.array(func(i int) { d.within("table %d", i, func() { d.table(&t, point) }) })
		case "paces":
			// Points are named by their places, so they have to be there.
			paces = d.at
			d.skip()
		default:
			d.skip()
		}
	})
	if d.end(); d.err == nil && !known {
		d.err = errors.New("there is no version")
	}
	if d.err != nil || paces < 0 {
		return d.err
	}
	d.at = paces
	d.array(func(i int) {
		d.within("pace %d", i, func() {
			if s := d.pace(); d.err == nil {
				d.fail(pace(&s))
			}
		})
	})
	return d.err
}

// sectionVersion finds the version of a section. Sections begin with it.
func sectionVersion(section []byte) (version int64) {
	d := &decoder{data: section}
	d.object(func(key string) {
		if key != "version" {
			d.skip()
			return
		}
		version = d.signed()
		if d.err == nil {
			d.err = errors.New("enough")
		}
	})
	return version
}

// tableReader keeps its memory from table to table.
type tableReader struct {
	runs   []constants
	values []float64
	points []savedPoint
}

// constants are points that have one value each, from index first on: values
// from and up to to.
type constants struct {
	first    uint32
	from, to int
}

func (d *decoder) table(t *tableReader, take func(*savedPoint) error) {
	var common savedPoint
	t.runs, t.values = t.runs[:0], t.values[:0]
	n := 0
	common.Low, common.High = math.Inf(-1), math.Inf(1)
	d.object(func(key string) {
		switch key {
		case "device":
			d.fail(common.Device.UnmarshalText([]byte(d.string())))
		case "proto":
			common.Proto = d.string()
		case "unit":
			common.Unit = uint16(d.unsigned(math.MaxUint16))
		case "kind":
			common.Kind = d.string()
		case "constants":
			d.array(func(int) {
				run := constants{from: len(t.values)}
				d.array(func(i int) {
					if i == 0 {
						run.first = uint32(d.unsigned(math.MaxUint32))
						return
					}
					t.values = append(t.values, d.number())
				})
				run.to = len(t.values)
				t.runs = append(t.runs, run)
			})
		case "points":
			d.array(func(int) {
				if n == len(t.points) {
					t.points = append(t.points, savedPoint{})
				}
				p := &t.points[n]
				p.reset(&common)
				d.point(p)
				n++
			})
		default:
			if !d.shared(&common, key) {
				d.skip()
			}
		}
	})
	if d.err != nil {
		return
	}
	points := t.points[:n]
	byIndex := func(a, b savedPoint) int { return int(int64(a.Index) - int64(b.Index)) }
	if !slices.IsSortedFunc(points, byIndex) || !slices.IsSortedFunc(t.runs, func(a, b constants) int { return int(int64(a.first) - int64(b.first)) }) {
		d.fail(errors.New("the points are not in the order of their index"))
		return
	}
	c := common
	c.Nature, c.States, c.Visits, c.Surprise = natureConstant.String(), []float64{0}, []uint32{1}, 0
	k := 0
	for _, r := range t.runs {
		for i, v := range t.values[r.from:r.to] {
			if c.Index = r.first + uint32(i); c.Index < r.first {
				d.fail(errors.New("a run of constants goes past the last index"))
				return
			}
			for ; k < n && points[k].Index < c.Index; k++ {
				d.fail(take(&points[k]))
			}
			c.States[0] = v
			if d.fail(take(&c)); d.err != nil {
				return
			}
		}
	}
	for ; k < n && d.err == nil; k++ {
		d.fail(take(&points[k]))
	}
}

// reset makes s a point of a table, of which only what is common is known. Its
// memory is used again.
func (s *savedPoint) reset(common *savedPoint) {
	states, visits, dwell := s.States[:0], s.Visits[:0], s.Dwell[:0]
	*s = *common
	s.States, s.Visits, s.Dwell = states, visits, dwell
}

// shared reads what points of a table may have in common. It tells whether the
// key is one of that.
func (d *decoder) shared(s *savedPoint, key string) bool {
	switch key {
	case "type":
		s.Type = d.string()
	case "n":
		s.N = uint32(d.unsigned(math.MaxUint32))
	case "seconds":
		s.Seconds = short(d.number())
	case "interval":
		s.Interval = d.signed()
	case "regular":
		s.Regular = d.boolean()
	case "flags":
		s.Flags = nil
		d.array(func(int) { s.Flags = append(s.Flags, int(d.unsigned(math.MaxUint8))) })
	case "surprise":
		s.Surprise = short(d.number())
	default:
		return false
	}
	return true
}

func (d *decoder) point(s *savedPoint) {
	d.object(func(key string) {
		switch key {
		case "index":
			s.Index = uint32(d.unsigned(math.MaxUint32))
		case "name":
			s.Name = d.string()
		case "nature":
			s.Nature = d.string()
		case "since":
			s.Since = d.signed()
		case "states":
			s.States = s.States[:0]
			d.array(func(int) { s.States = append(s.States, d.number()) })
		case "visits":
			s.Visits = s.Visits[:0]
			d.array(func(int) { s.Visits = append(s.Visits, uint32(d.unsigned(math.MaxUint32))) })
		case "transitions":
			s.Transitions = d.unsigned(math.MaxUint64)
		case "dwell":
			s.Dwell = s.Dwell[:0]
			d.array(func(int) { s.Dwell = append(s.Dwell, d.signed()) })
		case "low":
			s.Low = short(d.number())
		case "high":
			s.High = short(d.number())
		case "seen":
			s.Seen = d.pair()
		case "center":
			s.Center = short(d.number())
		case "spread":
			s.Spread = short(d.number())
		case "pace":
			s.Pace = short(d.number())
		case "drift":
			s.Drift = short(d.number())
		case "step":
			s.Step = short(d.number())
		case "grain":
			s.Grain = short(d.number())
		case "rest":
			s.Rest = d.signed()
		case "noise":
			s.Noise = d.pair()
		case "commands":
			s.Commands = new(savedCommand)
			d.value(s.Commands)
		case "prompts":
			d.value(&s.Prompts)
		case "replay":
			var v [7]float64
			d.array(func(i int) {
				x := d.number()
				if i < len(v) {
					v[i] = x
				}
			})
			ring := v[2]
			if !(ring >= 0 && ring <= maxReplayRing) {
				ring = 0
			}
			s.Replay = &savedReplay{Grid: v[0], Chance: v[1], Ring: int(ring), Again: v[3], Pairs: v[4], On: v[5], Ended: v[6]}
		case "digits":
			s.Digits = new(savedDigits)
			d.value(s.Digits)
		default:
			if !d.shared(s, key) {
				d.skip()
			}
		}
	})
}

func (d *decoder) pair() (out [2]float64) {
	d.array(func(i int) {
		v := d.number()
		if i < len(out) {
			out[i] = short(v)
		}
	})
	return out
}

func (d *decoder) pace() savedPace {
	var s savedPace
	d.object(func(key string) {
		switch key {
		case "interval":
			s.Interval = d.signed()
		case "points":
			s.Points = d.places()
		case "relations":
			s.unread = &decoder{data: d.data, at: d.at}
			d.skip()
		case "rules":
			d.value(&s.Rules)
		default:
			d.skip()
		}
	})
	return s
}

// each calls f with each relation, and reads them one by one if they are unread.
// What f is given it may keep.
func (s *savedPace) each(f func(*savedRelation) error) error {
	for i := range s.Relations {
		if err := f(&s.Relations[i]); err != nil {
			return err
		}
	}
	if s.unread == nil {
		return nil
	}
	d := *s.unread // so that it may be called again
	d.array(func(int) {
		if r := d.relation(); d.err == nil {
			d.fail(f(&r))
		}
	})
	return d.err
}

func (d *decoder) relation() savedRelation {
	var s savedRelation
	var members []savedMember
	var switches []int
	var factor []float32
	d.rest(&s, func(key string) bool {
		switch key {
		case "members":
			d.array(func(int) {
				var m savedMember
				var weights, tied, usual []float32
				d.rest(&m, func(key string) bool {
					switch key {
					case "weights":
						weights = d.weights()
					case "tied":
						tied = d.weights()
					case "usual":
						usual = d.weights()
					default:
						return false
					}
					return true
				})
				m.Weights, m.Tied, m.Usual = weights, tied, usual
				members = append(members, m)
			})
		case "switches":
			switches = d.places()
		case "factor":
			factor = d.weights()
		default:
			return false
		}
		return true
	})
	s.Members, s.Switches, s.Factor = members, switches, factor
	return s
}

// rest reads an object: the keys that take reads, and all others into v as
// encoding/json does.
func (d *decoder) rest(v any, take func(key string) bool) {
	text := append(make([]byte, 0, 256), '{')
	d.object(func(key string) {
		if take(key) {
			return
		}
		if len(text) > 1 {
			text = append(text, ',')
		}
		text = strconv.AppendQuote(text, key)
		text = append(append(text, ':'), d.skip()...)
	})
	if text = append(text, '}'); d.err == nil {
		d.fail(json.Unmarshal(text, v))
	}
}

// weights reads what encoder.weights wrote.
func (d *decoder) weights() []float32 {
	raw, err := base64.RawStdEncoding.DecodeString(d.string())
	if err == nil && len(raw)%4 != 0 {
		err = fmt.Errorf("%d octets of weights are no whole number of them", len(raw))
	}
	if d.fail(err); d.err != nil {
		return nil
	}
	out := make([]float32, len(raw)/4)
	for i := range out {
		out[i] = math.Float32frombits(binary.LittleEndian.Uint32(raw[4*i:]))
		if v := float64(out[i]); math.IsNaN(v) || math.IsInf(v, 0) {
			d.fail(errors.New("a weight is no number"))
		}
	}
	return out
}

// maxPlaces bounds what runs of places can grow to.
const maxPlaces = 4_000_000

// places reads what encoder.places wrote.
func (d *decoder) places() []int {
	var out []int
	d.array(func(int) {
		if d.peek() != '[' {
			out = append(out, int(d.unsigned(math.MaxInt32)))
			return
		}
		var run [2]int
		d.array(func(i int) {
			v := int(d.unsigned(math.MaxInt32))
			if i < len(run) {
				run[i] = v
			}
		})
		if run[1] > maxPlaces-len(out) {
			d.fail(fmt.Errorf("more than %d places", maxPlaces))
			return
		}
		out = slices.Grow(out, run[1])
		for i := range run[1] {
			out = append(out, run[0]+i)
		}
	})
	return out
}

// What follows reads JSON.

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

// object reads an object; f reads the value of each key.
func (d *decoder) object(f func(key string)) {
	if !d.expect('{') {
		return
	}
	if d.peek() == '}' {
		d.at++
		return
	}
	for d.err == nil {
		key := d.string()
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
func (d *decoder) string() string {
	if !d.expect('"') {
		return ""
	}
	from := d.at
	for d.at < len(d.data) {
		switch c := d.data[d.at]; {
		case c == '"':
			d.at++
			return intern(d.data[from : d.at-1])
		case c == '\\' || c < ' ' || c >= 0x80:
			return d.quoted(from - 1)
		}
		d.at++
	}
	d.unexpected(`'"'`)
	return ""
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

// frequent are the strings that nearly all strings of a section are.
var frequent = func() map[string]string {
	m := make(map[string]string)
	for _, w := range []string{
		"index", "nature", "states", "visits", "transitions", "dwell", "seen", "low", "high", "center", "spread", "pace", "drift", "step", "grain", "rest",
		"noise", "replay", "commands", "digits", "type", "n", "seconds", "interval", "regular", "flags", "surprise", "name", "constants", "points",
		"device", "proto", "unit", "kind", "modbus", "dnp3", "uint16", "int16", "bits16", "counter16", "float32 ABCD", "float32 CDAB",
		"point", "mean", "drifting", "scale", "lean", "bias", "limits", "clips", "weights",
	} {
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
	v, err := strconv.ParseInt(string(d.literal()), 10, 64)
	if err != nil {
		d.fail(fmt.Errorf("octet %d: %w", from, err))
	}
	return v
}

// number reads a number. Whole ones of up to 15 digits are exact without
// strconv.
func (d *decoder) number() float64 {
	d.peek()
	if d.err != nil {
		return 0
	}
	from := d.at
	if v, ok := d.whole(); ok && d.at-from <= 15 {
		return float64(v)
	}
	d.at = from
	v, err := strconv.ParseFloat(string(d.literal()), 64)
	if err != nil || math.IsInf(v, 0) {
		d.fail(fmt.Errorf("octet %d: this is no number that a binary64 holds", from))
		return 0
	}
	return v
}

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
