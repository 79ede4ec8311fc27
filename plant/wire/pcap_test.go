package wire

import (
	"bytes"
	"errors"
	"io"
	"testing"
	"time"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
	"github.com/google/gopacket/pcapgo"
)

func TestACaptureIsWrittenAsAnotherWriterDoesAndReadBackByIt(t *testing.T) {
	frames := [][]byte{nil, {1}, bytes.Repeat([]byte{0xa5}, 60), bytes.Repeat([]byte{7}, 1514), bytes.Repeat([]byte{9}, 70_000)}
	times := []int64{0, 999_999_999, 1_772_000_000_123_456_789, 1_772_000_001_000_000_000, 4_294_967_295_999_999_999}
	var ours, theirs bytes.Buffer
	w, err := NewPcapWriter(&ours)
	if err != nil {
		t.Fatal(err)
	}
	other := pcapgo.NewWriterNanos(&theirs)
	if err := other.WriteFileHeader(snapLength, layers.LinkTypeEthernet); err != nil {
		t.Fatal(err)
	}
	for i, frame := range frames {
		info := gopacket.CaptureInfo{Timestamp: time.Unix(0, times[i]), CaptureLength: len(frame), Length: len(frame)}
		if err := errors.Join(w.Write(times[i], frame), other.WritePacket(info, frame)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(ours.Bytes(), theirs.Bytes()) {
		t.Error("the captures differ")
	}
	r, err := pcapgo.NewReader(&ours)
	if err != nil {
		t.Fatal(err)
	}
	for i, frame := range frames {
		got, info, err := r.ReadPacketData()
		if err != nil || !bytes.Equal(got, frame) || info.Timestamp.UnixNano() != times[i] {
			t.Errorf("frame %d: %v; %d octets at %v", i, err, len(got), info.Timestamp)
		}
	}
	if _, _, err := r.ReadPacketData(); !errors.Is(err, io.EOF) {
		t.Errorf("after the last frame: %v", err)
	}
}

func TestAFrameThatTheFormatCannotHoldIsRefused(t *testing.T) {
	w, err := NewPcapWriter(io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	for name, err := range map[string]error{
		"too long":   w.Write(0, make([]byte, snapLength+1)),
		"too early":  w.Write(-1, nil),
		"after 2106": w.Write((1<<32)*1e9, nil),
	} {
		if err == nil {
			t.Errorf("a frame %s is written", name)
		}
	}
}
