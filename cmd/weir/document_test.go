package main

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
)

// documentOf is a document of a file that holds so many octets, and what they are.
func documentOf(t *testing.T, octets int) (*document, []byte) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	data := make([]byte, octets)
	random := rand.New(rand.NewPCG(1, 2))
	for i := range data {
		data[i] = 1 + byte(random.Uint32N(255))
	}
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	d, err := readDocument(f)
	if err != nil {
		t.Fatal(err)
	}
	return d, data
}

func TestADocumentGivesBackWhatAllReadersHaveRead(t *testing.T) {
	d, data := documentOf(t, 8<<20)
	if d == nil {
		t.Skip("there is no memory outside of the heap on this system")
	}
	defer d.close()
	if !bytes.Equal(d.data, data) {
		t.Fatal("the document is not the file")
	}
	part := d.data[1<<20 : 7<<20]
	trail := d.behind(part, 2)
	trail.upTo(0, 5<<20)
	if d.left() != len(data) {
		t.Errorf("%d octets are left of %d while a second reader has read nothing", d.left(), len(data))
	}
	trail.upTo(1, 3<<20)
	if gone := len(data) - d.left(); gone < 3<<20-1<<16 || gone > 3<<20 {
		t.Errorf("gave %d octets back after both have read %d", gone, 3<<20)
	}
	if !bytes.Equal(d.data[:1<<20], data[:1<<20]) || !bytes.Equal(d.data[4<<20:], data[4<<20:]) {
		t.Error("what nobody has read yet is not there any more")
	}
}

func TestADocumentKeepsOnlyTheParts(t *testing.T) {
	d, data := documentOf(t, 4<<20)
	if d == nil {
		t.Skip("there is no memory outside of the heap on this system")
	}
	defer d.close()
	first, last := json.RawMessage(d.data[1<<20:1<<20+70_000]), json.RawMessage(d.data[3<<20:3<<20+5])
	d.only(last, nil, first, json.RawMessage("not of it"))
	if !bytes.Equal(first, data[1<<20:][:70_000]) || !bytes.Equal(last, data[3<<20:][:5]) {
		t.Error("a part that was to stay has changed")
	}
	if d.left() > 200_000 {
		t.Errorf("%d octets are left of parts of 70,005", d.left())
	}
}

func TestSmallFilesAndPipesAreNoDocuments(t *testing.T) {
	if d, _ := documentOf(t, 100); d != nil {
		t.Error("100 octets are a document")
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	if d, err := readDocument(r); d != nil || err != nil {
		t.Errorf("a pipe is a document (%v), or an error: %v", d != nil, err)
	}
	var none *document
	none.only(json.RawMessage("{}"))
	none.behind([]byte("{}"), 1).upTo(0, 2)
	if none.close(); none.left() != 0 {
		t.Error("of no document something is left")
	}
}

func TestASectionThatIsHeldComesBackAsItWas(t *testing.T) {
	section := make(json.RawMessage, 3*heldPiece)
	random := rand.New(rand.NewPCG(3, 4))
	for i := range section {
		section[i] = byte(random.Uint32N(200))
	}
	told := 0
	h, err := hold(section, func(octets int) { told = octets })
	if err != nil || told != len(section) {
		t.Fatalf("held %d octets of %d (error %v)", told, len(section), err)
	}
	for range 2 {
		back, err := h.section()
		if err != nil || !bytes.Equal(back, section) {
			t.Fatalf("%d octets came back of %d (error %v)", len(back), len(section), err)
		}
	}
}

func TestLoadingLeavesAsMuchGarbageAsThereIsRoomFor(t *testing.T) {
	for _, x := range []struct {
		used, text uint64
		percent    int
	}{
		{50 << 20, 140 << 20, 400},
		{200 << 20, 100 << 20, 70},
		{360 << 20, 10 << 20, 19},
		{440 << 20, 0, leastLoadSpare},
		{400 << 20, 140 << 20, leastLoadSpare},
		{900 << 20, 0, leastLoadSpare},
	} {
		if got := loadPercent(x.used, x.text); got != x.percent {
			t.Errorf("%d MiB in use and %d of text: %d %% garbage, want %d %%", x.used>>20, x.text>>20, got, x.percent)
		}
	}
}
