package capture

import (
	"context"
	"errors"
	"testing"
	"time"
)

// setClock makes a source believe that the system clock was set.
func setClock(src *Live, by time.Duration) {
	before := src.now
	src.now = func() reading {
		r := before()
		r.day += int64(by)
		return r
	}
}

func TestLiveEndsWhenTheSystemClockIsSet(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	for _, by := range []time.Duration{26 * 365 * 24 * time.Hour, 2 * time.Minute, -2 * time.Minute} {
		t.Run(by.String(), func(t *testing.T) {
			src := openTap(t, LiveOptions{})
			sender := newSender(t, "plant0")
			packet := etherBytes(alice, bob, nil, ipBytes(alice, bob, protoUDP, 0, udpBytes(1, 2, "x")))
			sender.send(t, packet)
			r := &recorder{}
			e := New(Settings{UDPIdle: time.Minute}, []Handler{r})
			ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
			defer cancel()
			before, steps := int64(0), 0
			begun := time.Now().UnixNano()
			err := e.Run(ctx, src, func(clock int64) error {
				before = clock
				if e.Stats().Packets > 0 {
					if steps++; steps == 3 {
						setClock(src, by)
					}
				}
				return nil
			})
			var set *ClockSet
			if !errors.As(err, &set) || (set.By-by).Abs() > 10*time.Second {
				t.Fatalf("the run ended with %v", err)
			}
			if e.Stats().ConnsExpired != 0 || before < begun || before > time.Now().UnixNano() {
				t.Errorf("the watermark was carried away: %v, %d conversations expired", time.Unix(0, before), e.Stats().ConnsExpired)
			}
		})
	}
}

func TestLiveGoesOnWhenTheSystemClockIsSetALittle(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	src := openTap(t, LiveOptions{})
	for _, by := range []time.Duration{20 * time.Second, -30 * time.Second, 50 * time.Second} {
		setClock(src, by)
		var b Batch
		if err := src.Read(context.Background(), &b); err != nil {
			t.Errorf("set by %v: %v", by, err)
		}
		b.reset()
	}
}
