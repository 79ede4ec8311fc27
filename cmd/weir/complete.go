package main

import "github.com/spf13/cobra"

// completeValues makes shell completion offer the values of a flag.
func completeValues(cmd *cobra.Command, flag string, values ...string) {
	err := cmd.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp))
	if err != nil {
		panic(err) // the flag does not exist: found by any test that builds the commands
	}
}
