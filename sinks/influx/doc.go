// Package influx writes alerts, values, commands and counters to InfluxDB: 2.x,
// or 1.8 with a bucket of the form database/retention-policy and a token of the
// form user:password.
//
// # What is written
//
// All times are packet time in nanoseconds. Every point has the tag sensor if
// Options.Sensor is set. A tag or field that is empty or unknown is left out.
//
//	weir_alert    at the alert's start. A later state overwrites the point, so
//	              there is one point an alert.
//	  tags        id, kind, proto, client, server, rule
//	  fields      severity (string), level (0 info to 4 critical), score, state,
//	              count, end, incident, title, explanation, observed, expected,
//	              techniques and points (lists with commas), function,
//	              function_name, first_frame, last_frame, evidence
//	weir_value    what a device reported
//	  tags        device, proto, unit, kind, index, type, name, eu (engineering unit)
//	  fields      value, flags, device_time; and score, low, high where a model
//	              judged the value
//	weir_command  what a client wrote or operated
//	  tags        as weir_value, and client, access
//	  fields      value
//	weir_traffic  all counters of one moment, a field each under its own name
//
// Integers are integer fields; everything else that is a number is a float.
// InfluxDB has no way to say NaN or infinite: such a value is left out and
// counted (Report.Unsayable). Two values of a point at one time are one point in
// InfluxDB, the later of them: Report.Merged counts the other.
//
// # What happens when InfluxDB does not answer
//
// Write encodes and queues, nothing more; a goroutine of its own sends. A batch
// that could not be sent after a few attempts is put in the spool, a folder of
// gzipped line protocol files, and so is everything after it, so that order is
// kept and a later state of an alert is never overwritten by an earlier one. The
// spool is sent, oldest first, when the server answers again, in this run or the
// next. Sending a batch twice does no harm: its points overwrite themselves. When
// the spool is full, its oldest file is dropped and counted as lost.
//
// A server that says no (wrong token, no such bucket) is treated the same, but is
// not asked again and again: nothing is lost until somebody mends the settings.
// Points that it refuses for themselves (a field of another type, a time
// beyond the retention policy) are counted as refused and not sent again.
package influx
