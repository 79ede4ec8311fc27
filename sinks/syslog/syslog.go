// Package syslog sends alerts to a syslog collector or SIEM: as messages of RFC
// 5424 over UDP (RFC 5426) or TCP with octet counting (RFC 6587, 3.4.1), with the
// alert's JSON line or a CEF event as the message.
//
// A message is sent when an alert is raised, when it is cleared, and when its
// severity rises; other updates are not sent, because a collector counts messages.
package syslog

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/weir-ics/weir/detect"
	"github.com/weir-ics/weir/protocols"
	"github.com/weir-ics/weir/sinks"
)

// Format is what the message of a syslog message is.
type Format string

const (
	// JSON is the alert line, with the main facts as structured data before it.
	JSON Format = "json"
	// CEF is the Common Event Format.
	CEF Format = "cef"
)

// Networks and Formats are what [Options] may say.
var (
	Networks = []string{"udp", "tcp"}
	Formats  = []string{string(JSON), string(CEF)}
)

// CheckAddress tells whether an address has a form that New takes; whether there is
// such a host is another matter. An empty one means none.
func CheckAddress(address string) error {
	if address == "" {
		return nil
	}
	host, port, err := net.SplitHostPort(withPort(address))
	if err == nil {
		_, err = net.LookupPort("udp", port)
	}
	if err != nil || host == "" || strings.ContainsAny(host, " /") {
		return fmt.Errorf("%q is not host:port, such as 192.0.2.1:514", address)
	}
	return nil
}

// withPort adds the port of syslog, unless there is one.
func withPort(address string) string {
	if _, _, err := net.SplitHostPort(address); err != nil {
		return net.JoinHostPort(strings.Trim(address, "[]"), "514")
	}
	return address
}

// Options say where to send to, and how. Zero is the default.
type Options struct {
	// Network is "udp" (the default) or "tcp".
	Network string
	// Address is host:port; the port is 514 if it is left out.
	Address string
	// Format is JSON by default.
	Format Format
	// Host is this sensor's name in the messages. Version is weir's.
	Host, Version string
	// Facility is the syslog facility, 16 (local0) by default; RFC 5424, 6.2.1.
	Facility int
	// Queue is how many messages wait for a collector that is down; 10,000 by
	// default. Further ones push out the oldest, which count as lost.
	Queue int
	// Timeout bounds connecting and writing; 5 s by default. MaxBackoff is the
	// longest pause between two attempts; 30 s by default.
	Timeout, MaxBackoff time.Duration
	// Log is told when the collector goes away and comes back; nil tells nobody.
	Log *slog.Logger
}

// maxUDP is the most octets of a message over UDP; RFC 5426, 3.2 asks receivers
// to take 2,048, and a datagram of IPv4 holds no more than this.
const maxUDP = 65_507

// Sink sends alerts to a syslog collector.
type Sink struct {
	opt Options

	mu     sync.Mutex
	change sync.Cond
	queue  [][]byte
	told   map[string]protocols.Severity // severity last sent, by alert
	ids    []string                      // ring of the keys of told
	at     int
	busy   bool // a message is being sent
	closed bool
	report sinks.Report

	ctx    context.Context
	cancel context.CancelFunc
	done   chan struct{}

	// The rest is of the sender only. doubt tells that nothing went well over UDP
	// since the last refusal; last is what was sent last over it, at lastAt.
	conn   net.Conn
	doubt  bool
	last   []byte
	lastAt time.Time
	// said tells that the log knows of the problem, saidAt when it was told of one.
	said   bool
	saidAt time.Time
}

// A datagram is taken for delivered if no refusal (ICMP port unreachable) comes back
// within settle, or within doubted where the one before was refused. A refusal may
// still be of one that was sent up to late before.
const (
	settle  = 2 * time.Millisecond
	doubted = 200 * time.Millisecond
	late    = 10 * time.Second
)

// sayEvery is how often, at most, the log is told of a collector that comes and goes.
const sayEvery = time.Minute

// maxTold is how many alerts are remembered, to know what is news.
const maxTold = 100_000

// New makes a sink. A collector that is down is no error.
func New(opt Options) (*Sink, error) {
	if opt.Network == "" {
		opt.Network = "udp"
	}
	if !slices.Contains(Networks, opt.Network) {
		return nil, fmt.Errorf("syslog network %q is none of %s", opt.Network, strings.Join(Networks, ", "))
	}
	if opt.Format == "" {
		opt.Format = JSON
	}
	if !slices.Contains(Formats, string(opt.Format)) {
		return nil, fmt.Errorf("syslog format %q is none of %s", opt.Format, strings.Join(Formats, ", "))
	}
	if opt.Facility == 0 {
		opt.Facility = 16
	}
	if opt.Facility < 0 || opt.Facility > 23 {
		return nil, fmt.Errorf("syslog facility %d is not in 0 to 23", opt.Facility)
	}
	if opt.Address == "" {
		return nil, errors.New("syslog address is missing")
	}
	if err := CheckAddress(opt.Address); err != nil {
		return nil, err
	}
	opt.Address = withPort(opt.Address)
	if opt.Queue <= 0 {
		opt.Queue = 10_000
	}
	if opt.Timeout <= 0 {
		opt.Timeout = 5 * time.Second
	}
	if opt.MaxBackoff <= 0 {
		opt.MaxBackoff = 30 * time.Second
	}
	if opt.Log == nil {
		opt.Log = slog.New(slog.DiscardHandler)
	}
	s := &Sink{opt: opt, told: map[string]protocols.Severity{}, doubt: true, done: make(chan struct{}),
		report: sinks.Report{Sink: "syslog " + opt.Network + "://" + opt.Address}}
	s.change.L = &s.mu
	s.ctx, s.cancel = context.WithCancel(context.Background())
	go s.run()
	return s, nil
}

// Write queues the alerts of one step that are news.
func (s *Sink) Write(_ context.Context, out *detect.Output) error {
	if len(out.Alerts) == 0 {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return errors.New("the syslog sink is closed")
	}
	for i := range out.Alerts {
		a := &out.Alerts[i]
		if !s.news(a) {
			continue
		}
		m := s.opt.appendMessage(nil, a)
		if s.opt.Network == "tcp" {
			m = append(strconv.AppendInt(nil, int64(len(m)), 10), append([]byte{' '}, m...)...)
		} else if len(m) > maxUDP {
			m = m[:maxUDP]
		}
		if len(s.queue) >= s.opt.Queue {
			s.queue = s.queue[1:]
			s.report.Lost.Alerts++
		}
		s.queue = append(s.queue, m)
	}
	s.change.Broadcast()
	return nil
}

// news tells whether there is something about an alert that was not sent.
func (s *Sink) news(a *detect.Alert) bool {
	last, known := s.told[a.ID]
	if known && a.State != detect.Cleared && a.Severity <= last {
		return false
	}
	if !known {
		id := strings.Clone(a.ID)
		if len(s.ids) < maxTold {
			s.ids = append(s.ids, id)
		} else {
			delete(s.told, s.ids[s.at])
			s.ids[s.at] = id
			s.at = (s.at + 1) % maxTold
		}
		s.told[id] = a.Severity
	} else {
		s.told[a.ID] = a.Severity
	}
	return true
}

// run is the goroutine that sends.
func (s *Sink) run() {
	defer close(s.done)
	defer s.hangUp()
	s.lookUp()
	pause := 100 * time.Millisecond
	for {
		m, ok := s.next()
		if !ok {
			return
		}
		err := s.send(m)
		s.mu.Lock()
		s.busy = false
		if err == nil {
			pause = 100 * time.Millisecond
			s.works()
		} else {
			s.putBack(m)
			if s.last != nil { // not delivered either
				s.report.Written.Alerts--
				s.putBack(s.last)
				s.last = nil
			}
			s.fails(err)
		}
		closed := s.closed
		s.change.Broadcast()
		s.mu.Unlock()
		if err != nil {
			if closed {
				return
			}
			t := time.NewTimer(pause)
			select {
			case <-t.C:
			case <-s.ctx.Done():
				t.Stop()
			}
			pause = min(2*pause, s.opt.MaxBackoff)
		}
	}
}

// lookUp says at once if the collector has a name that nobody knows: the first alert may
// be weeks away.
func (s *Sink) lookUp() {
	host, _, err := net.SplitHostPort(s.opt.Address)
	if err != nil || net.ParseIP(host) != nil {
		return
	}
	ctx, cancel := context.WithTimeout(s.ctx, s.opt.Timeout)
	defer cancel()
	if _, err := net.DefaultResolver.LookupHost(ctx, host); err != nil && s.ctx.Err() == nil {
		s.opt.Log.Warn("the syslog collector's name cannot be resolved; alerts wait in memory until it can", "collector", s.report.Sink, "error", err)
	}
}

// putBack makes a message the first of the queue again, if there is still room.
func (s *Sink) putBack(m []byte) {
	if len(s.queue) < s.opt.Queue {
		s.queue = append([][]byte{m}, s.queue...)
	} else {
		s.report.Lost.Alerts++
	}
}

// works notes that a message was sent.
func (s *Sink) works() {
	s.report.Written.Alerts++
	s.report.Problem = ""
	if s.said {
		s.said = false
		s.opt.Log.Info("the syslog collector takes messages again", "collector", s.report.Sink, "lost", s.report.Lost.Alerts)
	}
}

// fails notes that a message was not, and says so, but not each time of a collector
// that comes and goes.
func (s *Sink) fails(err error) {
	s.report.Problem = fmt.Sprintf("it cannot be reached: %v: check that the collector runs and that the address is right", err)
	if now := time.Now(); !s.said && now.Sub(s.saidAt) >= sayEvery {
		s.said, s.saidAt = true, now
		s.opt.Log.Error("send alerts to "+s.report.Sink+": "+s.report.Problem, "waiting", len(s.queue), "room", s.opt.Queue)
	}
}

// next waits for a message; false when there is none and will be none.
func (s *Sink) next() ([]byte, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.queue) == 0 && !s.closed {
		s.change.Wait()
	}
	if len(s.queue) == 0 {
		return nil, false
	}
	m := s.queue[0]
	s.queue = s.queue[1:]
	s.busy = true
	return m, true
}

// send sends one message, over a new connection if need be.
func (s *Sink) send(m []byte) error {
	if s.conn != nil && s.opt.Network == "tcp" && gone(s.conn) {
		s.hangUp()
	}
	if s.conn == nil {
		d := net.Dialer{Timeout: s.opt.Timeout}
		c, err := d.DialContext(context.WithoutCancel(s.ctx), s.opt.Network, s.opt.Address)
		if err != nil {
			return err
		}
		s.conn = c
	}
	_ = s.conn.SetWriteDeadline(time.Now().Add(s.opt.Timeout))
	_, err := s.conn.Write(m)
	if s.opt.Network == "udp" {
		return s.settled(m, err)
	}
	if err != nil {
		s.hangUp()
	}
	return err
}

// settled looks whether a datagram is refused; err is what came of sending it. It
// leaves what was sent before as last if the refusal may be of that.
func (s *Sink) settled(m []byte, err error) error {
	if err == nil {
		wait := settle
		if s.doubt {
			wait = doubted
		}
		if refused(s.conn, wait) {
			err = syscall.ECONNREFUSED
		}
	}
	now := time.Now()
	if err == nil {
		s.doubt, s.last, s.lastAt = false, m, now
		return nil
	}
	if now.Sub(s.lastAt) > late || !errors.Is(err, syscall.ECONNREFUSED) {
		s.last = nil
	}
	s.doubt = true
	s.hangUp()
	return err
}

// gone tells whether the other side has closed a connection: a collector never
// sends anything, so there is only an end to be read. Without this, the first
// message after a restart of the collector would vanish.
func gone(c net.Conn) bool { return refused(c, time.Millisecond) }

// refused tells whether an end, or a refusal, is to be read within a time.
func refused(c net.Conn, within time.Duration) bool {
	_ = c.SetReadDeadline(time.Now().Add(within))
	var b [1]byte
	_, err := c.Read(b[:])
	var timeout net.Error
	return err != nil && !(errors.As(err, &timeout) && timeout.Timeout())
}

func (s *Sink) hangUp() {
	if s.conn != nil {
		_ = s.conn.Close()
		s.conn = nil
	}
}

// Flush waits until everything was handed to the network, or the collector
// turned out to be out of reach.
func (s *Sink) Flush(ctx context.Context) error {
	stop := context.AfterFunc(ctx, func() { s.mu.Lock(); s.change.Broadcast(); s.mu.Unlock() })
	defer stop()
	s.mu.Lock()
	defer s.mu.Unlock()
	for (len(s.queue) > 0 || s.busy) && s.report.Problem == "" && ctx.Err() == nil {
		s.change.Wait()
	}
	return ctx.Err()
}

// Close sends what waits, once, and ends.
func (s *Sink) Close(ctx context.Context) error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.closed = true
	s.change.Broadcast()
	s.mu.Unlock()
	s.cancel()
	select {
	case <-s.done:
	case <-ctx.Done():
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.report.Lost.Alerts += uint64(len(s.queue))
	s.queue = nil
	if n := s.report.Lost.Alerts; n > 0 {
		why := s.report.Problem
		if why == "" {
			why = "it could not be reached for a while"
		}
		return fmt.Errorf("send alerts to %s: %s; %d messages lost", s.report.Sink, why, n)
	}
	return nil
}

// Report says what was sent, in messages. Over UDP that is what was not refused: what a
// network loses on the way, or a host that is not there, is told by nobody.
func (s *Sink) Report() sinks.Report {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.report
}
