package detect

import (
	"fmt"
	"time"
)

// Settings are all thresholds and caps of the detectors. Times are packet time.
type Settings struct {
	// AlarmsPerDay is the false-alarm budget: how many alerts a day the whole
	// site may raise by chance. Thresholds of everything statistical follow
	// from it, shared out over what is watched. Range 0.001 to 1000.
	AlarmsPerDay float64
	// LearnTarget is the Good-Turing probability of something unseen at which a
	// link counts as learned; a link that has not reached it when watching
	// begins is judged more mildly. Range 0 to 1.
	LearnTarget float64
	// LearnAuto lets each link be watched as soon as it is learned (LearnTarget
	// is reached, over at least LearnMin and 200 requests), without waiting for
	// the end of the learning. LearnMin also holds for links that a person
	// approved.
	LearnAuto bool
	LearnMin  time.Duration
	// Hold is how long a suspicious request waits for its answer, so that the
	// alert can say what the device did with it. Range 0 to 1 minute.
	Hold time.Duration
	// FoldConnection is how long a new connection waits for a first message,
	// so that both are one alert. Range 0 to 1 minute.
	FoldConnection time.Duration
	// ClearAfter is how long an alert about an occurrence (not a condition)
	// stays open after it was last seen.
	ClearAfter time.Duration
	// ClearHold is how long a condition that ended must stay away before its
	// alert is cleared, so that what comes and goes is one alert.
	ClearHold time.Duration
	// IncidentGap is how long an actor may stay quiet within one incident.
	IncidentGap time.Duration
	// StormWindow and StormCeiling bound how many alerts are raised in a
	// window; what is beyond is folded into one alert that says what it folded.
	StormWindow  time.Duration
	StormCeiling int
	// BurstWindow is the window in which exceptions, malformed messages and
	// floods are counted.
	BurstWindow time.Duration
	// ScanMemory is how long what a scanning host touched is remembered, so that
	// slow scans add up.
	ScanMemory time.Duration
	// ScanHosts, ScanPorts, ScanUnits, ScanFunctions and ScanAddresses are how
	// many new ones by the same host make a scan.
	ScanHosts, ScanPorts, ScanUnits, ScanFunctions, ScanAddresses int
	// FloodHosts is how many unknown hosts within BurstWindow make a flood.
	FloodHosts int
	// ArmAtStart makes polls that the baseline knows count as overdue even if
	// they were never seen since the start: right for a sensor, wrong for a
	// capture of a part of the network.
	ArmAtStart bool

	// MaxLinks caps the learned links of the site, MaxConnections the learned
	// pairs of hosts and service port (see Bound), MaxPatterns the distinct requests kept a
	// link, MaxRuns the runs of addresses kept a link, table and access.
	MaxLinks, MaxConnections, MaxPatterns, MaxRuns int
	// MaxStrangers caps the links watched that were not learned, MaxHosts the
	// hosts known, MaxActors the hosts followed for scans, MaxAlerts the alerts
	// that are open, MaxHeld the findings that wait for an answer.
	MaxStrangers, MaxHosts, MaxActors, MaxAlerts, MaxHeld int
}

// Defaults returns the settings weir starts from.
func Defaults() Settings {
	return Settings{
		AlarmsPerDay:   1,
		LearnTarget:    0.02,
		LearnMin:       time.Hour,
		Hold:           2 * time.Second,
		FoldConnection: 3 * time.Second,
		ClearAfter:     7 * 24 * time.Hour,
		ClearHold:      5 * time.Minute,
		IncidentGap:    time.Hour,
		StormWindow:    10 * time.Minute,
		StormCeiling:   100,
		BurstWindow:    10 * time.Second,
		ScanMemory:     7 * 24 * time.Hour,
		ScanHosts:      5,
		ScanPorts:      8,
		ScanUnits:      5,
		ScanFunctions:  5,
		ScanAddresses:  8,
		FloodHosts:     32,
		MaxLinks:       50_000,
		MaxConnections: 100_000,
		MaxPatterns:    1024,
		MaxRuns:        4096,
		MaxStrangers:   4096,
		MaxHosts:       65_536,
		MaxActors:      1024,
		MaxAlerts:      10_000,
		MaxHeld:        4096,
	}
}

// Check tells what is out of range, nil if nothing is.
func (s Settings) Check() error {
	if s.AlarmsPerDay < 0.001 || s.AlarmsPerDay > 1000 || s.AlarmsPerDay != s.AlarmsPerDay {
		return fmt.Errorf("alarms a day: %g is not between 0.001 and 1000", s.AlarmsPerDay)
	}
	if s.LearnTarget < 0 || s.LearnTarget > 1 || s.LearnTarget != s.LearnTarget {
		return fmt.Errorf("learn target: %g is not between 0 and 1", s.LearnTarget)
	}
	for _, d := range s.durations() {
		if *d.value < d.least {
			return fmt.Errorf("%s: %s is less than %s", d.name, *d.value, d.least)
		}
	}
	for _, n := range s.counts() {
		if *n.value < 1 {
			return fmt.Errorf("%s: %d is less than 1", n.name, *n.value)
		}
	}
	return nil
}

type namedDuration struct {
	name  string
	value *time.Duration
	least time.Duration
}

func (s *Settings) durations() []namedDuration {
	return []namedDuration{
		{"learn min", &s.LearnMin, 0}, {"hold", &s.Hold, 0}, {"fold connection", &s.FoldConnection, 0}, {"clear after", &s.ClearAfter, time.Minute},
		{"clear hold", &s.ClearHold, 0}, {"incident gap", &s.IncidentGap, time.Minute}, {"storm window", &s.StormWindow, time.Second},
		{"burst window", &s.BurstWindow, time.Second}, {"scan memory", &s.ScanMemory, time.Minute},
	}
}

type namedCount struct {
	name  string
	value *int
}

func (s *Settings) counts() []namedCount {
	return []namedCount{
		{"storm ceiling", &s.StormCeiling}, {"scan hosts", &s.ScanHosts}, {"scan ports", &s.ScanPorts}, {"scan units", &s.ScanUnits},
		{"scan functions", &s.ScanFunctions}, {"scan addresses", &s.ScanAddresses}, {"flood hosts", &s.FloodHosts}, {"max links", &s.MaxLinks},
		{"max connections", &s.MaxConnections}, {"max patterns", &s.MaxPatterns}, {"max runs", &s.MaxRuns}, {"max strangers", &s.MaxStrangers},
		{"max hosts", &s.MaxHosts}, {"max actors", &s.MaxActors}, {"max alerts", &s.MaxAlerts}, {"max held", &s.MaxHeld},
	}
}

// withDefaults fills in what is zero and must not be.
func (s Settings) withDefaults() Settings {
	d := Defaults()
	if s.AlarmsPerDay <= 0 || s.AlarmsPerDay != s.AlarmsPerDay {
		s.AlarmsPerDay = d.AlarmsPerDay
	}
	defaults := d.durations()
	for i, x := range s.durations() {
		if x.least > 0 && *x.value < x.least {
			*x.value = *defaults[i].value
		}
	}
	counts := d.counts()
	for i, x := range s.counts() {
		if *x.value < 1 {
			*x.value = *counts[i].value
		}
	}
	return s
}
