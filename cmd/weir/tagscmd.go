package main

import (
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/weir-ics/weir/detect"
	"github.com/weir-ics/weir/detect/tags"
)

func newTags() *cobra.Command {
	return group(&cobra.Command{
		Use:     "tags",
		GroupID: "look",
		Short:   "Infer the types of registers from traffic, export and check tag lists",
		Long: `Registers have no type on the wire. A tag list (CSV: device, unit, table, address,
name, type, order, scale, offset, engineering unit, limits) gives names and types;
without one weir infers types while it learns. Export what was inferred, edit it,
and give it back with --tags.`,
	}, newTagsInfer(), newTagsExport(), newTagsCheck())
}

func newTagsInfer() *cobra.Command {
	var f replayFlags
	var output string
	cmd := &cobra.Command{
		Use:   "infer FILE...",
		Short: "Infer the types of registers from captures and print them as a tag list",
		Args:  someFiles,
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := f.apply()
			if err != nil {
				return err
			}
			options, err := c.pipeline()
			if err != nil {
				return err
			}
			options.schedule, options.process, options.infer = detect.LearnOnly(), nil, true
			p, err := newPipeline(options)
			if err != nil {
				return usage(err)
			}
			in := openInput(args, cmd.InOrStdin(), cmd.ErrOrStderr(), true)
			defer in.Close()
			if err := p.run(cmd.Context(), in); err != nil {
				return partial(err)
			}
			p.settle(p.last, p.settleTypes())
			return errors.Join(saveTags(cmd, output, p.tags), in.end(cmd.Context()))
		},
	}
	cmd.Flags().StringVarP(&output, "output", "o", "", "write to a file instead of standard output")
	cmd.Flags().StringVar(&f.tags, "tags", "", "tags that are known already")
	return cmd
}

func newTagsExport() *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:   "export BASELINE",
		Short: "Print the types that a baseline learned as a tag list",
		Args:  between(1, 1, "one baseline"),
		RunE: func(cmd *cobra.Command, args []string) error {
			b, err := readBaseline(args[0])
			if err != nil {
				return err
			}
			if b.Sections[tagsSection] == nil {
				return usage(fmt.Errorf("baseline %s holds no types of registers", args[0]))
			}
			list, err := tags.FromSection(b.Sections[tagsSection])
			if err != nil {
				return usage(err)
			}
			return saveTags(cmd, output, list)
		},
	}
	cmd.Flags().StringVarP(&output, "output", "o", "", "write to a file instead of standard output")
	return cmd
}

func newTagsCheck() *cobra.Command {
	return &cobra.Command{
		Use:   "check FILE",
		Short: "Read a tag list and say what is wrong with it, with file, line and column",
		Args:  between(1, 1, "one tag list"),
		RunE: func(cmd *cobra.Command, args []string) error {
			list, err := readTags(args[0])
			if err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%d tags: nothing wrong\n", len(list.Tags()))
			return nil
		},
	}
}

func saveTags(cmd *cobra.Command, path string, list *tags.List) error {
	return writeTo(cmd, path, func(w io.Writer) error { return list.Save(w) })
}
