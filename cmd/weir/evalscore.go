package main

import (
	"context"
	"math"
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/weir-ics/weir/capture"
	"github.com/weir-ics/weir/detect"
	"github.com/weir-ics/weir/detect/score"
	"github.com/weir-ics/weir/plant"
)

// timedSource notes when each frame that has a label was captured.
type timedSource struct {
	capture.Source
	times []int64 // by frame
}

// Read implements capture.Source.
func (s *timedSource) Read(ctx context.Context, b *capture.Batch) error {
	err := s.Source.Read(ctx, b)
	for i := range b.Packets {
		if p := &b.Packets[i]; p.Frame < uint64(len(s.times)) {
			s.times[p.Frame] = min(p.Time, p.Clock) // as what it brings has it
		}
	}
	return err
}

// score compares what p found with the labels. times are those of the labelled
// frames.
func (e *evaluation) score(p *pipeline, set *labelSet, times []int64) {
	watched := score.Interval{Start: p.first, End: p.last}
	if from := p.schedule.WatchFrom(); from <= p.last {
		watched.Start = max(p.first, from)
	}
	var alerts []detect.Alert
	var raised, lasted []score.Interval
	for _, a := range p.summary.final() {
		if a.Severity < e.least || !strings.HasPrefix(a.Kind.Name, e.kinds) || a.End < watched.Start {
			continue
		}
		alerts = append(alerts, a)
		raised = append(raised, score.Interval{Start: min(p.summary.raised[a.ID].at, a.End), End: a.End})
		lasted = append(lasted, score.Interval{Start: a.Start, End: a.End})
	}
	e.Alerts += len(alerts)
	e.watched = watched
	e.labelled += len(set.events)
	some := len(set.events) > 0
	parties := slices.ContainsFunc(set.events, func(l plant.Label) bool { return l.Source+l.Target != "" })
	set.events = slices.DeleteFunc(set.events, func(l plant.Label) bool {
		return l.End.UnixNano() < watched.Start || l.Start.UnixNano() > watched.End
	})
	e.judged += len(set.events)
	if some {
		found := matchLabels(set.events, alerts)
		e.scoreLabels(found, p)
		if parties {
			e.events().add(eventsOf(found, alerts, p, watched, set.intervals()))
		} else {
			e.events().add(score.Compare(raised, set.intervals(), watched))
		}
	}
	if len(set.frames) > 0 {
		first := 1 // that was watched
		for first < len(times) && times[first] < watched.Start {
			first++
		}
		attacks := attacksOf(set.frames, times, first)
		e.labelled += len(attacksOf(set.frames, times, 1))
		e.judged += len(attacks)
		e.scoreFrames(set.frames, first, alerts)
		e.events().add(eventsOfFrames(set.frames, attacks, alerts, p, watched))
	}
	if len(set.rows) > 0 {
		e.scoreRows(set, lasted, watched)
	}
}

func (e *evaluation) events() *eventScore {
	if e.Events == nil {
		e.Events = &eventScore{}
	}
	return e.Events
}

// eventsOf counts labels that name the parties: a label is found if an alert
// about them began in it, and an alert is false if it belongs to no label. Each
// alert counts once, however long it lasted.
func eventsOf(all []found, alerts []detect.Alert, p *pipeline, watched score.Interval, labels []score.Interval) score.Events {
	v := score.Events{Labels: len(all), Alarms: len(alerts), False: len(alerts), QuietDays: score.QuietDays(watched, labels)}
	for _, f := range all {
		v.False -= len(f.alerts)
		if len(f.alerts) > 0 {
			v.Found++
			v.Delays = append(v.Delays, delay(f, p))
		}
	}
	return v
}

// delay is the time to detect of a label that was found, in seconds.
func delay(f found, p *pipeline) float64 {
	first := int64(math.MaxInt64)
	for _, a := range f.alerts {
		first = min(first, p.summary.raised[a.ID].at)
	}
	return math.Max(0, float64(first-f.label.Start.UnixNano())/1e9)
}

func (e *evaluation) scoreLabels(all []found, p *pipeline) {
	for _, f := range all {
		out := evaluateLabel{Kind: f.label.Kind, Technique: f.label.Technique}
		if len(f.alerts) > 0 {
			a := f.alerts[0]
			out.Found, out.Severity, out.AlertKind, out.Explanation = true, a.Severity.String(), a.Kind.Name, a.Explanation
			out.Seconds = delay(f, p)
		}
		e.Labels = append(e.Labels, out)
	}
}

// scoreFrames counts the frames that alerts point at, from the first that was
// watched on.
func (e *evaluation) scoreFrames(frames []bool, first int, alerts []detect.Alert) {
	said := make([]bool, len(frames))
	for i := range alerts {
		for frame := range pointsAt(&alerts[i], uint64(len(frames))) {
			said[frame] = true
		}
	}
	if e.Frames == nil {
		e.Frames = &frameScore{}
	}
	e.Frames.add(score.Count(said[first:], frames[first:]))
}

// pointsAt gives the frames below end that an alert points at: all from the first
// to the last if it was found once, else these two only, since what lies between
// may be hours of ordinary traffic.
func pointsAt(a *detect.Alert, end uint64) func(yield func(uint64) bool) {
	step := uint64(1)
	if a.Count > 1 {
		step = max(1, a.LastFrame-a.FirstFrame)
	}
	return func(yield func(uint64) bool) {
		for i := a.FirstFrame; i <= a.LastFrame && i < end; i += step {
			if !yield(i) {
				return
			}
		}
	}
}

// frameAttack is malicious frames that belong together.
type frameAttack struct {
	first, last uint64
	time        score.Interval
}

// framesApart is how far apart malicious frames may be and still be one attack.
const framesApart = int64(time.Minute)

// attacksOf puts malicious frames together, from the first that was watched on.
func attacksOf(frames []bool, times []int64, first int) []frameAttack {
	var out []frameAttack
	for i := first; i < len(frames); i++ {
		if !frames[i] {
			continue
		}
		if n := len(out); n > 0 && times[i]-out[n-1].time.End < framesApart {
			out[n-1].last, out[n-1].time.End = uint64(i), times[i]
			continue
		}
		out = append(out, frameAttack{uint64(i), uint64(i), score.Interval{Start: times[i], End: times[i]}})
	}
	return out
}

// eventsOfFrames counts attacks that are known by their frames: found if an alert
// points at a malicious frame, and an alert that points at none is false.
func eventsOfFrames(frames []bool, attacks []frameAttack, alerts []detect.Alert, p *pipeline, watched score.Interval) score.Events {
	v := score.Events{Labels: len(attacks), Alarms: len(alerts)}
	first := make([]int64, len(attacks))
	var labelled []score.Interval
	for i := range attacks {
		first[i] = math.MaxInt64
		labelled = append(labelled, attacks[i].time)
	}
	v.QuietDays = score.QuietDays(watched, labelled)
	for i := range alerts {
		hit := false
		for frame := range pointsAt(&alerts[i], uint64(len(frames))) {
			if !frames[frame] {
				continue
			}
			k := sort.Search(len(attacks), func(k int) bool { return attacks[k].last >= frame })
			if k < len(attacks) && attacks[k].first <= frame {
				hit = true
				first[k] = min(first[k], p.summary.raised[alerts[i].ID].at)
			}
		}
		if !hit {
			v.False++
		}
	}
	for i, at := range first {
		if at != math.MaxInt64 {
			v.Found++
			v.Delays = append(v.Delays, math.Max(0, float64(at-attacks[i].time.Start)/1e9))
		}
	}
	return v
}

func (e *evaluation) scoreRows(set *labelSet, alarms []score.Interval, watched score.Interval) {
	times, was := []int64{}, []bool{}
	attacks := set.intervals()
	for _, r := range set.rows {
		if r.marked {
			e.labelled++
		}
		if r.time < watched.Start {
			continue
		}
		if r.marked && r.time <= watched.End {
			e.judged++
		}
		times, was = append(times, r.time), append(was, r.marked)
	}
	if len(attacks) > 0 {
		was = score.Flags(times, attacks)
	}
	said := score.Flags(times, alarms)
	if e.Rows == nil {
		e.Rows = &rowScore{}
	}
	e.Rows.add(score.Count(said, was))
	for _, a := range attacks {
		first := sort.Search(len(times), func(i int) bool { return times[i] >= a.Start })
		last := sort.Search(len(times), func(i int) bool { return times[i] > a.End }) - 1
		if first <= last {
			e.attacks = append(e.attacks, [2]int{len(e.said) + first, len(e.said) + last})
		}
	}
	e.said = append(e.said, said...)
}
