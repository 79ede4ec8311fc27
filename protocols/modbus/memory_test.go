package modbus

import (
	"runtime"
	"testing"
)

func TestTenThousandConnectionsNeedLittleMemory(t *testing.T) {
	const connections = 10_000
	worker := new(Worker)
	decoders := make([]*Decoder, connections)
	ask, answer := readRegisters(MBAP)[0].data, readRegisters(MBAP)[1].data
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for i := range decoders {
		d := Config{Worker: worker}.NewDecoder(conversation(), ignore)
		// Two polls, the second answer in two pieces.
		d.Stream(toServer, stamp(1), ask)
		d.Stream(toClient, stamp(2), answer)
		d.Stream(toServer, stamp(3), ask)
		d.Stream(toClient, stamp(4), answer[:12])
		decoders[i] = d
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	each := (int64(after.HeapAlloc) - int64(before.HeapAlloc)) / connections
	t.Logf("%d octets a connection", each)
	if each > 1500 {
		t.Errorf("%d octets a connection", each)
	}
	runtime.KeepAlive(decoders)
}
