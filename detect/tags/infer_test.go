package tags_test

import (
	"bytes"
	"fmt"
	"math"
	"net/netip"
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

// poll reads values from a register map that a function of the poll's number
// fills.
func poll(x *tags.Extractor, n int, registers func(i int) []uint16) {
	var out []detect.Sample
	for i := range n {
		e := &protocols.Event{Time: int64(i) * 1e9, Clock: int64(i) * 1e9, Frame: uint64(i + 1), Proto: protocols.ProtoModbus, Role: protocols.RoleResponse, Unit: 1}
		e.Src.IP, e.Dst.IP = netip.MustParseAddr("10.0.0.2"), netip.MustParseAddr("10.0.0.1")
		for k, v := range registers(i) {
			e.Points = append(e.Points, protocols.Point{Kind: protocols.KindHoldingRegister, Access: protocols.AccessReport, Index: uint32(k), Value: float64(v), Has: protocols.HasValue})
		}
		x.Observe(e, &out)
		out = out[:0]
	}
}

func wave(i int, period, size float64) float64 {
	return size * math.Sin(2*math.Pi*float64(i)/period+0.3*math.Sin(float64(i*i)))
}

func TestEachLayoutOfANumberIsFound(t *testing.T) {
	split := func(v uint32) (uint16, uint16) { return uint16(v >> 16), uint16(v) }
	swap := func(v uint16) uint16 { return v<<8 | v>>8 }
	bcd := func(n int) uint16 { return uint16(n/1000%10<<12 | n/100%10<<8 | n/10%10<<4 | n%10) }
	for _, c := range []struct {
		name string
		want string
		fill func(i int) []uint16
	}{
		{"float, usual order", "float32 ABCD", func(i int) []uint16 {
			a, b := split(math.Float32bits(float32(71.3 + wave(i, 97, 3.7))))
			return []uint16{a, b}
		}},
		{"float, lower half first", "float32 CDAB", func(i int) []uint16 {
			a, b := split(math.Float32bits(float32(-4.31 + wave(i, 97, 1.7))))
			return []uint16{b, a}
		}},
		{"float, octets exchanged", "float32 BADC", func(i int) []uint16 {
			a, b := split(math.Float32bits(float32(71.3 + wave(i, 97, 3.7))))
			return []uint16{swap(a), swap(b)}
		}},
		{"float, little-endian", "float32 DCBA", func(i int) []uint16 {
			a, b := split(math.Float32bits(float32(71.3 + wave(i, 97, 3.7))))
			return []uint16{swap(b), swap(a)}
		}},
		{"signed number about 0", "int32 ABCD", func(i int) []uint16 {
			a, b := split(uint32(int32(wave(i, 61, 5000))))
			return []uint16{a, b}
		}},
		{"number about the end of its lower half", "int32 ABCD", func(i int) []uint16 {
			a, b := split(uint32(int32(131072 + wave(i, 61, 5000))))
			return []uint16{a, b}
		}},
		{"counter that runs over", "counter32 ABCD", func(i int) []uint16 {
			a, b := split(uint32(60000 + 37*i))
			return []uint16{a, b}
		}},
		{"short counter", "counter16", func(i int) []uint16 { return []uint16{uint16(i), 7} }},
		{"signed register about 0", "int16", func(i int) []uint16 { return []uint16{uint16(int16(wave(i, 61, 300)))} }},
		{"plain measurement", "uint16", func(i int) []uint16 { return []uint16{uint16(2750 + wave(i, 61, 300))} }},
		{"decimal digits", "bcd16", func(i int) []uint16 { return []uint16{bcd(int(2750 + wave(i, 61, 900)))} }},
		{"single bits", "bits16", func(i int) []uint16 {
			return []uint16{uint16(1<<3*(i/40%2) | 1<<9*(i/100%2) | 1<<5*(i/70%2))}
		}},
		{"zeros", "", func(i int) []uint16 { return []uint16{0, 0} }},
		{"chance", "", func(i int) []uint16 { return []uint16{uint16(i * 40503 * (i ^ 7919) >> 3)} }},
	} {
		x := tags.NewExtractor(nil, tags.Settings{Learn: true})
		poll(x, 600, c.fill)
		got := ""
		for _, tag := range x.Infer() {
			if tag.Address == 0 {
				got = tag.Encoding.String()
			}
		}
		if got != c.want {
			t.Errorf("%s was taken for %q, want %q", c.name, got, c.want)
		}
	}
}

func TestAllShardsSettleOnOneList(t *testing.T) {
	a, b := tags.NewExtractor(nil, tags.Settings{Learn: true}), tags.NewExtractor(nil, tags.Settings{Learn: true})
	fill := func(i int) []uint16 {
		v := math.Float32bits(float32(71.3 + wave(i, 97, 3.7)))
		return []uint16{uint16(v >> 16), uint16(v)}
	}
	poll(a, 600, fill)
	poll(b, 30, fill) // sees too little to tell
	list, retyped := tags.Settle(nil, a, b)
	if len(list.Tags()) != 1 || len(retyped) != 2 || retyped[1].Typed.Type != "float32 ABCD" || len(retyped[1].Raw) != 2 {
		t.Fatalf("list %v, retyped %+v", list.Tags(), retyped)
	}
	section, err := list.Section()
	if err != nil {
		t.Fatal(err)
	}
	again, err := tags.FromSection(section)
	if err != nil || len(again.Tags()) != 1 || again.Tags()[0].Encoding != list.Tags()[0].Encoding {
		t.Errorf("section %s gives %v, %v", section, again.Tags(), err)
	}
	if merged, err := tags.MergeSections(section, section); err != nil || !bytes.Equal(merged, section) {
		t.Errorf("merged with itself: %s, %v", merged, err)
	}
}

func TestSamplesOfRegistersBecomeThoseOfTheirNumber(t *testing.T) {
	fill := func(i int) []uint16 {
		v := math.Float32bits(float32(71.3 + wave(i, 97, 3.7)))
		return []uint16{uint16(v >> 16), uint16(v), 5}
	}
	// One extractor settles in time, the other late: their samples are the same.
	early, late := tags.NewExtractor(nil, tags.Settings{Learn: true}), tags.NewExtractor(nil, tags.Settings{Learn: true, Until: func() int64 { return 600e9 }})
	poll(early, 600, fill)
	tags.Settle(nil, early)
	poll(late, 600, fill)
	var want, got []detect.Sample
	for i := 600; i < 650; i++ {
		e := &protocols.Event{Time: int64(i) * 1e9, Clock: int64(i) * 1e9, Frame: uint64(i), Proto: protocols.ProtoModbus, Role: protocols.RoleResponse, Unit: 1}
		e.Src.IP, e.Dst.IP = netip.MustParseAddr("10.0.0.2"), netip.MustParseAddr("10.0.0.1")
		for k, v := range fill(i) {
			e.Points = append(e.Points, protocols.Point{Kind: protocols.KindHoldingRegister, Access: protocols.AccessReport, Index: uint32(k), Value: float64(v), Has: protocols.HasValue})
		}
		early.Observe(e, &want)
		late.Observe(e, &got)
	}
	if len(got) != 150 {
		t.Fatalf("%d raw samples", len(got))
	}
	_, retyped := tags.Settle(nil, late)
	got = tags.Convert(got, retyped)
	if len(got) != len(want) {
		t.Fatalf("%d samples, want %d", len(got), len(want))
	}
	for i := range got {
		if got[i].Value != want[i].Value || got[i].Series.Type != want[i].Series.Type || got[i].Series.Index != want[i].Series.Index || got[i].Frame != want[i].Frame {
			t.Fatalf("sample %d is %+v, want %+v", i, got[i], want[i])
		}
	}
}
