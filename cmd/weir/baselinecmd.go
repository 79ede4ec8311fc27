package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/user"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/weir-ics/weir/detect"
	"github.com/weir-ics/weir/detect/process"
	"github.com/weir-ics/weir/detect/tags"
)

func newBaseline() *cobra.Command {
	return group(&cobra.Command{
		Use:     "baseline",
		GroupID: "look",
		Short:   "Look at what was learned, compare and merge it, approve what is new",
	}, newBaselineShow(), newBaselineDiff(), newBaselineMerge(),
		newDecide(detect.Approve, "approve BASELINE ALERT...", "Say that what alerts are about is normal: it is learned and not alerted again",
			`An approval covers what the same client sends the same server, for a new host
what it sends any host (or any host sends it), as long as it goes no further:
who approves a reading approves neither a question for status nor a command.
Who approves something that changes the plant or the device (a command, a
configuration, the clock, files, a restart, a program) approves readings,
questions and the same kind of change, between these two hosts only. A network
card, a connection and what a device answers are covered by themselves.

Some alerts are about what happened, not about something new: scans, floods,
values, rules. They can be approved for a time only (--for), and exactly.

What is approved is printed. To approve the same again replaces what was decided
before, which stays in the baseline to be looked at (weir baseline show).`),
		newDecide(detect.Mute, "mute BASELINE ALERT...", "Keep silent about alerts without learning what they are about",
			`A mute keeps silent about exactly what the alert is about.`))
}

func newBaselineShow() *cobra.Command {
	return &cobra.Command{
		Use:   "show BASELINE",
		Short: "Print what was learned, link by link, and how far the learning is",
		Args:  between(1, 1, "one baseline"),
		RunE: func(cmd *cobra.Command, args []string) error {
			b, err := readBaseline(args[0])
			if err != nil {
				return err
			}
			if err := b.Show(cmd.OutOrStdout()); err != nil {
				return partial(err)
			}
			if section := b.Sections[processSection]; section != nil {
				fmt.Fprintln(cmd.OutOrStdout())
				if err := process.Show(cmd.OutOrStdout(), section); err != nil {
					return partial(err)
				}
			}
			if section := b.Sections[laterSection]; section != nil {
				fmt.Fprintln(cmd.OutOrStdout())
				return partial(process.ShowLater(cmd.OutOrStdout(), section))
			}
			return nil
		},
	}
}

func newBaselineDiff() *cobra.Command {
	return &cobra.Command{
		Use:   "diff EARLIER LATER",
		Short: "Print what changed between two baselines; status 1 if anything did",
		Args:  between(2, 2, "two baselines"),
		RunE: func(cmd *cobra.Command, args []string) error {
			a, err := readBaseline(args[0])
			if err != nil {
				return err
			}
			b, err := readBaseline(args[1])
			if err != nil {
				return err
			}
			differs, err := detect.Diff(cmd.OutOrStdout(), a, b)
			if err == nil && a.Sections[processSection] != nil && b.Sections[processSection] != nil {
				var points bool
				points, err = process.Diff(cmd.OutOrStdout(), learnedOf(a), learnedOf(b))
				differs = differs || points
			}
			if err == nil && differs {
				return errSaid
			}
			return partial(err)
		},
	}
}

func learnedOf(b *detect.Baseline) process.Learned {
	return process.Learned{Process: b.Sections[processSection], Later: b.Sections[laterSection]}
}

func newBaselineMerge() *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:   "merge BASELINE... -o MERGED",
		Short: "Merge baselines: two weeks of one site, or two sites",
		Args:  between(2, 0, "at least two baselines"),
		RunE: func(_ *cobra.Command, args []string) error {
			if output == "" {
				return usage(errors.New("weir baseline merge needs -o MERGED"))
			}
			all, err := readBaseline(args[0])
			for _, path := range args[1:] {
				var next *detect.Baseline
				if err == nil {
					next, err = readBaseline(path)
				}
				if err == nil {
					all, err = detect.Merge(all, next, mergeSection)
				}
			}
			if err != nil {
				return usage(err)
			}
			return partial(saveBaseline(output, all))
		},
	}
	cmd.Flags().StringVarP(&output, "output", "o", "", "the baseline file to write (required)")
	return cmd
}

// mergeSection merges the part of a baseline that belongs to another model.
func mergeSection(name string, a, b json.RawMessage) (json.RawMessage, error) {
	switch name {
	case processSection, laterSection:
		return process.Merge(a, b)
	case tagsSection:
		return tags.MergeSections(a, b)
	}
	return a, nil
}

func newDecide(action, use, short, long string) *cobra.Command {
	var alerts, by, why string
	var lasts duration
	cmd := &cobra.Command{
		Use:   use,
		Short: short,
		Long: short + ".\n" + long + `
The decision is written into the baseline, with who, when and why. Alerts are
named by their ids; they are looked up in the file that --alerts of weir replay
or alerts.file of weir run wrote. A sensor that is running takes the decision in
when it is started again.`,
		Example: fmt.Sprintf(`  weir baseline %s plant.json b9f553cb72e6ae00 --alerts alerts.jsonl --why "new historian, work order 4711" --for 90d`, action),
		Args:    between(2, 0, "a baseline and the ids of alerts"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if alerts == "" || why == "" {
				return usage(fmt.Errorf("weir baseline %s needs --alerts FILE and --why TEXT", action))
			}
			b, err := readBaseline(args[0])
			if err != nil {
				return err
			}
			f, err := os.Open(alerts)
			if err != nil {
				return usage(fmt.Errorf("read the alerts: %w", err))
			}
			defer f.Close()
			found, err := findAlerts(f, args[1:])
			if err != nil {
				return usage(fmt.Errorf("read %s: %w", alerts, err))
			}
			var said strings.Builder // what is written is told, not what could not be
			now, until := time.Now(), int64(0)
			if lasts > 0 {
				until = now.Add(time.Duration(lasts)).UnixNano()
			}
			for i := range found {
				d := detect.Decide(action, &found[i], by, why, now.UnixNano(), until)
				replaced, err := b.Decide(d)
				if err != nil {
					return usage(fmt.Errorf("%s alert %s: %w", action, found[i].ID, err))
				}
				sayDecision(&said, found[i].Title, &d, replaced)
			}
			if err := saveBaseline(args[0], b); err != nil {
				return partial(err)
			}
			said.WriteString("It takes effect when the sensor is started again.\n")
			_, err = io.WriteString(cmd.OutOrStdout(), said.String())
			return partial(err)
		},
	}
	f := cmd.Flags()
	f.StringVar(&alerts, "alerts", "", "the file with the alerts, JSON lines (required)")
	f.StringVar(&why, "why", "", "the reason (required)")
	f.StringVar(&by, "by", userName(), "who decides")
	f.Var(&lasts, "for", "how long it holds (default: for ever)")
	return cmd
}

// sayDecision says what was decided, and what it covers.
func sayDecision(out *strings.Builder, title string, d *detect.Decision, replaced int) {
	fmt.Fprintf(out, "%s: %s\n  covers %s\n", d.Action, title, d.Covers())
	until := "for ever"
	if d.Until != 0 {
		until = "until " + time.Unix(0, d.Until).UTC().Format("2006-01-02 15:04 MST")
	}
	fmt.Fprintf(out, "  holds %s", until)
	switch replaced {
	case 0:
	case 1:
		out.WriteString(", in place of an earlier decision")
	default:
		fmt.Fprintf(out, ", in place of %d earlier decisions", replaced)
	}
	out.WriteByte('\n')
}

func userName() string {
	if u, err := user.Current(); err == nil {
		return u.Username
	}
	return ""
}

// findAlerts reads alert lines and returns those with the ids, each in its last
// state.
func findAlerts(r io.Reader, ids []string) ([]detect.Alert, error) {
	byID := map[string]detect.Alert{}
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)
	for n := 1; lines.Scan(); n++ {
		if len(lines.Bytes()) == 0 {
			continue
		}
		var a detect.Alert
		if err := json.Unmarshal(lines.Bytes(), &a); err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
		if slices.Contains(ids, a.ID) {
			byID[a.ID] = a
		}
	}
	if err := lines.Err(); err != nil {
		return nil, err
	}
	var out []detect.Alert
	for _, id := range ids {
		a, ok := byID[id]
		if !ok {
			return nil, fmt.Errorf("there is no alert %s", id)
		}
		out = append(out, a)
	}
	return out, nil
}
