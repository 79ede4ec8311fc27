package dnp3

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/weir-ics/weir/protocols"
)

// checkEvent fails on what no event may be, whatever the input was.
func checkEvent(t *testing.T, ev *protocols.Event) {
	if ev.Proto != protocols.ProtoDNP3 || ev.Role == protocols.RoleUnknown || ev.Name == "" || ev.Detail == nil {
		t.Fatalf("event without protocol, role, name or detail: %+v", ev)
	}
	if len(ev.Points) > maxPoints {
		t.Fatalf("%d points", len(ev.Points))
	}
	if ev.Role == protocols.RoleNotice && len(ev.Violations) == 0 {
		t.Fatal("a notice of nothing")
	}
	text := append(ev.Detail.AppendFields([]byte(`{"x":0`)), '}')
	if !json.Valid(text) {
		t.Fatalf("not JSON: %s", text)
	}
	m := ev.Detail.(*Message)
	total := len(m.Unparsed)
	for i := range m.Objects {
		total += len(m.Objects[i].Data)
	}
	if total > len(m.Fragment) {
		t.Fatalf("%d octets of objects in a fragment of %d", total, len(m.Fragment))
	}
}

// seeds adds messages of every kind to a fuzz target.
func seeds(f *testing.F, add func(m message)) {
	g := newGenerator(9)
	for range 40 {
		add(g.message(600))
	}
	for _, e := range examples {
		p := append(handHeader(e.group, e.variation, 0x28, 1), handPrefix(0x28, 1, 0)...)
		p = append(p, unhex(f, e.octets)...)
		add(message{header: new(line).header(1), function: FunctionResponse, body: append([]byte{0xC0, FunctionResponse, 0, 0}, p...)})
	}
}

// FuzzLink decodes octets as a stream and as a datagram: the same whole frames
// must be found.
func FuzzLink(f *testing.F) {
	seeds(f, func(m message) {
		var seq uint8
		f.Add(AppendSegments(nil, m.header, &seq, m.body))
	})
	f.Add(AppendFrame(nil, LinkHeader{Dir: true, Prm: true, Function: LinkRequestLinkStatus, Source: 1, Destination: 10}, nil))
	f.Fuzz(func(t *testing.T, data []byte) {
		frames := func(datagram bool) (list []LinkHeader) {
			d := NewDecoder(conversation, func(ev *protocols.Event) {
				checkEvent(t, ev)
				if ev.Role != protocols.RoleNotice {
					list = append(list, ev.Detail.(*Message).Link)
				}
			}, nil)
			if datagram {
				d.Datagram(0, protocols.Stamp{}, data)
			} else {
				d.Stream(0, protocols.Stamp{}, data)
			}
			if len(d.sides[0].buf) > maxFrame {
				t.Fatalf("%d octets kept", len(d.sides[0].buf))
			}
			return list
		}
		a, b := frames(false), frames(true)
		if len(a) != len(b) {
			t.Fatalf("%d messages in the stream, %d in the datagram", len(a), len(b))
		}
		for i := range a {
			if a[i] != b[i] {
				t.Fatalf("message %d: %+v in the stream, %+v in the datagram", i, a[i], b[i])
			}
		}
		Probe(data)
	})
}

// FuzzTransport takes octets as segments: each begins with its length and its
// transport octet.
func FuzzTransport(f *testing.F) {
	f.Add([]byte{4, 0xC0, 0xC0, 1, 60})
	f.Add([]byte{3, 0x40, 0xC0, 1, 2, 0x81, 60})
	f.Fuzz(func(t *testing.T, data []byte) {
		pool := new(Pool)
		var want []byte // the fragment that the segments make, by the rules
		active, next := false, uint8(0)
		var last []byte
		d := NewDecoder(conversation, func(ev *protocols.Event) {
			checkEvent(t, ev)
			m := ev.Detail.(*Message)
			if m.HasTransport && !bytes.Equal(m.Fragment, want) {
				t.Fatalf("fragment % X, want % X", m.Fragment, want)
			}
		}, pool)
		h := new(line).header(0)
		for len(data) > 0 {
			n := min(int(data[0]), len(data)-1, MaxUserData)
			user := data[1 : 1+n]
			data = data[1+n:]
			if n > 0 {
				first, seq := user[0]&transportFIR != 0, user[0]&transportSeq
				switch {
				case first:
					want, active = append(want[:0:0], user[1:]...), true
				case active && seq == next:
					want = append(want, user[1:]...)
				case active && bytes.Equal(last, user):
					// sent again
				default:
					active = false
				}
				if active {
					next = (seq + 1) & transportSeq
					last = user
				}
				if active && user[0]&transportFIN != 0 {
					active = false
				}
			}
			d.Stream(0, protocols.Stamp{}, AppendFrame(nil, h, user))
			if d.pending > maxPending {
				t.Fatalf("%d octets pending", d.pending)
			}
		}
		d.Close(protocols.Stamp{})
		if pool.pending != 0 {
			t.Fatalf("%d octets pending after the end", pool.pending)
		}
	})
}

// FuzzApplication decodes octets as application fragments of both sides in
// turn; the first octet of each is its length.
func FuzzApplication(f *testing.F) {
	seeds(f, func(m message) {
		if len(m.body) < 255 {
			f.Add(append([]byte{byte(len(m.body))}, m.body...))
		}
	})
	f.Fuzz(func(t *testing.T, data []byte) {
		d := NewDecoder(conversation, func(ev *protocols.Event) { checkEvent(t, ev) }, nil)
		l := new(line)
		var clock int64
		for dir := protocols.Direction(0); len(data) > 0; dir = dir.Other() {
			n := min(int(data[0]), len(data)-1)
			clock += int64(n) * 1e8
			at := protocols.Stamp{Time: clock, Clock: clock}
			if next := d.Advance(clock); next != 0 && next <= clock {
				t.Fatalf("at %d Advance wants to be called at %d", clock, next)
			}
			d.Stream(dir, at, AppendSegments(nil, l.header(dir), &l.seq[dir], data[1:1+n]))
			data = data[1+n:]
		}
	})
}

// FuzzObjects decodes octets as the objects of a message; what decodes without
// a violation must encode to the same octets.
func FuzzObjects(f *testing.F) {
	seeds(f, func(m message) {
		if isResponse(m.function) {
			f.Add(m.function, m.body[4:])
		} else {
			f.Add(m.function, m.body[2:])
		}
	})
	f.Fuzz(func(t *testing.T, function uint8, objects []byte) {
		body := append([]byte{0xC0, function, 0, 0}, objects...)
		if !isResponse(function) {
			body = append([]byte{0xC0, function}, objects...)
		}
		c := conversation
		c.OpeningSeen = false
		d := NewDecoder(c, func(ev *protocols.Event) {
			checkEvent(t, ev)
			m := ev.Detail.(*Message)
			for _, v := range ev.Violations {
				switch v.Kind {
				case RelativeTime, ControlStatus, ControlCode, FragmentSize, ObjectSize, TooManyPoints, UnsolicitedDisabled, ControlBits:
				default:
					return
				}
			}
			if got := rebuild(m); m.HasApplication && !bytes.Equal(got, body) {
				t.Fatalf("built % X of % X", got, body)
			}
		}, nil)
		l := new(line)
		dir := protocols.Direction(0)
		if isResponse(function) {
			dir = 1
		}
		d.Stream(dir, protocols.Stamp{}, AppendSegments(nil, l.header(dir), &l.seq[0], body[:min(len(body), MaxFragment)]))
	})
}

// FuzzStream cuts octets into pieces and gaps for both directions: the first
// octet of each piece is its length, direction and whether it is lost.
func FuzzStream(f *testing.F) {
	var sample []byte
	l := new(line)
	for _, s := range []step{l.request(Single(0), 1, 60, 1, 6), l.response(Single(0), 129, 0, anEvent...)} {
		for rest := s.octets; len(rest) > 0; {
			n := min(len(rest), 20)
			sample = append(append(sample, byte(n)<<1|byte(s.dir)), rest[:n]...)
			rest = rest[n:]
		}
	}
	f.Add(sample)
	seeds(f, func(m message) {
		var seq uint8
		var p []byte
		for rest := AppendSegments(nil, m.header, &seq, m.body); len(rest) > 0; {
			n := min(len(rest), 60)
			p = append(append(p, byte(n)<<1|byte(m.direction())), rest[:n]...)
			rest = rest[n:]
		}
		f.Add(p)
	})
	f.Fuzz(func(t *testing.T, data []byte) {
		pool := new(Pool)
		d := NewDecoder(conversation, func(ev *protocols.Event) { checkEvent(t, ev) }, pool)
		var given uint64
		for len(data) > 0 {
			control := data[0]
			n := min(int(control>>1&0x3F), len(data)-1)
			piece := data[1 : 1+n]
			data = data[1+n:]
			dir := protocols.Direction(control & 1)
			if control&0x80 != 0 {
				d.Gap(dir, protocols.Stamp{}, n)
				continue
			}
			given += uint64(n)
			d.Stream(dir, protocols.Stamp{}, piece)
		}
		d.Close(protocols.Stamp{})
		if pool.Stats.Octets != given || pool.Stats.SkippedOctets > given {
			t.Fatalf("%d octets given, %d counted, %d skipped", given, pool.Stats.Octets, pool.Stats.SkippedOctets)
		}
	})
}
