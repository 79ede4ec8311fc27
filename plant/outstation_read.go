package plant

import (
	"encoding/binary"
	"math"

	"github.com/weir-ics/weir/plant/wire"
)

func (o *outstation) read(dst []byte, start int, objects []byte) ([]byte, uint16) {
	for len(objects) >= 3 {
		group, variation, qualifier := objects[0], objects[1], objects[2]
		objects = objects[3:]
		first, last := 0, math.MaxInt
		switch qualifier {
		case wire.StartStop8:
			if len(objects) < 2 {
				return dst, wire.IINParameter
			}
			first, last, objects = int(objects[0]), int(objects[1]), objects[2:]
		case wire.StartStop16:
			if len(objects) < 4 {
				return dst, wire.IINParameter
			}
			first, last, objects = int(binary.LittleEndian.Uint16(objects)), int(binary.LittleEndian.Uint16(objects[2:])), objects[4:]
		case wire.Count8:
			if len(objects) < 1 {
				return dst, wire.IINParameter
			}
			objects = objects[1:]
		case wire.All:
		case wire.FreeFormat:
			if group != 70 || variation != 5 {
				return dst, wire.IINNoObject
			}
			return o.readFile(dst, objects)
		default:
			return dst, wire.IINParameter
		}
		switch {
		case group == 60 && variation == 1:
			for k := range o.points {
				dst = o.appendStatic(dst, k, 0, math.MaxInt)
			}
		case group == 60 && variation <= 4:
			dst = o.appendEvents(dst, 1<<(variation-1))
		case group == 0:
			dst = appendAttributes(dst)
		default:
			k := pointType(group)
			if k < 0 {
				return dst, wire.IINNoObject
			}
			if first >= len(o.points[k]) {
				return dst, wire.IINParameter
			}
			dst = o.appendStatic(dst, k, first, last)
		}
	}
	for i := range o.events {
		if o.events[i].sent {
			dst[start] |= wire.AppCON
			break
		}
	}
	return dst, 0
}

func pointType(group uint8) int {
	for k := range pointTypes {
		if pointTypes[k].group == group {
			return k
		}
	}
	return -1
}

// attributes of the device, group 0 by variation.
var attributes = []struct {
	variation uint8
	value     string
}{{242, "3.1.4"}, {243, "B2"}, {248, "0417-2231"}, {250, "SMART-RTU 500"}, {252, "Elkon Grid"}}

func appendAttributes(dst []byte) []byte {
	for _, a := range attributes {
		dst = append(dst, 0, a.variation, wire.StartStop8, 0, 0, 1, byte(len(a.value)))
		dst = append(dst, a.value...)
	}
	return dst
}

// appendStatic appends the present values of the points first to last of a
// kind.
func (o *outstation) appendStatic(dst []byte, k, first, last int) []byte {
	pts := o.points[k]
	last = min(last, len(pts)-1)
	for i := first; i <= last; {
		// Integers and single-precision numbers need a header each.
		end := i
		for end < last && pts[end+1].float == pts[i].float {
			end++
		}
		variation := pointTypes[k].variation
		if pts[i].float {
			variation = 5
		}
		dst = wire.AppendStartStop(dst, pointTypes[k].group, variation, uint16(i), uint16(end))
		for ; i <= end; i++ {
			if pts[i].lie != nil {
				o.told = pts[i].lieLabel
			}
			dst = appendValue(dst, k, &pts[i], pts[i].value)
		}
	}
	return dst
}

func appendValue(dst []byte, k int, pt *rtuPoint, v float64) []byte {
	switch k {
	case binaryInputs, binaryOutputs:
		return append(dst, online|pt.flags|byte(v)<<7)
	case doubleBits:
		return append(dst, online|pt.flags|byte(v)<<6)
	case counters:
		dst = append(dst, online|pt.flags)
		return binary.LittleEndian.AppendUint32(dst, uint32(v))
	case analogOutputs:
		dst = append(dst, online|pt.flags)
		return binary.LittleEndian.AppendUint16(dst, uint16(int16(v)))
	}
	dst = append(dst, online|pt.flags)
	if pt.float {
		return wire.AppendFloat32(dst, v)
	}
	return binary.LittleEndian.AppendUint32(dst, uint32(int32(math.Round(v/pt.scale))))
}

// appendEvents appends the events of a set of classes, with times, and marks
// them as sent.
func (o *outstation) appendEvents(dst []byte, classes uint8) []byte {
	room := maxEventsResponse
	for i := 0; i < len(o.events) && room > 0; i++ {
		if !o.wanted(&o.events[i], classes) {
			continue
		}
		// Events keep their order in time: a run of one kind shares a header.
		e := &o.events[i]
		float := o.points[e.kind][e.index].float
		run := 1
		for j := i + 1; j < len(o.events) && run < room; j++ {
			if f := &o.events[j]; f.kind != e.kind || o.points[f.kind][f.index].float != float {
				break
			}
			run++
		}
		variation := pointTypes[e.kind].eventVariation
		if float {
			variation = 7
		}
		dst = wire.AppendIndexed(dst, pointTypes[e.kind].eventGroup, variation, uint16(run))
		for ; run > 0; run-- {
			e := &o.events[i]
			pt := &o.points[e.kind][e.index]
			if pt.lie != nil {
				o.told = pt.lieLabel
			}
			dst = binary.LittleEndian.AppendUint16(dst, uint16(e.index))
			dst = appendValue(dst, e.kind, pt, e.value)
			dst = wire.AppendDNP3Time(dst, e.time)
			e.sent = true
			room--
			i++
		}
		i--
	}
	return dst
}

func (o *outstation) wanted(e *rtuEvent, classes uint8) bool {
	return classes>>pointTypes[e.kind].class&1 != 0
}
