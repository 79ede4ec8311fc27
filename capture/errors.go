package capture

import "fmt"

// Problem is what is wrong with an input.
type Problem uint8

const (
	// CannotOpen is a file that is not there, may not be read, or is no file.
	CannotOpen Problem = 1 + iota
	// Empty is a file of 0 bytes.
	Empty
	// NotCapture is a file that is neither pcap nor pcapng.
	NotCapture
	// CutShort is a file that ends within a record.
	CutShort
	// BadRecord is a record that says impossible things of itself; what
	// follows cannot be found.
	BadRecord
	// BadCompression is compressed data that does not unpack.
	BadCompression
	// ReadFailed is an error of the operating system.
	ReadFailed
)

var problemNames = [...]string{
	"", "cannot open", "empty", "not a capture", "cut short", "bad record", "bad compression", "read failed",
}

func (p Problem) String() string {
	if int(p) < len(problemNames) {
		return problemNames[p]
	}
	return "unknown"
}

// ReadError is what is wrong with one input file, as opposed to what is wrong
// with weir or its settings. What could be read before it was given.
type ReadError struct {
	// Path is the file, "-" for the standard input.
	Path string
	// Problem is the kind.
	Problem Problem
	// Packet is the 1-based number, in this file, of the packet that could not
	// be read; 0 if the trouble is not with a packet.
	Packet uint64
	// Offset is how many bytes into the (uncompressed) file.
	Offset int64
	// Reason says it for people.
	Reason string
	// Err is the cause, nil if the bytes themselves are.
	Err error
}

// Error says it in one line.
func (e *ReadError) Error() string {
	name := e.Path
	if name == "-" {
		name = "standard input"
	}
	s := "read " + name + ": "
	switch {
	case e.Packet > 0 && e.Problem == CutShort:
		s += fmt.Sprintf("cut short in packet %d at byte %d", e.Packet, e.Offset)
	case e.Packet > 0:
		s += fmt.Sprintf("packet %d at byte %d: %s", e.Packet, e.Offset, e.Reason)
	default:
		s += e.Reason
	}
	if e.Packet == 0 {
		return s
	}
	switch n := e.Packet - 1; n {
	case 0:
		return s + "; no packet before it"
	case 1:
		return s + "; the packet before it was processed"
	default:
		return s + fmt.Sprintf("; the %d packets before it were processed", n)
	}
}

// Unwrap returns the cause.
func (e *ReadError) Unwrap() error { return e.Err }
