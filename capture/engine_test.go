package capture

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"runtime"
	"testing"
	"time"
)

// failing is a source that fails after some packets.
type failing struct{ packets }

var errBroken = errors.New("broken")

func (s *failing) Read(ctx context.Context, b *Batch) error {
	err := s.packets.Read(ctx, b)
	if errors.Is(err, io.EOF) {
		return errBroken
	}
	return err
}

func TestAFailingSourceEndsARunInOrder(t *testing.T) {
	for workers := 1; workers <= 3; workers++ {
		var hs []Handler
		var rs []*recorder
		for range workers {
			r := &recorder{}
			rs, hs = append(rs, r), append(hs, r)
		}
		steps := 0
		err := New(Settings{}, hs).Run(context.Background(), &failing{packets{list: hostile(1, 500), size: 100}}, func(int64) error { steps++; return nil })
		if !errors.Is(err, errBroken) || steps < 3 {
			t.Errorf("%d workers: error %v after %d steps", workers, err, steps)
		}
		for _, r := range rs {
			if len(r.open) > 0 {
				t.Errorf("%d workers: conversations were not closed", workers)
			}
		}
	}
}

func TestAnErrorOfStepEndsARunAtOnce(t *testing.T) {
	for workers := 1; workers <= 3; workers++ {
		hs := make([]Handler, workers)
		for i := range hs {
			hs[i] = &recorder{}
		}
		steps := 0
		err := New(Settings{}, hs).Run(context.Background(), &packets{list: hostile(1, 500), size: 10}, func(int64) error {
			if steps++; steps == 3 {
				return errBroken
			}
			return nil
		})
		if !errors.Is(err, errBroken) || steps != 3 {
			t.Errorf("%d workers: error %v after %d steps", workers, err, steps)
		}
	}
}

func TestStepSeesTheWatermarkAndCounters(t *testing.T) {
	list := hostile(1, 1000)
	for workers := 1; workers <= 3; workers++ {
		hs := make([]Handler, workers)
		for i := range hs {
			hs[i] = &recorder{}
		}
		e := New(Settings{}, hs)
		tapped, seen, last := 0, uint64(0), int64(0)
		e.Tap(func(b *Batch) { tapped += len(b.Packets) })
		err := e.Run(context.Background(), &packets{list: list, size: 100}, func(clock int64) error {
			n := e.Stats().Packets
			want := int64(0)
			for _, p := range list[:n] {
				want = max(want, p.at)
			}
			if clock != want || n < seen || clock < last {
				t.Errorf("%d workers: after %d packets the watermark is %d, want %d", workers, n, clock, want)
			}
			seen, last = n, clock
			return nil
		})
		if err != nil || seen != uint64(len(list)) || tapped != len(list) {
			t.Errorf("%d workers: error %v, %d packets seen, %d tapped", workers, err, seen, tapped)
		}
	}
}

// timed is a handler that has a time-out of its own: a second after each
// datagram.
type timed struct {
	nothing
	due   int64
	calls []string
}

func (h *timed) Datagram(c *Conn, _ uint8, at Stamp, _ []byte) {
	h.calls = append(h.calls, "datagram")
	h.due = at.Clock + int64(time.Second)
}

func (h *timed) Close(*Conn, Stamp) { h.calls = append(h.calls, "close") }

func (h *timed) Advance(clock int64) int64 {
	if h.due != 0 && clock >= h.due {
		h.due = 0
		h.calls = append(h.calls, "time-out")
	}
	return h.due
}

func TestTimeOutsOfHandlersFireInOrder(t *testing.T) {
	udp := etherBytes(alice, bob, nil, ipBytes(alice, bob, protoUDP, 0, udpBytes(1, 2, "x")))
	k := new(talk).add(udp).wait(9e8).add(udp).wait(2e9).add(udp).wait(20e9).add(udp)
	want := []string{"datagram", "datagram", "time-out", "datagram", "time-out", "close", "datagram", "close"}
	for _, size := range []int{1, 2, 100} {
		h := &timed{}
		if err := New(Settings{UDPIdle: 10 * time.Second}, []Handler{h}).Run(context.Background(), &packets{list: k.list, size: size}, nil); err != nil {
			t.Fatal(err)
		}
		same(t, h.calls, want)
	}
}

func TestEveryCounterHasANameOfItsOwn(t *testing.T) {
	var s Stats
	names := map[string]bool{}
	places := map[*uint64]bool{}
	for _, n := range statNames {
		if names[n.name] || places[n.at(&s)] {
			t.Errorf("%s is there twice", n.name)
		}
		names[n.name], places[n.at(&s)] = true, true
	}
	if size := binary.Size(s) / 8; size != len(statNames) {
		t.Errorf("%d counters, %d names", size, len(statNames))
	}
}

func TestACancelledContextEndsASilentPipe(t *testing.T) {
	r, w := io.Pipe()
	defer func() { _ = w.Close() }()
	ctx, cancel := context.WithCancel(context.Background())
	head := pcapFile(binary.LittleEndian, pcapNano, 1, rec{data: string(etherBytes(alice, bob, nil, ipBytes(alice, bob, protoUDP, 0, udpBytes(1, 2, "x"))))})
	s := Open([]string{"-"}, FileOptions{Stdin: r})
	go func() {
		_, _ = io.Copy(w, bytes.NewReader(head))
		for read := int64(0); read < int64(len(head)); read, _ = s.Progress() {
			runtime.Gosched()
		}
		// The bytes were read; what is made of them shows only at the end.
		time.Sleep(200 * time.Millisecond)
		cancel()
	}()
	h := &timed{}
	if err := New(Settings{}, []Handler{h}).Run(ctx, s, nil); err != nil {
		t.Fatal(err)
	}
	same(t, h.calls, []string{"datagram", "close"})
	if len(s.Errors()) > 0 {
		t.Error(s.Errors()[0])
	}
}
