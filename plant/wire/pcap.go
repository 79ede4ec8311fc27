package wire

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"math"
)

// PcapWriter writes the classic pcap file format with nanosecond times, link
// type Ethernet.
type PcapWriter struct {
	buffer *bufio.Writer
	record [recordHeader]byte
}

const (
	// pcapNanos is the first word of a file whose times are in nanoseconds, in the
	// order of octets of all its numbers.
	pcapNanos = 0xa1b23c4d
	// snapLength is the longest frame that the file header allows, as tcpdump has it.
	snapLength   = 262144
	linkEthernet = 1
	recordHeader = 16
)

// NewPcapWriter writes the file header to w. Flush must be called at the end.
func NewPcapWriter(w io.Writer) (*PcapWriter, error) {
	p := &PcapWriter{buffer: bufio.NewWriterSize(w, 1<<18)}
	head := binary.LittleEndian.AppendUint32(nil, pcapNanos)
	head = binary.LittleEndian.AppendUint16(head, 2) // version 2.4
	head = binary.LittleEndian.AppendUint16(head, 4)
	head = binary.LittleEndian.AppendUint64(head, 0) // UTC, times of unknown accuracy
	head = binary.LittleEndian.AppendUint32(head, snapLength)
	head = binary.LittleEndian.AppendUint32(head, linkEthernet)
	if _, err := p.buffer.Write(head); err != nil {
		return nil, fmt.Errorf("write pcap header: %w", err)
	}
	return p, nil
}

// Write writes one frame captured at t, in nanoseconds since the Unix epoch, which
// the format knows until 2106. A frame has 262,144 octets at most.
func (p *PcapWriter) Write(t int64, frame []byte) error {
	if len(frame) > snapLength || t < 0 || t/1e9 > math.MaxUint32 {
		return fmt.Errorf("write pcap record: a frame of %d octets at %d ns has no place in the format", len(frame), t)
	}
	binary.LittleEndian.PutUint32(p.record[0:], uint32(t/1e9))
	binary.LittleEndian.PutUint32(p.record[4:], uint32(t%1e9))
	binary.LittleEndian.PutUint32(p.record[8:], uint32(len(frame)))  // as it is here
	binary.LittleEndian.PutUint32(p.record[12:], uint32(len(frame))) // as it was on the wire
	if _, err := p.buffer.Write(p.record[:]); err != nil {
		return fmt.Errorf("write pcap record: %w", err)
	}
	if _, err := p.buffer.Write(frame); err != nil {
		return fmt.Errorf("write pcap record: %w", err)
	}
	return nil
}

// Flush writes what is still buffered.
func (p *PcapWriter) Flush() error {
	if err := p.buffer.Flush(); err != nil {
		return fmt.Errorf("write pcap: %w", err)
	}
	return nil
}
