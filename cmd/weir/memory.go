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
}

const (
	// spare is how much garbage there may be, in octets; leastSpare the part of
	// what is in use, in percent, that it may always be.
	spare      = 64 << 20
	leastSpare = 4
	// liveSpare is spare for a live sensor, which allocates little and must fit into
	// a small box with a kernel's ring.
	liveSpare = 8 << 20
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
func (g *garbage) used() uint64 {
	g.sample[0].Name = "/gc/heap/live:bytes"
	metrics.Read(g.sample[:])
	if g.sample[0].Value.Kind() != metrics.KindUint64 {
		return 0
	}
	return g.sample[0].Value.Uint64()
}

// pace looks how much is in use now. A change of the pace stops all goroutines
// for a moment, so small ones are left. Who sets GOGC is obeyed.
func (g *garbage) pace() {
	if os.Getenv("GOGC") != "" {
		return
	}
	most := uint64(spare)
	if g.live {
		most = liveSpare
	}
	percent := garbagePercent(g.used(), most)
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
