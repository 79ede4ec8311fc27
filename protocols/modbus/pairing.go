package modbus

import (
	"time"

	"github.com/weir-ics/weir/protocols"
)

// ask takes a request into the tracker and fills its Event.
func (d *Decoder) ask(e *protocols.Event, m *Message, at protocols.Stamp, pdu []byte) {
	describe(e, m)
	e.Role = protocols.RoleRequest
	fillRequest(e, m)
	d.worker.Stats.count(CountRequests, 1)
	if d.framing != MBAP {
		e.Broadcast = m.Unit == 0
		d.checkSerial(e, m)
		if e.Broadcast {
			return
		}
	}
	dig := protocols.Digest(pdu)
	if x := d.tracker.repeated(m, dig); x != nil {
		since := (at.Clock - x.clock) / int64(time.Millisecond)
		switch {
		case x.digest != dig:
			e.Violate(ViolationTransactionReused, int64(m.Transaction), -1)
		case d.framing != MBAP:
			// On a serial line there is one question at a time.
			e.Violate(ViolationRetried, since, -1)
			d.tracker.close(x, forgotten)
		case x.transaction == m.Transaction:
			e.Violate(ViolationDuplicate, since, -1)
		default:
			e.Violate(ViolationRetried, since, -1)
		}
	}
	x, evicted := d.tracker.add()
	if evicted {
		d.worker.Stats.count(CountPendingEvicted, 1)
	}
	x.remember(m, at, dig)
	if s := m.SubInfo(); s != nil && s.Silent {
		// No answer is due, but a gateway may give an exception.
		d.tracker.close(x, forgotten)
		return
	}
	if d.next == 0 {
		d.next = at.Clock + d.timeout
	}
}

// checkSerial looks at what only a serial line forbids.
func (d *Decoder) checkSerial(e *protocols.Event, m *Message) {
	if m.Unit > 247 {
		e.Violate(ViolationUnit, int64(m.Unit), 247)
	}
	if m.Unit != 0 {
		return
	}
	switch m.Function {
	case 5, 6, 15, 16, 21, 22:
	case 8:
		// Restart and listen-only are sent to all on real lines.
	default:
		if m.Info().Class == Public {
			e.Violate(ViolationBroadcastRead, int64(m.Function), -1)
		}
	}
}

// remember keeps what an answer will be held against.
func (x *transaction) remember(m *Message, at protocols.Stamp, digest uint64) {
	x.time, x.clock, x.frame = at.Time, at.Clock, at.Frame
	x.digest = digest
	x.transaction, x.unit, x.function, x.sub = m.Transaction, m.Unit, m.Function, m.Sub
	x.has = m.has
	x.address, x.quantity = m.fields[FieldAddress], 1
	if m.has&(1<<FieldQuantity) != 0 {
		x.quantity = m.fields[FieldQuantity]
	}
	x.writeAddress, x.writeQuantity = m.fields[FieldWriteAddress], m.fields[FieldWriteQuantity]
	x.value = m.fields[FieldValue]
	x.files = x.files[:0]
	if m.Function == 20 || m.Function == 21 {
		x.files = append(x.files, m.Data...)
	}
}

// answer pairs a response with its request and fills its Event.
func (d *Decoder) answer(e *protocols.Event, m *Message, at protocols.Stamp, pdu []byte) {
	x := d.tracker.match(m)
	if x != nil && x.state != open && at.Clock < d.blindUntil && (x.state == answered || d.framing != MBAP) {
		// The request that it answers was not seen; this one only looks like it.
		x = nil
	}
	fitting := false
	if x == nil {
		d.unsolicited(e, m, at)
	} else {
		fitting = d.close(e, m, x, at, pdu)
	}
	describe(e, m)
	if m.IsException {
		e.Role = protocols.RoleException
		e.Exception = m.Exception
		d.worker.Stats.count(CountExceptions, 1)
		if fitting {
			fillAsked(e, x)
		}
		return
	}
	e.Role = protocols.RoleResponse
	d.worker.Stats.count(CountResponses, 1)
	if fitting {
		fillResponse(e, m, x, !d.worker.NoReports)
	} else {
		fillResponse(e, m, nil, false)
	}
}

// unsolicited notes a response to no request that was seen.
func (d *Decoder) unsolicited(e *protocols.Event, m *Message, at protocols.Stamp) {
	switch {
	case at.Clock < d.blindUntil:
	case m.IsException:
		e.Violate(ViolationExceptionFromNowhere, int64(m.Exception), -1)
	default:
		e.Violate(ViolationUnsolicited, int64(m.Transaction), -1)
	}
}

// close ends the transaction x with the response m, notes where they disagree
// and tells whether the response can be read with the request's addresses.
func (d *Decoder) close(e *protocols.Event, m *Message, x *transaction, at protocols.Stamp, pdu []byte) bool {
	waited := max(at.Time-x.time, 0)
	e.RequestFrame = x.frame
	switch x.state {
	case open:
		e.RTT = waited
	case givenUp:
		e.RTT = waited
		e.Violate(ViolationAnsweredLate, waited/int64(time.Millisecond), d.timeout/int64(time.Millisecond))
	case answered:
		e.Violate(ViolationAnsweredTwice, 0, 0)
	case forgotten:
		e.RTT = waited
	}
	wasOpen := x.state == open
	d.tracker.close(x, answered)
	if wasOpen {
		d.schedule()
	}
	if x.unit != m.Unit {
		e.Violate(ViolationUnitMismatch, int64(m.Unit), int64(x.unit))
	}
	if x.function != m.Function {
		e.Violate(ViolationFunctionMismatch, int64(m.Function), int64(x.function))
		return false
	}
	if x.sub >= 0 && m.Sub < 0 {
		m.Sub = x.sub
	}
	if m.IsException {
		m.pair(x)
		return true
	}
	if x.sub != m.Sub {
		e.Violate(ViolationFunctionMismatch, int64(m.Sub), int64(x.sub))
		return false
	}
	m.pair(x)
	m.compare(e, x, pdu)
	return true
}

// pair gives a response what it has from its request.
func (m *Message) pair(x *transaction) {
	m.Paired = true
	m.RequestAddress, m.RequestQuantity = 0, 0
	if x.has&(1<<FieldAddress) != 0 {
		m.RequestAddress, m.RequestQuantity = x.address, x.quantity
	}
	m.requestFiles = nil
	if x.function == 20 {
		m.requestFiles = x.files
	}
}

// compare holds a normal response against its request.
func (m *Message) compare(e *protocols.Event, x *transaction, pdu []byte) {
	switch m.Function {
	case 1, 2:
		if n, ok := m.Get(FieldByteCount); ok && x.has&(1<<FieldQuantity) != 0 {
			if want := (int(x.quantity) + 7) / 8; int(n) != want&0xFF {
				e.Violate(ViolationQuantityMismatch, 8*int64(n), int64(x.quantity))
			} else {
				m.checkPadding(int(x.quantity), e)
			}
		}
	case 3, 4, 23:
		if n, ok := m.Get(FieldByteCount); ok && x.has&(1<<FieldQuantity) != 0 && int(n) != 2*int(x.quantity)&0xFF {
			e.Violate(ViolationQuantityMismatch, int64(n)/2, int64(x.quantity))
		}
	case 15, 16:
		if a, ok := m.Get(FieldAddress); ok && a != x.address {
			e.Violate(ViolationAddressMismatch, int64(a), int64(x.address))
		}
		if q, ok := m.Get(FieldQuantity); ok && q != x.quantity {
			e.Violate(ViolationQuantityMismatch, int64(q), int64(x.quantity))
		}
	case 20:
		if got, want := groups(TailFileRecords, m.Data), groups(TailFileRequests, x.files); got != want {
			e.Violate(ViolationQuantityMismatch, int64(got), int64(want))
		}
	default:
		s := m.SubInfo()
		if !m.Info().echo && (s == nil || !s.echo) || protocols.Digest(pdu) == x.digest {
			return
		}
		if a, ok := m.Get(FieldAddress); ok && a != x.address {
			e.Violate(ViolationAddressMismatch, int64(a), int64(x.address))
			return
		}
		e.Violate(ViolationValueMismatch, int64(m.fields[FieldValue]), int64(x.value))
	}
}

func groups(t Tail, data []byte) (count int) {
	for {
		_, n := nextGroup(t, data)
		if n == 0 {
			return count
		}
		data = data[n:]
		count++
	}
}

// schedule finds when the oldest open request is due.
func (d *Decoder) schedule() {
	d.next = 0
	if d.tracker.open == 0 {
		return
	}
	for i := range d.tracker.n {
		if x := d.tracker.at(i); x.state == open {
			d.next = x.clock + d.timeout
			return
		}
	}
}

// expire gives up the requests that are due.
func (d *Decoder) expire(clock int64) {
	for d.next != 0 && d.next <= clock {
		for i := range d.tracker.n {
			if x := d.tracker.at(i); x.state == open {
				d.tracker.close(x, givenUp)
				d.giveUp(x)
				break
			}
		}
		d.schedule()
	}
}

// giveUp tells that a request stayed unanswered. The notice has the time at
// which the request was due, whenever the watermark passed it.
func (d *Decoder) giveUp(x *transaction) {
	e, m := d.begin()
	*m = Message{Framing: d.framing, Transaction: x.transaction, Unit: x.unit, Function: x.function, Sub: x.sub}
	m.pair(x)
	d.address(e, d.roles.client)
	describe(e, m)
	e.Role = protocols.RoleNotice
	e.Time, e.Clock = x.clock+d.timeout, x.clock+d.timeout
	e.Frame, e.RequestFrame = x.frame, x.frame
	fillAsked(e, x)
	ms := d.timeout / int64(time.Millisecond)
	e.Violate(ViolationUnanswered, ms, ms)
	d.worker.Stats.count(CountUnanswered, 1)
	d.send(e)
}
