// Package tagstest gives tests the Events of a capture.
package tagstest

import (
	"context"
	"fmt"

	"github.com/weir-ics/weir/capture"
	"github.com/weir-ics/weir/protocols"
	"github.com/weir-ics/weir/protocols/dnp3"
	"github.com/weir-ics/weir/protocols/modbus"
)

// Events hands every Modbus and DNP3 event of the capture files to observe, in
// packet order.
func Events(paths []string, observe func(*protocols.Event)) error {
	src := capture.Open(paths, capture.FileOptions{})
	defer src.Close()
	engine := capture.New(capture.Settings{}, []capture.Handler{&handler{observe: observe}})
	if err := engine.Run(context.Background(), src, nil); err != nil {
		return fmt.Errorf("read %v: %w", paths, err)
	}
	for _, e := range src.Errors() {
		return e
	}
	return nil
}

type handler struct{ observe func(*protocols.Event) }

type flow struct {
	conv    protocols.Conversation
	decoder protocols.Decoder
	first   [2][]byte
}

// Open implements capture.Handler.
func (h *handler) Open(c *capture.Conn, _ capture.Stamp) {
	f := &flow{conv: protocols.Conversation{Transport: protocols.TCP,
		Ends: [2]protocols.Endpoint{protocols.Endpoint(c.Ends[0]), protocols.Endpoint(c.Ends[1])}, OpeningSeen: c.OpeningSeen}}
	if c.UDP {
		f.conv.Transport = protocols.UDP
	}
	c.User = f
}

func (h *handler) decoder(c *capture.Conn, d uint8, data []byte) protocols.Decoder {
	f := c.User.(*flow)
	if f.decoder != nil {
		return f.decoder
	}
	f.first[d] = append(f.first[d], data...)
	switch {
	case modbus.Probe(f.first[d]) == protocols.Yes:
		f.decoder = modbus.NewDecoder(f.conv, h.observe)
	case dnp3.Probe(f.first[d]) == protocols.Yes:
		f.decoder = dnp3.NewDecoder(f.conv, h.observe, nil)
	default:
		return nil
	}
	return f.decoder
}

// Stream implements capture.Handler.
func (h *handler) Stream(c *capture.Conn, d uint8, at capture.Stamp, data []byte) {
	if x := h.decoder(c, d, data); x != nil {
		x.Stream(protocols.Direction(d), protocols.Stamp(at), data)
	}
}

// Gap implements capture.Handler.
func (h *handler) Gap(c *capture.Conn, d uint8, at capture.Stamp, lost int) {
	if x := c.User.(*flow).decoder; x != nil {
		x.Gap(protocols.Direction(d), protocols.Stamp(at), lost)
	}
}

// Datagram implements capture.Handler.
func (h *handler) Datagram(c *capture.Conn, d uint8, at capture.Stamp, data []byte) {
	if x := h.decoder(c, d, data); x != nil {
		x.Datagram(protocols.Direction(d), protocols.Stamp(at), data)
	}
}

// Close implements capture.Handler.
func (h *handler) Close(c *capture.Conn, at capture.Stamp) {
	if x := c.User.(*flow).decoder; x != nil {
		x.Close(protocols.Stamp(at))
	}
}

// Notice implements capture.Handler.
func (h *handler) Notice(*capture.Notice) {}

// Advance implements capture.Handler.
func (h *handler) Advance(int64) int64 { return 0 }
