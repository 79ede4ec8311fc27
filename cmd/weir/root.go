package main

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// version is set by the linker for a release.
var version = ""

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "weir",
		Short: "A passive anomaly-detection sensor for Modbus and DNP3",
		Long: `weir listens to a network tap in a plant, learns what is normal between masters
and devices that speak Modbus or DNP3, and says what is not. It never sends
anything on a monitored interface.

  weir demo                         see it work in a minute, on a simulated plant
  weir decode FILE                  what a capture says, a JSON line a message
  weir replay FILE --learn 1h       learn from the first hour, judge the rest
  weir learn FILE -o plant.json     learn what is normal from captures
  weir replay FILE --baseline plant.json
  weir run -c weir.yaml             the sensor, live

Several files are one capture in time order; - is standard input; .gz and .zst
are read as they are. Exit status: 0 done; 1 done, but something could not be
read or written; 2 the command line or a configuration is wrong.`,
		Version:       versionLine(),
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usage(fmt.Errorf("%w; see '%s --help'", err, cmd.CommandPath()))
	})
	root.SetVersionTemplate("{{.Version}}\n")
	root.AddGroup(
		&cobra.Group{ID: "main", Title: "The main job:"},
		&cobra.Group{ID: "look", Title: "What was learned and found:"},
		&cobra.Group{ID: "plant", Title: "The simulated plant:"},
	)
	return group(root, newBaseline(), newDecode(), newDemo(), newEval(), newLearn(), newNotes(), newPlant(), newReplay(), newRules(), newRun(), newServe(), newTags(), newVersion())
}

func newVersion() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print weir's version and how it was built",
		Args:  noArgs,
		Run: func(cmd *cobra.Command, _ []string) {
			fmt.Fprintln(cmd.OutOrStdout(), versionLine())
		},
	}
}

func versionLine() string {
	v, revision := version, ""
	if info, ok := debug.ReadBuildInfo(); ok {
		if v == "" {
			v = info.Main.Version
		}
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				revision = " " + s.Value[:min(12, len(s.Value))]
			}
		}
	}
	if v == "" || v == "(devel)" {
		v = "development"
	}
	return fmt.Sprintf("weir %s%s %s %s/%s", v, revision, runtime.Version(), runtime.GOOS, runtime.GOARCH)
}

// noArgs, someFiles and between say what is wrong with the arguments, in weir's
// voice and with the status of a wrong command line.
func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usage(fmt.Errorf("%s takes no argument, got %q; see '%s --help'", cmd.CommandPath(), args[0], cmd.CommandPath()))
	}
	return nil
}

func someFiles(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return usage(fmt.Errorf("%s needs at least one capture file (- for standard input); see '%s --help'", cmd.CommandPath(), cmd.CommandPath()))
	}
	return nil
}

// between asks for at least and at most so many arguments (at most 0: any
// number), which what names.
func between(least, most int, what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) < least || most > 0 && len(args) > most {
			return usage(fmt.Errorf("%s takes %s, got %d; see '%s --help'", cmd.CommandPath(), what, len(args), cmd.CommandPath()))
		}
		return nil
	}
}

// group makes a command of commands: without one it prints its help, and an
// unknown one is a mistake of the command line.
func group(cmd *cobra.Command, of ...*cobra.Command) *cobra.Command {
	cmd.AddCommand(of...)
	cmd.SuggestionsMinimumDistance = 2
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return cmd.Help()
		}
		said := fmt.Sprintf("there is no command %q in %s", args[0], cmd.CommandPath())
		if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
			said += fmt.Sprintf(" (did you mean %q?)", near[0])
		}
		return usage(fmt.Errorf("%s; see '%s --help'", said, cmd.CommandPath()))
	}
	cmd.Args, cmd.DisableFlagsInUseLine = cobra.ArbitraryArgs, true
	return cmd
}
