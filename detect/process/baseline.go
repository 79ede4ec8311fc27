package process

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/netip"
	"unsafe"

	"github.com/weir-ics/weir/detect"
	"github.com/weir-ics/weir/protocols"
)

// version is that of the section in the baseline file. It grows when an older
// weir could not read what a newer one wrote.
// Version 1 was an object of encoding/json a point, with all its field names; in
// version 2 relations had no guests. Both can be read, and are no longer written.
const version = 3

// baseline is the process section of the baseline file (see encoder). The same
// learning gives the same bytes.
type baseline struct {
	Points  []savedPoint `json:"points"`
	Tickers []savedPace  `json:"paces,omitempty"`
}

// savedPoint is what was learned of one point. The names of the fields are those
// of version 1.
type savedPoint struct {
	Device  netip.Addr `json:"device"`
	Proto   string     `json:"proto"`
	Unit    uint16     `json:"unit"`
	Kind    string     `json:"kind"`
	Index   uint32     `json:"index"`
	Name    string     `json:"name,omitempty"`
	Type    string     `json:"type,omitempty"`
	Nature  string     `json:"nature"`
	N       uint32     `json:"n"`
	Seconds float64    `json:"seconds"`
	// States and Visits belong together; Transitions has bit from*8+to.
	States      []float64 `json:"states,omitempty"`
	Visits      []uint32  `json:"visits,omitempty"`
	Transitions uint64    `json:"transitions,omitempty"`
	Dwell       []int64   `json:"dwell,omitempty"`
	// Low and High are the expected range, infinite where it is not judged; Seen
	// is what was seen.
	Low      float64    `json:"low,omitempty"`
	High     float64    `json:"high,omitempty"`
	Seen     [2]float64 `json:"seen"`
	Center   float64    `json:"center,omitempty"`
	Spread   float64    `json:"spread,omitempty"`
	Pace     float64    `json:"pace,omitempty"`
	Drift    float64    `json:"drift,omitempty"`
	Surprise float64    `json:"surprise,omitempty"`
	Step     float64    `json:"step,omitempty"`
	Grain    float64    `json:"grain,omitempty"`
	Rest     int64      `json:"rest,omitempty"`
	Noise    [2]float64 `json:"noise,omitempty"`
	Flags    []int      `json:"flags,omitempty"`
	Interval int64      `json:"interval,omitempty"`
	// Since is when it was first seen, if that was after learning.
	Since    int64         `json:"since,omitempty"`
	Regular  bool          `json:"regular,omitempty"`
	Commands *savedCommand `json:"commands,omitempty"`
	Prompts  []savedPrompt `json:"prompts,omitempty"`
	Replay   *savedReplay  `json:"replay,omitempty"`
	Digits   *savedDigits  `json:"digits,omitempty"`
}

type savedCommand struct {
	N       uint32    `json:"n"`
	States  []float64 `json:"states,omitempty"`
	Many    bool      `json:"many,omitempty"`
	Range   []float64 `json:"range"`
	Shown   uint32    `json:"shown"`
	Longest int64     `json:"longest"`
	Changes uint32    `json:"changes"`
	Own     uint32    `json:"own"`
	// Effects are what else follows the commands; older ones have none.
	Effects []savedEffect `json:"effects,omitempty"`
	// Reactions are those that a savedEffect cannot say, from later still.
	Reactions []savedReaction `json:"reactions,omitempty"`
}

type savedReplay struct {
	Grid   float64 `json:"grid"`
	Chance float64 `json:"chance"`
	Ring   int     `json:"ring"`
	Again  float64 `json:"again"`
	Pairs  float64 `json:"pairs"`
	On     float64 `json:"on"`
	Ended  float64 `json:"ended"`
}

type savedDigits struct {
	Unit    float64     `json:"unit"`
	Learned [10]float64 `json:"learned"`
	N       float64     `json:"n"`
	Limit   float64     `json:"limit"`
}

// savedPace is a ticker: points that are polled together. Points are by their
// place in the list of points.
type savedPace struct {
	Interval  int64           `json:"interval"`
	Points    []int           `json:"points"`
	Relations []savedRelation `json:"relations,omitempty"`
	Rules     []savedRule     `json:"rules,omitempty"`
	// unread are relations that stand in a section and have not been read yet: all
	// of a large pace side by side take as much memory as what is made of them.
	unread *decoder
	// relations is how many there are to be saved besides, relation makes one of them.
	relations int
	relation  func(i int) savedRelation
}

type savedRelation struct {
	Daily bool `json:"daily,omitempty"`
	// Rest are the days of rest, a bit a day from Sunday on, where days begin Shift
	// hours after midnight UTC.
	Rest  uint8 `json:"rest,omitempty"`
	Shift int   `json:"shift,omitempty"`
	// Habits is the season of the habits of members.
	Habits  *savedSeason  `json:"habits,omitempty"`
	Rows    int           `json:"rows"`
	Seconds float64       `json:"seconds"`
	Members []savedMember `json:"members,omitempty"`
	// Guests are points of faster paces that are among what explains.
	Guests []savedGuest `json:"guests,omitempty"`
	// After one of Switches changed, Unsettled rows are not judged, and Responses
	// follow; older ones have none.
	Switches  []int           `json:"switches,omitempty"`
	Responses []savedResponse `json:"responses,omitempty"`
	// Unmet are kinds of switches, as in Responses, whose states were not seen
	// together.
	Unmet [][2]int    `json:"unmet,omitempty"`
	Joint *savedJoint `json:"joint,omitempty"`
	// Factor is that of the joint distance.
	Factor    []float32 `json:"factor,omitempty"`
	Unsettled int       `json:"unsettled,omitempty"`
}

type savedSeason struct {
	Rest  uint8 `json:"rest,omitempty"`
	Shift int   `json:"shift,omitempty"`
}

type savedGuest struct {
	Point    int     `json:"point"`
	Mean     float64 `json:"mean"`
	Spread   float64 `json:"spread"`
	Drifting bool    `json:"drifting,omitempty"`
	Coarse   bool    `json:"coarse,omitempty"`
}

type savedMember struct {
	Point    int          `json:"point"`
	Mean     float64      `json:"mean"`
	Spread   float64      `json:"spread"`
	Drifting bool         `json:"drifting,omitempty"`
	Scale    float64      `json:"scale"`
	Lean     float64      `json:"lean"`
	Bias     float64      `json:"bias,omitempty"`
	Limits   []float64    `json:"limits"`
	Clips    []float64    `json:"clips"`
	Sum      float64      `json:"sum,omitempty"`
	Weights  []float32    `json:"weights,omitempty"`
	Anchor   *savedAnchor `json:"anchor,omitempty"`
	// Habit is what the time alone makes expected, Usual are its weights.
	Habit *savedAnchor `json:"habit,omitempty"`
	Usual []float32    `json:"usual,omitempty"`
	// Tied are the weights of the anchor.
	Tied []float32 `json:"tied,omitempty"`
}

type savedRule struct {
	State   int     `json:"state"`
	Value   float64 `json:"value"`
	Measure int     `json:"measure"`
	Above   bool    `json:"above,omitempty"`
	Bound   float64 `json:"bound"`
	Rows    int     `json:"rows"`
	Visits  int     `json:"visits"`
}

// Save returns what was learned, as the section of a baseline file. Watching must
// have begun.
func (e *Engine) Save() (json.RawMessage, error) {
	var b bytes.Buffer
	err := e.SaveTo(&b)
	return b.Bytes(), err
}

// SaveTo writes what Save returns, which of a large site is more than what it is made
// of. After an error, what was written is of no use.
func (e *Engine) SaveTo(w io.Writer) error {
	return e.save(w, func(p *point) bool { return p.late == nil }, e.tickers)
}

// save writes the points that take tells, and paces.
func (e *Engine) save(to io.Writer, take func(*point) bool, tickers []*ticker) error {
	if !e.watching {
		return fmt.Errorf("save the process models: learning is not over")
	}
	w := encoder{to: to}
	w.begin()
	at := newPlaces(tickers)
	n := int32(0)
	var table []savedPoint
	tables := 0
	flush := func() {
		if len(table) > 0 {
			w.table(table, tables == 0)
			w.pass(passEvery)
			tables++
		}
		table = table[:0]
	}
	for _, p := range e.sorted() {
		if p.profile == nil || !take(p) {
			continue
		}
		n++
		at.put(p, n)
		s := p.save()
		if len(table) > 0 && table[0].table() != s.table() {
			flush()
		}
		table = append(table, s)
	}
	flush()
	w.paces(len(tickers), func(i int) savedPace { return tickers[i].save(e, at) })
	w.end()
	w.pass(0)
	if w.err != nil {
		return fmt.Errorf("save the process models: %w", w.err)
	}
	return nil
}

// places are where points stand in a section, one more than that; 0 is not at all:
// by ticker and column, and of the few without a ticker by themselves.
type places struct {
	seated map[*ticker][]int32
	others map[*point]int32
}

func newPlaces(tickers []*ticker) places {
	x := places{make(map[*ticker][]int32), make(map[*point]int32)}
	for _, t := range tickers {
		x.seated[t] = make([]int32, len(t.seats))
	}
	return x
}

func (x places) put(p *point, n int32) {
	if columns := x.seated[p.ticker]; columns != nil {
		columns[p.column] = n
	} else if p.ticker == nil {
		x.others[p] = n
	}
}

// of is where a point stands; ok tells whether it does.
func (x places) of(p *point) (place int, ok bool) {
	n := x.others[p]
	if columns := x.seated[p.ticker]; columns != nil {
		n = columns[p.column]
	}
	return int(n) - 1, n > 0
}

// at is where a point that does stands.
func (x places) at(p *point) int {
	place, _ := x.of(p)
	return max(place, 0)
}

func (p *point) save() savedPoint {
	f := p.profile
	s := savedPoint{
		Device: p.series.Device, Proto: p.series.Proto.String(), Unit: p.series.Unit, Kind: p.series.Kind.String(), Index: p.series.Index,
		Name: p.series.Name, Type: p.series.Type, Nature: f.nature.String(), N: f.n, Seconds: float64(f.seconds),
		Low: f.low, High: f.high,
		Surprise: f.surprise, Center: f.center, Spread: f.spread, Pace: f.pace, Drift: f.drift, Step: f.step, Grain: f.grain, Rest: f.rest,
		Interval: p.interval, Regular: p.regular,
	}
	if p.late != nil {
		s.Since = p.late.since
	}
	s.Seen[0], s.Seen[1] = f.seen()
	for _, v := range f.states {
		s.States, s.Visits = append(s.States, v.value), append(s.Visits, v.visits)
	}
	if f.moves {
		s.Transitions = f.transitions
		for i := range f.states {
			s.Dwell = append(s.Dwell, f.states[i].dwell)
		}
	}
	if f.noiseLow < f.noiseHigh {
		s.Noise = [2]float64{f.noiseLow, f.noiseHigh}
	}
	for _, q := range f.flags[:f.nFlags] {
		s.Flags = append(s.Flags, int(q))
	}
	if c := p.commands; c != nil && c.n > 0 {
		s.Commands = &savedCommand{N: c.n, States: append([]float64(nil), c.states[:min(c.nStates, maxStates)]...), Many: c.nStates > maxStates,
			Range: []float64{c.low, c.high}, Shown: c.shown, Longest: c.longest, Changes: c.changes, Own: c.own, Effects: c.saveEffects(), Reactions: c.saveReactions()}
	}
	s.Prompts = p.savePrompts()
	if r := p.replay; r != nil {
		s.Replay = &savedReplay{Grid: r.grid, Chance: r.chance, Ring: int(r.size), Again: r.again, Pairs: r.pairs, On: r.on, Ended: r.ended}
	}
	if d := p.digits; d != nil {
		s.Digits = &savedDigits{Unit: d.unit, Learned: d.learned, N: d.n, Limit: d.limit}
	}
	return s
}

// save returns a pace, whose relations are made one by one as they are asked for.
func (t *ticker) save(e *Engine, at places) savedPace {
	s := savedPace{Interval: t.interval, Points: []int{}, relations: len(t.relations), relation: func(i int) savedRelation { return t.relations[i].save(at) }}
	for _, p := range t.seated(e) {
		if p == nil {
			continue
		}
		if place, ok := at.of(p); ok {
			s.Points = append(s.Points, place)
		}
	}
	for _, r := range t.rules {
		s.Rules = append(s.Rules, savedRule{State: at.at(r.state), Value: r.value, Measure: at.at(r.measure), Above: r.above, Bound: r.bound, Rows: r.rows, Visits: r.visits})
	}
	return s
}

func (r *relation) save(at places) savedRelation {
	x := savedRelation{Daily: r.daily, Rest: r.rest, Shift: r.shift, Rows: r.rows, Seconds: r.seconds}
	for i := range r.members {
		m := &r.members[i]
		x.Members = append(x.Members, savedMember{Point: at.at(m.point), Mean: m.mean, Spread: m.spread, Drifting: m.drifting,
			Scale: m.scale, Lean: m.lean, Bias: m.bias, Limits: m.limits[:], Clips: m.clips[:], Sum: m.sums.limit, Weights: m.weights})
		last := &x.Members[len(x.Members)-1]
		last.Anchor, last.Tied = m.anchor.save()
		last.Habit, last.Usual = m.habit.save()
	}
	if r.habits.daily {
		x.Habits = &savedSeason{r.habits.rest, r.habits.shift}
	}
	for _, g := range r.guests {
		x.Guests = append(x.Guests, savedGuest{at.at(g.point), g.mean, g.spread, g.drifting, g.coarse})
	}
	x.Unsettled = r.unsettled
	for _, p := range r.switches {
		x.Switches = append(x.Switches, at.at(p))
	}
	for i := range r.responses {
		x.Responses = append(x.Responses, r.saveResponse(&r.responses[i]))
	}
	for i := range r.unmets {
		x.Unmet = append(x.Unmet, [2]int{int(r.unmets[i].a), int(r.unmets[i].b)})
	}
	x.Joint, x.Factor = r.joint.save()
	return x
}

// Load takes over what Save wrote, and begins to watch. The Engine must be new.
func (e *Engine) Load(section json.RawMessage) error { return e.LoadOnce(section, nil) }

// LoadOnce is Load for a large section: upTo is told now and then up to which octet
// the section has been read for good, so that its memory can be used again.
func (e *Engine) LoadOnce(section json.RawMessage, upTo func(octets int)) error {
	if e.order.len() > 0 {
		return fmt.Errorf("load the process models: the engine has already seen samples")
	}
	fresh := NewEngine(e.settings)
	fresh.watching = true
	l := loader{engine: fresh}
	if err := readSection(section, upTo, l.restore, l.restorePace); err != nil {
		return fmt.Errorf("load the process models: %w", err)
	}
	if err := l.connect(); err != nil {
		return fmt.Errorf("load the process models: %w", err)
	}
	for _, t := range fresh.tickers {
		for _, r := range t.relations {
			// The paces of guests may come after that of the relation.
			r.settleGuests()
		}
	}
	*e = *fresh
	e.points.all = &e.order
	return nil
}

// readSection reads a section of any version (see decode).
func readSection(section json.RawMessage, upTo func(int), point func(*savedPoint) error, pace func(*savedPace) error) error {
	if sectionVersion(section) == 1 {
		return readFirst(json.NewDecoder(bytes.NewReader(section)), point, pace)
	}
	return decode(section, upTo, point, pace)
}

// readFirst reads a section of version 1, point by point, so that a large one is
// not in memory twice.
func readFirst(d *json.Decoder, point func(*savedPoint) error, pace func(*savedPace) error) error {
	return object(d, func(key string) error {
		switch key {
		case "points":
			return array(d, func(i int) error {
				s := savedPoint{Low: math.Inf(-1), High: math.Inf(1)}
				err := d.Decode(&s)
				if err == nil {
					err = point(&s)
				}
				if err != nil {
					return fmt.Errorf("point %d: %w", i, err)
				}
				return nil
			})
		case "paces":
			return array(d, func(i int) error {
				var s savedPace
				err := d.Decode(&s)
				if err == nil {
					err = pace(&s)
				}
				if err != nil {
					return fmt.Errorf("pace %d: %w", i, err)
				}
				return nil
			})
		}
		var skipped json.RawMessage
		return d.Decode(&skipped)
	})
}

// object reads an object, and gives each key to f, which reads the value.
func object(d *json.Decoder, f func(key string) error) error {
	if err := delimiter(d, '{'); err != nil {
		return err
	}
	for d.More() {
		t, err := d.Token()
		if err != nil {
			return err
		}
		key, _ := t.(string)
		if err := f(key); err != nil {
			return err
		}
	}
	return delimiter(d, '}')
}

// array reads an array, and calls f for each element, which reads it. null is an
// empty one.
func array(d *json.Decoder, f func(i int) error) error {
	t, err := d.Token()
	if err != nil || t == nil {
		return err
	}
	if t != json.Delim('[') {
		return fmt.Errorf("%v where a list should be", t)
	}
	for i := 0; d.More(); i++ {
		if err := f(i); err != nil {
			return err
		}
	}
	return delimiter(d, ']')
}

func delimiter(d *json.Decoder, want json.Delim) error {
	t, err := d.Token()
	if err != nil {
		return err
	}
	if t != want {
		return fmt.Errorf("%v where %v should be", t, want)
	}
	return nil
}

// parseName finds the value whose name is s.
func parseName[T ~uint8](s string, n T, name func(T) string) (T, error) {
	for v := T(0); v < n; v++ {
		if name(v) == s {
			return v, nil
		}
	}
	return 0, fmt.Errorf("%q is not known", s)
}

// loader makes the points of a new engine from what was saved. It makes them
// many at a time, side by side: a million single ones cost the allocator more.
type loader struct {
	engine *Engine
	series slab[detect.Series]
	labels detect.Labels
	table  *detect.Table // the last
	// What profiles are made of; profile and visited are for the one in work.
	profiles slab[profile]
	states   slab[visited]
	shapes   slab[shape]
	profile  profile
	visited  [maxStates]visited
	same     sharing
	// effects have to be connected once all points are there.
	effects []pendingEffects
	prompts []pendingPrompts
}

// tableOf is the table of a point. The points of a table come one after the other.
func (l *loader) tableOf(k pointKey) *detect.Table {
	t := detect.Table{Device: k.device, Proto: k.proto, Unit: k.unit, Kind: k.kind}
	if l.table == nil || *l.table != t {
		own := t // only what is kept is allocated
		l.table = &own
	}
	return l.table
}

// slab hands out zero values of T from pieces that grow up to slabBytes: whole
// pages of the allocator, which rounds less up to classes of sizes.
type slab[T any] struct {
	free []T
	made int
}

const slabBytes = 64 << 10

// room makes sure that there is room for n more.
func (s *slab[T]) room(n int) {
	if len(s.free) < n {
		var zero T
		s.made = max(n, min(2*s.made, int(slabBytes/unsafe.Sizeof(zero))), 16)
		s.free = make([]T, s.made)
	}
}

func (s *slab[T]) take() *T {
	s.room(1)
	out := &s.free[0]
	s.free = s.free[1:]
	return out
}

// copy hands out a copy of a short list.
func (s *slab[T]) copy(list []T) []T {
	if len(list) == 0 {
		return nil
	}
	s.room(len(list))
	out := s.free[:len(list):len(list)]
	s.free = s.free[len(list):]
	copy(out, list)
	return out
}

func (l *loader) restore(s *savedPoint) error {
	e := l.engine
	proto, err := parseName(s.Proto, protocols.NumProtos, protocols.Proto.String)
	if err != nil {
		return fmt.Errorf("proto: %w", err)
	}
	kind, err := parseName(s.Kind, protocols.NumPointKinds, protocols.PointKind.String)
	if err != nil {
		return fmt.Errorf("kind: %w", err)
	}
	nat, err := parseName(s.Nature, nature(len(natureNames)), nature.String)
	if err != nil {
		return fmt.Errorf("nature: %w", err)
	}
	if e.order.len()-e.retired >= e.settings.MaxPoints {
		return fmt.Errorf("more than the %d points that are allowed", e.settings.MaxPoints)
	}
	key := pointKey{device: s.Device, proto: proto, unit: s.Unit, kind: kind, index: s.Index}
	if e.points.get(key) != nil {
		return fmt.Errorf("%s is there twice", key.id())
	}
	if len(s.Visits) != len(s.States) || len(s.States) > maxStates {
		return fmt.Errorf("%s has %d states and %d visits", key.id(), len(s.States), len(s.Visits))
	}
	if (nat == natureConstant || nat == natureState) && len(s.States) == 0 {
		return fmt.Errorf("%s is a %s without states", key.id(), nat)
	}
	p := e.order.next()
	*p = point{rare: noRare, heard: noneHeard}
	e.keep(p, tempo{interval: s.Interval, paced: true, regular: s.Regular})
	p.series = l.series.take()
	p.series.Table, p.series.Index, p.series.Label = l.tableOf(key), s.Index, l.labels.Get(detect.Label{Name: s.Name, Type: s.Type})
	p.classify()
	// It is made here first, and kept only if no other says the same.
	f := &l.profile
	*f = profile{nature: nat, n: s.N, seconds: threeDigits(s.Seconds), shape: noShape, states: l.visited[:len(s.States)]}
	for i, v := range s.States {
		f.states[i] = visited{value: v, visits: s.Visits[i]}
	}
	if nat == natureState && len(s.Dwell) == len(s.States) {
		f.moves, f.transitions = true, s.Transitions
		for i, d := range s.Dwell {
			f.states[i].dwell = d
		}
	}
	if len(s.States) == 0 {
		f.shape = l.shapes.take()
		*f.shape = shape{low: s.Low, high: s.High, seenLow: s.Seen[0], seenHigh: s.Seen[1], surprise: s.Surprise,
			center: s.Center, spread: s.Spread, pace: s.Pace, drift: s.Drift, step: s.Step, grain: s.Grain, lattice: latticeOf(s.Grain), rest: s.Rest, limitLow: math.Inf(-1), limitHigh: math.Inf(1)}
		if !(f.spread > 0) {
			f.pace = 0
		}
		if s.Noise[0] < s.Noise[1] {
			f.noiseLow, f.noiseHigh = s.Noise[0], s.Noise[1]
		}
	}
	if len(s.Flags) > maxFlags {
		return fmt.Errorf("%s has %d combinations of flags", key.id(), len(s.Flags))
	}
	for i, q := range s.Flags {
		f.flags[i], f.nFlags = uint8(q), uint8(i+1)
	}
	e.limit(p, f)
	if p.profile = l.same.known(f); p.profile == nil {
		p.profile = l.profiles.take()
		*p.profile = *f
		p.profile.states = l.states.copy(f.states)
		l.same.keep(p.profile)
	}
	if s.Since > 0 {
		p.tie().late = &late{since: s.Since, learned: true}
	} else {
		e.learned = max(e.learned, int64(s.Seconds*1e9))
	}
	if nat == natureContinuous || nat == natureDrifting {
		e.continuous++
	}
	if c := s.Commands; c != nil {
		if len(c.Range) != 2 || len(c.States) > maxStates {
			return fmt.Errorf("%s has commands without a range", key.id())
		}
		p.tie().commands = &commands{n: c.N, nStates: uint8(len(c.States)), low: c.Range[0], high: c.Range[1], shown: c.Shown, longest: c.Longest, changes: c.Changes, own: c.Own}
		copy(p.commands.states[:], c.States)
		if c.Many {
			p.commands.nStates = maxStates + 1
		}
		if len(c.Effects) > maxStates*perCommand || len(c.Reactions) > (maxStates+2)*perEcho {
			return fmt.Errorf("%s has commands with %d effects", key.id(), len(c.Effects)+len(c.Reactions))
		}
		if len(c.Effects)+len(c.Reactions) > 0 {
			l.effects = append(l.effects, pendingEffects{p, c.Effects, c.Reactions})
		}
	}
	if len(s.Prompts) > maxStates {
		return fmt.Errorf("%s has %d prompts", key.id(), len(s.Prompts))
	}
	if len(s.Prompts) > 0 {
		l.prompts = append(l.prompts, pendingPrompts{p, s.Prompts})
	}
	if r := s.Replay; r != nil {
		if r.Ring < minReplayRing || r.Ring > maxReplayRing || !(r.Grid > 0) || !(r.Chance > 0) || !(r.Pairs >= 0) || !(r.Again >= 0) || !(r.On >= 0) || !(r.Ended >= 0) {
			return fmt.Errorf("%s has a replay model out of its bounds", key.id())
		}
		if e.replays+replayBytes(r.Ring) <= e.settings.ReplayBytes {
			p.own().replay = newReplay(r.Grid, r.Chance, r.Ring)
			p.replay.again, p.replay.pairs, p.replay.on, p.replay.ended = r.Again, r.Pairs, r.On, r.Ended
			e.replays += replayBytes(r.Ring)
		} else {
			e.stats.Unreplayed++
		}
	}
	if d := s.Digits; d != nil {
		if !(d.Unit > 0) || !(d.N > 0) {
			return fmt.Errorf("%s has a model of digits out of its bounds", key.id())
		}
		p.watchDigits(&digits{unit: d.Unit, learned: d.Learned, n: d.N, limit: d.Limit})
	}
	e.points.put(key, e.order.len())
	e.order.add()
	e.stats.Points++
	return nil
}

func (l *loader) restorePace(s *savedPace) error {
	e := l.engine
	if s.Interval <= 0 {
		return fmt.Errorf("an interval of %d nanoseconds", s.Interval)
	}
	if len(e.tickers) >= maxTickers {
		return fmt.Errorf("more than %d paces", maxTickers)
	}
	t := &ticker{interval: s.Interval, points: make([]*point, 0, len(s.Points)), seats: make([]seat, 0, len(s.Points))}
	at := l.at
	for _, i := range s.Points {
		p, err := at(i)
		if err != nil {
			return err
		}
		if p.ticker != nil {
			return fmt.Errorf("%s has two paces", p.id())
		}
		e.sit(t, p)
		if p.regular {
			t.seats[p.column].regular, t.seats[p.column].required = true, true
			t.required++
		}
	}
	if err := s.each(func(x *savedRelation) error { return l.restoreRelation(t, x) }); err != nil {
		return err
	}
	for _, x := range s.Rules {
		state, err := at(x.State)
		if err != nil {
			return err
		}
		measure, err := at(x.Measure)
		if err != nil {
			return err
		}
		if e.nRules >= maxRules {
			break
		}
		e.nRules++
		t.rules = append(t.rules, &rule{state: state, value: x.Value, measure: measure, above: x.Above, bound: x.Bound, rows: x.Rows, visits: x.Visits})
	}
	t.points = nil // nothing more is learned
	e.tickers = append(e.tickers, t)
	return nil
}

// at is the point of a place in the section.
func (l *loader) at(i int) (*point, error) {
	if i >= 0 && i < l.engine.order.len() {
		return l.engine.order.at(i), nil
	}
	return nil, fmt.Errorf("point %d of %d", i, l.engine.order.len())
}

func (l *loader) restoreRelation(t *ticker, x *savedRelation) error {
	at := l.at
	var err error
	r := &relation{season: season{x.Daily, x.Rest, x.Shift}, rows: x.Rows, seconds: x.Seconds, unsettled: min(max(x.Unsettled, 0), longestSettling)}
	if x.Habits != nil {
		r.habits = season{true, x.Habits.Rest, x.Habits.Shift}
	}
	if err := errors.Join(r.season.check(), r.habits.check()); err != nil {
		return err
	}
	for _, i := range x.Switches {
		p, err := at(i)
		if err != nil {
			return err
		}
		r.switches = append(r.switches, p)
	}
	if len(x.Guests) > maxGuests {
		return fmt.Errorf("a relation with %d guests", len(x.Guests))
	}
	for _, g := range x.Guests {
		p, err := at(g.Point)
		if err != nil {
			return err
		}
		if !(g.Spread > 0) {
			return fmt.Errorf("%s is a guest that spreads by %g", p.id(), g.Spread)
		}
		r.guests = append(r.guests, guest{visitor: visitor{point: p, coarse: g.Coarse}, mean: g.Mean, spread: g.Spread, drifting: g.Drifting})
	}
	columns := columnsOf(len(x.Members), len(x.Guests), r.season)
	r.members = make([]member, 0, len(x.Members))
	for k, m := range x.Members {
		p, err := at(m.Point)
		if err != nil {
			return err
		}
		if p.ticker != t || p.relation != nil {
			return fmt.Errorf("%s has another pace or another relation", p.id())
		}
		if len(m.Weights) != columns || len(m.Limits) != len(horizons) || len(m.Clips) != len(horizons) || !(m.Spread > 0) || !(m.Scale > 0) {
			return fmt.Errorf("%s has a relation with %d weights, want %d, and %d limits", p.id(), len(m.Weights), columns, len(m.Limits))
		}
		x := member{point: p, mean: m.Mean, spread: m.Spread, drifting: m.Drifting, scale: m.Scale, lean: m.Lean, bias: m.Bias, weights: m.Weights}
		if x.anchor, err = loadAnchor(m.Anchor, m.Tied, columns, r.rows); err != nil {
			return fmt.Errorf("%s has %w", p.id(), err)
		}
		if x.habit, err = loadAnchor(m.Habit, m.Usual, r.habits.columns()+1, r.rows); err != nil {
			return fmt.Errorf("%s has for a habit %w", p.id(), err)
		}
		copy(x.limits[:], m.Limits)
		copy(x.clips[:], m.Clips)
		x.sums.allowance = allowance
		if x.sums.limit = m.Sum; !(m.Sum > 0) {
			x.sums.limit = unjudged // from before there were sums
		}
		for _, l := range x.limits {
			if !(l > 0) {
				return fmt.Errorf("%s has a threshold of %g", p.id(), l)
			}
		}
		r.members = append(r.members, x)
		own := p.own()
		own.relation, own.member = r, int16(k)
	}
	if len(r.members) == 0 || len(r.members)+len(r.guests) < 2 && !r.daily {
		return fmt.Errorf("a relation of %d points", len(r.members))
	}
	r.responses = make([]response, 0, len(x.Responses))
	for i := range x.Responses {
		if err := r.loadResponse(&x.Responses[i]); err != nil {
			return err
		}
	}
	r.unmets = make([]unmet, 0, len(x.Unmet))
	for _, kinds := range x.Unmet {
		if err := r.loadUnmet(kinds); err != nil {
			return err
		}
	}
	if r.joint, err = loadJoint(x.Joint, x.Factor, r.members); err != nil {
		return err
	}
	r.reset()
	t.relations = append(t.relations, r)
	return nil
}
