package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"runtime"
	"slices"
	"sort"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/weir-ics/weir/detect"
	"github.com/weir-ics/weir/detect/score"
	"github.com/weir-ics/weir/plant"
	"github.com/weir-ics/weir/protocols"
)

func newEval() *cobra.Command {
	var f replayFlags
	var labels []string
	var least, kinds string
	var each bool
	cmd := &cobra.Command{
		Use:     "eval FILE... --labels L",
		GroupID: "main",
		Short:   "Score the alerts over captures against labels: precision, recall, time to detect",
		Long: `Replay captures and score the alerts against labels of what was really done:
found and missed, precision, recall and F1, false alarms a day, time to detect;
by event, and by frame or row where the labels have them. Only what comes after
the learning counts.

Labels are the JSON lines of weir plant write, "frame;0|1" lines, a CSV with
columns start and end, or the row labels of weir plant csv; --labels may be
repeated. With row labels the scores of BATADAL (S) and SKAB (F1, FAR, MAR) are
printed by their definitions. With --each every FILE is an experiment of its own,
with the labels at the same place, and the counts are added up.`,
		Example: `  weir plant write a.pcap -d 2h --attack write.from-plc@90m --labels a.jsonl
  weir eval a.pcap --learn 80m --labels a.jsonl
  weir eval lemay.pcap --learn 270s --labels lemay_labeled.csv --json`,
		Args: someFiles,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(labels) == 0 {
				return usage(errors.New("weir eval needs --labels FILE; see 'weir eval --help'"))
			}
			if each && len(labels) != len(args) {
				return usage(fmt.Errorf("--each needs as many --labels as files: %d files, %d labels", len(args), len(labels)))
			}
			severity, err := protocols.ParseSeverity(least)
			if err != nil {
				return usage(fmt.Errorf("--min-severity: %w", err))
			}
			e := &evaluation{flags: &f, least: severity, kinds: kinds}
			if !each {
				if err := e.add(cmd, args, labels); err != nil {
					return err
				}
			}
			for i := range args {
				if each {
					if err := e.add(cmd, args[i:i+1], labels[i:i+1]); err != nil {
						return err
					}
				}
			}
			return e.print(cmd.OutOrStdout(), f.json)
		},
	}
	fl := cmd.Flags()
	fl.StringArrayVarP(&labels, "labels", "L", nil, "what was really done (may be repeated; required)")
	fl.BoolVar(&each, "each", false, "each FILE is an experiment of its own")
	fl.StringVar(&least, "min-severity", "low", "count alerts from this severity up")
	fl.StringVar(&kinds, "kinds", "", "count only alerts whose kind begins with this, as value.")
	fl.StringVarP(&f.baseline, "baseline", "b", "", "what is normal, from weir learn")
	fl.Var(&f.learn, "learn", "learn from the first DURATION of packet time, then watch")
	fl.BoolVar(&f.json, "json", false, "print the scores as JSON")
	fl.StringVarP(&f.config, "config", "c", "", "read options from a weir.yaml")
	fl.StringVar(&f.tags, "tags", "", "a tag list (CSV) with names, types and units of points")
	fl.IntVarP(&f.workers, "workers", "w", 0, "goroutines that decode and judge (default: one a processor)")
	return cmd
}

// evaluation adds up the scores of one or more experiments.
type evaluation struct {
	flags *replayFlags
	least protocols.Severity
	kinds string

	Experiments int             `json:"experiments"`
	Alerts      int             `json:"alerts"`
	Events      *score.Events   `json:"events,omitempty"`
	Frames      *score.Counts   `json:"frames,omitempty"`
	Rows        *rowScore       `json:"rows,omitempty"`
	BATADAL     *score.BATADAL  `json:"batadal,omitempty"`
	Labels      []evaluateLabel `json:"labels,omitempty"`

	said    []bool
	attacks [][2]int
	unread  error
}

// rowScore is by row, with the names that SKAB uses.
type rowScore struct {
	score.Counts
	Precision float64 `json:"precision"`
	Recall    float64 `json:"recall"`
	F1        float64 `json:"f1"`
	FAR       float64 `json:"far"`
	MAR       float64 `json:"mar"`
}

// evaluateLabel is what became of one label.
type evaluateLabel struct {
	Kind        string  `json:"kind"`
	Found       bool    `json:"found"`
	Seconds     float64 `json:"seconds,omitempty"`
	Severity    string  `json:"severity,omitempty"`
	Technique   string  `json:"technique,omitempty"`
	AlertKind   string  `json:"alert_kind,omitempty"`
	Explanation string  `json:"explanation,omitempty"`
}

// add replays one experiment and takes its scores in.
func (e *evaluation) add(cmd *cobra.Command, paths, labels []string) error {
	c, err := e.flags.apply()
	if err != nil {
		return err
	}
	var set labelSet
	for _, path := range labels {
		l, err := readLabels(path)
		if err != nil {
			return err
		}
		set.events = append(set.events, l.events...)
		set.frames = append(set.frames, l.frames...)
		set.rows = append(set.rows, l.rows...)
	}
	c.Store.Path, c.InfluxDB.URL, c.Alerts.File = "", "", ""
	c.Workers = max(1, min(c.Workers, runtime.GOMAXPROCS(0)))
	options, err := c.pipeline()
	if err != nil {
		return err
	}
	if err := e.flags.normal(&options); err != nil {
		return err
	}
	p, err := newPipeline(options)
	if err != nil {
		return usage(err)
	}
	in := openInput(paths, cmd.InOrStdin(), cmd.ErrOrStderr(), true)
	defer in.Close()
	if err := p.run(cmd.Context(), in); err != nil {
		return err
	}
	unread := in.end(cmd.Context())
	if unread == errInterrupted { // the scores of a part would be taken for those of the whole
		return partial(errors.New("interrupted"))
	}
	e.unread = errors.Join(e.unread, unread)
	e.Experiments++
	e.score(p, &set)
	return nil
}

func (e *evaluation) score(p *pipeline, set *labelSet) {
	var alerts []detect.Alert
	var raised, lasted []score.Interval
	watched := score.Interval{Start: max(p.first, p.schedule.WatchFrom()), End: p.last}
	for _, a := range p.summary.final() {
		if a.Severity < e.least || !strings.HasPrefix(a.Kind.Name, e.kinds) {
			continue
		}
		alerts = append(alerts, a)
		raised = append(raised, score.Interval{Start: min(p.summary.raised[a.ID].at, a.End), End: a.End})
		lasted = append(lasted, score.Interval{Start: a.Start, End: a.End})
	}
	e.Alerts += len(alerts)
	if len(set.events) > 0 {
		found := matchLabels(set.events, alerts)
		e.scoreLabels(found, p)
		if slices.ContainsFunc(set.events, func(l plant.Label) bool { return l.Source+l.Target != "" }) {
			e.scoreEvents(eventsOf(found, alerts, p, watched))
		} else {
			e.scoreEvents(score.Compare(raised, set.intervals(), watched))
		}
	}
	if len(set.frames) > 0 {
		e.scoreFrames(set.frames, alerts)
	}
	if len(set.rows) > 0 {
		e.scoreRows(set, lasted, watched)
	}
}

func (e *evaluation) scoreEvents(one score.Events) {
	if e.Events == nil {
		e.Events = &one
		return
	}
	e.Events.Labels += one.Labels
	e.Events.Found += one.Found
	e.Events.Alarms += one.Alarms
	e.Events.False += one.False
	e.Events.Delays = append(e.Events.Delays, one.Delays...)
	e.Events.FalsePerDay += one.FalsePerDay
}

// eventsOf counts labels that name the parties: a label is found if an alert
// about them began in it, and an alert is false if it belongs to no label. Each
// alert counts once, however long it lasted. Alerts of the time of learning
// (rules, broken standards) count too.
func eventsOf(all []found, alerts []detect.Alert, p *pipeline, watched score.Interval) score.Events {
	v := score.Events{Labels: len(all), Alarms: len(alerts), False: len(alerts)}
	quiet := float64(watched.End - watched.Start)
	for _, f := range all {
		v.False -= len(f.alerts)
		quiet -= float64(f.label.End.Sub(f.label.Start))
		if len(f.alerts) > 0 {
			v.Found++
			v.Delays = append(v.Delays, delay(f, p))
		}
	}
	if quiet > 0 {
		v.FalsePerDay = float64(v.False) / (quiet / float64(24*time.Hour))
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

// scoreFrames counts the frames that alerts point at: all from the first to the
// last of an alert that was found once, else the first and the last only, since
// what lies between may be hours of ordinary traffic.
func (e *evaluation) scoreFrames(frames []bool, alerts []detect.Alert) {
	said := make([]bool, len(frames))
	for _, a := range alerts {
		for i := a.FirstFrame; i <= a.LastFrame && i < uint64(len(said)); i++ {
			said[i] = said[i] || a.Count == 1 || i == a.FirstFrame || i == a.LastFrame
		}
	}
	c := score.Count(said[1:], frames[1:])
	if e.Frames == nil {
		e.Frames = &score.Counts{}
	}
	*e.Frames = e.Frames.Plus(c)
}

func (e *evaluation) scoreRows(set *labelSet, alarms []score.Interval, watched score.Interval) {
	times, was := []int64{}, []bool{}
	attacks := set.intervals()
	for _, r := range set.rows {
		if r.time < watched.Start {
			continue
		}
		times, was = append(times, r.time), append(was, r.marked)
	}
	if len(attacks) > 0 {
		was = score.Flags(times, attacks)
	}
	said := score.Flags(times, alarms)
	c := score.Count(said, was)
	if e.Rows == nil {
		e.Rows = &rowScore{}
	}
	e.Rows.Counts = e.Rows.Plus(c)
	for _, a := range attacks {
		first := sort.Search(len(times), func(i int) bool { return times[i] >= a.Start })
		last := sort.Search(len(times), func(i int) bool { return times[i] > a.End }) - 1
		if first <= last {
			e.attacks = append(e.attacks, [2]int{len(e.said) + first, len(e.said) + last})
		}
	}
	e.said = append(e.said, said...)
}

func (e *evaluation) print(w io.Writer, asJSON bool) error {
	if e.Rows != nil {
		c := e.Rows.Counts
		e.Rows.Precision, e.Rows.Recall, e.Rows.F1, e.Rows.FAR, e.Rows.MAR = c.Precision(), c.Recall(), c.F1(), c.FAR(), c.MAR()
	}
	if len(e.attacks) > 0 {
		s := score.ScoreBATADAL(e.said, e.attacks)
		e.BATADAL = &s
	}
	if asJSON {
		enc := json.NewEncoder(w)
		enc.SetIndent("", "  ")
		return errors.Join(enc.Encode(e), e.unread)
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "alerts\t%d\t(%d experiments)\n", e.Alerts, e.Experiments)
	if v := e.Events; v != nil {
		fmt.Fprintf(t, "events\t%d of %d found\tprecision %.3f  recall %.3f  F1 %.3f\n", v.Found, v.Labels, v.Precision(), v.Recall(), v.F1())
		fmt.Fprintf(t, "false alarms\t%d of %d\t%.2f a day\n", v.False, v.Alarms, v.FalsePerDay)
		if len(v.Delays) > 0 {
			d := slices.Sorted(slices.Values(v.Delays))
			fmt.Fprintf(t, "time to detect\tmean %s\tmedian %s  worst %s\n", seconds(v.MeanDelay()), seconds(d[len(d)/2]), seconds(d[len(d)-1]))
		}
	}
	if c := e.Frames; c != nil {
		fmt.Fprintf(t, "frames\ttp %d  fp %d  tn %d  fn %d\tprecision %.3f  recall %.3f  F1 %.3f\n", c.TP, c.FP, c.TN, c.FN, c.Precision(), c.Recall(), c.F1())
	}
	if r := e.Rows; r != nil {
		fmt.Fprintf(t, "rows\ttp %d  fp %d  tn %d  fn %d\tprecision %.3f  recall %.3f\n", r.TP, r.FP, r.TN, r.FN, r.Precision, r.Recall)
		fmt.Fprintf(t, "SKAB\tF1 %.3f\tFAR %.1f %%  MAR %.1f %%\n", r.F1, 100*r.FAR, 100*r.MAR)
	}
	if b := e.BATADAL; b != nil {
		fmt.Fprintf(t, "BATADAL\tS %.3f\tS_TTD %.3f  S_CM %.3f  TPR %.3f  TNR %.3f\n", b.S, b.TTD, b.CM, b.TPR, b.TNR)
	}
	if len(e.Labels) > 0 {
		fmt.Fprintln(t, "\nLABEL\tFOUND\tAFTER\tSEVERITY\tTECHNIQUE\tALERT")
	}
	for _, l := range e.Labels {
		if !l.Found {
			fmt.Fprintf(t, "%s\tMISSED\t\t\t%s\t\n", l.Kind, l.Technique)
			continue
		}
		fmt.Fprintf(t, "%s\tfound\t%s\t%s\t%s\t%s: %s\n", l.Kind, seconds(l.Seconds), l.Severity, l.Technique, l.AlertKind, l.Explanation)
	}
	return errors.Join(t.Flush(), e.unread)
}

func seconds(s float64) string {
	return time.Duration(s * float64(time.Second)).Round(100 * time.Millisecond).String()
}
