package wire

import (
	"bufio"
	"encoding/binary"
	"io"
)

// LinkHeader is the header of a link-layer frame.
type LinkHeader struct {
	Control             uint8
	Destination, Source uint16
}

// maxReadFragment bounds what FragmentReader puts together.
const maxReadFragment = 1 << 16

// FragmentReader reads application fragments from a DNP3 stream, as the
// plant's own outstation and master do. Frames with a wrong check sequence are
// passed over.
type FragmentReader struct {
	r        *bufio.Reader
	fragment []byte
	open     bool
	next     uint8
}

// NewFragmentReader reads from r.
func NewFragmentReader(r io.Reader) *FragmentReader {
	return &FragmentReader{r: bufio.NewReader(r)}
}

// Next returns the next complete fragment and the header of the frame that
// completed it; the fragment is nil for a frame without user data, and valid up
// to the next call.
func (f *FragmentReader) Next() (LinkHeader, []byte, error) {
	for {
		h, data, err := f.frame()
		if err != nil || len(data) == 0 {
			return h, nil, err
		}
		t := data[0]
		switch {
		case t&0x40 != 0:
			f.fragment, f.open = f.fragment[:0], true
		case !f.open || t&0x3f != f.next || len(f.fragment) > maxReadFragment:
			f.open = false
			continue
		}
		f.next = (t + 1) & 0x3f
		f.fragment = append(f.fragment, data[1:]...)
		if t&0x80 != 0 {
			f.open = false
			return h, f.fragment, nil
		}
	}
}

// frame reads one good link-layer frame.
func (f *FragmentReader) frame() (LinkHeader, []byte, error) {
	var h LinkHeader
	for {
		head, err := f.r.Peek(10)
		if err != nil {
			return h, nil, err
		}
		if head[0] != 0x05 || head[1] != 0x64 || head[2] < 5 || CRC(head[:8]) != binary.LittleEndian.Uint16(head[8:]) {
			_, _ = f.r.Discard(1)
			continue
		}
		h = LinkHeader{head[3], binary.LittleEndian.Uint16(head[4:]), binary.LittleEndian.Uint16(head[6:])}
		left := int(head[2]) - 5
		_, _ = f.r.Discard(10)
		var data []byte
		good := true
		for left > 0 {
			n := min(16, left)
			block := make([]byte, n+2)
			if _, err := io.ReadFull(f.r, block); err != nil {
				return h, nil, err
			}
			good = good && CRC(block[:n]) == binary.LittleEndian.Uint16(block[n:])
			data = append(data, block[:n]...)
			left -= n
		}
		if good {
			return h, data, nil
		}
	}
}
