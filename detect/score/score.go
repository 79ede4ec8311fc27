// Package score measures alarms against labels: precision, recall and F1 by
// point and by event, false and missed alarms, time to detect, false alarms a
// day, and the scores by which BATADAL and SKAB are published. All of it is
// pure functions of intervals and flags.
package score

import (
	"cmp"
	"math"
	"slices"
	"time"
)

// Interval is a stretch of time, in nanoseconds since the Unix epoch. Both ends
// belong to it.
type Interval struct{ Start, End int64 }

// Overlaps tells whether a and b have a moment in common.
func (a Interval) Overlaps(b Interval) bool { return a.Start <= b.End && b.Start <= a.End }

// Union returns the intervals in order, those that overlap or touch put together.
func Union(intervals []Interval) []Interval {
	in := slices.Clone(intervals)
	slices.SortFunc(in, func(a, b Interval) int { return cmp.Or(cmp.Compare(a.Start, b.Start), cmp.Compare(a.End, b.End)) })
	var out []Interval
	for _, i := range in {
		if i.End < i.Start {
			continue
		}
		if n := len(out); n > 0 && i.Start <= out[n-1].End {
			out[n-1].End = max(out[n-1].End, i.End)
			continue
		}
		out = append(out, i)
	}
	return out
}

// Flags tells for each time (in ascending order) whether it lies in one of the
// intervals.
func Flags(times []int64, intervals []Interval) []bool {
	u := Union(intervals)
	out := make([]bool, len(times))
	k := 0
	for i, t := range times {
		for k < len(u) && u[k].End < t {
			k++
		}
		out[i] = k < len(u) && u[k].Start <= t
	}
	return out
}

// Counts is a confusion table.
type Counts struct {
	TP uint64 `json:"tp"`
	FP uint64 `json:"fp"`
	TN uint64 `json:"tn"`
	FN uint64 `json:"fn"`
}

// Count compares what was said with what was so, one by one. Both must be equally
// long.
func Count(said, was []bool) Counts {
	var c Counts
	for i := range was {
		switch {
		case said[i] && was[i]:
			c.TP++
		case said[i]:
			c.FP++
		case was[i]:
			c.FN++
		default:
			c.TN++
		}
	}
	return c
}

// Plus adds the counts of another file.
func (c Counts) Plus(o Counts) Counts {
	return Counts{c.TP + o.TP, c.FP + o.FP, c.TN + o.TN, c.FN + o.FN}
}

func ratio(a, b uint64) float64 {
	if b == 0 {
		return 0
	}
	return float64(a) / float64(b)
}

// Precision is TP/(TP+FP), 0 if nothing was said.
func (c Counts) Precision() float64 { return ratio(c.TP, c.TP+c.FP) }

// Recall is TP/(TP+FN), the true positive rate; 0 if there was nothing to find.
func (c Counts) Recall() float64 { return ratio(c.TP, c.TP+c.FN) }

// Specificity is TN/(TN+FP), the true negative rate.
func (c Counts) Specificity() float64 { return ratio(c.TN, c.TN+c.FP) }

// F1 is 2TP/(2TP+FP+FN). Over the rows of all files together it is SKAB's score
// for outlier detection (Katser and Kozitsin 2020).
func (c Counts) F1() float64 { return ratio(2*c.TP, 2*c.TP+c.FP+c.FN) }

// FAR is SKAB's false alarm rate, FP/(FP+TN).
func (c Counts) FAR() float64 { return ratio(c.FP, c.FP+c.TN) }

// MAR is SKAB's missing alarm rate, FN/(FN+TP).
func (c Counts) MAR() float64 { return ratio(c.FN, c.FN+c.TP) }

// Events compares alarms and labels one interval at a time.
type Events struct {
	// Labels is how many there were, Found how many of them some alarm overlaps.
	Labels int `json:"labels"`
	Found  int `json:"found"`
	// Alarms is how many alarms there were (put together where they overlap),
	// False how many of them overlap no label.
	Alarms int `json:"alarms"`
	False  int `json:"false"`
	// Delays are the times to detect of those found, from the beginning of the
	// label to the first moment an alarm was up in it, in seconds.
	Delays []float64 `json:"delays"`
	// QuietDays is how long of the time watched is not labelled.
	QuietDays float64 `json:"quiet_days"`
}

// Compare compares alarms with labels over the time that was watched; labels
// outside of it are left out. An alarm interval begins when the alarm was raised:
// what it says of the time before is hindsight.
func Compare(alarms, labels []Interval, watched Interval) Events {
	labels = slices.DeleteFunc(Union(labels), func(l Interval) bool { return !l.Overlaps(watched) })
	alarms = Union(alarms)
	e := Events{Labels: len(labels), Alarms: len(alarms), QuietDays: QuietDays(watched, labels)}
	for _, l := range labels {
		for _, a := range alarms {
			if a.Overlaps(l) {
				e.Found++
				e.Delays = append(e.Delays, float64(max(0, a.Start-l.Start))/1e9)
				break
			}
		}
	}
	for _, a := range alarms {
		if !slices.ContainsFunc(labels, a.Overlaps) {
			e.False++
		}
	}
	return e
}

// QuietDays is how long of the time watched is not labelled, in days.
func QuietDays(watched Interval, labels []Interval) float64 {
	quiet := max(0, watched.End-watched.Start)
	for _, l := range Union(labels) {
		quiet -= max(0, min(l.End, watched.End)-max(l.Start, watched.Start))
	}
	return float64(quiet) / float64(24*time.Hour)
}

// Plus adds up two experiments.
func (e Events) Plus(o Events) Events {
	return Events{e.Labels + o.Labels, e.Found + o.Found, e.Alarms + o.Alarms, e.False + o.False, slices.Concat(e.Delays, o.Delays), e.QuietDays + o.QuietDays}
}

// FalsePerDay is False a day of the time watched that is not labelled.
func (e Events) FalsePerDay() float64 {
	if e.QuietDays == 0 {
		return 0
	}
	return float64(e.False) / e.QuietDays
}

// Precision is the share of alarms that overlap a label.
func (e Events) Precision() float64 { return ratio(uint64(e.Alarms-e.False), uint64(e.Alarms)) }

// Recall is the share of labels that were found.
func (e Events) Recall() float64 { return ratio(uint64(e.Found), uint64(e.Labels)) }

// F1 is the harmonic mean of the two.
func (e Events) F1() float64 {
	p, r := e.Precision(), e.Recall()
	if p+r == 0 {
		return 0
	}
	return 2 * p * r / (p + r)
}

// MeanDelay is the mean time to detect of what was found, in seconds, NaN if
// nothing was.
func (e Events) MeanDelay() float64 {
	sum := 0.0
	for _, d := range e.Delays {
		sum += d
	}
	return sum / float64(len(e.Delays))
}

// BATADAL is the score of the BATtle of the Attack Detection ALgorithms (Taormina
// et al. 2018).
type BATADAL struct {
	// S is 0.5*TTD + 0.5*CM.
	S float64 `json:"s"`
	// TTD is 1 less the mean over the attacks of the time to detect as a part of
	// the attack's duration; an undetected attack counts 1.
	TTD float64 `json:"s_ttd"`
	// CM is the mean of TPR and TNR over the hours.
	CM  float64 `json:"s_cm"`
	TPR float64 `json:"tpr"`
	TNR float64 `json:"tnr"`
}

// ScoreBATADAL scores the flags said of each hour against the attacks, which are
// given by the numbers of their first and last hour.
func ScoreBATADAL(said []bool, attacks [][2]int) BATADAL {
	was := make([]bool, len(said))
	late := 0.0
	for _, a := range attacks {
		first := -1
		for h := a[0]; h <= a[1] && h < len(said); h++ {
			was[h] = true
			if said[h] && first < 0 {
				first = h
			}
		}
		switch {
		case first < 0:
			late++
		case a[1] > a[0]:
			late += float64(first-a[0]) / float64(a[1]-a[0])
		}
	}
	c := Count(said, was)
	b := BATADAL{TPR: c.Recall(), TNR: c.Specificity()}
	b.TTD = 1
	if len(attacks) > 0 {
		b.TTD -= late / float64(len(attacks))
	}
	b.CM = (b.TPR + b.TNR) / 2
	b.S = (b.TTD + b.CM) / 2
	if math.IsNaN(b.S) {
		b.S = 0
	}
	return b
}
