package capture

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net/netip"
	"strings"
	"testing"
)

// host is an end of the made-up traffic.
type host struct {
	mac byte
	ip  string
}

var (
	alice = host{1, "10.0.0.1"}
	bob   = host{2, "10.0.0.2"}
	carol = host{3, "2001:db8::3"}
	dave  = host{4, "2001:db8::4"}
)

// seg is a TCP segment to make.
type seg struct {
	from, to     host
	sport, dport uint16
	seq, ack     uint32
	flags        byte
	data         string
	vlan         []uint16
	ttl          byte
}

func tcpBytes(s seg) []byte {
	b := make([]byte, 20, 20+len(s.data))
	binary.BigEndian.PutUint16(b, s.sport)
	binary.BigEndian.PutUint16(b[2:], s.dport)
	binary.BigEndian.PutUint32(b[4:], s.seq)
	binary.BigEndian.PutUint32(b[8:], s.ack)
	b[12] = 5 << 4
	b[13] = s.flags
	binary.BigEndian.PutUint16(b[14:], 8192)
	return append(b, s.data...)
}

func udpBytes(sport, dport uint16, data string) []byte {
	b := make([]byte, 8, 8+len(data))
	binary.BigEndian.PutUint16(b, sport)
	binary.BigEndian.PutUint16(b[2:], dport)
	binary.BigEndian.PutUint16(b[4:], uint16(8+len(data)))
	return append(b, data...)
}

// ipBytes puts an IP header before a payload.
func ipBytes(from, to host, proto, ttl byte, payload []byte) []byte {
	src, dst := netip.MustParseAddr(from.ip), netip.MustParseAddr(to.ip)
	if ttl == 0 {
		ttl = 64
	}
	if src.Is4() {
		b := make([]byte, 20, 20+len(payload))
		b[0] = 0x45
		binary.BigEndian.PutUint16(b[2:], uint16(20+len(payload)))
		b[8], b[9] = ttl, proto
		copy(b[12:], src.AsSlice())
		copy(b[16:], dst.AsSlice())
		return append(b, payload...)
	}
	b := make([]byte, 40, 40+len(payload))
	b[0] = 0x60
	binary.BigEndian.PutUint16(b[4:], uint16(len(payload)))
	b[6], b[7] = proto, ttl
	copy(b[8:], src.AsSlice())
	copy(b[24:], dst.AsSlice())
	return append(b, payload...)
}

// etherBytes puts an Ethernet header, with tags from the outer-most on, before
// a payload.
func etherBytes(from, to host, tags []uint16, payload []byte) []byte {
	b := []byte{2, 0, 0, 0, 0, to.mac, 2, 0, 0, 0, 0, from.mac}
	for i, t := range tags {
		tpid := uint16(etherVLAN)
		if i < len(tags)-1 {
			tpid = etherQinQ
		}
		b = binary.BigEndian.AppendUint16(b, tpid)
		b = binary.BigEndian.AppendUint16(b, t)
	}
	kind := uint16(etherIPv4)
	if payload[0]>>4 == 6 {
		kind = etherIPv6
	}
	b = binary.BigEndian.AppendUint16(b, kind)
	return append(b, payload...)
}

func tcpFrame(s seg) []byte {
	return etherBytes(s.from, s.to, s.vlan, ipBytes(s.from, s.to, protoTCP, s.ttl, tcpBytes(s)))
}

// pkt is a captured packet to make.
type pkt struct {
	at   int64
	data []byte
	link LinkType
	wire int
}

// packets is a source of packets from memory.
type packets struct {
	list  []pkt
	size  int // of batches
	next  int
	clock int64
}

func (s *packets) Read(_ context.Context, b *Batch) error {
	b.reset()
	if s.next == len(s.list) {
		return io.EOF
	}
	size := s.size
	if size == 0 {
		size = BatchSize
	}
	for len(b.Packets) < size && s.next < len(s.list) {
		p := s.list[s.next]
		s.next++
		if p.at > s.clock || s.next == 1 {
			s.clock = p.at
		}
		link := p.link
		if link == 0 {
			link = LinkEthernet
		}
		b.Packets = append(b.Packets, Packet{Data: p.data, Time: p.at, Clock: s.clock, Frame: uint64(s.next), Link: link, Wire: uint32(max(p.wire, len(p.data)))})
	}
	b.Clock = s.clock
	return nil
}
func (s *packets) Interfaces() []Interface  { return nil }
func (s *packets) Counters() SourceCounters { return SourceCounters{} }
func (s *packets) Close()                   {}

// recorder is a handler that writes down what it is given, by host pair.
type recorder struct {
	lines   []string
	pair    map[string][]string
	streams map[string]*bytes.Buffer
	onOpen  func(*Conn)
	open    map[*Conn]bool
	wrong   []string
	clock   int64
}

func (r *recorder) say(a, b Endpoint, format string, args ...any) {
	line := fmt.Sprintf(format, args...)
	r.lines = append(r.lines, line)
	if r.pair == nil {
		r.pair = map[string][]string{}
	}
	x, y := a.IP.String(), b.IP.String()
	if x > y {
		x, y = y, x
	}
	r.pair[x+" "+y] = append(r.pair[x+" "+y], line)
}

func (r *recorder) check(c *Conn, want bool, what string, at Stamp) {
	if r.open == nil {
		r.open = map[*Conn]bool{}
	}
	if r.open[c] != want {
		r.wrong = append(r.wrong, fmt.Sprintf("%s with open=%v", what, r.open[c]))
	}
}

func name(c *Conn) string {
	return fmt.Sprintf("%s:%d>%s:%d", c.Ends[0].IP, c.Ends[0].Port, c.Ends[1].IP, c.Ends[1].Port)
}

func (r *recorder) Open(c *Conn, at Stamp) {
	r.check(c, false, "Open", at)
	r.open[c] = true
	if r.onOpen != nil {
		r.onOpen(c)
	}
	r.say(c.Ends[0], c.Ends[1], "%d open %s opening=%v", at.Frame, name(c), c.OpeningSeen)
}

func (r *recorder) Stream(c *Conn, d uint8, at Stamp, data []byte) {
	r.check(c, true, "Stream", at)
	if r.streams == nil {
		r.streams = map[string]*bytes.Buffer{}
	}
	key := fmt.Sprintf("%s %d", name(c), d)
	if r.streams[key] == nil {
		r.streams[key] = new(bytes.Buffer)
	}
	r.streams[key].Write(data)
	r.say(c.Ends[0], c.Ends[1], "%d stream %d %q", at.Frame, d, data)
}

func (r *recorder) Gap(c *Conn, d uint8, at Stamp, lost int) {
	r.check(c, true, "Gap", at)
	if lost < 0 {
		r.wrong = append(r.wrong, "negative gap")
	}
	if s := r.streams[fmt.Sprintf("%s %d", name(c), d)]; s != nil {
		fmt.Fprintf(s, "[%d]", lost)
	}
	r.say(c.Ends[0], c.Ends[1], "%d gap %d %d at %d", at.Frame, d, lost, at.Time)
}

func (r *recorder) Datagram(c *Conn, d uint8, at Stamp, data []byte) {
	r.check(c, true, "Datagram", at)
	r.say(c.Ends[0], c.Ends[1], "%d datagram %d %q", at.Frame, d, data)
}

func (r *recorder) Close(c *Conn, at Stamp) {
	r.check(c, true, "Close", at)
	delete(r.open, c)
	r.say(c.Ends[0], c.Ends[1], "%d close %s at %d", at.Frame, name(c), at.Time)
}

var noticeNames = [...]string{"", "tried", "opened", "refused", "closed", "host", "arp-reply", "arp-request", "conflict", "stream-gap", "ttl"}

func (r *recorder) Notice(n *Notice) {
	if n.Conn != nil {
		r.check(n.Conn, true, "Notice", n.Stamp)
	}
	line := fmt.Sprintf("%d %s %s:%d>%s:%d", n.Stamp.Frame, noticeNames[n.Kind], n.Src.IP, n.Src.Port, n.Dst.IP, n.Dst.Port)
	if n.Size != 0 {
		line += fmt.Sprintf(" size %d", n.Size)
	}
	if n.Was != 0 {
		line += fmt.Sprintf(" was %d", n.Was)
	}
	r.say(n.Src, n.Dst, "%s", line)
}

func (r *recorder) Advance(clock int64) int64 {
	if clock < r.clock {
		r.wrong = append(r.wrong, "Advance backwards")
	}
	r.clock = clock
	return 0
}

// run gives packets to an engine and returns what the handler saw.
func run(t testing.TB, set Settings, list ...pkt) (*recorder, Stats) {
	t.Helper()
	r := &recorder{}
	return r, runWith(t, set, r, list...)
}

func runWith(t testing.TB, set Settings, r *recorder, list ...pkt) Stats {
	t.Helper()
	e := New(set, []Handler{r})
	if err := e.Run(context.Background(), &packets{list: list}, nil); err != nil {
		t.Fatal(err)
	}
	if len(r.open) > 0 {
		t.Errorf("%d conversations were never closed", len(r.open))
	}
	for _, w := range r.wrong {
		t.Error(w)
	}
	st := e.Stats()
	checkSums(t, st)
	return st
}

// checkSums holds the counters to the sums that Stats promises.
func checkSums(t testing.TB, st Stats) {
	t.Helper()
	if got := st.Decoded() + st.NotOurs() + st.Lost(); got != st.Packets {
		t.Errorf("packets = %d, classes add up to %d: %+v", st.Packets, got, st)
	}
	if got := st.StreamBytes + st.RetransmittedBytes + st.IgnoredBytes + st.OutOfWindowBytes + st.AfterCloseBytes; got != st.TCPPayloadBytes {
		t.Errorf("payload = %d bytes, parts add up to %d: %+v", st.TCPPayloadBytes, got, st)
	}
	if got := st.FragmentsUsed + st.FragmentsExpired + st.FragmentsEvicted + st.FragmentsRefused; got != st.Fragments {
		t.Errorf("fragments = %d, fates add up to %d: %+v", st.Fragments, got, st)
	}
	if st.ConnsOpen != 0 {
		t.Errorf("%d conversations still open at the end", st.ConnsOpen)
	}
}

// is compares what a handler saw, host notices left out.
func (r *recorder) is(t testing.TB, want ...string) {
	t.Helper()
	var got []string
	for _, l := range r.lines {
		if !strings.Contains(l, " host ") {
			got = append(got, l)
		}
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n\t%s\nwant\n\t%s", strings.Join(got, "\n\t"), strings.Join(want, "\n\t"))
	}
}

// talk makes the packets of a connection between alice (opener, port 1000) and
// bob (port 502), one a millisecond.
type talk struct {
	list []pkt
	now  int64
	opts seg
}

const ms = int64(1e6)

func (k *talk) add(b []byte) *talk {
	k.now += ms
	k.list = append(k.list, pkt{at: k.now, data: b})
	return k
}

func (k *talk) wait(d int64) *talk { k.now += d; return k }

// a is a segment of alice, b of bob.
func (k *talk) a(flags byte, seq, ack uint32, data string) *talk {
	return k.add(tcpFrame(seg{from: alice, to: bob, sport: 1000, dport: 502, seq: seq, ack: ack, flags: flags, data: data, vlan: k.opts.vlan, ttl: k.opts.ttl}))
}

func (k *talk) b(flags byte, seq, ack uint32, data string) *talk {
	return k.add(tcpFrame(seg{from: bob, to: alice, sport: 502, dport: 1000, seq: seq, ack: ack, flags: flags, data: data, vlan: k.opts.vlan, ttl: k.opts.ttl}))
}

// shake opens the connection: alice's first byte is 101, bob's 201.
func (k *talk) shake() *talk {
	return k.a(flagSYN, 100, 0, "").b(flagSYN|flagACK, 200, 101, "").a(flagACK, 101, 201, "")
}
