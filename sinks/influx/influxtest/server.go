// Package influxtest runs a real InfluxDB 1.8 server for tests: built from its
// source by the test itself, on a loopback port, with a folder of its own.
package influxtest

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	influxdb2 "github.com/influxdata/influxdb-client-go/v2"
	"golang.org/x/sys/unix"
)

// Version is the server's. It serves the API of InfluxDB 2 for writing and Flux.
const Version = "v1.8.10"

// Server is a running server.
type Server struct {
	// URL is its address.
	URL string
	// Token is the token that may do everything, empty without authentication.
	Token string

	tb     testing.TB
	binary string
	config string
	dir    string
	cmd    *exec.Cmd
	log    *os.File
}

// Options change how the server is set up.
type Options struct {
	// Auth makes the server ask for a token, which is Server.Token.
	Auth bool
}

// Start starts a server that is stopped at the end of the test. It skips the
// test with -short, or if the server cannot be had.
func Start(tb testing.TB, opt Options) *Server {
	tb.Helper()
	if testing.Short() {
		tb.Skip("skipped with -short: needs a real InfluxDB server, whose first build takes a minute or two")
	}
	s := &Server{tb: tb, binary: build(tb), dir: tb.TempDir()}
	port := freePort(tb)
	s.URL = "http://127.0.0.1:" + port
	s.config = filepath.Join(s.dir, "influxdb.conf")
	config := fmt.Sprintf(`reporting-disabled = true
bind-address = "127.0.0.1:0"
[meta]
  dir = %[1]q
[data]
  dir = %[2]q
  wal-dir = %[3]q
[http]
  bind-address = "127.0.0.1:%[4]s"
  flux-enabled = true
  auth-enabled = %[5]v
  log-enabled = false
[monitor]
  store-enabled = false
`, filepath.Join(s.dir, "meta"), filepath.Join(s.dir, "data"), filepath.Join(s.dir, "wal"), port, opt.Auth)
	if err := os.WriteFile(s.config, []byte(config), 0o600); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(s.Kill)
	s.Resume()
	if opt.Auth {
		s.InfluxQL("CREATE USER admin WITH PASSWORD 'secret' WITH ALL PRIVILEGES")
		s.Token = "admin:secret"
	}
	return s
}

// build gives the path of the server, building it if need be. WEIR_INFLUXD names
// one that is built already.
func build(tb testing.TB) string {
	tb.Helper()
	if path := os.Getenv("WEIR_INFLUXD"); path != "" {
		return path
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		tb.Skip("skipped: no cache folder to build InfluxDB in:", err)
	}
	dir := filepath.Join(cache, "weir-test", "influxd-"+Version)
	binary := filepath.Join(dir, "influxd")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		tb.Fatal(err)
	}
	lock, err := os.Create(filepath.Join(dir, "lock"))
	if err != nil {
		tb.Fatal(err)
	}
	defer lock.Close()
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX); err != nil {
		tb.Fatal(err)
	}
	if _, err := os.Stat(binary); err == nil {
		return binary
	}
	tb.Logf("building InfluxDB %s in %s; this takes a minute or two, once", Version, dir)
	tmp := filepath.Join(dir, "building")
	cmd := exec.Command("go", "install", "github.com/influxdata/influxdb/cmd/influxd@"+Version)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOBIN="+tmp, "GOFLAGS=", "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		tb.Skipf("skipped: InfluxDB could not be built (is the module proxy out of reach?): %v\n%s", err, out)
	}
	// Under its name only once it is whole.
	if err := os.Rename(filepath.Join(tmp, "influxd"), binary); err != nil {
		tb.Fatal(err)
	}
	_ = os.Remove(tmp)
	return binary
}

func freePort(tb testing.TB) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}

// Kill ends the server at once, as a power cut would.
func (s *Server) Kill() {
	if s.cmd == nil {
		return
	}
	_ = s.cmd.Process.Kill()
	_ = s.cmd.Wait()
	_ = s.log.Close()
	s.cmd = nil
}

// Resume starts the server (again), with the data it had, and waits until it
// answers.
func (s *Server) Resume() {
	s.tb.Helper()
	var err error
	if s.log, err = os.OpenFile(filepath.Join(s.dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600); err != nil {
		s.tb.Fatal(err)
	}
	s.cmd = exec.Command(s.binary, "-config", s.config)
	s.cmd.Stdout, s.cmd.Stderr = s.log, s.log
	if err := s.cmd.Start(); err != nil {
		s.tb.Fatal(err)
	}
	ended := make(chan struct{})
	go func(c *exec.Cmd) { _, _ = c.Process.Wait(); close(ended) }(s.cmd)
	for {
		if r, err := http.Get(s.URL + "/ping"); err == nil {
			_ = r.Body.Close()
			return
		}
		select {
		case <-ended:
			log, _ := os.ReadFile(filepath.Join(s.dir, "log"))
			s.tb.Fatalf("influxd ended: %s", log)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// InfluxQL runs a statement.
func (s *Server) InfluxQL(q string) string {
	s.tb.Helper()
	req, err := http.NewRequest(http.MethodPost, s.URL+"/query", strings.NewReader(url.Values{"q": {q}}.Encode()))
	if err != nil {
		s.tb.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if user, password, ok := strings.Cut(s.Token, ":"); ok {
		req.SetBasicAuth(user, password)
	}
	r, err := http.DefaultClient.Do(req)
	if err != nil {
		s.tb.Fatal(err)
	}
	defer r.Body.Close()
	body, _ := io.ReadAll(r.Body)
	if r.StatusCode != http.StatusOK || bytes.Contains(body, []byte(`"error"`)) {
		s.tb.Fatalf("%s: %s: %s", q, r.Status, body)
	}
	return string(body)
}

// Bucket makes a bucket and returns its name.
func (s *Server) Bucket(name string) string {
	s.tb.Helper()
	s.InfluxQL("CREATE DATABASE " + name)
	return name + "/autogen"
}

// Count runs a Flux query that counts the points of a measurement that have a
// field; an empty field counts all fields of all points.
func (s *Server) Count(bucket, measurement, field string) uint64 {
	s.tb.Helper()
	q := fmt.Sprintf(`from(bucket: %q) |> range(start: 1970-01-01T00:00:00Z, stop: 2200-01-01T00:00:00Z)
		|> filter(fn: (r) => r._measurement == %q)`, bucket, measurement)
	if field != "" {
		q += fmt.Sprintf(` |> filter(fn: (r) => r._field == %q)`, field)
	}
	q += ` |> count() |> keep(columns: ["_value"]) |> group() |> sum()`
	var n uint64
	for _, row := range s.Flux(q) {
		v, ok := row["_value"].(int64)
		if !ok {
			s.tb.Fatalf("count gave %v", row)
		}
		n += uint64(v)
	}
	return n
}

// Flux runs a Flux query and returns its rows.
func (s *Server) Flux(q string) []map[string]any {
	s.tb.Helper()
	c := influxdb2.NewClient(s.URL, s.Token)
	defer c.Close()
	r, err := c.QueryAPI("").Query(context.Background(), q)
	if err != nil {
		s.tb.Fatalf("flux %s: %v", q, err)
	}
	defer r.Close()
	var out []map[string]any
	for r.Next() {
		out = append(out, r.Record().Values())
	}
	if r.Err() != nil {
		s.tb.Fatalf("flux %s: %v", q, r.Err())
	}
	return out
}
