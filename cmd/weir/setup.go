package main

import (
	"errors"
	"fmt"
	"math"
	"net/netip"
	"os"
	"slices"
	"sync"

	"github.com/weir-ics/weir/detect"
	"github.com/weir-ics/weir/detect/process"
	"github.com/weir-ics/weir/detect/tags"
	"github.com/weir-ics/weir/protocols"
	"github.com/weir-ics/weir/protocols/dnp3"
	"github.com/weir-ics/weir/protocols/modbus"
	"github.com/weir-ics/weir/rules"
)

// pipeline gives what a pipeline is built from as the configuration says, but
// for the schedule, the baseline and the outlets.
func (c *config) pipeline() (pipelineOptions, error) {
	new(garbage).pace(0) // before the rules are read, which makes most of what a start does
	o := pipelineOptions{settings: detect.Defaults(), workers: c.Workers, least: protocols.Severity(c.Detect.MinSeverity), maxPoints: c.Detect.MaxPoints}
	o.settings.AlarmsPerDay = c.Detect.AlarmsPerDay
	o.settings.MaxLinks = c.Detect.MaxLinks
	o.settings.LearnAuto = c.Learn.Auto
	if err := o.settings.Check(); err != nil {
		return o, usage(err)
	}
	o.hosts = map[netip.Addr]string{}
	for text, name := range c.Hosts {
		ip, err := netip.ParseAddr(text)
		if err != nil {
			return o, usage(c.places.wrong("hosts."+text, fmt.Errorf("%q is not an address", text)))
		}
		o.hosts[ip.Unmap()] = name
	}
	for i, path := range c.Rules.Paths {
		if err := c.places.there(fmt.Sprint("rules.paths.", i), path); err != nil {
			return o, err
		}
	}
	var err error
	if o.rules, err = rules.Load(c.Rules.Paths...); err != nil {
		return o, usage(err)
	}
	for i, id := range c.Rules.Disable {
		if !slices.ContainsFunc(o.rules.Rules(), func(r *rules.Rule) bool { return r.ID == id }) {
			return o, usage(c.places.wrong(fmt.Sprint("rules.disable.", i), fmt.Errorf("there is no rule %q; see 'weir rules list'", id)))
		}
	}
	o.rules = o.rules.Without(c.Rules.Disable...)
	if err := c.places.there("tags", c.Tags); err != nil {
		return o, err
	}
	if c.Tags != "" {
		if o.tags, err = readTags(c.Tags); err != nil {
			return o, err
		}
	}
	if c.Detect.Process {
		o.process = &process.Settings{AlarmsPerDay: c.Detect.AlarmsPerDay / 2, MaxPoints: c.Detect.MaxPoints, Memory: int(c.Detect.Memory), Workers: c.Workers, Limits: limits(o.tags)}
		o.settings.AlarmsPerDay = c.Detect.AlarmsPerDay / 2
	}
	return o, nil
}

// limits gives the engineering limits of the tag list to the process model.
func limits(list *tags.List) func(*detect.Series) (low, high float64) {
	if list == nil {
		return nil
	}
	limit := func(v, none float64) float64 {
		if math.IsNaN(v) {
			return none
		}
		return v
	}
	return func(s *detect.Series) (float64, float64) {
		t := list.Lookup(tags.Place{Device: s.Device, Unit: s.Unit, Kind: s.Kind, Address: s.Index})
		if t == nil {
			return math.Inf(-1), math.Inf(1)
		}
		return limit(t.Low, math.Inf(-1)), limit(t.High, math.Inf(1))
	}
}

func readTags(path string) (*tags.List, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, usage(fmt.Errorf("read the tag list: %w", err))
	}
	defer f.Close()
	list, err := tags.Load(f, path)
	if err != nil {
		return nil, usage(err)
	}
	return list, nil
}

// catalogue is every kind of alert by name: the detectors', one for each
// violation of a standard, and one for each shipped rule.
var catalogue = sync.OnceValue(func() map[string]*detect.Kind {
	all := map[string]*detect.Kind{}
	for _, k := range detect.Kinds() {
		all[k.Name] = k
	}
	for _, k := range process.Kinds() {
		all[k.Name] = k
	}
	for _, v := range slices.Concat(modbus.Violations(), dnp3.Violations()) {
		k := detect.ConformanceKind(v)
		all[k.Name] = k
	}
	set, err := rules.Load()
	if err != nil {
		panic(errors.Join(errors.New("the shipped rules"), err)) // a test reads them too
	}
	for _, r := range set.Rules() {
		all[r.Kind().Name] = r.Kind()
	}
	return all
})
