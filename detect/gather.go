package detect

import (
	"math"
	"net/netip"
	"unsafe"

	"github.com/weir-ics/weir/protocols"
)

// Gathered is what the shards told up to a watermark. The site works it off while
// the shards go on.
type Gathered struct {
	clock  int64
	shards []news // one a shard
	// links tells that the links are to be told; active and fresh are what there
	// is to tell.
	links  bool
	active []activity
	fresh  []Link
	// learned and conns are what was learned of links and connections, if learning
	// has ended since what was gathered before.
	learned []summary
	conns   []connKey
}

// news is what one shard told.
type news struct {
	notes  []note
	events []seen
}

// gathering is what belongs to who gathers, which the site's steps leave alone.
type gathering struct {
	// free has what is done with, to be filled again.
	free        chan *Gathered
	ended       bool  // learning has
	clock       int64 // the largest
	linksToldAt int64
}

func (x *gathering) next(shards int) *Gathered {
	select {
	case g := <-x.free:
		return g
	default:
		return &Gathered{shards: make([]news, shards)}
	}
}

// done lets go of what was worked off. One is kept, so that there are two in turns
// as long as the site is not behind.
func (x *gathering) done(g *Gathered) {
	for i := range g.shards {
		t := &g.shards[i]
		t.notes, t.events = t.notes[:0], t.events[:0]
	}
	clear(g.fresh)
	g.links, g.active, g.fresh = false, g.active[:0], g.fresh[:0]
	select {
	case x.free <- g:
	default:
	}
}

// Gather takes from the shards what a step has to work off, up to the watermark
// clock, while no shard is in use. still tells that the step needs the shards, too:
// then they must stay out of use until it is done. Steps of what was gathered
// before may be under way.
func (s *Site) Gather(clock int64) (g *Gathered, still bool) {
	x := &s.gathering
	g = x.next(len(s.shards))
	g.clock = clock
	for i, sh := range s.shards {
		t := &g.shards[i]
		t.notes, sh.notes = sh.notes, t.notes
		t.events, sh.events = sh.events, t.events
	}
	x.clock = max(x.clock, clock)
	if x.linksToldAt == 0 || x.clock-x.linksToldAt >= linkReport {
		x.linksToldAt = x.clock
		s.gatherLinks(g)
	}
	if !x.ended && s.schedule.watching(clock) {
		x.ended = true
		s.gatherLearned(g)
	}
	return g, clock >= s.needs.Load()
}

// linkReport is how often the links are told anew, in packet time.
const linkReport = int64(60e9)

// gatherLinks takes from the shards the links that carried something since the
// last report.
func (s *Site) gatherLinks(g *Gathered) {
	g.links = true
	for _, sh := range s.shards {
		for _, l := range sh.links {
			if l.messages == l.told {
				continue
			}
			g.active = append(g.active, activity{ipOf(l.key.client), ipOf(l.key.server), l.proto, l.key.unit, l.messages - l.told, l.last})
			l.told = l.messages
			g.fresh = append(g.fresh, l.record())
		}
	}
}

// gatherLearned ends the learning in the shards, and takes what the site has to
// know of it.
func (s *Site) gatherLearned(g *Gathered) {
	for _, sh := range s.shards {
		if !sh.frozen {
			sh.freeze()
		}
		g.learned = append(g.learned, sh.summaries...)
		sh.summaries = nil
		if s.baseline != nil {
			continue // which has the connections
		}
		for k := range sh.conns {
			g.conns = append(g.conns, k)
		}
	}
}

// needShards says from when on steps need the shards.
func (s *Site) needShards() {
	switch {
	case !s.armed && s.settings.ArmAtStart:
		s.needs.Store(math.MinInt64)
	case len(s.awaiting) > 0:
		s.needs.Store(s.awaiting[0].until)
	default:
		s.needs.Store(never)
	}
}

// findingOctets is about what a finding takes, its words included.
const findingOctets = 1 << 10

// Octets is about how much memory it takes.
func (g *Gathered) Octets() int {
	n := int(unsafe.Sizeof(*g)) + len(g.shards)*int(unsafe.Sizeof(news{})) + cap(g.active)*int(unsafe.Sizeof(activity{})) + cap(g.fresh)*int(unsafe.Sizeof(Link{}))
	for i := range g.shards {
		t := &g.shards[i]
		n += cap(t.notes)*int(unsafe.Sizeof(note{})) + cap(t.events)*int(unsafe.Sizeof(seen{})) + len(t.notes)*findingOctets
	}
	return n
}

// activity is what a link says of its hosts.
type activity struct {
	client, server netip.Addr
	proto          protocols.Proto
	unit           uint16
	messages       uint64
	last           int64
}
