//go:build linux && cgo

package capture

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/gopacket/afpacket"
)

// TestLiveTheSameAsGopacket holds our ring against gopacket's, which is what
// others use: the same packets, times, lengths and tags.
func TestLiveTheSameAsGopacket(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	ours, err := OpenLive(LiveOptions{Interfaces: []string{"tap0"}})
	if err != nil {
		t.Fatal(err)
	}
	defer ours.Close()
	theirs, err := afpacket.NewTPacket(afpacket.OptInterface("tap0"), afpacket.TPacketVersion3, afpacket.OptPollTimeout(time.Second))
	if err != nil {
		t.Fatal(err)
	}
	defer theirs.Close()
	const n = 3000
	out := newSender(t, "plant0")
	for i := range n {
		var vlans []uint16
		if i%3 == 0 {
			vlans = []uint16{uint16(1 + i%7)}
		}
		out.send(t, etherBytes(alice, bob, vlans, ipBytes(alice, bob, protoUDP, 0, udpBytes(1, 2, fmt.Sprintf("%0*d", i%900, i)))))
	}
	type seen struct {
		data []byte
		time int64
		wire int
		vlan int
	}
	var want, got []seen
	for len(want) < n {
		data, info, err := theirs.ZeroCopyReadPacketData()
		if err != nil {
			t.Fatalf("after %d packets: %v", len(want), err)
		}
		s := seen{bytes.Clone(data), info.Timestamp.UnixNano(), info.Length, 0}
		for _, a := range info.AncillaryData {
			if tag, ok := a.(afpacket.AncillaryVLAN); ok {
				s.vlan = tag.VLAN
				s.wire += 4 // what the kernel took out
			}
		}
		want = append(want, s)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	e := New(Settings{}, []Handler{&nothing{}})
	e.Tap(func(b *Batch) {
		for i := range b.Packets {
			p := &b.Packets[i]
			got = append(got, seen{bytes.Clone(p.Data), p.Time, int(p.Wire), int(p.VLAN)})
		}
	})
	enough := errors.New("enough")
	if err := e.Run(ctx, ours, func(int64) error {
		if len(got) >= n {
			return enough
		}
		return nil
	}); !errors.Is(err, enough) {
		t.Fatalf("%d packets, then %v", len(got), err)
	}
	for i := range want {
		w, g := want[i], got[i]
		// Each socket takes its own time of a packet, unless the card did.
		if !bytes.Equal(w.data, g.data) || w.wire != g.wire || w.vlan != g.vlan || max(w.time-g.time, g.time-w.time) > int64(time.Second) {
			t.Fatalf("packet %d: %d bytes of %d, vlan %d, at %d; gopacket: %d of %d, %d, %d", i+1, len(g.data), g.wire, g.vlan, g.time, len(w.data), w.wire, w.vlan, w.time)
		}
	}
}
