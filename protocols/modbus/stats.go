package modbus

// Counter is one thing that decoders count.
type Counter uint8

const (
	CountRequests Counter = iota
	CountResponses
	CountExceptions
	CountViolations
	CountUnanswered
	// CountPendingEvicted is requests forgotten because too many were open.
	CountPendingEvicted
	// CountPendingLost is requests whose answer may have been in bytes that the
	// tap did not see.
	CountPendingLost
	// CountPendingClosed is requests that were open when the conversation ended.
	CountPendingClosed
	// CountSkippedBytes is bytes that belong to no message.
	CountSkippedBytes
	// CountUnfinishedBytes is bytes of a message that never became whole.
	CountUnfinishedBytes
	// CountGaps is holes in a stream, CountResyncs how often the next message
	// was found again after a hole or garbage.
	CountGaps
	CountResyncs
	// CountChecksumErrors is frames with a wrong CRC or LRC.
	CountChecksumErrors
	// CountRoleChanges is conversations in which who is client had to be
	// corrected.
	CountRoleChanges
	numCounters
)

var counterNames = [numCounters]string{
	"modbus.requests", "modbus.responses", "modbus.exceptions", "modbus.violations", "modbus.unanswered",
	"modbus.pending-evicted", "modbus.pending-lost", "modbus.pending-closed", "modbus.skipped-bytes",
	"modbus.unfinished-bytes", "modbus.gaps", "modbus.resyncs", "modbus.checksum-errors", "modbus.role-changes",
}

func (c Counter) String() string {
	if c < numCounters {
		return counterNames[c]
	}
	return "unknown"
}

// Stats counts what decoders did. One goroutine writes it.
type Stats struct{ counts [numCounters]uint64 }

// Get gives one count.
func (s *Stats) Get(c Counter) uint64 { return s.counts[c] }

// Each calls f with every counter's stable name and value, in a fixed order.
func (s *Stats) Each(f func(name string, v uint64)) {
	for i, v := range s.counts {
		f(counterNames[i], v)
	}
}

// Add adds another goroutine's counts to s.
func (s *Stats) Add(other *Stats) {
	for i, v := range other.counts {
		s.counts[i] += v
	}
}

func (s *Stats) count(c Counter, n uint64) { s.counts[c] += n }
