//go:build linux && cgo

package capture

import (
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/google/gopacket/afpacket"
	"golang.org/x/net/bpf"
)

func init() { openRing = openAFPacket }

// afpacketRing is a ring of gopacket/afpacket.
type afpacketRing struct {
	handle *afpacket.TPacket
	// from is when the filter was in place. The library binds its socket
	// before it can be given one, and what came in between is left out.
	from  int64
	drops atomic.Uint64
}

func openAFPacket(name string, _ int, filter []bpf.RawInstruction, opts LiveOptions) (ring, error) {
	h, err := afpacket.NewTPacket(
		afpacket.OptInterface(name),
		afpacket.TPacketVersion3,
		afpacket.OptFrameSize(2048),
		afpacket.OptBlockSize(ringBlock),
		afpacket.OptNumBlocks(opts.RingBytes/ringBlock),
		afpacket.OptBlockTimeout(opts.BlockTimeout),
		afpacket.OptPollTimeout(pollTime),
	)
	if err != nil {
		return nil, fmt.Errorf("open ring: %w", err)
	}
	if err := h.SetBPF(filter); err != nil {
		h.Close()
		return nil, fmt.Errorf("set filter: %w", err)
	}
	return &afpacketRing{handle: h, from: time.Now().UnixNano()}, nil
}

func (r *afpacketRing) read(p *ringPacket) error {
	for {
		data, info, err := r.handle.ZeroCopyReadPacketData()
		switch {
		case errors.Is(err, afpacket.ErrTimeout):
			return errSilent
		case errors.Is(err, afpacket.ErrPoll):
			return errDown
		case err != nil:
			return fmt.Errorf("read ring: %w", err)
		}
		p.data, p.time, p.wire, p.vlan = data, info.Timestamp.UnixNano(), info.Length, 0
		if p.time < r.from {
			continue
		}
		for _, a := range info.AncillaryData {
			if tag, ok := a.(afpacket.AncillaryVLAN); ok {
				p.vlan = uint16(tag.VLAN)
				p.wire += 4
			}
		}
		return nil
	}
}

func (r *afpacketRing) dropped() uint64 {
	if _, s, err := r.handle.SocketStats(); err == nil {
		r.drops.Store(uint64(s.Drops()))
	}
	return r.drops.Load()
}

func (r *afpacketRing) close() { r.handle.Close() }
