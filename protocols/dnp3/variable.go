package dnp3

import (
	"encoding/binary"

	"github.com/weir-ics/weir/protocols"
)

// reportVariable reports objects whose size is their own: attributes, files,
// data sets, strings, authentication.
func (o *Object) reportVariable(ev *protocols.Event, g *group, access protocols.Access, r *objectsResult) {
	run := runs{kind: g.kind, access: access}
	it := o.iterate()
	for {
		index, object, ok := it.next()
		if !ok {
			break
		}
		if len(ev.Points)+r.unread >= maxPoints {
			room(ev, 1, r) // counts and reports it
			continue
		}
		p := protocols.Point{Kind: g.kind, Access: access, Index: o.pointIndex(index), Variation: o.Variation, Has: o.v.has}
		if !o.fill(&p, object, ev) {
			continue
		}
		if g.class == classCommand {
			o.noteCommand(ev, object, p.Index, 0, access, r)
		}
		run.add(ev, p.Index)
		ev.Points = append(ev.Points, p)
	}
	run.end(ev)
}

// fill fills p from an object. It returns false if the object is no point.
func (o *Object) fill(p *protocols.Point, object []byte, ev *protocols.Event) bool {
	v := o.v
	if v.size > 0 && len(object) < v.size {
		ev.Violate(ObjectSize, int64(len(object)), int64(v.size))
		return false
	}
	if v.size == 0 && v.bits == 0 {
		o.checkSize(object, ev)
	}
	if v.bits > 0 { // packed, but with a prefix before each
		if len(object) > 0 {
			p.Value = float64(object[0] & (1<<v.bits - 1))
		}
		return true
	}
	switch o.Group {
	case 0:
		o.fillAttribute(p, object, ev)
	case 70, 81, 82, 83, 90, 91:
		// Not points: what they tell stands in the message and in ev.Files.
		return false
	case 85, 86, 87, 88, 110, 111, 112, 113, 114, 115:
		p.Bytes = object
	case 120:
		p.Bytes = object
		fillAuthentication(p, v, object)
	default:
		o.fillFixed(p, object)
	}
	return true
}

// fillFixed fills p from the places of a fixed layout.
func (o *Object) fillFixed(p *protocols.Point, object []byte) {
	v := o.v
	if v.flagsAt >= 0 {
		p.Flags = object[v.flagsAt]
	}
	if v.valueAt >= 0 {
		p.Value = readValue(object[v.valueAt:], v.valueEnc)
	}
	if v.timeAt >= 0 && !v.relative {
		p.Time = nanoseconds(int64(readUint48(object[v.timeAt:])))
	}
	if v.statusAt >= 0 {
		p.Status = object[v.statusAt] & 0x7F
		p.Has |= statusOf(p.Access)
	}
}

// checkSize tells when a length in an object does not fit the object.
func (o *Object) checkSize(object []byte, ev *protocols.Event) {
	c := o.v.fields(o.Variation, object)
	for {
		if _, _, ok := c.next(); !ok {
			break
		}
	}
	if c.short || c.end < len(object) {
		ev.Violate(ObjectSize, int64(len(object)), int64(c.end))
	}
}

// fillAttribute fills p from a device attribute and notes what it says of the
// device.
func (o *Object) fillAttribute(p *protocols.Point, object []byte, ev *protocols.Event) {
	if len(object) < 2 {
		return
	}
	value := object[2:]
	p.Bytes = value
	switch n := len(value); {
	case object[0] == attributeUint && n <= 8:
		p.Value, p.Has = float64(readUint(value)), p.Has|protocols.HasValue
	case object[0] == attributeInt && n <= 8:
		p.Value, p.Has = float64(readInt(value)), p.Has|protocols.HasValue
	case object[0] == attributeFloat && n == 4:
		p.Value, p.Has = readValue(value, encF32), p.Has|protocols.HasValue
	case object[0] == attributeFloat && n == 8:
		p.Value, p.Has = readValue(value, encF64), p.Has|protocols.HasValue
	case object[0] == attributeTime && n == 6:
		p.Time, p.Has = nanoseconds(int64(readUint48(value))), p.Has|protocols.HasTime
	}
	if key := identityKeys[o.Variation]; key != 0 && p.Access == protocols.AccessReport && p.Index>>8 == 0 && object[0] == attributeVisible {
		ev.Identity = append(ev.Identity, protocols.Identity{Key: key, Value: value})
	}
}

// identityKeys are the attributes of set 0 that tell what a device is.
var identityKeys = [256]protocols.IdentityKey{
	242: protocols.IdentityVersion, 243: protocols.IdentityHardware, 245: protocols.IdentityLocation,
	247: protocols.IdentityName, 248: protocols.IdentitySerial, 250: protocols.IdentityProduct, 252: protocols.IdentityVendor,
}

// fillAuthentication sets the user as the index and the sequence number as the
// value, where the object has them.
func fillAuthentication(p *protocols.Point, v *variation, object []byte) {
	c := v.fields(v.number, object)
	for {
		f, octets, ok := c.next()
		if !ok {
			return
		}
		switch f.name {
		case "user":
			p.Index = uint32(binary.LittleEndian.Uint16(octets))
		case "challenge_sequence", "key_change_sequence", "sequence", "status_change_sequence":
			p.Value, p.Has = float64(binary.LittleEndian.Uint32(octets)), p.Has|protocols.HasValue
		case "error":
			p.Status, p.Has = octets[0], p.Has|protocols.HasStatus
		case "time":
			p.Time = nanoseconds(int64(readUint48(octets)))
		}
	}
}
