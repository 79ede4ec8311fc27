package tags_test

import (
	"bytes"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"testing"
	"time"

	"github.com/weir-ics/weir/detect"
	"github.com/weir-ics/weir/detect/tags"
	"github.com/weir-ics/weir/detect/tags/tagstest"
	"github.com/weir-ics/weir/plant"
	"github.com/weir-ics/weir/protocols"
)

// reading is what an extractor with a list made of a capture: the values of each
// register's series, as a hash, and how many there were.
type reading map[tags.Place]*[2]uint64

func read(t *testing.T, path string, list *tags.List) reading {
	t.Helper()
	out := make(reading)
	x := tags.NewExtractor(list, tags.Settings{})
	var samples []detect.Sample
	err := tagstest.Events([]string{path}, func(e *protocols.Event) {
		samples = samples[:0]
		x.Observe(e, &samples)
		for i := range samples {
			s := &samples[i]
			p := tags.Place{Device: s.Series.Device, Unit: s.Series.Unit, Kind: s.Series.Kind, Address: s.Series.Index}
			h := out[p]
			if h == nil {
				h = new([2]uint64)
				out[p] = h
			}
			h[0] = (h[0] ^ math.Float64bits(s.Value)) * 1099511628211
			h[1]++
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestTypesOfTheSimulatedPlantAreFound(t *testing.T) {
	for _, s := range []plant.Scenario{
		{Seed: 7, Duration: 3 * time.Hour, Poll: 5 * time.Second},
		{Seed: 1, Duration: time.Hour, Poll: time.Second},
		{Seed: 42, Duration: 12 * time.Hour, Poll: 10 * time.Second},
	} {
		s.Start, s.Life = time.Date(2026, 3, 2, 6, 0, 0, 0, time.UTC), plant.NormalLife()
		t.Run(fmt.Sprintf("seed %d for %s", s.Seed, s.Duration), func(t *testing.T) { findTypes(t, &s) })
	}
}

func findTypes(t *testing.T, s *plant.Scenario) {
	dir := t.TempDir()
	path := filepath.Join(dir, "plant.pcap")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Write(f); err != nil {
		t.Fatal(err)
	}
	f.Close()
	var b bytes.Buffer
	if err := plant.WriteTags(&b, plant.Tags()); err != nil {
		t.Fatal(err)
	}
	truth, err := tags.Load(&b, "truth")
	if err != nil {
		t.Fatal(err)
	}
	x := tags.NewExtractor(nil, tags.Settings{Learn: true})
	var out []detect.Sample
	if err := tagstest.Events([]string{path}, func(e *protocols.Event) { out = out[:0]; x.Observe(e, &out) }); err != nil {
		t.Fatal(err)
	}
	inferred := tags.Combine(nil, x.Infer())
	// Scales are not to be found in the traffic.
	plain := make([]tags.Tag, len(truth.Tags()))
	copy(plain, truth.Tags())
	for i := range plain {
		plain[i].Scale, plain[i].Offset = 1, 0
	}
	unscaled, err := tags.NewList(plain)
	if err != nil {
		t.Fatal(err)
	}
	want, got := read(t, path, unscaled), read(t, path, inferred)
	confusion := make(map[string]int)
	right, named, unknown, wrong, zero, total := 0, 0, 0, 0, 0, 0
	for _, tag := range truth.Tags() {
		if tag.Kind != protocols.KindInputRegister && tag.Kind != protocols.KindHoldingRegister {
			continue
		}
		if w := want[tag.Place()]; w != nil && w[0] == 0 {
			// Always 0: nothing shows its type.
			zero++
			if inferred.Lookup(tag.Place()) == nil {
				continue
			}
		}
		total++
		told := "unknown"
		if g := inferred.Lookup(tag.Place()); g != nil {
			told = g.Encoding.String()
			if g.Address != tag.Address {
				told += " shifted"
			}
		}
		// A type is right if it reads every value that was seen as the true type
		// does: a counter is an unsigned number, and a signed one that never was
		// negative too.
		same := false
		for a := tag.Address; a <= tag.Last(); a++ {
			at := tag.Place()
			at.Address = a
			same = same || got[at] != nil && *got[at] == *want[tag.Place()] && inferred.Lookup(at) != nil
		}
		verdict := "wrong"
		switch {
		case told == tag.Encoding.String():
			named++
			right++
			verdict = "right"
		case same:
			right++
			verdict = "reads the same"
		case told == "unknown":
			unknown++
			verdict = ""
		default:
			wrong++
			t.Logf("wrong: %s %s %d is %s, was taken for %s", tag.Name, tag.Kind, tag.Address, tag.Encoding, told)
		}
		confusion[fmt.Sprintf("%-15s -> %-15s %s", tag.Encoding, told, verdict)]++
	}
	var lines []string
	for k, n := range confusion {
		lines = append(lines, fmt.Sprintf("%3d  %s", n, k))
	}
	sort.Slice(lines, func(i, j int) bool { return lines[i][5:] < lines[j][5:] })
	t.Logf("%d of %d read right (%d by the same name), %d unknown, %d wrong; %d were always 0\n%s", right, total, named, unknown, wrong, zero, strings.Join(lines, "\n"))
	if float64(right) < 0.95*float64(total) {
		t.Errorf("%d of %d types are right, want 95 %%", right, total)
	}
}
