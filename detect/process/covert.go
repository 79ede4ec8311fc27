package process

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/stat/distuv"

	"github.com/weir-ics/weir/detect"
	"github.com/weir-ics/weir/protocols"
)

// Values may carry something else than a measurement.
//
// A register used as a letter box holds data: its values jump over their whole
// range, each as likely as the other, with no memory of the one before. No
// measurement does that, and least of all several in a row; only the lower half
// of a floating-point number looks like it, and its upper half does not. So runs
// of at least payloadRun neighbouring registers that all look like chance are
// told, without any learning.
//
// The last digit of a measurement is different: it is nearly uniform anyway, and
// a message in it shows when its distribution changes. It is learned, and held
// against what comes by Pearson's chi-squared test (1900).

// payload gathers moments of payloadLength values, a stretch.
type payload struct {
	n, same               uint8
	first, last           float64
	sum, sum2, sum3, sum4 float64
	step2                 float64
	low, high             float64
	// start is when the stretch began.
	start int64
	// chance is there if the last stretch looked like chance.
	chance *chanced
}

// chanced is since when stretches look like chance, and up to which packet time that is
// believed.
type chanced struct{ began, until int64 }

const (
	payloadLength = 64
	payloadRun    = 4
	// A register whose values span less than payloadSpan carries too little, and
	// so does one that stays what it was more than maxSame times in a stretch.
	payloadSpan = 256
	maxSame     = payloadLength / 16
)

// add takes a value, and tells when a stretch was judged.
func (y *payload) add(v float64, s *detect.Sample) bool {
	if y.n == 0 {
		*y = payload{first: v, last: v, low: v, high: v, chance: y.chance, start: s.Time}
	} else {
		d := v - y.last
		y.step2 += d * d
		if d == 0 {
			y.same++
		}
	}
	if y.same <= maxSame {
		// Moments about the first value keep the sums small.
		c := v - y.first
		y.sum += c
		y.sum2 += c * c
		y.sum3 += c * c * c
		y.sum4 += c * c * c * c
		y.low, y.high = min(y.low, v), max(y.high, v)
	}
	y.last = v
	y.n++
	if y.n < payloadLength {
		return false
	}
	if !y.looksLikeChance() {
		y.chance = nil
	} else {
		if y.chance == nil {
			y.chance = &chanced{began: y.start}
		}
		// The neighbours' stretches end a little later.
		y.chance.until = s.Time + (s.Time-y.start)/4
	}
	y.n = 0
	return true
}

// restful tells that a stretch which goes on with the same value does not look
// like chance, nor did the last.
func (y *payload) restful() bool {
	return y.chance == nil && payloadLength-int(y.n) > maxSame-int(y.same)
}

// repeat takes the last value n more times; see restful.
func (y *payload) repeat(n int) {
	if y.n == 0 {
		return
	}
	n = min(n, payloadLength-int(y.n))
	c, f := y.last-y.first, float64(n)
	y.sum += f * c
	y.sum2 += f * c * c
	y.sum3 += f * c * c * c
	y.sum4 += f * c * c * c * c
	y.same += uint8(n)
	y.n = uint8((int(y.n) + n) % payloadLength)
}

// looksLikeChance tests a stretch for being uniform, by its kurtosis (1.8 for
// uniform values, 3 for normal ones), and without memory, by von Neumann's ratio
// of successive differences (2 for independent values).
func (y *payload) looksLikeChance() bool {
	n := float64(y.n)
	mean := y.sum / n
	variance := y.sum2/n - mean*mean
	if y.high-y.low < payloadSpan || y.same > maxSame || variance <= 0 {
		return false
	}
	fourth := y.sum4/n - 4*mean*y.sum3/n + 6*mean*mean*y.sum2/n - 3*mean*mean*mean*mean
	kurtosis := fourth / (variance * variance)
	ratio := y.step2 / (n - 1) / variance
	// Four standard errors for uniform values at this length.
	return kurtosis > 1.4 && kurtosis < 2.35 && ratio > 1.2 && ratio < 2.8
}

// digits watches the last digit.
type digits struct {
	// unit is the value of the last digit; learned the shares of the digits.
	unit    float64
	learned [10]float64
	n       float64
	// limit is the largest chi-squared that is normal.
	limit float64
	now   [10]float64
	// suspect tells that the last stretch was over the limit.
	suspect bool
	count   int
	held    float64
}

const digitLength = 256

// judgeCovert takes a report in.
func (e *Engine) judgeCovert(p *point, s *detect.Sample) {
	if !p.register() {
		return
	}
	if p.raw() {
		if p.payload == nil {
			if p.has() && p.value == s.Value || p.tally != nil && p.tally.nStates <= maxStates || p.profile.knows(s.Value) {
				return // memory only for what moves
			}
			p.own().payload = new(payload)
		}
		y := p.payload
		// A stretch begins where the value moves.
		begun := y.n > 0 || y.chance != nil || s.Value != y.last || p.alarming(KindCovert)
		if begun && y.add(s.Value, s) {
			e.judgePayload(p, s)
		}
	}
	if d := p.digits; d != nil && e.watching && s.Value != d.held {
		d.held = s.Value
		d.now[digit(s.Value, d.unit)]++
		d.count++
		if d.count == digitLength {
			chi := d.chi()
			over := chi > d.limit && !d.single()
			bad := over && d.suspect
			d.suspect = over
			if bad || p.alarming(KindCovert) {
				e.hold(p, s, KindCovert, bad, 1, func() words { return digitWords(p, d, chi) })
			}
			d.now, d.count = [10]float64{}, 0
		}
	}
}

// raw tells whether a register is read as it is on the wire.
func raw(t string) bool { return t == "" || t == "uint16" || t == "unknown" }

// judgePayload looks whether p is in a run of registers that look like chance.
func (e *Engine) judgePayload(p *point, s *detect.Sample) {
	first, last := p.series.Index, p.series.Index
	if p.payload.chance != nil {
		for first > 0 && e.chanceAt(keyOf(p.series), first-1, s.Time) {
			first--
		}
		for e.chanceAt(keyOf(p.series), last+1, s.Time) {
			last++
		}
	}
	lead := p
	if first != p.series.Index {
		k := keyOf(p.series)
		k.index = first
		lead = e.points.get(k)
	}
	bad := last-first+1 >= payloadRun
	if bad && lead != p && !lead.alarming(KindCovert) {
		// The run has a beginning that is known only now.
		for k := first; k <= last; k++ {
			q := keyOf(p.series)
			q.index = k
			if o := e.points.get(q); o.alarming(KindCovert) {
				lead = o
			}
		}
	}
	if !bad && !lead.alarming(KindCovert) || lead.digits != nil && !bad {
		return
	}
	if !bad && lead == p {
		e.hold(p, s, KindCovert, false, 2, nil)
		return
	}
	if !bad {
		return
	}
	n := last - first + 1
	e.holdSince(lead, s, KindCovert, true, 2, lead.payload.chance.began, func() words {
		return words{
			score:    float64(n) * 2,
			title:    fmt.Sprintf("%d registers from %s carry data, not measurements", n, lead.name()),
			observed: fmt.Sprintf("The last %d values of each of %d neighbouring registers are uniform and without memory.", payloadLength, n),
			expected: "A measurement that goes on from where it was, or noise about a value.",
			explanation: fmt.Sprintf("Registers %d to %d of %s jump over their whole range at each reading, every value as likely as any other and none related to the one before: that is how text or a file looks when it is moved through registers.",
				first, last, p.series.Device),
		}
	})
}

func (e *Engine) chanceAt(k pointKey, index uint32, at int64) bool {
	k.index = index
	p := e.points.get(k)
	return p != nil && p.payload != nil && p.payload.chance != nil && at <= p.payload.chance.until
}

// digit is the last digit of v.
func digit(v, unit float64) int {
	d := int64(math.RoundToEven(v/unit)) % 10
	if d < 0 {
		d += 10
	}
	return int(d)
}

// chi is Pearson's statistic of two samples.
func (d *digits) chi() float64 {
	sum := 0.0
	for i, now := range d.now {
		expected := (d.learned[i]*d.n + now) / (d.n + digitLength)
		if expected <= 0 {
			continue
		}
		a, b := now-digitLength*expected, d.learned[i]*d.n-d.n*expected
		sum += a*a/(digitLength*expected) + b*b/(d.n*expected)
	}
	return sum
}

// single tells whether nearly all changes end in the same digit: the values are
// rounded more coarsely than in learning, and carry nothing there.
func (d *digits) single() bool {
	for _, n := range d.now {
		if n > 0.95*digitLength {
			return true
		}
	}
	return false
}

// fitDigits learns the last digits of a point from its history.
func (p *point) fitDigits(values []float64, chance float64) {
	f := p.profile
	unit := p.tally.resolution
	if f.nature == natureCounter {
		return
	}
	if unit <= 0 || math.IsInf(unit, 0) || f.seenHigh-f.seenLow < 30*unit || f.seenHigh-f.seenLow > 1e5*unit {
		return
	}
	if unit < math.Max(math.Abs(f.seenLow), math.Abs(f.seenHigh))/(1<<20) {
		return // the grid of a 32-bit float, not of a measurement
	}
	d := &digits{unit: unit}
	held := math.NaN()
	var blocks []float64
	var all [10]float64
	for _, v := range values {
		if v == held {
			continue
		}
		if k := v / unit; math.Abs(k-math.RoundToEven(k)) > 0.05 {
			return // not on a grid
		}
		held = v
		all[digit(v, unit)]++
		d.n++
	}
	if d.n < 2*digitLength {
		return
	}
	for i := range all {
		d.learned[i] = all[i] / d.n
	}
	// How much the digits of stretches differ from those of all tells how far
	// from independent they are.
	held = math.NaN()
	for _, v := range values {
		if v == held {
			continue
		}
		held = v
		d.now[digit(v, unit)]++
		d.count++
		if d.count == digitLength {
			blocks = append(blocks, d.chi())
			d.now, d.count = [10]float64{}, 0
		}
	}
	d.now, d.count = [10]float64{}, 0
	p0 := math.Max(chance*digitLength, 1e-12)
	d.limit = distuv.ChiSquared{K: 9}.Quantile(1 - p0)
	// Digits that are not nearly uniform, or whose stretches differ by far more
	// than chance, are those of a value that rests or wanders; they say nothing.
	for _, share := range d.learned {
		if share < 0.06 || share > 0.14 {
			return
		}
	}
	for _, b := range blocks {
		if b > 2*d.limit {
			return
		}
	}
	for _, b := range blocks {
		d.limit = math.Max(d.limit, 1.5*b)
	}
	p.watchDigits(d)
}

// watchDigits makes p be watched for what is hidden in its last digits.
func (p *point) watchDigits(d *digits) {
	p.tie().digits = d
	if p.raw() && p.payload == nil {
		p.own().payload = new(payload) // it moves
	}
}

// enoughStretches is how many of them show how much digits differ among them.
const enoughStretches = 8

func digitWords(p *point, d *digits, chi float64) words {
	worst, share := 0, 0.0
	for i := range d.now {
		if s := d.now[i] / digitLength; s-d.learned[i] > share {
			worst, share = i, s-d.learned[i]
		}
	}
	// The digits of what moves slowly are not independent, so that now and then a
	// stretch is a little over; a message makes it several times the limit. Nor do a
	// few stretches show what is normal.
	severity := protocols.Severity(0)
	if chi < 3*d.limit || d.n < enoughStretches*digitLength {
		severity = protocols.Low
	}
	after := ": something may be hidden in them."
	if d.resting() {
		severity = protocols.Low
		after = ". It moves by a few of its smallest steps only, as at rest, which may be all; else something may be hidden in them."
	}
	return words{
		severity: severity,
		score:    chi / 4.6,
		title:    "The last digits of " + p.name() + " are not those of its measurement",
		observed: fmt.Sprintf("In the last %d changes the last digit was %d in %.0f %%.", digitLength, worst, 100*d.now[worst]/digitLength),
		expected: fmt.Sprintf("%.0f %%, from %.0f changes.", 100*d.learned[worst], d.n),
		explanation: fmt.Sprintf("The last digits of %s are distributed otherwise than in learning (chi-squared %.0f, normal is below %.0f)",
			p.name(), chi, d.limit) + after,
	}
}

// resting tells whether nearly all of the last changes were among a few digits side by
// side: a value at rest has those of where it rests, and learning may not have seen it
// rest there.
func (d *digits) resting() bool {
	const few, nearly = 5, 0.95
	for first := range d.now {
		n := 0.0
		for i := range few {
			n += d.now[(first+i)%len(d.now)]
		}
		if n >= nearly*digitLength {
			return true
		}
	}
	return false
}
