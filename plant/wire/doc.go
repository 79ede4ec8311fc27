// Package wire writes bytes: Ethernet, ARP, IPv4, TCP and UDP frames, the pcap
// file format, Modbus/TCP and DNP3 messages, as the simulated plant sends them.
//
// It is written apart from the decoders in protocols on purpose. Traffic that
// weir is tested and measured with must not come from the decoders' own tables:
// what both sides of one mistake agree on, no test can find. Everything here is
// checked against tshark instead.
//
// All functions append to a slice and return it, so that a caller can reuse its
// buffers; none performs I/O except PcapWriter.
package wire
