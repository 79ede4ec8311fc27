package process

import (
	"errors"
	"fmt"
	"math"
	"slices"
)

// decoder reads the section of a baseline file. It reads numbers and keys where
// they stand, without reflection: a million points in a fraction of a second,
// where encoding/json takes ten. Its methods do nothing once there is an error.
type decoder struct {
	data []byte
	at   int
	err  error
	// read, if set, is told up to where data has been read for good.
	read func(upTo int)
	// What weights are made of.
	raw    []byte
	floats slab[float32]
}

// past tells that what was read up to here will not be looked at again.
func (d *decoder) past() {
	if d.read != nil && d.err == nil {
		d.read(d.at)
	}
}

// decode reads a section: each point in order, then each pace. The point, and
// what it refers to, may be kept only until the function returns. upTo, which may
// be nil, is told up to where the section has been read for good.
func decode(section []byte, upTo func(int), point func(*savedPoint) error, pace func(*savedPace) error) error {
	d := &decoder{data: section, read: upTo}
	paces := -1
	known := false
	d.object(func(key []byte) {
		switch string(key) {
		case "version":
			known = true
			if v := d.signed(); (v < 2 || v > version) && d.err == nil {
				d.fail(fmt.Errorf("version %d is not known, only 1 to %d", v, version))
			}
		case "tables":
			var t tableReader
			d.array(func(i int) {
				d.within("table %d", i, func() { d.table(&t, point) })
				if paces < 0 { // no need to go back
					d.past()
				}
			})
		case "paces":
			// Points are named by their places, so they have to be there.
			paces = d.at
			d.skip()
		default:
			d.skip()
		}
	})
	if d.end(); d.err == nil && !known {
		d.err = errors.New("there is no version")
	}
	if d.err != nil || paces < 0 {
		return d.err
	}
	d.at = paces
	d.array(func(i int) {
		d.within("pace %d", i, func() {
			if s := d.pace(); d.err == nil {
				d.fail(pace(&s))
			}
		})
	})
	return d.err
}

// sectionVersion finds the version of a section. Sections begin with it.
func sectionVersion(section []byte) (version int64) {
	d := &decoder{data: section}
	d.object(func(key []byte) {
		if string(key) != "version" {
			d.skip()
			return
		}
		version = d.signed()
		if d.err == nil {
			d.err = errors.New("enough")
		}
	})
	return version
}

// tableReader keeps its memory from table to table.
type tableReader struct {
	runs   []constants
	values []float64
	points []savedPoint
}

// constants are points that have one value each, from index first on: values
// from and up to to.
type constants struct {
	first    uint32
	from, to int
}

func (d *decoder) table(t *tableReader, take func(*savedPoint) error) {
	var common savedPoint
	t.runs, t.values = t.runs[:0], t.values[:0]
	n := 0
	common.Low, common.High = math.Inf(-1), math.Inf(1)
	d.object(func(key []byte) {
		switch string(key) {
		case "device":
			d.fail(common.Device.UnmarshalText([]byte(d.string())))
		case "proto":
			common.Proto = d.string()
		case "unit":
			common.Unit = uint16(d.unsigned(math.MaxUint16))
		case "kind":
			common.Kind = d.string()
		case "constants":
			d.array(func(int) {
				run := constants{from: len(t.values)}
				d.array(func(i int) {
					if i == 0 {
						run.first = uint32(d.unsigned(math.MaxUint32))
						return
					}
					t.values = append(t.values, d.number())
				})
				run.to = len(t.values)
				t.runs = append(t.runs, run)
			})
		case "points":
			d.array(func(int) {
				if n == len(t.points) {
					t.points = append(t.points, savedPoint{})
				}
				p := &t.points[n]
				p.reset(&common)
				d.point(p)
				n++
			})
		default:
			if !d.shared(&common, key) {
				d.skip()
			}
		}
	})
	if d.err != nil {
		return
	}
	points := t.points[:n]
	byIndex := func(a, b savedPoint) int { return int(int64(a.Index) - int64(b.Index)) }
	if !slices.IsSortedFunc(points, byIndex) || !slices.IsSortedFunc(t.runs, func(a, b constants) int { return int(int64(a.first) - int64(b.first)) }) {
		d.fail(errors.New("the points are not in the order of their index"))
		return
	}
	c := common
	c.Nature, c.States, c.Visits, c.Surprise = natureConstant.String(), []float64{0}, []uint32{1}, 0
	k := 0
	for _, r := range t.runs {
		for i, v := range t.values[r.from:r.to] {
			if c.Index = r.first + uint32(i); c.Index < r.first {
				d.fail(errors.New("a run of constants goes past the last index"))
				return
			}
			for ; k < n && points[k].Index < c.Index; k++ {
				d.fail(take(&points[k]))
			}
			c.States[0] = v
			if d.fail(take(&c)); d.err != nil {
				return
			}
		}
	}
	for ; k < n && d.err == nil; k++ {
		d.fail(take(&points[k]))
	}
}

// reset makes s a point of a table, of which only what is common is known. Its
// memory is used again.
func (s *savedPoint) reset(common *savedPoint) {
	states, visits, dwell := s.States[:0], s.Visits[:0], s.Dwell[:0]
	*s = *common
	s.States, s.Visits, s.Dwell = states, visits, dwell
}

// shared reads what points of a table may have in common. It tells whether the
// key is one of that.
func (d *decoder) shared(s *savedPoint, key []byte) bool {
	switch string(key) {
	case "type":
		s.Type = d.string()
	case "n":
		s.N = uint32(d.unsigned(math.MaxUint32))
	case "seconds":
		s.Seconds = short(d.number())
	case "interval":
		s.Interval = d.signed()
	case "regular":
		s.Regular = d.boolean()
	case "flags":
		s.Flags = nil
		d.array(func(int) { s.Flags = append(s.Flags, int(d.unsigned(math.MaxUint8))) })
	case "surprise":
		s.Surprise = short(d.number())
	default:
		return false
	}
	return true
}

func (d *decoder) point(s *savedPoint) {
	d.object(func(key []byte) {
		switch string(key) {
		case "index":
			s.Index = uint32(d.unsigned(math.MaxUint32))
		case "name":
			s.Name = d.string()
		case "nature":
			s.Nature = d.string()
		case "since":
			s.Since = d.signed()
		case "states":
			s.States = s.States[:0]
			d.array(func(int) { s.States = append(s.States, d.number()) })
		case "visits":
			s.Visits = s.Visits[:0]
			d.array(func(int) { s.Visits = append(s.Visits, uint32(d.unsigned(math.MaxUint32))) })
		case "transitions":
			s.Transitions = d.unsigned(math.MaxUint64)
		case "dwell":
			s.Dwell = s.Dwell[:0]
			d.array(func(int) { s.Dwell = append(s.Dwell, d.signed()) })
		case "low":
			s.Low = short(d.number())
		case "high":
			s.High = short(d.number())
		case "seen":
			s.Seen = d.pair()
		case "center":
			s.Center = short(d.number())
		case "spread":
			s.Spread = short(d.number())
		case "pace":
			s.Pace = short(d.number())
		case "drift":
			s.Drift = short(d.number())
		case "step":
			s.Step = short(d.number())
		case "grain":
			s.Grain = short(d.number())
		case "rest":
			s.Rest = d.signed()
		case "noise":
			s.Noise = d.pair()
		case "commands":
			s.Commands = new(savedCommand)
			d.value(s.Commands)
		case "prompts":
			d.value(&s.Prompts)
		case "replay":
			var v [7]float64
			d.array(func(i int) {
				x := d.number()
				if i < len(v) {
					v[i] = x
				}
			})
			ring := v[2]
			if !(ring >= 0 && ring <= maxReplayRing) {
				ring = 0
			}
			s.Replay = &savedReplay{Grid: v[0], Chance: v[1], Ring: int(ring), Again: v[3], Pairs: v[4], On: v[5], Ended: v[6]}
		case "digits":
			s.Digits = new(savedDigits)
			d.value(s.Digits)
		default:
			if !d.shared(s, key) {
				d.skip()
			}
		}
	})
}

func (d *decoder) pair() (out [2]float64) {
	d.array(func(i int) {
		v := d.number()
		if i < len(out) {
			out[i] = short(v)
		}
	})
	return out
}
