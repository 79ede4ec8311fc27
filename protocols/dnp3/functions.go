package dnp3

import "github.com/weir-ics/weir/protocols"

// Application function codes (4.2.2).
const (
	FunctionConfirm             uint8 = 0
	FunctionRead                uint8 = 1
	FunctionWrite               uint8 = 2
	FunctionSelect              uint8 = 3
	FunctionOperate             uint8 = 4
	FunctionDirectOperate       uint8 = 5
	FunctionDirectOperateNR     uint8 = 6
	FunctionImmediateFreeze     uint8 = 7
	FunctionImmediateFreezeNR   uint8 = 8
	FunctionFreezeClear         uint8 = 9
	FunctionFreezeClearNR       uint8 = 10
	FunctionFreezeAtTime        uint8 = 11
	FunctionFreezeAtTimeNR      uint8 = 12
	FunctionColdRestart         uint8 = 13
	FunctionWarmRestart         uint8 = 14
	FunctionInitializeData      uint8 = 15
	FunctionInitializeAppl      uint8 = 16
	FunctionStartAppl           uint8 = 17
	FunctionStopAppl            uint8 = 18
	FunctionSaveConfig          uint8 = 19
	FunctionEnableUnsolicited   uint8 = 20
	FunctionDisableUnsolicited  uint8 = 21
	FunctionAssignClass         uint8 = 22
	FunctionDelayMeasure        uint8 = 23
	FunctionRecordCurrentTime   uint8 = 24
	FunctionOpenFile            uint8 = 25
	FunctionCloseFile           uint8 = 26
	FunctionDeleteFile          uint8 = 27
	FunctionGetFileInfo         uint8 = 28
	FunctionAuthenticateFile    uint8 = 29
	FunctionAbortFile           uint8 = 30
	FunctionActivateConfig      uint8 = 31
	FunctionAuthenticateReq     uint8 = 32
	FunctionAuthReqNoAck        uint8 = 33
	FunctionResponse            uint8 = 129
	FunctionUnsolicitedResponse uint8 = 130
	FunctionAuthenticateResp    uint8 = 131
)

// carries tells which object headers of a function are followed by objects;
// the others only name points.
type carries uint8

const (
	// carriesNames: headers name points; only objects that are part of the
	// question itself (files, authentication) follow.
	carriesNames carries = iota
	// carriesObjects: objects follow every header.
	carriesObjects
	// carriesTime: as carriesNames, and times are followed by their objects.
	carriesTime
)

// function is a line of the function table.
type function struct {
	name   string
	effect protocols.Effect
	role   protocols.Role
	// access is what the function does with the points it names.
	access  protocols.Access
	carries carries
	// silent functions get no response.
	silent bool
	does   string
}

// functions describes every application function code of the standard (4.2.2
// and 4.4). A name is the standard's; codes without one are reserved.
var functions = [256]function{
	0:  {"CONFIRM", protocols.Session, protocols.RoleConfirm, protocols.AccessUnknown, carriesObjects, true, "confirms a fragment that asked for it"},
	1:  {"READ", protocols.Read, protocols.RoleRequest, protocols.AccessRead, carriesNames, false, "asks for values"},
	2:  {"WRITE", protocols.Write, protocols.RoleRequest, protocols.AccessWrite, carriesObjects, false, "sets values, times, indications; sends a block of a file"},
	3:  {"SELECT", protocols.Control, protocols.RoleRequest, protocols.AccessSelect, carriesObjects, false, "arms outputs without operating them"},
	4:  {"OPERATE", protocols.Control, protocols.RoleRequest, protocols.AccessOperate, carriesObjects, false, "operates the outputs selected just before"},
	5:  {"DIRECT_OPERATE", protocols.Control, protocols.RoleRequest, protocols.AccessOperate, carriesObjects, false, "operates outputs without a select"},
	6:  {"DIRECT_OPERATE_NR", protocols.Control, protocols.RoleRequest, protocols.AccessOperate, carriesObjects, true, "operates outputs without a select and without a response"},
	7:  {"IMMED_FREEZE", protocols.Configure, protocols.RoleRequest, protocols.AccessAssign, carriesNames, false, "copies counters or analogs to their frozen twins"},
	8:  {"IMMED_FREEZE_NR", protocols.Configure, protocols.RoleRequest, protocols.AccessAssign, carriesNames, true, "as IMMED_FREEZE, without a response"},
	9:  {"FREEZE_CLEAR", protocols.Configure, protocols.RoleRequest, protocols.AccessAssign, carriesNames, false, "freezes counters, then sets them to zero"},
	10: {"FREEZE_CLEAR_NR", protocols.Configure, protocols.RoleRequest, protocols.AccessAssign, carriesNames, true, "as FREEZE_CLEAR, without a response"},
	11: {"FREEZE_AT_TIME", protocols.Configure, protocols.RoleRequest, protocols.AccessAssign, carriesTime, false, "freezes at a time and in intervals"},
	12: {"FREEZE_AT_TIME_NR", protocols.Configure, protocols.RoleRequest, protocols.AccessAssign, carriesTime, true, "as FREEZE_AT_TIME, without a response"},
	13: {"COLD_RESTART", protocols.Restart, protocols.RoleRequest, protocols.AccessUnknown, carriesNames, false, "restarts the whole device"},
	14: {"WARM_RESTART", protocols.Restart, protocols.RoleRequest, protocols.AccessUnknown, carriesNames, false, "restarts the DNP3 application"},
	15: {"INITIALIZE_DATA", protocols.Configure, protocols.RoleRequest, protocols.AccessUnknown, carriesNames, false, "sets data to initial values (obsolete)"},
	16: {"INITIALIZE_APPL", protocols.Program, protocols.RoleRequest, protocols.AccessUnknown, carriesNames, false, "makes an application ready to run"},
	17: {"START_APPL", protocols.Program, protocols.RoleRequest, protocols.AccessUnknown, carriesNames, false, "starts an application"},
	18: {"STOP_APPL", protocols.Program, protocols.RoleRequest, protocols.AccessUnknown, carriesNames, false, "stops an application"},
	19: {"SAVE_CONFIG", protocols.Configure, protocols.RoleRequest, protocols.AccessUnknown, carriesNames, false, "saves the configuration (deprecated)"},
	20: {"ENABLE_UNSOLICITED", protocols.Configure, protocols.RoleRequest, protocols.AccessAssign, carriesNames, false, "lets the outstation report events unasked"},
	21: {"DISABLE_UNSOLICITED", protocols.Configure, protocols.RoleRequest, protocols.AccessAssign, carriesNames, false, "stops the outstation from reporting events unasked"},
	22: {"ASSIGN_CLASS", protocols.Configure, protocols.RoleRequest, protocols.AccessAssign, carriesNames, false, "assigns points to an event class, or to none"},
	23: {"DELAY_MEASURE", protocols.Time, protocols.RoleRequest, protocols.AccessUnknown, carriesNames, false, "measures the channel's delay, to set the time over a serial line"},
	24: {"RECORD_CURRENT_TIME", protocols.Time, protocols.RoleRequest, protocols.AccessUnknown, carriesNames, false, "marks the moment that a following WRITE gives the time of, on a LAN"},
	25: {"OPEN_FILE", protocols.FileAccess, protocols.RoleRequest, protocols.AccessUnknown, carriesObjects, false, "opens a file"},
	26: {"CLOSE_FILE", protocols.FileAccess, protocols.RoleRequest, protocols.AccessUnknown, carriesObjects, false, "closes a file"},
	27: {"DELETE_FILE", protocols.FileAccess, protocols.RoleRequest, protocols.AccessUnknown, carriesObjects, false, "deletes a file"},
	28: {"GET_FILE_INFO", protocols.FileAccess, protocols.RoleRequest, protocols.AccessRead, carriesObjects, false, "asks for a file's description"},
	29: {"AUTHENTICATE_FILE", protocols.FileAccess, protocols.RoleRequest, protocols.AccessUnknown, carriesObjects, false, "presents a user name and password, gets a key for file access"},
	30: {"ABORT_FILE", protocols.FileAccess, protocols.RoleRequest, protocols.AccessUnknown, carriesObjects, false, "ends a file transfer without its end"},
	31: {"ACTIVATE_CONFIG", protocols.Program, protocols.RoleRequest, protocols.AccessUnknown, carriesObjects, false, "makes a transferred configuration or program the active one"},
	32: {"AUTHENTICATE_REQ", protocols.Session, protocols.RoleRequest, protocols.AccessUnknown, carriesObjects, false, "secure authentication request that wants a response"},
	33: {"AUTH_REQ_NO_ACK", protocols.Session, protocols.RoleRequest, protocols.AccessUnknown, carriesObjects, true, "secure authentication request without a response"},

	129: {"RESPONSE", protocols.EffectNone, protocols.RoleResponse, protocols.AccessReport, carriesObjects, true, "answers a request"},
	130: {"UNSOLICITED_RESPONSE", protocols.Read, protocols.RoleUnsolicited, protocols.AccessReport, carriesObjects, true, "reports events unasked"},
	131: {"AUTHENTICATE_RESP", protocols.Session, protocols.RoleResponse, protocols.AccessReport, carriesObjects, true, "secure authentication answer"},
}

// reservedFunction is the name of a function code that the standard reserves.
const reservedFunction = "RESERVED"

// FunctionName returns the standard's name of an application function code, or
// "RESERVED".
func FunctionName(code uint8) string {
	if n := functions[code].name; n != "" {
		return n
	}
	return reservedFunction
}

// FunctionEffect returns what an application function does to the plant or the
// device, EffectNone for codes that the standard reserves.
func FunctionEffect(code uint8) protocols.Effect { return functions[code].effect }

// isResponse tells whether a code is one that outstations send with internal
// indications: 129 and up.
func isResponse(code uint8) bool { return code >= FunctionResponse }
