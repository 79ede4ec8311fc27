package plant

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/goburrow/modbus"

	"github.com/weir-ics/weir/plant/wire"
)

// LiveOptions tell how the site runs on real sockets. The zero value runs it on
// 127.0.0.1 on ports that are free.
type LiveOptions struct {
	// Address is where the devices listen; "" is 127.0.0.1.
	Address string
	// ModbusPort is the port of the first PLC, the others have the next ones;
	// DNP3Port is the outstation's. 0 takes free ones.
	ModbusPort, DNP3Port int
	// Spread gives every device a loopback address of its own, 127.20.1.x as in the
	// simulated network's 10.20.1.x, and all PLCs the same port (ModbusPort, 502 if
	// that is 0; DNP3Port, 20000 if that is 0). It works where the whole of
	// 127.0.0.0/8 is the loopback, as on Linux.
	Spread bool
	// Poll is the HMI's poll interval; 0 is a second.
	Poll time.Duration
	// Speed is how many seconds of the process pass in one; 0 is 1.
	Speed float64
	// Seed is of the process.
	Seed uint64
	// ServersOnly leaves out the HMI and the DNP3 master.
	ServersOnly bool
}

// LiveStats counts what the running site's clients did.
type LiveStats struct {
	// Reads and Writes were answered, Errors were not.
	Reads, Writes, Errors uint64
	// Requests and Unsolicited are of DNP3.
	Requests, Unsolicited uint64
}

// A Live is a site that runs on real sockets.
type Live struct {
	opt LiveOptions
	// mu guards the site: process, devices and outstation.
	mu        sync.Mutex
	site      *site
	listeners []net.Listener
	addrs     map[string]string
	conns     map[net.Conn]bool
	closed    bool
	wait      sync.WaitGroup
	cancel    context.CancelFunc
	hmi       []*liveHMI

	reads, writes, failures, requests, unsolicited atomic.Uint64
}

// Serve starts the site: PLCs as Modbus/TCP servers, an outstation, and unless
// told otherwise the HMI that polls them and the DNP3 master. They run until ctx
// is done or Close is called.
func Serve(ctx context.Context, opt LiveOptions) (*Live, error) {
	if opt.Address == "" {
		opt.Address = "127.0.0.1"
	}
	if opt.Poll <= 0 {
		opt.Poll = time.Second
	}
	if opt.Speed <= 0 {
		opt.Speed = 1
	}
	ctx, cancel := context.WithCancel(ctx)
	l := &Live{opt: opt, site: newSite(opt.Seed, time.Now().UnixNano()), addrs: make(map[string]string), conns: make(map[net.Conn]bool), cancel: cancel}
	for i, d := range l.site.devices {
		if err := l.listen(d.host, opt.ModbusPort, i, modbusPort, func(c net.Conn) { l.serveModbus(c, d) }); err != nil {
			l.Close()
			return nil, err
		}
	}
	if err := l.listen(l.site.rtuHost, opt.DNP3Port, 0, dnp3Port, l.serveDNP3); err != nil {
		l.Close()
		return nil, err
	}
	l.wait.Go(func() { l.pass(ctx) })
	if !opt.ServersOnly {
		for i, d := range l.site.devices {
			h := newLiveHMI(l, d.host.name, hmiPlan[i])
			l.hmi = append(l.hmi, h)
			l.wait.Go(func() { h.poll(ctx) })
		}
		l.wait.Go(func() { l.masterLoop(ctx) })
	}
	l.wait.Go(func() {
		<-ctx.Done()
		for _, n := range l.listeners {
			_ = n.Close()
		}
		l.mu.Lock()
		defer l.mu.Unlock()
		l.closed = true
		for c := range l.conns {
			_ = c.Close()
		}
	})
	return l, nil
}

// Addr is the address, with port, of a device by its name: PLC1, PLC2, PLC3,
// analysers, RTU.
func (l *Live) Addr(name string) string { return l.addrs[name] }

// Addrs are the addresses of all devices by their names.
func (l *Live) Addrs() map[string]string {
	all := make(map[string]string, len(l.addrs))
	for k, v := range l.addrs {
		all[k] = v
	}
	return all
}

// Stats tells what the clients did so far.
func (l *Live) Stats() LiveStats {
	return LiveStats{l.reads.Load(), l.writes.Load(), l.failures.Load(), l.requests.Load(), l.unsolicited.Load()}
}

// Value is the present value of a tag of the process, in engineering units.
func (l *Live) Value(name string) (float64, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, d := range l.site.devices {
		if t := d.tag(name); t != nil {
			return t.get(l.site.process), nil
		}
	}
	return 0, fmt.Errorf("tag %q: there is none of that name", name)
}

// Write has the HMI write a tag, as its operator would.
func (l *Live) Write(name string, v float64) error {
	for i, d := range l.site.devices {
		tag := d.tag(name)
		if tag == nil || tag.set == nil {
			continue
		}
		if i >= len(l.hmi) {
			return fmt.Errorf("write %s: the site runs without its HMI", name)
		}
		return l.hmi[i].write(tag, v)
	}
	return fmt.Errorf("write %s: there is no tag of that name that can be written", name)
}

// Close stops everything and waits for it.
func (l *Live) Close() {
	l.cancel()
	for _, n := range l.listeners {
		_ = n.Close()
	}
	l.wait.Wait()
}

// Wait waits until everything has stopped.
func (l *Live) Wait() { l.wait.Wait() }

func (l *Live) listen(h *host, port, offset, standard int, serve func(net.Conn)) error {
	address := l.opt.Address
	switch {
	case l.opt.Spread:
		address = net.IPv4(127, 20, 1, h.ip[3]).String()
		if port == 0 {
			port = standard
		}
	case port != 0:
		port += offset
	}
	n, err := net.Listen("tcp", net.JoinHostPort(address, fmt.Sprint(port)))
	if err != nil {
		return fmt.Errorf("start %s: %w", h.name, err)
	}
	l.listeners = append(l.listeners, n)
	l.addrs[h.name] = n.Addr().String()
	l.wait.Go(func() {
		for {
			c, err := n.Accept()
			if err != nil {
				return
			}
			l.mu.Lock()
			full := l.closed || len(l.conns) >= 256
			if !full {
				l.conns[c] = true
			}
			l.mu.Unlock()
			if full {
				_ = c.Close()
				continue
			}
			l.wait.Go(func() {
				serve(c)
				_ = c.Close()
				l.mu.Lock()
				delete(l.conns, c)
				l.mu.Unlock()
			})
		}
	})
	return nil
}

// pass lets the process' time pass.
func (l *Live) pass(ctx context.Context) {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	began, from := time.Now(), l.site.process.Now
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			l.mu.Lock()
			l.site.process.Advance(from + int64(float64(time.Since(began))*l.opt.Speed))
			l.mu.Unlock()
		}
	}
}

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

// liveHMI polls one PLC with an ordinary Modbus client.
type liveHMI struct {
	live    *Live
	mu      sync.Mutex
	handler *modbus.TCPClientHandler
	client  modbus.Client
	plan    []poll
}

func newLiveHMI(l *Live, name string, plan []poll) *liveHMI {
	h := modbus.NewTCPClientHandler(l.addrs[name])
	h.Timeout = 2 * time.Second
	h.IdleTimeout = time.Hour
	return &liveHMI{live: l, handler: h, client: modbus.NewClient(h), plan: plan}
}

func (h *liveHMI) poll(ctx context.Context) {
	defer func() { _ = h.handler.Close() }()
	rnd := rand.New(rand.NewPCG(h.live.opt.Seed, 5))
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		for _, p := range h.plan {
			if ctx.Err() != nil {
				return
			}
			if err := h.read(p); err != nil {
				if ctx.Err() == nil { // else the servers are going down
					h.live.failures.Add(1)
				}
				_ = h.handler.Close()
				break
			}
			h.live.reads.Add(1)
		}
		timer.Reset(h.live.opt.Poll + time.Duration(rnd.Int64N(int64(h.live.opt.Poll)/50+1)))
	}
}

func (h *liveHMI) read(p poll) (err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.handler.SlaveId = p.unit
	switch p.function {
	case wire.ReadCoils:
		_, err = h.client.ReadCoils(p.address, p.quantity)
	case wire.ReadDiscreteInputs:
		_, err = h.client.ReadDiscreteInputs(p.address, p.quantity)
	case wire.ReadHoldingRegisters:
		_, err = h.client.ReadHoldingRegisters(p.address, p.quantity)
	case wire.ReadInputRegisters:
		_, err = h.client.ReadInputRegisters(p.address, p.quantity)
	}
	return err
}

func (h *liveHMI) write(tag *Tag, v float64) (err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.handler.SlaveId = h.plan[0].unit
	pdu := writeRequest(tag, v)
	switch pdu[0] {
	case wire.WriteSingleCoil:
		_, err = h.client.WriteSingleCoil(tag.Address, binary.BigEndian.Uint16(pdu[3:]))
	case wire.WriteSingleRegister:
		_, err = h.client.WriteSingleRegister(tag.Address, binary.BigEndian.Uint16(pdu[3:]))
	default:
		_, err = h.client.WriteMultipleRegisters(tag.Address, uint16(tag.registers()), pdu[6:])
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", tag.Name, err)
	}
	h.live.writes.Add(1)
	return nil
}

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
