package modbus

import "github.com/weir-ics/weir/protocols"

// What can be wrong with Modbus traffic. Names are stable. Severity is how much
// it matters on a healthy network: Info may be a habit of a product.
var (
	ViolationProtocolID = &protocols.ViolationKind{Name: "modbus.protocol-id", Clause: "TCP 3.1.3", Severity: protocols.Medium, Units: "identifier",
		Meaning: "The protocol identifier of the header is not 0, so this is no Modbus message, or a forged one."}
	ViolationLength = &protocols.ViolationKind{Name: "modbus.length", Clause: "TCP 3.1.3; AP 4.1", Severity: protocols.Medium, Units: "octets",
		Meaning: "The message is longer or shorter than its own content says."}
	ViolationSize = &protocols.ViolationKind{Name: "modbus.size", Clause: "AP 4.1", Severity: protocols.Medium, Units: "octets",
		Meaning: "The message is longer than the specification allows any message to be."}
	ViolationByteCount = &protocols.ViolationKind{Name: "modbus.byte-count", Clause: "AP 6", Severity: protocols.Medium, Units: "octets",
		Meaning: "The byte count does not fit the quantity, or not the octets that follow it."}
	ViolationQuantity = &protocols.ViolationKind{Name: "modbus.quantity", Clause: "AP 6", Severity: protocols.Medium, Units: "items",
		Meaning: "The quantity is outside the limits of the function."}
	ViolationAddressRange = &protocols.ViolationKind{Name: "modbus.address-range", Clause: "AP 4.4", Severity: protocols.Medium, Units: "address",
		Meaning: "First address plus quantity goes past the last address, 65535."}
	ViolationCoilValue = &protocols.ViolationKind{Name: "modbus.coil-value", Clause: "AP 6.5", Severity: protocols.Medium, Units: "value",
		Meaning: "A coil is written with a value that is neither FF00 (on) nor 0000 (off)."}
	ViolationPadding = &protocols.ViolationKind{Name: "modbus.padding", Clause: "AP 6.1, 6.11", Severity: protocols.Low, Units: "bits",
		Meaning: "Unused bits of the last octet of coils or inputs are not zero; they can carry hidden data."}
	ViolationFunction = &protocols.ViolationKind{Name: "modbus.function", Clause: "AP 4.1, 5", Severity: protocols.Medium, Units: "code",
		Meaning: "The function code is one that the specification does not allow or assigns to nobody."}
	ViolationSubFunction = &protocols.ViolationKind{Name: "modbus.sub-function", Clause: "AP 6.8, 6.19", Severity: protocols.Low, Units: "code",
		Meaning: "The diagnostics sub-function or the MEI type is reserved."}
	ViolationField = &protocols.ViolationKind{Name: "modbus.field", Clause: "AP 6", Severity: protocols.Low, Units: "value",
		Meaning: "A field has a value that the specification does not define for it."}
	ViolationFileReference = &protocols.ViolationKind{Name: "modbus.file-reference", Clause: "AP 6.14, 6.15", Severity: protocols.Medium, Units: "value",
		Meaning: "A file record group has a reference type other than 6, or a record number past 9999."}
	ViolationFIFOCount = &protocols.ViolationKind{Name: "modbus.fifo-count", Clause: "AP 6.18", Severity: protocols.Medium, Units: "registers",
		Meaning: "A FIFO queue is said to hold more than 31 registers, or another number than follow."}
	ViolationExceptionCode = &protocols.ViolationKind{Name: "modbus.exception-code", Clause: "AP 7", Severity: protocols.Low, Units: "code",
		Meaning: "The exception code is not defined."}
	ViolationCRC = &protocols.ViolationKind{Name: "modbus.crc", Clause: "SL 2.5.1.2", Severity: protocols.Medium, Units: "checksum",
		Meaning: "The CRC of an RTU frame is wrong: a noisy line, or a frame that was changed."}
	ViolationLRC = &protocols.ViolationKind{Name: "modbus.lrc", Clause: "SL 2.5.2.2", Severity: protocols.Medium, Units: "checksum",
		Meaning: "The LRC of an ASCII frame is wrong: a noisy line, or a frame that was changed."}
	ViolationASCII = &protocols.ViolationKind{Name: "modbus.ascii", Clause: "SL 2.5.2.1", Severity: protocols.Medium, Units: "character",
		Meaning: "An ASCII frame holds a character that is no hexadecimal digit, or an odd number of digits."}
	ViolationUnit = &protocols.ViolationKind{Name: "modbus.unit", Clause: "SL 2.2", Severity: protocols.Low, Units: "address",
		Meaning: "The unit address is one of those reserved on a serial line, 248 to 255."}
	ViolationBroadcastRead = &protocols.ViolationKind{Name: "modbus.broadcast-read", Clause: "SL 2.1", Severity: protocols.Medium, Units: "code",
		Meaning: "A request that needs an answer is broadcast; only writes may be."}
	ViolationSkipped = &protocols.ViolationKind{Name: "modbus.skipped", Clause: "TCP 3.1.3", Severity: protocols.Medium, Units: "octets",
		Meaning: "Octets between messages belong to none."}

	ViolationUnanswered = &protocols.ViolationKind{Name: "modbus.unanswered", Clause: "AP 4.1; TCP 4.4.2", Severity: protocols.Low, Units: "ms",
		Meaning: "A request got no answer in time."}
	ViolationAnsweredLate = &protocols.ViolationKind{Name: "modbus.answered-late", Clause: "TCP 4.4.2", Severity: protocols.Low, Units: "ms",
		Meaning: "The answer came after the request had been given up."}
	ViolationAnsweredTwice = &protocols.ViolationKind{Name: "modbus.answered-twice", Clause: "AP 4.1", Severity: protocols.High, Units: "",
		Meaning: "A request got a second answer: somebody else may be answering too."}
	ViolationUnsolicited = &protocols.ViolationKind{Name: "modbus.unsolicited-response", Clause: "AP 4.1; TCP 4.4.2", Severity: protocols.Medium, Units: "identifier",
		Meaning: "A response answers no request."}
	ViolationExceptionFromNowhere = &protocols.ViolationKind{Name: "modbus.unsolicited-exception", Clause: "AP 7", Severity: protocols.Medium, Units: "code",
		Meaning: "An exception response answers no request."}
	ViolationRetried = &protocols.ViolationKind{Name: "modbus.retried", Clause: "TCP 4.4.2", Severity: protocols.Info, Units: "ms",
		Meaning: "The same request was sent again while it was not answered yet."}
	ViolationDuplicate = &protocols.ViolationKind{Name: "modbus.duplicate-request", Clause: "TCP 4.4.1.1", Severity: protocols.Low, Units: "ms",
		Meaning: "The same request was sent again under the same transaction identifier while it was not answered yet."}
	ViolationTransactionReused = &protocols.ViolationKind{Name: "modbus.transaction-reused", Clause: "TCP 4.4.1.1", Severity: protocols.Low, Units: "identifier",
		Meaning: "Another request was sent under the transaction identifier of one that was not answered yet."}
	ViolationFunctionMismatch = &protocols.ViolationKind{Name: "modbus.function-mismatch", Clause: "AP 4.1", Severity: protocols.High, Units: "code",
		Meaning: "The response has another function than its request."}
	ViolationUnitMismatch = &protocols.ViolationKind{Name: "modbus.unit-mismatch", Clause: "TCP 4.4.2", Severity: protocols.Medium, Units: "address",
		Meaning: "The response comes from another unit than the request went to."}
	ViolationAddressMismatch = &protocols.ViolationKind{Name: "modbus.address-mismatch", Clause: "AP 6", Severity: protocols.High, Units: "address",
		Meaning: "The response confirms another address than the request named."}
	ViolationQuantityMismatch = &protocols.ViolationKind{Name: "modbus.quantity-mismatch", Clause: "AP 6", Severity: protocols.High, Units: "items",
		Meaning: "The response holds or confirms another quantity than the request asked for."}
	ViolationValueMismatch = &protocols.ViolationKind{Name: "modbus.value-mismatch", Clause: "AP 6", Severity: protocols.High, Units: "value",
		Meaning: "The response confirms another value than the request wrote."}
)

var violations = []*protocols.ViolationKind{
	ViolationProtocolID, ViolationLength, ViolationSize, ViolationByteCount, ViolationQuantity, ViolationAddressRange,
	ViolationCoilValue, ViolationPadding, ViolationFunction, ViolationSubFunction, ViolationField, ViolationFileReference,
	ViolationFIFOCount, ViolationExceptionCode, ViolationCRC, ViolationLRC, ViolationASCII, ViolationUnit, ViolationBroadcastRead,
	ViolationSkipped, ViolationUnanswered, ViolationAnsweredLate, ViolationAnsweredTwice, ViolationUnsolicited,
	ViolationExceptionFromNowhere, ViolationRetried, ViolationDuplicate, ViolationTransactionReused, ViolationFunctionMismatch,
	ViolationUnitMismatch, ViolationAddressMismatch, ViolationQuantityMismatch, ViolationValueMismatch,
}

// Violations returns every kind of violation, for documents and catalogues.
func Violations() []*protocols.ViolationKind {
	return append([]*protocols.ViolationKind(nil), violations...)
}
