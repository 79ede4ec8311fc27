package modbus

import "github.com/weir-ics/weir/protocols"

const unknownDirection protocols.Direction = 0xFF

// roles learns which direction is the client's. Who opened the connection is
// the client (TCP 4.2.1), servers listen on port 502, and most messages have
// the shape of a request or of a response only: all of that votes.
type roles struct {
	client protocols.Direction
	// opened tells that direction 0 was seen to open the connection, fixed that
	// no message can outvote what the opening and the ports say.
	opened, fixed bool
	// hint is the vote of the opening and the ports, shape the messages';
	// positive for direction 0.
	hint, shape int8
}

const (
	// maxShape keeps old messages from outvoting new ones for ever.
	maxShape = 8
	// openedHint is what having opened the connection is worth in messages,
	// portHint port 502 on one side, ephemeralHint a port that only clients use
	// when that is all there is.
	openedHint     = 5
	portHint       = 3
	ephemeralHint  = 1
	firstEphemeral = 32768
	// exceptionVote is the vote of an exception, plainVote of other messages
	// that can only go one way.
	exceptionVote = 3
	plainVote     = 1
)

func newRoles(conv *protocols.Conversation) roles {
	r := roles{client: unknownDirection, opened: conv.OpeningSeen}
	a, b := conv.Ends[0].Port, conv.Ends[1].Port
	if r.opened {
		r.hint = openedHint
	}
	switch {
	case b == Port && a != Port:
		r.hint += portHint
	case a == Port && b != Port:
		r.hint -= portHint
	case r.opened:
	case a >= firstEphemeral && b < firstEphemeral:
		r.hint = ephemeralHint
	case b >= firstEphemeral && a < firstEphemeral:
		r.hint = -ephemeralHint
	}
	r.fixed = r.hint >= maxShape
	if r.hint != 0 {
		r.decide(0)
	}
	return r
}

// response tells whether a PDU of direction dir is a response.
func (r *roles) response(dir protocols.Direction, pdu []byte) bool {
	if !r.fixed {
		asRequest, asResponse := fits(pdu, false), fits(pdu, true)
		switch {
		case pdu[0] >= 0x80:
			r.vote(dir.Other(), exceptionVote)
		case asRequest && !asResponse:
			r.vote(dir, plainVote)
		case asResponse && !asRequest:
			r.vote(dir.Other(), plainVote)
		}
		r.decide(dir)
	}
	return r.client != dir
}

func (r *roles) vote(client protocols.Direction, weight int8) {
	if client == 0 {
		r.shape = min(r.shape+weight, maxShape)
	} else {
		r.shape = max(r.shape-weight, -maxShape)
	}
}

// decide settles who is client; without any vote it stays who it was, or is who
// sent first.
func (r *roles) decide(dir protocols.Direction) {
	switch sum := r.hint + r.shape; {
	case sum > 0:
		r.client = 0
	case sum < 0:
		r.client = 1
	case r.client == unknownDirection:
		r.client = dir
	}
}

// guessed tells that no message has confirmed who is client.
func (r *roles) guessed() bool {
	if r.opened && r.client == 0 {
		return false
	}
	return !(r.shape > 0 && r.client == 0 || r.shape < 0 && r.client == 1)
}

// fits tells whether a PDU can be a request or a response by its length.
func fits(pdu []byte, response bool) bool {
	switch n := measure(pdu, response); n {
	case needMore:
		return false
	case anyLength:
		return pdu[0] < 0x80
	default:
		return n == len(pdu)
	}
}
