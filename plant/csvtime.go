package plant

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// timeLayouts are the ways to write a time that are tried, in the order of
// preference where a file fits several.
var timeLayouts = []string{
	time.RFC3339Nano, "2006-01-02 15:04:05", "2006-01-02T15:04:05", "2006-01-02 15:04", "2006-01-02T15:04", "2006-01-02 15", "2006-01-02",
	"2006-01-02 15:04:05Z07:00", "2006-01-02 15:04:05 -0700", "2006/01/02 15:04:05", "2006/01/02 15:04", "2006/01/02",
	"20060102150405", "20060102 150405", "20060102T150405", "20060102T150405Z07:00",
	"02/01/06 15", "02/01/2006 15", "02/01/06 15:04", "02/01/2006 15:04", "02/01/06 15:04:05", "02/01/2006 15:04:05", "2/1/2006 3:04:05 PM", "2/1/2006 3:04 PM", "02/01/2006",
	"01/02/06 15", "01/02/2006 15", "01/02/06 15:04", "01/02/2006 15:04", "01/02/06 15:04:05", "01/02/2006 15:04:05", "1/2/2006 15:04", "1/2/2006 15:04:05", "1/2/2006 3:04:05 PM", "1/2/2006 3:04 PM", "01/02/2006",
	"02.01.2006 15:04:05", "02.01.2006 15:04", "2.1.2006 15:04:05", "2.1.2006 15:04", "02.01.06 15:04", "02.01.06 15:04:05", "02.01.2006",
	"02-01-2006 15:04:05", "02-01-2006 15:04", "02-Jan-2006 15:04:05", "2-Jan-2006 15:04:05", "02-Jan-06 15:04:05", "Jan 2, 2006 15:04:05", "2 Jan 2006 15:04:05",
	time.ANSIC, time.RFC1123, time.RFC1123Z, time.RFC850,
}

// Numbers as times: seconds, milliseconds, microseconds or nanoseconds since
// the Unix epoch, and days as spreadsheets count them.
var numberTimes = []struct {
	name      string
	low, high float64
	unit      float64
	zero      int64
}{
	{"unix", 1e8, 1e10, 1e9, 0},
	{"unix-ms", 1e11, 1e13, 1e6, 0},
	{"unix-us", 1e14, 1e16, 1e3, 0},
	{"unix-ns", 1e17, 9e18, 1, 0},
	{"spreadsheet", 2e4, 8e4, 86400e9, -25569 * 86400e9},
}

// A timeReader finds out how a column writes time.
type timeReader struct {
	location   *time.Location
	candidates []timeCandidate
}

type timeCandidate struct {
	layout string // of time.Parse, or a name of numberTimes
	number int    // index into numberTimes, -1
	last   int64
	back   int
	first  int64
}

func newTimeReader(layout string, location *time.Location) *timeReader {
	if location == nil {
		location = time.UTC
	}
	r := &timeReader{location: location}
	add := func(layout string, number int) {
		r.candidates = append(r.candidates, timeCandidate{layout: layout, number: number, last: math.MinInt64})
	}
	for i, n := range numberTimes {
		if layout == "" || layout == n.name {
			add(n.name, i)
		}
	}
	if layout != "" {
		if len(r.candidates) == 0 {
			add(layout, -1)
		}
		return r
	}
	for _, l := range timeLayouts {
		add(l, -1)
	}
	return r
}

func (r *timeReader) parse(c *timeCandidate, s string) (int64, bool) {
	s = strings.TrimSpace(s)
	if c.number >= 0 {
		v, err := strconv.ParseFloat(strings.Replace(s, ",", ".", 1), 64)
		n := &numberTimes[c.number]
		if err != nil || v < n.low || v > n.high {
			return 0, false
		}
		if whole := math.Floor(v); n.unit > 1 {
			return int64(whole)*int64(n.unit) + int64((v-whole)*n.unit) + n.zero, true
		}
		i, err := strconv.ParseInt(s, 10, 64)
		return i, err == nil
	}
	t, err := time.ParseInLocation(c.layout, s, r.location)
	if err != nil || t.Year() < 1971 || t.Year() > 2200 {
		return 0, false
	}
	return t.UnixNano(), true
}

// see takes one more cell of the column and drops every candidate that does
// not read it.
func (r *timeReader) see(s string) {
	keep := r.candidates[:0]
	for _, c := range r.candidates {
		t, ok := r.parse(&c, s)
		if !ok {
			continue
		}
		if c.last == math.MinInt64 {
			c.first = t
		} else if t < c.last {
			c.back++
		}
		c.last = t
		keep = append(keep, c)
	}
	r.candidates = keep
}

// settle picks the candidate for which time goes backwards least, then the one
// that covers the shortest time (day and month exchanged make it longer).
func (r *timeReader) settle() error {
	if len(r.candidates) == 0 {
		return fmt.Errorf("no time format reads every row; give its layout as Go writes it, as %q", "2006-01-02 15:04:05")
	}
	best := r.candidates[0]
	for _, c := range r.candidates[1:] {
		if c.back < best.back || c.back == best.back && c.last-c.first < best.last-best.first {
			best = c
		}
	}
	r.candidates = append(r.candidates[:0], best)
	return nil
}

// read reads a cell by the settled format.
func (r *timeReader) read(s string) (int64, bool) { return r.parse(&r.candidates[0], s) }

// format names the settled format.
func (r *timeReader) format() string { return r.candidates[0].layout }
