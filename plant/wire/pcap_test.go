package wire

import (
	"bytes"
	"testing"
	"time"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
	"github.com/google/gopacket/pcapgo"
)

func TestACaptureIsTheSameOctetsThatGopacketWrites(t *testing.T) {
	frames := map[int64][]byte{0: {1}, 1772431200123456789: bytes.Repeat([]byte{7}, 1514), 4294967295999999999: bytes.Repeat([]byte{9}, snapLength)}
	for at, frame := range frames {
		var ours, theirs bytes.Buffer
		w, err := NewPcapWriter(&ours)
		if err != nil {
			t.Fatal(err)
		}
		other := pcapgo.NewWriterNanos(&theirs)
		if err := other.WriteFileHeader(snapLength, layers.LinkTypeEthernet); err != nil {
			t.Fatal(err)
		}
		for range 3 {
			if err := w.Write(at, frame); err != nil {
				t.Fatal(err)
			}
			if err := other.WritePacket(gopacket.CaptureInfo{Timestamp: time.Unix(0, at), CaptureLength: len(frame), Length: len(frame)}, frame); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Flush(); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(ours.Bytes(), theirs.Bytes()) {
			t.Errorf("a frame of %d octets at %d: the files differ", len(frame), at)
		}
	}
}

func TestWritingAFrameMakesNoGarbage(t *testing.T) {
	var file bytes.Buffer
	file.Grow(1 << 20)
	w, err := NewPcapWriter(&file)
	if err != nil {
		t.Fatal(err)
	}
	frame := make([]byte, 100)
	if n := testing.AllocsPerRun(100, func() { _ = w.Write(1, frame) }); n > 0 {
		t.Errorf("%v allocations a frame", n)
	}
}
