package wire

import (
	"bufio"
	"fmt"
	"io"
	"time"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
	"github.com/google/gopacket/pcapgo"
)

// PcapWriter writes the classic pcap file format with nanosecond times, link
// type Ethernet.
type PcapWriter struct {
	buffer *bufio.Writer
	file   *pcapgo.Writer
}

// snapLength is the longest frame that the file header allows, as tcpdump has it.
const snapLength = 262144

// NewPcapWriter writes the file header to w. Flush must be called at the end.
func NewPcapWriter(w io.Writer) (*PcapWriter, error) {
	p := &PcapWriter{buffer: bufio.NewWriterSize(w, 1<<18)}
	p.file = pcapgo.NewWriterNanos(p.buffer)
	if err := p.file.WriteFileHeader(snapLength, layers.LinkTypeEthernet); err != nil {
		return nil, fmt.Errorf("write pcap header: %w", err)
	}
	return p, nil
}

// Write writes one frame captured at t, in nanoseconds since the Unix epoch.
func (p *PcapWriter) Write(t int64, frame []byte) error {
	info := gopacket.CaptureInfo{Timestamp: time.Unix(0, t), CaptureLength: len(frame), Length: len(frame)}
	if err := p.file.WritePacket(info, frame); err != nil {
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
