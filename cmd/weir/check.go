package main

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/netip"
	"slices"
	"strings"

	"github.com/weir-ics/weir/capture"
	"github.com/weir-ics/weir/sinks/influx"
	"github.com/weir-ics/weir/sinks/syslog"
)

// leastStore is the least that a store may be bounded to: its tables, what it gathers
// for a commit and some minutes of values.
const leastStore = 8 << 20

// check finds values that cannot work, used or not, and those that do not go together.
func (c *config) check() error {
	for _, v := range []struct {
		path string
		err  error
	}{
		{"workers", within(c.Workers, 0, 256)},
		{"capture.buffer", atLeast(c.Capture.Buffer, capture.LeastRing, "2MiB")},
		{"capture.rings", within(c.Capture.Rings, 1, capture.MaxRings)},
		{"detect.alarms-per-day", checkBudget(c.Detect.AlarmsPerDay)},
		{"detect.max-links", above(c.Detect.MaxLinks, 1)},
		{"detect.max-points", above(c.Detect.MaxPoints, 1)},
		{"store.max-size", atLeast(c.Store.MaxSize, leastStore, "8MiB")},
		{"alerts.keep", above(c.Alerts.Keep, 0)},
		{"syslog.address", syslog.CheckAddress(c.Syslog.Address)},
		{"syslog.network", oneOf(c.Syslog.Network, syslog.Networks...)},
		{"syslog.format", oneOf(c.Syslog.Format, syslog.Formats...)},
		{"console.listen", checkListen(c.Console.Listen)},
		{"log.level", checkLevel(c.Log.Level)},
		{"log.format", oneOf(c.Log.Format, "text", "json")},
	} {
		if v.err != nil {
			return c.places.wrong(v.path, v.err)
		}
	}
	for _, host := range slices.Sorted(maps.Keys(c.Hosts)) {
		if _, err := netip.ParseAddr(host); err != nil {
			return c.places.wrong("hosts."+host, fmt.Errorf("%q is not an address", host))
		}
	}
	if err := influx.CheckURL(c.InfluxDB.URL); c.InfluxDB.URL != "" && err != nil {
		return c.places.wrong("influxdb.url", err)
	}
	switch {
	case c.InfluxDB.URL != "" && c.InfluxDB.Bucket == "":
		return c.places.wrong("influxdb.url", errors.New(`influxdb.bucket must be set with it (InfluxDB 1.8: "database/retention-policy")`))
	case c.InfluxDB.Token != "" && c.InfluxDB.TokenFile != "":
		return c.places.wrong("influxdb.token-file", errors.New("influxdb.token is set too; keep one"))
	}
	return nil
}

func within(n, least, most int) error {
	if n < least || n > most {
		return fmt.Errorf("%d is not from %d to %d", n, least, most)
	}
	return nil
}

func above(n, least int) error {
	if n < least {
		return fmt.Errorf("%d is less than %d", n, least)
	}
	return nil
}

func atLeast(n, least size, words string) error {
	if n < least {
		return fmt.Errorf("%d octets are less than %s", n, words)
	}
	return nil
}

func checkBudget(perDay float64) error {
	if !(perDay >= 0.001 && perDay <= 1000) {
		return fmt.Errorf("%v is not from 0.001 to 1000; for fewer alarms choose a small number such as 0.1", perDay)
	}
	return nil
}

func oneOf(word string, among ...string) error {
	if !slices.Contains(among, word) {
		return fmt.Errorf("%q is none of %s", word, strings.Join(among, ", "))
	}
	return nil
}

// checkListen tells whether somebody could listen on an address; empty is nobody.
func checkListen(address string) error {
	if address == "" {
		return nil
	}
	_, port, err := net.SplitHostPort(address)
	if err == nil {
		_, err = net.LookupPort("tcp", port)
	}
	if err != nil {
		return fmt.Errorf("%q is not host:port, such as 127.0.0.1:8341", address)
	}
	return nil
}

func checkLevel(text string) error {
	if err := new(slog.Level).UnmarshalText([]byte(text)); err != nil {
		return fmt.Errorf("%q is none of debug, info, warn, error", text)
	}
	return nil
}
