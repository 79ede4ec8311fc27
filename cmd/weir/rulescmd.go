package main

import (
	"errors"
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/weir-ics/weir/rules"
)

func newRules() *cobra.Command {
	var more []string
	list := &cobra.Command{
		Use:   "list",
		Short: "List the rules that are loaded, the shipped ones and your own",
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			set, err := rules.Load(more...)
			t := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
			fmt.Fprintln(t, "ID\tSEVERITY\tTECHNIQUES\tWHAT")
			for _, r := range set.Rules() {
				fmt.Fprintf(t, "%s\t%s\t%s\t%s\n", r.ID, r.Severity, strings.Join(r.Techniques, " "), r.Title)
			}
			return errors.Join(t.Flush(), usage(err))
		},
	}
	list.Flags().StringArrayVar(&more, "rules", nil, "a file or folder with rules of your own (may be repeated)")
	check := &cobra.Command{
		Use:   "check FILE...",
		Short: "Read rules and say what is wrong with them, with file, line and column",
		Args:  between(1, 0, "at least one file or folder"),
		RunE: func(cmd *cobra.Command, args []string) error {
			set, err := rules.Load(args...)
			if err != nil {
				return usage(err)
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%d rules, the shipped ones included: nothing wrong\n", len(set.Rules()))
			return nil
		},
	}
	test := &cobra.Command{
		Use:   "test [FILE...]",
		Short: "Run the examples of every rule through the decoders: those that must fire, those that must not",
		RunE: func(cmd *cobra.Command, args []string) error {
			set, err := rules.Load(args...)
			if err != nil {
				return usage(err)
			}
			failed, all := 0, set.Test()
			for _, o := range all {
				if o.Problem != "" {
					failed++
					fmt.Fprintf(cmd.OutOrStdout(), "%s:%d:%d: %s\n", o.File, o.Line, o.Column, o.Problem)
				}
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%d examples of %d rules, %d not as they say\n", len(all), len(set.Rules()), failed)
			if failed > 0 {
				return partial(fmt.Errorf("%d examples are not as they say", failed))
			}
			return nil
		},
	}
	return group(&cobra.Command{
		Use:     "rules",
		GroupID: "look",
		Short:   "List, check and test the rules for what is bad on any plant",
	}, list, check, test)
}
