package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/weir-ics/weir/detect/score"
	"github.com/weir-ics/weir/protocols"
	"github.com/weir-ics/weir/rules"
)

func newEval() *cobra.Command {
	var f replayFlags
	var labels []string
	var least, kinds string
	var each bool
	var learnRows int
	cmd := &cobra.Command{
		Use:     "eval FILE... --labels L",
		GroupID: "main",
		Short:   "Score the alerts over captures against labels: precision, recall, time to detect",
		Long: `Replay captures and score the alerts against labels of what was really done:
found and missed, precision, recall and F1, false alarms a day, time to detect;
by event, and by frame or row where the labels have them. Only what comes after
the learning counts: labels, alerts, frames and rows before it are left out, and
labels after the last packet. If no label is left, nothing can be scored (n/a, null
in JSON), and the exit status is 1.

Labels are the JSON lines of weir plant write, "frame;0|1" lines, a CSV with
columns start and end, or the row labels of weir plant csv; --labels may be
repeated. Malicious frames less than a minute apart are one attack, found by an
alert that points at one of them. With row labels the scores of BATADAL (S) and SKAB (F1, FAR, MAR) are
printed by their definitions; --learn-rows N then learns from the first N rows,
and --learn-rows N with --each is how SKAB is scored: with --each every FILE is an
experiment of its own, with the labels at the same place, and the counts are
added up.`,
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
			if learnRows < 0 || learnRows > 0 && (f.baseline != "" || f.learn > 0) {
				return usage(errors.New("--learn-rows takes a number of rows above 0, and neither --learn nor --baseline beside it"))
			}
			severity, err := protocols.ParseSeverity(least)
			if err != nil {
				return usage(fmt.Errorf("--min-severity: %w", err))
			}
			e := &evaluation{flags: &f, least: severity, kinds: kinds, learnRows: learnRows}
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
	fl.IntVar(&learnRows, "learn-rows", 0, "learn from the first N rows of the row labels, then watch")
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
	// learnRows is how many rows are learned from, 0 if it is not by rows.
	learnRows int

	Experiments int             `json:"experiments"`
	Alerts      int             `json:"alerts"`
	Events      *eventScore     `json:"events,omitempty"`
	Frames      *frameScore     `json:"frames,omitempty"`
	Rows        *rowScore       `json:"rows,omitempty"`
	BATADAL     *score.BATADAL  `json:"batadal,omitempty"`
	Labels      []evaluateLabel `json:"labels,omitempty"`

	said    []bool
	attacks [][2]int
	unread  error

	// labelled is how many labels there were, judged how many of them lie in what was
	// watched, from first to last.
	labelled, judged int
	watched          score.Interval
}

// share is a number from 0 to 1, NaN where there was nothing to find: that is n/a,
// and null in JSON.
type share float64

// shareOf is v, or NaN if there was nothing to find.
func shareOf(some bool, v float64) share {
	if !some {
		v = math.NaN()
	}
	return share(v)
}

// String says it to three places.
func (s share) String() string {
	if math.IsNaN(float64(s)) {
		return "n/a"
	}
	return strconv.FormatFloat(float64(s), 'f', 3, 64)
}

// percent says it in hundredths.
func (s share) percent() string {
	if math.IsNaN(float64(s)) {
		return "n/a"
	}
	return fmt.Sprintf("%.1f %%", 100*float64(s))
}

// MarshalJSON implements json.Marshaler.
func (s share) MarshalJSON() ([]byte, error) {
	if math.IsNaN(float64(s)) {
		return []byte("null"), nil
	}
	return json.Marshal(float64(s))
}

// eventScore is by event, with what follows from the counts. The delays are in
// seconds, null if nothing was found.
type eventScore struct {
	score.Events
	Precision   share    `json:"precision"`
	Recall      share    `json:"recall"`
	F1          share    `json:"f1"`
	FalsePerDay float64  `json:"false_per_day"`
	MeanDelay   *float64 `json:"mean_delay"`
	MedianDelay *float64 `json:"median_delay"`
	WorstDelay  *float64 `json:"worst_delay"`
}

func (s *eventScore) add(one score.Events) {
	v := s.Plus(one)
	some := v.Labels > 0
	*s = eventScore{Events: v, Precision: shareOf(some, v.Precision()), Recall: shareOf(some, v.Recall()), F1: shareOf(some, v.F1()), FalsePerDay: v.FalsePerDay()}
	if len(v.Delays) > 0 {
		d := slices.Sorted(slices.Values(v.Delays))
		mean := v.MeanDelay()
		s.MeanDelay, s.MedianDelay, s.WorstDelay = &mean, &d[len(d)/2], &d[len(d)-1]
	}
}

// frameScore is by frame.
type frameScore struct {
	score.Counts
	Precision share `json:"precision"`
	Recall    share `json:"recall"`
	F1        share `json:"f1"`
}

func (s *frameScore) add(one score.Counts) {
	c := s.Plus(one)
	some := c.TP+c.FN > 0
	*s = frameScore{c, shareOf(some, c.Precision()), shareOf(some, c.Recall()), shareOf(some, c.F1())}
}

// rowScore is by row, with the names that SKAB uses.
type rowScore struct {
	score.Counts
	Precision share `json:"precision"`
	Recall    share `json:"recall"`
	F1        share `json:"f1"`
	FAR       share `json:"far"`
	MAR       share `json:"mar"`
}

func (s *rowScore) add(one score.Counts) {
	c := s.Plus(one)
	some := c.TP+c.FN > 0
	*s = rowScore{c, shareOf(some, c.Precision()), shareOf(some, c.Recall()), shareOf(some, c.F1()), share(c.FAR()), shareOf(some, c.MAR())}
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
	if err := checkKinds(e.kinds, options.rules); err != nil {
		return err
	}
	if n := e.learnRows; n > 0 {
		if n >= len(set.rows) {
			return usage(fmt.Errorf("--learn-rows %d: the labels have %d rows", n, len(set.rows)))
		}
		options.schedule.WatchAt(set.rows[n].time)
	}
	p, err := newPipeline(options)
	if err != nil {
		return usage(err)
	}
	in := openInput(paths, cmd.InOrStdin(), cmd.ErrOrStderr(), true)
	defer in.Close()
	timed := &timedSource{Source: in, times: make([]int64, len(set.frames))}
	if err := p.run(cmd.Context(), timed); err != nil {
		return err
	}
	unread := in.end(cmd.Context())
	if errors.Is(unread, errInterrupted) { // the scores of a part would be taken for those of the whole
		return partial(errors.New("interrupted"))
	}
	e.unread = errors.Join(e.unread, unread)
	if packets := p.summary.counter("packets"); uint64(len(set.frames)) > packets+1 {
		return usage(fmt.Errorf("the labels tell of %s frames, and the input has %s: they are of another capture",
			grouped(uint64(len(set.frames)-1)), grouped(packets)))
	}
	if p.schedule.WatchFrom() > p.last {
		fmt.Fprintln(cmd.ErrOrStderr(), "weir: nothing was watched against a normal, only rules and broken standards are scored: add --learn DURATION, or --baseline FILE")
	}
	e.Experiments++
	e.score(p, &set, timed.times)
	return nil
}

// checkKinds tells whether any kind of alert begins with a prefix, of the catalogue or
// of somebody's own rules.
func checkKinds(prefix string, own *rules.Set) error {
	for name := range catalogue() {
		if strings.HasPrefix(name, prefix) {
			return nil
		}
	}
	for _, r := range own.Rules() {
		if strings.HasPrefix(r.Kind().Name, prefix) {
			return nil
		}
	}
	return usage(fmt.Errorf("--kinds %q: no kind of alert begins with this; docs/alerts.md lists them", prefix))
}

func (e *evaluation) print(w io.Writer, asJSON bool) error {
	if len(e.attacks) > 0 {
		s := score.ScoreBATADAL(e.said, e.attacks)
		e.BATADAL = &s
	}
	if asJSON {
		enc := json.NewEncoder(w)
		enc.SetIndent("", "  ")
		return errors.Join(enc.Encode(e), e.unread, e.useless())
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "alerts\t%d\t(%d experiments)\n", e.Alerts, e.Experiments)
	if v := e.Events; v != nil {
		fmt.Fprintf(t, "events\t%d of %d found\tprecision %v  recall %v  F1 %v\n", v.Found, v.Labels, v.Precision, v.Recall, v.F1)
		fmt.Fprintf(t, "false alarms\t%d of %d\t%.2f a day\n", v.False, v.Alarms, v.FalsePerDay)
		if v.MeanDelay != nil {
			fmt.Fprintf(t, "time to detect\tmean %s\tmedian %s  worst %s\n", seconds(*v.MeanDelay), seconds(*v.MedianDelay), seconds(*v.WorstDelay))
		}
	}
	if c := e.Frames; c != nil {
		fmt.Fprintf(t, "frames\ttp %d  fp %d  tn %d  fn %d\tprecision %v  recall %v  F1 %v\n", c.TP, c.FP, c.TN, c.FN, c.Precision, c.Recall, c.F1)
	}
	if r := e.Rows; r != nil {
		fmt.Fprintf(t, "rows\ttp %d  fp %d  tn %d  fn %d\tprecision %v  recall %v\n", r.TP, r.FP, r.TN, r.FN, r.Precision, r.Recall)
		fmt.Fprintf(t, "SKAB\tF1 %v\tFAR %s  MAR %s\n", r.F1, r.FAR.percent(), r.MAR.percent())
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
	return errors.Join(t.Flush(), e.unread, e.useless())
}

// useless says that the labels tell nothing of what was judged.
func (e *evaluation) useless() error {
	if e.labelled == 0 || e.judged > 0 {
		return nil
	}
	at := func(ns int64) string { return string(appendTime(nil, ns)) }
	return partial(fmt.Errorf("nothing that the labels mark lies in what was judged, %s to %s: learn from less, or see whether they are of this capture", at(e.watched.Start), at(e.watched.End)))
}

func seconds(s float64) string {
	return time.Duration(s * float64(time.Second)).Round(100 * time.Millisecond).String()
}
