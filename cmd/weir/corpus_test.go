package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// shared is the folder with captures and data sets that are not ours to give
// away, beside the repository or where WEIR_SHARED says.
func shared(t *testing.T, parts ...string) string {
	t.Helper()
	root := os.Getenv("WEIR_SHARED")
	if root == "" {
		root = filepath.Join("..", "..", "..", "shared")
	}
	path := filepath.Join(append([]string{root}, parts...)...)
	if _, err := os.Stat(path); err != nil {
		t.Skipf("skipped: %s is not there (set WEIR_SHARED to the folder with the captures)", path)
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		t.Fatal(err)
	}
	return abs
}

// weir runs a command line in this process and returns what it printed and its
// exit status.
func weir(args ...string) (stdout, stderr string, status int) {
	var out, errs bytes.Buffer
	root := newRoot()
	root.SetArgs(args)
	root.SetOut(&out)
	root.SetErr(&errs)
	err := root.Execute()
	if err != nil && err.Error() != "" {
		errs.WriteString("weir: " + err.Error() + "\n")
	}
	return out.String(), errs.String(), exitStatus(err)
}

// functionCounts is how many messages there are of a protocol and function.
type functionCounts map[string]int

func decodedFunctions(t *testing.T, path string) functionCounts {
	t.Helper()
	out, stderr, status := weir("decode", path)
	if status > 1 {
		t.Fatalf("weir decode ended with status %d: %s", status, stderr)
	}
	counts := functionCounts{}
	lines := bufio.NewScanner(strings.NewReader(out))
	lines.Buffer(nil, 1<<24)
	for lines.Scan() {
		var m struct {
			Proto    string
			Function int
		}
		if err := json.Unmarshal(lines.Bytes(), &m); err != nil {
			t.Fatalf("%v in the line %s", err, lines.Text())
		}
		counts[m.Proto+" "+strconv.Itoa(m.Function)]++
	}
	return counts
}

func tsharkFunctions(t *testing.T, path string) functionCounts {
	t.Helper()
	args := []string{"-r", path, "-T", "fields", "-e", "modbus.func_code", "-e", "dnp3.al.func", "-E", "occurrence=a"}
	if strings.Contains(path, "p20001") {
		args = append(args, "-d", "tcp.port==20001,dnp3")
	}
	out, err := exec.Command("tshark", args...).Output()
	if err != nil && len(out) == 0 {
		t.Logf("tshark on %s: %v", path, err) // a capture that it cannot read either
	}
	counts := functionCounts{}
	for _, line := range strings.Split(string(out), "\n") {
		fields := append(strings.Split(line, "\t"), "", "")
		for i, proto := range []string{"modbus", "dnp3"} {
			for _, f := range strings.Split(fields[i], ",") {
				if n, err := strconv.ParseUint(f, 0, 8); err == nil {
					counts[proto+" "+strconv.FormatUint(n, 10)]++
				}
			}
		}
	}
	return counts
}

// difference is one that is explained in testdata/tshark-differences.md: a row
// "| capture | protocol function | weir | tshark | why |".
type difference struct{ weir, tshark int }

func explainedDifferences(t *testing.T) map[string]difference {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", "tshark-differences.md"))
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]difference{}
	for _, line := range strings.Split(string(data), "\n") {
		cells := strings.Split(line, "|")
		if len(cells) != 7 {
			continue
		}
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		w, err1 := strconv.Atoi(cells[3])
		s, err2 := strconv.Atoi(cells[4])
		if err1 == nil && err2 == nil && cells[5] != "" {
			out[cells[1]+" "+cells[2]] = difference{w, s}
		}
	}
	return out
}

func TestDecodeAgreesWithTsharkOnEveryCapture(t *testing.T) {
	root := shared(t, "corpus")
	if _, err := exec.LookPath("tshark"); err != nil {
		t.Skip("skipped: tshark is not installed (Debian package tshark)")
	}
	explained := explainedDifferences(t)
	files, messages := 0, 0
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(path) != ".pcap" {
			return err
		}
		files++
		ours, theirs := decodedFunctions(t, path), tsharkFunctions(t, path)
		name, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		for _, f := range sortedKeys(ours, theirs) {
			messages += ours[f]
			key := filepath.ToSlash(name) + " " + f
			want, known := explained[key]
			delete(explained, key)
			if got := (difference{ours[f], theirs[f]}); got.weir != got.tshark && (!known || got != want) {
				t.Errorf("%s: function %s: weir has %d, tshark %d, and the list of differences does not say why", name, f, got.weir, got.tshark)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for key := range explained {
		t.Errorf("the list of differences explains %q, which is none", key)
	}
	t.Logf("%d messages in %d captures", messages, files)
	if messages < 10_000 {
		t.Errorf("only %d messages were compared", messages)
	}
}

func sortedKeys(maps ...functionCounts) []string {
	seen := map[string]bool{}
	var keys []string
	for _, m := range maps {
		for k := range m {
			if !seen[k] {
				seen[k] = true
				keys = append(keys, k)
			}
		}
	}
	slices.Sort(keys)
	return keys
}
