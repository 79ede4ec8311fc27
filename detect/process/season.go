package process

import (
	"fmt"
	"math"
	"math/bits"
	"slices"
	"strings"
	"time"
)

// season is what of the time explains: the time of day, and whether it is a day of
// rest.
type season struct {
	// daily tells that the time of day is among what explains.
	daily bool
	// rest has a bit a day on which the day has another shape, Sunday's is the
	// lowest; 0 is no such day. Days begin shift hours after midnight UTC.
	rest  uint8
	shift int
}

const (
	// weekly is how long learning must have been to see what comes each week.
	weekly = 4 * 7 * day
	// rests is to what part the mean square of what is left of a member must fall
	// for days of rest to be among what explains it. A weekly habit that matters does
	// that; a weak one makes predictions a little sharper in learning only (at 0.98,
	// S of BATADAL falls by 0.010).
	rests = 0.8
	// clearly is how much more days must differ for another hour of the day to be
	// taken for their beginning: often they are alike at night.
	clearly = 1.05
)

// columns is how many explaining values there are.
func (s season) columns() int {
	switch {
	case !s.daily:
		return 0
	case s.rest == 0:
		return 2 * harmonics
	}
	return 4*harmonics + 1
}

// seasonal is the season of a stretch of rows at an interval.
func seasonal(span, interval int64) season {
	return season{daily: span >= 4*int64(day) && interval <= int64(day)/(4*harmonics)}
}

// into puts the explaining values of a time into x: the harmonics of the day, and
// on a day of rest these again and 1.
func (s season) into(x []float64, at int64) {
	if !s.daily {
		return
	}
	phase := 2 * math.Pi * float64(at%int64(day)) / float64(day)
	for h := range harmonics {
		x[2*h+1], x[2*h] = math.Sincos(phase * float64(h+1))
	}
	if s.rest == 0 {
		return
	}
	own := x[2*harmonics : s.columns()]
	if !s.resting(at) {
		clear(own)
		return
	}
	own[copy(own, x[:2*harmonics])] = 1
}

// resting tells whether a time is on a day of rest.
func (s season) resting(at int64) bool { return s.rest>>weekday(at, s.shift)&1 != 0 }

// weekday is that of a time where days begin shift hours after midnight UTC; 0 is
// Sunday.
func weekday(at int64, shift int) int {
	hours := (at/int64(time.Hour) - int64(shift)) % (7 * 24)
	if hours < 0 {
		hours += 7 * 24
	}
	return int(hours/24+int64(time.Thursday)) % 7 // 1 January 1970
}

// days names the days of rest.
func (s season) days() string {
	var days []string
	for d := range 7 {
		if s.rest>>d&1 != 0 {
			days = append(days, time.Weekday(d).String())
		}
	}
	return strings.Join(days, ", ")
}

// time says what s is, in words.
func (s season) time() string {
	if s.rest != 0 {
		return "the time of day, the day of the week"
	}
	return "the time of day"
}

// lone tells that nothing explains the only member of r but time and its past.
func (r *relation) lone() bool { return len(r.members)+len(r.guests) == 1 }

// others says what explains a member of r beside itself.
func (r *relation) others() string {
	guests := fmt.Sprintf("%d points of faster paces", len(r.guests))
	switch others := len(r.members) - 1; {
	case r.lone():
		return r.time()
	case len(r.guests) == 0:
		return fmt.Sprintf("the other %d points", others)
	case others == 0:
		return guests
	default:
		return fmt.Sprintf("the other %d points, %s", others, guests)
	}
}

// check tells what is wrong with s as it is saved.
func (s season) check() error {
	if s.rest > 0 && (!s.daily || s.rest >= 1<<7 || s.shift < -12 || s.shift > 11) {
		return fmt.Errorf("days of rest %d that begin after %d hours", s.rest, s.shift)
	}
	return nil
}

// findRest finds the days, at most three, that differ most from the others in what
// is left unexplained, and when days begin.
func findRest(times []int64, from []int, residuals [][]float64) (rest uint8, shift int) {
	const hours = 7 * 24
	var n [hours]float64
	sums := make([][hours]float64, len(residuals))
	for i, row := range from {
		hour := weekday(times[row], 0)*24 + int(times[row]%int64(day)/int64(time.Hour))
		n[hour]++
		for j := range residuals {
			sums[j][hour] += residuals[j][i]
		}
	}
	scale := make([]float64, len(residuals))
	for j, r := range residuals {
		scale[j] = 1 / math.Max(square(r), 1e-12)
	}
	best := 0.0
	for _, s := range shifts {
		most, which := 0.0, uint8(0)
		for days := uint8(1); days < 1<<7; days++ {
			if bits.OnesCount8(days) > 3 {
				continue
			}
			// The sum of squares between the two kinds of days, hour by hour.
			gain := 0.0
			for j := range sums {
				for h := range 24 {
					var count, sum [2]float64
					for d := range 7 {
						on := days >> ((d*24 + h - s + hours) % hours / 24) & 1
						count[on] += n[d*24+h]
						sum[on] += sums[j][d*24+h]
					}
					if count[0] == 0 || count[1] == 0 {
						continue
					}
					apart := sum[0]/count[0] - sum[1]/count[1]
					gain += scale[j] * apart * apart * count[0] * count[1] / (count[0] + count[1])
				}
			}
			if gain > most {
				most, which = gain, days
			}
		}
		if most > clearly*best {
			best, rest, shift = most, which, s
		}
	}
	return rest, shift
}

// shifts are when days may begin, the likeliest first.
var shifts = func() []int {
	var out []int
	for s := -12; s < 12; s++ {
		out = append(out, s)
	}
	slices.SortStableFunc(out, func(a, b int) int { return a*a - b*b })
	return out
}()

// observeWeek lets days of rest explain the members of r where that predicts what
// was not fitted better: own is what was fitted without, visits the explaining
// values of guests.
func (r *relation) observeWeek(h *history, z, visits [][]float64, own *fitted) *fitted {
	if !r.daily || r.seconds < weekly.Seconds() {
		return own
	}
	was := r.columns()
	r.rest, r.shift = findRest(h.times, h.whole(), own.tied.best)
	if r.rest == 0 {
		return own
	}
	with := crossValidate(design(r, h, z, visits), len(z))
	better := false
	for j := range z {
		better = better || with.free.error[j] < rests*own.free.error[j] || with.tied.error[j] < rests*own.tied.error[j]
	}
	if !better {
		r.rest, r.shift = 0, 0
		return own
	}
	// They stand before the constant.
	with.keepBetter(own, was-1, r.columns()-was, rests)
	return with
}
