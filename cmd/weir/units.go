package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"

	"github.com/weir-ics/weir/protocols"
)

// duration is a span written as Go writes it ("90s", "1h30m") or in days and
// weeks ("7d", "2w").
type duration time.Duration

func parseDuration(s string) (time.Duration, error) {
	for suffix, unit := range map[string]time.Duration{"d": 24 * time.Hour, "w": 7 * 24 * time.Hour} {
		if n, err := strconv.ParseFloat(strings.TrimSuffix(s, suffix), 64); err == nil && strings.HasSuffix(s, suffix) && n >= 0 && n < 1e5 {
			return time.Duration(n * float64(unit)), nil
		}
	}
	d, err := time.ParseDuration(s)
	if err != nil || d < 0 {
		return 0, fmt.Errorf("%q is not a duration such as 90s, 12h or 7d", s)
	}
	return d, nil
}

// UnmarshalYAML reads a duration.
func (d *duration) UnmarshalYAML(n ast.Node) error { return scalar(n, d.Set) }

// Set, String and Type make a duration a command-line flag.
func (d *duration) Set(s string) error {
	v, err := parseDuration(s)
	*d = duration(v)
	return err
}
func (d *duration) String() string {
	if *d == 0 {
		return ""
	}
	return time.Duration(*d).String()
}
func (d *duration) Type() string { return "duration" }

// size is a number of octets, written with an optional unit: "64MiB", "2GB".
type size int64

// UnmarshalYAML reads a size.
func (s *size) UnmarshalYAML(n ast.Node) error { return scalar(n, s.set) }

func (s *size) set(t string) error {
	digits := strings.TrimRight(t, "KMGTiBkb ")
	unit := strings.TrimSpace(t[len(digits):])
	factor, known := map[string]float64{
		"": 1, "B": 1, "kB": 1e3, "KB": 1e3, "MB": 1e6, "GB": 1e9, "TB": 1e12,
		"KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40,
	}[unit]
	n, err := strconv.ParseFloat(digits, 64)
	if err != nil || !known || n < 0 || n*factor > 1<<60 {
		return fmt.Errorf("%q is not a size such as 64MiB or 2GB", t)
	}
	*s = size(n * factor)
	return nil
}

// severity is a protocols.Severity written by its name.
type severity protocols.Severity

// UnmarshalYAML reads "info" to "critical".
func (s *severity) UnmarshalYAML(n ast.Node) error {
	return scalar(n, func(text string) error {
		v, err := protocols.ParseSeverity(text)
		*s = severity(v)
		return err
	})
}

// valueError is a value in the configuration that makes no sense, and where.
type valueError struct {
	error
	token *token.Token
}

func (e *valueError) GetToken() *token.Token { return e.token }
func (e *valueError) GetMessage() string     { return e.Error() }

// scalar reads one value, so that an error knows its place.
func scalar(n ast.Node, set func(string) error) error {
	if err := set(strings.TrimSpace(n.GetToken().Value)); err != nil {
		return &valueError{err, n.GetToken()}
	}
	return nil
}
