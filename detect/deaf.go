package detect

// A live sensor whose interfaces are all down hears nothing, and that nothing comes
// says nothing of the plant. Nobody is told that polls have stopped then; each has as
// much time as ever to come again afterwards. Where only some of the interfaces are
// down nobody knows what they would have heard: what seems to have stopped is told,
// and why it may only seem so.

// Deaf tells that from the watermark at on nothing can be heard, or that it can again.
// It is called between events.
func (s *Shard) Deaf(on bool, at int64) {
	if s.deaf && !on {
		s.heardFrom = at
	}
	s.deaf = on
}

// Deaf tells that nothing can be heard from the clock at on, or that it can again, and
// which interfaces are down, in words, empty if none. It is called between steps.
func (s *Site) Deaf(on bool, down string, at int64) {
	s.down = down
	switch {
	case on && !s.deaf:
		s.deafFrom = at
	case !on && s.deaf:
		for i := range s.awaiting {
			s.awaiting[i].until += at - s.deafFrom
		}
		s.needShards()
	}
	s.deaf = on
}

// halfDeaf adds to what seems to have stopped that it may not have.
func (s *Site) halfDeaf(f *Finding) {
	if s.down == "" || f.Clear || f.Kind != KindPollStopped && f.Kind != KindDeviceSilent {
		return
	}
	f.Spell()
	f.Observed += " Meanwhile the sensor hears nothing on " + s.down + ": it may go on, and not be heard."
	explain(f)
}
