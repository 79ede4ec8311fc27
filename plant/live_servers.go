package plant

import (
	"encoding/binary"
	"io"
	"net"
	"sync"
	"time"

	"github.com/weir-ics/weir/plant/wire"
)

// serveModbus answers one connection to a PLC.
func (l *Live) serveModbus(c net.Conn, d *device) {
	var head [7]byte
	var pdu, answer, adu []byte
	for {
		if _, err := io.ReadFull(c, head[:]); err != nil {
			return
		}
		length := int(binary.BigEndian.Uint16(head[4:]))
		if binary.BigEndian.Uint16(head[2:]) != 0 || length < 2 || length > 254 {
			return // not Modbus: a controller hangs up
		}
		pdu = append(pdu[:0], make([]byte, length-1)...)
		if _, err := io.ReadFull(c, pdu); err != nil {
			return
		}
		l.mu.Lock()
		answer = d.serve(answer[:0], l.site.process.Now, head[6], pdu)
		l.mu.Unlock()
		if len(answer) == 0 {
			continue
		}
		adu = wire.AppendMBAP(adu[:0], binary.BigEndian.Uint16(head[:]), head[6], answer)
		if _, err := c.Write(adu); err != nil {
			return
		}
	}
}

// serveDNP3 is the outstation's end of one connection.
func (l *Live) serveDNP3(c net.Conn) {
	var out sync.Mutex // of the connection's way out
	var sequence uint8
	master := uint16(MasterAddress)
	send := func(fragment []byte) error {
		out.Lock()
		defer out.Unlock()
		_, err := c.Write(wire.AppendFragment(nil, wire.FromOutstation, master, OutstationAddress, &sequence, fragment))
		return err
	}
	done := make(chan struct{})
	defer close(done)
	l.wait.Go(func() {
		tick := time.NewTicker(50 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-done:
				return
			case <-tick.C:
			}
			l.mu.Lock()
			o := l.site.rtu
			o.scan(l.site.process.Now)
			var report []byte
			if o.unsolicited && o.pending(1) {
				report = o.unsolicitedResponse(nil)
			}
			l.mu.Unlock()
			if report != nil && send(report) != nil {
				return
			}
		}
	})
	r := wire.NewFragmentReader(c)
	for {
		h, fragment, err := r.Next()
		if err != nil {
			return
		}
		if h.Destination != OutstationAddress {
			continue
		}
		if fragment == nil {
			if h.Control == wire.LinkStatusAsk {
				out.Lock()
				_, err = c.Write(wire.AppendLinkFrame(nil, wire.LinkStatusSay, h.Source, OutstationAddress, nil))
				out.Unlock()
				if err != nil {
					return
				}
			}
			continue
		}
		l.mu.Lock()
		answer := l.site.rtu.serve(nil, l.site.process.Now, fragment)
		l.mu.Unlock()
		if len(answer) > 0 {
			if err := send(answer); err != nil {
				return
			}
		}
	}
}
