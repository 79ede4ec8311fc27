package main

import (
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/weir-ics/weir/capture"
	"github.com/weir-ics/weir/detect"
	"github.com/weir-ics/weir/plant"
)

// The demo's scenario: learn, then attacks far enough apart to be told apart.
const (
	demoLearn = 90 * time.Minute
	demoEnd   = 3 * time.Hour
)

var demoAttacks = []plant.AttackAt{
	{Kind: "recon.device-id", At: 95 * time.Minute},
	{Kind: "scan.hosts", At: 99 * time.Minute},
	{Kind: "write.from-plc", At: 104 * time.Minute},
	{Kind: "write.setpoint-range", At: 109 * time.Minute, Duration: 2 * time.Minute},
	{Kind: "plc.umas-stop", At: 115 * time.Minute},
	{Kind: "dnp3.disable-unsolicited", At: 121 * time.Minute},
	{Kind: "dnp3.trip", At: 127 * time.Minute},
	{Kind: "poll.stopped", At: 133 * time.Minute, Duration: 5 * time.Minute},
	{Kind: "mitm.arp", At: 143 * time.Minute, Duration: 4 * time.Minute},
	{Kind: "sensor.replayed", At: 151 * time.Minute, Duration: 20 * time.Minute},
}

func newDemo() *cobra.Command {
	var listen, storePath string
	var seed uint64
	var serve bool
	cmd := &cobra.Command{
		Use:     "demo",
		GroupID: "main",
		Short:   "See weir work in a minute: simulated plant, attacks, alerts, console",
		Long: `Simulate a water plant and its substation for three hours of plant time: PLCs
that an HMI and a historian poll with Modbus, an outstation and a master that
speak DNP3, with realistic levels, flows and pumps. weir learns from the first
90 minutes; then the plant is attacked in ten ways. What was found and what was
missed is printed, and the console shows the rest.

Needs no root, no network and no server. The same seed gives the same alerts.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if !cmd.Flags().Changed("serve") {
				f, ok := cmd.OutOrStdout().(interface{ Fd() uintptr })
				serve = ok && term.IsTerminal(int(f.Fd()))
			}
			return demo(cmd, seed, storePath, listen, serve)
		},
	}
	f := cmd.Flags()
	f.Uint64Var(&seed, "seed", 1, "another plant, another day")
	f.StringVar(&storePath, "store", "", "where to keep what was found (default: a file in the folder for temporary files)")
	f.StringVarP(&listen, "listen", "l", "", "address of the console (default: a free port on this machine)")
	f.BoolVar(&serve, "serve", false, "serve the console at the end until ctrl-C (default: if the output is a terminal)")
	return cmd
}

func demo(cmd *cobra.Command, seed uint64, storePath, listen string, serve bool) error {
	out := cmd.OutOrStdout()
	c := defaultConfig()
	c.Workers = runtime.GOMAXPROCS(0)
	if storePath == "" {
		storePath = filepath.Join(os.TempDir(), fmt.Sprintf("weir-demo-%d.db", os.Getuid()))
		for _, suffix := range []string{"", "-wal", "-shm"} {
			if err := os.Remove(storePath + suffix); err != nil && !errors.Is(err, os.ErrNotExist) {
				return usage(fmt.Errorf("remove the store of an earlier demo: %w; choose another with --store", err))
			}
		}
	}
	c.Store.Path = storePath
	c.Console.Listen = "127.0.0.1:0"
	if listen != "" {
		c.Console.Listen = listen
	}
	log, err := newLogger(cmd, c)
	if err != nil {
		return err
	}
	options, err := c.pipeline()
	if err != nil {
		return err
	}
	options.schedule = detect.LearnFor(demoLearn)
	if options.tags, err = plantTags(); err != nil {
		return err
	}
	options.hosts = map[netip.Addr]string{
		plant.AddrHMI: "HMI", plant.AddrHistorian: "historian", plant.AddrEngineering: "engineering", plant.AddrMaster: "DNP3 master",
		plant.AddrPLC1: "PLC 1", plant.AddrPLC2: "PLC 2", plant.AddrPLC3: "PLC 3", plant.AddrAnalysers: "analysers", plant.AddrRTU: "substation RTU",
	}
	outlets, err := c.openOutlets(log, false, "demo", []string{fmt.Sprintf("simulated plant, seed %d", seed)})
	if err != nil {
		return err
	}
	options.outlets, options.values = outlets.list, outlets.values
	p, err := newPipeline(options)
	if err != nil {
		return usage(errors.Join(err, outlets.abandon()))
	}

	fmt.Fprintf(out, "A water plant with four PLCs and a substation, %s of plant time, seed %d.\nLearning from the first %s, then %d attacks.\n\n",
		span(int64(demoEnd)), seed, span(int64(demoLearn)), len(demoAttacks))
	scenario := plant.Scenario{Seed: seed, Duration: demoEnd, Life: plant.NormalLife(), Attacks: demoAttacks}
	began := time.Now()
	labels, err := playScenario(cmd, &scenario, p)
	if err != nil {
		return errors.Join(err, outlets.abandon())
	}
	took := time.Since(began)
	if cmd.Context().Err() != nil {
		return errors.Join(partial(errors.New("interrupted")), outlets.abandon())
	}
	if err := outlets.endRun(p.status("simulated plant", false), fmt.Sprintf("%d alerts", len(p.summary.alerts))); err != nil {
		return err
	}
	handler, err := c.console(outlets.store, log)
	if err != nil {
		return err
	}
	// The store stays open for the console; what it was given must be in it.
	if err := outlets.store.Flush(cmd.Context()); err != nil {
		return err
	}
	alerts := p.summary.final()
	p.summary.head(out, p, took)
	fmt.Fprintln(out)
	findings := matchLabels(labels, alerts)
	printFound(out, findings, alerts, p.summary.raised)

	if !serve {
		fmt.Fprintf(out, "\nLook at it: weir serve %s   and open http://%s/\n", storePath, defaultConfig().Console.Listen)
		return p.close()
	}
	err = serveConsole(cmd, c.Console.Listen, handler, "\nLook at it: %s   (ctrl-C ends it)\n")
	return errors.Join(err, p.close())
}

// playScenario feeds the simulated traffic to the pipeline as it is made.
func playScenario(cmd *cobra.Command, scenario *plant.Scenario, p *pipeline) (plant.Labels, error) {
	r, w := io.Pipe()
	var labels plant.Labels
	made := make(chan error, 1)
	go func() {
		var err error
		labels, err = scenario.Write(w)
		w.CloseWithError(err)
		made <- err
	}()
	in := capture.Open([]string{"-"}, capture.FileOptions{Stdin: r})
	defer in.Close()
	err := p.run(cmd.Context(), in)
	r.CloseWithError(errors.New("the reader has ended"))
	if makeErr := <-made; err == nil && cmd.Context().Err() == nil {
		err = makeErr
	}
	return labels, err
}

// found is what became of one thing that was really done.
type found struct {
	label plant.Label
	// alerts are those that it explains, in the order of severity, then time.
	alerts []detect.Alert
}

// labelGrace is how long after an attack an alert may still be about it.
const labelGrace = 2 * time.Minute

// matchLabels gives every alert to the label it fits: it began while that was
// going on (or soon after), and one of its parties is the source or the target.
// Where several fit, the one that began last has it. An alert about others has
// the only label of its time.
func matchLabels(labels plant.Labels, alerts []detect.Alert) []found {
	out := make([]found, len(labels))
	for i := range labels {
		out[i].label = labels[i]
	}
	for _, a := range alerts {
		best, during := -1, []int{}
		for i, l := range labels {
			start := time.Unix(0, a.Start)
			if start.Before(l.Start.Add(-time.Second)) && !time.Unix(0, a.Time).After(l.Start) || start.After(l.End.Add(labelGrace)) {
				continue
			}
			during = append(during, i)
			if (l.Source+l.Target == "" || concerns(&a, l.Source) || concerns(&a, l.Target)) && (best < 0 || l.Start.After(labels[best].Start)) {
				best = i
			}
		}
		if best < 0 && len(during) == 1 {
			best = during[0]
		}
		if best >= 0 {
			out[best].alerts = append(out[best].alerts, a)
		}
	}
	for i := range out {
		slices.SortStableFunc(out[i].alerts, func(a, b detect.Alert) int { return int(b.Severity) - int(a.Severity) })
	}
	return out
}

// concerns tells whether an alert has an address as a party. A label may name
// more than one, or none in particular.
func concerns(a *detect.Alert, who string) bool {
	for _, p := range []detect.Party{a.Client, a.Server} {
		if p.Endpoint.IP.IsValid() && strings.Contains(" "+who+" ", p.Endpoint.IP.String()) {
			return true
		}
	}
	return false
}

func printFound(w io.Writer, all []found, alerts []detect.Alert, raised map[string]raising) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "WHAT WAS DONE\tFOUND\tAFTER\tSEVERITY\tALERT")
	n, matched := 0, 0
	for _, f := range all {
		matched += len(f.alerts)
		if len(f.alerts) == 0 {
			fmt.Fprintf(t, "%s\tMISSED\t\t\t%s\n", f.label.Kind, f.label.Description)
			continue
		}
		n++
		a := f.alerts[0]
		first, title, severity := a.Time, a.Title, a.Severity
		for _, b := range f.alerts {
			first = min(first, raised[b.ID].at)
		}
		if time.Unix(0, a.End).After(f.label.End.Add(labelGrace)) { // it tells of what came later, too
			title, severity = raised[a.ID].title, raised[a.ID].severity
		}
		fmt.Fprintf(t, "%s\tfound\t%s\t%s\t%s\n", f.label.Kind, time.Duration(max(0, first-f.label.Start.UnixNano())).Round(100*time.Millisecond), severity, title)
	}
	_ = t.Flush()
	fmt.Fprintf(w, "\n%d of %d attacks found; %d alerts are about them, %d about something else\n", n, len(all), matched, len(alerts)-matched)
	for _, a := range alerts {
		if !slices.ContainsFunc(all, func(f found) bool {
			return slices.ContainsFunc(f.alerts, func(b detect.Alert) bool { return b.ID == a.ID })
		}) {
			fmt.Fprintf(w, "  something else: %s  %s\n", a.Severity, a.Title)
		}
	}
}
