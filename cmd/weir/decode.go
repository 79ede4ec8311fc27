package main

import (
	"bufio"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/weir-ics/weir/capture"
	"github.com/weir-ics/weir/protocols"
)

func newDecode() *cobra.Command {
	var format, output string
	var all, stats bool
	cmd := &cobra.Command{
		Use:     "decode FILE...",
		GroupID: "main",
		Short:   "Print every Modbus and DNP3 message of captures, a JSON line each",
		Long: `Print every application-layer message of one or more captures, in the order in
which they were completed: a JSON line each, or text, or CSV. The fields are
described in docs/formats.md. "frame" is the number of the packet, in the whole
input, that completed the message.`,
		Example: `  weir decode plant.pcapng
  weir decode --format text part1.pcap.gz part2.pcap.gz
  tcpdump -i eth1 -w - | weir decode -
  weir decode plant.pcap | jq 'select(.effect == "control")'`,
		Args: someFiles,
		RunE: func(cmd *cobra.Command, args []string) error {
			appendMessage, header, err := messageFormat(format)
			if err != nil {
				return err
			}
			out, closeOut, err := create(output, cmd.OutOrStdout())
			if err != nil {
				return err
			}
			d := &decodeJob{all: all, output: output, format: appendMessage, out: bufio.NewWriterSize(out, 1<<16)}
			if header != "" {
				d.buf = append(append(d.buf, header...), '\n')
			}
			err = d.run(cmd, args)
			if e := closeOut(); err == nil && e != nil {
				err = unwritten(output, e)
			}
			if stats {
				for _, c := range d.counters {
					fmt.Fprintf(cmd.ErrOrStderr(), "%-32s %d\n", c.Name, c.Value)
				}
			}
			return err
		},
	}
	f := cmd.Flags()
	f.StringVarP(&format, "format", "f", "json", "json, text or csv")
	f.StringVarP(&output, "output", "o", "", "write to a file instead of standard output")
	f.BoolVar(&all, "all", false, "also what is no application message: DNP3 link frames, connections, ARP, notices")
	f.BoolVar(&stats, "stats", false, "print all counters to standard error at the end")
	completeValues(cmd, "format", "json", "text", "csv")
	return cmd
}

func messageFormat(name string) (f func([]byte, *protocols.Event) []byte, header string, err error) {
	switch name {
	case "json":
		return appendLine, "", nil
	case "text":
		return appendText, "", nil
	case "csv":
		return appendCSV, csvHeader, nil
	}
	return nil, "", usage(fmt.Errorf("--format %q is none of json, text, csv", name))
}

// create opens a file to write, or gives standard output if path is empty or -.
func create(path string, stdout io.Writer) (w io.Writer, closeFile func() error, err error) {
	if path == "" || path == "-" {
		return stdout, func() error { return nil }, nil
	}
	f, err := os.Create(path)
	if err != nil {
		return nil, nil, usage(fmt.Errorf("write %s: %w", path, reason(err)))
	}
	return f, f.Close, nil
}

type decodeJob struct {
	all      bool
	output   string
	format   func([]byte, *protocols.Event) []byte
	out      *bufio.Writer
	buf      []byte
	err      error
	counters []counter
}

func (d *decodeJob) run(cmd *cobra.Command, paths []string) error {
	in := openInput(paths, cmd.InOrStdin(), cmd.ErrOrStderr(), false)
	defer in.Close()
	w := newWorker(d.message, func(int64) int64 { return 0 }, new(int64))
	engine := capture.New(capture.Settings{}, []capture.Handler{w})
	err := engine.Run(cmd.Context(), in, func(int64) error { return d.flush() })
	d.counters = gather(engine, []*worker{w})
	if err != nil {
		return unwritten(d.output, err)
	}
	return in.end(cmd.Context())
}

func (d *decodeJob) message(e *protocols.Event) {
	if !d.all && (e.Proto == protocols.ProtoNetwork || e.Role == protocols.RoleLink || e.Role == protocols.RoleNotice) {
		return
	}
	d.buf = append(d.format(d.buf, e), '\n')
	if len(d.buf) >= 1<<16 {
		d.write()
	}
}

func (d *decodeJob) write() {
	if d.err == nil {
		_, d.err = d.out.Write(d.buf)
	}
	d.buf = d.buf[:0]
}

func (d *decodeJob) flush() error {
	d.write()
	if d.err == nil {
		d.err = d.out.Flush()
	}
	return d.err
}
