package modbus

// Counter is one thing that decoders count.
type Counter uint8

const (
	CountRequests Counter = iota
	CountResponses
	CountExceptions
	CountViolations
	CountUnanswered
	CountPendingEvicted
	CountPendingLost
	CountPendingClosed
	CountSkippedBytes
	CountUnfinishedBytes
	CountGaps
	CountResyncs
	CountChecksumErrors
	CountRoleChanges
	numCounters
)

var counterNames = [numCounters]string{
	CountRequests:        "modbus.requests",
	CountResponses:       "modbus.responses",
	CountExceptions:      "modbus.exceptions",
	CountViolations:      "modbus.violations",
	CountUnanswered:      "modbus.unanswered",
	CountPendingEvicted:  "modbus.pending-evicted",
	CountPendingLost:     "modbus.pending-lost",
	CountPendingClosed:   "modbus.pending-closed",
	CountSkippedBytes:    "modbus.skipped-bytes",
	CountUnfinishedBytes: "modbus.unfinished-bytes",
	CountGaps:            "modbus.gaps",
	CountResyncs:         "modbus.resyncs",
	CountChecksumErrors:  "modbus.checksum-errors",
	CountRoleChanges:     "modbus.role-changes",
}

var counterMeanings = [numCounters]string{
	CountRequests:        "requests",
	CountResponses:       "normal responses",
	CountExceptions:      "exception responses",
	CountViolations:      "violations of all kinds",
	CountUnanswered:      "requests that got no answer in time",
	CountPendingEvicted:  "requests forgotten because too many were open",
	CountPendingLost:     "requests whose answer may have been in bytes that the tap did not see",
	CountPendingClosed:   "requests that were open when the conversation ended",
	CountSkippedBytes:    "octets that belong to no message",
	CountUnfinishedBytes: "octets of a message that never became whole",
	CountGaps:            "holes in a stream",
	CountResyncs:         "how often the next message was found again after bytes were skipped",
	CountChecksumErrors:  "frames with a wrong CRC or LRC",
	CountRoleChanges:     "conversations in which who is client had to be corrected",
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
