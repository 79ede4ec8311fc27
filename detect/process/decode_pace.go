package process

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
)

func (d *decoder) pace() savedPace {
	var s savedPace
	d.object(func(key []byte) {
		switch string(key) {
		case "interval":
			s.Interval = d.signed()
		case "points":
			s.Points = d.places(nil)
		case "relations":
			s.unread = &decoder{data: d.data, at: d.at, read: d.read}
			d.skip()
		case "rules":
			d.value(&s.Rules)
		default:
			d.skip()
		}
	})
	return s
}

// each calls f with each relation, and reads them one by one if they are unread.
// f may keep the weights of what it is given, and all else until it returns.
func (s *savedPace) each(f func(*savedRelation) error) error {
	for i := range s.Relations {
		if err := f(&s.Relations[i]); err != nil {
			return err
		}
	}
	if s.unread == nil {
		return nil
	}
	d := *s.unread // so that it may be called again
	var r savedRelation
	d.array(func(int) {
		if d.relation(&r); d.err == nil {
			d.fail(f(&r))
		}
		d.past()
	})
	return d.err
}

// clone returns a relation that may be kept.
func (s *savedRelation) clone() savedRelation {
	c := *s
	c.Members, c.Switches, c.Responses, c.Unmet = copied(s.Members), copied(s.Switches), copied(s.Responses), copied(s.Unmet)
	for i := range c.Members {
		m := &c.Members[i]
		m.Limits, m.Clips = copied(m.Limits), copied(m.Clips)
	}
	for i := range c.Responses {
		x := &c.Responses[i]
		x.Shift, x.Width, x.Stay = copied(x.Shift), copied(x.Width), copied(x.Stay)
	}
	return c
}

// copied copies a list; one of nothing becomes none.
func copied[T any](list []T) []T { return append([]T(nil), list...) }

// relation reads a relation into s, whose memory is used again. What a large site
// has many of is read where it stands, the rest as encoding/json does.
func (d *decoder) relation(s *savedRelation) {
	members, responses, unmet, switches := s.Members[:0], s.Responses[:0], s.Unmet[:0], s.Switches[:0]
	*s = savedRelation{}
	d.object(func(key []byte) {
		switch string(key) {
		case "daily":
			s.Daily = d.boolean()
		case "rest":
			s.Rest = uint8(d.unsigned(math.MaxUint8))
		case "shift":
			s.Shift = d.integer()
		case "habits":
			d.value(&s.Habits)
		case "rows":
			s.Rows = d.integer()
		case "seconds":
			s.Seconds = d.number()
		case "members":
			d.array(func(int) {
				members = another(members)
				d.member(&members[len(members)-1])
			})
		case "guests":
			d.value(&s.Guests)
		case "switches":
			switches = d.places(switches)
		case "responses":
			d.array(func(int) {
				responses = another(responses)
				d.response(&responses[len(responses)-1])
			})
		case "unmet":
			d.array(func(int) {
				var kinds [2]int
				d.array(func(i int) {
					v := d.integer()
					if i < len(kinds) {
						kinds[i] = v
					}
				})
				unmet = append(unmet, kinds)
			})
		case "joint":
			d.value(&s.Joint)
		case "factor":
			s.Factor = d.weights()
		case "unsettled":
			s.Unsettled = d.integer()
		default:
			d.skip()
		}
	})
	s.Members, s.Responses, s.Unmet, s.Switches = members, responses, unmet, switches
}

// another makes a list longer by one, which may be one that was there before.
func another[T any](list []T) []T {
	if len(list) < cap(list) {
		return list[:len(list)+1]
	}
	var zero T
	return append(list, zero)
}

// member reads a member into m, whose memory is used again.
func (d *decoder) member(m *savedMember) {
	*m = savedMember{Limits: m.Limits[:0], Clips: m.Clips[:0]}
	d.object(func(key []byte) {
		switch string(key) {
		case "point":
			m.Point = d.integer()
		case "mean":
			m.Mean = d.number()
		case "spread":
			m.Spread = d.number()
		case "drifting":
			m.Drifting = d.boolean()
		case "scale":
			m.Scale = d.number()
		case "lean":
			m.Lean = d.number()
		case "bias":
			m.Bias = d.number()
		case "limits":
			d.array(func(int) { m.Limits = append(m.Limits, d.number()) })
		case "clips":
			d.array(func(int) { m.Clips = append(m.Clips, d.number()) })
		case "sum":
			m.Sum = d.number()
		case "weights":
			m.Weights = d.weights()
		case "anchor":
			d.value(&m.Anchor)
		case "tied":
			m.Tied = d.weights()
		case "habit":
			d.value(&m.Habit)
		case "usual":
			m.Usual = d.weights()
		default:
			d.skip()
		}
	})
}

// response reads a response into x, whose memory is used again.
func (d *decoder) response(x *savedResponse) {
	*x = savedResponse{Shift: x.Shift[:0], Width: x.Width[:0], Stay: x.Stay[:0]}
	d.object(func(key []byte) {
		switch string(key) {
		case "kind":
			x.Kind = d.integer()
		case "member":
			x.Member = d.integer()
		case "shift":
			d.array(func(int) { x.Shift = append(x.Shift, d.single()) })
		case "width":
			d.array(func(int) { x.Width = append(x.Width, d.single()) })
		case "stay":
			d.array(func(int) { x.Stay = append(x.Stay, d.single()) })
		default:
			d.skip()
		}
	})
}

// weights reads what encoder.weights wrote. The weights of many members lie side by
// side.
func (d *decoder) weights() []float32 {
	if !d.expect('"') {
		return nil
	}
	n := bytes.IndexByte(d.data[d.at:], '"')
	if n < 0 {
		d.at = len(d.data)
		d.unexpected(`'"'`)
		return nil
	}
	text := d.data[d.at : d.at+n]
	d.at += n + 1
	d.raw = slices.Grow(d.raw[:0], base64.RawStdEncoding.DecodedLen(n))
	raw := d.raw[:cap(d.raw)]
	n, err := base64.RawStdEncoding.Decode(raw, text)
	if err == nil && n%4 != 0 {
		err = fmt.Errorf("%d octets of weights are no whole number of them", n)
	}
	if d.fail(err); d.err != nil || n == 0 {
		return nil
	}
	d.floats.room(n / 4)
	out := d.floats.free[: n/4 : n/4]
	d.floats.free = d.floats.free[n/4:]
	for i := range out {
		out[i] = math.Float32frombits(binary.LittleEndian.Uint32(raw[4*i:]))
		if v := float64(out[i]); math.IsNaN(v) || math.IsInf(v, 0) {
			d.fail(errors.New("a weight is no number"))
		}
	}
	return out
}

// maxPlaces bounds what runs of places can grow to.
const maxPlaces = 4_000_000

// places reads what encoder.places wrote, and appends it to out.
func (d *decoder) places(out []int) []int {
	d.array(func(int) {
		if d.peek() != '[' {
			out = append(out, int(d.unsigned(math.MaxInt32)))
			return
		}
		var run [2]int
		d.array(func(i int) {
			v := int(d.unsigned(math.MaxInt32))
			if i < len(run) {
				run[i] = v
			}
		})
		if run[1] > maxPlaces-len(out) {
			d.fail(fmt.Errorf("more than %d places", maxPlaces))
			return
		}
		out = slices.Grow(out, run[1])
		for i := range run[1] {
			out = append(out, run[0]+i)
		}
	})
	return out
}
