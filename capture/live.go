package capture

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"time"

	"golang.org/x/net/bpf"
)

// LiveOptions say what to capture. The zero value captures all there is to see
// on no interface.
type LiveOptions struct {
	// Interfaces are the names of the network interfaces to listen on.
	Interfaces []string
	// Filter is an expression of [CompileFilter], run by the kernel; empty for
	// all packets.
	Filter string
	// NotPromiscuous leaves the interfaces as they are: only what is for this
	// host is then seen, unless somebody else turned the mode on.
	NotPromiscuous bool
	// RingBytes is the size of the buffer that each interface shares with the
	// kernel (32 MiB).
	RingBytes int
	// BlockTimeout is how long the kernel may hold packets back to hand over
	// more at once (20 ms).
	BlockTimeout time.Duration
	// BatchTime is how long a batch may take to fill (100 ms).
	BatchTime time.Duration
}

func (o LiveOptions) withDefaults() LiveOptions {
	if o.RingBytes <= 0 {
		o.RingBytes = 32 << 20
	}
	o.RingBytes = max(o.RingBytes, 2*ringBlock)
	if o.BlockTimeout <= 0 {
		o.BlockTimeout = 20 * time.Millisecond
	}
	o.BlockTimeout = max(o.BlockTimeout, time.Millisecond)
	if o.BatchTime <= 0 {
		o.BatchTime = 100 * time.Millisecond
	}
	return o
}

// ringBlock is the size of the blocks of the ring, each handed over whole.
const ringBlock = 1 << 20

// Live is a [Source] of what passes by on network interfaces, merged in time
// order. It never sends anything.
type Live struct {
	opts   LiveOptions
	rings  []*ringReader
	ready  chan struct{} // something came for Read
	stop   chan struct{}
	once   sync.Once
	frame  uint64
	clock  int64
	ended  bool
	wakeUp *time.Timer
}

// InterfaceError is why an interface cannot be captured from.
type InterfaceError struct {
	// Interface is its name.
	Interface string
	// Reason says it for people, with what to do about it.
	Reason string
	// Err is the cause, or nil.
	Err error
}

// Error says it in one line.
func (e *InterfaceError) Error() string { return "capture " + e.Interface + ": " + e.Reason }

// Unwrap returns the cause.
func (e *InterfaceError) Unwrap() error { return e.Err }

// errSilent tells that no packet came in time.
var errSilent = errors.New("no packet")

// errDown tells that the interface went down; the ring is of no use any more.
var errDown = errors.New("the interface went down")

// errGone tells that the interface is not there any more.
var errGone = errors.New("the interface has gone")

// ringPacket is a packet in the ring.
type ringPacket struct {
	data []byte // valid until the next read
	time int64
	wire int
	vlan uint16
}

// ring is the kernel's side of capturing from one interface.
type ring interface {
	// read returns the next packet. It waits for a short time and then
	// returns errSilent.
	read(p *ringPacket) error
	// dropped returns how many packets the kernel dropped so far.
	dropped() uint64
	close()
}

// OpenLive begins to capture. It needs the capability CAP_NET_RAW.
func OpenLive(opts LiveOptions) (*Live, error) {
	opts = opts.withDefaults()
	if len(opts.Interfaces) == 0 {
		return nil, errors.New("capture: no interface is named; there are " + interfaceNames())
	}
	s := &Live{opts: opts, ready: make(chan struct{}, 1), stop: make(chan struct{})}
	for i, name := range opts.Interfaces {
		for _, before := range opts.Interfaces[:i] {
			if name == before {
				s.Close()
				return nil, &InterfaceError{Interface: name, Reason: "is named twice"}
			}
		}
		r, err := s.openReader(name)
		if err != nil {
			s.Close()
			return nil, err
		}
		s.rings = append(s.rings, r)
	}
	for _, r := range s.rings {
		r.running.Go(r.run)
	}
	return s, nil
}

func (s *Live) openReader(name string) (*ringReader, error) {
	dev, err := net.InterfaceByName(name)
	if err != nil {
		return nil, &InterfaceError{Interface: name, Reason: "no such interface; there are " + interfaceNames(), Err: err}
	}
	if dev.Flags&net.FlagUp == 0 {
		return nil, &InterfaceError{Interface: name, Reason: "the interface is down (ip link set " + name + " up)"}
	}
	r := &ringReader{live: s, name: name, index: dev.Index, space: make(chan struct{}, 1)}
	if err := r.open(s.opts); err != nil {
		r.close()
		return nil, err
	}
	return r, nil
}

func (r *ringReader) open(opts LiveOptions) (err error) {
	if r.guard, err = openGuard(r.index, !opts.NotPromiscuous); err != nil {
		return interfaceError(r.name, err)
	}
	if r.link, err = r.guard.linkOf(r.name); err != nil {
		return interfaceError(r.name, err)
	}
	if r.filter, err = compileFilter(opts.Filter, r.link, true); err != nil {
		return err
	}
	if r.ring, err = openRing(r.name, r.index, r.filter, opts); err != nil {
		return interfaceError(r.name, err)
	}
	return nil
}

func interfaceNames() string {
	all, err := net.Interfaces()
	if err != nil || len(all) == 0 {
		return "none"
	}
	var names []string
	for _, i := range all {
		names = append(names, i.Name)
	}
	return strings.Join(names, ", ")
}

// Interfaces returns what is captured from.
func (s *Live) Interfaces() []Interface {
	list := make([]Interface, 0, len(s.rings))
	for _, r := range s.rings {
		list = append(list, Interface{Name: r.name, Link: r.link})
	}
	return list
}

// Counters returns what the kernel dropped, and what this host sent.
func (s *Live) Counters() (c SourceCounters) {
	for _, r := range s.rings {
		c.KernelDropped += r.dropped()
		c.Outgoing += r.guard.outgoing()
	}
	return c
}

// Close ends the capture.
func (s *Live) Close() {
	s.halt()
	for _, r := range s.rings {
		r.running.Wait()
		r.close()
	}
}

// halt tells the readers to end.
func (s *Live) halt() { s.once.Do(func() { close(s.stop) }) }

// chunk is packets on their way from a reader to Read.
type chunk struct {
	packets []Packet
	arena   []byte
	next    int // the first that was not taken yet
	err     error
}

func (c *chunk) empty() bool { return c.next == len(c.packets) }

func (c *chunk) clear() { c.packets, c.arena, c.next = c.packets[:0], c.arena[:0], 0 }

// The limits of a chunk; beyond them packets stay in the kernel's ring.
const (
	chunkPackets = BatchSize
	chunkBytes   = 8 << 20
)

// ringReader takes packets out of one ring.
type ringReader struct {
	live    *Live
	name    string
	link    LinkType
	index   int
	filter  []bpf.RawInstruction
	guard   *guard
	running sync.WaitGroup
	space   chan struct{} // Read took something away

	ringMu sync.Mutex // guards a change of ring, and what follows
	ring   ring
	before uint64 // dropped by rings before this one

	mu     sync.Mutex
	filled chunk // guarded by mu

	taken chunk // what Read has, none of run's business
}

func (r *ringReader) close() {
	if r.ring != nil {
		r.ring.close()
	}
	if r.guard != nil {
		r.guard.close()
	}
}

// run reads until the capture ends.
func (r *ringReader) run() {
	s := r.live
	var p ringPacket
	for {
		select {
		case <-s.stop:
			return
		default:
		}
		err := r.ring.read(&p)
		if errors.Is(err, errDown) {
			err = r.again()
		}
		if errors.Is(err, errSilent) {
			continue
		}
		r.mu.Lock()
		full := false
		if err != nil {
			r.filled.err = err
		} else {
			r.filled.add(&p, r.link)
			full = len(r.filled.packets) >= chunkPackets || len(r.filled.arena) >= chunkBytes
		}
		r.mu.Unlock()
		select {
		case s.ready <- struct{}{}:
		default:
		}
		if err != nil {
			return
		}
		for full {
			select {
			case <-s.stop:
				return
			case <-r.space:
			}
			r.mu.Lock()
			full = len(r.filled.packets) >= chunkPackets || len(r.filled.arena) >= chunkBytes
			r.mu.Unlock()
		}
	}
}

// again waits until the interface is up again and opens a new ring. It returns
// errSilent once that is done, or the capture has ended.
func (r *ringReader) again() error {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		up, err := r.guard.isUp(r.name)
		if err != nil {
			return err
		}
		if up {
			fresh, err := openRing(r.name, r.index, r.filter, r.live.opts)
			if err != nil {
				return err
			}
			r.ringMu.Lock()
			r.before += r.ring.dropped()
			r.ring.close()
			r.ring = fresh
			r.ringMu.Unlock()
			return errSilent
		}
		select {
		case <-r.live.stop:
			return errSilent
		case <-tick.C:
		}
	}
}

// dropped returns how many packets the kernel dropped so far.
func (r *ringReader) dropped() uint64 {
	r.ringMu.Lock()
	defer r.ringMu.Unlock()
	return r.before + r.ring.dropped()
}

// add copies a packet.
func (c *chunk) add(p *ringPacket, link LinkType) {
	at := len(c.arena)
	c.arena = append(c.arena, p.data...)
	c.packets = append(c.packets, Packet{Data: c.arena[at:len(c.arena):len(c.arena)], Time: p.time, Wire: uint32(max(p.wire, len(p.data))), Link: link, VLAN: p.vlan})
}

// take gets what the reader has, if Read has nothing left of before.
func (r *ringReader) take() error {
	if !r.taken.empty() {
		return nil
	}
	r.taken.clear()
	r.mu.Lock()
	r.taken, r.filled = r.filled, r.taken
	err := r.taken.err
	r.filled.err = err
	r.mu.Unlock()
	select {
	case r.space <- struct{}{}:
	default:
	}
	if r.taken.empty() {
		return err
	}
	return nil
}

// lag is how long after its time a packet may be handed over: the kernel keeps
// it for up to the block's time-out.
func (s *Live) lag() int64 { return int64(2*s.opts.BlockTimeout + 20*time.Millisecond) }

// maxStepBack is how far the system clock may go back. The watermark does not,
// so that time-outs wait until the time is what it was.
const maxStepBack = time.Hour

// Read gives the packets that came, and waits for no longer than the batch
// time. Where there are several interfaces, their packets are put in order of
// time. If nothing comes, the watermark follows the system clock: this is the
// only place where weir looks at one between packets and alerts.
func (s *Live) Read(ctx context.Context, b *Batch) error {
	b.reset()
	if s.ended {
		return io.EOF
	}
	start := time.Now()
	if s.wakeUp == nil {
		s.wakeUp = time.NewTimer(s.opts.BatchTime)
	} else {
		s.wakeUp.Reset(s.opts.BatchTime)
	}
	defer s.wakeUp.Stop()
	for {
		select {
		case <-ctx.Done():
			s.halt()
			s.ended = true
		default:
		}
		now := time.Now().UnixNano()
		if s.clock-now > int64(maxStepBack) {
			return fmt.Errorf("capture: the system clock went back by %s; begin again", time.Duration(s.clock-now).Round(time.Second))
		}
		silence := now - s.lag()
		err := s.merge(b, silence)
		if len(b.Packets) == BatchSize || s.ended || time.Since(start) >= s.opts.BatchTime {
			if len(b.Packets) < BatchSize && !s.ended && silence > s.clock && s.drained() {
				s.clock = silence
			}
			b.Clock = s.clock
			if s.ended && len(b.Packets) == 0 {
				return io.EOF
			}
			return nil
		}
		if err != nil && len(b.Packets) == 0 {
			return err
		}
		select {
		case <-ctx.Done():
		case <-s.ready:
		case <-s.wakeUp.C:
		}
	}
}

// drained tells that nothing is at hand.
func (s *Live) drained() bool {
	for _, r := range s.rings {
		if !r.taken.empty() {
			return false
		}
	}
	return true
}

// merge moves packets into the batch in order of time, as far as no interface
// can still bring an earlier one: none that is silent brings one from before
// silence.
func (s *Live) merge(b *Batch, silence int64) (failed error) {
	for len(b.Packets) < BatchSize {
		var first *ringReader
		var place int
		limit := never
		for i, r := range s.rings {
			if err := r.take(); err != nil {
				failed = interfaceError(r.name, err)
			}
			if r.taken.empty() {
				if !s.ended {
					limit = min(limit, silence)
				}
				continue
			}
			if first == nil || r.taken.packets[r.taken.next].Time < first.taken.packets[first.taken.next].Time {
				first, place = r, i
			}
		}
		if first == nil {
			return failed
		}
		p := first.taken.packets[first.taken.next]
		if len(s.rings) > 1 && p.Time > limit {
			return failed
		}
		first.taken.next++
		s.frame++
		s.clock = max(s.clock, p.Time)
		at := len(b.arena)
		b.arena = append(b.arena, p.Data...)
		p.Data = b.arena[at:len(b.arena):len(b.arena)]
		p.Frame, p.Clock, p.Interface = s.frame, s.clock, uint16(place)
		b.Packets = append(b.Packets, p)
	}
	return failed
}
