package wire

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
)

// PcapWriter writes the classic pcap file format with nanosecond times, link
// type Ethernet.
type PcapWriter struct {
	w      *bufio.Writer
	header [16]byte
}

// NewPcapWriter writes the file header to w. Flush must be called at the end.
func NewPcapWriter(w io.Writer) (*PcapWriter, error) {
	p := &PcapWriter{w: bufio.NewWriterSize(w, 1<<18)}
	h := make([]byte, 0, 24)
	h = binary.LittleEndian.AppendUint32(h, 0xa1b23c4d) // nanosecond magic
	h = binary.LittleEndian.AppendUint16(h, 2)
	h = binary.LittleEndian.AppendUint16(h, 4)
	h = append(h, 0, 0, 0, 0, 0, 0, 0, 0)
	h = binary.LittleEndian.AppendUint32(h, 262144)
	h = binary.LittleEndian.AppendUint32(h, 1)
	if _, err := p.w.Write(h); err != nil {
		return nil, fmt.Errorf("write pcap header: %w", err)
	}
	return p, nil
}

// Write writes one frame captured at t, in nanoseconds since the Unix epoch.
func (p *PcapWriter) Write(t int64, frame []byte) error {
	h := p.header[:]
	binary.LittleEndian.PutUint32(h, uint32(t/1e9))
	binary.LittleEndian.PutUint32(h[4:], uint32(t%1e9))
	binary.LittleEndian.PutUint32(h[8:], uint32(len(frame)))
	binary.LittleEndian.PutUint32(h[12:], uint32(len(frame)))
	if _, err := p.w.Write(h); err != nil {
		return fmt.Errorf("write pcap record: %w", err)
	}
	if _, err := p.w.Write(frame); err != nil {
		return fmt.Errorf("write pcap record: %w", err)
	}
	return nil
}

// Flush writes what is still buffered.
func (p *PcapWriter) Flush() error {
	if err := p.w.Flush(); err != nil {
		return fmt.Errorf("write pcap: %w", err)
	}
	return nil
}
