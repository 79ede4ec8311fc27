package main

import (
	"slices"
	"strings"

	"github.com/weir-ics/weir/capture"
	"github.com/weir-ics/weir/detect"
)

type counter = detect.Counter

// tally adds up counters of the same name.
type tally struct {
	at   map[string]int
	all  []counter
	next int // where the next name is, if it follows the last as before
}

func (t *tally) add(name string, v uint64) {
	if t.next < len(t.all) && t.all[t.next].Name == name {
		t.all[t.next].Value += v
		t.next++
		return
	}
	if t.at == nil {
		t.at = map[string]int{}
	}
	i, ok := t.at[name]
	if !ok {
		i = len(t.all)
		t.at[name] = i
		t.all = append(t.all, counter{Name: name})
	}
	t.all[i].Value += v
	t.next = i + 1
}

// gather sums the counters of capture and of the workers' decoders, ordered by
// name.
func gather(engine *capture.Engine, workers []*worker) []counter {
	var t tally
	stats := engine.Stats()
	stats.Each(t.add)
	for _, w := range workers {
		w.router.Each(t.add)
	}
	return t.sorted()
}

func (t *tally) sorted() []counter {
	slices.SortFunc(t.all, func(a, b counter) int { return strings.Compare(a.Name, b.Name) })
	t.at = nil
	return t.all
}
