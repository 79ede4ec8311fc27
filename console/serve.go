package console

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"golang.org/x/net/netutil"
)

// DefaultAddress is where the console listens unless it is told otherwise: on
// this machine only.
const DefaultAddress = "127.0.0.1:8341"

// maxConnections is how many browsers and clients may be connected at once.
const maxConnections = 256

// Serve listens on addr (host:port; port 0 takes a free one) and serves h until
// ctx is done, then lets what is being answered finish, for at most 5 seconds.
// Once it listens it calls bound, unless that is nil, with the address taken.
// It returns nil after ctx is done, else why it could not listen or go on.
func Serve(ctx context.Context, addr string, h http.Handler, bound func(net.Addr)) error {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", addr)
	if err != nil {
		return fmt.Errorf("listen for the console on %s: %w", addr, err)
	}
	if bound != nil {
		bound(l.Addr())
	}
	return ServeListener(ctx, l, h)
}

// ServeListener serves h as [Serve] does, on a listener that is already there
// (one handed over by systemd, or wrapped in TLS). It closes l.
func ServeListener(ctx context.Context, l net.Listener, h http.Handler) error {
	srv := &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		// Long enough for a CSV of everything over a slow line.
		WriteTimeout:   2 * time.Minute,
		IdleTimeout:    2 * time.Minute,
		MaxHeaderBytes: 16 << 10,
	}
	stopped := make(chan error, 1)
	go func() { stopped <- srv.Serve(netutil.LimitListener(l, maxConnections)) }()
	select {
	case err := <-stopped:
		return fmt.Errorf("serve the console on %s: %w", l.Addr(), err)
	case <-ctx.Done():
	}
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	err := srv.Shutdown(grace)
	if errors.Is(err, context.DeadlineExceeded) {
		err = srv.Close()
	}
	<-stopped //nolint:errcheck // it has ended because it was told to
	if err != nil {
		return fmt.Errorf("stop the console on %s: %w", l.Addr(), err)
	}
	return nil
}

// URL is the address to open in a browser for a console that listens on addr.
// An address that listens everywhere is named by localhost.
func URL(addr net.Addr) string {
	host, port, err := net.SplitHostPort(addr.String())
	if err != nil {
		return "http://" + addr.String() + "/"
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "localhost"
	}
	return "http://" + net.JoinHostPort(host, port) + "/"
}
