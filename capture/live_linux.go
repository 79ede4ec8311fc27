package capture

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"unsafe"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// linkOf tells how the packets of the interface begin.
func (g *guard) linkOf(name string) (LinkType, error) {
	request, err := unix.NewIfreq(name)
	if err != nil {
		return 0, err
	}
	if err := unix.IoctlIfreq(g.sent.fd, unix.SIOCGIFHWADDR, request); err != nil {
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
	if err := setFilter(fd, filter); err != nil {
		_ = unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

// passNothing is a filter.
var passNothing = []bpf.RawInstruction{{Op: unix.BPF_RET | unix.BPF_K}}

func setFilter(fd int, filter []bpf.RawInstruction) error {
	program := unix.SockFprog{Len: uint16(len(filter)), Filter: (*unix.SockFilter)(unsafe.Pointer(&filter[0]))}
	if err := unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &program); err != nil {
		return fmt.Errorf("set filter: %w", err)
	}
	return nil
}

func bindSocket(fd, index int) error {
	err := unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: bigEndian16(unix.ETH_P_ALL), Ifindex: index})
	if err != nil {
		return fmt.Errorf("bind packet socket: %w", err)
	}
	return nil
}

// guard is what watches over an interface beside the rings. It keeps the
// interface promiscuous for as long as it is open, which ends with the program
// however that ends, and counts what the rings do not get. Its sockets are never
// read: what is not kept is counted, too.
type guard struct {
	mu   sync.Mutex
	sent countingSocket // what this host sends there: on a tap, nothing
	// came is all that comes, if a filter leaves some of it out; left is how
	// much of it was. before is what came before the filter was in its place.
	came        countingSocket
	before      uint64
	left        uint64
	missedFile  *os.File
	missedStart uint64
	flags       *unix.Ifreq // to ask for the interface's flags
}

func openGuard(name string, index int, promiscuous bool) (*guard, error) {
	g := &guard{sent: noSocket, came: noSocket}
	var err error
	if g.sent, err = openCounting(index, bpf.JumpEqual); err != nil {
		return nil, err
	}
	if g.flags, err = unix.NewIfreq(name); err != nil {
		g.close()
		return nil, err
	}
	if promiscuous {
		member := unix.PacketMreq{Ifindex: int32(index), Type: unix.PACKET_MR_PROMISC}
		if err := unix.SetsockoptPacketMreq(g.sent.fd, unix.SOL_PACKET, unix.PACKET_ADD_MEMBERSHIP, &member); err != nil {
			g.close()
			return nil, fmt.Errorf("make promiscuous: %w", err)
		}
	}
	// Where there is no such file, nothing is known of it.
	g.missedFile, _ = os.Open("/sys/class/net/" + name + "/statistics/rx_missed_errors")
	g.missedStart = g.readMissed()
	return g, nil
}

// countingSocket is a packet socket that counts.
type countingSocket struct {
	fd    int
	count uint64
}

var noSocket = countingSocket{fd: -1}

// openCounting counts the packets whose type compares so with "sent by this
// host".
func openCounting(index int, test bpf.JumpTest) (countingSocket, error) {
	only, err := bpf.Assemble([]bpf.Instruction{
		bpf.LoadExtension{Num: bpf.ExtType},
		bpf.JumpIf{Cond: test, Val: unix.PACKET_OUTGOING, SkipFalse: 1},
		bpf.RetConstant{Val: 1},
		bpf.RetConstant{Val: 0},
	})
	if err != nil {
		return noSocket, err
	}
	fd, err := packetSocket(only)
	if err != nil {
		return noSocket, err
	}
	_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, 0) // the least there is
	if err := bindSocket(fd, index); err != nil {
		_ = unix.Close(fd)
		return noSocket, err
	}
	return countingSocket{fd: fd}, nil
}

func (c *countingSocket) read() uint64 {
	if c.fd >= 0 {
		if s, err := unix.GetsockoptTpacketStats(c.fd, unix.SOL_PACKET, unix.PACKET_STATISTICS); err == nil {
			c.count += uint64(s.Packets) // since the last time, dropped ones included
		}
	}
	return c.count
}

func (c *countingSocket) close() {
	if c.fd >= 0 {
		c.read()
		_ = unix.Close(c.fd)
		c.fd = -1
	}
}

// countAll begins to count all that comes. It must be called before the rings are
// opened: the kernel gives a packet to the youngest socket first, and so none is
// counted here that the filter is still to see.
func (g *guard) countAll(index int) (err error) {
	g.came, err = openCounting(index, bpf.JumpNotEqual)
	return err
}

// begin tells that the filter is in its place, and how many packets it has let
// through already.
func (g *guard) begin(passed uint64) {
	if came := g.came.read(); came > passed {
		g.before = came - passed
	}
}

// filtered returns how many packets the filter left out. passed counts those
// that it let through, and is asked after what came.
func (g *guard) filtered(passed func() uint64) uint64 {
	g.mu.Lock()
	defer g.mu.Unlock()
	if came := g.came.read(); came > 0 {
		if through := passed() + g.before; came > through {
			g.left = max(g.left, came-through)
		}
	}
	return g.left
}

func (g *guard) outgoing() uint64 {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.sent.read()
}

// down tells that the interface hears nothing: somebody switched it off, or it has
// no carrier, as without a cable. The socket itself is told the former only, and once.
func (g *guard) down() bool {
	if unix.IoctlIfreq(g.sent.fd, unix.SIOCGIFFLAGS, g.flags) != nil {
		return false // it has another name, or has gone, which is told otherwise
	}
	const hears = unix.IFF_UP | unix.IFF_RUNNING
	return g.flags.Uint16()&hears != hears
}

// missed returns how many packets the network card had no room for.
func (g *guard) missed() uint64 { return g.readMissed() - g.missedStart }

func (g *guard) readMissed() (n uint64) {
	if g.missedFile == nil {
		return g.missedStart
	}
	var text [24]byte
	size, _ := g.missedFile.ReadAt(text[:], 0)
	for _, c := range text[:size] {
		if c < '0' || c > '9' {
			break
		}
		n = 10*n + uint64(c-'0')
	}
	return max(n, g.missedStart) // it may begin anew
}

func (g *guard) close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.sent.close()
	g.came.close()
	if g.missedFile != nil {
		_ = g.missedFile.Close()
		g.missedFile = nil
	}
}
