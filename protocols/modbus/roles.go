package modbus

import "github.com/weir-ics/weir/protocols"

const unknownDirection protocols.Direction = 0xFF

// roles learns which direction is the client's. Who opened the connection is
// the client (TCP 4.2.1); if that was not seen, the port and the shapes of the
// messages vote.
type roles struct {
	client protocols.Direction
	opened bool
	// hint is the ports' vote, shape the messages'; positive for direction 0.
	hint, shape int8
}

const (
	// maxShape keeps old messages from outvoting new ones for ever.
	maxShape = 8
	// portHint is what port 502 on one side is worth in messages, and
	// ephemeralHint what a port that only clients use is.
	portHint       = 3
	ephemeralHint  = 1
	firstEphemeral = 32768
)

func newRoles(conv *protocols.Conversation) roles {
	if conv.OpeningSeen {
		return roles{opened: true}
	}
	r := roles{client: unknownDirection}
	a, b := conv.Ends[0].Port, conv.Ends[1].Port
	switch {
	case b == Port && a != Port:
		r.hint = portHint
	case a == Port && b != Port:
		r.hint = -portHint
	case a >= firstEphemeral && b < firstEphemeral:
		r.hint = ephemeralHint
	case b >= firstEphemeral && a < firstEphemeral:
		r.hint = -ephemeralHint
	}
	r.decide(0)
	if r.hint == 0 {
		r.client = unknownDirection
	}
	return r
}

// response tells whether a PDU of direction dir is a response.
func (r *roles) response(dir protocols.Direction, pdu []byte) bool {
	if !r.opened {
		asRequest, asResponse := fits(pdu, false), fits(pdu, true)
		switch {
		case asRequest && !asResponse:
			r.vote(dir)
		case asResponse && !asRequest:
			r.vote(dir.Other())
		}
		r.decide(dir)
	}
	return r.client != dir
}

func (r *roles) vote(client protocols.Direction) {
	if client == 0 {
		r.shape = min(r.shape+1, maxShape)
	} else {
		r.shape = max(r.shape-1, -maxShape)
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
	if r.opened {
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
