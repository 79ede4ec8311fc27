package process

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/weir-ics/weir/detect"
	"github.com/weir-ics/weir/protocols"
)

// id names a point by content, for the keys of findings and the baseline.
func (p *point) id() string { return keyOf(p.series).id() }

func (k pointKey) id() string {
	return fmt.Sprintf("%s/%s/%d/%s/%d", k.device, k.proto, k.unit, k.kind, k.index)
}

// name is how a point is called in a sentence.
func (p *point) name() string {
	if p.series.Name != "" {
		return p.series.Name
	}
	unit := "unit"
	if p.series.Proto == protocols.ProtoDNP3 {
		unit = "address"
	}
	return fmt.Sprintf("%s %d of %s %s %d", strings.ReplaceAll(p.series.Kind.String(), "-", " "), p.series.Index, p.series.Device, unit, p.series.Unit)
}

// number writes a value with as many digits as an operator wants to read.
func number(v float64) string {
	if v == math.Trunc(v) && math.Abs(v) < 1e9 {
		return strconv.FormatFloat(v, 'f', -1, 64)
	}
	return strconv.FormatFloat(v, 'g', 4, 64)
}

func (p *point) quantity(v float64) string {
	if u := p.series.EngineeringUnit; u != "" {
		return number(v) + " " + u
	}
	return number(v)
}

// band writes a range: "between 1 and 3", or "1" if there is only that, as it is
// written.
func (p *point) band(low, high float64) string {
	l, h := p.quantity(low), p.quantity(high)
	if l == h {
		return l
	}
	return "between " + l + " and " + h
}

// capital lets a sentence begin with s.
func capital(s string) string { return strings.ToUpper(s[:1]) + s[1:] }

// span writes a duration the way people say it.
func span(ns int64) string {
	d := time.Duration(ns)
	switch {
	case d < time.Second:
		return d.Round(time.Millisecond).String()
	case d < 2*time.Minute:
		return fmt.Sprintf("%.0f seconds", d.Seconds())
	case d < 2*time.Hour:
		return fmt.Sprintf("%.0f minutes", d.Minutes())
	case d < 3*day:
		return fmt.Sprintf("%.0f hours", d.Hours())
	}
	return fmt.Sprintf("%.0f days", d.Hours()/24)
}

// evidence says what a profile rests on.
func (f *profile) evidence() string {
	return fmt.Sprintf("%d values over %s", f.n, span(int64(float64(f.seconds)*1e9)))
}

func rangeWords(p *point, f *profile, v float64) words {
	low, high := f.bounds()
	return words{score: f.surprise,
		title:    p.name() + " is out of its range",
		observed: fmt.Sprintf("%s is %s.", p.name(), p.quantity(v)),
		expected: fmt.Sprintf("Between %s and %s, from %s.", p.quantity(low), p.quantity(high), f.evidence()),
		explanation: fmt.Sprintf("%s is %s; in learning it was always %s, and by the tail of its values anything from %s to %s would be no surprise.",
			p.name(), p.quantity(v), p.band(f.seenLow, f.seenHigh), p.quantity(low), p.quantity(high)),
	}
}

func limitWords(p *point, f *profile, v float64) words {
	bound, side := f.limitHigh, "above its high"
	if v < f.limitLow {
		bound, side = f.limitLow, "below its low"
	}
	return words{
		title:       p.name() + " is " + side + " limit",
		observed:    fmt.Sprintf("%s is %s.", p.name(), p.quantity(v)),
		expected:    fmt.Sprintf("The tag list gives %s as limit.", p.quantity(bound)),
		explanation: fmt.Sprintf("%s is %s, %s limit of %s in the tag list.", p.name(), p.quantity(v), side, p.quantity(bound)),
	}
}

func rateWords(p *point, f *profile, v float64) words {
	return words{score: f.surprise,
		title:       p.name() + " jumps",
		observed:    fmt.Sprintf("%s went from %s to %s at once.", p.name(), p.quantity(p.value), p.quantity(v)),
		expected:    fmt.Sprintf("Steps of at most %s, from %s.", p.quantity(f.step), f.evidence()),
		explanation: fmt.Sprintf("%s moved by %s from one value to the next; by what was learned, %s is the most.", p.name(), p.quantity(math.Abs(v-p.value)), p.quantity(f.step)),
	}
}

func stateWords(p *point, f *profile, v float64) words {
	w := words{score: math.Log10(float64(f.n) + 1), later: func(w *words) { spellState(w, p, f, v) }}
	// Days show what days are like.
	if f.n < 100 || float64(f.seconds) < day.Seconds() {
		w.severity = protocols.Low
	}
	return w
}

// spellState finds the words for a state that was not seen. Profiles do not change
// while they are watched by: a point that learns more has a new one.
func spellState(w *words, p *point, f *profile, v float64) {
	var known []string
	visits := uint32(0)
	for _, s := range f.states {
		known = append(known, p.quantity(s.value))
		visits += s.visits
	}
	w.observed = fmt.Sprintf("%s is %s.", p.name(), p.quantity(v))
	w.expected = fmt.Sprintf("%s, from %s.", strings.Join(known, " or "), f.evidence())
	if f.nature == natureConstant {
		w.title = p.name() + " never changed, and has changed"
		w.explanation = fmt.Sprintf("%s was %s in each of %s and is %s now.", p.name(), known[0], f.evidence(), p.quantity(v))
	} else {
		w.title = p.name() + " has a value it never had"
		w.explanation = fmt.Sprintf("%s had %d different values in %s, changing %d times, and %s is none of them.", p.name(), len(f.states), f.evidence(), visits, p.quantity(v))
	}
}

func transitionWords(p *point, f *profile, v float64) words {
	return words{
		title:       fmt.Sprintf("%s goes from %s to %s, which it never did", p.name(), number(p.value), number(v)),
		observed:    fmt.Sprintf("%s went from %s to %s.", p.name(), p.quantity(p.value), p.quantity(v)),
		expected:    fmt.Sprintf("Another value between the two, from %s.", f.evidence()),
		explanation: fmt.Sprintf("%s went from %s straight to %s. It knows both values, and never went from the one to the other in %s.", p.name(), p.quantity(p.value), p.quantity(v), f.evidence()),
	}
}

func dwellWords(p *point, f *profile, s *detect.Sample, longest int64) words {
	return words{
		title:       fmt.Sprintf("%s stays at %s", p.name(), number(s.Value)),
		observed:    fmt.Sprintf("%s has been %s for %s.", p.name(), p.quantity(s.Value), span(s.Time-p.changed)),
		expected:    fmt.Sprintf("At most %s, from %s.", span(longest), f.evidence()),
		explanation: fmt.Sprintf("%s has been %s for %s; in learning it was so for %s at most.", p.name(), p.quantity(s.Value), span(s.Time-p.changed), span(longest)),
	}
}

func stuckWords(p *point, f *profile, s *detect.Sample) words {
	return words{score: f.surprise,
		title:       p.name() + " stands still",
		observed:    fmt.Sprintf("%s has been %s for %s.", p.name(), p.quantity(s.Value), span(s.Time-p.changed)),
		expected:    fmt.Sprintf("A change within %s, from %s.", span(f.rest), f.evidence()),
		explanation: fmt.Sprintf("%s always moves; it has not for %s, and never rested for longer than %s.", p.name(), span(s.Time-p.changed), span(f.rest)),
	}
}

func noiseWords(p *point, f *profile, l float64) words {
	what, bound := "far noisier than it was", f.noiseHigh
	if l < f.noiseLow {
		what, bound = "smoother than it was", f.noiseLow
	}
	return words{score: f.surprise,
		title:       p.name() + " is " + what,
		observed:    fmt.Sprintf("The noise of %s is about %s.", p.name(), p.quantity(noiseDeviation(l))),
		expected:    fmt.Sprintf("%s to %s, from %s.", p.quantity(noiseDeviation(f.noiseLow)), p.quantity(noiseDeviation(f.noiseHigh)), f.evidence()),
		explanation: fmt.Sprintf("Over its last %d values %s is %s: the variance of its small movements differs from what is normal by a factor of %s.", noiseLength, p.name(), what, number(math.Exp(math.Abs(l-bound)))),
	}
}

func counterBackWords(p *point, f *profile, v float64) words {
	return words{
		title:       p.name() + " counts backwards",
		observed:    fmt.Sprintf("%s went from %s to %s.", p.name(), p.quantity(p.value), p.quantity(v)),
		expected:    fmt.Sprintf("Only increases, from %s.", f.evidence()),
		explanation: fmt.Sprintf("%s is a counter: it went from %s back to %s without having run over.", p.name(), p.quantity(p.value), p.quantity(v)),
	}
}

func counterWords(p *point, f *profile, s *detect.Sample, d float64) words {
	if d > 0 {
		return words{score: f.surprise,
			title:       p.name() + " counts too fast",
			observed:    fmt.Sprintf("%s went up by %s at once.", p.name(), number(d)),
			expected:    fmt.Sprintf("At most %s, from %s.", number(f.step), f.evidence()),
			explanation: fmt.Sprintf("%s went up by %s from one value to the next; by what was learned, %s is the most.", p.name(), number(d), number(f.step)),
		}
	}
	w := stuckWords(p, f, s)
	w.title = p.name() + " no longer counts"
	return w
}

// flagNames are those of the DNP3 flag octet that all point types share (IEEE
// 1815-2012, 11.6.1), from bit 0.
var flagNames = [...]string{"online", "restart", "communication lost", "remote forced", "local forced", "over range or rolled over", "reference error or discontinuity", "reserved"}

func flagList(q uint8) string {
	var names []string
	for i, n := range flagNames {
		if q>>i&1 != 0 {
			names = append(names, n)
		}
	}
	if names == nil {
		return "no flag"
	}
	return strings.Join(names, ", ")
}

func flagWords(p *point, f *profile, q uint8) words {
	var known []string
	for _, k := range f.flags[:f.nFlags] {
		known = append(known, flagList(k))
	}
	w := words{
		title:       p.name() + " has other quality flags",
		observed:    fmt.Sprintf("%s has the flags: %s.", p.name(), flagList(q)),
		expected:    fmt.Sprintf("%s, from %s.", strings.Join(known, "; or "), f.evidence()),
		explanation: fmt.Sprintf("%s now comes with the flags %s, which it never had.", p.name(), flagList(q)),
	}
	if q&0x18 != 0 {
		// Someone forces the value.
		w.severity = protocols.High
	}
	return w
}
