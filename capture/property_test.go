package capture

import (
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// TestAnySegmentationGivesTheSameStream cuts a stream into segments that
// overlap, repeats some and shuffles them within the window, and expects the
// stream.
func TestAnySegmentationGivesTheSameStream(t *testing.T) {
	for seed := range uint64(500) {
		rng := rand.New(rand.NewPCG(seed, 1))
		stream := make([]byte, 1+rng.IntN(5000))
		for i := range stream {
			stream[i] = 'a' + byte(rng.IntN(26))
		}
		first := rng.Uint32()
		if seed%3 == 0 {
			first = -uint32(rng.IntN(len(stream))) // wraps
		}
		type cut struct{ from, to int }
		var cuts []cut
		for at := 0; at < len(stream); {
			n := 1 + rng.IntN(min(600, len(stream)-at))
			back := rng.IntN(min(at, 300) + 1)
			cuts = append(cuts, cut{at - back, at + n})
			if rng.IntN(4) == 0 {
				cuts = append(cuts, cuts[rng.IntN(len(cuts))])
			}
			at += n
		}
		for i := range cuts { // each moves by a few places
			j := min(len(cuts)-1, i+rng.IntN(6))
			cuts[i], cuts[j] = cuts[j], cuts[i]
		}
		var k talk
		k.a(flagSYN, first-1, 0, "").b(flagSYN|flagACK, 200, first, "").a(flagACK, first, 201, "")
		for _, c := range cuts {
			k.a(flagACK, first+uint32(c.from), 201, string(stream[c.from:c.to]))
		}
		r, st := run(t, Settings{}, k.list...)
		if got := r.streams["10.0.0.1:1000>10.0.0.2:502 0"].String(); got != string(stream) {
			t.Fatalf("seed %d: stream of %d bytes came out as %d", seed, len(stream), len(got))
		}
		if st.Gaps != 0 || st.OverlapConflicts != 0 {
			t.Fatalf("seed %d: %d gaps, %d conflicts", seed, st.Gaps, st.OverlapConflicts)
		}
	}
}

// TestLostSegmentsAreGapsOfTheirSize drops segments, and expects the stream
// with holes of the right size in the right places.
func TestLostSegmentsAreGapsOfTheirSize(t *testing.T) {
	for seed := range uint64(300) {
		rng := rand.New(rand.NewPCG(seed, 2))
		var k talk
		k.shake()
		seq := uint32(101)
		var want strings.Builder
		hole := 0
		for i := range 60 {
			data := strings.Repeat(string(rune('a'+i%26)), 1+rng.IntN(40))
			if rng.IntN(4) > 0 || i == 59 {
				if hole > 0 {
					fmt.Fprintf(&want, "[%d]", hole)
					hole = 0
				}
				want.WriteString(data)
				k.a(flagACK, seq, 201, data)
			} else {
				hole += len(data)
			}
			seq += uint32(len(data))
			if rng.IntN(3) == 0 {
				k.b(flagACK, 201, seq, "")
			}
			if rng.IntN(9) == 0 {
				k.wait(6e9)
			}
		}
		r, st := run(t, Settings{}, k.list...)
		// The recorder has no stream yet for a gap before the first byte, and
		// one hole may be told in parts.
		got := r.streams["10.0.0.1:1000>10.0.0.2:502 0"].String()
		if join(got) != trimGap(want.String()) {
			t.Fatalf("seed %d:\ngot  %s\nwant %s\n%+v", seed, join(got), join(want.String()), st)
		}
	}
}

// join adds up gaps that follow each other.
func join(s string) string {
	for {
		i := strings.Index(s, "][")
		if i < 0 {
			return s
		}
		from := strings.LastIndex(s[:i], "[")
		to := i + 2 + strings.Index(s[i+2:], "]")
		var a, b int
		_, _ = fmt.Sscanf(s[from:to+1], "[%d][%d]", &a, &b)
		s = fmt.Sprintf("%s[%d]%s", s[:from], a+b, s[to+1:])
	}
}

func trimGap(s string) string {
	if strings.HasPrefix(s, "[") {
		return s[strings.Index(s, "]")+1:]
	}
	return s
}

// hostile makes traffic of every kind, in order and out of it, between some
// hosts.
func hostile(seed uint64, n int) []pkt {
	rng := rand.New(rand.NewPCG(seed, 3))
	hosts := []host{alice, bob, carol, dave, {5, "10.0.0.5"}, {6, "10.0.0.6"}, {7, "192.168.1.7"}, {8, "192.168.1.8"}}
	type side struct{ seq uint32 }
	flows := map[string]*[2]side{}
	now := int64(1e18)
	list := make([]pkt, 0, n)
	for range n {
		now += rng.Int64N(40 * ms)
		switch rng.IntN(200) {
		case 0:
			now += 20e9
		case 1:
			now -= 3e9
		}
		i := rng.IntN(4) * 2
		from, to := hosts[i], hosts[i+1]
		if i == 0 && rng.IntN(3) == 0 {
			to = hosts[4]
		}
		if strings.Contains(from.ip, ":") != strings.Contains(to.ip, ":") {
			to = hosts[i+1]
		}
		sport, dport := uint16(1000+rng.IntN(3)), uint16(502)
		way := rng.IntN(2)
		key := fmt.Sprint(from.ip, to.ip, sport)
		f := flows[key]
		if f == nil {
			f = &[2]side{{rng.Uint32()}, {rng.Uint32()}}
			flows[key] = f
		}
		g := seg{from: from, to: to, sport: sport, dport: dport}
		if way == 1 {
			g.from, g.to, g.sport, g.dport = to, from, dport, sport
		}
		me, other := &f[way], &f[1-way]
		var frame []byte
		switch x := rng.IntN(100); {
		case x < 4 && way == 0:
			me.seq = rng.Uint32()
			g.seq, g.flags = me.seq, flagSYN
			me.seq++
			frame = tcpFrame(g)
		case x < 8 && way == 1:
			me.seq = rng.Uint32()
			g.seq, g.ack, g.flags = me.seq, other.seq, flagSYN|flagACK
			me.seq++
			frame = tcpFrame(g)
		case x < 10:
			g.seq, g.ack, g.flags = me.seq, other.seq, flagFIN|flagACK
			frame = tcpFrame(g)
		case x < 12:
			g.seq, g.ack, g.flags = me.seq, other.seq, flagRST|flagACK
			frame = tcpFrame(g)
		case x < 17:
			frame = etherBytes(g.from, g.to, nil, ipBytes(g.from, g.to, protoUDP, 0, udpBytes(g.sport, 20000, "datagram")))
		case x < 19:
			frame = etherBytes(g.from, g.to, nil, ipBytes(g.from, g.to, 99, 0, []byte("other")))
		case x < 21 && !strings.Contains(from.ip, ":"):
			ip := ipBytes(g.from, g.to, protoUDP, 0, udpBytes(g.sport, 20000, strings.Repeat("f", 24))[:16])
			binary.BigEndian.PutUint16(ip[4:], uint16(rng.IntN(2)))
			binary.BigEndian.PutUint16(ip[2:], 36)
			binary.BigEndian.PutUint16(ip[6:], []uint16{0x2000, 2, 2, 0x2001}[rng.IntN(4)])
			frame = etherBytes(g.from, g.to, nil, ip)
		default:
			data := make([]byte, 1+rng.IntN(60))
			for i := range data {
				data[i] = byte(rng.Uint32())
			}
			g.seq, g.ack, g.flags, g.data = me.seq, other.seq, flagACK, string(data)
			switch rng.IntN(12) {
			case 0:
				g.seq -= uint32(rng.IntN(80))
			case 1:
				g.seq += uint32(rng.IntN(80))
			case 2:
				g.seq += rng.Uint32()
			case 3:
				g.ack += uint32(rng.IntN(100))
			}
			if rng.IntN(15) > 0 { // else it will be sent again
				me.seq += uint32(len(data))
			}
			g.ttl = 64
			if rng.IntN(50) == 0 {
				g.ttl = 63
			}
			frame = tcpFrame(g)
			if rng.IntN(15) == 0 { // lost
				continue
			}
		}
		p := pkt{at: now, data: frame}
		if rng.IntN(60) == 0 {
			p.wire = len(frame)
			p.data = frame[:rng.IntN(len(frame))]
		}
		if rng.IntN(80) == 0 {
			p.data = slices.Clone(p.data)
			for range 3 {
				if len(p.data) > 0 {
					p.data[rng.IntN(len(p.data))] ^= byte(1 << rng.IntN(8))
				}
			}
		}
		list = append(list, p)
	}
	return list
}

// byPair is what a set of recorders saw, by host pair.
func byPair(rs []*recorder) map[string]string {
	all := map[string]string{}
	for _, r := range rs {
		for pair, lines := range r.pair {
			all[pair] += strings.Join(lines, "\n")
		}
	}
	return all
}

// TestResultsDependOnThePacketsAlone runs hostile traffic with different
// numbers of workers and sizes of batches, within limits so small that they
// are reached, and expects the same calls for every host pair.
func TestResultsDependOnThePacketsAlone(t *testing.T) {
	var sum Stats
	seeds := uint64(12)
	if testing.Short() {
		seeds = 4
	}
	for seed := range seeds {
		list := hostile(seed, 6000)
		set := Settings{MaxConns: 3 * Shards, MaxHosts: 2 * Shards, MaxStreamSegments: 4, MaxDatagrams: 2 * Shards}
		var want map[string]string
		var wantStats Stats
		for _, workers := range []int{1, 2, 3} {
			for _, size := range []int{1, 7, 1000, BatchSize} {
				var rs []*recorder
				var hs []Handler
				for range workers {
					r := &recorder{}
					rs, hs = append(rs, r), append(hs, r)
				}
				e := New(set, hs)
				if err := e.Run(context.Background(), &packets{list: list, size: size}, nil); err != nil {
					t.Fatal(err)
				}
				st := e.Stats()
				checkSums(t, st)
				for _, r := range rs {
					for _, w := range r.wrong {
						t.Error(w)
					}
				}
				got := byPair(rs)
				if want == nil {
					want, wantStats = got, st
					sum.Add(&st)
					continue
				}
				if st != wantStats {
					t.Errorf("seed %d, %d workers, batches of %d: counters differ\n%+v\n%+v", seed, workers, size, st, wantStats)
				}
				for pair, lines := range want {
					if got[pair] != lines {
						t.Fatalf("seed %d, %d workers, batches of %d, %s: calls differ\n%s", seed, workers, size, pair, firstDifference(got[pair], lines))
					}
				}
			}
		}
	}
	sum.Each(func(name string, v uint64) {
		switch name {
		case "kernel.dropped", "interface.dropped", "outgoing", "filtered", "time.ahead", "time.jumped", "class.icmp", "class.arp", "class.link-unsupported",
			"tcp.ignored-bytes", "tcp.keepalives", "ip.fragments-refused", "tcp.refused", "conns.open", "tcp.bad-header", "udp.bad-header":
		default:
			if v == 0 {
				t.Errorf("traffic is too tame: no %s", name)
			}
		}
	})
}

func firstDifference(a, b string) string {
	x, y := strings.Split(a, "\n"), strings.Split(b, "\n")
	for i := range min(len(x), len(y)) {
		if x[i] != y[i] {
			return fmt.Sprintf("line %d\n%s\n%s", i, x[i], y[i])
		}
	}
	return fmt.Sprintf("%d lines and %d", len(x), len(y))
}
