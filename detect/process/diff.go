package process

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strings"
)

// namedOfTable is how many new or gone points of one table Diff names; of the
// others it says how many there are.
const namedOfTable = 8

// Learned are the sections of a baseline file: what was learned, and what of points
// that were first seen after that. Either may be nil.
type Learned struct{ Process, Later json.RawMessage }

// Diff writes what a later baseline knows otherwise than an earlier one, the
// weightiest first: what is commanded, values that were not expected before, rules
// of the control logic, and points that came and went. What differs between any
// two learnings of the same plant, such as thresholds and weights, is not said. It
// tells whether there is any difference.
func Diff(w io.Writer, earlier, later Learned) (differs bool, err error) {
	a, err := loadToRead(earlier)
	if err != nil {
		return false, fmt.Errorf("the earlier baseline: %w", err)
	}
	b, err := loadToRead(later)
	if err != nil {
		return false, fmt.Errorf("the later baseline: %w", err)
	}
	say := func(format string, args ...any) {
		differs = true
		if err == nil {
			_, err = fmt.Fprintf(w, format+"\n", args...)
		}
	}
	for _, p := range b.each() {
		if was := a.points.get(keyOf(p.series)); was != nil {
			diffCommands(say, was, p)
		}
	}
	for _, p := range b.each() {
		if was := a.points.get(keyOf(p.series)); was != nil {
			diffValues(say, was, p)
		}
	}
	diffRules(say, a, b)
	sayTables(say, "new point", b, a)
	sayTables(say, "gone point", a, b)
	return differs, err
}

// loadToRead makes an engine of sections that are only looked at.
func loadToRead(l Learned) (*Engine, error) {
	e := NewEngine(Settings{})
	if l.Process != nil {
		if err := e.Load(l.Process); err != nil {
			return nil, err
		}
	}
	if l.Later != nil {
		e.watching = true
		if err := e.LoadLater(l.Later); err != nil {
			return nil, err
		}
	}
	return e, nil
}

func diffCommands(say func(string, ...any), was, is *point) {
	x, y := was.commands, is.commands
	if y == nil || y.n == 0 {
		return
	}
	name := is.name()
	if x == nil || x.n == 0 {
		say("newly commanded: %s, to %s", name, is.commandedWords(y))
		return
	}
	if x.nStates > maxStates || y.nStates > maxStates {
		if y.low < x.low || y.high > x.high {
			say("%s: commanded to %s, before to %s", name, is.commandedWords(y), is.commandedWords(x))
		}
		return
	}
	var fresh []string
	for _, v := range y.states[:y.nStates] {
		if !slices.ContainsFunc(x.states[:x.nStates], func(u float64) bool { return near(u, v) }) {
			fresh = append(fresh, is.quantity(v))
		}
	}
	if len(fresh) > 0 {
		say("%s: newly commanded to %s, before to %s", name, strings.Join(fresh, " or "), is.commandedWords(x))
	}
}

// commandedWords says to what a point was commanded.
func (p *point) commandedWords(c *commands) string {
	if c.nStates > maxStates {
		return p.band(c.low, c.high)
	}
	var all []string
	for _, v := range c.states[:c.nStates] {
		all = append(all, p.quantity(v))
	}
	return strings.Join(all, " or ")
}

func diffValues(say func(string, ...any), was, is *point) {
	f, g := was.profile, is.profile
	name := is.name()
	low, high := g.seen()
	switch {
	case len(f.states) > 0 && len(g.states) > 0:
		var fresh []string
		for _, s := range g.states {
			if !f.knows(s.value) {
				fresh = append(fresh, is.quantity(s.value))
			}
		}
		if len(fresh) > 0 {
			say("%s: newly %s, before %s", name, strings.Join(fresh, " or "), is.statesWords(f))
		}
	case len(f.states) > 0:
		say("%s: %s, before only %s", name, is.band(low, high), is.statesWords(f))
	case f.nature != natureCounter && !math.IsInf(f.low, 0) && (low < f.low || high > f.high):
		say("%s: %s, before %s", name, is.band(low, high), is.band(f.seenLow, f.seenHigh))
	case f.nature == natureCounter && g.nature != natureCounter && g.nature != natureUnknown && low < high:
		say("%s: no longer only counts up", name)
	}
	var fresh []string
	for _, q := range g.flags[:g.nFlags] {
		if f.nFlags > 0 && !slices.Contains(f.flags[:f.nFlags], q) {
			fresh = append(fresh, flagList(q))
		}
	}
	if len(fresh) > 0 {
		say("%s: newly with the flags: %s", name, strings.Join(fresh, "; or "))
	}
}

func (p *point) statesWords(f *profile) string {
	var all []string
	for _, s := range f.states {
		all = append(all, p.quantity(s.value))
	}
	return strings.Join(all, " or ")
}

// boundMoved is by how much of what was seen of a measurement the bound of a rule
// differs when that is worth a word. Two learnings never find the same.
const boundMoved = 0.1

func diffRules(say func(string, ...any), a, b *Engine) {
	had, have := a.rulesByID(), b.rulesByID()
	for _, id := range slices.Sorted(maps.Keys(had)) {
		r := had[id]
		if have[id] == nil && b.points.get(keyOf(r.state.series)) != nil && b.points.get(keyOf(r.measure.series)) != nil {
			say("no longer always: %s (it was, in %d rows on %d occasions)", r, r.rows, r.visits)
		}
	}
	for _, id := range slices.Sorted(maps.Keys(have)) {
		r, was := have[id], had[id]
		if was == nil {
			say("new rule: %s (%d rows on %d occasions)", r, r.rows, r.visits)
			continue
		}
		low, high := was.measure.profile.seen()
		if math.Abs(r.bound-was.bound) > boundMoved*(high-low) {
			say("rule with another bound: %s; it was %s", r, r.measure.quantity(was.bound))
		}
	}
}

func (e *Engine) rulesByID() map[string]*rule {
	out := map[string]*rule{}
	for _, t := range e.tickers {
		for _, r := range t.rules {
			out[r.id()] = r
		}
	}
	return out
}

// sayTables says which of the points the other engine does not have, a table of a
// device at a time.
func sayTables(say func(string, ...any), what string, e, other *Engine) {
	var table pointKey
	named, more := 0, 0
	end := func() {
		if more > 0 {
			say("%ss: %d more of %s unit %d, %s", what, more, table.device, table.unit, table.kind)
		}
		named, more = 0, 0
	}
	for _, p := range e.each() {
		key := keyOf(p.series)
		if other.points.get(key) != nil {
			continue
		}
		of := key
		of.index = 0
		if of != table {
			end()
			table = of
		}
		if named++; named > namedOfTable {
			more++
			continue
		}
		say("%s: %s, %s", what, p.name(), p.profile.nature)
	}
	end()
}
