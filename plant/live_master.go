package plant

import (
	"context"
	"encoding/binary"
	"errors"
	"net"
	"time"

	"github.com/weir-ics/weir/plant/wire"
)

// masterLoop is the DNP3 master: it reconnects for as long as ctx lives.
func (l *Live) masterLoop(ctx context.Context) {
	for ctx.Err() == nil {
		var d net.Dialer
		c, err := d.DialContext(ctx, "tcp", l.addrs[l.site.rtuHost.name])
		if err == nil {
			stop := context.AfterFunc(ctx, func() { _ = c.Close() })
			m := &liveMaster{live: l, conn: c, in: wire.NewFragmentReader(c)}
			err = m.run(ctx)
			stop()
			_ = c.Close()
		}
		if err != nil && ctx.Err() == nil {
			l.failures.Add(1)
			select {
			case <-ctx.Done():
			case <-time.After(time.Second):
			}
		}
	}
}

// liveMaster is one session of the DNP3 master.
type liveMaster struct {
	live     *Live
	conn     net.Conn
	in       *wire.FragmentReader
	seq      uint8
	sequence uint8
}

var errNoAnswer = errors.New("the outstation does not answer")

func (m *liveMaster) send(fragment []byte) error {
	_, err := m.conn.Write(wire.AppendFragment(nil, wire.FromMaster, OutstationAddress, MasterAddress, &m.sequence, fragment))
	return err
}

// receive reads one fragment and confirms it if it asks for that.
func (m *liveMaster) receive(within time.Duration) (fragment []byte, err error) {
	if err := m.conn.SetReadDeadline(time.Now().Add(within)); err != nil {
		return nil, err
	}
	for {
		_, fragment, err = m.in.Next()
		if err != nil || len(fragment) >= 4 {
			break
		}
	}
	if err != nil {
		return nil, err
	}
	if fragment[1] == wire.Unsolicited {
		m.live.unsolicited.Add(1)
	}
	if fragment[0]&wire.AppCON != 0 {
		err = m.send([]byte{wire.AppFIR | wire.AppFIN | fragment[0]&(wire.AppUNS|0x0f), wire.Confirm})
	}
	return fragment, err
}

// ask sends a request and waits for its answer; unsolicited responses in
// between are confirmed.
func (m *liveMaster) ask(function uint8, objects ...byte) error {
	m.seq = (m.seq + 1) & 0x0f
	if err := m.send(append([]byte{wire.AppFIR | wire.AppFIN | m.seq, function}, objects...)); err != nil {
		return err
	}
	for range 20 {
		f, err := m.receive(3 * time.Second)
		if err != nil {
			return err
		}
		if f[1] != wire.Response || f[0]&0x0f != m.seq {
			continue
		}
		m.live.requests.Add(1)
		iin := binary.LittleEndian.Uint16(f[2:])
		switch {
		case iin&wire.IINRestart != 0 && function == wire.Read:
			return m.ask(wire.Write, clearRestart...)
		case iin&wire.IINNeedTime != 0 && function == wire.Read:
			return m.ask(wire.Write, timeObject(m.live.now())...)
		}
		return nil
	}
	return errNoAnswer
}

func (l *Live) now() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.site.process.Now
}

func (m *liveMaster) run(ctx context.Context) error {
	for _, step := range [][]byte{
		append([]byte{wire.DisableUnsolicited}, allClasses...),
		append([]byte{wire.Read}, readIntegrity...),
		append([]byte{wire.EnableUnsolicited}, allClasses...),
	} {
		if err := m.ask(step[0], step[1:]...); err != nil {
			return err
		}
	}
	period := max(2*m.live.opt.Poll, 200*time.Millisecond)
	next := time.Now().Add(period)
	for ctx.Err() == nil {
		// Between polls the outstation may speak for itself.
		_, err := m.receive(max(time.Until(next), time.Millisecond))
		var timeout net.Error
		if err != nil && !(errors.As(err, &timeout) && timeout.Timeout()) {
			return err
		}
		if time.Now().After(next) {
			next = next.Add(period)
			if err := m.ask(wire.Read, readEvents...); err != nil {
				return err
			}
		}
	}
	return nil
}
