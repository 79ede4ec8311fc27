package dnp3

// The internal indications (4.2.2). IIN1.0 is bit 0, IIN2.0 bit 8.
const (
	IINBroadcast           uint16 = 1 << 0
	IINClass1Events        uint16 = 1 << 1
	IINClass2Events        uint16 = 1 << 2
	IINClass3Events        uint16 = 1 << 3
	IINNeedTime            uint16 = 1 << 4
	IINLocalControl        uint16 = 1 << 5
	IINDeviceTrouble       uint16 = 1 << 6
	IINDeviceRestart       uint16 = 1 << 7
	IINNoFuncCodeSupport   uint16 = 1 << 8
	IINObjectUnknown       uint16 = 1 << 9
	IINParameterError      uint16 = 1 << 10
	IINEventBufferOverflow uint16 = 1 << 11
	IINAlreadyExecuting    uint16 = 1 << 12
	IINConfigCorrupt       uint16 = 1 << 13
	iinReserved            uint16 = 3 << 14
)

// iinNames are the standard's names of the internal indications, by bit.
var iinNames = [16]string{
	"BROADCAST", "CLASS_1_EVENTS", "CLASS_2_EVENTS", "CLASS_3_EVENTS",
	"NEED_TIME", "LOCAL_CONTROL", "DEVICE_TROUBLE", "DEVICE_RESTART",
	"NO_FUNC_CODE_SUPPORT", "OBJECT_UNKNOWN", "PARAMETER_ERROR", "EVENT_BUFFER_OVERFLOW",
	"ALREADY_EXECUTING", "CONFIG_CORRUPT", "RESERVED_2", "RESERVED_1",
}

// IINName returns the standard's name of an internal indication by its bit, 0
// to 15.
func IINName(bit int) string { return iinNames[bit&15] }

// flagNames name the bits of a flag octet; a bit that is part of the value
// (the state of a binary) has none.
type flagNames [8]string

// The flags of the point types (clause 11 and Annex A).
var (
	binaryFlags  = flagNames{"ONLINE", "RESTART", "COMM_LOST", "REMOTE_FORCED", "LOCAL_FORCED", "CHATTER_FILTER", "RESERVED", ""}
	doubleFlags  = flagNames{"ONLINE", "RESTART", "COMM_LOST", "REMOTE_FORCED", "LOCAL_FORCED", "CHATTER_FILTER", "", ""}
	outputFlags  = flagNames{"ONLINE", "RESTART", "COMM_LOST", "REMOTE_FORCED", "LOCAL_FORCED", "RESERVED_5", "RESERVED", ""}
	counterFlags = flagNames{"ONLINE", "RESTART", "COMM_LOST", "REMOTE_FORCED", "LOCAL_FORCED", "ROLLOVER", "DISCONTINUITY", "RESERVED"}
	analogFlags  = flagNames{"ONLINE", "RESTART", "COMM_LOST", "REMOTE_FORCED", "LOCAL_FORCED", "OVER_RANGE", "REFERENCE_ERR", "RESERVED"}
)

// codeName names one value of a field.
type codeName struct {
	code uint32
	name string
}

// codeNames name the values of a field, in ascending order of code.
type codeNames []codeName

// name returns the name of code, or "RESERVED".
func (n codeNames) name(code uint32) string {
	for i := range n {
		if n[i].code == code {
			return n[i].name
		}
	}
	return "RESERVED"
}

// controlStatuses are the results of a command (A.8).
var controlStatuses = codeNames{
	{0, "SUCCESS"}, {1, "TIMEOUT"}, {2, "NO_SELECT"}, {3, "FORMAT_ERROR"}, {4, "NOT_SUPPORTED"},
	{5, "ALREADY_ACTIVE"}, {6, "HARDWARE_ERROR"}, {7, "LOCAL"}, {8, "TOO_MANY_OBJS"}, {9, "NOT_AUTHORIZED"},
	{10, "AUTOMATION_INHIBIT"}, {11, "PROCESSING_LIMITED"}, {12, "OUT_OF_RANGE"}, {13, "DOWNSTREAM_LOCAL"},
	{14, "ALREADY_COMPLETE"}, {15, "BLOCKED"}, {16, "CANCELLED"}, {17, "BLOCKED_OTHER_MASTER"},
	{18, "DOWNSTREAM_FAIL"}, {126, "NON_PARTICIPATING"}, {127, "UNDEFINED"},
}

// ControlStatusName returns the standard's name of a control status, 0 to 127.
func ControlStatusName(status uint8) string { return controlStatuses.name(uint32(status)) }

// operationTypes are the low four bits of a control code (A.8.1).
var operationTypes = codeNames{{0, "NUL"}, {1, "PULSE_ON"}, {2, "PULSE_OFF"}, {3, "LATCH_ON"}, {4, "LATCH_OFF"}}

// tripCloseCodes are the high two bits of a control code (A.8.1).
var tripCloseCodes = codeNames{{0, "NUL"}, {1, "CLOSE"}, {2, "TRIP"}}

// doubleBitStates are the states of a double-bit input (A.4).
var doubleBitStates = codeNames{{0, "INTERMEDIATE"}, {1, "DETERMINED_OFF"}, {2, "DETERMINED_ON"}, {3, "INDETERMINATE"}}

// fileStatuses are the results of a file function (A.27.4 and A.27.6).
var fileStatuses = codeNames{
	{0, "SUCCESS"}, {1, "PERMISSION_DENIED"}, {2, "INVALID_MODE"}, {3, "FILE_NOT_FOUND"}, {4, "FILE_LOCKED"},
	{5, "TOO_MANY_OPEN"}, {6, "INVALID_HANDLE"}, {7, "WRITE_BLOCK_SIZE"}, {8, "COMM_LOST"}, {9, "CANNOT_ABORT"},
	{16, "NOT_OPENED"}, {17, "HANDLE_EXPIRED"}, {18, "BUFFER_OVERRUN"}, {19, "FATAL"}, {20, "BLOCK_SEQUENCE"}, {255, "UNDEFINED"},
}

// fileModes are what a file is opened for (A.27.3).
var fileModes = codeNames{{0, "NULL"}, {1, "READ"}, {2, "WRITE"}, {3, "APPEND"}}

// fileTypes tell a directory from a file (A.27.7).
var fileTypes = codeNames{{0, "DIRECTORY"}, {1, "SIMPLE_FILE"}}

// intervalUnits are what an interval counts (A.23.4).
var intervalUnits = codeNames{
	{0, "NO_REPEAT"}, {1, "MILLISECONDS"}, {2, "SECONDS"}, {3, "MINUTES"}, {4, "HOURS"}, {5, "DAYS"}, {6, "WEEKS"},
	{7, "MONTHS_SAME_DAY"}, {8, "MONTHS_SAME_DAY_OF_WEEK_FROM_START"}, {9, "MONTHS_SAME_DAY_OF_WEEK_FROM_END"}, {10, "SEASONS"},
}

// attributeTypes are the data types of attributes and data sets (clause 11).
var attributeTypes = codeNames{
	{0, "NONE"}, {1, "VSTR"}, {2, "UINT"}, {3, "INT"}, {4, "FLT"}, {5, "OSTR"}, {6, "BSTR"}, {7, "TIME"}, {8, "UNCD"},
	{254, "U8BS8LIST"}, {255, "U8BS8EXLIST"},
}

// macAlgorithms are the message authentication codes of secure authentication
// (A.45.1); 1 and 2 with SHA-1 are of version 2 and serial lines.
var macAlgorithms = codeNames{
	{0, "NONE"}, {1, "HMAC_SHA1_4"}, {2, "HMAC_SHA1_10"}, {3, "HMAC_SHA256_8"}, {4, "HMAC_SHA256_16"}, {5, "HMAC_SHA1_8"}, {6, "AES_GMAC_12"},
}

// challengeReasons say why a challenge was sent (A.45.1).
var challengeReasons = codeNames{{1, "CRITICAL"}}

// keyWrapAlgorithms are how session keys are wrapped (A.45.5).
var keyWrapAlgorithms = codeNames{{1, "AES_128"}, {2, "AES_256"}}

// keyStatuses are the state of the session keys (A.45.5).
var keyStatuses = codeNames{{1, "OK"}, {2, "NOT_INIT"}, {3, "COMM_FAIL"}, {4, "AUTH_FAIL"}}

// authErrors are the error codes of secure authentication (A.45.7).
var authErrors = codeNames{
	{1, "AUTHENTICATION_FAILED"}, {2, "UNEXPECTED_RESPONSE"}, {3, "NO_RESPONSE"}, {4, "AGGRESSIVE_MODE_NOT_SUPPORTED"},
	{5, "MAC_ALGORITHM_NOT_SUPPORTED"}, {6, "KEY_WRAP_ALGORITHM_NOT_SUPPORTED"}, {7, "AUTHORIZATION_FAILED"},
	{8, "UPDATE_KEY_METHOD_NOT_PERMITTED"}, {9, "INVALID_SIGNATURE"}, {10, "INVALID_CERTIFICATION_DATA"}, {11, "UNKNOWN_USER"},
	{12, "MAX_SESSION_KEY_STATUS_REQUESTS"},
}

// keyChangeMethods are how update keys are changed (A.45.8).
var keyChangeMethods = codeNames{
	{3, "SYMMETRIC_AES_128_SHA1"}, {4, "SYMMETRIC_AES_256_SHA256"}, {5, "SYMMETRIC_AES_256_GMAC"},
	{67, "ASYMMETRIC_RSA_1024_DSA_SHA1"}, {68, "ASYMMETRIC_RSA_2048_DSA_SHA256"}, {69, "ASYMMETRIC_RSA_3072_DSA_SHA256"},
	{70, "ASYMMETRIC_RSA_2048_DSA_GMAC"}, {71, "ASYMMETRIC_RSA_3072_DSA_GMAC"},
}

// certificateTypes are the kinds of user certificates (A.45.8).
var certificateTypes = codeNames{{1, "ID_CERTIFICATE"}, {2, "ATTRIBUTE_CERTIFICATE"}}

// userOperations are what is done to a user (A.45.10).
var userOperations = codeNames{{1, "ADD"}, {2, "DELETE"}, {3, "CHANGE"}}

// descriptorCodes tell what an element of a data set descriptor is (clause 5).
var descriptorCodes = codeNames{{1, "ID"}, {2, "UUID"}, {3, "NSPC"}, {4, "NAME"}, {5, "DAEL"}, {6, "PTYP"}, {7, "CTLV"}, {8, "CTLS"}}

// attributeNames name the device attributes of set 0 (A.1).
var attributeNames = [256]string{
	196: "Configuration ID", 197: "Configuration version", 198: "Configuration build date",
	199: "Configuration last change date", 200: "Configuration signature", 201: "Configuration signature algorithm",
	202: "Master resource ID (mRID)", 203: "Device location altitude", 204: "Device location longitude",
	205: "Device location latitude", 206: "User-assigned secondary operator name", 207: "User-assigned primary operator name",
	208: "User-assigned system name", 209: "Secure authentication version", 210: "Number of security statistics per association",
	211: "Identification of support for user-specific attributes", 212: "Number of master-defined data set prototypes",
	213: "Number of outstation-defined data set prototypes", 214: "Number of master-defined data sets",
	215: "Number of outstation-defined data sets", 216: "Maximum number of binary output objects per request",
	217: "Local timing accuracy", 218: "Duration of time accuracy", 219: "Support for analog output events",
	220: "Maximum analog output index", 221: "Number of analog outputs", 222: "Support for binary output events",
	223: "Maximum binary output index", 224: "Number of binary outputs", 225: "Support for frozen counter events",
	226: "Support for frozen counters", 227: "Support for counter events", 228: "Maximum counter index",
	229: "Number of counter points", 230: "Support for frozen analog inputs", 231: "Support for analog input events",
	232: "Maximum analog input index", 233: "Number of analog input points", 234: "Support for double-bit input events",
	235: "Maximum double-bit input index", 236: "Number of double-bit input points", 237: "Support for binary input events",
	238: "Maximum binary input index", 239: "Number of binary input points", 240: "Maximum transmit fragment size",
	241: "Maximum receive fragment size", 242: "Device manufacturer's software version",
	243: "Device manufacturer's hardware version", 244: "User-assigned owner name", 245: "User-assigned location",
	246: "User-assigned ID code/number", 247: "User-assigned device name", 248: "Device serial number",
	249: "DNP3 subset and conformance", 250: "Device manufacturer's product name and model", 252: "Device manufacturer's name",
	254: "Non-specific all attributes request", 255: "List of attribute variations",
}

// AttributeName returns the standard's name of a device attribute of set 0, or
// "Device attribute".
func AttributeName(variation uint8) string {
	if n := attributeNames[variation]; n != "" {
		return n
	}
	return "Device attribute"
}
