package main

import (
	"bytes"
	"compress/flate"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"runtime/metrics"
)

// garbage paces the garbage collector so that what is no longer used takes a
// bounded share of a small box's memory. By itself Go lets the heap grow to twice
// what is in use, which for a large site is the difference between 512 MiB and a
// gigabyte. Once a plant is known hardly anything is allocated, so collecting
// earlier costs next to nothing (docs/performance.md).
type garbage struct {
	percent int // 0: not yet set
	sample  [1]metrics.Sample
}

const (
	// spare is how much garbage there may be, in octets; leastSpare the part of
	// what is in use, in percent, that it may always be.
	spare      = 64 << 20
	leastSpare = 4
	// box is what a small box has for weir but for what is no heap: where what is in
	// use fits into it, garbage is to fit too.
	box = 456 << 20
	// loadSpare is that while a baseline is loaded, when a lot is made and little
	// of it is garbage: 4 would cost a second of CPU more for a million points.
	loadSpare = 30
)

// tighten lets little garbage wait while a baseline is loaded: the file and what
// is made of it are in memory side by side, and what was read is garbage soon.
func (g *garbage) tighten() {
	if os.Getenv("GOGC") == "" {
		g.percent = loadSpare
		debug.SetGCPercent(loadSpare)
	}
}

// pace looks how much is in use now. A change of the pace stops all goroutines
// for a moment, so small ones are left. Who sets GOGC is obeyed.
func (g *garbage) pace() {
	if os.Getenv("GOGC") != "" {
		return
	}
	g.sample[0].Name = "/gc/heap/live:bytes"
	metrics.Read(g.sample[:])
	if g.sample[0].Value.Kind() != metrics.KindUint64 {
		return
	}
	percent := garbagePercent(g.sample[0].Value.Uint64())
	if percent*5 < g.percent*4 || percent*4 > g.percent*5 {
		debug.SetGCPercent(percent)
		g.percent = percent
	}
}

// garbagePercent is how much garbage there may be where so much is in use, in
// percent of that.
func garbagePercent(used uint64) int {
	if used <= spare {
		return 100
	}
	most := uint64(spare)
	if used < box {
		most = min(most, box-used)
	}
	return max(leastSpare, int(100*most/used))
}

// held is a section of a baseline that nobody looks at until it is saved again:
// a fifth to a third of it, compressed.
type held struct {
	data   []byte
	length int
}

func hold(section json.RawMessage) (held, error) {
	var b bytes.Buffer
	w, err := flate.NewWriter(&b, flate.BestSpeed)
	if err == nil {
		_, err = w.Write(section)
		err = errors.Join(err, w.Close())
	}
	if err != nil {
		return held{}, fmt.Errorf("keep the baseline: %w", err)
	}
	return held{bytes.Clone(b.Bytes()), len(section)}, nil
}

func (h *held) section() (json.RawMessage, error) {
	out := make(json.RawMessage, h.length)
	if _, err := io.ReadFull(flate.NewReader(bytes.NewReader(h.data)), out); err != nil {
		return nil, fmt.Errorf("unpack the baseline: %w", err)
	}
	return out, nil
}
