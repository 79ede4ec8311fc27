package capture

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// openRing opens the ring of an interface. With cgo it is gopacket/afpacket's,
// else our own.
var openRing = openOwnRing

// linkOf tells how the packets of the interface begin.
func (g *guard) linkOf(name string) (LinkType, error) {
	request, err := unix.NewIfreq(name)
	if err != nil {
		return 0, err
	}
	if err := unix.IoctlIfreq(g.fd, unix.SIOCGIFHWADDR, request); err != nil {
		return 0, fmt.Errorf("ask what kind of interface it is: %w", err)
	}
	switch kind := request.Uint16(); kind {
	case unix.ARPHRD_ETHER, unix.ARPHRD_LOOPBACK:
		return LinkEthernet, nil
	case unix.ARPHRD_NONE, unix.ARPHRD_PPP, unix.ARPHRD_TUNNEL, unix.ARPHRD_TUNNEL6, unix.ARPHRD_RAWIP:
		return LinkRaw, nil
	default:
		return 0, fmt.Errorf("interfaces of its kind (ARP hardware type %d) are not supported; Ethernet and tunnels are", kind)
	}
}

// isUp tells whether the interface is up, or errGone.
func (g *guard) isUp(name string) (bool, error) {
	request, err := unix.NewIfreq(name)
	if err != nil {
		return false, err
	}
	if err := unix.IoctlIfreq(g.fd, unix.SIOCGIFFLAGS, request); err != nil {
		return false, errGone
	}
	return request.Uint16()&unix.IFF_UP != 0, nil
}

// interfaceError says what to do about an error of the kernel.
func interfaceError(name string, err error) error {
	var known *InterfaceError
	if errors.As(err, &known) {
		return err
	}
	reason := err.Error()
	switch {
	case errors.Is(err, unix.EPERM), errors.Is(err, unix.EACCES):
		reason = "no permission: it takes the capability CAP_NET_RAW (setcap cap_net_raw=ep on the program, or AmbientCapabilities=CAP_NET_RAW in its systemd unit)"
	case errors.Is(err, unix.ENETDOWN):
		reason = "the interface is down (ip link set " + name + " up)"
	case errors.Is(err, unix.ENODEV), errors.Is(err, unix.ENXIO), errors.Is(err, errGone):
		reason = "the interface has gone"
	case errors.Is(err, unix.ENOMEM):
		reason = "not enough memory for its ring; make it smaller"
	case errors.Is(err, unix.EAFNOSUPPORT):
		reason = "this kernel has no packet sockets"
	}
	return &InterfaceError{Interface: name, Reason: reason, Err: err}
}

func bigEndian16(v uint16) uint16 {
	b := [2]byte{byte(v >> 8), byte(v)}
	return *(*uint16)(unsafe.Pointer(&b))
}

// packetSocket makes a packet socket that receives nothing yet: it is given
// its filter first, and bound to an interface then, so that no packet passes
// before the filter is there.
func packetSocket(filter []bpf.RawInstruction) (int, error) {
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, fmt.Errorf("open packet socket: %w", err)
	}
	program := unix.SockFprog{Len: uint16(len(filter)), Filter: (*unix.SockFilter)(unsafe.Pointer(&filter[0]))}
	if err := unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &program); err != nil {
		_ = unix.Close(fd)
		return -1, fmt.Errorf("set filter: %w", err)
	}
	return fd, nil
}

func bindSocket(fd, index int) error {
	err := unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: bigEndian16(unix.ETH_P_ALL), Ifindex: index})
	if err != nil {
		return fmt.Errorf("bind packet socket: %w", err)
	}
	return nil
}

// guard is a second socket on an interface. It keeps the interface promiscuous
// for as long as it is open, which ends with the program however that ends,
// and counts what this host sends there: on a tap, nothing. It is never read.
type guard struct {
	fd    int
	mu    sync.Mutex
	count uint64
}

func openGuard(index int, promiscuous bool) (*guard, error) {
	only, err := bpf.Assemble([]bpf.Instruction{
		bpf.LoadExtension{Num: bpf.ExtType},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: unix.PACKET_OUTGOING, SkipFalse: 1},
		bpf.RetConstant{Val: 1},
		bpf.RetConstant{Val: 0},
	})
	if err != nil {
		return nil, err
	}
	fd, err := packetSocket(only)
	if err != nil {
		return nil, err
	}
	_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, 0) // the least there is: what is not kept is counted, too
	if err := bindSocket(fd, index); err != nil {
		_ = unix.Close(fd)
		return nil, err
	}
	if promiscuous {
		member := unix.PacketMreq{Ifindex: int32(index), Type: unix.PACKET_MR_PROMISC}
		if err := unix.SetsockoptPacketMreq(fd, unix.SOL_PACKET, unix.PACKET_ADD_MEMBERSHIP, &member); err != nil {
			_ = unix.Close(fd)
			return nil, fmt.Errorf("make promiscuous: %w", err)
		}
	}
	return &guard{fd: fd}, nil
}

func (g *guard) outgoing() uint64 {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.fd >= 0 {
		if s, err := unix.GetsockoptTpacketStats(g.fd, unix.SOL_PACKET, unix.PACKET_STATISTICS); err == nil {
			g.count += uint64(s.Packets) // since the last time, dropped ones included
		}
	}
	return g.count
}

func (g *guard) close() {
	g.outgoing()
	g.mu.Lock()
	defer g.mu.Unlock()
	_ = unix.Close(g.fd)
	g.fd = -1
}

// pollTime is how long a read waits, and with it the end of a capture.
const pollTime = 50 * time.Millisecond

// ownRing is a TPACKET_V3 ring in pure Go (Linux,
// Documentation/networking/packet_mmap.rst).
type ownRing struct {
	fd     int
	mem    []byte
	blocks int
	at     int    // the block to read
	block  []byte // the block being read, nil if none
	left   uint32 // packets in it
	packet uint32 // offset of the next
	poll   [1]unix.PollFd
	drops  uint64
}

func openOwnRing(name string, index int, filter []bpf.RawInstruction, opts LiveOptions) (ring, error) {
	fd, err := packetSocket(filter)
	if err != nil {
		return nil, err
	}
	r := &ownRing{fd: fd, blocks: opts.RingBytes / ringBlock}
	if err := unix.SetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_VERSION, unix.TPACKET_V3); err != nil {
		r.close()
		return nil, fmt.Errorf("ask for TPACKET_V3: %w", err)
	}
	request := unix.TpacketReq3{
		Block_size: ringBlock, Block_nr: uint32(r.blocks),
		Frame_size: 2048, Frame_nr: uint32(r.blocks * (ringBlock / 2048)),
		Retire_blk_tov: uint32(opts.BlockTimeout / time.Millisecond),
	}
	if err := unix.SetsockoptTpacketReq3(fd, unix.SOL_PACKET, unix.PACKET_RX_RING, &request); err != nil {
		r.close()
		return nil, fmt.Errorf("make ring: %w", err)
	}
	r.mem, err = unix.Mmap(fd, 0, r.blocks*ringBlock, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		r.close()
		return nil, fmt.Errorf("map ring: %w", err)
	}
	if err := bindSocket(fd, index); err != nil {
		r.close()
		return nil, err
	}
	r.poll[0] = unix.PollFd{Fd: int32(fd), Events: unix.POLLIN}
	return r, nil
}

// status is the word of a block that says whose it is.
func status(block []byte) *uint32 { return (*uint32)(unsafe.Pointer(&block[8])) }

func (r *ownRing) read(p *ringPacket) error {
	for r.left == 0 {
		if r.block != nil { // give it back
			atomic.StoreUint32(status(r.block), unix.TP_STATUS_KERNEL)
			r.block = nil
			r.at = (r.at + 1) % r.blocks
		}
		block := r.mem[r.at*ringBlock : (r.at+1)*ringBlock]
		if atomic.LoadUint32(status(block))&unix.TP_STATUS_USER == 0 {
			r.poll[0].Revents = 0
			n, err := unix.Poll(r.poll[:], int(pollTime/time.Millisecond))
			switch {
			case err == unix.EINTR || err == nil && n == 0:
				return errSilent
			case err != nil:
				return fmt.Errorf("wait for packets: %w", err)
			case r.poll[0].Revents&unix.POLLERR != 0:
				return errDown
			}
			continue
		}
		head := (*unix.TpacketHdrV1)(unsafe.Pointer(&block[8]))
		r.block, r.left, r.packet = block, head.Num_pkts, head.Offset_to_first_pkt
	}
	h := (*unix.Tpacket3Hdr)(unsafe.Pointer(&r.block[r.packet]))
	from := r.packet + uint32(h.Mac)
	p.data = r.block[from : from+h.Snaplen]
	p.time = int64(h.Sec)*1e9 + int64(h.Nsec)
	p.wire = int(h.Len)
	p.vlan = 0
	if h.Status&unix.TP_STATUS_VLAN_VALID != 0 {
		p.vlan = uint16(h.Hv1.Vlan_tci & 0xfff)
		p.wire += 4
	}
	r.left--
	r.packet += h.Next_offset
	return nil
}

func (r *ownRing) dropped() uint64 {
	if s, err := unix.GetsockoptTpacketStatsV3(r.fd, unix.SOL_PACKET, unix.PACKET_STATISTICS); err == nil {
		r.drops += uint64(s.Drops)
	}
	return r.drops
}

func (r *ownRing) close() {
	if r.mem != nil {
		_ = unix.Munmap(r.mem)
		r.mem = nil
	}
	_ = unix.Close(r.fd)
}
