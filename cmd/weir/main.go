// Command weir is a passive anomaly-detection sensor for industrial control
// systems: it listens to Modbus and DNP3, learns what is normal and says what
// is not.
package main

import (
	"context"
	"errors"
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
	root, out := newRoot(), &stdout{File: os.Stdout}
	root.SetOut(out)
	err := out.unwritten(root.ExecuteContext(ctx))
	if err != nil {
		for _, line := range strings.FieldsFunc(err.Error(), func(r rune) bool { return r == '\n' }) { // several problems are a line each
			fmt.Fprintf(os.Stderr, "weir: %s\n", line)
		}
	}
	return err
}

// stdout is the standard output. It remembers that something could not be written
// to it: what a command prints for people is written line by line, and no line is
// looked after.
type stdout struct {
	*os.File
	err error
}

func (o *stdout) Write(b []byte) (int, error) {
	n, err := o.File.Write(b)
	if o.err == nil {
		o.err = err
	}
	return n, err
}

// unwritten adds to the error of a command that not all of it could be printed,
// unless it says so.
func (o *stdout) unwritten(err error) error {
	if o.err == nil || errors.Is(err, o.err) || errors.Is(err, reason(o.err)) {
		return err
	}
	return errors.Join(err, unwritten("", o.err))
}
