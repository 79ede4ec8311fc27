package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"sync"
	"unsafe"
)

// document is a large file in memory of which nothing is kept: only what is made of it.
// Its memory is none of the garbage collector's, and each part is given back to the
// kernel once it has been read for good, so that the file and what is made of it are
// never there side by side. It is no mapping of the file: whoever cuts that off while
// it is read would kill the sensor. nil is a document of which nothing can be given back.
type document struct {
	data []byte
	mu   sync.Mutex
	// gone is how many octets were given back.
	gone int
}

// A file of so many octets is worth one.
const (
	smallDocument   = 64 << 10
	largestDocument = 1 << 30
)

// readDocument reads a regular file of some size; nil for any other, of which nothing
// is read then.
func readDocument(f *os.File) (*document, error) {
	size := sizeOf(f)
	if size < smallDocument || size > largestDocument {
		return nil, nil
	}
	data := outside(int(size))
	if data == nil {
		return nil, nil // there is the heap
	}
	if _, err := io.ReadFull(f, data); err != nil {
		release(data)
		return nil, fmt.Errorf("it was cut off while it was read: %w", err)
	}
	return &document{data: data}, nil
}

// sizeOf is the size of a regular file, -1 for any other.
func sizeOf(f *os.File) int64 {
	if info, err := f.Stat(); err == nil && info.Mode().IsRegular() {
		return info.Size()
	}
	return -1
}

// only gives back all but some parts.
func (t *document) only(parts ...json.RawMessage) {
	if t == nil {
		return
	}
	slices.SortFunc(parts, func(a, b json.RawMessage) int { return cmp.Compare(t.place(a), t.place(b)) })
	from := 0
	for _, p := range parts {
		if at := t.place(p); at >= 0 {
			t.back(from, at)
			from = at + len(p)
		}
	}
	t.back(from, len(t.data))
}

// place is where a part begins, -1 if it is none.
func (t *document) place(part []byte) int {
	if len(part) == 0 {
		return -1
	}
	at := uintptr(unsafe.Pointer(&part[0])) - uintptr(unsafe.Pointer(&t.data[0]))
	if at >= uintptr(len(t.data)) {
		return -1
	}
	return int(at)
}

func (t *document) back(from, to int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.gone += giveBack(t.data[from:to])
}

// left is how many octets of t are in memory.
func (t *document) left() int {
	if t == nil {
		return 0
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.data) - t.gone
}

// close gives all back. Nobody may have anything of it any more.
func (t *document) close() {
	if t != nil {
		release(t.data)
		t.data = nil
	}
}

// trail gives back what several readers of a part have all read.
type trail struct {
	doc *document
	mu  sync.Mutex
	// start is where the part begins, reached how far each reader is in it, gone what
	// of it was given back.
	start, gone int
	reached     []int
}

// giveBackEvery is how much is given back at a time: each is a call of the kernel.
const giveBackEvery = 1 << 20

// behind begins a trail of so many readers of a part.
func (t *document) behind(part []byte, readers int) *trail {
	r := &trail{reached: make([]int, readers)}
	if t != nil && t.place(part) >= 0 {
		r.doc, r.start = t, t.place(part)
	}
	return r
}

// upTo says that a reader has read so many octets for good.
func (r *trail) upTo(reader, octets int) {
	if r.doc == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.reached[reader] = octets
	if all := slices.Min(r.reached); all-r.gone >= giveBackEvery {
		r.doc.back(r.start+r.gone, r.start+all)
		r.gone = all
	}
}
