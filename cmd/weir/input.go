package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"

	"github.com/weir-ics/weir/capture"
)

// input is the capture files of a command: one capture in time order.
type input struct {
	*capture.Files
	bar  *progressbar.ProgressBar
	stop chan struct{}
	once sync.Once
}

// openInput prepares to read files. What is wrong with one is said on problems
// at once, a line each. With progress, and if problems is a terminal, a bar
// shows how far the reading is.
func openInput(paths []string, stdin io.Reader, problems io.Writer, progress bool) *input {
	in := &input{stop: make(chan struct{})}
	in.Files = capture.Open(paths, capture.FileOptions{Stdin: stdin, Report: func(e *capture.ReadError) {
		if in.bar != nil {
			_ = in.bar.Clear()
		}
		fmt.Fprintf(problems, "weir: %v\n", e)
	}})
	_, total := in.Progress()
	if f, ok := problems.(*os.File); progress && ok && term.IsTerminal(int(f.Fd())) && total > smallInput {
		in.bar = progressbar.NewOptions64(total,
			progressbar.OptionSetWriter(f), progressbar.OptionShowBytes(true), progressbar.OptionSetWidth(30),
			progressbar.OptionThrottle(100*time.Millisecond), progressbar.OptionClearOnFinish(),
			progressbar.OptionSetDescription("reading"))
		go in.follow()
	}
	return in
}

// smallInput is read before a bar would be seen.
const smallInput = 8 << 20

func (in *input) follow() {
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-in.stop:
			return
		case <-tick.C:
			read, _ := in.Progress()
			_ = in.bar.Set64(read)
		}
	}
}

// end takes the bar away, and returns an error if the reading was interrupted,
// or errSaid if something could not be read.
func (in *input) end(ctx context.Context) error {
	in.once.Do(func() {
		close(in.stop)
		if in.bar != nil {
			_ = in.bar.Finish()
		}
	})
	if ctx.Err() != nil {
		return errInterrupted
	}
	if len(in.Errors()) > 0 {
		return errSaid
	}
	return nil
}
