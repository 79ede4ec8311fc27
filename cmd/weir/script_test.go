package main

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"weir": main})
}

// TestScripts runs the command line as people do; the scripts in
// testdata/script double as documentation.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		Condition: func(name string) (bool, error) {
			if name == "root" {
				return os.Geteuid() == 0, nil
			}
			if path, ok := strings.CutPrefix(name, "exists:"); ok {
				_, err := os.Stat(path)
				return err == nil, nil
			}
			return false, fmt.Errorf("there is no condition %q", name)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits":  exits,
			"tofull": toFull,
			"gz":     gz,
			"zst":    zst,
			"cut":    cut,
			"shut":   shut,
		},
	})
}

// exits N COMMAND... runs a command that must end with status N; its output can
// be matched with stdout and stderr as after exec.
func exits(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	runErr := ts.Exec(args[1], args[2:]...)
	got := 0
	var exit *exec.ExitError
	if errors.As(runErr, &exit) {
		got = exit.ExitCode()
	} else if runErr != nil {
		ts.Fatalf("%v", runErr)
	}
	if got != want {
		ts.Fatalf("%s ended with status %d, want %d", strings.Join(args[1:], " "), got, want)
	}
}

// tofull N COMMAND... is exits with a standard output that takes nothing.
func toFull(ts *testscript.TestScript, _ bool, args []string) {
	exits(ts, false, append([]string{args[0], "sh", "-c", `exec "$@" >/dev/full`, "sh"}, args[1:]...))
}

// gz FILE PACKED and zst FILE PACKED pack a file.
func gz(ts *testscript.TestScript, _ bool, args []string) {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, err := w.Write([]byte(ts.ReadFile(args[0])))
	ts.Check(err)
	ts.Check(w.Close())
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), b.Bytes(), 0o600))
}

func zst(ts *testscript.TestScript, _ bool, args []string) {
	w, err := zstd.NewWriter(nil)
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), w.EncodeAll([]byte(ts.ReadFile(args[0])), nil), 0o600))
}

// cut FILE N PIECE keeps the first N octets of a file; a negative N takes so
// many off the end.
func cut(ts *testscript.TestScript, _ bool, args []string) {
	n, err := strconv.Atoi(args[1])
	ts.Check(err)
	data := ts.ReadFile(args[0])
	if n < 0 {
		n += len(data)
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[2]), []byte(data[:n]), 0o600))
}

// shut FILE takes away everybody's right to read a file. Root may read it all
// the same, so a script asks for [!root] first.
func shut(ts *testscript.TestScript, _ bool, args []string) {
	ts.Check(os.Chmod(ts.MkAbs(args[0]), 0))
}
