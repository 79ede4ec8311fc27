// Command weir is a passive anomaly-detection sensor for industrial control
// systems: it listens to Modbus and DNP3, learns what is normal and says what
// is not.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
)

func main() { os.Exit(exitStatus(runMain())) }

func runMain() error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second ctrl-C ends at once
	err := newRoot().ExecuteContext(ctx)
	if err != nil {
		for _, line := range strings.FieldsFunc(err.Error(), func(r rune) bool { return r == '\n' }) { // several problems are a line each
			fmt.Fprintf(os.Stderr, "weir: %s\n", line)
		}
	}
	return err
}
