package store

import (
	"context"
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/weir-ics/weir/detect"
	"github.com/weir-ics/weir/protocols"
)

// batch is what waits for one commit.
type batch struct {
	clock        int64
	alerts       map[string]*detect.Alert
	order        []string // of alerts, as they first came
	assets       map[netip.Addr]*detect.Asset
	links        map[linkKey]*detect.Link
	segments     []segment // closed, or taken from touched by take
	touched      []*group  // have an open log, or had one
	log          []byte    // of segments
	fresh        bool      // the first of an epoch
	commands     []command
	counters     []detect.Counter
	counterClock int64
	status       string // empty if it was not said anew
	counts       Counts
	octets       int
}

func newBatch() *batch {
	return &batch{alerts: map[string]*detect.Alert{}, assets: map[netip.Addr]*detect.Asset{}, links: map[linkKey]*detect.Link{}}
}

func (b *batch) reset() {
	clear(b.alerts)
	clear(b.assets)
	clear(b.links)
	clear(b.segments)
	clear(b.touched)
	*b = batch{alerts: b.alerts, order: b.order[:0], assets: b.assets, links: b.links, segments: b.segments[:0], touched: b.touched[:0], log: b.log[:0], commands: b.commands[:0]}
}

func (b *batch) empty() bool {
	return b.counts == Counts{} && b.counters == nil && b.status == "" && len(b.touched) == 0
}

type linkKey struct {
	client, server           netip.Addr
	port                     uint16
	proto                    protocols.Proto
	unit, master, outstation uint16
}

type command struct {
	series *seriesBuf
	time   int64
	client netip.Addr
	access protocols.Access
	value  float64
}

// seriesBuf is a series that values come for.
type seriesBuf struct {
	series  *detect.Series // nil for a counter
	counter string
	// alone is its group of one, nil if there is none now; groups are those that it
	// is the first of. candidate tells which series came with it last time, next
	// which after it.
	alone     *group
	groups    []*group
	candidate uint64
	next      *seriesBuf
	number    uint32
	// refused is set, under mu, when there is no place for the series. row is its
	// row when that is committed, under mu too.
	refused bool
	row     int64
	// id is the row, 0 before there is one, -1 if there is none for it. Only
	// the writer uses it.
	id int64
}

// Write takes one step's output in. It returns at once unless Options.Wait is
// set, and fails only when the store is closed: what cannot be kept is counted
// in Report. It keeps nothing of out but the Series.
func (s *Store) Write(ctx context.Context, out *detect.Output) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return fmt.Errorf("store %s is closed", s.path)
	}
	if s.opt.Wait {
		s.waitForRoom(ctx)
	}
	b := s.pending
	s.clock = max(s.clock, out.Clock)
	b.clock = s.clock
	for i := range out.Alerts {
		s.addAlert(b, &out.Alerts[i])
	}
	s.addSamples(b, out.Samples)
	for i := range out.Assets {
		a := &out.Assets[i]
		if p, ok := b.assets[a.IP]; ok {
			*p = cloneAsset(a)
		} else if over(len(b.assets)+1, s.opt.MaxPending/8) {
			s.report.Lost.Assets++
		} else {
			c := cloneAsset(a)
			b.assets[a.IP] = &c
			b.counts.Assets++
		}
	}
	for i := range out.Links {
		l := &out.Links[i]
		k := linkKey{l.Client, l.Server, l.Port, l.Proto, l.Unit, l.Master, l.Outstation}
		if p, ok := b.links[k]; ok {
			*p = cloneLink(l)
		} else if over(len(b.links)+1, s.opt.MaxPending/8) {
			s.report.Lost.Links++
		} else {
			c := cloneLink(l)
			b.links[k] = &c
			b.counts.Links++
		}
	}
	if len(out.Counters) > 0 {
		b.counters = append(b.counters[:0], out.Counters...)
		b.counterClock = out.Clock
		s.latest, s.latestClock = append(s.latest[:0], out.Counters...), out.Clock
		if out.Clock-s.counted >= counterInterval {
			s.keepCounters(s.latest, out.Clock)
		}
	}
	if b.octets >= s.batchOctets && !s.failing {
		select {
		case s.kick <- struct{}{}:
		default:
		}
	}
	return nil
}

const (
	// counterInterval is how far apart, in packet time, counters are kept.
	counterInterval = 60e9
	// batchOctets is when a batch is committed without waiting for the time; of a
	// small store, its 64th part.
	batchOctets = 2 << 20
	// epochBatches is after how many batches' worth of values all is said anew: what
	// is older can then be dropped by itself.
	epochBatches = 16
)

// waitForRoom waits until the writer has taken a batch that is big enough; a
// writer that cannot write is not waited for.
func (s *Store) waitForRoom(ctx context.Context) {
	if s.pending.octets < 2*s.batchOctets || s.failing {
		return
	}
	stop := context.AfterFunc(ctx, func() {
		s.mu.Lock()
		s.room.Broadcast()
		s.mu.Unlock()
	})
	defer stop()
	for s.pending.octets >= 2*s.batchOctets && !s.failing && !s.closed && ctx.Err() == nil {
		s.room.Wait()
	}
}

func (s *Store) addAlert(b *batch, a *detect.Alert) {
	if p, ok := b.alerts[a.ID]; ok {
		// The newer state takes the place of the one that was not committed.
		*p = cloneAlert(a)
		b.counts.Alerts++
		return
	}
	if over(len(b.alerts)+1, s.opt.Retention.MaxAlerts) {
		s.report.Lost.Alerts++
		return
	}
	c := cloneAlert(a)
	b.alerts[a.ID] = &c
	b.order = append(b.order, a.ID)
	b.counts.Alerts++
	b.octets += 1024
}

// addSamples takes values in, those that one message reports at once.
func (s *Store) addSamples(b *batch, values []detect.Sample) {
	for i := 0; i < len(values); {
		v := &values[i]
		switch {
		case v.Series == nil:
			s.report.Lost.Values++
			i++
			continue
		case v.Access != protocols.AccessReport && v.Access != protocols.AccessUnknown:
			s.addCommand(b, v)
			i++
			continue
		}
		n := i + 1
		for n < len(values) {
			o := &values[n]
			if o.Time != v.Time || o.Frame != v.Frame || o.Access != v.Access || o.Series == nil {
				break
			}
			n++
		}
		s.addReported(b, values[i:n])
		i = n
	}
}

func (s *Store) addCommand(b *batch, v *detect.Sample) {
	sb := s.bufOf(v.Series)
	if sb == nil || sb.refused || len(b.commands) >= s.opt.MaxPending/8 {
		s.report.Lost.Commands++
		return
	}
	b.commands = append(b.commands, command{sb, v.Time, v.Client, v.Access, v.Value})
	b.counts.Commands++
	b.octets += 64
}

// keepCounters makes counters part of their history.
func (s *Store) keepCounters(counters []detect.Counter, clock int64) {
	if len(counters) == 0 || clock == s.counted {
		return
	}
	s.counted = clock
	for _, c := range counters {
		sb := s.names[c.Name]
		if sb == nil {
			if len(s.names) >= maxCounters {
				continue
			}
			name := strings.Clone(c.Name)
			sb = &seriesBuf{counter: name}
			s.names[name] = sb
		}
		if sb.alone == nil {
			sb.alone = s.newGroup(sb)
		}
		// They are no values of the plant, and not counted as such.
		counts := s.pending.counts
		s.addReadings(s.pending, sb.alone, []detect.Sample{{Time: clock, Value: float64(c.Value)}})
		s.pending.counts = counts
	}
}

// maxCounters is the most counters with a history; their names are a closed
// set, so it is never reached.
const maxCounters = 10_000

// take gives all that waits to the writer; with ifAlerts, only if there is an
// alert among it.
func (s *Store) take(ifAlerts bool) *batch {
	s.mu.Lock()
	defer s.mu.Unlock()
	b := s.pending
	if ifAlerts && len(b.alerts) == 0 {
		return nil
	}
	if b.empty() {
		return nil
	}
	for _, g := range b.touched {
		b.close(g)
		g.listed = false
	}
	b.fresh = s.epochOctets == 0
	if s.epochOctets += b.octets; s.epochOctets >= epochBatches*s.batchOctets {
		s.epoch++
		s.epochOctets = 0
	}
	s.pending, s.spare = s.spare, nil
	if s.pending == nil {
		s.pending = newBatch()
	}
	s.flight.add(&b.counts)
	s.room.Broadcast()
	return b
}

func cloneAlert(a *detect.Alert) detect.Alert {
	c := *a
	c.Points, c.Techniques = slices.Clone(a.Points), slices.Clone(a.Techniques)
	return c
}

func cloneAsset(a *detect.Asset) detect.Asset {
	c := *a
	c.MACs, c.VLANs, c.Roles, c.Units = slices.Clone(a.MACs), slices.Clone(a.VLANs), slices.Clone(a.Roles), slices.Clone(a.Units)
	return c
}

func cloneLink(l *detect.Link) detect.Link {
	c := *l
	c.Functions = slices.Clone(l.Functions)
	return c
}

// addressKey sorts as netip.Addr.Compare does, IPv4 before IPv6.
func addressKey(dst []byte, a netip.Addr) []byte {
	dst = append(dst, byte(a.BitLen()/8))
	dst = append(dst, a.AsSlice()...)
	return append(append(dst, a.Zone()...), 0)
}

func (k *linkKey) bytes() []byte {
	dst := addressKey(addressKey(nil, k.client), k.server)
	dst = binary.BigEndian.AppendUint16(append(dst, byte(k.proto)), k.port)
	for _, v := range []uint16{k.unit, k.master, k.outstation} {
		dst = binary.BigEndian.AppendUint16(dst, v)
	}
	return dst
}

// seriesSort orders by device, unit, kind and index.
func seriesSort(x *detect.Series) []byte {
	dst := addressKey(nil, x.Device)
	dst = binary.BigEndian.AppendUint16(append(dst, byte(x.Proto)), x.Unit)
	dst = binary.BigEndian.AppendUint32(append(dst, byte(x.Kind)), x.Index)
	return append(dst, x.Type...)
}

// seriesKey is what makes a series the same one in the next run.
func seriesKey(x *detect.Series) string {
	return x.Device.String() + "/" + x.Proto.String() + "/" + strconv.Itoa(int(x.Unit)) + "/" + x.Kind.String() + "/" + strconv.FormatUint(uint64(x.Index), 10) + "/" + x.Type
}
