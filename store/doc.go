// Package store is the appliance's own memory: alerts and what people said of
// them, assets, links, baselines, counters, and the values of every point, kept
// in one SQLite file. It needs no server and no setting.
//
// One goroutine writes, in one transaction a second at most; any number of
// readers read what was last committed, while it writes, in this process or in
// another (weir serve).
//
// # What can be lost
//
// A process that is killed loses what it had not committed: at most
// [Options.CommitInterval] of alerts and [Options.SampleInterval] of values. A
// power cut can undo the commits of values of some seconds more, because not each
// is forced to the disk (SQLite's synchronous = FULL), but one each five seconds;
// the others are in its journal in order (NORMAL, in WAL mode). So ten seconds of
// values are the most that is lost. A commit that holds an alert, an
// acknowledgement or a baseline is forced to the disk before it counts as kept,
// with all before it. Neither damages the file.
//
// # What is bounded
//
// The file never holds more than [Retention.MaxBytes]; every table has a cap and
// an age. What is dropped for it is the oldest of the least telling: raw values
// before minutes before hours, closed alerts before open ones. All of it is
// counted in [Report].
//
// # Values
//
// Points that are reported together are kept together: once in their messages
// show it, they are a group with one log, in which a reading has its time once and
// spells out only the points that differ from the reading before (log.go). What a
// commit has of the groups of 64 neighbouring series and an hour is a block
// (block.go); a group's log goes on from block to block and begins anew with each
// hour. So a point that rests costs nothing, one that moves some octets a value, and
// a value is written to the file once. "The same until" and "not seen" differ: every
// reading has its time.
//
// Once an hour is over, its minutes are summed up (count, least, greatest, mean,
// last, judgement); once a day is over, so are its hours. Raw values, minutes and
// hours have an age each, so that a trend goes back years at the resolution a chart
// of years needs. Values that come late, or twice, are in blocks as they came; their
// hour is summed up again, and readers put them in order.
package store
