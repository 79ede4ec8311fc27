package dnp3

import (
	"bytes"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/weir-ics/weir/protocols"
)

// rebuild encodes a message again from what was decoded of it.
func rebuild(m *Message) []byte {
	var f Fragment
	if m.HasIIN {
		f.Response(m.Control, m.Function, m.IIN)
	} else {
		f.Request(m.Control, m.Function)
	}
	for i := range m.Objects {
		o := &m.Objects[i]
		a, b := o.Start, o.Stop
		if o.hasCount() {
			a = o.Count
		}
		f.Header(o.Group, o.Variation, o.Qualifier, a, b)
		it := o.iterate()
		if o.v != nil && o.v.bits > 0 && prefixCodes[o.Qualifier>>4].size == 0 {
			f.Octets(o.Data...)
			continue
		}
		for {
			index, object, ok := it.next()
			if !ok {
				break
			}
			if prefix := prefixCodes[o.Qualifier>>4]; prefix.size > 0 && !prefix.index {
				index = uint32(len(object))
			}
			f.Prefix(o.Qualifier, index).Octets(object...)
		}
	}
	return f.Bytes()
}

// TestDecodingAndEncodingAreInverse encodes generated messages, decodes them,
// and encodes what was decoded: the octets must be the same.
func TestDecodingAndEncodingAreInverse(t *testing.T) {
	g := newGenerator(1)
	count := 20000
	if testing.Short() {
		count = 2000
	}
	for i := range count {
		m := g.message(2000)
		events := 0
		c := conversation
		c.OpeningSeen = false
		d := NewDecoder(c, func(ev *protocols.Event) {
			events++
			for _, v := range ev.Violations {
				switch v.Kind {
				case RelativeTime, ControlStatus, ControlCode:
				default:
					t.Fatalf("message %d % X: violation %s(%d, %d)", i, m.body, v.Kind.Name, v.Observed, v.Expected)
				}
			}
			detail := ev.Detail.(*Message)
			if got := rebuild(detail); !bytes.Equal(got, m.body) {
				t.Fatalf("message %d: built\n% X, was\n% X", i, got, m.body)
			}
			if len(detail.Unparsed) > 0 || detail.Function != m.function || !bytes.Equal(detail.Fragment, m.body) {
				t.Fatalf("message %d: unparsed % X, function %d", i, detail.Unparsed, detail.Function)
			}
		}, nil)
		seq := uint8(g.IntN(64))
		d.Stream(m.direction(), protocols.Stamp{}, AppendSegments(nil, m.header, &seq, m.body))
		if events != 1 {
			t.Fatalf("message %d: %d events", i, events)
		}
	}
}

// TestPointsSurviveEncoding decodes random objects to points, encodes the
// points, and decodes them again.
func TestPointsSurviveEncoding(t *testing.T) {
	g := newGenerator(2)
	for i := range groups {
		for j := range groups[i].variations {
			v := &groups[i].variations[j]
			if !v.plain && v.bits == 0 || v.relative || v.group.number == 12 || v.group.number == 50 && v.number > 1 || v.group.number > 120 {
				continue // what a Point has no room for
			}
			for range 50 {
				n := 1 + g.IntN(9)
				q := QualifierRange8
				if v.bits == 0 && g.IntN(2) == 0 {
					q = QualifierIndex16
				}
				var body []byte
				body = append(body, v.group.number, v.number, q)
				if q == QualifierRange8 {
					body = append(body, 3, byte(3+n-1))
				} else {
					body = append(body, byte(n), 0)
				}
				if v.bits > 0 {
					body = append(body, g.octets((n*int(v.bits)+7)/8)...)
					if used := n * int(v.bits) % 8; used > 0 {
						body[len(body)-1] &= 1<<used - 1
					}
				}
				for k := range n {
					if v.bits > 0 {
						break
					}
					if q == QualifierIndex16 {
						body = append(body, byte(3+k), 1)
					}
					object := g.octets(v.size)
					if v.statusAt >= 0 && v.valueEnc != encCommanded {
						object[v.statusAt] &= 0x7F
					}
					if v.valueEnc == encF32 || v.valueEnc == encF64 {
						object[int(v.valueAt)+int(encodingSizes[v.valueEnc])-1] = 0x41 // no NaN
					}
					switch v.valueEnc {
					case encBCD2, encBCD4, encBCD8:
						for b := range object {
							object[b] = object[b]%10 | object[b]>>4%10<<4
						}
						if v.valueEnc == encBCD8 {
							object[7] = 0 // a float holds 15 digits
						}
					}
					if v.timeAt >= 0 {
						object[v.timeAt+5] = 0 // a time that nanoseconds can hold
					}
					body = append(body, object...)
				}
				ev := decodeBody(t, FunctionResponse, body)
				var f Fragment
				if err := f.Points(v.group.number, v.number, q, ev.Points); err != nil {
					t.Fatal(err)
				}
				if !bytes.Equal(f.Bytes(), body) {
					if v.valueEnc == encDelaySeconds {
						continue // seconds are reported as milliseconds
					}
					t.Fatalf("group %d variation %d: encoded\n% X, was\n% X", v.group.number, v.number, f.Bytes(), body)
				}
			}
		}
	}
}

// traffic is a stream of one direction: some messages, each with its octets.
func traffic(g generator, n int) (messages []message, frames [][]byte) {
	var seq uint8
	for len(messages) < n {
		m := g.message(1200)
		if !m.header.Dir {
			continue
		}
		messages = append(messages, m)
		frames = append(frames, AppendSegments(nil, m.header, &seq, m.body))
	}
	return messages, frames
}

// bodies decodes a stream given in pieces and returns the fragments found. A
// nil piece is a gap.
func bodies(pieces [][]byte, lost int, opening bool) (list [][]byte) {
	c := conversation
	c.OpeningSeen = opening
	d := NewDecoder(c, func(ev *protocols.Event) {
		if ev.Role != protocols.RoleNotice {
			list = append(list, append([]byte(nil), ev.Detail.(*Message).Fragment...))
		}
	}, nil)
	for _, p := range pieces {
		if p == nil {
			d.Gap(0, protocols.Stamp{}, lost)
			continue
		}
		d.Stream(0, protocols.Stamp{}, p)
	}
	return list
}

func fragmentsOf(messages []message) (list [][]byte) {
	for _, m := range messages {
		list = append(list, m.body)
	}
	return list
}

// TestSplittingAtAnyOctetChangesNothing splits a stream in two at every octet,
// and into single octets.
func TestSplittingAtAnyOctetChangesNothing(t *testing.T) {
	g := newGenerator(3)
	messages, frames := traffic(g, 8)
	stream := bytes.Join(frames, nil)
	want := fragmentsOf(messages)
	for at := range len(stream) + 1 {
		if diff := cmp.Diff(want, bodies([][]byte{stream[:at], stream[at:]}, 0, true)); diff != "" {
			t.Fatalf("split at %d (-want +got)\n%s", at, diff)
		}
	}
	var single [][]byte
	for i := range stream {
		single = append(single, stream[i:i+1])
	}
	if diff := cmp.Diff(want, bodies(single, 0, true)); diff != "" {
		t.Fatalf("single octets (-want +got)\n%s", diff)
	}
}

// TestGarbageBetweenFramesIsPassedOver inserts random octets, starts of frames
// among them, between frames.
func TestGarbageBetweenFramesIsPassedOver(t *testing.T) {
	g := newGenerator(4)
	for round := range 300 {
		messages, frames := traffic(g, 6)
		var stream []byte
		for _, f := range frames {
			garbage := g.octets(g.IntN(40))
			for i := 0; i+1 < len(garbage); i += 7 {
				garbage[i], garbage[i+1] = start0, start1
			}
			if n := len(garbage); n > 0 && round%2 == 0 {
				garbage[n-1] = start0
			}
			stream = append(append(stream, garbage...), f...)
		}
		at := g.IntN(len(stream))
		if diff := cmp.Diff(fragmentsOf(messages), bodies([][]byte{stream[:at], stream[at:]}, 0, true)); diff != "" {
			t.Fatalf("round %d (-want +got)\n%s", round, diff)
		}
	}
}

// TestLosingOneSegmentInventsNoMessage drops each TCP segment in turn, segments
// being cut without regard to frames: what is decoded must have been sent, in
// order, and only messages that the loss touched may be missing.
func TestLosingOneSegmentInventsNoMessage(t *testing.T) {
	g := newGenerator(5)
	for round := range 60 {
		messages, frames := traffic(g, 8)
		stream := bytes.Join(frames, nil)
		var segments [][]byte
		for rest := stream; len(rest) > 0; {
			n := min(1+g.IntN(400), len(rest))
			segments = append(segments, rest[:n])
			rest = rest[n:]
		}
		for drop := range segments {
			pieces := append([][]byte(nil), segments...)
			lost := len(pieces[drop])
			pieces[drop] = nil
			for _, told := range []int{lost, 0} {
				checkSubsequence(t, round, drop, fragmentsOf(messages), bodies(pieces, told, true))
			}
		}
	}
}

// checkSubsequence fails if got is not want with some left out.
func checkSubsequence(t *testing.T, round, drop int, want, got [][]byte) {
	t.Helper()
	i := 0
	for _, b := range got {
		for i < len(want) && !bytes.Equal(want[i], b) {
			i++
		}
		if i == len(want) {
			t.Fatalf("round %d, segment %d lost: % X was not sent (or not in that order)", round, drop, b)
		}
		i++
	}
}

// TestAFrameWithinDataIsNoFrameAfterALoss hides whole frames in the data of
// another: losing the beginning of the outer must not bring them to light.
func TestAFrameWithinDataIsNoFrameAfterALoss(t *testing.T) {
	inner := AppendFrame(nil, LinkHeader{Dir: true, Prm: true, Function: LinkRequestLinkStatus, Source: 1, Destination: 10}, nil)
	var f Fragment
	f.Request(Single(0), FunctionWrite)
	f.Header(110, 3, QualifierRange8, 0, 0).Octets(1, 2, 3)
	f.Header(110, 16, QualifierRange8, 0, 8)
	for range 9 {
		// Each string begins where a block of the frame does: after the
		// transport octet, 2 of the application, 8 and 5 of the headers.
		f.Octets(inner...).Octets(0, 0, 0, 0, 0, 0)
	}
	var seq uint8
	outer := AppendSegments(nil, LinkHeader{Dir: true, Prm: true, Function: LinkUnconfirmedUserData, Source: 1, Destination: 10}, &seq, f.Bytes())
	for lost := 1; lost < len(outer); lost++ {
		for begin := 0; begin+lost <= len(outer); begin++ {
			pieces := [][]byte{outer[:begin], nil, outer[begin+lost:]}
			for _, told := range []int{lost, 0} {
				if got := bodies(pieces, told, true); len(got) > 0 {
					t.Fatalf("%d octets lost at %d brought % X to light", lost, begin, got)
				}
			}
		}
	}
}

// TestAChangedOctetIsAMissingMessage flips every bit of a stream in turn; the
// CRC finds every single one.
func TestAChangedOctetIsAMissingMessage(t *testing.T) {
	g := newGenerator(6)
	messages, frames := traffic(g, 3)
	stream := bytes.Join(frames, nil)
	want := fragmentsOf(messages)
	for bitAt := range len(stream) * 8 {
		stream[bitAt/8] ^= 1 << (bitAt % 8)
		got := bodies([][]byte{stream}, 0, true)
		stream[bitAt/8] ^= 1 << (bitAt % 8)
		checkSubsequence(t, 0, bitAt, want, got)
		if len(got) == len(want) {
			t.Fatalf("bit %d changed and all messages were decoded", bitAt)
		}
	}
}

// TestALossWithinAFrameEndsWithIt loses octets in the middle of a frame: the
// next frame is found where the length of the broken one says, whatever
// follows it.
func TestALossWithinAFrameEndsWithIt(t *testing.T) {
	g := newGenerator(10)
	messages, frames := traffic(g, 2)
	for len(frames[0]) < 60 || len(frames[0]) > maxFrame {
		messages, frames = traffic(g, 2)
	}
	for begin := headerSize; begin+20 <= len(frames[0]); begin++ {
		stream := append(append([]byte(nil), frames[0][begin+20:]...), frames[1]...)
		stream = append(stream, 1, 2, 3)
		for at := range stream {
			got := bodies([][]byte{frames[0][:begin], nil, stream[:at], stream[at:]}, 20, true)
			if diff := cmp.Diff([][]byte{messages[1].body}, got); diff != "" {
				t.Fatalf("20 octets lost at %d, split at %d (-want +got)\n%s", begin, at, diff)
			}
		}
	}
}

// TestALossOfAsManySegmentsAsSequenceNumbersIsNoticed loses 64 segments, after
// which the sequence number is the one due.
func TestALossOfAsManySegmentsAsSequenceNumbersIsNoticed(t *testing.T) {
	var seq uint8
	h := new(line).header(0)
	var f Fragment
	f.Request(Single(0), FunctionWrite).Octets(make([]byte, 150*maxSegment)...)
	stream := AppendSegments(nil, h, &seq, f.Bytes())
	cut, lost := 10*maxFrame, 64*maxFrame
	if got := bodies([][]byte{stream[:cut], nil, stream[cut+lost:]}, lost, true); len(got) > 0 {
		t.Errorf("a fragment of %d octets was made of what is left of %d", len(got[0]), len(f.Bytes()))
	}
}
