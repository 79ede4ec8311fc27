package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/weir-ics/weir/detect"
	"github.com/weir-ics/weir/sinks"
	"github.com/weir-ics/weir/sinks/jsonl"
)

// replayFlags are the flags of replay and learn.
type replayFlags struct {
	config   string
	baseline string
	learn    duration
	alerts   string
	events   string
	store    string
	tags     string
	rules    []string
	workers  int
	json     bool
	stats    bool
	save     string
}

func newReplay() *cobra.Command {
	var f replayFlags
	cmd := &cobra.Command{
		Use:     "replay FILE...",
		GroupID: "main",
		Short:   "Run the whole pipeline over captures at full speed and say what was found",
		Long: `Run captures through the whole pipeline, decoding, detection and rules, as fast
as they can be read. Normal comes from a baseline (weir learn), or is learned
from the beginning of the input with --learn. Without either, only rules and
broken standards raise alerts.

A pause between packets counts as time of learning, unless it is of more than a
year within a file: then a clock was set. Packets far ahead of those around them
are counted, and their time is not believed.

The same input gives the same alerts, byte for byte, for any number of workers.`,
		Example: `  weir replay day.pcap --learn 6h
  weir replay today.pcapng --baseline plant.json --alerts alerts.jsonl
  weir replay *.pcap.zst -c weir.yaml --json`,
		Args: someFiles,
		RunE: func(cmd *cobra.Command, args []string) error { return replay(cmd, args, &f) },
	}
	fl := cmd.Flags()
	fl.StringVarP(&f.baseline, "baseline", "b", "", "what is normal, from weir learn")
	fl.Var(&f.learn, "learn", "learn from the first DURATION of packet time (90s, 6h, 7d), then watch")
	fl.StringVar(&f.alerts, "alerts", "", "write the alerts to FILE as JSON lines, each in its final state")
	fl.StringVar(&f.events, "events", "", "write every message to FILE as JSON lines, as weir decode does")
	fl.StringVar(&f.save, "save-baseline", "", "write what was learned to FILE")
	fl.BoolVar(&f.json, "json", false, "print the summary as JSON")
	f.common(cmd)
	return cmd
}

// common adds the flags that replay and learn share.
func (f *replayFlags) common(cmd *cobra.Command) {
	fl := cmd.Flags()
	fl.StringVarP(&f.config, "config", "c", "", "read options from a weir.yaml")
	fl.StringVar(&f.store, "store", "", `keep everything in this store, for weir serve (default: the configuration's; "none" keeps nothing)`)
	fl.StringVar(&f.tags, "tags", "", "a tag list (CSV) with names, types and units of points")
	fl.StringArrayVar(&f.rules, "rules", nil, "a file or folder with rules of your own (may be repeated)")
	fl.IntVarP(&f.workers, "workers", "w", 0, "goroutines that decode and judge (default: one a processor)")
	fl.BoolVar(&f.stats, "stats", false, "print all counters to standard error at the end")
}

// apply puts the flags over the configuration.
func (f *replayFlags) apply() (*config, error) {
	c, err := loadConfig(f.config)
	if err != nil {
		return nil, err
	}
	switch f.store {
	case "":
	case "none":
		c.Store.Path = ""
	default:
		c.Store.Path = f.store
	}
	if f.alerts != "" && f.alerts != "-" {
		c.Alerts.File = f.alerts
	}
	if f.tags != "" {
		c.Tags = f.tags
		c.places.forget("tags")
	}
	c.Rules.Paths = append(c.Rules.Paths, f.rules...)
	if f.workers < 0 {
		return nil, usage(fmt.Errorf("--workers %d is not from 0 up", f.workers))
	}
	if f.workers > 0 {
		c.Workers = f.workers
	}
	if c.Workers == 0 {
		c.Workers = runtime.GOMAXPROCS(0)
	}
	return c, nil
}

func replay(cmd *cobra.Command, paths []string, f *replayFlags) error {
	c, err := f.apply()
	if err != nil {
		return err
	}
	options, err := c.pipeline()
	if err != nil {
		return err
	}
	if err := f.normal(&options); err != nil {
		return err
	}
	job := &replayJob{cmd: cmd, paths: paths, flags: f, config: c}
	return job.run(options)
}

// normal says where normal comes from.
func (f *replayFlags) normal(o *pipelineOptions) (err error) {
	switch {
	case f.baseline != "" && f.learn > 0:
		return usage(errors.New("--baseline and --learn are both given; normal comes from the one or the other"))
	case f.baseline != "":
		if o.baseline, o.doc, err = readNormal(f.baseline); err != nil {
			return err
		}
		o.schedule = detect.WatchOnly()
	case f.learn > 0:
		o.schedule = detect.LearnFor(time.Duration(f.learn))
	default:
		o.schedule = detect.LearnOnly()
	}
	return nil
}

// replayJob is one run over files.
type replayJob struct {
	cmd    *cobra.Command
	paths  []string
	flags  *replayFlags
	config *config
}

func (j *replayJob) run(options pipelineOptions) error {
	if j.flags.save != "" {
		if err := checkPlace(j.flags.save); err != nil {
			return err
		}
	}
	closeEvents := func() error { return nil }
	if j.flags.events != "" {
		w, closeFile, err := create(j.flags.events, j.cmd.OutOrStdout())
		if err != nil {
			return err
		}
		events := &eventLines{w: bufio.NewWriterSize(w, 1<<16)}
		options.events = events
		closeEvents = func() error { return unwritten(j.flags.events, errors.Join(events.flush(), closeFile())) }
	}
	log, err := newLogger(j.cmd, j.config)
	if err != nil {
		return err
	}
	outlets, err := j.config.openOutlets(log, false, "replay", j.paths)
	if err != nil {
		return err
	}
	if j.flags.alerts == "-" {
		outlets.addSink(jsonl.New(j.cmd.OutOrStdout(), "standard output", sinks.LinesOptions{List: true}))
	}
	options.outlets, options.values = outlets.list, outlets.values
	options.unsaved = j.flags.save == ""
	p, err := newPipeline(options)
	if err != nil {
		return usage(errors.Join(err, outlets.abandon()))
	}
	in := openInput(j.paths, j.cmd.InOrStdin(), j.cmd.ErrOrStderr(), true)
	defer in.Close()
	began := time.Now()
	runErr := p.run(j.cmd.Context(), in)
	took := time.Since(began)
	unread := in.end(j.cmd.Context())

	var problems []error
	if runErr != nil {
		problems = append(problems, runErr)
	}
	if err := outlets.endRun(p.status(strings.Join(j.paths, " "), false), fmt.Sprintf("%d alerts", len(p.summary.alerts))); err != nil {
		problems = append(problems, err)
	}
	if err := p.close(); err != nil {
		problems = append(problems, err)
	}
	if err := closeEvents(); err != nil {
		problems = append(problems, err)
	}
	if j.flags.save != "" {
		if err := p.saveBaseline(j.flags.save); err != nil {
			problems = append(problems, err)
		}
	}
	j.report(p, outlets, took)
	if len(problems) == 0 {
		return unread
	}
	return partial(errors.Join(append(problems, unread)...))
}

// eventLines writes the lines of --events. A disk that is full must not end the
// watching: what comes after an error is left out, and flush returns it.
type eventLines struct {
	w   *bufio.Writer
	err error
}

func (e *eventLines) Write(b []byte) (int, error) {
	if e.err == nil {
		_, e.err = e.w.Write(b)
	}
	return len(b), nil
}

func (e *eventLines) flush() error { return errors.Join(e.err, e.w.Flush()) }

func (j *replayJob) report(p *pipeline, o *outlets, took time.Duration) {
	out := j.cmd.OutOrStdout()
	if j.flags.alerts == "-" || j.flags.events == "-" {
		out = j.cmd.ErrOrStderr()
	}
	if j.flags.json {
		enc := json.NewEncoder(out)
		enc.SetIndent("", "  ")
		_ = enc.Encode(p.summary.report(p, o, took))
	} else {
		where := ""
		switch {
		case j.config.Alerts.File != "":
			where = "in " + j.config.Alerts.File
		case j.flags.alerts == "-":
			where = "on standard output"
		}
		p.summary.print(out, p, took, where)
		o.print(out)
		if p.schedule.WatchFrom() > p.last && j.flags.save == "" {
			fmt.Fprintln(out, "\nNothing was watched against a normal: add --learn DURATION, or --baseline FILE (see weir learn --help).")
		}
	}
	if j.flags.stats {
		for _, c := range p.summary.counters {
			fmt.Fprintf(j.cmd.ErrOrStderr(), "%-32s %d\n", c.Name, c.Value)
		}
	}
}
