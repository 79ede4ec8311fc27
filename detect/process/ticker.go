package process

import (
	"math"
	"slices"
)

// A ticker puts values that are polled at the same pace together in rows: one
// row a round of polling, with the latest value of each of its points. A round
// is over when all points that keep the pace have been seen, when one of them
// comes again, or when the pace says that it must be over. Points that report
// only changes have the value they last had.
type ticker struct {
	interval int64
	// points are those in its columns; nil if they were loaded: see seated.
	points []*point
	// seats are what a round needs to know of each point.
	seats []seat
	// open tells that a round is under way, since start; it ends at deadline at
	// the latest.
	open            bool
	start, deadline int64
	seen, required  int
	// absent is how many points had been missing for so long, when the last round was
	// over, that rows do not wait for them.
	absent int
	// lastStart and sequence are those of the last row. A gap in time leaves a
	// gap in sequence.
	lastStart int64
	sequence  int64
	history   history
	relations []*relation
	// board is there once rows are judged.
	board  *board
	shares shares // of who takes rows into relations
	rules  []*rule
	// away are those of its points that explain others of slower paces. invited
	// holds, while learning, which points of faster paces were asked to explain its
	// own, and whether there was room.
	away    []*visitor
	invited map[*point]bool
}

const maxTickers = 32

// seat is the place of a point in a round.
type seat struct {
	// seen tells that it was in this round, missed in how many rounds since it was last it
	// was not.
	seen   bool
	missed uint8
	// regular tells that it keeps the pace, required that rounds wait for it.
	regular, required bool
}

// pace finds out how often a point comes, and gives it to a ticker.
func (e *Engine) pace(p *point, at int64) {
	if p.paced {
		return
	}
	if p.gaps == nil {
		p.tie().gaps = &gaps{last: at}
		if p.ticker == nil {
			e.follow(p)
		}
		return
	}
	g := p.gaps
	if at <= g.last {
		return
	}
	g.gap[g.n] = at - g.last
	g.last = at
	g.n++
	if g.n < probes {
		return
	}
	sortedGaps := g.gap
	slices.Sort(sortedGaps[:])
	median := sortedGaps[probes/2]
	regular := sortedGaps[3*probes/4] < 2*sortedGaps[probes/4]
	p.tie().gaps = nil
	p.shed()
	// While watching the rows are laid down; it goes on by itself.
	e.keep(p, tempo{median, p.ticker, true, regular && (!e.watching || p.late != nil)})
	if e.watching {
		return
	}
	t := e.tickerFor(p, median, regular)
	if t == nil {
		return
	}
	if t != p.ticker {
		if p.ticker != nil {
			e.leave(p)
		}
		e.join(t, p)
	}
	if regular {
		t.seats[p.column].regular, t.seats[p.column].required = true, true
		t.required++
	}
}

// tickerFor finds the ticker with the pace of a point, or makes it. Points that
// keep no pace go with their device.
func (e *Engine) tickerFor(p *point, interval int64, regular bool) *ticker {
	if !regular && p.ticker != nil {
		return p.ticker
	}
	for _, t := range e.tickers {
		if r := math.Log2(float64(interval) / float64(t.interval)); math.Abs(r) < 0.5 && regular {
			return t
		}
	}
	if len(e.tickers) >= maxTickers || e.watching {
		return nil
	}
	t := &ticker{interval: interval, history: history{room: &e.room, every: 1}}
	e.tickers = append(e.tickers, t)
	for _, o := range e.each() {
		if o.ticker == nil && o != p && o.has() && o.series.Device == p.series.Device {
			e.join(t, o)
		}
	}
	return t
}

// follow puts a new point with the others of its device, until its own pace is
// known.
func (e *Engine) follow(p *point) {
	for _, t := range e.tickers {
		for _, o := range t.points {
			if o != nil && o.series.Device == p.series.Device {
				e.join(t, p)
				return
			}
		}
	}
}

func (e *Engine) join(t *ticker, p *point) {
	if e.watching {
		return
	}
	e.sit(t, p)
	e.seating++
	t.history.join(p.value)
}

// sit gives p a column of its own.
func (e *Engine) sit(t *ticker, p *point) {
	e.keep(p, tempo{p.interval, t, p.paced, p.regular})
	p.column = int32(len(t.seats))
	t.points = append(t.points, p)
	t.seats = append(t.seats, seat{})
}

// seated returns the points in the columns of t.
func (t *ticker) seated(e *Engine) []*point {
	if t.points != nil {
		return t.points
	}
	points := make([]*point, len(t.seats))
	for _, p := range e.each() {
		if p.ticker == t {
			points[p.column] = p
		}
	}
	return points
}

// absent tells that p has not been reported for so long that rows do not wait
// for it.
func (p *point) absent() bool { return p.ticker != nil && p.ticker.seats[p.column].missed >= missing }

// leave makes the column of p empty.
func (e *Engine) leave(p *point) {
	t := p.ticker
	if s := &t.seats[p.column]; s.required {
		t.required--
		if s.seen {
			t.seen--
		}
	}
	t.seats[p.column] = seat{}
	e.keep(p, tempo{p.interval, nil, p.paced, p.regular})
	t.points[p.column] = nil
	t.history.drop(int(p.column))
}

// update takes in that the points in some columns of t were reported.
func (e *Engine) update(t *ticker, columns []run) {
	now := e.clock
	if !t.open {
		if t.lastStart != 0 && now-t.lastStart < t.interval/2 {
			// The round is over already; this is a second reader, or what rows no
			// longer wait for and is back.
			for _, c := range columns {
				seats := t.seatsOf(c)
				for i := range seats {
					if s := &seats[i]; s.regular && s.missed >= missing {
						s.missed, s.required = 0, true
						t.required++
					}
				}
			}
			return
		}
		t.begin(now)
	} else if now-t.start >= t.interval/2 {
		if t.anySeen(columns) {
			e.closeRow(t)
			t.begin(now)
		}
	}
	for _, c := range columns {
		seats := t.seatsOf(c)
		for i := range seats {
			if s := &seats[i]; !s.seen {
				s.seen = true
				if s.required {
					t.seen++
				}
			}
		}
	}
	if t.required > 0 && t.seen >= t.required {
		e.closeRow(t)
	}
}

// seatsOf are the seats in a run of columns.
func (t *ticker) seatsOf(c run) []seat { return t.seats[c.lo:c.hi] }

// anySeen tells whether one of some columns was seen in this round.
func (t *ticker) anySeen(columns []run) bool {
	for _, c := range columns {
		if slices.ContainsFunc(t.seatsOf(c), func(s seat) bool { return s.seen }) {
			return true
		}
	}
	return false
}

func (t *ticker) begin(now int64) {
	t.open, t.start, t.deadline = true, now, now+t.interval
	t.seen = 0
}

// missing is for how many rounds a point may be missing before rows no longer
// wait for it.
const missing = 3

// closeRow ends a round: its row is learned or judged.
func (e *Engine) closeRow(t *ticker) {
	t.open = false
	t.absent = 0
	for i := range t.seats {
		s := &t.seats[i]
		switch {
		case !s.regular:
		case s.seen:
			if s.missed >= missing {
				s.required = true
				t.required++
			}
			s.missed = 0
		case s.missed < missing:
			s.missed++
			if s.missed == missing && s.required {
				s.required = false
				t.required--
			}
		}
		if s.missed >= missing {
			t.absent++
		}
		s.seen = false
	}
	t.sequence++
	if t.lastStart != 0 && t.start-t.lastStart > 5*t.interval/2 {
		t.sequence += lags + 1
	}
	t.lastStart = t.start
	for _, v := range t.away {
		v.meet()
	}
	if !e.watching {
		if t.history.rows%blockRows == 0 {
			e.invite(t)
		}
		if t.history.add(t) {
			e.stats.Thinned++
		}
		return
	}
	if t.board == nil {
		t.board = newBoard(t.relations)
	}
	t.board.look(t.relations, t.start)
	e.stepRelations(t)
	for _, r := range t.relations {
		e.stats.Rows++
		e.judgeRow(r, t)
	}
	for _, r := range t.rules {
		e.judgeRule(r, t)
	}
}
