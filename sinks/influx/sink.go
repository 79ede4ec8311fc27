package influx

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	influxdb2 "github.com/influxdata/influxdb-client-go/v2"
	"github.com/influxdata/influxdb-client-go/v2/api"
	influxlog "github.com/influxdata/influxdb-client-go/v2/log"

	"github.com/weir-ics/weir/detect"
	"github.com/weir-ics/weir/sinks"
)

// Options say where to write and within which bounds. Zero is the default.
type Options struct {
	// URL is the server's address: "http://127.0.0.1:8086".
	URL string
	// Token is the access token, or user:password of InfluxDB 1.8; empty for a
	// server without authentication.
	Token string
	// Org is the organisation, empty for InfluxDB 1.8.
	Org string
	// Bucket is the bucket, for InfluxDB 1.8 database/retention-policy.
	Bucket string
	// TLS is how an https server is checked; nil is by the system's authorities.
	TLS *tls.Config
	// Sensor is this sensor's name, a tag of every point; empty is no tag.
	Sensor string
	// Spool is the folder in which unsent data is kept; empty keeps none, so
	// that it is lost when the queue is full. SpoolBytes is the most it holds;
	// 1 GiB by default.
	Spool      string
	SpoolBytes int64
	// Wait makes Write wait when the queue is full, as a replay wants; otherwise
	// what does not fit is counted as lost.
	Wait bool
	// BatchSize is how many points are sent at once, 5,000 by default. Queue is
	// how many batches wait in memory, 32 by default.
	BatchSize, Queue int
	// FlushInterval is the longest that a point waits for others; 1 s by default.
	FlushInterval time.Duration
	// Timeout is the longest that a request may take; 15 s by default.
	Timeout time.Duration
	// Attempts is how often a batch is sent before the server counts as down;
	// 3 by default. Backoff is the pause after the first failure, doubled after
	// each, up to MaxBackoff; 250 ms and 60 s by default.
	Attempts            int
	Backoff, MaxBackoff time.Duration
	// Log is told when the server goes down and comes back; nil tells nobody.
	Log *slog.Logger
}

func (o *Options) fill() {
	def(&o.SpoolBytes, 1<<30)
	def(&o.BatchSize, 5000)
	def(&o.Queue, 32)
	def(&o.FlushInterval, time.Second)
	def(&o.Timeout, 15*time.Second)
	def(&o.Attempts, 3)
	def(&o.Backoff, 250*time.Millisecond)
	def(&o.MaxBackoff, time.Minute)
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
}

func def[T int | int64 | time.Duration](v *T, to T) {
	if *v <= 0 {
		*v = to
	}
}

// kind is what a batch holds: one measurement, so that what is refused can be
// told apart.
type kind int

const (
	alerts kind = iota
	values
	commands
	counters
	numKinds
)

var kindNames = [numKinds]string{"alerts", "values", "commands", "counters"}

func (k kind) counts(n uint64) (c sinks.Counts) {
	*[...]*uint64{&c.Alerts, &c.Values, &c.Commands, &c.Counters}[k] = n
	return c
}

// batch is points to be sent together.
type batch struct {
	kind kind
	// count is how many things it adds: alerts that were not sent before,
	// values, commands, counters.
	count uint64
	lines int
	body  []byte
}

const (
	// maxAlerts is how many alerts are known by ID, so that each is counted, and
	// keeps its tags, once.
	maxAlerts = 200_000
	// maxSeries is how many series there can be.
	maxSeries = 1_000_000
	// maxBatchOctets cuts a batch that has few but long lines.
	maxBatchOctets = 4 << 20
)

// Sink writes to InfluxDB.
type Sink struct {
	opt  Options
	api  api.WriteAPIBlocking
	http *http.Client
	// run ends what is under way when Close may not wait any longer.
	run    context.Context
	cancel context.CancelFunc
	queue  chan *batch
	free   chan []byte        // memory of batches that are done
	asks   chan chan struct{} // of Flush
	end    chan struct{}      // closed by Close
	done   chan struct{}      // closed when the sender has ended
	spool  *spool             // only the sender uses it

	mu     sync.Mutex
	open   [numKinds]*batch
	known  map[string]*knownAlert
	ids    []string // ring of the keys of known
	idAt   int
	series map[*detect.Series]*seriesState
	clock  int64 // of the last counters
	report sinks.Report
	closed bool

	// of the sender only
	down    bool
	next    time.Time
	backoff time.Duration
}

type knownAlert struct {
	prefix []byte
	start  int64
}

type seriesState struct {
	prefix []byte
	// recent are the times of the last values, to know which InfluxDB will
	// merge. Values of a series come in order but for a few that a capture has
	// out of order.
	recent [4]int64
	n      uint
	newest int64
}

// quiet keeps the client from logging: this package says what happens.
var quiet sync.Once

// CheckURL tells whether an address is one that New takes.
func CheckURL(address string) error {
	_, err := parseURL(address)
	return err
}

func parseURL(address string) (*url.URL, error) {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, fmt.Errorf("InfluxDB address %q is not of the form http://host:port", address)
	}
	return u, nil
}

// New makes a sink and starts sending. It does not ask the server anything, so
// a server that is down is no error.
func New(opt Options) (*Sink, error) {
	opt.fill()
	u, err := parseURL(opt.URL)
	if err != nil {
		return nil, err
	}
	if opt.Bucket == "" {
		return nil, errors.New("InfluxDB bucket is missing")
	}
	s := &Sink{
		opt: opt, queue: make(chan *batch, opt.Queue), free: make(chan []byte, 4), asks: make(chan chan struct{}), end: make(chan struct{}), done: make(chan struct{}),
		known: map[string]*knownAlert{}, series: map[*detect.Series]*seriesState{}, clock: math.MinInt64,
		report: sinks.Report{Sink: "InfluxDB " + u.Redacted()},
	}
	if opt.Spool != "" {
		if s.spool, err = openSpool(opt.Spool, opt.SpoolBytes); err != nil {
			return nil, err
		}
		for _, f := range s.spool.files {
			s.report.Kept.Add(f.kind.counts(f.count))
		}
	}
	quiet.Do(func() { influxlog.Log = nil })
	s.http = &http.Client{Timeout: opt.Timeout, Transport: compress{&http.Transport{Proxy: http.ProxyFromEnvironment, MaxIdleConnsPerHost: 2, TLSClientConfig: opt.TLS}}}
	client := influxdb2.NewClientWithOptions(opt.URL, opt.Token, influxdb2.DefaultOptions().
		SetPrecision(time.Nanosecond).SetHTTPClient(s.http).SetApplicationName("weir"))
	s.api = client.WriteAPIBlocking(opt.Org, opt.Bucket)
	s.run, s.cancel = context.WithCancel(context.Background())
	go s.send()
	return s, nil
}

// Write encodes one step's output and queues it.
func (s *Sink) Write(ctx context.Context, out *detect.Output) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return errors.New("the InfluxDB sink is closed")
	}
	for i := range out.Alerts {
		s.alert(ctx, &out.Alerts[i])
	}
	for i := range out.Samples {
		s.sample(ctx, &out.Samples[i])
	}
	if len(out.Counters) > 0 {
		n := uint64(len(out.Counters))
		if out.Clock == s.clock {
			n = 0 // the point is written over
		}
		s.clock = out.Clock
		b := s.batch(counters)
		b.body = appendCounters(b.body, s.opt.Sensor, out.Clock, out.Counters)
		s.added(ctx, b, n)
	}
	return nil
}

func (s *Sink) alert(ctx context.Context, a *detect.Alert) {
	k := s.known[a.ID]
	n := uint64(0)
	if k == nil {
		k = &knownAlert{prefix: alertPrefix(s.opt.Sensor, a), start: a.Start}
		id := strings.Clone(a.ID)
		if len(s.ids) < maxAlerts {
			s.ids = append(s.ids, id)
		} else {
			delete(s.known, s.ids[s.idAt])
			s.ids[s.idAt] = id
			s.idAt = (s.idAt + 1) % maxAlerts
		}
		s.known[id] = k
		n = 1
	}
	b := s.batch(alerts)
	b.body = appendAlert(b.body, k.prefix, k.start, a)
	s.added(ctx, b, n)
}

func (s *Sink) sample(ctx context.Context, v *detect.Sample) {
	if v.Series == nil {
		s.report.Lost.Values++
		return
	}
	if isCommand(v) {
		client := ""
		if v.Client.IsValid() {
			client = v.Client.String()
		}
		prefix := seriesPrefix("weir_command", s.opt.Sensor, v.Series, client, v.Access.String())
		b := s.batch(commands)
		body, ok := appendValue(b.body, prefix, v)
		if !ok {
			s.report.Unsayable++
			return
		}
		b.body = body
		s.added(ctx, b, 1)
		return
	}
	st := s.series[v.Series]
	if st == nil {
		if len(s.series) >= maxSeries {
			s.report.Lost.Values++
			return
		}
		st = &seriesState{prefix: seriesPrefix("weir_value", s.opt.Sensor, v.Series, "", ""), newest: math.MinInt64}
		s.series[v.Series] = st
	}
	b := s.batch(values)
	body, ok := appendValue(b.body, st.prefix, v)
	if !ok {
		s.report.Unsayable++
		return
	}
	b.body = body
	n := uint64(1)
	if st.seen(v.Time) {
		s.report.Merged++
		n = 0
	}
	s.added(ctx, b, n)
}

// seen tells whether there was a value of that time, and remembers it.
func (st *seriesState) seen(t int64) bool {
	if t <= st.newest {
		for _, r := range st.recent[:min(st.n, uint(len(st.recent)))] {
			if r == t {
				return true
			}
		}
	} else {
		st.newest = t
	}
	st.recent[st.n%uint(len(st.recent))] = t
	st.n++
	return false
}

// batch gives the open batch of a kind.
func (s *Sink) batch(k kind) *batch {
	if s.open[k] == nil {
		b := &batch{kind: k}
		select {
		case b.body = <-s.free:
		default:
		}
		s.open[k] = b
	}
	return s.open[k]
}

// added counts a line, and queues the batch when it is full.
func (s *Sink) added(ctx context.Context, b *batch, n uint64) {
	b.count += n
	b.lines++
	if b.lines < s.opt.BatchSize && len(b.body) < maxBatchOctets {
		return
	}
	s.open[b.kind] = nil
	select {
	case s.queue <- b:
		return
	default:
	}
	if s.opt.Wait {
		// The sender needs mu to count; this is the only goroutine that writes.
		s.mu.Unlock()
		select {
		case s.queue <- b:
			s.mu.Lock()
			return
		case <-ctx.Done():
		case <-s.done:
		}
		s.mu.Lock()
	}
	s.report.Lost.Add(b.kind.counts(b.count))
}

// cut takes the open batches.
func (s *Sink) cut() []*batch {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []*batch
	for k, b := range s.open {
		if b != nil {
			out = append(out, b)
			s.open[k] = nil
		}
	}
	return out
}

// Patient makes Write wait from now on when the queue is full, or no longer, as
// [Options].Wait does: for a while in which more comes at once than usual, and
// may wait. How long is bounded by how long a batch may be tried to be sent.
func (s *Sink) Patient(on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.opt.Wait = on
}

// Flush sends, or puts in the spool, everything written before.
func (s *Sink) Flush(ctx context.Context) error {
	fate := make(chan struct{})
	select {
	case s.asks <- fate:
	case <-s.done:
		return errors.New("the InfluxDB sink is closed")
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case <-fate:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Close sends what waits, tries once more to send what is in the spool, and
// ends. If ctx ends before, what waits is put in the spool. Its error says what
// was not delivered.
func (s *Sink) Close(ctx context.Context) error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.closed = true
	s.mu.Unlock()
	stop := context.AfterFunc(ctx, s.cancel)
	defer stop()
	close(s.end)
	<-s.done
	s.cancel()
	s.http.CloseIdleConnections()
	r := s.Report()
	if r.Kept == (sinks.Counts{}) && r.Refused == (sinks.Counts{}) && r.Lost == (sinks.Counts{}) {
		return nil
	}
	var b strings.Builder
	fmt.Fprintf(&b, "write to %s: %s", r.Sink, r.Problem)
	if r.Kept != (sinks.Counts{}) {
		fmt.Fprintf(&b, "; %s kept in %s, to be sent by the next run", r.Kept, s.opt.Spool)
	}
	if r.Refused != (sinks.Counts{}) {
		fmt.Fprintf(&b, "; %s refused", r.Refused)
	}
	if r.Lost != (sinks.Counts{}) {
		fmt.Fprintf(&b, "; %s lost", r.Lost)
	}
	return errors.New(b.String())
}

// Report says what became of everything written so far; what waits in memory is
// in none of its counts.
func (s *Sink) Report() sinks.Report {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.report
}
