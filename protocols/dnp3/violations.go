package dnp3

import "github.com/weir-ics/weir/protocols"

// violations lists every kind below, in order of declaration.
var violations []*protocols.ViolationKind

// Violations returns every kind of violation that the decoder reports, from the
// link layer up.
func Violations() []*protocols.ViolationKind {
	return append([]*protocols.ViolationKind(nil), violations...)
}

func violation(name, clause string, severity protocols.Severity, units, meaning string) *protocols.ViolationKind {
	k := &protocols.ViolationKind{Name: "dnp3." + name, Clause: clause, Severity: severity, Meaning: meaning, Units: units}
	violations = append(violations, k)
	return k
}

// What can be wrong with a link frame (clause 9).
var (
	HeaderCRC = violation("header-crc", "9.2.4", protocols.Medium, "crc",
		"The CRC of a frame's header does not fit, so the frame was not decoded: a faulty line or gateway, or someone writing frames by hand.")
	BlockCRC = violation("block-crc", "9.2.4", protocols.Medium, "crc",
		"The CRC of a block of data does not fit, so the frame was not decoded: a faulty line or gateway, or data changed on its way.")
	LinkLength = violation("link-length", "9.2.4.1.2", protocols.Medium, "octets",
		"The length of a frame is less than its header needs.")
	TruncatedFrame = violation("truncated-frame", "13", protocols.Medium, "octets",
		"A datagram ends within a frame; frames must not be split over datagrams.")
	SkippedOctets = violation("skipped-octets", "9.2.4", protocols.Low, "octets",
		"Octets between two frames belong to no frame and were skipped.")
	LinkFunction = violation("link-function", "9.2.4.1.3", protocols.Medium, "code",
		"The link function code is one that the standard reserves.")
	FrameCountValid = violation("frame-count-valid", "9.2.4.1.3", protocols.Low, "bit",
		"The frame count valid bit is not what this link function requires.")
	FrameCountBit = violation("frame-count-bit", "9.2.4.1.3", protocols.Low, "bit",
		"The frame count bit did not change although the frame is a new one: a conforming receiver throws it away as a repeat.")
	LinkRetransmission = violation("link-retransmission", "9.2", protocols.Info, "bit",
		"A confirmed frame was sent again with the same frame count bit; it was decoded the first time.")
	LinkReservedBit = violation("link-reserved-bit", "9.2.4.1.3", protocols.Low, "bit",
		"The reserved bit of a secondary frame is set.")
	LinkData = violation("link-data", "9.2.4.1.3", protocols.Low, "octets",
		"A frame carries data although its function has none, or none although it needs some.")
	UnexpectedSecondary = violation("unexpected-secondary", "9.2", protocols.Low, "code",
		"A link layer answer came that nothing had asked for.")
	SourceAddress = violation("source-address", "9.2", protocols.High, "address",
		"The source is a broadcast, self or reserved address, which no device may send from.")
	ReservedAddress = violation("reserved-address", "9.2", protocols.Medium, "address",
		"The destination is an address that the standard reserves (0xFFF0 to 0xFFFB).")
	SelfAddress = violation("self-address", "9.2", protocols.Medium, "address",
		"The destination is the self address (0xFFFC), which finds out a device's address without knowing it.")
	SameAddress = violation("same-address", "9.2", protocols.Medium, "address",
		"Source and destination are the same address.")
	BroadcastMisuse = violation("broadcast-misuse", "9.2", protocols.High, "code",
		"A broadcast was sent by an outstation, or with a function that wants an answer.")
	DirectionBit = violation("direction-bit", "9.2.4.1.3", protocols.High, "bit",
		"Both ends of the connection claim to be the master of the same pair of addresses.")
)

// What can be wrong with transport segments (clause 8).
var (
	TransportNoFirst = violation("transport-no-first", "8.2", protocols.Low, "sequence",
		"A segment continues a fragment whose first segment was not seen.")
	TransportSequence = violation("transport-sequence", "8.2", protocols.Medium, "sequence",
		"A segment is not the next of its fragment; the fragment was dropped.")
	TransportUnfinished = violation("transport-unfinished", "8.2", protocols.Low, "octets",
		"A new fragment began before the last one was finished; the unfinished one was dropped.")
	TransportDuplicate = violation("transport-duplicate", "8.2", protocols.Info, "sequence",
		"A segment was sent twice.")
	FragmentTooLong = violation("fragment-too-long", "4.3", protocols.High, "octets",
		"A fragment, or all unfinished ones together, grew past any size a device can take, and was dropped: an attack on the receiver's memory, or a broken stack.")
	FragmentSize = violation("fragment-size", "4.3", protocols.Low, "octets",
		"A fragment is longer than 2048 octets, the most that a device must be able to take unless agreed otherwise.")
)

// What can be wrong with an application fragment (clause 4).
var (
	FragmentLength = violation("fragment-length", "4.2.2", protocols.Medium, "octets",
		"A fragment is too short for its header.")
	ReservedFunction = violation("reserved-function", "4.2.2", protocols.High, "code",
		"The function code is one that the standard reserves: a scan, a fuzzer, or a vendor's own.")
	RequestFromOutstation = violation("request-from-outstation", "4.2.2", protocols.High, "code",
		"A message marked as coming from an outstation carries a function that only masters send.")
	ResponseFromMaster = violation("response-from-master", "4.2.2", protocols.High, "code",
		"A message marked as coming from a master carries a function that only outstations send.")
	ControlBits = violation("control-bits", "4.2.2", protocols.Medium, "bits",
		"The application control bits (first, final, confirm, unsolicited) are not ones that this function may have.")
	RequestSequence = violation("request-sequence", "4.2.2", protocols.Low, "sequence",
		"The sequence number of a request is neither the next one nor a repeat: requests were lost, or two senders share an address.")
	ResponseSequence = violation("response-sequence", "4.2.2", protocols.Medium, "sequence",
		"The sequence number of a response is not that of the request: a late answer, or a forged one.")
	FragmentSequence = violation("fragment-sequence", "4.2.2", protocols.Medium, "sequence",
		"A fragment is not the next of its response.")
	UnsolicitedSequence = violation("unsolicited-sequence", "4.2.2", protocols.Low, "sequence",
		"The sequence number of an unsolicited response is neither the next one nor a repeat.")
	ResponseWithoutRequest = violation("response-without-request", "4.3", protocols.High, "sequence",
		"A response came that no request had asked for: a second answer, or a forged one.")
	ConfirmWithoutCause = violation("confirm-without-cause", "4.3", protocols.Low, "sequence",
		"A confirm came for which no fragment had asked.")
	NoResponse = violation("no-response", "4.3", protocols.Low, "milliseconds",
		"A request got no response.")
	UnsolicitedDisabled = violation("unsolicited-disabled", "4.4", protocols.Medium, "",
		"Events came unasked although the master had disabled unsolicited responses for all classes.")
	ReservedIIN = violation("reserved-iin", "4.2.2", protocols.Low, "bits",
		"A reserved internal indication is set.")
)

// What can be wrong with object headers and objects (4.2.2, clause 11, Annex
// A).
var (
	UnknownObject = violation("unknown-object", "Annex A", protocols.Medium, "group and variation (group × 256 + variation)",
		"A group and variation that the standard does not define; if objects follow, what comes after them cannot be decoded.")
	Qualifier = violation("qualifier", "4.2.2", protocols.Medium, "code",
		"The qualifier is reserved, or does not fit the object.")
	ObjectRange = violation("object-range", "4.2.2", protocols.Medium, "index",
		"A range ends before it begins.")
	ObjectLength = violation("object-length", "4.2.2", protocols.High, "octets",
		"Objects end past the end of the fragment: a truncated message, or one made to overrun a buffer.")
	ObjectSize = violation("object-size", "Annex A", protocols.Medium, "octets",
		"An object's size prefix, or a length in it, does not fit what it holds.")
	RelativeTime = violation("relative-time", "A.3.3", protocols.Low, "",
		"An event has a relative time but no common time of occurrence came before it.")
	TooManyPoints = violation("too-many-points", "4.2.2", protocols.Medium, "points",
		"A message reports more points than weir keeps of one message; the rest were not reported.")
)

// What can be wrong with commands (4.4 and A.8).
var (
	ControlCode = violation("control-code", "A.8.1", protocols.Medium, "code",
		"The control code of a relay output block is one that the standard reserves.")
	ControlStatus = violation("control-status", "A.8.1", protocols.Low, "status",
		"The outstation refused a command, or could not carry it out.")
	OperateWithoutSelect = violation("operate-without-select", "4.4", protocols.High, "sequence",
		"An operate came without a select just before it; a conforming outstation refuses it.")
	SelectOperateDiffer = violation("select-operate-differ", "4.4", protocols.High, "",
		"An operate does not name the same outputs and values as the select before it: the command was changed, or two senders mix.")
	CommandEchoDiffers = violation("command-echo-differs", "4.4", protocols.High, "",
		"The response to a command does not repeat the command: one of them was changed on its way.")
)
