package main

import "time"

// quiet finds that a sensor sees no Modbus or DNP3: where there never was any, the
// mirror port is not configured or the wrong cable is in.
type quiet struct {
	heard uint64 // messages
	since int64  // when the last came, or the first step
	ever  bool   // one came
	told  bool
}

// From then on it is too long: at the start, and once there was something. Sites with
// outstations that speak only when something happens are polled each few minutes.
const (
	quietAtStart = int64(time.Minute)
	quietLater   = int64(10 * time.Minute)
)

// look takes in how many messages were seen, at a watermark.
func (q *quiet) look(clock int64, heard uint64) {
	switch {
	case heard > q.heard:
		q.heard, q.since, q.ever, q.told = heard, clock, true, false
	case q.since == 0:
		q.since = clock
	case q.ever:
		q.told = clock-q.since >= quietLater
	default:
		q.told = clock-q.since >= quietAtStart
	}
}
