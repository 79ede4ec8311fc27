package detect

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/weir-ics/weir/protocols"
)

// actor is a host followed for scans: what new things it tried.
type actor struct {
	tries map[tryKey]*tries
	last  int64
}

type tryKey struct {
	kind   probeKind
	server netip.Addr // not set for hosts
}

// tries are the distinct new things of a kind.
type tries struct {
	// values are what was tried, each once, in the order of when, which are the
	// times of that. They are apart because each new thing is looked for among them.
	values []uint64
	when   []int64
	// key tells the finding about the scan from others of its kind.
	key      string
	scanning bool
	// last is when something was tried, bout when the present run of tries
	// began, and inBout how many there were in it.
	last, bout int64
	inBout     int
}

const maxTries = 128

// scanGoesOn is how long after the last new thing a scan counts as going on, so
// that what belongs to it is no news.
const scanGoesOn = int64(60e9)

var scanKinds = [numProbes]*Kind{probeHost: KindScanHost, probePort: KindScanPort, probeUnit: KindScanUnit, probeFunction: KindScanFunction,
	probeAddress: KindScanRegister}

var scanWords = [numProbes]string{probeHost: "hosts", probePort: "ports", probeUnit: "units or DNP3 addresses", probeFunction: "functions",
	probeAddress: "address ranges"}

func (s *Site) scanLimit(k probeKind) int {
	return [numProbes]int{probeHost: s.settings.ScanHosts, probePort: s.settings.ScanPorts, probeUnit: s.settings.ScanUnits,
		probeFunction: s.settings.ScanFunctions, probeAddress: s.settings.ScanAddresses}[k]
}

func (s *Site) actor(ip netip.Addr, clock int64) *actor {
	if a := s.actors[ip]; a != nil {
		a.last = clock
		return a
	}
	if len(s.actors) >= s.settings.MaxActors {
		delete(s.actors, s.acting[0])
		s.acting = s.acting[1:]
		s.stats.ActorsEvicted++
	}
	a := &actor{tries: map[tryKey]*tries{}, last: clock}
	s.actors[ip] = a
	s.acting = append(s.acting, ip)
	return a
}

// probe counts one new thing that a client tried, and tells a scan.
func (s *Site) probe(client, server Party, p probe, why *Finding, clock int64) {
	if p.kind == probeNone {
		return
	}
	if a := s.prober(client, clock); a != nil {
		s.try(a, client, server, p, why, clock)
	}
}

// prober returns the host that tries something, nil if that is no use to know.
func (s *Site) prober(client Party, clock int64) *actor {
	if !client.Endpoint.IP.IsValid() || s.learnedMessages < enoughMessages {
		return nil
	}
	return s.actor(client.Endpoint.IP, clock)
}

func (s *Site) try(a *actor, client, server Party, p probe, why *Finding, clock int64) {
	key := tryKey{kind: p.kind, server: server.Endpoint.IP}
	if p.kind == probeHost {
		key.server = netip.Addr{}
	}
	t := a.tries[key]
	if t == nil {
		if len(a.tries) >= maxTries {
			return
		}
		t = &tries{}
		a.tries[key] = t
	}
	if clock-t.last > scanGoesOn {
		t.bout, t.inBout = clock, 0
	}
	t.last = clock
	if t.note(p.value, clock, clock-int64(s.settings.ScanMemory)) {
		// The same thing twice in a run is no walk.
		return
	}
	t.inBout++
	if len(t.values) < s.scanLimit(p.kind) {
		return
	}
	t.scanning = true
	if t.key == "" {
		t.key = addr(client.Endpoint.IP)
		if p.kind != probeHost {
			t.key += ">" + addr(server.Endpoint.IP)
		}
	}
	f := &s.ofScan
	s.scanFinding(f, p.kind, client, server, why)
	f.Key = t.key
	if s.manager.reads(f, clock) {
		tellScan(f, p.kind, client, server, t, why)
	}
	s.manager.take(f, clock)
}

// note takes a thing that was tried, and forgets those from before since. It tells
// whether the same was tried in this run of tries before.
func (t *tries) note(value uint64, clock, since int64) (again bool) {
	if i := slices.Index(t.values, value); i >= 0 {
		again = t.when[i] >= t.bout
		t.values, t.when = slices.Delete(t.values, i, i+1), slices.Delete(t.when, i, i+1)
	}
	old := 0
	for old < len(t.when) && t.when[old] < since {
		old++
	}
	if old > 0 {
		t.values, t.when = slices.Delete(t.values, 0, old), slices.Delete(t.when, 0, old)
	}
	if len(t.values) < maxTries {
		t.values, t.when = append(t.values, value), append(t.when, clock)
	}
	return again
}

// scanFinding makes f that of a scan, without its key, and without the words for
// it, which tellScan finds.
func (s *Site) scanFinding(f *Finding, kind probeKind, client, server Party, why *Finding) {
	k := scanKinds[kind]
	*f = Finding{Kind: k, Severity: k.Severity, Start: why.Start, Time: why.Time, FirstFrame: why.FirstFrame,
		LastFrame: why.LastFrame, Proto: why.Proto, Client: client, Server: server, Function: -1, Techniques: k.Techniques}
	if kind == probeHost {
		f.Server = Party{Unit: -1, Address: -1}
	}
	if kind == probeAddress {
		f.Points = why.Points
	}
	if changesWithScan(why) {
		if h := s.hosts.all[client.Endpoint.IP]; h == nil || h.effects&(1<<protocols.Write|1<<protocols.Control) == 0 {
			f.Severity = protocols.Critical
		}
		f.Techniques = scanAndChange[kind]
	}
}

// scanAndChange are the techniques of a scan that does more than look.
var scanAndChange = func() (all [numProbes][]string) {
	for kind, k := range scanKinds {
		if k != nil {
			all[kind] = addNames([]string{"T0806", "T0855"}, k.Techniques)
		}
	}
	return all
}()

// changesWithScan tells whether a scan does more than look.
func changesWithScan(why *Finding) bool { return changesPlant(why) && why.Severity >= protocols.Medium }

func tellScan(f *Finding, kind probeKind, client, server Party, t *tries, why *Finding) {
	began := t.when[0]
	if kind == probeHost {
		f.Title = fmt.Sprintf("%s tries one host after the other", addr(client.Endpoint.IP))
		f.Observed = fmt.Sprintf("%s made contact with %d hosts it never spoke with, within %s.", addr(client.Endpoint.IP), len(t.values), span(why.Time-began))
		f.Expected = "Its partners are learned; a handful of new ones in a week is the most that is taken for normal."
	} else {
		f.Title = fmt.Sprintf("%s tries one of the %s of %s after the other", addr(client.Endpoint.IP), scanWords[kind], addr(server.Endpoint.IP))
		f.Observed = fmt.Sprintf("%s tried %d %s of %s that it never used, within %s: %s.", addr(client.Endpoint.IP), len(t.values), scanWords[kind],
			addr(server.Endpoint.IP), span(why.Time-began), tryWords(kind, t.values))
		f.Expected = "What it uses is learned; a few new ones in a week are the most that is taken for normal."
	}
	if changesWithScan(why) {
		f.Expected += " It does not only look: it changes something."
	}
	explain(f)
}

func tryWords(kind probeKind, values []uint64) string {
	all := slices.Clone(values)
	slices.Sort(all)
	out := ""
	for i, v := range all {
		if i == 8 {
			return out + fmt.Sprintf(" and %d more", len(all)-8)
		}
		if i > 0 {
			out += ", "
		}
		switch kind {
		case probeAddress:
			out += pointWord(PointRef{Kind: protocols.PointKind(v >> 32), First: uint32(v), Last: uint32(v)})
		case probeFunction:
			out += fmt.Sprint(v >> 32)
		default:
			out += fmt.Sprint(v)
		}
	}
	return out
}

// scanned tells whether a finding about something new is part of a scan that was
// told, so that it needs no alert of its own. A command always does.
func (s *Site) scanned(f *Finding, clock int64) bool {
	if f.Severity >= protocols.Critical || f.Function >= 0 && effectOfKind[f.Kind] {
		return false
	}
	kinds := scannedAs[f.Kind]
	if kinds == nil {
		return false
	}
	a := s.actors[f.Client.Endpoint.IP]
	if a == nil {
		return false
	}
	for _, k := range kinds {
		key := tryKey{kind: k, server: f.Server.Endpoint.IP}
		if k == probeHost {
			key.server = netip.Addr{}
		}
		if t := a.tries[key]; t != nil && t.scanning && (f.Severity <= protocols.Low || t.inBout >= 3 && clock-t.last < scanGoesOn) {
			return true
		}
	}
	return false
}

// scannedAs are the scans that a finding of a kind may be part of.
var scannedAs = map[*Kind][]probeKind{KindConnectionNew: {probeHost, probePort}, KindLinkNew: {probeHost, probeUnit},
	KindAssetNew: {probeHost, probeUnit}, KindUnitNew: {probeUnit}, KindFunctionNew: {probeFunction}, KindAddressNew: {probeAddress}}

// effectOfKind are the kinds that a scan does not swallow.
var effectOfKind = map[*Kind]bool{KindCommandNew: true, KindConfigureNew: true, KindProgramAccess: true, KindRestartCommand: true,
	KindTimeSet: true, KindFileTransfer: true, KindBroadcast: true, KindRoleNew: true}

// probeRequest counts what a request on an unknown link tries.
func (s *Site) probeRequest(e *seen, f *Finding) {
	if e.role != protocols.RoleRequest && e.role != protocols.RoleLink {
		return
	}
	a := s.prober(f.Client, e.clock)
	if a == nil {
		return
	}
	s.try(a, f.Client, f.Server, probe{probeHost, hashIP(e.server().IP)}, f, e.clock)
	s.try(a, f.Client, f.Server, probe{probeUnit, uint64(e.key.unit)}, f, e.clock)
	s.try(a, f.Client, f.Server, probe{probeFunction, uint64(e.function)<<32 | uint64(uint32(e.sub))}, f, e.clock)
	if e.numRanges > 0 {
		s.try(a, f.Client, f.Server, probe{probeAddress, uint64(e.ranges[0].Kind)<<32 | uint64(e.ranges[0].First)}, f, e.clock)
	}
}

func hashIP(ip netip.Addr) uint64 {
	b := ip.As16()
	h := uint64(hashStart)
	for i := 0; i < 16; i += 8 {
		var v uint64
		for k := 0; k < 8; k++ {
			v = v<<8 | uint64(b[i+k])
		}
		h = hashStep(h, v)
	}
	return h
}
