package main

import (
	"context"
	"errors"
	"fmt"
	"text/tabwriter"

	"github.com/spf13/cobra"

	notes "github.com/weir-ics/weir/firmware-notes"
)

func newNotes() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "notes",
		GroupID: "look",
		Short:   "List what is known about devices, and match it to the assets that were seen",
	}
	var folders []string
	cmd.PersistentFlags().StringArrayVar(&folders, "notes", nil, "a folder with notes of your own (may be repeated)")
	list := &cobra.Command{
		Use:   "list",
		Short: "List the notes that are loaded, the shipped ones and your own",
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			library, err := notes.Load(folders...)
			t := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
			fmt.Fprintln(t, "ID\tREVIEWED\tADVISORIES\tPRODUCT")
			for _, n := range library.Notes() {
				fmt.Fprintf(t, "%s\t%s\t%d\t%s %s\n", n.ID, n.Reviewed, len(n.Advisories), n.Vendor, n.Product)
			}
			return errors.Join(t.Flush(), usage(err))
		},
	}
	match := &cobra.Command{
		Use:   "match [STORE]",
		Short: "Match the notes to the assets in a store that replay or run wrote",
		Args:  between(0, 1, "one store"),
		RunE: func(cmd *cobra.Command, args []string) error {
			path := defaultConfig().Store.Path
			if len(args) == 1 {
				path = args[0]
			}
			library, err := notes.Load(folders...)
			if err != nil {
				return usage(err)
			}
			return matchNotes(cmd, library, path)
		},
	}
	return group(cmd, list, match)
}

func matchNotes(cmd *cobra.Command, library *notes.Library, path string) error {
	s, err := openStore(path, nil)
	if err != nil {
		return err
	}
	defer s.Close(context.Background())
	assets, err := s.Assets(cmd.Context())
	if err != nil {
		return partial(err)
	}
	out := cmd.OutOrStdout()
	matched := 0
	for i := range assets {
		for _, m := range library.Match(&assets[i]) {
			matched++
			certain := "certain"
			if !m.Certain {
				certain = "the maker of its network interface, not certain"
			}
			fmt.Fprintf(out, "%s  %s: %s %s (by %s; %s)\n", m.Asset, m.Note.ID, m.Note.Vendor, m.Note.Product, m.Because, certain)
			for k, v := range m.Note.Advisories {
				fmt.Fprintf(out, "    %-12s %s: %s\n", m.Exposures[k], v.ID, v.Title)
			}
		}
	}
	fmt.Fprintf(out, "%d assets, %d notes matched\n", len(assets), matched)
	return nil
}
