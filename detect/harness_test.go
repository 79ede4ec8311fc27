package detect_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/weir-ics/weir/capture"
	"github.com/weir-ics/weir/detect"
	"github.com/weir-ics/weir/protocols"
	"github.com/weir-ics/weir/protocols/dnp3"
	"github.com/weir-ics/weir/protocols/modbus"
)

// shared is the folder of captures that are not part of the repository.
func shared(t testing.TB, path string) string {
	t.Helper()
	root := os.Getenv("WEIR_SHARED")
	if root == "" {
		root = filepath.Join("..", "..", "shared")
	}
	full := filepath.Join(root, path)
	if _, err := os.Stat(full); err != nil {
		t.Skipf("skipped: %s is not here (set WEIR_SHARED to the folder that has the corpus)", path)
	}
	return full
}

// feeder is a capture.Handler that decodes and hands all events to a shard.
type feeder struct {
	shard    *detect.Shard
	schedule *detect.Schedule
	decoders []protocols.Decoder
	event    protocols.Event
	observe  func(*protocols.Event)
}

type flow struct {
	conv    protocols.Conversation
	decoder protocols.Decoder
	first   [2][]byte
}

func endpoint(e capture.Endpoint) protocols.Endpoint { return protocols.Endpoint(e) }

func (f *feeder) Open(c *capture.Conn, at capture.Stamp) {
	fl := &flow{conv: protocols.Conversation{Transport: protocols.TCP, Ends: [2]protocols.Endpoint{endpoint(c.Ends[0]), endpoint(c.Ends[1])}, OpeningSeen: c.OpeningSeen}}
	if c.UDP {
		fl.conv.Transport = protocols.UDP
	}
	c.User = fl
	if !c.OpeningSeen {
		f.network(protocols.ConversationSeen, at, c.Ends[0], c.Ends[1], true, 0)
	}
}

func (f *feeder) network(function uint8, at capture.Stamp, src, dst capture.Endpoint, fromOpener bool, size int) {
	e := &f.event
	e.Reset()
	e.Time, e.Clock, e.Frame = at.Time, at.Clock, at.Frame
	e.Proto, e.Role, e.Function, e.Name = protocols.ProtoNetwork, protocols.RoleNotice, function, protocols.NetworkName(function)
	e.Src, e.Dst, e.FromClient, e.Size = endpoint(src), endpoint(dst), fromOpener, size
	f.observe(e)
}

func (f *feeder) decoder(c *capture.Conn, d uint8, data []byte) protocols.Decoder {
	fl := c.User.(*flow)
	if fl.decoder != nil {
		return fl.decoder
	}
	fl.first[d] = append(fl.first[d], data...)
	switch {
	case modbus.Probe(fl.first[d]) == protocols.Yes:
		fl.decoder = modbus.NewDecoder(fl.conv, f.observe)
	case dnp3.Probe(fl.first[d]) == protocols.Yes:
		fl.decoder = dnp3.NewDecoder(fl.conv, f.observe, nil)
	default:
		return nil
	}
	f.decoders = append(f.decoders, fl.decoder)
	return fl.decoder
}

func (f *feeder) Stream(c *capture.Conn, d uint8, at capture.Stamp, data []byte) {
	if x := f.decoder(c, d, data); x != nil {
		x.Stream(protocols.Direction(d), protocols.Stamp(at), data)
	}
}

func (f *feeder) Gap(c *capture.Conn, d uint8, at capture.Stamp, lost int) {
	if x := c.User.(*flow).decoder; x != nil {
		x.Gap(protocols.Direction(d), protocols.Stamp(at), lost)
	}
}

func (f *feeder) Datagram(c *capture.Conn, d uint8, at capture.Stamp, data []byte) {
	if x := f.decoder(c, d, data); x != nil {
		x.Datagram(protocols.Direction(d), protocols.Stamp(at), data)
	}
}

func (f *feeder) Close(c *capture.Conn, at capture.Stamp) {
	x := c.User.(*flow).decoder
	if x == nil {
		return
	}
	x.Close(protocols.Stamp(at))
	for i := range f.decoders {
		if f.decoders[i] == x {
			f.decoders = append(f.decoders[:i], f.decoders[i+1:]...)
			break
		}
	}
}

func (f *feeder) Notice(n *capture.Notice) {
	f.network(uint8(n.Kind), n.Stamp, n.Src, n.Dst, n.FromOpener, n.Size)
}

func (f *feeder) Advance(clock int64) int64 {
	next := f.shard.Advance(clock)
	for _, d := range f.decoders {
		if at := d.Advance(clock); at != 0 && (next == 0 || at < next) {
			next = at
		}
	}
	return next
}

// run is what a replay gave.
type run struct {
	alerts    []detect.Alert
	lines     []byte
	incidents map[string]detect.IncidentReport
	site      *detect.Site
	shards    []*detect.Shard
}

// final returns the last state of each alert, in the order they were raised.
func (r *run) final() []detect.Alert {
	var out []detect.Alert
	at := map[string]int{}
	for _, a := range r.alerts {
		if i, ok := at[a.ID]; ok {
			out[i] = a
			continue
		}
		at[a.ID] = len(out)
		out = append(out, a)
	}
	return out
}

type replayOptions struct {
	workers  int
	settings *detect.Settings
	baseline *detect.Baseline
	batch    int
	// source is read instead of the files, if there is one.
	source capture.Source
	// keep chooses frames; the others are not seen, but keep their numbers.
	keep func(frame uint64) bool
	// observeFrom and observeUntil bound the clock of the events that the shard
	// sees; the decoders see all.
	observeFrom, observeUntil int64
}

func replay(t testing.TB, schedule *detect.Schedule, o replayOptions, paths ...string) *run {
	t.Helper()
	settings := detect.Defaults()
	if o.settings != nil {
		settings = *o.settings
	}
	r := &run{incidents: map[string]detect.IncidentReport{}}
	var handlers []capture.Handler
	for i := 0; i < max(1, o.workers); i++ {
		sh := detect.NewShard(settings, schedule, o.baseline)
		r.shards = append(r.shards, sh)
		observe := sh.Observe
		if o.observeFrom != 0 || o.observeUntil != 0 {
			observe = func(e *protocols.Event) {
				if e.Clock >= o.observeFrom && (o.observeUntil == 0 || e.Clock < o.observeUntil) {
					sh.Observe(e)
				}
			}
		}
		handlers = append(handlers, &feeder{shard: sh, schedule: schedule, observe: observe})
	}
	r.site = detect.NewSite(settings, schedule, o.baseline, r.shards)
	var source capture.Source = o.source
	if source == nil {
		source = capture.Open(paths, capture.FileOptions{})
	}
	src := &clocked{Source: source, schedule: schedule, size: o.batch, keep: o.keep}
	defer src.Close()
	collect := func(out *detect.Output) {
		for i := range out.Alerts {
			r.alerts = append(r.alerts, out.Alerts[i])
			r.lines = append(out.Alerts[i].AppendJSON(r.lines), '\n')
		}
		for _, i := range out.Incidents {
			r.incidents[i.ID] = i
		}
	}
	var last int64
	err := capture.New(capture.Settings{}, handlers).Run(context.Background(), src, func(clock int64) error {
		last = clock
		collect(r.site.Step(clock))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	collect(r.site.Finish(last))
	return r
}

// clocked tells the schedule the first packet's clock and, with a size, makes
// batches of that many packets.
type clocked struct {
	capture.Source
	schedule *detect.Schedule
	size     int
	keep     func(frame uint64) bool
	inner    capture.Batch
	next     int
}

func (c *clocked) Read(ctx context.Context, b *capture.Batch) error {
	if c.size == 0 {
		err := c.Source.Read(ctx, b)
		if c.keep != nil {
			kept := b.Packets[:0]
			for _, p := range b.Packets {
				if c.keep(p.Frame) {
					kept = append(kept, p)
				}
			}
			b.Packets = kept
		}
		if len(b.Packets) > 0 {
			c.schedule.Begin(b.Packets[0].Clock)
		}
		return err
	}
	for c.next == len(c.inner.Packets) {
		c.next = 0
		if err := c.Source.Read(ctx, &c.inner); err != nil {
			b.Packets = b.Packets[:0]
			return err
		}
	}
	b.Packets = b.Packets[:0]
	for len(b.Packets) < c.size && c.next < len(c.inner.Packets) {
		p := c.inner.Packets[c.next]
		c.next++
		c.schedule.Begin(p.Clock)
		p.Data = append([]byte(nil), p.Data...)
		b.Packets = append(b.Packets, p)
		b.Clock = p.Clock
	}
	return nil
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }
