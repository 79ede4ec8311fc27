package capture

import "time"

// Settings are the limits within which connections are followed. A zero field
// takes the default. All times are packet time. The limits on counts and bytes
// are for the whole engine; each of the [Shards] has an equal part.
type Settings struct {
	// Workers is how many goroutines share the work of the handlers (one for each
	// handler, and never more).
	Workers int
	// Backlog is how many octets of what was gathered after batches (see [Step])
	// may wait while a step takes long; then the batches wait, too. With 0 a step
	// has to be done before the next is gathered, as is right for files. A batch
	// may overrun it by what it brings.
	Backlog int

	// MaxConns is how many conversations are followed at once (131072). Beyond
	// it, the one that would have timed out first is let go: half-open ones,
	// then those that only one side spoke in, then those idle for longest.
	MaxConns int
	// MaxHosts is how many senders (IP, MAC and VLAN) are known (131072).
	MaxHosts int

	// TCPIdle is how long a silent TCP connection is kept (1 h).
	TCPIdle time.Duration
	// UDPIdle is how long a silent UDP conversation is kept (10 min).
	UDPIdle time.Duration
	// HalfOpen is how long a handshake may take (30 s).
	HalfOpen time.Duration
	// OneSided is how long a silent TCP connection is kept whose opening was
	// not seen and of which only one side was heard, and one that one side has
	// closed (2 min).
	OneSided time.Duration
	// TimeWait is how long a closed connection is remembered, to know its late
	// segments (10 s).
	TimeWait time.Duration

	// GapAfter is how long a hole in a stream may stay open (5 s).
	GapAfter time.Duration
	// AckGrace is how long it may stay open once the receiver has confirmed
	// bytes beyond it, so that only the tap can have lost them (50 ms). It is
	// not 0 because the two directions of a tap may come out of order.
	AckGrace time.Duration
	// MaxStreamBytes is what may wait behind the holes of one connection
	// (256 KiB), MaxStreamSegments in how many pieces a direction (256).
	MaxStreamBytes, MaxStreamSegments int
	// MaxBuffered is what may wait behind the holes of all (64 MiB).
	MaxBuffered int

	// MaxFragmentBytes and MaxDatagrams are how much of how many fragmented IP
	// datagrams is held (16 MiB, 8192); the oldest is let go.
	MaxFragmentBytes, MaxDatagrams int
	// FragmentAge is how long the rest of a datagram may take (30 s).
	FragmentAge time.Duration

	// IgnoreVLAN makes packets of different VLANs parts of one conversation,
	// where the two directions have different tags.
	IgnoreVLAN bool
}

func (s Settings) withDefaults() Settings {
	count := func(v *int, d int) {
		if *v <= 0 {
			*v = d
		}
	}
	span := func(v *time.Duration, d time.Duration) {
		if *v <= 0 {
			*v = d
		}
	}
	count(&s.MaxConns, 131072)
	count(&s.MaxHosts, 131072)
	count(&s.MaxStreamBytes, 256<<10)
	count(&s.MaxStreamSegments, 256)
	count(&s.MaxBuffered, 64<<20)
	count(&s.MaxFragmentBytes, 16<<20)
	count(&s.MaxDatagrams, 8192)
	span(&s.TCPIdle, time.Hour)
	span(&s.UDPIdle, 10*time.Minute)
	span(&s.HalfOpen, 30*time.Second)
	span(&s.OneSided, 2*time.Minute)
	span(&s.TimeWait, 10*time.Second)
	span(&s.GapAfter, 5*time.Second)
	span(&s.AckGrace, 50*time.Millisecond)
	span(&s.FragmentAge, 30*time.Second)
	return s
}

// share is a shard's part of a limit.
func share(limit int) int { return max(1, limit/Shards) }
