package detect

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/weir-ics/weir/protocols"
)

// IncidentReport is alerts that belong together, by the same actor or by one
// who acts after having been a target, told in order.
type IncidentReport struct {
	// ID is derived from the incident's first alert.
	ID string
	// Title is a short line; Severity the highest of its alerts.
	Title    string
	Severity protocols.Severity
	// Start and End are packet time in nanoseconds.
	Start, End int64
	// Actors and Targets are addresses, in the order they appeared.
	Actors, Targets []string
	// Alerts are the IDs of its alerts in the order they were raised, as many
	// as are kept; Count says how many there are.
	Alerts []string
	Count  uint64
	// Techniques are MITRE ATT&CK for ICS techniques in the order they appeared.
	Techniques []string
	// Story tells what happened, a line an alert, in order.
	Story []string
	// CheckFirst says what to look at first.
	CheckFirst []string
}

// tactics says which step of an attack a technique belongs to (MITRE ATT&CK for
// ICS), in the words of a story.
var tactics = map[string]string{
	"T0846": "reconnaissance", "T0888": "reconnaissance", "T0840": "reconnaissance", "T0842": "reconnaissance",
	"T0801": "collection", "T0802": "collection", "T0861": "collection", "T0845": "collection", "T0868": "collection",
	"T0830": "in the middle", "T0864": "access", "T0848": "access", "T0866": "access", "T0886": "lateral movement",
	"T0867": "lateral movement", "T0843": "program change", "T0858": "program change", "T0857": "program change", "T0889": "program change",
	"T0855": "command", "T0836": "command", "T0806": "command", "T0831": "command", "T0856": "false report",
	"T0814": "denial", "T0804": "denial", "T0803": "denial", "T0816": "denial", "T0878": "denial", "T0829": "denial", "T0809": "destruction",
	"T0872": "covering tracks", "T0869": "access",
}

// stage names what an alert is in a story.
func stage(a *Alert) string {
	for _, t := range a.Techniques {
		if s := tactics[t]; s != "" {
			return s
		}
	}
	return "anomaly"
}

// byDevice are the kinds in which the server is who behaves unusually.
var byDevice = map[*Kind]bool{KindDeviceSilent: true, KindDeviceRestarted: true, KindIINNew: true, KindPointNew: true, KindResponseLate: true,
	KindUnsolicitedNew: true}

const (
	maxIncidents     = 256
	maxIncidentLines = 64
)

type incident struct {
	report  IncidentReport
	actors  map[netip.Addr]bool
	targets map[netip.Addr]bool
	worst   [3]*Kind
	last    int64
	dirty   bool
}

// incidents gathers alerts into incidents.
type incidents struct {
	gap   int64
	open  []*incident
	byID  map[string]*incident
	dirty []*incident
}

// join puts a newly raised alert into an incident.
func (x *incidents) join(a *Alert, clock int64) {
	actor, target := a.Client.Endpoint.IP, a.Server.Endpoint.IP
	if byDevice[a.Kind] || !actor.IsValid() || strings.HasPrefix(a.Kind.Name, "value.") || strings.HasPrefix(a.Kind.Name, "counter.") {
		actor = netip.Addr{}
	}
	kept := x.open[:0]
	for _, i := range x.open {
		if clock-i.last <= x.gap {
			kept = append(kept, i)
		} else {
			delete(x.byID, i.report.ID)
		}
	}
	x.open = kept
	i := x.find(actor, target)
	if i == nil {
		if len(x.open) >= maxIncidents {
			delete(x.byID, x.open[0].report.ID)
			x.open = append(x.open[:0], x.open[1:]...)
		}
		h := sha256.Sum256([]byte("incident\x00" + a.ID))
		i = &incident{actors: map[netip.Addr]bool{}, targets: map[netip.Addr]bool{}}
		i.report.ID = hex.EncodeToString(h[:8])
		i.report.Start, i.report.End = a.Start, a.End
		x.open = append(x.open, i)
		if x.byID == nil {
			x.byID = map[string]*incident{}
		}
		x.byID[i.report.ID] = i
	}
	a.Incident = i.report.ID
	r := &i.report
	i.last = clock
	if actor.IsValid() && !i.actors[actor] && len(i.actors) < maxIncidentLines {
		i.actors[actor] = true
		r.Actors = append(r.Actors, actor.String())
	}
	if target.IsValid() && !i.targets[target] && len(i.targets) < maxIncidentLines {
		i.targets[target] = true
		r.Targets = append(r.Targets, target.String())
	}
	r.Count++
	if len(r.Alerts) < maxIncidentLines {
		r.Alerts = append(r.Alerts, a.ID)
		r.Story = append(r.Story, fmt.Sprintf("%s %s: %s", time.Unix(0, a.Start).UTC().Format("2006-01-02 15:04:05"), stage(a), a.Title))
	}
	if len(r.Techniques) < maxIncidentLines {
		r.Techniques = addNames(r.Techniques, a.Techniques)
	}
	i.grow(a)
	x.touch(i)
}

// find looks for the incident of an actor: the one it acts in; the one it was a
// target of, if that was more than a trifle; for what a device does by itself,
// the one it is a target of.
func (x *incidents) find(actor, target netip.Addr) *incident {
	for k := len(x.open) - 1; k >= 0; k-- {
		if actor.IsValid() && x.open[k].actors[actor] {
			return x.open[k]
		}
	}
	for k := len(x.open) - 1; k >= 0; k-- {
		i := x.open[k]
		switch {
		case actor.IsValid() && i.targets[actor] && i.report.Severity >= protocols.Medium && len(i.actors) > 0:
			return i
		case !actor.IsValid() && target.IsValid() && i.targets[target]:
			return i
		}
	}
	return nil
}

// update takes what changed in an alert that is part of an incident.
func (x *incidents) update(a *Alert, clock int64) {
	i := x.byID[a.Incident]
	if i == nil {
		return
	}
	i.last = clock
	i.grow(a)
	x.touch(i)
}

func (i *incident) grow(a *Alert) {
	r := &i.report
	r.Start = min(r.Start, a.Start)
	r.End = max(r.End, a.End)
	if a.Severity > r.Severity || r.Title == "" {
		r.Severity, r.Title = a.Severity, a.Title
		i.worst[2], i.worst[1], i.worst[0] = i.worst[1], i.worst[0], a.Kind
	} else {
		for k, w := range i.worst {
			if w == a.Kind {
				break
			}
			if w == nil {
				i.worst[k] = a.Kind
				break
			}
		}
	}
}

func (x *incidents) touch(i *incident) {
	if !i.dirty {
		i.dirty = true
		x.dirty = append(x.dirty, i)
	}
}

// take returns what changed since the last call.
func (x *incidents) take(dst []IncidentReport) []IncidentReport {
	for _, i := range x.dirty {
		i.dirty = false
		r := i.report
		r.Actors = append([]string(nil), r.Actors...)
		r.Targets = append([]string(nil), r.Targets...)
		r.Alerts = append([]string(nil), r.Alerts...)
		r.Techniques = append([]string(nil), r.Techniques...)
		r.Story = append([]string(nil), r.Story...)
		r.CheckFirst = nil
		for _, w := range i.worst {
			if w != nil && w.Action != "" {
				r.CheckFirst = addNames(r.CheckFirst, []string{w.Action})
			}
		}
		dst = append(dst, r)
	}
	x.dirty = x.dirty[:0]
	return dst
}
