package dnp3

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/weir-ics/weir/protocols"
)

// TestAResponseIsTiedToItsRequest checks round-trip time, frame and effect.
func TestAResponseIsTiedToItsRequest(t *testing.T) {
	var l line
	events, _ := run([]step{
		l.request(Single(3), FunctionWrite, unhexed("32 01 07 01 00 68 E5 CF 8B 01")...),
		l.response(AppControl{FIR: true, CON: true, Seq: 3}, FunctionResponse, IINNeedTime),
		l.request(Single(3), FunctionConfirm),
		l.response(AppControl{FIN: true, Seq: 4}, FunctionResponse, 0),
	})
	for i, want := range []struct {
		role   protocols.Role
		effect protocols.Effect
		rtt    int64
		frame  uint64
	}{
		{protocols.RoleRequest, protocols.Write, -1, 0},
		{protocols.RoleResponse, protocols.Write, 1e6, 1},
		{protocols.RoleConfirm, protocols.Session, -1, 2},
		{protocols.RoleResponse, protocols.Write, -1, 1},
	} {
		e := events[i]
		if e.Role != want.role || e.Effect != want.effect || e.RTT != want.rtt || e.RequestFrame != want.frame {
			t.Errorf("message %d: role %s, effect %s, round trip %d, request frame %d, want %s, %s, %d, %d",
				i, e.Role, e.Effect, e.RTT, e.RequestFrame, want.role, want.effect, want.rtt, want.frame)
		}
	}
	if !events[1].HasIIN || events[1].IIN != IINNeedTime {
		t.Errorf("internal indications %04X", events[1].IIN)
	}
}

// TestALinkStatusIsTiedToItsRequest checks the same of link frames.
func TestALinkStatusIsTiedToItsRequest(t *testing.T) {
	events, _ := run([]step{
		frame(LinkHeader{Dir: true, Prm: true, Function: LinkRequestLinkStatus, Source: 1, Destination: 10}),
		frame(LinkHeader{Function: LinkStatus, DFC: true, Source: 10, Destination: 1}),
	})
	if e := events[1]; e.Role != protocols.RoleLink || e.RTT != 1e6 || e.RequestFrame != 1 || e.Name != "LINK_STATUS" || e.FromClient {
		t.Errorf("role %s, round trip %d, request frame %d, name %s, from client %t", e.Role, e.RTT, e.RequestFrame, e.Name, e.FromClient)
	}
	if want := `,"link":{"function":11,"name":"LINK_STATUS","dir":false,"prm":false,"dfc":true}`; events[1].json != want {
		t.Errorf("json %s, want %s", events[1].json, want)
	}
}

// TestAnUnansweredRequestIsToldAtItsDeadline lets packet time pass.
func TestAnUnansweredRequestIsToldAtItsDeadline(t *testing.T) {
	var l line
	var r recorder
	d := NewDecoder(conversation, r.emit, nil)
	if next := d.Advance(5); next != 0 {
		t.Errorf("nothing is due, but Advance returns %d", next)
	}
	d.Stream(0, protocols.Stamp{Time: 1000, Clock: 1000, Frame: 9}, l.request(Single(3), FunctionRead, 60, 1, 6).octets)
	due := int64(1000 + responseTimeout)
	if next := d.Advance(2000); next != due {
		t.Errorf("Advance returns %d, want %d", next, due)
	}
	if next := d.Advance(due + 5); next != 0 {
		t.Errorf("Advance returns %d after the deadline", next)
	}
	if len(r.events) != 2 {
		t.Fatalf("%d events, want the request and the notice", len(r.events))
	}
	e := r.events[1]
	if e.Role != protocols.RoleNotice || e.Time != due || e.RequestFrame != 9 || e.Function != FunctionRead || e.Source != 1 || e.Destination != 10 || !e.FromClient {
		t.Errorf("notice: role %s, time %d, request frame %d, function %d, %d to %d", e.Role, e.Time, e.RequestFrame, e.Function, e.Source, e.Destination)
	}
	if len(e.kinds) != 1 || e.kinds[0] != "dnp3.no-response" {
		t.Errorf("violations %v", e.kinds)
	}
	if e.json != "" {
		t.Errorf("a notice of no frame has fields of one: %s", e.json)
	}
	if d.pool.Stats.Unanswered != 1 {
		t.Errorf("%d counted as unanswered", d.pool.Stats.Unanswered)
	}
}

// TestTimeOutsDoNotDependOnHowOftenTimeIsTold gives a late response with and
// without a call of Advance before it.
func TestTimeOutsDoNotDependOnHowOftenTimeIsTold(t *testing.T) {
	decode := func(advance bool) (list []string) {
		var l line
		var r recorder
		d := NewDecoder(conversation, r.emit, nil)
		d.Stream(0, protocols.Stamp{Time: 1000, Clock: 1000, Frame: 1}, l.request(Single(3), FunctionRead, 60, 1, 6).octets)
		const late = 2000 + responseTimeout
		if advance {
			d.Advance(late)
		}
		d.Stream(1, protocols.Stamp{Time: late, Clock: late, Frame: 2}, l.response(Single(3), FunctionResponse, 0).octets)
		for _, e := range r.events {
			list = append(list, fmt.Sprint(e.Time, e.Frame, e.Role, e.kinds))
		}
		return list
	}
	told, untold := decode(true), decode(false)
	if !slices.Equal(told, untold) || len(told) != 3 {
		t.Errorf("with Advance %v, without %v", told, untold)
	}
}

// TestAssociationsOfOneConnectionAreApart interleaves the segments of fragments
// of two outstations behind one gateway.
func TestAssociationsOfOneConnectionAreApart(t *testing.T) {
	var seq [2]uint8
	var frames [2][][]byte
	for i := range 2 {
		var f Fragment
		f.Response(AppControl{FIR: true, FIN: true, UNS: true}, FunctionUnsolicitedResponse, 0)
		f.Header(110, 200, QualifierRange8, 0, 3)
		for range 800 {
			f.Octets(byte(i))
		}
		h := LinkHeader{Prm: true, Function: LinkUnconfirmedUserData, Source: uint16(10 + i), Destination: 1}
		rest := AppendSegments(nil, h, &seq[i], f.Bytes())
		for len(rest) > 0 {
			n := frameSize(rest[2])
			frames[i] = append(frames[i], rest[:n])
			rest = rest[n:]
		}
	}
	var r recorder
	d := NewDecoder(conversation, r.emit, nil)
	for k := range frames[0] {
		for i := range 2 {
			d.Stream(1, protocols.Stamp{Frame: uint64(k)}, frames[i][k])
		}
	}
	if len(r.events) != 2 {
		t.Fatalf("%d events, want 2", len(r.events))
	}
	for i, e := range r.events {
		if e.Source != uint16(10+i) || len(e.kinds) > 0 || len(e.Points) != 4 || e.Points[3].Bytes[199] != byte(i) {
			t.Errorf("message %d: source %d, violations %v, %d points", i, e.Source, e.kinds, len(e.Points))
		}
	}
}

// TestADeviceTellsWhatItIs reads attributes.
func TestADeviceTellsWhatItIs(t *testing.T) {
	ev := decodeBody(t, FunctionResponse, append(unhexed("00 FC 00 00 00 01 04 41 63 6D 65"), unhexed("00 F2 00 00 00 01 03 31 2E 30")...))
	if len(ev.Identity) != 2 || ev.Identity[0].Key != protocols.IdentityVendor || string(ev.Identity[0].Value) != "Acme" ||
		ev.Identity[1].Key != protocols.IdentityVersion || string(ev.Identity[1].Value) != "1.0" {
		t.Errorf("identity %v", ev.Identity)
	}
	ev = decodeBody(t, FunctionResponse, unhexed("00 FC 00 01 01 01 04 41 63 6D 65"))
	if len(ev.Identity) != 0 {
		t.Errorf("an attribute of another set than 0 is not the standard's: %v", ev.Identity)
	}
	ev = decodeBody(t, FunctionWrite, unhexed("00 F7 00 00 00 01 03 52 54 55"))
	if len(ev.Identity) != 0 {
		t.Errorf("what a master writes is not what the device says: %v", ev.Identity)
	}
}

// fileCommand is an object of group 70 variation 3.
func fileCommand(name string, mode byte, size int) []byte {
	p := unhexed("1A 00 00 00 00 00 00 00 00 00 24 01 00 00 00 00 00 00 00 00 00 00 00 04 07 00")
	p[2], p[16], p[17], p[20] = byte(len(name)), byte(size), byte(size>>8), mode
	return append(p, name...)
}

// fileExchange is a transfer of content in blocks: read by the master (1) or
// written (2).
func fileExchange(l *line, name string, mode byte, content []byte, block int) []step {
	var f Fragment
	free := func(variation uint8, object []byte) []byte {
		f.Reset()
		return append([]byte(nil), f.FreeFormat(70, variation, object).Bytes()...)
	}
	handle := []byte{7, 0, 0, 0}
	steps := []step{
		l.request(Single(0), FunctionOpenFile, free(3, fileCommand(name, mode, len(content)))...),
		l.response(Single(0), FunctionResponse, 0, free(4, append(handle, byte(len(content)), byte(len(content)>>8), 0, 0, 0, 4, 7, 0, 0))...),
	}
	seq := uint8(1)
	for n := uint32(0); ; n++ {
		part := content[:min(block, len(content))]
		content = content[len(part):]
		number := []byte{byte(n), byte(n >> 8), 0, 0}
		if len(content) == 0 {
			number[3] = 0x80
		}
		transport := append(append(append([]byte(nil), handle...), number...), part...)
		if mode == 1 {
			steps = append(steps, l.request(Single(seq), FunctionRead, free(5, transport[:8])...), l.response(Single(seq), FunctionResponse, 0, free(5, transport)...))
		} else {
			steps = append(steps, l.request(Single(seq), FunctionWrite, free(5, transport)...), l.response(Single(seq), FunctionResponse, 0, free(6, append(transport[:8], 0))...))
		}
		seq = (seq + 1) & 15
		if len(content) == 0 {
			break
		}
	}
	return append(steps,
		l.request(Single(seq), FunctionCloseFile, free(4, append(handle, 0, 0, 0, 0, 0, 0, 7, 0, 0))...),
		l.response(Single(seq), FunctionResponse, 0, free(4, append(handle, 0, 0, 0, 0, 0, 0, 7, 0, 0))...))
}

// TestATransferredFileIsKnownByItsDigest follows files both ways.
func TestATransferredFileIsKnownByItsDigest(t *testing.T) {
	content := newGenerator(7).octets(1234)
	for mode := byte(1); mode <= 2; mode++ {
		events, kinds := run(fileExchange(new(line), "../app/logic.bin", mode, content, 500))
		for i, k := range kinds {
			if k != "" {
				t.Errorf("mode %d step %d: %s", mode, i, k)
			}
		}
		complete := 0
		for _, e := range events {
			for _, f := range e.Files {
				if string(f.Name) != "../app/logic.bin" {
					t.Errorf("mode %d: file %q in %s", mode, f.Name, e.Name)
				}
				if f.Complete {
					complete++
					if want := fmt.Sprintf(`"files":[{"name":"../app/logic.bin","size":1234,"complete":true,"sha256":"%x"}]`, sha256.Sum256(content)); !strings.Contains(e.json, want) {
						t.Errorf("mode %d: %s does not hold %s", mode, e.json, want)
					}
					if f.Size != 1234 || f.SHA256 != sha256.Sum256(content) {
						t.Errorf("mode %d: size %d, digest %x", mode, f.Size, f.SHA256)
					}
				}
			}
		}
		if complete != 1 {
			t.Errorf("mode %d: %d complete files, want 1", mode, complete)
		}
		last := events[len(events)-1]
		if last.Effect != protocols.FileAccess || len(last.Files) != 1 {
			t.Errorf("mode %d: the close has effect %s and names %d files", mode, last.Effect, len(last.Files))
		}
	}
}

// TestABlockSentAgainCountsOnce repeats a block of a file.
func TestABlockSentAgainCountsOnce(t *testing.T) {
	content := newGenerator(11).octets(900)
	steps := fileExchange(new(line), "f", 2, content, 300)
	again := append([]step(nil), steps[:5]...)
	again = append(again, step{0, steps[4].octets}) // the second block, which had no answer in time
	again = append(again, steps[5:]...)
	events, _ := run(again)
	for _, e := range events {
		for _, f := range e.Files {
			if f.Complete && f.Size == 900 && f.SHA256 == sha256.Sum256(content) {
				return
			}
		}
	}
	t.Error("no complete file")
}

// TestAFileWithAMissingBlockIsNotComplete drops each block in turn.
func TestAFileWithAMissingBlockIsNotComplete(t *testing.T) {
	content := newGenerator(8).octets(1234)
	steps := fileExchange(new(line), "f", 2, content, 300)
	for drop := 2; drop < len(steps)-2; drop += 2 {
		events, _ := run(append(append([]step(nil), steps[:drop]...), steps[drop+1:]...))
		for _, e := range events {
			for _, f := range e.Files {
				if f.Complete {
					t.Errorf("complete although step %d is missing", drop)
				}
			}
		}
	}
}

// TestFilesBeyondTheBoundAreLetGo opens more files than are followed.
func TestFilesBeyondTheBoundAreLetGo(t *testing.T) {
	var l line
	var f Fragment
	var r recorder
	d := NewDecoder(conversation, r.emit, nil)
	for i := range 20 {
		seq := Single(uint8(i) & 15)
		f.Reset()
		open := l.request(seq, FunctionOpenFile, f.FreeFormat(70, 3, fileCommand(fmt.Sprint("file", i), 1, 0)).Bytes()...)
		f.Reset()
		opened := l.response(seq, FunctionResponse, 0, f.FreeFormat(70, 4, []byte{byte(i), 0, 0, 0, 0, 0, 0, 0, 0, 4, 7, 0, 0}).Bytes()...)
		d.Stream(0, protocols.Stamp{}, open.octets)
		d.Stream(1, protocols.Stamp{}, opened.octets)
	}
	if got := d.pool.Stats.FilesEvicted; got != 20-maxFiles {
		t.Errorf("%d files let go, want %d", got, 20-maxFiles)
	}
}

func TestProbeKnowsTheProtocolByItsHeader(t *testing.T) {
	good := AppendFrame(nil, LinkHeader{Dir: true, Prm: true, Function: LinkRequestLinkStatus, Source: 1, Destination: 10}, nil)
	for n := range len(good) {
		if got := Probe(good[:n]); got != protocols.Maybe {
			t.Errorf("%d octets: %v, want maybe", n, got)
		}
	}
	if got := Probe(good); got != protocols.Yes {
		t.Errorf("a whole header: %v", got)
	}
	for i := range good {
		bad := append([]byte(nil), good...)
		bad[i] ^= 1
		if got := Probe(bad); got != protocols.No {
			t.Errorf("octet %d changed: %v, want no", i, got)
		}
	}
	if got := Probe([]byte("GET / HTTP/1.1")); got != protocols.No {
		t.Errorf("another protocol: %v", got)
	}
}
