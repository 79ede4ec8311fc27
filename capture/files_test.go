package capture

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// order is both byte orders in one.
type order interface {
	binary.ByteOrder
	binary.AppendByteOrder
}

var orders = map[string]order{"little endian": binary.LittleEndian, "big endian": binary.BigEndian}

// rec is a record of a capture file to make.
type rec struct {
	ns   int64
	data string
	wire int
	id   int // interface, in pcapng
}

func pcapFile(o order, magic uint32, link uint32, recs ...rec) []byte {
	b := o.AppendUint32(nil, magic)
	b = o.AppendUint16(b, 2)
	b = o.AppendUint16(b, 4)
	b = append(b, make([]byte, 8)...)
	b = o.AppendUint32(b, 65535)
	b = o.AppendUint32(b, link)
	for _, r := range recs {
		unit := int64(1000)
		if magic == pcapNano {
			unit = 1
		}
		b = o.AppendUint32(b, uint32(r.ns/1e9))
		b = o.AppendUint32(b, uint32(r.ns%1e9/unit))
		b = o.AppendUint32(b, uint32(len(r.data)))
		b = o.AppendUint32(b, uint32(max(r.wire, len(r.data))))
		if magic == pcapModified {
			b = append(b, make([]byte, 8)...)
		}
		b = append(b, r.data...)
	}
	return b
}

func ngBlock(o order, kind uint32, body ...[]byte) []byte {
	all := bytes.Join(body, nil)
	for len(all)%4 != 0 {
		all = append(all, 0)
	}
	b := o.AppendUint32(nil, kind)
	b = o.AppendUint32(b, uint32(12+len(all)))
	b = append(b, all...)
	return o.AppendUint32(b, uint32(12+len(all)))
}

func ngSection(o order) []byte {
	b := o.AppendUint32(nil, 0x1a2b3c4d)
	b = o.AppendUint16(b, 1)
	b = o.AppendUint16(b, 0)
	return ngBlock(o, pcapngSHB, b, bytes.Repeat([]byte{0xff}, 8))
}

func ngOption(o order, code uint16, value ...byte) []byte {
	b := o.AppendUint16(nil, code)
	b = o.AppendUint16(b, uint16(len(value)))
	b = append(b, value...)
	for len(b)%4 != 0 {
		b = append(b, 0)
	}
	return b
}

func ngInterfaceBlock(o order, link uint16, snap uint32, options ...[]byte) []byte {
	b := o.AppendUint16(nil, link)
	b = append(b, 0, 0)
	b = o.AppendUint32(b, snap)
	return ngBlock(o, blockInterface, append([][]byte{b}, options...)...)
}

func ngEnhanced(o order, r rec, ticks uint64, options ...[]byte) []byte {
	b := o.AppendUint32(nil, uint32(r.id))
	b = o.AppendUint32(b, uint32(ticks>>32))
	b = o.AppendUint32(b, uint32(ticks))
	b = o.AppendUint32(b, uint32(len(r.data)))
	b = o.AppendUint32(b, uint32(max(r.wire, len(r.data))))
	b = append(b, r.data...)
	for len(b)%4 != 0 {
		b = append(b, 0)
	}
	return ngBlock(o, blockEnhanced, append([][]byte{b}, options...)...)
}

// readAll returns the packets of files as lines, and what was wrong.
func readAll(t testing.TB, paths []string, stdin io.Reader) (lines, errs []string, s *Files) {
	t.Helper()
	s = Open(paths, FileOptions{Stdin: stdin})
	defer s.Close()
	var b Batch
	n := uint64(0)
	clock := int64(-1 << 62)
	for {
		err := s.Read(context.Background(), &b)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range b.Packets {
			n++
			clock = max(clock, p.Time)
			if p.Frame != n || p.Clock != clock {
				t.Errorf("packet %d has frame %d, clock %d, want %d", n, p.Frame, p.Clock, clock)
			}
			lines = append(lines, fmt.Sprintf("%d %s wire %d link %d", p.Time, p.Data, p.Wire, p.Link))
		}
		if b.Clock != clock {
			t.Errorf("batch has clock %d, want %d", b.Clock, clock)
		}
	}
	for _, e := range s.Errors() {
		errs = append(errs, e.Error())
	}
	return lines, errs, s
}

func write(t testing.TB, name string, b []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, b, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func same(t *testing.T, got, want []string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("got\n\t%s\nwant\n\t%s", strings.Join(got, "\n\t"), strings.Join(want, "\n\t"))
	}
}

func TestPcapIsReadInEveryVariant(t *testing.T) {
	for name, o := range orders {
		for _, magic := range []uint32{pcapMicro, pcapNano, pcapModified} {
			t.Run(fmt.Sprintf("%s %x", name, magic), func(t *testing.T) {
				ns := int64(1_700_000_000_123_456_789)
				want := ns
				if magic != pcapNano {
					want = ns / 1000 * 1000
				}
				path := write(t, "x", pcapFile(o, magic, 1|5<<28, rec{ns: ns, data: "one"}, rec{ns: 2e9, data: "second", wire: 1500}))
				lines, errs, _ := readAll(t, []string{path}, nil)
				same(t, errs, nil)
				same(t, lines, []string{fmt.Sprintf("%d one wire 3 link 1", want), "2000000000 second wire 1500 link 1"})
			})
		}
	}
}

func TestPcapngIsReadInEveryVariant(t *testing.T) {
	for name, o := range orders {
		t.Run(name, func(t *testing.T) {
			hundred := o.AppendUint64(nil, 100)
			file := bytes.Join([][]byte{
				ngSection(o),
				ngInterfaceBlock(o, 1, 0, ngOption(o, 2, []byte("eth0")...)),                                // microseconds
				ngInterfaceBlock(o, 113, 4, ngOption(o, 9, 9), ngOption(o, 14, hundred...), ngOption(o, 0)), // nanoseconds, 100 s later
				ngInterfaceBlock(o, 101, 0, ngOption(o, 9, 0x80|10)),                                        // 1024ths of a second
				ngBlock(o, 4711, []byte("whatever")),
				ngEnhanced(o, rec{data: "micro"}, 1_700_000_000_123_456),
				ngEnhanced(o, rec{data: "nano", id: 1, wire: 9}, 5_000_000_007, ngOption(o, 2, 0, 0, 0, 2), ngOption(o, 4, o.AppendUint64(nil, 3)...)),
				ngEnhanced(o, rec{data: "bin", id: 2}, 1536),
				ngBlock(o, blockSimple, o.AppendUint32(nil, 6), []byte("simple")),
				ngBlock(o, blockObsolete, o.AppendUint16(o.AppendUint16(nil, 1), 2), o.AppendUint32(nil, 0), o.AppendUint32(nil, 42), o.AppendUint32(nil, 3), o.AppendUint32(nil, 3), []byte("old")),
				ngBlock(o, blockStatistics, o.AppendUint32(nil, 0), make([]byte, 8), ngOption(o, 7, o.AppendUint64(nil, 10)...), ngOption(o, 5, o.AppendUint64(nil, 4)...)),
				ngBlock(o, blockStatistics, o.AppendUint32(nil, 0), make([]byte, 8), ngOption(o, 7, o.AppendUint64(nil, 11)...)),
				ngSection(binary.BigEndian), // another, perhaps in another order, with interfaces of its own
				ngInterfaceBlock(binary.BigEndian, 276, 5),
				ngBlock(binary.BigEndian, blockSimple, []byte{0, 0, 0, 9}, []byte("short")),
			}, nil)
			lines, errs, s := readAll(t, []string{write(t, "x", file)}, nil)
			same(t, errs, nil)
			same(t, lines, []string{
				"1700000000123456000 micro wire 5 link 1",
				"105000000007 nano wire 9 link 113",
				"1500000000 bin wire 3 link 101",
				"1500000000 simple wire 6 link 1",
				"100000000042 old wire 3 link 113",
				"100000000042 short wire 9 link 276",
			})
			if c := s.Counters(); c.KernelDropped != 3+2+11 || c.InterfaceDropped != 4 {
				t.Errorf("%+v", c)
			}
			if i := s.Interfaces(); len(i) != 4 || i[0].Name != "eth0" || i[3].Link != LinkSLL2 {
				t.Errorf("%+v", i)
			}
		})
	}
}

func TestTimeStampsOfEveryResolution(t *testing.T) {
	for _, tt := range []struct {
		exponent uint8
		binary   bool
		ticks    uint64
		want     int64
	}{
		{0, false, 7, 7e9}, {3, false, 7001, 7_001_000_000}, {9, false, 7, 7}, {12, false, 7_000, 7}, {19, false, 1e19, 1e9},
		{0, true, 7, 7e9}, {1, true, 3, 1_500_000_000}, {32, true, 3 << 31, 1_500_000_000}, {63, true, 3 << 62, 1_500_000_000},
		{0, false, ^uint64(0), 9e18}, {40, false, 1, 0}, {99, true, 1, 0},
	} {
		i := ngInterface{exponent: tt.exponent, binary: tt.binary}
		if got := i.time(tt.ticks); got != tt.want {
			t.Errorf("%d^-%d: %d ticks are %d ns, want %d", map[bool]int{false: 10, true: 2}[tt.binary], tt.exponent, tt.ticks, got, tt.want)
		}
	}
	for offset, want := range map[int64]int64{-5: -4e9, 1 << 62: 9e18, -1 << 62: -9e18} {
		i := ngInterface{exponent: 0, offset: offset}
		if got := i.time(1); got != want {
			t.Errorf("offset %d: %d, want %d", offset, got, want)
		}
	}
}

// packed is a file packed with gzip and with zstd.
func packed(plain []byte) (gz, zs []byte) {
	var a, b bytes.Buffer
	w := gzip.NewWriter(&a)
	_, _ = w.Write(plain)
	_ = w.Close()
	z, _ := zstd.NewWriter(&b)
	_, _ = z.Write(plain)
	_ = z.Close()
	return a.Bytes(), b.Bytes()
}

func TestPackedFilesAreReadAsTheyAre(t *testing.T) {
	plain := pcapFile(binary.LittleEndian, pcapMicro, 1, rec{ns: 1e9, data: "one"}, rec{ns: 2e9, data: "two"})
	gz, zs := packed(plain)
	want := []string{"1000000000 one wire 3 link 1", "2000000000 two wire 3 link 1"}
	for name, b := range map[string][]byte{"gzip": gz, "zstd": zs, "plain": plain} {
		lines, errs, s := readAll(t, []string{write(t, "no-telling-name", b)}, nil)
		same(t, errs, nil)
		same(t, lines, want)
		if read, total := s.Progress(); read != int64(len(b)) || total != int64(len(b)) {
			t.Errorf("%s: %d of %d bytes read, of %d", name, read, total, len(b))
		}
		lines, errs, _ = readAll(t, []string{"-"}, bytes.NewReader(b))
		same(t, errs, nil)
		same(t, lines, want)
	}
	for name, b := range map[string][]byte{"gzip": gz[:len(gz)-12], "zstd": zs[:len(zs)-6]} {
		_, errs, _ := readAll(t, []string{write(t, "x.gz", b)}, nil)
		if len(errs) != 1 {
			t.Errorf("%s cut short: %q", name, errs)
		}
	}
	broken := slices.Clone(gz)
	broken[15] ^= 0xff
	if _, errs, s := readAll(t, []string{write(t, "x.gz", broken)}, nil); len(errs) != 1 || s.Errors()[0].Problem != BadCompression && s.Errors()[0].Problem != NotCapture {
		t.Errorf("broken gzip: %q", errs)
	}
}

func TestAPackedFileThatIsCutShortIsNotCalledEmpty(t *testing.T) {
	plain := pcapFile(binary.LittleEndian, pcapMicro, 1, rec{ns: 1e9, data: "one"})
	for range 1000 {
		plain = append(plain, plain[24:43]...)
	}
	gz, zs := packed(plain)
	nothing, empty := packed(nil)
	const cut = "cut short before the end of its first compressed block, so that nothing of it can be unpacked"
	for _, tt := range []struct {
		name    string
		data    []byte
		problem Problem
		want    string
	}{
		{"zstd in its header", zs[:5], CutShort, cut},
		{"zstd in its first block", zs[:len(zs)-10], CutShort, cut},
		{"gzip in its header", gz[:5], CutShort, "cut short in the header of gzip"},
		{"gzip after its header", gz[:10], CutShort, cut},
		{"gzip of nothing", nothing, Empty, "is empty once unpacked"},
		{"zstd of nothing", empty, Empty, "is empty once unpacked"},
	} {
		path := write(t, "x", tt.data)
		_, errs, s := readAll(t, []string{path}, nil)
		if want := []string{"read " + path + ": " + tt.want}; !slices.Equal(errs, want) || s.Errors()[0].Problem != tt.problem {
			t.Errorf("%s: %q, want %q", tt.name, errs, want)
		}
	}
}

func TestFilesAreMergedInTimeOrder(t *testing.T) {
	le := binary.LittleEndian
	a := write(t, "a", pcapFile(le, pcapNano, 1, rec{ns: 10, data: "a10"}, rec{ns: 30, data: "a30"}, rec{ns: 20, data: "a20"}, rec{ns: 50, data: "a50"}))
	b := write(t, "b", pcapFile(binary.BigEndian, pcapNano, 101, rec{ns: 10, data: "b10"}, rec{ns: 40, data: "b40"}))
	c := write(t, "c", pcapFile(le, pcapNano, 1, rec{ns: 5, data: "c5"}, rec{ns: 45, data: "c45"}))
	names := func(paths ...string) string {
		lines, errs, _ := readAll(t, paths, bytes.NewReader(pcapFile(le, pcapNano, 1, rec{ns: 30, data: "s30"})))
		same(t, errs, nil)
		out := make([]string, 0, len(lines))
		for _, l := range lines {
			out = append(out, strings.Fields(l)[1])
		}
		return strings.Join(out, " ")
	}
	for _, tt := range []struct{ got, want string }{
		{names(a, b, c), "c5 a10 b10 a30 a20 b40 c45 a50"},
		{names(b, a, c), "c5 b10 a10 a30 a20 b40 c45 a50"},
		{names(a, "-"), "a10 a30 a20 s30 a50"},
		{names("-", a), "a10 s30 a30 a20 a50"},
	} {
		if tt.got != tt.want {
			t.Errorf("got %s, want %s", tt.got, tt.want)
		}
	}
}

func TestManyFilesNeedFewDescriptors(t *testing.T) {
	dir := t.TempDir()
	var paths []string
	for i := range 3000 {
		p := filepath.Join(dir, fmt.Sprintf("%04d", 2999-i))
		if err := os.WriteFile(p, pcapFile(binary.LittleEndian, pcapNano, 1, rec{ns: int64(i), data: "x"}), 0o644); err != nil {
			t.Fatal(err)
		}
		paths = append([]string{p}, paths...)
	}
	s := Open(paths, FileOptions{})
	defer s.Close()
	var b Batch
	for s.Read(context.Background(), &b) == nil {
		open := 0
		for _, f := range s.order {
			if f.in != nil {
				open++
			}
		}
		if open > 1 {
			t.Fatalf("%d files open", open)
		}
	}
	if len(s.Errors()) > 0 {
		t.Error(s.Errors()[0])
	}
}

func TestWhatIsWrongWithAFileIsOneClearLine(t *testing.T) {
	le := binary.LittleEndian
	good := pcapFile(le, pcapMicro, 1, rec{ns: 1e9, data: "one"}, rec{ns: 2e9, data: "two"})
	absurd := slices.Clone(good)
	le.PutUint32(absurd[24+19+8:], 1<<30)
	ng := append(append(ngSection(le), ngInterfaceBlock(le, 1, 0)...), ngEnhanced(le, rec{data: "one"}, 1)...)
	ngBad := append(slices.Clone(ng), ngEnhanced(le, rec{data: "two", id: 7}, 2)...)
	ngOdd := append(slices.Clone(ng), 6, 0, 0, 0, 13, 0, 0, 0, 0, 0, 0, 0, 0)
	unreadable := write(t, "secret", good)
	if err := os.Chmod(unreadable, 0); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name    string
		path    string
		problem Problem
		want    string
		packets int
	}{
		{"cut in a packet", write(t, "x", good[:len(good)-1]), CutShort, "cut short in packet 2 at byte 61; the packet before it was processed", 1},
		{"cut in a record header", write(t, "x", good[:24+19+5]), CutShort, "cut short in packet 2 at byte 48; the packet before it was processed", 1},
		{"cut in the file header", write(t, "x", good[:20]), CutShort, "cut short in the file header", 0},
		{"no packets", write(t, "x", good[:24]), 0, "", 0},
		{"empty", write(t, "x", nil), Empty, "is empty", 0},
		{"text", write(t, "x", []byte("Lorem ipsum dolor sit amet")), NotCapture, "is not a capture (neither pcap nor pcapng)", 0},
		{"a few bytes", write(t, "x", []byte("ab")), NotCapture, "is not a capture (neither pcap nor pcapng)", 0},
		{"directory", t.TempDir(), CannotOpen, "is a directory; name the capture files in it", 0},
		{"missing", "/nowhere/at/all", CannotOpen, "no such file", 0},
		{"unreadable", unreadable, CannotOpen, "no permission to read it", 0},
		{"absurd length", write(t, "x", absurd), BadRecord, "packet 2 at byte 43: says that 1073741824 bytes of it were captured, more than 262144; the packet before it was processed", 1},
		{"pcapng cut", write(t, "x", ng[:len(ng)-1]), CutShort, fmt.Sprintf("cut short in packet 1 at byte %d; no packet before it", len(ng)-1), 0},
		{"pcapng without the interface", write(t, "x", ngBad), BadRecord, fmt.Sprintf("packet 2 at byte %d: came from interface 7, which the file does not describe; the packet before it was processed", len(ng)), 1},
		{"pcapng of odd length", write(t, "x", ngOdd), BadRecord, fmt.Sprintf("packet 2 at byte %d: block of type 6 says that it is 13 bytes long; the packet before it was processed", len(ng)), 1},
		{"pcapng text", write(t, "x", []byte("\x0a\x0d\x0d\x0aLorem ipsum dolor")), NotCapture, "is not a capture (neither pcap nor pcapng)", 0},
	}
	fine := write(t, "fine", pcapFile(le, pcapMicro, 1, rec{ns: 9e9, data: "fine"}))
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if tt.name == "unreadable" && os.Geteuid() == 0 {
				t.Skip("root reads everything")
			}
			for _, paths := range [][]string{{tt.path}, {fine, tt.path}} {
				var reported []*ReadError
				s := Open(paths, FileOptions{Report: func(e *ReadError) { reported = append(reported, e) }})
				var b Batch
				got := 0
				for s.Read(context.Background(), &b) == nil {
					got += len(b.Packets)
				}
				s.Close()
				if want := tt.packets + len(paths) - 1; got != want {
					t.Errorf("%d packets, want %d", got, want)
				}
				if tt.want == "" {
					if len(reported) > 0 {
						t.Errorf("reported %v", reported)
					}
					continue
				}
				if len(reported) != 1 {
					t.Fatalf("reported %v", reported)
				}
				var e *ReadError
				if !errors.As(error(reported[0]), &e) || e.Problem != tt.problem || e.Path != tt.path {
					t.Errorf("%+v", e)
				}
				if want := "read " + tt.path + ": " + tt.want; e.Error() != want {
					t.Errorf("got  %s\nwant %s", e, want)
				}
			}
		})
	}
}

func TestLargeAndManyPacketsCrossBlocks(t *testing.T) {
	recs, want := make([]rec, 0, 3000), make([]string, 0, 3000)
	for i := range 3000 {
		data := strings.Repeat(string(rune('a'+i%26)), 1+i*7919%70000)
		if i%500 == 0 {
			data = strings.Repeat("L", maxCaptured)
		}
		recs = append(recs, rec{ns: int64(i), data: data})
		want = append(want, fmt.Sprintf("%d %s wire %d link 1", i, data, len(data)))
	}
	path := write(t, "x", pcapFile(binary.LittleEndian, pcapNano, 1, recs...))
	lines, errs, _ := readAll(t, []string{path}, nil)
	same(t, errs, nil)
	if !slices.Equal(lines, want) {
		t.Error("packets differ")
	}
}

func TestABatchKeepsItsPacketsWhileTheNextAreRead(t *testing.T) {
	recs := make([]rec, 0, 3*BatchSize)
	for i := range 3 * BatchSize {
		recs = append(recs, rec{ns: int64(i), data: fmt.Sprintf("packet %0600d", i)})
	}
	s := Open([]string{write(t, "x", pcapFile(binary.LittleEndian, pcapNano, 1, recs...))}, FileOptions{})
	defer s.Close()
	batches := make([]Batch, 3)
	for i := range batches {
		if err := s.Read(context.Background(), &batches[i]); err != nil {
			t.Fatal(err)
		}
	}
	for i := range batches {
		for _, p := range batches[i].Packets {
			if want := recs[p.Frame-1].data; string(p.Data) != want {
				t.Fatalf("packet %d is %q", p.Frame, p.Data)
			}
		}
		batches[i].reset()
	}
}

func TestACancelledContextEndsTheInput(t *testing.T) {
	path := write(t, "x", pcapFile(binary.LittleEndian, pcapNano, 1, rec{data: "x"}))
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	s := Open([]string{path}, FileOptions{})
	defer s.Close()
	steps := 0
	if err := New(Settings{}, []Handler{&recorder{}}).Run(ctx, s, func(int64) error { steps++; return nil }); err != nil || steps != 1 {
		t.Errorf("error %v, %d steps", err, steps)
	}
}
