package main

import (
	"compress/flate"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"runtime/debug"
	"runtime/metrics"
	"slices"
)

// garbage paces the garbage collector so that what is no longer used takes a
// bounded share of a small box's memory. By itself Go lets the heap grow to twice
// what is in use, which for a large site is the difference between 512 MiB and a
// gigabyte. Once a plant is known hardly anything is allocated, so collecting
// earlier costs next to nothing (docs/performance.md).
type garbage struct {
	live    bool // a live sensor's
	percent int  // 0: not yet set
	text    int  // of the last load
	sample  [1]metrics.Sample
	// cycles is how often was collected up to the packet time looked, often in how many
	// looks in sequence that was often.
	cycles uint64
	looked int64
	often  int
}

const (
	// spare is how much garbage there may be, in octets; leastSpare the part of
	// what is in use, in percent, that it may always be.
	spare      = 64 << 20
	leastSpare = 4
	// liveSpare is spare for a live sensor that has no more than smallHeap in use: it
	// allocates little, and must fit into a small box with a kernel's ring. Where more
	// is in use, or a lot allocated for a while, it would cost a third of the CPU.
	liveSpare, smallHeap = 8 << 20, 48 << 20
	// startSpare lets a heap grow to 12 MiB before anything is collected, in percent of
	// the 4 MiB at which Go does by itself; that costs a fifth of the CPU of a start.
	startSpare = 300
	// box is what a small box of 512 MiB has for the heap, when what is no heap, and what of
	// the heap's pages is neither used nor garbage, have had theirs: where what is in use
	// fits into it, garbage is to fit too.
	box = 440 << 20
	// loadSpare is that while a baseline is loaded, when a lot is made and little
	// of it is garbage: 4 would cost a second of CPU more for a million points.
	// leastLoadSpare is that where what is in use does not leave as much of the box.
	loadSpare      = 30
	leastLoadSpare = 15
)

// tighten lets little garbage wait while a baseline is loaded: the file and what
// is made of it are in memory side by side, and what was read is garbage soon.
func (g *garbage) tighten() {
	if os.Getenv("GOGC") == "" {
		g.percent = loadSpare
		debug.SetGCPercent(loadSpare)
	}
}

// load paces while a baseline is loaded, of which so many octets are beside the heap
// yet: no more is collected than what there is room for demands.
func (g *garbage) load(text int) {
	const step = 4 << 20
	if g.percent == 0 || text/step == g.text/step {
		return
	}
	g.text = text
	if used := g.used(); used > 0 {
		g.percent = loadPercent(used, uint64(text))
		debug.SetGCPercent(g.percent)
	}
}

// loadPercent is how much garbage there may be, in percent of what is in use.
func loadPercent(used, text uint64) int {
	if used+text >= box {
		return leastLoadSpare
	}
	return int(min(max(100*(box-used-text)/used, leastLoadSpare), 400))
}

// used is how much was in use when garbage was last collected, in octets; 0 is not
// known.
func (g *garbage) used() uint64 { return g.metric("/gc/heap/live:bytes") }

// metric is a number of the runtime, 0 if it has none of the name.
func (g *garbage) metric(name string) uint64 {
	g.sample[0].Name = name
	metrics.Read(g.sample[:])
	if g.sample[0].Value.Kind() != metrics.KindUint64 {
		return 0
	}
	return g.sample[0].Value.Uint64()
}

// pace looks how much is in use at a packet time, 0 before there is one. A change of the pace stops all goroutines
// for a moment, so small ones are left. Who sets GOGC is obeyed.
func (g *garbage) pace(clock int64) {
	if os.Getenv("GOGC") != "" {
		return
	}
	if g.live {
		g.look(clock, g.metric("/gc/cycles/total:gc-cycles"))
	}
	used := g.used()
	percent := garbagePercent(used, g.most(used))
	if percent*5 < g.percent*4 || percent*4 > g.percent*5 {
		debug.SetGCPercent(percent)
		g.percent = percent
	}
}

// giveBack returns to the kernel what the fitting of models needed and nothing else
// will. By itself Go does so in minutes, and not of all.
func (g *garbage) giveBack() {
	if os.Getenv("GOGC") == "" {
		debug.FreeOSMemory()
	}
}

const (
	// lookEvery is how often it is looked, in packet time, how often was collected: more
	// than oftenCycles times in each of oftenLooks looks is a lot for a while, and no
	// browser.
	lookEvery               = int64(2e9)
	oftenCycles, oftenLooks = 4, 3
)

// look takes in how often was collected up to a packet time.
func (g *garbage) look(clock int64, cycles uint64) {
	if clock-g.looked < lookEvery {
		return
	}
	if cycles-g.cycles > oftenCycles {
		g.often++
	} else {
		g.often = 0
	}
	g.looked, g.cycles = clock, cycles
}

// most is how much garbage there may be where so much is in use, in octets.
func (g *garbage) most(used uint64) uint64 {
	if g.live && used <= smallHeap && g.often < oftenLooks {
		return liveSpare
	}
	return spare
}

// garbagePercent is how much garbage there may be where so much is in use, in
// percent of that, and not more octets than most while what is in use leaves a part
// of the box; 0 is before anything was collected.
func garbagePercent(used, most uint64) int {
	if used == 0 {
		return startSpare
	}
	if used < box {
		most = min(most, box-used)
	}
	return int(min(max(leastSpare, 100*most/used), 100))
}

// held is a section of a baseline that nobody looks at until it is saved again:
// a fifth to a third of it, compressed, in pieces: none of it has to be in memory
// twice.
type held struct {
	pieces net.Buffers
	length int
}

const heldPiece = 256 << 10

// hold takes in a section; upTo is told how much of it has been.
func hold(section json.RawMessage, upTo func(octets int)) (*held, error) {
	h := &held{length: len(section)}
	w, err := flate.NewWriter(h, flate.BestSpeed)
	if err == nil {
		for from := 0; from < len(section) && err == nil; from += giveBackEvery {
			end := min(from+giveBackEvery, len(section))
			_, err = w.Write(section[from:end])
			upTo(end)
		}
		err = errors.Join(err, w.Close())
	}
	if err != nil {
		return nil, fmt.Errorf("keep the baseline: %w", err)
	}
	return h, nil
}

// Write implements io.Writer for what is compressed.
func (h *held) Write(data []byte) (int, error) {
	for rest := data; len(rest) > 0; {
		n := len(h.pieces)
		if n == 0 || len(h.pieces[n-1]) == cap(h.pieces[n-1]) {
			h.pieces = append(h.pieces, make([]byte, 0, heldPiece))
			n++
		}
		last := &h.pieces[n-1]
		room := min(cap(*last)-len(*last), len(rest))
		*last, rest = append(*last, rest[:room]...), rest[room:]
	}
	return len(data), nil
}

func (h *held) section() (json.RawMessage, error) {
	pieces := slices.Clone(h.pieces) // reading uses them up
	out := make(json.RawMessage, h.length)
	if _, err := io.ReadFull(flate.NewReader(&pieces), out); err != nil {
		return nil, fmt.Errorf("unpack the baseline: %w", err)
	}
	return out, nil
}
