package process

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"
	"text/tabwriter"
	"time"
)

// Merge puts two sections together: what was normal in either is normal. Of a
// relation that both know something of, that with the longer learning is kept,
// because the weights of two cannot be averaged.
func Merge(a, b json.RawMessage) (json.RawMessage, error) {
	x, err := read(a)
	if err != nil {
		return nil, fmt.Errorf("merge the process models: the first: %w", err)
	}
	y, err := read(b)
	if err != nil {
		return nil, fmt.Errorf("merge the process models: the second: %w", err)
	}
	if y.evidence() > x.evidence() {
		x, y = y, x
	}
	out := &baseline{Points: slices.Clone(x.Points)}
	places := make(map[string]int)
	for i := range out.Points {
		places[out.Points[i].id()] = i
	}
	where := make([]int, len(y.Points)) // of y's points in out
	isNew := make([]bool, len(y.Points))
	for i := range y.Points {
		p := &y.Points[i]
		at, known := places[p.id()]
		if known {
			out.Points[at].merge(p)
		} else {
			at = len(out.Points)
			out.Points = append(out.Points, *p)
			places[p.id()] = at
			isNew[i] = true
		}
		where[i] = at
	}
	out.Tickers = slices.Clone(x.Tickers)
	for _, t := range y.Tickers {
		moved := savedPace{Interval: t.Interval, Points: []int{}}
		all := func(points ...int) bool {
			return !slices.ContainsFunc(points, func(i int) bool { return !isNew[i] })
		}
		for _, i := range t.Points {
			if isNew[i] {
				moved.Points = append(moved.Points, where[i])
			}
		}
		for _, r := range t.Relations {
			members := slices.Clone(r.Members)
			fresh := true
			for k := range members {
				fresh = fresh && isNew[members[k].Point]
				members[k].Point = where[members[k].Point]
			}
			if fresh {
				r.Members = members
				r.Guests = slices.Clone(r.Guests)
				for k := range r.Guests {
					r.Guests[k].Point = where[r.Guests[k].Point]
				}
				r.Switches = slices.Clone(r.Switches)
				for k := range r.Switches {
					r.Switches[k] = where[r.Switches[k]]
				}
				moved.Relations = append(moved.Relations, r)
			}
		}
		for _, r := range t.Rules {
			if all(r.State, r.Measure) {
				r.State, r.Measure = where[r.State], where[r.Measure]
				moved.Rules = append(moved.Rules, r)
			}
		}
		if len(moved.Points) > 0 {
			out.Tickers = append(out.Tickers, moved)
		}
	}
	out.sort()
	raw, err := out.encode()
	if err != nil {
		return nil, fmt.Errorf("merge the process models: %w", err)
	}
	return raw, nil
}

// read parses a section and checks that it can be loaded.
func read(section json.RawMessage) (*baseline, error) {
	if err := NewEngine(Settings{}).Load(section); err != nil {
		return nil, err
	}
	b := new(baseline)
	return b, readSection(section, nil, func(s *savedPoint) error {
		own := *s
		own.States, own.Visits, own.Dwell = slices.Clone(s.States), slices.Clone(s.Visits), slices.Clone(s.Dwell)
		b.Points = append(b.Points, own)
		return nil
	}, func(s *savedPace) error {
		own := *s
		own.Relations, own.unread = nil, nil
		b.Tickers = append(b.Tickers, own)
		return s.each(func(r *savedRelation) error {
			t := &b.Tickers[len(b.Tickers)-1]
			t.Relations = append(t.Relations, r.clone())
			return nil
		})
	})
}

func (b *baseline) evidence() float64 {
	n := 0.0
	for i := range b.Points {
		n += float64(b.Points[i].N)
	}
	return n
}

func (s *savedPoint) id() string {
	return fmt.Sprintf("%s/%s/%d/%s/%d", s.Device, s.Proto, s.Unit, s.Kind, s.Index)
}

// sort puts the points in order again.
func (b *baseline) sort() {
	order := make([]int, len(b.Points))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(i, j int) int {
		p, q := &b.Points[i], &b.Points[j]
		return cmp.Or(p.Device.Compare(q.Device), cmp.Compare(p.Proto, q.Proto), cmp.Compare(p.Unit, q.Unit), cmp.Compare(p.Kind, q.Kind), cmp.Compare(p.Index, q.Index))
	})
	place := make([]int, len(order))
	points := make([]savedPoint, len(order))
	for to, from := range order {
		place[from], points[to] = to, b.Points[from]
	}
	b.Points = points
	for i := range b.Tickers {
		t := &b.Tickers[i]
		t.Points = slices.Clone(t.Points)
		for k := range t.Points {
			t.Points[k] = place[t.Points[k]]
		}
		t.Relations, t.Rules = slices.Clone(t.Relations), slices.Clone(t.Rules)
		for k := range t.Relations {
			r := &t.Relations[k]
			r.Switches = slices.Clone(r.Switches)
			for m := range r.Switches {
				r.Switches[m] = place[r.Switches[m]]
			}
			r.Guests = slices.Clone(r.Guests)
			for m := range r.Guests {
				r.Guests[m].Point = place[r.Guests[m].Point]
			}
			r.Members = slices.Clone(r.Members)
			for m := range r.Members {
				r.Members[m].Point = place[r.Members[m].Point]
			}
		}
		for k := range t.Rules {
			t.Rules[k].State, t.Rules[k].Measure = place[t.Rules[k].State], place[t.Rules[k].Measure]
		}
	}
}

// merge makes what o saw normal for s too.
func (s *savedPoint) merge(o *savedPoint) {
	if o.N == 0 {
		return
	}
	if s.Type != o.Type {
		return // read differently, their values do not compare
	}
	stateful := func(p *savedPoint) bool {
		return p.Nature == natureConstant.String() || p.Nature == natureState.String()
	}
	s.Prompts = mergePrompts(s, o)
	s.Since = min(s.Since, o.Since)
	s.Seen = [2]float64{math.Min(s.Seen[0], o.Seen[0]), math.Max(s.Seen[1], o.Seen[1])}
	for _, f := range o.Flags {
		if len(s.Flags) < maxFlags && !slices.Contains(s.Flags, f) {
			s.Flags = append(s.Flags, f)
		}
	}
	if c := s.Commands; c != nil && o.Commands != nil {
		c.Effects, c.Reactions = mergeEffects(c, o.Commands), mergeReactions(c, o.Commands)
		c.N += o.Commands.N
		c.Range = []float64{math.Min(c.Range[0], o.Commands.Range[0]), math.Max(c.Range[1], o.Commands.Range[1])}
		c.Shown += o.Commands.Shown
		c.Longest = max(c.Longest, o.Commands.Longest)
		c.Changes += o.Commands.Changes
		c.Own += o.Commands.Own
	} else if c == nil {
		s.Commands = o.Commands
	}
	n, seconds := s.N+o.N, s.Seconds+o.Seconds
	switch {
	case stateful(s) && stateful(o):
		s.States, s.Visits = slices.Clone(s.States), slices.Clone(s.Visits)
		for i, v := range o.States {
			if k := slices.Index(s.States, v); k >= 0 {
				s.Visits[k] += o.Visits[i]
			} else {
				s.States, s.Visits = append(s.States, v), append(s.Visits, o.Visits[i])
			}
		}
		s.Nature, s.Transitions, s.Dwell = natureState.String(), 0, nil
		if len(s.States) == 1 {
			s.Nature = natureConstant.String()
		}
		if len(s.States) > maxStates {
			s.Nature, s.States, s.Visits = natureUnknown.String(), nil, nil
		}
	case s.Nature == o.Nature:
		s.Low, s.High = math.Min(s.Low, o.Low), math.Max(s.High, o.High)
		s.Step = widest(s.Step, o.Step)
		s.Grain = math.Max(s.Grain, o.Grain)
		if s.Rest != 0 {
			s.Rest = max(s.Rest, o.Rest)
		}
		if s.Noise[0] < s.Noise[1] && o.Noise[0] < o.Noise[1] {
			s.Noise = [2]float64{math.Min(s.Noise[0], o.Noise[0]), math.Max(s.Noise[1], o.Noise[1])}
		}
	case stateful(s):
		// The other saw it move: what it saw counts.
		seen, flags, commands := s.Seen, s.Flags, s.Commands
		*s = *o
		s.Seen, s.Flags, s.Commands = seen, flags, commands
		s.Low, s.High = math.Min(s.Low, seen[0]), math.Max(s.High, seen[1])
	default:
		s.Low, s.High = math.Min(s.Low, o.Seen[0]), math.Max(s.High, o.Seen[1])
	}
	s.N, s.Seconds = n, seconds
}

// widest is the larger of two limits, where 0 is none.
func widest(a, b float64) float64 {
	if a == 0 || b == 0 {
		return 0
	}
	return math.Max(a, b)
}

// Show writes what a section holds, for people.
func Show(w io.Writer, section json.RawMessage) error {
	var e Engine
	e.settings = Settings{}.withDefaults()
	if err := e.Load(section); err != nil {
		return err
	}
	if err := e.showPoints(w, false); err != nil {
		return err
	}
	for _, t := range e.tickers {
		for _, r := range t.relations {
			if _, err := fmt.Fprintf(w, "\n%s, from %d rows over %s:\n", r.heading(), r.rows, span(int64(r.seconds*1e9))); err != nil {
				return err
			}
			for j := range r.members {
				if _, err := fmt.Fprintf(w, "  %s by %s\n", r.members[j].reach(), r.reasons(j)); err != nil {
					return err
				}
			}
		}
	}
	for _, c := range append(e.Consequences(), e.Prompts()...) {
		if _, err := fmt.Fprintf(w, "consequence: %s\n", c); err != nil {
			return err
		}
	}
	for _, rule := range e.Rules() {
		if _, err := fmt.Fprintf(w, "rule: %s\n", rule); err != nil {
			return err
		}
	}
	return nil
}

// showPoints writes a line for each point, with when it was first seen if since is
// asked for.
func (e *Engine) showPoints(w io.Writer, since bool) error {
	tab := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprint(tab, "point\tkind\tvalues\texpected\tevery")
	if since {
		fmt.Fprint(tab, "\tsince")
	}
	fmt.Fprintln(tab)
	for _, p := range e.each() {
		f := p.profile
		expected := "not judged"
		switch {
		case len(f.states) > 0:
			expected = ""
			for i, s := range f.states {
				if i > 0 {
					expected += ", "
				}
				expected += p.quantity(s.value)
			}
		case !math.IsInf(f.low, 0):
			expected = p.quantity(f.low) + " to " + p.quantity(f.high)
		case f.nature == natureCounter || f.nature == natureDrifting:
			expected = "steps up to " + p.quantity(f.step)
		}
		every := "on change"
		if p.regular {
			every = span(p.interval)
		}
		fmt.Fprintf(tab, "%s\t%s\t%d\t%s\t%s", p.name(), f.nature, f.n, expected, every)
		if since {
			fmt.Fprintf(tab, "\t%s", time.Unix(0, p.late.since).UTC().Format(time.RFC3339))
		}
		fmt.Fprintln(tab)
	}
	return tab.Flush()
}

// heading says who belongs to r.
func (r *relation) heading() string {
	s := fmt.Sprintf("relation of %d points", len(r.members))
	if n := len(r.guests); n > 0 {
		s += fmt.Sprintf(", with %d of faster paces to explain them", n)
	}
	if r.rest != 0 {
		s += ", other on " + r.season.days()
	}
	return s
}

// reach says of a member how close it is predicted, over the fewest rows that it is
// judged by.
func (m *member) reach() string {
	for k, limit := range m.limits {
		if limit >= unjudged {
			continue
		}
		over := ""
		if horizons[k] > 1 {
			over = fmt.Sprintf(" over %.0f rows", horizons[k])
		}
		return fmt.Sprintf("%s to within %s%s", m.point.name(), m.point.quantity(limit*m.scale*m.spread), over)
	}
	return m.point.name() + ", not judged,"
}

// reasons names the points that explain member j most.
func (r *relation) reasons(j int) string {
	d := len(r.members)
	weight := make([]float64, d+len(r.guests))
	all := r.members[j].weights
	for i, w := range all[:d*(1+lags)] {
		weight[i%d] += math.Abs(float64(w))
	}
	for i, w := range all[d*(1+lags):][:guestColumns*len(r.guests)] {
		weight[d+i/guestColumns] += math.Abs(float64(w))
	}
	order := make([]int, len(weight))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(weight[b], weight[a]) })
	out := ""
	for k, i := range order[:min(3, len(order))] {
		if k > 0 {
			out += ", "
		}
		switch {
		case i == j:
			out += "its own past"
		case i < d:
			out += r.members[i].point.name()
		default:
			out += r.guests[i-d].point.name()
		}
	}
	return out
}
