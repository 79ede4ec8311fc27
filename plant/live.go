package plant

import (
	"context"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"
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
