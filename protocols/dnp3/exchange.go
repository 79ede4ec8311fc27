package dnp3

import "github.com/weir-ics/weir/protocols"

// exchange is the application state of an association: who asked what, and
// what is due (4.3, 4.4). What is not known is not judged: fresh tells that the
// exchange was seen from its beginning.
type exchange struct {
	fresh bool

	// The last request, if requestSeen.
	requestSeen  bool
	requestSeq   uint8
	request      uint8 // function
	requestFrame uint64
	requestTime  int64
	requestHash  uint64
	// deadline is when its response is overdue, in packet time; 0 if none is
	// due.
	deadline int64
	// answered tells that it has had its response, or wants none; more, that
	// the next fragment of the response is due, with sequence number moreSeq.
	answered, more bool
	moreSeq        uint8
	// commands is the digest of its commands, commandCount how many.
	commands     uint64
	commandCount int
	// disabling are the classes that it disables unsolicited responses for;
	// disabled those that the outstation agreed to.
	disabling, disabled uint8

	// The last select, for an operate to follow.
	selectState  selectState
	selectSeq    uint8
	selectDigest uint64

	// confirms are what fragments asked for: solicited, unsolicited.
	confirms [2]confirmDue

	unsolicitedSeen bool
	unsolicitedSeq  uint8

	files *fileTable
}

// selectState is what is known of a select before an operate.
type selectState uint8

const (
	selectUnknown selectState = iota
	selectNone
	selectArmed
	selectRefused
)

// due is what is known of an answer that the other side owes.
type due uint8

const (
	dueUnknown due = iota
	dueNothing
	dueAnswer
)

// confirmDue is a confirm that a fragment asked for.
type confirmDue struct {
	state due
	seq   uint8
	frame uint64
}

// begin makes e an exchange that nothing happened in yet. fresh tells that its
// beginning was seen.
func (e *exchange) begin(fresh bool) {
	files := e.files
	if files != nil {
		files.reset()
	}
	*e = exchange{files: files, fresh: fresh}
	if fresh {
		e.selectState = selectNone
		e.confirms[0].state, e.confirms[1].state = dueNothing, dueNothing
	}
}

// forget drops what was known of what is due, because the tap missed
// something.
func (e *exchange) forget() {
	if e.files != nil {
		e.files.broken()
	}
	*e = exchange{files: e.files, disabled: e.disabled}
}

// relate relates a fragment to those before it in its association.
func (d *Decoder) relate(a *association, ev *protocols.Event, m *Message, r *objectsResult, at protocols.Stamp) {
	switch {
	case m.Function == FunctionConfirm:
		a.confirm(ev, m)
	case m.Function == FunctionUnsolicitedResponse:
		a.unsolicited(ev, m, at)
	case isResponse(m.Function):
		a.response(ev, m, r, at)
	default:
		d.request(a, ev, m, r, at)
	}
}

// request takes a request of the master.
func (d *Decoder) request(a *association, ev *protocols.Event, m *Message, r *objectsResult, at protocols.Stamp) {
	f, seq := &functions[m.Function], m.Control.Seq
	if a.requestSeen && seq == a.requestSeq && isAuthentication(m.Function) && !isAuthentication(a.request) {
		// The reply to a challenge belongs to the request that was challenged
		// (clause 7): that one still waits for its response.
		ev.RequestFrame = a.requestFrame
		return
	}
	sum := protocols.Digest(m.Fragment)
	repeat := a.requestSeen && a.requestSeq == seq && a.requestHash == sum
	if !repeat {
		// The next request goes on from the last fragment of a response of
		// several; masters that go on from their own last request are told
		// apart by nothing, so both are in order (4.2.2.4.5).
		if want := (a.requestSeq + 1) & appSeq; a.requestSeen && seq != want && (!a.answered || seq != a.moreSeq) {
			ev.Violate(RequestSequence, int64(seq), int64(want))
		}
		if a.deadline != 0 {
			d.unanswered(a, at)
		}
		a.checkOperate(ev, m, r)
	}
	if ev.Broadcast && m.Function == FunctionRead {
		ev.Violate(BroadcastMisuse, int64(m.Function), int64(FunctionWrite))
	}
	a.requestSeen, a.requestSeq, a.request, a.requestHash = true, seq, m.Function, sum
	a.requestFrame, a.requestTime = at.Frame, at.Time
	a.answered, a.more = f.silent || ev.Broadcast, false
	a.commands, a.commandCount = r.command, r.commands
	a.disabling, a.deadline = 0, 0
	switch m.Function {
	case FunctionDisableUnsolicited:
		a.disabling = r.classes
	case FunctionEnableUnsolicited:
		a.disabled &^= r.classes
	}
	if !a.answered && f.name != "" {
		a.deadline = at.Clock + responseTimeout
		if d.deadline == 0 || a.deadline < d.deadline {
			d.deadline = a.deadline
		}
	}
}

// isAuthentication tells a function of secure authentication.
func isAuthentication(function uint8) bool {
	return function == FunctionAuthenticateReq || function == FunctionAuthReqNoAck
}

// checkOperate ties an operate to the select that must come just before it
// (4.4): the next sequence number, the same outputs and values.
func (e *exchange) checkOperate(ev *protocols.Event, m *Message, r *objectsResult) {
	seq := m.Control.Seq
	switch m.Function {
	case FunctionSelect:
		e.selectState, e.selectSeq, e.selectDigest = selectArmed, seq, r.command
		return
	case FunctionOperate:
		want := (e.selectSeq + 1) & appSeq
		switch {
		case e.selectState == selectUnknown:
		case e.selectState != selectArmed, seq != want:
			ev.Violate(OperateWithoutSelect, int64(seq), int64(want))
		case e.selectDigest != r.command:
			ev.Violate(SelectOperateDiffer, 0, 0)
		}
	}
	e.selectState = selectNone
}

// response takes a solicited response of the outstation.
func (e *exchange) response(ev *protocols.Event, m *Message, r *objectsResult, at protocols.Stamp) {
	c := m.Control
	switch {
	case !e.requestSeen:
		if e.fresh {
			ev.Violate(ResponseWithoutRequest, int64(c.Seq), -1)
		}
	case c.FIR && e.answered:
		ev.Violate(ResponseWithoutRequest, int64(c.Seq), int64(e.requestSeq))
	case c.FIR && c.Seq != e.requestSeq:
		ev.Violate(ResponseSequence, int64(c.Seq), int64(e.requestSeq))
	case c.FIR:
		ev.RTT = max(at.Time-e.requestTime, 0)
		e.close(ev, m, r)
	case e.more && c.Seq == e.moreSeq:
		ev.RequestFrame, ev.Effect = e.requestFrame, functions[e.request].effect
	case e.more:
		ev.Violate(FragmentSequence, int64(c.Seq), int64(e.moreSeq))
	default:
		ev.Violate(FragmentSequence, int64(c.Seq), -1)
	}
	e.more, e.moreSeq = !c.FIN, (c.Seq+1)&appSeq
	e.expectConfirm(0, m, at)
}

// close takes the response that answers the request.
func (e *exchange) close(ev *protocols.Event, m *Message, r *objectsResult) {
	ev.RequestFrame = e.requestFrame
	if m.Function == FunctionAuthenticateResp && !isAuthentication(e.request) {
		return // a challenge: the response itself is still due
	}
	ev.Effect = functions[e.request].effect
	e.answered, e.deadline = true, 0
	refused := r.status != 0 || m.IIN&(IINNoFuncCodeSupport|IINObjectUnknown|IINParameterError) != 0
	if e.request == FunctionSelect && refused && e.selectState == selectArmed {
		e.selectState = selectRefused
	}
	if r.commands > 0 && r.commands == e.commandCount && r.command != e.commands {
		ev.Violate(CommandEchoDiffers, 0, 0)
	}
	if e.disabling != 0 && !refused {
		e.disabled |= e.disabling
	}
}

// unsolicited takes an unsolicited response.
func (e *exchange) unsolicited(ev *protocols.Event, m *Message, at protocols.Stamp) {
	seq := m.Control.Seq
	if want := (e.unsolicitedSeq + 1) & appSeq; e.unsolicitedSeen && seq != want && seq != e.unsolicitedSeq && m.IIN&IINDeviceRestart == 0 {
		ev.Violate(UnsolicitedSequence, int64(seq), int64(want))
	}
	e.unsolicitedSeen, e.unsolicitedSeq = true, seq
	const allClasses = 1<<1 | 1<<2 | 1<<3
	if m.IIN&IINDeviceRestart != 0 {
		e.disabled = 0
	}
	if e.disabled&allClasses == allClasses && len(m.Objects) > 0 {
		ev.Violate(UnsolicitedDisabled, 0, 0)
	}
	e.expectConfirm(1, m, at)
}

// expectConfirm notes whether a fragment asks for a confirm.
func (e *exchange) expectConfirm(i int, m *Message, at protocols.Stamp) {
	if m.Control.CON {
		e.confirms[i] = confirmDue{state: dueAnswer, seq: m.Control.Seq, frame: at.Frame}
	} else if e.confirms[i].state == dueUnknown {
		e.confirms[i].state = dueNothing
	}
}

// confirm takes a confirm of the master and ties it to what it confirms.
func (e *exchange) confirm(ev *protocols.Event, m *Message) {
	i := 0
	if m.Control.UNS {
		i = 1
	}
	c := &e.confirms[i]
	switch {
	case c.state == dueAnswer && c.seq == m.Control.Seq:
		ev.RequestFrame = c.frame
		c.state = dueNothing
	case c.state == dueAnswer:
		ev.Violate(ConfirmWithoutCause, int64(m.Control.Seq), int64(c.seq))
	case c.state == dueNothing:
		ev.Violate(ConfirmWithoutCause, int64(m.Control.Seq), -1)
	}
}

// unanswered emits that a's request got no response. It has an event of its
// own, because that of the pool may be in use.
func (d *Decoder) unanswered(a *association, at protocols.Stamp) {
	ev, m := &d.pool.late, &d.pool.lateMessage
	ev.Reset()
	m.reset()
	ev.Time, ev.Clock, ev.Frame = at.Time, at.Clock, at.Frame
	ev.Proto, ev.Transport, ev.Role = protocols.ProtoDNP3, d.conversation.Transport, protocols.RoleNotice
	ev.Src = d.conversation.Ends[a.masterSide&1]
	ev.Dst = d.conversation.Ends[a.masterSide.Other()&1]
	ev.FromClient = true
	ev.Function, ev.Name, ev.Effect = a.request, FunctionName(a.request), functions[a.request].effect
	ev.Source, ev.Destination = a.master, a.outstation
	ev.Sequence = uint16(a.requestSeq)
	ev.RequestFrame = a.requestFrame
	ev.Detail, ev.Memo = m, d.conversation.Memo
	ev.Violate(NoResponse, (at.Time-a.requestTime)/nanosecondsPerMillisecond, responseTimeout/nanosecondsPerMillisecond)
	a.deadline, a.answered = 0, true
	d.pool.Stats.Unanswered++
	d.send(ev)
}
