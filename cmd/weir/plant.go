package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/weir-ics/weir/detect/tags"
	"github.com/weir-ics/weir/plant"
)

// plantTags is the tag list of the simulated plant.
func plantTags() (*tags.List, error) {
	var b bytes.Buffer
	if err := plant.WriteTags(&b, plant.Tags()); err != nil {
		return nil, err
	}
	return tags.Load(&b, "tags of the simulated plant")
}

func newPlant() *cobra.Command {
	return group(&cobra.Command{
		Use:     "plant",
		GroupID: "plant",
		Short:   "Simulate the plant, write labelled captures, turn process values into traffic",
	}, newPlantAttacks(), newPlantTags(), newPlantWrite(), newPlantCSV(), newPlantLoad(), newPlantRun())
}

func newPlantAttacks() *cobra.Command {
	return &cobra.Command{
		Use:   "attacks",
		Short: "List the kinds of attack that the simulated plant knows",
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			t := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
			fmt.Fprintln(t, "KIND\tTECHNIQUE\tUSUALLY LASTS\tWHAT IS DONE")
			for _, a := range plant.Attacks() {
				lasts := "until done"
				if a.Duration > 0 {
					lasts = a.Duration.String()
				}
				fmt.Fprintf(t, "%s\t%s\t%s\t%s\n", a.Kind, a.Technique, lasts, a.Description)
			}
			return t.Flush()
		},
	}
}

func newPlantTags() *cobra.Command {
	return &cobra.Command{
		Use:   "tags",
		Short: "Print the tag list of the simulated plant, CSV",
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return plant.WriteTags(cmd.OutOrStdout(), plant.Tags())
		},
	}
}

func newPlantWrite() *cobra.Command {
	var s plant.Scenario
	var length duration
	var start, labels, frames, tagFile string
	var attacks []string
	var quiet, own bool
	var spread string
	cmd := &cobra.Command{
		Use:   "write FILE.pcap",
		Short: "Write the simulated plant's traffic as a capture, with labels",
		Long: `Write the traffic of the simulated water plant and its substation as a pcap
file, far faster than real time. The same seed and options give the same bytes.
An attack is KIND@OFFSET or KIND@OFFSET+DURATION; weir plant attacks lists them.`,
		Example: `  weir plant write day.pcap --duration 24h
  weir plant write test.pcap --duration 2h --attack write.new-host@90m --attack poll.stopped@100m+10m --labels test.jsonl`,
		Args: between(1, 1, "one file to write"),
		RunE: func(cmd *cobra.Command, args []string) error {
			s.Duration = time.Duration(length)
			if start != "" {
				t, err := time.Parse(time.RFC3339, start)
				if err != nil {
					return usage(fmt.Errorf("--start %q is not a time such as 2026-03-02T06:00:00Z", start))
				}
				s.Start = t
			}
			if !quiet {
				s.Life = plant.NormalLife()
			}
			for _, a := range attacks {
				at, err := parseAttack(a)
				if err != nil {
					return usage(err)
				}
				s.Attacks = append(s.Attacks, at)
			}
			s.OwnIntruders = own
			if spread != "" {
				from, gap, err := parseSpread(spread)
				if err != nil {
					return usage(err)
				}
				s.Spread(from, gap)
				if cmd.Flags().Changed("duration") && s.Duration > time.Duration(length) {
					fmt.Fprintf(cmd.ErrOrStderr(), "weir: all attacks take longer than --duration %s: %s are written\n", &length, span(int64(s.Duration)))
				}
			}
			return writePlant(cmd, &s, args[0], labels, frames, tagFile)
		},
	}
	f := cmd.Flags()
	f.Uint64Var(&s.Seed, "seed", 1, "another plant, another day")
	f.VarP(&length, "duration", "d", "how long, in plant time (default 1h)")
	f.Var((*pollFlag)(&s), "poll", "the HMI's poll interval, or a device's own: PLC1=30s (may be repeated; default 1s)")
	f.StringVar(&start, "start", "", "time of the first packet, RFC 3339 (default 2026-03-02T06:00:00Z)")
	f.StringArrayVarP(&attacks, "attack", "a", nil, "KIND@OFFSET[+DURATION] (may be repeated)")
	f.StringVar(&spread, "all-attacks", "", "every kind of attack, one after the other, for as long as that takes: FROM+GAP, as 48h+30m")
	f.BoolVar(&own, "own-intruders", false, "give each attack from outside an address of its own")
	f.BoolVar(&quiet, "polls-only", false, "nothing but polls: no operator, no engineering, no other traffic")
	f.StringVar(&labels, "labels", "", "write the labels of the attacks to FILE, JSON lines")
	f.StringVar(&frames, "frame-labels", "", `write a line "frame;0|1" for each packet to FILE`)
	f.StringVar(&tagFile, "tags", "", "write the tag list to FILE, CSV")
	return cmd
}

// pollFlag is the poll interval of a scenario, or of a device of it.
type pollFlag plant.Scenario

// Set, String and Type make a pollFlag a command-line flag.
func (p *pollFlag) Set(s string) error {
	name, interval, own := strings.Cut(s, "=")
	if !own {
		interval = s
	}
	d, err := parseDuration(interval)
	if err != nil {
		return err
	}
	if !own {
		p.Poll = d
		return nil
	}
	if p.Polls == nil {
		p.Polls = make(map[string]time.Duration)
	}
	p.Polls[name] = d
	return nil
}
func (p *pollFlag) String() string { return "" }
func (p *pollFlag) Type() string   { return "[DEVICE=]duration" }

// parseSpread reads FROM+GAP.
func parseSpread(s string) (from, gap time.Duration, err error) {
	a, b, ok := strings.Cut(s, "+")
	if ok {
		from, err = parseDuration(a)
	}
	if ok && err == nil {
		gap, err = parseDuration(b)
	}
	if !ok || err != nil {
		return 0, 0, fmt.Errorf("--all-attacks %q is not FROM+GAP, as 48h+30m", s)
	}
	return from, gap, nil
}

// parseAttack reads KIND@OFFSET[+DURATION].
func parseAttack(s string) (at plant.AttackAt, err error) {
	kind, when, ok := strings.Cut(s, "@")
	offset, length, long := strings.Cut(when, "+")
	at.Kind = kind
	if ok {
		at.At, err = parseDuration(offset)
	}
	if ok && err == nil && long {
		at.Duration, err = parseDuration(length)
	}
	if !ok || err != nil {
		return at, fmt.Errorf("attack %q is not KIND@OFFSET or KIND@OFFSET+DURATION, as write.new-host@90m", s)
	}
	var names []string
	for _, a := range plant.Attacks() {
		if a.Kind == kind {
			return at, nil
		}
		names = append(names, a.Kind)
	}
	if near := nearest(kind, names); near != "" {
		return at, fmt.Errorf("there is no attack %q (did you mean %q?)", kind, near)
	}
	return at, fmt.Errorf("there is no attack %q; weir plant attacks lists them", kind)
}

func writePlant(cmd *cobra.Command, s *plant.Scenario, path, labels, frames, tagFile string) (err error) {
	if err := s.Check(); err != nil {
		return usage(err)
	}
	out, closeOut, err := create(path, cmd.OutOrStdout())
	if err != nil {
		return err
	}
	w := bufio.NewWriterSize(out, 1<<20)
	var marks io.Writer
	closeMarks := func() error { return nil }
	if frames != "" {
		m, closeFile, err := create(frames, cmd.OutOrStdout())
		if err != nil {
			return err
		}
		buffered := bufio.NewWriter(m)
		marks, closeMarks = buffered, func() error { return errors.Join(buffered.Flush(), closeFile()) }
	}
	done, err := s.WriteLabeled(&interrupted{w, cmd.Context().Err}, marks)
	if err = errors.Join(err, w.Flush(), closeOut(), closeMarks()); err != nil {
		return unwritten(path, err)
	}
	if labels != "" {
		if err := writeTo(cmd, labels, done.Write); err != nil {
			return err
		}
	}
	if tagFile != "" {
		return writeTo(cmd, tagFile, func(w io.Writer) error { return plant.WriteTags(w, plant.Tags()) })
	}
	return nil
}

// interrupted is a writer that ends when the command was interrupted.
type interrupted struct {
	w    io.Writer
	done func() error
}

func (w *interrupted) Write(b []byte) (int, error) {
	if err := w.done(); err != nil {
		return 0, errStopped
	}
	return w.w.Write(b)
}

func writeTo(cmd *cobra.Command, path string, f func(io.Writer) error) error {
	w, closeFile, err := create(path, cmd.OutOrStdout())
	if err != nil {
		return err
	}
	return unwritten(path, errors.Join(f(w), closeFile()))
}

func newPlantCSV() *cobra.Command {
	var o plant.CSVOptions
	var comma, output, labels, rows, tagFile, mapping, start string
	var interval, jitter duration
	cmd := &cobra.Command{
		Use:   "csv FILE.csv -o FILE.pcap",
		Short: "Turn a table of process values into Modbus or DNP3 traffic",
		Long: `Turn a table of process values, a row a time and a column a variable, into a
capture in which a client polls devices that hold those values, so that a data
set runs through the whole pipeline: decoding, extraction, detection, scoring.
Times in any usual format, comma or semicolon, decimal point or comma.

Columns that hold only 0 and 1 become discrete inputs (DNP3: binary inputs), all
others float32 in two input registers (DNP3: analog inputs). --scaled makes them
scaled 16-bit integers; --map FILE says it by column: a CSV with the columns name
and any of table, type, order, scale, offset, such as the one --tags writes.`,
		Example: `  weir plant csv plant.csv -o plant.pcap --labels plant.jsonl --tags tags.csv`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 || output == "" {
				return usage(fmt.Errorf("weir plant csv needs one table and -o FILE.pcap; see 'weir plant csv --help'"))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if !slices.Contains([]string{"modbus", "dnp3"}, o.Protocol) {
				return usage(fmt.Errorf("--protocol %q is none of modbus, dnp3", o.Protocol))
			}
			if comma != "" {
				o.Comma = []rune(comma)[0]
			}
			o.Interval, o.Jitter = time.Duration(interval), time.Duration(jitter)
			if mapping != "" {
				if o.Columns, err = readMapping(mapping); err != nil {
					return usage(err)
				}
			}
			if o.Scaled && o.Protocol == "dnp3" {
				return usage(errors.New("--scaled is for Modbus; DNP3 has analog inputs"))
			}
			if start != "" {
				if o.Start, err = time.Parse(time.RFC3339, start); err != nil {
					return usage(fmt.Errorf("--start %q is not a time such as 2026-03-02T06:00:00Z", start))
				}
			}
			return convertCSV(cmd, &o, args[0], output, labels, rows, tagFile)
		},
	}
	f := cmd.Flags()
	f.StringVarP(&output, "output", "o", "", "the capture to write (required)")
	f.StringVar(&o.Protocol, "protocol", "modbus", "modbus or dnp3")
	f.StringVar(&comma, "comma", "", "what separates cells (default: found out)")
	f.StringVar(&o.TimeColumn, "time-column", "", `the column of times, "Date+Time" for two, "-" for none (default: found out)`)
	f.StringVar(&o.TimeFormat, "time-format", "", "layout of Go's time package, or unix, unix-ms... (default: found out)")
	f.StringVar(&start, "start", "", "time of the first row if there is no time column, RFC 3339")
	f.Var(&interval, "interval", "time between rows if there is no time column")
	f.StringSliceVar(&o.Labels, "label-columns", nil, "columns that are labels, not values (default: by their usual names)")
	f.StringSliceVar(&o.Ignore, "ignore", nil, "columns to leave out")
	f.IntVar(&o.Devices, "devices", 0, "over how many devices the columns are spread (default: one for each 50)")
	f.StringVar(&mapping, "map", "", "how columns are held: FILE with name, table, type, order, scale, offset (CSV)")
	f.BoolVar(&o.Scaled, "scaled", false, "hold numbers as scaled 16-bit integers instead of float32")
	f.Var(&jitter, "jitter", "by how much a poll may be late (default: a hundredth of the time between rows, at most 20ms)")
	f.BoolVar(&o.Reconnect, "reconnect", false, "a connection for each poll cycle (rows a minute and more apart have that anyway)")
	f.Uint64Var(&o.Seed, "seed", 1, "of the timing noise")
	f.StringVar(&labels, "labels", "", "write the labelled stretches to FILE, JSON lines")
	f.StringVar(&rows, "row-labels", "", "write row;time;first frame;last frame;labels to FILE")
	f.StringVar(&tagFile, "tags", "", "write the tag list to FILE, CSV")
	completeValues(cmd, "protocol", "modbus", "dnp3")
	return cmd
}

func readMapping(path string) ([]plant.CSVColumn, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read the mapping: %w", err)
	}
	defer f.Close()
	columns, err := plant.ReadCSVColumns(f)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	return columns, nil
}

func convertCSV(cmd *cobra.Command, o *plant.CSVOptions, path, output, labels, rows, tagFile string) error {
	in, err := os.Open(path)
	if err != nil {
		return usage(fmt.Errorf("read the table: %w", err))
	}
	defer in.Close()
	out, closeOut, err := create(output, cmd.OutOrStdout())
	if err != nil {
		return err
	}
	closeRows := func() error { return nil }
	if rows != "" {
		if o.RowLabels, closeRows, err = create(rows, cmd.OutOrStdout()); err != nil {
			return err
		}
	}
	w := bufio.NewWriterSize(out, 1<<20)
	r, err := plant.ConvertCSV(in, &interrupted{w, cmd.Context().Err}, *o)
	if e := errors.Join(w.Flush(), closeOut(), closeRows()); e != nil || errors.Is(err, errStopped) {
		return unwritten(output, errors.Join(err, e))
	}
	if err != nil {
		return partial(fmt.Errorf("%s: %w", path, err))
	}
	fmt.Fprintf(cmd.ErrOrStderr(), "%s rows (times read as %s, %s apart) became %s packets; %s cells held no number, %s rows came late\n",
		grouped(uint64(r.Rows)), r.TimeFormat, r.Interval, grouped(r.Packets), grouped(uint64(r.Missing)), grouped(uint64(r.Late)))
	if labels != "" {
		if err := writeTo(cmd, labels, r.Labels.Write); err != nil {
			return err
		}
	}
	if tagFile != "" {
		return writeTo(cmd, tagFile, func(w io.Writer) error { return plant.WriteTags(w, r.Tags) })
	}
	return nil
}

func newPlantLoad() *cobra.Command {
	var l plant.Load
	var kinds []string
	for _, k := range plant.LoadKinds() {
		kinds = append(kinds, "  "+k[0]+strings.Repeat(" ", 9-len(k[0]))+k[1])
	}
	cmd := &cobra.Command{
		Use:   "load KIND FILE.pcap",
		Short: "Write a large capture for measuring speed",
		Long:  "Write a large capture for measuring speed. The same options give the same bytes. The kinds:\n\n" + strings.Join(kinds, "\n"),
		Args:  between(2, 2, "a kind and a file to write"),
		RunE: func(cmd *cobra.Command, args []string) error {
			l.Kind = args[0]
			if !slices.ContainsFunc(plant.LoadKinds(), func(k [2]string) bool { return k[0] == l.Kind }) {
				return usage(fmt.Errorf("there is no kind of load %q; see 'weir plant load --help'", l.Kind))
			}
			out, closeOut, err := create(args[1], cmd.OutOrStdout())
			if err != nil {
				return err
			}
			w := bufio.NewWriterSize(out, 1<<20)
			return unwritten(args[1], errors.Join(l.Write(&interrupted{w, cmd.Context().Err}), w.Flush(), closeOut()))
		},
	}
	f := cmd.Flags()
	f.IntVar(&l.Packets, "packets", 2_000_000, "how many packets")
	f.IntVar(&l.Pairs, "pairs", 200, "how many pairs of a client and a server")
	f.IntVar(&l.Moving, "moving", 15, "how many of 100 registers of a site move, 1 to 100")
	f.Uint64Var(&l.Seed, "seed", 1, "another load")
	return cmd
}

func newPlantRun() *cobra.Command {
	var o plant.LiveOptions
	var poll duration
	cmd := &cobra.Command{
		Use:   "run",
		Short: "Run the simulated plant on real sockets of this machine, until ctrl-C",
		Long: `Run the simulated plant on real sockets: its PLCs serve Modbus/TCP, its outstation
DNP3, and an HMI and a master poll them. It listens on the loopback interface
unless told otherwise; point your own client, or "weir run -i lo", at it.`,
		Example: `  weir plant run --spread
  weir plant run --servers-only --address 127.0.0.1 --modbus-port 5020`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			o.Poll = time.Duration(poll)
			live, err := plant.Serve(cmd.Context(), o)
			if err != nil {
				return partial(err)
			}
			out := cmd.OutOrStdout()
			addrs := live.Addrs()
			for _, name := range slices.Sorted(maps.Keys(addrs)) {
				fmt.Fprintf(out, "%-12s %s\n", name, addrs[name])
			}
			fmt.Fprintln(out, "ctrl-C ends it")
			<-cmd.Context().Done()
			live.Close()
			live.Wait()
			s := live.Stats()
			fmt.Fprintf(out, "%d reads and %d writes were answered, %d were not; %d DNP3 requests, %d unsolicited responses\n",
				s.Reads, s.Writes, s.Errors, s.Requests, s.Unsolicited)
			return nil
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.Address, "address", "", "where the devices listen (default 127.0.0.1)")
	f.IntVar(&o.ModbusPort, "modbus-port", 0, "port of the first PLC, the others have the next ones (default: free ones)")
	f.IntVar(&o.DNP3Port, "dnp3-port", 0, "port of the outstation (default: a free one)")
	f.BoolVar(&o.Spread, "spread", false, "give every device a loopback address of its own, 127.20.1.x, and the standard ports")
	f.BoolVar(&o.ServersOnly, "servers-only", false, "leave out the HMI and the DNP3 master")
	f.Var(&poll, "poll", "the HMI's poll interval (default 1s)")
	f.Float64Var(&o.Speed, "speed", 1, "seconds of the process that pass in one")
	f.Uint64Var(&o.Seed, "seed", 1, "another plant")
	return cmd
}
