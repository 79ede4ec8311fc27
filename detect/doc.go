// Package detect learns what is normal on a network and says what is not. It
// reads Events, in packet-time order, and gives Findings, which become Alerts
// and Incidents. Everything here is a pure function of what it is given: no
// clock, no random source, no I/O.
//
// # How it is built
//
//	Event → Shard → notes → Site → Alert, Incident, Asset, Link
//
// A [Shard] belongs to one worker. It holds everything that was learned of the
// links whose packets that worker sees: functions, addresses as runs, requests
// and their pace, response times, refusals, violations. An event of a known
// link that is as it always was costs some tens of nanoseconds and no memory.
//
// The [Site] is one for all shards and runs between batches. It takes what the
// shards noted in the order of packet time, which does not depend on how
// packets were shared out or where batches end. It judges what crosses links:
// hosts and their network cards, roles, scans, floods. What was not learned
// (links of strangers) is kept here, in tables with caps, so that a flood can
// push out nothing that was learned. It also holds a finding about a request
// until the answer came, so that the alert can say what the device did; and a
// new connection until its first message came, so that both are one alert.
//
// Findings with the same kind and key are one alert that counts on. Its ID is a
// hash of kind, key and episode. Alerts by the same actor are one incident.
//
// # Learning and watching
//
// A [Schedule] says from which packet time on is watched; it is the same for
// all shards. What was learned is a [Baseline]: it can be saved, loaded, shown,
// compared and merged, and gives the same alerts as one kept in memory. How far
// learning is, is said by the Good-Turing estimate of the unseen; where it is
// high, what is new is judged more mildly, and the alert says so. What was
// alerted is never learned, unless a person approves it. An approval ([Decision])
// holds how far it goes (danger.go ranks what protocols say of their functions)
// and between whom (scope.go); a link that was approved learns that, and the rest
// is judged as on an unknown link.
//
// # The false-alarm budget
//
// What is certain (an unknown host, a new function) needs no statistics. What is
// statistical (response times, bursts, floods, pace) has its threshold from
// Settings.AlarmsPerDay, by peaks over threshold, Chernoff's bound or
// Siegmund's approximation. A shard lets through what its own stream alone could
// be given the whole budget for, with the number of such alarms that chance
// would give a day; the site lets pass only what is still within the budget
// when it is shared out over all streams that are watched.
package detect
