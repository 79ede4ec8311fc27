package capture

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"sync/atomic"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// input is the uncompressed bytes of one file, in blocks.
type input struct {
	path   string
	closer []func()
	r      io.Reader
	packed bool

	pool       *blockPool
	blk        *block
	start, end int   // what of blk is not consumed yet
	offset     int64 // of start in the uncompressed bytes
	err        error // why no more can be read; io.EOF at the end
	peeking    bool  // read no more at a time than a first packet needs
}

// counted adds up the bytes that are read, for a progress bar.
type counted struct {
	r io.Reader
	n *atomic.Int64
}

func (c counted) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n.Add(int64(n))
	return n, err
}

var (
	gzipMagic = []byte{0x1f, 0x8b}
	zstdMagic = []byte{0x28, 0xb5, 0x2f, 0xfd}
)

// openInput opens a path, "-" for the standard input, and looks through gzip
// and zstd, known by their first bytes. read is given what is read.
func openInput(path string, stdin io.Reader, pool *blockPool, read *atomic.Int64) (*input, *ReadError) {
	in := &input{path: path, pool: pool}
	var raw io.Reader
	if path == "-" {
		raw = stdin
	} else {
		f, err := os.Open(path)
		if err != nil {
			return nil, cannotOpen(path, err)
		}
		in.closer = append(in.closer, func() { _ = f.Close() })
		if st, err := f.Stat(); err == nil && st.IsDir() {
			in.close()
			return nil, &ReadError{Path: path, Problem: CannotOpen, Reason: "is a directory; name the capture files in it"}
		}
		raw = f
	}
	in.r = counted{raw, read}
	if err := in.unpack(); err != nil {
		in.close()
		return nil, err
	}
	return in, nil
}

func cannotOpen(path string, err error) *ReadError {
	reason := err.Error()
	switch {
	case errors.Is(err, fs.ErrNotExist):
		reason = "no such file"
	case errors.Is(err, fs.ErrPermission):
		reason = "no permission to read it"
	default:
		var pe *fs.PathError
		if errors.As(err, &pe) {
			reason = pe.Err.Error()
		}
	}
	return &ReadError{Path: path, Problem: CannotOpen, Reason: reason, Err: err}
}

// unpack puts a decompressor in the way if the first bytes ask for one.
func (in *input) unpack() *ReadError {
	var first [4]byte
	n, err := io.ReadFull(in.r, first[:])
	if n == 0 {
		if err == io.EOF {
			return &ReadError{Path: in.path, Problem: Empty, Reason: "is empty"}
		}
		return &ReadError{Path: in.path, Problem: ReadFailed, Reason: err.Error(), Err: err}
	}
	whole := io.MultiReader(bytes.NewReader(first[:n]), in.r)
	switch {
	case bytes.HasPrefix(first[:n], gzipMagic):
		z, err := gzip.NewReader(bufio.NewReaderSize(whole, 64<<10))
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return &ReadError{Path: in.path, Problem: CutShort, Reason: "cut short in the header of gzip", Err: err}
		}
		if err != nil {
			return &ReadError{Path: in.path, Problem: BadCompression, Reason: "gzip: " + err.Error(), Err: err}
		}
		in.r, in.packed = z, true
		in.closer = append(in.closer, func() { _ = z.Close() })
	case bytes.HasPrefix(first[:n], zstdMagic):
		// One goroutine and a bounded window: a file cannot ask for more
		// memory than 128 MiB.
		z, err := zstd.NewReader(whole, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(128<<20))
		if err != nil {
			return &ReadError{Path: in.path, Problem: BadCompression, Reason: "zstd: " + err.Error(), Err: err}
		}
		in.r, in.packed = z, true
		in.closer = append(in.closer, z.Close)
	default:
		in.blk = in.pool.get()
		in.end = copy(in.blk.buf, first[:n])
	}
	return nil
}

func (in *input) close() {
	for i := len(in.closer) - 1; i >= 0; i-- {
		in.closer[i]()
	}
	in.closer = nil
	if in.blk != nil {
		in.blk.release()
		in.blk = nil
	}
	in.start, in.end = 0, 0
	in.err = io.EOF
}

// need returns the next n bytes without consuming them. With fewer left it
// returns those and false. n must not exceed blockSize.
func (in *input) need(n int) ([]byte, bool) {
	if in.end-in.start >= n {
		return in.blk.buf[in.start : in.start+n], true
	}
	return in.fill(n)
}

// readSize is how much is read at a time.
const readSize = 128 << 10

func (in *input) fill(n int) ([]byte, bool) {
	if in.blk == nil {
		if in.err != nil {
			return nil, false
		}
		in.blk = in.pool.get()
	}
	if in.start+n > len(in.blk.buf) {
		next := in.pool.get()
		in.end = copy(next.buf, in.blk.buf[in.start:in.end])
		in.start = 0
		in.blk.release()
		in.blk = next
	}
	for in.end-in.start < n && in.err == nil {
		to := min(len(in.blk.buf), in.end+readSize)
		if in.peeking {
			to = min(to, in.start+max(n, 4096))
		}
		got, err := in.r.Read(in.blk.buf[in.end:to])
		in.end += got
		in.err = err
	}
	if have := in.end - in.start; have < n {
		return in.blk.buf[in.start:in.end], false
	}
	return in.blk.buf[in.start : in.start+n], true
}

// skip consumes n bytes, of any number; it reports whether they were there.
func (in *input) skip(n int64) bool {
	for n > 0 {
		if in.start == in.end {
			if _, ok := in.fill(1); !ok {
				return false
			}
		}
		k := min(int64(in.end-in.start), n)
		in.start += int(k)
		in.offset += k
		n -= k
	}
	return true
}

// left is how many bytes are at hand.
func (in *input) left() int { return in.end - in.start }

// failure turns the end of the bytes within a record into its error.
func (in *input) failure(packet uint64) *ReadError {
	e := &ReadError{Path: in.path, Packet: packet, Offset: in.offset + int64(in.left())}
	switch {
	case errors.Is(in.err, io.EOF) || (errors.Is(in.err, io.ErrUnexpectedEOF) && in.packed):
		e.Problem, e.Reason = CutShort, "cut short"
		if packet == 0 {
			e.Reason = "cut short in the file header"
		}
	case in.packed:
		e.Problem, e.Reason, e.Err = BadCompression, "unpacking: "+in.err.Error(), in.err
	default:
		e.Problem, e.Err = ReadFailed, in.err
		e.Reason = in.err.Error()
		var pe *fs.PathError
		if errors.As(in.err, &pe) {
			e.Reason = pe.Err.Error()
		}
	}
	return e
}

// ended tells that nothing is left, and that nothing is wrong with that.
func (in *input) ended() bool { return in.left() == 0 && errors.Is(in.err, io.EOF) }
