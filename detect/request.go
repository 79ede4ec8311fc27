package detect

import (
	"github.com/weir-ics/weir/detect/interval"
	"github.com/weir-ics/weir/protocols"
)

// request takes one request of a link.
func (s *Shard) request(l *link, e *protocols.Event) {
	l.requests++
	if c := e.Client(); l.client.Port != c.Port || l.client.MAC != c.MAC {
		l.client, l.server = *c, *e.Server()
	}
	hash := requestHash(e)
	i := l.find(hash)
	if i < 0 {
		i = s.newRequest(l, e, hash)
		if i < 0 {
			return
		}
	}
	p := &l.patterns[i]
	if p.flagged != nil {
		if !s.admitted(e) {
			s.repeat(l, e, p.flagged)
			s.takeover(l, e, true)
			return
		}
		p.flagged, p.count = nil, 0
		p.function = int32(s.take(l, e))
	}
	p.count++
	switch p.count {
	case 1:
		l.once++
	case 2:
		l.once--
	}
	f := &l.functions[p.function]
	f.count++
	if int32(e.Size) > f.longest {
		s.longer(l, f, e)
	}
	if p.changes {
		s.change(l, e, p)
		s.takeover(l, e, false)
	}
	s.pace(l, p, int32(i), e)
	if !l.watching && l.requests&63 == 0 {
		s.ripe(l, e.Clock)
	}
}

// longer takes a request that is longer than any of its function before.
func (s *Shard) longer(l *link, f *function, e *protocols.Event) {
	if !l.watching || f.count < 200 && len(e.Ranges) == 0 {
		f.longest = int32(e.Size)
		return
	}
	if len(e.Ranges) > 0 || e.Size <= 2*int(f.longest) {
		return
	}
	s.finding(e, noteFinding, tooLong(l, f, e))
}

// maxFunctions caps the functions of a link; what comes beyond counts with the
// last one, so that it stays new.
const maxFunctions = 512

// take learns the function and the addresses of a request and returns the index
// of the function.
func (s *Shard) take(l *link, e *protocols.Event) int {
	fi := l.findFunction(e.Function, e.Sub, e.Role)
	if fi < 0 && len(l.functions) >= maxFunctions {
		fi = len(l.functions) - 1
	}
	if fi < 0 {
		fi = l.addFunction(e, e.Role)
	}
	for _, r := range e.Ranges {
		l.addAddresses(r, s.settings.MaxRuns)
	}
	l.broadcasts = l.broadcasts || e.Broadcast
	return fi
}

// ripe lets a link begin to be watched when it is learned well enough, if it may
// learn by itself.
func (s *Shard) ripe(l *link, clock int64) {
	if !l.admitted && !s.settings.LearnAuto {
		return
	}
	if l.requests < 200 || clock-l.first < int64(s.settings.LearnMin) || unseen(l.once, l.requests) > s.settings.LearnTarget {
		return
	}
	s.watch(l)
}

// newRequest takes a request that was never seen on the link. It returns the
// index of its pattern, -1 if it has none.
func (s *Shard) newRequest(l *link, e *protocols.Event, hash uint64) int {
	fi := l.findFunction(e.Function, e.Sub, e.Role)
	if !l.watching || s.admitted(e) {
		fi = s.take(l, e)
		if i := l.addPattern(e, hash, fi, s.settings.MaxPatterns); i >= 0 {
			return i
		}
		l.functions[fi].count++
		return -1
	}
	f, probed := s.judgeRequest(l, e, fi)
	if f == nil {
		// The function and all addresses are known; only their combination is
		// new, which is nothing to tell.
		if i := l.addPattern(e, hash, fi, s.settings.MaxPatterns); i >= 0 {
			return i
		}
		l.functions[fi].count++
		return -1
	}
	if !e.Effect.Changes() && !s.learned(l) {
		// A link that is hardly learned goes on learning what it reads; it was
		// told once.
		if i := l.addPattern(e, hash, s.take(l, e), s.settings.MaxPatterns); i >= 0 {
			l.patterns[i].count, l.once = 1, l.once+1
		}
	} else if i := l.addPattern(e, hash, fi, s.settings.MaxPatterns); i >= 0 {
		l.patterns[i].flagged = f
	}
	s.hold(l, e, f).probes = probed
	s.takeover(l, e, true)
	return -1
}

// takeover follows restart, clock and configuration by one client.
func (s *Shard) takeover(l *link, e *protocols.Event, isNew bool) {
	if l.watching && l.story.tell(e.Effect, e.Clock, isNew) {
		f := about(KindTakeover, KindTakeover.Severity, l, e)
		tellTakeover(f, device(l))
		s.finding(e, noteFinding, f)
	}
}

// hold tells a finding that waits for the answer to its request.
func (s *Shard) hold(l *link, e *protocols.Event, f *Finding) *note {
	l.held = e.Frame
	return s.finding(e, noteHeld, f)
}

// repeat tells that a request which made a finding came again.
func (s *Shard) repeat(l *link, e *protocols.Event, f *Finding) {
	again := *f
	again.Time, again.Start, again.FirstFrame, again.LastFrame = e.Time, e.Time, e.Frame, e.Frame
	s.hold(l, e, &again)
}

// judgeRequest says what is new about a request on a learned link, nil if
// nothing is. One request makes one finding: the most telling.
func (s *Shard) judgeRequest(l *link, e *protocols.Event, fi int) (*Finding, [2]probe) {
	if e.Broadcast && !l.broadcasts {
		return s.broadcast(l, e), [2]probe{}
	}
	if fi < 0 {
		probes := [2]probe{{probeFunction, uint64(e.Function)<<32 | uint64(uint32(e.Sub))}}
		if len(e.Ranges) > 0 {
			probes[1] = probe{probeAddress, uint64(e.Ranges[0].Kind)<<32 | uint64(e.Ranges[0].First)}
		}
		return s.newFunction(l, e), probes
	}
	var missing []PointRef
	access := protocols.AccessUnknown
	var runs [4]interval.Run
	for _, r := range e.Ranges {
		run := runOf(r)
		class := accessClass(r.Access)
		found := runs[:0]
		if t := l.table(r.Kind, class); t != nil {
			found = t.set.Missing(found, run.First, run.Last)
		} else {
			found = append(found, run)
		}
		for _, m := range found {
			if len(missing) < 16 {
				missing = append(missing, PointRef{Kind: r.Kind, First: m.First, Last: m.Last})
			}
			access = class
		}
	}
	if len(missing) == 0 {
		return nil, [2]probe{}
	}
	return s.newAddress(l, e, missing, access), [2]probe{{probeAddress, uint64(missing[0].Kind)<<32 | uint64(missing[0].First)}}
}

// change takes a known request that changes something.
func (s *Shard) change(l *link, e *protocols.Event, p *pattern) {
	if !l.watching {
		l.changes++
		switch p.count {
		case 1:
			l.changesOnce++
		case 2:
			l.changesOnce--
		}
		if l.firstChange == 0 {
			l.firstChange = e.Clock
		}
		if l.hours == nil {
			l.hours = make([]uint32, hoursOfWeek)
		}
		l.hours[hourOfWeek(e.Clock)]++
	} else if l.hours != nil {
		s.hour(l, e)
	}
}

// pace takes the time between two equal requests.
func (s *Shard) pace(l *link, p *pattern, index int32, e *protocols.Event) {
	if p.last != 0 && e.Clock > p.last && p.last >= s.heardFrom {
		if l.watching && p.timed {
			s.judgePace(l, p, e)
		} else if p.takeInterval(e.Clock - p.last); l.watching && p.n&63 == 0 {
			// A poll that came up late is watched as well once its pace is known.
			if s.time(p); p.timed {
				p.last = 0
			}
		}
	}
	if l.watching && p.last == 0 && p.timed {
		s.stats.Timers++
		s.timers.add(timer{e.Clock + p.overdueAfter, l, index})
		s.next = s.timers.next()
	}
	p.last, p.lastFrame = e.Clock, e.Frame
	if p.overdue {
		p.overdue = false
		l.overdue--
		if l.overdue == 0 {
			s.finding(e, noteFinding, pollResumed(l, e))
		}
		s.timers.add(timer{e.Clock + p.overdueAfter, l, index})
		s.next = s.timers.next()
	}
}

// fire looks at a poll that may be overdue; t is the first of the timers.
func (s *Shard) fire(t timer) {
	p := &t.link.patterns[t.pattern]
	if s.deaf {
		s.timers.postpone(t.at + p.overdueAfter)
		return
	}
	if due := max(p.last, s.heardFrom) + p.overdueAfter; due > t.at {
		s.timers.postpone(due)
		return
	}
	s.timers.drop()
	p.overdue = true
	t.link.overdue++
	s.notes = append(s.notes, note{clock: t.at, kind: noteFinding, event: -1, seq: int32(len(s.notes)), finding: pollStopped(t.link, p, t.at)})
}

// time makes the pace of a request watched if it is regular.
func (s *Shard) time(p *pattern) {
	p.timed = p.regular() && !p.changes
	if !p.timed {
		return
	}
	p.overdueAfter = p.overdueTime()
	p.limit = paceLimit(p, s.settings.AlarmsPerDay)
	// What varies by less than a tenth is not worth a person's time.
	p.perScale = 1 / max(p.deviation(), p.mean/10)
}

// watch ends the learning of a link: it derives what the judgement needs, and
// forgets what was only on its way, so that a link that was learned just now
// and one that was loaded are the same.
func (s *Shard) watch(l *link) {
	l.watching = true
	for i := range l.patterns {
		p := &l.patterns[i]
		p.last, p.fast, p.slow, p.overdue = 0, 0, 0, false
		s.time(p)
	}
	for i := range l.functions {
		s.lateness(l, &l.functions[i])
	}
	l.win = window{}
	l.flood = floodLimit(l, s.settings)
	l.silent, l.silentRaised, l.overdue, l.flooding = 0, false, 0, false
	l.held, l.iinUp = 0, l.iin
	l.story = story{}
}
