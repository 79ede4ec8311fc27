package wire

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
)

// PcapWriter writes the classic pcap file format (draft-ietf-opsawg-pcap) with
// nanosecond times, link type Ethernet.
type PcapWriter struct {
	buffer *bufio.Writer
	record []byte
}

const (
	pcapNano = 0xa1b23c4d
	// snapLength is the longest frame that the file header allows, as tcpdump has it.
	snapLength = 262144
	ethernet   = 1
)

// NewPcapWriter writes the file header to w. Flush must be called at the end.
func NewPcapWriter(w io.Writer) (*PcapWriter, error) {
	p := &PcapWriter{buffer: bufio.NewWriterSize(w, 1<<18)}
	head := binary.LittleEndian.AppendUint32(nil, pcapNano)
	head = binary.LittleEndian.AppendUint16(head, 2) // version 2.4
	head = binary.LittleEndian.AppendUint16(head, 4)
	head = append(head, make([]byte, 8)...) // times are UTC, and as exact as they are
	head = binary.LittleEndian.AppendUint32(head, snapLength)
	head = binary.LittleEndian.AppendUint32(head, ethernet)
	if _, err := p.buffer.Write(head); err != nil {
		return nil, fmt.Errorf("write pcap header: %w", err)
	}
	return p, nil
}

// Write writes one frame captured at t, in nanoseconds since the Unix epoch, from
// 1970 to 2106.
func (p *PcapWriter) Write(t int64, frame []byte) error {
	p.record = binary.LittleEndian.AppendUint32(p.record[:0], uint32(t/1e9))
	p.record = binary.LittleEndian.AppendUint32(p.record, uint32(t%1e9))
	p.record = binary.LittleEndian.AppendUint32(p.record, uint32(len(frame)))
	p.record = binary.LittleEndian.AppendUint32(p.record, uint32(len(frame)))
	p.record = append(p.record, frame...)
	if _, err := p.buffer.Write(p.record); err != nil {
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
