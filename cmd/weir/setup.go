package main

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"

	"github.com/weir-ics/weir/detect"
	"github.com/weir-ics/weir/detect/tags"
	"github.com/weir-ics/weir/protocols/dnp3"
	"github.com/weir-ics/weir/protocols/modbus"
	"github.com/weir-ics/weir/rules"
)

// pipeline gives what a pipeline is built from as the configuration says, but
// for the schedule, the baseline and the outlets.
func (c *config) pipeline() (pipelineOptions, error) {
	o := pipelineOptions{settings: detect.Defaults(), workers: c.Workers, values: true}
	o.settings.AlarmsPerDay = c.Detect.AlarmsPerDay
	o.settings.MaxLinks = c.Detect.MaxLinks
	var err error
	if o.rules, err = rules.Load(c.Rules.Paths...); err != nil {
		return o, usage(err)
	}
	for _, id := range c.Rules.Disable {
		if !slices.ContainsFunc(o.rules.Rules(), func(r *rules.Rule) bool { return r.ID == id }) {
			return o, usage(fmt.Errorf("rules.disable: there is no rule %q; see 'weir rules list'", id))
		}
	}
	o.rules = o.rules.Without(c.Rules.Disable...)
	if c.Tags != "" {
		if o.tags, err = readTags(c.Tags); err != nil {
			return o, err
		}
	}
	return o, nil
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
