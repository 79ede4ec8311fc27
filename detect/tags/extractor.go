package tags

import (
	"math"
	"net/netip"

	"github.com/weir-ics/weir/detect"
	"github.com/weir-ics/weir/protocols"
)

// extracted are the point kinds whose values are numbers worth a time series.
var extracted = [protocols.NumPointKinds]bool{
	protocols.KindCoil: true, protocols.KindDiscreteInput: true,
	protocols.KindInputRegister: true, protocols.KindHoldingRegister: true,
	protocols.KindBinaryInput: true, protocols.KindDoubleBitInput: true, protocols.KindBinaryOutput: true,
	protocols.KindCounter: true, protocols.KindFrozenCounter: true,
	protocols.KindAnalogInput: true, protocols.KindFrozenAnalogInput: true,
	protocols.KindAnalogDeadband: true, protocols.KindAnalogOutput: true,
}

// Settings bound an Extractor.
type Settings struct {
	// MaxSeries is how many series there are at most; beyond that, new ones are
	// refused and counted. 0 is 1,000,000. Where several extractors share the
	// traffic it is for all of them (see Bound).
	MaxSeries int
	// Learn makes it gather what is needed to infer types (see Infer); without,
	// registers that the list does not name stay unsigned 16-bit integers.
	Learn bool
	// Until gives the packet time at which watching begins: events from then on
	// are not gathered any more, wherever a batch ends. nil is never.
	Until func() int64
	// MaxLearned is how many registers are gathered for that at most, by all
	// extractors (see Bound). 0 is 200,000.
	MaxLearned int
}

// Extractor turns Events into samples. One goroutine at a time uses it: all
// traffic of a device with one client comes to the same one.
type Extractor struct {
	list     *List
	settings Settings
	tables   map[tableKey]*table
	// last is the table of the last point: most messages carry one kind.
	lastKey tableKey
	last    *table
	series  int
	// lessons are what type inference gathers, lesson the last of them.
	lessons   map[tableKey]*lesson
	lessonKey tableKey
	lesson    *lesson
	learned   int
	labels    detect.Labels
	// free are series that are made already, scales the ways of reading that tags
	// ask for; the first is that of no tag.
	free   []detect.Series
	scales []scaling
	// freePages are pages that are made already, pages is how many are in use.
	freePages []page
	pages     int
	// full and sated are set while there is no room for more series, and for
	// more registers to learn the types of.
	full, sated bool
	stats       Stats
}

// Stats count what an Extractor did.
type Stats struct {
	// Samples is how many were given out, Series how many series there are.
	Samples, Series uint64
	// Refused counts values of points beyond MaxSeries, Partial those of which
	// not all registers were in the message, NotNumbers those that decode to no
	// finite number.
	Refused, Partial, NotNumbers uint64
	// Unlearned counts values of registers beyond MaxLearned.
	Unlearned uint64
}

// Each calls f with each counter and its stable name.
func (s *Stats) Each(f func(name string, value uint64)) {
	f("tags.samples", s.Samples)
	f("tags.series", s.Series)
	f("tags.refused", s.Refused)
	f("tags.partial", s.Partial)
	f("tags.not-numbers", s.NotNumbers)
	f("tags.unlearned", s.Unlearned)
}

// tableKey is one table of one device, as one client sees it. Different clients
// read at different moments: mixing them would make moves of what is only time.
// It also makes what an extractor holds the same however traffic is shared out.
type tableKey struct {
	device netip.Addr
	client netip.Addr
	unit   uint16
	kind   protocols.PointKind
	proto  protocols.Proto
}

// table holds the slots of one table, by pages: register maps are sparse.
type table struct {
	pages map[uint32]*page
	// at is the page last used, number its number.
	at     *page
	number uint32
	// series is how many there are in it, name what they have in common.
	series int
	name   *detect.Table
	spans  spans
}

// page holds what is known of neighbouring addresses, one kind of thing after the
// other, because most of it is not needed to see that nothing has changed. Values are
// what was last reported there: NaN, which is not even equal to itself, where that
// made no sample. Nor is a value that has no place in a binary32 equal to what is kept
// of it: it is given out as if it had changed, which costs time but changes nothing.
type page struct {
	series [pageSize]*detect.Series
	how    [pageSize]how
	values [pageSize]float32
	// flags are those that came with the values, none as long as there were none.
	flags *[pageSize]uint16
}

const (
	pageBits = 6
	pageSize = 1 << pageBits
)

// how is how an address is read: its place in the Extractor's scales, whether type
// inference gathers it, and its state. There is one for each address of a large site,
// so it is small.
type how uint32

const (
	howLearning = 1 << 2
	howScaling  = 3 // bits
)

func howOf(scaling uint32, learning bool, state slotState) how {
	h := how(scaling)<<howScaling | how(state)
	if learning {
		h |= howLearning
	}
	return h
}

// slot is an address in its page; one beyond the cap has no page.
type slot struct {
	page *page
	at   uint32
}

func (s slot) state() slotState {
	if s.page == nil {
		return slotRefused
	}
	return slotState(s.page.how[s.at] & 3)
}

func (s slot) learning() bool         { return s.page.how[s.at]&howLearning != 0 }
func (s slot) scaling() uint32        { return uint32(s.page.how[s.at] >> howScaling) }
func (s slot) series() *detect.Series { return s.page.series[s.at] }

func (s slot) set(series *detect.Series, h how) {
	s.page.series[s.at], s.page.how[s.at] = series, h
}

var nan32 = float32(math.NaN())

// noFlags stands for those of all pages that have none. It is never written.
var noFlags [pageSize]uint16

// seenFlags are the flags that came with the values.
func (p *page) seenFlags() *[pageSize]uint16 {
	if p.flags == nil {
		return &noFlags
	}
	return p.flags
}

// mostPages is how many pages are made at a time at most: with what the allocator
// adds, just under 32 KiB.
const mostPages = 31

// newPage makes an empty page. They are made some at a time, as many as there were: a
// single one would take an eighth more.
func (x *Extractor) newPage() *page {
	if len(x.freePages) == 0 {
		x.freePages = make([]page, min(x.pages+1, mostPages))
	}
	p := &x.freePages[0]
	x.freePages = x.freePages[1:]
	x.pages++
	for i := range p.values {
		p.values[i] = nan32
	}
	return p
}

// scaling is how a value is read from its registers. Nearly all of a plant are
// read in one of few ways.
type scaling struct {
	encoding      Encoding
	scale, offset float64
}

// maxScan bounds how many ways of reading are searched for one that is the same.
const maxScan = 256

// scalingOf finds or makes a way of reading.
func (x *Extractor) scalingOf(w scaling) uint32 {
	n := len(x.scales)
	for i := max(0, n-maxScan); i < n; i++ {
		if x.scales[i] == w {
			return uint32(i)
		}
	}
	x.scales = append(x.scales, w)
	return uint32(n)
}

type slotState uint8

const (
	slotNew slotState = iota
	// slotValue starts a value, of one or more registers.
	slotValue
	// slotInner is a later register of a value.
	slotInner
	// slotRefused is beyond the cap.
	slotRefused
)

// NewExtractor makes an Extractor that reads registers as list says; list may be
// nil.
func NewExtractor(list *List, s Settings) *Extractor {
	if s.MaxSeries == 0 {
		s.MaxSeries = 1_000_000
	}
	if s.MaxLearned == 0 {
		s.MaxLearned = 200_000
	}
	return &Extractor{list: list, settings: s, tables: make(map[tableKey]*table), lessons: make(map[tableKey]*lesson),
		scales: []scaling{{scale: 1}}}
}

// burst is how many series and registers an extractor takes at most beyond the
// caps before Bound is called next.
const burst = 1 << 17

// Bound keeps extractors that share the traffic within their caps. It is to be
// called between batches of packets, when none of them is in use. What it
// decides rests on the totals, so that it does not matter how the traffic is
// shared out; a batch may overrun the caps by what it brings.
func Bound(extractors ...*Extractor) {
	series, learned := 0, 0
	for _, x := range extractors {
		series += x.series
		learned += x.learned
	}
	for _, x := range extractors {
		x.full = series >= x.settings.MaxSeries
		x.sated = learned >= x.settings.MaxLearned
	}
}

// refuses tells whether there is no room for another series.
func (x *Extractor) refuses() bool { return x.full || x.series >= x.settings.MaxSeries+burst }

// Stats returns the counters so far.
func (x *Extractor) Stats() Stats { return x.stats }

// Observe appends a sample for each value in e: reports of the device, and
// commands of the client (see [detect.Sample.Access]). Echoes are left out, they
// repeat a command. It costs no allocation once a point has been seen.
func (x *Extractor) Observe(e *protocols.Event, out *[]detect.Sample) {
	key, ok := keyOf(e)
	if !ok {
		return
	}
	x.points(e, key, e.Points, x.learns(e), func(v found) { *out = append(*out, v.sample(e)) })
}

// keyOf is the table of the first value of e, but for its kind; ok tells whether
// there are any.
func keyOf(e *protocols.Event) (key tableKey, ok bool) {
	if len(e.Points) == 0 || e.Broadcast || e.Role == protocols.RoleNotice {
		return key, false
	}
	key = tableKey{device: e.Server().IP, client: e.Client().IP, proto: e.Proto}
	switch e.Proto {
	case protocols.ProtoModbus:
		key.unit = uint16(e.Unit)
	case protocols.ProtoDNP3:
		key.unit = e.Source
		if e.FromClient {
			key.unit = e.Destination
		}
	default:
		return key, false
	}
	return key, true
}

// learns tells whether types are inferred from e.
func (x *Extractor) learns(e *protocols.Event) bool {
	return x.settings.Learn && (x.settings.Until == nil || e.Clock < x.settings.Until())
}

// found is a value that was found in a message.
type found struct {
	series *detect.Series
	point  *protocols.Point
	value  float64
}

func (v found) sample(e *protocols.Event) detect.Sample {
	p := v.point
	s := detect.Sample{
		Series: v.series, Time: e.Time, Clock: e.Clock, Frame: e.Frame, Client: e.Client().IP,
		Access: p.Access, Value: v.value, Flags: p.Flags, HasFlags: p.Has&protocols.HasFlags != 0,
	}
	if p.Has&protocols.HasTime != 0 {
		s.DeviceTime = p.Time
	}
	return s
}

// points gives each value of points to give.
func (x *Extractor) points(e *protocols.Event, key tableKey, points []protocols.Point, learning bool, give func(found)) {
	for i := 0; i < len(points); {
		p := &points[i]
		if p.Has&protocols.HasValue == 0 || p.Kind >= protocols.NumPointKinds || !extracted[p.Kind] {
			i++
			continue
		}
		switch p.Access {
		case protocols.AccessReport, protocols.AccessWrite, protocols.AccessOperate:
		default:
			i++
			continue
		}
		key.kind = p.Kind
		s := x.slot(key, p.Index)
		state := s.state()
		if state == slotNew {
			state = x.open(key, p.Index, s)
		}
		if learning && state == slotValue && s.learning() && p.Access == protocols.AccessReport {
			x.learn(key, points, i)
		}
		n := 1
		switch state {
		case slotRefused:
			x.stats.Refused++
		case slotInner:
			// The value's first register is not in the message.
			x.stats.Partial++
			forget(s.page, p)
		default:
			n = x.value(key, points, i, s, give)
		}
		i += n
	}
}

// value gives out the value that starts at points[i], and returns how many
// points it took.
func (x *Extractor) value(key tableKey, points []protocols.Point, i int, s slot, give func(found)) int {
	p := &points[i]
	v, n := p.Value, 1
	if isRegister(p.Kind) && key.proto == protocols.ProtoModbus {
		encoding := &x.scales[s.scaling()].encoding
		n = encoding.Type.Registers()
		var r [4]uint16
		for k := range n {
			if i+k >= len(points) || points[i+k].Kind != p.Kind || points[i+k].Index != p.Index+uint32(k) || points[i+k].Access != p.Access {
				x.stats.Partial++
				for j := range k {
					forget(x.slot(key, p.Index+uint32(j)).page, &points[i+j])
				}
				return k
			}
			r[k] = uint16(points[i+k].Value)
		}
		v = encoding.Decode(r[:n])
	}
	w := &x.scales[s.scaling()]
	v = v*w.scale + w.offset
	if math.IsNaN(v) || math.IsInf(v, 0) {
		x.stats.NotNumbers++
		for j := range n {
			forget(x.slot(key, p.Index+uint32(j)).page, &points[i+j])
		}
		return n
	}
	if p.Access == protocols.AccessReport {
		remember(s.page, p)
		for j := 1; j < n; j++ {
			remember(x.slot(key, p.Index+uint32(j)).page, &points[i+j])
		}
	}
	x.stats.Samples++
	give(found{s.series(), p, v})
	return n
}

// remember keeps what was reported at an address.
func remember(page *page, p *protocols.Point) {
	if page == nil {
		return
	}
	at, flags := p.Index%pageSize, flagsOf(p)
	page.values[at] = float32(p.Value)
	if flags != 0 && page.flags == nil {
		page.flags = new([pageSize]uint16)
	}
	if page.flags != nil {
		page.flags[at] = flags
	}
}

// forget lets go of it: what is reported next is new.
func forget(page *page, p *protocols.Point) {
	if page != nil && p.Access == protocols.AccessReport {
		page.values[p.Index%pageSize] = nan32
	}
}

// flagsOf is the flag octet, and whether there is one.
func flagsOf(p *protocols.Point) uint16 {
	return uint16(p.Flags)<<8 | uint16(p.Has&protocols.HasFlags)
}

// table finds a table, and makes it if it is new and there is room.
func (x *Extractor) table(key tableKey) *table {
	t := x.last
	if t == nil || key != x.lastKey {
		t = x.tables[key]
		if t == nil {
			if x.refuses() {
				return nil
			}
			t = &table{pages: make(map[uint32]*page)}
			x.tables[key] = t
		}
		x.lastKey, x.last = key, t
	}
	return t
}

// slot finds an address in its page, and makes that if it is new and there is room.
func (x *Extractor) slot(key tableKey, index uint32) slot {
	t := x.table(key)
	if t == nil {
		return slot{}
	}
	number := index >> pageBits
	if t.at == nil || t.number != number {
		p := t.pages[number]
		if p == nil {
			if x.refuses() {
				return slot{}
			}
			p = x.newPage()
			t.pages[number] = p
		}
		t.at, t.number = p, number
	}
	return slot{t.at, index % pageSize}
}

// open decides what a new address is.
func (x *Extractor) open(key tableKey, index uint32, s slot) slotState {
	if x.refuses() {
		s.set(nil, howOf(0, false, slotRefused))
		return slotRefused
	}
	place := Place{key.device, key.unit, key.kind, index}
	tag := x.list.Lookup(place)
	if tag != nil && tag.Address != index {
		s.set(nil, howOf(0, false, slotInner))
		return slotInner
	}
	x.series++
	x.table(key).series++
	x.stats.Series++
	series, scaling := x.newSeries(x.table(key), key, index, tag)
	s.set(series, howOf(scaling, tag == nil && isRegister(key.kind), slotValue))
	return slotValue
}

func isRegister(k protocols.PointKind) bool {
	return k == protocols.KindInputRegister || k == protocols.KindHoldingRegister
}

// seriesPiece is how many series are made at a time: with what the allocator adds,
// just under 2 KiB.
const seriesPiece = 85

// newSeries makes the series of an address in a table, as tag (may be nil) says,
// and tells how it is read.
func (x *Extractor) newSeries(t *table, key tableKey, index uint32, tag *Tag) (*detect.Series, uint32) {
	if t.name == nil {
		t.name = &detect.Table{Device: key.device, Proto: key.proto, Unit: key.unit, Kind: key.kind}
	}
	if len(x.free) == 0 {
		x.free = make([]detect.Series, seriesPiece)
	}
	series := &x.free[0]
	x.free = x.free[1:]
	series.Table, series.Index = t.name, index
	var l detect.Label
	if tag == nil {
		if isRegister(key.kind) {
			l.Type = Uint16.String()
		}
		series.Label = x.labels.Get(l)
		return series, 0
	}
	l.Name, l.EngineeringUnit = tag.Name, tag.EngineeringUnit
	if isRegister(key.kind) {
		l.Type = tag.Encoding.String()
	}
	series.Label = x.labels.Get(l)
	scale := tag.Scale
	if scale == 0 {
		scale = 1
	}
	return series, x.scalingOf(scaling{tag.Encoding, scale, tag.Offset})
}
