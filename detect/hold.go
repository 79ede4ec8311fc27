package detect

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/weir-ics/weir/protocols"
	"github.com/weir-ics/weir/protocols/dnp3"
)

// held is a finding that waits: for the answer to its request, or for a message
// that tells more than the connection it came over.
type held struct {
	until   int64
	finding *Finding
	// request is the frame of the request whose answer is awaited, 0 if none.
	request uint64
	// network tells that a message between the hosts makes it superfluous.
	network bool
	// conn names the connection it is about, if it is about one.
	conn string
	gone bool

	// own is the memory of finding where its words are only found when somebody
	// reads them: by words, then outcome and remark are added to them. spell does
	// that, and is made once.
	own             Finding
	words, spell    func(*Finding)
	outcome, remark string
}

// waiting is a held finding in its place in the queue.
type waiting struct {
	until int64
	seq   uint64
	held  *held
}

// holds are the findings that wait, bounded: when there are too many the one
// that is due first is let go early.
type holds struct {
	queue []waiting // a heap by time and order of coming
	free  []*held   // memory to be used again
	byReq map[uint64]*held
	seq   uint64
	// network are the network findings that wait, by the hosts they are about.
	network map[pairKey][]*held
}

// networkKey is what a network finding is about: two hosts, or one.
func networkKey(f *Finding) pairKey {
	c, d := f.Client.Endpoint.IP, f.Server.Endpoint.IP
	if !d.IsValid() {
		return pairKey{a: c.As16()}
	}
	return pairOf(c, d)
}

func (h *holds) less(i, j int) bool {
	a, b := &h.queue[i], &h.queue[j]
	return a.until < b.until || a.until == b.until && a.seq < b.seq
}

func (h *holds) push(x *held) {
	h.seq++
	h.queue = append(h.queue, waiting{x.until, h.seq, x})
	for i := len(h.queue) - 1; i > 0; {
		p := (i - 1) / 2
		if h.less(p, i) {
			break
		}
		h.queue[p], h.queue[i] = h.queue[i], h.queue[p]
		i = p
	}
	if x.request != 0 {
		if h.byReq == nil {
			h.byReq = map[uint64]*held{}
		}
		h.byReq[x.request] = x
	}
	if x.network {
		if h.network == nil {
			h.network = map[pairKey][]*held{}
		}
		k := networkKey(x.finding)
		h.network[k] = append(h.network[k], x)
	}
}

func (h *holds) pop() *held {
	x := h.queue[0].held
	n := len(h.queue) - 1
	h.queue[0] = h.queue[n]
	h.queue[n] = waiting{}
	h.queue = h.queue[:n]
	for i := 0; ; {
		least := i
		for _, c := range [2]int{2*i + 1, 2*i + 2} {
			if c < n && h.less(c, least) {
				least = c
			}
		}
		if least == i {
			break
		}
		h.queue[least], h.queue[i] = h.queue[i], h.queue[least]
		i = least
	}
	h.forget(x)
	return x
}

// forget takes x out of what is looked for; it stays in the queue until due.
func (h *holds) forget(x *held) {
	if x.gone {
		return
	}
	if x.request != 0 && h.byReq[x.request] == x {
		delete(h.byReq, x.request)
	}
	if !x.network {
		return
	}
	k := networkKey(x.finding)
	same := h.network[k]
	for i := range same {
		if same[i] == x {
			same = append(same[:i], same[i+1:]...)
			break
		}
	}
	if len(same) == 0 {
		delete(h.network, k)
		return
	}
	h.network[k] = same
}

// memory returns a held finding to be filled, of used memory if there is any.
func (h *holds) memory() *held {
	n := len(h.free) - 1
	if n < 0 {
		return new(held)
	}
	x := h.free[n]
	h.free = h.free[:n]
	return x
}

// reuse takes back the memory of what left the queue. There is never more of it
// than the queue was long.
func (h *holds) reuse(x *held) {
	points := x.own.Points[:0]
	*x = held{spell: x.spell}
	x.own.Points = points
	h.free = append(h.free, x)
}

// hold lets a finding wait for the answer to its request.
func (s *Site) hold(f *Finding, clock int64, request uint64) {
	x := s.holds.memory()
	x.finding, x.until, x.request = f, clock+int64(s.settings.Hold), request
	s.await(x, clock)
}

// copyOf returns a copy of f, without its points, to be held. Its words are found
// when they are read.
func (h *holds) copyOf(f *Finding) *held {
	x := h.memory()
	points := x.own.Points
	x.own = *f
	x.own.Points = points
	x.finding = &x.own
	if x.words = f.Words; x.words != nil {
		if x.spell == nil {
			x.spell = x.say
		}
		x.own.Words = x.spell
	}
	return x
}

// say finds the words of a held finding.
func (x *held) say(f *Finding) {
	x.words(f)
	if x.outcome != "" {
		outcome(f, x.outcome)
	}
	f.Explanation += x.remark
}

// end adds what became of the request.
func (x *held) end(words string) {
	if x.words != nil {
		x.outcome = words
		return
	}
	outcome(x.finding, words)
}

func (s *Site) await(x *held, clock int64) {
	if len(s.holds.queue) >= s.settings.MaxHeld {
		first := s.holds.pop()
		s.release(first, clock)
		s.holds.reuse(first)
	}
	s.holds.push(x)
}

// due lets go of what waited long enough.
func (s *Site) due(clock int64) {
	for len(s.holds.queue) > 0 && s.holds.queue[0].until <= clock {
		x := s.holds.pop()
		s.release(x, x.until)
		s.holds.reuse(x)
	}
}

func (s *Site) release(x *held, clock int64) {
	if x.gone {
		return
	}
	x.gone = true
	if x.request != 0 {
		x.end(" No answer was seen.")
	}
	if x.conn != "" && x.finding.Kind == KindAssetNew {
		if h := s.hosts.all[x.finding.Client.Endpoint.IP]; h != nil {
			h.told = true
		}
	}
	s.let(x, clock)
}

// let makes an alert of a finding, unless what it is part of was told.
func (s *Site) let(x *held, clock int64) {
	f := x.finding
	if s.scanned(f, clock) {
		return
	}
	if f.Kind == KindAssetNew && f.Severity < protocols.High && clock < s.floodUntil {
		return
	}
	if remark := s.hardlyLearned(f); x.words != nil {
		x.remark = remark
	} else {
		f.Explanation += remark
	}
	s.manager.take(f, clock)
}

// enoughMessages is how many messages the site must have learned from for a new
// host or link to be a surprise.
const enoughMessages = 50

// hardlyLearned makes milder what is new to a site that has learned next to
// nothing, where all is new, and returns what is to be said of that.
func (s *Site) hardlyLearned(f *Finding) string {
	switch f.Kind {
	case KindAssetNew, KindLinkNew, KindUnitNew, KindConnectionNew, KindRoleNew, KindCommandNew, KindBroadcast, KindRestartCommand,
		KindConfigureNew, KindProgramAccess, KindTimeSet, KindFileTransfer:
	default:
		return ""
	}
	switch {
	case s.learnedMessages == 0:
		f.Severity = min(f.Severity, protocols.Low)
		return " Nothing was learned before, so everything is new."
	case s.learnedMessages < enoughMessages:
		f.Severity = milder(f.Severity)
		return fmt.Sprintf(" The learning saw only %s.", plural(s.learnedMessages, "message", "messages"))
	}
	return ""
}

func outcome(f *Finding, words string) {
	if strings.HasSuffix(f.Observed, words) {
		return
	}
	f.Observed += words
	explain(f)
}

// answered lets go of the finding whose request e answers, with what the answer
// was.
func (h *holds) answered(e *seen, s *Site) {
	x := h.byReq[e.requestFrame]
	if x == nil || e.requestFrame == 0 {
		return
	}
	h.forget(x)
	x.gone = true
	f := x.finding
	f.LastFrame = e.frame
	f.Time = e.time
	x.end(verdict(e, f))
	s.let(x, e.clock)
}

// foldNetwork drops what waits about a connection between two hosts, or about
// one of them being there: a message says more.
func (h *holds) foldNetwork(a, b netip.Addr) {
	if len(h.network) == 0 {
		return
	}
	for _, k := range [...]pairKey{pairOf(a, b), {a: a.As16()}, {a: b.As16()}} {
		for _, x := range h.network[k] {
			x.gone = true
		}
		delete(h.network, k)
	}
}

// verdict says what a device made of a request.
func verdict(e *seen, f *Finding) string {
	switch {
	case e.role == protocols.RoleException:
		return " The device refused: " + exceptionWord(e.exception) + "."
	case e.status != 0:
		return " The device refused: " + statusWord(e.status) + "."
	case e.iin&iinRefusals != 0:
		for bit := range indications {
			if indications[bit].refusal && e.iin&(1<<bit) != 0 {
				return " The device refused: " + indicationWord(bit) + "."
			}
		}
	}
	if changesPlant(f) {
		return " The device accepted it."
	}
	return " The device answered."
}

func statusWord(status uint8) string {
	if n := dnp3.ControlStatusName(status); n != "" {
		return fmt.Sprintf("%s (status %d)", plain(n), status)
	}
	return fmt.Sprintf("status %d", status)
}

// plain makes a standard's constant a plain word: NO_SELECT is "no select".
func plain(name string) string { return strings.ToLower(strings.ReplaceAll(name, "_", " ")) }

// foldHost drops what waits about a host being there.
func (h *holds) foldHost(ip netip.Addr) {
	k := pairKey{a: ip.As16()}
	for _, x := range h.network[k] {
		x.gone = true
	}
	delete(h.network, k)
}

// connection returns what waits about a connection, nil if nothing does.
func (h *holds) connection(key string, a, b netip.Addr) *held {
	for _, x := range h.network[pairOf(a, b)] {
		if x.conn == key {
			return x
		}
	}
	return nil
}
