package main

import (
	"github.com/weir-ics/weir/capture"
	"github.com/weir-ics/weir/protocols"
	"github.com/weir-ics/weir/protocols/identify"
)

// worker is the way of one share of the traffic from capture to events. It
// implements capture.Handler: it turns capture's conversations and notices into
// those of protocols, and hands every event to observe.
type worker struct {
	router  *identify.Router
	observe func(*protocols.Event)
	// advance moves the timers of those who observe, after the decoders'.
	advance func(clock int64) (next int64)
	// next is where they keep when that is to happen next.
	next   *int64
	notice protocols.Event
}

func newWorker(observe func(*protocols.Event), advance func(int64) int64, next *int64) *worker {
	return &worker{router: identify.NewRouter(observe), observe: observe, advance: advance, next: next}
}

// Wake implements capture.Waker.
func (w *worker) Wake() [2]*int64 { return [2]*int64{w.router.Next(), w.next} }

func stamp(at capture.Stamp) protocols.Stamp { return protocols.Stamp(at) }

// Open implements capture.Handler.
func (w *worker) Open(c *capture.Conn, at capture.Stamp) {
	conv := protocols.Conversation{
		Transport:   protocols.TCP,
		Ends:        [2]protocols.Endpoint{protocols.Endpoint(c.Ends[0]), protocols.Endpoint(c.Ends[1])},
		OpeningSeen: c.OpeningSeen,
	}
	if c.UDP {
		conv.Transport = protocols.UDP
	}
	c.User = w.router.Open(conv)
	if c.UDP || !c.OpeningSeen {
		w.tell(protocols.ConversationSeen, &capture.Notice{Stamp: at, Conn: c, Src: c.Ends[0], Dst: c.Ends[1], FromOpener: true})
	}
}

// Stream implements capture.Handler.
func (w *worker) Stream(c *capture.Conn, d uint8, at capture.Stamp, data []byte) {
	f := c.User.(*identify.Flow)
	f.Stream(protocols.Direction(d), stamp(at), data)
	if !f.Wanted() {
		c.Ignore()
	}
}

// Gap implements capture.Handler.
func (w *worker) Gap(c *capture.Conn, d uint8, at capture.Stamp, lost int) {
	c.User.(*identify.Flow).Gap(protocols.Direction(d), stamp(at), lost)
}

// Datagram implements capture.Handler.
func (w *worker) Datagram(c *capture.Conn, d uint8, at capture.Stamp, data []byte) {
	f := c.User.(*identify.Flow)
	f.Datagram(protocols.Direction(d), stamp(at), data)
	if !f.Wanted() {
		c.Ignore()
	}
}

// Close implements capture.Handler.
func (w *worker) Close(c *capture.Conn, at capture.Stamp) {
	c.User.(*identify.Flow).Close(stamp(at))
	c.User = nil
}

// functions gives the protocols' number of each notice of capture.
var functions = [...]uint8{
	capture.ConnectionTried:   protocols.ConnectionTried,
	capture.ConnectionOpened:  protocols.ConnectionOpened,
	capture.ConnectionRefused: protocols.ConnectionRefused,
	capture.ConnectionClosed:  protocols.ConnectionClosed,
	capture.HostSeen:          protocols.HostSeen,
	capture.ARPReply:          protocols.ARPReply,
	capture.ARPRequest:        protocols.ARPRequest,
	capture.OverlapConflict:   protocols.OverlapConflict,
	capture.StreamGap:         protocols.StreamGap,
	capture.TTLChanged:        protocols.TTLChanged,
}

// Notice implements capture.Handler.
func (w *worker) Notice(n *capture.Notice) { w.tell(functions[n.Kind], n) }

func (w *worker) tell(function uint8, n *capture.Notice) {
	e := &w.notice
	e.Reset()
	e.Time, e.Clock, e.Frame = n.Stamp.Time, n.Stamp.Clock, n.Stamp.Frame
	e.Proto, e.Role = protocols.ProtoNetwork, protocols.RoleNotice
	e.Function = function
	e.Name = protocols.NetworkName(e.Function)
	e.Src, e.Dst = protocols.Endpoint(n.Src), protocols.Endpoint(n.Dst)
	e.FromClient = n.FromOpener
	e.Size = n.Size
	switch {
	case n.Conn != nil && n.Conn.UDP:
		e.Transport = protocols.UDP
	case n.Conn != nil:
		e.Transport = protocols.TCP
	default:
		e.Transport = protocols.Ethernet
	}
	w.observe(e)
}

// Advance implements capture.Handler.
func (w *worker) Advance(clock int64) (next int64) {
	next = w.router.Advance(clock)
	if other := w.advance(clock); other != 0 && (next == 0 || other < next) {
		next = other
	}
	return next
}
