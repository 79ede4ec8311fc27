package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/weir-ics/weir/detect"
)

func newLearn() *cobra.Command {
	var f replayFlags
	var onto string
	cmd := &cobra.Command{
		Use:     "learn FILE... -o BASELINE",
		GroupID: "main",
		Short:   "Learn what is normal from captures and save it as a baseline",
		Long: `Learn what is normal from captures of a time when nothing was wrong, and save
it as a baseline for weir replay --baseline and weir run. The file is JSON,
sorted, the same for the same input; docs/formats.md describes it.

Rules and broken standards still raise alerts while learning: look at them before
you trust the baseline, because what is in it will never be new again.`,
		Example: `  weir learn monday.pcap tuesday.pcap -o plant.json
  weir learn wednesday.pcap --onto plant.json -o plant.json`,
		Args: someFiles,
		RunE: func(cmd *cobra.Command, args []string) error {
			if f.save == "" {
				return usage(fmt.Errorf("weir learn needs -o BASELINE; see 'weir learn --help'"))
			}
			c, err := f.apply()
			if err != nil {
				return err
			}
			if f.config == "" && f.store == "" {
				c.Store.Path = ""
			}
			options, err := c.pipeline()
			if err != nil {
				return err
			}
			options.schedule = detect.LearnOnly()
			if onto != "" {
				if options.baseline, options.doc, err = readNormal(onto); err != nil {
					return err
				}
			}
			job := &replayJob{cmd: cmd, paths: args, flags: &f, config: c}
			if err := job.run(options); err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "\nwrote %s\n", f.save)
			return nil
		},
	}
	cmd.Flags().StringVarP(&f.save, "output", "o", "", "the baseline file to write (required)")
	cmd.Flags().StringVar(&onto, "onto", "", "go on learning from this baseline")
	cmd.Flags().StringVar(&f.alerts, "alerts", "", "write the alerts to FILE as JSON lines, each in its final state")
	cmd.Flags().BoolVar(&f.json, "json", false, "print the summary as JSON")
	f.common(cmd)
	return cmd
}
