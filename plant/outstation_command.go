package plant

import (
	"bytes"
	"encoding/binary"

	"github.com/weir-ics/weir/plant/water"
	"github.com/weir-ics/weir/plant/wire"
)

func (o *outstation) write(t int64, objects []byte) uint16 {
	if len(objects) < 4 {
		return wire.IINParameter
	}
	switch {
	case objects[0] == 50 && objects[1] == 1 && objects[2] == wire.Count8 && len(objects) >= 10:
		o.offset, o.synced, o.needTime = wire.DNP3Time(objects[4:])-t, t, false
		return 0
	case objects[0] == 80 && objects[1] == 1:
		o.restarted = false
		return 0
	case objects[0] == 34 && objects[1] == 2 && objects[2] == wire.StartStop8 && len(objects) >= 5:
		values := objects[5:]
		for i := int(objects[3]); i <= int(objects[4]) && i < len(o.points[analogInputs]) && len(values) >= 4; i++ {
			pt := &o.points[analogInputs][i]
			pt.deadband = float64(binary.LittleEndian.Uint32(values)) * pt.scale
			values = values[4:]
		}
		return 0
	}
	return wire.IINNoObject
}

// Control status codes (IEEE 1815-2012, annex A, group 12).
const (
	statusSuccess      = 0
	statusTimeout      = 1
	statusNoSelect     = 2
	statusNotSupported = 4
)

// command answers a select, operate or direct operate with one object header
// of group 12 variation 1 or group 41 variation 2.
func (o *outstation) command(dst []byte, t int64, seq, function uint8, objects []byte) ([]byte, uint16) {
	if len(objects) < 4 {
		return dst, wire.IINParameter
	}
	group, variation, qualifier := objects[0], objects[1], objects[2]
	indexSize, count, at := 1, int(objects[3]), 4
	if qualifier == wire.Index16 && len(objects) >= 5 {
		indexSize, count, at = 2, int(binary.LittleEndian.Uint16(objects[3:])), 5
	}
	var size int
	switch {
	case group == 12 && variation == 1:
		size = 11
	case group == 41 && variation == 2:
		size = 3
	default:
		return dst, wire.IINNoObject
	}
	if len(objects) < at+count*(indexSize+size) {
		return dst, wire.IINParameter
	}
	status := byte(statusSuccess)
	switch function {
	case wire.Select:
		o.selected, o.selectSeq, o.selectTime = append(o.selected[:0], objects...), seq, t
	case wire.Operate:
		switch {
		case len(o.selected) == 0 || !bytes.Equal(o.selected, objects) || seq != (o.selectSeq+1)&0x0f:
			status = statusNoSelect
		case t-o.selectTime > selectTimeout:
			status = statusTimeout
		}
		o.selected = o.selected[:0]
	}
	dst = append(dst, objects[:at]...)
	for range count {
		index := int(objects[at])
		if indexSize == 2 {
			index = int(binary.LittleEndian.Uint16(objects[at:]))
		}
		body := objects[at+indexSize : at+indexSize+size]
		s := status
		if group == 12 && index >= water.NumBreakers || group == 41 && index >= len(o.points[analogOutputs]) {
			s = statusNotSupported
		}
		if s == statusSuccess && function != wire.Select {
			o.actuate(group, index, body)
		}
		dst = append(dst, objects[at:at+indexSize+size-1]...)
		dst = append(dst, s)
		at += indexSize + size
	}
	return dst, 0
}

func (o *outstation) actuate(group uint8, index int, body []byte) {
	if group == 41 {
		o.process.Electric.TapSet = int(int16(binary.LittleEndian.Uint16(body)))
		return
	}
	switch body[0] {
	case 0x41, 0x03:
		o.process.Electric.Command(index, water.Closed)
	case 0x81, 0x04:
		o.process.Electric.Command(index, water.Open)
	}
}
