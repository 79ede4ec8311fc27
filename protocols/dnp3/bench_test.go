package dnp3

import (
	"syscall"
	"testing"

	"github.com/weir-ics/weir/protocols"
)

// benchmarkTraffic is what runs on real links, as octets.
func benchmarkTraffic() map[string][]step {
	l := new(line)
	integrity := unhexed("01 02 00 00 13")
	for range 20 {
		integrity = append(integrity, 0x81)
	}
	integrity = append(integrity, unhexed("1E 05 00 00 13")...)
	for range 20 {
		integrity = append(integrity, 0x01, 0x00, 0x00, 0xC0, 0x3F)
	}
	integrity = append(integrity, unhexed("14 01 00 00 04")...)
	for range 5 {
		integrity = append(integrity, 0x01, 0x78, 0x56, 0x34, 0x12)
	}
	events := unhexed("20 07 28 05 00")
	for i := range 5 {
		events = append(events, byte(i*3), 0, 1, 0, 0, 0xC0, 0x3F, 0x00, 0x68, 0xE5, 0xCF, 0x8B, 0x01)
	}
	return map[string][]step{
		"poll": {
			l.request(Single(0), FunctionRead, unhexed("3C 02 06 3C 03 06 3C 04 06 3C 01 06")...),
			l.response(Single(0), FunctionResponse, 0, integrity...),
		},
		"integrity": {l.response(Single(0), FunctionResponse, 0, integrity...)},
		"events":    {l.response(AppControl{FIR: true, FIN: true, UNS: true}, FunctionUnsolicitedResponse, 0, events...)},
		"crob":      {l.request(Single(0), FunctionDirectOperateNR, crob...)},
		"class":     {l.request(Single(0), FunctionRead, unhexed("3C 02 06 3C 03 06 3C 04 06")...)},
		"link":      {frame(LinkHeader{Dir: true, Prm: true, Function: LinkRequestLinkStatus, Source: 1, Destination: 10})},
		"segments": {l.response(AppControl{FIR: true, FIN: true, UNS: true}, FunctionUnsolicitedResponse, 0,
			append([]byte{110, 200, 0, 0, 7}, make([]byte, 1600)...)...)},
		"hostile": {
			{0, append(make([]byte, 100), start0, start1, 5, 0xC0, 1, 0, 2, 0, 9, 9)},
			frame(l.header(0), 0x85, 1, 2, 3),
			frame(l.header(1), 0xC0, 0xC0, 130, 0, 0, 200, 1, 6),
			frame(l.header(1), 0xC0, 0xC0, 130, 0, 0, 1, 2, 0, 0, 255),
		},
	}
}

// cpuTime is the processor time that the process has used, in nanoseconds.
func cpuTime() int64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return u.Utime.Nano() + u.Stime.Nano()
}

// BenchmarkDecode decodes a message (or a few) a round.
func BenchmarkDecode(b *testing.B) {
	for _, name := range []string{"poll", "integrity", "events", "crob", "class", "link", "segments", "hostile"} {
		steps := benchmarkTraffic()[name]
		b.Run(name, func(b *testing.B) {
			points := 0
			d := NewDecoder(conversation, func(ev *protocols.Event) { points = len(ev.Points) }, new(Pool))
			octets := 0
			for _, s := range steps {
				octets += len(s.octets)
			}
			b.SetBytes(int64(octets))
			b.ReportAllocs()
			at := protocols.Stamp{}
			used := cpuTime()
			for b.Loop() {
				for _, s := range steps {
					d.Stream(s.dir, at, s.octets)
				}
			}
			// The processor's time tells more than the clock where others use
			// it too.
			b.ReportMetric(float64(cpuTime()-used)/float64(b.N), "cpu-ns/op")
			b.ReportMetric(float64(points), "points")
		})
	}
}

// BenchmarkJSON writes the fields of an integrity poll's answer.
func BenchmarkJSON(b *testing.B) {
	var buf []byte
	var detail protocols.Detail
	d := NewDecoder(conversation, func(ev *protocols.Event) { detail = ev.Detail }, new(Pool))
	s := benchmarkTraffic()["integrity"][0]
	d.Stream(s.dir, protocols.Stamp{}, s.octets)
	b.ReportAllocs()
	for b.Loop() {
		buf = detail.AppendFields(buf[:0])
	}
	b.SetBytes(int64(len(buf)))
}
