package tags

import (
	"cmp"
	"math"
	"net/netip"
	"slices"
	"strconv"

	"github.com/weir-ics/weir/detect"
	"github.com/weir-ics/weir/protocols"
)

// Inferring a type is weighing evidence, in natural logarithms of odds. Nothing
// is decided below enough.
const (
	// enough is the evidence that makes a pair one number: odds of 20 to 1.
	enough = 3
	// seen is how many values there must be at least.
	seen = 24
)

// Infer tells what the registers that the list does not name seem to be, in
// order. Those of which nothing can be said are left out. It does not change
// what is extracted (see Adopt).
func (x *Extractor) Infer() []Tag {
	keys := make([]tableKey, 0, len(x.lessons))
	for k := range x.lessons {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b tableKey) int {
		return cmp.Or(a.device.Compare(b.device), cmp.Compare(a.unit, b.unit), cmp.Compare(a.kind, b.kind), a.client.Compare(b.client))
	})
	// What a device does in one place it does in others: the orders found
	// without doubt speak for the same order where there is some.
	habits := make(map[tableKey]*habit)
	var out []Tag
	for pass := range 2 {
		out = out[:0]
		for _, k := range keys {
			dev := k
			dev.kind = 0
			h := habits[dev]
			if h == nil {
				h = new(habit)
				habits[dev] = h
			}
			out = append(out, x.lessons[k].infer(k, h, pass == 1)...)
		}
	}
	return out
}

// habit counts the 32-bit numbers that a device was seen to have, an order each.
type habit struct {
	orders [numOrders]int
	// parity counts those that begin at even and odd addresses.
	parity [2]int
}

// aligned tells whether the device's numbers begin at addresses like this one.
func (h *habit) aligned(address uint32) bool {
	return h.parity[address&1] > 3*h.parity[1-address&1]
}

// favour is the evidence that a device's habit gives for an order.
func (h *habit) favour(o Order) float64 {
	total := 0
	for _, n := range h.orders {
		total += n
	}
	if total < 2 {
		return 0
	}
	if h.orders[o] > total*3/4 {
		return 2.5
	}
	if h.orders[o] == 0 {
		return -4
	}
	return 0
}

// infer finds the types of a table: the division of its runs of registers into
// numbers of one and two registers that has the most evidence.
func (l *lesson) infer(key tableKey, h *habit, second bool) []Tag {
	addresses := make([]uint32, 0, len(l.registers))
	for a := range l.registers {
		addresses = append(addresses, a)
	}
	slices.Sort(addresses)
	var out []Tag
	for i := 0; i < len(addresses); {
		j := i + 1
		for j < len(addresses) && addresses[j] == addresses[j-1]+1 {
			j++
		}
		out = append(out, l.divide(key, addresses[i:j], h, second)...)
		i = j
	}
	return out
}

// divide finds the best division of a run by dynamic programming.
func (l *lesson) divide(key tableKey, run []uint32, h *habit, second bool) []Tag {
	n := len(run)
	best := make([]float64, n+1)
	choice := make([]Encoding, n+1)
	surety := make([]float64, n+1)
	for i := n - 1; i >= 0; i-- {
		r := l.registers[run[i]]
		best[i], choice[i] = best[i+1], Encoding{}
		if i+1 >= n {
			continue
		}
		b := l.registers[run[i+1]]
		if r.both < seen {
			continue
		}
		for o := range numOrders {
			t, evidence := r.together(b, o, h, run[i])
			if second {
				evidence += h.favour(o)
			}
			if evidence >= enough && evidence+best[i+2] > best[i] {
				best[i], choice[i], surety[i] = evidence+best[i+2], Encoding{t, o}, evidence
			}
		}
	}
	var out []Tag
	for i := 0; i < n; {
		t := Tag{Device: key.device, Unit: key.unit, Kind: key.kind, Address: run[i], Scale: 1, Low: math.NaN(), High: math.NaN()}
		if choice[i].Type.Registers() == 2 {
			t.Encoding, t.Confidence = choice[i], confidence(surety[i])
			if !second {
				h.orders[t.Order]++
				h.parity[t.Address&1]++
			}
			i += 2
		} else {
			t.Encoding.Type, t.Confidence = l.registers[run[i]].single()
			i++
		}
		if t.Type != Unknown {
			out = append(out, t)
		}
	}
	return out
}

// confidence is the probability that evidence gives.
func confidence(evidence float64) float64 {
	c := 1 / (1 + math.Exp(-evidence))
	return math.Round(c*100) / 100
}

// together weighs whether r and the next register b are one number in order o,
// and of what type.
func (r *register) together(b *register, o Order, h *habit, first uint32) (Type, float64) {
	p := &r.next[o]
	upper, lower := r, b
	if o == CDAB || o == DCBA {
		upper, lower = b, r
	}
	swapped := o == BADC || o == DCBA
	low, high, upperSize := upper.low, upper.high, upper.size
	lowerLow, lowerHigh, lowerSize := lower.low, lower.high, lower.size
	if swapped {
		low, high, upperSize = upper.swappedLow, upper.swappedHigh, upper.swappedSize
		lowerLow, lowerHigh, lowerSize = lower.swappedLow, lower.swappedHigh, lower.swappedSize
	}
	evidence := 0.0
	// An upper half that moves by one with the lower half going the other way.
	evidence += p.concord()
	// An upper half that moves by itself. Round numbers do that, so that it
	// counts only where the lower half is not 0 then.
	nice := p.nice >= 4 && p.nice > p.tried/10
	if lower.zeros < lower.n/2 && !nice && p.alone > upper.changes/20 {
		evidence -= math.Min(20, float64(p.alone)*3)
	}
	// Two registers that are 0 together, and only together, while both move: a
	// pump that stands.
	if r.changes > 2 && b.changes > 2 && r.bothZero > 0 && upper.zeros == r.bothZero && lower.zeros <= r.bothZero+r.both/1000 {
		evidence += math.Min(8, 2+float64(upper.changes)/4)
	}
	// An upper half that never moves without the lower, though that rests at
	// times.
	inStep := 0.0
	if p.alone == 0 && upper.changes >= 10 && lower.changes > 0 {
		inStep = math.Min(8, float64(upper.changes)*math.Log(float64(lower.n)/float64(lower.changes)))
	}
	float := r.sensible(o)
	switch {
	case swapped:
		// Rare: not without good reason, least of all where a usual order makes
		// sense too.
		evidence -= 3
		if r.sensible(ABCD) || r.sensible(CDAB) {
			evidence -= 10
		}
	case o == CDAB:
		// Less usual than the order that Modbus has within a register.
		evidence -= 1.2
	}
	if h.aligned(first) {
		evidence += 0.3
	}
	switch {
	case r.both == r.bothZero:
		return Unknown, 0
	case float && nice:
		return Float32, evidence + 10
	case float && lower.changes >= seen && high != low || float && lower.changes >= seen && inFloatRange(low):
		// The lower half of a measurement looks like chance, the upper is
		// smooth. So little else does that it is evidence by itself.
		if lowerHigh-lowerLow > 40000 && lowerSize/float64(lower.changes) > 8000 && upperSize < float64(upper.changes+1)*512 {
			evidence += 6
		}
		if high-low < 0x1000 || r.zeros > 0 {
			evidence += 2 // chance has 1 in 7 in the range of floats
		}
		return Float32, evidence + inStep
	case float && r.nCombos <= inferStates:
		// Few values: are they numbers that people write?
		written := 0.0
		for _, c := range r.combos[:r.nCombos] {
			written += niceness(o.join32(uint16(c>>16), uint16(c)))
		}
		return Float32, evidence + written
	case float:
		return Float32, evidence + inStep
	}
	// Whole numbers of 32 bits: the upper half is small, or that of a small
	// negative number.
	small := high < 0x0400
	signed := (high >= 0xFC00 || low >= 0xFC00) && p.with+p.against > 0
	if !small && !signed {
		return Unknown, math.Inf(-1)
	}
	counts := lower.ups >= 8 && lower.downs == 0
	switch {
	case counts && p.with > 0:
		return Counter32, evidence + 3 + float64(p.with)
	case counts && low == high && low != 0 && upper.changes == 0:
		// A total whose upper half has not moved yet.
		return Counter32, evidence + 3.5
	case low == high && low != 0 && lower.changes == 0 && lowerLow > 0x7FFF && h.favour(o) > 0 && h.aligned(first):
		// A total that stands still, where the device has others.
		return Uint32, 1
	case low == high && upper.changes == 0:
		// Nothing ties them together.
		return Unknown, math.Inf(-1)
	case signed:
		return Int32, evidence
	case upper.changes > 0 && lower.changes > 0:
		if p.with+p.against == 0 && lowerHigh-lowerLow > 60000 && upper.changes >= lower.changes/2 {
			evidence += 4 // moves by more than the lower half holds
		}
		if r.bothZero > 0 && lower.zeros <= r.bothZero+r.both/1000 {
			evidence += 2.5 // where the lower half is 0, the upper is
		}
		if lower.downs == 0 {
			return Uint32, evidence
		}
		return Int32, evidence
	}
	return Unknown, math.Inf(-1)
}

// sensible tells whether the pair read in order o is a plausible floating-point
// number whenever it is not 0.
func (r *register) sensible(o Order) bool {
	return r.both > r.bothZero && float64(r.next[o].floats-r.bothZero) >= 0.999*float64(r.both-r.bothZero)
}

// concord is the evidence of how the halves move together: the logarithm of the
// likelihood ratio of the share that was seen to a half, which is what strangers
// have. Where the upper half moves by more than one as a rule, numbers look like
// strangers too.
func (p *pair) concord() float64 {
	n := float64(p.with + p.against)
	if n == 0 {
		return 0
	}
	d := float64(p.with) - float64(p.against)
	e := math.Min(40, d*d/n)
	if d < 0 {
		e = -e
	}
	e *= math.Max(0, 1-2*float64(p.wide)/(n+float64(p.wide)))
	if n >= 10 && float64(p.wide) < n/4 && float64(p.with) < 0.7*n {
		e -= 10
	}
	return e
}

// inFloatRange tells whether an upper half is one that floats from 1e-4 to 1e7
// have.
func inFloatRange(v uint16) bool { return plausible(uint32(v) << 16) }

// niceness is the evidence that 32 bits are a number that a person entered: its
// shortest decimal is short, which chance gives one in 20,000.
func niceness(v uint32) float64 {
	if v == 0 {
		return 0
	}
	f := math.Float32frombits(v)
	s := strconv.FormatFloat(float64(f), 'e', -1, 32)
	digits := 0
	for _, c := range s {
		if c == 'e' {
			break
		}
		if c >= '0' && c <= '9' {
			digits++
		}
	}
	switch {
	case digits > 5:
		return -0.5
	case v&0xFFFF == 0:
		// Half of it is 0 anyway.
		if digits <= 3 {
			return 1.8
		}
		return 0.5
	case digits <= 4:
		return 8
	}
	return 4
}

// single tells what one register by itself is, with how much confidence.
func (r *register) single() (Type, float64) {
	switch {
	case r.n < seen:
		return Unknown, 0
	case r.changes == 0:
		if r.last == 0 || r.last > 0x7FFF {
			return Unknown, 0
		}
		// A setpoint or a rating: it reads the same signed or not.
		return Uint16, 0.5
	case r.ups >= 8 && r.downs == 0:
		return Counter16, math.Min(0.9, confidence(float64(r.ups)/4))
	case (r.crossings > 0 || r.low >= 0xC000) && r.size < 0x2000*float64(r.changes):
		return Int16, confidence(2 + float64(r.crossings))
	}
	if t, c := r.bitField(); t != Unknown {
		return t, c
	}
	if r.notBCD == 0 && bits10(r.low4) >= 8 && r.changes >= 64 {
		// By chance a last digit stays below 10 in 10 of 16 cases.
		return BCD16, 0.97
	}
	if r.high-r.low > 60000 && r.size/float64(r.changes) > 8000 {
		// It looks like chance: half of something.
		return Unknown, 0
	}
	if r.changes < 3 {
		return Uint16, 0.5
	}
	return Uint16, math.Min(0.9, confidence(1+float64(min(r.changes, 40))/10))
}

// bitField weighs whether a register is single bits: they change one at a time,
// and it is not always the lowest.
func (r *register) bitField() (Type, float64) {
	if r.changes < 2 || float64(r.flips) < 0.7*float64(r.changes) || r.toggled < 4 {
		return Unknown, 0
	}
	toggled := 0
	for b := range 16 {
		toggled += int(r.toggled >> b & 1)
	}
	// A number that moves by small steps changes its bits in chains of carries;
	// one that has few values may look like anything.
	mean := r.raw / float64(r.changes)
	switch {
	case toggled >= 2 && r.nStates <= inferStates && mean >= 1.5:
		return Bits16, confidence(1 + float64(toggled))
	case toggled >= 2 && mean >= 4 && float64(r.flips) >= 0.75*float64(r.changes):
		return Bits16, confidence(float64(toggled))
	}
	if toggled == 1 && r.nStates == 2 {
		return Bits16, 0.8
	}
	return Unknown, 0
}

func bits10(set uint16) int {
	n := 0
	for b := range 10 {
		n += int(set >> b & 1)
	}
	return n
}

// Combine makes one list of what was given and what the extractors of all shards
// inferred, which it uses up. Where two say different things of a register, the more
// confident is right, and what was given always is.
func Combine(given *List, inferred ...[]Tag) *List {
	n := 0
	for _, tags := range inferred {
		n += len(tags)
	}
	all := make([]Tag, 0, n)
	for i, tags := range inferred {
		all = append(all, tags...)
		inferred[i] = nil // there may be no room for all of a large site twice
	}
	if len(all) == 0 && given != nil {
		return given // a large list is not made a second time
	}
	slices.SortStableFunc(all, func(a, b Tag) int {
		return cmp.Or(cmp.Compare(b.Confidence, a.Confidence), cmp.Compare(b.Type.Registers(), a.Type.Registers()), compareTags(a, b), cmp.Compare(a.Type, b.Type), cmp.Compare(a.Order, b.Order))
	})
	// A bit an address, of 64 neighbours each: an entry of a map for each of them
	// would take as much as the tags.
	taken := make(map[Place]uint64)
	bit := func(t *Tag, address uint32) (Place, uint64) {
		return Place{t.Device, t.Unit, t.Kind, address / 64}, 1 << (address % 64)
	}
	kept := all[:0]
	for i := range all {
		t := &all[i]
		free := true
		for a := t.Address; a <= t.Last(); a++ {
			of, b := bit(t, a)
			free = free && taken[of]&b == 0
		}
		if !free {
			continue
		}
		for a := t.Address; a <= t.Last(); a++ {
			of, b := bit(t, a)
			taken[of] |= b
		}
		kept = append(kept, *t)
	}
	l, err := newList(kept)
	if err != nil {
		return given
	}
	if given == nil {
		return l
	}
	return given.Merge(l)
}

// Retyped is a series that takes the place of raw ones.
type Retyped struct {
	Raw   []*detect.Series
	Typed *detect.Series
	// Decode reads the value from the values of the raw series.
	Decode func(raw []uint16) float64
}

// Adopt reads registers as list says from now on, and stops gathering. It
// returns, in order, the series that take the place of raw ones, so that what
// was learned of the raw ones can be carried over.
func (x *Extractor) Adopt(list *List) []Retyped {
	if list == x.list {
		// Nothing was inferred; a large list costs a look-up a tag and extractor.
		x.lessons, x.lesson, x.settings.Learn = nil, nil, false
		return nil
	}
	type deviceTable struct {
		device netip.Addr
		unit   uint16
		kind   protocols.PointKind
	}
	tables := make(map[deviceTable][]tableKey)
	for k := range x.tables {
		if k.proto == protocols.ProtoModbus && isRegister(k.kind) {
			d := deviceTable{k.device, k.unit, k.kind}
			tables[d] = append(tables[d], k)
		}
	}
	var out []Retyped
	for _, t := range list.Tags() {
		if !isRegister(t.Kind) || x.list.Lookup(t.Place()) != nil {
			continue
		}
		for _, key := range tables[deviceTable{t.Device, t.Unit, t.Kind}] {
			if r, ok := x.adopt(x.tables[key], key, t); ok {
				out = append(out, r)
			}
		}
	}
	x.list = list
	x.lessons, x.lesson, x.settings.Learn = nil, nil, false
	return out
}

// adopt reads the registers of a tag as it says from now on. It returns the
// series that takes the place of raw ones, if the client read all of them.
func (x *Extractor) adopt(t *table, key tableKey, tag Tag) (Retyped, bool) {
	slots := make([]slot, 0, 4) // without a page where there is no value
	var raw []*detect.Series
	for a := tag.Address; a <= tag.Last(); a++ {
		s := slot{t.pages[a>>pageBits], a % pageSize}
		if s.state() == slotValue {
			raw = append(raw, s.series())
		} else {
			s = slot{}
		}
		slots = append(slots, s)
	}
	t.spans = spans{} // they hold other series now
	first := slots[0]
	if first.page != nil && tag.Name == "" && tag.Encoding.String() == first.series().Type && tag.Scale == 1 && tag.Offset == 0 {
		return Retyped{}, false // it is read like that already
	}
	if first.page != nil {
		series, scaling := x.newSeries(t, key, tag.Address, &tag)
		first.set(series, howOf(scaling, first.learning(), slotValue))
	}
	for _, s := range slots[1:] {
		if s.page != nil {
			s.set(nil, howOf(0, false, slotInner))
		}
	}
	if len(raw) != len(slots) {
		return Retyped{}, false
	}
	w := x.scales[first.scaling()]
	return Retyped{Raw: raw, Typed: first.series(), Decode: func(r []uint16) float64 { return w.encoding.Decode(r)*w.scale + w.offset }}, true
}
