package influx

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"github.com/weir-ics/weir/sinks"
)

// send is the goroutine that sends.
func (s *Sink) send() {
	defer close(s.done)
	tick := time.NewTicker(s.opt.FlushInterval)
	defer tick.Stop()
	for {
		select {
		case b := <-s.queue:
			s.deliver(b)
		case <-tick.C:
			s.flush()
			s.drain(s.run, false)
		case fate := <-s.asks:
			s.flush()
			s.drain(s.run, false)
			close(fate)
		case <-s.end:
			s.flush()
			s.drain(s.run, true)
			if s.spool != nil {
				s.spool.close()
			}
			return
		}
	}
}

// flush delivers what is queued and what is in open batches.
func (s *Sink) flush() {
	for {
		select {
		case b := <-s.queue:
			s.deliver(b)
			continue
		default:
		}
		break
	}
	for _, b := range s.cut() {
		s.deliver(b)
	}
}

// deliver sends a batch, or keeps it if others are kept already or the server
// does not take it.
func (s *Sink) deliver(b *batch) {
	defer func() {
		select {
		case s.free <- b.body[:0]:
		default:
		}
	}()
	if s.down || s.spool != nil && len(s.spool.files) > 0 {
		s.keep(b)
		return
	}
	pause := s.opt.Backoff
	for attempt := 1; ; attempt++ {
		a := s.post(s.run, b)
		if a.fate == delivered {
			s.count(func(r *sinks.Report) { r.Written.Add(b.kind.counts(b.count)) })
			return
		}
		if a.fate == refused {
			s.refuse(b, a, false)
			return
		}
		if a.fate == setting || attempt >= s.opt.Attempts {
			s.fail(a)
			s.keep(b)
			return
		}
		if !s.sleep(max(pause, min(a.after, s.opt.MaxBackoff))) {
			s.fail(a)
			s.keep(b)
			return
		}
		pause = min(2*pause, s.opt.MaxBackoff)
	}
}

// sleep waits; false if the sink is being ended.
func (s *Sink) sleep(d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-s.run.Done():
		return false
	}
}

// post sends a batch once; in parts if the server wants them smaller.
func (s *Sink) post(ctx context.Context, b *batch) answer {
	a := judge(s.api.WriteRecord(ctx, string(b.body)))
	if a.fate != tooBig {
		return a
	}
	half := cutLines(b.body)
	if half == 0 {
		a.fate = refused
		return a
	}
	total := answer{}
	for _, body := range [][]byte{b.body[:half], b.body[half:]} {
		a := s.post(ctx, &batch{kind: b.kind, body: body})
		switch a.fate {
		case delivered:
		case refused:
			total.fate, total.why = refused, a.why
			total.dropped += a.dropped
		default:
			return a
		}
	}
	return total
}

// cutLines finds the line break next to the middle, 0 if there is but one line.
func cutLines(body []byte) int {
	if i := bytes.IndexByte(body[len(body)/2:], '\n'); i >= 0 && len(body)/2+i+1 < len(body) {
		return len(body)/2 + i + 1
	}
	if i := bytes.LastIndexByte(body[:len(body)/2], '\n'); i >= 0 {
		return i + 1
	}
	return 0
}

// refuse counts what the server did not want of a batch, and tells it once.
func (s *Sink) refuse(b *batch, a answer, earlier bool) {
	n := min(a.dropped, b.count)
	s.count(func(r *sinks.Report) {
		r.Refused.Add(b.kind.counts(n))
		if earlier {
			r.Earlier.Add(b.kind.counts(b.count - n))
		} else {
			r.Written.Add(b.kind.counts(b.count - n))
		}
		if r.Problem != a.why {
			s.opt.Log.Warn("InfluxDB: "+a.why, "server", r.Sink)
		}
		r.Problem = a.why
	})
}

// fail notes that the server does not take anything now.
func (s *Sink) fail(a answer) {
	first := !s.down
	s.down = true
	if first {
		s.backoff = s.opt.Backoff
	} else {
		s.backoff = min(2*s.backoff, s.opt.MaxBackoff)
	}
	if a.fate == setting {
		s.backoff = s.opt.MaxBackoff
	}
	s.next = time.Now().Add(max(s.backoff, min(a.after, s.opt.MaxBackoff)))
	s.count(func(r *sinks.Report) {
		if first || r.Problem != a.why {
			kept := "what is written is kept in " + s.opt.Spool
			if s.spool == nil {
				kept = "what is written is lost, because no spool is set"
			}
			s.opt.Log.Error("InfluxDB: "+a.why+"; "+kept, "server", r.Sink)
		}
		r.Problem = a.why
	})
}

// keep puts a batch in the spool.
func (s *Sink) keep(b *batch) {
	c := b.kind.counts(b.count)
	if s.spool == nil {
		s.count(func(r *sinks.Report) { r.Lost.Add(c) })
		return
	}
	err := s.spool.put(b, func(f spooled) {
		s.count(func(r *sinks.Report) {
			r.Kept = minus(r.Kept, f.kind.counts(f.count))
			r.Lost.Add(f.kind.counts(f.count))
		})
	})
	s.count(func(r *sinks.Report) {
		if err == nil {
			r.Kept.Add(c)
			return
		}
		r.Lost.Add(c)
		if why := fmt.Sprintf("keep unsent data in %s: %v", s.opt.Spool, err); r.Problem != why {
			s.opt.Log.Error(why)
			r.Problem = why
		}
	})
}

// drain sends what is in the spool, the oldest first, as long as the server takes
// it. A server that is down is asked when it is time to, or with now.
func (s *Sink) drain(ctx context.Context, now bool) {
	if s.down && !now && time.Now().Before(s.next) {
		return
	}
	if s.spool == nil {
		// Nothing to try it with: the next batch will.
		s.down = false
		return
	}
	for len(s.spool.files) > 0 && ctx.Err() == nil {
		f := s.spool.files[0]
		c := f.kind.counts(f.count)
		b, err := s.spool.read(f)
		if err != nil {
			_ = s.spool.remove(f)
			s.count(func(r *sinks.Report) {
				r.Kept = minus(r.Kept, c)
				r.Lost.Add(c)
				r.Problem = fmt.Sprintf("read unsent data %s: %v", f.name, err)
				s.opt.Log.Error(r.Problem)
			})
			continue
		}
		a := s.post(ctx, b)
		if a.fate != delivered && a.fate != refused {
			s.fail(a)
			return
		}
		if err := s.spool.remove(f); err != nil {
			s.fail(answer{fate: later, why: fmt.Sprintf("remove sent data from the spool: %v", err)})
			return
		}
		s.count(func(r *sinks.Report) {
			r.Kept = minus(r.Kept, c)
			switch {
			case a.fate == refused:
			case f.earlier:
				r.Earlier.Add(c)
			default:
				r.Written.Add(c)
			}
			if a.fate == delivered && s.down {
				r.Problem = ""
			}
		})
		if a.fate == refused {
			s.refuse(b, a, f.earlier)
		}
		if s.down {
			s.down = false
			s.opt.Log.Info("InfluxDB takes data again", "server", s.opt.URL)
		}
		// What came meanwhile goes behind it, or the queue would fill.
		for range len(s.queue) {
			s.deliver(<-s.queue)
		}
	}
	if len(s.spool.files) == 0 {
		s.down = false
	}
}

func (s *Sink) count(f func(*sinks.Report)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f(&s.report)
}

// minus takes b from a.
func minus(a, b sinks.Counts) sinks.Counts {
	return sinks.Counts{Alerts: a.Alerts - b.Alerts, Values: a.Values - b.Values, Commands: a.Commands - b.Commands, Counters: a.Counters - b.Counters}
}
