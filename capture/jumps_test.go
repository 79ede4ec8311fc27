package capture

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"testing"
	"time"
)

// Lengths of time in the seconds of [seconds].
const (
	hour = 3600
	year = 365 * 24 * hour
)

// seconds writes a capture of packets at these seconds.
func seconds(t testing.TB, at ...int64) string {
	t.Helper()
	recs := make([]rec, 0, len(at))
	for i, s := range at {
		recs = append(recs, rec{ns: s * 1e9, data: fmt.Sprintf("packet %d", i)})
	}
	return write(t, "x", pcapFile(binary.LittleEndian, pcapNano, 1, recs...))
}

// everySecond counts up from a second on, n times.
func everySecond(from, n int64) (at []int64) {
	for i := range n {
		at = append(at, from+i)
	}
	return at
}

// clocks reads files and returns the watermark at each packet, in seconds, and the
// jumps. It checks that packets come in order, with what they hold.
func clocks(t testing.TB, paths ...string) (at []int64, jumps []ClockJump, s *Files) {
	t.Helper()
	s = Open(paths, FileOptions{})
	defer s.Close()
	var b Batch
	defer b.reset()
	for {
		err := s.Read(context.Background(), &b)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		jumps = append(jumps, b.Jumps...)
		for i := range b.Packets {
			p := &b.Packets[i]
			if p.Frame != uint64(len(at)+1) {
				t.Fatalf("packet %d has frame %d", len(at)+1, p.Frame)
			}
			if want := fmt.Sprintf("packet %d", p.Frame-1); len(paths) == 1 && string(p.Data) != want {
				t.Fatalf("packet %d is %q", p.Frame, p.Data)
			}
			at = append(at, p.Clock/1e9)
		}
		if want := at[len(at)-1]; b.Clock != want*1e9 || len(b.Packets) < BatchSize && len(s.order) > 0 {
			t.Fatalf("a batch of %d packets ends at %d, want %d", len(b.Packets), b.Clock, want)
		}
	}
	if n := len(s.Errors()); n > 0 {
		t.Fatal(s.Errors())
	}
	return at, jumps, s
}

func TestAPacketFarAheadDoesNotMoveTheWatermark(t *testing.T) {
	// Where batches end must not matter.
	for _, place := range []int{1, 100, BatchSize - witnesses, BatchSize - 1, BatchSize, BatchSize + 1} {
		for _, ahead := range []int64{61, hour, year, 60 * year} {
			for _, many := range []int{1, witnesses / 2} {
				at := everySecond(1_700_000_000, 2*BatchSize)
				want := slices.Clone(at)
				for i := place; i < place+many; i++ {
					at[i] += ahead + int64(many)
					want[i] = want[place-1]
				}
				got, jumps, _ := clocks(t, seconds(t, at...))
				if !slices.Equal(got, want) || jumps != nil {
					t.Errorf("%d packets %v ahead, from packet %d on: the watermark follows them, or not the others; jumps %v", many, time.Duration(ahead*1e9), place, jumps)
				}
			}
		}
	}
}

func TestAFirstPacketFarAheadDoesNotMoveTheWatermark(t *testing.T) {
	at := everySecond(1_700_000_000, BatchSize+100)
	want := slices.Clone(at)
	at[0] += year
	want[0] = want[1]
	if got, jumps, _ := clocks(t, seconds(t, at...)); !slices.Equal(got, want) || jumps != nil {
		t.Errorf("the watermark begins with %v, want %v; jumps %v", got[:3], want[:3], jumps)
	}
}

func TestAPauseMovesTheWatermarkAtOnce(t *testing.T) {
	for _, pause := range []int64{61, hour, 4 * 24 * hour, year} {
		for _, before := range []int64{1, 100, BatchSize - 1, BatchSize} {
			for _, after := range []int64{1, 2, witnesses + 1, BatchSize} {
				at := append(everySecond(1_700_000_000, before), everySecond(1_700_000_000+before-1+pause, after)...)
				if got, jumps, _ := clocks(t, seconds(t, at...)); !slices.Equal(got, at) || jumps != nil {
					t.Errorf("%d packets, a pause of %v, %d packets: the watermark does not follow; jumps %v", before, time.Duration(pause*1e9), after, jumps)
				}
			}
		}
	}
}

func TestAPauseMayBeFollowedByAFewLatePackets(t *testing.T) {
	at := append(everySecond(1_700_000_000, 100), everySecond(1_700_010_000, 100)...)
	want := slices.Clone(at)
	at[103], want[103] = at[99], want[102]
	at[105], want[105] = at[99], want[104]
	if got, _, _ := clocks(t, seconds(t, at...)); !slices.Equal(got, want) {
		t.Error("the watermark does not follow")
	}
}

func TestAPacketMuchTooEarlyLeavesTheWatermark(t *testing.T) {
	at := everySecond(1_700_000_000, 200)
	want := slices.Clone(at)
	at[50] -= year
	want[50] = want[49]
	if got, _, _ := clocks(t, seconds(t, at...)); !slices.Equal(got, want) {
		t.Error("the watermark does not follow the others")
	}
}

func TestAClockSetForwardByYearsIsTold(t *testing.T) {
	at := append(everySecond(952_000_000, 1000), everySecond(1_770_000_000, 1000)...)
	got, jumps, s := clocks(t, seconds(t, at...))
	if !slices.Equal(got, at) {
		t.Error("the watermark does not follow")
	}
	want := []ClockJump{{At: 952_000_999e9, By: (1_770_000_000 - 952_000_999) * 1e9}}
	if !slices.Equal(jumps, want) || s.Counters().TimeJumped != 1 {
		t.Errorf("jumps %v, counted %d, want %v", jumps, s.Counters().TimeJumped, want)
	}
}

func TestYearsBetweenTwoFilesAreAPause(t *testing.T) {
	one, two := everySecond(952_000_000, 1000), everySecond(1_770_000_000, 1000)
	got, jumps, s := clocks(t, seconds(t, two...), seconds(t, one...))
	if !slices.Equal(got, append(one, two...)) || jumps != nil || s.Counters().TimeJumped != 0 {
		t.Errorf("jumps %v, counted %d", jumps, s.Counters().TimeJumped)
	}
}

func TestAPacketFarAheadIsCountedAndHasTheTimeOfOthers(t *testing.T) {
	packet := etherBytes(alice, bob, nil, ipBytes(alice, bob, protoUDP, 0, udpBytes(1, 2, "x")))
	const start = int64(1_700_000_000e9)
	recs := make([]rec, 100)
	for i := range recs {
		recs[i] = rec{ns: start + int64(i)*1e9, data: string(packet)}
	}
	recs[50].ns += year * 1e9
	src := Open([]string{write(t, "x", pcapFile(binary.LittleEndian, pcapNano, 1, recs...))}, FileOptions{})
	defer src.Close()
	r := &stamps{}
	e := New(Settings{}, []Handler{r})
	if err := e.Run(context.Background(), src, nil); err != nil {
		t.Fatal(err)
	}
	if st := e.Stats(); st.TimeAhead != 1 || st.TimeBackwards != 0 || st.TimeJumped != 0 || st.ConnsExpired != 0 {
		t.Errorf("%d packets ahead, %d back, %d jumps, %d conversations expired", st.TimeAhead, st.TimeBackwards, st.TimeJumped, st.ConnsExpired)
	}
	if len(r.at) != 100 || r.at[50] != (Stamp{Time: start + 49e9, Clock: start + 49e9, Frame: 51}) {
		t.Errorf("%d datagrams, the one ahead at %+v", len(r.at), r.at[50])
	}
}

// stamps is a handler that notes when datagrams came.
type stamps struct {
	recorder
	at []Stamp
}

func (s *stamps) Datagram(_ *Conn, _ uint8, at Stamp, _ []byte) { s.at = append(s.at, at) }

// TestPacketsReadAheadAreLetGo reads nothing but jumps: all blocks come back.
func TestPacketsReadAheadAreLetGo(t *testing.T) {
	at := make([]int64, 3*BatchSize)
	for i := range at {
		at[i] = 1_000_000_000 + int64(i%7)*hour
	}
	path := seconds(t, at...)
	s := Open([]string{path}, FileOptions{})
	var b Batch
	for range 2 {
		if err := s.Read(context.Background(), &b); err != nil {
			t.Fatal(err)
		}
	}
	s.Close()
	blocks := slices.Clone(b.blocks)
	b.reset()
	for _, k := range blocks {
		if n := k.refs.Load(); n != 0 {
			t.Errorf("a block is still held %d times", n)
		}
	}
}
