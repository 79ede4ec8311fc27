package tags

import (
	"math"
	"slices"

	"github.com/weir-ics/weir/detect"
	"github.com/weir-ics/weir/protocols"
)

// Readings are what Read gives out. Values are those of the readings, one
// reading after the other.
type Readings struct {
	Readings []detect.Reading
	Values   []detect.Value
	// Late are the samples from the moment on at which watching begins until
	// Adopt: they are of registers whose types are not settled yet.
	Late []detect.Sample
	// Each makes Read give out a sample for each value besides, in Samples.
	Each    bool
	Samples []detect.Sample
}

// Reset empties r.
func (r *Readings) Reset() {
	r.Readings, r.Values, r.Late, r.Samples = r.Readings[:0], r.Values[:0], r.Late[:0], r.Samples[:0]
}

const (
	// shortest is the least length of a run of points that is worth a span.
	shortest = 4
	// maxSpans bounds the spans of a table, and maxShare how many series they
	// hold together, as a multiple of those of the table. What does not fit is
	// given out value by value.
	maxSpans = 16
	maxShare = 4
)

// spans are the runs of points in which a table is reported.
type spans struct {
	list []*span
	// series is how many those that are made hold, next where the next takes the
	// place of one that is not.
	series, next int
}

// span is a run of points that was reported once, or is reported again and
// again: then it is made.
type span struct {
	detect.Span
	first uint32
	// points is how many points it has.
	points int
	made   bool
	// places is, for each point, the place of its value among the series, or -1;
	// starts, for each place, which point its value begins with. Both are nil where
	// each point is a value.
	places, starts []int32
	// refused and partial are how many points are refused, and not whole.
	refused, partial uint64
}

// Read is Observe for who does not need each value: what is reported again and
// again comes as readings of spans, in which only changes are spelled out. It
// appends to out.
func (x *Extractor) Read(e *protocols.Event, out *Readings) {
	key, ok := keyOf(e)
	if !ok {
		return
	}
	learning := x.learns(e)
	if x.settings.Learn && !learning {
		x.points(e, key, e.Points, false, func(v found) { out.Late = append(out.Late, v.sample(e)) })
		return
	}
	readings := len(out.Readings)
	defer func() {
		for i := readings; i+1 < len(out.Readings); i++ {
			out.Readings[i].More = true
		}
	}()
	points := e.Points
	single := 0 // points from here on up to i are given one by one
	for i := 0; i < len(points); {
		n := run(points[i:])
		if n < shortest {
			i += max(n, 1)
			continue
		}
		key.kind = points[i].Kind
		s := x.spanOf(key, points[i:i+n])
		if s == nil {
			i += n
			continue
		}
		x.singles(e, key, points[single:i], learning, out)
		if !x.again(e, key, s, points[i:i+n], learning, out) {
			x.singles(e, key, points[i:i+n], learning, out)
		}
		i += n
		single = i
	}
	x.singles(e, key, points[single:], learning, out)
}

// run is how many points, from the first on, are a run of neighbouring values
// that a device reports as they are.
func run(points []protocols.Point) int {
	first := &points[0]
	if first.Has&(protocols.HasValue|protocols.IsEvent) != protocols.HasValue || first.Access != protocols.AccessReport ||
		first.Kind >= protocols.NumPointKinds || !extracted[first.Kind] {
		return 0
	}
	n := 1
	for n < len(points) {
		p := &points[n]
		if p.Kind != first.Kind || p.Index != first.Index+uint32(n) || p.Access != first.Access || p.Has != first.Has {
			break
		}
		n++
	}
	return n
}

// singles gives out points one by one, as a reading without a span.
func (x *Extractor) singles(e *protocols.Event, key tableKey, points []protocols.Point, learning bool, out *Readings) {
	if len(points) == 0 {
		return
	}
	values, samples := len(out.Values), len(out.Samples)
	x.points(e, key, points, learning, func(v found) {
		p := v.point
		out.Values = append(out.Values, detect.Value{Series: v.series, Value: v.value, Access: p.Access, Flags: p.Flags, HasFlags: p.Has&protocols.HasFlags != 0})
		if out.Each {
			out.Samples = append(out.Samples, v.sample(e))
		}
	})
	if len(out.Values) > values {
		out.Readings = append(out.Readings, detect.Reading{Time: e.Time, Clock: e.Clock, Frame: e.Frame, Client: e.Client().IP,
			Values: len(out.Values) - values, Samples: len(out.Samples) - samples})
	}
}

// spanOf finds the span of a run of points, or makes it when it comes for the
// second time. It returns nil if there is none.
func (x *Extractor) spanOf(key tableKey, points []protocols.Point) *span {
	t := x.table(key)
	if t == nil {
		return nil
	}
	for _, s := range t.spans.list {
		if s.first == points[0].Index && s.points == len(points) {
			if s.made || x.makeSpan(key, t, s, points) {
				return s
			}
			return nil
		}
	}
	s := &span{first: points[0].Index, points: len(points)}
	if len(t.spans.list) < maxSpans {
		t.spans.list = append(t.spans.list, s)
		return nil
	}
	for range maxSpans {
		i := t.spans.next
		t.spans.next = (i + 1) % maxSpans
		if !t.spans.list[i].made {
			t.spans.list[i] = s
			break
		}
	}
	return nil
}

// makeSpan fills in what a span holds. It tells whether there was room.
func (x *Extractor) makeSpan(key tableKey, t *table, s *span, points []protocols.Point) bool {
	if t.spans.series+len(points) > maxShare*t.series {
		return false
	}
	registers := key.proto == protocols.ProtoModbus && isRegister(key.kind)
	s.refused, s.partial = 0, 0
	s.Series = make([]*detect.Series, 0, len(points))
	s.places, s.starts = make([]int32, len(points)), make([]int32, 0, len(points))
	for i := 0; i < len(points); {
		slot := x.slot(key, points[i].Index)
		if slot.page == nil {
			return false
		}
		s.places[i] = -1
		n := 1
		switch slot.state() {
		case slotNew:
			return false // it was seen once, and there was no room
		case slotInner:
			s.partial++
		case slotRefused:
			s.refused++
		case slotValue:
			if registers {
				n = x.scales[slot.scaling()].encoding.Type.Registers()
			}
			if i+n > len(points) {
				s.partial++
				for ; i < len(points); i++ {
					s.places[i] = -1
				}
				continue
			}
			for k := range n {
				s.places[i+k] = int32(len(s.Series))
			}
			s.starts = append(s.starts, int32(i))
			s.Series = append(s.Series, slot.series())
		}
		i += n
	}
	t.spans.series += len(points)
	s.made = true
	if len(s.Series) == len(points) {
		s.places, s.starts = nil, nil
	} else {
		s.Series = slices.Clip(slices.Clone(s.Series))
	}
	return true
}

// place is the place of a point's value among the series, or -1.
func (s *span) place(point int) int32 {
	if s.places == nil {
		return int32(point)
	}
	return s.places[point]
}

// start is which point the value at a place begins with.
func (s *span) start(place int32) int32 {
	if s.starts == nil {
		return place
	}
	return s.starts[place]
}

// again takes in a run of points that s holds. It tells whether it could: what is
// no number has to be left out by its own.
func (x *Extractor) again(e *protocols.Event, key tableKey, s *span, points []protocols.Point, learning bool, out *Readings) bool {
	t := x.table(key)
	registers := key.proto == protocols.ProtoModbus && isRegister(key.kind)
	values := len(out.Values)
	last := int32(-1)
	for i := 0; i < len(points); {
		// The points of a page at a time.
		page := t.pageOf(points[i].Index)
		at := points[i].Index % pageSize
		n := min(len(points)-i, pageSize-int(at))
		was, flags := page.values[at:][:n], page.seenFlags()[at:][:n]
		part := points[i:][:n]
		for k := range part {
			p := &part[k]
			if p.Value == float64(was[k]) && flagsOf(p) == flags[k] {
				continue
			}
			place := s.place(i + k)
			if place < 0 || place == last {
				continue
			}
			last = place
			v, ok := x.read(t, s, place, points, registers)
			if !ok {
				out.Values = out.Values[:values]
				return false
			}
			out.Values = append(out.Values, detect.Value{Series: s.Series[place], Value: v, Place: place,
				Access: p.Access, Flags: p.Flags, HasFlags: p.Has&protocols.HasFlags != 0})
		}
		i += n
	}
	for i := values; i < len(out.Values); i++ {
		start := s.start(out.Values[i].Place)
		for k := int(start); k < len(points) && s.place(k) == out.Values[i].Place; k++ {
			p := &points[k]
			remember(t.pageOf(p.Index), p)
		}
	}
	if learning && registers {
		for i := range points {
			if t.slotOf(points[i].Index).learning() {
				x.learn(key, points, i)
			}
		}
	}
	samples := len(out.Samples)
	if out.Each {
		x.all(e, t, s, points, registers, out)
	}
	x.stats.Refused += s.refused
	x.stats.Partial += s.partial
	x.stats.Samples += uint64(len(s.Series))
	out.Readings = append(out.Readings, detect.Reading{Time: e.Time, Clock: e.Clock, Frame: e.Frame, Client: e.Client().IP,
		Span: &s.Span, Values: len(out.Values) - values, Samples: len(out.Samples) - samples})
	return true
}

// all gives out a sample for each value of a span.
func (x *Extractor) all(e *protocols.Event, t *table, s *span, points []protocols.Point, registers bool, out *Readings) {
	out.Samples = slices.Grow(out.Samples, len(s.Series)) // not by doubling: where steps fall behind, each batch has a list of its own
	for place := range s.Series {
		p := &points[s.start(int32(place))]
		if v, ok := x.read(t, s, int32(place), points, registers); ok {
			out.Samples = append(out.Samples, found{t.slotOf(p.Index).series(), p, v}.sample(e))
		}
	}
}

// read reads the value at a place of s; ok tells whether it is a number.
func (x *Extractor) read(t *table, s *span, place int32, points []protocols.Point, registers bool) (v float64, ok bool) {
	start := s.start(place)
	p := &points[start]
	w := &x.scales[t.slotOf(p.Index).scaling()]
	v = p.Value
	if registers {
		var r [4]uint16
		n := w.encoding.Type.Registers()
		for k := range n {
			r[k] = uint16(points[int(start)+k].Value)
		}
		v = w.encoding.Decode(r[:n])
	}
	v = v*w.scale + w.offset
	return v, !math.IsNaN(v) && !math.IsInf(v, 0)
}

// pageOf finds a page that there is.
func (t *table) pageOf(index uint32) *page {
	if number := index >> pageBits; t.at == nil || t.number != number {
		t.at, t.number = t.pages[number], number
	}
	return t.at
}

// slotOf finds an address whose page there is.
func (t *table) slotOf(index uint32) slot { return slot{t.pageOf(index), index % pageSize} }
