// Package protocols holds what every protocol decoder of weir produces: the
// Event, one application-layer message as a tap saw it. The sub-packages turn
// bytes into Events; detectors, rules and sinks read Events and nothing else.
//
// Nothing here performs I/O, starts a goroutine or reads a clock.
package protocols

import "net/netip"

// Event is one application-layer message (or, for [ProtoNetwork], one event of
// the transport: a connection tried, refused, opened). A decoder owns one Event
// and fills it again for each message, so a receiver must copy what it keeps:
// every slice, and every byte slice inside a Point, is only valid during the
// call it is handed to.
type Event struct {
	// Time is the capture time of the packet that completed the message, in
	// nanoseconds since the Unix epoch.
	Time int64
	// Clock is the watermark: the largest capture time seen up to this packet, of
	// those that are believed.
	// It never goes backwards; timers run on it, never on Time.
	Clock int64
	// Frame is the 1-based number, in the whole input, of the packet that
	// completed the message.
	Frame uint64

	Proto     Proto
	Transport Transport
	Role      Role
	Effect    Effect
	// FromClient tells whether the client (Modbus) or master (DNP3) sent the
	// message; if not, the server or outstation did.
	FromClient bool
	// Broadcast tells that the message was addressed to all: Modbus unit 0 on
	// a serial framing, DNP3 destinations 0xFFFD to 0xFFFF.
	Broadcast bool
	// RoleGuessed tells that who is client was guessed from ports or order
	// because nothing in the message settles it.
	RoleGuessed bool

	// Src sent the message, Dst was to receive it.
	Src, Dst Endpoint

	// Function is the protocol's function code, without Modbus' exception bit.
	Function uint8
	// Sub is the sub-function (Modbus diagnostics, MEI type, UMAS function),
	// or -1.
	Sub int32
	// Name is the standard's name of the function (and sub-function). It points
	// into the protocol's table: equal functions have equal names.
	Name string

	// Unit is the Modbus unit identifier, 0 to 255.
	Unit uint8
	// Source and Destination are the DNP3 link-layer addresses.
	Source, Destination uint16
	// Sequence is the Modbus transaction identifier or the DNP3 application
	// sequence number.
	Sequence uint16
	// Exception is the Modbus exception code of a response with RoleException.
	Exception uint8
	// IIN holds the DNP3 internal indications, first octet in the low byte
	// (IIN1.0 is bit 0, IIN2.0 is bit 8). Only responses carry it.
	IIN uint16
	// HasIIN tells whether IIN was in the message.
	HasIIN bool

	// Ranges are the addresses the message names, as it names them: what a
	// request reads or writes, what a response reports.
	Ranges []Range
	// Points are the values it carries.
	Points []Point
	// Identity is what the message tells about the device that sent it (Modbus
	// device identification, DNP3 device attributes, UMAS read id).
	Identity []Identity
	// Files are the files it names, transfers or closes.
	Files []File

	// Size is the length of the application-layer message in octets.
	Size int
	// RTT is the time from request to response in nanoseconds when the message
	// closes a transaction, else -1.
	RTT int64
	// RequestFrame is the frame of the request that a response or confirm
	// answers, 0 if that is not known.
	RequestFrame uint64

	// Violations are what is wrong with the message by its standard.
	Violations []Violation

	// Detail gives the protocol's own fields for weir decode. It is nil for
	// ProtoNetwork.
	Detail Detail
	// Memo is that of the conversation, nil if it has none.
	Memo *Memo
}

// Memo is what a receiver of Events keeps with a conversation, so that it need
// not look up for every message what it knows of those who speak. It is empty
// when the conversation begins and is gone with it. Whoever reads it must see
// for himself that it fits the message: one conversation may carry several
// units. Only the worker that has the conversation uses it.
type Memo struct {
	// Link is the detectors'.
	Link any
}

// Detail is the protocol-specific part of an Event.
type Detail interface {
	// AppendFields appends the protocol's fields to a JSON object under
	// construction, each as `,"name":value`, and returns the extended buffer.
	AppendFields(dst []byte) []byte
}

// Client returns the endpoint in the role of client or master.
func (e *Event) Client() *Endpoint {
	if e.FromClient {
		return &e.Src
	}
	return &e.Dst
}

// Server returns the endpoint in the role of server or outstation.
func (e *Event) Server() *Endpoint {
	if e.FromClient {
		return &e.Dst
	}
	return &e.Src
}

// Reset empties e for the next message and keeps the memory of its slices. It
// goes field by field, because to assign a whole Event makes one, of 350 octets,
// on the stack and copies it: 18 ns instead of 10 for every message. For the same
// reason endpoints are assigned one by one, here and in the decoders: two at once
// go by way of the stack, and are read back before they were written (6 ns).
func (e *Event) Reset() {
	e.Time, e.Clock, e.Frame = 0, 0, 0
	e.Proto, e.Transport, e.Role, e.Effect = 0, 0, 0, 0
	e.FromClient, e.Broadcast, e.RoleGuessed = false, false, false
	e.Src = Endpoint{}
	e.Dst = Endpoint{}
	e.Function, e.Sub, e.Name = 0, -1, ""
	e.Unit, e.Source, e.Destination, e.Sequence = 0, 0, 0, 0
	e.Exception, e.IIN, e.HasIIN = 0, 0, false
	e.Ranges = e.Ranges[:0]
	e.Points = e.Points[:0]
	e.Identity = e.Identity[:0]
	e.Files = e.Files[:0]
	e.Size, e.RTT, e.RequestFrame = 0, -1, 0
	e.Violations = e.Violations[:0]
	e.Detail = nil
	e.Memo = nil
}

// Violate records a violation of kind k with what was observed and what the
// standard (or the rest of the message) made expected.
func (e *Event) Violate(k *ViolationKind, observed, expected int64) {
	e.Violations = append(e.Violations, Violation{Kind: k, Observed: observed, Expected: expected})
}

// Endpoint is one end of a conversation. capture.Endpoint has the same fields,
// so that one converts to the other.
type Endpoint struct {
	// MAC is the link-layer address, zero where the capture has none.
	MAC [6]byte
	// VLAN is the inner-most VLAN identifier, 0 if untagged.
	VLAN uint16
	// Port is the TCP or UDP port, 0 where there is none.
	Port uint16
	// IP is the address, never an IPv4-mapped IPv6 one.
	IP netip.Addr
}

// Range is a run of addresses of one table or point type.
type Range struct {
	Kind   PointKind
	Access Access
	// First is the first address (Modbus PDU address, 0-based) or point index.
	First uint32
	// Count is how many; 0 means all of the kind (a DNP3 class or all-objects
	// read), in which case First is the class for KindClass.
	Count uint32
}

// Point is one value of one address or point.
type Point struct {
	Kind   PointKind
	Access Access
	Index  uint32
	// Value is the number: a bit as 0 or 1, a Modbus register as 0 to 65535, a
	// DNP3 double-bit state as 0 to 3, a control relay output block as its
	// control code.
	Value float64
	// Flags is the DNP3 flag octet.
	Flags uint8
	// Status is the DNP3 control status (0 success) of a command response, or
	// zero.
	Status uint8
	// Variation is the DNP3 variation, 0 for Modbus.
	Variation uint8
	Has       Has
	// Time is the device's own time in nanoseconds since the Unix epoch, valid
	// with HasTime.
	Time int64
	// Bytes is the content of octet strings and file records; it aliases the
	// packet.
	Bytes []byte
}

// Has tells which optional parts of a Point are there.
type Has uint8

const (
	HasValue Has = 1 << iota
	HasFlags
	HasTime
	HasStatus
	// IsEvent marks a DNP3 event (a change), as opposed to a static value.
	IsEvent
	// TimeUnsynchronised marks a device time that the device itself does not
	// vouch for (DNP3 group 51 variation 2).
	TimeUnsynchronised
)

// Identity is one thing a device said of itself.
type Identity struct {
	Key   IdentityKey
	Value []byte
}

// File is a file that a message names or whose transfer it completes.
type File struct {
	Name []byte
	// Access is AccessRead or AccessWrite where the message says for which the
	// file is opened or moved, else AccessUnknown.
	Access Access
	// Size is in octets, as announced or as transferred.
	Size uint32
	// SHA256 is set once the whole content went by (Complete).
	SHA256   [32]byte
	Complete bool
}
