package dnp3

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/weir-ics/weir/protocols"
)

// line builds the octets of an exchange between master 1 and outstation 10.
type line struct {
	seq [2]uint8
}

func (l *line) header(dir protocols.Direction) LinkHeader {
	if dir == 0 {
		return LinkHeader{Dir: true, Prm: true, Function: LinkUnconfirmedUserData, Source: 1, Destination: 10}
	}
	return LinkHeader{Prm: true, Function: LinkUnconfirmedUserData, Source: 10, Destination: 1}
}

// step is octets that one side sends.
type step struct {
	dir    protocols.Direction
	octets []byte
}

// request and response are application fragments in frames.
func (l *line) request(c AppControl, function uint8, objects ...byte) step {
	var f Fragment
	f.Request(c, function).Octets(objects...)
	return step{0, AppendSegments(nil, l.header(0), &l.seq[0], f.Bytes())}
}

func (l *line) response(c AppControl, function uint8, iin uint16, objects ...byte) step {
	var f Fragment
	f.Response(c, function, iin).Octets(objects...)
	return step{1, AppendSegments(nil, l.header(1), &l.seq[1], f.Bytes())}
}

// frame is a frame with any header.
func frame(h LinkHeader, user ...byte) step {
	dir := protocols.Direction(1)
	if h.Dir {
		dir = 0
	}
	return step{dir, AppendFrame(nil, h, user)}
}

// run decodes steps and returns the events, with the kinds of violations of
// each step joined.
func run(steps []step) (events []seen, kinds []string) {
	var r recorder
	d := NewDecoder(conversation, r.emit, nil)
	for i, s := range steps {
		before := len(r.events)
		at := int64(i+1) * 1e6
		d.Advance(at)
		d.Stream(s.dir, protocols.Stamp{Time: at, Clock: at, Frame: uint64(i + 1)}, s.octets)
		var list []string
		for _, e := range r.events[before:] {
			list = append(list, e.kinds...)
		}
		kinds = append(kinds, strings.Join(list, " "))
	}
	return r.events, kinds
}

var (
	crob      = unhexed("0C 01 28 01 00 09 00 41 01 64 00 00 00 00 00 00 00 00")
	crobOther = unhexed("0C 01 28 01 00 09 00 81 01 64 00 00 00 00 00 00 00 00")
	crobNo    = unhexed("0C 01 28 01 00 09 00 41 01 64 00 00 00 00 00 00 00 04")
	allEvents = unhexed("3C 02 06 3C 03 06 3C 04 06")
	anEvent   = unhexed("02 01 17 01 05 81")
)

func unhexed(s string) []byte {
	var p []byte
	for _, f := range strings.Fields(s) {
		var b byte
		fmt.Sscanf(f, "%02X", &b)
		p = append(p, b)
	}
	return p
}

// violationCases are exchanges, each with the violations of its steps.
func violationCases() map[string]struct {
	steps []step
	want  []string
} {
	l := func() *line { return new(line) }
	changed := func(s step, at int) step {
		s.octets[at] ^= 0x10
		return s
	}
	primary := func(function uint8, fcb, fcv bool) LinkHeader {
		return LinkHeader{Dir: true, Prm: true, Function: function, FCB: fcb, FCV: fcv, Source: 1, Destination: 10}
	}
	secondary := LinkHeader{Function: LinkAck, Source: 10, Destination: 1}
	to := func(destination uint16) LinkHeader {
		h := new(line).header(0)
		h.Destination = destination
		return h
	}
	from := func(source uint16) LinkHeader {
		h := new(line).header(0)
		h.Source = source
		return h
	}
	read := []byte{0xC0, 0xC0, 1, 60, 1, 6} // transport octet and fragment
	long := make([]byte, 2100)
	type scenario = struct {
		steps []step
		want  []string
	}
	cases := make(map[string]scenario)
	add := func(name string, steps []step, want ...string) { cases[name] = scenario{steps, want} }

	a := l()
	add("a poll with its answer is in order",
		[]step{a.request(Single(3), 1, 60, 1, 6), a.response(Single(3), 129, 0, 1, 2, 0, 0, 0, 0x81)}, "", "")
	a = l()
	add("events confirmed are in order",
		[]step{a.request(Single(3), 1, 60, 2, 6), a.response(AppControl{FIR: true, FIN: true, CON: true, Seq: 3}, 129, 0, anEvent...), a.request(Single(3), 0)}, "", "", "")
	a = l()
	add("select and operate alike are in order",
		[]step{a.request(Single(3), 3, crob...), a.response(Single(3), 129, 0, crob...), a.request(Single(4), 4, crob...), a.response(Single(4), 129, 0, crob...)}, "", "", "", "")
	a = l()
	add("a response of several fragments is in order",
		[]step{a.request(Single(15), 1, 60, 1, 6), a.response(AppControl{FIR: true, CON: true, Seq: 15}, 129, 0), a.request(Single(15), 0), a.response(AppControl{FIN: true, Seq: 0}, 129, 0)}, "", "", "", "")
	a = l()
	add("unsolicited responses, repeated and confirmed, are in order",
		[]step{a.response(AppControl{FIR: true, FIN: true, CON: true, UNS: true, Seq: 7}, 130, 0, anEvent...), a.response(AppControl{FIR: true, FIN: true, CON: true, UNS: true, Seq: 7}, 130, 0, anEvent...),
			a.request(AppControl{FIR: true, FIN: true, UNS: true, Seq: 7}, 0), a.response(AppControl{FIR: true, FIN: true, CON: true, UNS: true, Seq: 8}, 130, 0, anEvent...)}, "", "", "", "")
	a = l()
	add("a challenged command is in order",
		[]step{a.request(Single(3), 5, crob...), a.response(Single(3), 131, 0), a.request(Single(3), 32), a.response(Single(3), 129, 0, crob...)}, "", "", "", "")
	a = l()
	add("the request repeated is in order",
		[]step{a.request(Single(3), 1, 60, 1, 6), a.request(Single(3), 1, 60, 1, 6), a.response(Single(3), 129, 0)}, "", "", "")

	// Link layer.
	a = l()
	add("header changed", []step{changed(a.request(Single(0), 1), 4)}, "dnp3.header-crc")
	a = l()
	add("data changed", []step{changed(a.request(Single(0), 1), 11)}, "dnp3.block-crc")
	short := []byte{start0, start1, 4, 0xC4, 10, 0, 1, 0}
	crc := CRC(short)
	add("length too small", []step{{0, append(short, byte(crc), byte(crc>>8))}}, "dnp3.link-length")
	a = l()
	garbage := a.request(Single(0), 1, 60, 1, 6)
	garbage.octets = append([]byte{1, 2, 3}, garbage.octets...)
	add("octets before a frame", []step{garbage}, "dnp3.skipped-octets")
	add("reserved link function", []step{frame(primary(7, false, false))}, "dnp3.link-function")
	add("frame count valid missing", []step{frame(primary(LinkConfirmedUserData, true, false), read...)}, "dnp3.frame-count-valid")
	add("frame count bit not changed", []step{
		frame(primary(LinkResetLinkStates, false, false)), frame(secondary),
		frame(primary(LinkConfirmedUserData, true, true), read...), frame(secondary),
		frame(primary(LinkConfirmedUserData, true, true), 0xC1, 0xC1, 1, 60, 2, 6)}, "", "", "", "", "dnp3.no-response dnp3.frame-count-bit")
	add("confirmed frame sent again", []step{
		frame(primary(LinkResetLinkStates, false, false)), frame(secondary),
		frame(primary(LinkConfirmedUserData, true, true), read...),
		frame(primary(LinkConfirmedUserData, true, true), read...), frame(secondary)}, "", "", "", "dnp3.link-retransmission", "")
	nack := secondary
	nack.Function = LinkNack
	add("a confirmed frame sent again after it was refused is in order", []step{
		frame(primary(LinkConfirmedUserData, true, true), read...), frame(nack),
		frame(primary(LinkConfirmedUserData, true, true), read...), frame(secondary)}, "", "", "", "")
	add("a link test sent again", []step{
		frame(primary(LinkTestLinkStates, true, true)), frame(primary(LinkTestLinkStates, true, true)), frame(secondary),
		frame(primary(LinkTestLinkStates, false, true)), frame(secondary)}, "", "dnp3.link-retransmission", "", "", "")
	reserved := secondary
	reserved.FCB = true
	add("reserved bit", []step{frame(primary(LinkRequestLinkStatus, false, false)), frame(reserved)}, "", "dnp3.link-reserved-bit")
	add("data where none belongs", []step{frame(primary(LinkRequestLinkStatus, false, false), 1, 2)}, "dnp3.link-data")
	add("no data where some belongs", []step{frame(primary(LinkUnconfirmedUserData, false, false))}, "dnp3.link-data")
	add("answer that nobody asked for", []step{frame(primary(LinkUnconfirmedUserData, false, false), read...), frame(secondary)}, "", "dnp3.unexpected-secondary")
	add("broadcast source", []step{frame(from(0xFFFF), read...)}, "dnp3.source-address")
	add("reserved destination", []step{frame(to(0xFFF3), read...)}, "dnp3.reserved-address")
	add("self address", []step{frame(to(AddressSelf), read...)}, "dnp3.self-address")
	add("to itself", []step{frame(to(1), read...)}, "dnp3.same-address")
	add("broadcast that wants an answer", []step{frame(LinkHeader{Dir: true, Prm: true, Function: LinkConfirmedUserData, FCB: true, FCV: true, Source: 1, Destination: 0xFFFF}, 0xC0, 0xC0, 2)}, "dnp3.broadcast-misuse")
	add("broadcast read", []step{frame(to(0xFFFD), read...)}, "dnp3.broadcast-misuse")
	add("broadcast write is in order", []step{frame(to(0xFFFD), append([]byte{0xC0, 0xC0, 2}, unhexed("32 01 07 01 00 68 E5 CF 8B 01")...)...)}, "")
	a = l()
	forged := a.request(Single(1), 1, 60, 1, 6)
	forged.dir = 1
	add("both ends are master", []step{a.request(Single(0), 1, 60, 1, 6), forged}, "", "dnp3.direction-bit")

	// Transport.
	add("continued without a first", []step{frame(l().header(0), 0x85, 1, 2, 3)}, "dnp3.transport-no-first")
	add("segment out of order", []step{frame(l().header(0), 0x40, 0xC0, 2), frame(l().header(0), 0x82, 1)}, "", "dnp3.transport-sequence")
	add("unfinished", []step{frame(l().header(0), 0x40, 0xC0, 2), frame(l().header(0), append([]byte{0xC1}, read[1:]...)...)}, "", "dnp3.transport-unfinished")
	add("segment twice", []step{frame(l().header(0), 0x40, 0xC0, 1), frame(l().header(0), 0x40, 0xC0, 1), frame(l().header(0), 1, 60), frame(l().header(0), 1, 60), frame(l().header(0), 0x82, 1, 6)},
		"", "dnp3.transport-unfinished", "", "dnp3.transport-duplicate", "")
	var endless []step
	for i := range 265 {
		octet := byte(i) & transportSeq
		if i == 0 {
			octet |= transportFIR
		}
		endless = append(endless, frame(l().header(0), append([]byte{octet}, make([]byte, maxSegment)...)...))
	}
	wantEndless := make([]string, len(endless))
	wantEndless[263] = "dnp3.fragment-too-long"
	wantEndless[264] = "dnp3.transport-no-first"
	add("a fragment without an end", endless, wantEndless...)
	a = l()
	add("longer than every device must take", []step{a.response(AppControl{FIR: true, FIN: true, UNS: true}, 130, 0, append([]byte{110, 255, 0, 0, 7}, long[:8*255]...)...)}, "dnp3.fragment-size")

	// Application.
	add("no application header", []step{frame(l().header(0), 0xC0, 0xC0)}, "dnp3.fragment-length")
	add("no internal indications", []step{frame(l().header(1), 0xC0, 0xF0, 130)}, "dnp3.fragment-length")
	a = l()
	add("reserved function", []step{a.request(Single(0), 70)}, "dnp3.reserved-function")
	a = l()
	fromOutstation := frame(a.header(1), 0xC0, 0xC0, 1, 60, 1, 6)
	add("read by an outstation", []step{fromOutstation}, "dnp3.request-from-outstation")
	add("response by a master", []step{frame(l().header(0), 0xC0, 0xC0, 129, 0, 0)}, "dnp3.response-from-master")
	a = l()
	add("request that wants a confirm", []step{a.request(AppControl{FIR: true, FIN: true, CON: true}, 1, 60, 1, 6)}, "dnp3.control-bits")
	a = l()
	add("unsolicited without its bit", []step{a.response(Single(0), 130, 0)}, "dnp3.control-bits")
	a = l()
	add("request jumps", []step{a.request(Single(0), 6, crob...), a.request(Single(5), 6, crob...)}, "", "dnp3.request-sequence")
	a = l()
	add("answer to another request", []step{a.request(Single(4), 1, 60, 1, 6), a.response(Single(3), 129, 0)}, "", "dnp3.response-sequence")
	a = l()
	add("fragment left out", []step{a.request(Single(4), 1, 60, 1, 6), a.response(AppControl{FIR: true, Seq: 4}, 129, 0), a.response(AppControl{FIN: true, Seq: 6}, 129, 0)}, "", "", "dnp3.fragment-sequence")
	a = l()
	add("unsolicited jumps", []step{a.response(AppControl{FIR: true, FIN: true, UNS: true, Seq: 1}, 130, 0), a.response(AppControl{FIR: true, FIN: true, UNS: true, Seq: 5}, 130, 0)}, "", "dnp3.unsolicited-sequence")
	a = l()
	add("two answers", []step{a.request(Single(4), 1, 60, 1, 6), a.response(Single(4), 129, 0), a.response(Single(4), 129, 0)}, "", "", "dnp3.response-without-request")
	a = l()
	add("answer before any request", []step{a.response(Single(4), 129, 0)}, "dnp3.response-without-request")
	a = l()
	add("answer to a command that wants none", []step{a.request(Single(4), 6, crob...), a.response(Single(4), 129, 0)}, "", "dnp3.response-without-request")
	a = l()
	add("confirm of nothing", []step{a.request(Single(4), 1, 60, 1, 6), a.response(Single(4), 129, 0), a.request(Single(4), 0)}, "", "", "dnp3.confirm-without-cause")
	a = l()
	add("no answer", []step{a.request(Single(4), 1, 60, 1, 6), a.request(Single(5), 1, 60, 1, 6)}, "", "dnp3.no-response")
	a = l()
	add("events after they were disabled", []step{a.request(Single(4), 21, allEvents...), a.response(Single(4), 129, 0), a.response(AppControl{FIR: true, FIN: true, UNS: true}, 130, 0, anEvent...),
		a.request(Single(5), 20, allEvents...), a.response(Single(5), 129, 0), a.response(AppControl{FIR: true, FIN: true, UNS: true, Seq: 1}, 130, 0, anEvent...)},
		"", "", "dnp3.unsolicited-disabled", "", "", "")
	a = l()
	add("reserved indication", []step{a.request(Single(4), 1, 60, 1, 6), a.response(Single(4), 129, 0x8000)}, "", "dnp3.reserved-iin")

	// Objects.
	object := func(name, want string, function uint8, octets string) {
		a := l()
		c := Single(0)
		if isResponse(function) {
			c.UNS = true
			add(name, []step{a.response(c, function, 0, unhexed(octets)...)}, want)
			return
		}
		add(name, []step{a.request(c, function, unhexed(octets)...)}, want)
	}
	object("unknown group", "dnp3.unknown-object", 1, "C8 01 06")
	object("unknown variation with objects", "dnp3.unknown-object", 130, "1E 63 00 00 00 01 02")
	object("any variation with objects", "dnp3.unknown-object", 130, "1E 00 00 00 00 01 02")
	object("reserved qualifier", "dnp3.qualifier", 1, "01 02 0A")
	object("qualifier with its high bit", "dnp3.qualifier", 1, "01 02 86")
	object("index before a range", "dnp3.qualifier", 1, "01 02 10 00 01")
	object("all, with objects", "dnp3.qualifier dnp3.object-length", 130, "01 02 06 81")
	object("range that ends before it begins", "dnp3.object-range", 1, "01 02 00 05 04")
	object("objects past the end", "dnp3.object-length", 130, "01 02 00 00 05 81 81")
	object("header past the end", "dnp3.object-length", 1, "01 02")
	object("size past the end", "dnp3.object-length", 130, "46 04 5B 01 FF 00 01")
	object("length inside past the size", "dnp3.object-size", 29, "46 02 5B 01 0C 00 0C 00 02 00 0E 00 03 00 00 00 00 00")
	object("relative time without a base", "dnp3.relative-time", 130, "02 03 17 01 02 81 E8 03")
	many := append([]byte{1, 1, 1, 0, 0, 0xFF, 0xFF}, make([]byte, 8192)...)
	many = append(many, 1, 1, 0, 0, 0, 1)
	a = l()
	add("more points than are kept", []step{a.response(AppControl{FIR: true, FIN: true, UNS: true}, 130, 0, many...)}, "dnp3.fragment-size dnp3.too-many-points")

	// Commands.
	object("reserved control code", "dnp3.control-code", 6, "0C 01 28 01 00 09 00 07 01 64 00 00 00 00 00 00 00 00")
	a = l()
	add("command refused", []step{a.request(Single(4), 5, crob...), a.response(Single(4), 129, 0, crobNo...)}, "", "dnp3.control-status")
	a = l()
	add("operate without select", []step{a.request(Single(4), 4, crob...)}, "dnp3.operate-without-select")
	a = l()
	add("operate after another request", []step{a.request(Single(3), 3, crob...), a.response(Single(3), 129, 0, crob...), a.request(Single(4), 1, 60, 1, 6), a.response(Single(4), 129, 0), a.request(Single(5), 4, crob...)},
		"", "", "", "", "dnp3.operate-without-select")
	a = l()
	add("operate after a refused select", []step{a.request(Single(3), 3, crob...), a.response(Single(3), 129, 0, crobNo...), a.request(Single(4), 4, crob...)},
		"", "dnp3.control-status", "dnp3.operate-without-select")
	a = l()
	add("operate of something else", []step{a.request(Single(3), 3, crob...), a.response(Single(3), 129, 0, crob...), a.request(Single(4), 4, crobOther...)},
		"", "", "dnp3.select-operate-differ")
	a = l()
	add("answer repeats another command", []step{a.request(Single(3), 5, crob...), a.response(Single(3), 129, 0, crobOther...)}, "", "dnp3.command-echo-differs")
	return cases
}

// TestViolationsAreFoundWhereTheyAre runs every exchange and compares the
// violations of each of its steps.
func TestViolationsAreFoundWhereTheyAre(t *testing.T) {
	for name, c := range violationCases() {
		_, got := run(c.steps)
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: violations %q, want %q", name, got, c.want)
		}
	}
}

// TestEveryViolationHasACase keeps the cases complete.
func TestEveryViolationHasACase(t *testing.T) {
	found := make(map[string]bool)
	for _, c := range violationCases() {
		for _, w := range c.want {
			for _, k := range strings.Fields(w) {
				found[k] = true
			}
		}
	}
	// Only datagrams can be truncated.
	var r recorder
	d := NewDecoder(protocols.Conversation{Transport: protocols.UDP}, r.emit, nil)
	a := new(line)
	whole := a.request(Single(0), 1, 60, 1, 6).octets
	d.Datagram(0, protocols.Stamp{}, whole[:len(whole)-2])
	for _, k := range r.only(t).kinds {
		found[k] = true
	}
	names := make(map[string]bool)
	for _, k := range Violations() {
		if !found[k.Name] {
			t.Errorf("no case finds %s", k.Name)
		}
		if names[k.Name] {
			t.Errorf("%s is declared twice", k.Name)
		}
		names[k.Name] = true
		if k.Clause == "" || k.Meaning == "" || !strings.HasPrefix(k.Name, "dnp3.") {
			t.Errorf("%s lacks a clause, a meaning, or its prefix", k.Name)
		}
	}
}

// TestAGapForgivesWhatItMayHide drops each step of orderly exchanges and tells
// the decoder of the gap: nothing that follows may be called a violation.
func TestAGapForgivesWhatItMayHide(t *testing.T) {
	for name, c := range violationCases() {
		if !strings.HasSuffix(name, "in order") {
			continue
		}
		for drop := range c.steps {
			var r recorder
			d := NewDecoder(conversation, r.emit, nil)
			for i, s := range c.steps {
				at := protocols.Stamp{Frame: uint64(i + 1)}
				if i == drop {
					d.Gap(s.dir, at, len(s.octets))
					continue
				}
				d.Stream(s.dir, at, s.octets)
			}
			for _, e := range r.events {
				if len(e.kinds) > 0 {
					t.Errorf("%s, without step %d: %v in frame %d", name, drop, e.kinds, e.Frame)
				}
			}
		}
	}
}
