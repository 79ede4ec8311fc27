package protocols

import "fmt"

// Proto is the protocol of an Event.
type Proto uint8

const (
	ProtoUnknown Proto = iota
	// ProtoModbus is the Modbus Application Protocol V1.1b3 in any framing.
	ProtoModbus
	// ProtoDNP3 is IEEE 1815-2012.
	ProtoDNP3
	// ProtoNetwork is what the layers below tell: connections, ARP.
	ProtoNetwork
	NumProtos
)

var protoNames = [NumProtos]string{"unknown", "modbus", "dnp3", "network"}

func (p Proto) String() string { return name(protoNames[:], int(p)) }

// Transport is what carried the message.
type Transport uint8

const (
	TransportUnknown Transport = iota
	TCP
	UDP
	// Ethernet is for what has no IP: ARP.
	Ethernet
	NumTransports
)

var transportNames = [NumTransports]string{"unknown", "tcp", "udp", "ethernet"}

func (t Transport) String() string { return name(transportNames[:], int(t)) }

// Role is the part a message plays in its exchange.
type Role uint8

const (
	RoleUnknown Role = iota
	RoleRequest
	RoleResponse
	// RoleException is a Modbus exception response.
	RoleException
	// RoleUnsolicited is a DNP3 unsolicited response.
	RoleUnsolicited
	// RoleConfirm is a DNP3 application confirm.
	RoleConfirm
	// RoleLink is a DNP3 link-layer frame without application data (link
	// status, reset, acknowledgement).
	RoleLink
	// RoleNotice is not a message: a ProtoNetwork event, or what a decoder found
	// between messages (a request that stayed unanswered, bytes skipped to find
	// the next message). RequestFrame and Violations say more.
	RoleNotice
	NumRoles
)

var roleNames = [NumRoles]string{"unknown", "request", "response", "exception", "unsolicited", "confirm", "link", "notice"}

func (r Role) String() string { return name(roleNames[:], int(r)) }

// Effect is what a function does to the plant or the device. It is a property
// of the function (and sub-function), the same for request and response.
type Effect uint8

const (
	EffectNone Effect = iota
	// Read takes values and changes nothing.
	Read
	// Write changes values that the device holds (registers, setpoints,
	// deadbands).
	Write
	// Control acts on the plant: coils, relay and analog outputs.
	Control
	// Configure changes how the device behaves: classes, unsolicited, freeze.
	Configure
	// Program changes or takes the device's program or firmware, or starts and
	// stops it.
	Program
	// Restart reboots the device or its communication.
	Restart
	// Diagnose asks for counters, status, identification.
	Diagnose
	// Time sets or measures the clock.
	Time
	// FileAccess reads, writes, deletes files.
	FileAccess
	// Session opens, keeps or authenticates the conversation.
	Session
	NumEffects
)

var effectNames = [NumEffects]string{"none", "read", "write", "control", "configure", "program", "restart", "diagnose", "time", "file", "session"}

func (e Effect) String() string { return name(effectNames[:], int(e)) }

// Changes tells whether the effect can change what the plant or device does.
func (e Effect) Changes() bool {
	switch e {
	case Write, Control, Configure, Program, Restart, Time, FileAccess:
		return true
	}
	return false
}

// PointKind is the table or point type an address belongs to.
type PointKind uint8

const (
	KindUnknown PointKind = iota
	// The four Modbus tables (Application Protocol V1.1b3, 4.3).
	KindCoil
	KindDiscreteInput
	KindInputRegister
	KindHoldingRegister
	// KindFileRecord is a Modbus file record (functions 20 and 21); the index
	// is file number << 16 | record number.
	KindFileRecord
	// KindFIFO is a Modbus FIFO queue (function 24).
	KindFIFO
	// The DNP3 point types (IEEE 1815-2012, 11.9).
	KindBinaryInput
	KindDoubleBitInput
	KindBinaryOutput
	KindCounter
	KindFrozenCounter
	KindAnalogInput
	KindFrozenAnalogInput
	KindAnalogDeadband
	KindAnalogOutput
	KindTime
	// KindClass is a DNP3 class (0 to 3) named by a request.
	KindClass
	KindFile
	KindIIN
	KindOctetString
	KindVirtualTerminal
	KindAttribute
	KindDataSet
	KindAuthentication
	KindBCD
	// KindSecurityStatistic is a DNP3 security statistic (groups 121 and 122).
	KindSecurityStatistic
	NumPointKinds
)

var pointKindNames = [NumPointKinds]string{
	"unknown", "coil", "discrete-input", "input-register", "holding-register", "file-record", "fifo",
	"binary-input", "double-bit-input", "binary-output", "counter", "frozen-counter", "analog-input",
	"frozen-analog-input", "analog-deadband", "analog-output", "time", "class", "file", "iin",
	"octet-string", "virtual-terminal", "attribute", "data-set", "authentication", "bcd",
	"security-statistic",
}

func (k PointKind) String() string { return name(pointKindNames[:], int(k)) }

// Access is what a message does with an address.
type Access uint8

const (
	AccessUnknown Access = iota
	// AccessRead asks for a value.
	AccessRead
	// AccessReport gives a value, asked for or not.
	AccessReport
	// AccessWrite sets a value.
	AccessWrite
	// AccessSelect arms a DNP3 output.
	AccessSelect
	// AccessOperate commands an output.
	AccessOperate
	// AccessAssign changes how a point is reported: class, deadband, freeze.
	AccessAssign
	// AccessEcho is a response that repeats a write or a command.
	AccessEcho
	NumAccesses
)

var accessNames = [NumAccesses]string{"unknown", "read", "report", "write", "select", "operate", "assign", "echo"}

func (a Access) String() string { return name(accessNames[:], int(a)) }

// IdentityKey is one property of a device.
type IdentityKey uint8

const (
	IdentityUnknown IdentityKey = iota
	IdentityVendor
	IdentityProduct
	IdentityModel
	IdentityVersion
	IdentityHardware
	IdentitySerial
	IdentityName
	IdentityLocation
	IdentityURL
	IdentityApplication
	NumIdentityKeys
)

var identityKeyNames = [NumIdentityKeys]string{"unknown", "vendor", "product", "model", "version", "hardware", "serial", "name", "location", "url", "application"}

func (k IdentityKey) String() string { return name(identityKeyNames[:], int(k)) }

// Severity orders what is wrong from worth knowing to act now.
type Severity uint8

const (
	Info Severity = iota
	Low
	Medium
	High
	Critical
	NumSeverities
)

var severityNames = [NumSeverities]string{"info", "low", "medium", "high", "critical"}

func (s Severity) String() string { return name(severityNames[:], int(s)) }

// ParseSeverity reads a severity by its name.
func ParseSeverity(s string) (Severity, error) {
	for i, n := range severityNames {
		if n == s {
			return Severity(i), nil
		}
	}
	return 0, fmt.Errorf("severity %q is none of info, low, medium, high, critical", s)
}

func name(names []string, i int) string {
	if i < len(names) {
		return names[i]
	}
	return "unknown"
}
