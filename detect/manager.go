package detect

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"sort"
	"time"

	"github.com/weir-ics/weir/protocols"
)

// AlertStats counts what became of findings.
type AlertStats struct {
	// Findings is all that came, Raised the alerts made of them, Cleared those
	// that ended.
	Findings, Raised, Cleared uint64
	// Folded is findings that a storm's ceiling kept from being alerts of their
	// own, Muted those a person approved or muted, Budget those that the false-alarm
	// budget did not let pass.
	Folded, Muted, Budget uint64
	// Evicted is alerts that were given up to make room.
	Evicted uint64
}

// life is an alert that is open, or was: its episode counts on.
type life struct {
	alert   Alert
	open    bool
	episode int
	// told is the count that was last put out.
	told uint64
	// seen is the clock of the last finding.
	seen int64
	// ending is when the condition ended, 0 while it lasts. It is cleared once
	// it has not come back for a while, so that what comes and goes is one alert.
	ending int64
	// flaps is how often in a row it came back soon after it was cleared. Each
	// time it must stay away for twice as long before it is cleared again.
	flaps int
	// due is when the alert is looked at again, place where it is among the
	// manager's dues, from 1 on; 0 if it is not.
	due   int64
	place int
}

// maxFlaps bounds how long a condition that comes and goes is waited for:
// ClearHold doubled so many times. flapWindow is how soon is soon.
const (
	maxFlaps   = 7
	flapWindow = int64(24 * time.Hour)
)

type lifeKey struct{ kind, key string }

// manager turns findings into alerts: one for one thing, however often it
// repeats.
type manager struct {
	settings  Settings
	lives     map[lifeKey]*life
	out       []Alert
	decisions []Decision
	rulings   []ruling // of those that hold
	stats     AlertStats
	inc       incidents
	// name fills in the names of a finding that becomes an alert.
	name func(*Finding)

	windowStart int64
	inWindow    int
	// folded counts, by kind, what the ceiling keeps back in this window. untold
	// is the storm's alert if its words are still to say them.
	folded map[string]uint64
	untold *life
	// ofStorm is the memory of the storm's findings.
	ofStorm Finding
	dues    dues
}

func newManager(settings Settings) *manager {
	return &manager{settings: settings, lives: map[lifeKey]*life{}, folded: map[string]uint64{}, inc: incidents{gap: int64(settings.IncidentGap)}}
}

// alertID is the same for the same thing wherever and whenever it is seen.
func alertID(kind, key string, episode int) string {
	h := sha256.Sum256([]byte(fmt.Sprintf("%s\x00%s\x00%d", kind, key, episode)))
	return hex.EncodeToString(h[:8])
}

// conditions are the kinds that end by a clearing finding, not by themselves.
var conditions = map[*Kind]bool{KindPollStopped: true, KindDeviceSilent: true, KindFloodMessages: true, KindFloodConnections: true,
	KindPacketsLost: true, KindValuesSkipped: true, KindInterfaceDown: true}

// take takes a finding at a clock, in order. It keeps nothing of f.
func (m *manager) take(f *Finding, clock int64) {
	m.expire(clock)
	m.stats.Findings++
	for i := range m.rulings {
		if m.rulings[i].covers(f, clock) {
			m.stats.Muted++
			return
		}
	}
	key := lifeKey{f.Kind.Name, f.Key}
	l := m.lives[key]
	if f.Clear {
		if l != nil && l.open && l.ending == 0 {
			l.ending = clock
			l.alert.End = max(l.alert.End, f.Time)
			m.dues.by(l, clock+int64(m.settings.ClearHold)<<l.flaps)
		}
		return
	}
	if l != nil && l.open {
		m.update(l, f, clock)
		return
	}
	if m.storm(f, clock) {
		return
	}
	if l == nil {
		if len(m.lives) >= m.settings.MaxAlerts {
			m.evict()
		}
		l = &life{}
		m.lives[key] = l
	} else {
		l.episode++
		if l.flaps++; clock-l.seen > flapWindow {
			l.flaps = 0
		}
		l.flaps = min(l.flaps, maxFlaps)
	}
	l.open = true
	l.seen, l.ending = clock, 0
	f.Spell()
	l.alert = Alert{Finding: *f, ID: alertID(f.Kind.Name, f.Key, l.episode), State: Raised, Count: 1, End: f.Time}
	l.alert.Points = pointsAt(f.Points, &f.Server) // f's may be used again, and these grow
	if m.name != nil {
		m.name(&l.alert.Finding)
	}
	l.told = 1
	if end, ok := m.endOf(l); ok {
		m.dues.by(l, end)
	}
	m.inc.join(&l.alert, clock)
	m.stats.Raised++
	m.emit(l)
}

// reads tells whether take will read the words of f. If not, f only counts for an
// alert that is open, and in a flood of such findings most of the time would go
// into words that nobody reads.
func (m *manager) reads(f *Finding, clock int64) bool {
	m.expire(clock)
	if l := m.lives[lifeKey{f.Kind.Name, f.Key}]; l != nil && l.open {
		return f.Severity > l.alert.Severity
	}
	return !m.folds(f, clock)
}

func (m *manager) update(l *life, f *Finding, clock int64) {
	a := &l.alert
	l.seen, l.ending = clock, 0
	a.Count++
	a.End = max(a.End, f.Time)
	if f.FirstFrame != 0 && (a.FirstFrame == 0 || f.FirstFrame < a.FirstFrame) {
		a.FirstFrame = f.FirstFrame
	}
	a.LastFrame = max(a.LastFrame, f.LastFrame)
	a.Points = addPoints(a.Points, pointsAt(f.Points, &a.Server))
	worse := f.Severity > a.Severity
	if worse {
		f.Spell()
		if m.name != nil {
			named := *f
			m.name(&named)
			f = &named
		}
		a.Severity, a.Title, a.Observed, a.Expected, a.Explanation = f.Severity, f.Title, f.Observed, f.Expected, f.Explanation
		a.Function, a.FunctionName = f.Function, f.FunctionName
		a.Techniques = addNames(append([]string(nil), f.Techniques...), a.Techniques)
	}
	a.Score = max(a.Score, f.Score)
	m.inc.update(a, clock)
	// An update is told when it matters: when it gets worse, and each time the
	// count has doubled.
	if worse || a.Count >= 2*l.told {
		a.State = Updated
		l.told = a.Count
		m.emit(l)
	}
}

func (m *manager) clear(l *life, at int64) {
	l.open = false
	l.alert.State = Cleared
	l.alert.End = max(l.alert.End, at)
	l.told = l.alert.Count
	m.stats.Cleared++
	m.emit(l)
}

// emit puts out a snapshot of the alert.
func (m *manager) emit(l *life) {
	if l == m.untold {
		m.tellStorm()
	}
	a := l.alert
	a.Points = append([]PointRef(nil), a.Points...)
	a.Techniques = append([]string(nil), a.Techniques...)
	m.out = append(m.out, a)
}

// expire clears what is over, each at its own time. It looks only when something
// can be due.
func (m *manager) expire(clock int64) {
	for len(m.dues) > 0 && clock >= m.dues[0].due {
		due, at := m.dues.next(clock, m.endOf)
		sortLives(due)
		for _, l := range due {
			if l.ending != 0 {
				m.clear(l, l.alert.End)
			} else {
				m.clear(l, at)
			}
		}
	}
}

// endOf is when an alert is to be cleared if nothing more is heard of it.
func (m *manager) endOf(l *life) (end int64, ok bool) {
	switch {
	case !l.open:
		return 0, false
	case l.ending != 0:
		return l.ending + int64(m.settings.ClearHold)<<l.flaps, true
	case conditions[l.alert.Kind]:
		return 0, false
	}
	return l.seen + int64(m.settings.ClearAfter), true
}

func sortLives(ls []*life) {
	sort.Slice(ls, func(i, j int) bool {
		a, b := ls[i], ls[j]
		if a.seen != b.seen {
			return a.seen < b.seen
		}
		if a.alert.Kind.Name != b.alert.Kind.Name {
			return a.alert.Kind.Name < b.alert.Kind.Name
		}
		return a.alert.Key < b.alert.Key
	})
}

// evict gives up the alerts not seen for longest, a sixteenth of them at once:
// cleared ones first.
func (m *manager) evict() {
	all := make([]*life, 0, len(m.lives))
	for _, l := range m.lives {
		all = append(all, l)
	}
	sortLives(all)
	sort.SliceStable(all, func(i, j int) bool { return !all[i].open && all[j].open })
	for _, l := range all[:max(1, len(all)/16)] {
		if l.open {
			m.clear(l, l.alert.End)
		}
		m.dues.drop(l)
		delete(m.lives, lifeKey{l.alert.Kind.Name, l.alert.Key})
		m.stats.Evicted++
	}
}

// storm tells whether the ceiling keeps f from being an alert of its own. What
// is critical always is one, up to ten ceilings.
func (m *manager) storm(f *Finding, clock int64) bool {
	if f.Kind == KindStorm {
		return false
	}
	folds := m.folds(f, clock)
	if clock-m.windowStart >= int64(m.settings.StormWindow) {
		m.windowStart, m.inWindow = clock, 0
		m.tellStorm()
		clear(m.folded)
	}
	m.inWindow++
	if !folds {
		return false
	}
	m.stats.Folded++
	s := &m.ofStorm
	*s = Finding{Kind: KindStorm, Severity: KindStorm.Severity, Key: "site", Start: f.Start, Time: f.Time, FirstFrame: f.FirstFrame,
		LastFrame: f.LastFrame, Proto: f.Proto, Function: -1, Title: "more alerts than a person can read"}
	raise := m.reads(s, clock)
	if raise {
		m.folded[f.Kind.Name]++
		m.stormWords(s)
	}
	m.take(s, clock)
	if !raise {
		m.folded[f.Kind.Name]++
		// What was put out before does not say this one yet.
		m.untold = m.lives[lifeKey{KindStorm.Name, "site"}]
	}
	return true
}

// folds tells whether the ceiling would keep f, as an alert of its own, back.
func (m *manager) folds(f *Finding, clock int64) bool {
	n := m.inWindow + 1
	if clock-m.windowStart >= int64(m.settings.StormWindow) {
		n = 1
	}
	if f.Severity == protocols.Critical {
		return n > 10*m.settings.StormCeiling
	}
	return n > m.settings.StormCeiling
}

// tellStorm brings the words of the storm's alert up to date.
func (m *manager) tellStorm() {
	if m.untold != nil {
		m.stormWords(&m.untold.alert.Finding)
		m.untold = nil
	}
}

func (m *manager) stormWords(s *Finding) {
	s.Observed = fmt.Sprintf("More than %d alerts were due within %s; folded: %s.", m.settings.StormCeiling, span(int64(m.settings.StormWindow)), m.foldedWords())
	s.Expected = "At most that many are raised one by one."
	explain(s)
}

func (m *manager) foldedWords() string {
	out := ""
	for i, k := range sortedKeys(m.folded) {
		if i > 0 {
			out += ", "
		}
		out += fmt.Sprintf("%s %s", count(m.folded[k]), k)
	}
	return out
}

// finish tells the last word of every alert whose count went on.
func (m *manager) finish() {
	var due []*life
	for _, l := range m.lives {
		if l.open && (l.ending != 0 || l.told != l.alert.Count) {
			due = append(due, l)
		}
	}
	sortLives(due)
	for _, l := range due {
		if l.ending != 0 { // over, and nobody will wait any longer whether it comes back
			m.clear(l, l.alert.End)
			continue
		}
		l.told = l.alert.Count
		l.alert.State = Updated
		m.emit(l)
	}
}

// addPoints adds points, merging runs that touch, up to 16.
func addPoints(points, more []PointRef) []PointRef {
	for _, p := range more {
		merged := false
		for i := range points {
			q := &points[i]
			if q.Device != p.Device || q.Unit != p.Unit {
				continue
			}
			if q.Kind == p.Kind && p.First <= q.Last+1 && q.First <= p.Last+1 && q.Name == "" && p.Name == "" {
				q.First, q.Last = min(q.First, p.First), max(q.Last, p.Last)
				merged = true
				break
			}
			if q.Kind == p.Kind && q.First <= p.First && p.Last <= q.Last {
				merged = true
				break
			}
		}
		if !merged && len(points) < 16 {
			points = append(points, p)
		}
	}
	return points
}

func addNames(names, more []string) []string {
next:
	for _, n := range more {
		for _, have := range names {
			if have == n {
				continue next
			}
		}
		names = append(names, n)
	}
	return names
}
