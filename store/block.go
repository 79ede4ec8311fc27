package store

import (
	"encoding/binary"
	"slices"
)

// units are those that times of a group are kept in, in nanoseconds.
var units = [...]int64{1e6, 1e3, 1}

// A block is what a flush holds of a bucket and an hour: sections, each a part of
// a group's log. A section is
//
//	number    varint of the group's number, doubled, plus 1 if it begins anew; then
//	          come the octets of its unit, of the number of its members, and of each
//	          member's place in the bucket
//	readings  varint
//	length    varint of the log's, and the log
//
// A section that does not begin anew goes on where the group's last one in the
// hour ended, and is worth nothing without it.

func appendSection(dst []byte, g *segment, log []byte) []byte {
	n := g.group.number << 1
	if !g.fresh {
		dst = binary.AppendUvarint(dst, n)
	} else {
		dst = binary.AppendUvarint(dst, n|1)
		dst = append(dst, byte(slices.Index(units[:], g.unit)), byte(len(g.group.members)))
		for _, m := range g.group.members {
			dst = append(dst, byte(m.id&(1<<bucketBits-1)))
		}
	}
	dst = binary.AppendUvarint(dst, uint64(g.readings))
	dst = binary.AppendUvarint(dst, uint64(len(log)))
	return append(dst, log...)
}

// reader follows the groups of a bucket through the blocks of an hour.
type reader struct {
	groups map[uint64]*follower
	// want selects groups; nil is all.
	want func(*follower) bool
	// arrives, if set, is told that a reading comes, the first of a section or not,
	// changes that a member is about to differ from the reading before, and reads
	// that a reading is complete.
	arrives func(f *follower, first bool)
	changes func(f *follower, member int)
	reads   func(*follower)
}

// follower is a group as it is read.
type follower struct {
	places     []byte // of its members in the bucket
	states     []state
	devices    []int64 // times that devices gave in the reading
	dated      bool    // one of them did
	unit       int64
	time, step int64
	at         int64 // time, in nanoseconds
	wanted     bool
}

// block reads a block, and what it can of a damaged one.
func (r *reader) block(data []byte) error {
	for len(data) > 0 {
		rest, err := r.section(data)
		if err != nil {
			return err
		}
		data = rest
	}
	return nil
}

func (r *reader) section(src []byte) ([]byte, error) {
	n, k := binary.Uvarint(src)
	if k <= 0 {
		return nil, errChunk
	}
	src = src[k:]
	f := r.groups[n>>1]
	if n&1 != 0 {
		if len(src) < 2 || len(src) < 2+int(src[1]) {
			return nil, errChunk
		}
		members := int(src[1])
		if int(src[0]) >= len(units) || members > maxMembers {
			return nil, errChunk
		}
		f = &follower{places: append([]byte(nil), src[2:2+members]...), unit: units[src[0]]}
		for _, p := range f.places {
			if p >= 1<<bucketBits {
				return nil, errChunk
			}
		}
		src = src[2+members:]
		if f.wanted = r.want == nil || r.want(f); f.wanted {
			f.states, f.devices = make([]state, members), make([]int64, members)
		}
		if r.groups == nil {
			r.groups = map[uint64]*follower{}
		}
		r.groups[n>>1] = f
	}
	var head [2]uint64
	for i := range head {
		u, k := binary.Uvarint(src)
		if k <= 0 {
			return nil, errChunk
		}
		head[i], src = u, src[k:]
	}
	if head[1] > uint64(len(src)) || head[0] > head[1] {
		return nil, errChunk
	}
	log, rest := src[:head[1]], src[head[1]:]
	if f == nil || !f.wanted {
		return rest, nil
	}
	for i := range head[0] {
		var err error
		if log, err = f.next(log, r, i == 0); err != nil {
			delete(r.groups, n>>1) // damaged; what follows of others may not be
			break
		}
	}
	return rest, nil
}

// next reads a reading.
func (f *follower) next(src []byte, r *reader, first bool) ([]byte, error) {
	d, n := binary.Varint(src)
	if n <= 0 || n >= len(src) {
		return nil, errChunk
	}
	f.step += d
	f.time += f.step
	f.at = f.time * f.unit
	if r.arrives != nil {
		r.arrives(f, first)
	}
	entries := int(src[n])
	src = src[n+1:]
	if f.dated {
		clear(f.devices)
		f.dated = false
	}
	place := 0
	for range entries {
		if len(src) == 0 {
			return nil, errChunk
		}
		i := place + int(src[0])
		if i >= len(f.states) {
			return nil, errChunk
		}
		if r.changes != nil {
			r.changes(f, i)
		}
		var device int64
		var err error
		if src, device, err = f.states[i].next(src[1:], f.at); err != nil {
			return nil, err
		}
		if device != 0 {
			f.devices[i], f.dated = device, true
		}
		place = i + 1
	}
	if r.reads != nil {
		r.reads(f)
	}
	return src, nil
}

// collect reads what blocks say of one place of the bucket, in order of time.
func collect(place byte, each func(func([]byte)) error) ([]sample, error) {
	var all [1 << bucketBits][]sample
	err := collectAll(1<<place, each, &all)
	return all[place], err
}

// collectAll reads what blocks say of some places, a bit for each.
func collectAll(places uint64, each func(func([]byte)) error, out *[1 << bucketBits][]sample) error {
	r := reader{
		want: func(f *follower) bool {
			return slices.ContainsFunc(f.places, func(p byte) bool { return places>>p&1 != 0 })
		},
		reads: func(f *follower) {
			for i, p := range f.places {
				if places>>p&1 != 0 {
					out[p] = append(out[p], f.states[i].sample(f.at, f.devices[i]))
				}
			}
		},
	}
	// What is damaged is left out; the rest goes on.
	err := each(func(data []byte) { _ = r.block(data) })
	for p := range out {
		out[p] = tidy(out[p])
	}
	return err
}
