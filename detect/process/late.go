package process

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
)

// A point that is first seen after learning, a new register or a device that was
// added, has no model. It learns by itself, from what it reports from then on, for
// as long as the site's learning lasted, and is judged by that: by itself only,
// without relations to others, rules, effects of commands and replays. That it is
// there was told when it came. What was learned before is never learned anew: who
// is on the network cannot teach weir another normal for a point that it knows.

// late is what a point has that was first seen after learning.
type late struct {
	// since is when it was first seen, until the end of its learning; learned tells
	// that it has a model.
	since, until int64
	learned      bool
	// column holds rows of its values, of which every block in every is kept; rows
	// counts all there were, n those that are kept.
	column      column
	n           int
	rows, every int64
}

// lateRows bounds the values that a late point learns from; then every second
// block of them is let go, as in a history.
const lateRows = 4096

// lateFrom begins the learning of a late point with its first report.
func (e *Engine) lateFrom(p *point, at int64) {
	p.tie().late = &late{since: at, until: at + e.learned, every: 1}
}

// learnLate takes in a report of a point that is learning late, and ends its
// learning when it is time. A point that moves must have shown enough for a model.
func (e *Engine) learnLate(p *point, at int64, v float64) {
	l := p.late
	if l == nil {
		e.lateFrom(p, at)
		l = p.late
	}
	if at >= l.until {
		if p.tally.nStates <= maxStates || l.n >= settleRows || l.column.refused || !p.regular {
			e.settleLate(p)
			return
		}
		l.until = at + e.learned
	}
	kept := l.rows/blockRows%l.every == 0
	l.rows++
	if !kept {
		return
	}
	l.column.put(&e.lateRoom, l.n, float32(v))
	l.n++
	for l.n >= e.lateRoom.rows() && l.n%blockRows == 0 {
		l.column.thin(func(row int) bool { return row/blockRows%2 == 0 })
		l.n = (l.n/blockRows + 1) / 2 * blockRows
		l.every *= 2
	}
}

// settleLate ends the learning of a late point.
func (e *Engine) settleLate(p *point) {
	l := p.late
	if p.tally.nStates > maxStates {
		e.continuous++
	}
	f := e.profileOf(p, e.budget())
	f.shape.round()
	p.profile, p.own().tally = f, nil
	l.learned = true
	e.lateRoom.release(&l.column)
	l.column = column{}
	e.stats.Later++
}

// budget is how many false alarms a second each test may give: each continuous
// point is tested by itself in five ways and in relation to others over each
// horizon, on both sides.
func (e *Engine) budget() float64 {
	tests := float64(max(1, e.continuous) * 2 * (5 + len(horizons)))
	return e.settings.AlarmsPerDay / tests / day.Seconds()
}

// valuesOf returns the rows of p that are kept, oldest first, and how far apart
// they are; none if it keeps no pace.
func (p *point) valuesOf() (values []float64, interval int64) {
	switch {
	case p.ticker != nil:
		return p.ticker.history.columns[p.column].series(), p.ticker.interval
	case p.late != nil && p.regular:
		return p.late.column.series(), p.interval
	}
	return nil, 0
}

// learnedLater tells that p has a model that is none of the site's learning.
func (p *point) learnedLater() bool { return p.late != nil && p.late.learned }

// SaveLater returns what was learned of points that were first seen after
// learning, as a section of its own, nil if there is none. Watching must have
// begun. What is still being learned begins anew after a restart.
func (e *Engine) SaveLater() (json.RawMessage, error) {
	some := false
	for _, p := range e.each() {
		some = some || p.learnedLater()
	}
	if !some {
		return nil, nil
	}
	var b bytes.Buffer
	err := e.save(&b, (*point).learnedLater, nil)
	return b.Bytes(), err
}

// LoadLater takes over what SaveLater wrote, after Load. Points that the section
// read by Load knows are left as they are.
func (e *Engine) LoadLater(section json.RawMessage) error {
	if !e.watching {
		return fmt.Errorf("load what was learned later: nothing was learned before")
	}
	l := loader{engine: e}
	err := readSection(section, nil, func(s *savedPoint) error {
		if s.Since <= 0 {
			return fmt.Errorf("%s was not learned later", s.id())
		}
		place := savedPlace{s.Device, s.Proto, s.Unit, s.Kind, s.Index}
		if key, err := place.key(); err != nil || e.points.get(key) != nil {
			return err
		}
		return l.restore(s)
	}, func(*savedPace) error { return fmt.Errorf("a pace that was learned later") })
	if err == nil {
		err = l.connect()
	}
	if err != nil {
		return fmt.Errorf("load what was learned later: %w", err)
	}
	return nil
}

// ShowLater writes what a section that SaveLater wrote holds, for people.
func ShowLater(w io.Writer, section json.RawMessage) error {
	e := NewEngine(Settings{})
	e.watching = true
	if err := e.LoadLater(section); err != nil {
		return err
	}
	if _, err := fmt.Fprintln(w, "learned later, each point by itself, since it was first seen after the learning:"); err != nil {
		return err
	}
	return e.showPoints(w, true)
}
