package process

// verdict is what a relation makes of a row.
type verdict struct {
	// judged tells that there was enough before the row to judge it.
	judged bool
	// worst is the largest part of a threshold that a member reaches, lead whose; of
	// several at which that is cut off, of the one that is furthest away.
	worst float64
	lead  int
	// slowly is the same of what only shows slowly, if no member tells anything by itself.
	slowly slowest
}

// slowest is who is furthest from its anchor or, if habitual, from its habit, or that
// all together are further from what they were.
type slowest struct {
	worst              float64
	lead               int
	together, habitual bool
}

// worthSharing is how many weights a row must ask for several processors to be worth
// waking: the work of some 20 to 100 microseconds.
const worthSharing = 1 << 14

// stepRelations takes a row of t into each of its relations. What a relation makes of
// a row depends on no other relation, so that several processors may find it at once;
// it is judged afterwards, one relation after the other.
func (e *Engine) stepRelations(t *ticker) {
	if e.settings.Workers == 1 || t.board.weights < worthSharing {
		for _, r := range t.relations {
			r.take(t)
		}
		return
	}
	t.shares.do(e.settings.Workers, len(t.relations), func(i int) { t.relations[i].take(t) })
}

// take takes a row of t into r, and finds the verdict on it.
func (r *relation) take(t *ticker) {
	r.verdict = verdict{judged: r.step(t)}
	if r.judged {
		r.weigh()
	}
}

// weigh finds the verdict on a row that r has taken in.
func (r *relation) weigh() {
	for j := range r.members {
		if q := r.members[j].ratio; q > r.worst || q == r.worst && r.members[j].far() > r.members[r.lead].far() {
			r.worst, r.lead = q, j
		}
	}
	if r.alarm.active || r.worst > 1 {
		return
	}
	s := &r.slowly
	for j := range r.members {
		if a := r.members[j].anchor; a != nil && a.ratio > s.worst {
			s.worst, s.lead, s.habitual = a.ratio, j, false
		}
		if a := r.members[j].habit; a != nil && a.ratio > s.worst {
			s.worst, s.lead, s.habitual = a.ratio, j, true
		}
	}
	if r.joint != nil {
		if q := r.joint.test(r); q > s.worst {
			s.worst, s.together, s.habitual = q, true, false
		}
	}
}
