// Package dnp3 turns the bytes of a conversation into DNP3 messages and back,
// by IEEE Std 1815-2012, "the standard" in its comments.
//
// A [Decoder] finds link frames in a stream or datagram, checks their CRCs,
// puts transport segments together for each pair of addresses, and decodes
// every application fragment to the last object: one [protocols.Event] a
// fragment, with a [Message] as its detail. [Fragment], [AppendFrame] and
// [AppendSegments] build any message.
//
// What weir knows of DNP3 stands in tables: functions (functions.go), link
// functions (link.go), internal indications and flags (names.go), groups and
// variations with the layout of their objects (groups.go), and violations
// (violations.go). docs/dnp3.md is generated from them.
package dnp3
