package dnp3

import (
	"encoding/binary"

	"github.com/weir-ics/weir/protocols"
)

// fragment takes an application fragment (4.2).
func (d *Decoder) fragment(dir protocols.Direction, at protocols.Stamp, a *association, header *LinkHeader, seq uint8, v *frameViolations, body []byte) {
	ev, m := d.begin(dir, at, header)
	ev.Violations = append(ev.Violations, v.items[:v.n]...)
	m.TransportSequence, m.HasTransport = seq, true
	m.Fragment = body
	ev.Size = len(body)
	d.pool.Stats.Fragments++
	if len(body) < 2 {
		ev.Role = protocols.RoleNotice
		ev.Name = "DNP3 notice"
		ev.Violate(FragmentLength, int64(len(body)), 2)
		d.send(ev)
		return
	}
	if len(body) > StandardFragment {
		ev.Violate(FragmentSize, int64(len(body)), StandardFragment)
	}
	m.Control.parse(body[0])
	m.Function, m.HasApplication = body[1], true
	ev.Function, ev.Sequence = m.Function, uint16(m.Control.Seq)
	f := &functions[m.Function]
	ev.Name, ev.Effect, ev.Role = FunctionName(m.Function), f.effect, f.role
	objects := body[2:]
	if isResponse(m.Function) {
		if len(body) < 4 {
			ev.Violate(FragmentLength, int64(len(body)), 4)
			objects = nil
		} else {
			m.IIN, m.HasIIN = binary.LittleEndian.Uint16(body[2:]), true
			ev.IIN, ev.HasIIN = m.IIN, true
			objects = body[4:]
			if m.IIN&iinReserved != 0 {
				ev.Violate(ReservedIIN, int64(m.IIN&iinReserved), 0)
			}
		}
	}
	r := objectsResult{noReports: d.pool.NoReports}
	if f.name == "" {
		ev.Role = protocols.RoleRequest
		if isResponse(m.Function) {
			ev.Role = protocols.RoleResponse
		}
		ev.Violate(ReservedFunction, int64(m.Function), 0)
		m.Unparsed = objects
	} else {
		decodeObjects(m, ev, objects, f, &r)
	}
	d.pool.Stats.Objects += uint64(len(m.Objects))
	d.pool.Stats.Points += uint64(len(ev.Points) + r.unread)
	d.pool.Stats.PointsDropped += r.dropped
	checkControlBits(ev, m)
	if header.Dir && isResponse(m.Function) {
		ev.Violate(ResponseFromMaster, int64(m.Function), 0)
	} else if !header.Dir && !isResponse(m.Function) {
		ev.Violate(RequestFromOutstation, int64(m.Function), 0)
	} else {
		d.relate(a, ev, m, &r, at)
	}
	d.followFiles(a, ev, m)
	m.Files = ev.Files
	d.send(ev)
}

// checkControlBits checks the application control octet (4.2.2).
func checkControlBits(ev *protocols.Event, m *Message) {
	c := m.Control
	got := int64(c.octet() &^ appSeq)
	switch {
	case m.Function == FunctionConfirm:
		if want := got&appUNS | appFIR | appFIN; got != want {
			ev.Violate(ControlBits, got, want)
		}
	case m.Function == FunctionUnsolicitedResponse:
		// FIR and FIN are 1; CON asks for the confirm that unsolicited
		// responses need.
		if want := got | appFIR | appFIN | appUNS; got != want {
			ev.Violate(ControlBits, got, want)
		}
	case isResponse(m.Function):
		if c.UNS && m.Function == FunctionResponse {
			ev.Violate(ControlBits, got, got&^appUNS)
		}
	default:
		// Requests are one fragment and ask for no confirm.
		if got != appFIR|appFIN {
			ev.Violate(ControlBits, got, appFIR|appFIN)
		}
	}
}
