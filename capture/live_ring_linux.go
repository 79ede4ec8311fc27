package capture

import (
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// blockFor is the size of the blocks of a ring, each handed over whole, for an
// interface whose packets are so long at most: the least of 64 KiB or more that holds
// the longest frame. The kernel hands over a block when it is full or its time is up,
// so in a quiet network the number of blocks is what a pause of ours may last: 256
// of 64 KiB (16 MiB) and 40 ms each make 10 s. It is a power of two, because the
// kernel takes as much memory for it as for the next.
func blockFor(mtu int) int {
	size := leastBlock
	for size < mtu+frameRoom {
		size *= 2
	}
	return size
}

const (
	leastBlock = 64 << 10
	// minBlocks is the least number of blocks of a ring.
	minBlocks = 16
	// frameRoom is what the kernel puts into a block beside a packet that fills it: the
	// headers of the block (48 octets) and of the frame (82, the link header of 14
	// and 4 octets of a tag included 100), rounded up. What does not fit is cut, as may
	// happen to segments that the card or the kernel merged (GRO) up to the last octets of
	// 64 KiB; that is counted as [Stats] Cut.
	frameRoom = 256
)

// ring is a TPACKET_V3 ring (Linux, Documentation/networking/packet_mmap.rst).
// But for counts and the giving back of blocks, one goroutine uses it.
type ring struct {
	name  string // of the interface
	link  LinkType
	place uint16

	fd     int
	mem    []byte
	blocks []block
	at     int    // the block to take next
	block  *block // the one being read, nil if none
	left   uint32 // packets in it
	packet uint32 // offset of the next
	time   int64  // of the next
	taken  uint64 // packets in all
	// inBatch tells that the batch being filled has a hold on block; inUse is
	// how many blocks it holds.
	inBatch bool
	inUse   int
	held    atomic.Int32 // blocks not given back
	wasDown bool         // the interface went down once
	closed  atomic.Bool

	mu              sync.Mutex // guards what follows
	passed, dropped uint64
}

// openRings opens the rings of an interface. Where there are several, the kernel
// shares the packets out among them by flow, in a group of their own (packet(7),
// PACKET_FANOUT).
func openRings(index, mtu int, filter []bpf.RawInstruction, opts LiveOptions) (all []*ring, err error) {
	defer func() {
		if err != nil {
			for _, r := range all {
				r.close()
			}
		}
	}()
	group := 0
	for range opts.Rings {
		r, err := openRing(mtu, opts)
		if err != nil {
			return all, err
		}
		all = append(all, r)
		if err := bindSocket(r.fd, index); err != nil {
			return all, err
		}
		if opts.Rings == 1 {
			break
		}
		how := group | unix.PACKET_FANOUT_HASH<<16
		if group == 0 {
			how = (unix.PACKET_FANOUT_HASH | unix.PACKET_FANOUT_FLAG_UNIQUEID) << 16
		}
		if err := unix.SetsockoptInt(r.fd, unix.SOL_PACKET, unix.PACKET_FANOUT, how); err != nil {
			return all, fmt.Errorf("share packets out among rings: %w", err)
		}
		if how, err = unix.GetsockoptInt(r.fd, unix.SOL_PACKET, unix.PACKET_FANOUT); err != nil {
			return all, fmt.Errorf("share packets out among rings: %w", err)
		}
		group = how & 0xffff
	}
	// Not before all are in their places does a packet pass.
	for _, r := range all {
		if err := setFilter(r.fd, filter); err != nil {
			return all, err
		}
	}
	return all, nil
}

func openRing(mtu int, opts LiveOptions) (*ring, error) {
	fd, err := packetSocket(passNothing)
	if err != nil {
		return nil, err
	}
	size := blockFor(mtu)
	r := &ring{fd: fd, blocks: make([]block, max(minBlocks, opts.RingBytes/size))}
	if err := unix.SetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_VERSION, unix.TPACKET_V3); err != nil {
		r.close()
		return nil, fmt.Errorf("ask for TPACKET_V3: %w", err)
	}
	request := unix.TpacketReq3{
		Block_size: uint32(size), Block_nr: uint32(len(r.blocks)),
		Frame_size: 2048, Frame_nr: uint32(len(r.blocks) * (size / 2048)),
		Retire_blk_tov: uint32(opts.BlockTimeout / time.Millisecond),
	}
	if err := unix.SetsockoptTpacketReq3(fd, unix.SOL_PACKET, unix.PACKET_RX_RING, &request); err != nil {
		r.close()
		return nil, fmt.Errorf("make ring: %w", err)
	}
	r.mem, err = unix.Mmap(fd, 0, len(r.blocks)*size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		r.close()
		return nil, fmt.Errorf("map ring: %w", err)
	}
	for i := range r.blocks {
		r.blocks[i].buf, r.blocks[i].ring = r.mem[i*size:(i+1)*size], r
	}
	return r, nil
}

// status is the word of a block that says whose it is.
func status(block []byte) *uint32 { return (*uint32)(unsafe.Pointer(&block[8])) }

func (r *ring) isReady(i int) bool {
	return atomic.LoadUint32(status(r.blocks[i].buf))&unix.TP_STATUS_USER != 0
}

// ready tells that there is a block to take.
func (r *ring) ready() bool { return r.isReady(r.at) }

// begin tells that a new batch is being filled.
func (r *ring) begin() { r.inBatch, r.inUse = false, 0 }

// next tells whether there is a packet to take, and makes the batch keep its
// block. A batch keeps a sixteenth of the blocks at most, so that those under
// way together leave most of the ring to the kernel.
func (r *ring) next(b *Batch) bool {
	for r.left == 0 {
		if r.block != nil {
			r.block.release()
			r.block = nil
		}
		if r.inUse >= len(r.blocks)/16 || !r.ready() {
			return false
		}
		r.block = &r.blocks[r.at]
		r.block.refs.Store(1)
		r.held.Add(1)
		r.at = (r.at + 1) % len(r.blocks)
		r.inBatch = false
		head := (*unix.TpacketHdrV1)(unsafe.Pointer(&r.block.buf[8]))
		r.left, r.packet = head.Num_pkts, head.Offset_to_first_pkt
		r.look()
	}
	if !r.inBatch {
		r.inBatch = true
		r.inUse++
		r.block.refs.Add(1)
		b.blocks = append(b.blocks, r.block)
	}
	return true
}

func (r *ring) header() *unix.Tpacket3Hdr {
	return (*unix.Tpacket3Hdr)(unsafe.Pointer(&r.block.buf[r.packet]))
}

// look reads the time of the next packet.
func (r *ring) look() {
	if r.left > 0 {
		h := r.header()
		r.time = int64(h.Sec)*1e9 + int64(h.Nsec)
	}
}

// take fills in the next packet, which there must be.
func (r *ring) take(p *Packet) {
	h := r.header()
	from := r.packet + uint32(h.Mac)
	p.Data = r.block.buf[from : from+h.Snaplen : from+h.Snaplen]
	p.Time, p.Link, p.Interface, p.VLAN = r.time, r.link, r.place, 0
	p.Wire = max(h.Len, h.Snaplen)
	if h.Status&unix.TP_STATUS_VLAN_VALID != 0 {
		p.VLAN = uint16(h.Hv1.Vlan_tci & 0xfff)
		p.Wire += 4
	}
	r.left--
	r.taken++
	r.packet += h.Next_offset
	r.look()
}

// giveBack lets the kernel fill a block again.
func (r *ring) giveBack(k *block) {
	if !r.closed.Load() {
		atomic.StoreUint32(status(k.buf), unix.TP_STATUS_KERNEL)
	}
	r.held.Add(-1)
}

// used is the part of the ring that the kernel cannot write to, 0 to 1.
func (r *ring) used() float64 {
	n := int(r.held.Load())
	for i := r.at; n < len(r.blocks) && r.isReady(i); i = (i + 1) % len(r.blocks) {
		n++
	}
	return float64(n) / float64(len(r.blocks))
}

// broken tells whether the interface has gone. One that is down is not: when it
// is up again, the ring goes on.
func (r *ring) broken() error {
	code, err := unix.GetsockoptInt(r.fd, unix.SOL_SOCKET, unix.SO_ERROR)
	if err != nil {
		return os.NewSyscallError("getsockopt", err)
	}
	if failed := unix.Errno(code); failed != 0 && failed != unix.ENETDOWN {
		return failed
	}
	// It is told once that it is down, and not that it has gone.
	r.wasDown = r.wasDown || code != 0
	if !r.wasDown {
		return nil
	}
	address, err := unix.Getsockname(r.fd)
	if err != nil {
		return os.NewSyscallError("getsockname", err)
	}
	if to, ok := address.(*unix.SockaddrLinklayer); ok && to.Ifindex <= 0 {
		return errGone
	}
	return nil
}

// counts returns how many packets the filter has let through, and how many of
// those the ring had no room for.
func (r *ring) counts() (passed, dropped uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.closed.Load() {
		// Since the last time; passed ones include dropped ones.
		if s, err := unix.GetsockoptTpacketStatsV3(r.fd, unix.SOL_PACKET, unix.PACKET_STATISTICS); err == nil {
			r.passed += uint64(s.Packets)
			r.dropped += uint64(s.Drops)
		}
	}
	return r.passed, r.dropped
}

// stop ends the taking in; what was taken in can still be read.
func (r *ring) stop() { _ = setFilter(r.fd, passNothing) }

func (r *ring) close() {
	if r.closed.Load() {
		return
	}
	r.counts()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed.Store(true)
	if r.mem != nil {
		_ = unix.Munmap(r.mem)
		r.mem = nil
	}
	_ = unix.Close(r.fd)
}
