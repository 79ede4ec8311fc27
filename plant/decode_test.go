package plant

import (
	"context"
	"testing"
	"time"

	"github.com/weir-ics/weir/capture"
	"github.com/weir-ics/weir/protocols"
	"github.com/weir-ics/weir/protocols/dnp3"
	"github.com/weir-ics/weir/protocols/modbus"
)

// reader runs weir's own decoders over a capture: what it finds wrong is kept.
type reader struct {
	t          *testing.T
	events     map[protocols.Proto]int
	violations map[string]int
	notices    map[capture.NoticeKind]int
	each       func(e *protocols.Event)
}

func (r *reader) Open(c *capture.Conn, _ capture.Stamp) {
	conv := protocols.Conversation{Transport: protocols.TCP, OpeningSeen: c.OpeningSeen}
	if c.UDP {
		conv.Transport = protocols.UDP
	}
	for i := range conv.Ends {
		conv.Ends[i] = protocols.Endpoint(c.Ends[i])
	}
	emit := func(e *protocols.Event) {
		r.events[e.Proto]++
		for _, v := range e.Violations {
			if r.violations[v.Kind.Name]++; r.violations[v.Kind.Name] < 3 {
				r.t.Logf("frame %d: %s: %s (observed %d, expected %d)", e.Frame, e.Name, v.Kind.Name, v.Observed, v.Expected)
			}
		}
		if r.each != nil {
			r.each(e)
		}
	}
	switch {
	case c.Ends[1].Port == modbusPort:
		c.User = modbus.NewDecoder(conv, emit)
	case c.Ends[1].Port == dnp3Port:
		c.User = dnp3.NewDecoder(conv, emit, nil)
	}
}

func (r *reader) Stream(c *capture.Conn, d uint8, at capture.Stamp, data []byte) {
	if dec, ok := c.User.(protocols.Decoder); ok {
		dec.Stream(protocols.Direction(d), protocols.Stamp(at), data)
	}
}

func (r *reader) Gap(c *capture.Conn, d uint8, at capture.Stamp, lost int) {
	if dec, ok := c.User.(protocols.Decoder); ok {
		dec.Gap(protocols.Direction(d), protocols.Stamp(at), lost)
	}
}

func (r *reader) Datagram(*capture.Conn, uint8, capture.Stamp, []byte) {}

func (r *reader) Close(c *capture.Conn, at capture.Stamp) {
	if dec, ok := c.User.(protocols.Decoder); ok {
		dec.Close(protocols.Stamp(at))
	}
}

func (r *reader) Notice(n *capture.Notice) { r.notices[n.Kind]++ }

func (r *reader) Advance(int64) int64 { return 0 }

func read(t *testing.T, path string, each func(*protocols.Event)) *reader {
	t.Helper()
	r := &reader{t: t, events: map[protocols.Proto]int{}, violations: map[string]int{}, notices: map[capture.NoticeKind]int{}, each: each}
	e := capture.New(capture.Settings{}, []capture.Handler{r})
	src := capture.Open([]string{path}, capture.FileOptions{Report: func(err *capture.ReadError) { t.Error(err) }})
	if err := e.Run(context.Background(), src, func(int64) error { return nil }); err != nil {
		t.Fatal(err)
	}
	return r
}

func TestWeirFindsNoViolationInNormalTraffic(t *testing.T) {
	s := &Scenario{Seed: 6, Duration: 6 * time.Hour, Poll: 5 * time.Second, Life: NormalLife()}
	s.Life.OperatorActions = 60
	path, _ := capturePath(t, s)
	r := read(t, path, nil)
	if len(r.violations) > 0 {
		t.Errorf("violations %v", r.violations)
	}
	if r.events[protocols.ProtoModbus] < 50000 || r.events[protocols.ProtoDNP3] < 2000 {
		t.Errorf("events %v", r.events)
	}
	for _, k := range []capture.NoticeKind{capture.OverlapConflict, capture.StreamGap, capture.TTLChanged, capture.ConnectionRefused} {
		if r.notices[k] > 0 {
			t.Errorf("%d notices of kind %d", r.notices[k], k)
		}
	}
}

func TestWeirFindsNoViolationInCleanLoads(t *testing.T) {
	for _, kind := range []string{"modbus", "dnp3", "mix"} {
		path := writeLoad(t, &Load{Kind: kind, Packets: 60000, Pairs: 30, Seed: 3})
		r := read(t, path, nil)
		if len(r.violations) > 0 || r.notices[capture.OverlapConflict]+r.notices[capture.StreamGap] > 0 {
			t.Errorf("%s: violations %v, notices %v", kind, r.violations, r.notices)
		}
	}
}

func TestTheTagListSaysWhatTheDecodedValuesMean(t *testing.T) {
	path, _ := capturePath(t, &Scenario{Seed: 2, Duration: 10 * time.Minute})
	type place struct {
		device string
		unit   uint16
		kind   protocols.PointKind
		index  uint32
	}
	// The last value that was read of each address.
	seen := make(map[place]uint16)
	numbers := make(map[place]float64) // of DNP3
	read(t, path, func(e *protocols.Event) {
		if e.FromClient || e.Role == protocols.RoleException {
			return
		}
		for _, p := range e.Points {
			if e.Proto == protocols.ProtoDNP3 {
				numbers[place{e.Src.IP.String(), e.Source, p.Kind, p.Index}] = p.Value
				continue
			}
			seen[place{e.Src.IP.String(), uint16(e.Unit), p.Kind, p.Index}] = uint16(p.Value)
		}
	})
	checked := 0
	for _, tag := range Tags() {
		at := place{tag.Device.String(), tag.Unit, tag.Table, uint32(tag.Address)}
		if n, ok := numbers[at]; ok {
			checked++
			if v := n*tag.Scale + tag.Offset; (tag.Low != 0 || tag.High != 0) && (v < tag.Low || v > tag.High) {
				t.Errorf("%s reads as %v, its limits are %v and %v", tag.Name, v, tag.Low, tag.High)
			}
			continue
		}
		w, ok := seen[at]
		if !ok {
			continue
		}
		words := []uint16{w, 0}
		if tag.registers() == 2 {
			at.index++
			words[1] = seen[at]
		}
		checked++
		if v := tag.value(words); (tag.Low != 0 || tag.High != 0) && (v < tag.Low || v > tag.High) {
			t.Errorf("%s reads as %v, its limits are %v and %v", tag.Name, v, tag.Low, tag.High)
		}
	}
	// PLC2's two coils are buttons, which nobody reads.
	if all := len(Tags()); checked != all-2 {
		t.Errorf("%d of %d tags were read", checked, all)
	}
}
