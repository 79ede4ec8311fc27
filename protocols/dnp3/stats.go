package dnp3

// Stats counts what the decoders of one worker saw and could not see.
type Stats struct {
	// Octets is all octets given to decoders, SkippedOctets those that
	// belonged to no valid frame, LostOctets those the tap missed.
	Octets, SkippedOctets, LostOctets uint64
	// Frames is valid link frames; HeaderCRC and BlockCRC those that were not.
	Frames, HeaderCRC, BlockCRC uint64
	// Segments is transport segments; SegmentsDropped those that led to no
	// fragment.
	Segments, SegmentsDropped uint64
	// Retransmissions is confirmed frames sent again.
	Retransmissions uint64
	// Fragments is application fragments decoded, Unfinished those that began
	// and never ended.
	Fragments, Unfinished uint64
	// Objects is object headers, Points values in them, PointsDropped those
	// past the bound a message.
	Objects, Points, PointsDropped uint64
	// Violations counts all of them.
	Violations uint64
	// Unanswered is requests without a response.
	Unanswered uint64
	// AssociationsEvicted and FilesEvicted are state let go to stay within
	// bounds; ReassemblyDropped is the unfinished fragments let go for that.
	AssociationsEvicted, FilesEvicted, ReassemblyDropped uint64
}

// Each calls f with each counter, under its stable name.
func (s *Stats) Each(f func(name string, value uint64)) {
	f("dnp3.octets", s.Octets)
	f("dnp3.skipped-octets", s.SkippedOctets)
	f("dnp3.lost-octets", s.LostOctets)
	f("dnp3.frames", s.Frames)
	f("dnp3.header-crc-errors", s.HeaderCRC)
	f("dnp3.block-crc-errors", s.BlockCRC)
	f("dnp3.segments", s.Segments)
	f("dnp3.segments-dropped", s.SegmentsDropped)
	f("dnp3.retransmissions", s.Retransmissions)
	f("dnp3.fragments", s.Fragments)
	f("dnp3.fragments-unfinished", s.Unfinished)
	f("dnp3.objects", s.Objects)
	f("dnp3.points", s.Points)
	f("dnp3.points-dropped", s.PointsDropped)
	f("dnp3.violations", s.Violations)
	f("dnp3.unanswered", s.Unanswered)
	f("dnp3.associations-evicted", s.AssociationsEvicted)
	f("dnp3.files-evicted", s.FilesEvicted)
	f("dnp3.reassembly-dropped", s.ReassemblyDropped)
}
