package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/weir-ics/weir/plant"
)

// TestTheProgramRunsOnARM builds the program without cgo for the processors of
// small appliances, and holds what it says of a capture against what this
// machine's says, byte for byte.
func TestTheProgramRunsOnARM(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the program twice, for other processors")
	}
	capture := loadFile(t, plant.Load{Kind: "mix", Packets: 5000, Pairs: 20})
	native := build(t)
	for _, arch := range []struct {
		name, emulator string
		env            []string
	}{
		{"arm64", "qemu-aarch64-static", []string{"GOARCH=arm64"}},
		{"armv7", "qemu-arm-static", []string{"GOARCH=arm", "GOARM=7"}},
	} {
		t.Run(arch.name, func(t *testing.T) {
			emulator, err := exec.LookPath(arch.emulator)
			if err != nil {
				t.Skipf("%s is not there (Debian package qemu-user-static)", arch.emulator)
			}
			other := build(t, arch.env...)
			if want, got := output(t, native, "decode", capture), output(t, emulator, other, "decode", capture); !bytes.Equal(got, want) {
				t.Errorf("weir decode says something else: %d octets, want %d", len(got), len(want))
			}
			wantAlerts, gotAlerts := filepath.Join(t.TempDir(), "want"), filepath.Join(t.TempDir(), "got")
			output(t, native, "replay", capture, "--learn", "5s", "--store", "none", "--alerts", wantAlerts)
			output(t, emulator, other, "replay", capture, "--learn", "5s", "--store", filepath.Join(t.TempDir(), "weir.db"), "--alerts", gotAlerts)
			want, err := os.ReadFile(wantAlerts)
			if err != nil {
				t.Fatal(err)
			}
			got, err := os.ReadFile(gotAlerts)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, want) {
				t.Errorf("weir replay raises other alerts:\n%s\nwant\n%s", got, want)
			}
		})
	}
}

func build(t *testing.T, env ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "weir")
	cmd := exec.Command("go", "build", "-o", path, ".")
	cmd.Env = append(append(os.Environ(), "CGO_ENABLED=0"), env...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build with %v: %v\n%s", env, err, out)
	}
	return path
}

func output(t *testing.T, program string, args ...string) []byte {
	t.Helper()
	var stderr bytes.Buffer
	cmd := exec.Command(program, args...)
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %v: %v\n%s", program, args, err, stderr.Bytes())
	}
	return out
}
