package process

import (
	"math"

	"github.com/weir-ics/weir/detect"
)

// Retype puts one series in the place of the registers that it is made of, and
// carries over what was learned of them: once it is known that two registers are
// one number, the history of the number is that of the registers. It has to come
// before watching begins. decode reads the value from the raw values, in the
// order of raw.
func (e *Engine) Retype(raw []*detect.Series, typed *detect.Series, decode func([]uint16) float64) {
	if e.watching || len(raw) == 0 || len(raw) > 4 {
		return
	}
	e.drop()
	e.seating++
	var parts []*point
	for _, s := range raw {
		if p := e.points.get(keyOf(s)); p != nil && p.tally != nil && p.series.Type == s.Type {
			parts = append(parts, p)
		}
	}
	if len(parts) != len(raw) {
		return
	}
	p := e.newPoint(typed)
	first := parts[0]
	last := *parts[len(parts)-1].heard
	for _, o := range parts {
		e.points.remove(keyOf(o.series))
		o.heard = gone
		o.set(markHeard, false)
	}
	e.points.put(keyOf(typed), e.order.len()-1)
	e.echo.retyped = append(e.echo.retyped, retyped{p, parts, decode})
	t := first.ticker
	if t != nil {
		for _, o := range parts {
			if o.ticker != t {
				t = nil
				break
			}
		}
	}
	if t != nil {
		e.retypeIn(t, p, parts, decode)
	}
	e.retypeCandidates(p, parts, decode)
	for _, o := range parts {
		if o.ticker != nil {
			e.leave(o)
		}
	}
	*e.heardOf(p) = last
	var now [4]uint16
	for i, o := range parts {
		p.set(markValue, o.has())
		p.changed = max(p.changed, o.changed)
		now[i] = uint16(o.value)
	}
	if v := decode(now[:len(parts)]); !math.IsNaN(v) && !math.IsInf(v, 0) {
		p.value = v
	}
}

// retypeIn makes the column of p from those of its parts, and tallies it.
func (e *Engine) retypeIn(t *ticker, p *point, parts []*point, decode func([]uint16) float64) {
	h := &t.history
	first := parts[0]
	recorded := true
	for _, o := range parts {
		recorded = recorded && !h.columns[o.column].refused
	}
	var c column
	e.keep(p, *first.tempo)
	e.sit(t, p)
	was := t.seats[first.column]
	t.seats[p.column] = seat{seen: was.seen, regular: was.regular, required: was.required}
	if was.required {
		// Its part goes on being waited for through p.
		t.required++
		if was.seen {
			t.seen++
		}
	}
	if !recorded {
		// That it moves is all that is known of it.
		m := motionFrom(p.value, first.tally.first)
		m.nStates = maxStates + 1
		p.tally.motion, p.tally.n = m, first.tally.n
		p.tally.first, p.tally.last = first.tally.first, first.tally.last
		h.columns = append(h.columns, column{refused: true})
		return
	}
	var r [4]uint16
	constant := true
	out := make([]float32, len(h.times))
	for i := range out {
		known := true
		for k, o := range parts {
			v := h.columns[o.column].at(i)
			known = known && !math.IsNaN(v)
			r[k] = uint16(v)
		}
		v := decode(r[:len(parts)])
		if !known || math.IsNaN(v) || math.IsInf(v, 0) {
			if int(c.from) == i {
				c.from = int32(i) + 1
			} else {
				out[i] = out[i-1]
			}
			continue
		}
		out[i] = float32(v)
		constant = constant && (i == int(c.from) || out[i] == out[c.from])
		s := detect.Sample{Time: h.times[i], Value: v}
		p.tally.observe(p, &s)
		p.value = v
	}
	switch {
	case constant && int(c.from) < len(out):
		c.only = out[c.from]
	default:
		if c.moved = valuesOf(out); !h.room.open(c.moved.width()) {
			c = column{refused: true}
		}
	}
	// The tally counts rows; what the registers counted is the truth.
	p.tally.n = max(p.tally.n, first.tally.n)
	h.columns = append(h.columns, c)
}
