package modbus

import "github.com/weir-ics/weir/protocols"

func word(c check) Layout { return layout(TailNone, checked(u16(FieldValue), c)) }

func counter(code uint16, name string) SubFunction {
	return SubFunction{Code: code, Name: name, Effect: protocols.Diagnose, Clause: "AP 6.8.1",
		Request: word(checkZero), Response: word(checkNone)}
}

// diagnostics is the sub-functions of function 8 (AP 6.8.1). Those that clear
// counters are Configure: they take away what a later diagnosis would show.
var diagnostics = []SubFunction{
	{Code: 0, Name: "Return Query Data", Effect: protocols.Diagnose, Clause: "AP 6.8.1",
		Request: layout(TailRest), Response: layout(TailRest), echo: true},
	{Code: 1, Name: "Restart Communications Option", Effect: protocols.Restart, Clause: "AP 6.8.1",
		Request: word(checkOnOff), Response: word(checkOnOff), echo: true},
	counter(2, "Return Diagnostic Register"),
	{Code: 3, Name: "Change ASCII Input Delimiter", Effect: protocols.Configure, Clause: "AP 6.8.1",
		Request: word(checkNone), Response: word(checkNone), echo: true},
	{Code: 4, Name: "Force Listen Only Mode", Effect: protocols.Configure, Clause: "AP 6.8.1",
		Request: word(checkZero), Response: word(checkNone), Silent: true},
	{Code: 10, Name: "Clear Counters and Diagnostic Register", Effect: protocols.Configure, Clause: "AP 6.8.1",
		Request: word(checkZero), Response: word(checkZero), echo: true},
	counter(11, "Return Bus Message Count"),
	counter(12, "Return Bus Communication Error Count"),
	counter(13, "Return Bus Exception Error Count"),
	counter(14, "Return Server Message Count"),
	counter(15, "Return Server No Response Count"),
	counter(16, "Return Server NAK Count"),
	counter(17, "Return Server Busy Count"),
	counter(18, "Return Bus Character Overrun Count"),
	{Code: 20, Name: "Clear Overrun Counter and Flag", Effect: protocols.Configure, Clause: "AP 6.8.1",
		Request: word(checkZero), Response: word(checkZero), echo: true},
	{Code: 21, Name: "Get/Clear Modbus Plus Statistics", Effect: protocols.Diagnose, Clause: "PI-MBUS-300",
		Request: free(), Response: free()},
}

const (
	meiCANopen  = 13
	meiDeviceID = 14
	// Schneider Electric's, in meters and protection devices.
	meiGetTime = 15
	meiSetTime = 16
)

// meiTypes is the MEI types of function 43 (AP 6.19).
var meiTypes = []SubFunction{
	{Code: meiCANopen, Name: "CANopen General Reference", Effect: protocols.Configure, Clause: "AP 6.20",
		Request: free(), Response: free()},
	{Code: meiDeviceID, Name: "Read Device Identification", Effect: protocols.Diagnose, Clause: "AP 6.21",
		Request: layout(TailNone, checked(u8(FieldReadCode), checkReadCode), u8(FieldObjectID)),
		Response: layout(TailObjects, checked(u8(FieldReadCode), checkReadCode), checked(u8(FieldConformity), checkConformity),
			checked(u8(FieldMoreFollows), checkBool), u8(FieldNextObject), u8(FieldObjectCount))},
	{Code: meiGetTime, Name: "Get Date/Time", Effect: protocols.Time, Clause: "Schneider Electric product manuals",
		Request: free(), Response: free()},
	{Code: meiSetTime, Name: "Set Date/Time", Effect: protocols.Time, Clause: "Schneider Electric product manuals",
		Request: free(), Response: free()},
}

const (
	umasFunction = 90
	umasReadID   = 0x02
	// umasSigned wraps another function with a signature.
	umasSigned = 0x38
	// umasDone and umasRefused take the place of the function in a response.
	umasDone    = 0xFE
	umasRefused = 0xFD
)

func umas(code uint16, name string, effect protocols.Effect) SubFunction {
	return SubFunction{Code: code, Name: name, Effect: effect, Clause: "vendor", Request: free(), Response: free()}
}

// umasFunctions is the functions inside function 90, Schneider Electric's UMAS.
// The vendor does not publish it; names are those of public research. "Upload"
// is towards the controller, "download" from it. The response does not repeat
// the function: weir takes it from the request.
var umasFunctions = []SubFunction{
	umas(0x01, "Initialize Communication", protocols.Session),
	umas(umasReadID, "Read Identification", protocols.Diagnose),
	umas(0x03, "Read Project Information", protocols.Diagnose),
	umas(0x04, "Read PLC Information", protocols.Diagnose),
	umas(0x05, "Read Loader Information", protocols.Diagnose),
	umas(0x06, "Read Memory Card Information", protocols.Diagnose),
	umas(0x07, "Read Block Information", protocols.Diagnose),
	umas(0x0A, "Repeat", protocols.Session),
	umas(0x10, "Take PLC Reservation", protocols.Session),
	umas(0x11, "Release PLC Reservation", protocols.Session),
	umas(0x12, "Keep Alive", protocols.Session),
	umas(0x20, "Read Memory Block", protocols.Read),
	umas(0x21, "Write Memory Block", protocols.Program),
	umas(0x22, "Read Variables", protocols.Read),
	umas(0x23, "Write Variables", protocols.Write),
	umas(0x24, "Read Coils and Registers", protocols.Read),
	umas(0x25, "Write Coils and Registers", protocols.Write),
	umas(0x26, "Data Dictionary", protocols.Read),
	umas(0x27, "Data Dictionary Preload", protocols.Read),
	umas(0x28, "Read Physical Address", protocols.Read),
	umas(0x29, "Write Physical Address", protocols.Program),
	umas(0x2A, "Browse Events", protocols.Diagnose),
	umas(0x30, "Initialize Upload", protocols.Program),
	umas(0x31, "Upload Block", protocols.Program),
	umas(0x32, "End Upload", protocols.Program),
	umas(0x33, "Initialize Download", protocols.Program),
	umas(0x34, "Download Block", protocols.Program),
	umas(0x35, "End Download", protocols.Program),
	umas(0x36, "Backup", protocols.Program),
	umas(0x37, "Preload Blocks", protocols.Program),
	umas(umasSigned, "Signed Message", protocols.Session),
	umas(0x39, "Read Ethernet Master Data", protocols.Read),
	umas(0x40, "Start PLC", protocols.Program),
	umas(0x41, "Stop PLC", protocols.Program),
	umas(0x42, "Initialize PLC", protocols.Program),
	umas(0x43, "Swap Blocks", protocols.Program),
	umas(0x50, "Monitor PLC", protocols.Read),
	umas(0x51, "Get Automatic Modifications", protocols.Diagnose),
	umas(0x52, "Get Forced Bits", protocols.Read),
	umas(0x53, "Get Selected Blocks", protocols.Diagnose),
	umas(0x58, "Check PLC", protocols.Diagnose),
	umas(0x60, "Set Breakpoint", protocols.Program),
	umas(0x61, "Delete Breakpoint", protocols.Program),
	umas(0x62, "Step Over", protocols.Program),
	umas(0x63, "Step In", protocols.Program),
	umas(0x64, "Step Out", protocols.Program),
	umas(0x65, "Get Call Stack", protocols.Diagnose),
	umas(0x66, "Check Debugging Allowed", protocols.Diagnose),
	umas(0x6C, "Process Message", protocols.Session),
	umas(0x6D, "Private Message", protocols.Session),
	umas(0x6E, "Reservation Nonces", protocols.Session),
	umas(0x70, "Read I/O Object", protocols.Read),
	umas(0x71, "Write I/O Object", protocols.Control),
	umas(0x72, "Read Rack", protocols.Diagnose),
	umas(0x73, "Get Module Status", protocols.Diagnose),
	umas(0x74, "Read Device Data", protocols.Read),
}

// signedUMAS finds the function inside a signed UMAS message: behind a mark of
// one octet and a signature of 32 a whole UMAS message follows.
func signedUMAS(data []byte) (inner byte, ok bool) {
	const head = 1 + 32
	if len(data) < head+3 || data[head] != umasFunction {
		return 0, false
	}
	return data[head+2], true
}

// exception is one exception code (AP 7).
type exception struct {
	name, meaning string
}

var exceptions = [256]exception{
	1:  {"illegal function", "the device does not know or does not allow the function"},
	2:  {"illegal data address", "the device has no such address"},
	3:  {"illegal data value", "a field of the request has a value that is not allowed"},
	4:  {"server device failure", "the device failed while it tried"},
	5:  {"acknowledge", "the device accepted the request and will take long"},
	6:  {"server device busy", "the device is busy with a long command"},
	7:  {"negative acknowledge", "the device cannot do the program function (in use before V1.1)"},
	8:  {"memory parity error", "the device's extended file area failed a consistency check"},
	10: {"gateway path unavailable", "the gateway has no way to the target, often for its configuration or load"},
	11: {"gateway target device failed to respond", "the target behind the gateway did not answer"},
}

// ExceptionName names an exception code (AP 7), empty if it is not defined.
func ExceptionName(code uint8) string { return exceptions[code].name }

// eventFlags names the bits of an octet of the communication event log, lowest
// first; empty bits are not used (AP 6.10).
var (
	receiveFlags = [8]string{1: "communication error", 4: "character overrun", 5: "currently in listen only mode", 6: "broadcast received"}
	sendFlags    = [8]string{0: "read exception sent", 1: "server abort exception sent", 2: "server busy exception sent",
		3: "server program NAK exception sent", 4: "write timeout error occurred", 5: "currently in listen only mode"}
)

// object is one object of device identification (AP 6.21).
type object struct {
	name string
	key  protocols.IdentityKey
}

var objects = [256]object{
	0: {"VendorName", protocols.IdentityVendor},
	1: {"ProductCode", protocols.IdentityProduct},
	2: {"MajorMinorRevision", protocols.IdentityVersion},
	3: {"VendorUrl", protocols.IdentityURL},
	4: {"ProductName", protocols.IdentityName},
	5: {"ModelName", protocols.IdentityModel},
	6: {"UserApplicationName", protocols.IdentityApplication},
}
