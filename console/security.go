package console

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"net"
	"net/http"
	"net/netip"
	"os"
	"slices"
	"strings"
	"time"
)

const (
	// maxInFlight is how many requests are answered at once; one more is told
	// to come back.
	maxInFlight = 64
	// maxBody is the largest request body in octets: the acknowledgement form
	// is the only one there is.
	maxBody = 16 << 10
	// answerTime is how long Data may take over one request.
	answerTime = 30 * time.Second
)

// policy lets a page load its scripts, styles and data from the console alone,
// and nothing inline: a device name that slips into a page as markup cannot run.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; " +
	"connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// guard wraps the console's pages with what holds for every request.
func (c *console) guard(next http.Handler) http.Handler {
	next = c.bounded(next)
	next = c.crossOrigin(next)
	next = c.authenticated(next)
	next = c.rightHost(next)
	return headers(next)
}

func headers(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		// Not "no-referrer": it would turn the Origin of our own forms into
		// null, which the check for forged requests could not tell from a
		// stranger's.
		h.Set("Referrer-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		next.ServeHTTP(w, r)
	})
}

// rightHost refuses names that are not known to be this machine's. An address
// or a name without a dot cannot be an attacker's domain.
func (c *console) rightHost(next http.Handler) http.Handler {
	known := slices.Clone(c.Hosts)
	if name, err := os.Hostname(); err == nil {
		known = append(known, name)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name := strings.TrimSuffix(hostName(r.Host), ".")
		_, err := netip.ParseAddr(name)
		ok := err == nil || name == "localhost" || strings.HasSuffix(name, ".localhost") ||
			slices.ContainsFunc(known, func(k string) bool { return strings.EqualFold(k, name) })
		if !ok {
			c.Log.Warn("console refused a request for a host name that is not its own", "host", r.Host, "from", r.RemoteAddr)
			c.fail(w, r, http.StatusMisdirectedRequest,
				"this console does not go by that host name; use its address, or add the name to the console's hosts in the configuration")
			return
		}
		next.ServeHTTP(w, r)
	})
}

func hostName(hostport string) string {
	if h, _, err := net.SplitHostPort(hostport); err == nil {
		return h
	}
	return strings.Trim(hostport, "[]")
}

func (c *console) authenticated(next http.Handler) http.Handler {
	if c.Token == "" {
		return next
	}
	want := sha256.Sum256([]byte(c.Token))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		given := ""
		if _, password, ok := r.BasicAuth(); ok {
			given = password
		} else if t, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); ok {
			given = t
		}
		got := sha256.Sum256([]byte(given))
		if subtle.ConstantTimeCompare(got[:], want[:]) != 1 && r.URL.Path != "/healthz" {
			w.Header().Set("WWW-Authenticate", `Basic realm="weir", charset="UTF-8"`)
			c.fail(w, r, http.StatusUnauthorized, "the console's token is needed, as the password or as a bearer token")
			return
		}
		next.ServeHTTP(w, r)
	})
}

// crossOrigin refuses what another site's page makes a browser send.
func (c *console) crossOrigin(next http.Handler) http.Handler {
	protection := http.NewCrossOriginProtection()
	protection.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c.Log.Warn("console refused a request made by another site", "origin", r.Header.Get("Origin"), "from", r.RemoteAddr)
		c.fail(w, r, http.StatusForbidden, "the request was made by another site's page")
	}))
	return protection.Handler(next)
}

func (c *console) bounded(next http.Handler) http.Handler {
	slots := make(chan struct{}, maxInFlight)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case slots <- struct{}{}:
			defer func() { <-slots }()
		default:
			w.Header().Set("Retry-After", "2")
			c.fail(w, r, http.StatusServiceUnavailable, "the console is busy; try again in a moment")
			return
		}
		ctx, cancel := context.WithTimeout(r.Context(), answerTime)
		defer cancel()
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
		next.ServeHTTP(w, r.WithContext(ctx))
	})
}
