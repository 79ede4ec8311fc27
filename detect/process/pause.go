package process

// Pause tells that no reports are taken in until Resume, because packets come
// faster than they can be worked on. Commands may still be given in. What needs
// a report to be judged is let go: that none comes says nothing of the process.
func (e *Engine) Pause() {
	for _, t := range e.tickers {
		t.open = false
		for i := range t.seats {
			t.seats[i].seen = false
		}
	}
	for _, p := range e.pending {
		p.commands.waiting = false
	}
	e.pending = e.pending[:0]
	for _, k := range e.awaited {
		k.armed, k.listed = false, false
	}
	e.awaited = e.awaited[:0]
	e.echo.noting = nil
}

// Resume tells that reports are taken in again from a packet time on. The first
// of each point is judged by itself and not against the one before the pause: a
// level may be elsewhere by now, and a command may have been the cause.
func (e *Engine) Resume(at int64) {
	e.drop()
	for _, p := range e.each() {
		p.set(markValue, false)
		p.changed = at
		if p.profile != nil {
			p.profile.noise = noise{}
		}
	}
}
