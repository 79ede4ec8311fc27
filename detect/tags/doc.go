// Package tags gives registers and points their names and types. A tag list
// (CSV) says what an engineer knows of them; where there is none, the types of
// Modbus registers, which have none on the wire, are inferred from the traffic.
// The [Extractor] applies both and turns Events into typed samples.
//
// Everything here is a pure function of what it is given, and bounded: an
// Extractor refuses series beyond its cap, and counts them.
package tags
