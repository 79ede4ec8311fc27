package dnp3

import "github.com/weir-ics/weir/protocols"

// Pool is what the decoders of one worker share: the event they fill, spare
// buffers and the counters. One goroutine uses a pool and its decoders.
type Pool struct {
	Stats Stats
	// NoReports tells that nobody wants the values that outstations report: they
	// are counted, Events name their indexes and have no Points for them.
	NoReports bool

	event   protocols.Event
	message Message
	// late and lateMessage are for what is noticed while event is in use.
	late        protocols.Event
	lateMessage Message
	// frameViolations are those of the frame at hand, header and frame its header
	// and user data.
	frameViolations frameViolations
	header          LinkHeader
	frame           []byte
	spare           [][]byte
	associations    []*association // that no decoder uses
	pending         int
}

// buffer returns an empty buffer for a fragment.
func (p *Pool) buffer() []byte {
	if n := len(p.spare); n > 0 {
		b := p.spare[n-1]
		p.spare = p.spare[:n-1]
		return b[:0]
	}
	return make([]byte, 0, StandardFragment)
}

// give takes a buffer back. Those that grew are left to the garbage collector,
// so that one flood does not pin memory for years.
func (p *Pool) give(b []byte) {
	const most = 64
	if cap(b) <= 2*StandardFragment && len(p.spare) < most {
		p.spare = append(p.spare, b)
	}
}

// maxSpareAssociations bounds the associations kept for use again.
const maxSpareAssociations = maxAssociations

// association returns memory for an association, with whatever was in it.
func (p *Pool) association() *association {
	if n := len(p.associations); n > 0 {
		a := p.associations[n-1]
		p.associations = p.associations[:n-1]
		return a
	}
	return new(association)
}

// keep takes associations that are no longer used.
func (p *Pool) keep(all []*association) {
	all = all[:min(len(all), maxSpareAssociations-len(p.associations))]
	for _, a := range all {
		a.files = nil // may be large
	}
	p.associations = append(p.associations, all...)
}
