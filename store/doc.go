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
// power cut can undo commits of values of the last half minute or so as well,
// because those are not forced to the disk one by one (SQLite's synchronous =
// NORMAL in WAL mode): that would wear out flash and win little. A commit that
// holds an alert, an acknowledgement or a baseline is forced to the disk before
// it counts as kept (synchronous = FULL). Neither damages the file.
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
// Values are kept in compressed runs ("chunks") of up to 1,024, a few octets a
// value. Once an hour is over, its runs become one, and its minutes are summed
// up (count, least, greatest, mean, last); once a day is over, so are its hours.
// Raw values, minutes and hours have an age each, so that a trend goes back years
// at the resolution a chart of years needs. A chunk's format is in chunk.go.
package store
