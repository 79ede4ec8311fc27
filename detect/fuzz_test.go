package detect_test

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"github.com/weir-ics/weir/detect"
	"github.com/weir-ics/weir/protocols"
)

// FuzzEvents plays any sequence of events to one shard and to three, with other
// steps, and wants the same alerts, valid lines and caps that are kept.
func FuzzEvents(f *testing.F) {
	f.Add([]byte("a request, an answer, and another 0123456789 abcdefghijklmnopqrstuvwxyz"), uint8(10))
	f.Add(bytes.Repeat([]byte{1, 2, 3, 250, 0, 9, 8, 7}, 60), uint8(100))
	f.Fuzz(func(t *testing.T, data []byte, learnPart uint8) {
		if len(data) > 4096 {
			data = data[:4096]
		}
		learn := time.Duration(learnPart) * time.Second
		want := playBytes(t, data, learn, 1, 1000)
		if got := playBytes(t, data, learn, 3, 7); !bytes.Equal(got, want) {
			t.Error(firstDifference(got, want))
		}
	})
}

// playBytes makes events of bytes, eight each.
func playBytes(t *testing.T, data []byte, learn time.Duration, workers, step int) []byte {
	s := newScene(t, workers, detect.LearnFor(learn), nil)
	s.step = step
	host := func(b byte) protocols.Endpoint {
		e := protocols.Endpoint{IP: netip.AddrFrom4([4]byte{10, 0, 0, b & 7}), Port: uint16(b>>3) + 500}
		e.MAC = [6]byte{2, 0, 0, 0, b >> 6, b & 7}
		return e
	}
	kinds := []*protocols.ViolationKind{malformed, noSelect, unanswered, twice}
	var last uint64
	for ; len(data) >= 8; data = data[8:] {
		b := data[:8]
		s.clock += int64(b[0]) * int64(time.Duration(1)<<(b[1]&31))
		e := s.begin()
		e.Src, e.Dst = host(b[2]), host(b[3])
		e.FromClient = b[4]&1 == 1
		e.Role = protocols.Role(b[4]>>1) % protocols.NumRoles
		e.Effect = protocols.Effect(b[5]) % protocols.NumEffects
		e.Function, e.Name, e.Sub = b[5]>>3, "F", int32(b[5]&3)-1
		e.Size, e.RTT = int(b[6]), int64(b[6])*1e6
		switch b[7] % 3 {
		case 0:
			e.Proto, e.Role, e.Function = protocols.ProtoNetwork, protocols.RoleNotice, b[5]%13
		case 1:
			e.Proto, e.Unit = protocols.ProtoModbus, b[6]&3
		case 2:
			e.Proto, e.Source, e.Destination = protocols.ProtoDNP3, uint16(b[6]&1), uint16(b[6]>>1&1)
			e.HasIIN, e.IIN = b[6]&16 != 0, uint16(b[6])<<6
		}
		e.Broadcast = b[7]&32 != 0
		e.Exception = b[6] & 15
		if b[7]&64 != 0 {
			e.RequestFrame = last
		}
		if e.Role == protocols.RoleRequest {
			last = e.Frame
		}
		if b[7]&16 != 0 {
			e.Ranges = append(e.Ranges, protocols.Range{Kind: protocols.PointKind(b[6]) % protocols.NumPointKinds,
				Access: protocols.Access(b[5]) % protocols.NumAccesses, First: uint32(b[6]) << (b[7] & 24), Count: uint32(b[0])})
		}
		if b[7]&128 != 0 {
			e.Violate(kinds[b[6]&3], int64(b[0]), int64(b[1]))
		}
		s.send()
	}
	s.clock += int64(time.Hour)
	s.finish()
	for _, line := range bytes.Split(bytes.TrimSpace(s.lines), []byte("\n")) {
		if len(line) > 0 && !json.Valid(line) {
			t.Fatalf("not JSON: %s", line)
		}
	}
	// What was learned can be saved and read back.
	saved := bytes.Buffer{}
	if err := s.site.Baseline().Save(&saved); err != nil {
		t.Fatal(err)
	}
	if _, err := detect.LoadBaseline(&saved); err != nil {
		t.Fatal(err)
	}
	return s.lines
}

// FuzzBaseline reads any file and, if it is a baseline, uses it.
func FuzzBaseline(f *testing.F) {
	s := newScene(f, 1, detect.LearnOnly(), nil)
	s.hosts()
	s.live(2 * time.Second)
	var file bytes.Buffer
	if err := s.site.Baseline().Save(&file); err != nil {
		f.Fatal(err)
	}
	f.Add(file.Bytes())
	f.Add([]byte(`{"format":"weir-baseline","version":1}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		b, err := detect.LoadBaseline(bytes.NewReader(data))
		if err != nil {
			return
		}
		var out bytes.Buffer
		if err := b.Show(&out); err != nil {
			t.Fatal(err)
		}
		m, err := detect.Merge(b, b, nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := detect.Diff(&out, b, m); err != nil {
			t.Fatal(err)
		}
		x := newScene(t, 2, detect.WatchOnly(), b)
		x.hosts()
		x.live(3 * time.Second)
		x.finish()
		var again bytes.Buffer
		if err := x.site.Baseline().Save(&again); err != nil {
			t.Fatal(err)
		}
		if _, err := detect.LoadBaseline(&again); err != nil {
			t.Fatalf("what was saved cannot be read: %v", err)
		}
	})
}

// FuzzAlertLine reads any line and, if it is an alert, writes and reads it again.
func FuzzAlertLine(f *testing.F) {
	a := detect.Alert{Finding: detect.Finding{Kind: detect.KindLinkNew, Title: "x", Function: 3, Client: detect.Party{Endpoint: end(master, 1), Unit: -1, Address: -1}}}
	f.Add(a.AppendJSON(nil))
	f.Fuzz(func(t *testing.T, line []byte) {
		var a, b detect.Alert
		if json.Unmarshal(line, &a) != nil {
			return
		}
		first := a.AppendJSON(nil)
		if err := json.Unmarshal(first, &b); err != nil {
			t.Fatalf("%v in %s", err, first)
		}
		if second := b.AppendJSON(nil); !bytes.Equal(first, second) {
			t.Errorf("%s\nbecame %s", first, second)
		}
		_ = a.Text()
	})
}

func TestAnyEventsGiveTheSameAlertsForAnyNumberOfShards(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for round := 0; round < 150; round++ {
		data := make([]byte, 8*rng.IntN(200))
		for i := range data {
			// Few different values, so that things repeat and are learned.
			data[i] = byte(rng.IntN(1 << (1 + rng.IntN(8))))
		}
		learn := time.Duration(rng.IntN(200)) * time.Second
		want := playBytes(t, data, learn, 1, 1000)
		if got := playBytes(t, data, learn, 4, 13); !bytes.Equal(got, want) {
			t.Fatalf("round %d: %s", round, firstDifference(got, want))
		}
	}
}
