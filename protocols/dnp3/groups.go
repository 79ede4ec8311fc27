package dnp3

import "github.com/weir-ics/weir/protocols"

// groups describes every object group and variation of Annex A: what points it
// is about, and how its objects lie in octets. Decoder, encoder, names, docs
// and tests derive from it.
var groups = []group{
	{
		number: 0, name: "Device Attributes", kind: protocols.KindAttribute, class: classInfo, clause: "A.1",
		// A.1: every variation is an attribute of the same form.
		any: &variation{name: "attribute", layout: []field{
			code("data_type", encU8, attributeTypes), num("length", encLength8), num("value", encAttribute),
		}},
		variations: []variation{{number: 254, name: "non-specific all attributes request"}},
	},
	{
		number: 1, name: "Binary Input", kind: protocols.KindBinaryInput, clause: "A.2",
		variations: []variation{
			{number: 1, name: "packed format", bits: 1},
			{number: 2, name: "with flags", layout: []field{state(&binaryFlags)}},
		},
	},
	{
		number: 2, name: "Binary Input Event", kind: protocols.KindBinaryInput, class: classEvent, clause: "A.3",
		variations: []variation{
			{number: 1, name: "without time", layout: []field{state(&binaryFlags)}},
			{number: 2, name: "with absolute time", layout: []field{state(&binaryFlags), timeField}},
			{number: 3, name: "with relative time", layout: []field{state(&binaryFlags), relativeField}},
		},
	},
	{
		number: 3, name: "Double-bit Binary Input", kind: protocols.KindDoubleBitInput, clause: "A.4",
		variations: []variation{
			{number: 1, name: "packed format", bits: 2},
			{number: 2, name: "with flags", layout: []field{doubleState(&doubleFlags)}},
		},
	},
	{
		number: 4, name: "Double-bit Binary Input Event", kind: protocols.KindDoubleBitInput, class: classEvent, clause: "A.5",
		variations: []variation{
			{number: 1, name: "without time", layout: []field{doubleState(&doubleFlags)}},
			{number: 2, name: "with absolute time", layout: []field{doubleState(&doubleFlags), timeField}},
			{number: 3, name: "with relative time", layout: []field{doubleState(&doubleFlags), relativeField}},
		},
	},
	{
		number: 10, name: "Binary Output", kind: protocols.KindBinaryOutput, clause: "A.6",
		variations: []variation{
			{number: 1, name: "packed format", bits: 1},
			{number: 2, name: "output status with flags", layout: []field{state(&outputFlags)}},
		},
	},
	{
		number: 11, name: "Binary Output Event", kind: protocols.KindBinaryOutput, class: classEvent, clause: "A.7",
		variations: []variation{
			{number: 1, name: "status without time", layout: []field{state(&outputFlags)}},
			{number: 2, name: "status with time", layout: []field{state(&outputFlags), timeField}},
		},
	},
	{
		number: 12, name: "Binary Output Command", kind: protocols.KindBinaryOutput, class: classCommand, clause: "A.8",
		variations: []variation{
			{number: 1, name: "control relay output block (CROB)", layout: relayBlock},
			{number: 2, name: "pattern control block (PCB)", layout: relayBlock},
			{number: 3, name: "pattern mask", bits: 1},
		},
	},
	{
		number: 13, name: "Binary Output Command Event", kind: protocols.KindBinaryOutput, class: classEvent, clause: "A.9",
		variations: []variation{
			{number: 1, name: "command status without time", layout: []field{commanded}},
			{number: 2, name: "command status with time", layout: []field{commanded, timeField}},
		},
	},
	{
		number: 20, name: "Counter", kind: protocols.KindCounter, clause: "A.10",
		variations: []variation{
			{number: 1, name: "32-bit with flag", layout: []field{flags(&counterFlags), val(encU32)}},
			{number: 2, name: "16-bit with flag", layout: []field{flags(&counterFlags), val(encU16)}},
			{number: 3, name: "32-bit with flag, delta (obsolete)", layout: []field{flags(&counterFlags), val(encU32)}},
			{number: 4, name: "16-bit with flag, delta (obsolete)", layout: []field{flags(&counterFlags), val(encU16)}},
			{number: 5, name: "32-bit without flag", layout: []field{val(encU32)}},
			{number: 6, name: "16-bit without flag", layout: []field{val(encU16)}},
			{number: 7, name: "32-bit without flag, delta (obsolete)", layout: []field{val(encU32)}},
			{number: 8, name: "16-bit without flag, delta (obsolete)", layout: []field{val(encU16)}},
		},
	},
	{
		number: 21, name: "Frozen Counter", kind: protocols.KindFrozenCounter, clause: "A.11",
		variations: []variation{
			{number: 1, name: "32-bit with flag", layout: []field{flags(&counterFlags), val(encU32)}},
			{number: 2, name: "16-bit with flag", layout: []field{flags(&counterFlags), val(encU16)}},
			{number: 3, name: "32-bit with flag, delta (obsolete)", layout: []field{flags(&counterFlags), val(encU32)}},
			{number: 4, name: "16-bit with flag, delta (obsolete)", layout: []field{flags(&counterFlags), val(encU16)}},
			{number: 5, name: "32-bit with flag and time", layout: []field{flags(&counterFlags), val(encU32), timeField}},
			{number: 6, name: "16-bit with flag and time", layout: []field{flags(&counterFlags), val(encU16), timeField}},
			{number: 7, name: "32-bit with flag and time, delta (obsolete)", layout: []field{flags(&counterFlags), val(encU32), timeField}},
			{number: 8, name: "16-bit with flag and time, delta (obsolete)", layout: []field{flags(&counterFlags), val(encU16), timeField}},
			{number: 9, name: "32-bit without flag", layout: []field{val(encU32)}},
			{number: 10, name: "16-bit without flag", layout: []field{val(encU16)}},
			{number: 11, name: "32-bit without flag, delta (obsolete)", layout: []field{val(encU32)}},
			{number: 12, name: "16-bit without flag, delta (obsolete)", layout: []field{val(encU16)}},
		},
	},
	{
		number: 22, name: "Counter Event", kind: protocols.KindCounter, class: classEvent, clause: "A.12",
		variations: counterEvents,
	},
	{
		number: 23, name: "Frozen Counter Event", kind: protocols.KindFrozenCounter, class: classEvent, clause: "A.13",
		variations: append([]variation(nil), counterEvents...),
	},
	{
		number: 30, name: "Analog Input", kind: protocols.KindAnalogInput, clause: "A.14",
		variations: []variation{
			{number: 1, name: "32-bit with flag", layout: []field{flags(&analogFlags), val(encI32)}},
			{number: 2, name: "16-bit with flag", layout: []field{flags(&analogFlags), val(encI16)}},
			{number: 3, name: "32-bit without flag", layout: []field{val(encI32)}},
			{number: 4, name: "16-bit without flag", layout: []field{val(encI16)}},
			{number: 5, name: "single-precision with flag", layout: []field{flags(&analogFlags), val(encF32)}},
			{number: 6, name: "double-precision with flag", layout: []field{flags(&analogFlags), val(encF64)}},
		},
	},
	{
		number: 31, name: "Frozen Analog Input", kind: protocols.KindFrozenAnalogInput, clause: "A.15",
		variations: []variation{
			{number: 1, name: "32-bit with flag", layout: []field{flags(&analogFlags), val(encI32)}},
			{number: 2, name: "16-bit with flag", layout: []field{flags(&analogFlags), val(encI16)}},
			{number: 3, name: "32-bit with time of freeze", layout: []field{flags(&analogFlags), val(encI32), timeField}},
			{number: 4, name: "16-bit with time of freeze", layout: []field{flags(&analogFlags), val(encI16), timeField}},
			{number: 5, name: "32-bit without flag", layout: []field{val(encI32)}},
			{number: 6, name: "16-bit without flag", layout: []field{val(encI16)}},
			{number: 7, name: "single-precision with flag", layout: []field{flags(&analogFlags), val(encF32)}},
			{number: 8, name: "double-precision with flag", layout: []field{flags(&analogFlags), val(encF64)}},
		},
	},
	{
		number: 32, name: "Analog Input Event", kind: protocols.KindAnalogInput, class: classEvent, clause: "A.16",
		variations: analogEvents,
	},
	{
		number: 33, name: "Frozen Analog Input Event", kind: protocols.KindFrozenAnalogInput, class: classEvent, clause: "A.17",
		variations: append([]variation(nil), analogEvents...),
	},
	{
		number: 34, name: "Analog Input Deadband", kind: protocols.KindAnalogDeadband, clause: "A.18",
		variations: []variation{
			{number: 1, name: "16-bit", layout: []field{val(encU16)}},
			{number: 2, name: "32-bit", layout: []field{val(encU32)}},
			{number: 3, name: "single-precision", layout: []field{val(encF32)}},
		},
	},
	{
		number: 40, name: "Analog Output Status", kind: protocols.KindAnalogOutput, clause: "A.19",
		variations: []variation{
			{number: 1, name: "32-bit with flag", layout: []field{flags(&analogFlags), val(encI32)}},
			{number: 2, name: "16-bit with flag", layout: []field{flags(&analogFlags), val(encI16)}},
			{number: 3, name: "single-precision with flag", layout: []field{flags(&analogFlags), val(encF32)}},
			{number: 4, name: "double-precision with flag", layout: []field{flags(&analogFlags), val(encF64)}},
		},
	},
	{
		number: 41, name: "Analog Output", kind: protocols.KindAnalogOutput, class: classCommand, clause: "A.20",
		variations: []variation{
			{number: 1, name: "32-bit", layout: []field{val(encI32), statusField}},
			{number: 2, name: "16-bit", layout: []field{val(encI16), statusField}},
			{number: 3, name: "single-precision", layout: []field{val(encF32), statusField}},
			{number: 4, name: "double-precision", layout: []field{val(encF64), statusField}},
		},
	},
	{
		number: 42, name: "Analog Output Event", kind: protocols.KindAnalogOutput, class: classEvent, clause: "A.21",
		variations: append([]variation(nil), analogEvents...),
	},
	{
		number: 43, name: "Analog Output Command Event", kind: protocols.KindAnalogOutput, class: classEvent, clause: "A.22",
		variations: []variation{
			{number: 1, name: "32-bit without time", layout: []field{statusField, val(encI32)}},
			{number: 2, name: "16-bit without time", layout: []field{statusField, val(encI16)}},
			{number: 3, name: "32-bit with time", layout: []field{statusField, val(encI32), timeField}},
			{number: 4, name: "16-bit with time", layout: []field{statusField, val(encI16), timeField}},
			{number: 5, name: "single-precision without time", layout: []field{statusField, val(encF32)}},
			{number: 6, name: "double-precision without time", layout: []field{statusField, val(encF64)}},
			{number: 7, name: "single-precision with time", layout: []field{statusField, val(encF32), timeField}},
			{number: 8, name: "double-precision with time", layout: []field{statusField, val(encF64), timeField}},
		},
	},
	{
		number: 50, name: "Time and Date", kind: protocols.KindTime, class: classInfo, clause: "A.23",
		variations: []variation{
			{number: 1, name: "absolute time", layout: []field{timeField}},
			{number: 2, name: "absolute time and interval", layout: []field{timeField, {name: "interval_ms", enc: encU32, value: true}}},
			{number: 3, name: "absolute time at last recorded time", layout: []field{timeField}},
			{number: 4, name: "indexed absolute time and long interval", layout: []field{
				timeField, {name: "interval_count", enc: encU32, value: true}, code("interval_units", encU8, intervalUnits),
			}},
		},
	},
	{
		number: 51, name: "Time and Date Common Time-of-Occurrence", kind: protocols.KindTime, class: classInfo, clause: "A.24",
		variations: []variation{
			{number: 1, name: "absolute time, synchronised", layout: []field{timeField}},
			{number: 2, name: "absolute time, unsynchronised", layout: []field{timeField}},
		},
	},
	{
		number: 52, name: "Time Delay", kind: protocols.KindTime, class: classInfo, clause: "A.25",
		variations: []variation{
			{number: 1, name: "coarse", layout: []field{{name: "delay_s", enc: encDelaySeconds, value: true}}},
			{number: 2, name: "fine", layout: []field{{name: "delay_ms", enc: encDelay, value: true}}},
		},
	},
	{
		number: 60, name: "Class Objects", kind: protocols.KindClass, class: classInfo, clause: "A.26",
		variations: []variation{
			{number: 1, name: "class 0 data"},
			{number: 2, name: "class 1 data"},
			{number: 3, name: "class 2 data"},
			{number: 4, name: "class 3 data"},
		},
	},
	{
		number: 70, name: "File-Control", kind: protocols.KindFile, class: classInfo, clause: "A.27",
		variations: []variation{
			{number: 1, name: "file identifier (superseded)", layout: []field{
				num("name_length", encLength16), num("file_type", encU8), num("attributes", encU8),
				num("start_record", encU16), num("end_record", encU16), num("file_size", encU32),
				{name: "created", enc: encTime}, num("permissions", encU16), num("file_id", encU32),
				num("owner_id", encU32), num("group_id", encU32), num("file_function", encU8),
				code("status", encU8, fileStatuses), sized("file_name", encSizedText, 0),
				num("data_length", encLength16), sized("data", encSizedOctets, 1),
			}},
			{number: 2, name: "authentication", layout: []field{
				num("user_name_offset", encOffset16), num("user_name_length", encLength16),
				num("password_offset", encOffset16), num("password_length", encLength16),
				num("authentication_key", encU32),
				sized("user_name", encTextAt, 1), sized("password", encTextAt, 3),
			}},
			{number: 3, name: "file command", layout: []field{
				num("file_name_offset", encOffset16), num("file_name_length", encLength16),
				{name: "created", enc: encTime}, num("permissions", encU16), num("authentication_key", encU32),
				num("file_size", encU32), code("mode", encU16, fileModes), num("max_block_size", encU16),
				num("request_id", encU16), sized("file_name", encTextAt, 1),
			}},
			{number: 4, name: "file command status", layout: []field{
				num("file_handle", encU32), num("file_size", encU32), num("max_block_size", encU16),
				num("request_id", encU16), code("status", encU8, fileStatuses), num("text", encText),
			}},
			{number: 5, name: "file transport", layout: []field{
				num("file_handle", encU32), num("block", encBlock), num("data", encOctets),
			}},
			{number: 6, name: "file transport status", layout: []field{
				num("file_handle", encU32), num("block", encBlock), code("status", encU8, fileStatuses), num("text", encText),
			}},
			{number: 7, name: "file descriptor", layout: []field{
				num("file_name_offset", encOffset16), num("file_name_length", encLength16),
				code("file_type", encU16, fileTypes), num("file_size", encU32), {name: "created", enc: encTime},
				num("permissions", encU16), num("request_id", encU16), sized("file_name", encTextAt, 1),
			}},
			{number: 8, name: "file specification string", layout: []field{num("file_specification", encText)}},
		},
	},
	{
		number: 80, name: "Internal Indications", kind: protocols.KindIIN, class: classInfo, clause: "A.28",
		variations: []variation{{number: 1, name: "packed format", bits: 1}},
	},
	{
		number: 81, name: "Device Storage", class: classInfo, clause: "A.29",
		variations: []variation{{number: 1, name: "buffer fill status", layout: []field{
			num("fill", encFill), num("buffer_group", encU8), num("buffer_variation", encU8),
		}}},
	},
	{
		number: 82, name: "Device Profile", class: classInfo, clause: "A.30",
		variations: []variation{{number: 1, name: "functions and indexes", layout: []field{num("content", encOctets)}}},
	},
	{
		number: 83, name: "Data Set Registration", class: classInfo, clause: "A.31",
		variations: []variation{
			{number: 1, name: "private registration object", layout: []field{
				num("vendor", encU32), num("object_id", encU16), num("length", encLength16), sized("data", encSizedOctets, 0),
			}},
			{number: 2, name: "private registration object descriptor", layout: []field{
				num("vendor", encU32), num("object_id", encU16), num("content", encOctets),
			}},
		},
	},
	{
		number: 85, name: "Data Set Prototype", kind: protocols.KindDataSet, class: classInfo, clause: "A.32",
		variations: []variation{{number: 1, name: "with UUID", layout: []field{num("elements", encDescriptors)}}},
	},
	{
		number: 86, name: "Data Set Descriptor", kind: protocols.KindDataSet, class: classInfo, clause: "A.33",
		variations: []variation{
			{number: 1, name: "data set contents", layout: []field{num("elements", encDescriptors)}},
			{number: 2, name: "characteristics", layout: []field{num("characteristics", encCharacteristics)}},
			{number: 3, name: "point index attributes", layout: []field{num("content", encOctets)}},
		},
	},
	{
		number: 87, name: "Data Set", kind: protocols.KindDataSet, clause: "A.34",
		variations: []variation{{number: 1, name: "present value", layout: []field{num("elements", encElements)}}},
	},
	{
		number: 88, name: "Data Set Event", kind: protocols.KindDataSet, class: classEvent, clause: "A.35",
		variations: []variation{{number: 1, name: "snapshot", layout: []field{num("elements", encElements)}}},
	},
	{
		number: 90, name: "Application", class: classInfo, clause: "A.36",
		variations: []variation{{number: 1, name: "identifier", layout: []field{num("application", encText)}}},
	},
	{
		number: 91, name: "Status of Requested Operation", class: classInfo, clause: "A.37",
		variations: []variation{{number: 1, name: "active configuration", layout: []field{
			num("delay_ms", encU32), num("content", encOctets),
		}}},
	},
	{
		number: 100, name: "Floating-point (obsolete)", clause: "A.38",
		variations: []variation{
			{number: 1, name: "single-precision", layout: []field{val(encF32)}},
			{number: 2, name: "double-precision", layout: []field{val(encF64)}},
			{number: 3, name: "extended precision", layout: []field{num("octets", encRaw10)}},
		},
	},
	{
		number: 101, name: "Binary-Coded Decimal Integer", kind: protocols.KindBCD, clause: "A.39",
		variations: []variation{
			{number: 1, name: "small", layout: []field{val(encBCD2)}},
			{number: 2, name: "medium", layout: []field{val(encBCD4)}},
			{number: 3, name: "large", layout: []field{val(encBCD8)}},
		},
	},
	{
		number: 102, name: "Unsigned Integer", clause: "A.40",
		variations: []variation{{number: 1, name: "8-bit", layout: []field{val(encU8)}}},
	},
	{
		number: 110, name: "Octet String", kind: protocols.KindOctetString, clause: "A.41",
		any: &variation{layout: []field{num("octets", encVariationOctets)}},
	},
	{
		number: 111, name: "Octet String Event", kind: protocols.KindOctetString, class: classEvent, clause: "A.42",
		any: &variation{layout: []field{num("octets", encVariationOctets)}},
	},
	{
		number: 112, name: "Virtual Terminal Output Block", kind: protocols.KindVirtualTerminal, class: classCommand, clause: "A.43",
		any: &variation{layout: []field{num("octets", encVariationOctets)}},
	},
	{
		number: 113, name: "Virtual Terminal Event Data", kind: protocols.KindVirtualTerminal, class: classEvent, clause: "A.44",
		any: &variation{layout: []field{num("octets", encVariationOctets)}},
	},
	{
		// After the 2012 edition; the length stands before each object.
		number: 114, name: "Extended Octet String", kind: protocols.KindOctetString, clause: "after 2012",
		any: &variation{layout: []field{num("octets", encOctets)}},
	},
	{
		number: 115, name: "Extended Octet String Event", kind: protocols.KindOctetString, class: classEvent, clause: "after 2012",
		any: &variation{layout: []field{num("octets", encOctets)}},
	},
	{
		number: 120, name: "Authentication", kind: protocols.KindAuthentication, class: classInfo, clause: "A.45",
		variations: []variation{
			{number: 1, name: "challenge", layout: []field{
				num("challenge_sequence", encU32), num("user", encU16), code("mac_algorithm", encU8, macAlgorithms),
				code("reason", encU8, challengeReasons), num("challenge", encOctets),
			}},
			{number: 2, name: "reply", layout: []field{
				num("challenge_sequence", encU32), num("user", encU16), num("mac", encOctets),
			}},
			{number: 3, name: "aggressive mode request", layout: []field{
				num("challenge_sequence", encU32), num("user", encU16),
			}},
			{number: 4, name: "session key status request", layout: []field{num("user", encU16)}},
			{number: 5, name: "session key status", layout: []field{
				num("key_change_sequence", encU32), num("user", encU16), code("key_wrap_algorithm", encU8, keyWrapAlgorithms),
				code("key_status", encU8, keyStatuses), code("mac_algorithm", encU8, macAlgorithms),
				num("challenge_length", encLength16), sized("challenge", encSizedOctets, 0), num("mac", encOctets),
			}},
			{number: 6, name: "session key change", layout: []field{
				num("key_change_sequence", encU32), num("user", encU16), num("wrapped_key", encOctets),
			}},
			{number: 7, name: "error", layout: []field{
				num("sequence", encU32), num("user", encU16), num("association", encU16), code("error", encU8, authErrors),
				timeField, num("text", encText),
			}},
			{number: 8, name: "user certificate", layout: []field{
				code("key_change_method", encU8, keyChangeMethods), code("certificate_type", encU8, certificateTypes),
				num("certificate", encOctets),
			}},
			{number: 9, name: "message authentication code", layout: []field{num("mac", encOctets)}},
			{number: 10, name: "user status change", layout: []field{
				code("key_change_method", encU8, keyChangeMethods), code("operation", encU8, userOperations),
				num("status_change_sequence", encU32), num("user_role", encU16), num("role_expiry_days", encU16),
				num("user_name_length", encLength16), num("public_key_length", encLength16), num("certification_length", encLength16),
				sized("user_name", encSizedText, 0), sized("public_key", encSizedOctets, 1), sized("certification", encSizedOctets, 2),
			}},
			{number: 11, name: "update key change request", layout: []field{
				code("key_change_method", encU8, keyChangeMethods), num("user_name_length", encLength16),
				num("challenge_length", encLength16), sized("user_name", encSizedText, 0), sized("challenge", encSizedOctets, 1),
			}},
			{number: 12, name: "update key change reply", layout: []field{
				num("key_change_sequence", encU32), num("user", encU16), num("challenge_length", encLength16),
				sized("challenge", encSizedOctets, 0),
			}},
			{number: 13, name: "update key change", layout: []field{
				num("key_change_sequence", encU32), num("user", encU16), num("update_key_length", encLength16),
				sized("update_key", encSizedOctets, 0),
			}},
			{number: 14, name: "update key change signature", layout: []field{num("signature", encOctets)}},
			{number: 15, name: "update key change confirmation", layout: []field{num("mac", encOctets)}},
		},
	},
	{
		number: 121, name: "Security Statistic", kind: protocols.KindSecurityStatistic, clause: "A.46",
		variations: []variation{{number: 1, name: "32-bit with flag", layout: []field{
			flags(&counterFlags), num("association", encU16), val(encU32),
		}}},
	},
	{
		number: 122, name: "Security Statistic Event", kind: protocols.KindSecurityStatistic, class: classEvent, clause: "A.47",
		variations: []variation{
			{number: 1, name: "32-bit with flag", layout: []field{
				flags(&counterFlags), num("association", encU16), val(encU32),
			}},
			{number: 2, name: "32-bit with flag and time", layout: []field{
				flags(&counterFlags), num("association", encU16), val(encU32), timeField,
			}},
		},
	},
}

// relayBlock is the layout of the CROB and of the pattern control block
// (A.8.1, A.8.2).
var relayBlock = []field{
	{name: "code", enc: encControl, value: true}, num("count", encU8), num("on_time", encU32), num("off_time", encU32), statusField,
}

// commanded is the octet of a binary output command event (A.9.1).
var commanded = field{name: "status", enc: encCommanded, value: true, names: controlStatuses}

// counterEvents are the variations of groups 22 and 23 (A.12, A.13).
var counterEvents = []variation{
	{number: 1, name: "32-bit with flag", layout: []field{flags(&counterFlags), val(encU32)}},
	{number: 2, name: "16-bit with flag", layout: []field{flags(&counterFlags), val(encU16)}},
	{number: 3, name: "32-bit with flag, delta (obsolete)", layout: []field{flags(&counterFlags), val(encU32)}},
	{number: 4, name: "16-bit with flag, delta (obsolete)", layout: []field{flags(&counterFlags), val(encU16)}},
	{number: 5, name: "32-bit with flag and time", layout: []field{flags(&counterFlags), val(encU32), timeField}},
	{number: 6, name: "16-bit with flag and time", layout: []field{flags(&counterFlags), val(encU16), timeField}},
	{number: 7, name: "32-bit with flag and time, delta (obsolete)", layout: []field{flags(&counterFlags), val(encU32), timeField}},
	{number: 8, name: "16-bit with flag and time, delta (obsolete)", layout: []field{flags(&counterFlags), val(encU16), timeField}},
}

// analogEvents are the variations of groups 32, 33 and 42 (A.16, A.17, A.21).
var analogEvents = []variation{
	{number: 1, name: "32-bit without time", layout: []field{flags(&analogFlags), val(encI32)}},
	{number: 2, name: "16-bit without time", layout: []field{flags(&analogFlags), val(encI16)}},
	{number: 3, name: "32-bit with time", layout: []field{flags(&analogFlags), val(encI32), timeField}},
	{number: 4, name: "16-bit with time", layout: []field{flags(&analogFlags), val(encI16), timeField}},
	{number: 5, name: "single-precision without time", layout: []field{flags(&analogFlags), val(encF32)}},
	{number: 6, name: "double-precision without time", layout: []field{flags(&analogFlags), val(encF64)}},
	{number: 7, name: "single-precision with time", layout: []field{flags(&analogFlags), val(encF32), timeField}},
	{number: 8, name: "double-precision with time", layout: []field{flags(&analogFlags), val(encF64), timeField}},
}
