package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"

	"github.com/weir-ics/weir/capture"
	"github.com/weir-ics/weir/console"
	"github.com/weir-ics/weir/detect"
)

func newRun() *cobra.Command {
	var configPath, alerts, baseline string
	var interfaces []string
	var learn duration
	cmd := &cobra.Command{
		Use:     "run -c weir.yaml",
		GroupID: "main",
		Short:   "The sensor: listen on network interfaces, learn, watch, alert",
		Long: `Listen on network interfaces, learn what is normal, then watch. Nothing is ever
sent on them. Alerts go to the store, to the console, and to the sinks of the
configuration; each is also logged.

With --baseline (learn.baseline), what was learned is kept there: if the file
exists weir watches from the first packet, else it learns for learn.duration,
from the first Modbus or DNP3 on, and writes it. If it is stopped before, it keeps
what it has learned in a file beside that one (.part), and goes on from there when
it is started again, as it does by itself when the system clock was set. Without,
what was learned is lost at the stop. To approve an alert later (weir baseline
approve) takes the baseline and --alerts (alerts.file). SIGTERM or ctrl-C ends it
cleanly. It needs the capability CAP_NET_RAW:
  setcap cap_net_raw+ep /usr/bin/weir`,
		Example: `  weir run -c /etc/weir/weir.yaml
  weir run -i eth1 --learn 7d --baseline plant.json --alerts alerts.jsonl`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := loadConfig(configPath)
			if err != nil {
				return err
			}
			if len(interfaces) > 0 {
				c.Capture.Interfaces = interfaces
			}
			if cmd.Flags().Changed("learn") {
				c.Learn.Duration = learn
			}
			if baseline != "" {
				c.Learn.Baseline = baseline
			}
			if alerts != "" {
				c.Alerts.File = alerts
			}
			return runSensors(cmd, c)
		},
	}
	f := cmd.Flags()
	f.StringVarP(&configPath, "config", "c", "", "read options from a weir.yaml")
	f.StringSliceVarP(&interfaces, "interface", "i", nil, "interface to listen on (may be repeated; over the configuration's)")
	f.Var(&learn, "learn", "how long to learn, in packet time (over the configuration's)")
	f.StringVar(&baseline, "baseline", "", "keep what is learned in FILE, and watch by it if it exists (over the configuration's)")
	f.StringVar(&alerts, "alerts", "", "append each alert to FILE as a JSON line when it is raised, updated, cleared")
	return cmd
}

// soonAgain is how soon after the system clock was set it may not be set again: whatever
// that is, beginning anew does not help.
const soonAgain = 10 * time.Second

// runSensors runs a sensor, and the next that it asks for.
func runSensors(cmd *cobra.Command, c *config) error {
	var next handover
	var anew time.Time // when a sensor last had to begin anew
	for {
		s, err := openSensor(cmd, c, next)
		if err != nil {
			return err
		}
		err = s.run(cmd)
		s.source.Close()
		next = s.next
		if !s.enough && !s.anew || cmd.Context().Err() != nil {
			next.close()
			return err
		}
		if s.anew {
			if time.Since(anew) < soonAgain {
				next.close()
				return partial(errors.Join(err, s.pipeline.set))
			}
			anew = time.Now()
		}
		if err != nil {
			s.log.Error("the sensor goes on, but not all could be done", "error", err)
		}
	}
}

// openSensor makes the sensor of a configuration, with what the one before it leaves.
// Its source takes packets in from then on, or does already.
func openSensor(cmd *cobra.Command, c *config, from handover) (s *sensor, err error) {
	s = &sensor{config: c, source: from.source}
	defer func() {
		if err != nil && s.source != nil {
			s.source.Close()
		}
	}()
	if s.log, err = newLogger(cmd, c); err != nil {
		return s, err
	}
	if len(c.Capture.Interfaces) == 0 {
		return s, usage(errors.New("no interface to listen on: set capture.interfaces or give -i NAME"))
	}
	if c.Workers == 0 {
		c.Workers = runtime.GOMAXPROCS(0)
	}
	options, err := c.pipeline()
	if err != nil {
		return s, err
	}
	options.settings.ArmAtStart, options.live, options.interfaces = true, true, c.Capture.Interfaces
	if err := s.normal(&options, from.baseline); err != nil {
		return s, err
	}
	if s.source == nil {
		if s.source, err = openLive(c); err != nil {
			return s, usage(err)
		}
	}
	s.input = s.source
	if err := s.open(options); err != nil {
		return s, err
	}
	for _, say := range s.begun {
		say()
	}
	s.begun = nil
	return s, nil
}

// normal finds what the sensor watches by, or for how long it learns. all is a baseline
// that could not be saved.
func (s *sensor) normal(options *pipelineOptions, all *detect.Baseline) error {
	path, duration := s.config.Learn.Baseline, time.Duration(s.config.Learn.Duration)
	options.schedule = detect.LearnFor(duration)
	if path == "" {
		if all != nil {
			options.baseline, options.schedule = all, detect.WatchOnly()
			s.atStart(slog.LevelInfo, "watching by what was learned before", "links", len(all.Links))
			return nil
		}
		if duration > 0 {
			s.atStart(slog.LevelWarn, "learning; with no baseline file (--baseline FILE, learn.baseline), what is learned is lost when the sensor is stopped, and no alert can be approved", "duration", duration.String())
		}
		return nil
	}
	if err := checkPlace(path); err != nil {
		return err
	}
	b, t, err := all, (*document)(nil), error(nil)
	if all == nil {
		b, t, err = readNormal(path)
	}
	s.unsaved = all != nil
	switch {
	case err == nil:
		options.baseline, options.doc, options.schedule = b, t, detect.WatchOnly()
		s.atStart(slog.LevelInfo, "watching by the baseline", "file", path, "links", len(b.Links))
		if len(b.Links) == 0 {
			s.atStart(slog.LevelWarn, "this baseline knows no link: everything will be new to the sensor. To learn again, remove the file", "file", path)
		}
		return nil
	case !errors.Is(err, fs.ErrNotExist):
		return err
	case duration == 0:
		return nil
	}
	options.infer = true // for the baseline
	if s.before, err = learnedPart(path); err != nil {
		s.atStart(slog.LevelWarn, "what was learned before the sensor was stopped cannot be used; learning begins again", "file", partFile(path), "error", err)
		s.before = 0
	}
	if s.before == 0 {
		s.atStart(slog.LevelInfo, "learning", "duration", duration.String())
		return nil
	}
	options.schedule = detect.LearnOnly()
	s.atStart(slog.LevelInfo, "learning goes on", "learned", s.before.Round(time.Second).String(), "of", duration.String(), "file", partFile(path))
	return nil
}

// atStart logs something once the sensor has what it needs to begin.
func (s *sensor) atStart(level slog.Level, message string, args ...any) {
	s.begun = append(s.begun, func() { s.log.Log(context.Background(), level, message, args...) })
}

// open makes the pipeline and what it writes to.
func (s *sensor) open(options pipelineOptions) (err error) {
	if s.outlets, err = s.config.openOutlets(s.log, true, "run", s.config.Capture.Interfaces); err != nil {
		return err
	}
	s.outlets.list = append(s.outlets.list, &alertLog{s.log})
	options.outlets, options.values = s.outlets.list, s.outlets.values
	if s.pipeline, err = newPipeline(options); err != nil {
		return usage(errors.Join(err, s.outlets.abandon()))
	}
	s.pipeline.after, s.pipeline.fitting = s.after, s.fitting
	s.pipeline.saves = s.config.Learn.Baseline != ""
	return nil
}

// sensor is the live program while it runs.
type sensor struct {
	config   *config
	log      *slog.Logger
	outlets  *outlets
	source   *capture.Live
	input    capture.Source // what is read: source
	pipeline *pipeline
	begun    []func() // log what it begins with
	learned  bool
	skipping bool
	quiet    quiet
	// down are the interfaces of which was said that they are down, since when.
	down      string
	downSince int64
	// fitFrom is when the fitting of models began, the zero time once all that came
	// meanwhile is judged; fitted tells that the models are, and judged how many
	// batches since then.
	fitFrom time.Time
	fitted  bool
	judged  int
	// before is how long was learned before the sensor was started, kept how long in
	// all when it was stopped; enough tells that this is as long as it should be, and
	// that another takes its place, to which it leaves next. stop ends the sensor;
	// ending tells that it has.
	before, kept time.Duration
	// anew tells that the clock was set, and another takes its place for that.
	enough, ending, anew bool
	next                 handover
	stop                 func()
	// asked tells that what was learned of links was asked for, to be saved.
	asked bool
	// later is how many points had learned a model later when the baseline was
	// saved, laterSaved when that was.
	later      uint64
	laterSaved int64
	// unsaved tells that what was learned could not be saved, tried when that was.
	unsaved bool
	tried   int64
	current atomic.Pointer[detect.Status]
}

func (s *sensor) run(cmd *cobra.Command) error {
	ctx, cancel := context.WithCancel(cmd.Context())
	defer cancel()
	s.stop = cancel
	var group sync.WaitGroup
	var serveErr error
	if s.config.Console.Listen != "" && s.outlets.store != nil {
		handler, err := s.config.console(s.outlets.store, s.log)
		if err != nil {
			return errors.Join(err, s.outlets.abandon())
		}
		group.Go(func() {
			serveErr = console.Serve(ctx, s.config.Console.Listen, handler, func(a net.Addr) {
				s.log.Info("the console is ready", "address", console.URL(a))
			})
			if serveErr != nil {
				// A port that is taken must not stop the watching.
				s.log.Error("the console is not available", "error", serveErr)
			}
		})
	}
	if s.outlets.store != nil {
		s.tell(ctx, s.status()) // not what the last run said, from here on
		group.Go(func() { s.tellStatus(ctx) })
	}
	context.AfterFunc(ctx, func() {
		if behind, _ := s.pipeline.engine.Behind(); behind > 0 {
			s.log.Info("ending once what was taken in is judged", "batches-behind", behind)
		}
	})
	if s.config.Console.Listen != "" && s.outlets.store == nil {
		s.log.Warn("there is no console: it shows what a store holds, and store.path is empty", "console.listen", s.config.Console.Listen)
	}
	s.log.Info("listening", "interfaces", strings.Join(s.config.Capture.Interfaces, ","), "workers", s.config.Workers, "version", versionLine())
	err := s.pipeline.run(ctx, s.input)
	if s.pipeline.set != nil && ctx.Err() == nil {
		s.beginAnew()
	}
	cancel()
	group.Wait()
	s.ending = true
	problems := []error{err}
	problems = append(problems, s.saveLearned(), s.outlets.endRun(s.lastStatus(), fmt.Sprintf("%d alerts", len(s.pipeline.summary.alerts))), s.pipeline.close())
	switch {
	case s.forgets() && !s.anew:
		s.log.Warn("what was learned is lost now: there was no baseline file (--baseline FILE, learn.baseline)")
	case s.learned || s.enough:
	case s.kept > 0:
		s.log.Info("ended before the learning did; what was learned is kept, and learning goes on when the sensor is started again",
			"learned", s.kept.Round(time.Second).String(), "of", time.Duration(s.config.Learn.Duration).String(), "file", partFile(s.config.Learn.Baseline))
	case s.pipeline.schedule.WatchFrom() > s.pipeline.last:
		s.log.Warn("ended before the learning did; nothing that was learned since the start is kept")
	}
	sum := &s.pipeline.summary
	s.log.Info("ended", "packets", sum.counter("packets"), "dropped", sum.counter("kernel.dropped"), "filtered", sum.counter("filtered"), "values-skipped", sum.counter("values.skipped"), "alerts", len(sum.alerts))
	return partial(errors.Join(problems...))
}

// forgets tells that the sensor has learned and keeps it in memory only.
func (s *sensor) forgets() bool {
	return s.config.Learn.Baseline == "" && s.learned && s.pipeline.learnFrom != 0 && s.config.Learn.Duration > 0
}

func (s *sensor) status() detect.Status {
	st := s.pipeline.status(strings.Join(s.config.Capture.Interfaces, ", "), true)
	if s.before > 0 && s.pipeline.learnFrom != 0 {
		st.Until = s.pipeline.learnFrom + int64(max(0, time.Duration(s.config.Learn.Duration)-s.before))
	}
	if s.quiet.told {
		st.Quiet = s.pipeline.last - s.quiet.since
	}
	return st
}

// lastStatus is what it says at its end, which is none if another takes its place.
func (s *sensor) lastStatus() detect.Status {
	st := s.status()
	st.Told = time.Now().UnixNano()
	if !s.enough && !s.anew {
		st.Ended = st.Told
	}
	return st
}

// statusEvery is how often the store is told what the sensor is doing.
const statusEvery = 5 * time.Second

// tellStatus keeps the store's status current, beside the way of the packets: a
// disk that is slow must not hold them up.
func (s *sensor) tellStatus(ctx context.Context) {
	tick := time.NewTicker(statusEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			// It is told even where nothing changed, as while models are fitted: who reads
			// it sees that the sensor is there.
			if st := s.current.Load(); st != nil {
				s.tell(ctx, *st)
			}
		}
	}
}

// tell gives the store a status, with the time by the wall clock.
func (s *sensor) tell(ctx context.Context, st detect.Status) {
	st.Told = time.Now().UnixNano()
	if err := s.outlets.store.SetStatus(ctx, st); err != nil && ctx.Err() == nil {
		s.log.Warn("the store does not take the status", "error", err)
	}
}

// fitting is called when learning has ended and the models are about to be fitted.
// Packets are taken in and decoded meanwhile; what is to be judged of them waits.
func (s *sensor) fitting() {
	if s.pipeline.schedule.WatchFrom() <= s.pipeline.first {
		return // they were loaded
	}
	s.outlets.patient(true)
	s.fitFrom = time.Now()
	points := s.pipeline.process.Stats().Points
	if s.ending {
		s.log.Info("fitting the models of values to what was learned", "points", points)
		return
	}
	s.log.Info("learning has ended; fitting the models of values", "points", points)
	st := s.status()
	st.Fitting = int(points)
	s.current.Store(&st)
}

// caughtUp says when models are fitted, and when what came meanwhile is judged.
func (s *sensor) caughtUp() {
	if s.fitFrom.IsZero() {
		return
	}
	took := time.Since(s.fitFrom).Round(time.Millisecond)
	behind, _ := s.pipeline.engine.Behind()
	if s.fitted {
		s.judged++
	} else {
		s.fitted = true
		s.log.Info("the models of values are fitted", "took", took.String(), "batches-behind", behind)
	}
	if behind == 0 {
		s.log.Info("what came while the models were fitted is judged", "after", took.String(), "batches", s.judged)
		s.fitFrom = time.Time{}
		s.outlets.patient(false)
		s.pipeline.garbage.giveBack()
	}
}

// after is called after every step of the pipeline.
func (s *sensor) after(clock int64) {
	s.caughtUp()
	if !s.learned && clock >= s.pipeline.schedule.WatchFrom() {
		s.learned = true
		if s.pipeline.first < s.pipeline.schedule.WatchFrom() {
			s.log.Info("learning has ended; watching")
			s.trySave(clock)
			if s.forgets() {
				s.log.Warn("what was learned is in memory only, and lost when the sensor is stopped: there is no baseline file (--baseline FILE, learn.baseline)")
			}
		}
	}
	s.resumeEnds(clock)
	s.saveLater(clock)
	s.hears(clock)
	st := s.status()
	if st.Skipping != s.skipping {
		s.skipping = st.Skipping
		if s.skipping {
			s.log.Warn("packets come faster than everything can be done with them: reported values are left out until there is room; commands are judged as always")
		} else {
			s.log.Info("there is room again: reported values are taken in", "skipped", s.pipeline.skipped)
		}
	}
	s.current.Store(&st)
}

// hears says which interfaces went down or came up, and when nothing is heard that is
// worth listening for.
func (s *sensor) hears(clock int64) {
	if down := s.pipeline.sensor.Down(); down != s.down {
		switch {
		case down != "":
			s.log.Error("the sensor hears nothing on an interface: it has no carrier, or is switched off", "down", down)
			if s.down == "" {
				s.downSince = clock - detect.DownGrace
			}
		default:
			s.log.Info("all interfaces are up again", "were-down", s.down, "for", time.Duration(clock-s.downSince).Round(time.Millisecond).String())
		}
		s.down = down
	}
	if s.pipeline.deaf {
		s.quiet.since = clock
		return
	}
	was := s.quiet
	s.quiet.look(clock, s.pipeline.heard)
	switch {
	case s.quiet.told && !was.told:
		s.log.Warn("no Modbus or DNP3 is seen: is the mirror port configured, and the right cable in?", "for", time.Duration(clock-s.quiet.since).Round(time.Second).String())
	case was.told && !s.quiet.told:
		s.log.Info("Modbus or DNP3 is seen")
	}
}

// saveLaterEvery is how often, at most, the baseline is saved because points first
// seen after learning have learned a model. What a power cut takes is learned again.
// saveAgainEvery is how long after a try that failed it is tried again. Both are packet
// time.
const (
	saveLaterEvery = int64(24 * time.Hour)
	saveAgainEvery = int64(time.Minute)
)

// saveLater saves the baseline if points have learned a model later, or if what was
// learned could not be saved.
func (s *sensor) saveLater(clock int64) {
	if !s.learned {
		return
	}
	n := s.later
	if s.pipeline.process != nil {
		n = s.pipeline.process.Stats().Later
	}
	again := s.unsaved && clock-s.tried >= saveAgainEvery
	if !again && (s.unsaved || n == s.later || clock-s.laterSaved < saveLaterEvery) {
		return
	}
	if s.pipeline.links == nil { // it comes with one of the next steps
		if !s.asked {
			s.asked = true
			s.pipeline.asked.Store(true)
		}
		return
	}
	s.asked = false
	s.later, s.laterSaved = n, clock
	s.trySave(clock)
}

// trySave saves what was learned, and says once if it cannot.
func (s *sensor) trySave(clock int64) {
	err := s.saveLearned()
	switch {
	case err != nil && !s.unsaved:
		s.log.Error("what was learned could not be saved; it is kept in memory, and saving it is tried again each minute", "error", err)
	case err == nil && s.unsaved:
		s.log.Info("what was learned is saved", "file", s.config.Learn.Baseline)
	}
	s.unsaved, s.tried = err != nil, clock
}

// saveLearned writes the baseline once learning has ended, and before that a part of
// it. What people decided is what the file says: they decide while the sensor runs.
func (s *sensor) saveLearned() error {
	switch {
	case s.config.Learn.Baseline == "":
		return s.keepLearned()
	case s.enough:
		return s.saveWhole()
	case !s.learned:
		return s.savePart()
	}
	b, err := s.pipeline.baseline()
	if err != nil {
		return err
	}
	if len(b.Links) == 0 {
		return nil // there was nothing to learn, and the next start would watch by it
	}
	decided, doc, err := readNormal(s.config.Learn.Baseline)
	doc.close()
	switch {
	case err == nil:
		b.Decisions = decided.Decisions
	case !errors.Is(err, fs.ErrNotExist):
		s.log.Warn("the baseline file cannot be read any more and is written anew", "error", err)
	}
	if err := saveBaseline(s.config.Learn.Baseline, b); err != nil {
		return err
	}
	s.forgetPart()
	return nil
}

// alertLog logs each alert once when it is raised and when it is cleared.
type alertLog struct{ log *slog.Logger }

func (l *alertLog) Write(_ context.Context, out *detect.Output) error {
	for i := range out.Alerts {
		a := &out.Alerts[i]
		if a.State == detect.Updated {
			continue
		}
		l.log.Warn("alert", "state", a.State.String(), "severity", a.Severity.String(), "kind", a.Kind.Name, "id", a.ID, "title", a.Title)
	}
	return nil
}

func (l *alertLog) Close(context.Context) error { return nil }
