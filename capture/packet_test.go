package capture

import "testing"

func TestClaimingPlacesLeavesThePacketsThatAreThere(t *testing.T) {
	var b Batch
	for n := 0; n <= BatchSize; n++ {
		if n%group == 0 {
			b.claim()
		}
		if n < BatchSize {
			b.add().Wire = 7
		}
	}
	if len(b.Packets) != BatchSize {
		t.Fatalf("%d packets, want %d", len(b.Packets), BatchSize)
	}
	for i := range b.Packets {
		if b.Packets[i].Wire != 7 {
			t.Fatalf("packet %d was written to", i)
		}
	}
}
