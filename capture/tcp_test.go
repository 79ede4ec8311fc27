package capture

import (
	"fmt"
	"testing"
	"time"
)

func TestAConnectionFromHandshakeToClose(t *testing.T) {
	var k talk
	k.shake()
	k.a(flagACK, 101, 201, "hello").b(flagACK, 201, 106, "world")
	k.a(flagACK|flagFIN, 106, 206, "").b(flagACK|flagFIN, 206, 107, "").a(flagACK, 107, 207, "")
	r, st := run(t, Settings{}, k.list...)
	r.is(t,
		"1 open 10.0.0.1:1000>10.0.0.2:502 opening=true",
		"1 tried 10.0.0.1:1000>10.0.0.2:502",
		"3 opened 10.0.0.1:1000>10.0.0.2:502",
		`4 stream 0 "hello"`,
		`5 stream 1 "world"`,
		"7 closed 10.0.0.2:502>10.0.0.1:1000",
		"7 close 10.0.0.1:1000>10.0.0.2:502 at 7000000")
	if st.TCP != 8 || st.SYN != 1 || st.Opened != 1 || st.Gaps != 0 {
		t.Errorf("%+v", st)
	}
}

func TestAConnectionThatWasThereBeforeTheCapture(t *testing.T) {
	var k talk
	k.b(flagACK, 201, 106, "") // nothing to follow yet
	k.b(flagACK, 201, 106, "world").a(flagACK, 106, 206, "again")
	r, _ := run(t, Settings{}, k.list...)
	r.is(t,
		"2 open 10.0.0.2:502>10.0.0.1:1000 opening=false",
		`2 stream 0 "world"`,
		`3 stream 1 "again"`,
		"3 close 10.0.0.2:502>10.0.0.1:1000 at 3000000")
}

func TestASYNACKAloneTellsWhoOpened(t *testing.T) {
	var k talk
	k.b(flagSYN|flagACK, 200, 101, "").a(flagACK, 101, 201, "hello")
	r, _ := run(t, Settings{}, k.list...)
	r.is(t,
		"1 open 10.0.0.1:1000>10.0.0.2:502 opening=true",
		"1 tried 10.0.0.1:1000>10.0.0.2:502",
		"2 opened 10.0.0.1:1000>10.0.0.2:502",
		`2 stream 0 "hello"`,
		"2 close 10.0.0.1:1000>10.0.0.2:502 at 2000000")
}

func TestARefusedConnection(t *testing.T) {
	var k talk
	k.a(flagSYN, 100, 0, "")
	k.b(flagRST|flagACK, 0, 4711, "") // answers something else
	k.b(flagRST|flagACK, 0, 101, "")
	r, st := run(t, Settings{}, k.list...)
	r.is(t,
		"1 open 10.0.0.1:1000>10.0.0.2:502 opening=true",
		"1 tried 10.0.0.1:1000>10.0.0.2:502",
		"3 refused 10.0.0.2:502>10.0.0.1:1000",
		"3 close 10.0.0.1:1000>10.0.0.2:502 at 3000000")
	if st.BadResets != 1 || st.Refused != 1 {
		t.Errorf("%+v", st)
	}
}

func TestAnUnreachablePortRefusesAConnection(t *testing.T) {
	var k talk
	k.a(flagSYN, 100, 0, "")
	syn := k.list[0].data[14:]
	icmp := append([]byte{3, 3, 0, 0, 0, 0, 0, 0}, syn[:28]...)
	router := host{9, "10.0.0.254"}
	k.add(etherBytes(router, alice, nil, ipBytes(router, alice, protoICMP, 0, icmp)))
	r, st := run(t, Settings{}, k.list...)
	r.is(t,
		"1 open 10.0.0.1:1000>10.0.0.2:502 opening=true",
		"1 tried 10.0.0.1:1000>10.0.0.2:502",
		"2 refused 10.0.0.2:502>10.0.0.1:1000",
		"2 close 10.0.0.1:1000>10.0.0.2:502 at 2000000")
	if st.ICMP != 1 || st.Refused != 1 {
		t.Errorf("%+v", st)
	}
}

func TestSegmentsOutOfOrderAreDeliveredInOrder(t *testing.T) {
	var k talk
	k.shake().a(flagACK, 103, 201, "cd").a(flagACK, 105, 201, "ef").a(flagACK, 101, 201, "ab").a(flagACK, 107, 201, "gh")
	r, st := run(t, Settings{}, k.list...)
	r.is(t,
		"1 open 10.0.0.1:1000>10.0.0.2:502 opening=true",
		"1 tried 10.0.0.1:1000>10.0.0.2:502",
		"3 opened 10.0.0.1:1000>10.0.0.2:502",
		`6 stream 0 "ab"`, `6 stream 0 "cd"`, `6 stream 0 "ef"`, `7 stream 0 "gh"`,
		"7 close 10.0.0.1:1000>10.0.0.2:502 at 7000000")
	if st.OutOfOrder != 2 || st.Gaps != 0 {
		t.Errorf("%+v", st)
	}
}

func TestRetransmissionsAreNotDeliveredTwice(t *testing.T) {
	var k talk
	k.shake().a(flagACK, 101, 201, "abcd").a(flagACK, 101, 201, "abcd").a(flagACK, 103, 201, "cdef")
	r, st := run(t, Settings{}, k.list...)
	if got := r.streams["10.0.0.1:1000>10.0.0.2:502 0"].String(); got != "abcdef" {
		t.Errorf("stream is %q", got)
	}
	if st.Retransmitted != 1 || st.RetransmittedBytes != 6 || st.OverlapConflicts != 0 {
		t.Errorf("%+v", st)
	}
}

func TestBytesSentAgainAsOthersAreTold(t *testing.T) {
	for name, k := range map[string]*talk{
		"delivered before": new(talk).shake().a(flagACK, 101, 201, "abcd").a(flagACK, 101, 201, "abXY"),
		"still waiting":    new(talk).shake().a(flagACK, 103, 201, "cd").a(flagACK, 101, 201, "abXY"),
		"in a long stream": new(talk).shake().a(flagACK, 101, 201, string(make([]byte, 2000))).a(flagACK, 101+1990, 201, "\x00XY"),
	} {
		r, st := run(t, Settings{}, k.list...)
		if st.OverlapConflicts != 1 || st.OverlapBytes != 2 {
			t.Errorf("%s: %d conflicts of %d bytes", name, st.OverlapConflicts, st.OverlapBytes)
		}
		found := 0
		for _, l := range r.lines {
			if l == "5 conflict 10.0.0.1:1000>10.0.0.2:502 size 2" {
				found++
			}
		}
		if found != 1 {
			t.Errorf("%s: %d notices in %q", name, found, r.lines)
		}
	}
}

func TestTheFirstBytesWin(t *testing.T) {
	var k talk
	k.shake().a(flagACK, 103, 201, "cd").a(flagACK, 101, 201, "abXYef")
	r, _ := run(t, Settings{}, k.list...)
	if got := r.streams["10.0.0.1:1000>10.0.0.2:502 0"].String(); got != "abcdef" {
		t.Errorf("stream is %q", got)
	}
}

func TestAHoleIsGivenUp(t *testing.T) {
	const open = 3
	tests := map[string]struct {
		k    *talk
		want []string
	}{
		"when its time has passed": {
			new(talk).shake().a(flagACK, 103, 201, "cd").wait(int64(10*time.Second)).b(flagACK, 201, 101, ""),
			[]string{"4 gap 0 2 at 5004000000", "4 stream-gap 10.0.0.1:1000>10.0.0.2:502 size 2", `4 stream 0 "cd"`},
		},
		"soon after the other side has confirmed bytes beyond it": {
			new(talk).shake().a(flagACK, 103, 201, "cd").b(flagACK, 201, 105, "").wait(int64(time.Second)).b(flagACK, 201, 105, ""),
			[]string{"5 gap 0 2 at 55000000", "5 stream-gap 10.0.0.1:1000>10.0.0.2:502 size 2", `5 stream 0 "cd"`},
		},
		"when the lost bytes were the last": {
			new(talk).shake().b(flagACK, 201, 105, "").wait(int64(time.Second)).b(flagACK, 201, 105, ""),
			[]string{"4 gap 0 4 at 54000000", "4 stream-gap 10.0.0.1:1000>10.0.0.2:502 size 4"},
		},
		"when the connection is reset": {
			new(talk).shake().a(flagACK, 103, 201, "cd").b(flagRST, 201, 0, ""),
			[]string{"5 gap 0 2 at 5000000", "5 stream-gap 10.0.0.1:1000>10.0.0.2:502 size 2", `5 stream 0 "cd"`, "5 closed 10.0.0.2:502>10.0.0.1:1000"},
		},
		"when the capture ends": {
			new(talk).shake().a(flagACK, 103, 201, "cd"),
			[]string{"4 gap 0 2 at 4000000", "4 stream-gap 10.0.0.1:1000>10.0.0.2:502 size 2", `4 stream 0 "cd"`},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			r, _ := run(t, Settings{}, tt.k.list...)
			got := r.lines[open+2 : len(r.lines)-1] // with the two hosts, without the close
			if fmt.Sprint(got) != fmt.Sprint(tt.want) {
				t.Errorf("got %q\nwant %q", got, tt.want)
			}
		})
	}
}

func TestAHoleFilledInTimeIsNoGap(t *testing.T) {
	// The acknowledgement comes before the segment, as on two network cards.
	var k talk
	k.shake().b(flagACK, 201, 105, "").a(flagACK, 101, 201, "abcd").wait(int64(time.Minute)).a(flagACK, 105, 201, "ef")
	r, st := run(t, Settings{}, k.list...)
	if got := r.streams["10.0.0.1:1000>10.0.0.2:502 0"].String(); got != "abcdef" || st.Gaps != 0 {
		t.Errorf("stream is %q, %d gaps", got, st.Gaps)
	}
}

func TestTooMuchBehindAHoleGivesItUp(t *testing.T) {
	for name, set := range map[string]Settings{
		"bytes":       {MaxStreamBytes: 10 * segmentRoom},
		"segments":    {MaxStreamSegments: 10},
		"all streams": {MaxBuffered: 10 * segmentRoom * Shards},
	} {
		var k talk
		k.shake()
		for i := range uint32(20) {
			k.a(flagACK, 103+2*i, 201, "xy")
		}
		r, st := run(t, set, k.list...)
		if st.BufferLimit != 1 || st.Gaps != 1 || st.GapBytes != 2 {
			t.Errorf("%s: %d times at the limit, %d gaps of %d bytes", name, st.BufferLimit, st.Gaps, st.GapBytes)
		}
		if got := r.streams["10.0.0.1:1000>10.0.0.2:502 0"].Len(); got != 40 {
			t.Errorf("%s: %d bytes delivered", name, got)
		}
	}
}

func TestSequenceNumbersWrap(t *testing.T) {
	var k talk
	top := ^uint32(0)
	k.a(flagSYN, top-3, 0, "").b(flagSYN|flagACK, 200, top-2, "").a(flagACK, top-2, 201, "")
	k.a(flagACK, 1, 201, "ef").a(flagACK, top-2, 201, "abcd").a(flagACK, 3, 201, "gh").a(flagACK, top, 201, "Xdef")
	r, st := run(t, Settings{}, k.list...)
	if got := r.streams["10.0.0.1:1000>10.0.0.2:502 0"].String(); got != "abcdefgh" {
		t.Errorf("stream is %q", got)
	}
	if st.OverlapBytes != 1 {
		t.Errorf("%d bytes in conflict, want 1", st.OverlapBytes)
	}
}

func TestASegmentFarAwayDoesNotMoveTheStream(t *testing.T) {
	var k talk
	k.shake().a(flagACK, 101, 201, "ab").a(flagACK, 1<<30, 201, "forged").a(flagACK, 103, 201, "cd")
	r, st := run(t, Settings{}, k.list...)
	if got := r.streams["10.0.0.1:1000>10.0.0.2:502 0"].String(); got != "abcd" {
		t.Errorf("stream is %q", got)
	}
	if st.OutOfWindow != 1 {
		t.Errorf("%d out of window", st.OutOfWindow)
	}
}

func TestAStreamIsFoundAgainAfterALongOutageOfTheTap(t *testing.T) {
	for _, at := range []uint32{1 << 30, 3 << 30} {
		var k talk
		k.shake().a(flagACK, 101, 201, "ab")
		for i := range uint32(6) {
			k.a(flagACK, at+2*i, 201, "xy")
		}
		r, st := run(t, Settings{}, k.list...)
		if got := r.streams["10.0.0.1:1000>10.0.0.2:502 0"].String(); got != "ab[0]xyxyxy" {
			t.Errorf("stream is %q", got)
		}
		if st.OutOfWindow != 3 {
			t.Errorf("%d out of window", st.OutOfWindow)
		}
	}
}

func TestKeepalivesAndWindowProbes(t *testing.T) {
	var k talk
	k.shake().a(flagACK, 101, 201, "ab")
	k.a(flagACK, 102, 201, "")  // keepalive without data
	k.a(flagACK, 102, 201, "?") // and with a byte that means nothing
	k.a(flagACK, 103, 201, "c") // window probe: the next byte, taken or not
	k.a(flagACK, 103, 201, "cd")
	r, st := run(t, Settings{}, k.list...)
	if got := r.streams["10.0.0.1:1000>10.0.0.2:502 0"].String(); got != "abcd" {
		t.Errorf("stream is %q", got)
	}
	if st.Keepalives != 1 || st.OverlapConflicts != 0 || st.Gaps != 0 {
		t.Errorf("%+v", st)
	}
}

func TestPortsUsedAgain(t *testing.T) {
	for name, last := range map[string]func(k *talk){
		"after FIN":     func(k *talk) { k.a(flagFIN|flagACK, 106, 201, "").b(flagFIN|flagACK, 201, 107, "") },
		"after RST":     func(k *talk) { k.a(flagRST, 106, 201, "") },
		"after silence": func(k *talk) {},
	} {
		var k talk
		k.shake().a(flagACK, 101, 201, "first")
		last(&k)
		k.a(flagSYN, 5000, 0, "").b(flagSYN|flagACK, 9000, 5001, "").a(flagACK, 5001, 9001, "other")
		r, st := run(t, Settings{}, k.list...)
		if got := r.streams["10.0.0.1:1000>10.0.0.2:502 0"].String(); got != "firstother" {
			t.Errorf("%s: streams are %q", name, got)
		}
		if st.Conns != 2 || st.SYN != 2 || st.Opened != 2 {
			t.Errorf("%s: %d connections, %d SYN, %d opened", name, st.Conns, st.SYN, st.Opened)
		}
	}
}

func TestAForgedSYNDoesNotBlindWeir(t *testing.T) {
	var k talk
	k.shake().a(flagACK, 101, 201, "ab").a(flagSYN, 77777, 0, "").a(flagACK, 103, 201, "cd").b(flagACK, 201, 105, "ok")
	r, st := run(t, Settings{}, k.list...)
	if got := r.streams["10.0.0.1:1000>10.0.0.2:502 0"].String(); got != "abcd" || st.Conns != 1 {
		t.Errorf("stream is %q, %d connections", got, st.Conns)
	}
}

func TestAForgedRSTDoesNotBlindWeir(t *testing.T) {
	var k talk
	k.shake().a(flagACK, 101, 201, "ab")
	k.a(flagRST, 999999999, 0, "") // far away: nobody believes it
	k.a(flagACK, 103, 201, "cd")
	k.a(flagRST, 105, 0, "") // right, but what if the other side drops it?
	k.a(flagACK, 103, 201, "cd").a(flagACK, 105, 201, "ef")
	r, st := run(t, Settings{}, k.list...)
	if got := r.streams["10.0.0.1:1000>10.0.0.2:502 0"].String(); got != "abcdef" {
		t.Errorf("streams are %q", got)
	}
	if st.BadResets != 1 || st.Conns != 2 || st.AfterClose != 1 {
		t.Errorf("%d bad resets, %d connections, %d after close", st.BadResets, st.Conns, st.AfterClose)
	}
}

func TestLateSegmentsOfAClosedConnectionOpenNothing(t *testing.T) {
	var k talk
	k.shake().a(flagACK|flagFIN, 101, 201, "bye").b(flagACK|flagFIN, 201, 105, "").a(flagACK|flagFIN, 101, 201, "bye").a(flagACK, 105, 202, "")
	_, st := run(t, Settings{}, k.list...)
	if st.Conns != 1 || st.AfterClose != 1 || st.AfterCloseBytes != 3 {
		t.Errorf("%+v", st)
	}
}

func TestAFINWaitsForTheBytesBeforeIt(t *testing.T) {
	var k talk
	k.shake().b(flagACK|flagFIN, 201, 101, "").a(flagACK|flagFIN, 103, 202, "cd").a(flagACK, 101, 202, "ab")
	r, _ := run(t, Settings{}, k.list...)
	r.is(t,
		"1 open 10.0.0.1:1000>10.0.0.2:502 opening=true",
		"1 tried 10.0.0.1:1000>10.0.0.2:502",
		"3 opened 10.0.0.1:1000>10.0.0.2:502",
		`6 stream 0 "ab"`, `6 stream 0 "cd"`,
		"6 closed 10.0.0.1:1000>10.0.0.2:502",
		"6 close 10.0.0.1:1000>10.0.0.2:502 at 6000000")
}

func TestAnIgnoredConnectionIsOnlyCounted(t *testing.T) {
	var k talk
	k.shake().a(flagACK, 101, 201, "ab").a(flagACK, 200, 201, "later").b(flagACK, 201, 205, "xyz").a(flagRST, 205, 0, "")
	r := &recorder{onOpen: func(c *Conn) { c.Ignore() }}
	st := runWith(t, Settings{}, r, k.list...)
	r.is(t,
		"1 open 10.0.0.1:1000>10.0.0.2:502 opening=true",
		"1 tried 10.0.0.1:1000>10.0.0.2:502",
		"3 opened 10.0.0.1:1000>10.0.0.2:502",
		"7 closed 10.0.0.1:1000>10.0.0.2:502",
		"7 close 10.0.0.1:1000>10.0.0.2:502 at 7000000")
	if st.IgnoredBytes != 10 || st.StreamBytes != 0 {
		t.Errorf("%+v", st)
	}
}

func TestSilentConnectionsAreClosed(t *testing.T) {
	set := Settings{TCPIdle: time.Minute, OneSided: 10 * time.Second, HalfOpen: 5 * time.Second, UDPIdle: 20 * time.Second}
	tests := map[string]struct {
		k    *talk
		want string
	}{
		"open":      {new(talk).shake().a(flagACK, 101, 201, "ab").wait(30e9).b(flagACK, 201, 103, "cd"), "5 close 10.0.0.1:1000>10.0.0.2:502 at 90005000000"},
		"half open": {new(talk).a(flagSYN, 100, 0, ""), "1 close 10.0.0.1:1000>10.0.0.2:502 at 5001000000"},
		"one-sided": {new(talk).a(flagACK, 100, 0, "a"), "1 close 10.0.0.1:1000>10.0.0.2:502 at 10001000000"},
		"udp": {new(talk).add(etherBytes(alice, bob, nil, ipBytes(alice, bob, protoUDP, 0, udpBytes(1000, 502, "x")))),
			"1 close 10.0.0.1:1000>10.0.0.2:502 at 20001000000"},
	}
	for name, tt := range tests {
		tt.k.wait(1e12).add(etherBytes(carol, dave, nil, ipBytes(carol, dave, 99, 0, []byte("x"))))
		r, _ := run(t, set, tt.k.list...)
		found := false
		for _, l := range r.lines {
			found = found || l == tt.want
		}
		if !found {
			t.Errorf("%s: no %q in %q", name, tt.want, r.lines)
		}
	}
}

func TestAFloodOfSYNLeavesConnectionsAlone(t *testing.T) {
	var k talk
	k.shake().a(flagACK, 101, 201, "ab").b(flagACK, 201, 103, "cd")
	for i := range 5000 {
		k.add(tcpFrame(seg{from: alice, to: bob, sport: uint16(2000 + i), dport: 502, seq: 1, flags: flagSYN}))
	}
	k.a(flagACK, 103, 203, "ef")
	r, st := run(t, Settings{MaxConns: 100 * Shards}, k.list...)
	if got := r.streams["10.0.0.1:1000>10.0.0.2:502 0"].String(); got != "abef" {
		t.Errorf("stream is %q", got)
	}
	if st.ConnsEvicted != 5000-99 {
		t.Errorf("%d evicted", st.ConnsEvicted)
	}
}

func TestATimeToLiveThatMovesIsTold(t *testing.T) {
	var k talk
	k.shake()
	k.opts.ttl = 63
	k.a(flagACK, 101, 201, "ab")
	r, _ := run(t, Settings{}, k.list...)
	found := false
	for _, l := range r.lines {
		found = found || l == "4 ttl 10.0.0.1:0>10.0.0.2:0 size 63 was 64"
	}
	if !found {
		t.Errorf("not told: %q", r.lines)
	}
}
