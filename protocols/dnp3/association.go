package dnp3

import "github.com/weir-ics/weir/protocols"

// association is the state of one pair of link addresses on a connection.
type association struct {
	master, outstation uint16
	// masterSide is the direction that the master's frames come from.
	masterSide protocols.Direction
	// contradicts tells that there was one of the same addresses, with the
	// master on the other side, when this one began.
	contradicts bool
	// used orders associations by when they were last used.
	used uint64
	// halves are what the master sends and what the outstation sends.
	halves [2]half
	exchange
}

// reset makes a an association in which nothing happened yet; fresh tells that
// its beginning was seen.
func (a *association) reset(master, outstation uint16, masterSide protocols.Direction, fresh bool) {
	a.master, a.outstation, a.masterSide = master, outstation, masterSide
	a.contradicts, a.halves = false, [2]half{}
	a.exchange.begin(fresh)
}

// half is the link and transport state of what one side of an association
// sends.
type half struct {
	// buf is the fragment so far, nil unless one is unfinished; next is the
	// sequence number due.
	buf  []byte
	next uint8
	// The last segment of a longer fragment, to know repeats.
	lastSeen bool
	lastSeq  uint8
	last     uint64
	// The frame count bit and digest of the last counted frame.
	countSeen, countBit bool
	counted             uint64
	// due tells whether the other side owes a secondary frame, for the frame
	// dueFrame sent at dueTime.
	due      due
	dueFrame uint64
	dueTime  int64
}

// forget drops what was known of sequence and frame count bits.
func (h *half) forget() {
	h.lastSeen, h.countSeen, h.due = false, false, dueUnknown
}
