// Package detect learns what is normal on a network and says what is not. It
// reads Events, in packet-time order, and gives Findings, which become Alerts
// and Incidents. Everything here is a pure function of what it is given: no
// clock, no random source, no I/O.
package detect
