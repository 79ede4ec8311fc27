// Package console is weir's web console and its API: pages that a browser shows
// without a request to anywhere else, and the same facts as JSON. It reads
// through [Data] and writes nothing but acknowledgements.
package console
