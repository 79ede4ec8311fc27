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
	points   []*point
	// open tells that a round is under way, since start; it ends at deadline at
	// the latest. epoch numbers rounds.
	open            bool
	start, deadline int64
	epoch           uint32
	seen, required  int
	// lastStart and sequence are those of the last row. A gap in time leaves a
	// gap in sequence.
	lastStart int64
	sequence  int64
	history   history
	relations []*relation
	rules     []*rule
}

const maxTickers = 32

// pace finds out how often a point comes, and gives it to a ticker.
func (e *Engine) pace(p *point, at int64) {
	if p.paced {
		return
	}
	if p.gaps == nil {
		p.own().gaps = &gaps{last: at}
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
	p.own().gaps, p.paced = nil, true
	p.shed()
	p.interval, p.regular = median, regular
	if e.watching {
		// The rows are laid down; it goes on as a point without a pace.
		p.regular = false
		return
	}
	t := e.tickerFor(p, median, regular)
	if t == nil {
		return
	}
	if t != p.ticker {
		if p.ticker != nil {
			p.ticker.leave(p)
		}
		e.join(t, p)
	}
	if regular {
		p.required = true
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
	for _, o := range e.order {
		if o.ticker == nil && o != p && o.has && o.series.Device == p.series.Device {
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
	p.ticker, p.column = t, int32(len(t.points))
	t.points = append(t.points, p)
	t.history.join(p.value)
}

// leave makes the column of p empty.
func (t *ticker) leave(p *point) {
	if p.required {
		p.required = false
		t.required--
		if t.open && p.epoch == t.epoch {
			t.seen--
		}
	}
	p.ticker = nil
	t.points[p.column] = nil
	t.history.drop(int(p.column))
}

// update takes in that p has a new value.
func (e *Engine) update(t *ticker, p *point) {
	now := e.clock
	if !t.open {
		if t.lastStart != 0 && now-t.lastStart < t.interval/2 {
			// The round is over already; this is a second reader.
			return
		}
		t.begin(now)
	} else if p.epoch == t.epoch && now-t.start >= t.interval/2 {
		e.closeRow(t)
		t.begin(now)
	}
	if p.epoch != t.epoch {
		p.epoch = t.epoch
		if p.required {
			t.seen++
		}
	}
	if t.required > 0 && t.seen >= t.required {
		e.closeRow(t)
	}
}

func (t *ticker) begin(now int64) {
	t.open, t.start, t.deadline = true, now, now+t.interval
	t.epoch++
	t.seen = 0
}

// missing is for how many rounds a point may be missing before rows no longer
// wait for it.
const missing = 3

// closeRow ends a round: its row is learned or judged.
func (e *Engine) closeRow(t *ticker) {
	t.open = false
	for _, p := range t.points {
		switch {
		case p == nil || !p.regular:
		case p.epoch == t.epoch:
			if p.missed >= missing {
				p.required = true
				t.required++
			}
			p.missed = 0
		case p.missed < missing:
			p.missed++
			if p.missed == missing && p.required {
				p.required = false
				t.required--
			}
		}
	}
	t.sequence++
	if t.lastStart != 0 && t.start-t.lastStart > 5*t.interval/2 {
		t.sequence += lags + 1
	}
	t.lastStart = t.start
	if !e.watching {
		if t.history.add(t) {
			e.stats.Thinned++
		}
		return
	}
	for _, r := range t.relations {
		e.stats.Rows++
		e.judgeRow(r, t)
	}
	for _, r := range t.rules {
		e.judgeRule(r, t)
	}
}
