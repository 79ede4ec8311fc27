package capture

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"
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
	// RingBytes is the size of each buffer shared with the kernel (16 MiB, at
	// least 2 MiB).
	RingBytes int
	// Rings is how many such buffers each interface has (1, at most [MaxRings]). The
	// kernel shares the packets out by flow, and they are merged in time order
	// again. One is best as long as one processor takes in the interface's
	// packets; see docs/performance.md.
	Rings int
	// BlockTimeout is how long the kernel may hold packets back to hand over
	// more at once (40 ms).
	BlockTimeout time.Duration
	// BatchTime is how long a batch may take to fill (100 ms).
	BatchTime time.Duration
}

// LeastRing is the least size of a ring, in octets.
const LeastRing = 2 << 20

// MaxRings is the most rings of an interface.
const MaxRings = 64

func (o LiveOptions) withDefaults() LiveOptions {
	if o.RingBytes <= 0 {
		o.RingBytes = 16 << 20
	}
	o.RingBytes = max(o.RingBytes, LeastRing)
	o.Rings = min(max(o.Rings, 1), MaxRings)
	if o.BlockTimeout <= 0 {
		o.BlockTimeout = 40 * time.Millisecond
	}
	o.BlockTimeout = max(o.BlockTimeout, time.Millisecond)
	if o.BatchTime <= 0 {
		o.BatchTime = 100 * time.Millisecond
	}
	return o
}

// Live is a [Source] of what passes by on network interfaces, merged in time
// order. It never sends anything.
//
// The kernel fills the blocks of a ring, and batches alias them: a packet is
// not copied, and a block goes back when the last batch with a packet of it is
// read into again.
type Live struct {
	opts       LiveOptions
	interfaces []*liveInterface
	rings      []*ring
	frame      uint64
	clock      int64
	opened     time.Time
	stopped    time.Time // when ctx was cancelled, zero while it is not
	ended      bool
	nap        *time.Timer
	pressure   pressure
	// now reads the clocks, as they were read last.
	now  func() reading
	read reading
}

// reading is what the clocks of this host say: the time of day, in nanoseconds since
// the Unix epoch, which packets are stamped with and which can be set; and for how long
// the source has been open, which cannot.
type reading struct {
	day     int64
	elapsed time.Duration
}

// ClockSet is the error of a source that ends because the clock of this host was set:
// what comes after is not to be judged by what came before.
type ClockSet struct {
	// By is how far it was set forward, negative for back.
	By time.Duration
}

// Error says it in one line.
func (e *ClockSet) Error() string {
	if e.By < 0 {
		return fmt.Sprintf("capture: the system clock was set back by %s; begin again", (-e.By).Round(time.Second))
	}
	return fmt.Sprintf("capture: the system clock was set forward by %s; begin again", e.By.Round(time.Second))
}

// liveInterface is an interface that is listened on.
type liveInterface struct {
	name  string
	link  LinkType
	index int
	guard *guard
	rings []*ring
}

// passed is how many packets the kernel's filter let through, those dropped
// after it included.
func (n *liveInterface) passed() (sum uint64) {
	for _, r := range n.rings {
		passed, _ := r.counts()
		sum += passed
	}
	return sum
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

// errGone tells that the interface is not there any more.
var errGone = errors.New("the interface has gone")

// OpenLive begins to capture. It needs the capability CAP_NET_RAW.
func OpenLive(opts LiveOptions) (*Live, error) {
	opts = opts.withDefaults()
	if len(opts.Interfaces) == 0 {
		return nil, errors.New("capture: no interface is named; there are " + interfaceNames())
	}
	s := &Live{opts: opts, opened: time.Now(), nap: time.NewTimer(0)}
	s.now = func() reading {
		now := time.Now()
		return reading{now.UnixNano(), now.Sub(s.opened)}
	}
	s.read = s.now()
	for i, name := range opts.Interfaces {
		for _, before := range opts.Interfaces[:i] {
			if name == before {
				s.Close()
				return nil, &InterfaceError{Interface: name, Reason: "is named twice"}
			}
		}
		if err := s.open(name, uint16(i)); err != nil {
			s.Close()
			return nil, err
		}
	}
	return s, nil
}

// open begins to capture from one interface.
func (s *Live) open(name string, place uint16) error {
	dev, err := net.InterfaceByName(name)
	if err != nil {
		return &InterfaceError{Interface: name, Reason: "no such interface; there are " + interfaceNames(), Err: err}
	}
	if dev.Flags&net.FlagUp == 0 {
		return &InterfaceError{Interface: name, Reason: "the interface is down (ip link set " + name + " up)"}
	}
	n := &liveInterface{name: name, index: dev.Index}
	if n.guard, err = openGuard(name, dev.Index, !s.opts.NotPromiscuous); err != nil {
		return interfaceError(name, err)
	}
	s.interfaces = append(s.interfaces, n)
	if n.link, err = n.guard.linkOf(name); err != nil {
		return interfaceError(name, err)
	}
	filter, err := compileFilter(s.opts.Filter, n.link, true)
	if err != nil {
		return err
	}
	if s.opts.Filter != "" {
		if err := n.guard.countAll(dev.Index); err != nil {
			return interfaceError(name, err)
		}
	}
	if n.rings, err = openRings(dev.Index, dev.MTU, filter, s.opts); err != nil {
		return interfaceError(name, err)
	}
	for _, r := range n.rings {
		r.name, r.link, r.place = name, n.link, place
	}
	s.rings = append(s.rings, n.rings...)
	n.guard.begin(n.passed())
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
	list := make([]Interface, 0, len(s.interfaces))
	for _, n := range s.interfaces {
		list = append(list, Interface{Name: n.name, Link: n.link})
	}
	return list
}

// Counters returns what did not become a packet, and why.
func (s *Live) Counters() (c SourceCounters) {
	for _, n := range s.interfaces {
		c.Outgoing += n.guard.outgoing()
		c.Filtered += n.guard.filtered(n.passed)
		c.InterfaceDropped += n.guard.missed()
		for _, r := range n.rings {
			_, dropped := r.counts()
			c.KernelDropped += dropped
		}
	}
	return c
}

// Close ends the capture. No batch may be in use any more.
func (s *Live) Close() {
	for _, r := range s.rings {
		r.close()
	}
	for _, n := range s.interfaces {
		n.guard.close()
	}
}

// lag is how long after its time a packet may be handed over: the kernel keeps
// it for up to the block's time-out.
func (s *Live) lag() int64 { return int64(2*s.opts.BlockTimeout + 20*time.Millisecond) }

// maxOwed is how long after the end the kernel may take to hand over the packets
// that it counts as taken in. Its time-out of a block is a few milliseconds, but
// on a busy machine it may be late.
const maxOwed = 2 * time.Second

// owed tells that the kernel has packets that it did not hand over yet.
func (s *Live) owed() bool {
	for _, r := range s.rings {
		if passed, dropped := r.counts(); r.taken+dropped < passed {
			return true
		}
	}
	return false
}

// over tells that nothing more can come, so long after the taking in ended.
func (s *Live) over(since time.Duration) bool {
	return int64(since) > s.lag() && (since > maxOwed || !s.owed())
}

// maxStep is how far the system clock may be set. The watermark does not go back, so that
// time-outs wait until the time is what it was; forward, they come early.
const maxStep = time.Minute

// clocks reads the clocks. It fails if the time of day was set since they were last
// read, or is far from that of packets.
func (s *Live) clocks() error {
	now := s.now()
	by := time.Duration(now.day-s.read.day) - (now.elapsed - s.read.elapsed)
	s.read = now
	if by > maxStep {
		return &ClockSet{by}
	}
	if back := time.Duration(s.clock - now.day); back > maxStep {
		return &ClockSet{-back}
	}
	return nil
}

// napTime is how long Read sleeps where no ring has a block for it. It does not
// wait to be woken, because the kernel would do so for every block, and at once
// while a batch still has the last one.
const napTime = 10 * time.Millisecond

// Read gives the packets that came, and waits for no longer than the batch
// time. Where there are several rings, their packets are put in order of time.
// If nothing comes, the watermark follows the system clock: this is the only
// place where weir looks at one between packets and alerts.
//
// A cancelled ctx ends the taking in at once; what the kernel had taken in by
// then is still given.
func (s *Live) Read(ctx context.Context, b *Batch) error {
	b.reset()
	if s.ended {
		return io.EOF
	}
	for _, r := range s.rings {
		r.begin()
	}
	// What is between two of these does not depend on what is done to the clock.
	start := time.Now()
	for {
		moment := time.Now()
		if err := s.clocks(); err != nil {
			return s.set(b, err)
		}
		if s.stopped.IsZero() && ctx.Err() != nil {
			s.stopped = moment
			for _, r := range s.rings {
				r.stop()
			}
		}
		silence := s.read.day - s.lag()
		if !s.stopped.IsZero() && s.over(moment.Sub(s.stopped)) {
			silence = never
		}
		full := s.merge(b, silence)
		// Packets may have been stamped since the clocks were read.
		if err := s.clocks(); err != nil {
			return s.set(b, err)
		}
		drained := !full && s.drained()
		s.ended = drained && silence == never
		switch {
		case s.ended && len(b.Packets) == 0:
			return io.EOF
		case full || s.ended || moment.Sub(start) >= s.opts.BatchTime:
			if drained && silence != never {
				s.clock = max(s.clock, silence)
			}
			b.Clock = s.clock
			b.Pressed = s.pressure.judge(s.used(), moment.Sub(s.opened))
			b.Down, b.Deaf = s.down(b.Packets)
			return nil
		}
		for _, r := range s.rings {
			if err := r.broken(); err != nil && len(b.Packets) == 0 {
				return interfaceError(r.name, err)
			}
		}
		s.nap.Reset(napTime)
		if !s.stopped.IsZero() {
			<-s.nap.C
			continue
		}
		select {
		case <-ctx.Done():
		case <-s.nap.C:
		}
	}
}

// set ends a batch in which the clock was set. Its packets, of a moment, are from before
// and after, and let go.
func (s *Live) set(b *Batch, err error) error {
	b.reset()
	return err
}

// drained tells that nothing is at hand.
func (s *Live) drained() bool {
	for _, r := range s.rings {
		if r.left > 0 {
			return false
		}
	}
	return true
}

// used is how full the fullest ring is, 0 to 1.
func (s *Live) used() (most float64) {
	for _, r := range s.rings {
		most = max(most, r.used())
	}
	return most
}

// down tells which interfaces hear nothing (see [Batch]). One that has just come up
// brings packets up to a second before the kernel says that it has a carrier.
func (s *Live) down(packets []Packet) (which uint64, all bool) {
	up := 0
	for i, n := range s.interfaces {
		if n.guard.down() {
			which |= 1 << min(i, 63)
		} else {
			up++
		}
	}
	if which != 0 {
		for i := range packets {
			which &^= 1 << min(packets[i].Interface, 63)
		}
	}
	return which, up == 0 && len(packets) == 0
}

// merge moves packets into the batch in order of time, as far as no ring can
// still bring an earlier one: none that is silent brings one from before
// silence. It tells whether the batch is full: of packets, or because it would
// keep too many blocks from the kernel.
func (s *Live) merge(b *Batch, silence int64) (full bool) {
	for len(b.Packets) < BatchSize {
		var first *ring
		limit := never
		for _, r := range s.rings {
			if !r.next(b) {
				if r.ready() && len(b.Packets) > 0 {
					return true
				}
				limit = min(limit, silence)
				continue
			}
			if first == nil || r.time < first.time {
				first = r
			}
		}
		if first == nil || first.time > limit {
			return false
		}
		s.give(b, first)
	}
	return true
}

// give moves the next packet of a ring into the batch.
func (s *Live) give(b *Batch, r *ring) {
	p := b.add()
	r.take(p)
	s.frame++
	s.clock = max(s.clock, p.Time)
	p.Frame, p.Clock = s.frame, s.clock
}
