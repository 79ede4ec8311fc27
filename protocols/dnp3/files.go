package dnp3

import (
	"crypto/sha256"
	"encoding/binary"
	"hash"

	"github.com/weir-ics/weir/protocols"
)

const (
	// maxFiles is how many open files of an association are followed; the one
	// opened first is let go for another.
	maxFiles = 8
	// maxFileName is how much of a file's name is kept.
	maxFileName = 255
)

// fileTable follows the files that are open in an association.
type fileTable struct {
	open   [maxFiles]openFile
	oldest int
	// wanted is the file of the last open request, until the response gives it
	// a handle.
	wanted     []byte
	wantedSeq  uint8
	wantedSeen bool
}

// openFile is a file being transferred.
type openFile struct {
	used   bool
	handle uint32
	name   []byte
	// next is the block due, size the octets so far; whole tells that every
	// block from the first on was seen.
	next  uint32
	size  uint32
	whole bool
	sum   hash.Hash
}

func (t *fileTable) reset() {
	for i := range t.open {
		t.open[i].used = false
	}
	t.wantedSeen = false
}

// broken notes that blocks may have been missed.
func (t *fileTable) broken() {
	for i := range t.open {
		t.open[i].whole = false
	}
	t.wantedSeen = false
}

// want remembers the name in an open request.
func (t *fileTable) want(seq uint8, name []byte) {
	t.wanted = append(t.wanted[:0], name[:min(len(name), maxFileName)]...)
	t.wantedSeq, t.wantedSeen = seq, true
}

// find returns the open file of a handle, or nil.
func (t *fileTable) find(handle uint32) *openFile {
	for i := range t.open {
		if f := &t.open[i]; f.used && f.handle == handle {
			return f
		}
	}
	return nil
}

// begin opens a file under a handle.
func (t *fileTable) begin(handle uint32, stats *Stats) *openFile {
	f := t.find(handle)
	if f == nil {
		f = &t.open[t.oldest]
		t.oldest = (t.oldest + 1) % maxFiles
		if f.used {
			stats.FilesEvicted++
		}
	}
	if f.sum == nil {
		f.sum = sha256.New()
	}
	f.sum.Reset()
	*f = openFile{used: true, handle: handle, name: append(f.name[:0], t.wanted...), whole: true, sum: f.sum}
	return f
}

// add takes a block and tells whether it completes the file.
func (f *openFile) add(block uint32, data []byte) (complete bool) {
	number, last := block&^lastBlock, block&lastBlock != 0
	switch {
	case number == f.next:
		f.sum.Write(data)
		f.size += uint32(len(data))
		f.next++
		return last && f.whole
	case f.next > 0 && number == f.next-1:
		return false // sent again
	}
	f.whole = false
	return false
}

// followFiles notes the files that the objects of a message name, and follows
// their content.
func (d *Decoder) followFiles(a *association, ev *protocols.Event, m *Message) {
	for i := range m.Objects {
		o := &m.Objects[i]
		if o.Group != 70 || !o.Carried || o.v == nil {
			continue
		}
		if a.files == nil {
			a.files = new(fileTable)
		}
		it := o.iterate()
		for {
			_, object, ok := it.next()
			if !ok || len(ev.Files) >= maxFiles {
				break
			}
			d.followFile(a, ev, m, o, object)
		}
	}
}

// fileAccess is what a file is opened for by its mode (Annex A, g70v3: 1 read,
// 2 write, 3 append).
func fileAccess(mode uint16) protocols.Access {
	switch mode {
	case 1:
		return protocols.AccessRead
	case 2, 3:
		return protocols.AccessWrite
	}
	return protocols.AccessUnknown
}

// followFile takes one object of group 70.
func (d *Decoder) followFile(a *association, ev *protocols.Event, m *Message, o *Object, object []byte) {
	t := a.files
	switch o.Variation {
	case 3, 7:
		var name []byte
		var size uint32
		var access protocols.Access
		c := o.v.fields(o.Variation, object)
		for {
			f, octets, ok := c.next()
			if !ok {
				break
			}
			switch f.name {
			case "file_name":
				name = octets
			case "file_size":
				size = binary.LittleEndian.Uint32(octets)
			case "mode":
				access = fileAccess(binary.LittleEndian.Uint16(octets))
			}
		}
		ev.Files = append(ev.Files, protocols.File{Name: name, Access: access, Size: size})
		if m.Function == FunctionOpenFile {
			t.want(m.Control.Seq, name)
		}
	case 4:
		if len(object) < 13 {
			return
		}
		handle, size := binary.LittleEndian.Uint32(object), binary.LittleEndian.Uint32(object[4:])
		f := t.find(handle)
		if isResponse(m.Function) && a.request == FunctionOpenFile && object[12] == 0 && t.wantedSeen && t.wantedSeq == m.Control.Seq {
			f = t.begin(handle, &d.pool.Stats)
			t.wantedSeen = false
		}
		if f == nil {
			return
		}
		ev.Files = append(ev.Files, protocols.File{Name: f.name, Size: max(size, f.size)})
		if isResponse(m.Function) && a.request == FunctionCloseFile && object[12] == 0 {
			f.used = false
		}
	case 5:
		if len(object) < 8 {
			return
		}
		// The blocks with content are the outstation's of a file being read
		// and the master's of one being written; a READ only asks for one.
		if m.Function == FunctionRead {
			return
		}
		f := t.find(binary.LittleEndian.Uint32(object))
		if f == nil {
			return
		}
		out := protocols.File{Name: f.name}
		out.Complete = f.add(binary.LittleEndian.Uint32(object[4:]), object[8:])
		out.Size = f.size
		if out.Complete {
			f.sum.Sum(out.SHA256[:0])
		}
		ev.Files = append(ev.Files, out)
	}
}
