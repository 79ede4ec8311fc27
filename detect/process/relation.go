package process

import (
	"math"
	"net/netip"
	"runtime"
)

// relation is a group of points each of which is predicted from the others in
// the same row, from all in the rows before, and from the time of day. Values
// are standardised; points that only wander (drifting) take part with their
// changes.
type relation struct {
	members []member
	// guests are points of faster paces that are among what explains; visits are
	// their explaining values now, met is for how many rows all have been there.
	guests []guest
	visits []float64
	met    int
	// season is what of the time is among what explains.
	season
	// habits is the season of the habits of members, clock their explaining values.
	habits season
	clock  []float64
	// rows and seconds are what it was learned from.
	rows    int
	seconds float64

	// switches are the states of the same devices that something follows. For unsettled rows after one
	// of them changed, nothing is judged: what follows a switch takes its time,
	// and too few switches were seen to know how.
	switches  []*point
	unsettled int
	quiet     int
	// responses are what follows switches, since is when each kind of them was
	// last, 0 if it was not; responding tells that some member is in a response.
	responses  []response
	since      []int64
	responding bool
	answering
	// unmets are the states that were not seen together, followedBy the members that
	// follow each switch, if there are any of these.
	unmets     []unmet
	followedBy memberSets
	// stirred tells that a command was given in the quiet rows, or that what
	// followed them has not been calm since; calm counts rows.
	stirred bool
	calm    int

	// past holds the standardised rows before, newest first; filled is how many
	// there are, sequence that of the last.
	past     [lags][]float64
	filled   int
	sequence int64
	now      []float64
	told     []float64 // see believable; nil until needed
	explain  []float64
	// expect is what weights make of the row, see predict.
	expect []float64
	ready  bool
	// verdict is that on the last row.
	verdict
	alarm relationAlarm
	// slow is the alarm about what no member tells by itself: all of them together,
	// or one against its anchor. It gives way to alarm.
	slow relationAlarm
	// joint is the distance of all members together; nil if learning was too
	// short for it.
	joint *joint
}

// member is a point in a relation.
type member struct {
	point *point
	// mean and spread standardise it, of its changes if drifting.
	mean, spread float64
	drifting     bool
	// obeying is in how many more rows the point is what it was commanded to be.
	obeying uint8
	// weights are those of the explaining values: members now (its own is 0),
	// one row ago, two rows ago, guests, the harmonics of the day, and a constant.
	weights []float32
	// scale is the deviation of the residual.
	scale float64
	// limits and clips are, a horizon, the threshold of the mean residual and
	// where a single one is cut off.
	limits, clips [len(horizons)]float64

	// after is what the switches before this row make of the residual, answer the
	// place of the response that says so.
	after spread
	// bias is what the residual has come to be by a command, or because the
	// level wandered; pace is how far that may be in one row.
	// lean is where the residuals balance.
	bias, pace, lean float64
	// anchor is the prediction without its own past, nil if that says nothing.
	anchor *anchor
	// habit is what the time alone makes expected, nil if that says little.
	habit *anchor
	// brought is the part of the bias that commands brought about.
	brought float64
	// meets are states that it follows and that are new together, nil if there are
	// none; strange tells that there were some after the last switch, known is where
	// it was before.
	meets   *unmet
	strange bool
	answer  int32
	known   foundAt
	// means are the mean residuals now, sums what adds up of them, ratio the
	// largest part of a threshold that one of them reaches, sharp that of the
	// means alone.
	means [len(horizons)]float64
	sums  sums
	ratio float64
	sharp float64
	// residual is the last one, not cut off.
	residual float64
	last     float64
	hasLast  bool
	// low, high and expected are what was expected in the last row.
	low, high, expected float64
}

// measured tells whether a member is a quantity, and no state or setpoint of few
// values.
func (m *member) measured() bool {
	n := m.point.profile.nature
	return n == natureContinuous || n == natureDrifting
}

// displaced tells that a command moved the level of m, which may come back from
// there: until it is known where it belongs, only what is sudden is judged.
func (m *member) displaced() bool { return math.Abs(m.brought) > allowance/2*m.scale }

// columns is how many explaining values r has.
func (r *relation) columns() int { return columnsOf(len(r.members), len(r.guests), r.season) }

// columnsOf returns how many explaining values d members have.
func columnsOf(d, guests int, s season) int {
	return d*(1+lags) + guestColumns*guests + s.columns() + 1
}

// explainInto puts the explaining values together: now, the rows before, those of
// guests, the time, and 1.
func explainInto(x, now []float64, past *[lags][]float64, visits []float64, s season, at int64) {
	k := copy(x, now)
	for _, row := range past {
		k += copy(x[k:], row)
	}
	k += copy(x[k:], visits)
	s.into(x[k:], at)
	x[k+s.columns()] = 1
}

// relate finds the relations among the points of a ticker.
func (e *Engine) relate(t *ticker, budget float64) {
	if len(t.history.times) < settleRows {
		return
	}
	l := t.list(t.history.whole())
	times := t.history.times
	alone := l != nil || seasonal(times[len(times)-1]-times[0], t.interval).daily
	groups := e.groupsOf(t, alone)
	states := t.states()
	relations := make([]*relation, len(groups))
	// A relation is made from the history and the profiles alone.
	onProcessors(e.fitters(len(times)), len(groups), func(i int) {
		relations[i] = fitRelation(t, groups[i], states, l, budget*float64(t.interval)/1e9)
	})
	for _, r := range relations {
		if r != nil {
			t.relations = append(t.relations, r)
			r.settleGuests()
			for i := range r.members {
				own := r.members[i].point.own()
				own.relation, own.member = r, int16(i)
			}
		}
	}
}

const (
	// enoughSwitches is how often a state must have changed for what comes with
	// it to be known.
	enoughSwitches = 20
	// unjudged is a threshold that is never reached.
	unjudged = 1e9
)

// fitters is how many relations may be fitted to a history of some rows at once: all
// of them together work in no more memory than past values may take.
func (e *Engine) fitters(rows int) int {
	work := rows * e.settings.GroupSize * workedValues * 8
	return max(1, min(runtime.GOMAXPROCS(0), e.settings.Memory/work))
}

// workedValues is how many numbers are kept a member and row while a relation is
// fitted: what explains it, residuals, and what is known of them.
const workedValues = 10

// fitRelation fits a relation to the history; states are the columns of states (see
// ticker.states), l is who of other paces may explain.
// row is how many false alarms a row each test may give. It returns nil if there is
// too little to learn from.
func fitRelation(t *ticker, group []*point, states map[netip.Addr][]int32, l *listing, row float64) *relation {
	r := &relation{}
	h := &t.history
	span := h.times[len(h.times)-1] - h.times[0]
	r.season = seasonal(span, t.interval)
	r.seconds = float64(span) / 1e9
	z := standardise(r, h, group)
	d := len(r.members)
	if d < 2 && (d == 0 || l == nil && !r.daily) {
		return nil
	}
	data := design(r, h, z, nil)
	moved, switched := r.findSwitches(t, states)
	if data.rows < settleRows {
		return nil
	}
	r.rows = data.rows
	given := terms{row, float64(h.every), r.rows, make(quantiles)}
	x, visits := r.host(t, l, z, crossValidate(data, d))
	x = r.observeWeek(h, z, visits, x)
	data.x = matrix{} // it is the largest
	if d < 2 && len(r.guests) == 0 && x.tied.error[0] > anchored*anchored*float64(data.rows) {
		return nil // the time explains little, and nothing else does
	}
	residuals, tied := x.give(r)
	settled := r.settleTime(data, moved, residuals)
	r.fitResponses(h, t.interval, switched, data, residuals, given.quantiles)
	calms := make([][]float64, d)
	for j := range r.members {
		m := &r.members[j]
		calm := residuals[j][:0]
		for i, v := range residuals[j] {
			if settled[i] {
				calm = append(calm, v)
			}
		}
		if len(calm) < settleRows {
			return nil
		}
		m.calibrate(calm, given)
		if !m.measured() || m.point.commands != nil || len(calm) >= enoughForTails {
			// What moves in steps is no drift, what is commanded moves as it is told,
			// and after a long learning the means are as sharp.
			m.sums.limit = unjudged
		}
		calms[j] = calm
		m.tie(tied[j], settled, given)
		if t := m.point.tally; t.nStates <= maxStates && m.point.profile.nature == natureState {
			// A switch is read a moment before or after what follows it: a single
			// row says nothing, and a few switches in learning neither.
			m.limits[0] = unjudged
			if t.ups+t.downs < enoughSwitches {
				m.limits = [len(horizons)]float64{unjudged, unjudged, unjudged}
			}
		}
	}
	r.fitHabits(h, data, settled, given)
	r.joint = fitJoint(r, calms, row)
	r.keepSwitches()
	r.findUnmet(h)
	r.reset()
	return r
}

// standardise makes the members and their standardised rows. What no instrument
// resolves is covered with dither, so that no prediction leans on it: two values
// that are nearly the same in learning and rounded later would else alarm for
// ever.
func standardise(r *relation, h *history, group []*point) [][]float64 {
	n := len(h.times)
	var z [][]float64
	for _, p := range group {
		c := &h.columns[p.column]
		x := make([]float64, n)
		for i := range x {
			x[i] = c.at(i)
			if math.IsNaN(x[i]) {
				x[i] = c.at(min(int(c.from), n-1))
			}
		}
		m := member{point: p}
		square := 0.0
		for _, v := range x {
			square += v * v
		}
		_, spread := meanDeviation(x)
		if spread == 0 {
			continue
		}
		if p.tally.nStates > 4 {
			floor := math.Max(jitterFloor*spread, accuracy*math.Sqrt(square/float64(n)))
			floor *= math.Sqrt(12)
			for i := range x {
				x[i] += floor * dither(int(p.column), i)
			}
		}
		even := h.even(x)
		m.drifting = float64(len(even))/correlationRows(even) < enoughIndependent
		if m.drifting {
			for i := n - 1; i > 0; i-- {
				x[i] -= x[i-1]
			}
			x[0] = 0
		}
		mean, sd := meanDeviation(x)
		if sd == 0 {
			continue
		}
		m.mean, m.spread = mean, sd
		for i := range x {
			x[i] = (x[i] - mean) / sd
		}
		r.members = append(r.members, m)
		z = append(z, x)
	}
	return z
}

// dither is a number from -0.5 to 0.5 that depends on column and row alone, and
// looks like chance (the finaliser of splitmix64, Steele et al. 2014).
func dither(column, row int) float64 {
	x := uint64(column)<<32 ^ uint64(row) + 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	x ^= x >> 31
	return float64(x>>11)/(1<<53) - 0.5
}

// whole returns the rows that have the rows before them.
func (h *history) whole() []int {
	var from []int
	for i := lags + 1; i < len(h.times); i++ {
		// A drifting point needs one row more, for its change.
		if h.sequences[i]-h.sequences[i-lags-1] == lags+1 {
			from = append(from, i)
		}
	}
	return from
}

// calibrate finds scale and thresholds from residuals of rows that were not
// fitted. The threshold of a horizon is the larger of two: what Student's t
// with as many degrees of freedom as learning holds independent stretches of
// that length allows at the budget, and what peaks over threshold say of the
// means that were seen. The first keeps a short learning honest, the second
// a tail that is not normal.
func (m *member) calibrate(residuals []float64, given terms) {
	sum := 0.0
	for _, v := range residuals {
		sum += v * v
	}
	n := float64(len(residuals))
	m.scale = math.Max(math.Sqrt(sum/n), m.floor())
	center, _ := middle(residuals)
	m.lean = center / m.scale
	means := make([]float64, len(residuals))
	for h, length := range horizons {
		average(means, residuals, m.scale, 8, length)
		_, sd := meanDeviation(means)
		k := given.student(given.row/2, math.Max(3, n/(2*length)))
		limit := k * math.Max(sd, 0.3/math.Sqrt(length))
		clip := saturation * limit
		average(means, residuals, m.scale, clip, length)
		for i, v := range means {
			means[i] = math.Abs(v)
		}
		limit = math.Max(limit, tail(means, int(length), given.row, 1))
		m.limits[h], m.clips[h] = limit, math.Max(clip, saturation*limit)
	}
	m.sums.allowance = allowance
	m.sums.calibrate(residuals, m.scale, m.lean, given)
}

// leastStep is the part of the step between two states that the deviation of a
// residual is at least: a state is not nearly what it is expected to be.
const leastStep = 0.1

// floor is the least deviation that the residual of m may have, standardised.
func (m *member) floor() float64 {
	if m.point.profile.nature != natureState {
		return 1e-6
	}
	step := math.Inf(1)
	states := m.point.profile.states
	for i := range states {
		for k := range i {
			step = math.Min(step, math.Abs(states[i].value-states[k].value))
		}
	}
	if math.IsInf(step, 0) {
		return 1e-6
	}
	return math.Max(1e-6, leastStep*step/m.spread)
}

// average puts the exponentially weighted means of the clipped residuals into
// out.
func average(out, residuals []float64, scale, clip, length float64) {
	alpha := 2 / (length + 1)
	mean := 0.0
	for i, v := range residuals {
		mean += alpha * (cut(v/scale, clip) - mean)
		out[i] = mean
	}
}

func cut(v, clip float64) float64 { return max(-clip, min(clip, v)) }

// reset makes room for the rows to come.
func (r *relation) reset() {
	d := len(r.members)
	for l := range r.past {
		r.past[l] = make([]float64, d)
	}
	for j := range r.members {
		r.members[j].pace = wander * r.members[j].scale / float64(max(r.rows, 1))
	}
	r.now, r.expect = make([]float64, d), make([]float64, 2*d)
	r.explain = make([]float64, r.columns())
	r.clock = make([]float64, r.habits.columns()+1)
	r.filled, r.sequence, r.met = 0, 0, 0
	r.visits = make([]float64, guestColumns*len(r.guests))
	r.since = make([]int64, 2*len(r.switches))
	r.whoFollows()
	r.prepare()
}

// step takes the row of t, and leaves in each member how far it is from what the
// others make expected. It tells whether there was enough before it to judge.
func (r *relation) step(t *ticker) bool {
	if t.sequence != r.sequence+1 {
		r.filled, r.met = 0, 0
		for j := range r.members {
			r.members[j].hasLast = false
		}
	}
	r.sequence = t.sequence
	complete, outside := true, false
	for j := range r.members {
		m := &r.members[j]
		v := m.point.value
		if !m.point.has() {
			// It was there in learning and is not now: it stands for nothing.
			r.now[j], m.hasLast = 0, m.drifting
			m.last = v
			continue
		}
		if m.drifting {
			change := v - m.last
			complete = complete && m.hasLast
			m.last, m.hasLast = v, true
			v = change
		}
		z := (v - m.mean) / m.spread
		r.now[j] = z
		outside = outside || z > ordinary || z < -ordinary
	}
	told := r.now
	if outside {
		told = r.believable()
	}
	judged := r.stepGuests() && complete && r.filled >= lags
	if r.respond(t.start, t.interval) && r.unsettled > 0 {
		r.quiet = r.unsettled
	} else if r.quiet > 0 {
		r.quiet--
	}
	if r.quiet > 0 {
		judged = false
	}
	if judged {
		explainInto(r.explain, told, &r.past, r.visits, r.season, t.start)
		r.tellTime(t.start)
		r.predict(r.explain)
		follow := r.following()
		strange := follow == followCommand && r.breaksUnmet() != nil
		for j := range r.members {
			f := follow
			m := &r.members[j]
			if strange && !m.strange {
				// It is off by what is expected of others in states that are new together,
				// and would not find back from there.
				f = followWander
			}
			p := m.point
			if m.obeying > 0 {
				m.obeying--
				f = followAtOnce
			}
			there := p.has() && (t.absent == 0 || !p.absent())
			m.test(r.expect[j], r.now[j], f, there)
			if m.anchor != nil {
				m.testAnchor(r.expect[len(r.members)+j], r.now[j], f, there)
			}
			if m.habit != nil {
				m.testHabit(r.clock, r.now[j], f, there)
			}
		}
		r.ready = true
	}
	if complete {
		r.past[1], r.past[0] = r.past[0], r.past[1]
		copy(r.past[0], told)
		r.filled = min(r.filled+1, lags)
	}
	return judged
}

// followRows is over how many rows a relation, or a range, gets used to what a
// command brought about.
const followRows = 64

// following is how a relation gets used to what it sees.
type following uint8

const (
	// followNothing is while there is an alarm: what is wrong is not learned.
	followNothing following = iota
	// followWander is slow, for levels that wander.
	followWander
	// followCommand is for what a command brought about.
	followCommand
	// followAtOnce is for a point that shows the value it was commanded: the
	// command is judged, not its echo.
	followAtOnce
)

func (r *relation) following() following {
	switch {
	case !r.alarm.active:
		return followWander
	case r.alarm.commanded:
		return followCommand
	}
	return followNothing
}

// test holds a member, which is z, against what its weights make expected; there
// tells that it is still reported.
func (m *member) test(expect, z float64, follow following, there bool) {
	s := expect + (m.bias + m.after.shift)
	width := max(1, m.after.width)
	scale := m.scale * width
	residual := (z - s) / scale
	switch follow {
	case followCommand:
		// What is wide says little of where it is.
		step := (z - s) / followRows / (width * width)
		m.bias += step
		m.brought += step
	case followAtOnce:
		m.bias += z - s
		residual = m.lean
	case followWander:
		m.bias += m.pace * cut(residual-m.lean, 1)
	}
	if !there {
		residual = 0 // others tell that
	}
	m.residual = residual
	ratio := 0.0
	for h := range horizons {
		m.means[h] += alphas[h] * (cut(residual, m.clips[h]) - m.means[h])
		ratio = max(ratio, math.Abs(m.means[h])/m.limits[h])
	}
	m.sharp = ratio
	if m.displaced() || m.strange {
		m.sums.up, m.sums.down = 0, 0
	}
	m.ratio = max(ratio, m.sums.add(residual-m.lean, m.means[sumRows]))
	base := 0.0
	if m.drifting {
		base = m.point.value - z*m.spread - m.mean
	}
	m.expected = base + s*m.spread + m.mean
	reach := min(m.limits[0], 6) * scale * m.spread
	m.low, m.high = m.expected-reach, m.expected+reach
}

// surprise is how surprising m was in the last row.
func (m *member) surprise() float64 { return surprise(m.ratio * 6) }

// far is the part of a threshold that the last residual of m reaches alone.
func (m *member) far() float64 { return math.Abs(m.residual) / m.limits[0] }

// blame is how much of a deviation is said to be m's: the part of a threshold that it
// reaches, and where that is cut off for several, how far away it is.
func (m *member) blame() float64 {
	if far := m.far(); far > clearlyFar {
		return far
	}
	return m.ratio
}

// clearlyFar is how many thresholds a single residual must reach for its distance to
// count as such.
const clearlyFar = 5 * saturation
