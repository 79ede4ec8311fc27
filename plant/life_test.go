package plant

import (
	"testing"
	"time"

	"github.com/weir-ics/weir/plant/wire"
	"github.com/weir-ics/weir/protocols"
)

func TestAReplacedPLCComesBackWithAnotherMAC(t *testing.T) {
	s := &Scenario{Seed: 1, Duration: 20 * time.Minute, Life: Life{Swap: 8 * time.Minute}}
	from := make(map[wire.MAC][2]time.Duration)
	if _, err := s.Run(func(p *Packet) error {
		if p.Data[12] == 0x08 && p.Data[13] == 0 && [4]byte(p.Data[26:30]) == AddrPLC2.As4() {
			at := time.Duration(p.Time - DefaultStart.UnixNano())
			seen, ok := from[wire.MAC(p.Data[6:12])]
			if !ok {
				seen[0] = at
			}
			seen[1] = at
			from[wire.MAC(p.Data[6:12])] = seen
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if len(from) != 2 {
		t.Fatalf("PLC2 speaks from %v", from)
	}
	for mac, span := range from {
		early := span[1] <= 8*time.Minute+time.Second
		late := span[0] >= 10*time.Minute && span[1] > 19*time.Minute
		if !early && !late {
			t.Errorf("%x speaks from %v to %v", mac, span[0], span[1])
		}
	}
}

func TestALinkThatFlapsIsReconnected(t *testing.T) {
	path, _ := capturePath(t, &Scenario{Seed: 1, Duration: 10 * time.Minute, Life: Life{Flaps: []time.Duration{4 * time.Minute}}})
	answers := make(map[int64]int)
	read(t, path, func(e *protocols.Event) {
		if e.Role == protocols.RoleResponse && e.Src.IP == AddrPLC3 && e.Dst.IP == AddrHMI {
			answers[(e.Time-DefaultStart.UnixNano())/int64(5*time.Second)]++
		}
	})
	// 48 is the first five seconds of the flap.
	if answers[48] > 4 || answers[45] < 15 || answers[60] < 15 {
		t.Errorf("answers in five seconds: %d before, %d during, %d after", answers[45], answers[48], answers[60])
	}
}

func TestOperatorsWriteOnlyWhatTheyAreMeantTo(t *testing.T) {
	path, _ := capturePath(t, &Scenario{Seed: 3, Duration: 6 * time.Hour, Poll: 20 * time.Second, Life: Life{OperatorActions: 300}})
	writes := 0
	limits := make(map[[2]any]Tag)
	for _, tag := range Tags() {
		limits[[2]any{tag.Device, uint32(tag.Address)<<8 | uint32(tag.Table)}] = tag
	}
	read(t, path, func(e *protocols.Event) {
		if e.Proto != protocols.ProtoModbus || e.Role != protocols.RoleRequest || !e.Effect.Changes() {
			return
		}
		writes++
		p := e.Points[0]
		tag, ok := limits[[2]any{e.Dst.IP, p.Index<<8 | uint32(p.Kind)}]
		if !ok {
			t.Errorf("frame %d writes %s %d of %s, which is no tag", e.Frame, p.Kind, p.Index, e.Dst.IP)
			return
		}
		words := []uint16{uint16(p.Value), 0}
		if len(e.Points) > 1 {
			words[1] = uint16(e.Points[1].Value)
		}
		if v := tag.value(words); v < tag.Low || v > tag.High {
			t.Errorf("frame %d sets %s to %v, its limits are %v and %v", e.Frame, tag.Name, v, tag.Low, tag.High)
		}
	})
	if writes < 40 {
		t.Errorf("%d writes", writes)
	}
}
