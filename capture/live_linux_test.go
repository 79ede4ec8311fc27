package capture

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// inNamespace runs the calling test again, in a network namespace of its own
// with a cable (a veth pair) from plant0 to tap0, and returns true there.
func inNamespace(t *testing.T) bool {
	t.Helper()
	if os.Getenv("WEIR_NETNS") == "" {
		for _, tool := range []string{"unshare", "ip"} {
			if _, err := exec.LookPath(tool); err != nil {
				t.Skipf("needs %s", tool)
			}
		}
		if os.Geteuid() != 0 {
			t.Skip("needs root, for a network namespace")
		}
		if out, err := exec.Command("unshare", "-n", "ip", "link", "add", "tap0", "type", "veth", "peer", "name", "plant0").CombinedOutput(); err != nil {
			t.Skipf("no network namespaces here: %s", out)
		}
		cmd := exec.Command("unshare", "-n", os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
		cmd.Env = append(os.Environ(), "WEIR_NETNS=1")
		out, err := cmd.CombinedOutput()
		t.Logf("%s", out)
		if err != nil {
			t.Error(err)
		}
		return false
	}
	_ = os.WriteFile("/proc/sys/net/ipv6/conf/default/disable_ipv6", []byte("1"), 0) // it would speak by itself
	sh(t, "ip link add tap0 type veth peer name plant0")
	sh(t, "ip link set tap0 up")
	sh(t, "ip link set plant0 up")
	return true
}

func sh(t *testing.T, command string) string {
	t.Helper()
	f := strings.Fields(command)
	out, err := exec.Command(f[0], f[1:]...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v: %s", command, err, out)
	}
	return string(out)
}

// counters returns the packets that an interface received and sent.
func counters(t *testing.T, name string) (rx, tx uint64) {
	t.Helper()
	b, err := os.ReadFile("/proc/self/net/dev")
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range strings.Split(string(b), "\n") {
		if f := strings.Fields(strings.ReplaceAll(l, ":", " ")); len(f) > 10 && f[0] == name {
			_, _ = fmt.Sscan(f[2]+" "+f[10], &rx, &tx)
		}
	}
	return rx, tx
}

// sender sends frames into an interface.
type sender struct{ fd int }

func newSender(t *testing.T, name string) sender {
	t.Helper()
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Close(fd) })
	var index int
	for _, l := range strings.Split(sh(t, "ip -o link show "+name), "\n") {
		_, _ = fmt.Sscanf(l, "%d:", &index)
		break
	}
	if err := unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: bigEndian16(unix.ETH_P_ALL), Ifindex: index}); err != nil {
		t.Fatal(err)
	}
	return sender{fd}
}

func (s sender) send(t *testing.T, frame []byte) {
	t.Helper()
	for {
		_, err := unix.Write(s.fd, frame)
		if err == nil {
			return
		}
		if err != unix.ENOBUFS && err != unix.EINTR {
			t.Fatal(err)
		}
	}
}

// eachRing runs a test with one ring an interface, and with several.
func eachRing(t *testing.T, f func(t *testing.T, rings int)) {
	for name, rings := range map[string]int{"one ring": 1, "three rings": 3} {
		t.Run(name, func(t *testing.T) { f(t, rings) })
	}
}

// until runs an engine live until enough packets were counted or too much time
// has passed, and returns its counters.
func until(t *testing.T, src *Live, r Handler, enough func(Stats) bool) Stats {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	e := New(Settings{}, []Handler{r})
	if err := e.Run(ctx, src, func(int64) error {
		if enough(e.Stats()) {
			cancel()
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	st := e.Stats()
	checkSums(t, st)
	return st
}

func TestLiveEveryPacketIsSeenOrCountedAsDropped(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	eachRing(t, func(t *testing.T, rings int) {
		src := openTap(t, LiveOptions{Rings: rings, RingBytes: 2 << 20})
		out := newSender(t, "plant0")
		_, before := counters(t, "plant0")
		const n = 50000
		go func() {
			frame := tcpFrame(seg{from: alice, to: bob, sport: 1, dport: 502, flags: flagACK, data: strings.Repeat("x", 1000)})
			for range n {
				out.send(t, frame)
			}
		}()
		st := until(t, src, &nothing{}, func(s Stats) bool { return s.Packets+s.KernelDropped >= n })
		_, after := counters(t, "plant0")
		if sent := after - before; st.Packets+st.KernelDropped != sent || sent != n {
			t.Errorf("sent %d, seen %d, dropped %d", sent, st.Packets, st.KernelDropped)
		}
		t.Logf("%d seen, %d dropped by a ring of 2 MiB", st.Packets, st.KernelDropped)
	})
}

func TestLiveWhatTheFilterLeavesOutIsCountedToo(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	eachRing(t, func(t *testing.T, rings int) {
		src := openTap(t, LiveOptions{Rings: rings, RingBytes: 2 << 20, Filter: "port 502"})
		out, mine := newSender(t, "plant0"), newSender(t, "tap0")
		_, before := counters(t, "plant0")
		const n = 30000
		go func() {
			wanted := tcpFrame(seg{from: alice, to: bob, sport: 1, dport: 502, flags: flagACK, data: strings.Repeat("x", 1000)})
			other := tcpFrame(seg{from: alice, to: bob, sport: 1, dport: 80, flags: flagACK, data: strings.Repeat("y", 1000)})
			short := other[:20] // no filter can look into it
			for i := range n {
				out.send(t, [][]byte{wanted, other, short}[i%3])
				if i%1000 == 0 {
					mine.send(t, other)
				}
			}
		}()
		st := until(t, src, &nothing{}, func(s Stats) bool { return s.Packets+s.KernelDropped+s.Filtered >= n && s.Outgoing == n/1000 })
		_, after := counters(t, "plant0")
		if sent := after - before; st.Packets+st.KernelDropped+st.Filtered != sent || st.Filtered < 2*sent/3-1 || st.Filtered > 2*sent/3+1 {
			t.Errorf("sent %d, seen %d, dropped %d, filtered %d", sent, st.Packets, st.KernelDropped, st.Filtered)
		}
	})
}

// openTap listens on tap0 until the test ends.
func openTap(t *testing.T, o LiveOptions) *Live {
	t.Helper()
	o.Interfaces = []string{"tap0"}
	src, err := OpenLive(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(src.Close)
	return src
}

func TestLiveWhatWasTakenInIsGivenAfterTheEnd(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	eachRing(t, func(t *testing.T, rings int) {
		src := openTap(t, LiveOptions{Rings: rings})
		out := newSender(t, "plant0")
		frame := etherBytes(alice, bob, nil, ipBytes(alice, bob, protoUDP, 0, udpBytes(1, 2, "x")))
		const n = 3 * BatchSize
		for range n {
			out.send(t, frame)
		}
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		e := New(Settings{}, []Handler{&nothing{}, &nothing{}})
		if err := e.Run(ctx, src, nil); err != nil {
			t.Fatal(err)
		}
		out.send(t, frame)
		if st := e.Stats(); st.Packets != n {
			t.Errorf("%d packets of %d", st.Packets, n)
		}
	})
}

func TestLiveTheEndWaitsForWhatTheKernelHandsOverLate(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	eachRing(t, func(t *testing.T, rings int) {
		src := openTap(t, LiveOptions{Rings: rings, BlockTimeout: 300 * time.Millisecond})
		src.opts.BlockTimeout = time.Millisecond // so it looks late
		out := newSender(t, "plant0")
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		const n = 500
		for port := range uint16(n) {
			out.send(t, etherBytes(alice, bob, nil, ipBytes(alice, bob, protoUDP, 0, udpBytes(port, 2, "x"))))
		}
		e := New(Settings{}, []Handler{&nothing{}})
		if err := e.Run(ctx, src, nil); err != nil {
			t.Fatal(err)
		}
		if st := e.Stats(); st.Packets != n || st.KernelDropped != 0 {
			t.Errorf("%d packets of %d, %d dropped", st.Packets, n, st.KernelDropped)
		}
	})
}

func TestLiveNothingIsEverSent(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	eachRing(t, func(t *testing.T, rings int) {
		_, txBefore := counters(t, "tap0")
		src, err := OpenLive(LiveOptions{Rings: rings, Interfaces: []string{"tap0"}, Filter: "not port 22"})
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(sh(t, "ip -d link show tap0"), "promiscuity 1") {
			t.Error("tap0 is not promiscuous")
		}
		out := newSender(t, "plant0")
		for range 100 {
			out.send(t, etherBytes(alice, bob, nil, ipBytes(alice, bob, protoICMP, 0, []byte{8, 0, 0, 0, 0, 0, 0, 0})))
			out.send(t, append(append([]byte{255, 255, 255, 255, 255, 255}, etherBytes(alice, bob, nil, []byte{0x45})[6:12]...), append([]byte{8, 6}, arpBytes(1)...)...))
		}
		st := until(t, src, &nothing{}, func(s Stats) bool { return s.Packets >= 200 })
		src.Close()
		if _, tx := counters(t, "tap0"); tx != txBefore || st.Outgoing != 0 {
			t.Errorf("tap0 sent %d packets, %d counted", tx-txBefore, st.Outgoing)
		}
		if !strings.Contains(sh(t, "ip -d link show tap0"), "promiscuity 0") {
			t.Error("tap0 is still promiscuous")
		}
	})
}

func TestLivePacketsOfThisHostAreLeftOutAndCounted(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	eachRing(t, func(t *testing.T, rings int) {
		src := openTap(t, LiveOptions{Rings: rings})
		mine, theirs := newSender(t, "tap0"), newSender(t, "plant0")
		frame := etherBytes(alice, bob, nil, ipBytes(alice, bob, protoUDP, 0, udpBytes(1, 2, "x")))
		for range 30 {
			mine.send(t, frame)
		}
		for range 20 {
			theirs.send(t, frame)
		}
		st := until(t, src, &nothing{}, func(s Stats) bool { return s.Packets >= 20 && s.Outgoing >= 30 })
		if st.Packets != 20 || st.Outgoing != 30 {
			t.Errorf("%d packets, %d outgoing", st.Packets, st.Outgoing)
		}
	})
}

func TestLiveVLANsAndFiltersOfTheKernel(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	udp := func(port uint16) []byte { return ipBytes(alice, bob, protoUDP, 0, udpBytes(port, port, "x")) }
	eachRing(t, func(t *testing.T, rings int) {
		for _, tt := range []struct{ filter, want string }{
			{"", "0:1 7:2 8:3 7:4 "},
			{"port 2 or port 3", "7:2 8:3 "},
			{"vlan 7", "7:2 8:3 7:4 "},
			{"vlan 8", "8:3 "},
			{"not vlan", "0:1 "},
			{"vlan and not port 4", "7:2 8:3 "},
		} {
			src, err := OpenLive(LiveOptions{Rings: rings, Interfaces: []string{"tap0"}, Filter: tt.filter})
			if err != nil {
				t.Fatal(err)
			}
			out := newSender(t, "plant0")
			out.send(t, etherBytes(alice, bob, nil, udp(1)))
			out.send(t, etherBytes(alice, bob, []uint16{7}, udp(2)))
			out.send(t, etherBytes(alice, bob, []uint16{7, 8}, udp(3)))
			out.send(t, etherBytes(alice, bob, []uint16{7}, udp(4)))
			got := ""
			r := &recorder{onOpen: func(c *Conn) { got += fmt.Sprintf("%d:%d ", c.Ends[0].VLAN, c.Ends[0].Port) }}
			want := uint64(strings.Count(tt.want, " "))
			until(t, src, r, func(s Stats) bool { return s.Packets >= want })
			src.Close()
			if got != tt.want {
				t.Errorf("filter %q: got %s, want %s", tt.filter, got, tt.want)
			}
		}
	})
}

func TestLiveEndsSoonAndItsClockGoesOnInSilence(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	eachRing(t, func(t *testing.T, rings int) {
		src := openTap(t, LiveOptions{Rings: rings})
		newSender(t, "plant0").send(t, etherBytes(alice, bob, nil, ipBytes(alice, bob, protoUDP, 0, udpBytes(1, 2, "x"))))
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		var clocks []int64
		var cancelled time.Time
		r := &recorder{}
		e := New(Settings{UDPIdle: 300 * time.Millisecond}, []Handler{r})
		err := e.Run(ctx, src, func(clock int64) error {
			clocks = append(clocks, clock)
			if e.Stats().ConnsExpired == 1 && cancelled.IsZero() {
				cancelled = time.Now()
				cancel()
			}
			if len(clocks) > 100 {
				return errors.New("the conversation did not expire")
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("ended %v after it was cancelled", time.Since(cancelled))
		for i := 1; i < len(clocks); i++ {
			if clocks[i] < clocks[i-1] {
				t.Error("the watermark went back")
			}
		}
	})
}

func TestLiveSeveralInterfacesAreMergedInTimeOrder(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	sh(t, "ip link add tap1 type veth peer name plant1")
	sh(t, "ip link set tap1 up")
	sh(t, "ip link set plant1 up")
	eachRing(t, func(t *testing.T, rings int) {
		// A machine that lets the readers starve longer than the ring holds packets
		// back hands them over late; a quiet moment in three shows the merging.
		for attempt := 1; ; attempt++ {
			lines, st := mergedTalk(t, rings)
			if st.TimeBackwards == 0 && st.Gaps == 0 {
				inTurn(t, lines)
				return
			}
			if attempt == 3 {
				t.Fatalf("%d packets back in time, %d gaps, three times in a row", st.TimeBackwards, st.Gaps)
			}
			t.Logf("%d packets back in time, %d gaps; again", st.TimeBackwards, st.Gaps)
		}
	})
}

// talkLength is how many segments mergedTalk sends, the two directions in turn.
const talkLength = 2000

// mergedTalk captures a connection whose two directions come on two interfaces.
func mergedTalk(t *testing.T, rings int) (lines []string, st Stats) {
	t.Helper()
	src, err := OpenLive(LiveOptions{Rings: rings, Interfaces: []string{"tap0", "tap1"}})
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	a, b := newSender(t, "plant0"), newSender(t, "plant1")
	const n = talkLength
	go func() {
		var k talk
		seq := [2]uint32{100, 200}
		for i := range n {
			text := fmt.Sprintf("%08d", i)
			// Each direction of the connection is on its own interface.
			if i%2 == 0 {
				k.a(flagACK, seq[0], seq[1], text)
				a.send(t, k.list[i].data)
			} else {
				k.b(flagACK, seq[1], seq[0], text)
				b.send(t, k.list[i].data)
			}
			seq[i%2] += 8
		}
	}()
	r := &recorder{}
	st = until(t, src, r, func(s Stats) bool { return s.Packets >= n })
	return r.lines, st
}

// inTurn checks that the segments came as they were sent.
func inTurn(t *testing.T, lines []string) {
	t.Helper()
	next := 0
	for _, l := range lines {
		if strings.Contains(l, " stream ") {
			if !strings.HasSuffix(l, fmt.Sprintf("%q", fmt.Sprintf("%08d", next))) {
				t.Fatalf("after %d came %s", next, l)
			}
			next++
		}
	}
	if next != talkLength {
		t.Errorf("%d of %d came", next, talkLength)
	}
}

func TestLiveAnInterfaceThatGoesDownAndUp(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	eachRing(t, func(t *testing.T, rings int) {
		src := openTap(t, LiveOptions{Rings: rings})
		frame := etherBytes(alice, bob, nil, ipBytes(alice, bob, protoUDP, 0, udpBytes(1, 2, "x")))
		out := newSender(t, "plant0")
		out.send(t, frame)
		flapped := false
		sent := uint64(1)
		until(t, src, &nothing{}, func(s Stats) bool {
			if s.Packets >= 1 && !flapped {
				flapped = true
				sh(t, "ip link set tap0 down")
				sh(t, "ip link set tap0 up")
			} else if flapped && sent < 1000 {
				out.send(t, frame) // lost while there is no ring
				sent++
			}
			return s.Packets >= 3
		})
		if sent == 1000 {
			t.Error("nothing was seen any more")
		}
	})
}

func TestLiveTheSameStreamsAsFromTheFile(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	if _, err := exec.LookPath("tcpreplay"); err != nil {
		t.Skip("needs tcpreplay")
	}
	const n = 6000
	path := polling(t, n)
	file := &recorder{}
	if err := New(Settings{}, []Handler{file}).Run(context.Background(), Open([]string{path}, FileOptions{}), nil); err != nil {
		t.Fatal(err)
	}
	eachRing(t, func(t *testing.T, rings int) {
		src := openTap(t, LiveOptions{Rings: rings})
		cmd := exec.Command("tcpreplay", "-i", "plant0", "--pps", "20000", path)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		defer func() { _ = cmd.Wait() }()
		live := &recorder{}
		st := until(t, src, live, func(s Stats) bool { return s.Packets+s.KernelDropped >= n })
		if st.Packets != n {
			t.Fatalf("%d of %d packets", st.Packets, n)
		}
		if len(live.streams) != len(file.streams) {
			t.Errorf("%d streams, %d in the file", len(live.streams), len(file.streams))
		}
		for name, b := range file.streams {
			if got := live.streams[name]; got == nil || !bytes.Equal(got.Bytes(), b.Bytes()) {
				t.Errorf("stream %s differs", name)
			}
		}
	})
}

func TestLiveWhatIsWrongIsSaid(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	sh(t, "ip link add idle0 type veth peer name idle1")
	for _, tt := range []struct {
		opts LiveOptions
		want string
	}{
		{LiveOptions{}, "capture: no interface is named; there are lo, "},
		{LiveOptions{Interfaces: []string{"eth7"}}, "capture eth7: no such interface; there are lo, "},
		{LiveOptions{Interfaces: []string{"idle0"}}, "capture idle0: the interface is down (ip link set idle0 up)"},
		{LiveOptions{Interfaces: []string{"tap0", "tap0"}}, "capture tap0: is named twice"},
		{LiveOptions{Interfaces: []string{"tap0"}, Filter: "tcp prot 5"}, `read filter "tcp prot 5":5: "prot" is not understood here`},
	} {
		src, err := OpenLive(tt.opts)
		if err == nil {
			src.Close()
			t.Errorf("%+v: no error", tt.opts)
		} else if !strings.HasPrefix(err.Error(), tt.want) {
			t.Errorf("got %s\nwant %s", err, tt.want)
		}
	}
	if err := interfaceError("tap0", fmt.Errorf("open: %w", unix.EPERM)); !strings.Contains(err.Error(), "CAP_NET_RAW") {
		t.Error(err)
	}
}

func TestLiveAnInterfaceThatGoesAway(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	eachRing(t, func(t *testing.T, rings int) {
		sh(t, "ip link add gone0 type veth peer name gone1")
		sh(t, "ip link set gone0 up")
		sh(t, "ip link set gone1 up")
		src, err := OpenLive(LiveOptions{Rings: rings, Interfaces: []string{"tap0", "gone0"}})
		if err != nil {
			t.Fatal(err)
		}
		defer src.Close()
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		steps := 0
		err = New(Settings{}, []Handler{&nothing{}}).Run(ctx, src, func(int64) error {
			if steps++; steps == 2 {
				sh(t, "ip link delete gone0")
			}
			return nil
		})
		var known *InterfaceError
		if !errors.As(err, &known) || err.Error() != "capture gone0: the interface has gone" {
			t.Errorf("error %v", err)
		}
	})
}

func TestLiveABlockHoldsTheLongestFrameOfItsInterface(t *testing.T) {
	for mtu, want := range map[int]int{0: 64 << 10, 1500: 64 << 10, 9216: 64 << 10, 65535: 128 << 10, 65536: 128 << 10, 200_000: 256 << 10} {
		if got := blockFor(mtu); got != want {
			t.Errorf("with packets of %d octets at most, blocks have %d octets, want %d", mtu, got, want)
		}
	}
}

func TestLiveLongFramesAreWholeAndWhatIsCutIsCounted(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	const longest = 65535 // IPv4
	frame := etherBytes(alice, bob, nil, ipBytes(alice, bob, protoUDP, 0, udpBytes(1, 2, strings.Repeat("x", longest-20-8))))
	mtu := func(octets int) {
		for _, name := range []string{"tap0", "plant0"} {
			sh(t, fmt.Sprintf("ip link set %s mtu %d", name, octets))
		}
	}
	hear := func(src *Live) Stats {
		newSender(t, "plant0").send(t, frame)
		return until(t, src, &nothing{}, func(st Stats) bool { return st.Packets > 0 })
	}
	mtu(longest)
	if st := hear(openTap(t, LiveOptions{})); st.UDP != 1 || st.Cut != 0 || st.Bytes != longest+14 {
		t.Errorf("whole: %d UDP, %d cut, %d octets", st.UDP, st.Cut, st.Bytes)
	}
	// Nobody knows of longer packets when the ring is made.
	mtu(1500)
	src := openTap(t, LiveOptions{})
	mtu(longest)
	if st := hear(src); st.UDP != 1 || st.Cut != 1 || st.CutBytes == 0 || st.CutBytes > frameRoom || st.Bytes != longest+14 {
		t.Errorf("too long: %d UDP, %d cut by %d octets, %d octets", st.UDP, st.Cut, st.CutBytes, st.Bytes)
	}
}
