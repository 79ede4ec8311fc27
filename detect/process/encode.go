package process

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/netip"
	"slices"
	"strconv"
)

// encoder writes the section of a baseline file. A plant has up to a million
// points, most of which never change and were seen as often as their
// neighbours, so points are written a table at a time: what most points of a
// table have in common stands once, constants are runs of values, and every
// other point has a line of its own, so that two files can be compared by lines.
type encoder struct {
	// to is where dst is passed on to when it is long; nil for nowhere.
	to  io.Writer
	dst []byte
	// err is the first number that JSON cannot hold, or the first that to raised.
	err error
}

// passEvery is how many octets are passed on at a time.
const passEvery = 64 << 10

// pass passes on what there is, if that is as much.
func (w *encoder) pass(least int) {
	if w.to == nil || len(w.dst) < least {
		return
	}
	if w.err == nil {
		_, w.err = w.to.Write(w.dst)
	}
	w.dst = w.dst[:0]
}

// tableKey is the table of a device that a point is in.
type tableKey struct {
	Device netip.Addr
	Proto  string
	Unit   uint16
	Kind   string
}

func (s *savedPoint) table() tableKey { return tableKey{s.Device, s.Proto, s.Unit, s.Kind} }

// begin starts a section, end completes it.
func (w *encoder) begin() {
	w.dst = fmt.Appendf(w.dst, "{\"version\":%d,\n\"tables\":[", version)
}

func (w *encoder) end() { w.dst = append(w.dst, '}') }

// paces writes so many paces, after all tables.
func (w *encoder) paces(n int, pace func(i int) savedPace) {
	w.dst = append(w.dst, "\n]"...)
	if n == 0 {
		return
	}
	w.dst = append(w.dst, ",\n\"paces\":["...)
	for i := range n {
		w.next(i)
		s := pace(i)
		w.pace(&s)
	}
	w.dst = append(w.dst, "\n]"...)
}

// next begins a line of a list.
func (w *encoder) next(i int) {
	if i > 0 {
		w.dst = append(w.dst, ',')
	}
	w.dst = append(w.dst, '\n')
}

// shared is what most points of a table have in common.
type shared struct {
	Type     string
	N        uint32
	Seconds  float64
	Interval int64
	Regular  bool
	// Flags are octets, so that the whole can be compared.
	Flags    string
	Surprise float64
}

func (s *savedPoint) shared() shared {
	return shared{s.Type, s.N, s.Seconds, s.Interval, s.Regular, s.flags(), short(s.Surprise)}
}

func (s *savedPoint) flags() string {
	var octets [maxFlags]byte
	n := min(len(s.Flags), maxFlags)
	for i, f := range s.Flags[:n] {
		octets[i] = byte(f)
	}
	return string(octets[:n])
}

// short rounds to what a binary32 holds, seven digits: enough for what is
// estimated, and half as long in the file. What has no place in one stays.
func short(v float64) float64 {
	if f := float32(v); !math.IsInf(float64(f), 0) && (f != 0 || v == 0) {
		return float64(f)
	}
	return v
}

// commonest is the value that most points have, the first of those that as many
// have.
func commonest[T comparable](points []savedPoint, of func(*savedPoint) T) (best T) {
	count := make(map[T]int)
	for i := range points {
		count[of(&points[i])]++
	}
	most := 0
	for i := range points {
		if v := of(&points[i]); count[v] > most {
			best, most = v, count[v]
		}
	}
	return best
}

func sharedOf(points []savedPoint) shared {
	c := shared{
		Type:     commonest(points, func(s *savedPoint) string { return s.Type }),
		N:        commonest(points, func(s *savedPoint) uint32 { return s.N }),
		Seconds:  commonest(points, func(s *savedPoint) float64 { return s.Seconds }),
		Interval: commonest(points, func(s *savedPoint) int64 { return s.Interval }),
		Regular:  commonest(points, func(s *savedPoint) bool { return s.Regular }),
		Flags:    commonest(points, (*savedPoint).flags),
	}
	c.Surprise = commonest(slices.DeleteFunc(slices.Clone(points), func(s savedPoint) bool { return s.Surprise == 0 }),
		func(s *savedPoint) float64 { return short(s.Surprise) })
	return c
}

// plain tells whether there is nothing to be said of a point but its value.
func (s *savedPoint) plain(c *shared) bool {
	if s.Nature != natureConstant.String() || len(s.States) != 1 || s.Name != "" || s.Since != 0 || s.Commands != nil || s.Replay != nil || s.Digits != nil {
		return false
	}
	own := s.shared()
	own.Surprise = c.Surprise
	return own == *c
}

// table writes the points of a table, which are in the order of their index.
// first tells that it is the first table.
func (w *encoder) table(points []savedPoint, first bool) {
	w.next(map[bool]int{true: 0, false: 1}[first])
	k := points[0].table()
	c := sharedOf(points)
	w.dst = append(w.dst, `{"device":`...)
	device, err := k.Device.MarshalText()
	w.err = cmp.Or(w.err, err)
	w.string(string(device))
	w.text("proto", k.Proto)
	w.integer("unit", int64(k.Unit))
	w.text("kind", k.Kind)
	w.shared(&c, &shared{})
	inRun, runs := false, 0
	var last uint32
	for i := range points {
		s := &points[i]
		if !s.plain(&c) {
			continue
		}
		switch {
		case runs == 0:
			w.dst = append(w.dst, `,"constants":[[`...)
		case !inRun || s.Index != last+1:
			w.dst = append(w.dst, `],[`...)
		}
		if runs == 0 || !inRun || s.Index != last+1 {
			w.dst = strconv.AppendUint(w.dst, uint64(s.Index), 10)
			runs++
		}
		w.dst = append(w.dst, ',')
		w.number(s.States[0])
		inRun, last = true, s.Index
	}
	if runs > 0 {
		w.dst = append(w.dst, `]]`...)
	}
	n := 0
	for i := range points {
		if s := &points[i]; !s.plain(&c) {
			if n == 0 {
				w.dst = append(w.dst, `,"points":[`...)
			}
			w.next(n)
			w.point(s, &c)
			n++
		}
	}
	if n > 0 {
		w.dst = append(w.dst, ']')
	}
	w.dst = append(w.dst, '}')
}

// shared writes in what s differs from c.
func (w *encoder) shared(s, c *shared) {
	if s.Type != c.Type {
		w.text("type", s.Type)
	}
	if s.N != c.N {
		w.integer("n", int64(s.N))
	}
	if s.Seconds != c.Seconds {
		w.short("seconds", s.Seconds)
	}
	if s.Interval != c.Interval {
		w.integer("interval", s.Interval)
	}
	if s.Regular != c.Regular {
		w.key("regular")
		w.dst = strconv.AppendBool(w.dst, s.Regular)
	}
	if s.Flags != c.Flags {
		w.key("flags")
		w.dst = append(w.dst, '[')
		for i := range len(s.Flags) {
			w.comma(i)
			w.dst = strconv.AppendUint(w.dst, uint64(s.Flags[i]), 10)
		}
		w.dst = append(w.dst, ']')
	}
	if s.Surprise != c.Surprise {
		w.short("surprise", s.Surprise)
	}
}

func (w *encoder) point(s *savedPoint, c *shared) {
	w.dst = append(w.dst, `{"index":`...)
	w.dst = strconv.AppendUint(w.dst, uint64(s.Index), 10)
	if s.Name != "" {
		w.text("name", s.Name)
	}
	w.text("nature", s.Nature)
	if s.Since != 0 {
		w.integer("since", s.Since)
	}
	own := s.shared()
	if len(s.States) > 0 {
		own.Surprise = c.Surprise // a state has none
	}
	w.shared(&own, c)
	if len(s.States) > 0 {
		w.key("states")
		w.list(s.States)
		w.key("visits")
		w.dst = append(w.dst, '[')
		for i, v := range s.Visits {
			w.comma(i)
			w.dst = strconv.AppendUint(w.dst, uint64(v), 10)
		}
		w.dst = append(w.dst, ']')
	} else {
		w.key("seen")
		w.pair(s.Seen)
	}
	if len(s.Dwell) > 0 {
		w.key("transitions")
		w.dst = strconv.AppendUint(w.dst, s.Transitions, 10)
		w.key("dwell")
		w.dst = append(w.dst, '[')
		for i, v := range s.Dwell {
			w.comma(i)
			w.dst = strconv.AppendInt(w.dst, v, 10)
		}
		w.dst = append(w.dst, ']')
	}
	if !math.IsInf(s.Low, 0) {
		w.short("low", s.Low)
	}
	if !math.IsInf(s.High, 0) {
		w.short("high", s.High)
	}
	for _, f := range [...]struct {
		name string
		v    float64
	}{{"center", s.Center}, {"spread", s.Spread}, {"pace", s.Pace}, {"drift", s.Drift}, {"step", s.Step}, {"grain", s.Grain}} {
		if f.v != 0 {
			w.short(f.name, f.v)
		}
	}
	if s.Rest != 0 {
		w.integer("rest", s.Rest)
	}
	if s.Noise[0] < s.Noise[1] {
		w.key("noise")
		w.pair(s.Noise)
	}
	// The rare parts are few, and can take their time.
	if s.Commands != nil {
		w.json("commands", s.Commands)
	}
	if len(s.Prompts) > 0 {
		w.json("prompts", s.Prompts)
	}
	if r := s.Replay; r != nil {
		w.key("replay")
		w.dst = append(w.dst, '[')
		for i, v := range [...]float64{r.Grid, r.Chance, float64(r.Ring), r.Again, r.Pairs, r.On, r.Ended} {
			w.comma(i)
			w.number(v)
		}
		w.dst = append(w.dst, ']')
	}
	if s.Digits != nil {
		w.json("digits", s.Digits)
	}
	w.dst = append(w.dst, '}')
}

func (w *encoder) pace(s *savedPace) {
	w.dst = append(w.dst, `{"interval":`...)
	w.dst = strconv.AppendInt(w.dst, s.Interval, 10)
	w.key("points")
	w.places(s.Points)
	if n := len(s.Relations); n+s.relations > 0 {
		w.dst = append(w.dst, ",\n\"relations\":["...)
		for i := range n + s.relations {
			w.next(i)
			if i < n {
				w.relation(&s.Relations[i])
			} else {
				r := s.relation(i - n)
				w.relation(&r)
			}
			w.pass(passEvery)
		}
		w.dst = append(w.dst, ']')
	}
	if len(s.Rules) > 0 {
		w.dst = append(w.dst, ",\n\"rules\":["...)
		for i := range s.Rules {
			w.next(i)
			w.value(&s.Rules[i])
		}
		w.dst = append(w.dst, ']')
	}
	w.dst = append(w.dst, '}')
}

func (w *encoder) relation(r *savedRelation) {
	// What has no form of its own here is written as it is declared; weights and
	// switches are most of it, and have.
	head := *r
	head.Members, head.Switches, head.Factor = nil, nil, nil
	w.value(&head)
	w.dst = w.dst[:len(w.dst)-1]
	if len(r.Switches) > 0 {
		w.key("switches")
		w.places(r.Switches)
	}
	w.weights("factor", r.Factor)
	w.key("members")
	w.dst = append(w.dst, '[')
	for i := range r.Members {
		w.next(i)
		m := r.Members[i]
		weights, tied, usual := m.Weights, m.Tied, m.Usual
		m.Weights, m.Tied, m.Usual = nil, nil, nil
		w.value(&m)
		w.dst = w.dst[:len(w.dst)-1]
		w.weights("weights", weights)
		w.weights("tied", tied)
		w.weights("usual", usual)
		w.dst = append(w.dst, '}')
	}
	w.dst = append(w.dst, `]}`...)
}

// weights writes numbers that nobody reads, a hundred a point: base64 of IEEE 754
// binary32, least significant octet first.
func (w *encoder) weights(name string, list []float32) {
	if len(list) == 0 {
		return
	}
	w.key(name)
	raw := make([]byte, 0, 4*len(list))
	for _, v := range list {
		w.check(float64(v))
		raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(v))
	}
	w.dst = append(w.dst, '"')
	w.dst = append(base64.RawStdEncoding.AppendEncode(w.dst, raw), '"')
}

// places writes places in the list of points: a number, or the first and the
// number of a run.
func (w *encoder) places(list []int) {
	w.dst = append(w.dst, '[')
	for i := 0; i < len(list); {
		n := 1
		for i+n < len(list) && list[i+n] == list[i]+n {
			n++
		}
		w.comma(i)
		if n > 2 {
			w.dst = fmt.Appendf(w.dst, "[%d,%d]", list[i], n)
		} else {
			w.dst, n = strconv.AppendInt(w.dst, int64(list[i]), 10), 1
		}
		i += n
	}
	w.dst = append(w.dst, ']')
}

func (w *encoder) comma(i int) {
	if i > 0 {
		w.dst = append(w.dst, ',')
	}
}

func (w *encoder) key(name string) {
	w.dst = append(w.dst, ',', '"')
	w.dst = append(w.dst, name...)
	w.dst = append(w.dst, '"', ':')
}

func (w *encoder) text(name, v string) {
	w.key(name)
	w.string(v)
}

func (w *encoder) string(v string) { w.value(v) }

func (w *encoder) integer(name string, v int64) {
	w.key(name)
	w.dst = strconv.AppendInt(w.dst, v, 10)
}

func (w *encoder) short(name string, v float64) {
	w.key(name)
	w.estimate(v)
}

func (w *encoder) pair(v [2]float64) {
	w.dst = append(w.dst, '[')
	w.estimate(v[0])
	w.dst = append(w.dst, ',')
	w.estimate(v[1])
	w.dst = append(w.dst, ']')
}

func (w *encoder) json(name string, v any) {
	w.key(name)
	w.value(v)
}

func (w *encoder) value(v any) {
	raw, err := json.Marshal(v)
	w.err = cmp.Or(w.err, err)
	w.dst = append(w.dst, raw...)
}

func (w *encoder) list(values []float64) {
	w.dst = append(w.dst, '[')
	for i, v := range values {
		w.comma(i)
		w.number(v)
	}
	w.dst = append(w.dst, ']')
}

func (w *encoder) number(v float64) {
	w.check(v)
	w.dst = strconv.AppendFloat(w.dst, v, 'g', -1, 64)
}

// estimate writes a number with seven digits (see short).
func (w *encoder) estimate(v float64) {
	w.check(v)
	v = short(v)
	bits := 64
	if float64(float32(v)) == v {
		bits = 32
	}
	w.dst = strconv.AppendFloat(w.dst, v, 'g', -1, bits)
}

func (w *encoder) check(v float64) {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		w.err = cmp.Or(w.err, fmt.Errorf("%g cannot be written as JSON", v))
	}
}

// encode writes a whole section whose points are in order.
func (b *baseline) encode() (json.RawMessage, error) {
	var w encoder
	w.begin()
	for i := 0; i < len(b.Points); {
		n := 1
		for i+n < len(b.Points) && b.Points[i+n].table() == b.Points[i].table() {
			n++
		}
		w.table(b.Points[i:i+n], i == 0)
		i += n
	}
	w.paces(len(b.Tickers), func(i int) savedPace { return b.Tickers[i] })
	w.end()
	if w.err != nil {
		return nil, w.err
	}
	return bytes.Clone(w.dst), nil
}
