// Package capture turns packets into what protocol decoders read: the bytes of
// TCP connections in order, UDP payloads, and notices of what happened below.
//
// A [Source] gives packets in batches: [Open] reads capture files, [OpenLive]
// network interfaces. An [Engine] decodes them, follows connections and calls
// one [Handler] a worker. It is passive: nothing is ever sent. Packet time is
// the only clock, and results depend on the packets alone, not on the number
// of workers nor on where batches end.
//
// What weir did not see is counted: see [Stats].
package capture
