package store

import (
	"encoding/binary"
	"math"
	"slices"

	"github.com/weir-ics/weir/detect"
)

// group is points that are reported together, with the log of their readings that
// the writer has not taken yet.
type group struct {
	number  uint64
	members []*seriesBuf
	series  []*detect.Series // the members', to compare
	last    []seen
	states  []state
	unit    int64 // of its times, in nanoseconds
	hour    int64
	epoch   uint32
	// fresh tells that the log begins with nothing known, listed that the batch
	// knows the group, begun that there was a reading.
	fresh, listed, begun bool
	time, step           int64 // of the last reading, in units
	readings             int
	log                  []byte
}

// seen is what a point said last, as it said it: the same again needs no entry.
type seen struct {
	value            uint64
	score, low, high float32
	flags            uint8
	known, judged    bool
}

// segment is a part of a group's log that waits to be committed.
type segment struct {
	group    *group
	hour     int64
	unit     int64
	fresh    bool
	readings int
	from, to int // of the batch's log
}

const (
	// maxGroups is the most groups that begin with the same point, and maxShare
	// how many members all have, as a multiple of the series.
	maxGroups, maxShare = 4, 4
	// bucketBits is the binary logarithm of the number of series that are neighbours
	// in the file. A group lies within such a bucket.
	bucketBits = 6
)

func bucketOf(id int64) int64 { return id >> bucketBits }

// says tells whether v says what was seen, with no time of the device.
func (x *seen) says(v *detect.Sample) bool {
	if math.Float64bits(v.Value) != x.value || v.Judged != x.judged || v.Flags != x.flags || v.HasFlags != x.known || v.DeviceTime != 0 {
		return false
	}
	return !v.Judged || float32(v.Score) == x.score && float32(v.Low) == x.low && float32(v.High) == x.high
}

func (x *seen) set(v *detect.Sample) {
	x.value, x.flags, x.known, x.judged = math.Float64bits(v.Value), v.Flags, v.HasFlags, v.Judged
	if v.Judged {
		x.score, x.low, x.high = float32(v.Score), float32(v.Low), float32(v.High)
	}
}

// addReported takes in values that were reported in one message. Those of groups that
// are known go to these; the others are kept by themselves, and are a group when
// they come together for the second time.
func (s *Store) addReported(b *batch, values []detect.Sample) {
	if b.counts.Values >= uint64(s.opt.MaxPending) {
		s.report.Lost.Values += uint64(len(values))
		return
	}
	s.singles = s.singles[:0] // those of the values before that belong to no group
	for i := 0; i < len(values); {
		sb := s.bufOf(values[i].Series)
		if sb == nil || sb.refused {
			s.report.Lost.Values++
			s.learn()
			i++
			continue
		}
		if g := sb.groupOf(values[i:]); g != nil {
			s.learn()
			s.addReadings(b, g, values[i:][:len(g.members)])
			i += len(g.members)
			s.near = g.members[len(g.members)-1]
			continue
		}
		if sb.alone == nil {
			sb.alone = s.newGroup(sb)
		}
		s.singles = append(s.singles, sb)
		s.addReadings(b, sb.alone, values[i:i+1])
		i++
	}
	s.learn()
}

// groupOf finds the group that values begin with.
func (sb *seriesBuf) groupOf(values []detect.Sample) *group {
next:
	for _, g := range sb.groups {
		if len(g.series) > len(values) {
			continue
		}
		for i, x := range g.series {
			if values[i].Series != x {
				continue next
			}
		}
		return g
	}
	return nil
}

// learn remembers that the singles came one after the other, and makes groups of
// them when they do for the second time, and have their rows: only then is it known
// who are neighbours.
func (s *Store) learn() {
	members := s.singles
	s.singles = s.singles[:0]
	if len(members) < 2 {
		return
	}
	hash := uint64(len(members))
	for _, m := range members {
		hash = (hash ^ uint64(m.number)) * 1099511628211
	}
	if members[0].candidate != hash {
		members[0].candidate = hash
		return
	}
	if over(s.members+len(members), maxShare*len(s.series)) {
		return
	}
	for _, m := range members {
		if m.row <= 0 {
			return
		}
	}
	for len(members) > 0 {
		n := 1
		for n < len(members) && n < maxMembers && bucketOf(members[n].row) == bucketOf(members[0].row) {
			n++
		}
		if n > 1 {
			s.found(s.newGroup(slices.Clone(members[:n])...))
		}
		members = members[n:]
	}
}

// found makes a group known.
func (s *Store) found(g *group) {
	first := g.members[0]
	if len(first.groups) == maxGroups {
		s.members -= len(first.groups[0].members)
		first.groups = slices.Delete(first.groups, 0, 1)
	}
	first.groups = append(first.groups, g)
	s.members += len(g.members)
	for _, m := range g.members {
		m.alone = nil // it is made again if it is needed
	}
}

// lone is the memory of a group of one: most groups are, in a plant whose devices
// report changes, and so each is one piece.
type lone struct {
	group
	members [1]*seriesBuf
	series  [1]*detect.Series
	last    [1]seen
	states  [1]state
}

func (s *Store) newGroup(members ...*seriesBuf) *group {
	n := len(members)
	number := s.numbers
	s.numbers++
	if n == 1 {
		l := &lone{members: [1]*seriesBuf{members[0]}, series: [1]*detect.Series{members[0].series}}
		l.group = group{number: number, members: l.members[:], series: l.series[:], last: l.last[:], states: l.states[:], unit: units[0]}
		return &l.group
	}
	g := &group{number: number, members: members, last: make([]seen, n), states: make([]state, n), series: make([]*detect.Series, n), unit: units[0]}
	for i, m := range members {
		g.series[i] = m.series
	}
	return g
}

// addReadings appends what one message says of a group's members to its log.
func (s *Store) addReadings(b *batch, g *group, values []detect.Sample) {
	at := values[0].Time
	if uint64(at)-uint64(g.hour) >= uint64(hour) || g.epoch != s.epoch || at%g.unit != 0 || !g.begun {
		b.close(g)
		g.begin(at, s.epoch)
	}
	if !g.listed {
		g.listed = true
		b.touched = append(b.touched, g)
	}
	was := len(g.log)
	g.append(values)
	b.octets += len(g.log) - was
	b.counts.Values += uint64(len(values))
}

// append appends a reading of all members to the log.
func (g *group) append(values []detect.Sample) {
	at := values[0].Time / g.unit
	step := at - g.time
	log := binary.AppendVarint(g.log, step-g.step)
	g.time, g.step = at, step
	count := len(log)
	log = append(log, 0)
	place := 0
	for i := range values {
		v := &values[i]
		if g.last[i].says(v) {
			continue
		}
		log = g.states[i].append(append(log, byte(i-place)), v)
		g.last[i].set(v)
		place = i + 1
		log[count]++
	}
	g.log = log
	g.readings++
}

// begin makes the log begin with nothing known.
func (g *group) begin(at int64, epoch uint32) {
	for at%g.unit != 0 {
		g.unit /= 1000
	}
	g.hour, g.epoch, g.fresh, g.begun = floor(at, hour), epoch, true, true
	g.time, g.step = 0, 0
	clear(g.last)
	clear(g.states)
}

// close makes a segment of what is in a group's log.
func (b *batch) close(g *group) {
	if g.readings == 0 {
		return
	}
	from := len(b.log)
	b.log = append(b.log, g.log...)
	b.segments = append(b.segments, segment{g, g.hour, g.unit, g.fresh, g.readings, from, len(b.log)})
	g.fresh, g.readings, g.log = false, 0, g.log[:0]
}

// bufOf finds or makes what is known of a series; nil if there is no room. Most
// often it is the one that followed last time.
func (s *Store) bufOf(x *detect.Series) *seriesBuf {
	if n := s.near; n != nil && n.next != nil && n.next.series == x {
		s.near = n.next
		return n.next
	}
	sb := s.series[x]
	if sb == nil {
		if over(len(s.series)+1, s.opt.Retention.MaxSeries) {
			return nil
		}
		sb = &seriesBuf{series: x, number: uint32(len(s.series))}
		s.series[x] = sb
	}
	if s.near != nil {
		s.near.next = sb
	}
	s.near = sb
	return sb
}
