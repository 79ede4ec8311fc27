package capture

import (
	"context"
	"errors"
	"io"
	"os"
	"sync"
	"sync/atomic"
)

// FileOptions are the options of [Open]. The zero value is ready to use.
type FileOptions struct {
	// Stdin is what "-" names, os.Stdin if nil.
	Stdin io.Reader
	// Report is given what is wrong with an input, once for each, from the
	// goroutine that reads, as soon as it is found. May be nil.
	Report func(*ReadError)
}

// Files is a [Source] of capture files, merged into one capture in time order.
// Packets of the same time keep the order of the files, and packets of one
// file keep theirs, so that the same files always give the same sequence.
//
// A file that cannot be read, or only in part, is reported and left; what was
// before the damage and all other files are read.
type Files struct {
	opts  FileOptions
	stdin pump
	pool  *blockPool
	order fileHeap
	ready bool
	frame uint64
	clock int64
	from  uint16 // interface of the last packet
	ahead readAhead
	jumps []ClockJump // since the last batch

	size, read atomic.Int64

	kernelDropped, interfaceDropped, jumped atomic.Uint64

	mu         sync.Mutex // guards what follows
	errs       []*ReadError
	interfaces []Interface
	known      map[Interface]uint16
}

// file is one of several.
type file struct {
	path   string
	place  int // on the command line
	in     *input
	format format

	head    Packet // the next packet
	waiting bool   // head is still to be given
	first   int64  // its time, while the file is closed again
}

// Open prepares to read capture files: pcap or pcapng, plain or packed with
// gzip or zstd, whatever their names; "-" is the standard input. It always
// succeeds; what is wrong with a file is found when it is read.
func Open(paths []string, opts FileOptions) *Files {
	s := &Files{opts: opts, pool: newBlockPool(), clock: noClock, known: map[Interface]uint16{}}
	s.stdin.from = opts.Stdin
	if s.stdin.from == nil {
		s.stdin.from = os.Stdin
	}
	for i, p := range paths {
		s.order = append(s.order, &file{path: p, place: i})
		if st, err := os.Stat(p); p != "-" && err == nil && st.Mode().IsRegular() {
			s.size.Add(st.Size())
		}
	}
	return s
}

// Progress returns how many bytes of how many were read, as they are on disk.
// total is 0 if it is not known (the standard input). Any goroutine may ask.
func (s *Files) Progress() (read, total int64) {
	return s.read.Load(), s.size.Load()
}

// Errors returns what was wrong with the inputs so far.
func (s *Files) Errors() []*ReadError {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]*ReadError(nil), s.errs...)
}

// Interfaces returns the interfaces that the files describe, so far.
func (s *Files) Interfaces() []Interface {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Interface(nil), s.interfaces...)
}

// Counters returns the drops that the files tell of.
func (s *Files) Counters() SourceCounters {
	return SourceCounters{KernelDropped: s.kernelDropped.Load(), InterfaceDropped: s.interfaceDropped.Load(), TimeJumped: s.jumped.Load()}
}

func (s *Files) addInterface(i Interface) uint16 {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n, ok := s.known[i]; ok {
		return n // a file that was looked at and opened again, or a new section
	}
	if len(s.interfaces) == 1<<16 {
		return 1<<16 - 1 // so many that the last stands for the rest
	}
	n := uint16(len(s.interfaces))
	s.interfaces = append(s.interfaces, i)
	s.known[i] = n
	return n
}

func (s *Files) report(e *ReadError) {
	if errors.Is(e, context.Canceled) {
		return // nothing is wrong with the input
	}
	s.mu.Lock()
	s.errs = append(s.errs, e)
	s.mu.Unlock()
	if s.opts.Report != nil {
		s.opts.Report(e)
	}
}

// Close closes the files.
func (s *Files) Close() {
	s.ahead.drop()
	for _, f := range s.order {
		f.close()
	}
	s.order = nil
}

func (f *file) close() {
	if f.in != nil {
		f.in.close()
		f.in, f.format = nil, nil
	}
}

// open opens the file and finds its first packet.
func (f *file) open(s *Files, peek bool) (bool, *ReadError) {
	read := &s.read
	if peek {
		read = new(atomic.Int64)
	}
	in, err := openInput(f.path, &s.stdin, s.pool, read)
	if err != nil {
		return false, err
	}
	f.in = in
	in.peeking = peek
	if f.format, err = openFormat(in, s); err != nil {
		return false, err
	}
	f.waiting, err = f.format.next(in, &f.head)
	return f.waiting, err
}

// prepare finds the first packet of every file. Files that can be opened again
// are closed until their turn comes, so that any number can be merged.
func (s *Files) prepare() {
	s.ready = true
	files := s.order
	s.order = nil
	for _, f := range files {
		ok, err := f.open(s, len(files) > 1 && f.path != "-" && isRegular(f.path))
		if err != nil {
			s.report(err)
		}
		if !ok {
			f.close()
			continue
		}
		f.first = f.head.Time
		if f.in.peeking {
			f.close()
		}
		s.order.push(f)
	}
}

func isRegular(path string) bool {
	st, err := os.Stat(path)
	return err == nil && st.Mode().IsRegular()
}

// Read gives the next packets.
func (s *Files) Read(ctx context.Context, b *Batch) error {
	b.reset()
	s.stdin.cancelled = ctx.Done()
	if !s.ready {
		s.prepare()
	}
	if ctx.Err() != nil {
		return io.EOF
	}
	for len(b.Packets) < BatchSize {
		if s.ahead.n > 0 {
			s.number(s.ahead.take(b))
			continue
		}
		if len(s.order) == 1 && s.order[0].in != nil && !s.order[0].waiting {
			s.readOn(b, s.order[0])
			continue
		}
		p := b.add()
		k := s.pull(p)
		if k == nil {
			b.Packets = b.Packets[:len(b.Packets)-1]
			break
		}
		b.hold(k)
		s.number(p)
	}
	if len(b.Packets) == 0 {
		return io.EOF
	}
	b.Clock = s.clock
	b.Jumps = append(b.Jumps, s.jumps...)
	s.jumps = s.jumps[:0]
	return nil
}

// pull gives the next packet of all files, and the block that it aliases; nil if there
// is none.
func (s *Files) pull(p *Packet) *block {
	for len(s.order) > 0 {
		f := s.order[0]
		if f.in == nil { // its turn has come
			if ok, err := f.open(s, false); !ok {
				if err == nil {
					err = &ReadError{Path: f.path, Problem: ReadFailed, Reason: "changed while it was read"}
				}
				s.drop(f, err)
				continue
			}
		}
		if f.waiting {
			f.waiting = false
			*p = f.head
			return f.in.blk
		}
		ok, err := f.format.next(f.in, &f.head)
		if !ok {
			s.drop(f, err)
			continue
		}
		f.waiting, f.first = true, f.head.Time
		s.order.down()
	}
	return nil
}

// readOn fills the batch in place from the only file that is left, until something was
// read ahead of it.
func (s *Files) readOn(b *Batch, f *file) {
	for len(b.Packets) < BatchSize {
		if b.passed && len(b.Packets)%group == 0 {
			b.claim()
		}
		p := b.add()
		ok, err := f.format.next(f.in, p)
		if !ok {
			b.Packets = b.Packets[:len(b.Packets)-1]
			s.drop(f, err)
			return
		}
		b.hold(f.in.blk)
		if s.number(p) {
			return
		}
	}
}

// number gives a packet its place in the input. It tells whether its time is so far
// ahead that packets after it were read.
func (s *Files) number(p *Packet) (jump bool) {
	s.frame++
	p.Frame = s.frame
	if p.Time > s.clock {
		if jump = p.Time-farAhead > s.clock; jump {
			s.jump(p)
		} else {
			s.clock = p.Time
		}
	}
	p.Clock = s.clock
	s.from = p.Interface
	return jump
}

// drop takes the file at the top out.
func (s *Files) drop(f *file, err *ReadError) {
	if err != nil {
		s.report(err)
	}
	f.close()
	s.order.pop()
}

// fileHeap is the files by the time of their next packet, the first on top.
type fileHeap []*file

func (h fileHeap) before(i, j int) bool {
	if h[i].first != h[j].first {
		return h[i].first < h[j].first
	}
	return h[i].place < h[j].place
}

func (h *fileHeap) push(f *file) {
	*h = append(*h, f)
	for i := len(*h) - 1; i > 0 && h.before(i, (i-1)/2); i = (i - 1) / 2 {
		(*h)[i], (*h)[(i-1)/2] = (*h)[(i-1)/2], (*h)[i]
	}
}

// down puts the top where it belongs.
func (h fileHeap) down() {
	i := 0
	for {
		least := i
		for c := 2*i + 1; c <= 2*i+2 && c < len(h); c++ {
			if h.before(c, least) {
				least = c
			}
		}
		if least == i {
			return
		}
		h[i], h[least] = h[least], h[i]
		i = least
	}
}

func (h *fileHeap) pop() {
	n := len(*h) - 1
	(*h)[0], (*h)[n] = (*h)[n], nil
	*h = (*h)[:n]
	if n > 0 {
		h.down()
	}
}
