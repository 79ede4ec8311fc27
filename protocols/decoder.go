package protocols

// Direction is one of the two ways of a conversation. For TCP, 0 is the way of
// the side that opened the connection, or of the first packet seen if the
// opening was not seen.
type Direction uint8

// Other returns the opposite way.
func (d Direction) Other() Direction { return d ^ 1 }

// Stamp is when and where in the input bytes were completed.
type Stamp struct {
	// Time is the capture time and Clock the watermark, in nanoseconds since
	// the Unix epoch (see [Event]).
	Time, Clock int64
	// Frame is the 1-based number of the packet.
	Frame uint64
}

// Conversation is what a decoder may know of the flow its bytes come from.
type Conversation struct {
	Transport Transport
	// Ends are the two endpoints: Ends[d] sends in direction d.
	Ends [2]Endpoint
	// OpeningSeen tells that the TCP handshake was seen, so that Ends[0] is
	// known to have opened the connection.
	OpeningSeen bool
	// Memo is handed on with every Event of the conversation; may be nil.
	Memo *Memo
}

// Emit receives a decoded message. The Event is reused after the call returns.
type Emit func(*Event)

// A Decoder turns the bytes of one conversation into Events. It performs no
// I/O, keeps bounded state, never panics and answers bad input with violations
// and counts. One goroutine uses it.
type Decoder interface {
	// Stream takes the next bytes of direction d of a TCP connection, in order
	// and without holes. A message may span calls and a call may hold several
	// messages; the decoder copies what it must keep.
	Stream(d Direction, at Stamp, data []byte)
	// Gap tells that lost bytes of direction d were not seen (0 if how many is
	// not known). The decoder finds its way again without inventing messages.
	Gap(d Direction, at Stamp, lost int)
	// Datagram takes one whole UDP payload.
	Datagram(d Direction, at Stamp, data []byte)
	// Advance moves the watermark: time-outs up to clock fire (a request that
	// stayed unanswered). It returns the next time it has to be called at, or
	// 0 if none.
	Advance(clock int64) (next int64)
	// Close ends the conversation; what is unfinished is counted and let go.
	Close(at Stamp)
}

// Verdict is what a look at the first bytes of a conversation tells.
type Verdict uint8

const (
	// Maybe needs more bytes.
	Maybe Verdict = iota
	// Yes is the protocol.
	Yes
	// No is not the protocol.
	No
)

// Prober looks at the first bytes of a direction and tells whether they are
// the protocol. It keeps no state: data is everything seen so far.
type Prober func(data []byte) Verdict
